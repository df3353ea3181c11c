/*
 * tools/bench_picture.h - `bench model --picture`: the vision tower and the
 * projector, on a screen of noise, as a share of what the machine can compute.
 */
#ifndef DH_TOOLS_BENCH_PICTURE_H
#define DH_TOOLS_BENCH_PICTURE_H

#include "base/geom.h"
#include "base/status.h"
#include "vision/patches.h"

struct dh_model;
struct dh_pool;

struct dh_bench_picture {
    struct dh_size size; /* of the screen */
    struct dh_patches patches;
    int tokens;
    double flops;
};

/* "WxH"; DH_ERR_USAGE, logged, for another text and for a model without
 * vision. */
DH_MUST_USE enum dh_status dh_bench_picture_init(struct dh_bench_picture *p,
                                                 const struct dh_model *model,
                                                 struct dh_pool *pool,
                                                 const char *size);
/* The seconds that one picture takes, in a session of its own. */
DH_MUST_USE enum dh_status
dh_bench_picture_run(const struct dh_bench_picture *p, struct dh_model *model,
                     double *seconds);
void dh_bench_picture_finish(struct dh_bench_picture *p);

#endif
