/*
 * base/x11.h - connections to the X server that survive its errors.
 *
 * Xlib ends the process on an error by default; here an error inside a trap is
 * a result, one outside is logged as a warning, and a lost server makes the
 * next call on that display fail. A Display belongs to one thread.
 */
#ifndef DH_BASE_X11_H
#define DH_BASE_X11_H

#include <stdbool.h>
#include <stdint.h>

#include <X11/Xlib.h>

#include "base/status.h"

/* Connect to `name`, NULL: $DISPLAY. Logs why not. Up to 16 connections. */
DH_MUST_USE enum dh_status dh_x11_open(Display **out, const char *name);
/* Errors on connections that a library opens by itself are its own business and
 * logged for who asks (info), where Xlib would end the process. Before the
 * library connects. */
void dh_x11_forgive_others(void);
/* NULL is allowed; also for a lost display. */
void dh_x11_close(Display *dpy);

/* Between begin and end, errors of this display's requests are counted instead
 * of logged. end waits for what is not answered yet and returns true where
 * there was none and the server is alive. Traps do not nest. */
void dh_x11_trap_begin(Display *dpy);
DH_MUST_USE bool dh_x11_trap_end(Display *dpy);
/* A trap without a round trip of its own where its last request has an answer.
 * That the server has gone is noticed by what is asked of it. */
void dh_x11_ask_begin(Display *dpy);
DH_MUST_USE bool dh_x11_ask_end(Display *dpy);

/* The server of this display has gone (killed, closed). Do not call Xlib on it
 * any more, save for dh_x11_close. */
bool dh_x11_is_lost(Display *dpy);

/* Wait until an event is queued or readable, or `until_ns` (dh_now_ns) passed.
 * DH_OK, DH_ERR_TIMEOUT, DH_ERR_CLOSED where the server is lost. */
DH_MUST_USE enum dh_status dh_x11_wait_event(Display *dpy, int64_t until_ns);

#endif
