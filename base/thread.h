/* base/thread.h - threads, a mutex that knows its holder, a condition, a flag
 * that cancels. Failures to create a thread are logged. */
#ifndef DH_BASE_THREAD_H
#define DH_BASE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct dh_thread {
    pthread_t id;
    bool started;
};

/* `name` is shown by the system, 15 characters at most. All signals but
 * SIGBUS are blocked in the new thread. */
DH_MUST_USE enum dh_status dh_thread_start(struct dh_thread *t,
                                           const char *name,
                                           void (*run)(void *), void *arg);
/* A thread that never started is allowed. */
void dh_thread_join(struct dh_thread *t);

struct dh_mutex {
    pthread_mutex_t m;
    _Atomic(pthread_t) holder;
    atomic_bool held;
};

void dh_mutex_init(struct dh_mutex *m);
void dh_mutex_finish(struct dh_mutex *m);
void dh_mutex_lock(struct dh_mutex *m);
void dh_mutex_unlock(struct dh_mutex *m);
/* Abort unless this thread holds it. */
void dh_mutex_assert_held(struct dh_mutex *m);

struct dh_cond {
    pthread_cond_t c;
};

void dh_cond_init(struct dh_cond *c);
void dh_cond_finish(struct dh_cond *c);
void dh_cond_signal(struct dh_cond *c);
void dh_cond_broadcast(struct dh_cond *c);
void dh_cond_wait(struct dh_cond *c, struct dh_mutex *m);
/* False where `until_ns` (dh_now_ns time) has passed. */
bool dh_cond_wait_until(struct dh_cond *c, struct dh_mutex *m,
                        int64_t until_ns);

/* Set once, looked at per token and per layer. Async-signal-safe to set. */
struct dh_cancel {
    atomic_bool set;
    struct dh_cancel *parent; /* set: so is this one; may be NULL */
};

static inline void dh_cancel_set(struct dh_cancel *c)
{
    atomic_store_explicit(&c->set, true, memory_order_relaxed);
}

/* For a flag that stands for a state, such as a person at the desk. */
static inline void dh_cancel_clear(struct dh_cancel *c)
{
    atomic_store_explicit(&c->set, false, memory_order_relaxed);
}

/* NULL: never cancelled. */
static inline bool dh_cancel_is_set(struct dh_cancel *c)
{
    for (; c; c = c->parent)
        if (atomic_load_explicit(&c->set, memory_order_relaxed))
            return true;
    return false;
}

/* Cores that this process may use, at least 1. */
int dh_thread_cores(void);
/* Their name as the kernel has it, "unknown" where it has none. */
void dh_thread_cpu(char *out, size_t size);

#endif
