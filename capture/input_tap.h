/*
 * capture/input_tap.h - notices at once when a person uses the desktop.
 *
 * A thread of its own, dh-tap, reads raw XInput2 events of every device that is
 * not one of XTest's, which the agent uses. They come while keys are held and
 * through grabs, those that freeze the keyboard among them. Releases do not
 * count: the key that started the program goes up after it runs.
 */
#ifndef DH_CAPTURE_INPUT_TAP_H
#define DH_CAPTURE_INPUT_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct dh_cancel;
struct dh_input_tap;

struct dh_input_tap_options {
    const char *display;
    /* X names of keys; NULL: none. The resume key takes, too. */
    const char *stop_key, *resume_key;
    int64_t resume_after_ns; /* without input; 0: never by itself */
    /* Set when a person takes the desktop, and cleared by dh_input_tap_wait
     * alone: what was planned before they did is stale, even if they have
     * handed it back since. Needed. */
    struct dh_cancel *taken;
    struct dh_cancel *stop; /* set by the stop key; needed */
    /* Told on the tap's thread, NULL: nobody. */
    void (*changed)(void *user, bool taken);
    void *user;
};

/*
 * DH_ERR_UNSUPPORTED, logged at info: the server has no XInput 2.1.
 * DH_ERR_USAGE, logged: a key that does not exist.
 */
DH_MUST_USE enum dh_status
dh_input_tap_create(struct dh_input_tap **out,
                    const struct dh_input_tap_options *o);
/* NULL is allowed. */
void dh_input_tap_destroy(struct dh_input_tap *t);

/* Any thread but the tap's own. While it is off, input is a person's answer to
 * a question and takes nothing, also where it is read only after; the stop key
 * works on. */
void dh_input_tap_watch(struct dh_input_tap *t, bool on);
/* Any thread. */
bool dh_input_tap_is_taken(struct dh_input_tap *t);
/* Any thread: as if a person had touched the mouse. */
void dh_input_tap_take(struct dh_input_tap *t);
/* Any thread: the desktop is the agent's again. */
void dh_input_tap_hand_back(struct dh_input_tap *t);
/* Wait until it is handed back, `ns` at most; true where it is, with `taken`
 * cleared. One thread: the one that acts. */
DH_MUST_USE bool dh_input_tap_wait(struct dh_input_tap *t, int64_t ns);

#endif
