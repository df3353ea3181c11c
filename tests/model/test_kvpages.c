// Caches that share pages: alike to the bit, and never another's.
#include "model/kvpages_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

#define N 700

static int32_t ids[N], other[N];

static void beside(struct dh_session **out, struct dh_tiny *t, int max_tokens)
{
    struct dh_session_options o = { .max_tokens = max_tokens,
                                    .beside = t->session };
    CHECK_INT(dh_session_create(out, t->model, &o), DH_OK);
}

// That s says after ids[0..n) what a session of nobody else's says.
static void check_alone(struct dh_tiny *t, struct dh_session *s,
                        const int32_t *text, size_t n)
{
    struct dh_session *alone;
    CHECK_INT(dh_session_create(&alone, t->model, NULL), DH_OK);
    CHECK_INT(dh_session_feed(alone, text, n, NULL, 0), DH_OK);
    CHECK_INT(dh_session_len(s), n);
    CHECK_MEM(dh_session_logits(s), dh_session_logits(alone),
              (size_t)t->vocab * sizeof(float));
    dh_session_destroy(alone);
}

static size_t set(struct dh_session *s, const int32_t *text, size_t n)
{
    size_t reused;
    CHECK_INT(dh_session_set(s, text, n, NULL, 0, &reused), DH_OK);
    return reused;
}

// ids, and the same with another one at `at`.
static void two_texts(size_t at)
{
    dh_tiny_ids(1, ids, N);
    memcpy(other, ids, sizeof ids);
    other[at] = ids[at] == 7 ? 8 : 7;
}

/* Two conversations with the same beginning: the second starts behind it. */
static void test_a_beginning_is_computed_once(void)
{
    static const char *const kernels[] = { "float32", "ref", NULL };
    for (size_t i = 0; i < DH_COUNTOF(kernels); i++) {
        struct dh_tiny t;
        struct dh_session *s;
        dh_tiny_open(&t, &(struct dh_tiny_spec){ .kernels = kernels[i],
                                                 .dtype = DH_BF16 });
        beside(&s, &t, 0);
        two_texts(600);
        CHECK_INT(set(t.session, ids, N), 0);
        CHECK_INT(set(s, other, N), 4 * DH_PAGE);
        check_alone(&t, s, other, N);
        check_alone(&t, t.session, ids, N);
        // At least one token is fed, also where all are known.
        CHECK_INT(set(s, ids, 3 * DH_PAGE), 3 * DH_PAGE - 1);
        CHECK_INT(set(s, other, 3 * DH_PAGE), 3 * DH_PAGE - 1);
        check_alone(&t, s, ids, 3 * DH_PAGE);
        dh_session_destroy(s);
        dh_tiny_close(&t);
    }
}

/* The one that was there first may go, and go on differently. */
static void test_shared_pages_outlive_who_made_them(void)
{
    struct dh_tiny t;
    struct dh_session *s, *late;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .kernels = "float32" });
    beside(&s, &t, 0);
    two_texts(300);
    set(t.session, ids, N);
    CHECK_INT(set(s, ids, N), 5 * DH_PAGE);
    // Back into a page that both hold, and other tokens there.
    CHECK_INT(set(t.session, other, N), 300);
    check_alone(&t, t.session, other, N);
    CHECK_INT(dh_session_feed(s, ids, 20, NULL, 0), DH_OK);
    beside(&late, &t, 0);
    dh_session_destroy(s);
    // Nobody holds the end of it now, and still it is there.
    CHECK_INT(set(late, ids, N), 5 * DH_PAGE);
    check_alone(&t, late, ids, N);
    dh_session_destroy(late);
    dh_tiny_close(&t);
}

/* What was rewound is found again until its memory is needed; then it is
 * computed anew, and never mistaken for what took its place. */
static void test_what_was_left_is_found_until_it_is_evicted(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .kernels = "float32",
                                             .max_tokens = 6 * DH_PAGE });
    two_texts(0);
    CHECK_INT(set(t.session, ids, 300), 0);
    CHECK_INT(set(t.session, other, 300), 0);
    CHECK_INT(set(t.session, ids, 300), 2 * DH_PAGE);
    check_alone(&t, t.session, ids, 300);
    CHECK_INT(set(t.session, other, N), 2 * DH_PAGE);
    check_alone(&t, t.session, other, N);
    CHECK_INT(set(t.session, ids, 300), 0);
    check_alone(&t, t.session, ids, 300);
    dh_tiny_close(&t);
}

