/*
 * model/weights_priv.h - names to pointers once, shapes checked once.
 *
 * Knows both naming schemes (m3.md 2.2, 2.3), tensor by tensor. Matrices stay
 * in the map in their own type, quantised ones (m3.md 2.4) too. Vectors (norms,
 * biases, router bias) become float32.
 */
#ifndef DH_MODEL_WEIGHTS_PRIV_H
#define DH_MODEL_WEIGHTS_PRIV_H

#include <stdint.h>

#include "base/status.h"
#include "model/config_priv.h"
#include "model/safetensors.h"

/* y[n] = sum_k w[n][k] x[k]. Row-major [rows, cols], `dtype` a float (`data` is
 * aligned to its element, not more) or quantised (quant_priv.h; not aligned):
 * then cols is a whole number of blocks. */
struct dh_mat {
    const void *data;
    enum dh_dtype dtype;
    int rows, cols;
    const uint8_t *scales; /* F8_E4M3, NVFP4: of each block, row by row */
    float scale;           /* NVFP4: of all */
};

struct dh_mlp_weights {
    struct dh_mat gate, up, down;
};

struct dh_layer_weights {
    const float *input_layernorm, *post_attention_layernorm; /* w, not 1+w */
    struct dh_mat q_proj, k_proj, v_proj, o_proj;
    const float *q_norm, *k_norm;
    /* sparse layers */
    struct dh_mat index_q_proj, index_k_proj;
    const float *index_q_norm, *index_k_norm;
    /* dense layers: mlp; mixture layers: router, experts, shared */
    struct dh_mlp_weights mlp;
    struct dh_mat router;                 /* F32 [num_local_experts, hidden] */
    const float *e_score_correction_bias; /* [num_local_experts] */
    struct dh_mlp_weights *experts;       /* [num_local_experts] */
    struct dh_mlp_weights shared;
};

struct dh_vision_layer_weights {
    const float *ln1_w, *ln1_b, *ln2_w, *ln2_b;
    struct dh_mat q, k, v, out, fc1, fc2;
    const float *q_b, *k_b, *v_b, *out_b, *fc1_b, *fc2_b;
};

struct dh_vision_weights {
    struct dh_mat patch_embedding; /* [hidden, channels*tps*patch*patch] */
    const float *pre_w, *pre_b;
    struct dh_vision_layer_weights *layers;
    struct dh_mat linear_1, linear_2, merge_1, merge_2;
    const float *linear_1_b, *linear_2_b, *merge_1_b, *merge_2_b;
};

struct dh_weights {
    struct dh_mat embed_tokens, lm_head;
    const float *norm;
    struct dh_layer_weights *layers;
    struct dh_vision_weights vision; /* zero without vision */
    /* what was made at load; freed by finish */
    void **owned;
    size_t n_owned;
    size_t resident_bytes; /* of all but the experts, were they copied */
};

enum dh_weights_place {
    DH_WEIGHTS_MAPPED,
    /* Experts are views in any case, also unaligned ones, with which nobody
     * computes; the others are as mapped, or copied. */
    DH_WEIGHTS_LISTED,
    DH_WEIGHTS_RESIDENT,
};

/* The views point into `files`, which must stay open. A missing tensor or a
 * wrong shape is logged with its name, both shapes, and is DH_ERR_FORMAT;
 * unknown tensors warn, mtp ones are ignored. */
DH_MUST_USE enum dh_status dh_weights_init(struct dh_weights *w,
                                           const struct dh_config *config,
                                           const struct dh_tensors *files,
                                           enum dh_weights_place place);
void dh_weights_finish(struct dh_weights *w);

enum dh_weight_kind {
    DH_WEIGHT_LINEAR, /* of the decoder */
    DH_WEIGHT_HEAD,   /* embedding and head */
    DH_WEIGHT_INDEX,  /* index projections */
    DH_WEIGHT_ROUTER,
    DH_WEIGHT_NORM, /* of the decoder: w, not 1+w */
    DH_WEIGHT_VECTOR,
    DH_WEIGHT_VISION,  /* linears of the tower and the projector */
    DH_WEIGHT_PATCHES, /* the patch embedding */
};

#define DH_WEIGHT_NAME 160

/* One matrix, or a vector of n. All experts of a layer share one name of a GGUF
 * file, and follow each other. */
struct dh_weight {
    char released[DH_WEIGHT_NAME], gguf[DH_WEIGHT_NAME];
    enum dh_weight_kind kind;
    bool vision;  /* of the tower or the projector */
    int head_dim; /* its rows have another order there (gguf_priv.h); or 0 */
    const struct dh_mat *mat;
    const float *vec;
    int n;
};
typedef void (*dh_weight_fn)(void *user, const struct dh_weight *w);
void dh_weights_each(const struct dh_weights *weights,
                     const struct dh_config *config, dh_weight_fn fn,
                     void *user);

#endif
