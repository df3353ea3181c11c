/*
 * capture/layout.h - the monitors of a screen: where each one lies.
 *
 * An X screen is one plane of root pixels; RandR puts outputs onto it, which
 * may leave dead areas that no monitor shows. Every frame carries the layout it
 * was taken under, so that an action meant for another one can be told.
 */
#ifndef DH_CAPTURE_LAYOUT_H
#define DH_CAPTURE_LAYOUT_H

#include <stdbool.h>

#include "base/geom.h"

#define DH_LAYOUT_MAX 16

struct dh_output {
    char name[32];       /* as xrandr calls it, e.g. "HDMI-1" */
    struct dh_rect rect; /* root pixels, after rotation */
    int rotation;        /* degrees: 0, 90, 180, 270 */
    bool primary;
};

/* Plain data, compared as a whole; zeroed, with n == 0, for what is no screen
 * or where the server does not tell. */
struct dh_layout {
    struct dh_rect root; /* 0,0 and the size of the X screen */
    struct dh_output output[DH_LAYOUT_MAX];
    int n;
};

bool dh_layout_equal(const struct dh_layout *a, const struct dh_layout *b);
/* Some output shows it; true where no output is known. */
bool dh_layout_shows(const struct dh_layout *l, struct dh_point p);
/* By name, case ignored; "primary" is the primary one. NULL: none. */
const struct dh_output *dh_layout_find(const struct dh_layout *l,
                                       const char *name);

#endif
