#include "model/quantize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/thread.h"
#include "model/quant_priv.h"
#include "model/tokenizer.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

// ------------------------------------------------------------ rows and blocks

static void test_every_code_is_its_own_nearest(void)
{
    for (int c = 0; c < 256; c++)
        if ((c & 127) != 127)
            CHECK_INT(dh_quant_to_e4m3(dh_quant_e4m3((uint8_t)c)), c);
    for (int c = 0; c < 16; c++)
        CHECK_INT(dh_quant_to_e2m1(dh_quant_e2m1((uint8_t)c)), c == 8 ? 0 : c);
    CHECK_INT(dh_quant_to_e4m3(1e9f), 0x7e);
    CHECK_INT(dh_quant_to_e4m3(-INFINITY), 0xfe);
    CHECK_INT(dh_quant_to_e4m3(NAN), 0x7f);
    CHECK_INT(dh_quant_to_e2m1(100), 7);
    CHECK_INT(dh_quant_to_e2m1(2.5f), 4); // the even one of 2 and 3
    CHECK_INT(dh_quant_to_e2m1(3.5f), 6);
}

static void test_numbers_go_to_the_nearest_code(void)
{
    struct dh_rng rng = { { 9, 8, 7, 6 } };
    for (int i = 0; i < 20000; i++) {
        float f = (float)((dh_rng_unit(&rng) * 2 - 1) *
                          exp2(dh_rng_unit(&rng) * 22 - 13));
        float got = dh_quant_e4m3(dh_quant_to_e4m3(f)), near = INFINITY;
        float got4 = dh_quant_e2m1(dh_quant_to_e2m1(f)), near4 = INFINITY;
        for (int c = 0; c < 256; c++)
            near = fminf(near, fabsf(dh_quant_e4m3((uint8_t)c) - f));
        for (int c = 0; c < 16; c++)
            near4 = fminf(near4, fabsf(dh_quant_e2m1((uint8_t)c) - f));
        CHECK(fabsf(got - f) <= near);
        CHECK(fabsf(got4 - f) <= near4);
    }
}

static const struct {
    enum dh_dtype t;
    double error; // of Gaussian numbers, root of sum (w-q)^2 / sum w^2
} kinds[] = {
    { DH_F8_E4M3, 0.030 }, { DH_NVFP4, 0.095 }, { DH_Q8_0, 0.0065 },
    { DH_Q4_0, 0.090 },    { DH_MXFP4, 0.125 },
};

static double gauss(struct dh_rng *rng)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += dh_rng_unit(rng);
    return sum - 6;
}

static void make_and_read(enum dh_dtype t, const float *x, int n, float *out)
{
    uint8_t codes[4096], scales[512];
    float most = 0;
    for (int i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    struct dh_mat m = { .data = codes,
                        .dtype = t,
                        .rows = 1,
                        .cols = n,
                        .scales = scales,
                        .scale = dh_quant_factor(most) };
    CHECK(dh_quant_can_make(t));
    dh_quant_make(t, x, (size_t)n, m.scale, codes, scales);
    dh_quant_expand(out, &m, 0, 0, n);
}

static void test_errors_are_those_of_the_formats(void)
{
    enum { N = 2048 };
    static float x[N], back[N];
    struct dh_rng rng = { { 1, 1, 2, 3 } };
    for (size_t k = 0; k < DH_COUNTOF(kinds); k++) {
        // Whatever the unit is.
        for (int e = -20; e <= 10; e += 10) {
            double error = 0, power = 0;
            for (int i = 0; i < N; i++)
                x[i] = (float)ldexp(gauss(&rng), e);
            make_and_read(kinds[k].t, x, N, back);
            for (int i = 0; i < N; i++) {
                error += pow((double)x[i] - (double)back[i], 2);
                power += pow((double)x[i], 2);
            }
            double got = sqrt(error / power);
            // Half precision is short of such small scales.
            bool small =
                e == -20 && (kinds[k].t == DH_Q8_0 || kinds[k].t == DH_Q4_0);
            if (!small && !(got < kinds[k].error))
                dh_check_near(__FILE__, __LINE__, dh_dtype_name(kinds[k].t),
                              got, 0, kinds[k].error);
        }
    }
}

static void test_blocks_of_nothing_and_of_nonsense(void)
{
    float x[64] = { 0 }, back[64];
    for (size_t k = 0; k < DH_COUNTOF(kinds); k++) {
        make_and_read(kinds[k].t, x, 32, back);
        for (int i = 0; i < 32; i++)
            CHECK(back[i] == 0);
    }
    x[3] = NAN; // no crash, and the other block is what it was
    x[40] = 1;
    for (size_t k = 0; k < DH_COUNTOF(kinds); k++) {
        make_and_read(kinds[k].t, x, 64, back);
        CHECK_NEAR((double)back[40], 1, 0.13);
    }
    x[3] = INFINITY;
    for (size_t k = 0; k < DH_COUNTOF(kinds); k++)
        if (kinds[k].t != DH_NVFP4) // whose factor is of all
            make_and_read(kinds[k].t, x, 64, back);
}

// ----------------------------------------------------------------- checkpoints

// Rows of at least a block in every matrix.
static const char *const wide[] = { "\"shared_intermediate_size\": 40",
                                    "\"shared_intermediate_size\": 96", NULL };

static void write_source(const char *dir)
{
    char *config = dh_checkpoint_edit(dh_checkpoint_config, wide);
    struct dh_checkpoint_spec spec = { .config = config, .dtype = DH_BF16 };
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    dh_checkpoint_write(dir, &spec);
    dh_free(config);
}

struct seen {
    int n;
    double worst;
};

static void look(void *user, const struct dh_quantize_item *item)
{
    struct seen *s = user;
    CHECK_INT(item->index, s->n);
    CHECK(item->index < item->count);
    s->n++;
    s->worst = fmax(s->worst, item->error);
}

enum { TOKENS = 90 };

static void logits_of(const char *path, const char *kernels, float **out,
                      int *vocab)
{
    struct dh_tiny t;
    int32_t ids[TOKENS];
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .dir = path, .kernels = kernels });
    dh_tiny_ids(3, ids, TOKENS);
    const float *got = dh_tiny_feed(&t, ids, TOKENS, NULL, 0);
    size_t n = (size_t)TOKENS * (size_t)t.vocab;
    dh_array(*out, n);
    memcpy(*out, got, n * sizeof(float));
    *vocab = t.vocab;
    dh_tiny_close(&t);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Of the tokens' logits, relative, in the median: where one goes to another
