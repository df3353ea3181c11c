/*
 * agent/a11y.h - what programs say of their own widgets (AT-SPI).
 *
 * The library behind it may block, and the programs that answer may be slow or
 * hostile. Hence a child process asks, and we wait for it a fixed time at most:
 * what it does not know by then is not known.
 */
#ifndef DH_AGENT_A11Y_H
#define DH_AGENT_A11Y_H

#include <stdbool.h>

#include "base/geom.h"
#include "base/status.h"

/* One thread. */
struct dh_a11y;

/* The longest wait for an answer. */
#define DH_A11Y_WAIT_MS 200

/* Text is UTF-8, cut at the size of its field, and untrusted. */
struct dh_a11y_node {
    char role[32];  /* AT-SPI's name: "push button", "entry", "password text" */
    char name[128]; /* what a screen reader says: a button's label */
    char text[1024];     /* content of a text widget; "" for a password */
    struct dh_rect rect; /* root pixels; empty where it does not say */
    bool password, editable, focused;
};

/*
 * Start the child; call it before any thread is made. The child talks to the
 * session bus that the environment names, so do not call it without one: a bus
 * would be started. DH_ERR_IO where no process or socket can be had.
 */
DH_MUST_USE enum dh_status dh_a11y_create(struct dh_a11y **out);
/* NULL is allowed. */
void dh_a11y_destroy(struct dh_a11y *a);

/* The innermost widget at a point of the screen, in the window on top there.
 * `pid` is that window's process where known, else 0 for any program. False:
 * nothing is known. a may be NULL. */
DH_MUST_USE bool dh_a11y_at(struct dh_a11y *a, int pid, struct dh_point p,
                            struct dh_a11y_node *out);
/* The widget that has the focus, in the active window. Likewise. */
DH_MUST_USE bool dh_a11y_focused(struct dh_a11y *a, int pid,
                                 struct dh_a11y_node *out);

#endif
