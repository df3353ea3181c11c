/*
 * model/batch_priv.h - passes of timelines that go on at the same time.
 *
 * Whoever has rows to compute posts them and waits. The first of those that
 * wait takes all that fit with it, so that the weights are read once for all of
 * them; the others sleep. Threads that were in the last pass and will probably
 * be back with their next token are waited for, a millisecond or little more;
 * where one thread is at work alone, nothing is.
 *
 * Any thread. Nothing here allocates but create and join.
 */
#ifndef DH_MODEL_BATCH_PRIV_H
#define DH_MODEL_BATCH_PRIV_H

#include <pthread.h>

#include "base/status.h"
#include "model/layer_priv.h"
#include "model/session.h"

struct dh_batch;

/* Rows of logits that a share can ask for. */
#define DH_SHARE_LOGITS (1 + DH_SESSION_GUESSES)

/* What one timeline has in a pass. */
struct dh_share {
    struct dh_work *work; /* n rows in x from position `from` on, at most its
                           * chunk; x is what they became, afterwards */
    int wanted;           /* of its last rows, whose logits go to ... */
    float *logits;        /* ... [wanted][vocab_size] */
    int parts;            /* out: so many timelines went together */

    /* guarded by the batch's lock */
    pthread_t thread;
    enum dh_status status;
    bool taken, done;
    struct dh_share *next;
};

struct dh_batch *dh_batch_create(void);
/* Nobody waits. NULL is allowed. */
void dh_batch_destroy(struct dh_batch *b);
/* One session more; what several need is there from the second one on. */
DH_MUST_USE enum dh_status dh_batch_join(struct dh_batch *b,
                                         const struct dh_text_config *t);
void dh_batch_leave(struct dh_batch *b);

/* Each share that is posted is waited for by the same thread, in that order. A
 * thread that posts several has them computed together if they fit. */
void dh_batch_post(struct dh_batch *b, struct dh_share *s);
/* What became of it: DH_ERR_CANCELLED concerns it alone, DH_ERR_IO all that
 * went with it. */
DH_MUST_USE enum dh_status dh_batch_wait(struct dh_batch *b,
                                         struct dh_share *s);

#endif
