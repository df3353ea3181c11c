/*
 * model/kvcache_priv.h - keys, values and index keys of all tokens so far.
 *
 * They are written together and share one length, so that a rewind cannot lose
 * one of them. As struct dh_attend_head wants them, one region per layer and
 * head: float32, or bfloat16 where the kernels multiply pairs of it. Index keys
 * are in panels of either kind too: what a long context costs is reading them,
 * and the published model's are bfloat16.
 */
#ifndef DH_MODEL_KVCACHE_PRIV_H
#define DH_MODEL_KVCACHE_PRIV_H

#include "base/status.h"
#include "model/backend_priv.h"
#include "model/config_priv.h"

struct iovec;

struct dh_kvcache {
    int kv_heads, dim, ldv;
    int index_dim;                      /* 0: no sparse layer */
    size_t cap;                         /* tokens, whole panels */
    const struct dh_pairs *pairs;       /* of keys and values; NULL: float32 */
    const struct dh_pairs *index_pairs; /* of index keys, likewise */
    float **layer; /* per layer: keys of all heads, values of all heads, index
                      keys where the layer is sparse */
    float *memory;
};

DH_MUST_USE enum dh_status dh_kvcache_init(struct dh_kvcache *c,
                                           const struct dh_text_config *t,
                                           const struct dh_kernels *k,
                                           size_t max_tokens);
void dh_kvcache_finish(struct dh_kvcache *c);

struct dh_attend_head dh_kvcache_get_head(const struct dh_kvcache *c, int layer,
                                          int head);
/* Index keys in panels; only of a sparse layer. */
const float *dh_kvcache_get_index(const struct dh_kvcache *c, int layer);

/* Store one token of one layer: k and v hold kv_heads rows of dim, index_k
 * holds index_dim floats or is NULL. Any thread, one token each. */
void dh_kvcache_put(struct dh_kvcache *c, int layer, size_t token,
                    const float *k, const float *v, const float *index_k);
/* Make a panel that holds no token yet readable; before its first token. */
void dh_kvcache_open_panel(struct dh_kvcache *c, int layer, size_t token);

/* The memory of the first `tokens` tokens, in pieces of whole panels, the same
 * order and sizes for every cache of this shape and so many tokens. Returns how
 * many pieces; `out` is NULL or has room for them. */
size_t dh_kvcache_pieces(const struct dh_kvcache *c,
                         const struct dh_text_config *t, size_t tokens,
                         struct iovec *out);

#endif
