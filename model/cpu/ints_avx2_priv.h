/*
 * model/cpu/ints_avx2_priv.h - products of whole numbers in vectors of 32
 * bytes. Included by a file that has defined `add_products` (eight sums plus
 * four products each, of codes that are not negative and of signed ones) and
 * `zero_of` (what of a type's zero the sums still hold).
 */

#include <math.h>
#include <string.h>

#include "model/backend_priv.h"
#include "model/tensor_priv.h"

#define INLINE static inline __attribute__((always_inline))

#include "model/cpu/turn_avx2_priv.h"

#define W    8
#define ROWS 4 // of a tile, whose sums stay in registers

// The largest of eight, as whole numbers.
INLINE int32_t most_of(__m256i v)
{
    __m128i s = _mm_max_epi32(_mm256_castsi256_si128(v),
                              _mm256_extracti128_si256(v, 1));
    s = _mm_max_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_max_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return _mm_cvtsi128_si32(s);
}

INLINE int32_t total_of(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v),
                              _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return _mm_cvtsi128_si32(s);
}

static void narrow(int8_t *codes, float *scales, int32_t *sums, const float *x,
                   size_t n)
{
    const __m256i abs = _mm256_set1_epi32(0x7fffffff);
    for (size_t b = 0; b < n / DH_INTS_BLOCK; b++, x += DH_INTS_BLOCK) {
        // As whole numbers NaN is the largest of all.
        __m256i top = _mm256_setzero_si256(), c[4];
        for (int i = 0; i < 4; i++)
            top = _mm256_max_epi32(
                top, _mm256_and_si256(
                         _mm256_castps_si256(_mm256_loadu_ps(x + i * W)), abs));
        int32_t bits = most_of(top);
        float most;
        memcpy(&most, &bits, sizeof(most));
        bool finite = bits < 0x7f800000;
        float by = most > 0 && finite ? 127.0f / most : 0;
        if (!(by <= 0x1p126f))
            by = 0; // what is so small is nothing
        __m256i all = _mm256_setzero_si256();
        for (int i = 0; i < 4; i++) {
            c[i] = _mm256_cvtps_epi32(
                _mm256_mul_ps(_mm256_loadu_ps(x + i * W), _mm256_set1_ps(by)));
            if (!finite)
                c[i] = _mm256_setzero_si256();
            all = _mm256_add_epi32(all, c[i]);
        }
        // Halves of each are packed side by side, then put in order.
        __m256i v = _mm256_packs_epi16(_mm256_packs_epi32(c[0], c[1]),
                                       _mm256_packs_epi32(c[2], c[3]));
        v = _mm256_permutevar8x32_epi32(
            v, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256((void *)(codes + b * DH_INTS_BLOCK), v);
        sums[b] = total_of(all);
        scales[b] = finite ? most / 127.0f : NAN;
    }
}

INLINE __m256 start_of(const struct dh_tile_ints *t, const float *c, int col)
{
    if (t->start == DH_TILE_ADD)
        return _mm256_loadu_ps(c + col);
    if (t->start == DH_TILE_BIAS)
        return _mm256_loadu_ps(t->bias + col);
    return _mm256_setzero_ps();
}

// m rows and 16 columns from `col` on; m and `wide`, whether codes have all 8
// bits, are constants where this is called.
INLINE void tile_rows(const struct dh_tile_ints *t, const int m, int row,
                      int col, const bool wide)
{
    __m256 acc[ROWS][2];
    float *c = t->c + (size_t)row * t->ldc;
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++)
            acc[i][v] = start_of(t, c + (size_t)i * t->ldc, col + v * W);
    for (int b = 0; b < t->blocks; b++) {
        const int8_t *x =
            t->x.codes + (size_t)row * t->x.ldc + (size_t)b * DH_INTS_BLOCK;
        const uint32_t *w =
            t->w + (size_t)b * (DH_INTS_BLOCK / 4) * DH_PANEL + col;
        size_t at = (size_t)row * t->x.lds + (size_t)b;
        __m256i whole[ROWS][2];
#pragma GCC unroll 4
        for (int i = 0; i < m; i++)
            whole[i][0] = whole[i][1] = _mm256_set1_epi32(
                -zero_of(t->zero) * t->x.sums[at + (size_t)i * t->x.lds]);
        for (int k = 0; k < DH_INTS_BLOCK / 4; k++, w += DH_PANEL, x += 4) {
            __m256i w0 = _mm256_loadu_si256((const void *)w);
            __m256i w1 = _mm256_loadu_si256((const void *)(w + W));
#pragma GCC unroll 4
            for (int i = 0; i < m; i++) {
                int32_t word;
                memcpy(&word, x + (size_t)i * t->x.ldc, 4);
                __m256i four = _mm256_set1_epi32(word);
                whole[i][0] = add_products(whole[i][0], w0, four, wide);
                whole[i][1] = add_products(whole[i][1], w1, four, wide);
            }
        }
        const float *by = t->scales + (size_t)b * DH_PANEL + col;
#pragma GCC unroll 4
        for (int i = 0; i < m; i++)
#pragma GCC unroll 2
            for (int v = 0; v < 2; v++)
                acc[i][v] = _mm256_fmadd_ps(
                    _mm256_cvtepi32_ps(whole[i][v]),
                    _mm256_mul_ps(
                        _mm256_loadu_ps(by + v * W),
                        _mm256_set1_ps(t->x.scales[at + (size_t)i * t->x.lds])),
                    acc[i][v]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++)
            _mm256_storeu_ps(c + (size_t)i * t->ldc + col + v * W, acc[i][v]);
}

INLINE void tile_type(const struct dh_tile_ints *t, const bool wide)
{
    for (int col = 0; col < t->n; col += 2 * W) {
        int row = 0;
        for (; row + ROWS <= t->m; row += ROWS)
            tile_rows(t, ROWS, row, col, wide);
        for (; row < t->m; row++)
            tile_rows(t, 1, row, col, wide);
    }
}

static void tile_all(const struct dh_tile_ints *t)
{
    if (t->zero == 128)
        tile_type(t, true);
    else
        tile_type(t, false);
}

INLINE float half_of(uint16_t bits)
{
    return _cvtsh_ss(bits);
}

#define TILE_COLS (2 * W)
#include "model/cpu/ints_edge_priv.h"

// The 32 codes of a block as they are multiplied, and its scale.
INLINE __m256i codes_of(const uint8_t *at, const enum dh_dtype type)
{
    if (type == DH_Q8_0)
        return _mm256_xor_si256(_mm256_loadu_si256((const void *)(at + 2)),
                                _mm256_set1_epi8((char)0x80));
    __m128i n = _mm_loadu_si128((const void *)(at + (type == DH_Q4_0 ? 2 : 1)));
    __m256i c = _mm256_inserti128_si256(_mm256_castsi128_si256(n),
                                        _mm_srli_epi16(n, 4), 1);
    c = _mm256_and_si256(c, _mm256_set1_epi8(15));
    if (type == DH_Q4_0)
        return c;
    // Twice the numbers of E2M1 plus 12.
    const __m256i table = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
    return _mm256_shuffle_epi8(table, c);
}

INLINE void pack_type(uint32_t *words, float *scales, const struct dh_mat *w,
                      int row0, int rows, int b0, int blocks,
                      const enum dh_dtype type)
{
    size_t bytes = dh_dtype_bytes(type);
    for (int j0 = 0; j0 < DH_PANEL; j0 += W) {
        const uint8_t *at[W];
        int some = rows - j0 < W ? rows - j0 : W;
        if (some > 0)
            rows_of(at, W, w, row0 + j0, some);
        for (int b = 0; b < blocks; b++) {
            __m256i v[W];
#pragma GCC unroll 8
            for (int j = 0; j < W; j++) {
                bool there = j < some;
                size_t block = (size_t)(b0 + b) * bytes;
                v[j] = there ? codes_of(at[j] + block, type)
                             : _mm256_setzero_si256();
                scales[(size_t)b * DH_PANEL + j0 + j] =
                    there ? scale_of(at[j] + block, type) : 0;
            }
            turn(v);
#pragma GCC unroll 8
            for (int k = 0; k < W; k++)
                _mm256_storeu_si256(
                    (void *)(words + ((size_t)b * W + k) * DH_PANEL + j0),
                    v[k]);
        }
    }
}

// The sums of eight vectors, a lane for each.
INLINE __m256i sums_of(const __m256i v[W])
{
    __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]),
                                  _mm256_hadd_epi32(v[2], v[3]));
    __m256i b = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]),
                                  _mm256_hadd_epi32(v[6], v[7]));
    return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                            _mm256_permute2x128_si256(a, b, 0x31));
}

