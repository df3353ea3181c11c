/*
 * tools/bench_film.h - what a film costs: the agent's steps with and without
 * one, on a screen where much moves and on one that is mostly still.
 */
#ifndef DH_TOOLS_BENCH_FILM_H
#define DH_TOOLS_BENCH_FILM_H

#include <stdbool.h>

#include "base/status.h"

struct dh_bench;
struct dh_buf;

/* So many seconds for each row; text or JSON lines. */
DH_MUST_USE enum dh_status dh_bench_film(struct dh_bench *b, int seconds,
                                         bool json, struct dh_buf *out);

#endif
