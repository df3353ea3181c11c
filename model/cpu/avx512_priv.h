/*
 * model/cpu/avx512_priv.h - vectors of 16 floats: what model/cpu/simd_priv.h
 * asks of an instruction set. Included by files that are compiled for it.
 */

#include <immintrin.h>

#include "model/tensor_priv.h"

#define W        16
#define TILE_MAX 12
typedef __m512 vec;

#define load(p)      _mm512_loadu_ps(p)
#define store(p, v)  _mm512_storeu_ps(p, v)
#define set1(f)      _mm512_set1_ps(f)
#define add(a, b)    _mm512_add_ps(a, b)
#define sub(a, b)    _mm512_sub_ps(a, b)
#define mul(a, b)    _mm512_mul_ps(a, b)
#define divide(a, b) _mm512_div_ps(a, b)
#define fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define vmax(a, b)   _mm512_max_ps(a, b)
#define vmin(a, b)   _mm512_min_ps(a, b)
#define nearest(a)   _mm512_roundscale_ps(a, 0)
#define pow2(p, n)   _mm512_scalef_ps(p, n)
#define sum_of(v)    _mm512_reduce_add_ps(v)
#define max_of(v)    _mm512_reduce_max_ps(v)

static inline __attribute__((always_inline)) vec widen(enum dh_dtype type,
                                                       const void *p)
{
    if (type == DH_F32)
        return _mm512_loadu_ps(p);
    __m256i h = _mm256_loadu_si256(p);
    if (type == DH_F16)
        return _mm512_cvtph_ps(h);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

#define load_bits(p) _mm512_castsi512_ps(_mm512_loadu_si512(p))
#define low_half(v) \
    _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(v), 16))
#define high_half(v)                                             \
    _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(v), \
                                         _mm512_set1_epi32((int)0xffff0000)))

// Rows of 16 floats to columns: pairs, then fours inside each 128-bit lane,
// then the lanes.
static inline __attribute__((always_inline)) void transpose(vec v[W])
{
    vec t[W];
#pragma GCC unroll 16
    for (int i = 0; i < W; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; i += 4) {
        v[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xdd);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        v[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}
