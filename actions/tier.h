/*
 * actions/tier.h - how much an action can do, in the place where it lands;
 * needs no X server. actions.md 3.13.
 *
 * What stands on the screen may make an action riskier, never less so.
 */
#ifndef DH_ACTIONS_TIER_H
#define DH_ACTIONS_TIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actions/action.h"
#include "base/diag.h"

enum dh_tier {
    DH_TIER_LOOK,  /* nothing is changed */
    DH_TIER_POINT, /* moves, scrolls, clicks on ordinary targets */
    DH_TIER_TYPE,  /* text and keys without effect on the system */
    DH_TIER_RISK,  /* what a person would want to be asked about */
    DH_TIER_NEVER, /* leaves the desktop, or is on a deny list */
};

/* "0 look", "3 risk", ... */
const char *dh_tier_name(enum dh_tier t);

#define DH_TIER_HELD_MAX 16

/* Keys that key_down has left down. A chord may be spread over several actions:
 * what counts is what is down when the last key goes down. Zero it. */
struct dh_tier_held {
    uint32_t keysym[DH_TIER_HELD_MAX];
    int n;
};

/* Before a key_down is performed, after a key_up was; other actions are
 * ignored. Where a release lets go of all, zero it again. */
void dh_tier_held_note(struct dh_tier_held *h, const struct dh_action *a);

/* Where the action lands. Texts may be NULL or "", which is: not known. */
struct dh_tier_context {
    const char *title, *wm_class, *program; /* of the window */
    const char *target;                     /* the text under the point */
    bool password;                          /* the field hides what is typed */
    bool own;                        /* the window that controls this agent */
    const struct dh_tier_held *held; /* may be NULL */
};

/* `why` (may be NULL) is set for RISK and NEVER. */
enum dh_tier dh_tier_of(const struct dh_action *a,
                        const struct dh_tier_context *c, struct dh_diag *why);
/* What a window's class and program say. */
bool dh_tier_is_terminal(const struct dh_tier_context *c);
/* The field takes a password, or the window asks for one. What is typed there
 * is not to be written down. */
bool dh_tier_is_secret(const struct dh_action *a,
                       const struct dh_tier_context *c);
/* A shell would destroy something, raise its rights or run what it fetched. */
bool dh_tier_text_is_destructive(const char *text);

#endif
