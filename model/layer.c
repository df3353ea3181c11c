#include "model/layer_priv.h"

#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

#define DH_LOG_TAG "layer"
#include "base/log.h"

// Hands out pieces of one block of memory; with base NULL it only counts.
struct carver {
    char *base;
    size_t used;
    bool overflow;
};

static void *carve(struct carver *c, size_t n, size_t m, size_t size)
{
    size_t bytes, count;
    void *at = c->base ? c->base + c->used : NULL;
    if (!dh_mul_size(n, m, &count) || !dh_mul_size(count, size, &bytes) ||
        !dh_add_size(bytes, 63, &bytes) ||
        !dh_add_size(c->used, bytes & ~(size_t)63, &c->used))
        c->overflow = true;
    return at;
}

static int widest_mlp(const struct dh_text_config *t)
{
    int w = DH_MAX(t->dense_intermediate_size, t->shared_intermediate_size);
    return DH_MAX(w, t->intermediate_size);
}

static void carve_all(struct dh_work *w, struct carver *c)
{
    const struct dh_text_config *t = &w->model->config.text;
    size_t n = (size_t)w->chunk, f = sizeof(float);
    size_t hidden = (size_t)t->hidden_size, dim = (size_t)t->head_dim;
    size_t qs = (size_t)t->num_attention_heads * dim;
    size_t kvs = (size_t)t->num_key_value_heads * dim;
    size_t threads = (size_t)w->backend.threads;
    w->x = carve(c, n, hidden, f);
    w->norm = carve(c, n, hidden, f);
    w->side = carve(c, n, hidden, f);
    w->q = carve(c, n, qs, f);
    w->k = carve(c, n, kvs, f);
    w->v = carve(c, n, kvs, f);
    w->heads = carve(c, n, qs, f);
    size_t di = (size_t)t->index_head_dim, hi = (size_t)t->index_n_heads;
    w->index_q = carve(c, n, hi * di, f);
    w->index_k = carve(c, n, di, f);
    w->cos = carve(c, n, (size_t)t->rotary_dim / 2, f);
    w->sin = carve(c, n, (size_t)t->rotary_dim / 2, f);
    w->gate = carve(c, n, (size_t)widest_mlp(t), f);
    w->up = carve(c, n, (size_t)widest_mlp(t), f);
    w->blocks =
        carve(c, n, hi * (size_t)t->index_topk_blocks, sizeof(*w->blocks));
    w->maxima = carve(c, threads * DH_TILE_ROWS, (size_t)w->max_blocks, f);
    w->panels = carve(c, threads, (size_t)w->max_panels, sizeof(*w->panels));
    size_t k = (size_t)t->num_experts_per_tok;
    w->router = carve(c, n, (size_t)t->num_local_experts, f);
    w->chosen = carve(c, n, k, sizeof(*w->chosen));
    w->shares = carve(c, n, k, f);
    w->active = carve(c, (size_t)t->num_local_experts, 1, sizeof(*w->active));
    w->members = carve(c, n, 1, sizeof(*w->members));
    w->member_shares = carve(c, n, 1, f);
    w->gather = carve(c, n, hidden, f);
    w->routed = carve(c, n, hidden, f);
}

// Columns of the widest matrix of the whole model.
static int widest_matrix(const struct dh_config *c)
{
    const struct dh_text_config *t = &c->text;
    int w = DH_MAX(t->hidden_size, t->num_attention_heads * t->head_dim);
    w = DH_MAX(w, widest_mlp(t));
    if (!c->has_vision)
        return w;
    const struct dh_vision_config *v = &c->vision;
    int merge = v->spatial_merge_size * v->spatial_merge_size;
    w = DH_MAX(w, v->num_channels * v->temporal_patch_size * v->patch_size *
                      v->patch_size);
    w = DH_MAX(w, DH_MAX(v->hidden_size, v->intermediate_size));
    return DH_MAX(w, DH_MAX(t->hidden_size * merge, c->projector_hidden_size));
}

static int widest_head(const struct dh_config *c)
{
    int dim = c->text.head_dim;
    if (!c->has_vision)
        return dim;
    return DH_MAX(dim, c->vision.hidden_size / c->vision.num_attention_heads);
}

static enum dh_status work_alloc(struct dh_work *w)
{
    struct carver c = { 0 };
    carve_all(w, &c);
    if (!c.overflow)
        w->memory = dh_big_alloc(c.used);
    if (!w->memory) {
        dh_error("no memory for passes of %d tokens", w->chunk);
        return DH_ERR_NOMEM;
    }
    c = (struct carver){ .base = w->memory };
    carve_all(w, &c);
    return DH_OK;
}

enum dh_status dh_work_init(struct dh_work *w, const struct dh_model *model,
                            size_t max_tokens, int chunk,
                            enum dh_cache_type type,
                            const struct dh_work *beside)
{
    const struct dh_text_config *t = &model->config.text;
    memset(w, 0, sizeof(*w));
    w->model = model;
    w->chunk = chunk;
    enum dh_status st = dh_backend_init(
        &w->backend, model->kernels, model->pool, widest_matrix(&model->config),
        widest_head(&model->config));
    if (st)
        return st;
    st = dh_kvcache_init(&w->cache, t, model->kernels, type, max_tokens,
                         beside ? &beside->cache : NULL);
    if (!st) {
        if (t->index_block_size > 0) {
            w->max_blocks =
                (int)(w->cache.cap / (size_t)t->index_block_size) + 1;
            w->max_panels =
                t->index_topk_blocks * (t->index_block_size / DH_PANEL + 2);
        }
        st = work_alloc(w);
    }
    if (st)
        dh_work_finish(w);
    return st;
}

void dh_work_finish(struct dh_work *w)
{
    dh_backend_finish(&w->backend);
    dh_kvcache_finish(&w->cache);
    dh_big_free(w->memory);
    memset(w, 0, sizeof(*w));
}

static void show_hidden(const struct dh_work *w, int layer)
{
    if (w->probe && w->probe->hidden)
        w->probe->hidden(w->probe->user, layer, w->from, w->n, w->x);
}

enum dh_status dh_layer_run_all(struct dh_work *w)
{
    const struct dh_text_config *t = &w->model->config.text;
    const struct dh_backend *b = &w->backend;
    size_t all = (size_t)w->n * (size_t)t->hidden_size;
    dh_attn_angles(t, w->from, w->n, w->cos, w->sin);
    show_hidden(w, -1);
    for (int i = 0; i < t->num_hidden_layers; i++) {
        const struct dh_layer_weights *l = &w->model->weights.layers[i];
        if (dh_cancel_is_set(w->cancel))
            return DH_ERR_CANCELLED;
        dh_backend_rmsnorm(b, w->norm, w->x, l->input_layernorm, w->n,
                           t->hidden_size, t->rms_norm_eps);
        dh_attn_run(w, i);
        dh_backend_add(b, w->x, w->side, all);
        dh_backend_rmsnorm(b, w->norm, w->x, l->post_attention_layernorm, w->n,
                           t->hidden_size, t->rms_norm_eps);
        enum dh_status st = dh_moe_run(w, i);
        if (st)
            return st;
        dh_backend_add(b, w->x, w->side, all);
        show_hidden(w, i);
    }
    return DH_OK;
}
