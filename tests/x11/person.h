/*
 * tests/x11/person.h - a person at the desk: input from the server's own
 * devices, which are not those that XTest gives the agent.
 */
#ifndef DH_TESTS_X11_PERSON_H
#define DH_TESTS_X11_PERSON_H

#include <stdbool.h>

#include <X11/Xlib.h>
#include <X11/extensions/XInput.h>

struct dh_person {
    Display *dpy;
    XDevice *mouse, *keyboard;
};

/* Skips the test where the server has no such devices. */
void dh_person_init(struct dh_person *p);
void dh_person_finish(struct dh_person *p);
/* Sent when they return. */
void dh_person_moves(struct dh_person *p, int x, int y);
void dh_person_key(struct dh_person *p, KeySym sym, bool down);

#endif
