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
#include "base/str.h"

struct dh_cancel;
struct dh_held;
struct dh_owner;

/* How to produce a keysym: a keycode, modifiers (X's real bits), a group. */
struct dh_keystroke {
    KeyCode code;
    unsigned char group;
    unsigned mods;
};

#define DH_XKEYS_MEMO 512

/*
 * Finds keycodes in the live keymap and lends spare ones to symbols that it
 * lacks. A symbol keeps its lent keycode for as long as there is room, so that
 * the keymap seldom changes: at each change programs read it anew, and window
 * managers that grab keys are deaf meanwhile.
 */
struct dh_xkeys {
    Display *dpy;
    XkbDescPtr map;
    int group, n_groups;
    unsigned shift, level3, level5; /* real modifiers; 0: there is none */
    KeyCode shift_code, level3_code, level5_code;
    struct {
        KeyCode code;
        KeySym syms[2];   /* without and with Shift; NoSymbol: free */
        unsigned used[2]; /* the last batch that had it */
    } spare[64];
    int n_spare;
    unsigned batch;
    struct dh_held *held; /* is told of lent keycodes; may be NULL */
    int64_t used_ns;      /* when a lent key was last pressed; 0: all is read */
    int event;            /* XKB's first event: what tells a new keymap */
    bool stale;           /* the keymap has changed since it was read */
    struct {
        KeySym sym;
        struct dh_keystroke stroke;
    } memo[DH_XKEYS_MEMO]; /* of this keymap; sym 0: empty */
    bool pointer_stale;    /* the mapping of the buttons has changed */
};

DH_MUST_USE enum dh_status dh_xkeys_init(struct dh_xkeys *k, Display *dpy);
/* Gives lent keycodes back, unless the server is gone or `leave` is set:
 * another process takes care of them. */
void dh_xkeys_finish(struct dh_xkeys *k, bool leave);
/* Read the state of the keyboard, and the keymap where it has changed. */
DH_MUST_USE enum dh_status dh_xkeys_refresh(struct dh_xkeys *k,
                                            XkbStateRec *state);
/* In the current group, else the first group that has it. DH_ERR_NOTFOUND: no
 * keycode has it. */
DH_MUST_USE enum dh_status dh_xkeys_find(struct dh_xkeys *k, KeySym sym,
                                         struct dh_keystroke *out);
/*
 * Have `n` symbols that the layout lacks on spare keycodes, all at once, in the
 * place of those that were not used for the longest time. It may wait until
 * these were surely read. DH_ERR_RANGE: there are not so many spare ones, and
 * nothing was bound.
 */
DH_MUST_USE enum dh_status dh_xkeys_lend(struct dh_xkeys *k, const KeySym *syms,
                                         int n);
/* How many symbols can be lent at a time. */
int dh_xkeys_room(const struct dh_xkeys *k);
bool dh_xkeys_is_lent(const struct dh_xkeys *k, KeyCode code);
/* An event that somebody took from the connection's queue. */
void dh_xkeys_note(struct dh_xkeys *k, XEvent *e);
/* Have these keycodes as lent ones, just used: another sink left them. */
void dh_xkeys_adopt(struct dh_xkeys *k, const KeyCode *codes, int n);
/* Until when a lent key may still be looked up; 0: all have been read. */
int64_t dh_xkeys_lent_until(const struct dh_xkeys *k);
/* Take the symbols off lent keycodes, in one change; `map` is the server's. */
void dh_xkeys_clear(Display *dpy, XkbDescPtr map, const KeyCode *codes, int n);

#define DH_XTEST_BUTTONS 16
#define DH_XTEST_KEYS    256
/* What can be down: the keycodes, then the buttons as the server numbers them.
 */
#define DH_XTEST_HOLDS   (DH_XTEST_KEYS + DH_XTEST_BUTTONS)

enum dh_hold_state {
    DH_HOLD_UP,
    DH_HOLD_DOWN,    /* for the length of an action */
    DH_HOLD_KEPT,    /* on purpose, until it is let go of or is too old */
    DH_HOLD_LEAVING, /* the release may not have reached the server yet */
};

#define DH_WILL_MAX (1 << 20)

/* What was in CLIPBOARD and in PRIMARY before us. */
struct dh_will {
    size_t n[2]; /* bytes; 0: nothing is kept */
    char text[2][DH_WILL_MAX];
};

