// The decoder's feed-forward part: dense, or a mixture with a shared expert.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "model/experts_priv.h"
#include "model/layer_priv.h"

// Experts that are computed at once; their tokens fit the buffers of a pass.
#define AT_ONCE 16

// Rows that go through one expert, or through all there is of a dense layer.
struct mlp {
    const struct dh_mlp_weights *m;
    const float *x; // [n][hidden]
    float *y;       // [n][hidden]; may be x
    int n;
};

// y = down(swiglu(gate x, up x)) for each of them; what they need of w->gate
// and w->up must be there.
static void run_mlps(const struct dh_work *w, const struct mlp *all, int count)
{
    const struct dh_text_config *t = &w->model->config.text;
    const struct dh_backend *b = &w->backend;
    size_t hidden = (size_t)t->hidden_size, used = 0;
    struct dh_product in[2 * (AT_ONCE + 1)], out[AT_ONCE + 1];
    for (int i = 0; i < count; i++) {
        const struct mlp *e = &all[i];
        size_t wide = (size_t)e->m->gate.rows;
        float *gate = w->gate + used, *up = w->up + used;
        in[2 * i] = (struct dh_product){ gate, e->x,   NULL, &e->m->gate,
                                         wide, hidden, e->n };
        in[2 * i + 1] = (struct dh_product){ up,   e->x,   NULL, &e->m->up,
                                             wide, hidden, e->n };
        out[i] = (struct dh_product){ e->y,   gate, NULL, &e->m->down,
                                      hidden, wide, e->n };
        used += (size_t)e->n * wide;
    }
    dh_backend_products(b, in, 2 * count);
    dh_backend_swiglu(b, w->gate, w->gate, w->up, used, t->swiglu_alpha,
                      t->swiglu_limit);
    dh_backend_products(b, out, count);
}

void dh_moe_pick(float *logits, const float *bias, int n, int k,
                 int32_t *experts, float *shares)
{
    for (int e = 0; e < n; e++)
        logits[e] = 1.0f / (1.0f + expf(-logits[e]));
    // The best so far, the worst last; ties stay with the lower index. A NaN
    // is never better, so that k experts are chosen whatever comes.
    int kept = 0;
    for (int e = 0; e < n; e++) {
        float s = logits[e] + bias[e];
        int at = kept;
        while (at > 0 && s > logits[experts[at - 1]] + bias[experts[at - 1]])
            at--;
        if (at == k)
            continue;
        kept = DH_MIN(kept + 1, k);
        for (int i = kept - 1; i > at; i--)
            experts[i] = experts[i - 1];
        experts[at] = e;
    }
    for (int i = 1; i < k; i++) {
        int32_t e = experts[i];
        int at = i;
        for (; at > 0 && experts[at - 1] > e; at--)
            experts[at] = experts[at - 1];
        experts[at] = e;
    }
    float sum = 0;
    for (int i = 0; i < k; i++)
        sum += logits[experts[i]];
    for (int i = 0; i < k; i++)
        shares[i] = logits[experts[i]] / (sum > 0 ? sum : 1e-20f);
}

static void choose(struct dh_work *w, int layer)
{
    const struct dh_text_config *t = &w->model->config.text;
    const struct dh_layer_weights *l = &w->model->weights.layers[layer];
    int k = t->num_experts_per_tok, experts = t->num_local_experts;
    dh_backend_matmul(&w->backend, w->router, (size_t)experts, w->norm,
                      (size_t)t->hidden_size, w->n, &l->router, NULL);
    for (int i = 0; i < w->n; i++) {
        int32_t *chosen = w->chosen + (size_t)i * (size_t)k;
        float *shares = w->shares + (size_t)i * (size_t)k;
        dh_moe_pick(w->router + (size_t)i * (size_t)experts,
                    l->e_score_correction_bias, experts, k, chosen, shares);
    }
}

// Lists the tokens of expert e behind the first `at`; returns their number.
static int list(struct dh_work *w, int e, int at)
{
    int k = w->model->config.text.num_experts_per_tok, n = at;
    for (int i = 0; i < w->n * k; i++) {
        if (w->chosen[i] != e)
            continue;
        w->members[n] = i / k;
        w->member_shares[n++] = w->shares[i];
    }
    return n - at;
}

static int count(const struct dh_work *w, int e)
{
    int k = w->model->config.text.num_experts_per_tok, n = 0;
    for (int i = 0; i < w->n * k; i++)
        n += w->chosen[i] == e;
    return n;
}

