#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "tests/dh_test.h"

#define N 1000

struct job {
    atomic_int calls[N];
    atomic_int busy[8]; // by worker
    float out[N];
    size_t grain;
    int threads;
};

// Floating point, so that another order of adding would show.
static void work(void *arg, size_t begin, size_t end, int worker)
{
    struct job *j = arg;
    CHECK(worker >= 0 && worker < j->threads);
    CHECK_INT(atomic_fetch_add(&j->busy[worker], 1), 0);
    CHECK(begin < end && end <= N && end - begin <= j->grain);
    CHECK_INT(begin % j->grain, 0);
    for (size_t i = begin; i < end; i++) {
        atomic_fetch_add(&j->calls[i], 1);
        float sum = 0;
        for (size_t k = 0; k <= i; k++)
            sum += 1.0f / (float)(k + 1);
        j->out[i] = sum;
    }
    atomic_fetch_sub(&j->busy[worker], 1);
}

static void run(struct dh_pool *pool, struct job *j, size_t n, size_t grain)
{
    memset(j, 0, sizeof(*j));
    j->grain = grain;
    j->threads = dh_pool_threads(pool);
    dh_pool_run(pool, n, grain, work, j);
    for (size_t i = 0; i < N; i++)
        CHECK_INT(atomic_load(&j->calls[i]), i < n);
}

static void test_result_is_the_same_for_any_number_of_threads(void)
{
    static struct job plain, j;
    static const size_t sizes[] = { 0, 1, 7, 64, 999, N };
    static const size_t grains[] = { 1, 3, 64, 5000 };
    for (int threads = 1; threads <= 4; threads++) {
        struct dh_pool *pool;
        CHECK_INT(dh_pool_create(&pool, threads), DH_OK);
        CHECK_INT(dh_pool_threads(pool), threads);
        for (size_t s = 0; s < DH_COUNTOF(sizes); s++) {
            for (size_t g = 0; g < DH_COUNTOF(grains); g++) {
                run(NULL, &plain, sizes[s], grains[g]);
                run(pool, &j, sizes[s], grains[g]);
                CHECK_MEM(j.out, plain.out, sizeof(plain.out));
            }
        }
        dh_pool_destroy(pool);
    }
}

static void add_one(void *arg, size_t begin, size_t end, int worker)
{
    (void)worker;
    uint32_t *counts = arg;
    for (size_t i = begin; i < end; i++)
        counts[i]++;
}

static void test_many_short_runs_lose_nothing(void)
{
    struct dh_pool *pool;
    uint32_t counts[16] = { 0 };
    CHECK_INT(dh_pool_create(&pool, 4), DH_OK);
    for (int i = 0; i < 5000; i++)
        dh_pool_run(pool, 16, 1, add_one, counts);
    for (int i = 0; i < 16; i++)
        CHECK_INT(counts[i], 5000);
    dh_pool_destroy(pool);
}

struct caller {
    struct dh_pool *pool;
    long sum;
};

static void add_up(void *arg, size_t begin, size_t end, int worker)
{
    atomic_long *sums = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&sums[i % 8], (long)i);
}

static void call_often(void *arg)
{
    struct caller *c = arg;
    for (int r = 0; r < 300; r++) {
        atomic_long sums[8] = { 0 };
        dh_pool_run(c->pool, 1000, 10, add_up, sums);
        for (int i = 0; i < 8; i++)
            c->sum += sums[i];
    }
}

static void test_callers_take_turns(void)
{
    struct dh_pool *pool;
    struct caller c[3];
    struct dh_thread t[3];
    CHECK_INT(dh_pool_create(&pool, 2), DH_OK);
    for (int i = 0; i < 3; i++) {
        c[i] = (struct caller){ pool, 0 };
        CHECK_INT(dh_thread_start(&t[i], "caller", call_often, &c[i]), DH_OK);
    }
    for (int i = 0; i < 3; i++) {
        dh_thread_join(&t[i]);
        CHECK_INT(c[i].sum, 300L * 999 * 1000 / 2);
    }
    dh_pool_destroy(pool);
}

static void test_edges_of_creation(void)
{
    struct dh_pool *pool = NULL;
    dh_pool_destroy(NULL);
    CHECK_INT(dh_pool_threads(NULL), 1);
    CHECK_INT(dh_pool_create(&pool, -1), DH_ERR_RANGE);
    CHECK_INT(dh_pool_create(&pool, 100000), DH_ERR_RANGE);
    CHECK(!pool);
    CHECK_INT(dh_pool_create(&pool, 0), DH_OK);
    CHECK(dh_pool_threads(pool) >= 1);
    dh_pool_destroy(pool);
}

DH_TESTS(DH_TEST(result_is_the_same_for_any_number_of_threads),
         DH_TEST(many_short_runs_lose_nothing), DH_TEST(callers_take_turns),
         DH_TEST(edges_of_creation));
