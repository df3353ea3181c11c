#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/mem.h"

#define DH_LOG_TAG "file"
#include "base/log.h"

static enum dh_status status_of_errno(int err)
{
    if (err == ENOENT || err == ENOTDIR)
        return DH_ERR_NOTFOUND;
    return err == ENOMEM ? DH_ERR_NOMEM : DH_ERR_IO;
}

static enum dh_status say(const char *what, const char *path, int err)
{
    dh_error("cannot %s %s: %s", what, path, strerror(err));
    return status_of_errno(err);
}

static enum dh_status open_for_reading(const char *path, int *fd,
                                       struct stat *st)
{
    int f = open(path, O_RDONLY | O_CLOEXEC);
    if (f < 0)
        return say("open", path, errno);
    if (fstat(f, st) != 0) {
        int err = errno;
        close(f);
        return say("look at", path, err);
    }
    if (S_ISDIR(st->st_mode)) {
        close(f);
        return say("read", path, EISDIR);
    }
    *fd = f;
    return DH_OK;
}

static enum dh_status too_large(const char *path, size_t max)
{
    dh_error("%s is larger than the limit of %zu bytes", path, max);
    return DH_ERR_RANGE;
}

static enum dh_status no_memory(const char *path, size_t bytes)
{
    dh_error("no memory for %zu bytes of %s", bytes, path);
    return DH_ERR_NOMEM;
}

// Read until the end into a block of `cap` bytes that grows, since the size of
// a pipe or of a file in /proc is not known. One byte stays for the NUL.
static enum dh_status read_all(int fd, const char *path, size_t max, size_t cap,
                               char **data, size_t *len)
{
    char *p = dh_big_alloc(cap);
    if (!p)
        return no_memory(path, cap);
    size_t n = 0;
    for (;;) {
        if (n == cap - 1) {
            size_t grown = DH_MIN(cap * 2, max + 2);
            char *q = dh_big_alloc(grown);
            if (!q) {
                dh_big_free(p);
                return no_memory(path, grown);
            }
            memcpy(q, p, n);
            dh_big_free(p);
            p = q;
            cap = grown;
        }
        ssize_t got = read(fd, p + n, cap - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int err = errno;
            dh_big_free(p);
            return say("read", path, err);
        }
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max) {
            dh_big_free(p);
            return too_large(path, max);
        }
    }
    p[n] = '\0';
    *data = p;
    *len = n;
    return DH_OK;
}

enum dh_status dh_file_read(const char *path, size_t max, char **data,
                            size_t *len)
{
    int fd;
    struct stat st;
    enum dh_status status = open_for_reading(path, &fd, &st);
    if (status)
        return status;
    max = DH_MIN(max, SIZE_MAX / 4);
    if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > max) {
        close(fd);
        return too_large(path, max);
    }
    // Two more than the size: the NUL, and room to see the end without growing.
    size_t cap = st.st_size > 0 ? (size_t)st.st_size + 2 : 4096;
    status = read_all(fd, path, max, DH_MIN(cap, max + 2), data, len);
    close(fd);
    return status;
}

enum dh_status dh_map_open(struct dh_map *map, const char *path)
{
    int fd;
    struct stat st;
    enum dh_status status = open_for_reading(path, &fd, &st);
    if (status)
        return status;
    if (!S_ISREG(st.st_mode) || st.st_size <= 0) {
        close(fd);
        dh_error("%s is empty or no regular file", path);
        return DH_ERR_FORMAT;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    int err = errno;
    close(fd);
    if (p == MAP_FAILED)
        return say("map", path, err);
    map->data = p;
    map->len = (size_t)st.st_size;
    map->fault = dh_fault_watch(p, map->len);
    return DH_OK;
}

void dh_map_close(struct dh_map *map)
{
    if (map->data) {
        dh_fault_forget(map->fault);
        // munmap takes the const away; nobody writes through it.
        union {
            const void *c;
            void *p;
        } u = { .c = map->data };
        munmap(u.p, map->len);
    }
    *map = (struct dh_map){ 0 };
}

bool dh_map_is_lost(const struct dh_map *map)
{
    return map->fault && dh_fault_is_lost(map->fault);
}

static bool write_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

// Without this the rename may be lost with the power, but the file is whole
// either way, so a file system that cannot do it is no failure.
static void sync_folder_of(const char *path)
{
    char *dir = dh_path_dir(path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        if (fsync(fd) != 0)
            dh_debug("cannot sync folder %s: %s", dir, strerror(errno));
        close(fd);
    }
    dh_free(dir);
}

// False with errno set; nothing is left behind.
static bool write_and_rename(const char *tmp, const char *path,
                             const struct iovec *parts, size_t n, bool secret)
{
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                  secret ? 0600 : 0666);
    if (fd < 0)
        return false;
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++)
        ok = write_all(fd, parts[i].iov_base, parts[i].iov_len);
    ok = ok && fsync(fd) == 0;
    int err = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        err = errno;
    }
    if (ok && rename(tmp, path) != 0) {
        ok = false;
        err = errno;
    }
    if (!ok)
        unlink(tmp);
    errno = err;
    return ok;
}

enum dh_status dh_file_write_parts(const char *path, const struct iovec *parts,
                                   size_t n, bool secret)
{
    static atomic_uint serial;
    char suffix[48];
    snprintf(suffix, sizeof(suffix), ".%ld-%u.tmp", (long)getpid(),
             atomic_fetch_add(&serial, 1));
    struct dh_buf tmp;
    dh_buf_init(&tmp, SIZE_MAX / 2);
    dh_buf_puts(&tmp, path);
    dh_buf_puts(&tmp, suffix);

    enum dh_status st = DH_OK;
    if (write_and_rename(tmp.data, path, parts, n, secret))
        sync_folder_of(path);
    else
        st = say("write", path, errno);
    dh_buf_finish(&tmp);
    return st;
}

enum dh_status dh_file_write(const char *path, const void *data, size_t len)
{
    // Nobody writes through it.
    union {
        const void *c;
        void *p;
    } u = { .c = data };
    struct iovec whole = { u.p, len };
    return dh_file_write_parts(path, &whole, 1, false);
}

char *dh_path_join(const char *a, const char *b)
{
    if (b[0] == '/' || a[0] == '\0')
        return dh_strdup(b);
    struct dh_buf path;
    dh_buf_init(&path, SIZE_MAX / 2);
    dh_buf_puts(&path, a);
    if (path.data[path.len - 1] != '/')
        dh_buf_putc(&path, '/');
    dh_buf_puts(&path, b);
    return dh_buf_take(&path);
}

char *dh_path_dir(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n ? dh_strndup(path, n) : dh_strdup(".");
}

bool dh_path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool dh_path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum dh_status dh_path_mkdirs(const char *path)
{
    char *p = dh_strdup(path);
    enum dh_status st = DH_OK;
    for (size_t i = 1; !st && path[0]; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        p[i] = '\0';
        if (mkdir(p, 0777) != 0 && (errno != EEXIST || !dh_path_is_dir(p)))
            st = say("create folder", p, errno);
        p[i] = path[i];
        if (path[i] == '\0')
            break;
    }
    if (!path[0])
        st = say("create folder", "(empty name)", ENOENT);
    dh_free(p);
    return st;
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

enum dh_status dh_path_remove(const char *path)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
        return say("remove", path, errno);
    return DH_OK;
}
