/*
 * base/mem.h - the only callers of malloc, and checked size arithmetic.
 *
 * Small things abort when memory is out: no caller could go on. Things whose
 * size comes from a file, the model or the server use dh_big_alloc, which may
 * fail and which tests make fail.
 */
#ifndef DH_BASE_MEM_H
#define DH_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define DH_MIN(a, b)        ((a) < (b) ? (a) : (b))
#define DH_MAX(a, b)        ((a) > (b) ? (a) : (b))
#define DH_COUNTOF(a)       (sizeof(a) / sizeof((a)[0]))
#define DH_CLAMP(v, lo, hi) DH_MIN(DH_MAX(v, lo), hi)

/* `p = ` a zeroed object of its own type. free() it with dh_free. */
#define dh_new(p)      ((p) = dh_zalloc(sizeof *(p)))
/* `p = ` an array of n zeroed elements of its type; n may be 0. */
#define dh_array(p, n) ((p) = dh_zalloc_array((n), sizeof *(p)))

void *dh_zalloc(size_t bytes);
void *dh_zalloc_array(size_t n, size_t size);
/* Resize an array; new bytes are not zeroed. Aborts when memory is out. */
void *dh_resize_array(void *p, size_t n, size_t size);
char *dh_strdup(const char *s);
char *dh_strndup(const char *s, size_t n);
/* NULL is allowed. Frees what the functions above returned. */
void dh_free(void *p);

/* 64-byte aligned, not zeroed; NULL when there is no memory or when a test
 * said so. Free it with dh_big_free. */
DH_MUST_USE void *dh_big_alloc(size_t bytes);
/* As dh_big_alloc, zeroed. */
DH_MUST_USE void *dh_big_zalloc(size_t bytes);
void dh_big_free(void *p);

/* False on overflow, *out is then unset. */
DH_MUST_USE bool dh_mul_size(size_t a, size_t b, size_t *out);
DH_MUST_USE bool dh_add_size(size_t a, size_t b, size_t *out);

/* Tests: the n-th dh_big_alloc from now fails (0: the next one); -1 stops
 * this. The count of calls so far is in dh_mem_big_count. */
void dh_mem_fail_after(long n);
long dh_mem_big_count(void);

/* Debug builds abort on any allocation of this thread between (true) and
 * (false): the token loop allocates nothing. Calls do not nest. */
void dh_mem_forbid(bool on);

#endif
