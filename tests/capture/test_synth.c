#include "capture/synth.h"

#include "base/clock.h"
#include "capture/frame.h"
#include "tests/dh_test.h"

static const struct dh_synth_options options = { .width = 320,
                                                 .height = 200,
                                                 .n_frames = 5,
                                                 .interval_ns = 40 * DH_MS,
                                                 .seed = 9 };

static void test_same_options_make_the_same_frames(void)
{
    struct dh_source *a, *b;
    CHECK_INT(dh_synth_create(&a, &options), DH_OK);
    CHECK_INT(dh_synth_create(&b, &options), DH_OK);
    uint64_t last = 0;
    struct dh_frame *f, *g;
    for (int i = 1; i <= 5; i++) {
        CHECK_INT(dh_source_grab(a, &f), DH_OK);
        CHECK_INT(dh_source_grab(b, &g), DH_OK);
        CHECK_INT(dh_frame_hash(f), dh_frame_hash(g));
        CHECK(dh_frame_hash(f) != last);
        last = dh_frame_hash(f);
        CHECK_INT(f->serial, i);
        CHECK_INT(f->time_ns, i * 40 * DH_MS);
        dh_frame_unref(f);
        dh_frame_unref(g);
    }
    CHECK_INT(dh_source_grab(a, &f), DH_ERR_CLOSED);
    dh_source_destroy(a);
    dh_source_destroy(b);
}

/* A source without a mark takes it, and is settled at once. */
static void test_settle_returns_at_once(void)
{
    struct dh_source *s;
    CHECK_INT(dh_synth_create(&s, &options), DH_OK);
    struct dh_settle how = { .quiet_ns = DH_S, .limit_ns = 10 * DH_S };
    struct dh_settle_result r;
    CHECK_INT(dh_source_mark(s), DH_OK);
    CHECK_INT(dh_source_settle(s, &how, NULL, &r), DH_OK);
    CHECK(r.settled && !r.changed);
    CHECK_INT(r.waited_ns, 0);
    dh_source_destroy(s);
}

static void test_odd_sizes(void)
{
    static const int bad[][2] = { { 0, 1 }, { 1, 0 }, { 40000, 1 } };
    struct dh_synth_options o = options;
    struct dh_source *s;
    struct dh_frame *f;
    for (int i = 0; i < 3; i++) {
        o.width = bad[i][0];
        o.height = bad[i][1];
        CHECK_INT(dh_synth_create(&s, &o), DH_ERR_RANGE);
    }
    o.width = o.height = 1;
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    dh_frame_unref(f);
    dh_source_destroy(s);
}

DH_TESTS(DH_TEST(same_options_make_the_same_frames),
         DH_TEST(settle_returns_at_once), DH_TEST(odd_sizes));
