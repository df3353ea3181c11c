/*
 * model/tensor_priv.h - element types and views: conversions, shapes as text.
 *
 * struct dh_tensor itself is in safetensors.h.
 */
#ifndef DH_MODEL_TENSOR_PRIV_H
#define DH_MODEL_TENSOR_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "model/safetensors.h"

static inline float dh_bf16_to_f32(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, sizeof(f));
    return f;
}

/* Round to nearest even; NaN stays NaN. */
static inline uint16_t dh_f32_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof(u));
    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)((u >> 16) | 0x40);
    return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

/* IEEE half, subnormals included. f32_to_f16 rounds to nearest even. */
float dh_f16_to_f32(uint16_t h);
uint16_t dh_f32_to_f16(float f);

/* F32, F16, BF16: what the kernels read. */
bool dh_dtype_is_float(enum dh_dtype t);

/* n elements of one of these types from `src` (any alignment) to float32. */
void dh_tensor_to_f32(enum dh_dtype t, const void *src, size_t n, float *dst);

/* "[64, 32]" into out; cut short where it does not fit. Returns out. */
const char *dh_tensor_shape_text(const int64_t *shape, int n_dims, char *out,
                                 size_t out_bytes);
bool dh_tensor_has_shape(const struct dh_tensor *t, const int64_t *shape,
                         int n_dims);

/* All of the files, for who reads most of them: ahead where they are not too
 * large for that. Else, or with `forget`, nothing is read ahead, and what was
 * read gives its memory back. */
void dh_tensors_advise(const struct dh_tensors *t, bool forget);
/* DH_ERR_IO, logged: a file of them lost bytes (base/fault.h), and what came
 * out of their numbers is worth nothing. */
DH_MUST_USE enum dh_status dh_tensors_check(const struct dh_tensors *t);

enum dh_tensors_fault {
    DH_TENSORS_FINE,
    DH_TENSORS_TWICE,   /* the pair has one name */
    DH_TENSORS_OVERLAP, /* the pair shares bytes of one file: gaps do no harm,
                         * but this means that the header was tampered with */
};
/* Puts them into name order; pair[] is set where something is wrong. */
DH_MUST_USE enum dh_tensors_fault
dh_tensors_sort(struct dh_tensor *t, size_t n, const struct dh_tensor *pair[2]);

#endif
