#include "capture/unrest_priv.h"

#include "base/clock.h"
#include "tests/dh_test.h"

static const struct dh_rect caret = { 100, 50, 10, 20 };

static void test_a_blinking_place_stops_counting(void)
{
    struct dh_unrest u = { 0 };
    dh_unrest_mark(&u, 0);
    for (int i = 1; i <= 10; i++)
        dh_unrest_note(&u, caret, i * 500 * DH_MS);
    CHECK_INT(u.since_ns, 1000 * DH_MS);
    CHECK(u.changed);

    // It is still known after a mark.
    dh_unrest_mark(&u, 5200 * DH_MS);
    dh_unrest_note(&u, caret, 5500 * DH_MS);
    CHECK_INT(u.since_ns, 5200 * DH_MS);
    CHECK(!u.changed);

    // And forgotten when it has been away.
    dh_unrest_note(&u, caret, 9000 * DH_MS);
    CHECK_INT(u.since_ns, 9000 * DH_MS);
    CHECK(u.changed);
}

static void test_parts_of_one_repaint_are_one_hit(void)
{
    struct dh_unrest u = { 0 };
    dh_unrest_mark(&u, 0);
    for (int i = 0; i < 8; i++)
        dh_unrest_note(&u, caret, 100 * DH_MS);
    dh_unrest_note(&u, caret, 150 * DH_MS);
    CHECK_INT(u.since_ns, 150 * DH_MS);
}

static void test_large_areas_always_count(void)
{
    struct dh_unrest u = { 0 };
    struct dh_rect big = { 0, 0, 65, 10 };
    for (int i = 1; i <= 20; i++) {
        dh_unrest_note(&u, big, i * 100 * DH_MS);
        CHECK_INT(u.since_ns, i * 100 * DH_MS);
    }
}

/* Typing paints small areas too, each beside the last. */
static void test_small_areas_that_wander_count(void)
{
    struct dh_unrest u = { 0 };
    for (int i = 1; i <= 50; i++) {
        struct dh_rect glyph = { 100 + 9 * i, 50, 9, 16 };
        dh_unrest_note(&u, glyph, i * 100 * DH_MS);
        CHECK_INT(u.since_ns, i * 100 * DH_MS);
    }
    CHECK_INT(u.damage.x, 109);
    CHECK_INT(u.damage.w, 50 * 9);
}

/* A picture that plays in small tiles is no caret. */
static void test_many_small_areas_in_turn_count(void)
{
    struct dh_unrest u = { 0 };
    for (int i = 1; i <= 100; i++) {
        struct dh_rect tile = { i % 10 * 100, 0, 64, 64 };
        dh_unrest_note(&u, tile, i * 10 * DH_MS);
        CHECK_INT(u.since_ns, i * 10 * DH_MS);
    }
}

DH_TESTS(DH_TEST(a_blinking_place_stops_counting),
         DH_TEST(parts_of_one_repaint_are_one_hit),
         DH_TEST(large_areas_always_count),
         DH_TEST(small_areas_that_wander_count),
         DH_TEST(many_small_areas_in_turn_count));
