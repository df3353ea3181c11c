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
#include "base/clock.h"
#include "base/diag.h"
#include "base/status.h"

struct dh_cancel;

/* How to produce a keysym: a keycode, modifiers (X's real bits), a group. */
struct dh_keystroke {
    KeyCode code;
    unsigned char group;
    unsigned mods;
};

#define DH_XKEYS_MEMO 512

/*
 * Finds keycodes in the live keymap and lends spare ones to symbols that it
 * lacks. A symbol keeps its lent keycode: a client that still reads the keymap
 * so never sees it change under its feet. spare[0] to spare[n_lent - 1] are
 * bound, each to two symbols, and have to be given back.
 */
struct dh_xkeys {
    Display *dpy;
    XkbDescPtr map;
    int group, n_groups;
    unsigned shift, level3, level5; /* real modifiers; 0: there is none */
    KeyCode shift_code, level3_code, level5_code;
    KeyCode spare[64];
    KeySym lent[64][2]; /* without and with Shift */
    int n_spare, n_lent;
    int64_t used_ns; /* when a lent key was last pressed; 0: all is read */
    int event;       /* XKB's first event: what tells a new keymap */
    bool stale;      /* the keymap has changed since it was read */
    struct {
        KeySym sym;
        struct dh_keystroke stroke;
    } memo[DH_XKEYS_MEMO]; /* of this keymap; sym 0: empty */
};

DH_MUST_USE enum dh_status dh_xkeys_init(struct dh_xkeys *k, Display *dpy);
/* Gives lent keycodes back, unless the server is gone. */
void dh_xkeys_finish(struct dh_xkeys *k);
/* Read the state of the keyboard, and the keymap where it has changed. */
DH_MUST_USE enum dh_status dh_xkeys_refresh(struct dh_xkeys *k,
                                            XkbStateRec *state);
/* In the current group, else the first group that has it. DH_ERR_NOTFOUND: no
 * keycode has it. */
DH_MUST_USE enum dh_status dh_xkeys_find(struct dh_xkeys *k, KeySym sym,
                                         struct dh_keystroke *out);
/* Bind symbols that find does not know to spare keycodes, all at once.
 * DH_ERR_RANGE: there are not so many left, and nothing was bound. */
DH_MUST_USE enum dh_status dh_xkeys_lend(struct dh_xkeys *k, const KeySym *syms,
                                         int n);
/* How many symbols can still be lent, and how many when all came back. */
int dh_xkeys_room(const struct dh_xkeys *k);
int dh_xkeys_room_max(const struct dh_xkeys *k);
bool dh_xkeys_is_lent(const struct dh_xkeys *k, KeyCode code);
/* An event that somebody took from the connection's queue. */
void dh_xkeys_note(struct dh_xkeys *k, XEvent *e);
/* Give lent keycodes back, after a while where nobody said that they were
 * read. */
void dh_xkeys_unlend(struct dh_xkeys *k);

#define DH_XTEST_BUTTONS 16

struct dh_xtest {
    struct dh_sink sink;
    Display *dpy;
    struct dh_xkeys keys;
    struct dh_xtest_options o;
    bool key_down[256]; // by us; the guardian knows the same
    bool button_down[DH_XTEST_BUTTONS];
    struct dh_cancel *cancel; // of the action under way
    bool key_kept[256];       // down by KEY_DOWN: chords leave it alone
    struct {
        unsigned locked;     // modifiers such as Caps Lock
        int group, now;      // that was locked; that is in force
        KeyCode foreign[32]; // modifiers that another program held
        int n_foreign;
    } was; // the keyboard before the action; put back after it
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

/* The window that gets the keys, as its program describes it. */
struct dh_xfocus {
    Window top;    /* None: nobody, or unknown */
    char name[64]; /* the class of WM_CLASS */
    bool pings, terminal;
};

void dh_xfocus_read(Display *dpy, struct dh_xfocus *f);
/* Wait until the program has taken all events that it was sent so far out of
 * its queue (_NET_WM_PING). False: it does not say, or not in time. */
bool dh_xfocus_drain(struct dh_xtest *x, const struct dh_xfocus *f,
                     int64_t timeout_ns);

/* A bit beside DH_MOD_*: what reaches the fifth level of a key. */
#define DH_XTEST_LEVEL5 32u

/* DH_MOD_* in their order, and up in the reverse one. */
DH_MUST_USE enum dh_status dh_xtest_mods_down(struct dh_xtest *x, unsigned mods,
                                              struct dh_diag *why);
void dh_xtest_mods_up(struct dh_xtest *x, unsigned mods);

/* The modifiers of a keystroke's level, of X's real bits. */
unsigned dh_xtest_level_mods(const struct dh_xtest *x, unsigned real);
/* Lock a group until the action's end. */
void dh_xtest_group(struct dh_xtest *x, int group);
/* Wait until the focused program has read the lent keys that were pressed. */
void dh_xtest_drain(struct dh_xtest *x);

/* The actions of each kind. */
DH_MUST_USE enum dh_status dh_xtest_type(struct dh_xtest *x,
                                         const struct dh_action *a,
                                         struct dh_diag *why);
DH_MUST_USE enum dh_status dh_xtest_pointer(struct dh_xtest *x,
                                            const struct dh_action *a,
                                            struct dh_diag *why);
DH_MUST_USE enum dh_status dh_xtest_keyboard(struct dh_xtest *x,
                                             const struct dh_action *a,
                                             struct dh_diag *why);

#endif
