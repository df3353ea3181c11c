/* agent/brain_write_priv.h - the answer of a model in this process, token by
 * token: what a grammar leaves no choice about, what was guessed, what is
 * chosen. */
#ifndef DH_AGENT_BRAIN_WRITE_PRIV_H
#define DH_AGENT_BRAIN_WRITE_PRIV_H

#include "agent/brain.h"
#include "agent/one_call.h"
#include "base/buf.h"
#include "model/draft.h"
#include "model/session.h"

struct dh_grammar;
struct dh_rng;
struct dh_tokenizer;

/* Tokens that a grammar forces at once, at most. */
#define DH_WRITE_FORCED 64

struct dh_writer {
    /* what it is written with, all of it the brain's */
    struct dh_session *session; /* behind the prompt */
    const struct dh_tokenizer *tokenizer;
    int vocab;
    const uint64_t *free; /* the ids of free text */
    const int32_t *stop;  /* [3]: ids that end a turn, -1: absent */
    struct dh_rng *rng;
    float *scratch; /* [vocab] */
    struct dh_draft *draft;
    struct dh_cancel *cancel;
    /* what is to be written */
    const struct dh_brain_request *r;
    struct dh_grammar *grammar; /* at its start; NULL: free text */
    const struct dh_sampling *sampling;
    int max_tokens;
    /* what was */
    struct dh_buf text;
    struct dh_one_call call;
    int tokens, forced, guessed, guessed_right;
    enum dh_brain_end end;
    /* its own */
    int32_t held[1 + DH_WRITE_FORCED + DH_DRAFT_MAX]; /* written, not fed */
    size_t n_held;
    int32_t guess[DH_DRAFT_MAX]; /* what was fed behind the last of them */
    int n_guess, right;          /* of it, so many were written since */
    bool ended;                  /* by the model */
    bool enough;                 /* for whoever reads along */
};

/* Until its end, which is then set; `text` and `call` were made before. The
 * timeline is left with what was written, but for the last token of it. */
DH_MUST_USE enum dh_status dh_write_answer(struct dh_writer *w);

#endif
