#include "model/quant_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "model/backend_priv.h"
#include "model/gguf.h"
#include "model/tensor_priv.h"
#include "tests/dh_test.h"
#include "tests/model/diff.h"

static struct dh_rng rng = { { 5, 6, 7, 8 } };

static const enum dh_dtype types[] = {
    DH_F8_E4M3, DH_NVFP4, DH_Q8_0,   DH_Q4_0,   DH_Q4_1,
    DH_Q5_0,    DH_Q5_1,  DH_Q2_K,   DH_Q3_K,   DH_Q4_K,
    DH_Q5_K,    DH_Q6_K,  DH_IQ4_NL, DH_IQ4_XS, DH_MXFP4,
};

// Where a block's scale is and what makes numbers of about one of it; where the
// factor of its minima is, if it has any.
static const struct {
    int scale, by, min;
} parts[DH_DTYPE_COUNT] = {
    [DH_Q8_0] = { 0, 127, 0 },   [DH_Q4_0] = { 0, 8, 0 },
    [DH_Q4_1] = { 0, 8, 2 },     [DH_Q5_0] = { 0, 16, 0 },
    [DH_Q5_1] = { 0, 16, 2 },    [DH_Q2_K] = { 80, 30, 82 },
    [DH_Q3_K] = { 108, 100, 0 }, [DH_Q4_K] = { 0, 1000, 2 },
    [DH_Q5_K] = { 0, 1000, 2 },  [DH_Q6_K] = { 208, 4000, 0 },
    [DH_IQ4_NL] = { 0, 127, 0 }, [DH_IQ4_XS] = { 0, 4000, 0 },
};

static uint8_t byte(void)
{
    return (uint8_t)(dh_rng_unit(&rng) * 256);
}

static void put_half(uint8_t *to, float f)
{
    uint16_t h = dh_f32_to_f16(f);
    memcpy(to, &h, sizeof(h));
}

// Any codes, with scales that make numbers of about one.
static struct dh_mat matrix(enum dh_dtype type, int rows, int cols)
{
    struct dh_mat m = { .dtype = type, .rows = rows, .cols = cols };
    size_t n = (size_t)rows * (size_t)cols;
    size_t bytes = dh_dtype_size(type, n);
    // To the byte, so that the sanitizer sees a read beyond the end.
    uint8_t *data = dh_big_alloc(bytes), *scales = NULL;
    CHECK(data);
    for (size_t i = 0; i < bytes; i++)
        data[i] = byte();
    if (type == DH_F8_E4M3 || type == DH_NVFP4) {
        size_t blocks = n / (size_t)dh_quant_block(type);
        scales = dh_big_alloc(blocks);
        CHECK(scales);
        for (size_t i = 0; i < blocks; i++)
            scales[i] = (uint8_t)(type == DH_F8_E4M3 ? 118 + byte() % 4
                                                     : 40 + byte() % 16);
        m.scale = 0.1f;
    }
    for (size_t i = 0; i < n && type == DH_F8_E4M3; i++)
        if ((data[i] & 0x7f) == 0x7f)
            data[i] = 0;
    size_t step = dh_dtype_bytes(type);
    for (size_t at = 0; at < bytes && dh_dtype_block(type) > 16; at += step) {
        float some = (float)(0.5 + dh_rng_unit(&rng));
        uint8_t *b = data + at;
        if (type == DH_MXFP4)
            b[0] = (uint8_t)(124 + byte() % 3);
        else
            put_half(b + parts[type].scale, some / (float)parts[type].by);
        if (parts[type].min)
            put_half(b + parts[type].min, some / 100);
    }
    m.data = data;
    m.scales = scales;
    return m;
}

static void free_matrix(struct dh_mat *m)
{
    dh_big_free((void *)(uintptr_t)m->data);
    dh_big_free((void *)(uintptr_t)m->scales);
}

