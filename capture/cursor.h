/* capture/cursor.h - the picture of the pointer, drawn into a frame. */
#ifndef DH_CAPTURE_CURSOR_H
#define DH_CAPTURE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <X11/Xlib.h>

#include "base/status.h"

struct dh_frame;

/* A picture with its top left corner at x, y of the frame. argb holds one
 * number a pixel, 0xAARRGGBB, with colours multiplied by alpha already. */
struct dh_cursor {
    int x, y, width, height;
    const unsigned long *argb;
    unsigned long serial; /* changes with the picture */
    void *owned;          /* what dh_cursor_finish frees, or NULL */
};

/* Blend onto a frame that is not published yet. Parts outside are left out. */
void dh_cursor_blend(const struct dh_cursor *c, struct dh_frame *frame);

/* The server has XFIXES 2 or later. Ask before drawing. */
bool dh_cursor_probe(Display *dpy);

/* The pointer as it is now, at its place on the screen; for dh_cursor_finish.
 * DH_ERR_IO: the server did not tell. Thread: that of the display. */
DH_MUST_USE enum dh_status dh_cursor_read(Display *dpy, struct dh_cursor *out);
/* Zeroed ones are allowed. */
void dh_cursor_finish(struct dh_cursor *c);

#endif
