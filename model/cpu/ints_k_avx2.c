// Products of whole numbers with K types, for AVX2.
#if defined(__x86_64__)

#    include <immintrin.h>
#    include <stdbool.h>

static inline __attribute__((always_inline)) __m256i
add_products(__m256i sum, __m256i w, __m256i x, const bool wide)
{
    (void)wide; // codes have 6 bits at most, so that two products fit
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x),
                                                   _mm256_set1_epi16(1)));
}

#    define NARROW dh_ints_avx2
// After what it is written in.
#    include "model/cpu/ints_k_avx2_priv.h"

const struct dh_ints dh_ints_k_avx2 = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};

#else
typedef int dh_ints_k_avx2_unused;
#endif
