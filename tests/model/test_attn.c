#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/layer_priv.h"
#include "model/tensor_priv.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

#define TOKENS 700

struct head {
    int dim, ldv;
    float *keys, *values, *plain_keys;
    uint32_t *key_pairs, *value_pairs; // of a head that has pairs
    float *page;                       // of one that has codes
};

// What numbers are kept as.
enum { FLOATS, PAIRS, CODES, PAIRS_OF_CODES, KINDS };

static float rounded(float f)
{
    return dh_bf16_to_f32(dh_f32_to_bf16(f));
}

// The same keys and values as words, and rounded where they are floats.
static void head_narrow(struct head *h)
{
    size_t padded = dh_panel_round(TOKENS), dim = (size_t)h->dim;
    size_t ldv = (size_t)h->ldv;
    h->key_pairs = dh_big_zalloc(padded * dim * 2);
    h->value_pairs = dh_big_zalloc(padded * ldv * 2);
    CHECK(h->key_pairs && h->value_pairs);
    uint16_t *keys = (uint16_t *)h->key_pairs;
    uint16_t *values = (uint16_t *)h->value_pairs;
    for (size_t t = 0; t < TOKENS; t++) {
        for (size_t d = 0; d < dim; d++) {
            size_t word = t / DH_PANEL * DH_PANEL * (dim / 2) +
                          d / 2 * DH_PANEL + t % DH_PANEL;
            float *k = &h->plain_keys[t * dim + d];
            float *v = &h->values[t * ldv + d];
            keys[2 * word + d % 2] = dh_f32_to_bf16(*k);
            values[2 * (t / 2 * ldv + d) + t % 2] = dh_f32_to_bf16(*v);
            *k = rounded(*k);
            *v = rounded(*v);
        }
    }
}

// The same keys and values as codes, and rounded to them where they are floats.
static struct dh_attend_head head_code(struct head *h,
                                       const struct dh_pairs *pairs)
{
    size_t padded = dh_panel_round(TOKENS), dim = (size_t)h->dim;
    size_t ldv = (size_t)h->ldv;
    struct dh_attend_head out = { .keys_at = 0,
                                  .key_scales_at = padded * dim / 4 };
    out.values_at = out.key_scales_at + padded;
    out.value_scales_at = out.values_at + padded * ldv / 4;
    h->page = dh_big_zalloc((out.value_scales_at + padded) * sizeof(float));
    CHECK(h->page);
    int8_t *keys = (int8_t *)h->page;
    int8_t *values = (int8_t *)(h->page + out.values_at);
    for (size_t t = 0; t < TOKENS; t++) {
        float *k = h->plain_keys + t * dim, *v = h->values + t * ldv;
        float ks = dh_attend_put_key_codes(pairs, keys, h->dim, t, k);
        float vs =
            dh_attend_put_value_codes(pairs, values, h->dim, h->ldv, t, v);
        h->page[out.key_scales_at + t] = ks;
        h->page[out.value_scales_at + t] = vs;
        for (size_t d = 0; d < dim; d++) {
            size_t panel = t / DH_PANEL * DH_PANEL * dim, in = t % DH_PANEL;
            size_t key = pairs ? panel + d / 2 * 2 * DH_PANEL + in * 2 + d % 2
                               : panel + d * DH_PANEL + in;
            size_t value =
                pairs ? t / 2 * 2 * ldv + d * 2 + t % 2 : t * ldv + d;
            float near_k = ks * (float)keys[key];
            float near_v = vs * (float)values[value];
            CHECK_NEAR((double)near_k, (double)k[d], (double)ks * 0.501);
            CHECK_NEAR((double)near_v, (double)v[d], (double)vs * 0.501);
            k[d] = near_k;
            v[d] = near_v;
        }
    }
    struct dh_attend_head is =
        dh_attend_head_of(pairs, h->page, h->page, h->dim, h->ldv);
    out.keys = is.keys;
    out.values = is.values;
    out.key_pairs = is.key_pairs;
    out.value_pairs = is.value_pairs;
    out.dim = h->dim;
    out.ldv = h->ldv;
    out.codes = true;
    out.pages = &h->page;
    out.page_panels = (int)(padded / DH_PANEL);
    return out;
}

static void head_init(struct head *h, struct dh_rng *rng, int dim)
{
    size_t padded = dh_panel_round(TOKENS);
    memset(h, 0, sizeof(*h));
    h->dim = dim;
    h->ldv = (dim + 15) / 16 * 16;
    h->keys = dh_big_zalloc(padded * (size_t)dim * sizeof(float));
    h->values = dh_big_zalloc(padded * (size_t)h->ldv * sizeof(float));
    dh_array(h->plain_keys, (size_t)TOKENS * (size_t)dim);
    CHECK(h->keys && h->values);
    for (int t = 0; t < TOKENS; t++) {
        for (int d = 0; d < dim; d++) {
            float k = (float)(dh_rng_unit(rng) * 4 - 2);
            h->plain_keys[t * dim + d] = k;
            h->keys[t / DH_PANEL * DH_PANEL * dim + d * DH_PANEL +
                    t % DH_PANEL] = k;
            h->values[t * h->ldv + d] = (float)(dh_rng_unit(rng) * 2 - 1);
        }
    }
}

