#include "capture/veil.h"

#include "base/mem.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "capture/source.h"
#include "capture/synth.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"

#define GREY 0x808080

static struct dh_source *veil(void)
{
    struct dh_screen_options o = DH_SCREEN_DEFAULTS;
    struct dh_source *inner;
    o.cursor = false;
    CHECK_INT(dh_screen_create(&inner, &o), DH_OK);
    return dh_veil_create(inner);
}

static struct dh_frame *grab(struct dh_source *s)
{
    struct dh_frame *f;
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    return f;
}

static void test_what_is_covered_is_in_no_picture(void)
{
    Display *dpy = XOpenDisplay(NULL);
    struct dh_source *s = veil();
    const struct dh_rect box[] = { { 100, 50, 40, 30 }, { -10, -10, 20, 20 } };
    paint_all(dpy, 0xff0000);
    dh_veil_set(s, box, 2);
    struct dh_frame *f = grab(s);
    check_pixel(f, 99, 50, 0xff0000);
    check_pixel(f, 100, 50, GREY);
    check_pixel(f, 139, 79, GREY);
    check_pixel(f, 140, 79, 0xff0000);
    check_pixel(f, 139, 80, 0xff0000);
    check_pixel(f, 9, 9, GREY);
    check_pixel(f, 10, 10, 0xff0000);
    dh_frame_unref(f);
    // It stays so when the screen below changes, and goes with the veil.
    paint_all(dpy, 0x0000ff);
    f = grab(s);
    check_pixel(f, 120, 60, GREY);
    check_pixel(f, 200, 60, 0x0000ff);
    dh_frame_unref(f);
    dh_veil_set(s, NULL, 0);
    f = grab(s);
    check_pixel(f, 120, 60, 0x0000ff);
    dh_frame_unref(f);
    dh_source_destroy(s);
    XCloseDisplay(dpy);
}

static void test_a_still_screen_is_the_same_picture_again(void)
{
    struct dh_source *s = veil();
    const struct dh_rect box = { 10, 10, 5, 5 }, other = { 20, 10, 5, 5 };
    dh_veil_set(s, &box, 1);
    struct dh_frame *a = grab(s), *b;
    dh_veil_set(s, &box, 1);
    b = grab(s);
    // Where the server does not tell what changed each grab is a new one.
    if (a->serial == b->serial)
        CHECK(a == b);
    dh_frame_unref(b);
    dh_veil_set(s, &other, 1);
    b = grab(s);
    CHECK(a != b);
    check_pixel(b, 21, 11, GREY);
    dh_frame_unref(a);
    dh_frame_unref(b);
    dh_source_destroy(s);
}

static void test_more_boxes_than_it_keeps_are_all_covered(void)
{
    struct dh_rect box[DH_VEIL_MAX + 8];
    struct dh_source *s = veil();
    for (int i = 0; i < (int)DH_COUNTOF(box); i++)
        box[i] = (struct dh_rect){ 12 * i, 12 * i, 4, 4 };
    dh_veil_set(s, box, DH_COUNTOF(box));
    struct dh_frame *f = grab(s);
    for (int i = 0; i < (int)DH_COUNTOF(box); i++)
        check_pixel(f, 12 * i + 3, 12 * i + 3, GREY);
    dh_frame_unref(f);
    dh_source_destroy(s);
}

// Another end than a screen's is passed on.
static void test_the_end_of_a_source_is_passed_on(void)
{
    struct dh_synth_options o = { .width = 8, .height = 8, .n_frames = 1 };
    struct dh_source *inner;
    struct dh_frame *f;
    CHECK_INT(dh_synth_create(&inner, &o), DH_OK);
    struct dh_source *s = dh_veil_create(inner);
    const struct dh_rect all = { -5, -5, 100, 100 };
    dh_veil_set(s, &all, 1);
    f = grab(s);
    check_pixel(f, 7, 7, GREY);
    dh_frame_unref(f);
    CHECK_INT(dh_source_grab(s, &f), DH_ERR_CLOSED);
    dh_source_destroy(s);
}

DH_TESTS(DH_TEST(what_is_covered_is_in_no_picture),
         DH_TEST(a_still_screen_is_the_same_picture_again),
         DH_TEST(more_boxes_than_it_keeps_are_all_covered),
         DH_TEST(the_end_of_a_source_is_passed_on));
