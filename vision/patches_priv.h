/* vision/patches_priv.h - patches with a choice of kernels, for tests. */
#ifndef DH_VISION_PATCHES_PRIV_H
#define DH_VISION_PATCHES_PRIV_H

#include "vision/patches.h"
#include "vision/resize_priv.h"

/* As dh_patches_of_video with these kernels; one frame fills all temporal
 * slices of its group, as for a picture. */
DH_MUST_USE enum dh_status
dh_patches_of_frames(const struct dh_patch_rule *rule,
                     struct dh_frame *const *frames, int n,
                     const struct dh_resize_kernels *kernels,
                     struct dh_pool *pool, struct dh_patches *out);
/* As dh_patches_update. */
DH_MUST_USE enum dh_status dh_patches_update_with(
    const struct dh_patch_rule *rule, const struct dh_frame *before,
    const struct dh_frame *now, const struct dh_resize_kernels *kernels,
    struct dh_pool *pool, struct dh_patches *p);

#endif
