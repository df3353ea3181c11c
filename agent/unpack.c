#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/late_priv.h"
#include "agent/pack.h"
#include "agent/pack_priv.h"
#include "agent/session_read.h"
#include "agent/staging.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define DH_LOG_TAG "pack"
#include "base/log.h"

#define PIECE_BYTES (256 << 10)
#define ENTRIES_MAX 1100000
#define BYTES_MAX   (INT64_C(64) << 30)
// Lines become a twentieth, pictures nothing: this is no session.
#define GROWS_MAX   200
#define SMALL_BYTES (INT64_C(64) << 20)
#define PICTURE_MAX 999999

const char *const dh_pack_others[] = { "video.mkv",       "index.html",
                                       "stop.json",       "stop-screen.png",
                                       "stop-wanted.png", NULL };

int dh_pack_picture_number(const char *name)
{
    int64_t n;
    char again[32];
    struct dh_str s = dh_str_of(name);
    if (s.n != 10 || !dh_parse_i64(dh_str_sub(s, 0, 6), &n) || n < 1 ||
        n > PICTURE_MAX)
        return 0;
    snprintf(again, sizeof again, "%06d.png", (int)n);
    return strcmp(name, again) ? 0 : (int)n;
}

bool dh_pack_is_base(const char *name)
{
    size_t n = strlen(name);
    if (!n || n > 200 || !strcmp(name, ".") || !strcmp(name, ".."))
        return false;
    for (size_t i = 0; i < n; i++)
        if (name[i] < ' ' || name[i] > '~' || name[i] == '/')
            return false;
    return true;
}

struct unpacking {
    const char *file, *dir;
    char *base; // NULL: not known yet
    struct archive *a;
    char *piece;
    int64_t may_be; // so many bytes
    int entries;
    struct dh_cancel *cancel;
    struct dh_pack_result r;
};

static enum dh_status refuse(const struct unpacking *u, const char *name,
                             const char *why)
{
    dh_error("%s is not unpacked: \"%.200s\" %s", u->file, name, why);
    return DH_ERR_FORMAT;
}

static enum dh_status damaged(const struct unpacking *u)
{
    const char *why = archive_error_string(u->a);
    dh_error("%s is no packed session, or damaged: %s", u->file,
             why ? why : "it ends too early");
    return DH_ERR_FORMAT;
}

// ---- names ------------------------------------------------------------------

// The name within the folder that all lie in, "" for that itself; NULL: other.
static const char *name_within(struct unpacking *u, const char *path)
{
    const char *slash = strchr(path, '/');
    char *base =
        dh_strndup(path, slash ? (size_t)(slash - path) : strlen(path));
    bool good = dh_pack_is_base(base);
    if (good && !u->base)
        u->base = dh_strdup(base);
    good = good && !strcmp(base, u->base);
    dh_free(base);
    return !good ? NULL : slash ? slash + 1 : "";
}

static bool is_of_session(const char *name)
{
    if (!strcmp(name, "session.json") || !strcmp(name, "events.jsonl"))
        return true;
    for (int i = 0; dh_pack_others[i]; i++)
        if (!strcmp(name, dh_pack_others[i]))
            return true;
    return !strncmp(name, "frames/", 7) && dh_pack_picture_number(name + 7);
}

// ---- one file ---------------------------------------------------------------

static enum dh_status pour(struct unpacking *u, const char *name, int fd)
{
    for (;;) {
        if (dh_cancel_is_set(u->cancel))
            return DH_ERR_CANCELLED;
        la_ssize_t n = archive_read_data(u->a, u->piece, PIECE_BYTES);
        if (n < 0)
            return damaged(u);
        if (n == 0)
            return DH_OK;
        u->r.bytes += n;
        if (u->r.bytes > u->may_be)
            return refuse(u, name, "grows too much: this is no session");
        for (la_ssize_t at = 0; at < n && fd >= 0;) {
            ssize_t put = write(fd, u->piece + at, (size_t)(n - at));
            if (put < 0) {
                dh_error("%s/%s cannot be written: %s", u->dir, name,
                         strerror(errno));
                return DH_ERR_IO;
            }
            at += put;
        }
    }
}

