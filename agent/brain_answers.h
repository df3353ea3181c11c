/*
 * agent/brain_answers.h - answers that were written down, as a brain.
 *
 * For answers of models that deskhand cannot ask, and to measure what it costs
 * to ask at all. A file of JSON lines: {"id": "17", "raw": "..."};
 * "method" tells a second look's ("zoom") from the first ("point"), and a line
 * without an id answers whatever has no line of its own. A results.jsonl is
 * such a file.
 */
#ifndef DH_AGENT_BRAIN_ANSWERS_H
#define DH_AGENT_BRAIN_ANSWERS_H

#include "agent/brain.h"

/* DH_ERR_FORMAT, logged with the line's number. */
DH_MUST_USE enum dh_status dh_brain_answers_create(struct dh_brain **out,
                                                   const char *path);
/* What is asked next; nothing to any other brain. DH_ERR_NOTFOUND comes of
 * asking what has no answer. */
void dh_brain_answers_next(struct dh_brain *b, const char *id,
                           const char *method);

#endif