/* Both go on from the middle of a page, each in its own way. */
static void test_a_fork_goes_its_own_way(void)
{
    struct dh_tiny t;
    struct dh_session *fork;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .kernels = "float32" });
    two_texts(300);
    CHECK_INT(dh_session_feed(t.session, ids, 300, NULL, 0), DH_OK);
    CHECK_INT(dh_session_fork(&fork, t.session), DH_OK);
    check_alone(&t, fork, ids, 300);
    for (int i = 300; i < 400; i++) {
        CHECK_INT(dh_session_feed(fork, other + i, 1, NULL, 0), DH_OK);
        CHECK_INT(dh_session_feed(t.session, ids + i, 1, NULL, 0), DH_OK);
    }
    check_alone(&t, fork, other, 400);
    check_alone(&t, t.session, ids, 400);
    dh_session_rewind(t.session, 290);
    CHECK_INT(dh_session_feed(t.session, other + 290, 60, NULL, 0), DH_OK);
    check_alone(&t, t.session, other, 350);
    CHECK_INT(set(fork, other, 410), 400);
    check_alone(&t, fork, other, 410);
    dh_session_destroy(fork);
    dh_tiny_close(&t);
}

/* The same ids with another picture are another text. */
static void test_pictures_are_part_of_the_text(void)
{
    struct dh_tiny t;
    struct dh_session *s;
    struct dh_patches p[2];
    size_t reused;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .kernels = "float32" });
    beside(&s, &t, 0);
    dh_tiny_patches(1, 1, 4, 6, &p[0]);
    dh_tiny_patches(2, 1, 4, 6, &p[1]);
    two_texts(0);
    for (int i = 200; i < 206; i++)
        ids[i] = 250;
    struct dh_session_image was = { &p[0], 250, 0 }, now = { &p[1], 250, 0 };
    CHECK_INT(dh_session_set(t.session, ids, 400, &was, 1, NULL), DH_OK);
    CHECK_INT(dh_session_set(s, ids, 400, &now, 1, &reused), DH_OK);
    CHECK_INT(reused, DH_PAGE);
    CHECK(memcmp(dh_session_logits(s), dh_session_logits(t.session),
                 (size_t)t.vocab * sizeof(float)) != 0);
    CHECK_INT(dh_session_set(s, ids, 400, &was, 1, &reused), DH_OK);
    CHECK_INT(reused, 3 * DH_PAGE);
    CHECK_MEM(dh_session_logits(s), dh_session_logits(t.session),
              (size_t)t.vocab * sizeof(float));
    dh_patches_finish(&p[0]);
    dh_patches_finish(&p[1]);
    dh_session_destroy(s);
    dh_tiny_close(&t);
}

/* Noise in place of keys is nobody's text. */
static void test_noise_is_not_shared(void)
{
    struct dh_tiny t;
    struct dh_session *s;
    struct dh_rng rng;
    static const int32_t zeroes[300];
    dh_rng_init(&rng, 1);
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .kernels = "float32" });
    beside(&s, &t, 0);
    CHECK_INT(dh_session_fill(t.session, 256, &rng), DH_OK);
    CHECK_INT(dh_session_feed(t.session, zeroes, 200, NULL, 0), DH_OK);
    CHECK_INT(set(s, zeroes, 300), 0);
    check_alone(&t, s, zeroes, 300);
    dh_session_destroy(s);
    dh_tiny_close(&t);
}

static struct dh_kvpage show(struct dh_kvpages *p, int32_t before, int32_t id)
{
    int32_t text[DH_PAGE] = { id };
    uint64_t tags[DH_PAGE] = { 0 };
    struct dh_kvpage_text t = { before, text, tags };
    return dh_kvpages_show(p, dh_kvpages_take(p).number, &t);
}

static int32_t find(struct dh_kvpages *p, int32_t before, int32_t id)
{
    int32_t text[DH_PAGE] = { id };
    uint64_t tags[DH_PAGE] = { 0 };
    struct dh_kvpage_text t = { before, text, tags };
    return dh_kvpages_find(p, &t).number;
}

