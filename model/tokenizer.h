/*
 * model/tokenizer.h - byte-level byte-pair encoding from tokenizer.json.
 *
 * m3.md 3. Immutable after load; any thread. The split before the merges runs
 * the file's own regex (PCRE2); a file with other stages is refused.
 */
#ifndef DH_MODEL_TOKENIZER_H
#define DH_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/status.h"

struct dh_buf;
struct dh_tokenizer;

/* Ids in a row; grows, owned. Zero it before use. */
struct dh_ids {
    int32_t *id;
    size_t n, cap;
};
void dh_ids_put(struct dh_ids *ids, int32_t id);
void dh_ids_finish(struct dh_ids *ids);

DH_MUST_USE enum dh_status dh_tokenizer_create(struct dh_tokenizer **out,
                                               const char *path);
/* That of a checkpoint, in a folder or a GGUF file. Beside such a file a
 * tokenizer.json comes first; without one the file's own vocabulary is read. */
DH_MUST_USE enum dh_status dh_tokenizer_open(struct dh_tokenizer **out,
                                             const char *checkpoint);
/* The same from memory, for tests and the fuzz target. */
DH_MUST_USE enum dh_status dh_tokenizer_parse(struct dh_tokenizer **out,
                                              const char *json, size_t len,
                                              struct dh_diag *diag);
void dh_tokenizer_destroy(struct dh_tokenizer *t);

/* Highest id plus one. */
int dh_tokenizer_size(const struct dh_tokenizer *t);

/*
 * Append the ids of text. `trusted` holds one bool per byte, or NULL for all
 * true: added tokens match only where every byte of theirs is trusted, so that
 * text from a screen or a file cannot become a control token (m3.md 3.7), and
 * pieces are cut as in the joined text. Invalid UTF-8 becomes U+FFFD.
 */
DH_MUST_USE enum dh_status dh_tokenizer_encode(const struct dh_tokenizer *t,
                                               const char *text, size_t len,
                                               const bool *trusted,
                                               struct dh_ids *out);

/* The bytes of one id: added tokens give their literal text, unknown ids
 * nothing. Pieces may be parts of a UTF-8 sequence. */
void dh_tokenizer_decode(const struct dh_tokenizer *t, int32_t id,
                         struct dh_buf *out);

/* The id of an added token by its exact text, -1 where absent. */
int32_t dh_tokenizer_find_added(const struct dh_tokenizer *t, const char *text);
bool dh_tokenizer_is_added(const struct dh_tokenizer *t, int32_t id);

#endif
