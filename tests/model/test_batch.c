// Several timelines in one pass: each gets what it gets alone, to the last bit,
// whatever the others do.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "model/session.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

#define SESSIONS 6
#define STEPS    7
#define MOST     300 // tokens of the longest

// Lengths of prompts: where all is seen, in the middle of a block and of a
// page, and where blocks are chosen.
static const size_t lengths[SESSIONS] = { 1, 5, 30, 127, 128, 260 };
// What each is fed in a step: some go on by one token, some by several.
static const size_t each[SESSIONS] = { 1, 1, 3, 1, 4, 1 };

static int32_t ids[SESSIONS][MOST];

static void make_ids(void)
{
    for (unsigned i = 0; i < SESSIONS; i++)
        dh_tiny_ids(20 + i, ids[i], MOST);
}

static struct dh_session *session_of(struct dh_tiny *t, struct dh_cancel *c,
                                     int max_tokens)
{
    struct dh_session *s;
    struct dh_session_options o = { .cache_type = t->cache_type,
                                    .cancel = c,
                                    .max_tokens = max_tokens };
    CHECK_INT(dh_session_create(&s, t->model, &o), DH_OK);
    return s;
}

// Logits of every step of session i, which is alone.
static float *alone(struct dh_tiny *t, int i)
{
    size_t vocab = (size_t)t->vocab, at = lengths[i];
    struct dh_session *s = session_of(t, NULL, 0);
    float *out;
    dh_array(out, STEPS * vocab);
    CHECK_INT(dh_session_feed(s, ids[i], at, NULL, 0), DH_OK);
    for (int step = 0; step < STEPS; step++, at += each[i]) {
        CHECK_INT(dh_session_feed_text(s, ids[i] + at, each[i]), DH_OK);
        memcpy(out + (size_t)step * vocab, dh_session_logits(s),
               vocab * sizeof *out);
    }
    dh_session_destroy(s);
    return out;
}

static void check_step(const struct dh_tiny *t, const struct dh_session *s,
                       const float *want, int step)
{
    size_t vocab = (size_t)t->vocab;
    CHECK(dh_session_logits(s));
    CHECK_MEM(dh_session_logits(s), want + (size_t)step * vocab,
              vocab * sizeof *want);
}

static void hold_together(const struct dh_tiny_spec *spec)
{
    struct dh_tiny t;
    struct dh_session *s[SESSIONS];
    float *want[SESSIONS];
    dh_tiny_open(&t, spec);
    for (int i = 0; i < SESSIONS; i++) {
        want[i] = alone(&t, i);
        s[i] = session_of(&t, NULL, 0);
        CHECK_INT(dh_session_feed(s[i], ids[i], lengths[i], NULL, 0), DH_OK);
    }
    for (int step = 0; step < STEPS; step++) {
        struct dh_session_turn turns[SESSIONS];
        // Another one's buffers in each step.
        for (int i = 0; i < SESSIONS; i++) {
            int k = (i + step) % SESSIONS;
            turns[i] =
                (struct dh_session_turn){ s[k], ids[k] + dh_session_len(s[k]),
                                          each[k], DH_ERR_IO };
        }
        dh_session_feed_together(turns, SESSIONS);
        for (int i = 0; i < SESSIONS; i++) {
            CHECK_INT(turns[i].status, DH_OK);
            check_step(&t, s[i], want[i], step);
        }
    }
    for (int i = 0; i < SESSIONS; i++) {
        struct dh_session_stats stats;
        dh_session_get_stats(s[i], &stats);
        CHECK_INT(stats.shared_passes, STEPS);
        CHECK_INT(stats.passes, STEPS + 1);
        dh_free(want[i]);
        dh_session_destroy(s[i]);
    }
    dh_tiny_close(&t);
}

