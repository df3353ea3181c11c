/* capture/screen_layout_priv.h - the monitors of a screen, kept up to date from
 * the server's events. */
#ifndef DH_CAPTURE_SCREEN_LAYOUT_PRIV_H
#define DH_CAPTURE_SCREEN_LAYOUT_PRIV_H

#include <stdbool.h>

#include <X11/Xlib.h>

#include "base/status.h"
#include "capture/layout.h"

struct dh_layout_watch {
    Display *dpy;
    bool has_randr, has_monitors;
    int event; /* of RandR, the first one */
    bool known;
    struct dh_layout layout; /* where known */
};

/* Ask to be told of changes. */
void dh_layout_watch_init(struct dh_layout_watch *w, Display *dpy);
/* False: the event is about something else. */
bool dh_layout_watch_note(struct dh_layout_watch *w, const XEvent *e);
/* Ask the server for the layout, unless it is known. Without RandR it is the
 * size of the screen alone. DH_ERR_CLOSED, DH_ERR_IO. */
DH_MUST_USE enum dh_status dh_layout_watch_read(struct dh_layout_watch *w);

#endif
