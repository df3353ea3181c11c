/*
 * capture/input_record.h - what a person does with mouse, keyboard and windows,
 * as a stream of events.
 *
 * A thread of its own, dh-input, reads raw XInput2 events of every device that
 * is not one of XTest's, asks the server where the pointer is, and keeps track
 * of the keyboard's state and of the windows. Motion is thinned to 60 Hz; where
 * it ended and where a button went is always told.
 */
#ifndef DH_CAPTURE_INPUT_RECORD_H
#define DH_CAPTURE_INPUT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/geom.h"
#include "base/status.h"
#include "capture/windows.h"

struct dh_input_record;

enum dh_input_kind {
    DH_INPUT_MOTION,
    DH_INPUT_BUTTON,
    DH_INPUT_SCROLL, /* a notch of the wheel; has no release */
    DH_INPUT_KEY,
    DH_INPUT_WINDOW,
    DH_INPUT_LAYOUT, /* another one is used from here on; `name` */
    DH_INPUT_CLIP,   /* the clipboard has another owner */
    DH_INPUT_STOP,   /* the stop key */
    DH_INPUT_PAUSE,  /* the pause key */
    DH_INPUT_LOST,   /* the server has gone; the last one */
};

/* Bits, in the order of DH_MOD_* of actions. */
enum dh_input_mods {
    DH_INPUT_SHIFT = 1,
    DH_INPUT_CONTROL = 2,
    DH_INPUT_ALT = 4,
    DH_INPUT_SUPER = 8,
    DH_INPUT_ALTGR = 16,
    DH_INPUT_LOCK = 32, /* Caps_Lock and others that stay: only as `modifier` */
};

enum dh_window_change {
    DH_WINDOW_MAP,
    DH_WINDOW_UNMAP,
    DH_WINDOW_FOCUS,
    DH_WINDOW_MOVE,
    DH_WINDOW_TITLE,
};

struct dh_input_event {
    enum dh_input_kind kind;
    int64_t time_ns; /* dh_now_ns when it was read */
    int device, code;
    bool down;
    struct dh_point at; /* of the pointer, root pixels */
    unsigned mods;      /* held, without the event's own key */
    int dx, dy;         /* of a scroll: one notch, right and down positive */

    /* Of a key. */
    unsigned modifier; /* its own bit; 0: no modifier */
    uint32_t keysym;   /* under the state */
    char name[32];     /* of the keysym without modifiers, an X name */
    char text[32];     /* UTF-8 that a text field would get; "" for none */
    bool composing;    /* a dead key: the text comes with a later key */
    /* How often the key that was pressed last has repeated by itself until
     * now; told once, with the next event that ends it. The server does not
     * tell, so it is reckoned from how long it was held. */
    int repeats;

    /* Of a window. */
    enum dh_window_change what;
    struct dh_window window;
    int stack; /* windows above it; -1: not known */

    /* Of the clipboard, where it is asked for: what is in it, as far as it is
     * a text that comes at once. Whoever takes the event frees it with dh_free.
     * NULL: not known. */
    char *clip;
};

struct dh_input_record_options {
    const char *display;
    const char *locale; /* of compose sequences; NULL: none */
    /* Chords of X names such as "Ctrl+Alt+Shift+Escape"; NULL: none. They work
     * everywhere and are not told as keys. */
    const char *stop_key, *pause_key;
    bool include_xtest; /* also what programs do through XTest */
    bool clipboard;     /* also what is in the clipboard, 256 KiB of it */
};

/* DH_ERR_UNSUPPORTED, logged: the server has no XInput 2.1 or no XKB.
 * DH_ERR_USAGE, logged: a key that does not exist. */
DH_MUST_USE enum dh_status
dh_input_record_create(struct dh_input_record **out,
                       const struct dh_input_record_options *o);
/* NULL is allowed. */
void dh_input_record_destroy(struct dh_input_record *r);

/* The next event; waits until then. DH_ERR_TIMEOUT. One thread. */
DH_MUST_USE enum dh_status dh_input_record_take(struct dh_input_record *r,
                                                struct dh_input_event *out,
                                                int64_t until_ns);
/* Events lost since the last call, because nobody took them. Any thread. */
uint64_t dh_input_record_dropped(struct dh_input_record *r);

/* The name of the layout in use, "" where it cannot be told; `out` has at least
 * one byte. DH_ERR_NOTFOUND without a server. */
DH_MUST_USE enum dh_status dh_input_layout_now(const char *display, char *out,
                                               int size);
const char *dh_window_change_name(enum dh_window_change what);

#endif
