/*
 * model/cpu/ints_k_priv.h - products of whole numbers with llama.cpp's K types,
 * whose contract is at dh_ints_k_ref. Included by a file that has defined
 * vectors of W rows (`whole`, `real`) and what is done with them.
 */

#include <string.h>

#include "base/mem.h"
#include "model/backend_priv.h"
#include "model/cpu/ints_k_factors_priv.h"
#include "model/tensor_priv.h"

#define BLOCK 256 // elements that lie together, in eight groups
#define ROWS  4   // of a tile, whose sums stay in registers

// W rows of w; beyond the last it is repeated.
INLINE void rows_of(const uint8_t *at[W], const struct dh_mat *w, int row0,
                    int rows)
{
    size_t bytes = dh_dtype_size(w->dtype, (size_t)w->cols);
    for (int j = 0; j < W; j++)
        at[j] = (const uint8_t *)w->data +
                (size_t)(row0 + DH_MIN(j, rows - 1)) * bytes;
}

// One block of W rows.
struct block {
    whole factors[2][8]; // floats, by group
    whole low[2][8], high[8];
};

INLINE void block_init(struct block *k, const uint8_t *const at[W], size_t from,
                       const enum dh_dtype type)
{
    float factors[W][16];
    const uint8_t *rows[W];
    size_t bytes = dh_dtype_bytes(type);
    for (int j = 0; j < W; j++) {
        // Rows side by side are more streams than the processor follows.
        for (size_t i = 0; i < bytes; i += 64)
            __builtin_prefetch(at[j] + from + 4 * bytes + i, 0, 2);
        factors_of(factors[j], at[j] + from, type);
        rows[j] = (const uint8_t *)factors[j];
    }
    read_words(k->factors[0], rows, 0);
    read_words(k->factors[1], rows, 32);
}

// The codes of group g, word by word; groups are asked for in order, and g is
// a constant.
INLINE void codes_of(whole out[8], struct block *k, const uint8_t *const at[W],
                     size_t from, const int g, const enum dh_dtype type)
{
    if (type == DH_Q6_K) {
        if (g % 4 == 0) {
            read_words(k->low[0], at, from + (size_t)g * 16);
            read_words(k->low[1], at, from + (size_t)g * 16 + 32);
            read_words(k->high, at, from + 128 + (size_t)g * 8);
        }
        for (int i = 0; i < 8; i++)
            out[i] = either(bits(k->low[g % 2][i], g % 4 / 2 * 4, 15),
                            raised(bits(k->high[i], g % 4 * 2, 3)));
        return;
    }
    if (g % 2 == 0)
        read_words(k->low[0], at,
                   from + (type == DH_Q5_K ? 48 : 16) + (size_t)g * 16);
    if (g == 0 && type == DH_Q5_K)
        read_words(k->high, at, from + 16);
    for (int i = 0; i < 8; i++) {
        out[i] = bits(k->low[0][i], g % 2 * 4, 15);
        if (type == DH_Q5_K)
            out[i] = either(out[i], raised(bits(k->high[i], g, 1)));
    }
}

// The first and the second half of a group's codes of x, added up.
INLINE int first_of(int32_t sums)
{
    return (int16_t)(sums & 0xffff);
}

INLINE int second_of(int32_t sums)
{
    return sums >> 16;
}

INLINE void begin(whole sum[2], int32_t sums, const enum dh_dtype type)
{
    sum[0] = all_whole(type == DH_Q6_K ? -32 * first_of(sums) : 0);
    sum[1] = all_whole(type == DH_Q6_K ? -32 * second_of(sums) : 0);
}

INLINE real end(real y, const whole sum[2], real a, real b, float scale,
                int32_t sums, const enum dh_dtype type)
{
    a = times(a, all_real(scale));
    b = times(b, all_real(scale));
    if (type == DH_Q6_K)
        return fused(as_real(sum[1]), b, fused(as_real(sum[0]), a, y));
    y = fused(as_real(plus(sum[0], sum[1])), a, y);
    return fused(all_real(-(float)(first_of(sums) + second_of(sums))), b, y);
}

INLINE whole word_of(const int8_t *codes)
{
    int32_t four;
    memcpy(&four, codes, sizeof(four));
    return all_whole(four);
}

INLINE real some_of(const float *p, int n)
{
    float lanes[W] = { 0 };
    if (n >= W)
        return load_real(p);
    memcpy(lanes, p, (size_t)n * sizeof(*p));
    return load_real(lanes);
}

INLINE void put_some(float *p, real v, int n)
{
    float lanes[W];
    if (n >= W) {
        store_real(p, v);
        return;
    }
    store_real(lanes, v);
    memcpy(p, lanes, (size_t)n * sizeof(*p));
}

