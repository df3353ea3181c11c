/* capture/unrest_priv.h - what was drawn, and what of it is only a caret. */
#ifndef DH_CAPTURE_UNREST_PRIV_H
#define DH_CAPTURE_UNREST_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/geom.h"

/* A small area that was painted, perhaps again and again. */
struct dh_unrest_spot {
    struct dh_rect area;
    int64_t last_ns;
    int hits;
};

/* Zero it before use. */
struct dh_unrest {
    struct dh_unrest_spot spots[8];
    int64_t since_ns; /* the mark, or the last paint that counts */
    bool changed;
    struct dh_rect damage;
};

/* Forget what was drawn, save for the places that are known to blink. */
void dh_unrest_mark(struct dh_unrest *u, int64_t now_ns);

/*
 * Something was painted in `r` at `now_ns`. From the third time on in the same
 * area of 64 x 64 pixels or less, 10 ms to 2 s apart, it does not count.
 */
void dh_unrest_note(struct dh_unrest *u, struct dh_rect r, int64_t now_ns);

#endif
