/*
 * tools/bench_msa.h - `bench msa`: what sparse attention saves as contexts
 * grow.
 *
 * One layer of the released model's size decodes over contexts of random keys,
 * with sparse attention and with full attention, in turns.
 */
#ifndef DH_TOOLS_BENCH_MSA_H
#define DH_TOOLS_BENCH_MSA_H

#include <stdbool.h>

#include "base/status.h"
#include "tools/bench_model.h"

/* `o`: contexts (NULL: 1024,8192,131072,1048000), decode, threads, kernels,
 * cache_type.
 * Prints a table or a JSON line for each length. rounds 0: 5. */
DH_MUST_USE enum dh_status dh_bench_msa(const struct dh_bench_model_options *o,
                                        int rounds, bool json);

#endif
