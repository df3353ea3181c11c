#include "agent/history.h"

#include <stdio.h>

#include "capture/frame.h"
#include "capture/source.h"
#include "capture/synth.h"
#include "tests/dh_test.h"

static struct dh_source *pictures(void)
{
    struct dh_synth_options o = { .width = 16, .height = 16, .seed = 1 };
    struct dh_source *s;
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    return s;
}

// One turn: what a run does with a picture after its question.
static void add_turn(struct dh_history *h, struct dh_source *s)
{
    struct dh_frame *f;
    char answer[32];
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    snprintf(answer, sizeof answer, "answer %d", h->n_turns + 1);
    dh_history_add(h, f, answer, "", NULL);
    dh_frame_unref(f);
}

// Pictures of the past and the newest one.
static int shown(const struct dh_history *h)
{
    int n = 1;
    for (int i = 0; i < h->n_turns; i++)
        n += h->turns[i].frame != NULL;
    return n;
}

static void check_sawtooth(int keep_min, int chunk, int steps)
{
    struct dh_source *s = pictures();
    struct dh_history h;
    dh_history_init(&h, "task");
    int want = 0, falls = 0;
    for (int step = 1; step <= steps; step++) {
        // One more each time; what passes the limit falls by a whole chunk.
        want++;
        if (want > keep_min + chunk) {
            want -= chunk;
            falls++;
        }
        dh_history_prune(&h, keep_min, chunk);
        CHECK_INT(shown(&h), want);
        CHECK(step == 1 || h.turns[0].frame);
        add_turn(&h, s);
    }
    CHECK_INT(falls, (steps - keep_min - 1) / chunk);
    dh_history_finish(&h);
    dh_source_destroy(s);
}

static void test_pictures_climb_to_the_cap_and_fall_by_a_chunk(void)
{
    check_sawtooth(10, 20, 100);
    check_sawtooth(8, 11, 60);
    check_sawtooth(4, 8, 40);
    check_sawtooth(1, 1, 10);
}

// What was dropped are the oldest ones behind the first, and nothing else.
static void test_the_oldest_go_but_not_the_first(void)
{
    struct dh_source *s = pictures();
    struct dh_history h;
    dh_history_init(&h, "task");
    for (int i = 0; i < 12; i++)
        add_turn(&h, s);
    dh_history_prune(&h, 4, 8);
    for (int i = 0; i < 12; i++)
        CHECK_INT(h.turns[i].frame != NULL, i == 0 || i > 8);
    CHECK_STR(h.turns[3].answer, "answer 4");
    dh_history_finish(&h);
    dh_source_destroy(s);
}

static void test_pruning_twice_changes_nothing(void)
{
    struct dh_source *s = pictures();
    struct dh_history h;
    dh_history_init(&h, "task");
    for (int i = 0; i < 31; i++)
        add_turn(&h, s);
    dh_history_prune(&h, 10, 20);
    int n = shown(&h);
    dh_history_prune(&h, 10, 20);
    CHECK_INT(shown(&h), n);
    dh_history_finish(&h);
    dh_source_destroy(s);
}

static void test_a_summary_keeps_only_the_first(void)
{
    struct dh_source *s = pictures();
    struct dh_history h;
    dh_history_init(&h, "task");
    for (int i = 0; i < 5; i++) {
        dh_history_prune(&h, 0, 1);
        add_turn(&h, s);
    }
    dh_history_prune(&h, 0, 1);
    CHECK_INT(shown(&h), 2);
    dh_history_finish(&h);
    dh_source_destroy(s);
}

// It belongs to the message of the next picture and goes with it.
static void test_an_extra_picture_goes_with_the_next_one(void)
{
    struct dh_source *s = pictures();
    struct dh_history h;
    dh_history_init(&h, "task");
    for (int i = 0; i < 12; i++) {
        struct dh_frame *f;
        add_turn(&h, s);
        CHECK_INT(dh_source_grab(s, &f), DH_OK);
        dh_history_show(&h, f);
        dh_history_show(&h, f);
        dh_frame_unref(f);
    }
    dh_history_prune(&h, 4, 8);
    for (int i = 0; i < 12; i++)
        CHECK_INT(h.turns[i].extra != NULL, i >= 8);
    dh_history_finish(&h);
    dh_source_destroy(s);
}

DH_TESTS(DH_TEST(pictures_climb_to_the_cap_and_fall_by_a_chunk),
         DH_TEST(the_oldest_go_but_not_the_first),
         DH_TEST(pruning_twice_changes_nothing),
         DH_TEST(an_extra_picture_goes_with_the_next_one),
         DH_TEST(a_summary_keeps_only_the_first));
