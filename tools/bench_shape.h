/*
 * tools/bench_shape.h - checkpoints of random weights, to measure with.
 *
 * The shapes are those that peers were measured with: "tiny" has 64 million
 * parameters, part of which caches hold; "mid" has 684 million, which they do
 * not. Both are bfloat16. "m3-layer" is one layer of the released model's size
 * with all its 128 experts, in MXFP8 but for what the official checkpoint keeps
 * in full. Text only.
 */
#ifndef DH_TOOLS_BENCH_SHAPE_H
#define DH_TOOLS_BENCH_SHAPE_H

#include <stdint.h>

#include "base/status.h"

struct dh_model;
struct dh_model_options;

/* Writes it into a folder of its own, loads it in *load_s seconds, and removes
 * the folder. The weights depend on nothing but the name. `dense`, unless it is
 * NULL, becomes a model of the same weights, in the same memory, that sees
 * everything in every layer. DH_ERR_USAGE: there is no such shape. Both are
 * the caller's, also where only the first could be made. */
DH_MUST_USE enum dh_status dh_bench_shape_open(struct dh_model **out,
                                               struct dh_model **dense,
                                               const char *name,
                                               const struct dh_model_options *o,
                                               double *load_s);

#endif
