/*
 * tools/bench_sessions.h - `bench model --sessions`: several conversations that
 * go on at the same time, in one pass for a token of each.
 */
#ifndef DH_TOOLS_BENCH_SESSIONS_H
#define DH_TOOLS_BENCH_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "model/model.h"
#include "model/session.h"

struct dh_buf;

#define DH_BENCH_MAX_SESSIONS 64

/* 1, 2, 4 ... sessions, each behind a prompt of its own. */
struct dh_bench_sessions {
    struct dh_model *model;
    enum dh_cache_type cache_type;
    int context, decode, most;
    struct dh_session *session[DH_BENCH_MAX_SESSIONS];
    int rounds;
    double *pass_s[7]; /* of each number of them: [rounds * decode] */
};

/* Reads the prompts: ids[context] for each of `most` sessions, whose `decode`
 * tokens are then measured `rounds` times. Zeroed before. */
DH_MUST_USE enum dh_status dh_bench_sessions_init(struct dh_bench_sessions *b,
                                                  const int32_t *ids);
/* One round of all numbers of sessions, in an order that goes by `round`. */
DH_MUST_USE enum dh_status dh_bench_sessions_run(struct dh_bench_sessions *b,
                                                 int round);
/* A line for each number of sessions; read_bytes: what memory gives a second.
 */
void dh_bench_sessions_put(const struct dh_bench_sessions *b, double read_bytes,
                           bool json, struct dh_buf *out);
void dh_bench_sessions_finish(struct dh_bench_sessions *b);

#endif
