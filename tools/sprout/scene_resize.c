#include "tools/sprout/scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Weights of one axis: for each output the first input, their count, and the
// fixed-point weights.
struct axis {
    int in, out, most, bits;
    int *first, *count;
    int16_t *weight;
};

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static void axis_free(struct axis *a)
{
    free(a->first);
    free(a->count);
    free(a->weight);
}

static int axis_weights(struct axis *a, double *w)
{
    double scale = (double)a->in / a->out, fs = scale >= 1.0 ? scale : 1.0;
    double support = 2.0 * fs, inv = scale >= 1.0 ? 1.0 / scale : 1.0;
    double most = 0.0;
    for (int i = 0; i < a->out; i++) {
        double c = scale * (i + 0.5), sum = 0.0, *row = w + i * a->most;
        long lo = (long)(c - support + 0.5), hi = (long)(c + support + 0.5);
        lo = lo < 0 ? 0 : lo;
        hi = hi > a->in ? a->in : hi;
        a->first[i] = (int)lo;
        a->count[i] = (int)(hi - lo);
        for (int j = 0; j < a->count[i]; j++)
            sum += row[j] = cubic(((double)(j + lo) - c + 0.5) * inv);
        for (int j = 0; j < a->count[i]; j++) {
            row[j] = sum != 0.0 ? row[j] / sum : row[j];
            most = row[j] > most ? row[j] : most;
        }
    }
    a->bits = 0;
    while (a->bits < 22 &&
           (int)(0.5 + most * (double)(1 << (a->bits + 1))) < 32768)
        a->bits++;
    return 0;
}

static int axis_make(struct axis *a, int in, int out)
{
    double scale = (double)in / out, fs = scale >= 1.0 ? scale : 1.0;
    a->in = in;
    a->out = out;
    a->most = (int)ceil(2.0 * fs) * 2 + 2;
    size_t n = (size_t)out * (size_t)a->most;
    // ok: a library of its own, without base/mem
    a->first = calloc((size_t)out, sizeof *a->first);
    a->count = calloc((size_t)out, sizeof *a->count);
    a->weight = calloc(n, sizeof *a->weight);
    double *w = calloc(n, sizeof *w);
    if (!a->first || !a->count || !a->weight || !w) {
        free(w);
        axis_free(a);
        return -1;
    }
    axis_weights(a, w);
    for (size_t i = 0; i < n; i++)
        a->weight[i] = (int16_t)(w[i] * (double)(1 << a->bits) +
                                 (w[i] < 0.0 ? -0.5 : 0.5));
    free(w);
    return 0;
}

static uint8_t clamp8(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void rows_across(const struct axis *a, const uint8_t *src, uint8_t *dst,
                        int h)
{
    int32_t half = 1 << (a->bits - 1);
    for (int y = 0; y < h; y++) {
        const uint8_t *row = src + (size_t)y * (size_t)a->in * 3;
        for (int x = 0; x < a->out; x++) {
            const uint8_t *p = row + a->first[x] * 3;
            const int16_t *w = a->weight + (size_t)x * (size_t)a->most;
            int32_t r = half, g = half, b = half;
            for (int j = 0; j < a->count[x]; j++, p += 3) {
                r += w[j] * p[0];
                g += w[j] * p[1];
                b += w[j] * p[2];
            }
            *dst++ = clamp8(r >> a->bits);
            *dst++ = clamp8(g >> a->bits);
            *dst++ = clamp8(b >> a->bits);
        }
    }
}

static void rows_down(const struct axis *a, const uint8_t *src, uint8_t *dst,
                      int w, int32_t *sum)
{
    int n = w * 3;
    for (int y = 0; y < a->out; y++) {
        const int16_t *q = a->weight + (size_t)y * (size_t)a->most;
        for (int i = 0; i < n; i++)
            sum[i] = 1 << (a->bits - 1);
        for (int j = 0; j < a->count[y]; j++) {
            const uint8_t *p = src + (size_t)(a->first[y] + j) * (size_t)n;
            for (int i = 0; i < n; i++)
                sum[i] += q[j] * p[i];
        }
        for (int i = 0; i < n; i++)
            *dst++ = clamp8(sum[i] >> a->bits);
    }
}

SCENE_API int scene_resize_bicubic(const uint8_t *src, int sw, int sh,
                                   uint8_t *dst, int dw, int dh)
{
    struct axis a = { 0 }, b = { 0 };
    int rc = -1;
    if (sw <= 0 || sh <= 0 || dw <= 0 || dh <= 0)
        return -1;
    // ok: a library of its own, without base/mem
    uint8_t *mid = malloc((size_t)dw * (size_t)sh * 3);
    int32_t *sum = malloc((size_t)dw * 3 * sizeof *sum);
    if (!mid || !sum || axis_make(&a, sw, dw))
        goto out;
    if (axis_make(&b, sh, dh)) {
        axis_free(&a);
        goto out;
    }
    if (sw == dw)
        memcpy(mid, src, (size_t)sw * (size_t)sh * 3);
    else
        rows_across(&a, src, mid, sh);
    if (sh == dh)
        memcpy(dst, mid, (size_t)dw * (size_t)sh * 3);
    else
        rows_down(&b, mid, dst, dw, sum);
    axis_free(&a);
    axis_free(&b);
    rc = 0;
out:
    free(mid);
    free(sum);
    return rc;
}
