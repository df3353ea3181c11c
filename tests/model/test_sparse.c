#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/layer_priv.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"
#include "tests/model/twin.h"

struct pick_case {
    const char *what;
    float scores[6];
    int n, own, local, topk;
    int32_t want[6];
};

static const struct pick_case cases[] = {
    { "the best three and the own",
      { 5, 1, 4, 3, 2 },
      5,
      4,
      1,
      3,
      { 0, 2, 4 } },
    { "ties go to the lower", { 1, 2, 2, 2, 0 }, 5, 4, 1, 3, { 1, 2, 4 } },
    { "all equal", { 3, 3, 3, 3, 3 }, 5, 4, 1, 2, { 0, 4 } },
    { "two local ones", { 9, 8, 7, 1, 2 }, 5, 4, 2, 3, { 0, 3, 4 } },
    { "local at the start", { 1, 2 }, 1, 0, 3, 3, { 0, -1, -1 } },
    { "nothing is dropped", { -1, -2, -3 }, 3, 2, 1, 4, { 0, 1, 2, -1 } },
    { "-inf is", { -INFINITY, -2, -3 }, 3, 2, 1, 4, { 1, 2, -1, -1 } },
    { "so is NaN", { NAN, 1, NAN, 5 }, 4, 3, 1, 3, { 1, 3, -1 } },
    { "only the own", { 9, 8, 7 }, 3, 2, 1, 1, { 2 } },
    { "local fills all", { 9, 8, 7, 6 }, 4, 3, 2, 2, { 2, 3 } },
};

// In two parts, as if more blocks were known later.
static void pick(const float *scores, int n, int own, int local, int topk,
                 int32_t *out)
{
    float kept[64];
    struct dh_sparse_best best = {
        .scores = kept, .blocks = out, .topk = topk, .own = own, .local = local
    };
    dh_sparse_offer(&best, scores, 0, n / 2);
    dh_sparse_offer(&best, scores + n / 2, n / 2, n - n / 2);
    dh_sparse_close(&best);
}

static void test_picks(void)
{
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        struct pick_case c = cases[i];
        int32_t got[6];
        pick(c.scores, c.n, c.own, c.local, c.topk, got);
        CHECK_MEM(got, c.want, (size_t)c.topk * sizeof(*got));
    }
}

/* Any block is either kept or no better than all that are. */
static void test_picks_of_noise(void)
{
    struct dh_rng rng;
    dh_rng_init(&rng, 3);
    for (int round = 0; round < 300; round++) {
        float s[50], was[50];
        int32_t got[50];
        int n = 1 + (int)dh_rng_below(&rng, 50);
        int topk = 1 + (int)dh_rng_below(&rng, 16);
        for (int i = 0; i < n; i++)
            was[i] = s[i] = (float)dh_rng_below(&rng, 12);
        was[n - 1] = INFINITY;
        pick(s, n, n - 1, 1, topk, got);
        int kept = topk < n ? topk : n;
        for (int i = 0; i < topk; i++)
            CHECK(i < kept ? got[i] >= 0 : got[i] == -1);
        for (int b = 0; b < n; b++) {
            int better = 0;
            bool is_kept = false;
            for (int o = 0; o < n; o++)
                better += was[o] > was[b] || (was[o] >= was[b] && o < b);
            for (int i = 0; i < kept; i++) {
                is_kept |= got[i] == b;
                CHECK(i == 0 || got[i] > got[i - 1]);
            }
            CHECK_INT(is_kept, better < topk);
        }
    }
}

static void hold_panels(int size)
{
    struct dh_text_config t = { .index_block_size = size };
    for (int b = 0; b * size < 1000; b++) {
        struct dh_attend_panel panels[16];
        int n = dh_sparse_panels(&t, b, panels);
        CHECK(n <= size / DH_PANEL + 2);
        for (int key = 0; key < 1200; key++) {
            bool got = false;
            for (int i = 0; i < n; i++) {
                CHECK(i == 0 || panels[i].panel > panels[i - 1].panel);
                got |= panels[i].panel == key / DH_PANEL &&
                       panels[i].mask >> (key % DH_PANEL) & 1;
            }
            CHECK_INT(got, key / size == b);
        }
    }
}

