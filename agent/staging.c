#include "agent/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

#define DH_LOG_TAG "staging"
#include "base/log.h"

static char *without_slash(const char *place)
{
    size_t n = strlen(place);
    while (n > 1 && place[n - 1] == '/')
        n--;
    return dh_strndup(place, n);
}

enum dh_status dh_staging_begin(struct dh_staging *s, const char *place)
{
    struct stat st;
    struct dh_buf path;
    memset(s, 0, sizeof *s);
    if (lstat(place, &st) == 0) {
        dh_error("%s is there already; it is not written over", place);
        return DH_ERR_USAGE;
    }
    char *clean = without_slash(place), *dir = dh_path_dir(clean);
    enum dh_status status = dh_path_mkdirs(dir);
    dh_free(dir);
    if (status) {
        dh_free(clean);
        return status;
    }
    dh_buf_init(&path, 1 << 16);
    dh_buf_printf(&path, "%s.%ld.tmp", clean, (long)getpid());
    s->place = clean;
    s->path = dh_buf_take(&path);
    return DH_OK;
}

enum dh_status dh_staging_end(struct dh_staging *s)
{
    if (renameat2(AT_FDCWD, s->path, AT_FDCWD, s->place, RENAME_NOREPLACE)) {
        dh_error("%s cannot be made: %s", s->place, strerror(errno));
        return errno == EEXIST ? DH_ERR_USAGE : DH_ERR_IO;
    }
    dh_free(s->path);
    s->path = NULL;
    return DH_OK;
}

void dh_staging_finish(struct dh_staging *s)
{
    if (s->path)
        (void)!dh_path_remove(s->path);
    dh_free(s->path);
    dh_free(s->place);
    memset(s, 0, sizeof *s);
}
