/*
 * model/draft.h - guesses of what an answer says next.
 *
 * Answers repeat what stands in the prompt and in earlier answers: what
 * followed there on the words that were just written is guessed to follow here
 * (prompt lookup, a kind of speculative decoding without a second model). All
 * guesses go through the model in one pass with the token before them, and as
 * many stay as would have been chosen anyway.
 *
 * A guess is only as long as it will probably pay, by what a pass of so many
 * tokens reads and by how often guesses came true. One thread.
 */
#ifndef DH_MODEL_DRAFT_H
#define DH_MODEL_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

#define DH_DRAFT_MAX 8 /* ids of one guess */

/* Guesses are told apart by how many tokens before them were the same. */
#define DH_DRAFT_KINDS 4
#define DH_DRAFT_ROWS  80 /* of a pass, whose cost is known */

struct dh_draft {
    int most;                      /* ids of a guess; 0: nothing is guessed */
    float cost[DH_DRAFT_ROWS + 1]; /* of a pass of so many tokens */
    float right[DH_DRAFT_KINDS];   /* share of the latest that came true */
    int kind;                      /* of the last guess */
    int silent;                    /* times that none was worth it */
};

/* `most` is 0 to DH_DRAFT_MAX. */
void dh_draft_init(struct dh_draft *d, const struct dh_model *model, int most);

/* What a guess is made from. */
struct dh_draft_from {
    const int32_t *ids; /* [n]: the timeline ... */
    size_t n;
    const int32_t *more; /* [n_more]: ... and what the pass feeds it */
    size_t n_more;       /* at least 1 */
    int others;          /* tokens of other timelines that go with it */
};

/* Up to `max` ids into out; returns their number, which may be 0. */
int dh_draft_guess(struct dh_draft *d, const struct dh_draft_from *from,
                   int max, int32_t *out);
/* Of the last guess, which had n ids, the first `right` came true; the one
 * behind them, where `wrong`, did not. */
void dh_draft_learn(struct dh_draft *d, int right, bool wrong);

#endif
