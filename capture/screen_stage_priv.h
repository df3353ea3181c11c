/* capture/screen_stage_priv.h - the buffer that the X server draws a picture
 * into. */
#ifndef DH_CAPTURE_SCREEN_STAGE_PRIV_H
#define DH_CAPTURE_SCREEN_STAGE_PRIV_H

#include <stdbool.h>

#include <X11/Xlib.h>
#include <X11/extensions/XShm.h>

#include "base/geom.h"
#include "base/status.h"

/* Zero it, then set dpy and no_shm. */
struct dh_stage {
    Display *dpy;
    bool no_shm;         /* absent, unwanted or failed: do not try again */
    XImage *img;         /* the last picture; NULL: none */
    XShmSegmentInfo shm; /* shmaddr is NULL where img lives on the heap */
};

/*
 * Fetch an area of the root window, which must lie on it; then img holds it.
 * Shares memory with the server where it can. False where the server refused,
 * as it does when the screen has shrunk since `root` was read, or is lost.
 */
DH_MUST_USE bool dh_stage_fill(struct dh_stage *s,
                               const XWindowAttributes *root,
                               struct dh_rect area);
/* Also for a lost display, but before it is closed. */
void dh_stage_finish(struct dh_stage *s);

#endif
