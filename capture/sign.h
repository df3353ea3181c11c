/*
 * capture/sign.h - a thin frame around the screen and a label that say who has
 * the desktop.
 *
 * Clicks go through it, no window manager sees it, and it takes no focus. What
 * it shows changes only when the state does, so that a still screen stays
 * still; dh_sign_raise brings it back over newer windows. It is a window, so
 * pictures of the screen show it: to take it down for each would flicker.
 */
#ifndef DH_CAPTURE_SIGN_H
#define DH_CAPTURE_SIGN_H

#include "base/status.h"

struct dh_sign;

enum dh_sign_state {
    DH_SIGN_AGENT,   /* acts */
    DH_SIGN_PERSON,  /* has taken over */
    DH_SIGN_ASKS,    /* waits for an answer */
    DH_SIGN_STOPPED, /* acts no more */
};

/* The label ends with `hint`, e.g. which key stops. Shown at once, for the
 * agent. DH_ERR_UNSUPPORTED, logged at info, where the server has no XFixes:
 * a sign that catches clicks is none. */
DH_MUST_USE enum dh_status
dh_sign_create(struct dh_sign **out, const char *display, const char *hint);
/* NULL is allowed. */
void dh_sign_destroy(struct dh_sign *s);
/* Any thread, and NULL is allowed. When it returns, the server has drawn it. */
void dh_sign_show(struct dh_sign *s, enum dh_sign_state state);
/* Over what has been opened since, and around a screen of another size. Where
 * nothing hides it, nothing is drawn. As dh_sign_show else. */
void dh_sign_raise(struct dh_sign *s);

#endif
