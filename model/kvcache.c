#include "model/kvcache_priv.h"

#include <string.h>
#include <sys/uio.h>

#include "base/mem.h"

#define DH_LOG_TAG "kvcache"
#include "base/log.h"

static size_t halves(const struct dh_kvcache *c)
{
    return c->pairs ? 2 : 1;
}

static size_t keys_floats(const struct dh_kvcache *c)
{
    return c->cap * (size_t)c->dim / halves(c) * (size_t)c->kv_heads;
}

static size_t values_floats(const struct dh_kvcache *c)
{
    return c->cap * (size_t)c->ldv / halves(c) * (size_t)c->kv_heads;
}

static size_t index_floats(const struct dh_kvcache *c)
{
    return c->cap * (size_t)c->index_dim / (c->index_pairs ? 2 : 1);
}

// Floats of all layers; false on overflow.
static bool total_floats(const struct dh_kvcache *c,
                         const struct dh_text_config *t, size_t *out)
{
    // A panel, since a single token's may be half a float.
    size_t per_panel = (size_t)(c->dim + c->ldv) * (size_t)c->kv_heads *
                       (DH_PANEL / halves(c));
    size_t per_index =
        DH_PANEL * (size_t)c->index_dim / (c->index_pairs ? 2 : 1);
    size_t all = 0;
    for (int i = 0; i < t->num_hidden_layers; i++)
        all += per_panel + (t->layer_sparse[i] ? per_index : 0);
    return dh_mul_size(all, c->cap / DH_PANEL, out);
}

enum dh_status dh_kvcache_init(struct dh_kvcache *c,
                               const struct dh_text_config *t,
                               const struct dh_kernels *k, size_t max_tokens)
{
    memset(c, 0, sizeof(*c));
    c->kv_heads = t->num_key_value_heads;
    c->dim = t->head_dim;
    c->ldv = (t->head_dim + 15) / 16 * 16;
    c->pairs = dh_attend_pairs(k, c->dim);
    c->index_dim = t->index_head_dim;
    c->index_pairs = dh_attend_pairs(k, c->index_dim);
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
            at += index_floats(c);
    }
    return DH_OK;
}

void dh_kvcache_finish(struct dh_kvcache *c)
{
    dh_big_free(c->memory);
    dh_free(c->layer);
    memset(c, 0, sizeof(*c));
}

static float *keys_of(const struct dh_kvcache *c, int layer, int head)
{
    return c->layer[layer] + (size_t)head * c->cap * (size_t)c->dim / halves(c);
}

static float *values_of(const struct dh_kvcache *c, int layer, int head)
{
    return c->layer[layer] + keys_floats(c) +
           (size_t)head * c->cap * (size_t)c->ldv / halves(c);
}

struct dh_attend_head dh_kvcache_get_head(const struct dh_kvcache *c, int layer,
                                          int head)
{
    return dh_attend_head_of(c->pairs, keys_of(c, layer, head),
                             values_of(c, layer, head), c->dim, c->ldv);
}

static float *index_of(const struct dh_kvcache *c, int layer)
{
    return c->layer[layer] + keys_floats(c) + values_floats(c);
}

const float *dh_kvcache_get_index(const struct dh_kvcache *c, int layer)
{
    return index_of(c, layer);
}

void dh_kvcache_put(struct dh_kvcache *c, int layer, size_t token,
                    const float *k, const float *v, const float *index_k)
{
    for (int h = 0; h < c->kv_heads; h++) {
        size_t at = (size_t)h * (size_t)c->dim;
        dh_attend_put_key(c->pairs, keys_of(c, layer, h), c->dim, token,
                          k + at);
        dh_attend_put_value(c->pairs, values_of(c, layer, h), c->dim, c->ldv,
                            token, v + at);
    }
    if (index_k)
        dh_attend_put_key(c->index_pairs, index_of(c, layer), c->index_dim,
                          token, index_k);
}

void dh_kvcache_open_panel(struct dh_kvcache *c, int layer, size_t token)
{
    size_t first = token / DH_PANEL * DH_PANEL * (size_t)c->ldv / halves(c);
    size_t floats = (size_t)DH_PANEL * (size_t)c->ldv / halves(c);
    for (int h = 0; h < c->kv_heads; h++)
        memset(values_of(c, layer, h) + first, 0, floats * sizeof(float));
}

size_t dh_kvcache_pieces(const struct dh_kvcache *c,
                         const struct dh_text_config *t, size_t tokens,
                         struct iovec *out)
{
    size_t n = 0, upto = dh_panel_round(tokens) * sizeof(float);
    for (int l = 0; l < t->num_hidden_layers; l++) {
        struct iovec piece[] = {
            { NULL, upto * (size_t)c->dim / halves(c) },
            { NULL, upto * (size_t)c->ldv / halves(c) },
            { NULL, upto * (size_t)c->index_dim / (c->index_pairs ? 2 : 1) },
        };
        for (int h = 0; h < c->kv_heads; h++, n += 2) {
            piece[0].iov_base = keys_of(c, l, h);
            piece[1].iov_base = values_of(c, l, h);
            if (out)
                memcpy(out + n, piece, 2 * sizeof *piece);
        }
        if (!t->layer_sparse[l])
            continue;
        piece[2].iov_base = index_of(c, l);
        if (out)
            out[n] = piece[2];
        n++;
    }
    return n;
}
