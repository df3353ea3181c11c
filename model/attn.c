// The decoder's attention: norms per head, partial rotation, dense and sparse.
#include <math.h>

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
    /* how rows are put together */
    int group;       // query heads of one key head
    int heads_each;  // query heads of one piece
    int tokens_each; // tokens of one piece
    int head_pieces; // pieces of a group
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
        float *k = w->k + i * kvs, *index_k = NULL;
        norm_and_turn(a, (int)i, w->q + i * qs, t->num_attention_heads,
                      t->head_dim, a->l->q_norm);
        norm_and_turn(a, (int)i, k, t->num_key_value_heads, t->head_dim,
                      a->l->k_norm);
        if (a->sparse) {
            index_k = w->index_k + i * di;
            norm_and_turn(
                a, (int)i, w->index_q + i * di * (size_t)t->index_n_heads,
                t->index_n_heads, t->index_head_dim, a->l->index_q_norm);
            norm_and_turn(a, (int)i, index_k, 1, t->index_head_dim,
                          a->l->index_k_norm);
        }
        dh_kvcache_put(&w->cache, a->layer, w->from + i, k, w->v + i * kvs,
                       index_k);
    }
}

// Add the rows of token i and the query heads [first, first + n) of a group.
static void add_rows(const struct attn *a, struct dh_attend *at, int i,
                     int head, int n)
{
    const struct dh_work *w = a->w;
    const struct dh_text_config *t = &w->model->config.text;
    for (int h = head; h < head + n; h++) {
        size_t row = ((size_t)i * (size_t)t->num_attention_heads + (size_t)h) *
                     (size_t)t->head_dim;
        at->q[at->rows] = w->q + row;
        at->out[at->rows] = w->heads + row;
        at->limit[at->rows] = (int64_t)w->from + i;
        at->rows++;
    }
}

// One piece: some tokens, one key head, some of its query heads. Tokens that
// see everything attend together, the others one by one over their own blocks.
static void run_attend(void *arg, size_t begin, size_t end, int worker)
{
    const struct attn *a = arg;
    const struct dh_work *w = a->w;
    const struct dh_text_config *t = &w->model->config.text;
    size_t kv_heads = (size_t)t->num_key_value_heads;
    for (size_t piece = begin; piece < end; piece++) {
        int kv = (int)(piece % kv_heads);
        int part = (int)(piece / kv_heads % (size_t)a->head_pieces);
        int i =
            (int)(piece / kv_heads / (size_t)a->head_pieces) * a->tokens_each;
        int last = DH_MIN(i + a->tokens_each, w->n);
        int head = part * a->heads_each;
        int heads = DH_MIN(a->heads_each, a->group - head);
        struct dh_attend all = {
            .head = dh_kvcache_get_head(&w->cache, a->layer, kv),
            .scale = 1.0f / sqrtf((float)t->head_dim),
        };
        struct dh_attend one = all;
        struct dh_attend_panel *panels =
            w->panels + (size_t)worker * (size_t)w->max_panels;
        for (; i < last; i++) {
            size_t at = w->from + (size_t)i;
            if (!a->sparse || !dh_sparse_is_needed(t, at)) {
                add_rows(a, &all, i, kv * a->group + head, heads);
                all.n_panels = (int)(at / DH_PANEL) + 1;
                continue;
            }
            one.rows = 0;
            add_rows(a, &one, i, kv * a->group + head, heads);
            one.panels = panels;
            one.n_panels = dh_sparse_panels(w, i, kv, panels);
            dh_backend_attend(&w->backend, &one, worker);
        }
        if (all.rows)
            dh_backend_attend(&w->backend, &all, worker);
    }
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
    if (a->sparse)
        dh_sparse_select(w, a->layer);
    size_t pieces = (size_t)(w->n + a->tokens_each - 1) /
                    (size_t)a->tokens_each * (size_t)a->head_pieces *
                    (size_t)w->model->config.text.num_key_value_heads;
    pool = work_of(w) < SMALL ? NULL : w->backend.pool;
    dh_pool_run(pool, pieces, 1, run_attend, a);
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

static void attend_all(struct dh_pass *p, struct attn *a)
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
    a.heads_each = DH_MIN(a.group, DH_ATTEND_ROWS);
    a.tokens_each = DH_ATTEND_ROWS / a.heads_each;
    a.head_pieces = (a.group + a.heads_each - 1) / a.heads_each;
    attend_all(p, &a);
    dh_backend_matmul(b, w->side, hidden, w->heads, qs, w->n, &a.l->o_proj,
                      NULL);
}
