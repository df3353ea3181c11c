/*
 * agent/record.h - the recorder: a run's events into a session folder.
 *
 *   DIR/session.json  header, rewritten at the end
 *   DIR/events.jsonl  one object per line, append only
 *   DIR/frames/000001.png ...  each different picture once
 *   DIR/video.mkv     the whole run
 *   DIR/answer.part   while it runs: what the model has said so far
 *   DIR/index.html    a page to look at, without any other file but frames/
 *
 * It writes on a thread of its own (dh-record) from a queue of 64: events wait
 * for room, pictures are dropped first and the drop is recorded. A failure to
 * write (full disk) is logged once, recording stops, the run goes on.
 */
#ifndef DH_AGENT_RECORD_H
#define DH_AGENT_RECORD_H

#include <stddef.h>

#include "agent/event.h"
#include "base/status.h"

struct dh_recorder;
struct dh_session_file;

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
/*
 * While the run waits: all that was told is written, and the caller, which must
 * be the thread that tells, writes itself, such as what a person does by hand.
 * It tells nothing until it has ended that.
 */
struct dh_session_file *dh_recorder_lend(struct dh_recorder *r);
/* A step of that, for the page; `before` is the number of its picture. */
void dh_recorder_by_hand(struct dh_recorder *r, const struct dh_action *a,
                         int before);
/* A piece of the answer that is on its way, for who looks on; NULL: one begins.
 * It is in DIR/answer.part until the answer is there whole, 256 KiB at most.
 * The thread that tells. */
void dh_recorder_piece(void *recorder, const char *piece, size_t len);
/* Drains, writes header and page, joins, frees. NULL is allowed. The status is
 * that of the first write that failed. */
enum dh_status dh_recorder_destroy(struct dh_recorder *r);

#endif
