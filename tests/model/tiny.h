/* tests/model/tiny.h - the small checkpoint, loaded, with a session. */
#ifndef DH_TESTS_MODEL_TINY_H
#define DH_TESTS_MODEL_TINY_H

#include <stddef.h>
#include <stdint.h>

#include "model/session_priv.h"
#include "tests/model/checkpoint.h"
#include "tests/model/diff.h"
#include "vision/patches.h"

struct dh_tiny {
    struct dh_pool *pool;
    struct dh_model *model;
    struct dh_session *session;
    int vocab;
    enum dh_cache_type cache_type;
    float *logits; /* [n][vocab] of what was fed last */
    size_t first;  /* position of the first of them */
};

struct dh_tiny_spec {
    const char *dir;          /* a checkpoint; NULL: one is written */
    const char *config;       /* NULL: dh_checkpoint_config */
    const char *const *edits; /* of the config; NULL: none */
    enum dh_checkpoint_names names;
    enum dh_dtype dtype;
    const char *kernels; /* NULL: auto */
    int threads;         /* 0: 1 */
    int64_t memory;      /* for weights, in bytes; 0: they are mapped */
    int chunk, max_tokens;
    enum dh_cache_type cache_type;
};

/* All of these end the test on failure. */
void dh_tiny_open(struct dh_tiny *t, const struct dh_tiny_spec *s);
void dh_tiny_close(struct dh_tiny *t);
/* A new session of the same model and cache type in place of the old. */
void dh_tiny_restart(struct dh_tiny *t, int chunk, int max_tokens);

/* Feed and return t->logits, one row for each id. */
const float *dh_tiny_feed(struct dh_tiny *t, const int32_t *ids, size_t n,
                          const struct dh_session_image *images,
                          size_t n_images);

/* n ids that are no placeholders, a function of the seed. */
void dh_tiny_ids(unsigned seed, int32_t *ids, size_t n);
/* Patches of noise. */
void dh_tiny_patches(unsigned seed, int t, int h, int w,
                     struct dh_patches *out);

#endif
