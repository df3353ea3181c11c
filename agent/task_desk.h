/*
 * agent/task_desk.h - a desktop of its own for one task: an X server outside
 * of the room, and in it a bus, a window manager and an empty home.
 */
#ifndef DH_AGENT_TASK_DESK_H
#define DH_AGENT_TASK_DESK_H

#include "agent/task.h"
#include "agent/task_box.h"

struct dh_task_desk {
    struct dh_box *box;
    int display;
    int server; /* its process, 0: none */
    double up_ms;
    char *why; /* of the last failure, for people; owned */
};

struct dh_task_desk_options {
    struct dh_size screen;
    int slot;          /* as in a room's options */
    const char *fonts; /* a fontconfig file, or NULL */
    bool a11y;         /* its programs are to tell of their widgets */
    const char *shown; /* as in a room's options */
};

/* DH_ERR_UNSUPPORTED: there can be no room on this machine. */
DH_MUST_USE enum dh_status
dh_task_desk_open(struct dh_task_desk *d, const struct dh_task_desk_options *o);
/* A zeroed one is allowed. Nothing is left of it. */
void dh_task_desk_close(struct dh_task_desk *d);

/* The steps of "config" or "postconfig", until_ns at the latest. `why` is set
 * where one fails. */
DH_MUST_USE enum dh_status dh_task_desk_setup(struct dh_task_desk *d,
                                              const struct dh_task *t,
                                              const struct dh_json *steps,
                                              int64_t until_ns);
/* What shows on it, as dh_a11y_tree tells; false: not known as a whole. */
DH_MUST_USE bool dh_task_desk_tree(struct dh_task_desk *d, struct dh_buf *out);
/*
 * The score 0..1 of the task's evaluator; for an infeasible task whether the
 * agent has `declined`. What was done at acted_ns may take a moment to show.
 * Not DH_OK: the check itself broke.
 */
DH_MUST_USE enum dh_status dh_task_desk_score(struct dh_task_desk *d,
                                              const struct dh_task *t,
                                              bool declined, int64_t acted_ns,
                                              int64_t until_ns, double *score);

#endif
