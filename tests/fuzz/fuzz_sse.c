// However a stream is cut, the same events come of it. max-len: 4096
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sse.h"
#include "base/buf.h"

#define EVENT_MAX 256 // so that too large ones are tried as well

static bool note(void *user, const char *name, const char *data, size_t len)
{
    struct dh_buf *out = user;
    if (data[len] || len > EVENT_MAX)
        abort();
    dh_buf_puts(out, name);
    dh_buf_putc(out, 0);
    dh_buf_put(out, data, len);
    dh_buf_putc(out, 0);
    return true;
}

static enum dh_status feed(const char *bytes, size_t n, size_t piece,
                           struct dh_buf *out)
{
    struct dh_sse s;
    dh_buf_init(out, 1 << 20);
    dh_sse_init(&s, EVENT_MAX, note, out);
    for (size_t at = 0; at < n; at += piece) {
        if (!dh_sse_feed(&s, bytes + at, piece < n - at ? piece : n - at))
            break;
    }
    enum dh_status st = dh_sse_status(&s);
    dh_sse_finish(&s);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_buf whole, single, odd;
    const char *bytes = (const char *)data;
    enum dh_status st = feed(bytes, size, size + 1, &whole);
    if (feed(bytes, size, 1, &single) != st || feed(bytes, size, 7, &odd) != st)
        abort();
    if (whole.len != single.len || whole.len != odd.len)
        abort();
    if (whole.len && (memcmp(whole.data, single.data, whole.len) != 0 ||
                      memcmp(whole.data, odd.data, whole.len) != 0))
        abort();
    dh_buf_finish(&whole);
    dh_buf_finish(&single);
    dh_buf_finish(&odd);
    return 0;
}
