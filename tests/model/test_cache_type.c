// Keys and values of 8 bits: near, the same however they are computed, and in
// files, forks and neighbours.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/kvcache_priv.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

#define N 300

static const char *const kernels[] = { "float32", "ref", "auto" };
static int32_t ids[N];

static float *logits_of(const struct dh_tiny_spec *spec, size_t *n)
{
    struct dh_tiny t;
    dh_tiny_open(&t, spec);
    dh_tiny_ids(3, ids, N);
    dh_tiny_feed(&t, ids, N, NULL, 0);
    *n = (size_t)t.vocab * N;
    float *out = t.logits;
    t.logits = NULL;
    dh_tiny_close(&t);
    return out;
}

static double rms_of(const float *x, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    return sqrt(squares / (double)n);
}

/* Not what was kept in more bits, but near it. */
static void test_logits_stay_near(void)
{
    for (size_t i = 0; i < DH_COUNTOF(kernels); i++) {
        struct dh_tiny_spec spec = { .kernels = kernels[i] };
        size_t n;
        float *want = logits_of(&spec, &n);
        spec.cache_type = DH_CACHE_INT8;
        float *got = logits_of(&spec, &n);
        double rms = rms_of(want, n), most = dh_max_diff(got, want, n) / rms;
        for (size_t j = 0; j < n; j++)
            got[j] -= want[j];
        double far = rms_of(got, n) / rms;
        printf("%s: %.4f of the logits' root mean square, %.4f at most\n",
               kernels[i], far, most);
        CHECK(far > 1e-6);
        CHECK_NEAR(far, 0, 0.2);
        dh_free(want);
        dh_free(got);
    }
}

/* To the last bit, for any number of threads and tokens in a pass. */
static void test_threads_and_passes_change_nothing(void)
{
    static const struct {
        int threads, chunk;
    } ways[] = { { 3, 0 }, { 1, 1 }, { 2, 7 }, { 4, 33 } };
    for (size_t i = 0; i < DH_COUNTOF(kernels); i++) {
        struct dh_tiny_spec spec = { .kernels = kernels[i],
                                     .dtype = DH_BF16,
                                     .cache_type = DH_CACHE_INT8 };
        size_t n;
        float *want = logits_of(&spec, &n);
        for (size_t w = 0; w < DH_COUNTOF(ways); w++) {
            spec.threads = ways[w].threads;
            spec.chunk = ways[w].chunk;
            float *got = logits_of(&spec, &n);
            CHECK_MEM(got, want, n * sizeof *got);
            dh_free(got);
        }
        dh_free(want);
    }
}

static size_t page_floats(const struct dh_tiny *t, enum dh_cache_type type)
{
    struct dh_kvcache c;
    CHECK_INT(dh_kvcache_init(&c, &t->model->config.text, t->model->kernels,
                              type, 1, NULL),
              DH_OK);
    size_t floats = c.page_floats;
    dh_kvcache_finish(&c);
    return floats;
}

/* A byte for each number, and a scale for each token and head; index keys are
 * what they were. */
static void test_memory_is_a_quarter_of_floats(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .kernels = "float32" });
    const struct dh_text_config *c = &t.model->config.text;
    size_t heads =
        (size_t)c->num_hidden_layers * 2 * (size_t)c->num_key_value_heads;
    size_t dim = (size_t)c->head_dim;
    CHECK_INT(dim % 16, 0);
    CHECK_INT(page_floats(&t, DH_CACHE_AUTO) - page_floats(&t, DH_CACHE_INT8),
              heads * DH_PAGE * (dim - dim / 4 - 1));
    dh_tiny_close(&t);
}

static void quiet(void *user, enum dh_log_level level, const char *tag,
                  const char *text)
{
    (void)user;
    (void)level;
    (void)tag;
    (void)text;
}

/* A file goes on where it was, and is no other type's. */
static void test_a_file_is_of_its_type(void)
{
    struct dh_tiny_spec spec = { .cache_type = DH_CACHE_INT8 };
    struct dh_tiny a, b;
    char *path = dh_test_path("cache");
    size_t reused;
    dh_tiny_open(&a, &spec);
    dh_tiny_open(&b, &spec);
    dh_tiny_ids(3, ids, N);
    CHECK_INT(dh_session_feed(a.session, ids, 200, NULL, 0), DH_OK);
    CHECK_INT(dh_session_save(a.session, path), DH_OK);
    CHECK_INT(dh_session_load(b.session, path), DH_OK);
    CHECK_INT(dh_session_set(b.session, ids, N, NULL, 0, &reused), DH_OK);
    CHECK_INT(reused, 200);
    CHECK_INT(dh_session_feed(a.session, ids + 200, N - 200, NULL, 0), DH_OK);
    CHECK_MEM(dh_session_logits(b.session), dh_session_logits(a.session),
              (size_t)a.vocab * sizeof(float));
    b.cache_type = DH_CACHE_AUTO;
    dh_tiny_restart(&b, 0, 0);
    dh_log_set_hook(quiet, NULL);
    CHECK_INT(dh_session_load(b.session, path), DH_ERR_FORMAT);
    CHECK_INT(dh_session_len(b.session), 0);
    dh_log_set_hook(NULL, NULL);
    dh_tiny_close(&a);
    dh_tiny_close(&b);
    dh_free(path);
}

/* Whatever it asks for, one beside another has pages like that one's. */
static void test_neighbours_share_pages_of_the_type(void)
{
    struct dh_tiny t;
    struct dh_session *fork, *beside;
    size_t reused;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .cache_type = DH_CACHE_INT8 });
    dh_tiny_ids(3, ids, N);
    CHECK_INT(dh_session_feed(t.session, ids, 200, NULL, 0), DH_OK);
    CHECK_INT(dh_session_fork(&fork, t.session), DH_OK);
    struct dh_session_options o = { .beside = t.session };
    CHECK_INT(dh_session_create(&beside, t.model, &o), DH_OK);
    CHECK_INT(dh_session_feed(fork, ids + 200, N - 200, NULL, 0), DH_OK);
    CHECK_INT(dh_session_set(beside, ids, N, NULL, 0, &reused), DH_OK);
    CHECK_INT(reused, 2 * DH_PAGE);
    // Back into the middle of a panel, and forth.
    dh_session_rewind(t.session, 150);
    CHECK_INT(dh_session_feed(t.session, ids + 150, N - 150, NULL, 0), DH_OK);
    size_t bytes = (size_t)t.vocab * sizeof(float);
    CHECK_MEM(dh_session_logits(fork), dh_session_logits(t.session), bytes);
    CHECK_MEM(dh_session_logits(beside), dh_session_logits(t.session), bytes);
    dh_session_destroy(fork);
    dh_session_destroy(beside);
    dh_tiny_close(&t);
}

DH_TESTS(DH_TEST(logits_stay_near), DH_TEST(threads_and_passes_change_nothing),
         DH_TEST(memory_is_a_quarter_of_floats), DH_TEST(a_file_is_of_its_type),
         DH_TEST(neighbours_share_pages_of_the_type));
