#include "base/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define DH_LOG_TAG "lines"
#include "base/log.h"

#define CHUNK 65536

enum dh_status dh_lines_open(struct dh_lines *l, const char *path, size_t max)
{
    struct stat st;
    memset(l, 0, sizeof *l);
    // A pipe must not make us wait.
    l->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (l->fd < 0) {
        enum dh_status status = errno == ENOENT ? DH_ERR_NOTFOUND : DH_ERR_IO;
        dh_error("%s cannot be read: %s", path, strerror(errno));
        return status;
    }
    if (fstat(l->fd, &st) || !S_ISREG(st.st_mode)) {
        dh_error("%s is no plain file", path);
        close(l->fd);
        return DH_ERR_FORMAT;
    }
    dh_buf_init(&l->text, max + CHUNK);
    return DH_OK;
}

void dh_lines_close(struct dh_lines *l)
{
    close(l->fd);
    dh_buf_finish(&l->text);
}

static enum dh_status read_more(struct dh_lines *l)
{
    char chunk[CHUNK];
    ssize_t n;
    do
        n = read(l->fd, chunk, sizeof chunk);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return DH_ERR_IO;
    l->ended = n == 0;
    dh_buf_put(&l->text, chunk, (size_t)n);
    return l->text.overflow ? DH_ERR_RANGE : DH_OK;
}

static void drop_told(struct dh_lines *l)
{
    if (!l->at)
        return;
    memmove(l->text.data, l->text.data + l->at, l->text.len - l->at);
    l->text.len -= l->at;
    l->at = 0;
}

enum dh_status dh_lines_next(struct dh_lines *l, struct dh_str *line)
{
    size_t looked = 0;
    for (;;) {
        size_t left = l->text.len - l->at;
        const char *p = left ? l->text.data + l->at : "";
        const char *nl =
            left > looked ? memchr(p + looked, '\n', left - looked) : NULL;
        if (nl || (l->ended && left)) {
            *line = (struct dh_str){ p, nl ? (size_t)(nl - p) : left };
            l->at += line->n + (nl != NULL);
            l->number++;
            return DH_OK;
        }
        if (l->ended)
            return DH_ERR_NOTFOUND;
        looked = left;
        drop_told(l);
        enum dh_status st = read_more(l);
        if (st)
            return st;
    }
}
