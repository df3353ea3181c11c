/* tools/replay_params.h - what stands in a recording's parameters: from the
 * command line, a table, a file of secrets, a person. */
#ifndef DH_TOOLS_REPLAY_PARAMS_H
#define DH_TOOLS_REPLAY_PARAMS_H

#include <stdbool.h>

#include "agent/session_params.h"
#include "base/csv.h"
#include "base/opts.h"
#include "base/status.h"

struct dh_secrets;

/* Zero it. */
struct dh_replay_params {
    const struct dh_session_params *params; /* of the recording */
    struct dh_secrets *secrets; /* NULL: there are none; the sink's too */
    const char **set;           /* owned; --set, by number; NULL: not set */
    char **typed;               /* owned; what a person was asked for */
    struct dh_csv table;
    int *column; /* owned; of each parameter in the table; -1: none */
    int row;     /* that is played; -1: none */
    char name[DH_SESSION_PARAM_NAME + 16];
};

/* `csv` and `secret_file` may be NULL. DH_ERR_USAGE, logged: a name that the
 * recording does not have, or one that has no value and nobody can be asked. */
DH_MUST_USE enum dh_status
dh_replay_params_open(struct dh_replay_params *p,
                      const struct dh_session_params *params,
                      const struct dh_opt_list *set, const char *csv,
                      const char *secret_file, bool dry_run);
/* The values of this row from here on. */
DH_MUST_USE enum dh_status dh_replay_params_row(struct dh_replay_params *p,
                                                int row);
/* A dh_session_value_fn, but for its user, which is a dh_replay_params. */
const char *dh_replay_params_value(void *user,
                                   const struct dh_session_param *param);
void dh_replay_params_close(struct dh_replay_params *p);

#endif
