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

/* Where the pointer is. */
void dh_person_button(struct dh_person *p, unsigned button, bool down);
/* Moves there in steps, rests as a hand does, presses and lets go. */
void dh_person_clicks(struct dh_person *p, int x, int y, unsigned button);
/* Presses and lets go of a key under modifiers, of which there are at most
 * four; 0 ends them. */
void dh_person_chord(struct dh_person *p, KeySym sym, const KeySym *mods);
/* ASCII that the layout has on one of its first two levels. */
void dh_person_types(struct dh_person *p, const char *text);

#endif