static void test_blocks_become_panels(void)
{
    static const int sizes[] = { 1, 4, 5, 32, 40, 128, 300 };
    for (size_t i = 0; i < DH_COUNTOF(sizes); i++)
        hold_panels(sizes[i]);
}

/* Every choice is in the list of its block, once, the tokens rising. */
static void test_choices_become_lists(void)
{
    enum { N = 20, HEADS = 2, TOPK = 3, BLOCKS = 9, SIZE = 4, FROM = 16 };
    struct dh_model m = { 0 };
    int32_t blocks[N * HEADS * TOPK], starts[2 * (BLOCKS + 2)];
    int32_t who[2 * N * TOPK];
    struct dh_work w = { .model = &m,
                         .blocks = blocks,
                         .from = FROM,
                         .n = N,
                         .chunk = N,
                         .max_blocks = BLOCKS,
                         .starts = starts,
                         .who = who };
    struct dh_rng rng;
    m.config.text.index_n_heads = HEADS;
    m.config.text.index_block_size = SIZE;
    m.config.text.index_topk_blocks = TOPK;
    dh_rng_init(&rng, 5);
    for (int i = 0; i < N * HEADS; i++) {
        int own = (FROM + i / HEADS) / SIZE, first = (int)dh_rng_below(&rng, 2);
        int32_t list[TOPK] = { first, 2 + (int)dh_rng_below(&rng, 2), own };
        if (i == 7)
            list[1] = list[2] = -1;
        memcpy(blocks + (size_t)i * TOPK, list, sizeof(list));
    }
    for (int head = 0; head < HEADS; head++) {
        struct dh_sparse_lists lists;
        int in_lists = 0, chosen = 0;
        dh_sparse_gather(&w, head, 2, N - 1, 1, &lists);
        CHECK_INT(lists.n_blocks, (FROM + N - 2) / SIZE + 1);
        for (int b = 0; b < lists.n_blocks; b++)
            for (int i = lists.start[b]; i < lists.start[b + 1]; i++) {
                bool found = false;
                for (int j = 0; j < TOPK; j++)
                    found |=
                        blocks[(lists.who[i] * HEADS + head) * TOPK + j] == b;
                CHECK(found);
                CHECK(i == lists.start[b] || lists.who[i] > lists.who[i - 1]);
                in_lists++;
            }
        for (int i = 2; i < N - 1; i++)
            for (int j = 0; j < TOPK; j++)
                chosen += blocks[(i * HEADS + head) * TOPK + j] >= 0;
        CHECK_INT(in_lists, chosen);
    }
}

// --- in the model -----------------------------------------------------------

static const char *const all_kept[] = { "\"sparse_topk_blocks\": 4",
                                        "\"sparse_topk_blocks\": 40", NULL };
static const char *const real_blocks[] = { "\"sparse_block_size\": 4",
                                           "\"sparse_block_size\": 128",
                                           "\"sparse_topk_blocks\": 4",
                                           "\"sparse_topk_blocks\": 16", NULL };
static const char *const never[] = { "\"sparse_block_size\": 4",
                                     "\"sparse_block_size\": 128",
                                     "\"sparse_topk_blocks\": 4",
                                     "\"sparse_topk_blocks\": 1000", NULL };

/* Up to topk blocks everything is kept; one block later it is not. */
static void test_dense_while_all_blocks_fit(void)
{
    enum { N = 40 };
    struct dh_tiny sparse, dense;
    int32_t ids[N];
    dh_tiny_open(&sparse, &(struct dh_tiny_spec){ 0 });
    dh_tiny_open(&dense, &(struct dh_tiny_spec){ .edits = all_kept });
    dh_tiny_ids(1, ids, N);
    const float *a = dh_tiny_feed(&sparse, ids, N, NULL, 0);
    const float *b = dh_tiny_feed(&dense, ids, N, NULL, 0);
    size_t v = (size_t)sparse.vocab;
    CHECK_NEAR(dh_max_diff(a, b, 16 * v), 0, 1e-5);
    CHECK(dh_max_diff(a + 16 * v, b + 16 * v, 24 * v) > 1e-3);
    dh_tiny_close(&sparse);
    dh_tiny_close(&dense);
}

