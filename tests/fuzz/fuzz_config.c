// Any bytes as config.json: what is accepted lies within the limits.
#include <stdint.h>
#include <stdlib.h>

#include "model/config_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dh_config c;
    struct dh_diag diag = { 0 };
    if (size > 65536)
        return 0;
    enum dh_status st = dh_config_parse((const char *)data, size, &c, &diag);
    const struct dh_text_config *t = &c.text;
    if (st ? !diag.text[0]
           : t->hidden_size < 1 || t->num_hidden_layers < 1 ||
                 t->num_hidden_layers > DH_CONFIG_MAX_LAYERS ||
                 t->num_attention_heads % t->num_key_value_heads != 0 ||
                 t->rotary_dim > t->head_dim || t->rotary_dim < 2 ||
                 t->num_experts_per_tok > t->num_local_experts)
        abort();
    return 0;
}
