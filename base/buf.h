/* base/buf.h - a growing byte buffer with a maximum. */
#ifndef DH_BASE_BUF_H
#define DH_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/*
 * Always NUL-terminated once something was written; `data` may be NULL while
 * empty. A write that would pass `max` writes nothing and sets `overflow`,
 * which stays set, so that a writer may check once at the end.
 */
struct dh_buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool overflow;
};

void dh_buf_init(struct dh_buf *b, size_t max);
void dh_buf_finish(struct dh_buf *b);
/* Keeps the memory, clears `overflow`. */
void dh_buf_clear(struct dh_buf *b);
void dh_buf_put(struct dh_buf *b, const void *bytes, size_t n);
void dh_buf_putc(struct dh_buf *b, char c);
void dh_buf_puts(struct dh_buf *b, const char *s);
void dh_buf_printf(struct dh_buf *b, const char *fmt, ...) DH_PRINTF(2, 3);
void dh_buf_vprintf(struct dh_buf *b, const char *fmt, va_list ap)
    DH_PRINTF(2, 0);
/* The text so far, never NULL; valid until the next write. */
const char *dh_buf_text(const struct dh_buf *b);
/* Hand the NUL-terminated bytes over; free them with dh_free. */
DH_MUST_USE char *dh_buf_take(struct dh_buf *b);

#endif
