// Products of whole numbers, for ARM processors that have SDOT.
#if defined(__aarch64__)

#    include <arm_neon.h>
#    include <stdbool.h>

static inline __attribute__((always_inline)) int32x4_t
add_products(int32x4_t sum, int8x16_t w, int8x16_t x)
{
    return vdotq_s32(sum, w, x);
}

// After what it is written in.
#    include "model/cpu/ints_neon_priv.h"

const struct dh_ints dh_ints_dotprod_neon = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};

#else
typedef int dh_ints_dotprod_neon_unused;
#endif
