#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/session.h"
#include "tests/dh_test.h"

#define V 70

static float scratch[V];

static void flat(float *x, float v)
{
    for (int i = 0; i < V; i++)
        x[i] = v;
}

static void test_greedy_takes_the_lowest_best(void)
{
    struct dh_sampling greedy = { 0 };
    float x[V];
    flat(x, -1);
    x[13] = x[66] = 4;
    CHECK_INT(dh_sample(x, V, NULL, &greedy, NULL, scratch), 13);
    x[3] = NAN;
    x[5] = INFINITY;
    CHECK_INT(dh_sample(x, V, NULL, &greedy, NULL, scratch), 13);
    uint64_t allowed[2] = { 0, 1u << 2 | 1u << 1 };
    CHECK_INT(dh_sample(x, V, allowed, &greedy, NULL, scratch), 66);
    uint64_t none[2] = { 0, 0 };
    CHECK_INT(dh_sample(x, V, none, &greedy, NULL, scratch), -1);
    flat(x, NAN);
    CHECK_INT(dh_sample(x, V, NULL, &greedy, NULL, scratch), -1);
    CHECK_NEAR(x[0] != x[0], 1, 0); // the logits are only read
}

// How often each id comes in n draws.
static void draw(const float *x, const struct dh_sampling *how, int n,
                 int count[V])
{
    struct dh_rng rng;
    dh_rng_init(&rng, 11);
    for (int i = 0; i < V; i++)
        count[i] = 0;
    for (int i = 0; i < n; i++) {
        int id = dh_sample(x, V, NULL, how, &rng, scratch);
        CHECK(id >= 0 && id < V);
        count[id]++;
    }
}

static void test_draws_follow_the_softmax(void)
{
    struct dh_sampling how = { .temperature = 2 };
    float x[V];
    int count[V];
    flat(x, -INFINITY);
    x[0] = 0;
    x[10] = 2 * logf(2);
    x[69] = 2 * logf(5);
    draw(x, &how, 8000, count);
    CHECK_NEAR(count[0], 1000, 120);
    CHECK_NEAR(count[10], 2000, 160);
    CHECK_NEAR(count[69], 5000, 200);
}

static void test_top_k_keeps_ties(void)
{
    struct dh_sampling how = { .temperature = 1, .top_k = 2 };
    float x[V];
    int count[V];
    flat(x, 0);
    x[1] = 3;
    x[2] = x[3] = 2;
    x[4] = 1.999f;
    draw(x, &how, 3000, count);
    CHECK(count[1] > 0 && count[2] > 0 && count[3] > 0);
    CHECK_INT(count[1] + count[2] + count[3], 3000);
}

/* The prefix of rising probabilities whose sum is at most 1 - p goes. */
static void test_top_p_drops_the_tail(void)
{
    struct dh_sampling how = { .temperature = 1, .top_p = 0.75f };
    float x[V];
    int count[V];
    flat(x, -INFINITY);
    x[5] = logf(0.5f);
    x[6] = logf(0.3f);
    x[7] = logf(0.15f);
    x[8] = logf(0.05f);
    draw(x, &how, 3000, count);
    CHECK_INT(count[5] + count[6], 3000);
    CHECK_NEAR(count[5], 1875, 150);
    how.top_p = 0.1f;
    draw(x, &how, 100, count);
    CHECK_INT(count[5], 100);
    how.top_p = 1;
    draw(x, &how, 3000, count);
    CHECK(count[8] > 0);
}

/* Temperatures so small that the scores overflow are greedy. */
static void test_tiny_temperature(void)
{
    struct dh_sampling how = { .temperature = 1e-38f };
    float x[V];
    int count[V];
    flat(x, 1);
    x[9] = 30;
    draw(x, &how, 50, count);
    CHECK_INT(count[9], 50);
}

static void test_same_seed_same_draws(void)
{
    struct dh_sampling how = { .temperature = 1, .top_p = 0.9f, .top_k = 20 };
    float x[V];
    struct dh_rng a, b;
    for (int i = 0; i < V; i++)
        x[i] = (float)(i * 37 % 11);
    dh_rng_init(&a, 5);
    dh_rng_init(&b, 5);
    for (int i = 0; i < 200; i++)
        CHECK_INT(dh_sample(x, V, NULL, &how, &a, scratch),
                  dh_sample(x, V, NULL, &how, &b, scratch));
}

DH_TESTS(DH_TEST(greedy_takes_the_lowest_best),
         DH_TEST(draws_follow_the_softmax), DH_TEST(top_k_keeps_ties),
         DH_TEST(top_p_drops_the_tail), DH_TEST(tiny_temperature),
         DH_TEST(same_seed_same_draws));
