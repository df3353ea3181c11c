// All weights of a model with their names, for those that write files.
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "model/weights_priv.h"

struct walk {
    const struct dh_config *config;
    dh_weight_fn fn;
    void *user;
    bool vision;
    int head_dim;
};

// The same place in the names of both kinds of files.
struct at {
    char released[64], gguf[32];
};

static struct at at_layer(int i)
{
    struct at a;
    snprintf(a.released, sizeof(a.released), "language_model.model.layers.%d.",
             i);
    snprintf(a.gguf, sizeof(a.gguf), "blk.%d.", i);
    return a;
}

static void tell(const struct walk *w, struct dh_weight *x, const struct at *at,
                 const char *released, const char *gguf)
{
    snprintf(x->released, sizeof(x->released), "%s%s", at->released, released);
    snprintf(x->gguf, sizeof(x->gguf), "%s%s", at->gguf, gguf);
    x->vision = w->vision;
    x->head_dim = w->head_dim;
    w->fn(w->user, x);
}

static void mat(const struct walk *w, const struct at *at,
                enum dh_weight_kind kind, const struct dh_mat *m,
                const char *released, const char *gguf)
{
    struct dh_weight x = { .kind = kind, .mat = m };
    tell(w, &x, at, released, gguf);
}

static void vec(const struct walk *w, const struct at *at,
                enum dh_weight_kind kind, const float *v, int n,
                const char *released, const char *gguf)
{
    struct dh_weight x = { .kind = kind, .vec = v, .n = n };
    tell(w, &x, at, released, gguf);
}

static void attention(const struct walk *w, const struct at *at,
                      const struct dh_layer_weights *l, bool sparse)
{
    const struct dh_text_config *t = &w->config->text;
    const enum dh_weight_kind norm = DH_WEIGHT_NORM, mul = DH_WEIGHT_LINEAR;
    vec(w, at, norm, l->input_layernorm, t->hidden_size,
        "input_layernorm.weight", "attn_norm.weight");
    vec(w, at, norm, l->post_attention_layernorm, t->hidden_size,
        "post_attention_layernorm.weight", "ffn_norm.weight");
    mat(w, at, mul, &l->q_proj, "self_attn.q_proj.weight", "attn_q.weight");
    mat(w, at, mul, &l->k_proj, "self_attn.k_proj.weight", "attn_k.weight");
    mat(w, at, mul, &l->v_proj, "self_attn.v_proj.weight", "attn_v.weight");
    mat(w, at, mul, &l->o_proj, "self_attn.o_proj.weight",
        "attn_output.weight");
    vec(w, at, norm, l->q_norm, t->head_dim, "self_attn.q_norm.weight",
        "attn_q_norm.weight");
    vec(w, at, norm, l->k_norm, t->head_dim, "self_attn.k_norm.weight",
        "attn_k_norm.weight");
    if (!sparse)
        return;
    mat(w, at, DH_WEIGHT_INDEX, &l->index_q_proj,
        "self_attn.index_q_proj.weight", "indexer.q_proj.weight");
    mat(w, at, DH_WEIGHT_INDEX, &l->index_k_proj,
        "self_attn.index_k_proj.weight", "indexer.k_proj.weight");
    vec(w, at, norm, l->index_q_norm, t->index_head_dim,
        "self_attn.index_q_norm.weight", "indexer.q_norm.weight");
    vec(w, at, norm, l->index_k_norm, t->index_head_dim,
        "self_attn.index_k_norm.weight", "indexer.k_norm.weight");
}

static void experts(const struct walk *w, const struct at *at,
                    const struct dh_layer_weights *l)
{
    static const char *const parts[][2] = { { "w1", "ffn_gate_exps.weight" },
                                            { "w2", "ffn_down_exps.weight" },
                                            { "w3", "ffn_up_exps.weight" } };
    for (int p = 0; p < 3; p++) {
        for (int e = 0; e < w->config->text.num_local_experts; e++) {
            const struct dh_mlp_weights *x = &l->experts[e];
            char name[64];
            snprintf(name, sizeof(name),
                     "block_sparse_moe.experts.%d.%s.weight", e, parts[p][0]);
            mat(w, at, DH_WEIGHT_LINEAR,
                p == 0   ? &x->gate
                : p == 1 ? &x->down
                         : &x->up,
                name, parts[p][1]);
        }
    }
}

static void feed_forward(const struct walk *w, const struct at *at,
                         const struct dh_layer_weights *l, bool moe)
{
    const enum dh_weight_kind mul = DH_WEIGHT_LINEAR;
    if (!moe) {
        mat(w, at, mul, &l->mlp.gate, "mlp.gate_proj.weight",
            "ffn_gate.weight");
        mat(w, at, mul, &l->mlp.up, "mlp.up_proj.weight", "ffn_up.weight");
        mat(w, at, mul, &l->mlp.down, "mlp.down_proj.weight",
            "ffn_down.weight");
        return;
    }
#define SHARED "block_sparse_moe.shared_experts."
    mat(w, at, DH_WEIGHT_ROUTER, &l->router, "block_sparse_moe.gate.weight",
        "ffn_gate_inp.weight");
    vec(w, at, DH_WEIGHT_VECTOR, l->e_score_correction_bias,
        w->config->text.num_local_experts,
        "block_sparse_moe.e_score_correction_bias", "exp_probs_b.bias");
    experts(w, at, l);
    mat(w, at, mul, &l->shared.gate, SHARED "gate_proj.weight",
        "ffn_gate_shexp.weight");
    mat(w, at, mul, &l->shared.up, SHARED "up_proj.weight",
        "ffn_up_shexp.weight");
    mat(w, at, mul, &l->shared.down, SHARED "down_proj.weight",
        "ffn_down_shexp.weight");
}

