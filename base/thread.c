#include "base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"

#define DH_LOG_TAG "thread"
#include "base/log.h"

struct start {
    char name[16];
    void (*run)(void *);
    void *arg;
};

static void *thread_main(void *p)
{
    struct start s = *(struct start *)p;
    dh_free(p);
    pthread_setname_np(pthread_self(), s.name);
    s.run(s.arg);
    return NULL;
}

enum dh_status dh_thread_start(struct dh_thread *t, const char *name,
                               void (*run)(void *), void *arg)
{
    struct start *s;
    dh_new(s);
    snprintf(s->name, sizeof(s->name), "%s", name);
    s->run = run;
    s->arg = arg;

    // Signals are for the main thread, and a new thread inherits this mask. A
    // fault belongs to the thread that ran into it (base/fault).
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&t->id, NULL, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err) {
        dh_error("cannot start thread %s: %s", name, strerror(err));
        dh_free(s);
        t->started = false;
        return DH_ERR_NOMEM;
    }
    t->started = true;
    return DH_OK;
}

void dh_thread_join(struct dh_thread *t)
{
    if (!t->started)
        return;
    dh_assert(pthread_join(t->id, NULL) == 0);
    t->started = false;
}

void dh_mutex_init(struct dh_mutex *m)
{
    dh_assert(pthread_mutex_init(&m->m, NULL) == 0);
    atomic_init(&m->held, false);
    atomic_init(&m->holder, pthread_self());
}

void dh_mutex_finish(struct dh_mutex *m)
{
    dh_assert(pthread_mutex_destroy(&m->m) == 0);
}

static void holder_set(struct dh_mutex *m)
{
    atomic_store_explicit(&m->holder, pthread_self(), memory_order_relaxed);
    atomic_store_explicit(&m->held, true, memory_order_relaxed);
}

static bool is_holder(struct dh_mutex *m)
{
    return atomic_load_explicit(&m->held, memory_order_relaxed) &&
           pthread_equal(atomic_load_explicit(&m->holder, memory_order_relaxed),
                         pthread_self());
}

void dh_mutex_lock(struct dh_mutex *m)
{
    dh_assert(!is_holder(m));
    dh_assert(pthread_mutex_lock(&m->m) == 0);
    holder_set(m);
}

void dh_mutex_unlock(struct dh_mutex *m)
{
    dh_mutex_assert_held(m);
    atomic_store_explicit(&m->held, false, memory_order_relaxed);
    dh_assert(pthread_mutex_unlock(&m->m) == 0);
}

void dh_mutex_assert_held(struct dh_mutex *m)
{
    dh_assert(is_holder(m));
}

void dh_cond_init(struct dh_cond *c)
{
    pthread_condattr_t attr;
    dh_assert(pthread_condattr_init(&attr) == 0);
    dh_assert(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    dh_assert(pthread_cond_init(&c->c, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

void dh_cond_finish(struct dh_cond *c)
{
    dh_assert(pthread_cond_destroy(&c->c) == 0);
}

void dh_cond_signal(struct dh_cond *c)
{
    pthread_cond_signal(&c->c);
}

void dh_cond_broadcast(struct dh_cond *c)
{
    pthread_cond_broadcast(&c->c);
}

void dh_cond_wait(struct dh_cond *c, struct dh_mutex *m)
{
    dh_mutex_assert_held(m);
    atomic_store_explicit(&m->held, false, memory_order_relaxed);
    dh_assert(pthread_cond_wait(&c->c, &m->m) == 0);
    holder_set(m);
}

bool dh_cond_wait_until(struct dh_cond *c, struct dh_mutex *m, int64_t until_ns)
{
    dh_mutex_assert_held(m);
    int64_t left = until_ns - dh_now_ns();
    if (until_ns <= dh_now_ns())
        return false;

    // Under a fake clock the wait takes its real time, since another thread
    // may need it to get here; only then does the fake time move.
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t sec = ts.tv_sec + left / DH_S;
    int64_t ns = ts.tv_nsec + left % DH_S;
    ts.tv_sec = sec + ns / DH_S;
    ts.tv_nsec = ns % DH_S;

    atomic_store_explicit(&m->held, false, memory_order_relaxed);
    int err = pthread_cond_timedwait(&c->c, &m->m, &ts);
    holder_set(m);
    dh_assert(err == 0 || err == ETIMEDOUT);
    if (err == ETIMEDOUT)
        dh_sleep_until(until_ns);
    return err == 0;
}

int dh_thread_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return DH_MAX(CPU_COUNT(&set), 1);
}

void dh_thread_cpu(char *out, size_t size)
{
    static const char key[] = "model name\t: ";
    char line[512];
    snprintf(out, size, "unknown");
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, sizeof key - 1) != 0)
            continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(out, size, "%.100s", line + sizeof key - 1);
        break;
    }
    if (f)
        fclose(f);
}
