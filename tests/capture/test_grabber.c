#include "capture/grabber.h"

#include "base/clock.h"
#include "capture/frame.h"
#include "capture/synth.h"
#include "tests/dh_test.h"

struct setup {
    struct dh_source *source;
    struct dh_mailbox box;
    struct dh_grabber *grabber;
};

static void setup_init(struct setup *s, int n_frames, int fps)
{
    struct dh_synth_options o = {
        .width = 32, .height = 16, .n_frames = n_frames, .interval_ns = DH_MS
    };
    CHECK_INT(dh_synth_create(&s->source, &o), DH_OK);
    dh_mailbox_init(&s->box, dh_frame_unref_item);
    CHECK_INT(dh_grabber_create(&s->grabber, s->source, &s->box, fps), DH_OK);
}

static void setup_finish(struct setup *s)
{
    dh_grabber_destroy(s->grabber);
    dh_mailbox_close(&s->box);
    dh_mailbox_finish(&s->box);
    dh_source_destroy(s->source);
}

static enum dh_status take(struct setup *s, int wait_ms, uint64_t *serial)
{
    void *item;
    enum dh_status st =
        dh_mailbox_take(&s->box, dh_now_ns() + wait_ms * DH_MS, &item);
    if (!st) {
        *serial = ((struct dh_frame *)item)->serial;
        dh_frame_unref(item);
    }
    return st;
}

static void test_grabs_only_while_wanted(void)
{
    struct setup s;
    uint64_t serial = 0, later = 0;
    setup_init(&s, 0, 200);
    CHECK_INT(take(&s, 100, &serial), DH_ERR_TIMEOUT);
    dh_grabber_want(s.grabber, true);
    CHECK_INT(take(&s, 5000, &serial), DH_OK);
    CHECK_INT(serial, 1);
    CHECK_INT(take(&s, 5000, &serial), DH_OK);
    CHECK(serial > 1);
    dh_grabber_want(s.grabber, false);
    // One may have been under way.
    (void)take(&s, 50, &later);
    (void)take(&s, 50, &later);
    CHECK_INT(take(&s, 100, &later), DH_ERR_TIMEOUT);
    dh_grabber_request_stop(s.grabber);
    dh_grabber_request_stop(s.grabber);
    CHECK_INT(dh_grabber_join(s.grabber), DH_ERR_CANCELLED);
    setup_finish(&s);
}

static void test_rate_is_kept(void)
{
    struct setup s;
    uint64_t serial;
    setup_init(&s, 0, 20);
    dh_grabber_want(s.grabber, true);
    int64_t begun = dh_now_ns();
    for (int i = 0; i < 6; i++)
        CHECK_INT(take(&s, 5000, &serial), DH_OK);
    CHECK(dh_now_ns() - begun >= 5 * 50 * DH_MS - 5 * DH_MS);
    dh_grabber_request_stop(s.grabber);
    CHECK_INT(dh_grabber_join(s.grabber), DH_ERR_CANCELLED);
    setup_finish(&s);
}

/* A slow taker gets the newest; the others are counted and freed. */
static void test_newest_wins_and_the_end_closes_the_mailbox(void)
{
    struct setup s;
    uint64_t serial;
    setup_init(&s, 10, 1000);
    dh_grabber_want(s.grabber, true);
    CHECK_INT(dh_grabber_join(s.grabber), DH_ERR_CLOSED);
    CHECK_INT(dh_mailbox_skipped(&s.box), 9);
    CHECK_INT(take(&s, 0, &serial), DH_ERR_CLOSED);
    setup_finish(&s);
}

static void test_rates_out_of_range_are_refused(void)
{
    struct dh_grabber *g;
    CHECK_INT(dh_grabber_create(&g, NULL, NULL, 0), DH_ERR_RANGE);
    CHECK_INT(dh_grabber_create(&g, NULL, NULL, 1001), DH_ERR_RANGE);
}

DH_TESTS(DH_TEST(grabs_only_while_wanted), DH_TEST(rate_is_kept),
         DH_TEST(newest_wins_and_the_end_closes_the_mailbox),
         DH_TEST(rates_out_of_range_are_refused));
