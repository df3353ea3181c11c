// The decoder's attention: norms per head, partial rotation, dense and sparse.
#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "model/layer_priv.h"

// Below so many multiply-adds waking a thread costs more than it brings.
#define SMALL ((size_t)1 << 18)

void dh_attn_angles(const struct dh_text_config *t, size_t from, int n,
                    float *cos, float *sin)
{
    int half = t->rotary_dim / 2;
    // Float steps in this order: positions near a million rotate by what the
    // model was run with, not by what would be exact.
    for (int j = 0; j < half; j++) {
        float inv =
            1.0f / powf(t->rope_theta, (float)(2 * j) / (float)t->rotary_dim);
        for (int i = 0; i < n; i++) {
            float angle = (float)(from + (size_t)i) * inv;
            cos[(size_t)i * (size_t)half + (size_t)j] = cosf(angle);
            sin[(size_t)i * (size_t)half + (size_t)j] = sinf(angle);
        }
    }
}

struct attn {
    struct dh_work *w;
    const struct dh_layer_weights *l;
    int layer;
    bool sparse;
    int group;       // query heads of one key head
    int tokens_each; // of one piece
};

static void norm_and_turn(const struct attn *a, int i, float *rows, int n,
                          int dim, const float *weight)
{
    const struct dh_work *w = a->w;
    const struct dh_text_config *t = &w->model->config.text;
    const struct dh_kernels *k = w->backend.k;
    size_t half = (size_t)t->rotary_dim / 2;
    for (int h = 0; h < n; h++) {
        float *row = rows + (size_t)h * (size_t)dim;
        k->rmsnorm(row, row, weight, dim, t->rms_norm_eps);
        k->rope(row, w->cos + (size_t)i * half, w->sin + (size_t)i * half,
                (int)half);
    }
}

// As it is multiplied: in place, where words take half of the room.
static void make_ready(const struct dh_pairs *pairs, float *q, size_t rows,
                       size_t dim)
{
    for (size_t r = 0; pairs && r < rows; r++)
        pairs->narrow((uint16_t *)(void *)(q + r * dim), q + r * dim, dim);
}

// Token by token: norms, rotation, and what the cache keeps.
static void run_tokens(void *arg, size_t begin, size_t end, int worker)
{
    const struct attn *a = arg;
    struct dh_work *w = a->w;
    const struct dh_text_config *t = &w->model->config.text;
    size_t qs = (size_t)t->num_attention_heads * (size_t)t->head_dim;
    size_t kvs = (size_t)t->num_key_value_heads * (size_t)t->head_dim;
    size_t di = (size_t)t->index_head_dim;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        float *k = w->k + i * kvs, *index_k = NULL, *q = w->q + i * qs;
        norm_and_turn(a, (int)i, q, t->num_attention_heads, t->head_dim,
                      a->l->q_norm);
        w->backend.k->scale(q, 1.0f / sqrtf((float)t->head_dim), qs);
        make_ready(w->cache.pairs, q, (size_t)t->num_attention_heads,
                   (size_t)t->head_dim);
        norm_and_turn(a, (int)i, k, t->num_key_value_heads, t->head_dim,
                      a->l->k_norm);
        if (a->sparse) {
            size_t heads = (size_t)t->index_n_heads;
            q = w->index_q + i * di * heads;
            index_k = w->index_k + i * di;
            norm_and_turn(a, (int)i, q, t->index_n_heads, t->index_head_dim,
                          a->l->index_q_norm);
            make_ready(w->cache.index_pairs, q, heads, di);
            norm_and_turn(a, (int)i, index_k, 1, t->index_head_dim,
                          a->l->index_k_norm);
        }
        dh_kvcache_put(&w->cache, a->layer, w->from + i, k, w->v + i * kvs,
                       index_k);
    }
}

// One key head and some tokens of the pass, rising.
struct piece {
    const struct attn *a;
    struct dh_attend attend;
    int kv, first, last, worker;
};

