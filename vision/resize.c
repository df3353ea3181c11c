#include "vision/resize_priv.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define DH_LOG_TAG "resize"
#include "base/log.h"

#define SIDE_MAX (1 << 20)

// ------------------------------------------------------------------- weights

// Keys' cubic with a = -0.5. The order of the operations decides the last bit
// and with it now and then a weight, so it is the published one.
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

struct filter {
    double scale, support, inverse;
    int n_in;
};

// The weights of output i, their sum being 1; returns how many there are.
// *first never falls from one output to the next.
static int window_of(const struct filter *f, int i, int64_t *first, double *w)
{
    // At the size it has, all weights but one come out as 0.
    if (f->scale == 1) {
        *first = i;
        w[0] = 1;
        return 1;
    }
    double c = f->scale * (i + 0.5);
    int64_t from = (int64_t)(c - f->support + 0.5);
    int64_t to = (int64_t)(c + f->support + 0.5);
    from = DH_MAX(from, 0);
    to = DH_MIN(to, f->n_in);
    int n = (int)(to - from);
    double sum = 0;
    for (int j = 0; j < n; j++) {
        w[j] = cubic(((double)(j + from) - c + 0.5) * f->inverse);
        sum += w[j];
    }
    for (int j = 0; j < n; j++)
        if (sum != 0)
            w[j] /= sum;
    *first = from;
    return n;
}

// As many fraction bits as leave the largest weight within 16 bits.
static int shift_for(double largest)
{
    int shift = 0;
    while (shift < 22 && (int)(0.5 + largest * (1 << (shift + 1))) < 32768)
        shift++;
    return shift;
}

static int16_t fixed(double w, int shift)
{
    return (int16_t)(w * (1 << shift) + (w < 0 ? -0.5 : 0.5));
}

// As far to the left as `stride` needs to stay inside of the input.
static void put_window(struct dh_resize_axis *a, int i, int64_t first, int n,
                       const double *w)
{
    int64_t start = first;
    if (a->stride <= a->n_in)
        start = DH_MIN(start, a->n_in - a->stride);
    int lead = (int)(first - start);
    int16_t *q = a->weights + (size_t)i * (size_t)a->stride;
    for (int j = 0; j < n; j++)
        q[lead + j] = fixed(w[j], a->shift);
    a->first[i] = (int32_t)start;
    a->count[i] = lead + n;
}

static enum dh_status axis_alloc(struct dh_resize_axis *a)
{
    size_t n = ((size_t)a->n_out + 7) & ~(size_t)7;
    a->first = dh_big_zalloc(n * sizeof(*a->first));
    a->count = dh_big_zalloc(n * sizeof(*a->count));
    a->weights = dh_big_zalloc(n * (size_t)a->stride * sizeof(*a->weights));
    if (a->first && a->count && a->weights)
        return DH_OK;
    dh_error("no memory for the weights of %d to %d", a->n_in, a->n_out);
    return DH_ERR_NOMEM;
}

enum dh_status dh_resize_axis_init(struct dh_resize_axis *a, int n_in,
                                   int n_out)
{
    dh_assert(n_in > 0 && n_in <= SIDE_MAX && n_out > 0 && n_out <= SIDE_MAX);
    *a = (struct dh_resize_axis){ .n_in = n_in, .n_out = n_out };
    struct filter f = { .scale = (double)n_in / n_out, .n_in = n_in };
    f.support = 2.0 * (f.scale >= 1 ? f.scale : 1);
    f.inverse = f.scale >= 1 ? 1 / f.scale : 1;
    double *w = dh_big_alloc(((size_t)(f.support * 2) + 3) * sizeof(*w));
    if (!w) {
        dh_error("no memory for the weights of %d to %d", n_in, n_out);
        return DH_ERR_NOMEM;
    }
    double largest = 0;
    int64_t first;
    int longest = 1;
    for (int i = 0; i < n_out; i++) {
        int n = window_of(&f, i, &first, w);
        longest = DH_MAX(longest, n);
        for (int j = 0; j < n; j++)
            largest = DH_MAX(largest, w[j]);
    }
    a->shift = shift_for(largest);
    a->stride = (longest + 1) & ~1;
    enum dh_status st = axis_alloc(a);
    for (int i = 0; i < n_out && !st; i++) {
        int n = window_of(&f, i, &first, w);
        put_window(a, i, first, n, w);
    }
    dh_big_free(w);
    if (st)
        dh_resize_axis_finish(a);
    return st;
}

void dh_resize_axis_finish(struct dh_resize_axis *a)
{
    dh_big_free(a->first);
    dh_big_free(a->count);
    dh_big_free(a->weights);
    *a = (struct dh_resize_axis){ 0 };
}

// ------------------------------------------------------------- plain kernels

static uint8_t clamp(int32_t sum, int shift)
{
    sum >>= shift;
    return (uint8_t)DH_CLAMP(sum, 0, 255);
}

static void across_plain(const struct dh_resize_axis *a,
                         const uint8_t *const in[2], uint8_t *const out[2],
                         size_t pitch)
{
    int32_t half = a->shift ? 1 << (a->shift - 1) : 0;
    for (int row = 0; row < 2; row++)
        for (int i = 0; i < a->n_out; i++) {
            const int16_t *w = a->weights + (size_t)i * (size_t)a->stride;
            const uint8_t *p = in[row] + (size_t)a->first[i] * 4;
            int32_t r = half, g = half, b = half;
            for (int j = 0; j < a->count[i]; j++, p += 4) {
                b += w[j] * p[0];
                g += w[j] * p[1];
                r += w[j] * p[2];
            }
            uint8_t *o = out[row] + i;
            o[0] = clamp(r, a->shift);
            o[pitch] = clamp(g, a->shift);
            o[2 * pitch] = clamp(b, a->shift);
        }
}

static void down_plain(const int16_t *weights, int n_taps, int shift,
                       const uint8_t *const *in, uint8_t *out, size_t n)
{
    for (size_t x = 0; x < n; x++) {
        int32_t sum = shift ? 1 << (shift - 1) : 0;
        for (int j = 0; j < n_taps; j++)
            sum += weights[j] * in[j][x];
        out[x] = clamp(sum, shift);
    }
}

static void normalise_plain(const uint8_t *in, size_t in_stride, int side,
                            float mean, float std, float *out)
{
    for (int y = 0; y < side; y++, in += in_stride, out += side)
        for (int x = 0; x < side; x++)
            out[x] = ((float)in[x] - mean) / std;
}

const struct dh_resize_kernels dh_resize_plain = {
    .name = "plain",
    .across = across_plain,
    .down = down_plain,
    .normalise = normalise_plain,
};

const struct dh_resize_kernels *dh_resize_best(void)
{
    const struct dh_resize_kernels *k = dh_resize_find_avx512();
    if (!k)
        k = dh_resize_find_avx2();
    return k ? k : &dh_resize_plain;
}
