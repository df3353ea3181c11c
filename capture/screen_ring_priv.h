/*
 * capture/screen_ring_priv.h - frames whose pixels the X server writes itself,
 * and only where they have changed.
 *
 * A few slots of shared memory, each the size of the picture. Each knows what
 * of it is out of date. The next frame goes into a slot that no frame lives in:
 * what is newer in the last frame is copied from there, what is newer on the
 * screen is fetched. So nothing that somebody holds is ever written to.
 */
#ifndef DH_CAPTURE_SCREEN_RING_PRIV_H
#define DH_CAPTURE_SCREEN_RING_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/screen_stage_priv.h"

struct dh_frame;
struct dh_slot;

/* Zero it, then set dpy. One thread, save for the frames. */
struct dh_ring {
    Display *dpy;
    struct dh_slot *slot[6];
    int n;
    struct dh_slot *last;    /* of the newest frame; NULL: none */
    struct dh_shot shot;     /* what the slots hold */
    struct dh_shared pieces; /* for what is fetched of a picture */
    uint64_t fetched;        /* pixels asked of the server, all together */
};

/* The pixels of this shot need no conversion. */
bool dh_ring_suits(Display *dpy, const struct dh_shot *shot);
/* Root pixels of `r` have changed. */
void dh_ring_note(struct dh_ring *r, struct dh_rect changed);
/* Anything may have changed. */
void dh_ring_forget(struct dh_ring *r);
/* The newest frame of this shot is still what is on the screen, save for what
 * was drawn into it here. */
bool dh_ring_is_fresh(const struct dh_ring *r, const struct dh_shot *shot);
/*
 * A frame of this shot, which dh_ring_suits; not yet published. DH_ERR_IO: the
 * server refused or is lost; DH_ERR_UNSUPPORTED: it cannot share memory, which
 * a later call will say again.
 */
DH_MUST_USE enum dh_status dh_ring_fill(struct dh_ring *r,
                                        const struct dh_shot *shot,
                                        struct dh_frame **out);
/* `area` of the newest frame, in its own pixels, is being drawn over here. */
void dh_ring_spoil(struct dh_ring *r, struct dh_rect area);
/* Frames stay valid. Also for a lost display, but before it is closed. */
void dh_ring_finish(struct dh_ring *r);

#endif
