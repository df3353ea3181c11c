/* model/snapshot_priv.h - a timeline as a file. */
#ifndef DH_MODEL_SNAPSHOT_PRIV_H
#define DH_MODEL_SNAPSHOT_PRIV_H

#include "model/kvcache_priv.h"
#include "model/model_priv.h"

/* What a session lends for it. */
struct dh_snapshot {
    const struct dh_model *model;
    struct dh_kvcache *cache;
    int32_t *ids;   /* [max_tokens] */
    uint64_t *tags; /* [max_tokens] */
    size_t max_tokens;
};

/* The first `len` tokens, whole or not at all. Only the user may read it. */
DH_MUST_USE enum dh_status dh_snapshot_write(const struct dh_snapshot *s,
                                             size_t len, const char *path);
/*
 * As many tokens of the file as there is room for; *len says how many. What
 * was in the cache is lost in any case.
 *
 * DH_ERR_NOTFOUND, logged at info: no such file. DH_ERR_FORMAT: cut short,
 * damaged, or of another model, kernels or cache type.
 */
DH_MUST_USE enum dh_status dh_snapshot_read(const struct dh_snapshot *s,
                                            size_t *len, const char *path);

#endif
