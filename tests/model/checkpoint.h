/*
 * tests/model/checkpoint.h - writes small checkpoints for tests.
 *
 * The weights are those of m3.md 14.2: a function of the released name of a
 * tensor, so that the same config gives the same model under both naming
 * schemes, in any number of shards.
 */
#ifndef DH_TESTS_MODEL_CHECKPOINT_H
#define DH_TESTS_MODEL_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/safetensors.h"

/* The configuration of m3.md 14.1 as JSON, and the same with the flattened
 * keys of newer transformers. */
extern const char dh_checkpoint_config[];
extern const char dh_checkpoint_config_flat[];

enum dh_checkpoint_names {
    DH_CHECKPOINT_RELEASED,     /* language_model.model.layers... */
    DH_CHECKPOINT_TRANSFORMERS, /* model.language_model.layers..., fused */
    DH_CHECKPOINT_TEXT_ONLY,    /* model.layers..., fused, no vision; the config
                                 * is written as its text_config alone */
};

struct dh_checkpoint_spec {
    const char *config; /* NULL: dh_checkpoint_config */
    enum dh_checkpoint_names names;
    enum dh_dtype dtype; /* of matrices: DH_F32 (zero), DH_BF16, DH_F16.
                          * Routers, biases of routers, and the patch embedding
                          * are F32 always, as released; vectors follow. */
    int shards;          /* 0: one model.safetensors without an index */
    bool mxfp8;          /* decoder matrices as F8_E4M3 with scales */
    bool add_mtp;        /* a tensor model.mtp.x.weight that nobody reads */
    bool unaligned;      /* data starts at an odd offset */
    const char *skip;    /* this tensor (name as written) is left out */
    const char *narrow;  /* this one gets one row less */
};

/* Write config.json and the tensors to `dir`, which exists. Ends the test on
 * failure. */
void dh_checkpoint_write(const char *dir, const struct dh_checkpoint_spec *s);

/* JSON with every find replaced: edits are pairs of texts, ended by NULL. Each
 * must occur. Free the result with dh_free. */
char *dh_checkpoint_edit(const char *json, const char *const *edits);

/* The values of the tensor of this released name, m3.md 14.2. */
void dh_checkpoint_values(const char *name, size_t n, float *out);

#endif
