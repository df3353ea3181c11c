/* Any bytes as a PNG: an answer, no crash, no hang. */
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "capture/frame.h"
#include "capture/png.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536)
        return 0;
    struct dh_diag diag = { 0 };
    struct dh_frame *f;
    if (dh_png_decode(data, size, &f, &diag)) {
        if (!diag.text[0])
            __builtin_trap();
        return 0;
    }
    (void)dh_frame_hash(f);
    dh_frame_unref(f);
    return 0;
}