// Over `n_panels` from at->panels or at->first on: tokens who[0..n), or, where
// that is NULL, n from `from` on, rising. A row meets its panels in the same
// calls whoever else is there.
static void attend_tokens(struct piece *p, int n_panels, const int32_t *who,
                          int from, int n)
{
    const struct dh_work *w = p->a->w;
    const struct dh_text_config *t = &w->model->config.text;
    struct dh_attend *at = &p->attend;
    int group = p->a->group, rows = n * group;
    for (int r = 0; r < rows; r += at->rows) {
        at->rows = DH_MIN(DH_ATTEND_ROWS, rows - r);
        for (int i = 0; i < at->rows; i++) {
            int token = (r + i) / group;
            token = who ? who[token] : from + token;
            size_t row = (size_t)token * (size_t)t->num_attention_heads +
                         (size_t)(p->kv * group + (r + i) % group);
            at->q[i] = w->q + row * (size_t)t->head_dim;
            at->out[i] = w->heads + row * (size_t)t->head_dim;
            at->state[i] = w->soft + row;
            at->limit[i] = (int64_t)w->from + token;
        }
        // Nobody sees what lies behind the last one.
        int64_t last = at->limit[at->rows - 1] / DH_PANEL;
        at->n_panels = n_panels;
        while (last < (at->panels ? at->panels[at->n_panels - 1].panel
                                  : at->first + at->n_panels - 1))
            at->n_panels--;
        dh_backend_attend(&w->backend, at, p->worker);
    }
}

// Everything, so many panels at a time that they stay near for all rows.
static void attend_all(struct piece *p)
{
    const int step = 4 * DH_ATTEND_SPAN;
    const struct dh_work *w = p->a->w;
    int64_t end = ((int64_t)w->from + p->last - 1) / DH_PANEL + 1;
    for (int panel = 0; panel < end; panel += step) {
        int64_t from = (int64_t)panel * DH_PANEL - (int64_t)w->from;
        from = DH_MAX(from, p->first);
        p->attend.first = panel;
        attend_tokens(p, step, NULL, (int)from, p->last - (int)from);
    }
}

// Block by block, whoever chose it.
static void attend_blocks(struct piece *p)
{
    const struct dh_work *w = p->a->w;
    struct dh_attend_panel *panels =
        w->panels + (size_t)p->worker * (size_t)w->max_panels;
    struct dh_sparse_lists lists;
    dh_sparse_gather(w, p->kv, p->first, p->last, p->worker, &lists);
    p->attend.panels = panels;
    for (int b = 0; b < lists.n_blocks; b++) {
        int from = lists.start[b], n = lists.start[b + 1] - from;
        if (n)
            attend_tokens(p,
                          dh_sparse_panels(&w->model->config.text, b, panels),
                          lists.who + from, 0, n);
    }
}

static void run_attend(void *arg, size_t begin, size_t end, int worker)
{
    const struct attn *a = arg;
    const struct dh_work *w = a->w;
    const struct dh_text_config *t = &w->model->config.text;
    size_t heads = (size_t)t->num_attention_heads, dim = (size_t)t->head_dim;
    for (size_t i = begin; i < end; i++) {
        struct piece p = {
            .a = a,
            .kv = (int)(i % (size_t)t->num_key_value_heads),
            .first = (int)(i / (size_t)t->num_key_value_heads) * a->tokens_each,
            .worker = worker,
        };
        p.last = DH_MIN(p.first + a->tokens_each, w->n);
        p.attend.head = dh_kvcache_get_head(&w->cache, a->layer, p.kv);
        p.attend.ready = true;
        size_t own = (size_t)(p.kv * a->group);
        for (int token = p.first; token < p.last; token++)
            for (size_t h = own; h < own + (size_t)a->group; h++)
                w->soft[(size_t)token * heads + h] =
                    (struct dh_soft){ .max = -INFINITY };
        (a->sparse ? attend_blocks : attend_all)(&p);
        for (int token = p.first; token < p.last; token++)
            for (size_t h = own; h < own + (size_t)a->group; h++) {
                size_t row = (size_t)token * heads + h;
                w->backend.k->scale(w->heads + row * dim,
                                    1.0f / w->soft[row].sum, dim);
            }
    }
}

// Tokens that attend together: many, so that keys are read once for many rows,
// but pieces for every thread.
static int tokens_of_piece(const struct dh_work *w)
{
    int kv_heads = w->model->config.text.num_key_value_heads;
    int parts = (2 * w->backend.threads + kv_heads - 1) / kv_heads;
    return (w->n + parts - 1) / parts;
}

