/*
 * model/config_priv.h - the shapes of a model, read from config.json.
 *
 * Member names are the published configuration's. Both spellings are read
 * (m3.md 1.1, 1.2), resolved as in 1.3 and checked as in 1.4, so that the code
 * behind may believe every number.
 */
#ifndef DH_MODEL_CONFIG_PRIV_H
#define DH_MODEL_CONFIG_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/status.h"

#define DH_CONFIG_MAX_LAYERS  256
#define DH_CONFIG_MAX_EXPERTS 1024

struct dh_text_config {
    int hidden_size, num_hidden_layers;
    int num_attention_heads, num_key_value_heads, head_dim;
    int vocab_size, max_position_embeddings;
    int rotary_dim;
    float rms_norm_eps, rope_theta;
    float swiglu_alpha, swiglu_limit;
    int intermediate_size; /* of a routed expert */
    int dense_intermediate_size;
    int shared_intermediate_size; /* times n_shared_experts */
    int num_local_experts, num_experts_per_tok;
    float routed_scaling_factor;
    int index_n_heads, index_head_dim;
    int index_block_size, index_topk_blocks, index_local_blocks;
    bool tie_word_embeddings;
    bool layer_sparse[DH_CONFIG_MAX_LAYERS]; /* MSA, else full attention */
    bool layer_moe[DH_CONFIG_MAX_LAYERS];    /* mixture, else dense MLP */
    int bos_token_id, eos_token_id;          /* -1: not given */
};

struct dh_vision_config {
    int hidden_size, num_hidden_layers, num_attention_heads;
    int intermediate_size;
    int num_channels, patch_size, temporal_patch_size, spatial_merge_size;
    float layer_norm_eps, rope_theta;
    int vision_segment_max_frames;
};

struct dh_config {
    struct dh_text_config text;
    bool has_vision; /* false: a text-only checkpoint */
    struct dh_vision_config vision;
    int projector_hidden_size;
    int image_token_id, video_token_id; /* -1 without vision */
};

/* Fill *out from the text of config.json. DH_ERR_FORMAT (not JSON, a missing
 * or wrong member), DH_ERR_UNSUPPORTED (a setting we refuse), DH_ERR_RANGE;
 * diag names the key. */
DH_MUST_USE enum dh_status dh_config_parse(const char *json, size_t len,
                                           struct dh_config *out,
                                           struct dh_diag *diag);

#endif
