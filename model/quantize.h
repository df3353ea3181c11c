/*
 * model/quantize.h - a checkpoint again, with fewer bits a weight.
 *
 * To a folder: MXFP8 as the official one has it, or NVFP4; embedding, head,
 * router, index projections, and vision unless told, stay as they are. To a
 * file that ends in .gguf, which llama.cpp reads: Q8_0, Q4_0, MXFP4 (embedding
 * and head are then Q8_0), or BF16; vision goes into mmproj-NAME.gguf beside
 * NAME.gguf, and stays as it is unless told.
 */
#ifndef DH_MODEL_QUANTIZE_H
#define DH_MODEL_QUANTIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "model/safetensors.h"

struct dh_cancel;
struct dh_pool;

/* What became of one tensor. */
struct dh_quantize_item {
    const char *name;
    enum dh_dtype from, to;
    int64_t weights, bytes; /* bytes: written, with scales */
    double error;           /* root of sum (w - q)^2 / sum w^2 */
    double most;            /* largest |w - q| */
    int index, count;       /* of all tensors */
};

struct dh_quantize_options {
    enum dh_dtype to;
    bool vision; /* its linears too */
    struct dh_pool *pool;
    struct dh_cancel *cancel;
    void (*done)(void *user, const struct dh_quantize_item *item);
    void *user;
};

/* `from` is a folder or a GGUF file. `to` must not be there yet, and is there
 * only once it is whole. Failures are logged. */
DH_MUST_USE enum dh_status dh_quantize(const char *from, const char *to,
                                       const struct dh_quantize_options *o);

#endif
