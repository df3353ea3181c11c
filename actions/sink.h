/* actions/sink.h - anything that performs actions: an X server, a list. */
#ifndef DH_ACTIONS_SINK_H
#define DH_ACTIONS_SINK_H

#include "actions/action.h"
#include "base/diag.h"
#include "base/status.h"

struct dh_cancel;

/* Embedded by its implementer. A sink belongs to one thread. */
struct dh_sink {
    const struct dh_sink_ops *ops;
};

struct dh_sink_ops {
    const char *name;
    enum dh_status (*perform)(struct dh_sink *s, const struct dh_action *a,
                              struct dh_cancel *cancel, struct dh_diag *why);
    void (*release)(struct dh_sink *s);
    void (*destroy)(struct dh_sink *s);
    /* Where the pointer is, in root pixels. NULL: it has none. */
    enum dh_status (*pointer)(struct dh_sink *s, struct dh_point *out);
};

/*
 * Do it. Points are root pixels (on_screen). When it returns no key or button
 * is down that was not before, save for DH_ACTION_DOWN. DH_ERR_NOTFOUND (a key
 * that does not exist), DH_ERR_RANGE, DH_ERR_REFUSED set `why` to a line for
 * the model; DH_ERR_TAKEN: a person took the desktop, nothing is held;
 * DH_ERR_CLOSED: the server is gone. Actions that are not for the
 * desktop (wait, done, ...) are DH_OK and do nothing.
 */
DH_MUST_USE enum dh_status dh_sink_perform(struct dh_sink *s,
                                           const struct dh_action *a,
                                           struct dh_cancel *cancel,
                                           struct dh_diag *why);
/* Where the pointer is, in root pixels. DH_ERR_UNSUPPORTED where the sink has
 * none; DH_ERR_CLOSED. */
DH_MUST_USE enum dh_status dh_sink_pointer(struct dh_sink *s,
                                           struct dh_point *out);
/* Let go of all that is held. */
void dh_sink_release(struct dh_sink *s);
/* Releases first. NULL is allowed. */
void dh_sink_destroy(struct dh_sink *s);

#endif