static void head_finish(struct head *h)
{
    dh_big_free(h->keys);
    dh_big_free(h->values);
    dh_big_free(h->key_pairs);
    dh_big_free(h->value_pairs);
    dh_big_free(h->page);
    dh_free(h->plain_keys);
}

// Pairs round the scaled query, and later the weights of the sum, which are
// those of codes with their scales.
static void check_row(const struct head *h, const float *q, const float *got,
                      const bool *allowed, float scale, bool pairs)
{
    double s[TOKENS], top = -1e300, sum = 0;
    for (int t = 0; t < TOKENS; t++) {
        s[t] = 0;
        for (int d = 0; d < h->dim; d++) {
            double by = pairs ? (double)rounded(q[d] * scale)
                              : (double)q[d] * (double)scale;
            s[t] += by * (double)h->plain_keys[t * h->dim + d];
        }
        top = allowed[t] ? fmax(top, s[t]) : top;
    }
    for (int t = 0; t < TOKENS; t++)
        sum += s[t] = allowed[t] ? exp(s[t] - top) : 0;
    for (int d = 0; d < h->dim; d++) {
        double want = 0;
        for (int t = 0; t < TOKENS; t++)
            want += s[t] / sum * (double)h->values[t * h->ldv + d];
        CHECK_NEAR((double)got[d], want, !pairs ? 3e-6 : h->page ? 4e-3 : 2e-3);
    }
}

static bool masked(const struct dh_attend *a, int t)
{
    if (!a->panels)
        return t / DH_PANEL < a->n_panels;
    for (int i = 0; i < a->n_panels; i++) {
        if (a->panels[i].panel == t / DH_PANEL)
            return a->panels[i].mask >> (t % DH_PANEL) & 1;
    }
    return false;
}

static void hold_as(const char *kernels, int kind, int dim, int rows,
                    const struct dh_attend_panel *panels, int n_panels)
{
    bool pairs = kind == PAIRS || kind == PAIRS_OF_CODES;
    const struct dh_kernels *k = dh_kernels_find(kernels);
    struct dh_backend b;
    struct head h;
    struct dh_rng rng;
    static float q[DH_ATTEND_ROWS * 128], out[DH_ATTEND_ROWS * 128];
    if (!k)
        return;
    dh_rng_init(&rng, 7);
    head_init(&h, &rng, dim);
    CHECK_INT(dh_backend_init(&b, k, NULL, 16, dim), DH_OK);
    if (kind == PAIRS)
        head_narrow(&h);
    struct dh_attend a = { .head = { .keys = h.keys,
                                     .values = h.values,
                                     .key_pairs = h.key_pairs,
                                     .value_pairs = h.value_pairs,
                                     .dim = h.dim,
                                     .ldv = h.ldv },
                           .rows = rows,
                           .scale = 1 / sqrtf((float)dim),
                           .panels = panels,
                           .n_panels = n_panels };
    if (kind == CODES || kind == PAIRS_OF_CODES)
        a.head = head_code(&h, pairs ? k->pairs : NULL);
    for (int r = 0; r < rows; r++) {
        for (int d = 0; d < dim; d++)
            q[r * dim + d] = (float)(dh_rng_unit(&rng) * 4 - 2);
        a.q[r] = q + r * dim;
        a.out[r] = out + r * dim;
        a.limit[r] = r == 0 ? 0 : (int64_t)dh_rng_below(&rng, TOKENS);
        if (panels)
            a.limit[r] = TOKENS - 1 - r;
    }
    dh_backend_attend(&b, &a, 0);
    for (int r = 0; r < rows; r++) {
        bool allowed[TOKENS];
        for (int t = 0; t < TOKENS; t++)
            allowed[t] = t <= a.limit[r] && masked(&a, t);
        check_row(&h, q + r * dim, out + r * dim, allowed, a.scale, pairs);
    }
    // The same in two calls: the first span, then the others.
    struct dh_soft states[DH_ATTEND_ROWS];
    static float parts[DH_ATTEND_ROWS * 128];
    for (int r = 0; r < rows; r++) {
        states[r] = (struct dh_soft){ .max = -INFINITY };
        a.state[r] = &states[r];
        a.out[r] = parts + r * dim;
    }
    a.n_panels = DH_MIN(DH_ATTEND_SPAN, n_panels);
    dh_backend_attend(&b, &a, 0);
    a.first = a.n_panels;
    a.panels = panels ? panels + a.n_panels : NULL;
    a.n_panels = n_panels - a.n_panels;
    dh_backend_attend(&b, &a, 0);
    for (int r = 0; r < rows; r++)
        k->scale(parts + r * dim, 1.0f / states[r].sum, (size_t)dim);
    CHECK_MEM(parts, out, (size_t)(rows * dim) * sizeof(*out));
    head_finish(&h);
    dh_backend_finish(&b);
}

