/*
 * agent/eval_steps.h - single next actions, held against what a person did
 * (AgentNetBench, benchmarks.md 4.1).
 */
#ifndef DH_AGENT_EVAL_STEPS_H
#define DH_AGENT_EVAL_STEPS_H

#include "agent/eval_result.h"

/*
 * 0..1 for the answer of a result whose target is DH_EVAL_STEP. The mean is
 * over the actions that the person did; what the model does beyond them does
 * not count. False, and 0: the answer holds no action.
 */
bool dh_eval_step_score(const struct dh_eval_result *r, double *score);

/* A click this far off (in shares of the screen) outside of any box. */
double dh_eval_step_distance_score(double d);
/* A text typed in place of another, upper and lower case alike. */
double dh_eval_step_text_score(const char *got, const char *want);

#endif
