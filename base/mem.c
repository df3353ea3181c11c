#include "base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static atomic_long fail_countdown = -1; // -1: never
static atomic_long big_count;

#ifdef DH_DEBUG
static _Thread_local bool forbidden;
#endif

static void check_allowed(void)
{
#ifdef DH_DEBUG
    dh_assert(!forbidden);
#endif
}

static void *or_abort(void *p, size_t bytes)
{
    if (!p) {
        fprintf(stderr, "out of memory for %zu bytes\n", bytes);
        abort();
    }
    return p;
}

void *dh_zalloc(size_t bytes)
{
    check_allowed();
    size_t n = DH_MAX(bytes, 1);
    return or_abort(calloc(1, n), n);
}

void *dh_zalloc_array(size_t n, size_t size)
{
    size_t bytes;
    dh_assert(dh_mul_size(n, size, &bytes));
    return dh_zalloc(bytes);
}

void *dh_resize_array(void *p, size_t n, size_t size)
{
    check_allowed();
    size_t bytes;
    dh_assert(dh_mul_size(n, size, &bytes));
    bytes = DH_MAX(bytes, 1);
    return or_abort(realloc(p, bytes), bytes);
}

char *dh_strdup(const char *s)
{
    return dh_strndup(s, strlen(s));
}

char *dh_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    size_t bytes;
    dh_assert(dh_add_size(len, 1, &bytes));
    char *copy = dh_zalloc(bytes);
    memcpy(copy, s, len);
    return copy;
}

void dh_free(void *p)
{
    free(p);
}

// True where a test wants this call to fail. Counts down past zero to -1, so
// that only one call fails.
static bool must_fail(void)
{
    atomic_fetch_add(&big_count, 1);
    long left = atomic_load(&fail_countdown);
    while (left >= 0) {
        if (atomic_compare_exchange_weak(&fail_countdown, &left, left - 1))
            return left == 0;
    }
    return false;
}

void *dh_big_alloc(size_t bytes)
{
    check_allowed();
    size_t padded;
    if (must_fail() || !dh_add_size(DH_MAX(bytes, 1), 63, &padded))
        return NULL;
    return aligned_alloc(64, padded & ~(size_t)63);
}

void *dh_big_zalloc(size_t bytes)
{
    void *p = dh_big_alloc(bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void dh_big_free(void *p)
{
    free(p);
}

bool dh_mul_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

bool dh_add_size(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

void dh_mem_fail_after(long n)
{
    atomic_store(&fail_countdown, n < 0 ? -1 : n);
}

long dh_mem_big_count(void)
{
    return atomic_load(&big_count);
}

void dh_mem_forbid(bool on)
{
#ifdef DH_DEBUG
    dh_assert(forbidden != on);
    forbidden = on;
#else
    (void)on;
#endif
}
