/*
 * model/experts_priv.h - experts that are read when the router asks for them,
 * into memory of a fixed size.
 *
 * Any thread may call anything but create and destroy; the sessions of a model
 * share it. A thread holds one expert at a time, so that two rooms are enough
 * for any number of them. Nothing here allocates after create.
 */
#ifndef DH_MODEL_EXPERTS_PRIV_H
#define DH_MODEL_EXPERTS_PRIV_H

#include "model/model.h"
#include "model/weights_priv.h"

struct dh_cancel;
struct dh_experts;

/*
 * Weights in `budget` bytes: *w, LISTED views of `t`, is made anew as RESIDENT
 * ones; what is left is for the experts. Too small a budget is
 * DH_ERR_RANGE, and the least that works is logged.
 */
DH_MUST_USE enum dh_status dh_experts_create(struct dh_experts **out,
                                             const struct dh_config *config,
                                             struct dh_weights *w,
                                             const struct dh_tensors *t,
                                             size_t budget);
/* NULL is allowed. */
void dh_experts_destroy(struct dh_experts *x);

/* A pass will take experts[n] of the layer, one after the other: those that are
 * not there are read from now on, as far as there is room. */
void dh_experts_begin(struct dh_experts *x, int layer, const int32_t *experts,
                      int n);
/*
 * Wait for experts[0]; *out is valid until it is put back. The others, which
 * follow, are read meanwhile. DH_ERR_IO, logged, where it cannot be read: it is
 * tried again the next time. DH_ERR_CANCELLED.
 */
DH_MUST_USE enum dh_status dh_experts_take(struct dh_experts *x, int layer,
                                           const int32_t *experts, int n,
                                           struct dh_cancel *cancel,
                                           const struct dh_mlp_weights **out);
void dh_experts_put(struct dh_experts *x, int layer, int expert);

void dh_experts_get_reads(struct dh_experts *x, struct dh_model_reads *out);

#endif
