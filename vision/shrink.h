/* vision/shrink.h - a picture made smaller, with the filter of the vision
 * pipeline (bicubic, antialiased, in bytes: m3.md 6.3). */
#ifndef DH_VISION_SHRINK_H
#define DH_VISION_SHRINK_H

#include "base/geom.h"
#include "base/status.h"

struct dh_frame;

/* The new frame, published, is the caller's; it shows what `f` shows.
 * DH_ERR_RANGE for an empty size, DH_ERR_NOMEM. */
DH_MUST_USE enum dh_status dh_shrink_frame(const struct dh_frame *f,
                                           struct dh_size to,
                                           struct dh_frame **out);

#endif
