/* model/session_priv.h - what tests may look at inside a session. */
#ifndef DH_MODEL_SESSION_PRIV_H
#define DH_MODEL_SESSION_PRIV_H

#include "model/layer_priv.h"
#include "model/session.h"
#include "model/vit_priv.h"

/* From now on feeds report to `probe`, which outlives that; NULL stops it. */
void dh_session_set_probe(struct dh_session *s, const struct dh_probe *probe);
/* The same for pictures that are encoded. */
void dh_session_set_vit_probe(struct dh_session *s, dh_vit_probe_fn fn,
                              void *user);

#endif