static enum dh_status take_file(struct unpacking *u, const char *name)
{
    if (!strcmp(name, "index.html"))
        return pour(u, name, -1);
    char *path = dh_path_join(u->dir, name);
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum dh_status st = DH_OK;
    if (fd < 0 && errno == EEXIST) {
        st = refuse(u, name, "is in it twice");
    } else if (fd < 0) {
        dh_error("%s cannot be made: %s", path, strerror(errno));
        st = DH_ERR_IO;
    } else {
        st = pour(u, name, fd);
    }
    if (fd >= 0 && close(fd) && !st) {
        dh_error("%s cannot be written: %s", path, strerror(errno));
        st = DH_ERR_IO;
    }
    dh_free(path);
    u->r.files++;
    return st;
}

static enum dh_status take(struct unpacking *u, struct archive_entry *e)
{
    const char *path = archive_entry_pathname(e);
    const char *name = path ? name_within(u, path) : NULL;
    unsigned type = archive_entry_filetype(e);
    if (++u->entries > ENTRIES_MAX)
        return refuse(u, path ? path : "?", "is one of too many");
    if (!name)
        return refuse(u, path ? path : "?", "is not in the session's folder");
    if (archive_entry_hardlink(e) || (type != AE_IFREG && type != AE_IFDIR))
        return refuse(u, path, "is no plain file");
    if (type == AE_IFDIR)
        return !*name || !strcmp(name, "frames") || !strcmp(name, "frames/")
                   ? DH_OK
                   : refuse(u, path, "is no folder of a session");
    if (!is_of_session(name))
        return refuse(u, path, "is no file of a session");
    return take_file(u, name);
}

// ---- all of it --------------------------------------------------------------

static enum dh_status make_folder(const struct unpacking *u)
{
    char *frames = dh_path_join(u->dir, "frames");
    bool made = !mkdir(u->dir, 0700) && !mkdir(frames, 0700);
    if (!made)
        dh_error("%s cannot be made: %s", u->dir, strerror(errno));
    dh_free(frames);
    return made ? DH_OK : DH_ERR_IO;
}

static enum dh_status open_packed(struct unpacking *u)
{
    struct stat at;
    if (stat(u->file, &at) || !S_ISREG(at.st_mode)) {
        dh_error("%s is not there, or no plain file", u->file);
        return DH_ERR_NOTFOUND;
    }
    u->r.packed = at.st_size;
    u->may_be = at.st_size > BYTES_MAX / GROWS_MAX
                    ? BYTES_MAX
                    : SMALL_BYTES + GROWS_MAX * at.st_size;
    u->a = archive_read_new();
    if (!u->a || archive_read_support_filter_zstd(u->a) ||
        archive_read_support_format_tar(u->a)) {
        dh_error("this libarchive cannot read .tar.zst");
        return DH_ERR_UNSUPPORTED;
    }
    return archive_read_open_filename(u->a, u->file, PIECE_BYTES) ? damaged(u)
                                                                  : DH_OK;
}

static enum dh_status is_session(const struct unpacking *u)
{
    struct dh_session_reader *s = NULL;
    struct dh_diag why = { 0 };
    char *head = dh_path_join(u->dir, "session.json");
    enum dh_status st = DH_ERR_FORMAT;
    if (!dh_path_exists(head))
        dh_error("%s has no session.json: it is no packed session", u->file);
    else if (dh_session_open(&s, u->dir, &why))
        dh_error("%s is no packed session: %s", u->file, why.text);
    else
        st = DH_OK;
    dh_session_close(s);
    dh_free(head);
    return st;
}

static enum dh_status unpack(struct unpacking *u)
{
    struct archive_entry *e;
    enum dh_status st = make_folder(u);
    u->piece = dh_zalloc(PIECE_BYTES);
    if (!st)
        st = open_packed(u);
    while (!st) {
        int got = archive_read_next_header(u->a, &e);
        if (got == ARCHIVE_EOF)
            break;
        st = got < ARCHIVE_WARN ? damaged(u) : take(u, e);
    }
    if (!st)
        st = is_session(u);
    archive_read_free(u->a);
    dh_free(u->piece);
    dh_free(u->base);
    return st;
}

enum dh_status dh_unpack(const char *file, const char *dir,
                         struct dh_cancel *cancel,
                         struct dh_pack_result *result)
{
    struct unpacking u = { .file = file, .cancel = cancel };
    struct dh_staging staging = { 0 };
    enum dh_status st = dh_late_load(&dh_late_archive);
    if (!st)
        st = dh_staging_begin(&staging, dir);
    u.dir = staging.path;
    if (!st)
        st = unpack(&u);
    if (!st)
        st = dh_staging_end(&staging);
    if (!st)
        *result = u.r;
    dh_staging_finish(&staging);
    return st;
}