static void test_each_gets_what_it_gets_alone(void)
{
    make_ids();
    hold_together(&(struct dh_tiny_spec){ .kernels = "float32" });
    hold_together(&(struct dh_tiny_spec){
        .dtype = DH_BF16, .kernels = "auto", .threads = 3 });
    if (dh_kernels_find("avx2"))
        hold_together(
            &(struct dh_tiny_spec){ .dtype = DH_BF16, .kernels = "avx2" });
}

static void test_with_plain_kernels_too(void)
{
    make_ids();
    hold_together(&(struct dh_tiny_spec){ .kernels = "ref", .dtype = DH_F16 });
}

static void test_with_a_cache_of_8_bits_too(void)
{
    static const char *const kernels[] = { "float32", "auto" };
    make_ids();
    for (int i = 0; i < 2; i++)
        hold_together(&(struct dh_tiny_spec){ .kernels = kernels[i],
                                              .dtype = DH_BF16,
                                              .cache_type = DH_CACHE_INT8,
                                              .threads = 1 + i });
}

/* Attention that is enough for several threads goes part by part. */
static void test_long_ones_go_together(void)
{
    static int32_t many[3][1300];
    struct dh_tiny t;
    struct dh_session *s[3];
    struct dh_session_turn turns[3];
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .threads = 3 });
    size_t bytes = (size_t)t.vocab * sizeof(float);
    for (unsigned i = 0; i < 3; i++) {
        dh_tiny_ids(40 + i, many[i], DH_COUNTOF(many[i]));
        s[i] = session_of(&t, NULL, 1300);
        CHECK_INT(dh_session_feed(s[i], many[i], 1200 + i, NULL, 0), DH_OK);
        turns[i] = (struct dh_session_turn){ s[i], many[i] + 1200 + i, 9, 0 };
    }
    dh_session_feed_together(turns, 3);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_INT(turns[i].status, DH_OK);
        dh_tiny_restart(&t, 0, 1300);
        CHECK_INT(dh_session_feed(t.session, many[i], 1209 + i, NULL, 0),
                  DH_OK);
        CHECK_MEM(dh_session_logits(s[i]), dh_session_logits(t.session), bytes);
        dh_session_destroy(s[i]);
    }
    dh_tiny_close(&t);
}

/* More rows than the first one's buffers hold, and more logits than are made
 * at a time. */
static void test_what_does_not_fit_goes_next(void)
{
    enum { MANY = 40 };
    struct dh_tiny t;
    struct dh_session *s[MANY];
    struct dh_session_turn turns[MANY];
    struct dh_session_options o = { .chunk = 2, .max_tokens = 8 };
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    size_t bytes = (size_t)t.vocab * sizeof(float);
    make_ids();
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(dh_session_create(&s[i], t.model, &o), DH_OK);
        turns[i] = (struct dh_session_turn){ s[i], ids[i % SESSIONS],
                                             1 + (size_t)i % 2, DH_ERR_IO };
    }
    dh_session_feed_together(turns, MANY);
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(turns[i].status, DH_OK);
        dh_tiny_restart(&t, 0, 0);
        CHECK_INT(dh_session_feed_text(t.session, turns[i].ids, turns[i].n),
                  DH_OK);
        CHECK_MEM(dh_session_logits(s[i]), dh_session_logits(t.session), bytes);
        dh_session_destroy(s[i]);
    }
    dh_tiny_close(&t);
}

static void quiet(void *user, enum dh_log_level level, const char *tag,
                  const char *text)
{
    (void)user;
    (void)level;
    (void)tag;
    (void)text;
}

struct trigger {
    struct dh_cancel *cancel;
    int layer;
};

static void cancel_at(void *user, int layer, size_t position, int n,
                      const float *x)
{
    const struct trigger *t = user;
    (void)position;
    (void)n;
    (void)x;
    if (layer == t->layer)
        dh_cancel_set(t->cancel);
}

