#include "model/layer_priv.h"

#include <string.h>

#include "base/assert.h"
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
    size_t n = (size_t)w->rows, f = sizeof(float);
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
    w->maxima = carve(c, threads * DH_SELECT_ROWS, DH_SELECT_BLOCKS, f);
    w->few_maxima = carve(c, DH_SELECT_FEW, (size_t)w->max_blocks, f);
    w->best =
        carve(c, threads * DH_SELECT_ROWS, (size_t)t->index_topk_blocks, f);
    w->starts = carve(c, threads, (size_t)w->max_blocks + 2, sizeof(int32_t));
    w->who =
        carve(c, threads * n, (size_t)t->index_topk_blocks, sizeof(*w->who));
    w->attend_ns = carve(c, 1, 1, sizeof(*w->attend_ns));
    w->soft = carve(c, n, (size_t)t->num_attention_heads, sizeof(*w->soft));
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
    *w->attend_ns = 0;
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
    w->rows = chunk + DH_PASS_SPARE;
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
            w->max_panels = t->index_block_size / DH_PANEL + 2;
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

// --- passes -----------------------------------------------------------------

void dh_pass_init(struct dh_pass *p, struct dh_work *const *parts, int n)
{
    size_t hidden = (size_t)parts[0]->model->config.text.hidden_size;
    p->all = *parts[0];
    p->all.n = 0;
    p->n_parts = n;
    for (int i = 0; i < n; i++) {
        struct dh_work *w = parts[i];
        dh_assert(p->all.n + w->n <= p->all.rows);
        if (i > 0)
            memcpy(p->all.x + (size_t)p->all.n * hidden, w->x,
                   (size_t)w->n * hidden * sizeof(float));
        p->part[i] = w;
        p->all.n += w->n;
    }
}

struct dh_work dh_pass_part(const struct dh_pass *p, int i, int first)
{
    const struct dh_text_config *t = &p->all.model->config.text;
    const struct dh_work *all = &p->all;
    struct dh_work v = *p->part[i];
    size_t row = (size_t)first, dim = (size_t)t->head_dim;
    size_t qs = (size_t)t->num_attention_heads * dim;
    size_t kvs = (size_t)t->num_key_value_heads * dim;
    size_t di = (size_t)t->index_head_dim, half = (size_t)t->rotary_dim / 2;
    v.q = all->q + row * qs;
    v.k = all->k + row * kvs;
    v.v = all->v + row * kvs;
    v.heads = all->heads + row * qs;
    v.index_q = all->index_q + row * di * (size_t)t->index_n_heads;
    v.index_k = all->index_k + row * di;
    v.cos = all->cos + row * half;
    v.sin = all->sin + row * half;
    return v;
}

static void find_angles(struct dh_pass *p)
{
    const struct dh_text_config *t = &p->all.model->config.text;
    size_t half = (size_t)t->rotary_dim / 2, row = 0;
    for (int i = 0; i < p->n_parts; i++) {
        const struct dh_work *w = p->part[i];
        dh_attn_angles(t, w->from, w->n, p->all.cos + row * half,
                       p->all.sin + row * half);
        row += (size_t)w->n;
    }
}

// Who was cancelled is computed no further, and the rows behind move up.
static void drop_cancelled(struct dh_pass *p)
{
    size_t hidden = (size_t)p->all.model->config.text.hidden_size;
    int kept = 0, row = 0, to = 0;
    for (int i = 0; i < p->n_parts; i++) {
        struct dh_work *w = p->part[i];
        int n = w->n;
        if (dh_cancel_is_set(w->cancel)) {
            if (p->left)
                p->left(p->user, w);
        } else {
            if (to != row)
                memmove(p->all.x + (size_t)to * hidden,
                        p->all.x + (size_t)row * hidden,
                        (size_t)n * hidden * sizeof(float));
            p->part[kept++] = w;
            to += n;
        }
        row += n;
    }
    p->n_parts = kept;
    p->all.n = to;
    if (to != row)
        find_angles(p);
}

static void show_hidden(const struct dh_pass *p, int layer)
{
    size_t row = 0, hidden = (size_t)p->all.model->config.text.hidden_size;
    for (int i = 0; i < p->n_parts; i++) {
        const struct dh_work *w = p->part[i];
        if (w->probe && w->probe->hidden)
            w->probe->hidden(w->probe->user, layer, w->from, w->n,
                             p->all.x + row * hidden);
        row += (size_t)w->n;
    }
}

static void show_experts(const struct dh_pass *p, int layer)
{
    int k = p->all.model->config.text.num_experts_per_tok, row = 0;
    for (int i = 0; i < p->n_parts; i++) {
        const struct dh_work *w = p->part[i];
        for (int j = 0; j < w->n; j++, row++)
            if (w->probe && w->probe->experts)
                w->probe->experts(w->probe->user, layer, w->from + (size_t)j,
                                  p->all.chosen + (size_t)(row * k),
                                  p->all.shares + (size_t)(row * k), k);
    }
}

static enum dh_status run_layer(struct dh_pass *p, int i)
{
    struct dh_work *w = &p->all;
    const struct dh_text_config *t = &w->model->config.text;
    const struct dh_layer_weights *l = &w->model->weights.layers[i];
    const struct dh_backend *b = &w->backend;
    size_t all = (size_t)w->n * (size_t)t->hidden_size;
    dh_backend_rmsnorm(b, w->norm, w->x, l->input_layernorm, w->n,
                       t->hidden_size, t->rms_norm_eps);
    dh_attn_run(p, i);
    dh_backend_add(b, w->x, w->side, all);
    dh_backend_rmsnorm(b, w->norm, w->x, l->post_attention_layernorm, w->n,
                       t->hidden_size, t->rms_norm_eps);
    enum dh_status st = dh_moe_run(w, i);
    if (st)
        return st;
    if (t->layer_moe[i])
        show_experts(p, i);
    dh_backend_add(b, w->x, w->side, all);
    show_hidden(p, i);
    return DH_OK;
}

enum dh_status dh_layer_run_all(struct dh_pass *p)
{
    enum dh_status st = DH_OK;
    find_angles(p);
    show_hidden(p, -1);
    for (int i = 0; i < p->all.model->config.text.num_hidden_layers && !st;
         i++) {
        drop_cancelled(p);
        // Waiting for the disk ends for one alone; several wait for each other.
        p->all.cancel = p->n_parts == 1 ? p->part[0]->cancel : NULL;
        st = p->n_parts ? run_layer(p, i) : DH_ERR_CANCELLED;
    }
    return st;
}

void dh_layer_norm_last(const struct dh_work *part, const float *x, int n,
                        float *out)
{
    const struct dh_text_config *t = &part->model->config.text;
    size_t first = (size_t)(part->n - n);
    dh_backend_rmsnorm(&part->backend, out, x + first * (size_t)t->hidden_size,
                       part->model->weights.norm, n, t->hidden_size,
                       t->rms_norm_eps);
    if (part->probe && part->probe->hidden)
        part->probe->hidden(part->probe->user, t->num_hidden_layers,
                            part->from + first, n, out);
}
