/* Any bytes as a packed session: it becomes a session's files or nothing.
 * max-len: 8192 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/pack.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/dh-fuzz-unpack-XXXXXX";
static char file[sizeof dir + 16], place[sizeof dir + 16];

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *at)
{
    (void)type;
    (void)at;
    // All that was made is a folder or a plain file of our own.
    if (!S_ISDIR(st->st_mode) && (!S_ISREG(st->st_mode) || st->st_nlink != 1))
        abort();
    return remove(path);
}

static void remove_dir(void)
{
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// The packed file, and what it became.
static void check_dir(bool unpacked)
{
    DIR *d = opendir(dir);
    if (!d)
        abort();
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        if (e->d_name[0] != '.' && strcmp(e->d_name, "file") &&
            (!unpacked || strcmp(e->d_name, "place")))
            abort();
    closedir(d);
}

static void quiet(void *user, enum dh_log_level level, const char *tag,
                  const char *text)
{
    (void)user;
    (void)level;
    (void)tag;
    (void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int begun;
    struct dh_pack_result r;
    if (!begun++) {
        if (!mkdtemp(dir) || atexit(remove_dir))
            abort();
        snprintf(file, sizeof file, "%s/file", dir);
        snprintf(place, sizeof place, "%s/place", dir);
        dh_log_set_hook(quiet, NULL);
    }
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    bool unpacked = dh_unpack(file, place, NULL, &r) == DH_OK;
    check_dir(unpacked);
    if (unpacked)
        nftw(place, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
