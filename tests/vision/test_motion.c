#include "vision/motion.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "capture/frame.h"
#include "tests/dh_test.h"

enum { W = 400, H = 300 };

static struct dh_frame *blank(int w, int h)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, w, h), DH_OK);
    for (int y = 0; y < h; y++)
        memset(dh_frame_at(f, 0, y), 0xff, (size_t)w * 4);
    return f;
}

static void fill(struct dh_frame *f, struct dh_rect r, uint8_t v)
{
    r = dh_rect_intersect(r, (struct dh_rect){ 0, 0, f->width, f->height });
    for (int y = r.y; y < r.y + r.h; y++)
        memset(dh_frame_at(f, r.x, y), v, (size_t)r.w * 4);
}

// Lines of "text" of a long page, of which a view of `r` shows the part that
// begins at `sx`, `sy`. Each letter is a few dots that its place decides.
static void page(struct dh_frame *f, struct dh_rect r, int sx, int sy)
{
    for (int y = r.y; y < r.y + r.h; y++) {
        int py = y - r.y + sy;
        for (int x = r.x; x < r.x + r.w; x++) {
            int px = x - r.x + sx;
            struct dh_rng rng;
            dh_rng_init(&rng, (uint64_t)(py / 18 * 977 + px / 9));
            uint64_t dots = dh_rng_below(&rng, UINT64_C(1) << 48);
            bool ink = py % 18 < 12 && px % 9 < 7 && px / 9 % 7 != 6 &&
                       (dots >> (py % 18 / 2 * 4 + px % 9 / 2) & 1);
            memset(dh_frame_at(f, x, y), ink ? 0x20 : 0xff, 4);
        }
    }
}

static const struct dh_rect everything = { 0, 0, W, H };
static const struct dh_rect view = { 40, 30, 320, 250 };

// A window with a header, a side bar and a view.
static struct dh_frame *window(int sx, int sy)
{
    struct dh_frame *f = blank(W, H);
    page(f, (struct dh_rect){ 0, 0, W, 30 }, 5000, 90000);
    page(f, (struct dh_rect){ 0, 30, 40, H - 30 }, 7000, 50000);
    page(f, view, sx, sy);
    return f;
}

static void check_shift(int dx, int dy)
{
    struct dh_motion m = { 0 };
    struct dh_frame *a = window(900, 900), *b = window(900 - dx, 900 - dy);
    CHECK(dh_motion_find(a, b, everything, &m));
    CHECK_INT(m.by.x, dx);
    CHECK_INT(m.by.y, dy);
    // What moved is in the view, give or take a strip that reaches over.
    CHECK(m.area.x >= view.x - 32 && m.area.y >= view.y - 32);
    CHECK(m.area.w > 64 || m.area.h > 64);
    dh_frame_unref(a);
    dh_frame_unref(b);
}

static void test_a_view_that_scrolled_is_found(void)
{
    check_shift(0, -1);
    check_shift(0, -53);
    check_shift(0, 120);
    check_shift(0, -200);
    check_shift(-37, 0);
    check_shift(150, 0);
}

static void test_what_stands_still_has_not_moved(void)
{
    struct dh_motion m;
    struct dh_frame *a = window(0, 0), *b = window(0, 0);
    CHECK(!dh_motion_find(a, b, everything, &m));
    fill(b, (struct dh_rect){ 100, 100, 2, 16 }, 0);
    CHECK(!dh_motion_find(a, b, everything, &m));
    dh_frame_unref(a);
    dh_frame_unref(b);
}

static void test_a_caret_does_not_hide_a_scroll(void)
{
    struct dh_motion m = { 0 };
    struct dh_frame *a = window(0, 300), *b = window(0, 336);
    fill(a, (struct dh_rect){ 100, 100, 2, 16 }, 0);
    fill(b, (struct dh_rect){ 350, 30, 8, 250 }, 0x80);
    CHECK(dh_motion_find(a, b, everything, &m));
    CHECK_INT(m.by.y, -36);
    dh_frame_unref(a);
    dh_frame_unref(b);
}

static void test_another_page_is_no_scroll(void)
{
    struct dh_motion m;
    struct dh_frame *a = window(0, 0), *b = window(0, 100000);
    CHECK(!dh_motion_find(a, b, everything, &m));
    dh_frame_unref(a);
    dh_frame_unref(b);
}

