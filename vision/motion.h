/* vision/motion.h - did what a picture shows move, and by how much. */
#ifndef DH_VISION_MOTION_H
#define DH_VISION_MOTION_H

#include <stdbool.h>

#include "base/geom.h"

struct dh_frame;

struct dh_motion {
    struct dh_point by;  /* pixels, right and down; one of the two is 0 */
    struct dh_rect area; /* around what moved, where it is in `after` */
};

/*
 * Looks in `region` (frame pixels, cut to the pictures) for a part that went
 * straight up, down, left or right as a scrolled view does. What stands still
 * around it (a header, a side bar), what blinks and what is new does not
 * matter; what fits into 64 x 64 pixels, such as a pointer, is no view. False
 * where nothing moved, where no part of the old can be found again, or where
 * the sizes differ.
 */
bool dh_motion_find(const struct dh_frame *before, const struct dh_frame *after,
                    struct dh_rect region, struct dh_motion *out);

/*
 * Tiles of 16 x 16 pixels of `region` in which the pictures differ, and *total,
 * how many there are. Two sizes differ everywhere.
 */
int dh_motion_changed(const struct dh_frame *before,
                      const struct dh_frame *after, struct dh_rect region,
                      int *total);
/* Around all pixels that differ inside of `region`; empty where none does. */
struct dh_rect dh_motion_bounds(const struct dh_frame *before,
                                const struct dh_frame *after,
                                struct dh_rect region);

#endif
