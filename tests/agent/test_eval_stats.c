// The vectors of benchmarks.md 8.
#include "agent/eval_stats.h"

#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tests/dh_test.h"

static void test_wilson(void)
{
    static const struct {
        int k, n;
        double lo, hi;
    } c[] = { { 0, 10, 0, 0.277533 },
              { 7, 10, 0.396778, 0.892209 },
              { 10, 10, 0.722467, 1 },
              { 1, 39, 0.004541, 0.131810 },
              { 196, 361, 0.491366, 0.593602 },
              { 1125, 1272, 0.865696, 0.900857 },
              { 0, 0, 0, 1 } };
    for (size_t i = 0; i < DH_COUNTOF(c); i++) {
        struct dh_eval_range r = dh_eval_wilson(c[i].k, c[i].n);
        CHECK_NEAR(r.lo, c[i].lo, 1e-6);
        CHECK_NEAR(r.hi, c[i].hi, 1e-6);
    }
}

static void test_half_width(void)
{
    CHECK_NEAR(dh_eval_half_width(40), 0.15, 0.005);
    CHECK_NEAR(dh_eval_half_width(100), 0.096, 0.0005);
    CHECK_NEAR(dh_eval_half_width(361), 0.051, 0.0005);
    CHECK_NEAR(dh_eval_half_width(1581), 0.025, 0.0005);
}

static void test_pass(void)
{
    static const struct {
        int n, c, k;
        double at, all;
    } v[] = { { 5, 2, 1, 0.4, 0.4 },
              { 5, 2, 3, 0.9, 0 },
              { 10, 3, 5, 0.916667, 0 },
              { 5, 5, 5, 1, 1 },
              { 3, 0, 1, 0, 0 } };
    for (size_t i = 0; i < DH_COUNTOF(v); i++) {
        CHECK_NEAR(dh_eval_pass_at(v[i].n, v[i].c, v[i].k), v[i].at, 1e-6);
        CHECK_NEAR(dh_eval_pass_all(v[i].n, v[i].c, v[i].k), v[i].all, 1e-6);
    }
}

static void test_mcnemar(void)
{
    CHECK_NEAR(dh_eval_mcnemar(9, 2), 0.065430, 1e-6);
    CHECK_NEAR(dh_eval_mcnemar(1, 8), 0.039062, 1e-6);
    CHECK_NEAR(dh_eval_mcnemar(20, 6), 0.009355, 1e-6);
    CHECK_NEAR(dh_eval_mcnemar(5, 5), 1, 0);
    CHECK_NEAR(dh_eval_mcnemar(0, 0), 1, 0);
    // Too many for plain factorials.
    CHECK_NEAR(dh_eval_mcnemar(1000, 1000), 1, 0);
    CHECK(dh_eval_mcnemar(900, 100) < 1e-100);
}

static void test_quantiles(void)
{
    double v[] = { 4, 1, 3, 2 };
    dh_eval_sort(v, 4);
    CHECK_NEAR(dh_eval_quantile(v, 4, 0), 1, 0);
    CHECK_NEAR(dh_eval_quantile(v, 4, 0.5), 2.5, 1e-12);
    CHECK_NEAR(dh_eval_quantile(v, 4, 0.95), 3.85, 1e-12);
    CHECK_NEAR(dh_eval_quantile(v, 4, 1), 4, 0);
    CHECK_NEAR(dh_eval_quantile(v, 1, 0.95), 1, 0);
    CHECK_NEAR(dh_eval_quantile(NULL, 0, 0.5), 0, 0);
}

// Of 400 tosses the interval is about the normal one; where four tosses fall
// alike each time there are 100 of them, and it is twice as wide.
static void test_bootstrap(void)
{
    double sum[400], weight[400], four[100], of_four[100];
    for (int i = 0; i < 400; i++) {
        sum[i] = i % 2;
        weight[i] = 1;
    }
    for (int i = 0; i < 100; i++) {
        four[i] = 4 * (i % 2);
        of_four[i] = 4;
    }
    struct dh_eval_range one = dh_eval_bootstrap(sum, weight, 400, 1);
    struct dh_eval_range again = dh_eval_bootstrap(sum, weight, 400, 1);
    struct dh_eval_range wide = dh_eval_bootstrap(four, of_four, 100, 1);
    CHECK_NEAR(one.lo, 0.5 - 0.049, 0.005);
    CHECK_NEAR(one.hi, 0.5 + 0.049, 0.005);
    CHECK_NEAR(one.lo, again.lo, 0);
    CHECK_NEAR(wide.hi - wide.lo, 2 * (one.hi - one.lo), 0.015);
    one = dh_eval_bootstrap(sum, weight, 0, 1);
    CHECK_NEAR(one.lo + one.hi, 0, 0);
}

// Half a cell of 200 hits, all of one of 2: the small cell has no spread, and
// half of the other's is what is left.
static void test_cells_are_drawn_within(void)
{
    double value[202];
    static const int size[] = { 200, 2 };
    for (int i = 0; i < 202; i++)
        value[i] = i % 2 || i >= 200;
    struct dh_eval_range r = dh_eval_bootstrap_cells(value, size, 2, 1);
    struct dh_eval_range again = dh_eval_bootstrap_cells(value, size, 2, 1);
    CHECK(r.lo == again.lo && r.hi == again.hi);
    CHECK_NEAR(r.lo, 0.75 - 0.0346, 0.004);
    CHECK_NEAR(r.hi, 0.75 + 0.0346, 0.004);
    r = dh_eval_bootstrap_cells(value, size, 0, 1);
    CHECK(r.lo == 0 && r.hi == 0);
}

DH_TESTS(DH_TEST(wilson), DH_TEST(half_width), DH_TEST(pass), DH_TEST(mcnemar),
         DH_TEST(quantiles), DH_TEST(bootstrap),
         DH_TEST(cells_are_drawn_within));
