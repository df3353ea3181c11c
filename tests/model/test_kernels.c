#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "model/backend_priv.h"
#include "model/tensor_priv.h"
#include "tests/dh_test.h"
#include "tests/model/diff.h"

static struct dh_rng rng = { { 1, 2, 3, 4 } };

static float noise(float by)
{
    return (float)(dh_rng_unit(&rng) * 2 - 1) * by;
}

static float *noises(size_t n, float by)
{
    float *p = dh_big_alloc(n * sizeof(*p));
    CHECK(p);
    for (size_t i = 0; i < n; i++)
        p[i] = noise(by);
    return p;
}

// Calls fn for each set of kernels that this machine has, save the reference.
static void each_fast(void (*fn)(const struct dh_kernels *k))
{
    static const char *const names[] = {
        "avx2",       "avx2int8", "avxvnni", "avx512",   "avx512vnni",
        "avx512bf16", "amx",      "neon",    "neonint8", "neondotprod"
    };
    int n = 0;
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        const struct dh_kernels *k = dh_kernels_find(names[i]);
        if (k) {
            fn(k);
            n++;
        }
    }
    if (n == 0)
        dh_test_skip("this machine has only the plain kernels");
}

static struct dh_mat matrix(enum dh_dtype type, int rows, int cols)
{
    size_t n = (size_t)rows * (size_t)cols;
    uint8_t *data = dh_big_alloc(n * 4);
    CHECK(data);
    for (size_t i = 0; i < n; i++) {
        float f = noise(1);
        uint16_t h = type == DH_BF16 ? dh_f32_to_bf16(f) : dh_f32_to_f16(f);
        if (type == DH_F32)
            memcpy(data + i * 4, &f, 4);
        else
            memcpy(data + i * 2, &h, 2);
    }
    return (struct dh_mat){
        .data = data, .dtype = type, .rows = rows, .cols = cols
    };
}

static void free_matrix(struct dh_mat *m)
{
    union {
        const void *c;
        void *v;
    } u = { m->data };
    dh_big_free(u.v);
}

/* Products in double, for all shapes of edges and both ways through. */
static void check_matmul(const struct dh_kernels *k, struct dh_pool *pool,
                         enum dh_dtype type, int m, int n, int depth)
{
    struct dh_backend b;
    CHECK_INT(dh_backend_init(&b, k, pool, depth, 16), DH_OK);
    struct dh_mat w = matrix(type, n, depth);
    size_t ldx = (size_t)depth + 3, ldy = (size_t)n + 5;
    float *x = noises((size_t)m * ldx, 1), *bias = noises((size_t)n, 1);
    float *y = noises((size_t)m * ldy, 1);
    float edge = y[n];
    // Products of pairs round what they are given, and only that.
    bool pairs =
        k->pairs && depth % 2 == 0 &&
        (type == DH_BF16 || (type == DH_F16 && dh_pairs_take_halves(k)));
    dh_backend_matmul(&b, y, ldy, x, ldx, m, &w, bias);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            double want = (double)bias[j];
            for (int d = 0; d < depth; d++) {
                float v;
                dh_tensor_to_f32(type,
                                 (const uint8_t *)w.data +
                                     ((size_t)j * depth + d) *
                                         dh_dtype_bytes(type),
                                 1, &v);
                float at = x[(size_t)i * ldx + d];
                if (pairs) {
                    at = dh_bf16_to_f32(dh_f32_to_bf16(at));
                    v = dh_bf16_to_f32(dh_f32_to_bf16(v));
                }
                want += (double)at * (double)v;
            }
            CHECK_NEAR((double)y[(size_t)i * ldy + j], want,
                       2e-6 * depth + 1e-6);
        }
    }
    CHECK_MEM(&y[n], &edge, sizeof(edge)); // nothing past the last column
    free_matrix(&w);
    dh_big_free(x);
    dh_big_free(bias);
    dh_big_free(y);
    dh_backend_finish(&b);
}

static void matmuls(const struct dh_kernels *k)
{
    static const int shapes[][3] = { { 1, 7, 33 },    { 2, 64, 16 },
                                     { 3, 5, 1 },     { 4, 33, 70 },
                                     { 5, 1, 9 },     { 13, 40, 20 },
                                     { 12, 32, 256 }, { 25, 80, 300 },
                                     { 97, 16, 513 }, { 110, 300, 31 } };
    static const enum dh_dtype types[] = { DH_F32, DH_BF16, DH_F16 };
    for (size_t t = 0; t < DH_COUNTOF(types); t++)
        for (size_t i = 0; i < DH_COUNTOF(shapes); i++)
            check_matmul(k, NULL, types[t], shapes[i][0], shapes[i][1],
                         shapes[i][2]);
}