INLINE void dot_rows(const struct dh_dot *d, const struct dh_ints_x *x,
                     const int m, int row, const enum dh_dtype type)
{
    const uint8_t *at[W];
    real y[4];
    int rows = DH_MIN(d->rows - row, W);
    size_t bytes = dh_dtype_bytes(type);
    rows_of(at, d->w, d->row0 + row, rows);
    for (int i = 0; i < m; i++)
        y[i] = d->start ? some_of(d->start + (size_t)i * d->lds + row, rows)
                        : all_real(0);
    for (int b = 0; b < d->w->cols / BLOCK; b++) {
        struct block k;
        block_init(&k, at, (size_t)b * bytes, type);
#pragma GCC unroll 8
        for (int g = 0; g < 8; g++) {
            whole w[8];
            codes_of(w, &k, at, (size_t)b * bytes, g, type);
#pragma GCC unroll 4
            for (int i = 0; i < m; i++) {
                size_t in = (size_t)i * x->lds + (size_t)(b * 8 + g);
                const int8_t *codes = x->codes + (size_t)i * x->ldc +
                                      (size_t)(b * 8 + g) * DH_INTS_BLOCK;
                whole sum[2];
                begin(sum, x->sums[in], type);
#pragma GCC unroll 4
                for (int n = 0; n < 4; n++) {
                    sum[0] = products(sum[0], w[n], word_of(codes + 4 * n));
                    sum[1] =
                        products(sum[1], w[n + 4], word_of(codes + 16 + 4 * n));
                }
                y[i] = end(y[i], sum, bits_as_real(k.factors[0][g]),
                           bits_as_real(k.factors[1][g]), x->scales[in],
                           x->sums[in], type);
            }
        }
    }
    for (int i = 0; i < m; i++)
        put_some(d->y + (size_t)i * d->ldy + row, y[i], rows);
}

INLINE void pack_type(uint32_t *words, float *factors, const struct dh_mat *w,
                      int row0, int rows, int b0, int blocks,
                      const enum dh_dtype type)
{
    size_t bytes = dh_dtype_bytes(type);
    for (int j = 0; j < DH_PANEL; j += W) {
        const uint8_t *at[W];
        // Columns that are not there are those of the last one.
        int first = DH_MIN(j, rows - 1);
        rows_of(at, w, row0 + first, rows - first);
        for (int b = 0; b < blocks; b += 8) {
            struct block k;
            size_t from = (size_t)((b0 + b) / 8) * bytes;
            block_init(&k, at, from, type);
#pragma GCC unroll 8
            for (int g = 0; g < 8; g++) {
                size_t to = (size_t)(b + g) * DH_PANEL;
                whole codes[8];
                codes_of(codes, &k, at, from, g, type);
                for (int i = 0; i < 8; i++)
                    store_whole(words + to * 8 + (size_t)i * DH_PANEL + j,
                                codes[i]);
                store_real(factors + to * 2 + j, bits_as_real(k.factors[0][g]));
                store_real(factors + to * 2 + DH_PANEL + j,
                           bits_as_real(k.factors[1][g]));
            }
        }
    }
}

#define TYPE_0 DH_Q4_K
#define TYPE_1 DH_Q5_K
#define TYPE_2 DH_Q6_K
#include "model/cpu/ints_dot_priv.h"

// m rows and W columns from `col` on.
INLINE void tile_rows(const struct dh_tile_ints *t, const int m, int row,
                      int col, const enum dh_dtype type)
{
    real y[ROWS];
    int cols = DH_MIN(t->n - col, W);
    float *c = t->c + (size_t)row * t->ldc + col;
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
        y[i] = t->start == DH_TILE_ADD ? some_of(c + (size_t)i * t->ldc, cols)
               : t->start == DH_TILE_BIAS ? some_of(t->bias + col, cols)
                                          : all_real(0);
    for (int b = 0; b < t->blocks; b++) {
        const int8_t *x =
            t->x.codes + (size_t)row * t->x.ldc + (size_t)b * DH_INTS_BLOCK;
        const uint32_t *w = t->w + (size_t)b * 8 * DH_PANEL + col;
        const float *by = t->scales + (size_t)b * 2 * DH_PANEL + col;
        size_t in = (size_t)row * t->x.lds + (size_t)b;
        whole sum[ROWS][2];
#pragma GCC unroll 4
        for (int i = 0; i < m; i++)
            begin(sum[i], t->x.sums[in + (size_t)i * t->x.lds], type);
#pragma GCC unroll 8
        for (int n = 0; n < 8; n++) {
            whole codes = load_whole(w + (size_t)n * DH_PANEL);
#pragma GCC unroll 4
            for (int i = 0; i < m; i++)
                sum[i][n / 4] =
                    products(sum[i][n / 4], codes,
                             word_of(x + (size_t)i * t->x.ldc + n * 4));
        }
        real first = load_real(by), second = load_real(by + DH_PANEL);
#pragma GCC unroll 4
        for (int i = 0; i < m; i++) {
            size_t one = in + (size_t)i * t->x.lds;
            y[i] = end(y[i], sum[i], first, second, t->x.scales[one],
                       t->x.sums[one], type);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
        put_some(c + (size_t)i * t->ldc, y[i], cols);
}

INLINE void tile_type(const struct dh_tile_ints *t, const enum dh_dtype type)
{
    for (int col = 0; col < t->n; col += W) {
        int row = 0;
        for (; row + ROWS <= t->m; row += ROWS)
            tile_rows(t, ROWS, row, col, type);
        for (; row < t->m; row++)
            tile_rows(t, 1, row, col, type);
    }
}

static void tile(const struct dh_tile_ints *t)
{
    if (t->zero)
        tile_type(t, DH_Q6_K);
    else
        tile_type(t, DH_Q4_K); // as Q5_K
}
