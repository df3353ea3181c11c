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

#define DH_GRAMMAR_MAX_VOCAB (1 << 19)

enum dh_grammar_kind {
    /* One "Action: ...\n" line, then one <tool_call> with one JSON object of
     * M3's desktop actions (actions.md 2.4), coordinates 0..1000, each action
     * with its own arguments; then the end of the turn. */
    DH_GRAMMAR_ACTION,
    /* The same, left_click only: for `locate`. */
    DH_GRAMMAR_LOCATE,
};

/* `eos`: the id that ends a turn, allowed only at the end. The tokenizer must
 * outlive the grammar. DH_ERR_RANGE: no such eos, or too large a vocabulary. */
DH_MUST_USE enum dh_status dh_grammar_create(struct dh_grammar **out,
                                             enum dh_grammar_kind kind,
                                             const struct dh_tokenizer *t,
                                             int32_t eos);
void dh_grammar_destroy(struct dh_grammar *g);
/* Back to the start of an answer. */
void dh_grammar_reset(struct dh_grammar *g);
/* Bit set over ids 0..vocab-1 of what may come next; owned by g, valid until
 * the next call. Never empty. `vocab` may be larger than the tokenizer; NULL
 * where it is beyond DH_GRAMMAR_MAX_VOCAB. */
const uint64_t *dh_grammar_allowed(struct dh_grammar *g, int vocab);
/* Take an id that was allowed; false where it was not (nothing changes). */
bool dh_grammar_accept(struct dh_grammar *g, int32_t id);
/*
 * The ids that must come next and that the published tokenizer would give for
 * the text so far and on, up to max of them; 0 where there is a choice, or
 * where it is not certain how the text is cut. The caller feeds them to the
 * model in one go and accepts each: steps of decoding saved, nothing changed.
 */
size_t dh_grammar_forced(struct dh_grammar *g, int32_t *ids, size_t max);
/* The answer is complete: only the end of the turn may follow. */
bool dh_grammar_is_complete(const struct dh_grammar *g);

#endif
