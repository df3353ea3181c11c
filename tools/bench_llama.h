/*
 * tools/bench_llama.h - llama.cpp's library from npm's node-llama-cpp, asked
 * through node for the same prompt on the same file.
 */
#ifndef DH_TOOLS_BENCH_LLAMA_H
#define DH_TOOLS_BENCH_LLAMA_H

#include "base/status.h"

struct dh_bench_llama {
    const char *folder; /* that has node_modules/node-llama-cpp */
    const char *model;  /* a GGUF file */
    int threads;
    int seconds; /* for all of it; then it is ended: DH_ERR_TIMEOUT */
};

/*
 * One prompt of `context` ids, those of `bench model`, and `decode` tokens
 * behind it. decode_s has a place for each; *n_decode is how many were timed.
 */
DH_MUST_USE enum dh_status dh_bench_llama_run(const struct dh_bench_llama *l,
                                              int context, int decode,
                                              double *load_s, double *prefill_s,
                                              double *decode_s, int *n_decode);

#endif
