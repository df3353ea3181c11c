/*
 * tools/bench_shape.h - checkpoints of random weights, to measure with.
 *
 * The shapes are those that peers were measured with: "tiny" has 64 million
 * parameters, part of which caches hold; "mid" has 684 million, which they do
 * not. "m3-layer" is one layer of the released model's size with eight experts,
 * "m3-layer-dense" the same without sparse attention. Text only, bfloat16.
 */
#ifndef DH_TOOLS_BENCH_SHAPE_H
#define DH_TOOLS_BENCH_SHAPE_H

#include <stdint.h>

#include "base/status.h"

struct dh_model;
struct dh_model_options;

/* Writes it into a folder of its own, loads it in *load_s seconds, and removes
 * the folder. The weights depend on nothing but the name. DH_ERR_USAGE: there
 * is no such shape. */
DH_MUST_USE enum dh_status dh_bench_shape_open(struct dh_model **out,
                                               const char *name,
                                               const struct dh_model_options *o,
                                               double *load_s);

#endif
