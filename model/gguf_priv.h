/*
 * model/gguf_priv.h - what a GGUF file of this architecture says, in the words
 * of the published checkpoint (m3.md 2.5).
 */
#ifndef DH_MODEL_GGUF_PRIV_H
#define DH_MODEL_GGUF_PRIV_H

#include "base/buf.h"
#include "model/config_priv.h"
#include "model/gguf.h"

/* The number of a type that such files have. */
uint32_t dh_gguf_type_of(enum dh_dtype t);

/* The tensors by their released names, experts one by one. A name that is not
 * known stays. Owned; the views are the file's. */
struct dh_gguf_tensors {
    struct dh_tensors all;
    struct dh_tensor *own;
};
void dh_gguf_tensors_init(struct dh_gguf_tensors *t, const struct dh_gguf *g);
void dh_gguf_tensors_finish(struct dh_gguf_tensors *t);

/* As dh_config_parse; diag names what is missing. */
DH_MUST_USE enum dh_status dh_gguf_config(const struct dh_gguf *g,
                                          struct dh_config *out,
                                          struct dh_diag *diag);

/* The vocabulary as the text of a tokenizer.json. DH_ERR_UNSUPPORTED: there is
 * none, or it is split by rules that the file only names and we do not know. */
DH_MUST_USE enum dh_status dh_gguf_tokenizer(const struct dh_gguf *g,
                                             struct dh_buf *json,
                                             struct dh_diag *diag);

/* What such a file calls the way in which a regex splits texts, or NULL. */
const char *dh_gguf_split_name(const char *regex);

#endif
