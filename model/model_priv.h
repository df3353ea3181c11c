/* model/model_priv.h - what is inside a loaded model. */
#ifndef DH_MODEL_MODEL_PRIV_H
#define DH_MODEL_MODEL_PRIV_H

#include "base/diag.h"
#include "model/backend_priv.h"
#include "model/config_priv.h"
#include "model/gguf_priv.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "model/tensor_priv.h"
#include "model/weights_priv.h"

struct dh_batch;
struct dh_experts;

struct dh_model {
    struct dh_config config;
    struct dh_safetensors *files;   /* of a folder, or ... */
    struct dh_gguf *gguf;           /* ... of a file, with */
    struct dh_gguf_tensors renamed; /* its tensors */
    const struct dh_tensors *tensors;
    struct dh_weights weights;
    struct dh_experts *experts; /* NULL: all weights are mapped */
    struct dh_batch *batch;     /* of the sessions' passes */
    const struct dh_kernels *kernels;
    struct dh_pool *pool;
    struct dh_model_info info;
    struct dh_patch_rule image_rule, video_rule;
};

/*
 * Change *rule as preprocessor_config.json says; what it does not say stays.
 * The released file's "size": [672, 672] is no size: it stands for the budget
 * 3,136 to 451,584 pixels (m3.md 6.1).
 */
DH_MUST_USE enum dh_status dh_model_parse_rule(const char *json, size_t len,
                                               struct dh_patch_rule *rule,
                                               struct dh_diag *diag);

#endif
