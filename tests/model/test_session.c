#include "model/session.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"
#include "tests/model/twin.h"

#define N 113

static int32_t ids[N];

static void quiet(void *user, enum dh_log_level level, const char *tag,
                  const char *text)
{
    (void)user;
    (void)level;
    (void)tag;
    (void)text;
}

static void hold_against_twin(const char *const *edits, const char *kernels,
                              int n)
{
    struct dh_tiny t;
    dh_tiny_open(&t,
                 &(struct dh_tiny_spec){ .edits = edits, .kernels = kernels });
    dh_tiny_ids(1, ids, N);
    const float *got = dh_tiny_feed(&t, ids, (size_t)n, NULL, 0);
    double *want = dh_twin_text(t.model, ids, n, NULL);
    CHECK_NEAR(dh_max_diff_d(got, want, (size_t)n * (size_t)t.vocab), 0, 1e-4);
    dh_free(want);
    dh_tiny_close(&t);
}

/* The released shape of everything, on each set of kernels. */
static void test_logits_are_the_twins(void)
{
    hold_against_twin(NULL, "ref", 60);
    hold_against_twin(NULL, "float32", N);
    if (dh_kernels_find("avx2"))
        hold_against_twin(NULL, "avx2", 60);
}

static void test_variants_are_the_twins(void)
{
    static const char *const variants[][6] = {
        { "\"sparse_local_block\": 1", "\"sparse_local_block\": 2" },
        { "\"sparse_topk_blocks\": 4", "\"sparse_topk_blocks\": 1" },
        { "\"sparse_index_dim\": 16", "\"sparse_index_dim\": 24" },
        { "\"sparse_block_size\": 4", "\"sparse_block_size\": 5" },
        { "\"sparse_block_size\": 4", "\"sparse_block_size\": 40",
          "\"sparse_topk_blocks\": 4", "\"sparse_topk_blocks\": 2" },
        { "\"sparse_block_size\": 4", "\"sparse_block_size\": 32",
          "\"sparse_topk_blocks\": 4", "\"sparse_topk_blocks\": 2" },
        { "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 8" },
        { "\"num_attention_heads\": 8", "\"num_attention_heads\": 60" },
        { "\"head_dim\": 16", "\"head_dim\": 36", "\"rotary_dim\": 8",
          "\"rotary_dim\": 12", "\"partial_rotary_factor\": 0.5",
          "\"partial_rotary_factor\": 0.34" },
    };
    for (size_t i = 0; i < DH_COUNTOF(variants); i++) {
        const char *edits[7] = { 0 };
        memcpy(edits, variants[i], sizeof(variants[i]));
        hold_against_twin(edits, "float32", i == 4 || i == 5 ? N : 50);
    }
}

/* Half-precision weights are what the twin reads too. */
static void test_stored_types_are_read(void)
{
    static const enum dh_dtype types[] = { DH_BF16, DH_F16 };
    for (size_t i = 0; i < DH_COUNTOF(types); i++) {
        static const char *const kernels[] = { "ref", "float32" };
        for (int k = 0; k < 2; k++) {
            struct dh_tiny t;
            dh_tiny_open(&t, &(struct dh_tiny_spec){ .dtype = types[i],
                                                     .kernels = kernels[k] });
            dh_tiny_ids(2, ids, 40);
            const float *got = dh_tiny_feed(&t, ids, 40, NULL, 0);
            double *want = dh_twin_text(t.model, ids, 40, NULL);
            CHECK_NEAR(dh_max_diff_d(got, want, 40 * (size_t)t.vocab), 0, 1e-4);
            dh_free(want);
            dh_tiny_close(&t);
        }
    }
}

/* Passes of any length, token by token too, give what one pass gives: to the
 * last bit, since no sum depends on how many tokens go together. */
static void chunks_with(const char *kernels, enum dh_dtype dtype)
{
    static const int chunks[] = { 1, 3, 4, 5, 17 };
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){
                         .chunk = 512, .kernels = kernels, .dtype = dtype });
    dh_tiny_ids(3, ids, N);
    size_t all = (size_t)N * (size_t)t.vocab;
    float *whole;
    dh_array(whole, all);
    memcpy(whole, dh_tiny_feed(&t, ids, N, NULL, 0), all * sizeof(float));
    for (size_t i = 0; i < DH_COUNTOF(chunks); i++) {
        dh_tiny_restart(&t, chunks[i], 0);
        const float *got = dh_tiny_feed(&t, ids, N, NULL, 0);
        CHECK_MEM(got, whole, all * sizeof(float));
    }
    dh_tiny_restart(&t, 512, 0);
    for (int i = 0; i < N; i++) {
        CHECK_INT(dh_session_feed(t.session, ids + i, 1, NULL, 0), DH_OK);
        CHECK_MEM(dh_session_logits(t.session),
                  whole + (size_t)i * (size_t)t.vocab,
                  (size_t)t.vocab * sizeof(float));
    }
    dh_free(whole);
    dh_tiny_close(&t);
}

