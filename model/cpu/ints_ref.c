// Products of whole numbers in plain C: the reference for the others.
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "model/backend_priv.h"
#include "model/quant_priv.h"
#include "model/tensor_priv.h"

int dh_ints_zero(enum dh_dtype t)
{
    if (t == DH_Q8_0)
        return 128;
    if (t == DH_Q4_0)
        return 8;
    return t == DH_MXFP4 ? 12 : 0;
}

static void narrow(int8_t *codes, float *scales, int32_t *sums, const float *x,
                   size_t n)
{
    for (size_t b = 0; b < n / DH_INTS_BLOCK; b++, x += DH_INTS_BLOCK) {
        float most = 0;
        bool finite = true;
        for (int i = 0; i < DH_INTS_BLOCK; i++) {
            most = fmaxf(most, fabsf(x[i]));
            finite = finite && isfinite(x[i]);
        }
        float by = most > 0 && finite ? 127.0f / most : 0;
        if (!(by <= 0x1p126f))
            by = 0; // what is so small is nothing
        int32_t sum = 0;
        for (int i = 0; i < DH_INTS_BLOCK; i++) {
            float f = finite ? rintf(x[i] * by) : 0;
            codes[b * DH_INTS_BLOCK + i] = (int8_t)f;
            sum += (int32_t)f;
        }
        scales[b] = finite ? most / 127.0f : NAN;
        sums[b] = sum;
    }
}

static const uint8_t *block_of(const struct dh_mat *w, int row, int b)
{
    size_t at = (size_t)row * (size_t)w->cols + (size_t)b * DH_INTS_BLOCK;
    return (const uint8_t *)w->data + dh_dtype_size(w->dtype, at);
}

// The codes of a block plus what makes them positive; returns its scale.
static float unpack(const struct dh_mat *w, int row, int b,
                    uint8_t out[DH_INTS_BLOCK])
{
    const uint8_t *in = block_of(w, row, b);
    uint16_t half;
    memcpy(&half, in, sizeof(half));
    if (w->dtype == DH_Q8_0) {
        for (int i = 0; i < DH_INTS_BLOCK; i++)
            out[i] = in[2 + i] ^ 0x80;
        return dh_f16_to_f32(half);
    }
    const uint8_t *nibbles = in + (w->dtype == DH_Q4_0 ? 2 : 1);
    for (int i = 0; i < 16; i++) {
        out[i] = nibbles[i] & 15;
        out[16 + i] = nibbles[i] >> 4;
    }
    if (w->dtype == DH_Q4_0)
        return dh_f16_to_f32(half);
    for (int i = 0; i < DH_INTS_BLOCK; i++)
        out[i] = (uint8_t)(2 * dh_quant_e2m1(out[i]) + 12);
    return dh_quant_e8m0(in[0]) / 2;
}

static void tile(const struct dh_tile_ints *t)
{
    for (int i = 0; i < t->m; i++) {
        for (int j = 0; j < t->n; j++) {
            float *c = t->c + (size_t)i * t->ldc + j;
            float s = t->start == DH_TILE_ADD    ? *c
                      : t->start == DH_TILE_BIAS ? t->bias[j]
                                                 : 0;
            for (int b = 0; b < t->blocks; b++) {
                const int8_t *x = t->x.codes + (size_t)i * t->x.ldc +
                                  (size_t)b * DH_INTS_BLOCK;
                size_t at = (size_t)i * t->x.lds + (size_t)b;
                int32_t sum = -t->zero * t->x.sums[at];
                for (int k = 0; k < DH_INTS_BLOCK; k++) {
                    int word = b * DH_INTS_BLOCK / 4 + k / 4;
                    uint32_t four = t->w[(size_t)word * DH_PANEL + j];
                    sum += x[k] * (int32_t)(four >> (k % 4 * 8) & 255);
                }
                float by =
                    t->scales[(size_t)b * DH_PANEL + j] * t->x.scales[at];
                s = fmaf((float)sum, by, s);
            }
            *c = s;
        }
    }
}

static void pack(uint32_t *words, float *scales, const struct dh_mat *w,
                 int row0, int rows, int b0, int blocks)
{
    for (int b = 0; b < blocks; b++) {
        for (int j = 0; j < DH_PANEL; j++) {
            uint8_t codes[DH_INTS_BLOCK] = { 0 };
            scales[(size_t)b * DH_PANEL + j] =
                j < rows ? unpack(w, row0 + j, b0 + b, codes) : 0;
            for (int k = 0; k < DH_INTS_BLOCK / 4; k++)
                memcpy(
                    &words[((size_t)b * DH_INTS_BLOCK / 4 + k) * DH_PANEL + j],
                    codes + k * 4, 4);
        }
    }
}

static void dot(const struct dh_dot *d, const struct dh_ints_x *x)
{
    int zero = dh_ints_zero(d->w->dtype);
    for (int r = 0; r < d->rows; r++) {
        for (int i = 0; i < d->m; i++) {
            float s = d->start ? d->start[(size_t)i * d->lds + r] : 0;
            for (int b = 0; b < d->w->cols / DH_INTS_BLOCK; b++) {
                uint8_t codes[DH_INTS_BLOCK];
                float by = unpack(d->w, d->row0 + r, b, codes);
                size_t at = (size_t)i * x->lds + (size_t)b;
                int32_t sum = -zero * x->sums[at];
                for (int k = 0; k < DH_INTS_BLOCK; k++)
                    sum += codes[k] * x->codes[(size_t)i * x->ldc +
                                               (size_t)b * DH_INTS_BLOCK + k];
                s = fmaf((float)sum, by * x->scales[at], s);
            }
            d->y[(size_t)i * d->ldy + r] = s;
        }
    }
}

const struct dh_ints dh_ints_ref = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};
