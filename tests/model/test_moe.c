#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/layer_priv.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* The bias decides who is chosen, the plain scores how much each counts. */
static void test_bias_only_chooses(void)
{
    float logits[4] = { 2, 1, 0, -1 }, bias[4] = { 0, 0, 5, 0 };
    int32_t experts[2];
    float shares[2];
    dh_moe_pick(logits, bias, 4, 2, experts, shares);
    CHECK_INT(experts[0], 0);
    CHECK_INT(experts[1], 2);
    double sum = sigmoid(2) + sigmoid(0);
    CHECK_NEAR((double)shares[0], sigmoid(2) / sum, 1e-6);
    CHECK_NEAR((double)shares[1], sigmoid(0) / sum, 1e-6);
}

static void test_ties_go_to_the_lower(void)
{
    float logits[6] = { 0, 1, 1, 1, 0, 1 }, bias[6] = { 0 };
    int32_t experts[3];
    float shares[3];
    dh_moe_pick(logits, bias, 6, 3, experts, shares);
    const int32_t want[3] = { 1, 2, 3 };
    CHECK_MEM(experts, want, sizeof(want));
    for (int i = 0; i < 3; i++)
        CHECK_NEAR((double)shares[i], 1.0 / 3, 1e-6);
}

/* All of them, in order; scores that vanish do not divide by zero; a NaN does
 * not break the choice. */
static void test_odd_logits(void)
{
    float bias[3] = { 0, 1, 2 }, shares[3];
    float all[3] = { 3, 2, 1 }, tiny[3] = { -200, -200, -200 };
    float none[3] = { NAN, 1, NAN };
    int32_t experts[3];
    dh_moe_pick(all, bias, 3, 3, experts, shares);
    for (int i = 0; i < 3; i++)
        CHECK_INT(experts[i], i);
    CHECK_NEAR((double)(shares[0] + shares[1] + shares[2]), 1, 1e-6);
    dh_moe_pick(tiny, bias, 3, 2, experts, shares);
    CHECK_INT(experts[0], 1);
    CHECK_INT(experts[1], 2);
    CHECK(isfinite(shares[0]) && isfinite(shares[1]));
    dh_moe_pick(none, bias, 3, 2, experts, shares);
    for (int i = 0; i < 2; i++)
        CHECK(experts[i] >= 0 && experts[i] < 3);
    CHECK(experts[0] != experts[1]);
}

struct seen {
    int calls, wrong;
    double sum;
};

static void check_experts(void *user, int layer, size_t position,
                          const int32_t *experts, const float *shares, int n)
{
    struct seen *s = user;
    (void)position;
    s->calls++;
    s->wrong += layer < 2 || n != 2 || experts[0] >= experts[1] ||
                fabsf(shares[0] + shares[1] - 1) > 1e-6f;
}

static void test_every_token_has_its_experts(void)
{
    struct dh_tiny t;
    int32_t ids[50];
    struct seen seen = { 0 };
    struct dh_probe probe = { .user = &seen, .experts = check_experts };
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .chunk = 9 });
    dh_session_set_probe(t.session, &probe);
    dh_tiny_ids(1, ids, 50);
    CHECK_INT(dh_session_feed(t.session, ids, 50, NULL, 0), DH_OK);
    CHECK_INT(seen.calls, 50 * 4);
    CHECK_INT(seen.wrong, 0);
    dh_tiny_close(&t);
}

DH_TESTS(DH_TEST(bias_only_chooses), DH_TEST(ties_go_to_the_lower),
         DH_TEST(odd_logits), DH_TEST(every_token_has_its_experts));
