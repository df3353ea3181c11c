/*
 * model/cpu/ints_neon_priv.h - products of whole numbers in vectors of 16
 * bytes. Included by a file that has defined `add_products` (four sums plus
 * four products each, of signed codes).
 */

#include <math.h>
#include <string.h>

#include "model/backend_priv.h"
#include "model/tensor_priv.h"

#define INLINE static inline __attribute__((always_inline))

#define W    4
#define ROWS 4 // of a tile, whose sums stay in registers
#define COLS 4 // vectors of it

static void narrow(int8_t *codes, float *scales, int32_t *sums, const float *x,
                   size_t n)
{
    for (size_t b = 0; b < n / DH_INTS_BLOCK; b++, x += DH_INTS_BLOCK) {
        // As whole numbers NaN is the largest of all.
        uint32x4_t top = vdupq_n_u32(0);
        for (int i = 0; i < 8; i++)
            top = vmaxq_u32(
                top, vreinterpretq_u32_f32(vabsq_f32(vld1q_f32(x + i * W))));
        uint32_t bits = vmaxvq_u32(top);
        float most;
        memcpy(&most, &bits, sizeof(most));
        bool finite = bits < 0x7f800000;
        float by = most > 0 && finite ? 127.0f / most : 0;
        if (!(by <= 0x1p126f))
            by = 0; // what is so small is nothing
        int32x4_t all = vdupq_n_s32(0);
        for (int i = 0; i < 8; i += 2) {
            int32x4_t lo =
                vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i * W), by));
            int32x4_t hi =
                vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i * W + W), by));
            lo = finite ? lo : vdupq_n_s32(0);
            hi = finite ? hi : vdupq_n_s32(0);
            all = vaddq_s32(all, vaddq_s32(lo, hi));
            int16x8_t words = vcombine_s16(vmovn_s32(lo), vmovn_s32(hi));
            vst1_s8(codes + b * DH_INTS_BLOCK + i * W, vmovn_s16(words));
        }
        sums[b] = vaddvq_s32(all);
        scales[b] = finite ? most / 127.0f : NAN;
    }
}

INLINE float32x4_t start_of(const struct dh_tile_ints *t, const float *c,
                            int col)
{
    if (t->start == DH_TILE_ADD)
        return vld1q_f32(c + col);
    if (t->start == DH_TILE_BIAS)
        return vld1q_f32(t->bias + col);
    return vdupq_n_f32(0);
}

// m rows and 16 columns from `col` on; m is a constant where this is called.
INLINE void tile_rows(const struct dh_tile_ints *t, const int m, int row,
                      int col)
{
    float32x4_t acc[ROWS][COLS];
    float *c = t->c + (size_t)row * t->ldc;
    const uint8x16_t zero = vdupq_n_u8((uint8_t)t->zero);
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int v = 0; v < COLS; v++)
            acc[i][v] = start_of(t, c + (size_t)i * t->ldc, col + v * W);
    for (int b = 0; b < t->blocks; b++) {
        const int8_t *x =
            t->x.codes + (size_t)row * t->x.ldc + (size_t)b * DH_INTS_BLOCK;
        const uint32_t *w =
            t->w + (size_t)b * (DH_INTS_BLOCK / 4) * DH_PANEL + col;
        size_t at = (size_t)row * t->x.lds + (size_t)b;
        int32x4_t whole[ROWS][COLS];
#pragma GCC unroll 4
        for (int i = 0; i < m; i++)
#pragma GCC unroll 4
            for (int v = 0; v < COLS; v++)
                whole[i][v] = vdupq_n_s32(0);
        for (int k = 0; k < DH_INTS_BLOCK / 4; k++, w += DH_PANEL, x += 4) {
            int8x16_t codes[COLS];
#pragma GCC unroll 4
            for (int v = 0; v < COLS; v++)
                codes[v] = vreinterpretq_s8_u8(
                    vsubq_u8(vreinterpretq_u8_u32(vld1q_u32(w + v * W)), zero));
#pragma GCC unroll 4
            for (int i = 0; i < m; i++) {
                int32_t word;
                memcpy(&word, x + (size_t)i * t->x.ldc, sizeof(word));
                int8x16_t four = vreinterpretq_s8_s32(vdupq_n_s32(word));
#pragma GCC unroll 4
                for (int v = 0; v < COLS; v++)
                    whole[i][v] = add_products(whole[i][v], codes[v], four);
            }
        }
        const float *by = t->scales + (size_t)b * DH_PANEL + col;
#pragma GCC unroll 4
        for (int i = 0; i < m; i++)
#pragma GCC unroll 4
            for (int v = 0; v < COLS; v++)
                acc[i][v] = vfmaq_f32(
                    acc[i][v], vcvtq_f32_s32(whole[i][v]),
                    vmulq_n_f32(vld1q_f32(by + v * W),
                                t->x.scales[at + (size_t)i * t->x.lds]));
    }
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
#pragma GCC unroll 4
        for (int v = 0; v < COLS; v++)
            vst1q_f32(c + (size_t)i * t->ldc + col + v * W, acc[i][v]);
}

static void tile_all(const struct dh_tile_ints *t)
{
    for (int col = 0; col < t->n; col += COLS * W) {
        int row = 0;
        for (; row + ROWS <= t->m; row += ROWS)
            tile_rows(t, ROWS, row, col);
        for (; row < t->m; row++)
            tile_rows(t, 1, row, col);
    }
}