INLINE void dot_rows(const struct dh_dot *d, const struct dh_ints_x *x,
                     const int m, int row, const enum dh_dtype type)
{
    const uint8_t *at[W];
    const int zero = zero_of(dh_ints_zero(type));
    int rows = d->rows - row < W ? d->rows - row : W;
    size_t bytes = dh_dtype_bytes(type);
    float lanes[W] = { 0 };
    __m256 acc[4];
    rows_of(at, W, d->w, d->row0 + row, rows);
#pragma GCC unroll 4
    for (int i = 0; i < m; i++) {
        if (d->start)
            memcpy(lanes, d->start + (size_t)i * d->lds + row,
                   (size_t)rows * sizeof(*lanes));
        acc[i] = _mm256_loadu_ps(lanes);
    }
    for (int b = 0; b < d->w->cols / DH_INTS_BLOCK; b++) {
        __m256i w[W];
#pragma GCC unroll 8
        for (int j = 0; j < W; j++) {
            // Rows side by side are more streams than the processor follows.
            __builtin_prefetch(at[j] + (size_t)b * bytes + 1024, 0, 2);
            w[j] = codes_of(at[j] + (size_t)b * bytes, type);
            lanes[j] = scale_of(at[j] + (size_t)b * bytes, type);
        }
        __m256 by = _mm256_setr_ps(lanes[0], lanes[1], lanes[2], lanes[3],
                                   lanes[4], lanes[5], lanes[6], lanes[7]);
#pragma GCC unroll 4
        for (int i = 0; i < m; i++) {
            size_t in = (size_t)i * x->lds + (size_t)b;
            __m256i codes = _mm256_loadu_si256(
                (const void *)(x->codes + (size_t)i * x->ldc +
                               (size_t)b * DH_INTS_BLOCK));
            __m256i v[W];
#pragma GCC unroll 8
            for (int j = 0; j < W; j++)
                v[j] = add_products(_mm256_setzero_si256(), w[j], codes,
                                    type == DH_Q8_0);
            __m256i whole = _mm256_sub_epi32(
                sums_of(v), _mm256_set1_epi32(zero * x->sums[in]));
            acc[i] = _mm256_fmadd_ps(
                _mm256_cvtepi32_ps(whole),
                _mm256_mul_ps(by, _mm256_set1_ps(x->scales[in])), acc[i]);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < m; i++) {
        _mm256_storeu_ps(lanes, acc[i]);
        memcpy(d->y + (size_t)i * d->ldy + row, lanes,
               (size_t)rows * sizeof(*lanes));
    }
}

#define TYPE_0 DH_Q8_0
#define TYPE_1 DH_Q4_0
#define TYPE_2 DH_MXFP4
#include "model/cpu/ints_dot_priv.h"
