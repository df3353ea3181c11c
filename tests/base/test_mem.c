#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "tests/base/death.h"
#include "tests/dh_test.h"

static void test_big_blocks_are_aligned_and_zeroed_on_request(void)
{
    static const size_t sizes[] = { 0, 1, 63, 64, 65, 4097, 1 << 20 };
    for (size_t i = 0; i < DH_COUNTOF(sizes); i++) {
        unsigned char *p = dh_big_alloc(sizes[i]);
        unsigned char *z = dh_big_zalloc(sizes[i]);
        CHECK(p && z);
        CHECK_INT((uintptr_t)p % 64, 0);
        CHECK_INT((uintptr_t)z % 64, 0);
        memset(p, 0xaa, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            CHECK(z[k] == 0);
        dh_big_free(p);
        dh_big_free(z);
    }
    CHECK(!dh_big_alloc(SIZE_MAX));
    CHECK(!dh_big_alloc(SIZE_MAX - 30));
}

static void test_a_chosen_big_allocation_fails_once(void)
{
    for (long n = 0; n < 5; n++) {
        dh_mem_fail_after(n);
        long before = dh_mem_big_count();
        for (long i = 0; i < 7; i++) {
            void *p = i % 2 ? dh_big_alloc(10) : dh_big_zalloc(10);
            CHECK_INT(p == NULL, i == n);
            dh_big_free(p);
        }
        CHECK_INT(dh_mem_big_count() - before, 7);
    }
    dh_mem_fail_after(0);
    dh_mem_fail_after(-1);
    void *p = dh_big_alloc(10);
    CHECK(p);
    dh_big_free(p);
}

static void test_sizes_do_not_wrap(void)
{
    size_t v = 42;
    CHECK(!dh_mul_size(SIZE_MAX / 2 + 1, 2, &v));
    CHECK(!dh_add_size(SIZE_MAX, 1, &v));
    CHECK_INT(v, 42);
    CHECK(dh_mul_size(0, SIZE_MAX, &v));
    CHECK_INT(v, 0);
    CHECK(dh_mul_size(SIZE_MAX / 2, 2, &v));
    CHECK(v == SIZE_MAX - 1);
    CHECK(dh_add_size(SIZE_MAX - 1, 1, &v));
    CHECK(v == SIZE_MAX);
}

static void wrap_array(void)
{
    dh_free(dh_zalloc_array(SIZE_MAX / 4, 8));
}

static void wrap_resize(void)
{
    dh_free(dh_resize_array(NULL, SIZE_MAX / 4, 8));
}

static void test_an_array_whose_size_wraps_ends_the_process(void)
{
    CHECK(death_by_abort(wrap_array));
    CHECK(death_by_abort(wrap_resize));
}

static void test_small_helpers_zero_resize_and_copy(void)
{
    int *p;
    dh_array(p, 3);
    CHECK(p[0] == 0 && p[2] == 0);
    p[2] = 7;
    p = dh_resize_array(p, 1000, sizeof(*p));
    CHECK_INT(p[2], 7);
    dh_free(p);
    dh_array(p, 0);
    CHECK(p);
    dh_free(p);
    dh_free(NULL);

    char *s = dh_strndup("abcdef", 3);
    CHECK_STR(s, "abc");
    dh_free(s);
    s = dh_strndup("ab", 30);
    CHECK_STR(s, "ab");
    dh_free(s);
}

DH_TESTS(DH_TEST(big_blocks_are_aligned_and_zeroed_on_request),
         DH_TEST(a_chosen_big_allocation_fails_once),
         DH_TEST(sizes_do_not_wrap),
         DH_TEST(an_array_whose_size_wraps_ends_the_process),
         DH_TEST(small_helpers_zero_resize_and_copy));
