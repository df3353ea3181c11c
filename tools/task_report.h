/* tools/task_report.h - what came of tasks, counted from a folder of results.
 */
#ifndef DH_TOOLS_TASK_REPORT_H
#define DH_TOOLS_TASK_REPORT_H

#include <stdbool.h>

#include "base/status.h"

struct dh_eval_result;
struct dh_eval_results;

/* The methods of results: an agent's, nobody's, the solution's. */
#define DH_TASK_METHOD_AGENT  "task"
#define DH_TASK_METHOD_NOOP   "noop"
#define DH_TASK_METHOD_ORACLE "oracle"

/* An agent's try; what --noop or --oracle did. */
bool dh_task_is_try(const struct dh_eval_result *r);
bool dh_task_is_proof(const struct dh_eval_result *r);

/*
 * Why the results of --noop and --oracle show that a task is no good; NULL:
 * they do not. Either may be missing.
 */
const char *dh_task_fault(const struct dh_eval_results *rs, const char *id);

/* Tasks that are valid and not; then, for each model, its success with an
 * interval, how it ended and failed, steps, seconds, tokens. To stdout. */
void dh_task_report(const struct dh_eval_results *rs, bool json);

#endif
