/*
 * agent/session_film.h - pictures of a session from its video, where the files
 * that they should be in are not there.
 *
 * It is read from its beginning, so that a step back costs a run through it;
 * the last pictures are kept against that. One thread.
 */
#ifndef DH_AGENT_SESSION_FILM_H
#define DH_AGENT_SESSION_FILM_H

#include <stdint.h>

#include "base/diag.h"
#include "base/status.h"

struct dh_frame;
struct dh_session_film;
struct dh_session_reader;

/* Nothing is opened before a picture is asked for. The reader outlives it. */
struct dh_session_film *
dh_session_film_create(const struct dh_session_reader *s);
/* NULL is allowed. */
void dh_session_film_destroy(struct dh_session_film *f);
/* What the video shows at `pts_ms` of the session, with one reference; at its
 * end, where it is cut short, DH_ERR_NOTFOUND. */
DH_MUST_USE enum dh_status dh_session_film_frame(struct dh_session_film *f,
                                                 int64_t pts_ms,
                                                 struct dh_frame **out,
                                                 struct dh_diag *diag);

#endif