INLINE float half_of(uint16_t bits)
{
    return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(bits))),
                          0);
}

#define TILE_COLS (COLS * W)
#include "model/cpu/ints_edge_priv.h"

// The 32 codes of a block, and its scale.
INLINE int8x16x2_t codes_of(const uint8_t *at, const enum dh_dtype type)
{
    int8x16x2_t out;
    if (type == DH_Q8_0) {
        out.val[0] = vld1q_s8((const int8_t *)at + 2);
        out.val[1] = vld1q_s8((const int8_t *)at + 18);
        return out;
    }
    uint8x16_t n = vld1q_u8(at + (type == DH_Q4_0 ? 2 : 1));
    uint8x16_t low = vandq_u8(n, vdupq_n_u8(15)), high = vshrq_n_u8(n, 4);
    if (type == DH_Q4_0) {
        const int8x16_t eight = vdupq_n_s8(8);
        out.val[0] = vsubq_s8(vreinterpretq_s8_u8(low), eight);
        out.val[1] = vsubq_s8(vreinterpretq_s8_u8(high), eight);
        return out;
    }
    // Twice the numbers of E2M1.
    static const int8_t numbers[16] = { 0, 1,  2,  3,  4,  6,  8,  12,
                                        0, -1, -2, -3, -4, -6, -8, -12 };
    const int8x16_t table = vld1q_s8(numbers);
    out.val[0] = vqtbl1q_s8(table, low);
    out.val[1] = vqtbl1q_s8(table, high);
    return out;
}

INLINE void pack_type(uint32_t *words, float *scales, const struct dh_mat *w,
                      int row0, int rows, int b0, int blocks,
                      const enum dh_dtype type)
{
    const uint8x16_t zero = vdupq_n_u8((uint8_t)dh_ints_zero(type));
    size_t bytes = dh_dtype_bytes(type);
    for (int j = 0; j < DH_PANEL; j++) {
        const uint8_t *at[1];
        if (j < rows)
            rows_of(at, 1, w, row0 + j, 1);
        for (int b = 0; b < blocks; b++) {
            uint32_t eight[DH_INTS_BLOCK / 4] = { 0 };
            float by = 0;
            if (j < rows) {
                const uint8_t *block = at[0] + (size_t)(b0 + b) * bytes;
                int8x16x2_t c = codes_of(block, type);
                for (int h = 0; h < 2; h++)
                    vst1q_u8((uint8_t *)(eight + 4 * h),
                             vaddq_u8(vreinterpretq_u8_s8(c.val[h]), zero));
                by = scale_of(block, type);
            }
            scales[(size_t)b * DH_PANEL + j] = by;
            for (int k = 0; k < DH_INTS_BLOCK / 4; k++)
                words[((size_t)b * (DH_INTS_BLOCK / 4) + k) * DH_PANEL + j] =
                    eight[k];
        }
    }
}

INLINE void dot_rows(const struct dh_dot *d, const struct dh_ints_x *x,
                     const int m, int row, const enum dh_dtype type)
{
    const uint8_t *at[W];
    int rows = d->rows - row < W ? d->rows - row : W;
    size_t bytes = dh_dtype_bytes(type);
    float lanes[W] = { 0 };
    float32x4_t acc[4];
    rows_of(at, W, d->w, d->row0 + row, rows);
#pragma GCC unroll 4
    for (int i = 0; i < m; i++) {
        if (d->start)
            memcpy(lanes, d->start + (size_t)i * d->lds + row,
                   (size_t)rows * sizeof(*lanes));
        acc[i] = vld1q_f32(lanes);
    }
    for (int b = 0; b < d->w->cols / DH_INTS_BLOCK; b++) {
        int8x16x2_t w[W];
#pragma GCC unroll 4
        for (int j = 0; j < W; j++) {
            // Rows side by side are more streams than the processor follows.
            __builtin_prefetch(at[j] + (size_t)b * bytes + 1024, 0, 2);
            w[j] = codes_of(at[j] + (size_t)b * bytes, type);
            lanes[j] = scale_of(at[j] + (size_t)b * bytes, type);
        }
        float32x4_t by = vld1q_f32(lanes);
#pragma GCC unroll 4
        for (int i = 0; i < m; i++) {
            const int8_t *codes =
                x->codes + (size_t)i * x->ldc + (size_t)b * DH_INTS_BLOCK;
            int8x16_t lo = vld1q_s8(codes), hi = vld1q_s8(codes + 16);
            int32x4_t v[W];
#pragma GCC unroll 4
            for (int j = 0; j < W; j++)
                v[j] =
                    add_products(add_products(vdupq_n_s32(0), w[j].val[0], lo),
                                 w[j].val[1], hi);
            int32x4_t whole =
                vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3]));
            acc[i] = vfmaq_f32(
                acc[i], vcvtq_f32_s32(whole),
                vmulq_n_f32(by, x->scales[(size_t)i * x->lds + (size_t)b]));
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < m; i++) {
        vst1q_f32(lanes, acc[i]);
        memcpy(d->y + (size_t)i * d->ldy + row, lanes,
               (size_t)rows * sizeof(*lanes));
    }
}

#define TYPE_0 DH_Q8_0
#define TYPE_1 DH_Q4_0
#define TYPE_2 DH_MXFP4
#include "model/cpu/ints_dot_priv.h"
