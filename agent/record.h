/*
 * agent/record.h - the recorder: a run's events into a session folder.
 *
 *   DIR/session.json  header, rewritten at the end
 *   DIR/events.jsonl  one object per line, append only
 *   DIR/frames/000001.png ...  each different picture once
 *   DIR/video.mkv     the whole run
 *   DIR/index.html    a page to look at, without any other file but frames/
 *
 * It writes on a thread of its own (dh-record) from a queue of 64: events wait
 * for room, pictures are dropped first and the drop is recorded. A failure to
 * write (full disk) is logged once, recording stops, the run goes on.
 */
#ifndef DH_AGENT_RECORD_H
#define DH_AGENT_RECORD_H

#include "agent/event.h"
#include "base/status.h"

struct dh_recorder;

struct dh_recorder_options {
    const char *dir;  /* must not exist, or be an empty folder */
    const char *kind; /* "agent" */
    const char *task;
    const char *model;   /* name, or NULL */
    const char *display; /* or NULL */
    bool video;
};

/* Creates the folder, writes the header, starts the thread. */
DH_MUST_USE enum dh_status
dh_recorder_create(struct dh_recorder **out,
                   const struct dh_recorder_options *o);
/* A dh_event_fn; user is the recorder. */
void dh_recorder_event(void *recorder, const struct dh_event *e);
/* Drains, writes header and page, joins, frees. NULL is allowed. The status is
 * that of the first write that failed. */
enum dh_status dh_recorder_destroy(struct dh_recorder *r);

#endif
