/*
 * tools/bench_model.h - `bench model`: the runtime against the roofline.
 *
 * The limits of the machine are measured in the same run; what a prompt and a
 * token must read and compute is counted from the shapes (m3.md 11).
 */
#ifndef DH_TOOLS_BENCH_MODEL_H
#define DH_TOOLS_BENCH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/opts.h"
#include "base/status.h"

struct dh_bench_model_options {
    const char *model, *shape, *contexts, *kernels;
    const char *peer;    /* a folder with llama.cpp's library, or NULL */
    const char *picture; /* WxH, or NULL */
    int decode, threads, peer_seconds, cache_type, sessions;
    int64_t memory;
};

#define DH_BENCH_MODEL_DEFAULTS \
    ((struct dh_bench_model_options){ .decode = 32, .peer_seconds = 1800 })

extern const struct dh_opt dh_bench_model_opts[];

/* "N,N..." as up to `max` lengths of a prompt; logged. */
DH_MUST_USE enum dh_status dh_bench_contexts(const char *text, int *out,
                                             int max, int *n);
/* The ids of every prompt that is measured. */
void dh_bench_ids(int vocab, int32_t *ids, int n);
/* The first of the largest. */
int32_t dh_bench_best_id(const float *logits, int vocab);
/* Sorts v[n], n >= 1. */
double dh_bench_quantile(double *v, int n, double share);

/* Prints the table or a JSON line for each length. rounds 0: 5. */
DH_MUST_USE enum dh_status
dh_bench_model(const struct dh_bench_model_options *o, int rounds, bool json);

/* `bench llama`: one prompt by llama.cpp alone, which is how the above asks it.
 */
DH_MUST_USE enum dh_status
dh_bench_model_peer(const struct dh_bench_model_options *o);

#endif
