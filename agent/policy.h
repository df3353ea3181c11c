/*
 * agent/policy.h - anything that decides: a model, a script, a recorded
 * session.
 */
#ifndef DH_AGENT_POLICY_H
#define DH_AGENT_POLICY_H

#include "actions/parse.h"
#include "agent/event.h"
#include "agent/history.h"
#include "base/status.h"

struct dh_brain;
struct dh_cancel;
struct dh_frame;

/* Embedded by its implementer. A policy belongs to one thread. */
struct dh_policy {
    const struct dh_policy_ops *ops;
};

struct dh_decision {
    char *text;      /* owned: the answer as it was written */
    char *reasoning; /* owned: where it came apart, else NULL */
    char *wire;      /* owned: for struct dh_turn, or NULL */
    struct dh_usage usage;
    struct dh_times times;
};

struct dh_policy_ops {
    const char *name;
    /* `attempt` is 0, then counts resamples; `why` says what was wrong with
     * the last answer (NULL on the first attempt). */
    enum dh_status (*decide)(struct dh_policy *p, const struct dh_history *h,
                             struct dh_frame *frame, int attempt,
                             const char *why, struct dh_decision *out);
    /* The next decision will probably be about this picture, which is frozen:
     * what can be done for that is begun, and goes on elsewhere. NULL: it
     * cannot. */
    void (*look)(struct dh_policy *p, struct dh_frame *frame);
    /* Pictures of the past that it can use; called before each decision. */
    void (*prune)(struct dh_policy *p, struct dh_history *h);
    /* How the numbers of an answer about this picture are read; NULL: as
     * dh_answer_parse does. */
    void (*parse_options)(struct dh_policy *p, const struct dh_frame *frame,
                          struct dh_parse_options *out);
    void (*destroy)(struct dh_policy *p);
};

void dh_decision_finish(struct dh_decision *d);
void dh_policy_destroy(struct dh_policy *p); /* NULL is allowed */

/* The model decides. brain must outlive it. */
struct dh_policy *dh_policy_model_create(struct dh_brain *brain);
/* Who listens while the model of this policy answers. */
struct dh_policy_ear {
    /* Text as it comes; NULL: an answer begins, perhaps once more. Or NULL. */
    void (*piece)(void *user, const char *piece, size_t len);
    void *user;
    /* A question ends with DH_ERR_CANCELLED where it is set. Or NULL. */
    struct dh_cancel *taken;
};
void dh_policy_model_listen(struct dh_policy *p,
                            const struct dh_policy_ear *ear);
/* Each line of `text` that is not empty and no comment is one answer, in the
 * form of dh_action_text ("left_click 500 300"), or raw after "raw ". Then
 * done. */
struct dh_policy *dh_policy_script_create(const char *text);

#endif
