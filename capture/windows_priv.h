/* capture/windows_priv.h - what windows.c and windows_move.c share. */
#ifndef DH_CAPTURE_WINDOWS_PRIV_H
#define DH_CAPTURE_WINDOWS_PRIV_H

#include <stddef.h>

#include <X11/Xlib.h>

#include "capture/windows.h"

struct dh_windows {
    Display *dpy;
    Atom wm_state, net_name, net_pid, clients, utf8;
    Window focus; // as it was found last
    Window only;  // None: no limit
};

/* At most `max` bytes of a property; its length, 0 where there is none. Items
 * of 32 bits are longs, as Xlib has them. */
size_t dh_windows_property(struct dh_windows *w, Window win, Atom name,
                           Atom type, void *out, size_t max);
/* The program's window that `win` is or holds; None: no program's. */
Window dh_windows_client(struct dh_windows *w, Window win);
/* All but `within` and `at`; `out` is zeroed. */
void dh_windows_describe(struct dh_windows *w, Window id,
                         struct dh_window *out);

#endif
