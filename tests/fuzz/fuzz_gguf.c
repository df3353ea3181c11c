// Any bytes as a GGUF file: views stay inside, whatever is made of them ends.
// max-len: 16384
#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "model/gguf_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct dh_gguf *g, const uint8_t *data, size_t size)
{
    struct dh_gguf_tensors t;
    dh_gguf_tensors_init(&t, g);
    for (size_t i = 0; i < t.all.n; i++) {
        const struct dh_tensor *x = &t.all.at[i];
        if (x->data < data || x->bytes > size ||
            (size_t)(x->data - data) > size - x->bytes)
            abort();
    }
    dh_gguf_tensors_finish(&t);
    static struct dh_config config;
    struct dh_diag diag = { 0 }, why = { 0 };
    struct dh_buf json;
    dh_buf_init(&json, 1 << 22);
    if (dh_gguf_config(g, &config, &diag) && !diag.text[0])
        abort(); // a refusal without a reason
    if (dh_gguf_tokenizer(g, &json, &why) && !why.text[0])
        abort();
    dh_buf_finish(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_diag diag = { 0 };
    struct dh_gguf *g;
    if (size > 16384 || !dh_log_set_levels("error"))
        return 0;
    if (dh_gguf_parse(&g, data, size, &diag)) {
        if (!diag.text[0])
            abort();
        return 0;
    }
    look(g, data, size);
    dh_gguf_close(g);
    return 0;
}
