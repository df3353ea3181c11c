/*
 * tools/bench_shape.h - checkpoints of random weights, to measure with.
 *
 * The shapes are those that peers were measured with: "tiny" has 64 million
 * parameters, part of which caches hold; "mid" has 684 million, which they do
 * not. Text only, bfloat16.
 */
#ifndef DH_TOOLS_BENCH_SHAPE_H
#define DH_TOOLS_BENCH_SHAPE_H

#include <stdint.h>

#include "base/status.h"

/* Writes config.json and model.safetensors into `dir`, which is there. The
 * weights depend on nothing but the name. DH_ERR_NOTFOUND: no such shape. */
DH_MUST_USE enum dh_status dh_bench_shape_write(const char *name,
                                                const char *dir);

#endif
