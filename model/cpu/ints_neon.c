// Products of whole numbers, for every 64-bit ARM processor.
#if defined(__aarch64__)

#    include <arm_neon.h>
#    include <stdbool.h>

// Two products of at most 128 * 127 fit 16 bits.
static inline __attribute__((always_inline)) int32x4_t
add_products(int32x4_t sum, int8x16_t w, int8x16_t x)
{
    int16x8_t lo = vmull_s8(vget_low_s8(w), vget_low_s8(x));
    int16x8_t hi = vmull_high_s8(w, x);
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(lo), vpaddlq_s16(hi)));
}

// After what it is written in.
#    include "model/cpu/ints_neon_priv.h"

const struct dh_ints dh_ints_neon = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};

#else
typedef int dh_ints_neon_unused;
#endif