static float *noises(size_t n)
{
    float *p = dh_big_alloc(n * sizeof(*p));
    CHECK(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(dh_rng_unit(&rng) * 2 - 1);
    return p;
}

// Every set of this machine; the reference with whole numbers is one of them.
static void each_set(void (*fn)(const struct dh_kernels *k))
{
    static const char *const names[] = {
        "ref",    "avx2",       "avx2int8",   "avxvnni",
        "avx512", "avx512vnni", "avx512bf16", "amx",
        "neon",   "neonint8",   "neondotprod"
    };
    struct dh_kernels whole = dh_kernels_ref;
    whole.ints = &dh_ints_ref;
    whole.ints_k = &dh_ints_k_ref;
    fn(&whole);
    for (size_t i = 0; i < DH_COUNTOF(names); i++)
        if (dh_kernels_find(names[i]))
            fn(dh_kernels_find(names[i]));
}

static void expands_alike(const struct dh_kernels *k)
{
    for (size_t t = 0; t < DH_COUNTOF(types); t++) {
        struct dh_mat w = matrix(types[t], 3, 512);
        float want[512], got[512];
        uint16_t words[512];
        for (int r = 0; r < 3; r++) {
            dh_quant_expand(want, &w, r, 0, 512);
            k->expand(got, &w, r, 0, 256);
            k->expand(got + 256, &w, r, 256, 256);
            CHECK_MEM(got, want, sizeof(want));
            if (!k->pairs)
                continue;
            k->pairs->expand(words, &w, r, 0, 512);
            for (int i = 0; i < 512; i++)
                CHECK_INT(words[i], dh_f32_to_bf16(want[i]));
        }
        free_matrix(&w);
    }
}

static void test_every_set_reads_the_same(void)
{
    each_set(expands_alike);
}

/* All 256 codes under all 256 scales, as the formats' tables say. */
static void all_codes(const struct dh_kernels *k)
{
    uint8_t codes[256], scales[8];
    for (int i = 0; i < 256; i++)
        codes[i] = (uint8_t)i;
    struct dh_mat w = { .data = codes,
                        .dtype = DH_F8_E4M3,
                        .rows = 1,
                        .cols = 256,
                        .scales = scales };
    for (int s = 0; s < 256; s++) {
        float got[256];
        uint16_t words[256];
        memset(scales, s, sizeof(scales));
        k->expand(got, &w, 0, 0, 256);
        if (k->pairs)
            k->pairs->expand(words, &w, 0, 0, 256);
        for (int i = 0; i < 256; i++) {
            float want = dh_quant_e4m3((uint8_t)i) * dh_quant_e8m0((uint8_t)s);
            CHECK(isnan(want) ? isnan(got[i]) : got[i] == want);
            float back = k->pairs ? dh_bf16_to_f32(words[i]) : want;
            float near = dh_bf16_to_f32(dh_f32_to_bf16(want));
            CHECK(isnan(want) ? isnan(back)
                  : k->pairs  ? back == near
                              : back == want);
        }
    }
}

static void test_every_code_and_scale(void)
{
    each_set(all_codes);
}

/* Blocks that were written down by hand, of each type. */
static void test_blocks_are_as_the_formats_say(void)
{
    uint8_t b[210] = { 0 };
    float out[256];
    struct dh_mat w = { .data = b, .dtype = DH_Q8_0, .rows = 1, .cols = 32 };
    put_half(b, 0.5f);
    b[2] = 100;
    b[33] = (uint8_t)-128;
    dh_quant_expand(out, &w, 0, 0, 32);
    CHECK(out[0] == 50 && out[1] == 0 && out[31] == -64);

    memset(b, 0, sizeof(b));
    w.dtype = DH_Q4_0;
    put_half(b, 2);
    b[2] = 0x9f; // element 0: 15, element 16: 9
    dh_quant_expand(out, &w, 0, 0, 32);
    CHECK(out[0] == 14 && out[16] == 2 && out[1] == -16);

    memset(b, 0, sizeof(b));
    w.dtype = DH_MXFP4;
    b[0] = 128;
    b[1] = 0xf1; // 0.5 and -6
    dh_quant_expand(out, &w, 0, 0, 32);
    CHECK(out[0] == 1 && out[16] == -12 && out[1] == 0);

    memset(b, 0, sizeof(b));
    w.dtype = DH_Q4_K;
    w.cols = 256;
    put_half(b, 1);
    put_half(b + 2, 0.5f);
    b[4] = 3;                   // scale of group 0
    b[4 + 4] = 2;               // its minimum
    b[4 + 3] = 0xc0;            // the high bits of group 7's scale
    b[4 + 11] = 0x25;           // the low bits of its scale 5 and minimum 2
    b[16] = 0x07;               // element 0
    b[16 + 3 * 32 + 31] = 0x40; // element 255
    dh_quant_expand(out, &w, 0, 0, 256);
    CHECK(out[0] == 3 * 7 - 1 && out[1] == -1);
    CHECK(out[255] == (48 + 5) * 4 - 1 && out[254] == -1);

    memset(b, 0, sizeof(b));
    w.dtype = DH_Q5_K;
    put_half(b, 1);
    b[4] = 1;
    b[4 + 1] = 1;
    b[16] = 0x03; // bit 5 of elements 0 and 32
    b[48] = 0x21; // element 0: 1, element 32: 2
    dh_quant_expand(out, &w, 0, 0, 256);
    CHECK(out[0] == 17 && out[32] == 18 && out[1] == 0);

    memset(b, 0, sizeof(b));
    w.dtype = DH_Q6_K;
    put_half(b + 208, 1);
    memset(b + 192, 1, 16);
    b[192 + 15] = (uint8_t)-2;
    b[128] = 0x03;          // element 0, high bits
    b[0] = 0x0f;            // element 0: 63 - 32
    b[64 + 32 + 31] = 0x10; // element 255, low bits: 1 - 32
    dh_quant_expand(out, &w, 0, 0, 256);
    CHECK(out[0] == 31 && out[1] == -32 && out[255] == 62);

    uint8_t codes[8] = { 0x21, 0, 0, 0, 0, 0, 0, 0xf0 }, scale = 0x40; // 2
    w = (struct dh_mat){ codes, DH_NVFP4, 1, 16, &scale, 0.25f };
    dh_quant_expand(out, &w, 0, 0, 16);
    CHECK(out[0] == 0.25f && out[1] == 0.5f && out[14] == 0 && out[15] == -3);
}

/* Blocks of ggml's, and the floats that it makes of them (tests/vectors/gguf):
 * to the last bit, on every set. */
static void reads_ggml(const struct dh_kernels *k)
{
    struct dh_gguf *g;
    int n = 0;
    CHECK_INT(dh_gguf_open(&g, "tests/vectors/gguf/types.gguf"), DH_OK);
    for (size_t i = 0; i < dh_gguf_list(g)->n; i++) {
        const struct dh_tensor *t = &dh_gguf_list(g)->at[i];
        char name[64];
        snprintf(name, sizeof(name), "%s.floats", t->name);
        const struct dh_tensor *want = dh_tensors_find(dh_gguf_list(g), name);
        if (!want)
            continue;
        int rows = (int)t->shape[0], cols = (int)t->shape[1];
        struct dh_mat w = { t->data, t->dtype, rows, cols, NULL, 0 };
        float got[512];
        for (int r = 0; r < rows; r++) {
            k->expand(got, &w, r, 0, cols);
            CHECK_MEM(got, want->data + (size_t)r * sizeof(got), sizeof(got));
        }
        n++;
    }
    CHECK_INT(n, 15);
    dh_gguf_close(g);
}

static void test_blocks_are_as_ggml_reads_them(void)
{
    each_set(reads_ggml);
}

static bool is_whole(const struct dh_kernels *k, enum dh_dtype t)
{
    return dh_ints_is_k(t) ? k->ints_k != NULL : k->ints && dh_ints_zero(t);
}

/* What the kernels make of x, as the contract of each way says. */
static void round_x(const struct dh_kernels *k, const struct dh_mat *w,
                    float *x, int n)
{
    if (is_whole(k, w->dtype)) {
        for (int b = 0; b < n; b += 32) {
            int8_t codes[32];
            float scale;
            int32_t sum;
            dh_ints_ref.narrow(codes, &scale, &sum, x + b, 32);
            for (int i = 0; i < 32; i++)
                x[b + i] = (float)codes[i] * scale;
        }
    } else if (k->pairs) {
        for (int i = 0; i < n; i++)
            x[i] = dh_bf16_to_f32(dh_f32_to_bf16(x[i]));
    }
}

static void check_product(const struct dh_kernels *k, struct dh_pool *pool,
                          enum dh_dtype type, int m, int n, int depth)
{
    struct dh_backend b;
    CHECK_INT(dh_backend_init(&b, k, pool, depth, 16), DH_OK);
    struct dh_mat w = matrix(type, n, depth);
    size_t ldx = (size_t)depth + 3, ldy = (size_t)n + 5;
    float *x = noises((size_t)m * ldx), *bias = noises((size_t)n);
    float *y = noises((size_t)m * ldy), *row = noises((size_t)depth);
    float edge = y[n];
    bool ints = is_whole(k, type);
    dh_backend_matmul(&b, y, ldy, x, ldx, m, &w, bias);
    for (int i = 0; i < m; i++)
        round_x(k, &w, x + (size_t)i * ldx, depth);
    for (int j = 0; j < n; j++) {
        dh_quant_expand(row, &w, j, 0, depth);
        for (int i = 0; i < m; i++) {
            double want = (double)bias[j];
            for (int d = 0; d < depth; d++) {
                float v = k->pairs && !ints
                              ? dh_bf16_to_f32(dh_f32_to_bf16(row[d]))
                              : row[d];
                want += (double)x[(size_t)i * ldx + d] * (double)v;
            }
            CHECK_NEAR((double)y[(size_t)i * ldy + j], want,
                       2e-6 * depth + 1e-6);
        }
    }
    CHECK_MEM(&y[n], &edge, sizeof(edge));
    free_matrix(&w);
    dh_big_free(x);
    dh_big_free(bias);
    dh_big_free(y);
    dh_big_free(row);
    dh_backend_finish(&b);
}

static void products(const struct dh_kernels *k)
{
    static const int shapes[][3] = { { 1, 7, 256 },   { 2, 130, 512 },
                                     { 4, 33, 768 },  { 5, 1, 256 },
                                     { 13, 40, 512 }, { 97, 65, 1024 } };
    static const int small[][3] = { { 1, 17, 32 },
                                    { 3, 16, 96 },
                                    { 1, 64, 352 },
                                    { 7, 50, 160 },
                                    { 30, 32, 800 } };
    for (size_t t = 0; t < DH_COUNTOF(types); t++) {
        for (size_t i = 0; i < DH_COUNTOF(shapes); i++)
            check_product(k, NULL, types[t], shapes[i][0], shapes[i][1],
                          shapes[i][2]);
        for (size_t i = 0;
             i < DH_COUNTOF(small) && dh_quant_block(types[t]) <= 32; i++)
            check_product(k, NULL, types[t], small[i][0], small[i][1],
                          small[i][2]);
    }
}

static void test_products(void)
{
    each_set(products);
}

/* A row comes out the same whether it is alone, with others, or with many;
 * with any number of threads. */
static void rows_alone(const struct dh_kernels *k)
{
    enum { M = 60, N = 150, K = 1024 };
    static const int some[] = { 1, 2, 3, 4, 16, 34 };
    for (size_t t = 0; t < DH_COUNTOF(types); t++) {
        struct dh_mat w = matrix(types[t], N, K);
        float *x = noises(M * K), *all = noises(M * N), *one = noises(M * N);
        for (int threads = 1; threads <= 3; threads += 2) {
            struct dh_pool *pool;
            struct dh_backend b;
            CHECK_INT(dh_pool_create(&pool, threads), DH_OK);
            CHECK_INT(dh_backend_init(&b, k, pool, K, 16), DH_OK);
            if (threads == 1)
                dh_backend_matmul(&b, all, N, x, K, M, &w, NULL);
            for (size_t i = 0, row = 0; i < DH_COUNTOF(some);
                 row += (size_t)some[i++])
                dh_backend_matmul(&b, one + row * N, N, x + row * K, K, some[i],
                                  &w, NULL);
            CHECK_MEM(one, all, M * N * sizeof(*all));
            dh_backend_matmul(&b, one, N, x, K, M, &w, NULL);
            CHECK_MEM(one, all, M * N * sizeof(*all));
            dh_backend_finish(&b);
            dh_pool_destroy(pool);
        }
        free_matrix(&w);
        dh_big_free(x);
        dh_big_free(all);
        dh_big_free(one);
    }
}

static void test_a_row_is_the_same_in_any_company(void)
{
    for (int i = 0; i < 2; i++) {
        const struct dh_kernels *k =
            dh_kernels_find(i == 0 ? "auto" : "float32");
        rows_alone(k);
    }
}

/* Powers of two that leave the normal numbers, and codes that are none: alone
 * and in company a row is the same, NaN and all. */
static void test_extreme_scales(void)
{
    enum { M = 9, N = 40, K = 352 };
    struct dh_backend b;
    struct dh_mat w = matrix(DH_F8_E4M3, N, K);
    float *x = noises(M * K), all[M * N], one[N];
    uint8_t *scales = (uint8_t *)(uintptr_t)w.scales;
    uint8_t *codes = (uint8_t *)(uintptr_t)w.data;
    static const uint8_t far[] = { 0, 1, 16, 17, 237, 238, 254, 255 };
    for (int i = 0; i < N * K / 32; i += 7)
        scales[i] = far[i / 7 % 8];
    codes[20 * K + 3] = 0xff;
    CHECK_INT(dh_backend_init(&b, dh_kernels_find("auto"), NULL, K, 16), DH_OK);
    dh_backend_matmul(&b, all, N, x, K, M, &w, NULL);
    int nans = 0, numbers = 0;
    for (int i = 0; i < M; i++) {
        dh_backend_matmul(&b, one, N, x + (size_t)i * K, K, 1, &w, NULL);
        for (int j = 0; j < N; j++) {
            float want = all[i * N + j];
            CHECK(isnan(want) ? isnan(one[j]) : one[j] == want);
            nans += isnan(want);
            numbers += isfinite(want);
        }
    }
    CHECK(nans > 0 && numbers > 0);
    CHECK(isnan(all[20]));
    dh_backend_finish(&b);
    free_matrix(&w);
    dh_big_free(x);
}

/* Whole numbers are the same as those of plain C, to the last bit. */
static void ints_like_the_plain_ones(const struct dh_kernels *k)
{
    if (!k->ints)
        return;
    enum { M = 41, N = 37 };
    static const int some[] = { 1, 2, 3, 4, 5, 8, 9, 17, 33, M };
    struct dh_kernels whole = dh_kernels_ref;
    whole.ints = &dh_ints_ref;
    whole.ints_k = &dh_ints_k_ref;
    for (size_t t = 0; t < DH_COUNTOF(types); t++) {
        if (!is_whole(k, types[t]))
            continue;
        const int K = dh_ints_is_k(types[t]) ? 1024 : 736;
        struct dh_mat w = matrix(types[t], N, K);
        float *x = noises(M * K), *bias = noises(N);
        float got[M * N], want[M * N];
        memset(x, 0, 32 * sizeof(*x)); // a block of nothing
        x[40] = 1e-44f;
        for (size_t i = 0; i < DH_COUNTOF(some); i++) {
            struct dh_backend a, b;
            int m = some[i];
            CHECK_INT(dh_backend_init(&a, k, NULL, K, 16), DH_OK);
            CHECK_INT(dh_backend_init(&b, &whole, NULL, K, 16), DH_OK);
            const float *from = i % 2 ? bias : NULL;
            dh_backend_matmul(&a, got, N, x, K, m, &w, from);
            dh_backend_matmul(&b, want, N, x, K, m, &w, from);
            CHECK_MEM(got, want, (size_t)m * N * sizeof(*got));
            dh_backend_finish(&a);
            dh_backend_finish(&b);
        }
        x[3] = NAN; // is not lost
        x[K + 3] = INFINITY;
        struct dh_backend a;
        CHECK_INT(dh_backend_init(&a, k, NULL, K, 16), DH_OK);
        for (int m = 3; m < 8; m += 4) {
            dh_backend_matmul(&a, got, N, x, K, m, &w, NULL);
            CHECK(isnan(got[0]) && isnan(got[N]) && !isnan(got[2 * N]));
        }
        dh_backend_finish(&a);
        free_matrix(&w);
        dh_big_free(x);
        dh_big_free(bias);
    }
}

static void test_ints_like_the_plain_ones(void)
{
    each_set(ints_like_the_plain_ones);
}

DH_TESTS(DH_TEST(every_set_reads_the_same), DH_TEST(every_code_and_scale),
         DH_TEST(blocks_are_as_the_formats_say),
         DH_TEST(blocks_are_as_ggml_reads_them), DH_TEST(products),
         DH_TEST(a_row_is_the_same_in_any_company), DH_TEST(extreme_scales),
         DH_TEST(ints_like_the_plain_ones));
