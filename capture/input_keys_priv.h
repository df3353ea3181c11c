/* capture/input_keys_priv.h - what a key means now: the server's own keymap and
 * state, and the compose sequences of the person's language. */
#ifndef DH_CAPTURE_INPUT_KEYS_PRIV_H
#define DH_CAPTURE_INPUT_KEYS_PRIV_H

#include <X11/Xlib.h>

#include "base/status.h"
#include "capture/input_record.h"

/* One thread, that of `dpy`. */
struct dh_input_keys;

/* `locale` names the compose sequences, such as "de_DE.UTF-8"; NULL: none.
 * DH_ERR_UNSUPPORTED, logged: the server has no XKB. */
DH_MUST_USE enum dh_status dh_input_keys_create(struct dh_input_keys **out,
                                                Display *dpy,
                                                const char *display,
                                                const char *locale);
/* NULL is allowed. */
void dh_input_keys_destroy(struct dh_input_keys *k);

/* Looks at every event of the display. */
void dh_input_keys_event(struct dh_input_keys *k, const XEvent *e);
/* Fill in what a key event means: mods, modifier, keysym, name, text. A press
 * goes on with the compose sequence. */
void dh_input_keys_read(struct dh_input_keys *k, struct dh_input_event *e);
/* The modifiers that are held. */
unsigned dh_input_keys_mods(const struct dh_input_keys *k);
/* How often a key that is held so long has repeated. */
int dh_input_keys_repeats(const struct dh_input_keys *k, int code,
                          int64_t held_ns);
/* Sequences that were begun in another field are forgotten. */
void dh_input_keys_reset(struct dh_input_keys *k);
/* Name of the layout in use; "" where there is none. */
const char *dh_input_keys_layout(const struct dh_input_keys *k);

#endif
