/* agent/history.h - the task and what has happened so far. One thread. */
#ifndef DH_AGENT_HISTORY_H
#define DH_AGENT_HISTORY_H

#include <stdbool.h>

struct dh_frame;

/* One answer that was carried out. */
struct dh_turn {
    struct dh_frame *frame; /* seen before the answer; NULL once pruned */
    char *answer;           /* as the model wrote it */
    char *wire;             /* as its server wrote it, or NULL */
    char *step;             /* its Action: line; "" where absent */
    char *note;             /* told with the next picture, or NULL */
    char *by_hand;          /* what a person did after it, or NULL */
    struct dh_frame *extra; /* shown before the next picture, or NULL */
};

struct dh_history {
    char *task;
    struct dh_turn *turns;
    int n_turns, cap;
};

void dh_history_init(struct dh_history *h, const char *task);
void dh_history_finish(struct dh_history *h);
/* Takes a reference to the frame, copies the texts. note may be NULL. */
void dh_history_add(struct dh_history *h, struct dh_frame *frame,
                    const char *answer, const char *step, const char *note);
/* A person did something after the newest turn, or before the first, where it
 * goes behind the task. `text` is one line. */
void dh_history_by_hand(struct dh_history *h, const char *text);
/* How the newest turn's answer goes back to where it came from; wire is copied,
 * NULL: as plain text. */
void dh_history_set_wire(struct dh_history *h, const char *wire);
/* The newest turn gets a picture of its own, such as an enlarged part; takes a
 * reference. It goes when the next turn's picture goes. */
void dh_history_show(struct dh_history *h, struct dh_frame *extra);
/*
 * Drop old pictures before the next question, never the first turn's: with k
 * pictures behind the first, the newest, which is no turn yet, among them,
 * r = max(0, k - keep_min) less r mod chunk go. So never more than keep_min +
 * chunk are shown, and the prompt's beginning stays the same between two drops.
 * actions.md 2.5.
 */
void dh_history_prune(struct dh_history *h, int keep_min, int chunk);

#endif
