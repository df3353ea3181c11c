// The kernels in plain C: the reference for all others.
#include <math.h>
#include <string.h>

#include "model/backend_priv.h"
#include "model/quant_priv.h"
#include "model/tensor_priv.h"

static float element(const struct dh_mat *w, size_t i)
{
    float f;
    size_t size = dh_dtype_bytes(w->dtype);
    dh_tensor_to_f32(w->dtype, (const uint8_t *)w->data + i * size, 1, &f);
    return f;
}

static void tile(const struct dh_tile *t)
{
    for (int i = 0; i < t->m; i++) {
        for (int j = 0; j < t->n; j++) {
            float *c = t->c + (size_t)i * t->ldc + j;
            float s = t->start == DH_TILE_ADD    ? *c
                      : t->start == DH_TILE_BIAS ? t->bias[j]
                                                 : 0;
            for (int k = 0; k < t->k; k++)
                s +=
                    t->a[(size_t)i * t->lda + k] * t->b[(size_t)k * t->ldb + j];
            *c = s;
        }
    }
}

static void pack(float *dst, const struct dh_mat *w, int row0, int rows, int k0,
                 int depth)
{
    for (int k = 0; k < depth; k++) {
        for (int j = 0; j < DH_PANEL; j++) {
            size_t at = (size_t)(row0 + j) * w->cols + k0 + k;
            dst[(size_t)k * DH_PANEL + j] = j < rows ? element(w, at) : 0;
        }
    }
}

static void dot(const struct dh_dot *d, const float *x, size_t ldx)
{
    const struct dh_mat *w = d->w;
    for (int r = 0; r < d->rows; r++) {
        for (int i = 0; i < d->m; i++) {
            float s = d->start ? d->start[(size_t)i * d->lds + r] : 0;
            for (int k = 0; k < w->cols; k++)
                s += x[(size_t)i * ldx + k] *
                     element(w, (size_t)(d->row0 + r) * w->cols + k);
            d->y[(size_t)i * d->ldy + r] = s;
        }
    }
}

static void widen(float *dst, const int8_t *codes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = codes[i];
}

static void weigh(float *s, size_t lds, int rows, const float *by)
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < DH_PANEL; j++)
            s[(size_t)r * lds + (size_t)j] *= by[j];
}

static float soften(float *s, int n, struct dh_soft *state)
{
    float max = state->max;
    for (int i = 0; i < n; i++)
        max = fmaxf(max, s[i]);
    if (max == -INFINITY) {
        memset(s, 0, (size_t)n * sizeof(*s));
        return 1;
    }
    float keep = expf(state->max - max);
    float sum = 0;
    for (int i = 0; i < n; i++) {
        s[i] = expf(s[i] - max);
        sum += s[i];
    }
    state->max = max;
    state->sum = state->sum * keep + sum;
    return keep;
}

static void most(float *best, size_t step, const float *s, size_t lds, int rows,
                 int n)
{
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < n; i++)
            if (s[(size_t)r * lds + (size_t)i] > best[(size_t)r * step])
                best[(size_t)r * step] = s[(size_t)r * lds + (size_t)i];
}

static void scale(float *x, float by, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= by;
}

static void add_scaled(float *y, const float *x, float by, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += by * x[i];
}

static void rmsnorm(float *y, const float *x, const float *w, int n, float eps)
{
    float squares = 0;
    for (int i = 0; i < n; i++)
        squares += x[i] * x[i];
    float r = 1.0f / sqrtf(squares / (float)n + eps);
    for (int i = 0; i < n; i++)
        y[i] = x[i] * r * (1.0f + w[i]);
}

static void layernorm(float *y, const float *x, const float *w, const float *b,
                      int n, float eps)
{
    float mean = 0, var = 0;
    for (int i = 0; i < n; i++)
        mean += x[i];
    mean /= (float)n;
    for (int i = 0; i < n; i++)
        var += (x[i] - mean) * (x[i] - mean);
    float r = 1.0f / sqrtf(var / (float)n + eps);
    for (int i = 0; i < n; i++)
        y[i] = (x[i] - mean) * r * w[i] + b[i];
}

static void gelu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678f));
}

static void swiglu(float *y, const float *gate, const float *up, size_t n,
                   float alpha, float limit)
{
    for (size_t i = 0; i < n; i++) {
        float g = fminf(gate[i], limit);
        float u = fmaxf(fminf(up[i], limit), -limit);
        y[i] = (u + 1.0f) * g / (1.0f + expf(-alpha * g));
    }
}

static void rope(float *x, const float *cos, const float *sin, int half)
{
    for (int j = 0; j < half; j++) {
        float a = x[j], b = x[j + half];
        x[j] = a * cos[j] - b * sin[j];
        x[j + half] = b * cos[j] + a * sin[j];
    }
}

const struct dh_kernels dh_kernels_ref = {
    .name = "ref",
    .tile = tile,
    .pack = pack,
    .dot = dot,
    .expand = dh_quant_expand,
    .widen = widen,
    .weigh = weigh,
    .soften = soften,
    .most = most,
    .scale = scale,
    .add_scaled = add_scaled,
    .rmsnorm = rmsnorm,
    .layernorm = layernorm,
    .gelu = gelu,
    .swiglu = swiglu,
    .rope = rope,
};