static void test_products(void)
{
    matmuls(&dh_kernels_ref);
    each_fast(matmuls);
}

/* A row is the same among any number, to the last bit: however the words of
 * its sum are cut, and whether weights are read in place. */
static void rows_in_company(const struct dh_kernels *k)
{
    enum { M = 70, N = 75 };
    static const enum dh_dtype types[] = { DH_F32, DH_BF16, DH_F16 };
    static const int depths[] = { 6, 64, 588, 1100 };
    for (size_t t = 0; t < DH_COUNTOF(types) * DH_COUNTOF(depths); t++) {
        int depth = depths[t / DH_COUNTOF(types)];
        struct dh_mat w = matrix(types[t % DH_COUNTOF(types)], N, depth);
        float *x = noises((size_t)M * depth, 1), *bias = noises(N, 1);
        float *all = noises(M * N, 1), *some = noises(M * N, 1);
        struct dh_backend b;
        CHECK_INT(dh_backend_init(&b, k, NULL, depth, 16), DH_OK);
        dh_backend_matmul(&b, all, N, x, depth, M, &w, bias);
        for (int m = 1; m < M; m += m < 35 ? 1 : 6) {
            dh_backend_matmul(&b, some, N, x, depth, m, &w, bias);
            CHECK_MEM(some, all, (size_t)m * N * sizeof(*all));
        }
        dh_backend_finish(&b);
        free_matrix(&w);
        dh_big_free(x);
        dh_big_free(bias);
        dh_big_free(all);
        dh_big_free(some);
    }
}

static void test_rows_in_company(void)
{
    each_fast(rows_in_company);
}

/* Matrices that do not fit the packing buffer are taken in parts. */
static void test_products_in_parts(void)
{
    struct dh_pool *pool;
    CHECK_INT(dh_pool_create(&pool, 3), DH_OK);
    check_matmul(dh_kernels_find(NULL), pool, DH_BF16, 5, 70, 32768);
    dh_pool_destroy(pool);
}

/* Many at once, of few rows and many, small and too large for one turn: as one
 * by one, to the last bit. */
static void products_together(const struct dh_kernels *k)
{
    enum { COUNT = 60, DEPTH = 2048 };
    static const enum dh_dtype types[] = { DH_F32, DH_BF16, DH_F16 };
    static const int rows[] = { 1, 4, 5, 0, 100 };
    struct dh_pool *pool;
    struct dh_backend b;
    struct dh_mat w[COUNT];
    struct dh_product p[COUNT];
    float *x = noises((size_t)100 * DEPTH, 1), *alone[COUNT];
    CHECK_INT(dh_pool_create(&pool, 3), DH_OK);
    CHECK_INT(dh_backend_init(&b, k, pool, DEPTH, 16), DH_OK);
    for (int i = 0; i < COUNT; i++) {
        int m = rows[i % 5], n = i % 7 == 0 ? 600 : 10 + i;
        int depth = i % 4 == 0 ? DEPTH : 64 + 32 * (i % 3);
        w[i] = matrix(types[i % 3], n, depth);
        p[i] = (struct dh_product){
            noises((size_t)(m + 1) * n, 1), x, i % 2 ? x + 7 : NULL, &w[i], n,
            i % 5 == 2 ? depth : DEPTH,     m
        };
        alone[i] = noises((size_t)(m + 1) * n, 1);
        memcpy(alone[i], p[i].y, (size_t)(m + 1) * n * sizeof(float));
        dh_backend_matmul(&b, alone[i], n, x, p[i].ldx, m, &w[i], p[i].bias);
    }
    dh_backend_products(&b, p, COUNT);
    for (int i = 0; i < COUNT; i++) {
        size_t n = (size_t)(p[i].m + 1) * p[i].ldy; // and a row that stays
        CHECK_MEM(p[i].y, alone[i], n * sizeof(float));
        free_matrix(&w[i]);
        dh_big_free(p[i].y);
        dh_big_free(alone[i]);
    }
    dh_big_free(x);
    dh_backend_finish(&b);
    dh_pool_destroy(pool);
}

static void test_products_together(void)
{
    products_together(&dh_kernels_ref);
    each_fast(products_together);
}

