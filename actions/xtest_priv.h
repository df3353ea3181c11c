/* actions/xtest_priv.h - what the two files of the X sink share. */
#ifndef DH_ACTIONS_XTEST_PRIV_H
#define DH_ACTIONS_XTEST_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <X11/XKBlib.h>
#include <X11/Xlib.h>

#include "base/status.h"

/* How to produce a keysym: a keycode and modifiers (X's real bits). */
struct dh_keystroke {
    KeyCode code;
    unsigned mods;
};

/*
 * Finds keycodes in the live keymap, in the current group, and lends spare ones
 * to symbols that it lacks. A symbol keeps its lent keycode until finish: a
 * client that still reads the keymap so never sees it change under its feet.
 */
struct dh_xkeys {
    Display *dpy;
    XkbDescPtr map;
    int group;
    unsigned level3; /* the real modifier of ISO_Level3_Shift, or 0 */
    KeyCode spare[64];
    KeySym lent[64];
    int n_spare, n_lent;
};

DH_MUST_USE enum dh_status dh_xkeys_init(struct dh_xkeys *k, Display *dpy);
/* Gives lent keycodes back, unless the server is gone. */
void dh_xkeys_finish(struct dh_xkeys *k);
/* Read the keymap and the current group again. */
DH_MUST_USE enum dh_status dh_xkeys_refresh(struct dh_xkeys *k);
/* DH_ERR_NOTFOUND: no keycode has it and none is spare. */
DH_MUST_USE enum dh_status dh_xkeys_find(struct dh_xkeys *k, KeySym sym,
                                         struct dh_keystroke *out);
/* As find, but where it is absent bind it to a spare keycode; *lent says so. */
DH_MUST_USE enum dh_status dh_xkeys_lend(struct dh_xkeys *k, KeySym sym,
                                         struct dh_keystroke *out, bool *lent);

#endif