/* The released geometry: 2048 tokens are dense, then they are not; decoding
 * from there is what one long pass gives. */
static void test_released_geometry(void)
{
    enum { N = 2180 };
    static int32_t ids[N];
    struct dh_tiny sparse, dense;
    dh_tiny_open(&sparse, &(struct dh_tiny_spec){ .edits = real_blocks,
                                                  .max_tokens = N });
    dh_tiny_open(&dense,
                 &(struct dh_tiny_spec){ .edits = never, .max_tokens = N });
    dh_tiny_ids(2, ids, N);
    const float *a = dh_tiny_feed(&sparse, ids, N, NULL, 0);
    const float *b = dh_tiny_feed(&dense, ids, N, NULL, 0);
    size_t v = (size_t)sparse.vocab;
    CHECK_NEAR(dh_max_diff(a, b, 2048 * v), 0, 1e-5);
    CHECK(dh_max_diff(a + 2048 * v, b + 2048 * v, (N - 2048) * v) > 1e-3);
    dh_session_rewind(sparse.session, 2100);
    for (int i = 2100; i < 2120; i++) {
        CHECK_INT(dh_session_feed(sparse.session, ids + i, 1, NULL, 0), DH_OK);
        CHECK_NEAR(dh_max_diff(dh_session_logits(sparse.session),
                               a + (size_t)i * v, v),
                   0, 1e-5);
    }
    dh_tiny_close(&sparse);
    dh_tiny_close(&dense);
}

/* More blocks than are offered at once, and rows than meet a key together: one
 * long pass, which shares rows, is what short ones give, which share keys. */
static void test_many_blocks_in_any_pass(void)
{
    enum { N = 700 };
    static int32_t ids[N];
    struct dh_tiny one, some;
    dh_tiny_open(&one, &(struct dh_tiny_spec){ .chunk = N, .max_tokens = N });
    dh_tiny_open(&some, &(struct dh_tiny_spec){ .chunk = 9, .max_tokens = N });
    dh_tiny_ids(4, ids, N);
    const float *a = dh_tiny_feed(&one, ids, N, NULL, 0);
    const float *b = dh_tiny_feed(&some, ids, N, NULL, 0);
    CHECK_MEM(a, b, (size_t)(N * one.vocab) * sizeof(*a));
    dh_tiny_close(&one);
    dh_tiny_close(&some);
}

struct seen {
    int calls, wrong;
};

static void check_blocks(void *user, int layer, size_t position, int head,
                         const int32_t *blocks, int n)
{
    struct seen *s = user;
    int own = (int)position / 4, want = own + 1 < 4 ? own + 1 : 4;
    s->calls++;
    s->wrong += layer < 2 || head > 1 || n != want || blocks[n - 1] != own;
    for (int i = 1; i < n; i++)
        s->wrong += blocks[i] <= blocks[i - 1];
}

/* Each head of each sparse layer keeps its share, the own block included. */
static void test_every_token_keeps_its_own_block(void)
{
    struct dh_tiny t;
    int32_t ids[113];
    struct seen seen = { 0 };
    struct dh_probe probe = { .user = &seen, .blocks = check_blocks };
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .chunk = 10 });
    dh_session_set_probe(t.session, &probe);
    dh_tiny_ids(3, ids, 113);
    CHECK_INT(dh_session_feed(t.session, ids, 113, NULL, 0), DH_OK);
    CHECK_INT(seen.calls, 113 * 4 * 2);
    CHECK_INT(seen.wrong, 0);
    dh_tiny_close(&t);
}

DH_TESTS(DH_TEST(picks), DH_TEST(picks_of_noise), DH_TEST(blocks_become_panels),
         DH_TEST(choices_become_lists), DH_TEST(dense_while_all_blocks_fit),
         DH_TEST(released_geometry), DH_TEST(many_blocks_in_any_pass),
         DH_TEST(every_token_keeps_its_own_block));
