/*
 * agent/task.h - a live task: OSWorld's JSON in a subset, with members of ours
 * that its reader ignores. assets/tasks/README.md is the reference.
 *
 * A file may come from a stranger. Its commands are text here; they only ever
 * run in a room (agent/task_box.h). Belongs to one thread.
 */
#ifndef DH_AGENT_TASK_H
#define DH_AGENT_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/geom.h"

struct dh_buf;
struct dh_json;

#define DH_TASK_MAX_BYTES (1 << 20)

struct dh_task {
    char *id, *instruction;
    char *domain;      /* of "snapshot", else the first of "related_apps" */
    char *level;       /* ours; "" where there is none */
    char *unsupported; /* why it cannot be run; NULL: it can */
    bool infeasible;   /* right is only to decline */
    bool reads_tree;   /* check or oracle ask programs about their widgets */
    int max_steps;     /* 0: none of its own */
    double timeout_s;  /* of the agent; 0: none of its own */
    char *dir;         /* of the file; local paths start there */
    /* Into root; each was checked against the subset. NULL where absent. */
    const struct dh_json *config, *evaluator, *oracle;
    struct dh_json *root;
};

struct dh_task_options {
    struct dh_size screen; /* for {SCREEN_WIDTH} and the like */
    uint64_t seed;         /* of params */
};

/*
 * DH_ERR_FORMAT, with diag set: not a task at all. A task that asks for
 * something outside the subset is DH_OK with `unsupported` set.
 */
DH_MUST_USE enum dh_status dh_task_parse(struct dh_task *out, const char *text,
                                         size_t len, const char *dir,
                                         const struct dh_task_options *o,
                                         struct dh_diag *diag);
DH_MUST_USE enum dh_status dh_task_read(struct dh_task *out, const char *path,
                                        const struct dh_task_options *o,
                                        struct dh_diag *diag);
/* A zeroed one is allowed. */
void dh_task_finish(struct dh_task *t);

/* "command" of an object as one text for a shell: a list is quoted, unless its
 * "shell" is true. */
void dh_task_command(const struct dh_json *o, struct dh_buf *out);
/* All that would be run in the room, a line each, for people. */
void dh_task_commands(const struct dh_task *t, struct dh_buf *out);
/* The oracle's number of actions; 0 where it is a command or absent. */
int dh_task_reference(const struct dh_task *t);
/* A step of an oracle that is a list: the path of the widget that is clicked,
 * its key being the action's name; NULL: the step is an action as text. */
const struct dh_json *dh_task_click(const struct dh_json *step);
/* `name` under the task's folder, to be freed; NULL where it leads out. */
char *dh_task_local(const struct dh_task *t, const char *name);

#endif
