/* capture/boxes_priv.h - a few rectangles that cover what has changed. */
#ifndef DH_CAPTURE_BOXES_PRIV_H
#define DH_CAPTURE_BOXES_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/geom.h"

/* Covers at least what was added. Zero it before use. */
struct dh_boxes {
    struct dh_rect r[16];
    int n;
};

void dh_boxes_add(struct dh_boxes *b, struct dh_rect r);
bool dh_boxes_touch(const struct dh_boxes *b, struct dh_rect r);
/* Cut to `area`. */
void dh_boxes_clip(struct dh_boxes *b, struct dh_rect area);
/* In pixels; those of two boxes that overlap count twice. */
int64_t dh_boxes_area(const struct dh_boxes *b);

#endif
