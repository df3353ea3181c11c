#include "model/vit_priv.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"
#include "tests/model/twin.h"

#define HIDDEN 64

static float *encode(struct dh_tiny *t, const struct dh_patches *p, int *tokens)
{
    struct dh_backend b;
    CHECK_INT(dh_backend_init(&b, t->model->kernels, t->pool, 256, 40), DH_OK);
    struct dh_vit_run r = { .model = t->model, .backend = &b };
    *tokens = dh_vit_tokens(t->model, p);
    float *out;
    dh_array(out, (size_t)*tokens * HIDDEN);
    CHECK_INT(dh_vit_encode(&r, p, out), DH_OK);
    dh_backend_finish(&b);
    return out;
}

static void hold_against_twin(const struct dh_tiny_spec *spec, int gt, int gh,
                              int gw)
{
    struct dh_tiny t;
    struct dh_patches p;
    int got_n, want_n;
    dh_tiny_open(&t, spec);
    dh_tiny_patches(1, gt, gh, gw, &p);
    float *got = encode(&t, &p, &got_n);
    double *want = dh_twin_vision(t.model, &p, &want_n);
    CHECK_INT(got_n, gt * gh * gw / 4);
    CHECK_INT(got_n, want_n);
    size_t n = (size_t)got_n * HIDDEN;
    CHECK_NEAR(dh_max_diff_d(got, want, n), 0, 2e-5);
    dh_free(got);
    dh_free(want);
    dh_patches_finish(&p);
    dh_tiny_close(&t);
}

static void test_pictures_are_the_twins(void)
{
    static const char *const kernels[] = { "ref", "float32", "avx2" };
    for (size_t i = 0; i < DH_COUNTOF(kernels); i++) {
        struct dh_tiny_spec spec = { .kernels = kernels[i] };
        if (!dh_kernels_find(kernels[i]))
            continue;
        hold_against_twin(&spec, 1, 4, 6);
        hold_against_twin(&spec, 1, 2, 2);
        hold_against_twin(&spec, 1, 14, 10);
    }
}

/* Six groups: four see each other, then two, whose time starts again. */
static void test_videos_are_cut_into_segments(void)
{
    struct dh_tiny_spec spec = { 0 };
    hold_against_twin(&spec, 2, 4, 4);
    hold_against_twin(&spec, 6, 2, 4);
    hold_against_twin(&spec, 9, 2, 2);
}

/* Heads of 20 have 18 rotated numbers; these of 40 have 36, of 10 have 6. */
static void test_other_heads(void)
{
    static const char *const one[] = { "\"hidden_size\": 40",
                                       "\"hidden_size\": 80", NULL };
    static const char *const four[] = { "\"hidden_size\": 40",
                                        "\"hidden_size\": 20", NULL };
    hold_against_twin(&(struct dh_tiny_spec){ .edits = one }, 1, 6, 4);
    hold_against_twin(&(struct dh_tiny_spec){ .edits = four }, 3, 6, 4);
}

/* A picture's tokens do not depend on what else is in the prompt. */
static void test_pictures_do_not_see_each_other(void)
{
    struct dh_tiny t;
    struct dh_patches a, b;
    int32_t ids[40];
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    dh_tiny_patches(1, 1, 4, 4, &a);
    dh_tiny_patches(2, 1, 4, 4, &b);
    dh_tiny_ids(1, ids, 40);
    for (int i = 0; i < 4; i++)
        ids[3 + i] = ids[20 + i] = 250;
    struct dh_session_image both[] = { { &a, 250, 0 }, { &b, 250, 0 } };
    size_t row = (size_t)t.vocab;
    const float *all = dh_tiny_feed(&t, ids, 40, both, 2);
    float *before;
    dh_array(before, 20 * row);
    memcpy(before, all, 20 * row * sizeof(float));
    dh_tiny_restart(&t, 0, 0);
    both[1].patches = &a;
    all = dh_tiny_feed(&t, ids, 40, both, 2);
    CHECK_MEM(all, before, 20 * row * sizeof(float));
    dh_free(before);
    dh_patches_finish(&a);
    dh_patches_finish(&b);
    dh_tiny_close(&t);
}

/* Rows of the tower replace the placeholders in order, groups of a video with
 * text between them. */
