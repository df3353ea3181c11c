// What only debug builds look at.
#include <stdint.h>

#include "base/mem.h"
#include "base/pool.h"
#include "tests/base/death.h"
#include "tests/dh_test.h"

#ifdef DH_DEBUG
static void allocate_while_forbidden(void)
{
    dh_mem_forbid(true);
    dh_free(dh_zalloc(1));
}

static void allocate_big_while_forbidden(void)
{
    dh_mem_forbid(true);
    dh_big_free(dh_big_alloc(1));
}

static void test_forbidden_allocation_ends_the_process(void)
{
    CHECK(death_by_abort(allocate_while_forbidden));
    CHECK(death_by_abort(allocate_big_while_forbidden));
    dh_mem_forbid(true);
    dh_mem_forbid(false);
    dh_free(dh_zalloc(1));
}

static void add_one(void *arg, size_t begin, size_t end, int worker)
{
    (void)worker;
    uint32_t *counts = arg;
    for (size_t i = begin; i < end; i++)
        counts[i]++;
}

static void test_pool_allocates_nothing_while_it_runs(void)
{
    struct dh_pool *pool;
    uint32_t counts[100] = { 0 };
    CHECK_INT(dh_pool_create(&pool, 3), DH_OK);
    dh_mem_forbid(true);
    dh_pool_run(pool, 100, 7, add_one, counts);
    dh_mem_forbid(false);
    CHECK_INT(counts[99], 1);
    dh_pool_destroy(pool);
}

DH_TESTS(DH_TEST(forbidden_allocation_ends_the_process),
         DH_TEST(pool_allocates_nothing_while_it_runs));
#endif
