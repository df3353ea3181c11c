#include "model/kvcache_priv.h"

#include <string.h>

#include "base/mem.h"

#define DH_LOG_TAG "kvcache"
#include "base/log.h"

static size_t keys_floats(const struct dh_kvcache *c)
{
    return c->cap * (size_t)c->dim * (size_t)c->kv_heads;
}

static size_t values_floats(const struct dh_kvcache *c)
{
    return c->cap * (size_t)c->ldv * (size_t)c->kv_heads;
}

// Floats of all layers; false on overflow.
static bool total_floats(const struct dh_kvcache *c,
                         const struct dh_text_config *t, size_t *out)
{
    size_t per_token = (size_t)(c->dim + c->ldv) * (size_t)c->kv_heads;
    size_t all = 0;
    for (int i = 0; i < t->num_hidden_layers; i++)
        all += per_token + (t->layer_sparse[i] ? (size_t)c->index_dim : 0);
    return dh_mul_size(all, c->cap, out);
}

enum dh_status dh_kvcache_init(struct dh_kvcache *c,
                               const struct dh_text_config *t,
                               size_t max_tokens)
{
    memset(c, 0, sizeof(*c));
    c->kv_heads = t->num_key_value_heads;
    c->dim = t->head_dim;
    c->ldv = (t->head_dim + 15) / 16 * 16;
    c->index_dim = t->index_head_dim;
    c->cap = dh_panel_round(max_tokens);
    size_t floats, bytes;
    if (total_floats(c, t, &floats) &&
        dh_mul_size(floats, sizeof(float), &bytes))
        c->memory = dh_big_alloc(bytes);
    if (!c->memory) {
        dh_error("no memory for a cache of %zu tokens", max_tokens);
        return DH_ERR_NOMEM;
    }
    dh_array(c->layer, (size_t)t->num_hidden_layers);
    float *at = c->memory;
    for (int i = 0; i < t->num_hidden_layers; i++) {
        c->layer[i] = at;
        at += keys_floats(c) + values_floats(c);
        if (t->layer_sparse[i])
            at += c->cap * (size_t)c->index_dim;
    }
    return DH_OK;
}

void dh_kvcache_finish(struct dh_kvcache *c)
{
    dh_big_free(c->memory);
    dh_free(c->layer);
    memset(c, 0, sizeof(*c));
}

struct dh_attend_head dh_kvcache_get_head(const struct dh_kvcache *c, int layer,
                                          int head)
{
    const float *base = c->layer[layer];
    return (struct dh_attend_head){
        .keys = base + (size_t)head * c->cap * (size_t)c->dim,
        .values =
            base + keys_floats(c) + (size_t)head * c->cap * (size_t)c->ldv,
        .dim = c->dim,
        .ldv = c->ldv,
    };
}

const float *dh_kvcache_get_index(const struct dh_kvcache *c, int layer)
{
    return c->layer[layer] + keys_floats(c) + values_floats(c);
}

static void put_column(float *panels, int dim, size_t token, const float *v)
{
    float *at =
        panels + token / DH_PANEL * DH_PANEL * (size_t)dim + token % DH_PANEL;
    for (int d = 0; d < dim; d++)
        at[(size_t)d * DH_PANEL] = v[d];
}

void dh_kvcache_put(struct dh_kvcache *c, int layer, size_t token,
                    const float *k, const float *v, const float *index_k)
{
    float *base = c->layer[layer];
    float *values = base + keys_floats(c);
    for (int h = 0; h < c->kv_heads; h++) {
        put_column(base + (size_t)h * c->cap * (size_t)c->dim, c->dim, token,
                   k + (size_t)h * (size_t)c->dim);
        memcpy(values + ((size_t)h * c->cap + token) * (size_t)c->ldv,
               v + (size_t)h * (size_t)c->dim, (size_t)c->dim * sizeof(float));
    }
    if (index_k)
        put_column(base + keys_floats(c) + values_floats(c), c->index_dim,
                   token, index_k);
}

void dh_kvcache_open_panel(struct dh_kvcache *c, int layer, size_t token)
{
    float *values = c->layer[layer] + keys_floats(c);
    size_t first = token / DH_PANEL * DH_PANEL;
    for (int h = 0; h < c->kv_heads; h++)
        memset(values + ((size_t)h * c->cap + first) * (size_t)c->ldv, 0,
               (size_t)DH_PANEL * (size_t)c->ldv * sizeof(float));
}
