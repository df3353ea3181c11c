/* Any bytes as a PNG: an answer with a reason, no crash, no hang.
 * max-len: 4096 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "capture/frame.h"
#include "capture/png.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t crc_of(const uint8_t *p, size_t n)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
    }
    return ~c;
}

// With right check sums, or nothing behind them would be reached.
static void sums_correct(uint8_t *p, size_t n)
{
    for (size_t at = 8; at + 12 <= n;) {
        size_t len = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 |
                     (size_t)p[at + 2] << 8 | p[at + 3];
        if (len > n - at - 12)
            return;
        uint32_t crc = crc_of(p + at + 4, len + 4);
        for (size_t i = 0; i < 4; i++)
            p[at + 8 + len + i] = (uint8_t)(crc >> (24 - 8 * i));
        at += 12 + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4096)
        return 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    sums_correct(copy, size);
    struct dh_diag diag = { 0 };
    struct dh_frame *f;
    if (dh_png_decode(copy, size, &f, &diag)) {
        if (!diag.text[0])
            __builtin_trap();
    } else {
        (void)dh_frame_hash(f);
        dh_frame_unref(f);
    }
    free(copy);
    return 0;
}