static void hold(const char *kernels, int dim, int rows,
                 const struct dh_attend_panel *panels, int n_panels)
{
    const struct dh_kernels *k = dh_kernels_find(kernels);
    for (int kind = 0; kind < KINDS; kind++)
        if (kind == FLOATS || kind == CODES || (k && k->pairs))
            hold_as(kernels, kind, dim, rows, panels, n_panels);
}

static void test_rows_over_all_keys(void)
{
    static const char *const kernels[] = { "ref",        "avx2", "avx512",
                                           "avx512bf16", "amx",  "neon" };
    static const int dims[] = { 16, 20, 64, 80, 128 };
    for (size_t k = 0; k < DH_COUNTOF(kernels); k++)
        for (size_t d = 0; d < DH_COUNTOF(dims); d++)
            for (int rows = 1; rows <= DH_ATTEND_ROWS; rows += 7 + (int)d)
                hold(kernels[k], dims[d], rows, NULL, (TOKENS + 31) / 32);
}

/* Parts of panels, neighbours and gaps, more than are softened at once. */
static void test_rows_over_chosen_keys(void)
{
    static const struct dh_attend_panel few[] = { { 0, 0xf0 },
                                                  { 1, UINT32_MAX },
                                                  { 5, 0x80000001 } };
    static const struct dh_attend_panel many[] = {
        { 0, 1 },  { 1, 0 },          { 2, UINT32_MAX }, { 3, 0xffff },
        { 4, 2 },  { 6, UINT32_MAX }, { 7, 3 },          { 9, 0xff00ff },
        { 12, 7 }, { 13, 9 },         { 20, UINT32_MAX }
    };
    static const char *const kernels[] = { "ref",        "avx2", "avx512",
                                           "avx512bf16", "amx",  "neon" };
    for (size_t k = 0; k < DH_COUNTOF(kernels); k++) {
        hold(kernels[k], 16, 3, few, DH_COUNTOF(few));
        hold(kernels[k], 64, 16, many, DH_COUNTOF(many));
    }
}

/* Zero, numbers without an inverse, and what is no number. */
static void test_codes_of_what_is_odd(void)
{
    static const struct {
        float x[4], scale;
        int8_t codes[4];
    } cases[] = {
        { { 0, 0, 0, 0 }, 0, { 0, 0, 0, 0 } },
        { { 127, -63.5f, 1.5f, 2.5f }, 1, { 127, -64, 2, 2 } },
        { { -3, 3, 1.5f, 0 }, 3.0f / 127, { -127, 127, 64, 0 } },
        { { 1e-40f, -1e-35f, 0, 0 }, 0, { 0, 0, 0, 0 } },
        { { 3e38f, -3e38f, 0, 1 }, 3e38f / 127, { 127, -127, 0, 0 } },
        { { 1, INFINITY, 2, 3 }, NAN, { 0, 0, 0, 0 } },
        { { NAN, 1, 2, 3 }, NAN, { 0, 0, 0, 0 } },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        int8_t got[4] = { 9, 9, 9, 9 };
        float scale = dh_attend_put_value_codes(NULL, got, 4, 4, 0, cases[i].x);
        CHECK(scale == cases[i].scale || isnan(cases[i].scale));
        CHECK_INT(isnan(scale), isnan(cases[i].scale));
        CHECK_MEM(got, cases[i].codes, 4);
    }
}

/* m3.md 9.2: what the float steps give, near and far. */
static void test_angles_in_float_steps(void)
{
    struct dh_text_config t = { .rotary_dim = 64, .rope_theta = 5e6f };
    static const size_t at[] = { 0, 1, 2047, 131071, 1048575 };
    for (size_t i = 0; i < DH_COUNTOF(at); i++) {
        float c[32], s[32];
        dh_attn_angles(&t, at[i], 1, c, s);
        for (int j = 0; j < 32; j++) {
            float inv = 1.0f / powf(5e6f, (float)(2 * j) / 64.0f);
            double angle = (double)((float)at[i] * inv);
            CHECK_NEAR((double)c[j], cos(angle), 1e-6);
            CHECK_NEAR((double)s[j], sin(angle), 1e-6);
        }
        CHECK_NEAR((double)(1.0f / powf(5e6f, 2.0f / 64.0f)), 0.61752876, 1e-7);
    }
}

DH_TESTS(DH_TEST(rows_over_all_keys), DH_TEST(rows_over_chosen_keys),
         DH_TEST(codes_of_what_is_odd), DH_TEST(angles_in_float_steps));
