/* actions/xtest_priv.h - what the files of the X sink share. */
#ifndef DH_ACTIONS_XTEST_PRIV_H
#define DH_ACTIONS_XTEST_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <X11/XKBlib.h>
#include <X11/Xlib.h>

#include "actions/action.h"
#include "actions/sink.h"
#include "actions/xtest.h"
#include "base/diag.h"
#include "base/status.h"

struct dh_cancel;

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

#define DH_XTEST_BUTTONS 16

struct dh_xtest {
    struct dh_sink sink;
    Display *dpy;
    struct dh_xkeys keys;
    struct dh_xtest_options o;
    bool key_down[256]; // by us; the guardian knows the same
    bool button_down[DH_XTEST_BUTTONS];
    struct dh_cancel *cancel; // of the action under way
    bool lock_caps;           // was on; put back when the keys are done
};

/* Press or let go, and remember it. Nothing happens where it is so already. */
void dh_xtest_key(struct dh_xtest *x, KeyCode code, bool down);
void dh_xtest_button(struct dh_xtest *x, int button, bool down);

/* The action under way is to end: a stop, a person at the desk, no server. */
bool dh_xtest_stopped(struct dh_xtest *x);
/* Why it ended; DH_OK where nothing stops it. */
enum dh_status dh_xtest_ended(struct dh_xtest *x);
/* Send what is queued, then leave `ns` for it. */
void dh_xtest_pace(struct dh_xtest *x, int64_t ns);
/* The same for long times: a stop comes through. */
void dh_xtest_hold(struct dh_xtest *x, int64_t ns);

/* DH_MOD_* in their order, and up in the reverse one. */
DH_MUST_USE enum dh_status dh_xtest_mods_down(struct dh_xtest *x, unsigned mods,
                                              struct dh_diag *why);
void dh_xtest_mods_up(struct dh_xtest *x, unsigned mods);

/* The actions of each kind. */
DH_MUST_USE enum dh_status dh_xtest_pointer(struct dh_xtest *x,
                                            const struct dh_action *a,
                                            struct dh_diag *why);
DH_MUST_USE enum dh_status dh_xtest_keyboard(struct dh_xtest *x,
                                             const struct dh_action *a,
                                             struct dh_diag *why);

#endif
