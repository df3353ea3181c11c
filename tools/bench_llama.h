/*
 * tools/bench_llama.h - llama.cpp's library, asked for the same prompt on the
 * same file, in a process of its own.
 */
#ifndef DH_TOOLS_BENCH_LLAMA_H
#define DH_TOOLS_BENCH_LLAMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct dh_bench_llama {
    const char *folder; /* with libllama.so, or where npm put node-llama-cpp */
    const char *model;  /* a GGUF file */
    int context, decode, threads;
    int seconds; /* for all of it; then it is ended: DH_ERR_TIMEOUT */
};

struct dh_bench_llama_times {
    double load_s, prefill_s, memory_mb;
    double *decode_s; /* a place for each of `decode` */
    int n_decode;     /* that were timed */
};

/* One prompt of `context` ids, dh_bench_ids, and `decode` tokens behind it. */
DH_MUST_USE enum dh_status dh_bench_llama_run(const struct dh_bench_llama *l,
                                              struct dh_bench_llama_times *out);

/* What that process runs: prints a line of JSON, whose members are the times
 * above without their units. */
DH_MUST_USE enum dh_status dh_bench_llama_child(const struct dh_bench_llama *l);

#endif
