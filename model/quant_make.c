// Numbers into blocks: for each, the scale of a few that errs the least.
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "model/quant_priv.h"
#include "model/tensor_priv.h"

#define BLOCK_MAX 32

uint8_t dh_quant_to_e4m3(float f)
{
    uint8_t sign = signbit(f) ? 0x80 : 0;
    float a = fabsf(f);
    if (isnan(f))
        return 0x7f;
    if (a >= 448)
        return sign | 0x7e;
    int exponent;
    (void)frexpf(a, &exponent); // a = [0.5, 1) 2^exponent
    exponent = a < 0x1p-6f ? -6 : exponent - 1;
    // Steps of an eighth of the power of two; eight more are the next one.
    int steps = (int)rintf(ldexpf(a, 3 - exponent));
    return sign | (uint8_t)((exponent + 6) * 8 + steps);
}

uint8_t dh_quant_to_e2m1(float f)
{
    // Between two numbers; what lies in the middle goes to the even code.
    static const float middle[] = { 0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5 };
    float a = fabsf(f);
    int code = 0;
    for (int i = 0; i < 7; i++)
        code += i % 2 == 0 ? a > middle[i] : a >= middle[i];
    return (uint8_t)(code | (code && signbit(f) ? 8 : 0));
}

static float largest(const float *x, int n)
{
    float most = 0;
    for (int i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    return most;
}

// ------------------------------------------------------------- one block each

// Codes for a given scale; returns the squared error. `by` is what the codes
// are multiplied with.
typedef double (*round_fn)(const float *x, int n, float by, uint8_t *codes);

static double round_e4m3(const float *x, int n, float by, uint8_t *codes)
{
    double error = 0;
    for (int i = 0; i < n; i++) {
        codes[i] = dh_quant_to_e4m3(x[i] / by);
        double d = (double)(dh_quant_e4m3(codes[i]) * by - x[i]);
        error += d * d;
    }
    return error;
}

static double round_e2m1(const float *x, int n, float by, uint8_t *codes)
{
    double error = 0;
    for (int i = 0; i < n; i++) {
        codes[i] = by > 0 ? dh_quant_to_e2m1(x[i] / by) : 0;
        double d = (double)(dh_quant_e2m1(codes[i]) * by - x[i]);
        error += d * d;
    }
    return error;
}

static double round_whole(const float *x, int n, float by, uint8_t *codes,
                          int low, int high)
{
    double error = 0;
    for (int i = 0; i < n; i++) {
        float f = by != 0 ? rintf(x[i] / by) : 0;
        // Written so that NaN becomes a code too.
        int v = f >= (float)high ? high : f >= (float)low ? (int)f : low;
        codes[i] = (uint8_t)(v - low);
        double d = (double)((float)v * by - x[i]);
        error += d * d;
    }
    return error;
}

static double round_q8(const float *x, int n, float by, uint8_t *codes)
{
    return round_whole(x, n, by, codes, -127, 127);
}

static double round_q4(const float *x, int n, float by, uint8_t *codes)
{
    return round_whole(x, n, by, codes, -8, 7);
}

// The best of several scales.
struct best {
    double error;
    int which;
    uint8_t codes[BLOCK_MAX];
};

static void try_scale(struct best *b, int which, round_fn fn, const float *x,
                      int n, float by)
{
    uint8_t codes[BLOCK_MAX];
    double error = fn(x, n, by, codes);
    if (which > 0 && !(error < b->error))
        return;
    b->error = error;
    b->which = which;
    memcpy(b->codes, codes, (size_t)n);
}

// Powers of two from the one that just holds the largest number downwards.
// Returns the E8M0 code.
static uint8_t best_power(struct best *b, round_fn fn, const float *x, int n,
                          float top)
{
    float most = largest(x, n);
    int e = 0;
    if (most > 0 && isfinite(most)) {
        (void)frexpf(most / top, &e);
        e = e < -126 ? -126 : e > 127 ? 127 : e;
    }
    for (int i = 0; i < 3 && e - i >= -127; i++)
        try_scale(b, i, fn, x, n, ldexpf(1, e - i));
    return (uint8_t)(e - b->which + 127);
}

static uint16_t best_half(struct best *b, round_fn fn, const float *x, int n,
                          float most, int tries)
{
    uint16_t scale[8];
    for (int i = 0; i < tries; i++) {
        // Smaller and smaller: the largest number is cut off a little.
        scale[i] = dh_f32_to_f16(most * (1 - 0.03f * (float)i));
        try_scale(b, i, fn, x, n, dh_f16_to_f32(scale[i]));
    }
    return scale[b->which];
}

static void put_nibbles(uint8_t *to, const uint8_t *codes)
{
    for (int i = 0; i < 16; i++)
        to[i] = (uint8_t)(codes[i] | codes[16 + i] << 4);
}

static void make_q8_0(const float *x, uint8_t *to)
{
    struct best b;
    uint16_t half = best_half(&b, round_q8, x, 32, largest(x, 32) / 127, 1);
    memcpy(to, &half, sizeof(half));
    for (int i = 0; i < 32; i++)
        to[2 + i] = (uint8_t)(b.codes[i] - 127);
}

// The number that is furthest from zero gets the code -8, which has no partner.
static void make_q4_0(const float *x, uint8_t *to)
{
    struct best b;
    float far = 0;
    for (int i = 0; i < 32; i++)
        far = fabsf(x[i]) > fabsf(far) ? x[i] : far;
    uint16_t half = best_half(&b, round_q4, x, 32, far / -8, 8);
    memcpy(to, &half, sizeof(half));
    put_nibbles(to + 2, b.codes);
}

static void make_mxfp4(const float *x, uint8_t *to)
{
    struct best b;
    to[0] = best_power(&b, round_e2m1, x, 32, 6);
    put_nibbles(to + 1, b.codes);
}

static void make_nvfp4(const float *x, float all, uint8_t *to, uint8_t *scale)
{
    struct best b;
    uint8_t codes[8];
    float most = all > 0 ? largest(x, DH_QUANT_NV_BLOCK) / 6 / all : 0;
    for (int i = 0; i < 8; i++) {
        codes[i] = dh_quant_to_e4m3(most * (1 - 0.04f * (float)i));
        try_scale(&b, i, round_e2m1, x, DH_QUANT_NV_BLOCK,
                  dh_quant_e4m3(codes[i]) * all);
    }
    *scale = codes[b.which];
    for (int i = 0; i < DH_QUANT_NV_BLOCK / 2; i++)
        to[i] = (uint8_t)(b.codes[2 * i] | b.codes[2 * i + 1] << 4);
}

bool dh_quant_can_make(enum dh_dtype t)
{
    return t == DH_F8_E4M3 || t == DH_NVFP4 || t == DH_Q8_0 || t == DH_Q4_0 ||
           t == DH_MXFP4;
}

float dh_quant_factor(float most)
{
    float f = most / (6 * 448);
    return f > 0 ? f : 1;
}

void dh_quant_make(enum dh_dtype t, const float *x, size_t n, float all,
                   uint8_t *codes, uint8_t *scales)
{
    dh_assert(dh_quant_can_make(t));
    size_t block = (size_t)dh_quant_block(t);
    for (size_t i = 0; i < n / block; i++, x += block) {
        uint8_t *to = codes + i * dh_dtype_size(t, block);
        if (t == DH_F8_E4M3) {
            struct best b;
            scales[i] = best_power(&b, round_e4m3, x, (int)block, 448);
            memcpy(to, b.codes, block);
        } else if (t == DH_NVFP4) {
            make_nvfp4(x, all, to, &scales[i]);
        } else if (t == DH_Q8_0) {
            make_q8_0(x, to);
        } else if (t == DH_Q4_0) {
            make_q4_0(x, to);
        } else {
            make_mxfp4(x, to);
        }
    }
}
