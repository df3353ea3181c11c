#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/thread.h"
#include "tests/base/death.h"
#include "tests/dh_test.h"

struct seen {
    char name[16];
    bool term_blocked;
};

static void look_around(void *arg)
{
    struct seen *s = arg;
    sigset_t set;
    pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    s->term_blocked = sigismember(&set, SIGTERM);
}

static void test_thread_has_its_name_and_blocks_signals(void)
{
    struct dh_thread t = { 0 };
    struct seen s = { 0 };
    dh_thread_join(&t);
    CHECK_INT(dh_thread_start(&t, "a name that is too long", look_around, &s),
              DH_OK);
    dh_thread_join(&t);
    dh_thread_join(&t);
    CHECK_STR(s.name, "a name that is ");
    CHECK(s.term_blocked);
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    CHECK(!sigismember(&set, SIGTERM));
    CHECK(dh_thread_cores() >= 1);
}

static void lock_twice(void)
{
    struct dh_mutex m;
    dh_mutex_init(&m);
    dh_mutex_lock(&m);
    dh_mutex_lock(&m);
}

static void unlock_unheld(void)
{
    struct dh_mutex m;
    dh_mutex_init(&m);
    dh_mutex_unlock(&m);
}

static void test_mutex_knows_its_holder(void)
{
    CHECK(death_by_abort(lock_twice));
    CHECK(death_by_abort(unlock_unheld));
    struct dh_mutex m;
    dh_mutex_init(&m);
    dh_mutex_lock(&m);
    dh_mutex_assert_held(&m);
    dh_mutex_unlock(&m);
    dh_mutex_finish(&m);
}

static void test_cancel_flag_stays(void)
{
    struct dh_cancel c = { 0 };
    CHECK(!dh_cancel_is_set(NULL));
    CHECK(!dh_cancel_is_set(&c));
    dh_cancel_set(&c);
    dh_cancel_set(&c);
    CHECK(dh_cancel_is_set(&c));
}

// ---- mailbox ---------------------------------------------------------------

#define N_ITEMS 20000

static atomic_int dropped;

static void item_unref(void *item)
{
    (void)item;
    atomic_fetch_add(&dropped, 1);
}

static int64_t in_seconds(int s)
{
    return dh_now_ns() + s * DH_S;
}

static void test_mailbox_keeps_the_newest_and_counts_the_rest(void)
{
    struct dh_mailbox m;
    int a, b, c;
    void *got = NULL;
    dh_mailbox_init(&m, item_unref);
    CHECK_INT(dh_mailbox_take(&m, dh_now_ns() + DH_MS, &got), DH_ERR_TIMEOUT);
    dh_mailbox_put(&m, &a);
    dh_mailbox_put(&m, &b);
    dh_mailbox_put(&m, &c);
    CHECK_INT(dh_mailbox_skipped(&m), 2);
    CHECK_INT(dropped, 2);
    CHECK_INT(dh_mailbox_take(&m, 0, &got), DH_OK);
    CHECK(got == &c);
    CHECK_INT(dropped, 2);
    CHECK_INT(dh_mailbox_take(&m, 0, &got), DH_ERR_TIMEOUT);
    dh_mailbox_put(&m, &a);
    dh_mailbox_close(&m);
    dh_mailbox_close(&m);
    CHECK_INT(dropped, 3);
    CHECK_INT(dh_mailbox_take(&m, in_seconds(9), &got), DH_ERR_CLOSED);
    dh_mailbox_put(&m, &a);
    CHECK_INT(dropped, 4);
    dh_mailbox_finish(&m);
}

static void put_numbers(void *arg)
{
    static int numbers[N_ITEMS];
    for (int i = 0; i < N_ITEMS; i++) {
        numbers[i] = i;
        dh_mailbox_put(arg, &numbers[i]);
    }
    // The taker has the last one before this: it waits for it.
}

static void test_mailbox_between_threads_loses_only_what_it_counts(void)
{
    struct dh_mailbox m;
    struct dh_thread t;
    dh_mailbox_init(&m, item_unref);
    CHECK_INT(dh_thread_start(&t, "put", put_numbers, &m), DH_OK);
    int last = -1, taken = 0;
    while (last != N_ITEMS - 1) {
        void *item;
        CHECK_INT(dh_mailbox_take(&m, in_seconds(20), &item), DH_OK);
        CHECK(*(int *)item > last);
        last = *(int *)item;
        taken++;
    }
    dh_thread_join(&t);
    CHECK_INT(taken + (int)dh_mailbox_skipped(&m), N_ITEMS);
    CHECK_INT(dropped, (int)dh_mailbox_skipped(&m));
    dh_mailbox_close(&m);
    dh_mailbox_finish(&m);
}