// A pointer that goes down is no view that scrolls.
static void test_a_small_thing_that_moves_is_no_scroll(void)
{
    struct dh_motion m;
    struct dh_frame *a = blank(W, H), *b = blank(W, H);
    page(a, (struct dh_rect){ 96, 40, 32, 40 }, 0, 0);
    page(b, (struct dh_rect){ 96, 190, 32, 40 }, 0, 0);
    CHECK(!dh_motion_find(a, b, everything, &m));
    dh_frame_unref(a);
    dh_frame_unref(b);
}

static void test_only_the_region_is_looked_at(void)
{
    struct dh_motion m;
    struct dh_frame *a = window(0, 300), *b = window(0, 336);
    CHECK(!dh_motion_find(a, b, (struct dh_rect){ 0, 0, W, 28 }, &m));
    CHECK(dh_motion_find(a, b, (struct dh_rect){ 200, 100, 900, 900 }, &m));
    CHECK_INT(m.by.y, -36);
    dh_frame_unref(a);
    dh_frame_unref(b);
}

static void test_lines_that_are_all_alike_say_nothing(void)
{
    struct dh_motion m;
    struct dh_frame *a = blank(W, H), *b = blank(W, H);
    for (int y = 0; y < H; y += 20) {
        fill(a, (struct dh_rect){ 0, y, W, 3 }, 0);
        fill(b, (struct dh_rect){ 0, y + 7, W, 3 }, 0);
    }
    CHECK(!dh_motion_find(a, b, everything, &m));
    dh_frame_unref(a);
    dh_frame_unref(b);
}

static void test_odd_sizes_are_no_trouble(void)
{
    struct dh_motion m;
    struct dh_frame *a = blank(W, H), *b = blank(W, H - 1), *c = blank(1, 1);
    int total;
    CHECK(!dh_motion_find(a, b, everything, &m));
    CHECK(!dh_motion_find(c, c, everything, &m));
    CHECK(!dh_motion_find(a, a, (struct dh_rect){ -9, 900, 5, 5 }, &m));
    int n = dh_motion_changed(a, b, everything, &total);
    CHECK_INT(n, 25 * 19);
    CHECK_INT(total, n);
    CHECK_INT(dh_motion_changed(c, c, everything, &total), 0);
    CHECK_INT(total, 1);
    dh_frame_unref(a);
    dh_frame_unref(b);
    dh_frame_unref(c);
}

static void test_tiles_and_bounds_of_a_change(void)
{
    int total;
    struct dh_frame *a = window(0, 0), *b = window(0, 0);
    CHECK(dh_rect_is_empty(dh_motion_bounds(a, b, everything)));
    // The byte that is no colour says nothing.
    dh_frame_at(b, 7, 7)[3] ^= 0x55;
    CHECK(dh_rect_is_empty(dh_motion_bounds(a, b, everything)));
    CHECK_INT(dh_motion_changed(a, b, everything, &total), 0);
    dh_frame_at(b, 17, 33)[1] ^= 0x55;
    dh_frame_at(b, 60, 40)[2] ^= 0x55;
    struct dh_rect r = dh_motion_bounds(a, b, everything);
    CHECK_INT(r.x, 17);
    CHECK_INT(r.y, 33);
    CHECK_INT(r.w, 44);
    CHECK_INT(r.h, 8);
    CHECK_INT(dh_motion_changed(a, b, everything, &total), 2);
    CHECK_INT(total, 25 * 19);
    dh_frame_unref(a);
    dh_frame_unref(b);
}

DH_TESTS(DH_TEST(a_view_that_scrolled_is_found),
         DH_TEST(what_stands_still_has_not_moved),
         DH_TEST(a_caret_does_not_hide_a_scroll),
         DH_TEST(another_page_is_no_scroll),
         DH_TEST(a_small_thing_that_moves_is_no_scroll),
         DH_TEST(only_the_region_is_looked_at),
         DH_TEST(lines_that_are_all_alike_say_nothing),
         DH_TEST(odd_sizes_are_no_trouble),
         DH_TEST(tiles_and_bounds_of_a_change));
