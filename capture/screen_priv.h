/* capture/screen_priv.h - what the files of the screen share. */
#ifndef DH_CAPTURE_SCREEN_PRIV_H
#define DH_CAPTURE_SCREEN_PRIV_H

#include <stdbool.h>

#include <X11/Xlib.h>

#include "capture/source.h"

/* The server has DAMAGE; *event is its first event. */
bool dh_damage_probe(Display *dpy, int *event);

/* Tests: pixels that were asked of the server so far for the frames of a
 * screen. */
uint64_t dh_screen_fetched(const struct dh_source *screen);

#endif
