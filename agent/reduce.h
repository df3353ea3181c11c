/*
 * agent/reduce.h - a person's device events to the actions that they mean.
 *
 * It asks nobody and waits for nothing: the same events at the same times make
 * the same actions. benchmarks.md 10.4 has the rules.
 */
#ifndef DH_AGENT_REDUCE_H
#define DH_AGENT_REDUCE_H

#include <stdbool.h>
#include <stdint.h>

#include "actions/action.h"
#include "base/geom.h"

struct dh_input_event;
struct dh_reduce;

struct dh_reduced {
    struct dh_action action; /* on the screen; the reducer's */
    int64_t from, to;        /* numbers of the first and the last event */
    int64_t began_ns, ended_ns;
    bool secret; /* a text that was not looked at; action.text is NULL */
};

typedef void (*dh_reduce_fn)(void *user, const struct dh_reduced *d);

struct dh_reduce_options {
    int double_click_ms; /* 0: 400 */
    int drag_px;         /* a press that goes further is a drag; 0: 8 */
    bool tidy;           /* what BackSpace takes back was never typed */
    dh_reduce_fn emit;   /* told in order; may not call the reducer */
    void *user;
};

struct dh_reduce *dh_reduce_create(const struct dh_reduce_options *o);
/* NULL is allowed. What is pending is lost. */
void dh_reduce_destroy(struct dh_reduce *r);

/* The next event, whose number is `n`. Of a secret key only that there was one
 * is used. Events of windows end what is being typed. */
void dh_reduce_feed(struct dh_reduce *r, const struct dh_input_event *e,
                    int64_t n, bool secret);
/* The screen was seen to have changed there. */
void dh_reduce_changed(struct dh_reduce *r, struct dh_rect where,
                       int64_t time_ns);
/* It is so late: what no later event can add to is told. */
void dh_reduce_tick(struct dh_reduce *r, int64_t now_ns);
/* Tell all that is pending. */
void dh_reduce_flush(struct dh_reduce *r);
/* Number of the event with which what is pending began; 0: nothing is. */
int64_t dh_reduce_began(const struct dh_reduce *r);

/* Douglas-Peucker, in place: the first and last point stay, and no point that
 * goes was further than `px` from the line that is left. Returns how many
 * are. `n` is 4096 at most. */
int dh_reduce_thin(struct dh_point *path, int n, double px);

#endif
