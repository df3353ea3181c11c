/* base/clock.h - time. The only callers of clock_gettime and nanosleep. */
#ifndef DH_BASE_CLOCK_H
#define DH_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define DH_MS INT64_C(1000000)
#define DH_S  INT64_C(1000000000)

/* CLOCK_MONOTONIC, or the fake clock of a test. */
int64_t dh_now_ns(void);
/* Of an earlier dh_now_ns. */
static inline double dh_seconds_since(int64_t ns)
{
    return (double)(dh_now_ns() - ns) / 1e9;
}

/* CLOCK_REALTIME. */
int64_t dh_realtime_ns(void);
/* For pacing only (key strokes, frames of a video), never to wait for a state.
 * With a fake clock it moves that clock and returns at once. */
void dh_sleep_until(int64_t ns);
void dh_sleep_for(int64_t ns);
/* Tests: from now on time stands at `ns` and moves by sleeping only. */
void dh_clock_fake(bool on, int64_t ns);

/* "2026-11-22T10:00:00Z" of a realtime value; out holds 21 bytes at least. */
void dh_time_text(int64_t realtime_ns, char out[32]);

#endif
