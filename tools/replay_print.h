/* tools/replay_print.h - what `deskhand replay` tells, for people and as
 * JSON. */
#ifndef DH_TOOLS_REPLAY_PRINT_H
#define DH_TOOLS_REPLAY_PRINT_H

#include <stdbool.h>

#include "agent/replay.h"

struct dh_replay_printer {
    bool json, dry_run;
    int row;             /* of the table, from 1; 0: there is none */
    const char *session; /* the folder of this replay; NULL: none is kept */
};

void dh_replay_print_note(const struct dh_replay_printer *p, const char *text);
void dh_replay_print_step(const struct dh_replay_printer *p,
                          const struct dh_replay_step *s);
void dh_replay_print_stop(const struct dh_replay_printer *p,
                          const struct dh_replay_stop *s);
void dh_replay_print_result(const struct dh_replay_printer *p,
                            const struct dh_replay_result *r);

#endif
