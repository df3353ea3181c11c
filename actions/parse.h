/*
 * actions/parse.h - the model's answer to actions.
 *
 * Reads the text protocol of M3's desktop agent (an "Action:" line and a
 * <tool_call> object, actions.md 2.3) with the repairs of 2.6, its native XML,
 * a bare object, and the words DONE, FAIL, WAIT, [INFEASIBLE]. The text is
 * untrusted: bounded, no recursion deeper than 32, time linear in its length.
 */
#ifndef DH_ACTIONS_PARSE_H
#define DH_ACTIONS_PARSE_H

#include <stddef.h>

#include "actions/action.h"
#include "base/diag.h"
#include "base/status.h"

#define DH_ANSWER_MAX_ACTIONS 8
#define DH_ANSWER_MAX_BYTES   (1024 * 1024)

struct dh_answer {
    struct dh_action action[DH_ANSWER_MAX_ACTIONS];
    int n;
    char *step; /* the text after "Action:", trimmed; owned, "" where absent */
};

/*
 * DH_OK: at least one action. DH_ERR_FORMAT: none, or one that cannot be
 * executed; diag says what is wrong in one line that the model can be shown.
 * *out is set in both cases and must be finished.
 */
DH_MUST_USE enum dh_status dh_answer_parse(const char *text, size_t len,
                                           struct dh_answer *out,
                                           struct dh_diag *diag);
void dh_answer_finish(struct dh_answer *a);

#endif
