/* base/geom.h - points, sizes, rectangles in pixels. */
#ifndef DH_BASE_GEOM_H
#define DH_BASE_GEOM_H

#include <stdbool.h>

#include "base/status.h"

struct dh_point {
    int x, y;
};

struct dh_size {
    int w, h;
};

/* Covers x..x+w-1, y..y+h-1; empty where w or h is not positive. */
struct dh_rect {
    int x, y, w, h;
};

/* "WxH" of 1 to 32767 pixels; false: something else. */
DH_MUST_USE bool dh_size_parse(const char *text, struct dh_size *out);

bool dh_rect_is_empty(struct dh_rect r);
bool dh_rect_has(struct dh_rect r, struct dh_point p);
struct dh_rect dh_rect_intersect(struct dh_rect a, struct dh_rect b);
/* The smallest rectangle around both; an empty one does not count. */
struct dh_rect dh_rect_union(struct dh_rect a, struct dh_rect b);

#endif
