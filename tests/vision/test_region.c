#include "vision/region.h"

#include <string.h>

#include "capture/frame.h"
#include "tests/dh_test.h"

#define GREY  0xd0d0d0u
#define WHITE 0xffffffu
#define BLACK 0x000000u

static struct dh_frame *blank(int w, int h, unsigned rgb)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, w, h), DH_OK);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            // What is in the fourth byte is nobody's business.
            memcpy(dh_frame_at(f, x, y),
                   &(uint32_t){ rgb | (unsigned)(x * 7 + y) << 24 }, 4);
    return f;
}

static void box(struct dh_frame *f, struct dh_rect r, unsigned rgb)
{
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            memcpy(dh_frame_at(f, x, y), &(uint32_t){ rgb }, 4);
}

// A button: a border, a ground, bars in place of letters.
static void button(struct dh_frame *f, int x, int y)
{
    box(f, (struct dh_rect){ x, y, 80, 30 }, BLACK);
    box(f, (struct dh_rect){ x + 1, y + 1, 78, 28 }, WHITE);
    for (int i = 0; i < 6; i++)
        box(f, (struct dh_rect){ x + 20 + 7 * i, y + 10, 3, 10 }, BLACK);
}

static void check_rect(struct dh_rect r, int x, int y, int w, int h)
{
    CHECK_INT(r.x, x);
    CHECK_INT(r.y, y);
    CHECK_INT(r.w, w);
    CHECK_INT(r.h, h);
}

static void test_the_ground_of_a_button_is_found_from_any_point_in_it(void)
{
    struct dh_frame *f = blank(800, 600, GREY);
    struct dh_rect r;
    button(f, 300, 200);
    dh_frame_publish(f);
    for (int y = 205; y < 225; y += 3)
        for (int x = 305; x < 375; x += 3) {
            CHECK(dh_region_around(f, (struct dh_point){ x, y }, &r));
            check_rect(r, 301, 201, 78, 28);
        }
    // The page around it is no thing.
    CHECK(!dh_region_around(f, (struct dh_point){ 100, 100 }, &r));
    dh_frame_unref(f);
}

static void test_corners_of_the_picture_are_no_trouble(void)
{
    struct dh_frame *f = blank(64, 48, WHITE);
    struct dh_rect r;
    dh_frame_publish(f);
    CHECK(dh_region_around(f, (struct dh_point){ 0, 0 }, &r));
    check_rect(r, 0, 0, 64, 48);
    CHECK(dh_region_around(f, (struct dh_point){ 63, 47 }, &r));
    dh_frame_unref(f);
    f = blank(1, 1, WHITE);
    dh_frame_publish(f);
    CHECK(!dh_region_around(f, (struct dh_point){ 0, 0 }, &r));
    CHECK_INT(dh_region_count(f, (struct dh_rect){ 0, 0, 1, 1 }, 9), 0);
    dh_frame_unref(f);
}

static void test_equal_things_are_counted(void)
{
    struct dh_frame *f = blank(800, 600, GREY);
    const struct dh_rect whole = { 296, 196, 88, 38 };
    button(f, 300, 200);
    CHECK_INT(dh_region_count(f, whole, 9), 1);
    button(f, 500, 300);
    CHECK_INT(dh_region_count(f, whole, 9), 2);
    // In the last corner, where it just fits, and one that is cut off.
    button(f, 716, 566);
    CHECK_INT(dh_region_count(f, whole, 9), 3);
    CHECK_INT(dh_region_count(f, whole, 2), 2);
    // One pixel makes it another thing.
    box(f, (struct dh_rect){ 530, 312, 1, 1 }, GREY);
    CHECK_INT(dh_region_count(f, whole, 9), 2);
    // Where nothing is, nothing can be told apart.
    CHECK_INT(dh_region_count(f, (struct dh_rect){ 10, 10, 50, 50 }, 9), 0);
    dh_frame_unref(f);
}

DH_TESTS(DH_TEST(the_ground_of_a_button_is_found_from_any_point_in_it),
         DH_TEST(corners_of_the_picture_are_no_trouble),
         DH_TEST(equal_things_are_counted));
