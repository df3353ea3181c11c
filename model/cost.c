// What a token costs by the shapes: m3.md 11.
#include <math.h>

#include "base/mem.h"
#include "model/layer_priv.h"
#include "model/quant_priv.h"
#include "vision/patches.h"

struct sum {
    double bytes, flops;
};

static void add_mat(struct sum *s, const struct dh_mat *m, double times)
{
    s->bytes += (double)dh_quant_mat_bytes(m) * times;
    s->flops += 2.0 * m->rows * m->cols * times;
}

static void add_mlp(struct sum *s, const struct dh_mlp_weights *w, double times)
{
    add_mat(s, &w->gate, times);
    add_mat(s, &w->up, times);
    add_mat(s, &w->down, times);
}

// Different experts that `tokens` choose which know nothing of each other.
static double experts_of(const struct dh_text_config *t, int tokens)
{
    double n = t->num_local_experts;
    return n * (1 - pow(1 - t->num_experts_per_tok / n, tokens));
}

// What a pass of so many tokens reads; where it is one, its operations too.
static void add_layer(struct sum *s, const struct dh_model *m, int i,
                      int tokens)
{
    const struct dh_text_config *t = &m->config.text;
    const struct dh_layer_weights *l = &m->weights.layers[i];
    add_mat(s, &l->q_proj, 1);
    add_mat(s, &l->k_proj, 1);
    add_mat(s, &l->v_proj, 1);
    add_mat(s, &l->o_proj, 1);
    if (t->layer_sparse[i]) {
        add_mat(s, &l->index_q_proj, 1);
        add_mat(s, &l->index_k_proj, 1);
    }
    if (!t->layer_moe[i]) {
        add_mlp(s, &l->mlp, 1);
        return;
    }
    add_mat(s, &l->router, 1);
    add_mlp(s, &l->experts[0], experts_of(t, tokens));
    add_mlp(s, &l->shared, 1);
}

double dh_model_get_pass_bytes(const struct dh_model *m, int tokens)
{
    struct sum s = { 0 };
    for (int i = 0; i < m->config.text.num_hidden_layers; i++)
        add_layer(&s, m, i, tokens);
    add_mat(&s, &m->weights.lm_head, 1);
    return s.bytes;
}

// What the cache keeps of a token in one layer.
static double kv_bytes(const struct dh_model *m, enum dh_cache_type cache)
{
    const struct dh_text_config *t = &m->config.text;
    bool pairs = dh_attend_pairs(m->kernels, t->head_dim) != NULL;
    double element = cache == DH_CACHE_INT8 ? 1 + 4.0 / t->head_dim
                     : pairs                ? 2
                                            : 4;
    return 2.0 * t->num_key_value_heads * t->head_dim * element;
}

static double index_bytes(const struct dh_model *m)
{
    const struct dh_text_config *t = &m->config.text;
    bool pairs = dh_attend_pairs(m->kernels, t->index_head_dim) != NULL;
    return t->index_head_dim * (pairs ? 2.0 : 4.0);
}

// Attention of one token that sees n tokens, itself among them.
static struct sum attention(const struct dh_model *m, enum dh_cache_type cache,
                            double n)
{
    const struct dh_text_config *t = &m->config.text;
    double heads = 4.0 * t->num_attention_heads * t->head_dim;
    double most = (double)t->index_topk_blocks * t->index_block_size;
    struct sum s = { 0 };
    for (int i = 0; i < t->num_hidden_layers; i++) {
        bool sparse = t->layer_sparse[i] && n > most;
        double seen = sparse ? most : n;
        s.bytes += kv_bytes(m, cache) * seen;
        s.flops += heads * seen;
        if (sparse) {
            s.bytes += index_bytes(m) * n;
            s.flops += 2.0 * t->index_n_heads * t->index_head_dim * n;
        }
    }
    return s;
}

void dh_model_get_cost(const struct dh_model *m, enum dh_cache_type cache,
                       int64_t context, struct dh_model_cost *out)
{
    struct sum linear = { 0 }, head = { 0 };
    for (int i = 0; i < m->config.text.num_hidden_layers; i++)
        add_layer(&linear, m, i, 1);
    add_mat(&head, &m->weights.lm_head, 1);
    struct sum seen = attention(m, cache, (double)context);
    out->weight_bytes = linear.bytes + head.bytes;
    out->cache_bytes = seen.bytes;
    out->attention_flops = seen.flops;
    out->cache_held_bytes = 0;
    for (int i = 0; i < m->config.text.num_hidden_layers; i++)
        out->cache_held_bytes +=
            (double)context *
            (kv_bytes(m, cache) +
             (m->config.text.layer_sparse[i] ? index_bytes(m) : 0));
    out->flops = linear.flops + head.flops + seen.flops;
    out->prefill_flops = (double)context * linear.flops + head.flops;
    for (int64_t n = 1; n <= context; n++)
        out->prefill_flops += attention(m, cache, (double)n).flops;
}

double dh_model_get_picture_flops(const struct dh_model *m,
                                  const struct dh_patches *p)
{
    const struct dh_vision_config *v = &m->config.vision;
    const struct dh_vision_weights *w = &m->weights.vision;
    struct sum patch = { 0 }, token = { 0 };
    add_mat(&patch, &w->patch_embedding, 1);
    for (int i = 0; i < v->num_hidden_layers; i++) {
        const struct dh_vision_layer_weights *l = &w->layers[i];
        const struct dh_mat *all[] = { &l->q,   &l->k,   &l->v,
                                       &l->out, &l->fc1, &l->fc2 };
        for (size_t j = 0; j < DH_COUNTOF(all); j++)
            add_mat(&patch, all[j], 1);
    }
    add_mat(&patch, &w->linear_1, 1);
    add_mat(&patch, &w->linear_2, 1);
    add_mat(&token, &w->merge_1, 1);
    add_mat(&token, &w->merge_2, 1);
    double per = (double)p->grid_h * p->grid_w, n = per * p->grid_t;
    double flops = n * patch.flops + n / v->spatial_merge_size /
                                         v->spatial_merge_size * token.flops;
    for (int g = 0; g < p->grid_t; g += v->vision_segment_max_frames) {
        double seen = per * DH_MIN(v->vision_segment_max_frames, p->grid_t - g);
        flops += 4.0 * v->hidden_size * seen * seen * v->num_hidden_layers;
    }
    return flops;
}
