#include "capture/cursor.h"

#include <string.h>

#include "capture/frame.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"

static struct dh_frame *grey_frame(void)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, 4, 3), DH_OK);
    memset(f->pixels, 0x80, f->stride * 3);
    return f;
}

static void test_alpha_is_premultiplied(void)
{
    // Clear, opaque, half white, and one whose colour exceeds its alpha.
    static const unsigned long argb[] = { 0x00000000, 0xff010203, 0x80808080,
                                          0x10ffffff };
    struct dh_cursor c = { 0, 1, 4, 1, argb, 0, NULL };
    struct dh_frame *f = grey_frame();
    dh_cursor_blend(&c, f);
    check_pixel(f, 0, 1, 0x808080);
    check_pixel(f, 1, 1, 0x010203);
    check_pixel(f, 2, 1, 0xc0c0c0);
    check_pixel(f, 3, 1, 0xffffff);
    check_pixel(f, 3, 0, 0x808080);
    check_pixel(f, 0, 2, 0x808080);
    dh_frame_unref(f);
}

static void test_parts_outside_are_left_out(void)
{
    static const unsigned long argb[4] = { 0xff0000aa, 0xff0000bb, 0xff0000cc,
                                           0xff0000dd };
    static const struct {
        int x, y, seen_x, seen_y;
        unsigned long rgb;
    } t[] = { { -1, -1, 0, 0, 0xdd },
              { 3, -1, 3, 0, 0xcc },
              { -1, 2, 0, 2, 0xbb },
              { 3, 2, 3, 2, 0xaa } };
    for (int i = 0; i < 4; i++) {
        struct dh_cursor c = { t[i].x, t[i].y, 2, 2, argb, 0, NULL };
        struct dh_frame *f = grey_frame();
        dh_cursor_blend(&c, f);
        check_pixel(f, t[i].seen_x, t[i].seen_y, t[i].rgb);
        check_pixel(f, 1, 1, 0x808080);
        dh_frame_unref(f);
    }
    struct dh_cursor far = { 2000000000, -2000000000, 2, 2, argb, 0, NULL };
    struct dh_frame *f = grey_frame();
    dh_cursor_blend(&far, f);
    dh_frame_unref(f);
}

DH_TESTS(DH_TEST(alpha_is_premultiplied), DH_TEST(parts_outside_are_left_out));