/*
 * What has to be undone when we are gone. It is shared with the guardian, so a
 * thing is written here before the request that does it is queued, and struck
 * out after the one that undoes it was sent.
 */
struct dh_held {
    _Atomic uint8_t state[DH_XTEST_HOLDS];    /* enum dh_hold_state */
    _Atomic int64_t until_ns[DH_XTEST_HOLDS]; /* of a kept one, monotonic */
    _Atomic unsigned locks; /* modifiers to lock again, such as LockMask */
    _Atomic int group;      /* 1 + the group to lock again; 0: none */
    _Atomic bool lent[DH_XTEST_KEYS]; /* has symbols of ours */
    _Atomic int64_t lent_until_ns;    /* in DH_STAY_LENT; monotonic */
    _Atomic int n_expired;            /* kept ones that had become too old */
    _Atomic bool unguarded;           /* the guardian could not connect */
    _Atomic unsigned long id; /* a window of ours; its property `mark` says
                                 `nonce` */
    Atom mark;
    uint32_t nonce;
    struct dh_will will; /* takes no memory before it is written */
};

/* A process that undoes what `held` says when we die. */
struct dh_guardian {
    int pid; /* 0: there is none */
    int wake_fd;
};

/*
 * Fork it. It connects to `display` on its own time, keeps nothing else of this
 * process open, and lets go of kept things that are too old. Without one, which
 * is logged, all else goes on.
 */
void dh_guardian_start(struct dh_guardian *g, struct dh_held *held,
                       const char *display);
/* It looks at the times of kept things again. */
void dh_guardian_wake(struct dh_guardian *g);
/* Nothing may be held any more. Waits for its end; no zombie stays. */
void dh_guardian_stop(struct dh_guardian *g);

/*
 * Have the guardian fork a process that stays after both of us; small, since
 * the guardian is. It serves held->will, or takes care of held->lent until
 * held->lent_until_ns. False: there is none.
 */
enum dh_stay { DH_STAY_WILL = 1, DH_STAY_LENT };
bool dh_guardian_stay(struct dh_guardian *g, enum dh_stay what);
/* In that process: it has begun. */
void dh_guardian_reply(void);

/* Its life with the lent keys: they go then, unless somebody adopts them. */
DH_NORETURN void dh_lent_linger(struct dh_held *h, const char *display);
/* Take the lent keys of one who lingers: codes[DH_XTEST_KEYS], how many. */
int dh_lent_adopt(struct dh_held *h, Display *dpy, KeyCode *codes);
/* Take the symbols off all that `held` says is lent. */
void dh_lent_clear(const struct dh_held *h, Display *dpy);

/* Shared memory; NULL where there is none. */
struct dh_held *dh_held_create(void);
void dh_held_destroy(struct dh_held *h);
/* Queue the release of kept things whose time is over; how many they were. */
int dh_held_expire(struct dh_held *h, Display *dpy, int64_t now_ns);
/* Strike out those whose release was queued: it has been sent. */
void dh_held_sent(struct dh_held *h);

struct dh_xtest {
    struct dh_sink sink;
    Display *dpy;
    struct dh_xkeys keys;
    struct dh_xtest_options o;
    struct dh_held *held;
    struct dh_guardian guardian;
    int n_told;                        // of held->n_expired
    bool adopted;                      // another one's lent keys, if any
    bool told_no_one;                  // that there is no guardian
    uint8_t buttons[DH_XTEST_BUTTONS]; // physical ones of the logical ones
    struct dh_cancel *cancel;          // of the action under way
    bool key_kept[256];    // down by KEY_DOWN: chords leave it alone
    struct dh_owner *clip; // NULL before the first paste
    struct {
        unsigned locked;     // modifiers such as Caps Lock
        int group, now;      // that was locked; that is in force
        KeyCode foreign[32]; // modifiers that another program held
        int n_foreign;
    } was; // the keyboard before the action; put back after it
};

/* Press or let go, and remember it. Nothing happens where it is so already, and
 * what is kept on purpose stays down. `button` is the server's number. */
void dh_xtest_key(struct dh_xtest *x, KeyCode code, bool down);
void dh_xtest_button(struct dh_xtest *x, int button, bool down);
bool dh_xtest_is_down(const struct dh_xtest *x, KeyCode code);
/* Send what is queued; the second one waits until the server has done it. */
void dh_xtest_flush(struct dh_xtest *x);
void dh_xtest_sync(struct dh_xtest *x);

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
/* Where there is a window manager, wait until a program has the focus. Between
 * two windows it may be on the frame of one that is gone. */
