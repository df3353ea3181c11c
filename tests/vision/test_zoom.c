#include "vision/zoom.h"

#include <string.h>

#include "capture/frame.h"
#include "tests/dh_test.h"

static struct dh_frame *ramp(int w, int h)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, w, h), DH_OK);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            uint8_t *p = dh_frame_at(f, x, y);
            p[0] = (uint8_t)(6 * x);
            p[1] = (uint8_t)(6 * y);
            p[2] = (uint8_t)(x ^ y);
        }
    }
    f->screen = (struct dh_rect){ 1000, -20, w, h };
    f->serial = 7;
    return f;
}

static void test_a_large_part_keeps_its_pixels(void)
{
    struct dh_frame *f = ramp(40, 30), *z;
    struct dh_rect area = { 1005, -10, 30, 18 };
    CHECK_INT(dh_zoom_frame(f, area, &z), DH_OK);
    CHECK_INT(z->width, 30);
    CHECK_INT(z->height, 18);
    for (int y = 0; y < 18; y++)
        for (int x = 0; x < 30; x++)
            CHECK_MEM(dh_frame_at(z, x, y), dh_frame_at(f, x + 5, y + 10), 3);
    CHECK_INT(z->screen.x, 1005);
    CHECK_INT(z->screen.y, -10);
    CHECK_INT(z->serial, 7);
    dh_frame_unref(z);
    dh_frame_unref(f);
}

static void check_factor(struct dh_rect area, int factor)
{
    struct dh_frame *f = ramp(40, 30), *z;
    CHECK_INT(dh_zoom_frame(f, area, &z), DH_OK);
    CHECK_INT(z->width, area.w * factor);
    CHECK_INT(z->height, area.h * factor);
    // A ramp stays one; the ends are those of the part.
    for (int x = 1; x < z->width; x++)
        CHECK(dh_frame_at(z, x, 0)[0] >= dh_frame_at(z, x - 1, 0)[0]);
    for (int y = 1; y < z->height; y++)
        CHECK(dh_frame_at(z, 0, y)[1] >= dh_frame_at(z, 0, y - 1)[1]);
    CHECK_INT(dh_frame_at(z, 0, 0)[0], 6 * (area.x - 1000));
    CHECK_INT(dh_frame_at(z, z->width - 1, 0)[0],
              6 * (area.x + area.w - 1 - 1000));
    CHECK_INT(dh_frame_at(z, 0, z->height - 1)[1],
              6 * (area.y + area.h - 1 + 20));
    dh_frame_unref(z);
    dh_frame_unref(f);
}

static void test_a_small_part_is_enlarged(void)
{
    check_factor((struct dh_rect){ 1005, -10, 20, 15 }, 2);
    check_factor((struct dh_rect){ 1005, -10, 10, 10 }, 3);
    check_factor((struct dh_rect){ 1039, 9, 1, 1 }, 3);
    check_factor((struct dh_rect){ 1000, -20, 40, 2 }, 1);
}

static void test_the_middle_of_an_enlarged_pixel_is_the_pixel(void)
{
    struct dh_frame *f = ramp(40, 30), *z;
    struct dh_rect area = { 1005, -10, 10, 10 };
    CHECK_INT(dh_zoom_frame(f, area, &z), DH_OK);
    for (int i = 0; i < 10; i++)
        CHECK_MEM(dh_frame_at(z, 3 * i + 1, 3 * i + 1),
                  dh_frame_at(f, 5 + i, 10 + i), 3);
    dh_frame_unref(z);
    dh_frame_unref(f);
}

static void test_what_lies_outside_is_cut(void)
{
    struct dh_frame *f = ramp(40, 30), *z;
    struct dh_rect area = { 900, -900, 110, 890 }, none = { 0, 0, 50, 50 };
    CHECK_INT(dh_zoom_frame(f, area, &z), DH_OK);
    CHECK_INT(z->screen.x, 1000);
    CHECK_INT(z->screen.y, -20);
    CHECK_INT(z->screen.w, 10);
    CHECK_INT(z->screen.h, 10);
    dh_frame_unref(z);
    CHECK_INT(dh_zoom_frame(f, none, &z), DH_ERR_RANGE);
    CHECK_INT(dh_zoom_frame(f, (struct dh_rect){ 0 }, &z), DH_ERR_RANGE);
    dh_frame_unref(f);
}

DH_TESTS(DH_TEST(a_large_part_keeps_its_pixels),
         DH_TEST(a_small_part_is_enlarged),
         DH_TEST(the_middle_of_an_enlarged_pixel_is_the_pixel),
         DH_TEST(what_lies_outside_is_cut));
