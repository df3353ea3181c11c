// The decoder's feed-forward part: dense, or a mixture with a shared expert.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/experts_priv.h"
#include "model/layer_priv.h"

// y[n][hidden] = down(swiglu(gate x, up x)); y may be x.
static void run_mlp(const struct dh_work *w, float *y, const float *x, int n,
                    const struct dh_mlp_weights *m)
{
    const struct dh_text_config *t = &w->model->config.text;
    const struct dh_backend *b = &w->backend;
    size_t width = (size_t)m->gate.rows, hidden = (size_t)t->hidden_size;
    dh_backend_matmul(b, w->gate, width, x, hidden, n, &m->gate, NULL);
    dh_backend_matmul(b, w->up, width, x, hidden, n, &m->up, NULL);
    dh_backend_swiglu(b, w->gate, w->gate, w->up, (size_t)n * width,
                      t->swiglu_alpha, t->swiglu_limit);
    dh_backend_matmul(b, y, hidden, w->gate, width, n, &m->down, NULL);
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
        if (w->probe && w->probe->experts)
            w->probe->experts(w->probe->user, layer, w->from + (size_t)i,
                              chosen, shares, k);
    }
}

// The tokens of expert e, gathered row by row; returns their number.
static int gather(struct dh_work *w, int e)
{
    const struct dh_text_config *t = &w->model->config.text;
    size_t hidden = (size_t)t->hidden_size;
    int k = t->num_experts_per_tok, n = 0;
    for (int i = 0; i < w->n * k; i++) {
        if (w->chosen[i] != e)
            continue;
        w->members[n] = i / k;
        w->member_shares[n] = w->shares[i];
        memcpy(w->gather + (size_t)n * hidden,
               w->norm + (size_t)(i / k) * hidden, hidden * sizeof(float));
        n++;
    }
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

static void run_expert(struct dh_work *w, int e, const struct dh_mlp_weights *m)
{
    size_t hidden = (size_t)w->model->config.text.hidden_size;
    int n = gather(w, e);
    run_mlp(w, w->gather, w->gather, n, m);
    for (int i = 0; i < n; i++)
        w->backend.k->add_scaled(w->routed + (size_t)w->members[i] * hidden,
                                 w->gather + (size_t)i * hidden,
                                 w->member_shares[i], hidden);
}

// Experts in rising order, so that every token adds up its own in that order
// however many tokens a pass has. Where they have to be read, that begins at
// once, and the shared one is computed meanwhile.
static enum dh_status run_mixture(struct dh_work *w, int layer)
{
    const struct dh_text_config *t = &w->model->config.text;
    const struct dh_layer_weights *l = &w->model->weights.layers[layer];
    struct dh_experts *x = w->model->experts;
    size_t all = (size_t)w->n * (size_t)t->hidden_size;
    choose(w, layer);
    int n = list_active(w);
    if (x)
        dh_experts_begin(x, layer, w->active, n);
    run_mlp(w, w->side, w->norm, w->n, &l->shared);
    memset(w->routed, 0, all * sizeof(float));
    for (int i = 0; i < n; i++) {
        int e = w->active[i];
        const struct dh_mlp_weights *m = &l->experts[e];
        enum dh_status st = DH_OK;
        if (x)
            st = dh_experts_take(x, layer, w->active + i, n - i, w->cancel, &m);
        if (st)
            return st;
        run_expert(w, e, m);
        if (x)
            dh_experts_put(x, layer, e);
    }
    w->backend.k->add_scaled(w->side, w->routed, t->routed_scaling_factor, all);
    return DH_OK;
}

enum dh_status dh_moe_run(struct dh_work *w, int layer)
{
    if (w->model->config.text.layer_moe[layer])
        return run_mixture(w, layer);
    run_mlp(w, w->side, w->norm, w->n, &w->model->weights.layers[layer].mlp);
    return DH_OK;
}
