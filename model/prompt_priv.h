/*
 * model/prompt_priv.h - values of JSON as Python writes them: the published
 * template is run by Python, and the model saw its spelling in training.
 */
#ifndef DH_MODEL_PROMPT_PRIV_H
#define DH_MODEL_PROMPT_PRIV_H

#include <stdbool.h>

struct dh_buf;
struct dh_json;

/* json.dumps(v, ensure_ascii=False): ", " and ": ", order kept. Integers beyond
 * 2^53 lose digits. */
void dh_prompt_put_json(const struct dh_json *v, struct dh_buf *out);
/* str(v) of a number. */
void dh_prompt_put_number(const struct dh_json *v, struct dh_buf *out);

#endif
