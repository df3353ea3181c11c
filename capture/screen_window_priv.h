/* capture/screen_window_priv.h - one window as what a picture is taken of, also
 * where others lie over it. */
#ifndef DH_CAPTURE_SCREEN_WINDOW_PRIV_H
#define DH_CAPTURE_SCREEN_WINDOW_PRIV_H

#include <stdbool.h>

#include <X11/Xlib.h>

#include "base/status.h"
#include "capture/screen_stage_priv.h"

/* Zeroed: none. The display outlives it. */
struct dh_screen_window {
    Display *dpy;
    Window id;
    Pixmap pixmap; /* its pixels now; 0: to be asked for */
    bool gone;
};

/*
 * Find a window by its number ("0x1400003", "20971523") or by a part of its
 * title, case ignored, and have the server keep its pixels to itself.
 * DH_ERR_NOTFOUND; DH_ERR_UNSUPPORTED without the COMPOSITE extension.
 */
DH_MUST_USE enum dh_status dh_screen_window_open(struct dh_screen_window *w,
                                                 Display *dpy,
                                                 const char *which);
void dh_screen_window_close(struct dh_screen_window *w);
/* Its size or its being there may have changed. False: about something else. */
bool dh_screen_window_note(struct dh_screen_window *w, const XEvent *e);
/* All of it. DH_ERR_CLOSED: it, or the server, has gone for good; DH_ERR_IO: it
 * is not shown now. */
DH_MUST_USE enum dh_status dh_screen_window_shot(struct dh_screen_window *w,
                                                 struct dh_shot *out);

#endif
