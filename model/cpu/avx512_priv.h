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
#define larger(a, b) _mm512_max_ps(a, b)
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

#define load_codes(p) \
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(p))))
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

#define INLINE static inline __attribute__((always_inline))

// Asks for lines of memory that are read soon, in line: rows side by side are
// so many streams that the processor's own prefetcher loses them.
INLINE void fetch(const uint8_t *from, const int lines)
{
#pragma GCC unroll 32
    for (int i = 0; i < lines; i++)
        __builtin_prefetch(from + i * 64, 0, 2);
}

// 16 words of 16 rows, a lane for each row. Quarters of the rows are put
// together as they are loaded, so that half the shuffles are left; one row
// after the other, since rows may push each other out of the first cache.
INLINE void load_turned(vec v[W], const uint8_t *const *from, size_t at)
{
    vec a[4][4]; // [quarter][row of four]
#pragma GCC unroll 4
    for (int part = 0; part < 4; part++) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const uint8_t *row = from[part * 4 + i];
#pragma GCC unroll 4
            for (int q = 0; q < 4; q++) {
                __m128 four =
                    _mm_loadu_ps((const void *)(row + at + (size_t)q * 16));
                a[q][i] = part == 0
                              ? _mm512_castps128_ps512(four)
                              : _mm512_mask_broadcast_f32x4(
                                    a[q][i], (__mmask16)(15 << part * 4), four);
            }
        }
    }
#pragma GCC unroll 4
    for (int q = 0; q < 4; q++) {
        vec t0 = _mm512_unpacklo_ps(a[q][0], a[q][1]);
        vec t1 = _mm512_unpackhi_ps(a[q][0], a[q][1]);
        vec t2 = _mm512_unpacklo_ps(a[q][2], a[q][3]);
        vec t3 = _mm512_unpackhi_ps(a[q][2], a[q][3]);
        v[q * 4] = _mm512_shuffle_ps(t0, t2, 0x44);
        v[q * 4 + 1] = _mm512_shuffle_ps(t0, t2, 0xee);
        v[q * 4 + 2] = _mm512_shuffle_ps(t1, t3, 0x44);
        v[q * 4 + 3] = _mm512_shuffle_ps(t1, t3, 0xee);
    }
}

// The same of 8 words; nothing is read behind them.
INLINE void load_half_turned(vec v[W], const uint8_t *const *from, size_t at)
{
    for (int j = 0; j < W; j++)
        v[j] = _mm512_castsi512_ps(_mm512_zextsi256_si512(
            _mm256_loadu_si256((const void *)(from[j] + at))));
    transpose(v);
}
