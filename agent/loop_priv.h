/* agent/loop_priv.h - what the files of the loop share: one run. */
#ifndef DH_AGENT_LOOP_PRIV_H
#define DH_AGENT_LOOP_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "actions/parse.h"
#include "agent/history.h"
#include "agent/loop.h"
#include "agent/policy.h"
#include "agent/stall.h"
#include "base/geom.h"

struct dh_run {
    const struct dh_loop *l;
    struct dh_loop_options o;
    struct dh_history history;
    struct dh_loop_result *result;
    struct dh_frame *frame; /* the newest picture */
    int64_t grab_ns;
    int step;
    struct dh_stall stall;
    struct dh_point pointer; /* where the last action left it */
    bool pointer_known;
    bool discarded; /* the last answer was for another layout */
    bool taken;     /* the question was ended by a person at the desk */
    bool fresh;     /* the newest picture is from after the last action */
    int64_t start_ns;
};

void dh_run_tell(struct dh_run *r, struct dh_event *e);
/* text may be NULL. */
void dh_run_tell_text(struct dh_run *r, enum dh_event_kind kind,
                      const char *text, enum dh_status status);
/* Always false, which is what the callers return once the run has ended. */
bool dh_run_end(struct dh_run *r, enum dh_loop_end how, enum dh_status status);
/* A picture; it is not told yet. */
DH_MUST_USE bool dh_run_grab(struct dh_run *r, struct dh_frame **out);
/* Takes over the frame as the newest, and tells it. */
void dh_run_show(struct dh_run *r, struct dh_frame *frame, const char *why);

/* A person has the desktop: all is let go of until it is back, and *told is a
 * line on what they did, to be freed with dh_free; NULL: nothing. False once
 * the run has ended; *told is NULL then. */
DH_MUST_USE bool dh_run_yield(struct dh_run *r, char **told);
/* Wait until the screen is still, whatever was drawn before. */
DH_MUST_USE bool dh_run_settle(struct dh_run *r);
/* The answer's actions in order, as far as it goes, into the history. False
 * once the run has ended. */
DH_MUST_USE bool dh_run_act(struct dh_run *r, struct dh_answer *answer,
                            const struct dh_decision *d);

#endif
