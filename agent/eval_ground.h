/*
 * agent/eval_ground.h - asks where the things of a set are, on as many brains
 * as there are, and writes each answer down at once.
 */
#ifndef DH_AGENT_EVAL_GROUND_H
#define DH_AGENT_EVAL_GROUND_H

#include "agent/eval_result.h"
#include "agent/eval_set.h"

struct dh_brain;
struct dh_cancel;

struct dh_eval_ground {
    struct dh_eval_set *set; /* items of one picture together */
    struct dh_brain **brain; /* each gets a thread */
    int n_brains;
    const char *model;   /* one name for all of them */
    enum dh_coord coord; /* of answers that were written down */
    bool zoom; /* a second question on a crop, as a method of its own */
    uint64_t seed;
    struct dh_eval_log *log;
    /* What was answered before: these are not asked again, unless the server
     * failed then. */
    const struct dh_eval_results *before;
    struct dh_cancel *cancel;
    void (*on_item)(void *user, int done, int total); /* any thread */
    void *user;
    /* Set by the run. */
    int asked, kept, lost;   /* lost: nobody was left to ask */
    double model_s, other_s; /* of all threads: in the model, and not */
};

/*
 * DH_ERR_IO: servers failed until none was left, and what is written can be
 * gone on with. A brain ends after three failures one after the other; what it
 * had goes to the others. DH_ERR_REFUSED, _CANCELLED end all at once.
 */
DH_MUST_USE enum dh_status dh_eval_ground_run(struct dh_eval_ground *g);

#endif
