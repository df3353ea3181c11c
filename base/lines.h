/*
 * base/lines.h - the lines of a large file, one after another, without having
 * more than one in memory. One thread.
 */
#ifndef DH_BASE_LINES_H
#define DH_BASE_LINES_H

#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

struct dh_lines {
    int fd;
    struct dh_buf text; /* from a line's start on */
    size_t at;          /* bytes of it that were told */
    int64_t number;     /* of the line that was told last, from 1 */
    bool ended;
};

/* A plain file; lines are of `max` bytes at most. Logged. */
DH_MUST_USE enum dh_status dh_lines_open(struct dh_lines *l, const char *path,
                                         size_t max);
/* A zeroed one that was never opened is not allowed. */
void dh_lines_close(struct dh_lines *l);
/* The next line without its end, until the next call. DH_ERR_NOTFOUND: there is
 * none any more; DH_ERR_RANGE: it is longer than allowed; DH_ERR_IO. */
DH_MUST_USE enum dh_status dh_lines_next(struct dh_lines *l,
                                         struct dh_str *line);

#endif
