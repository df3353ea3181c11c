// Products of whole numbers, for AVX2.
#if defined(__x86_64__)

#    include <immintrin.h>
#    include <stdbool.h>

// Two products are added in 16 bits, which 255 times 127 twice would not fit:
// codes of 8 bits are made signed again, and their signs moved to x.
static inline __attribute__((always_inline)) __m256i
add_products(__m256i sum, __m256i w, __m256i x, const bool wide)
{
    if (wide) {
        w = _mm256_xor_si256(w, _mm256_set1_epi8((char)0x80));
        x = _mm256_sign_epi8(x, w);
        w = _mm256_abs_epi8(w);
    }
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x),
                                                   _mm256_set1_epi16(1)));
}

static inline __attribute__((always_inline)) int zero_of(int zero)
{
    return zero == 128 ? 0 : zero;
}

// After what it is written in.
#    include "model/cpu/ints_avx2_priv.h"

const struct dh_ints dh_ints_avx2 = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};

#else
typedef int dh_ints_avx2_unused;
#endif