// expert than before, it is far from where it was.
static double distance(const float *a, const float *b, int vocab)
{
    double far[TOKENS];
    for (int t = 0; t < TOKENS; t++, a += vocab, b += vocab) {
        double error = 0, power = 0;
        for (int i = 0; i < vocab; i++) {
            error += pow((double)a[i] - (double)b[i], 2);
            power += pow((double)a[i], 2);
        }
        far[t] = sqrt(error / power);
    }
    qsort(far, TOKENS, sizeof(*far), by_value);
    return far[TOKENS / 2];
}

/* The same model, in every type that can be written, is as near as the type
 * allows; in BF16 it is the same to the last bit. */
static void test_models_stay_near(void)
{
    static const struct {
        enum dh_dtype to;
        const char *name;
        double error, logits;
    } rows[] = {
        { DH_BF16, "b.gguf", 0, 0 },
        { DH_Q8_0, "q8.gguf", 0.007, 0.08 },
        { DH_F8_E4M3, "mx8", 0.035, 0.3 },
        { DH_Q4_0, "q4.gguf", 0.1, 0.7 },
        { DH_MXFP4, "mx4.gguf", 0.13, 0.9 },
        { DH_NVFP4, "nv4", 0.1, 0.8 },
    };
    struct dh_pool *pool;
    char *from = dh_test_path("source");
    float *want, *got;
    int vocab;
    write_source(from);
    logits_of(from, "float32", &want, &vocab);
    CHECK_INT(dh_pool_create(&pool, 2), DH_OK);
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct seen seen = { 0 };
        struct dh_quantize_options o = { .to = rows[i].to,
                                         .vision = true,
                                         .pool = pool,
                                         .done = look,
                                         .user = &seen };
        char *to = dh_test_path(rows[i].name);
        CHECK_INT(dh_quantize(from, to, &o), DH_OK);
        CHECK(seen.n > 50);
        CHECK(seen.worst <= rows[i].error);
        size_t n = (size_t)TOKENS * (size_t)vocab;
        logits_of(to, "float32", &got, &vocab);
        if (rows[i].to == DH_BF16)
            CHECK_MEM(got, want, n * sizeof(float));
        double exact = distance(want, got, vocab);
        dh_free(got);
        logits_of(to, "auto", &got, &vocab);
        double fast = distance(want, got, vocab);
        printf("%s: weights %.4f of %g, logits %.3f and %.3f of %g\n",
               rows[i].name, seen.worst, rows[i].error, exact, fast,
               rows[i].logits);
        CHECK(exact <= rows[i].logits);
        CHECK(fast <= rows[i].logits + 0.1);
        dh_free(got);
        dh_free(to);
    }
    dh_pool_destroy(pool);
    dh_free(want);
    dh_free(from);
}