static void rows_like_ref(const struct dh_kernels *k)
{
    const struct dh_kernels *ref = &dh_kernels_ref;
    for (int n = 1; n < 70; n++) {
        float *x = noises((size_t)n, 3), *w = noises((size_t)n, 1);
        float *b = noises((size_t)n, 1), a[70], c[70];
        k->rmsnorm(a, x, w, n, 1e-6f);
        ref->rmsnorm(c, x, w, n, 1e-6f);
        CHECK_NEAR(dh_max_diff(a, c, (size_t)n), 0, 4e-6);
        k->layernorm(a, x, w, b, n, 1e-5f);
        ref->layernorm(c, x, w, b, n, 1e-5f);
        CHECK_NEAR(dh_max_diff(a, c, (size_t)n), 0, 4e-6);
        memcpy(a, x, (size_t)n * sizeof(*a));
        memcpy(c, x, (size_t)n * sizeof(*a));
        k->add_scaled(a, w, 0.7f, (size_t)n);
        ref->add_scaled(c, w, 0.7f, (size_t)n);
        CHECK_NEAR(dh_max_diff(a, c, (size_t)n), 0, 1e-6);
        k->scale(a, 0.3f, (size_t)n);
        ref->scale(c, 0.3f, (size_t)n);
        CHECK_NEAR(dh_max_diff(a, c, (size_t)n), 0, 1e-6);
        k->rope(a, w, b, n / 2);
        ref->rope(c, w, b, n / 2);
        CHECK_NEAR(dh_max_diff(a, c, (size_t)n), 0, 2e-6);
        dh_big_free(x);
        dh_big_free(w);
        dh_big_free(b);
    }
}

static void test_rows_like_the_plain_ones(void)
{
    each_fast(rows_like_ref);
}

// Against double over the whole range, with a length that has a rest.
static void curves(const struct dh_kernels *k)
{
    enum { COUNT = 20003 };
    static float x[COUNT], g[COUNT], u[COUNT];
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i - COUNT / 2) * 2e-3f;
    memcpy(g, x, sizeof(x));
    k->gelu(g, COUNT);
    for (int i = 0; i < COUNT; i++) {
        double v = (double)x[i], want = v / 2 * (1 + erf(v / sqrt(2)));
        CHECK_NEAR((double)g[i], want, 5e-7 * fmax(1, fabs(want)));
    }
    for (int i = 0; i < COUNT; i++)
        u[i] = x[(i * 7919) % COUNT];
    k->swiglu(g, x, u, COUNT, 1.702f, 7);
    for (int i = 0; i < COUNT; i++) {
        double a = fmin((double)x[i], 7);
        double b = fmax(fmin((double)u[i], 7), -7);
        double want = (b + 1) * a / (1 + exp(-1.702 * a));
        CHECK_NEAR((double)g[i], want, 1e-6 * fmax(1, fabs(want)));
    }
    float far[4] = { -1e30f, 1e30f, -INFINITY, 200 }, one[4] = { 1, 1, 1, 1 };
    k->swiglu(far, far, one, 4, 1.702f, 7);
    CHECK_NEAR((double)far[0], 0, 1e-6);
    CHECK_NEAR((double)far[1], 14, 1e-4);
    CHECK_NEAR((double)far[3], 14, 1e-4);
}

static void test_curves(void)
{
    curves(&dh_kernels_ref);
    each_fast(curves);
}

/* exp(s - max) to 1e-6 of itself, what is far below is nothing. */
static void softens(const struct dh_kernels *k)
{
    enum { COUNT = 256 };
    float s[COUNT], was[COUNT];
    struct dh_soft state = { -INFINITY, 0 };
    for (int i = 0; i < COUNT; i++)
        was[i] = s[i] = i % 5 == 0 ? -INFINITY : 10 - (float)i * 0.37f;
    float keep = k->soften(s, COUNT, &state);
    CHECK(keep == 0 || keep == 1);
    CHECK_NEAR((double)state.max, (double)was[1], 0);
    double sum = 0;
    for (int i = 0; i < COUNT; i++) {
        double want = exp((double)(was[i] - was[1]));
        if (want > 1e-37)
            CHECK_NEAR((double)s[i] / want, 1, 1e-6);
        else
            CHECK_NEAR((double)s[i], 0, 1e-37);
        sum += want;
    }
    CHECK_NEAR((double)state.sum / sum, 1, 1e-6);
    for (int i = 0; i < 32; i++)
        s[i] = -INFINITY;
    struct dh_soft before = state;
    CHECK_NEAR((double)k->soften(s, 32, &state), 1, 0);
    CHECK_NEAR((double)state.sum, (double)before.sum, 0);
    CHECK_NEAR((double)s[31], 0, 0);
    s[3] = was[1] + 2;
    CHECK_NEAR((double)k->soften(s, 32, &state), exp(-2), 1e-7);
    for (int i = 0; i < 32; i++)
        s[i] = -INFINITY;
    struct dh_soft fresh = { -INFINITY, 0 };
    CHECK_NEAR((double)k->soften(s, 32, &fresh), 1, 0);
    CHECK_NEAR((double)fresh.sum, 0, 0);
    CHECK_NEAR((double)s[0], 0, 0);
}

