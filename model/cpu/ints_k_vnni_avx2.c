// Products of whole numbers with K types, for AVX2 with AVX-VNNI.
#if defined(__x86_64__)

#    include <immintrin.h>
#    include <stdbool.h>

static inline __attribute__((always_inline)) __m256i
add_products(__m256i sum, __m256i w, __m256i x, const bool wide)
{
    (void)wide;
    return _mm256_dpbusd_avx_epi32(sum, w, x);
}

#    define NARROW dh_ints_vnni_avx2
// After what it is written in.
#    include "model/cpu/ints_k_avx2_priv.h"

const struct dh_ints dh_ints_k_vnni_avx2 = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};

#else
typedef int dh_ints_k_vnni_avx2_unused;
#endif