/* A file that is quantised again, and one type after the other. */
static void test_a_gguf_becomes_another(void)
{
    char *from = dh_test_path("source"), *b = dh_test_path("b.gguf");
    char *direct = dh_test_path("1.gguf"), *twice = dh_test_path("2.gguf");
    struct dh_quantize_options o = { .to = DH_BF16 };
    char *x, *y;
    size_t nx, ny;
    write_source(from);
    CHECK(dh_log_set_levels("error"));
    CHECK_INT(dh_quantize(from, b, &o), DH_OK);
    o.to = DH_Q4_0;
    CHECK_INT(dh_quantize(from, direct, &o), DH_OK);
    CHECK_INT(dh_quantize(b, twice, &o), DH_OK);
    CHECK_INT(dh_file_read(direct, 1 << 24, &x, &nx), DH_OK);
    CHECK_INT(dh_file_read(twice, 1 << 24, &y, &ny), DH_OK);
    CHECK_INT(nx, ny);
    CHECK_MEM(x, y, nx);
    dh_big_free(x);
    dh_big_free(y);
    dh_free(from);
    dh_free(b);
    dh_free(direct);
    dh_free(twice);
}

static char last_log[400];

static void remember(void *user, enum dh_log_level level, const char *tag,
                     const char *text)
{
    (void)user;
    (void)tag;
    if (level <= DH_LOG_WARN)
        snprintf(last_log, sizeof(last_log), "%s", text);
}

static void refuse(const char *from, const char *to, enum dh_dtype type,
                   enum dh_status want, const char *why)
{
    struct dh_quantize_options o = { .to = type };
    last_log[0] = '\0';
    dh_log_set_hook(remember, NULL);
    CHECK_INT(dh_quantize(from, to, &o), want);
    dh_log_set_hook(NULL, NULL);
    if (!strstr(last_log, why))
        CHECK_STR(last_log, why);
}

static void test_wrong_ends_are_refused(void)
{
    char *from = dh_test_path("source"), *file = dh_test_path("x.gguf");
    char *dir = dh_test_path("x"), *absent = dh_test_path("absent");
    char *part = dh_test_path("x.gguf.part");
    write_source(from);
    refuse(from, dir, DH_Q8_0, DH_ERR_USAGE, "a folder is mxfp8 or nvfp4");
    refuse(from, file, DH_NVFP4, DH_ERR_USAGE, "ends in .gguf is q8_0");
    refuse(from, from, DH_NVFP4, DH_ERR_USAGE, "is there already");
    refuse(file, dir, DH_NVFP4, DH_ERR_USAGE, "no config.json");
    refuse(absent, file, DH_Q8_0, DH_ERR_NOTFOUND, "absent");
    CHECK(!dh_path_exists(file) && !dh_path_exists(dir));
    CHECK_INT(dh_file_write(part, "", 0), DH_OK);
    refuse(from, file, DH_Q8_0, DH_ERR_USAGE, "x.gguf.part is in the way");
    dh_free(from);
    dh_free(file);
    dh_free(dir);
    dh_free(absent);
    dh_free(part);
}

/* Stopped in the middle: neither the new one nor a half of it is there. */
static void test_nothing_is_left_of_one_that_was_stopped(void)
{
    static const struct {
        const char *name, *part;
        enum dh_dtype to;
    } rows[] = { { "x.gguf", "x.gguf.part", DH_Q8_0 },
                 { "x", "x.part", DH_F8_E4M3 } };
    char *from = dh_test_path("source");
    write_source(from);
    CHECK(dh_log_set_levels("error"));
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct dh_cancel cancel = { 0 };
        struct dh_quantize_options o = { .to = rows[i].to, .cancel = &cancel };
        char *to = dh_test_path(rows[i].name);
        char *part = dh_test_path(rows[i].part);
        dh_cancel_set(&cancel);
        CHECK_INT(dh_quantize(from, to, &o), DH_ERR_CANCELLED);
        CHECK(!dh_path_exists(to) && !dh_path_exists(part));
        o.cancel = NULL;
        CHECK_INT(dh_quantize(from, to, &o), DH_OK);
        dh_free(to);
        dh_free(part);
    }
    dh_free(from);
}

