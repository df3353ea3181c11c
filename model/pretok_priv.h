/*
 * model/pretok_priv.h - the split of text before the merges, by the regex of
 * tokenizer.json.
 *
 * The published tokenizer runs the pattern with Oniguruma. Only what means the
 * same there and in PCRE2 is accepted: literals, classes, groups, look-ahead,
 * general categories, \s \r \n \t and greedy or lazy quantifiers. \s is spelled
 * out as Unicode White_Space. Case is folded by Unicode, so that (?i:'s) takes
 * U+017F as well, in both engines.
 */
#ifndef DH_MODEL_PRETOK_PRIV_H
#define DH_MODEL_PRETOK_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/status.h"

/* Immutable; any thread. */
struct dh_pretok;
/* What one run needs besides; one thread at a time. */
struct dh_pretok_scratch;

/* DH_ERR_FORMAT: not a regex; DH_ERR_UNSUPPORTED: one that we cannot promise
 * to follow. diag says which. */
DH_MUST_USE enum dh_status dh_pretok_create(struct dh_pretok **out,
                                            const char *pattern,
                                            struct dh_diag *diag);
void dh_pretok_destroy(struct dh_pretok *p);

struct dh_pretok_scratch *dh_pretok_scratch_create(const struct dh_pretok *p);
void dh_pretok_scratch_destroy(struct dh_pretok_scratch *s);

/*
 * The end of the piece that starts at `from` in text[0..len), valid UTF-8;
 * from < len. What lies between two matches is a piece of its own. DH_ERR_RANGE
 * where the pattern needs more steps than we give it.
 */
DH_MUST_USE enum dh_status dh_pretok_next(const struct dh_pretok *p,
                                          struct dh_pretok_scratch *s,
                                          const char *text, size_t len,
                                          size_t from, size_t *end);

/* Unicode White_Space. */
bool dh_pretok_is_space(uint32_t cp);
/* This PCRE2 knows the properties that the next function needs. */
bool dh_pretok_knows_words(const struct dh_pretok *p);
/* A word character for single_word: letters, marks, decimal digits, connectors,
 * join controls. */
bool dh_pretok_is_word(const struct dh_pretok *p, uint32_t cp);

#endif
