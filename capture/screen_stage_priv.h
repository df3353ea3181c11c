/* capture/screen_stage_priv.h - the buffer that the X server draws a picture
 * into where frames cannot share memory with it themselves. */
#ifndef DH_CAPTURE_SCREEN_STAGE_PRIV_H
#define DH_CAPTURE_SCREEN_STAGE_PRIV_H

#include <stdbool.h>

#include <X11/Xlib.h>
#include <X11/extensions/XShm.h>

#include "base/geom.h"
#include "base/status.h"

/* What to take a picture of. */
struct dh_shot {
    Drawable drawable;
    Visual *visual;
    int depth;
    struct dh_point origin; /* root pixel of the drawable's 0,0 */
    struct dh_rect area;    /* root pixels; must lie on the drawable */
};

/* Memory that both this process and the server see. Zero it. */
struct dh_shared {
    XShmSegmentInfo shm; /* shmaddr is NULL where there is none */
    size_t bytes;
};

/* False where the server cannot share memory with us. */
DH_MUST_USE bool dh_shared_init(struct dh_shared *s, Display *dpy,
                                size_t bytes);
/* The server lets go of it; a lost one has. It stays mapped here. */
void dh_shared_detach(struct dh_shared *s, Display *dpy);
/* Any thread. */
void dh_shared_unmap(struct dh_shared *s);
/* Fetch an area of the shot's drawable to `at`, rows without a gap. False where
 * the server refused or is lost. */
DH_MUST_USE bool dh_shared_fetch(struct dh_shared *s, Display *dpy,
                                 const struct dh_shot *shot,
                                 struct dh_rect area, char *at);

/* Zero it, then set dpy and no_shm. */
struct dh_stage {
    Display *dpy;
    bool no_shm; /* absent, unwanted or failed: do not try again */
    XImage *img; /* the last picture; NULL: none */
    struct dh_shared shared;
};

/*
 * Fetch a picture; then img holds it. Shares memory with the server where it
 * can. False where the server refused, as it does when the drawable has shrunk
 * since it was asked for its size, or is lost.
 */
DH_MUST_USE bool dh_stage_fill(struct dh_stage *s, const struct dh_shot *shot);
/* Also for a lost display, but before it is closed. */
void dh_stage_finish(struct dh_stage *s);

#endif
