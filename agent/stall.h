/*
 * agent/stall.h - finds a run that goes in circles. One thread.
 *
 * It looks at pairs of what was on the screen and what was done there. The same
 * pair again and again, a cycle of up to four pairs, or many actions of which
 * none changes anything are a stall: first a note to the model, then a stronger
 * one, then the end.
 */
#ifndef DH_AGENT_STALL_H
#define DH_AGENT_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "actions/action.h"

struct dh_frame;

#define DH_STALL_PAIRS 48
#define DH_STALL_CELLS (64 * 36)

enum dh_stall_level {
    DH_STALL_NONE,
    DH_STALL_NOTE, /* say what repeats */
    DH_STALL_WARN, /* say that another way, or giving up, is due */
    DH_STALL_END,  /* nothing more comes of it */
};

struct dh_stall_pair {
    uint8_t cell[DH_STALL_CELLS]; /* a coarse grey picture */
    struct dh_action action;
    bool changed; /* the action changed something */
};

/* Zeroed, it is ready. The newest pairs, as a ring. */
struct dh_stall {
    struct dh_stall_pair *pair;
    int64_t n;     /* pairs so far */
    int unchanged; /* actions in a row that changed nothing */
};

void dh_stall_finish(struct dh_stall *s);
/*
 * `a`, its points as the model gave them, is about to be done on what `frame`
 * shows. A caret, a clock and a point that is off by 4/1000 make no difference.
 * Above NONE `text` is one line for the model.
 */
enum dh_stall_level dh_stall_add(struct dh_stall *s,
                                 const struct dh_frame *frame,
                                 const struct dh_action *a, char text[512]);
/* What came of the newest pair, if there is one. Until then it counts as
 * without effect. */
void dh_stall_changed(struct dh_stall *s, bool changed);

#endif
