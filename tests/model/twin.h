/*
 * tests/model/twin.h - the model once more, slow and plain.
 *
 * Double arithmetic, whole sequences, masks in place of caches, N x N scores:
 * written from the description of the model, sharing nothing with the runtime
 * but the loaded weights.
 */
#ifndef DH_TESTS_MODEL_TWIN_H
#define DH_TESTS_MODEL_TWIN_H

#include "model/model_priv.h"
#include "vision/patches.h"

/* logits[n][vocab] of ids[0..n). rows[i] replaces the embedding of token i
 * where it is not NULL; rows may be NULL. Free with dh_free. */
double *dh_twin_text(const struct dh_model *m, const int32_t *ids, int n,
                     const double *const *rows);

/* Merged tokens [*tokens][hidden] of a picture or video. Free with dh_free. */
double *dh_twin_vision(const struct dh_model *m, const struct dh_patches *p,
                       int *tokens);

#endif
