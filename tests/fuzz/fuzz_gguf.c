// Any bytes as a GGUF file: views stay inside, whatever is made of them ends.
// What follows a second "GGUF" is its vision file.
// max-len: 16384
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "model/gguf_priv.h"
#include "model/model_priv.h"
#include "model/quant_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void say_nothing(void *user, enum dh_log_level level, const char *tag,
                        const char *text)
{
    (void)user;
    (void)level;
    (void)tag;
    (void)text;
}

// The first numbers of a tensor, of any type.
static void expand(const struct dh_tensor *t)
{
    float out[512];
    int block = (int)dh_dtype_block(t->dtype);
    int64_t cols = t->n_dims ? t->shape[t->n_dims - 1] : 0;
    struct dh_mat m = { .data = t->data, .dtype = t->dtype, .rows = 1 };
    m.cols = (int)DH_MIN(cols, 512) / block * block;
    bool is_number = block > 1 || dh_dtype_is_float(t->dtype);
    if (is_number && m.cols &&
        dh_dtype_size(t->dtype, (size_t)m.cols) <= t->bytes)
        dh_quant_expand(out, &m, 0, 0, m.cols);
}

static void look_at_weights(const struct dh_config *config,
                            const struct dh_tensors *all)
{
    struct dh_weights w;
    if (!dh_weights_init(&w, config, all, DH_WEIGHTS_MAPPED))
        dh_weights_finish(&w);
}

static void look(const struct dh_gguf *g, const uint8_t *data, size_t size)
{
    struct dh_gguf_tensors t;
    dh_gguf_tensors_init(&t, g);
    for (size_t i = 0; i < t.all.n; i++) {
        const struct dh_tensor *x = &t.all.at[i];
        if (x->data < data || x->bytes > size ||
            (size_t)(x->data - data) > size - x->bytes)
            abort();
        expand(x);
    }
    static struct dh_config config;
    struct dh_diag diag = { 0 }, why = { 0 };
    struct dh_buf json;
    dh_buf_init(&json, 1 << 22);
    enum dh_status st = dh_gguf_config(g, &config, &diag);
    if (st && !diag.text[0])
        abort(); // a refusal without a reason
    if (!st)
        look_at_weights(&config, &t.all);
    if (dh_gguf_tokenizer(g, &json, &why) && !why.text[0])
        abort();
    dh_buf_clear(&json);
    struct dh_patch_rule rule = dh_patch_rule_m3;
    why = (struct dh_diag){ 0 };
    dh_gguf_image_rule(g, &json);
    if (dh_model_parse_rule(dh_buf_text(&json), json.len, &rule, &why) &&
        !why.text[0])
        abort();
    dh_buf_finish(&json);
    dh_gguf_tensors_finish(&t);
}

// NULL where it is refused, with a reason.
static struct dh_gguf *parse(const uint8_t *data, size_t size)
{
    struct dh_gguf *g = NULL;
    struct dh_diag diag = { 0 };
    if (dh_gguf_parse(&g, data, size, &diag) && !diag.text[0])
        abort();
    return g;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_diag diag = { 0 };
    if (size > 16384 || !dh_log_set_levels("error"))
        return 0;
    dh_log_set_hook(say_nothing, NULL);
    const uint8_t *second =
        size > 4 ? memmem(data + 4, size - 4, "GGUF", 4) : NULL;
    size_t first = second ? (size_t)(second - data) : size;
    struct dh_gguf *g = parse(data, first);
    struct dh_gguf *vision = g && second ? parse(second, size - first) : NULL;
    if (g && vision) {
        enum dh_status st = dh_gguf_join(g, vision, &diag);
        if (st && !diag.text[0])
            abort();
    }
    if (g)
        look(g, data, size);
    dh_gguf_close(g);
    return 0;
}
