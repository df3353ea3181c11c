/*
 * agent/staging.h - a file or a folder that comes to be whole or not at all: it
 * is made beside its place, under another name, and then renamed. One thread.
 */
#ifndef DH_AGENT_STAGING_H
#define DH_AGENT_STAGING_H

#include "base/status.h"

struct dh_staging {
    char *place, *path; /* where it will be; where it is made */
};

/* `path` is not made yet, but the folder that it will lie in is. DH_ERR_USAGE,
 * logged: there is something at its place already. */
DH_MUST_USE enum dh_status dh_staging_begin(struct dh_staging *s,
                                            const char *place);
/* Put it in its place, where still nothing may be. Logged. */
DH_MUST_USE enum dh_status dh_staging_end(struct dh_staging *s);
/* Takes away what was not put in its place. A zeroed one is allowed. */
void dh_staging_finish(struct dh_staging *s);

#endif