static void test_chunks_do_not_matter(void)
{
    chunks_with("float32", DH_F32);
    chunks_with("float32", DH_BF16);
    if (dh_kernels_find("avx2"))
        chunks_with("avx2", DH_BF16);
    chunks_with("ref", DH_F16);
}

/* Bit for bit. */
static void test_threads_do_not_matter(void)
{
    struct dh_tiny one, many;
    dh_tiny_open(&one, &(struct dh_tiny_spec){ .threads = 1 });
    dh_tiny_ids(4, ids, N);
    const float *want = dh_tiny_feed(&one, ids, N, NULL, 0);
    for (int threads = 2; threads <= 3; threads++) {
        dh_tiny_open(&many, &(struct dh_tiny_spec){ .threads = threads });
        const float *got = dh_tiny_feed(&many, ids, N, NULL, 0);
        CHECK_MEM(got, want, (size_t)N * (size_t)one.vocab * sizeof(float));
        dh_tiny_close(&many);
    }
    dh_tiny_close(&one);
}

/* One token's index scan is cut among the threads where the context is long. */
static void test_threads_do_not_matter_for_one_token(void)
{
    static int32_t many[800];
    float *want = NULL;
    dh_tiny_ids(4, many, DH_COUNTOF(many));
    for (int threads = 1; threads <= 3; threads++) {
        struct dh_tiny t;
        dh_tiny_open(&t, &(struct dh_tiny_spec){ .threads = threads });
        CHECK_INT(dh_session_feed(t.session, many, 797, NULL, 0), DH_OK);
        for (int i = 797; i < 800; i++)
            CHECK_INT(dh_session_feed(t.session, many + i, 1, NULL, 0), DH_OK);
        size_t bytes = (size_t)t.vocab * sizeof(float);
        if (!want) {
            dh_array(want, (size_t)t.vocab);
            memcpy(want, dh_session_logits(t.session), bytes);
            // As a pass of many tokens has it.
            dh_tiny_restart(&t, 0, 0);
            CHECK_INT(dh_session_feed(t.session, many, 800, NULL, 0), DH_OK);
        }
        CHECK_MEM(dh_session_logits(t.session), want, bytes);
        dh_tiny_close(&t);
    }
    dh_free(want);
}

/* What stands in for a long prompt where only decoding is measured. */
static void test_a_cache_is_filled_with_noise(void)
{
    struct dh_tiny t;
    struct dh_rng rng;
    dh_rng_init(&rng, 1);
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .max_tokens = 700 });
    dh_tiny_ids(4, ids, N);
    CHECK_INT(dh_session_feed(t.session, ids, 5, NULL, 0), DH_OK);
    CHECK_INT(dh_session_fill(t.session, 696, &rng), DH_ERR_RANGE);
    CHECK_INT(dh_session_fill(t.session, 690, &rng), DH_OK);
    CHECK_INT(dh_session_len(t.session), 695);
    CHECK(!dh_session_logits(t.session));
    CHECK_INT(dh_session_feed(t.session, ids, 5, NULL, 0), DH_OK);
    CHECK_INT(dh_session_len(t.session), 700);
    for (int i = 0; i < t.vocab; i++)
        CHECK(isfinite(dh_session_logits(t.session)[i]));
    dh_tiny_close(&t);
}

/* Decode, roll back into the middle of a block, decode again. */
static void test_rewind_is_exact(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    dh_tiny_ids(5, ids, N);
    CHECK_INT(dh_session_feed(t.session, ids, 60, NULL, 0), DH_OK);
    float *first;
    dh_array(first, (size_t)t.vocab);
    for (int i = 60; i < 70; i++)
        CHECK_INT(dh_session_feed(t.session, ids + i, 1, NULL, 0), DH_OK);
    memcpy(first, dh_session_logits(t.session),
           (size_t)t.vocab * sizeof(float));
    // Other tokens in their place, so that stale keys would be seen.
    dh_session_rewind(t.session, 63);
    CHECK(!dh_session_logits(t.session));
    CHECK_INT(dh_session_feed(t.session, ids, 20, NULL, 0), DH_OK);
    dh_session_rewind(t.session, 63);
    CHECK_INT(dh_session_len(t.session), 63);
    for (int i = 63; i < 70; i++)
        CHECK_INT(dh_session_feed(t.session, ids + i, 1, NULL, 0), DH_OK);
    CHECK_MEM(dh_session_logits(t.session), first,
              (size_t)t.vocab * sizeof(float));
    dh_free(first);
    dh_tiny_close(&t);
}