void dh_xfocus_wait(struct dh_xtest *x, int64_t timeout_ns);

/* A bit beside DH_MOD_*: what reaches the fifth level of a key. */
#define DH_XTEST_LEVEL5 32u

/* DH_MOD_* in their order, and up in the reverse one. */
DH_MUST_USE enum dh_status dh_xtest_mods_down(struct dh_xtest *x, unsigned mods,
                                              struct dh_diag *why);
void dh_xtest_mods_up(struct dh_xtest *x, unsigned mods);

/* Learn which physical buttons there are. */
void dh_xtest_pointer_init(struct dh_xtest *x);
/* The modifiers of a keystroke's level, of X's real bits. */
unsigned dh_xtest_level_mods(const struct dh_xtest *x, unsigned real);
/* Lock a group until the action's end. */
void dh_xtest_group(struct dh_xtest *x, int group);
/* Wait until the focused program has read the lent keys that were pressed. */
void dh_xtest_drain(struct dh_xtest *x);

/* Press the chords of a text, `repeat` times. */
DH_MUST_USE enum dh_status dh_xtest_chords(struct dh_xtest *x,
                                           const struct dh_action *a,
                                           struct dh_diag *why);

/* A text that arrives better through the clipboard than as keys: sequences that
 * are one sign, but for a terminal, or a long one that is not all in the
 * layout. */
bool dh_clip_suits(struct dh_str text, bool all_in_layout, bool terminal);
/*
 * Put `text`, which holds no secret, into the focused program by its paste key;
 * line ends at its end are Return. DH_ERR_NOTFOUND: nothing was pasted, so type
 * it; that is so where the program does not ask for the text within a second,
 * in password prompts, while a key is held on purpose, and, unless it was
 * `asked` for, where the text does not suit the clipboard or that holds what
 * cannot be put back. DH_ERR_REFUSED with `why`: the program took a part of it.
 */
DH_MUST_USE enum dh_status dh_xtest_paste(struct dh_xtest *x, const char *text,
                                          bool asked, bool all_in_layout,
                                          struct dh_diag *why);

/*
 * The owner of the selections: a thread with a connection of its own. It is
 * there from the first paste to the end of the sink, since a selection is
 * nothing but its owner's answers, and X has no way to give it back to the one
 * who had it. What is kept of the old content is its text, up to 1 MiB, for as
 * long as the sink is there and nobody else takes the selection; pictures,
 * formatting and file lists are not. With the sink's end another process, the
 * heir, serves it until somebody else takes the selection, for an hour at most;
 * after a crash it is gone unless a clipboard manager has it.
 *
 * PRIMARY is touched only for the terminals that paste it: toolkits drop what
 * is selected in their fields when they lose it, and a text that is to replace
 * the selection then would not.
 */
struct dh_offer {
    const char *text; /* copied */
    size_t n;
    Window top;      /* the program that is to get it, by any window of it */
    bool any_client; /* whoever asks is that program */
    bool primary;    /* PRIMARY too */
    bool asked;      /* even where the old content is lost by it */
};

/* What the program took. */
struct dh_served {
    bool asked, done; /* done: it has read all */
    size_t given;     /* bytes that it could read so far */
    int64_t progress_ns;
};

DH_MUST_USE enum dh_status dh_owner_create(struct dh_owner **out,
                                           const char *display);
/* NULL is allowed. */
void dh_owner_destroy(struct dh_owner *o);
/* Read the old content, then own the selections. DH_ERR_REFUSED: they are as
 * they were. */
DH_MUST_USE enum dh_status dh_owner_offer(struct dh_owner *o,
                                          const struct dh_offer *offer);
/* Wait until it was read, or until then. */
struct dh_served dh_owner_wait(struct dh_owner *o, int64_t until_ns);
/* Serve the old content from now on, or nobody's where there was none. Does not
 * wait; the program that got the text may still ask for it for a moment. */
void dh_owner_restore(struct dh_owner *o);
/* Wait until it gets the old content too. */
void dh_owner_settle(struct dh_owner *o);
/* Write down the old content that is served; false: none is. NULL is allowed.
 */
bool dh_owner_will(struct dh_owner *o, struct dh_will *will);
/* The heir's whole life. */
DH_NORETURN void dh_owner_inherit(const struct dh_will *will,
                                  const char *display);

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