/* Memory that is short at any place: a status, and nothing is left behind. */
static void test_survives_failing_allocations(void)
{
    char *from = dh_test_path("source"), *to = dh_test_path("x");
    char *part = dh_test_path("x.part");
    struct dh_quantize_options o = { .to = DH_NVFP4 };
    write_source(from);
    dh_log_set_hook(remember, NULL);
    int failures = 0;
    for (long i = 0; !dh_path_exists(to) && i < 4000; i += i < 40 ? 1 : 97) {
        dh_mem_fail_after(i);
        enum dh_status st = dh_quantize(from, to, &o);
        dh_mem_fail_after(-1);
        failures += st != DH_OK;
        CHECK(st == DH_OK || !dh_path_exists(to));
        CHECK(!dh_path_exists(part));
    }
    dh_log_set_hook(NULL, NULL);
    CHECK(failures > 10);
    dh_free(from);
    dh_free(to);
    dh_free(part);
}

/* The vocabulary goes into the file and comes out of it again. */
static void test_the_vocabulary_goes_along(void)
{
    static const char text[] =
        "Click \"Save as\u2026\"  at 10:45, l'\u00e9t\u00e9\n"
        "\u65e5\u672c ABc ]~b]user[e~[ <think> x";
    const char *from = "assets/models/sprout";
    char *to = dh_test_path("s.gguf");
    struct dh_quantize_options o = { .to = DH_Q8_0 };
    struct dh_tokenizer *a, *b;
    struct dh_ids x = { 0 }, y = { 0 };
    CHECK(dh_log_set_levels("error"));
    CHECK_INT(dh_quantize(from, to, &o), DH_OK);
    CHECK_INT(dh_tokenizer_open(&a, from), DH_OK);
    CHECK_INT(dh_tokenizer_open(&b, to), DH_OK);
    CHECK_INT(dh_tokenizer_encode(a, text, strlen(text), NULL, &x), DH_OK);
    CHECK_INT(dh_tokenizer_encode(b, text, strlen(text), NULL, &y), DH_OK);
    CHECK_INT(x.n, y.n);
    CHECK_MEM(x.id, y.id, x.n * sizeof(*x.id));
    CHECK_INT(dh_tokenizer_find_added(b, "[e~["),
              dh_tokenizer_find_added(a, "[e~["));
    dh_ids_finish(&x);
    dh_ids_finish(&y);
    dh_tokenizer_destroy(a);
    dh_tokenizer_destroy(b);
    dh_free(to);
}

/* NVFP4 whose scales are not as they have to be. */
static void test_nvfp4_without_its_scales_is_refused(void)
{
    char *from = dh_test_path("source"), *to = dh_test_path("nv");
    char *path = dh_test_path("nv/model.safetensors"), *bytes;
    struct dh_quantize_options o = { .to = DH_NVFP4 };
    struct dh_model *model;
    size_t len;
    write_source(from);
    CHECK_INT(dh_quantize(from, to, &o), DH_OK);
    static const char *const names[][2] = {
        { "o_proj.weight_scale\"", "o_proj.weight_scalx\"" },
        { "o_proj.weight_scale_2\"", "o_proj.weight_scale_3\"" },
    };
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        CHECK_INT(dh_file_read(path, 1 << 24, &bytes, &len), DH_OK);
        char *at = memmem(bytes, len, names[i][0], strlen(names[i][0]));
        CHECK(at);
        memcpy(at, names[i][1], strlen(names[i][1]));
        CHECK_INT(dh_file_write(path, bytes, len), DH_OK);
        last_log[0] = '\0';
        dh_log_set_hook(remember, NULL);
        CHECK_INT(dh_model_create(&model, to, NULL), DH_ERR_FORMAT);
        dh_log_set_hook(NULL, NULL);
        CHECK(strstr(last_log, "missing"));
        memcpy(at, names[i][0], strlen(names[i][0]));
        CHECK_INT(dh_file_write(path, bytes, len), DH_OK);
        dh_big_free(bytes);
    }
    CHECK_INT(dh_model_create(&model, to, NULL), DH_OK);
    dh_model_destroy(model);
    dh_free(from);
    dh_free(to);
    dh_free(path);
}

DH_TESTS(DH_TEST(every_code_is_its_own_nearest),
         DH_TEST(numbers_go_to_the_nearest_code),
         DH_TEST(errors_are_those_of_the_formats),
         DH_TEST(blocks_of_nothing_and_of_nonsense), DH_TEST(models_stay_near),
         DH_TEST(a_gguf_becomes_another), DH_TEST(wrong_ends_are_refused),
         DH_TEST(nothing_is_left_of_one_that_was_stopped),
         DH_TEST(survives_failing_allocations),
         DH_TEST(the_vocabulary_goes_along),
         DH_TEST(nvfp4_without_its_scales_is_refused));
