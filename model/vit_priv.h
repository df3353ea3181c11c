/* model/vit_priv.h - pictures to rows that stand in for token embeddings:
 * the vision tower (m3.md 8) and the projector. */
#ifndef DH_MODEL_VIT_PRIV_H
#define DH_MODEL_VIT_PRIV_H

#include "base/status.h"
#include "model/backend_priv.h"
#include "model/model_priv.h"

struct dh_cancel;
struct dh_patches;

/* For tests: what the tower holds after a stage: -1 the first norm, j after
 * block j; n rows of hidden_size. */
typedef void (*dh_vit_probe_fn)(void *user, int stage, int n, const float *h);

struct dh_vit_run {
    const struct dh_model *model;
    const struct dh_backend *backend;
    struct dh_cancel *cancel; /* looked at per layer; may be NULL */
    dh_vit_probe_fn probe;    /* may be NULL */
    void *probe_user;
};

/* Tokens that a picture becomes; 0 where its grid or its rows do not fit the
 * model. */
int dh_vit_tokens(const struct dh_model *model, const struct dh_patches *p);

/*
 * The picture as out[dh_vit_tokens][hidden_size of the text]. A video is cut
 * into segments of vision_segment_max_frames temporal groups, which do not see
 * each other. DH_ERR_NOMEM, DH_ERR_CANCELLED.
 */
DH_MUST_USE enum dh_status dh_vit_encode(const struct dh_vit_run *r,
                                         const struct dh_patches *p,
                                         float *out);

/* rows[n][vision hidden] to out[n / merge^2][text hidden]; n is a multiple of
 * merge^2. DH_ERR_NOMEM. */
DH_MUST_USE enum dh_status dh_projector_run(const struct dh_vit_run *r,
                                            const float *rows, int n,
                                            float *out);

/* Angles of n patches in row order: cos, sin [n][3 * axis_dim / 2] of a
 * segment of groups x h x w patches; returns 3 * axis_dim / 2. */
int dh_vit_angles(const struct dh_vision_config *v, int groups, int h, int w,
                  float *cos, float *sin);

#endif
