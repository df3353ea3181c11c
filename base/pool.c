#include "base/pool.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/thread.h"

#define DH_LOG_TAG "pool"
#include "base/log.h"

#define MAX_THREADS 256

// Looks at a counter before a thread goes to sleep. A token is hundreds of
// short runs, and a wake-up through the kernel costs more than many of them.
#define SPINS 2000

struct worker {
    struct dh_pool *pool;
    struct dh_thread thread;
    int index;
};

struct dh_pool {
    int threads;
    struct worker *workers; // threads - 1
    dh_pool_fn fn;
    void *arg;
    size_t n, grain;
    atomic_size_t next; // slice that nobody has taken
    atomic_uint run;    // changes when a run begins; written under lock
    atomic_int active;  // workers inside the run; raised under lock
    struct dh_mutex lock;
    struct dh_cond begun, done;
    // guarded by lock
    bool open; // workers may still join the run
    bool stop;
    // Runs of several callers take turns, in the order in which they came.
    struct dh_mutex gate;
    struct dh_cond turn;
    uint64_t asked, served; // guarded by gate
};

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void take_slices(struct dh_pool *p, int worker)
{
    size_t slices = (p->n - 1) / p->grain + 1;
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (i >= slices)
            return;
        size_t begin = i * p->grain;
        size_t end = p->n - begin < p->grain ? p->n : begin + p->grain;
        p->fn(p->arg, begin, end, worker);
    }
}

// Wait for a run after `seen` and join it. False: the pool is going away.
static bool join_run(struct dh_pool *p, unsigned *seen)
{
    for (int i = 0; i < SPINS && atomic_load(&p->run) == *seen; i++)
        pause_cpu();

    dh_mutex_lock(&p->lock);
    while (!p->stop && (!p->open || atomic_load(&p->run) == *seen))
        dh_cond_wait(&p->begun, &p->lock);
    bool go = !p->stop;
    if (go) {
        *seen = atomic_load(&p->run);
        atomic_fetch_add(&p->active, 1);
    }
    dh_mutex_unlock(&p->lock);
    return go;
}

static void worker_main(void *arg)
{
    struct worker *w = arg;
    struct dh_pool *p = w->pool;
    unsigned seen = 0;
    while (join_run(p, &seen)) {
        take_slices(p, w->index);
        dh_mutex_lock(&p->lock);
        if (atomic_fetch_sub(&p->active, 1) == 1)
            dh_cond_signal(&p->done);
        dh_mutex_unlock(&p->lock);
    }
}

enum dh_status dh_pool_create(struct dh_pool **out, int threads)
{
    if (threads < 0 || threads > MAX_THREADS) {
        dh_error("%d threads: 0 to %d are possible", threads, MAX_THREADS);
        return DH_ERR_RANGE;
    }
    struct dh_pool *p;
    dh_new(p);
    p->threads = threads ? threads : DH_MIN(dh_thread_cores(), MAX_THREADS);
    dh_array(p->workers, (size_t)p->threads);
    dh_mutex_init(&p->lock);
    dh_cond_init(&p->begun);
    dh_cond_init(&p->done);
    dh_mutex_init(&p->gate);
    dh_cond_init(&p->turn);
    for (int i = 0; i < p->threads - 1; i++) {
        struct worker *w = &p->workers[i];
        w->pool = p;
        w->index = i + 1;
        enum dh_status st =
            dh_thread_start(&w->thread, "dh-compute", worker_main, w);
        if (st) {
            dh_pool_destroy(p);
            return st;
        }
    }
    *out = p;
    return DH_OK;
}

void dh_pool_destroy(struct dh_pool *p)
{
    if (!p)
        return;
    dh_mutex_lock(&p->lock);
    dh_assert(!p->open);
    p->stop = true;
    dh_cond_broadcast(&p->begun);
    dh_mutex_unlock(&p->lock);
    for (int i = 0; i < p->threads - 1; i++)
        dh_thread_join(&p->workers[i].thread);
    dh_cond_finish(&p->done);
    dh_cond_finish(&p->turn);
    dh_mutex_finish(&p->gate);
    dh_cond_finish(&p->begun);
    dh_mutex_finish(&p->lock);
    dh_free(p->workers);
    dh_free(p);
}

int dh_pool_threads(const struct dh_pool *p)
{
    return p ? p->threads : 1;
}

static void take_turn(struct dh_pool *p)
{
    dh_mutex_lock(&p->gate);
    uint64_t mine = p->asked++;
    while (p->served != mine)
        dh_cond_wait(&p->turn, &p->gate);
    dh_mutex_unlock(&p->gate);
}

static void give_turn(struct dh_pool *p)
{
    dh_mutex_lock(&p->gate);
    p->served++;
    if (p->served != p->asked)
        dh_cond_broadcast(&p->turn);
    dh_mutex_unlock(&p->gate);
}

static void run_begin(struct dh_pool *p)
{
    dh_mutex_lock(&p->lock);
    dh_assert(!p->open);
    p->open = true;
    atomic_store(&p->next, 0);
    atomic_fetch_add(&p->run, 1);
    dh_cond_broadcast(&p->begun);
    dh_mutex_unlock(&p->lock);
}

// All slices are taken. Workers that slept until now need not come any more,
// so a run never waits for a thread that the system has put aside.
static void run_end(struct dh_pool *p)
{
    dh_mutex_lock(&p->lock);
    p->open = false;
    dh_mutex_unlock(&p->lock);
    for (int i = 0; i < SPINS && atomic_load(&p->active) > 0; i++)
        pause_cpu();
    dh_mutex_lock(&p->lock);
    while (atomic_load(&p->active) > 0)
        dh_cond_wait(&p->done, &p->lock);
    dh_mutex_unlock(&p->lock);
}

void dh_pool_run(struct dh_pool *p, size_t n, size_t grain,
                 void (*fn)(void *arg, size_t begin, size_t end, int worker),
                 void *arg)
{
    dh_assert(grain > 0);
    if (!p || p->threads == 1 || n <= grain) {
        for (size_t i = 0; i < n; i += DH_MIN(grain, n - i))
            fn(arg, i, i + DH_MIN(grain, n - i), 0);
        return;
    }
    take_turn(p);
    p->fn = fn;
    p->arg = arg;
    p->n = n;
    p->grain = grain;
    run_begin(p);
    take_slices(p, 0);
    run_end(p);
    give_turn(p);
}
