/*
 * model/kvcache_priv.h - keys, values and index keys of all tokens so far.
 *
 * They are written together and share one length, so that a rewind cannot lose
 * one of them. They stand in pages, each of which has those of DH_PAGE tokens
 * for all layers: per layer the keys of all heads, the values of all heads, and
 * index keys where it is sparse, as struct dh_attend_head wants them: float32,
 * or bfloat16 where the kernels multiply pairs of it, or codes of 8 bits in the
 * same places, behind which stand their scales. Index keys are in panels of the
 * first two kinds: what a long context costs is reading them, but which blocks
 * are seen should not depend on how they are kept, and the published model's
 * are bfloat16.
 */
#ifndef DH_MODEL_KVCACHE_PRIV_H
#define DH_MODEL_KVCACHE_PRIV_H

#include "base/status.h"
#include "model/backend_priv.h"
#include "model/config_priv.h"
#include "model/kvpages_priv.h"
#include "model/model.h"

struct dh_kvcache {
    int kv_heads, dim, ldv;
    int index_dim;                      /* 0: no sparse layer */
    size_t cap;                         /* tokens, whole pages */
    bool codes;                         /* keys and values are 8 bits */
    const struct dh_pairs *pairs;       /* of keys and values; NULL: float32 */
    const struct dh_pairs *index_pairs; /* of index keys, likewise */
    size_t *layer;                      /* where each begins in a page */
    size_t page_floats;
    struct dh_kvpages *pages; /* shared with those beside it */
    size_t n;                 /* pages that are held */
    float **page;             /* their memory */
    int32_t *number;
    size_t shown; /* of these, so many at the beginning are found by text */
    bool hidden;  /* tokens are not what made the keys: show nothing */
};

/* `beside`: a cache of the same model and kernels whose pages it shares, and
 * its type, or NULL. */
DH_MUST_USE enum dh_status
dh_kvcache_init(struct dh_kvcache *c, const struct dh_text_config *t,
                const struct dh_kernels *k, enum dh_cache_type type,
                size_t max_tokens, const struct dh_kvcache *beside);
void dh_kvcache_finish(struct dh_kvcache *c);

struct dh_attend_head dh_kvcache_get_head(const struct dh_kvcache *c, int layer,
                                          int head);
/* Index keys of a panel; only of a sparse layer. */
const float *dh_kvcache_get_index(const struct dh_kvcache *c, int layer,
                                  size_t panel);

/* Pages for tokens [from, to), which may then be put; those from `from` on are
 * lost. Allocates nothing. */
void dh_kvcache_open(struct dh_kvcache *c, size_t from, size_t to);
/* Store one token of one layer: k and v hold kv_heads rows of dim, index_k
 * holds index_dim floats or is NULL. Any thread, one token each. */
void dh_kvcache_put(struct dh_kvcache *c, int layer, size_t token,
                    const float *k, const float *v, const float *index_k);
/* Make a panel that holds no token yet readable; before its first token. */
void dh_kvcache_open_panel(struct dh_kvcache *c, int layer, size_t token);

/* Keep the first `tokens` tokens. */
void dh_kvcache_trim(struct dh_kvcache *c, size_t tokens);
/* All pages of the first `tokens` tokens that are full are found by others and
 * later by their texts, which are ids and tags. */
void dh_kvcache_show(struct dh_kvcache *c, const int32_t *ids,
                     const uint64_t *tags, size_t tokens);
/* The page after the first `tokens` tokens, of which there are whole pages,
 * from wherever it has the text ids and tags [DH_PAGE] after the same tokens;
 * false: nowhere, and nothing changed. */
bool dh_kvcache_find(struct dh_kvcache *c, size_t tokens, const int32_t *ids,
                     const uint64_t *tags);
/* Hold what `other`, which is beside it, has of its first `tokens` tokens. */
void dh_kvcache_copy(struct dh_kvcache *c, const struct dh_kvcache *other,
                     size_t tokens);

#endif
