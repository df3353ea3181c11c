/*
 * vision/match_kernels_priv.h - the loops of struct dh_match_kernels, in plain
 * C that a compiler turns into vectors. Included by a file for one instruction
 * set.
 */
#include <string.h>

#include "vision/match_priv.h"

// The products of bytes in a row fit 32 bits.
static void add_row(struct dh_match_sums *s, const int16_t *a, const int16_t *b,
                    int n)
{
    int sa = 0, sb = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < n; i++) {
        sa += a[i];
        sb += b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    s->a += sa;
    s->b += sb;
    s->aa += aa;
    s->bb += bb;
    s->ab += ab;
}

static float dot(const struct dh_match_pair *p)
{
    float acc[DH_MATCH_LANES] = { 0 }, sum = 0;
    const float *m = p->means, *r = p->crop_rests;
    for (int j = 0; j < p->rows; j++) {
        const float *b = p->sums + (size_t)j * p->pitch;
        const float *q = p->rests + (size_t)j * p->pitch;
        for (int i = 0; i < p->cols; i += DH_MATCH_LANES)
            for (int n = 0; n < DH_MATCH_LANES; n++)
                acc[n] += m[i + n] * b[i + n] + r[i + n] * q[i + n];
        m += p->cols;
        r += p->cols;
    }
    for (int n = 0; n < DH_MATCH_LANES; n++)
        sum += acc[n];
    return sum;
}

static void dots(const struct dh_match_pair *p, float *out)
{
    float acc[DH_MATCH_BLOCK] = { 0 };
    const float *m = p->means, *r = p->crop_rests;
    for (int j = 0; j < p->rows; j++) {
        const float *b = p->sums + (size_t)j * p->pitch;
        const float *q = p->rests + (size_t)j * p->pitch;
        for (int i = 0; i < p->used; i++)
            for (int n = 0; n < DH_MATCH_BLOCK; n++)
                acc[n] += m[i] * b[i + n] + r[i] * q[i + n];
        m += p->cols;
        r += p->cols;
    }
    memcpy(out, acc, sizeof acc);
}