/* set() keeps what is common and leaves the same logits as a fresh feed. */
static void test_set_reuses_the_common_prefix(void)
{
    struct dh_tiny a, b;
    dh_tiny_open(&a, &(struct dh_tiny_spec){ 0 });
    dh_tiny_open(&b, &(struct dh_tiny_spec){ 0 });
    int32_t other[N];
    dh_tiny_ids(6, ids, N);
    memcpy(other, ids, sizeof(ids));
    other[41] = ids[41] == 7 ? 8 : 7;
    size_t reused = 99;
    CHECK_INT(dh_session_set(a.session, ids, N, NULL, 0, &reused), DH_OK);
    CHECK_INT(reused, 0);
    CHECK_INT(dh_session_set(a.session, other, 90, NULL, 0, &reused), DH_OK);
    CHECK_INT(reused, 41);
    CHECK_INT(dh_session_len(a.session), 90);
    CHECK_INT(dh_session_feed(b.session, other, 90, NULL, 0), DH_OK);
    CHECK_NEAR(dh_max_diff(dh_session_logits(a.session),
                           dh_session_logits(b.session), (size_t)a.vocab),
               0, 1e-5);
    // The same once more: all but the last token is kept.
    CHECK_INT(dh_session_set(a.session, other, 90, NULL, 0, &reused), DH_OK);
    CHECK_INT(reused, 89);
    CHECK_NEAR(dh_max_diff(dh_session_logits(a.session),
                           dh_session_logits(b.session), (size_t)a.vocab),
               0, 1e-5);
    dh_tiny_close(&a);
    dh_tiny_close(&b);
}

// ids with runs of a placeholder at `at` of `count` tokens.
static void put_run(int32_t *to, size_t at, size_t count, int32_t id)
{
    for (size_t i = 0; i < count; i++)
        to[at + i] = id;
}

/* Two pictures in their places, then one changed: the prefix ends before it. */
static void test_set_compares_pictures(void)
{
    struct dh_tiny a, b;
    dh_tiny_open(&a, &(struct dh_tiny_spec){ 0 });
    dh_tiny_open(&b, &(struct dh_tiny_spec){ 0 });
    struct dh_patches p[3];
    dh_tiny_patches(1, 1, 4, 6, &p[0]);
    dh_tiny_patches(2, 1, 8, 8, &p[1]);
    dh_tiny_patches(3, 1, 8, 8, &p[2]);
    dh_tiny_ids(7, ids, N);
    put_run(ids, 10, 6, 250);
    put_run(ids, 40, 16, 250);
    struct dh_session_image was[] = { { &p[0], 250, 0 }, { &p[1], 250, 0 } };
    struct dh_session_image now[] = { { &p[0], 250, 0 }, { &p[2], 250, 0 } };
    struct dh_session_stats stats;
    size_t reused;
    CHECK_INT(dh_session_set(a.session, ids, N, was, 2, &reused), DH_OK);
    CHECK_INT(dh_session_set(a.session, ids, N, now, 2, &reused), DH_OK);
    CHECK_INT(reused, 40);
    CHECK_INT(dh_session_feed(b.session, ids, N, now, 2), DH_OK);
    CHECK_NEAR(dh_max_diff(dh_session_logits(a.session),
                           dh_session_logits(b.session), (size_t)a.vocab),
               0, 1e-5);
    // Back to the old one: its rows are still there.
    dh_session_get_stats(a.session, &stats);
    uint64_t encoded = stats.image_tokens;
    CHECK_INT(encoded, 6 + 16 + 16);
    ids[0] = ids[0] == 9 ? 10 : 9;
    CHECK_INT(dh_session_set(a.session, ids, N, was, 2, &reused), DH_OK);
    CHECK_INT(reused, 0);
    dh_session_get_stats(a.session, &stats);
    CHECK_INT(stats.image_tokens, encoded);
    for (int i = 0; i < 3; i++)
        dh_patches_finish(&p[i]);
    dh_tiny_close(&a);
    dh_tiny_close(&b);
}