// Keys that a part's rows see, times what each is multiplied with.
static size_t work_of(const struct dh_work *w)
{
    const struct dh_text_config *t = &w->model->config.text;
    return (w->from + (size_t)w->n) * (size_t)w->n *
           (size_t)t->num_attention_heads * (size_t)t->head_dim;
}

// What one timeline does with its own cache.
static void attend(struct attn *a)
{
    struct dh_work *w = a->w;
    struct dh_pool *pool = w->n > 4 ? w->backend.pool : NULL;
    for (int i = 0; i < w->n; i++) {
        if ((w->from + (size_t)i) % DH_PANEL == 0)
            dh_kvcache_open_panel(&w->cache, a->layer, w->from + (size_t)i);
    }
    dh_pool_run(pool, (size_t)w->n, 16, run_tokens, a);
    int64_t start = dh_now_ns();
    if (a->sparse)
        dh_sparse_select(w, a->layer);
    a->tokens_each = tokens_of_piece(w);
    size_t pieces = (size_t)(w->n + a->tokens_each - 1) /
                    (size_t)a->tokens_each *
                    (size_t)w->model->config.text.num_key_value_heads;
    pool = work_of(w) < SMALL ? NULL : w->backend.pool;
    dh_pool_run(pool, pieces, 1, run_attend, a);
    *w->attend_ns += dh_now_ns() - start;
}

// Parts by one thread each.
struct parts {
    const struct dh_pass *p;
    const struct attn *a;
};

static void run_parts(void *arg, size_t begin, size_t end, int worker)
{
    const struct parts *all = arg;
    int first = 0;
    (void)worker;
    for (size_t i = 0; i < end; i++) {
        struct dh_work w = dh_pass_part(all->p, (int)i, first);
        struct attn a = *all->a;
        first += w.n;
        w.backend.pool = NULL;
        a.w = &w;
        if (i >= begin)
            attend(&a);
    }
}

static void attend_parts(struct dh_pass *p, struct attn *a)
{
    size_t most = 0, sum = 0;
    int first = 0;
    for (int i = 0; i < p->n_parts; i++) {
        size_t work = work_of(p->part[i]);
        most = DH_MAX(most, work);
        sum += work;
    }
    if (p->n_parts > 1 && most < SMALL) {
        struct parts all = { p, a };
        dh_pool_run(sum < SMALL ? NULL : p->all.backend.pool,
                    (size_t)p->n_parts, 1, run_parts, &all);
        return;
    }
    for (int i = 0; i < p->n_parts; i++) {
        struct dh_work w = dh_pass_part(p, i, first);
        first += w.n;
        a->w = &w;
        attend(a);
    }
}

void dh_attn_run(struct dh_pass *p, int layer)
{
    struct dh_work *w = &p->all;
    const struct dh_text_config *t = &w->model->config.text;
    const struct dh_backend *b = &w->backend;
    struct attn a = {
        .l = &w->model->weights.layers[layer],
        .layer = layer,
        .sparse = t->layer_sparse[layer],
        .group = t->num_attention_heads / t->num_key_value_heads,
    };
    size_t hidden = (size_t)t->hidden_size;
    size_t qs = (size_t)t->num_attention_heads * (size_t)t->head_dim;
    size_t kvs = (size_t)t->num_key_value_heads * (size_t)t->head_dim;
    size_t di = (size_t)t->index_head_dim;
    const float *x = w->norm;
    size_t dis = di * (size_t)t->index_n_heads;
    const struct dh_product in[] = {
        { w->q, x, NULL, &a.l->q_proj, qs, hidden, w->n },
        { w->k, x, NULL, &a.l->k_proj, kvs, hidden, w->n },
        { w->v, x, NULL, &a.l->v_proj, kvs, hidden, w->n },
        { w->index_q, x, NULL, &a.l->index_q_proj, dis, hidden, w->n },
        { w->index_k, x, NULL, &a.l->index_k_proj, di, hidden, w->n },
    };
    dh_backend_products(b, in, a.sparse ? 5 : 3);
    attend_parts(p, &a);
    dh_backend_matmul(b, w->side, hidden, w->heads, qs, w->n, &a.l->o_proj,
                      NULL);
}
