#include "model/draft.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/session.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

static int guess(struct dh_draft *d, const int32_t *ids, size_t n, int max,
                 int32_t *out)
{
    // The last two are what a pass feeds.
    struct dh_draft_from f = { ids, n - 2, ids + n - 2, 2, 0 };
    return dh_draft_guess(d, &f, max, out);
}

/* What followed on the longest of what was the same, the latest of equals. */
static void test_what_followed_before_is_guessed(void)
{
    static const int32_t text[] = { 1, 2, 3, 4, 5, 9, 2, 3, 4, 6,
                                    9, 3, 4, 7, 8, 9, 1, 2, 3, 4 };
    static const int32_t again[] = { 3, 4, 5, 8, 3, 4, 6, 7, 3, 4 };
    static const int32_t loop[] = { 5, 6, 5, 6, 5, 6 };
    static const int32_t none[] = { 1, 2, 3, 4, 5, 4 };
    struct dh_tiny t;
    struct dh_draft d;
    int32_t out[DH_DRAFT_MAX];
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    dh_draft_init(&d, t.model, DH_DRAFT_MAX);
    for (int i = 0; i < DH_DRAFT_KINDS; i++)
        d.right[i] = 0.99f;
    int n = guess(&d, text, DH_COUNTOF(text), DH_DRAFT_MAX, out);
    CHECK(n >= 2);
    CHECK_MEM(out, text + 4, (size_t)n * sizeof *out);
    CHECK_INT(guess(&d, text, DH_COUNTOF(text), 1, out), 1);
    CHECK_INT(guess(&d, text, DH_COUNTOF(text), 0, out), 0);
    CHECK_INT(guess(&d, text, DH_COUNTOF(text), -3, out), 0);
    CHECK(guess(&d, again, DH_COUNTOF(again), DH_DRAFT_MAX, out) >= 1);
    CHECK_INT(out[0], 6);
    // No more than there is behind it.
    CHECK_INT(guess(&d, loop, DH_COUNTOF(loop), DH_DRAFT_MAX, out), 2);
    CHECK_INT(out[0], 5);
    CHECK_INT(out[1], 6);
    CHECK_INT(guess(&d, none, DH_COUNTOF(none), DH_DRAFT_MAX, out), 0);
    dh_draft_init(&d, t.model, 0);
    CHECK_INT(guess(&d, text, DH_COUNTOF(text), DH_DRAFT_MAX, out), 0);
    dh_tiny_close(&t);
}

// A text in which the same two words come again and again; whether what follows
// on them does is a matter of luck. Costs of its passes with guesses, in parts
// of those without.
static double cost_of(struct dh_draft *d, double luck, uint64_t seed)
{
    static const int32_t text[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2 };
    struct dh_rng rng;
    double cost = 0, tokens = 0;
    dh_rng_init(&rng, seed);
    while (tokens < 5000) {
        int32_t out[DH_DRAFT_MAX];
        struct dh_draft_from f = { text, DH_COUNTOF(text) - 1, text + 12, 1,
                                   0 };
        int n = dh_draft_guess(d, &f, DH_DRAFT_MAX, out), right = 0;
        cost += (double)d->cost[1 + n];
        while (right < n && dh_rng_unit(&rng) < luck)
            right++;
        if (n)
            dh_draft_learn(d, right, right < n);
        tokens += right + 1;
    }
    return cost / tokens / (double)d->cost[1];
}

/* A model whose guesses are never right loses a percent or two; one whose are
 * always right wins; and what was learned is unlearned. */
static void test_guesses_end_where_they_do_not_pay(void)
{
    struct dh_tiny t;
    struct dh_draft d;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    dh_draft_init(&d, t.model, DH_DRAFT_MAX);
    for (int i = 0; i <= 10; i++) {
        double luck = (double)(i < 10 ? i : 0) / 10;
        double cost = cost_of(&d, luck, (uint64_t)i);
        printf("%.0f %% right: %.3f of the cost\n", luck * 100, cost);
        CHECK(cost < 1.03);
        CHECK(luck < 0.85 || cost < 0.9);
    }
    dh_tiny_close(&t);
}

/* Logits behind a guess are those of the tokens fed one by one, in one pass or
 * cut, and so are those after it was rewound. */
static void test_logits_of_a_guess_are_exact(void)
{
    enum { N = 70, MORE = 9 };
    static const int chunks[] = { 0, 5, 6, 9 };
    int32_t ids[N + MORE];
    struct dh_tiny t;
    float *want;
    dh_tiny_ids(3, ids, N + MORE);
    dh_tiny_open(&t,
                 &(struct dh_tiny_spec){ .dtype = DH_BF16, .kernels = "auto" });
    size_t vocab = (size_t)t.vocab;
    dh_array(want, MORE * vocab);
    CHECK_INT(dh_session_feed_text(t.session, ids, N), DH_OK);
    for (int i = 0; i < MORE; i++) {
        CHECK_INT(dh_session_feed_text(t.session, ids + N + i, 1), DH_OK);
        memcpy(want + (size_t)i * vocab, dh_session_logits(t.session),
               vocab * sizeof *want);
    }
    for (size_t c = 0; c < DH_COUNTOF(chunks); c++) {
        dh_tiny_restart(&t, chunks[c], 0);
        CHECK_INT(dh_session_feed_text(t.session, ids, N), DH_OK);
        CHECK_INT(dh_session_feed_guess(t.session, ids + N, MORE - 1, 4),
                  DH_OK);
        for (int i = 0; i <= 4; i++)
            CHECK_MEM(dh_session_logits_at(t.session, i),
                      want + (size_t)(MORE - 6 + i) * vocab,
                      vocab * sizeof *want);
        CHECK(dh_session_logits(t.session) ==
              dh_session_logits_at(t.session, 4));
        CHECK_INT(dh_session_len(t.session), N + MORE - 1);
        CHECK_MEM(dh_session_ids(t.session), ids, (N + MORE - 1) * sizeof *ids);
        dh_session_rewind(t.session, N + MORE - 3);
        CHECK_INT(dh_session_feed_guess(t.session, ids + N + MORE - 3, 2, 0),
                  DH_OK);
        CHECK_INT(dh_session_feed_text(t.session, ids + N + MORE - 1, 1),
                  DH_OK);
        CHECK_MEM(dh_session_logits(t.session), want + (MORE - 1) * vocab,
                  vocab * sizeof *want);
    }
    dh_free(want);
    dh_tiny_close(&t);
}

DH_TESTS(DH_TEST(what_followed_before_is_guessed),
         DH_TEST(guesses_end_where_they_do_not_pay),
         DH_TEST(logits_of_a_guess_are_exact));
