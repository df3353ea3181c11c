#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void dh_buf_init(struct dh_buf *b, size_t max)
{
    *b = (struct dh_buf){ .max = max };
}

void dh_buf_finish(struct dh_buf *b)
{
    dh_free(b->data);
    *b = (struct dh_buf){ 0 };
}

void dh_buf_clear(struct dh_buf *b)
{
    b->len = 0;
    b->overflow = false;
    if (b->data)
        b->data[0] = '\0';
}

// Make room for n more bytes and the NUL; false where that passes the maximum.
static bool reserve(struct dh_buf *b, size_t n)
{
    size_t len, need;
    if (b->overflow || !dh_add_size(b->len, n, &len) || len > b->max ||
        !dh_add_size(len, 1, &need)) {
        b->overflow = true;
        return false;
    }
    if (need <= b->cap)
        return true;

    size_t cap = DH_MAX(b->cap, 64);
    while (cap < need && cap <= SIZE_MAX / 2)
        cap *= 2;
    cap = DH_MAX(cap, need);
    if (b->max < SIZE_MAX)
        cap = DH_MIN(cap, b->max + 1);
    b->data = dh_resize_array(b->data, cap, 1);
    b->cap = cap;
    return true;
}

void dh_buf_put(struct dh_buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void dh_buf_putc(struct dh_buf *b, char c)
{
    dh_buf_put(b, &c, 1);
}

void dh_buf_puts(struct dh_buf *b, const char *s)
{
    dh_buf_put(b, s, strlen(s));
}

void dh_buf_printf(struct dh_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    dh_buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void dh_buf_vprintf(struct dh_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) {
        b->overflow = true;
    } else if (reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

const char *dh_buf_text(const struct dh_buf *b)
{
    return b->data ? b->data : "";
}

char *dh_buf_take(struct dh_buf *b)
{
    char *data = b->data ? b->data : dh_strdup("");
    size_t max = b->max;
    dh_buf_init(b, max);
    return data;
}
