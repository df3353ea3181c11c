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

/* Opens a model with its vision file: `mmproj`, or where that is NULL one that
 * lies beside it: mmproj-NAME.gguf of NAME.gguf, else the first mmproj*.gguf
 * that is one of MiniMax-M3. None is fine. Failures are logged. */
DH_MUST_USE enum dh_status
dh_gguf_open_model(struct dh_gguf **out, const char *path, const char *mmproj);
/* "DIR/mmproj-NAME.gguf" of "DIR/NAME.gguf"; dh_free. */
char *dh_gguf_vision_path(const char *path);

/* How such a file wants pictures, in the words of preprocessor_config.json. */
void dh_gguf_image_rule(const struct dh_gguf *g, struct dh_buf *json);

/* Where row `row` of a tower's q and k lies in such a file. There each axis of
 * the rotation has its pairs together, half after half (m3.md 2.5). */
int dh_gguf_vision_row(int row, int head_dim);
/* The other way round. */
int dh_gguf_vision_source(int row, int head_dim);

/* The vocabulary as the text of a tokenizer.json. DH_ERR_UNSUPPORTED: there is
 * none, or it is split by rules that the file only names and we do not know. */
DH_MUST_USE enum dh_status dh_gguf_tokenizer(const struct dh_gguf *g,
                                             struct dh_buf *json,
                                             struct dh_diag *diag);

/* What such a file calls the way in which a regex splits texts, or NULL. */
const char *dh_gguf_split_name(const char *regex);

#endif
