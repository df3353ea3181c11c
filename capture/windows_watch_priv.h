/* capture/windows_watch_priv.h - which windows come, go, move, are renamed or
 * get the focus. */
#ifndef DH_CAPTURE_WINDOWS_WATCH_PRIV_H
#define DH_CAPTURE_WINDOWS_WATCH_PRIV_H

#include <stdint.h>

#include <X11/Xlib.h>

#include "base/status.h"
#include "capture/input_record.h"

/* One thread, that of `dpy`. */
struct dh_windows_watch;

typedef void (*dh_windows_watch_fn)(void *user, enum dh_window_change what,
                                    const struct dh_window *window);

/* Tells of the windows that are there at once. `display` is for a connection of
 * its own, on which windows are asked about. */
DH_MUST_USE enum dh_status
dh_windows_watch_create(struct dh_windows_watch **out, Display *dpy,
                        const char *display, dh_windows_watch_fn tell,
                        void *user);
/* NULL is allowed. */
void dh_windows_watch_destroy(struct dh_windows_watch *w);
/* Looks at every event of the display. */
void dh_windows_watch_event(struct dh_windows_watch *w, const XEvent *e);
/* How many of the windows that were told of are above this one; -1: it is none
 * of them. */
int dh_windows_watch_above(struct dh_windows_watch *w, unsigned long id);
/* Tell what has become due; the moment of the next, INT64_MAX for none. A
 * change of focus is due at once, a window that moves when it rests. */
int64_t dh_windows_watch_flush(struct dh_windows_watch *w);

#endif