static void test_rows_replace_placeholders(void)
{
    struct dh_tiny t;
    struct dh_patches p;
    int32_t ids[40];
    const double *rows[40] = { 0 };
    int n;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .chunk = 7 });
    dh_tiny_patches(1, 6, 2, 4, &p);
    dh_tiny_ids(1, ids, 40);
    double *merged = dh_twin_vision(t.model, &p, &n);
    CHECK_INT(n, 12);
    for (int g = 0; g < 6; g++) {
        for (int i = 0; i < 2; i++) {
            ids[2 + 5 * g + i] = 251;
            rows[2 + 5 * g + i] = merged + (size_t)(2 * g + i) * HIDDEN;
        }
    }
    struct dh_session_image video = { &p, 251, 0 };
    const float *got = dh_tiny_feed(&t, ids, 40, &video, 1);
    double *want = dh_twin_text(t.model, ids, 40, rows);
    CHECK_NEAR(dh_max_diff_d(got, want, 40 * (size_t)t.vocab), 0, 1e-4);
    dh_free(merged);
    dh_free(want);
    dh_patches_finish(&p);
    dh_tiny_close(&t);
}

static void test_threads_do_not_matter(void)
{
    struct dh_tiny one, three;
    struct dh_patches p;
    int n, m;
    dh_tiny_patches(5, 1, 22, 26, &p);
    dh_tiny_open(&one, &(struct dh_tiny_spec){ 0 });
    dh_tiny_open(&three, &(struct dh_tiny_spec){ .threads = 3 });
    float *a = encode(&one, &p, &n), *b = encode(&three, &p, &m);
    CHECK_INT(n, m);
    CHECK_MEM(a, b, (size_t)n * HIDDEN * sizeof(float));
    dh_free(a);
    dh_free(b);
    dh_patches_finish(&p);
    dh_tiny_close(&one);
    dh_tiny_close(&three);
}

/* The released geometry: heads of 80, 13 angles per axis, m3.md's numbers. */
static void test_angles_of_the_released_shape(void)
{
    struct dh_vision_config v = { .hidden_size = 1280,
                                  .num_attention_heads = 16,
                                  .spatial_merge_size = 2,
                                  .rope_theta = 10000 };
    float cos_[2 * 4 * 6 * 39], sin_[2 * 4 * 6 * 39];
    CHECK_INT(dh_vit_angles(&v, 2, 4, 6, cos_, sin_), 39);
    // Row 7 is square 1, its last patch: group 0, row 1, column 3.
    const float *c = cos_ + 7 * 39, *s = sin_ + 7 * 39;
    for (int j = 0; j < 13; j++)
        CHECK_NEAR((double)c[j], 1, 0);
    CHECK_NEAR((double)s[13], sin(1), 1e-6);
    CHECK_NEAR((double)s[14], sin(0.49238826), 1e-6);
    CHECK_NEAR((double)s[26], sin(3), 1e-6);
    CHECK_NEAR((double)c[38], cos(3 * 0.00020309176), 1e-6);
    // The same place in the second group.
    CHECK_NEAR((double)sin_[(24 + 7) * 39 + 12], sin(0.00020309176), 1e-9);
    CHECK_NEAR((double)sin_[(24 + 7) * 39 + 26], sin(3), 1e-6);
}

static void test_a_cancel_stops_the_tower(void)
{
    struct dh_tiny t;
    struct dh_patches p;
    struct dh_cancel cancel = { 0 };
    int32_t ids[9] = { 1, 2, 250, 250, 250, 250, 3, 4, 5 };
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    dh_tiny_patches(1, 1, 4, 4, &p);
    struct dh_session_options o = { .cancel = &cancel };
    struct dh_session_image image = { &p, 250, 0 };
    struct dh_session *s;
    CHECK_INT(dh_session_create(&s, t.model, &o), DH_OK);
    dh_cancel_set(&cancel);
    CHECK_INT(dh_session_feed(s, ids, 9, &image, 1), DH_ERR_CANCELLED);
    CHECK_INT(dh_session_len(s), 0);
    dh_session_destroy(s);
    dh_patches_finish(&p);
    dh_tiny_close(&t);
}

DH_TESTS(DH_TEST(pictures_are_the_twins), DH_TEST(videos_are_cut_into_segments),
         DH_TEST(other_heads), DH_TEST(pictures_do_not_see_each_other),
         DH_TEST(rows_replace_placeholders), DH_TEST(threads_do_not_matter),
         DH_TEST(angles_of_the_released_shape),
         DH_TEST(a_cancel_stops_the_tower));
