#include <limits.h>

#include "base/geom.h"
#include "base/mem.h"
#include "tests/dh_test.h"

static void check_rect(struct dh_rect got, struct dh_rect want)
{
    CHECK_INT(got.x, want.x);
    CHECK_INT(got.y, want.y);
    CHECK_INT(got.w, want.w);
    CHECK_INT(got.h, want.h);
}

static void test_edges_belong_as_said(void)
{
    struct dh_rect r = { 2, 3, 4, 5 };
    CHECK(dh_rect_has(r, (struct dh_point){ 2, 3 }));
    CHECK(dh_rect_has(r, (struct dh_point){ 5, 7 }));
    CHECK(!dh_rect_has(r, (struct dh_point){ 6, 7 }));
    CHECK(!dh_rect_has(r, (struct dh_point){ 5, 8 }));
    CHECK(!dh_rect_has(r, (struct dh_point){ 1, 3 }));
    CHECK(!dh_rect_has((struct dh_rect){ 2, 3, 0, 5 },
                       (struct dh_point){ 2, 3 }));
    CHECK(dh_rect_is_empty((struct dh_rect){ 2, 3, 4, -1 }));
    CHECK(!dh_rect_is_empty(r));
}

static void test_intersection_and_union(void)
{
    struct dh_rect a = { 0, 0, 10, 10 }, b = { 5, 6, 10, 10 };
    struct dh_rect far = { 50, 50, 1, 1 }, empty = { 100, 100, 0, 3 };
    check_rect(dh_rect_intersect(a, b), (struct dh_rect){ 5, 6, 5, 4 });
    check_rect(dh_rect_union(a, b), (struct dh_rect){ 0, 0, 15, 16 });
    CHECK(dh_rect_is_empty(dh_rect_intersect(a, far)));
    CHECK(dh_rect_is_empty(dh_rect_intersect(a, empty)));
    check_rect(dh_rect_union(a, empty), a);
    check_rect(dh_rect_union(empty, a), a);
    check_rect(dh_rect_union(a, far), (struct dh_rect){ 0, 0, 51, 51 });
    // Side by side they share no pixel.
    CHECK(dh_rect_is_empty(
        dh_rect_intersect(a, (struct dh_rect){ 10, 0, 5, 10 })));
}

static void test_far_corners_do_not_overflow(void)
{
    struct dh_rect all = { INT_MIN, INT_MIN, INT_MAX, INT_MAX };
    struct dh_rect end = { INT_MAX, INT_MAX, INT_MAX, INT_MAX };
    CHECK(dh_rect_has(end, (struct dh_point){ INT_MAX, INT_MAX }));
    check_rect(dh_rect_intersect(end, end), end);
    check_rect(dh_rect_union(all, end),
               (struct dh_rect){ INT_MIN, INT_MIN, INT_MAX, INT_MAX });
    CHECK(dh_rect_is_empty(dh_rect_intersect(all, end)));
}

static void test_a_size_is_read(void)
{
    static const char *const wrong[] = { "",     "7",       "x7",   "7x",
                                         "0x7",  "7x0",     "7x7 ", "7x7x7",
                                         "-1x7", "32768x1", "7*7" };
    struct dh_size s;
    CHECK(dh_size_parse("1024x768", &s));
    CHECK_INT(s.w, 1024);
    CHECK_INT(s.h, 768);
    for (size_t i = 0; i < DH_COUNTOF(wrong); i++)
        CHECK(!dh_size_parse(wrong[i], &s));
}

DH_TESTS(DH_TEST(a_size_is_read), DH_TEST(edges_belong_as_said),
         DH_TEST(intersection_and_union), DH_TEST(far_corners_do_not_overflow));
