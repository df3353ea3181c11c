/* vision/view.h - which part of the screen a picture shows, and where on the
 * screen a point that the model names is. actions.md 3.6. No floats. */
#ifndef DH_VISION_VIEW_H
#define DH_VISION_VIEW_H

#include "base/geom.h"

/* Model coordinates are 0..1000 on both axes, whatever the picture's size. */
#define DH_VIEW_RANGE 1000

struct dh_view {
    struct dh_rect screen; /* the captured rectangle, in root pixels */
};

/* min(W-1, (x*W + 500) / 1000) plus the origin; x and y are in 0..1000. */
struct dh_point dh_view_to_screen(const struct dh_view *v,
                                  struct dh_point model);
/* ((px - origin) * 1000 + W/2) / W, clamped to 0..1000. */
struct dh_point dh_view_to_model(const struct dh_view *v, struct dh_point px);

#endif
