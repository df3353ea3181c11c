/*
 * agent/check.h - what came of an action, from the pictures before and after.
 */
#ifndef DH_AGENT_CHECK_H
#define DH_AGENT_CHECK_H

#include <stdbool.h>

#include "actions/action.h"
#include "base/geom.h"
#include "base/status.h"
#include "capture/source.h"

struct dh_a11y_node;
struct dh_diag;
struct dh_frame;
struct dh_window_list;

#define DH_CHECK_TEXT 512

/* All belongs to the caller. */
struct dh_check {
    const struct dh_frame *before, *after;
    const struct dh_action *action; /* on the screen */
    enum dh_status status;          /* of the sink */
    const struct dh_diag *why;      /* what the sink said */
    /* What the source saw; `told` is false where it cannot tell. */
    struct dh_settle_result seen;
    bool told;
    bool pointer_stayed; /* it was where the action has it already */
    /* What has the focus says of itself, before and after text was typed; NULL
     * where it is not known. */
    const struct dh_a11y_node *field_before, *field_after;
    /* The programs' windows; NULL where they are not known. */
    const struct dh_window_list *windows_before, *windows_after;
};

struct dh_check_result {
    bool changed;
    /* A line of actions.md 3.12, "" for plain success: nothing changed, scroll
     * reached the end, text did not appear, text appeared as "...", no such
     * key, blocked by policy, user took over, else what the sink said; a window
     * opened: "...", a window closed: "...", the focus is now on "...", joined
     * by "; ". A title is data: short, quoted, without control characters.
     * Nothing of a secret or of a password field. */
    char text[DH_CHECK_TEXT];
};

void dh_check_action(const struct dh_check *c, struct dh_check_result *out);
/*
 * So much is new since `seen`, or such a large new thing covers `target` (root
 * pixels), that an action which was made for `seen` must not be done there.
 */
bool dh_check_is_upset(const struct dh_frame *seen, const struct dh_frame *now,
                       struct dh_point target);

#endif