static void close_later(void *arg)
{
    dh_sleep_for(20 * DH_MS);
    dh_mailbox_close(arg);
}

static void test_closing_wakes_who_waits(void)
{
    struct dh_mailbox m;
    struct dh_thread t;
    void *item;
    dh_mailbox_init(&m, item_unref);
    CHECK_INT(dh_thread_start(&t, "close", close_later, &m), DH_OK);
    int64_t begun = dh_now_ns();
    CHECK_INT(dh_mailbox_take(&m, in_seconds(50), &item), DH_ERR_CLOSED);
    CHECK(dh_now_ns() - begun < 20 * DH_S);
    dh_thread_join(&t);
    dh_mailbox_finish(&m);
}

// ---- queue -----------------------------------------------------------------

static void test_queue_is_first_in_first_out_and_bounded(void)
{
    struct dh_queue q;
    int v = 0;
    dh_queue_init(&q, sizeof(int), 3);
    CHECK_INT(dh_queue_take(&q, &v, dh_now_ns() + DH_MS), DH_ERR_TIMEOUT);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            CHECK_INT(dh_queue_put(&q, &(int){ round * 10 + i }, 0), DH_OK);
        CHECK_INT(dh_queue_put(&q, &v, dh_now_ns() + DH_MS), DH_ERR_TIMEOUT);
        CHECK_INT(dh_queue_len(&q), 3);
        // Two out, so that the next round begins in the middle.
        for (int i = 0; i < 2; i++) {
            CHECK_INT(dh_queue_take(&q, &v, 0), DH_OK);
            CHECK_INT(v, round * 10 + i);
        }
        CHECK_INT(dh_queue_take(&q, &v, 0), DH_OK);
    }
    CHECK_INT(dh_queue_put(&q, &(int){ 7 }, 0), DH_OK);
    dh_queue_close(&q);
    CHECK_INT(dh_queue_put(&q, &v, in_seconds(9)), DH_ERR_CLOSED);
    CHECK_INT(dh_queue_take(&q, &v, 0), DH_OK);
    CHECK_INT(v, 7);
    CHECK_INT(dh_queue_take(&q, &v, in_seconds(9)), DH_ERR_CLOSED);
    dh_queue_finish(&q);
}

struct line {
    struct dh_queue q;
    atomic_long sum;
};

static void put_hundreds(void *arg)
{
    struct line *l = arg;
    for (int i = 1; i <= 2000; i++)
        CHECK_INT(dh_queue_put(&l->q, &i, in_seconds(20)), DH_OK);
}

static void take_until_closed(void *arg)
{
    struct line *l = arg;
    int v;
    while (dh_queue_take(&l->q, &v, in_seconds(20)) == DH_OK)
        atomic_fetch_add(&l->sum, v);
}

static void test_queue_between_threads_loses_nothing(void)
{
    struct line l = { 0 };
    struct dh_thread put[2], take[2];
    dh_queue_init(&l.q, sizeof(int), 5);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(dh_thread_start(&put[i], "put", put_hundreds, &l), DH_OK);
        CHECK_INT(dh_thread_start(&take[i], "take", take_until_closed, &l),
                  DH_OK);
    }
    for (int i = 0; i < 2; i++)
        dh_thread_join(&put[i]);
    dh_queue_close(&l.q);
    for (int i = 0; i < 2; i++)
        dh_thread_join(&take[i]);
    CHECK_INT(atomic_load(&l.sum), 2 * 2000L * 2001 / 2);
    dh_queue_finish(&l.q);
}

DH_TESTS(DH_TEST(thread_has_its_name_and_blocks_signals),
         DH_TEST(mutex_knows_its_holder), DH_TEST(cancel_flag_stays),
         DH_TEST(mailbox_keeps_the_newest_and_counts_the_rest),
         DH_TEST(mailbox_between_threads_loses_only_what_it_counts),
         DH_TEST(closing_wakes_who_waits),
         DH_TEST(queue_is_first_in_first_out_and_bounded),
         DH_TEST(queue_between_threads_loses_nothing));
