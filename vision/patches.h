/*
 * vision/patches.h - a frame as the patch rows that the vision tower reads.
 *
 * m3.md 6 and 7: size rule, bicubic resampling, normalisation, patch order.
 * Bit-exact to the published processor (torchvision's uint8 antialias kernel,
 * then (v - mean*255) / (std*255) in float).
 */
#ifndef DH_VISION_PATCHES_H
#define DH_VISION_PATCHES_H

#include <stdint.h>

#include "base/geom.h"
#include "base/status.h"

struct dh_frame;
struct dh_pool;

/* What preprocessor_config.json decides. */
struct dh_patch_rule {
    int patch_size;          /* 14 */
    int temporal_patch_size; /* 2 */
    int merge_size;          /* 2 */
    int64_t min_pixels;      /* 3,136 */
    int64_t max_pixels;      /* 451,584 for pictures as released */
    float mean[3], std[3];   /* R, G, B, of values 0..1 */
};

/* The released values. */
extern const struct dh_patch_rule dh_patch_rule_m3;

/*
 * rows[t*gh*gw][channels*tps*patch*patch] float32: row order and order inside a
 * row as in m3.md 6.5 and 7.1. `grid` counts patches: t temporal groups, h, w.
 */
struct dh_patches {
    float *rows; /* owned, from dh_big_alloc */
    int grid_t, grid_h, grid_w;
    int row_len;
    struct dh_size resized; /* of the picture in pixels */
};

/* Tokens in the prompt: grid_t * grid_h * grid_w / merge_size^2. */
int dh_patches_tokens(const struct dh_patches *p, int merge_size);
void dh_patches_finish(struct dh_patches *p);

/* The size to which a picture of `in` is resized (m3.md 6.2; the reference
 * calls it smart_resize). DH_ERR_RANGE beyond an aspect ratio of 200. */
DH_MUST_USE enum dh_status dh_patches_size(const struct dh_patch_rule *rule,
                                           struct dh_size in,
                                           struct dh_size *out);

/* One picture; both temporal slices hold it. */
DH_MUST_USE enum dh_status dh_patches_of_frame(const struct dh_patch_rule *rule,
                                               const struct dh_frame *frame,
                                               struct dh_pool *pool,
                                               struct dh_patches *out);

/*
 * *p, which has the patches of `before` by this rule, gets those of `now`: the
 * bytes that dh_patches_of_frame would give. Only patches that see a pixel that
 * differs are made; where the sizes differ, all. A failure leaves *p as it was.
 */
DH_MUST_USE enum dh_status dh_patches_update(const struct dh_patch_rule *rule,
                                             const struct dh_frame *before,
                                             const struct dh_frame *now,
                                             struct dh_pool *pool,
                                             struct dh_patches *p);

/* Frames of one video in order, all of one size; an odd last one is repeated.
 * n >= 1. */
DH_MUST_USE enum dh_status dh_patches_of_video(const struct dh_patch_rule *rule,
                                               struct dh_frame *const *frames,
                                               int n, struct dh_pool *pool,
                                               struct dh_patches *out);

#endif
