/*
 * model/tokenizer_priv.h - the tokenizer's tables, for the folder alone.
 */
#ifndef DH_MODEL_TOKENIZER_PRIV_H
#define DH_MODEL_TOKENIZER_PRIV_H

#include "base/buf.h"
#include "base/str.h"
#include "model/pretok_priv.h"
#include "model/tokenizer.h"

/* Ids at or above this are refused: the tables are sized by the highest. */
#define DH_TOKENIZER_MAX_IDS (1 << 21)

struct dh_tokenizer_piece {
    uint32_t offset, len; /* in `bytes`; len 0: no such id */
};

struct dh_tokenizer_added {
    int32_t id;
    struct dh_tokenizer_piece text;
    bool single_word, lstrip, rstrip;
    bool normalized; /* looked for after the others */
};

/* Two neighbours that become one; rank 0 is merged first. */
struct dh_tokenizer_merge {
    uint64_t pair; /* left id in the high half; EMPTY_PAIR: a free slot */
    uint32_t rank;
    int32_t id;
};

struct dh_tokenizer {
    int size; /* highest id plus one */
    struct dh_buf bytes;
    struct dh_tokenizer_piece *pieces; /* [size] */
    uint64_t *is_added;                /* bit set */
    int32_t byte_id[256];
    int32_t *by_text; /* hash of vocabulary texts; -1: free */
    size_t by_text_mask;
    struct dh_tokenizer_merge *merges; /* hash */
    size_t merges_mask;
    bool ignore_merges;
    struct dh_tokenizer_added *added; /* by first byte, then longest first */
    size_t n_added;
    uint32_t added_at[257]; /* first in `added` of each first byte */
    struct dh_pretok *pretok;
};

/* What an encode needs besides; kept, it allocates nothing up to the longest
 * text it was reserved for. One thread at a time. */
struct dh_encode_scratch;
DH_MUST_USE enum dh_status
dh_encode_scratch_create(struct dh_encode_scratch **out,
                         const struct dh_tokenizer *t, size_t max_bytes);
void dh_encode_scratch_destroy(struct dh_encode_scratch *s);

/* As dh_tokenizer_encode, for valid UTF-8 and with kept scratch. */
DH_MUST_USE enum dh_status
dh_tokenizer_encode_with(const struct dh_tokenizer *t,
                         struct dh_encode_scratch *s, const char *text,
                         size_t len, const bool *trusted, struct dh_ids *out);

struct dh_str dh_tokenizer_text(const struct dh_tokenizer *t, int32_t id);

/* Fill a zeroed tokenizer from the text of tokenizer.json. On failure what was
 * made is left for dh_tokenizer_destroy. */
DH_MUST_USE enum dh_status dh_tokenizer_load(struct dh_tokenizer *t,
                                             const char *json, size_t len,
                                             struct dh_diag *diag);
/* -1 where absent. */
int32_t dh_tokenizer_find_text(const struct dh_tokenizer *t, struct dh_str s);
/* NULL where the two do not merge. */
const struct dh_tokenizer_merge *
dh_tokenizer_find_merge(const struct dh_tokenizer *t, int32_t left,
                        int32_t right);

#endif