// -------------------------------------------------------------------- vision

// A stem in both kinds of files, of a weight and a bias.
static void linear(const struct walk *w, const struct at *at, const char *name,
                   const char *gguf, const struct dh_mat *m, const float *bias)
{
    char full[80], other[40];
    snprintf(full, sizeof(full), "%s.weight", name);
    snprintf(other, sizeof(other), "%s.weight", gguf);
    mat(w, at, DH_WEIGHT_VISION, m, full, other);
    snprintf(full, sizeof(full), "%s.bias", name);
    snprintf(other, sizeof(other), "%s.bias", gguf);
    vec(w, at, DH_WEIGHT_VECTOR, bias, m->rows, full, other);
}

static void norm(const struct walk *w, const struct at *at, const char *name,
                 const char *gguf, const float *weight, const float *bias)
{
    char full[80], other[40];
    int n = w->config->vision.hidden_size;
    snprintf(full, sizeof(full), "%s.weight", name);
    snprintf(other, sizeof(other), "%s.weight", gguf);
    vec(w, at, DH_WEIGHT_VECTOR, weight, n, full, other);
    snprintf(full, sizeof(full), "%s.bias", name);
    snprintf(other, sizeof(other), "%s.bias", gguf);
    vec(w, at, DH_WEIGHT_VECTOR, bias, n, full, other);
}

static void vision(struct walk *w, const struct dh_vision_weights *v)
{
    const struct dh_vision_config *c = &w->config->vision;
    struct at at = { "vision_tower.vision_model.", "v." }, top = { "", "" };
    w->vision = true;
    mat(w, &at, DH_WEIGHT_PATCHES, &v->patch_embedding,
        "embeddings.patch_embedding.weight", "patch_embd.weight");
    norm(w, &at, "pre_layrnorm", "pre_ln", v->pre_w, v->pre_b);
    for (int j = 0; j < c->num_hidden_layers; j++) {
        const struct dh_vision_layer_weights *l = &v->layers[j];
        snprintf(at.released, sizeof(at.released),
                 "vision_tower.vision_model.encoder.layers.%d.", j);
        snprintf(at.gguf, sizeof(at.gguf), "v.blk.%d.", j);
        norm(w, &at, "layer_norm1", "ln1", l->ln1_w, l->ln1_b);
        norm(w, &at, "layer_norm2", "ln2", l->ln2_w, l->ln2_b);
        w->head_dim = c->hidden_size / c->num_attention_heads;
        linear(w, &at, "self_attn.q_proj", "attn_q", &l->q, l->q_b);
        linear(w, &at, "self_attn.k_proj", "attn_k", &l->k, l->k_b);
        w->head_dim = 0;
        linear(w, &at, "self_attn.v_proj", "attn_v", &l->v, l->v_b);
        linear(w, &at, "self_attn.out_proj", "attn_out", &l->out, l->out_b);
        linear(w, &at, "mlp.fc1", "ffn_up", &l->fc1, l->fc1_b);
        linear(w, &at, "mlp.fc2", "ffn_down", &l->fc2, l->fc2_b);
    }
    linear(w, &top, "multi_modal_projector.linear_1", "mm.1", &v->linear_1,
           v->linear_1_b);
    linear(w, &top, "multi_modal_projector.linear_2", "mm.2", &v->linear_2,
           v->linear_2_b);
    linear(w, &top, "patch_merge_mlp.linear_1", "mm.merger.fc1", &v->merge_1,
           v->merge_1_b);
    linear(w, &top, "patch_merge_mlp.linear_2", "mm.merger.fc2", &v->merge_2,
           v->merge_2_b);
}

void dh_weights_each(const struct dh_weights *weights,
                     const struct dh_config *config, dh_weight_fn fn,
                     void *user)
{
    struct walk w = { .config = config, .fn = fn, .user = user };
    struct at at = { "language_model.", "" };
    mat(&w, &at, DH_WEIGHT_HEAD, &weights->embed_tokens,
        "model.embed_tokens.weight", "token_embd.weight");
    vec(&w, &at, DH_WEIGHT_NORM, weights->norm, config->text.hidden_size,
        "model.norm.weight", "output_norm.weight");
    if (weights->lm_head.data != weights->embed_tokens.data)
        mat(&w, &at, DH_WEIGHT_HEAD, &weights->lm_head, "lm_head.weight",
            "output.weight");
    for (int i = 0; i < config->text.num_hidden_layers; i++) {
        at = at_layer(i);
        attention(&w, &at, &weights->layers[i], config->text.layer_sparse[i]);
        feed_forward(&w, &at, &weights->layers[i], config->text.layer_moe[i]);
    }
    if (config->has_vision)
        vision(&w, &weights->vision);
}