static void test_softmax_in_pieces(void)
{
    softens(&dh_kernels_ref);
    each_fast(softens);
}

/* Rows that are rounded: as the plain softmax to half a step of BF16, in two
 * pieces, the second one weighed, with rows that see nothing in the first or in
 * either. */
static void softens_rounded(const struct dh_kernels *k)
{
    enum { ROWS = 5, COUNT = 64, LD = 96 };
    float s[ROWS * LD], keep[ROWS], want[COUNT];
    uint16_t out[ROWS * LD];
    struct dh_soft state[ROWS], plain[ROWS];
    float some[DH_PANEL], others[DH_PANEL];
    const float *const weights[] = { some, others };
    if (!k->pairs)
        return;
    for (int i = 0; i < DH_PANEL; i++) {
        some[i] = 2 + noise(1);
        others[i] = 0.01f * (2 + noise(1));
    }
    for (int r = 0; r < ROWS; r++)
        state[r] = plain[r] = (struct dh_soft){ -INFINITY, 0 };
    for (int piece = 0; piece < 2; piece++) {
        for (int r = 0; r < ROWS; r++)
            for (int i = 0; i < LD; i++)
                s[r * LD + i] = i % 7 == 0 || r == 4 || (r == 3 && piece == 0)
                                    ? -INFINITY
                                    : noise(30) + (float)r * 20;
        memset(out, 0xff, sizeof(out));
        k->pairs->soften(&(struct dh_soften){ .out = out,
                                              .s = s,
                                              .keep = keep,
                                              .state = state,
                                              .by = piece ? weights : NULL,
                                              .lds = LD,
                                              .rows = ROWS,
                                              .n = COUNT });
        for (int r = 0; r < ROWS; r++) {
            memcpy(want, s + r * LD, sizeof(want));
            float by = dh_kernels_ref.soften(want, COUNT, &plain[r]);
            CHECK_NEAR((double)keep[r], (double)by, 1e-6);
            CHECK_NEAR((double)state[r].sum, (double)plain[r].sum,
                       1e-5 * (double)plain[r].sum);
            CHECK(state[r].max == plain[r].max);
            for (int i = 0; i < COUNT; i++) {
                double got = (double)dh_bf16_to_f32(out[r * LD + i]);
                if (piece)
                    want[i] *= weights[i / DH_PANEL][i % DH_PANEL];
                CHECK_NEAR(got, (double)want[i],
                           (double)want[i] / 255 + 1.2e-38);
            }
            CHECK_INT(out[r * LD + COUNT], 0xffff);
        }
    }
}

/* Both halves at once are what they are one by one, and what plain sums are,
 * for every number of rows. */
static void halves_together(const struct dh_kernels *k)
{
    enum { DEPTH = 21, MOST = 30, LD = 2 * DH_PANEL + 3 };
    uint32_t a[MOST * DEPTH], b[DEPTH * DH_PANEL], more[DEPTH * DH_PANEL];
    float c[MOST * LD], want[MOST * LD], bias[2 * DH_PANEL];
    if (!k->pairs)
        return;
    for (size_t i = 0; i < DH_COUNTOF(a); i++)
        a[i] = dh_f32_to_bf16(noise(1)) | (uint32_t)0x3f80 << 16;
    for (size_t i = 0; i < DH_COUNTOF(b); i++) {
        b[i] = dh_f32_to_bf16(noise(1));
        more[i] = dh_f32_to_bf16(noise(1)) | (uint32_t)0x4000 << 16;
    }
    for (size_t i = 0; i < DH_COUNTOF(bias); i++)
        bias[i] = noise(1);
    for (int m = 1; m <= MOST; m++) {
        for (int start = 0; start < 3; start++) {
            struct dh_tile_pairs t = { a,        b,
                                       more,     bias,
                                       c,        DEPTH,
                                       DH_PANEL, LD,
                                       m,        2 * DH_PANEL,
                                       DEPTH,    (enum dh_tile_start)start };
            for (size_t i = 0; i < DH_COUNTOF(c); i++)
                c[i] = want[i] = noise(1);
            k->pairs->tile(&t);
            t.n = DH_PANEL;
            t.c = want;
            k->pairs->tile(&t);
            t.b = more;
            t.c += DH_PANEL;
            t.bias += DH_PANEL;
            k->pairs->tile(&t);
            CHECK_MEM(c, want, sizeof(c));
        }
    }
    double sum = (double)bias[DH_PANEL + 1];
    for (int d = 0; d < DEPTH; d++)
        sum += 2 + (double)dh_bf16_to_f32((uint16_t)a[d]) *
                       (double)dh_bf16_to_f32((uint16_t)more[d * DH_PANEL + 1]);
    struct dh_tile_pairs t = { a,     b,           more, bias, c,
                               DEPTH, DH_PANEL,    LD,   1,    2 * DH_PANEL,
                               DEPTH, DH_TILE_BIAS };
    k->pairs->tile(&t);
    CHECK_NEAR((double)c[DH_PANEL + 1], sum, 1e-4);
}

