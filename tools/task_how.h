/*
 * tools/task_how.h - how a try went wrong: what the agent did, held beside the
 * actions of the task's own solution, in whatever order.
 *
 * There may be other ways to solve a task, so this says nothing of a try that
 * has solved it.
 */
#ifndef DH_TOOLS_TASK_HOW_H
#define DH_TOOLS_TASK_HOW_H

#include "agent/eval_result.h"
#include "agent/task.h"
#include "base/buf.h"

struct dh_task_how {
    const struct dh_task *t;
    struct dh_size screen;
    uint64_t steps; /* of the solution that count, a bit each */
    uint64_t met;   /* those that it has done */
    int n_acts;
    bool other_place, other_action;
    struct dh_buf tree; /* what shows, where the solution asks for it */
};

void dh_task_how_init(struct dh_task_how *h, const struct dh_task *t,
                      struct dh_size screen);
void dh_task_how_finish(struct dh_task_how *h);
/* The "act" event of a run. */
void dh_task_how_add(struct dh_task_how *h, const struct dh_json *act);
/* For people; NULL: it went well. `r` has its end and whether it hit. */
const char *dh_task_how_name(const struct dh_task_how *h,
                             const struct dh_eval_result *r);

#endif
