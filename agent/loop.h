/*
 * agent/loop.h - observe, think, act, until it is done.
 *
 *   OBSERVE -> THINK -> ACT -> SETTLE -> OBSERVE ...
 *                \-> END (done, fail, answer, limit, stop, error)
 */
#ifndef DH_AGENT_LOOP_H
#define DH_AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/event.h"
#include "agent/policy.h"
#include "base/geom.h"

struct dh_a11y;
struct dh_cancel;
struct dh_hand;
struct dh_sink;
struct dh_source;
struct dh_windows;

struct dh_loop_options {
    int max_steps;     /* answers that act; 0: 30 */
    int64_t quiet_ns;  /* the screen must be still so long; 0: 120 ms */
    int64_t settle_ns; /* and is waited for no longer; 0: 3 s */
    int resamples;     /* after an answer that cannot be read; -1: 2 */
    bool wait_exact;   /* a wait goes on although the screen has changed and
                        * then was still */
    /* A run that has used so much ends before its next question. 0: no limit.
     * Tokens are those of questions and answers. */
    double max_cost; /* dollars */
    int64_t max_tokens, max_ns;
};

enum dh_loop_end {
    DH_LOOP_DONE,     /* the policy says so */
    DH_LOOP_FAILED,   /* the policy gave up */
    DH_LOOP_ANSWERED, /* the policy answered in words */
    DH_LOOP_LIMIT,    /* out of steps */
    DH_LOOP_NONSENSE, /* no readable action, resamples included */
    DH_LOOP_STUCK,    /* in circles, told so twice (agent/stall.h) */
    DH_LOOP_BUDGET,   /* out of money, tokens or time; text says which */
    DH_LOOP_STOPPED,  /* cancelled */
    DH_LOOP_ERROR,    /* screen, input or model failed */
};

const char *dh_loop_end_name(enum dh_loop_end e);

/*
 * A person's answer to the model's question, in *reply, which is freed with
 * dh_free. Nothing is held meanwhile. Any failure but DH_ERR_CANCELLED: nobody
 * answers, and the run fails with the question as its text.
 */
typedef enum dh_status (*dh_loop_ask_fn)(void *user, const char *question,
                                         struct dh_cancel *cancel,
                                         char **reply);

struct dh_loop {
    struct dh_source *source;
    struct dh_sink *sink;
    struct dh_policy *policy;
    struct dh_cancel *cancel;
    struct dh_a11y *a11y; /* tells what became of typed text; may be NULL */
    struct dh_windows *windows; /* which came and went; may be NULL */
    struct dh_loop_options options;
    dh_event_fn watch[4]; /* NULL ends */
    void *watch_user[4];
    dh_loop_ask_fn ask; /* NULL: nobody is there */
    void *ask_user;
    /* Blocks while a person who took the desktop has it; false: a stop came.
     * What they did is added to `did`, which is zero. NULL: a run that is taken
     * ends. */
    bool (*wait_back)(void *user, struct dh_cancel *cancel,
                      struct dh_hand *did);
    void *wait_user;
    /* Set while a person has it: an answer that is on its way, which the policy
     * ends with DH_ERR_CANCELLED, is asked for again later. May be NULL. */
    struct dh_cancel *taken;
};

struct dh_loop_result {
    enum dh_loop_end end;
    enum dh_status status; /* of an error */
    int steps;
    struct dh_usage
        usage;  /* of all answers, those that were no use among them */
    char *text; /* of answer, fail, done; what repeats; owned, may be NULL */
};

/* Runs in the calling thread until the end; everything that is held is released
 * before it returns. Owns nothing of `l`. */
void dh_loop_run(const struct dh_loop *l, const char *task,
                 struct dh_loop_result *out);
void dh_loop_result_finish(struct dh_loop_result *r);

#endif
