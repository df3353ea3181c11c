/* vision/region.h - things in a picture, without knowing what they are. */
#ifndef DH_VISION_REGION_H
#define DH_VISION_REGION_H

#include <stdbool.h>

#include "base/geom.h"

struct dh_frame;

/* A larger thing is a window or a page, not something that is clicked on. */
#define DH_REGION_MAX_W 400
#define DH_REGION_MAX_H 200

/*
 * The box around the connected pixels of about one colour at `p`: the ground of
 * a button, a field. Text and a pointer in it do not matter. False where there
 * is none between 6 x 6 and the largest; `p` lies in the frame.
 */
bool dh_region_around(const struct dh_frame *frame, struct dh_point p,
                      struct dh_rect *out);

/*
 * How often the pixels of `box` are in the frame, exactly and at any place, 1
 * for itself; counting ends at `limit`. 0: there is nothing in it to be told
 * apart by. The box lies in the frame.
 */
int dh_region_count(const struct dh_frame *frame, struct dh_rect box,
                    int limit);

/*
 * Pixels of `box` of one picture that clearly have another colour in the other
 * one, where `at` is the box's corner there, and *total, how many there are.
 * What sticks out of the second picture differs; of the first, is left out.
 * Counting ends beyond `limit`.
 */
int dh_region_differs(const struct dh_frame *a, struct dh_rect box,
                      const struct dh_frame *b, struct dh_point at, int limit,
                      int *total);

#endif
