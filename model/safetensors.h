/*
 * model/safetensors.h - headers and shards of a checkpoint, mapped read-only.
 *
 * Accepts a folder with model.safetensors.index.json or model.safetensors.
 * Every offset, shape and size is checked against the files before a view is
 * handed out; duplicates are refused. m3.md 2.1.
 */
#ifndef DH_MODEL_SAFETENSORS_H
#define DH_MODEL_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/status.h"

enum dh_dtype {
    DH_F32,
    DH_F16,
    DH_BF16,
    DH_F8_E4M3,
    DH_F8_E8M0,
    DH_U8,
    DH_I8,
    DH_I32,
    DH_I64, /* the last of safetensors' own */
    /* Blocks of elements with their scales (m3.md 2.4, 2.5; quant_priv.h). */
    DH_Q8_0,
    DH_Q4_0,
    DH_Q4_1,
    DH_Q5_0,
    DH_Q5_1,
    DH_Q2_K,
    DH_Q3_K,
    DH_Q4_K,
    DH_Q5_K,
    DH_Q6_K,
    DH_IQ4_NL,
    DH_IQ4_XS,
    DH_MXFP4,
    DH_NVFP4, /* codes alone: a U8 tensor whose scales lie elsewhere */
    DH_DTYPE_COUNT
};

const char *dh_dtype_name(enum dh_dtype t); /* "BF16", as in the files */
/* Elements of a block, 1 for most, and the bytes that hold them. */
size_t dh_dtype_block(enum dh_dtype t);
size_t dh_dtype_bytes(enum dh_dtype t);
/* n elements, whole blocks. */
static inline size_t dh_dtype_size(enum dh_dtype t, size_t n)
{
    return n / dh_dtype_block(t) * dh_dtype_bytes(t);
}

#define DH_TENSOR_MAX_DIMS 8

/* A view into the map; owns nothing, valid while the checkpoint is open. Row
 * major, little-endian. `data` may be unaligned for its type. */
struct dh_tensor {
    const char *name;
    enum dh_dtype dtype;
    int n_dims;
    int64_t shape[DH_TENSOR_MAX_DIMS];
    const uint8_t *data;
    size_t bytes;
    int shard; /* index of its file */
};

/* One file of a checkpoint. */
struct dh_tensors_file {
    char *path;
    struct dh_map map;
};

/* The tensors of a checkpoint, whatever its files are, in name order. */
struct dh_tensors {
    const struct dh_tensor *at;
    size_t n;
    const struct dh_tensors_file *files; /* by a tensor's `shard` */
    int n_files;         /* 0: they lie in the caller's memory */
    bool norms_plus_one; /* the decoder's norms hold 1+w, not w */
    /* The tower's q and k have llama.cpp's order of rows (gguf_priv.h), and its
     * patch embedding is one tensor for each frame of a patch. */
    bool vision_permuted;
};
/* NULL where absent. */
const struct dh_tensor *dh_tensors_find(const struct dh_tensors *all,
                                        const char *name);

struct dh_safetensors;

/* `dir`: the checkpoint's folder. Failures are logged with file and offset. */
DH_MUST_USE enum dh_status dh_safetensors_open(struct dh_safetensors **out,
                                               const char *dir);
void dh_safetensors_close(struct dh_safetensors *st);

/* Valid while it is open. */
const struct dh_tensors *dh_safetensors_list(const struct dh_safetensors *st);
/* In name order. */
size_t dh_safetensors_count(const struct dh_safetensors *st);
const struct dh_tensor *dh_safetensors_at(const struct dh_safetensors *st,
                                          size_t i);
/* NULL where absent. */
const struct dh_tensor *dh_safetensors_find(const struct dh_safetensors *st,
                                            const char *name);
int dh_safetensors_shards(const struct dh_safetensors *st);
const char *dh_safetensors_shard_name(const struct dh_safetensors *st, int i);

/*
 * Parse one header (the JSON after the length) for a file of `data_len` bytes
 * after it, calling `each` per tensor (data is relative to `data`). For open
 * and for the fuzz target. Returns DH_ERR_FORMAT with diag set, or what `each`
 * returned if that is not DH_OK.
 */
DH_MUST_USE enum dh_status dh_safetensors_parse(
    const char *json, size_t json_len, const uint8_t *data, size_t data_len,
    enum dh_status (*each)(void *user, const struct dh_tensor *t), void *user,
    struct dh_diag *diag);

#endif