// The experts that a token of this pass has chosen, rising.
static int list_active(struct dh_work *w)
{
    const struct dh_text_config *t = &w->model->config.text;
    int n = 0;
    memset(w->active, 0, (size_t)t->num_local_experts * sizeof(*w->active));
    for (int i = 0; i < w->n * t->num_experts_per_tok; i++)
        w->active[w->chosen[i]] = 1;
    for (int e = 0; e < t->num_local_experts; e++)
        if (w->active[e])
            w->active[n++] = e;
    return n;
}

// Experts that are computed at once, and the rows that they work on.
struct mixture {
    struct dh_work *w;
    struct mlp some[AT_ONCE + 1];
    int n, rows;
    size_t hidden;
};

// Numbers of a row that are added up at once.
#define COLUMNS 64

static void run_gather(void *arg, size_t begin, size_t end, int worker)
{
    const struct mixture *x = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        memcpy(x->w->gather + i * x->hidden,
               x->w->norm + (size_t)x->w->members[i] * x->hidden,
               x->hidden * sizeof(float));
}

// Some columns of all rows: those of one token are added in their order.
static void run_scatter(void *arg, size_t begin, size_t end, int worker)
{
    const struct mixture *x = arg;
    const struct dh_work *w = x->w;
    size_t from = begin * COLUMNS, n = DH_MIN(end * COLUMNS, x->hidden) - from;
    (void)worker;
    for (int i = 0; i < x->rows; i++)
        w->backend.k->add_scaled(
            w->routed + (size_t)w->members[i] * x->hidden + from,
            w->gather + (size_t)i * x->hidden + from, w->member_shares[i], n);
}

static void run_some(struct mixture *x)
{
    struct dh_work *w = x->w;
    // Less is not worth waking a thread.
    struct dh_pool *pool = w->n > 16 ? w->backend.pool : NULL;
    size_t pieces = (x->hidden + COLUMNS - 1) / COLUMNS;
    dh_pool_run(pool, (size_t)x->rows, 16, run_gather, x);
    run_mlps(w, x->some, x->n);
    dh_pool_run(pool, pieces, 1, run_scatter, x);
    x->n = x->rows = 0;
}

static void add_expert(struct mixture *x, int e, const struct dh_mlp_weights *m)
{
    float *row = x->w->gather + (size_t)x->rows * x->hidden;
    int n = list(x->w, e, x->rows);
    x->some[x->n++] = (struct mlp){ m, row, row, n };
    x->rows += n;
}

static enum dh_status run_read(struct mixture *x, int layer, int n)
{
    struct dh_work *w = x->w;
    struct dh_experts *from = w->model->experts;
    const struct dh_mlp_weights *m;
    dh_experts_begin(from, layer, w->active, n);
    // The shared one is computed meanwhile.
    run_mlps(w, &x->some[0], 1);
    x->n = 0;
    for (int i = 0; i < n; i++) {
        enum dh_status st =
            dh_experts_take(from, layer, w->active + i, n - i, w->cancel, &m);
        if (st)
            return st;
        add_expert(x, w->active[i], m);
        run_some(x);
        dh_experts_put(from, layer, w->active[i]);
    }
    return DH_OK;
}

// Experts in rising order, so that every token adds up its own in that order
// however many tokens a pass has, and however many experts are taken at once.
// Those that have to be read are taken one by one.
static enum dh_status run_mixture(struct dh_work *w, int layer)
{
    const struct dh_text_config *t = &w->model->config.text;
    const struct dh_layer_weights *l = &w->model->weights.layers[layer];
    struct mixture x = { .w = w, .n = 1, .hidden = (size_t)t->hidden_size };
    size_t all = (size_t)w->n * x.hidden;
    enum dh_status st = DH_OK;
    choose(w, layer);
    int n = list_active(w), rows = w->n; // of the shared one's buffers too
    memset(w->routed, 0, all * sizeof(float));
    x.some[0] = (struct mlp){ &l->shared, w->norm, w->side, w->n };
    if (w->model->experts) {
        st = run_read(&x, layer, n);
        n = 0;
    }
    for (int i = 0; i < n; i++) {
        int members = count(w, w->active[i]);
        if (x.n && (x.n > AT_ONCE || rows + members > w->rows)) {
            run_some(&x);
            rows = 0;
        }
        add_expert(&x, w->active[i], &l->experts[w->active[i]]);
        rows += members;
    }
    if (n)
        run_some(&x);
    if (!st)
        w->backend.k->add_scaled(w->side, w->routed, t->routed_scaling_factor,
                                 all);
    return st;
}

enum dh_status dh_moe_run(struct dh_work *w, int layer)
{
    const struct dh_layer_weights *l = &w->model->weights.layers[layer];
    if (w->model->config.text.layer_moe[layer])
        return run_mixture(w, layer);
    run_mlps(w, &(struct mlp){ &l->mlp, w->norm, w->side, w->n }, 1);
    return DH_OK;
}
