#include "agent/seen_priv.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "capture/frame.h"
#include "model/session.h"
#include "tests/dh_test.h"

#define SCREENS 8
#define MOST    20 // pictures of a question

static struct dh_patch_rule small_rule(void)
{
    struct dh_patch_rule rule = dh_patch_rule_m3;
    rule.max_pixels = 20000;
    return rule;
}

static struct dh_frame *screen(struct dh_rng *rng, struct dh_frame *before)
{
    struct dh_frame *f;
    int w = before ? before->width : 60 + (int)dh_rng_below(rng, 2) * 41;
    CHECK_INT(dh_frame_create(&f, NULL, w, 70), DH_OK);
    if (before)
        memcpy(f->pixels, before->pixels, f->stride * 70);
    else
        memset(f->pixels, (int)dh_rng_below(rng, 256), f->stride * 70);
    for (int n = (int)dh_rng_below(rng, 3); n > 0; n--)
        memset(dh_frame_at(f, (int)dh_rng_below(rng, (uint64_t)w - 9),
                           (int)dh_rng_below(rng, 70)),
               (int)dh_rng_below(rng, 256), 36);
    dh_frame_publish(f);
    return f;
}

static void check_right(const struct dh_seen *s,
                        const struct dh_patch_rule *rule,
                        struct dh_frame *const *frames, size_t n)
{
    CHECK_INT(s->n, n);
    for (size_t i = 0; i < n; i++) {
        struct dh_patches want;
        CHECK(s->pictures[i].frame == frames[i]);
        CHECK_INT(dh_patches_of_frame(rule, frames[i], NULL, &want), DH_OK);
        const struct dh_patches *got = &s->pictures[i].patches;
        CHECK_INT(got->grid_h, want.grid_h);
        CHECK_INT(got->grid_w, want.grid_w);
        CHECK_MEM(got->rows, want.rows,
                  (size_t)(want.grid_h * want.grid_w * want.row_len) *
                      sizeof(float));
        CHECK(s->pictures[i].hash == dh_session_hash(&want));
        dh_patches_finish(&want);
    }
}

/* Screens come, change, go and come back, in any order and number. */
static void test_every_question_sees_its_own_pictures(void)
{
    struct dh_rng rng;
    struct dh_seen seen = { 0 };
    struct dh_patch_rule rule = small_rule();
    struct dh_frame *known[SCREENS], *asked[MOST];
    dh_rng_init(&rng, 11);
    for (int i = 0; i < SCREENS; i++)
        known[i] = screen(&rng, i % 3 ? known[i - 1] : NULL);
    for (int round = 0; round < 60; round++) {
        size_t n = dh_rng_below(&rng, round % 4 ? 4 : MOST);
        int new = (int)dh_rng_below(&rng, SCREENS);
        struct dh_frame *next = screen(&rng, round % 5 ? known[new] : NULL);
        dh_frame_unref(known[new]);
        known[new] = next;
        for (size_t i = 0; i < n; i++)
            asked[i] = known[dh_rng_below(&rng, SCREENS)];
        CHECK_INT(dh_seen_look(&seen, &rule, NULL, asked, n), DH_OK);
        check_right(&seen, &rule, asked, n);
        dh_seen_trim(&seen);
    }
    dh_seen_finish(&seen);
    for (int i = 0; i < SCREENS; i++)
        dh_frame_unref(known[i]);
}

/* The memory of a picture goes with it to its place in the next question, and
 * that of one that has gone to its successor. */
static void test_memory_goes_to_what_is_alike(void)
{
    struct dh_rng rng;
    struct dh_seen seen = { 0 };
    struct dh_patch_rule rule = small_rule();
    dh_rng_init(&rng, 4);
    struct dh_frame *a = screen(&rng, NULL), *b = screen(&rng, a);
    struct dh_frame *c = screen(&rng, b);
    CHECK_INT(
        dh_seen_look(&seen, &rule, NULL, (struct dh_frame *[]){ a, b }, 2),
        DH_OK);
    const float *of_a = seen.pictures[0].patches.rows;
    const float *of_b = seen.pictures[1].patches.rows;
    CHECK_INT(
        dh_seen_look(&seen, &rule, NULL, (struct dh_frame *[]){ c, a }, 2),
        DH_OK);
    CHECK(seen.pictures[0].patches.rows == of_b);
    CHECK(seen.pictures[1].patches.rows == of_a);
    dh_seen_finish(&seen);
    CHECK(dh_frame_is_sole(a) && dh_frame_is_sole(b) && dh_frame_is_sole(c));
    dh_frame_unref(a);
    dh_frame_unref(b);
    dh_frame_unref(c);
}

static void test_a_failure_leaves_nothing(void)
{
    struct dh_rng rng;
    struct dh_patch_rule rule = small_rule();
    dh_rng_init(&rng, 5);
    struct dh_frame *f[3] = { screen(&rng, NULL), NULL, NULL };
    f[1] = screen(&rng, f[0]);
    f[2] = screen(&rng, f[0]);
    enum dh_status st = DH_ERR_NOMEM;
    for (int i = 0; st; i++) {
        struct dh_seen seen = { 0 };
        CHECK_INT(dh_seen_look(&seen, &rule, NULL, f, 2), DH_OK);
        dh_mem_fail_after(i);
        st = dh_seen_look(&seen, &rule, NULL, f + 1, 2);
        dh_mem_fail_after(-1);
        CHECK_INT(seen.n, st ? 0 : 2);
        dh_seen_finish(&seen);
        for (int k = 0; k < 3; k++)
            CHECK(dh_frame_is_sole(f[k]));
    }
    for (int k = 0; k < 3; k++)
        dh_frame_unref(f[k]);
}

DH_TESTS(DH_TEST(every_question_sees_its_own_pictures),
         DH_TEST(memory_goes_to_what_is_alike),
         DH_TEST(a_failure_leaves_nothing));
