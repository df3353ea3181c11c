/*
 * agent/event.h - what a watcher of a run is told.
 *
 * A watcher gets a copy of each event, in order, on the agent's thread, and may
 * keep references to frames; it cannot change what the loop does.
 */
#ifndef DH_AGENT_EVENT_H
#define DH_AGENT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "actions/action.h"
#include "base/status.h"

struct dh_frame;

enum dh_event_kind {
    DH_EVENT_START,  /* text: the task */
    DH_EVENT_FRAME,  /* frame, why */
    DH_EVENT_ANSWER, /* text: as the model wrote it; usage, times */
    DH_EVENT_ACT,    /* action in root pixels, step */
    DH_EVENT_DONE,   /* the result of an action: status, text: the finding */
    DH_EVENT_NOTE,   /* text: something a reader should know (resampled, ...) */
    DH_EVENT_END,    /* text: the reason; status */
};

/* Nanoseconds by stage. 0 where a stage did not run. What was read ahead while
 * the screen settled is settle's; what of it was then waited for is vision's.
 */
struct dh_times {
    int64_t grab, preprocess, vision, prefill, decode; /* of an answer */
    int64_t wire; /* of an answer from elsewhere: all but its computing */
    int64_t act, settle; /* of an action */
};

struct dh_usage {
    int prompt_tokens, cached_tokens, answer_tokens;
    double cost;  /* dollars; 0: nothing, or not known */
    bool guessed; /* the server did not count the prompt */
};

void dh_usage_add(struct dh_usage *sum, const struct dh_usage *u);

struct dh_event {
    enum dh_event_kind kind;
    int64_t time_ns; /* dh_now_ns */
    int step;        /* 1 for the first answer */
    enum dh_status status;
    struct dh_frame *frame; /* a reference of the event's own, or NULL */
    const char *why;        /* constant: "start", "before", "after" */
    char *text;             /* owned, or NULL */
    char *reasoning; /* ANSWER: thoughts that came apart, or NULL; owned */
    char *step_text; /* the Action: line, owned, or NULL */
    struct dh_action action;
    struct dh_times times;
    struct dh_usage usage;
    struct {
        int64_t act;      /* number of the recorded line; 0: no replay */
        const char *rung; /* constant; what found the place again */
        double score;
    } replayed;   /* ACT */
    bool changed; /* DONE: the screen was drawn on after the action */
};

/* Copies texts and takes a reference to the frame. */
void dh_event_copy(struct dh_event *out, const struct dh_event *e);
void dh_event_finish(struct dh_event *e);

typedef void (*dh_event_fn)(void *user, const struct dh_event *e);

#endif
