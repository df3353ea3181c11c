/*
 * model/weights_priv.h - names to pointers once, shapes checked once.
 *
 * Knows both naming schemes (m3.md 2.2, 2.3), tensor by tensor. Matrices stay
 * in the map in their own type where the kernels take it (F32, F16, BF16);
 * MXFP8 (m3.md 2.4) is expanded to BF16 at load, which holds it exactly.
 * Vectors (norms, biases, router bias) become float32.
 */
#ifndef DH_MODEL_WEIGHTS_PRIV_H
#define DH_MODEL_WEIGHTS_PRIV_H

#include <stdint.h>

#include "base/status.h"
#include "model/config_priv.h"
#include "model/safetensors.h"

/* y[n] = sum_k w[n][k] x[k]. Row-major [rows, cols], `dtype` one of F32, F16,
 * BF16. `data` is aligned to its element (2 or 4 bytes), not more. */
struct dh_mat {
    const void *data;
    enum dh_dtype dtype;
    int rows, cols;
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
};

/* The views point into `st`, which must stay open. A missing tensor or a wrong
 * shape is logged with its name, both shapes, and is DH_ERR_FORMAT; unknown
 * tensors warn, mtp ones are ignored. */
DH_MUST_USE enum dh_status dh_weights_init(struct dh_weights *w,
                                           const struct dh_config *config,
                                           const struct dh_safetensors *st);
void dh_weights_finish(struct dh_weights *w);

#endif
