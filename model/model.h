/*
 * model/model.h - a MiniMax-M3 checkpoint, ready to run.
 *
 * Immutable after load, shared by sessions of any thread. It must outlive them.
 */
#ifndef DH_MODEL_MODEL_H
#define DH_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "vision/patches.h"

struct dh_model;
struct dh_patches;
struct dh_pool;

/* What a caller needs to know of the shapes. */
struct dh_model_info {
    int vocab_size, hidden_size, num_hidden_layers;
    int max_position_embeddings;
    int image_token_id, video_token_id; /* -1: no vision */
    int eos_token_id;                   /* -1: not given */
    bool has_vision;
    const char *vision_missing; /* why there is none, for a person; or NULL */
    int64_t parameters;
    int64_t weight_bytes; /* in the files */
    const char *kernels;  /* "ref", "avx2", "avx512", "amx" */
    const char *products; /* of most weights: "float32", "bfloat16", "int8" */
};

/* What a session keeps keys and values as: AUTO: as the kernels multiply them,
 * bfloat16 or float32; INT8: rounded to 8 bits, with a scale for each token and
 * head. */
enum dh_cache_type { DH_CACHE_AUTO, DH_CACHE_INT8 };
extern const char *const dh_cache_type_names[]; /* ends with NULL */

struct dh_model_options {
    struct dh_pool *pool; /* for the load and for all sessions; may be NULL */
    const char *kernels;  /* NULL or "auto": the fastest; "float32": the fastest
                           * that rounds no activation; "ref" and others */
    int64_t memory_bytes; /* for weights; what does not fit is read when it is
                           * needed. 0: all are mapped, and the system keeps
                           * what it can */
    const char *mmproj;   /* the vision file of a .gguf; NULL: the one that lies
                           * beside it, if any: mmproj-NAME.gguf of NAME.gguf,
                           * else the first mmproj*.gguf of this architecture */
};

/*
 * Map the checkpoint in `dir`: config.json, safetensors, and where present
 * preprocessor_config.json; or in the file `dir` that ends in .gguf, with
 * its vision file. No tokenizer is needed. Failures are logged with the file
 * and the reason.
 */
DH_MUST_USE enum dh_status dh_model_create(struct dh_model **out,
                                           const char *dir,
                                           const struct dh_model_options *o);
/* NULL is allowed. No session may be left. */
void dh_model_destroy(struct dh_model *model);
const struct dh_model_info *dh_model_get_info(const struct dh_model *model);

/* Since create, of all sessions. Experts are counted once for each pass and
 * layer. */
struct dh_model_reads {
    int64_t budget_bytes, resident_bytes; /* resident: other than experts */
    uint64_t hits, misses;                /* experts that were there, or not */
    uint64_t bytes;                       /* read from the files */
    double read_s;                        /* while anything was being read */
    double wait_s;                        /* that sessions waited for it */
};
/* False where all weights are mapped. Any thread. */
DH_MUST_USE bool dh_model_get_reads(const struct dh_model *m,
                                    struct dh_model_reads *out);

/*
 * What the shapes make of the next token behind `context` - 1 others, and of
 * the whole prompt: the least that must be read and computed, counted as m3.md
 * 11 does (sparse attention as sparse, the head for the last token alone,
 * norms and rotations left out).
 */
struct dh_model_cost {
    double weight_bytes, cache_bytes, flops; /* of one decoded token */
    double attention_flops;  /* of these: with the cache, index keys among it */
    double cache_held_bytes; /* of `context` tokens, read or not */
    double prefill_flops;    /* of all `context` tokens */
};
void dh_model_get_cost(const struct dh_model *m, enum dh_cache_type cache,
                       int64_t context, struct dh_model_cost *out);

/* The weights that a pass of one token each of `tokens` timelines must read.
 * Experts are counted as if each token chose its own by chance. */
double dh_model_get_pass_bytes(const struct dh_model *m, int tokens);

/* The arithmetic of a picture or video in the vision tower and the projector,
 * counted as there. */
double dh_model_get_picture_flops(const struct dh_model *m,
                                  const struct dh_patches *p);

/* How pictures become patches for this checkpoint. */
const struct dh_patch_rule *dh_model_get_image_rule(const struct dh_model *m);
const struct dh_patch_rule *dh_model_get_video_rule(const struct dh_model *m);

#endif
