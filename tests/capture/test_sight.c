/* Only what has changed is fetched, and the picture is right all the same. */
#include <string.h>

#include <X11/Xlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "capture/screen_priv.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"

static struct dh_source *screen_with(bool damage, bool cursor,
                                     const char *region)
{
    struct dh_screen_options o = {
        .shm = true, .damage = damage, .cursor = cursor, .region = region
    };
    struct dh_source *s;
    CHECK_INT(dh_screen_create(&s, &o), DH_OK);
    return s;
}

static struct dh_frame *grab(struct dh_source *s)
{
    struct dh_frame *f;
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    return f;
}

static Display *painter_or_skip(void)
{
    struct dh_screen_info info;
    CHECK_INT(dh_screen_probe(NULL, &info), DH_OK);
    if (!info.shm_works)
        dh_test_skip("the server does not share memory");
    Display *dpy = XOpenDisplay(NULL);
    CHECK(dpy);
    return dpy;
}

static void test_an_unchanged_screen_is_the_same_frame(void)
{
    Display *painter = painter_or_skip();
    paint_all(painter, 0x102030);
    struct dh_source *s = screen_with(true, true, NULL);
    struct dh_frame *a = grab(s);
    uint64_t fetched = dh_screen_fetched(s);
    for (int i = 0; i < 5; i++) {
        struct dh_frame *b = grab(s);
        CHECK(a == b);
        dh_frame_unref(b);
    }
    CHECK_INT(dh_screen_fetched(s), fetched);
    CHECK_INT(a->serial, 1);
    dh_frame_unref(a);
    dh_source_destroy(s);
    XCloseDisplay(painter);
}

static void test_only_what_changed_is_fetched(void)
{
    Display *painter = painter_or_skip();
    paint_all(painter, 0x102030);
    struct dh_source *s = screen_with(true, false, NULL);
    // Both places that frames alternate between are filled once.
    dh_frame_unref(grab(s));
    paint(painter, 0, 0, 1, 1, 1);
    dh_frame_unref(grab(s));
    uint64_t before = dh_screen_fetched(s);
    for (unsigned i = 1; i <= 10; i++) {
        paint(painter, 50 * (int)i, 40 * (int)i, 200, 200, i);
        struct dh_frame *f = grab(s);
        CHECK_INT(f->serial, 2 + i);
        check_pixel(f, 50 * (int)i + 199, 40 * (int)i + 199, i);
        check_pixel(f, 50 * (int)i, 40 * (int)i, i);
        dh_frame_unref(f);
    }
    // A box of the last frame that touches the new one is fetched with it.
    CHECK(dh_screen_fetched(s) - before >= 10 * 200 * 200);
    CHECK(dh_screen_fetched(s) - before <= 10 * 300 * 300);
    dh_source_destroy(s);
    XCloseDisplay(painter);
}

static void change_something(Display *painter, struct dh_rng *rng)
{
    int n = (int)dh_rng_below(rng, 4);
    for (int i = 0; i < n; i++)
        paint(painter, (int)dh_rng_below(rng, 1000),
              (int)dh_rng_below(rng, 700), 1 + (int)dh_rng_below(rng, 150),
              1 + (int)dh_rng_below(rng, 150), dh_rng_below(rng, 0x1000000));
    if (dh_rng_below(rng, 4) == 0)
        paint_all(painter, dh_rng_below(rng, 0x1000000));
    if (dh_rng_below(rng, 2))
        XWarpPointer(painter, None, DefaultRootWindow(painter), 0, 0, 0, 0,
                     (int)dh_rng_below(rng, 1000), (int)dh_rng_below(rng, 700));
    if (dh_rng_below(rng, 3) == 0)
        XCopyArea(painter, DefaultRootWindow(painter),
                  DefaultRootWindow(painter), DefaultGC(painter, 0), 10, 10,
                  300, 300, 30, 50);
    XSync(painter, False);
}

/* Hold some frames, let go of others, and look at all of them in the end. */
static void check_against_whole(bool cursor, const char *region)
{
    enum { HELD = 12 };
    Display *painter = painter_or_skip();
    struct dh_source *parts = screen_with(true, cursor, region);
    struct dh_source *whole = screen_with(false, cursor, region);
    struct dh_frame *held[HELD] = { 0 };
    uint64_t hash[HELD] = { 0 };
    struct dh_rng rng;
    dh_rng_init(&rng, 11);
    for (int i = 0; i < 150; i++) {
        change_something(painter, &rng);
        struct dh_frame *a = grab(parts), *b = grab(whole);
        CHECK_INT(dh_frame_hash(a), dh_frame_hash(b));
        int k = (int)dh_rng_below(&rng, HELD);
        if (i < 75) {
            dh_frame_unref(held[k]);
            held[k] = dh_frame_ref(a);
            hash[k] = dh_frame_hash(b);
        }
        dh_frame_unref(a);
        dh_frame_unref(b);
    }
    dh_source_destroy(parts);
    dh_source_destroy(whole);
    for (int k = 0; k < HELD; k++) {
        if (held[k])
            CHECK_INT(dh_frame_hash(held[k]), hash[k]);
        dh_frame_unref(held[k]);
    }
    XCloseDisplay(painter);
}

static void test_parts_make_the_same_picture_as_the_whole(void)
{
    check_against_whole(false, NULL);
}

static void test_so_they_do_with_the_pointer(void)
{
    check_against_whole(true, NULL);
}

static void test_so_they_do_in_a_region_of_odd_size(void)
{
    check_against_whole(true, "333x277+101+53");
}

DH_TESTS(DH_TEST(an_unchanged_screen_is_the_same_frame),
         DH_TEST(only_what_changed_is_fetched),
         DH_TEST(parts_make_the_same_picture_as_the_whole),
         DH_TEST(so_they_do_with_the_pointer),
         DH_TEST(so_they_do_in_a_region_of_odd_size));
