/*
 * tests/x11/listener.h - an X client that reports what it got.
 *
 * It fills the screen with one window, takes the focus, and writes every key
 * and button event down as text: "key 26 a", "press 1 100,50 +ctrl".
 */
#ifndef DH_TESTS_X11_LISTENER_H
#define DH_TESTS_X11_LISTENER_H

#include <X11/Xlib.h>

#include "base/buf.h"

struct dh_listener {
    Display *dpy;
    Window win;
    XIM im;
    XIC ic;
    struct dh_buf typed;  /* the characters that arrived, UTF-8 */
    struct dh_buf events; /* button events, one a line */
};

void dh_listener_init(struct dh_listener *l);
void dh_listener_finish(struct dh_listener *l);
/* Read what has arrived until nothing more comes for 100 ms. */
void dh_listener_drain(struct dh_listener *l);
/* Keys and buttons that the server holds down now. */
int dh_listener_held(struct dh_listener *l);

#endif