static void test_halves_together(void)
{
    each_fast(halves_together);
}

static void test_softmax_of_rounded_rows(void)
{
    each_fast(softens_rounded);
}

/* Every code is its number, and columns are multiplied where they stand. */
static void widens(const struct dh_kernels *k)
{
    enum { LD = 3 * DH_PANEL };
    int8_t codes[256];
    uint16_t halves[256];
    float wide[256], s[2 * LD], was[2 * LD], by[DH_PANEL];
    for (int i = 0; i < 256; i++)
        codes[i] = (int8_t)(i - 128);
    k->widen(wide, codes, 256);
    if (k->pairs)
        k->pairs->widen(halves, codes, 256);
    for (int i = 0; i < 256; i++) {
        CHECK(wide[i] == (float)(i - 128));
        CHECK(!k->pairs || dh_bf16_to_f32(halves[i]) == (float)(i - 128));
    }
    for (int i = 0; i < 2 * LD; i++)
        s[i] = was[i] = noise(3);
    for (int i = 0; i < DH_PANEL; i++)
        by[i] = noise(3);
    k->weigh(s + DH_PANEL, LD, 2, by);
    for (int i = 0; i < 2 * LD; i++) {
        bool in = i % LD / DH_PANEL == 1;
        CHECK(s[i] == (in ? was[i] * by[i % DH_PANEL] : was[i]));
    }
}

static void test_codes_are_their_numbers(void)
{
    widens(&dh_kernels_ref);
    each_fast(widens);
}

/* Each row's own, whatever its length; NaN is passed over. */
static void finds_most(const struct dh_kernels *k)
{
    enum { ROWS = 5, LD = 150, STEP = 3 };
    float s[ROWS * LD], best[ROWS * STEP];
    for (int n = 1; n <= 140; n += n < 40 ? 1 : 33) {
        for (int i = 0; i < ROWS * LD; i++)
            s[i] = i % 7 == 3 ? NAN : noise(3);
        for (int i = 0; i < ROWS * STEP; i++)
            best[i] = i == STEP ? 9 : -INFINITY;
        k->most(best, STEP, s, LD, ROWS, n);
        for (int r = 0; r < ROWS; r++) {
            float want = r == 1 ? 9 : -INFINITY;
            for (int i = 0; i < n; i++)
                want = fmaxf(want, s[r * LD + i]);
            CHECK(best[r * STEP] == want);
            CHECK(best[r * STEP + 1] == -INFINITY);
        }
    }
}

static void test_most_of_rows(void)
{
    finds_most(&dh_kernels_ref);
    each_fast(finds_most);
}

static void test_names(void)
{
    CHECK(dh_kernels_find("ref") == &dh_kernels_ref);
    CHECK(dh_kernels_find(NULL) == dh_kernels_find("auto"));
    CHECK(!dh_kernels_find("avx1024"));
}

DH_TESTS(DH_TEST(products), DH_TEST(products_in_parts),
         DH_TEST(rows_in_company), DH_TEST(rows_like_the_plain_ones),
         DH_TEST(curves), DH_TEST(softmax_in_pieces), DH_TEST(halves_together),
         DH_TEST(codes_are_their_numbers), DH_TEST(products_together),
         DH_TEST(softmax_of_rounded_rows), DH_TEST(most_of_rows),
         DH_TEST(names));
