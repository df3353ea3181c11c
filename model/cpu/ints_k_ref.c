// Products of whole numbers with llama.cpp's K types in plain C: the reference
// for the others.
#include <math.h>

#include "model/backend_priv.h"
#include "model/cpu/expand_priv.h"

bool dh_ints_is_k(enum dh_dtype t)
{
    return t == DH_Q4_K || t == DH_Q5_K || t == DH_Q6_K;
}

void dh_ints_k_halves(const int8_t *codes, int32_t *sums, size_t n)
{
    for (size_t b = 0; b < n / DH_INTS_BLOCK; b++, codes += DH_INTS_BLOCK) {
        int first = 0, second = 0;
        for (int i = 0; i < DH_INTS_BLOCK / 2; i++) {
            first += codes[i];
            second += codes[i + DH_INTS_BLOCK / 2];
        }
        sums[b] = (int32_t)((uint32_t)second << 16 | (uint16_t)first);
    }
}

static void narrow(int8_t *codes, float *scales, int32_t *sums, const float *x,
                   size_t n)
{
    dh_ints_ref.narrow(codes, scales, sums, x, n);
    dh_ints_k_halves(codes, sums, n);
}

// The codes of group b, none of them negative, and its two factors.
static void unpack(const struct dh_mat *w, int row, int b,
                   uint8_t out[DH_INTS_BLOCK], float by[2])
{
    const uint8_t *at = w->data;
    at += dh_dtype_size(w->dtype,
                        (size_t)row * (size_t)w->cols + (size_t)(b / 8) * 256);
    int g = b % 8;
    if (w->dtype == DH_Q6_K) {
        for (int i = 0; i < DH_INTS_BLOCK; i++) {
            int low = at[g / 4 * 64 + g % 2 * 32 + i] >> g % 4 / 2 * 4 & 15;
            int high = at[128 + g / 4 * 32 + i] >> g % 4 * 2 & 3;
            out[i] = (uint8_t)(low | high << 4);
        }
        for (int h = 0; h < 2; h++)
            by[h] = half_at(at + 208) * (float)(int8_t)at[192 + 2 * g + h];
        return;
    }
    const uint8_t *low = at + (w->dtype == DH_Q5_K ? 48 : 16) + g / 2 * 32;
    for (int i = 0; i < DH_INTS_BLOCK; i++) {
        int high = w->dtype == DH_Q5_K ? at[16 + i] >> g & 1 : 0;
        out[i] = (uint8_t)((low[i] >> g % 2 * 4 & 15) | high << 4);
    }
    group_of(at + 4, g, half_at(at), half_at(at + 2), &by[0], &by[1]);
}

// y and one group: codes of x and w, the halves' sums of x, the factors.
static float step(float y, const int8_t *x, float scale, int32_t sums,
                  const uint8_t *w, float a, float b, bool halves)
{
    int first = (int16_t)(sums & 0xffff), second = sums >> 16;
    int32_t s[2] = { 0, 0 };
    for (int i = 0; i < DH_INTS_BLOCK; i++)
        s[i / 16] += x[i] * w[i];
    if (halves) {
        y = fmaf((float)(s[0] - 32 * first), a * scale, y);
        return fmaf((float)(s[1] - 32 * second), b * scale, y);
    }
    y = fmaf((float)(s[0] + s[1]), a * scale, y);
    return fmaf(-(float)(first + second), b * scale, y);
}

static void dot(const struct dh_dot *d, const struct dh_ints_x *x)
{
    for (int r = 0; r < d->rows; r++) {
        for (int i = 0; i < d->m; i++) {
            float y = d->start ? d->start[(size_t)i * d->lds + r] : 0;
            for (int b = 0; b < d->w->cols / DH_INTS_BLOCK; b++) {
                uint8_t codes[DH_INTS_BLOCK];
                float by[2];
                size_t at = (size_t)i * x->lds + (size_t)b;
                unpack(d->w, d->row0 + r, b, codes, by);
                y = step(y,
                         x->codes + (size_t)i * x->ldc +
                             (size_t)b * DH_INTS_BLOCK,
                         x->scales[at], x->sums[at], codes, by[0], by[1],
                         d->w->dtype == DH_Q6_K);
            }
            d->y[(size_t)i * d->ldy + r] = y;
        }
    }
}

static void pack(uint32_t *words, float *factors, const struct dh_mat *w,
                 int row0, int rows, int b0, int blocks)
{
    for (int b = 0; b < blocks; b++) {
        for (int j = 0; j < DH_PANEL; j++) {
            uint8_t codes[DH_INTS_BLOCK] = { 0 };
            float by[2] = { 0, 0 };
            size_t to = (size_t)b * DH_PANEL;
            if (j < rows)
                unpack(w, row0 + j, b0 + b, codes, by);
            for (int k = 0; k < 8; k++)
                memcpy(&words[to * 8 + (size_t)k * DH_PANEL + j], codes + k * 4,
                       4);
            factors[to * 2 + j] = by[0];
            factors[to * 2 + DH_PANEL + j] = by[1];
        }
    }
}

static void tile(const struct dh_tile_ints *t)
{
    for (int i = 0; i < t->m; i++) {
        for (int j = 0; j < t->n; j++) {
            float *c = t->c + (size_t)i * t->ldc + j;
            float y = t->start == DH_TILE_ADD    ? *c
                      : t->start == DH_TILE_BIAS ? t->bias[j]
                                                 : 0;
            for (int b = 0; b < t->blocks; b++) {
                uint8_t codes[DH_INTS_BLOCK];
                size_t from = (size_t)b * DH_PANEL + j;
                size_t at = (size_t)i * t->x.lds + (size_t)b;
                const float *by = t->scales + from + (size_t)b * DH_PANEL;
                for (int k = 0; k < 8; k++)
                    memcpy(codes + k * 4,
                           &t->w[((size_t)b * 8 + k) * DH_PANEL + j], 4);
                y = step(y,
                         t->x.codes + (size_t)i * t->x.ldc +
                             (size_t)b * DH_INTS_BLOCK,
                         t->x.scales[at], t->x.sums[at], codes, by[0],
                         by[DH_PANEL], t->zero != 0);
            }
            *c = y;
        }
    }
}

const struct dh_ints dh_ints_k_ref = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};
