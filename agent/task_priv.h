/* agent/task_priv.h - what the files of tasks share. */
#ifndef DH_AGENT_TASK_PRIV_H
#define DH_AGENT_TASK_PRIV_H

#include "agent/task.h"
#include "base/str.h"

/* `text`, which `root` was read from, with its params and the place holders of
 * 3.1 filled in. */
DH_MUST_USE bool dh_task_fill(const struct dh_json *root, struct dh_str text,
                              const struct dh_task_options *o,
                              struct dh_buf *out, struct dh_diag *diag);

/* The i-th element, or `v` itself where it is no list. */
const struct dh_json *dh_task_nth(const struct dh_json *v, int i);

#endif
