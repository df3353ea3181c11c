/*
 * agent/hand.h - what a person did by hand while a run waited, for the model.
 *
 * It is data about the past and no instruction: one line in a fixed form, at
 * most the first eight actions, each cut to 160 bytes. What was typed into a
 * password field is in it by the name of a parameter alone.
 */
#ifndef DH_AGENT_HAND_H
#define DH_AGENT_HAND_H

#include <stdbool.h>

#include "actions/action.h"

struct dh_buf;
struct dh_view;

#define DH_HAND_TOLD 8

struct dh_hand {
    bool known; /* it was recorded; else only that somebody was there is told */
    int n;      /* all actions */
    struct dh_action first[DH_HAND_TOLD]; /* on the screen; copies */
};

void dh_hand_add(struct dh_hand *h, const struct dh_action *a);
/* `by hand, the user did: left_click 500 300; type "Ada"`, points as the model
 * gives them. */
void dh_hand_text(const struct dh_hand *h, const struct dh_view *view,
                  struct dh_buf *out);
void dh_hand_finish(struct dh_hand *h);

#endif
