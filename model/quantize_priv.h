/* model/quantize_priv.h - what is to be written, and the headers before it. */
#ifndef DH_MODEL_QUANTIZE_PRIV_H
#define DH_MODEL_QUANTIZE_PRIV_H

#include "base/buf.h"
#include "model/model_priv.h"
#include "model/quantize.h"

/* One tensor of the file: matrices above each other, or a vector. */
struct dh_quantize_part {
    char name[DH_WEIGHT_NAME];
    enum dh_weight_kind kind;
    enum dh_dtype dtype;
    const struct dh_mat **mats;
    int n_mats;
    const float *vec;
    int n;
    float factor;                 /* of NVFP4 */
    int head_dim;                 /* as of struct dh_weight, in a GGUF file */
    int frame;                    /* there, of the patch embedding */
    uint64_t bytes, scales_bytes; /* of the codes; of scales aside */
};

struct dh_quantize_plan {
    const struct dh_model *model;
    const char *from;
    bool gguf, vision; /* vision: of a GGUF model, that file */
    struct dh_quantize_part *parts;
    int n;
    int first, count; /* of the tensors of all files */
};

#define DH_QUANTIZE_ALIGN 32 /* of a GGUF file */

/* All that comes before the first part's bytes. Parts follow each other, each
 * with its scales and factor; in a GGUF file each is aligned. */
DH_MUST_USE enum dh_status
dh_quantize_safetensors_header(const struct dh_quantize_plan *p,
                               struct dh_buf *out);
DH_MUST_USE enum dh_status
dh_quantize_gguf_header(const struct dh_quantize_plan *p, struct dh_buf *out);

#endif
