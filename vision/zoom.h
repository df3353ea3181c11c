/* vision/zoom.h - a part of a picture as a picture of its own. */
#ifndef DH_VISION_ZOOM_H
#define DH_VISION_ZOOM_H

#include "base/geom.h"
#include "base/status.h"

struct dh_frame;

/* So many times larger at most. */
#define DH_ZOOM_MAX 3

/*
 * The part at `area` (root pixels, cut to what `f` shows), enlarged by a whole
 * number up to DH_ZOOM_MAX as long as it is no larger than `f`; the new frame,
 * published, is the caller's, its `screen` the area that it shows. DH_ERR_RANGE
 * where nothing is left of the area; DH_ERR_NOMEM.
 */
DH_MUST_USE enum dh_status dh_zoom_frame(const struct dh_frame *f,
                                         struct dh_rect area,
                                         struct dh_frame **out);

#endif
