/*
 * actions/guard.h - a sink around a sink that refuses what must not happen:
 * points outside of the allowed rectangle, keys that switch terminals, kill the
 * server, lock the screen or log out (in one action or in several), and any
 * action after a stop.
 */
#ifndef DH_ACTIONS_GUARD_H
#define DH_ACTIONS_GUARD_H

#include "actions/sink.h"
#include "base/geom.h"

/* Takes over `inner`. An empty `allowed` allows every point. */
struct dh_sink *dh_guard_create(struct dh_sink *inner, struct dh_rect allowed);

#endif
