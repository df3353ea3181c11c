/* actions/xtest.h - performs on an X server, through XTest and its live
 * keymap. */
#ifndef DH_ACTIONS_XTEST_H
#define DH_ACTIONS_XTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "actions/sink.h"
#include "base/status.h"

struct dh_cancel;
struct dh_secrets;

/* Pacing, in nanoseconds; what real toolkits need, not what X needs. */
struct dh_xtest_options {
    int64_t key_gap_ns;   /* between keys of a text; 0: none is needed */
    int64_t hold_ns;      /* of a click; 0: none, no toolkit asks for one */
    int64_t click_gap_ns; /* inside a double click; 0: 10 ms */
    int64_t drag_ns;      /* of a whole drag; 0: 300 ms */
    int64_t kept_ns;      /* what is held on purpose goes after it; 0: 60 s */
    /* Set from any thread while a person has the desktop: an action under way
     * then lets go of all and ends with DH_ERR_TAKEN. May be NULL. */
    struct dh_cancel *taken;
    /* What {{secret:name}} in a text stands for; not owned, outlives the sink.
     * May be NULL. */
    const struct dh_secrets *secrets;
    bool never_paste; /* texts are keys only, the clipboard is left alone */
    bool cmd_is_ctrl; /* cmd+c is ctrl+c, as asked for on a Mac; else super+c */
};

/*
 * Has a connection of its own to `display` (NULL: $DISPLAY). DH_ERR_UNSUPPORTED
 * where the server has no XTest.
 *
 * A child process comes with it, the guardian: should this process die, it lets
 * go of what is held and puts the keyboard back. It is forked here, so create
 * the sink before threads are started and large memory is filled.
 */
DH_MUST_USE enum dh_status dh_xtest_create(struct dh_sink **out,
                                           const char *display,
                                           const struct dh_xtest_options *o);

#endif
