/*
 * agent/probe.h - whether an endpoint sees, points and remembers as it should.
 *
 * What a server does in silence (smaller pictures, other coordinates, no
 * cache, a call that its own parser took) costs a task and shows in no error.
 * A card with a marker, sent three times in all, brings it to light.
 */
#ifndef DH_AGENT_PROBE_H
#define DH_AGENT_PROBE_H

#include "base/status.h"

struct dh_brain;

enum dh_probe_verdict { DH_PROBE_FINE, DH_PROBE_WORSE, DH_PROBE_BROKEN };

/* `mend` says what to do; NULL where nothing is wrong. The texts live until
 * the call returns. */
typedef void (*dh_probe_fn)(void *user, enum dh_probe_verdict v,
                            const char *what, const char *found,
                            const char *mend);

/* The brain must be one behind an endpoint. Other than DH_OK: a question got
 * no answer, which is logged; what was found before has been said. */
DH_MUST_USE enum dh_status dh_probe_endpoint(struct dh_brain *brain,
                                             dh_probe_fn say, void *user);

#endif