/* A page is what it is only after the pages that were before it. */
static void test_pages_count_with_what_was_before(void)
{
    struct dh_kvpages *p = NULL;
    CHECK_INT(dh_kvpages_join(&p, 16, 4), DH_OK);
    int32_t a = show(p, -1, 1).number, b = show(p, a, 2).number;
    CHECK_INT(dh_kvpages_held(p), 2);
    CHECK_INT(find(p, -1, 2), -1);
    CHECK_INT(find(p, a, 2), b);
    CHECK_INT(find(p, b, 2), -1);
    // What two computed becomes one.
    CHECK_INT(show(p, a, 2).number, b);
    CHECK_INT(dh_kvpages_held(p), 2);
    for (int i = 0; i < 3; i++)
        dh_kvpages_drop(p, b);
    // Written to, the first one is another: the second one is not behind it.
    CHECK_INT(dh_kvpages_own(p, a).number, a);
    CHECK_INT(find(p, -1, 1), -1);
    CHECK_INT(find(p, a, 2), -1);
    // A page that two hold is copied for the one that writes.
    dh_kvpages_hold(p, a);
    struct dh_kvpage copy = dh_kvpages_own(p, a);
    CHECK(copy.number != a);
    CHECK_INT(dh_kvpages_held(p), 2);
    dh_kvpages_drop(p, a);
    dh_kvpages_drop(p, copy.number);
    CHECK_INT(dh_kvpages_held(p), 0);
    dh_kvpages_leave(p, 4);
}

/* N sessions of one beginning need its memory once. */
static void test_shared_memory_is_held_once(void)
{
    struct dh_kvpages *p = NULL;
    for (int user = 0; user < 4; user++) {
        int32_t before = -1;
        CHECK_INT(dh_kvpages_join(&p, 16, 11), DH_OK);
        for (int i = 0; i < 10; i++)
            before = show(p, before, i).number;
        show(p, before, 100 + user);
        CHECK_INT(dh_kvpages_held(p), 10 + user + 1);
    }
    // Whoever may hold eleven gets them.
    for (int i = 0; i < 44 - 14; i++)
        CHECK(dh_kvpages_take(p).memory);
    CHECK_INT(dh_kvpages_held(p), 44);
    for (int user = 0; user < 4; user++)
        dh_kvpages_leave(p, 11);
}

struct talker {
    struct dh_session *s;
    const float *want[2];
    size_t bytes;
};

static void talk(void *arg)
{
    struct talker *t = arg;
    for (int i = 0; i < 12; i++) {
        set(t->s, i % 2 ? other : ids, N);
        CHECK_MEM(dh_session_logits(t->s), t->want[i % 2], t->bytes);
    }
}

/* At once, each going back and forth between two texts. */
static void test_threads_share_pages(void)
{
    struct dh_tiny t;
    struct dh_thread thread[3] = { 0 };
    struct talker talker[3];
    float *want[2];
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .kernels = "float32" });
    two_texts(500);
    size_t bytes = (size_t)t.vocab * sizeof(float);
    for (int i = 0; i < 2; i++) {
        dh_array(want[i], (size_t)t.vocab);
        dh_tiny_restart(&t, 0, 0);
        set(t.session, i ? other : ids, N);
        memcpy(want[i], dh_session_logits(t.session), bytes);
    }
    for (int i = 0; i < 3; i++) {
        talker[i] = (struct talker){ NULL, { want[0], want[1] }, bytes };
        beside(&talker[i].s, &t, N + 20);
    }
    for (int i = 0; i < 3; i++)
        CHECK_INT(dh_thread_start(&thread[i], "talk", talk, &talker[i]), DH_OK);
    for (int i = 0; i < 3; i++) {
        dh_thread_join(&thread[i]);
        dh_session_destroy(talker[i].s);
    }
    dh_free(want[0]);
    dh_free(want[1]);
    dh_tiny_close(&t);
}

DH_TESTS(DH_TEST(a_beginning_is_computed_once),
         DH_TEST(shared_pages_outlive_who_made_them),
         DH_TEST(what_was_left_is_found_until_it_is_evicted),
         DH_TEST(a_fork_goes_its_own_way),
         DH_TEST(pictures_are_part_of_the_text), DH_TEST(noise_is_not_shared),
         DH_TEST(pages_count_with_what_was_before),
         DH_TEST(shared_memory_is_held_once), DH_TEST(threads_share_pages));
