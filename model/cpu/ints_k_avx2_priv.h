/*
 * model/cpu/ints_k_avx2_priv.h - what ints_k_priv.h asks for, in vectors of 32
 * bytes. Included by a file that has defined `add_products`, as for
 * ints_avx2_priv.h, and NARROW, the set whose `narrow` it shares.
 */

#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define W      8
typedef __m256i whole;
typedef __m256 real;

#define all_whole(n)      _mm256_set1_epi32(n)
#define all_real(f)       _mm256_set1_ps(f)
#define as_real(v)        _mm256_cvtepi32_ps(v)
#define bits_as_real(v)   _mm256_castsi256_ps(v)
#define plus(a, b)        _mm256_add_epi32(a, b)
#define times(a, b)       _mm256_mul_ps(a, b)
#define fused(a, b, c)    _mm256_fmadd_ps(a, b, c)
#define either(a, b)      _mm256_or_si256(a, b)
#define raised(v)         _mm256_slli_epi16(v, 4)
#define products(s, w, x) add_products(s, w, x, false)
#define load_real(p)      _mm256_loadu_ps(p)
#define store_real(p, v)  _mm256_storeu_ps(p, v)
#define load_whole(p)     _mm256_loadu_si256((const void *)(p))
#define store_whole(p, v) _mm256_storeu_si256((void *)(p), v)
#define bits(v, shift, mask)                                         \
    _mm256_and_si256(_mm256_srlv_epi32(v, _mm256_set1_epi32(shift)), \
                     _mm256_set1_epi8(mask))

#include "model/cpu/turn_avx2_priv.h"

// Eight words of each row from byte `from` on: a vector for each word.
INLINE void read_words(whole v[8], const uint8_t *const at[W], size_t from)
{
#pragma GCC unroll 8
    for (int i = 0; i < W; i++)
        v[i] = load_whole(at[i] + from);
    turn(v);
}

#include "model/cpu/ints_k_priv.h"

static void narrow(int8_t *codes, float *scales, int32_t *sums, const float *x,
                   size_t n)
{
    NARROW.narrow(codes, scales, sums, x, n);
    dh_ints_k_halves(codes, sums, n);
}
