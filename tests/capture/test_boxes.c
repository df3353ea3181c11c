#include "capture/boxes_priv.h"

#include "base/rng.h"
#include "tests/dh_test.h"

static bool covered(const struct dh_boxes *b, struct dh_rect r)
{
    // A box is one of them or was swallowed as a whole.
    for (int i = 0; i < b->n; i++) {
        struct dh_rect both = dh_rect_intersect(b->r[i], r);
        if (both.w == r.w && both.h == r.h)
            return true;
    }
    return false;
}

static void test_all_that_was_added_is_covered(void)
{
    struct dh_rng rng;
    dh_rng_init(&rng, 7);
    for (int round = 0; round < 200; round++) {
        struct dh_boxes b = { 0 };
        struct dh_rect added[60];
        for (int i = 0; i < 60; i++) {
            added[i] = (struct dh_rect){ (int)dh_rng_below(&rng, 3000),
                                         (int)dh_rng_below(&rng, 2000),
                                         1 + (int)dh_rng_below(&rng, 300),
                                         1 + (int)dh_rng_below(&rng, 200) };
            dh_boxes_add(&b, added[i]);
        }
        for (int i = 0; i < 60; i++)
            CHECK(covered(&b, added[i]));
    }
}

static void test_neighbours_become_one_and_far_ones_do_not(void)
{
    struct dh_boxes b = { 0 };
    dh_boxes_add(&b, (struct dh_rect){ 0, 0, 10, 10 });
    dh_boxes_add(&b, (struct dh_rect){ 12, 0, 10, 10 });
    CHECK_INT(b.n, 1);
    CHECK_INT(b.r[0].w, 22);
    dh_boxes_add(&b, (struct dh_rect){ 1000, 1000, 10, 10 });
    CHECK_INT(b.n, 2);
    dh_boxes_add(&b, (struct dh_rect){ 5, 5, 0, 10 });
    CHECK_INT(b.n, 2);
    CHECK(dh_boxes_touch(&b, (struct dh_rect){ 1009, 1009, 5, 5 }));
    CHECK(!dh_boxes_touch(&b, (struct dh_rect){ 1010, 1009, 5, 5 }));
    CHECK_INT(dh_boxes_area(&b), 220 + 100);
    dh_boxes_clip(&b, (struct dh_rect){ 0, 0, 5, 5 });
    CHECK_INT(b.n, 1);
    CHECK_INT(dh_boxes_area(&b), 25);
}

DH_TESTS(DH_TEST(all_that_was_added_is_covered),
         DH_TEST(neighbours_become_one_and_far_ones_do_not));
