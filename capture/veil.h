/*
 * capture/veil.h - a source around another one that paints parts over, so that
 * what nobody may see is in no picture.
 */
#ifndef DH_CAPTURE_VEIL_H
#define DH_CAPTURE_VEIL_H

#include "base/geom.h"
#include "base/status.h"

struct dh_source;

#define DH_VEIL_MAX 32

/* Takes over `inner`. It belongs to one thread, as all sources do. */
struct dh_source *dh_veil_create(struct dh_source *inner);
/* From the next grab on these boxes, in root pixels, are grey. More than the
 * most are covered by the box around all. */
void dh_veil_set(struct dh_source *veil, const struct dh_rect *box, int n);

#endif