// Session `who` is cancelled behind a layer of a pass of all.
static void leave_at(struct dh_tiny *t, int who, int layer)
{
    struct dh_session *s[SESSIONS];
    struct dh_session_turn turns[SESSIONS];
    struct dh_cancel cancel = { 0 };
    struct trigger trigger = { &cancel, layer };
    struct dh_probe probe = { .user = &trigger, .hidden = cancel_at };
    for (int i = 0; i < SESSIONS; i++) {
        s[i] = session_of(t, i == who ? &cancel : NULL, 0);
        CHECK_INT(dh_session_feed(s[i], ids[i], lengths[i], NULL, 0), DH_OK);
        turns[i] = (struct dh_session_turn){ s[i], ids[i] + lengths[i], each[i],
                                             DH_ERR_IO };
    }
    dh_session_set_probe(s[(who + 1) % SESSIONS], &probe);
    dh_session_feed_together(turns, SESSIONS);
    dh_session_set_probe(s[(who + 1) % SESSIONS], NULL);
    CHECK_INT(turns[who].status, DH_ERR_CANCELLED);
    CHECK_INT(dh_session_len(s[who]), lengths[who]);
    CHECK(!dh_session_logits(s[who]));
    dh_cancel_clear(&cancel);
    dh_session_feed_together(&turns[who], 1);
    for (int i = 0; i < SESSIONS; i++) {
        float *want = alone(t, i);
        CHECK_INT(turns[i].status, DH_OK);
        check_step(t, s[i], want, 0);
        dh_free(want);
        dh_session_destroy(s[i]);
    }
}

static void test_who_is_cancelled_leaves_alone(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .threads = 2 });
    make_ids();
    leave_at(&t, 0, -1); // whose buffers are used
    leave_at(&t, 2, 0);
    leave_at(&t, SESSIONS - 1, 1);
    dh_tiny_close(&t);
}

static void test_all_can_be_cancelled(void)
{
    struct dh_tiny t;
    struct dh_session *s[2];
    struct dh_session_turn turns[2];
    struct dh_cancel cancel = { 0 };
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    make_ids();
    for (int i = 0; i < 2; i++) {
        s[i] = session_of(&t, &cancel, 0);
        turns[i] = (struct dh_session_turn){ s[i], ids[i], 3, DH_OK };
    }
    dh_cancel_set(&cancel);
    dh_session_feed_together(turns, 2);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(turns[i].status, DH_ERR_CANCELLED);
        CHECK_INT(dh_session_len(s[i]), 0);
        dh_session_destroy(s[i]);
    }
    dh_tiny_close(&t);
}

/* A full cache, an id that is none, nothing, more than a chunk. */
static void test_what_cannot_be_fed_fails_alone(void)
{
    static const int32_t bad[] = { 5, 100000 };
    struct dh_tiny t;
    struct dh_session *s[SESSIONS];
    make_ids();
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    for (int i = 0; i < SESSIONS; i++) {
        s[i] = session_of(&t, NULL, i == 1 ? (int)lengths[1] : 0);
        CHECK_INT(dh_session_feed(s[i], ids[i], lengths[i], NULL, 0), DH_OK);
    }
    struct dh_session_turn turns[SESSIONS] = {
        { s[0], ids[0] + lengths[0], each[0], DH_ERR_IO },
        { s[1], ids[1], 1, DH_OK },
        { s[2], bad, 2, DH_OK },
        { s[3], ids[3], 0, DH_OK },
        { s[4], ids[4], MOST, DH_OK },
        { s[5], ids[5] + lengths[5], each[5], DH_ERR_IO },
    };
    static int32_t more[MOST * 2];
    turns[4].ids = more;
    turns[4].n = 513;
    dh_log_set_hook(quiet, NULL);
    dh_session_feed_together(turns, SESSIONS);
    dh_log_set_hook(NULL, NULL);
    for (int i = 0; i < SESSIONS; i++) {
        bool good = i == 0 || i == 5;
        CHECK_INT(turns[i].status, good ? DH_OK : DH_ERR_RANGE);
        CHECK_INT(dh_session_len(s[i]), lengths[i] + (good ? each[i] : 0));
        if (good) {
            float *want = alone(&t, i);
            check_step(&t, s[i], want, 0);
            dh_free(want);
        }
        dh_session_destroy(s[i]);
    }
    dh_tiny_close(&t);
}

