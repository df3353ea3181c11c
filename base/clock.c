#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

// Atomic, since a test's other threads may look at the time too.
static atomic_bool fake_on;
static _Atomic int64_t fake_ns;

static int64_t clock_read(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * DH_S + ts.tv_nsec;
}

int64_t dh_now_ns(void)
{
    if (atomic_load(&fake_on))
        return atomic_load(&fake_ns);
    return clock_read(CLOCK_MONOTONIC);
}

int64_t dh_realtime_ns(void)
{
    return clock_read(CLOCK_REALTIME);
}

static void fake_move_to(int64_t ns)
{
    int64_t now = atomic_load(&fake_ns);
    while (now < ns && !atomic_compare_exchange_weak(&fake_ns, &now, ns))
        continue;
}

void dh_sleep_until(int64_t ns)
{
    if (atomic_load(&fake_on)) {
        fake_move_to(ns);
        return;
    }
    if (ns <= 0)
        return;
    struct timespec ts = { .tv_sec = ns / DH_S, .tv_nsec = ns % DH_S };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        continue;
}

void dh_sleep_for(int64_t ns)
{
    int64_t until;
    if (__builtin_add_overflow(dh_now_ns(), DH_MAX(ns, 0), &until))
        until = INT64_MAX;
    dh_sleep_until(until);
}

void dh_clock_fake(bool on, int64_t ns)
{
    atomic_store(&fake_ns, ns);
    atomic_store(&fake_on, on);
}

void dh_time_text(int64_t realtime_ns, char out[32])
{
    time_t s = (time_t)(realtime_ns / DH_S);
    struct tm tm;
    out[0] = '\0';
    if (!gmtime_r(&s, &tm) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
        memcpy(out, "?", 2);
}