/* More pictures in one prompt than a session keeps, twice. */
static void test_many_pictures_in_one_prompt(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    struct dh_patches p[11];
    struct dh_session_image images[12];
    dh_tiny_ids(8, ids, N);
    for (int i = 0; i < 12; i++) {
        if (i < 11)
            dh_tiny_patches(10 + (unsigned)i, 1, 2, 2, &p[i]);
        images[i] = (struct dh_session_image){ &p[i == 11 ? 0 : i], 250, 0 };
        ids[5 + 3 * i] = 250;
    }
    size_t reused;
    CHECK_INT(dh_session_set(t.session, ids, 80, images, 12, &reused), DH_OK);
    float *first;
    dh_array(first, (size_t)t.vocab);
    memcpy(first, dh_session_logits(t.session),
           (size_t)t.vocab * sizeof(float));
    dh_session_rewind(t.session, 0);
    CHECK_INT(dh_session_set(t.session, ids, 80, images, 12, &reused), DH_OK);
    CHECK_MEM(dh_session_logits(t.session), first,
              (size_t)t.vocab * sizeof(float));
    dh_free(first);
    for (int i = 0; i < 11; i++)
        dh_patches_finish(&p[i]);
    dh_tiny_close(&t);
}

/* Pictures that do not fit their placeholders change nothing. */
static void test_mismatched_pictures_are_refused(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    struct dh_patches p[2], odd, wide;
    dh_tiny_patches(1, 1, 4, 6, &p[0]);
    dh_tiny_patches(2, 1, 4, 4, &p[1]);
    dh_tiny_patches(3, 1, 3, 4, &odd);
    dh_tiny_patches(4, 1, 4, 6, &wide);
    wide.row_len = 48;
    dh_log_set_hook(quiet, NULL);
    struct dh_session_image one = { &p[0], 250, 0 },
                            two[] = { { &p[0], 250, 0 }, { &p[1], 250, 0 } };
    struct dh_session_image bad1 = { &odd, 250, 0 }, bad2 = { &wide, 250, 0 };
    dh_tiny_ids(9, ids, 30);
    CHECK_INT(dh_session_feed(t.session, ids, 10, NULL, 0), DH_OK);
    // too short, too long, none, wrong kind, split, none wanted
    put_run(ids, 3, 5, 250);
    CHECK_INT(dh_session_feed(t.session, ids, 30, &one, 1), DH_ERR_FORMAT);
    put_run(ids, 3, 7, 250);
    CHECK_INT(dh_session_feed(t.session, ids, 30, &one, 1), DH_ERR_FORMAT);
    CHECK_INT(dh_session_feed(t.session, ids, 30, NULL, 0), DH_ERR_FORMAT);
    CHECK_INT(dh_session_feed(t.session, ids, 30, two, 2), DH_ERR_FORMAT);
    put_run(ids, 3, 6, 251);
    ids[9] = 5;
    CHECK_INT(dh_session_feed(t.session, ids, 30, &one, 1), DH_ERR_FORMAT);
    put_run(ids, 3, 7, 250);
    ids[6] = 5;
    CHECK_INT(dh_session_feed(t.session, ids, 30, &one, 1), DH_ERR_FORMAT);
    dh_tiny_ids(9, ids, 30);
    CHECK_INT(dh_session_feed(t.session, ids, 30, &one, 1), DH_ERR_FORMAT);
    put_run(ids, 3, 3, 250);
    CHECK_INT(dh_session_feed(t.session, ids, 30, &bad1, 1), DH_ERR_FORMAT);
    CHECK_INT(dh_session_feed(t.session, ids, 30, &bad2, 1), DH_ERR_FORMAT);
    ids[0] = 256;
    CHECK_INT(dh_session_feed(t.session, ids, 1, NULL, 0), DH_ERR_RANGE);
    ids[0] = -1;
    CHECK_INT(dh_session_feed(t.session, ids, 1, NULL, 0), DH_ERR_RANGE);
    CHECK_INT(dh_session_len(t.session), 10);
    CHECK(dh_session_logits(t.session));
    dh_log_set_hook(NULL, NULL);
    dh_patches_finish(&p[0]);
    dh_patches_finish(&p[1]);
    dh_patches_finish(&odd);
    dh_patches_finish(&wide);
    dh_tiny_close(&t);
}