struct guest {
    struct dh_thread thread;
    struct dh_session *s;
    const struct dh_session_image *image;
    int32_t *ids;
    size_t prompt;
    float *logits; // [STEPS][vocab]
    size_t vocab;
    uint64_t shared;
};

static void guest_main(void *arg)
{
    struct guest *g = arg;
    struct dh_session_stats stats;
    enum dh_status st = dh_session_set(g->s, g->ids, g->prompt, g->image,
                                       g->image ? 1 : 0, NULL);
    for (size_t i = 0; i < STEPS * 4 && !st; i++) {
        st = dh_session_feed_text(g->s, g->ids + g->prompt + i, 1);
        memcpy(g->logits + i / 4 * g->vocab, dh_session_logits(g->s),
               g->vocab * sizeof(float));
    }
    CHECK_INT(st, DH_OK);
    dh_session_get_stats(g->s, &stats);
    g->shared = stats.shared_passes;
}

static void guest_init(struct guest *g, struct dh_tiny *t, int i,
                       const struct dh_session_image *image)
{
    struct dh_session *s;
    struct dh_session_options o = { .chunk = 64 };
    CHECK_INT(dh_session_create(&s, t->model, &o), DH_OK);
    *g = (struct guest){ .s = s,
                         .image = i == 2 ? image : NULL,
                         .ids = ids[i],
                         .prompt = lengths[i],
                         .vocab = (size_t)t->vocab };
    dh_array(g->logits, STEPS * g->vocab);
}

/* Each on a thread of its own, as a server has them, one with a picture: they
 * find together by themselves, and prompts go with tokens of others. */
static void test_threads_find_together(void)
{
    struct dh_tiny t;
    struct guest one[SESSIONS], all[SESSIONS];
    struct dh_patches p;
    uint64_t shared = 0;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .threads = 2, .dtype = DH_BF16 });
    make_ids();
    dh_tiny_patches(1, 1, 4, 6, &p);
    for (int i = 0; i < 6; i++)
        ids[2][3 + i] = 250;
    struct dh_session_image image = { &p, 250, 0 };
    for (int i = 0; i < SESSIONS; i++) {
        guest_init(&one[i], &t, i, &image);
        guest_main(&one[i]);
        CHECK_INT(one[i].shared, 0);
        dh_session_destroy(one[i].s);
    }
    for (int i = 0; i < SESSIONS; i++)
        guest_init(&all[i], &t, i, &image);
    for (int i = 0; i < SESSIONS; i++)
        CHECK_INT(dh_thread_start(&all[i].thread, "guest", guest_main, &all[i]),
                  DH_OK);
    for (int i = 0; i < SESSIONS; i++) {
        dh_thread_join(&all[i].thread);
        CHECK_MEM(all[i].logits, one[i].logits,
                  STEPS * all[i].vocab * sizeof(float));
        shared += all[i].shared;
        dh_session_destroy(all[i].s);
        dh_free(all[i].logits);
        dh_free(one[i].logits);
    }
    printf("%d passes of a session were shared\n", (int)shared);
    CHECK(shared > 0);
    dh_patches_finish(&p);
    dh_tiny_close(&t);
}

DH_TESTS(DH_TEST(each_gets_what_it_gets_alone), DH_TEST(with_plain_kernels_too),
         DH_TEST(with_a_cache_of_8_bits_too), DH_TEST(long_ones_go_together),
         DH_TEST(what_does_not_fit_goes_next),
         DH_TEST(who_is_cancelled_leaves_alone), DH_TEST(all_can_be_cancelled),
         DH_TEST(what_cannot_be_fed_fails_alone),
         DH_TEST(threads_find_together));
