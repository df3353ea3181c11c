#include "base/rng.h"
#include "tests/dh_test.h"

// The values of a second implementation, so that recorded seeds keep their
// meaning.
static void test_sequence_of_a_seed_is_fixed(void)
{
    struct dh_rng a, b, c;
    dh_rng_init(&a, 1);
    dh_rng_init(&b, 1);
    dh_rng_init(&c, 2);
    CHECK(dh_rng_next(&a) == UINT64_C(0xb3f2af6d0fc710c5));
    CHECK(dh_rng_next(&a) == UINT64_C(0x853b559647364cea));
    CHECK(dh_rng_next(&b) != dh_rng_next(&c));
    dh_rng_init(&a, 0);
    CHECK(a.s[0] == UINT64_C(0xe220a8397b1dcdaf));
}

static void test_unit_stays_inside_and_spreads(void)
{
    struct dh_rng r;
    dh_rng_init(&r, 7);
    double sum = 0, lo = 1, hi = 0;
    for (int i = 0; i < 100000; i++) {
        double v = dh_rng_unit(&r);
        CHECK(v >= 0 && v < 1);
        sum += v;
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
    }
    CHECK_NEAR(sum / 100000, 0.5, 0.005);
    CHECK(lo < 0.001 && hi > 0.999);
}

static void test_below_is_even_and_in_range(void)
{
    struct dh_rng r;
    dh_rng_init(&r, 3);
    int count[6] = { 0 };
    for (int i = 0; i < 60000; i++)
        count[dh_rng_below(&r, 6)]++;
    for (int i = 0; i < 6; i++)
        CHECK_NEAR(count[i], 10000, 400);
    CHECK_INT(dh_rng_below(&r, 1), 0);
    CHECK(dh_rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

DH_TESTS(DH_TEST(sequence_of_a_seed_is_fixed),
         DH_TEST(unit_stays_inside_and_spreads),
         DH_TEST(below_is_even_and_in_range));