/* A placeholder that came out of the model is a token like any other. */
static void test_sampled_placeholders_are_text(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    dh_tiny_ids(13, ids, 20);
    CHECK_INT(dh_session_feed(t.session, ids, 20, NULL, 0), DH_OK);
    ids[20] = 250;
    CHECK_INT(dh_session_feed_text(t.session, ids + 20, 1), DH_OK);
    double *want = dh_twin_text(t.model, ids, 21, NULL);
    CHECK_NEAR(dh_max_diff_d(dh_session_logits(t.session),
                             want + 20 * (size_t)t.vocab, (size_t)t.vocab),
               0, 1e-4);
    dh_free(want);
    dh_tiny_close(&t);
}

/* A full cache says so and stays as it was. */
static void test_full_cache_is_refused(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .max_tokens = 33 });
    dh_log_set_hook(quiet, NULL);
    dh_tiny_ids(10, ids, N);
    CHECK_INT(dh_session_feed(t.session, ids, 30, NULL, 0), DH_OK);
    CHECK_INT(dh_session_feed(t.session, ids, 4, NULL, 0), DH_ERR_RANGE);
    CHECK_INT(dh_session_feed(t.session, ids, 3, NULL, 0), DH_OK);
    CHECK_INT(dh_session_feed(t.session, ids, 1, NULL, 0), DH_ERR_RANGE);
    CHECK_INT(dh_session_set(t.session, ids, 34, NULL, 0, NULL), DH_ERR_RANGE);
    CHECK_INT(dh_session_len(t.session), 33);
    struct dh_session *s;
    struct dh_session_options o = { .max_tokens = 5000 };
    CHECK_INT(dh_session_create(&s, t.model, &o), DH_ERR_RANGE);
    dh_log_set_hook(NULL, NULL);
    dh_tiny_close(&t);
}

static void test_cancel_leaves_the_timeline(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    struct dh_cancel cancel = { 0 };
    struct dh_session_options o = { .cancel = &cancel };
    struct dh_session *s;
    CHECK_INT(dh_session_create(&s, t.model, &o), DH_OK);
    dh_tiny_ids(11, ids, N);
    CHECK_INT(dh_session_feed(s, ids, 50, NULL, 0), DH_OK);
    dh_cancel_set(&cancel);
    CHECK_INT(dh_session_feed(s, ids + 50, 20, NULL, 0), DH_ERR_CANCELLED);
    CHECK_INT(dh_session_len(s), 50);
    CHECK(!dh_session_logits(s));
    atomic_store(&cancel.set, false);
    CHECK_INT(dh_session_feed(s, ids + 50, 20, NULL, 0), DH_OK);
    CHECK_INT(dh_session_feed(t.session, ids, 70, NULL, 0), DH_OK);
    CHECK_NEAR(dh_max_diff(dh_session_logits(s), dh_session_logits(t.session),
                           (size_t)t.vocab),
               0, 1e-5);
    dh_session_destroy(s);
    dh_tiny_close(&t);
}

/* Every large allocation fails once; nothing leaks and nothing crashes. */
static void test_no_memory_is_an_error(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    struct dh_patches p;
    dh_tiny_patches(1, 1, 4, 6, &p);
    struct dh_session_image image = { &p, 250, 0 };
    dh_tiny_ids(12, ids, 20);
    put_run(ids, 3, 6, 250);
    dh_log_set_hook(quiet, NULL);
    for (int fail = 0;; fail++) {
        struct dh_session *s = NULL;
        CHECK(fail < 50);
        dh_mem_fail_after(fail);
        enum dh_status st = dh_session_create(&s, t.model, NULL);
        if (!st)
            st = dh_session_feed(s, ids, 20, &image, 1);
        dh_mem_fail_after(-1);
        dh_session_destroy(s);
        if (!st)
            break;
        CHECK_INT(st, DH_ERR_NOMEM);
    }
    dh_log_set_hook(NULL, NULL);
    dh_patches_finish(&p);
    dh_tiny_close(&t);
}

DH_TESTS(DH_TEST(logits_are_the_twins), DH_TEST(variants_are_the_twins),
         DH_TEST(stored_types_are_read), DH_TEST(chunks_do_not_matter),
         DH_TEST(threads_do_not_matter),
         DH_TEST(threads_do_not_matter_for_one_token),
         DH_TEST(a_cache_is_filled_with_noise), DH_TEST(rewind_is_exact),
         DH_TEST(set_reuses_the_common_prefix), DH_TEST(set_compares_pictures),
         DH_TEST(many_pictures_in_one_prompt),
         DH_TEST(mismatched_pictures_are_refused),
         DH_TEST(sampled_placeholders_are_text), DH_TEST(full_cache_is_refused),
         DH_TEST(cancel_leaves_the_timeline), DH_TEST(no_memory_is_an_error));
