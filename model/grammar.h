/*
 * model/grammar.h - decoding constrained to the action protocol.
 *
 * A grammar is a byte-level automaton over the answer's text; the matcher says
 * which bytes may come next, and from the tokenizer's vocabulary which ids. It
 * never allocates after create.
 */
#ifndef DH_MODEL_GRAMMAR_H
#define DH_MODEL_GRAMMAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "model/tokenizer.h"

struct dh_grammar;

enum dh_grammar_kind {
    /* One "Action: ...\n" line, then one <tool_call> with one JSON object of
     * M3's desktop actions (actions.md 2.4), coordinates 0..1000, each action
     * with its own arguments; then the end of the turn. */
    DH_GRAMMAR_ACTION,
    /* The same, left_click only: for `locate`. */
    DH_GRAMMAR_LOCATE,
};

/* `eos`: the id that ends a turn, allowed only at the end. */
DH_MUST_USE enum dh_status dh_grammar_create(struct dh_grammar **out,
                                             enum dh_grammar_kind kind,
                                             const struct dh_tokenizer *t,
                                             int32_t eos);
void dh_grammar_destroy(struct dh_grammar *g);
/* Back to the start of an answer. */
void dh_grammar_reset(struct dh_grammar *g);
/* Bit set over ids 0..vocab-1 of what may come next; owned by g, valid until
 * the next call. */
const uint64_t *dh_grammar_allowed(struct dh_grammar *g, int vocab);
/* Take an id that was allowed; false where it was not (nothing changes). */
bool dh_grammar_accept(struct dh_grammar *g, int32_t id);
/* The answer is complete: only the end of the turn may follow. */
bool dh_grammar_is_complete(const struct dh_grammar *g);

#endif
