/*
 * agent/task_judge.h - metrics of benchmarks.md 7.2: did a task's result come
 * out as expected. Pure: what was got goes in as bytes.
 */
#ifndef DH_AGENT_TASK_JUDGE_H
#define DH_AGENT_TASK_JUDGE_H

#include "base/str.h"

struct dh_json;

/*
 * 0..1 of one metric. `got` is what the getter of the result gave, `file` what
 * that of the expectation gave where it is one; `expected` is the getter object
 * of the task, `options` the metric's, NULL where there are none. The task was
 * checked by dh_task_parse.
 */
double dh_task_judge(const char *metric, struct dh_str got,
                     const struct dh_json *expected, struct dh_str file,
                     const struct dh_json *options);

#endif
