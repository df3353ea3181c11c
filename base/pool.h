/*
 * base/pool.h - parallel-for over rows, on threads named dh-compute.
 *
 * The result must not depend on the number of threads: a job writes to places
 * that its index decides, and never adds up across indices.
 */
#ifndef DH_BASE_POOL_H
#define DH_BASE_POOL_H

#include <stddef.h>

#include "base/status.h"

struct dh_pool;

/* A job: the indices begin..end-1. */
typedef void (*dh_pool_fn)(void *arg, size_t begin, size_t end, int worker);

/* `threads` counts the caller too; 1 starts none; 0 means one per core. */
DH_MUST_USE enum dh_status dh_pool_create(struct dh_pool **out, int threads);
/* NULL is allowed. No run may be under way. */
void dh_pool_destroy(struct dh_pool *pool);
int dh_pool_threads(const struct dh_pool *pool);

/*
 * Call fn(arg, begin, end, worker) on slices that cover 0..n-1 once each, with
 * `grain` indices a slice (the last one may be shorter), and return when all
 * are done. `worker` is 0..threads-1, unique among the calls that run at the
 * same time: an index into scratch memory. The caller takes part. pool may be
 * NULL: one slice after another in this thread. Allocates nothing. Runs do not
 * nest. Runs of several threads take turns, whoever came first first.
 */
void dh_pool_run(struct dh_pool *pool, size_t n, size_t grain, dh_pool_fn fn,
                 void *arg);

#endif
