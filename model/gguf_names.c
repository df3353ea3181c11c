// Tensors of a GGUF file by the names of the published checkpoint.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/gguf_priv.h"

#define NAME_MAX_BYTES 160

struct pair {
    const char *gguf, *released;
};

static const struct pair outer[] = {
    { "token_embd.weight", "language_model.model.embed_tokens.weight" },
    { "output_norm.weight", "language_model.model.norm.weight" },
    { "output.weight", "language_model.lm_head.weight" },
};

#define SHARED "block_sparse_moe.shared_experts."
static const struct pair in_layer[] = {
    { "attn_norm.weight", "input_layernorm.weight" },
    { "ffn_norm.weight", "post_attention_layernorm.weight" },
    { "attn_q.weight", "self_attn.q_proj.weight" },
    { "attn_k.weight", "self_attn.k_proj.weight" },
    { "attn_v.weight", "self_attn.v_proj.weight" },
    { "attn_output.weight", "self_attn.o_proj.weight" },
    { "attn_q_norm.weight", "self_attn.q_norm.weight" },
    { "attn_k_norm.weight", "self_attn.k_norm.weight" },
    { "indexer.q_proj.weight", "self_attn.index_q_proj.weight" },
    { "indexer.k_proj.weight", "self_attn.index_k_proj.weight" },
    { "indexer.q_norm.weight", "self_attn.index_q_norm.weight" },
    { "indexer.k_norm.weight", "self_attn.index_k_norm.weight" },
    { "ffn_gate.weight", "mlp.gate_proj.weight" },
    { "ffn_up.weight", "mlp.up_proj.weight" },
    { "ffn_down.weight", "mlp.down_proj.weight" },
    { "ffn_gate_inp.weight", "block_sparse_moe.gate.weight" },
    { "exp_probs_b.bias", "block_sparse_moe.e_score_correction_bias" },
    { "ffn_gate_shexp.weight", SHARED "gate_proj.weight" },
    { "ffn_up_shexp.weight", SHARED "up_proj.weight" },
    { "ffn_down_shexp.weight", SHARED "down_proj.weight" },
};

// The tower and what follows it: stems, of weights and biases.
static const struct pair vision[] = {
    { "v.pre_ln", "vision_tower.vision_model.pre_layrnorm" },
    { "mm.1", "multi_modal_projector.linear_1" },
    { "mm.2", "multi_modal_projector.linear_2" },
    { "mm.merger.fc1", "patch_merge_mlp.linear_1" },
    { "mm.merger.fc2", "patch_merge_mlp.linear_2" },
    { "mm.merge.fc1", "patch_merge_mlp.linear_1" }, // at first
    { "mm.merge.fc2", "patch_merge_mlp.linear_2" },
};
static const struct pair in_vision_layer[] = {
    { "ln1", "layer_norm1" },         { "ln2", "layer_norm2" },
    { "attn_q", "self_attn.q_proj" }, { "attn_k", "self_attn.k_proj" },
    { "attn_v", "self_attn.v_proj" }, { "attn_out", "self_attn.out_proj" },
    { "ffn_up", "mlp.fc1" },          { "ffn_down", "mlp.fc2" },
};

// All experts of a layer in one tensor.
static const struct pair stacked[] = {
    { "ffn_gate_exps.weight", "w1" },
    { "ffn_down_exps.weight", "w2" },
    { "ffn_up_exps.weight", "w3" },
};

static const char *released(const struct pair *p, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(p[i].gguf, name) == 0)
            return p[i].released;
    return NULL;
}

// The layer of "blk.N.rest" and the rest, or -1.
static int layer_of(const char *name, const char **rest)
{
    if (strncmp(name, "blk.", 4) != 0)
        return -1;
    char *end;
    long n = strtol(name + 4, &end, 10);
    if (end == name + 4 || *end != '.' || n < 0 || n >= DH_CONFIG_MAX_LAYERS)
        return -1;
    *rest = end + 1;
    return (int)n;
}

static size_t experts_of(const struct dh_tensor *t)
{
    const char *rest;
    bool is_stack = layer_of(t->name, &rest) >= 0 && t->n_dims == 3 &&
                    released(stacked, DH_COUNTOF(stacked), rest) &&
                    t->shape[0] >= 1 && t->shape[0] <= DH_CONFIG_MAX_EXPERTS;
    return is_stack ? (size_t)t->shape[0] : 0;
}

static void add(struct dh_gguf_tensors *to, const struct dh_tensor *t,
                const char *name)
{
    struct dh_tensor *own = &to->own[to->all.n++];
    *own = *t;
    own->name = dh_strdup(name);
}

static void add_experts(struct dh_gguf_tensors *to, const struct dh_tensor *t,
                        size_t n)
{
    const char *rest = "";
    int layer = layer_of(t->name, &rest);
    struct dh_tensor one = *t;
    one.n_dims = 2;
    one.shape[0] = t->shape[1];
    one.shape[1] = t->shape[2];
    one.bytes = t->bytes / n;
    for (size_t e = 0; e < n; e++) {
        char name[NAME_MAX_BYTES];
        snprintf(name, sizeof(name),
                 "language_model.model.layers.%d.block_sparse_moe.experts.%zu."
                 "%s.weight",
                 layer, e, released(stacked, DH_COUNTOF(stacked), rest));
        one.data = t->data + e * one.bytes;
        add(to, &one, name);
    }
}

// The released name, or the same where there is none.
static void rename_vision(const char *name, char out[NAME_MAX_BYTES])
{
    const char *stem = name, *suffix = strrchr(name, '.');
    int layer = strncmp(name, "v.", 2) == 0 ? layer_of(name + 2, &stem) : -1;
    char own[64];
    snprintf(own, sizeof(own), "%.*s", (int)(suffix - stem), stem);
    const char *in =
        layer < 0 ? released(vision, DH_COUNTOF(vision), own)
                  : released(in_vision_layer, DH_COUNTOF(in_vision_layer), own);
    if (in && layer >= 0)
        snprintf(out, NAME_MAX_BYTES,
                 "vision_tower.vision_model.encoder.layers.%d.%s%s", layer, in,
                 suffix);
    else
        snprintf(out, NAME_MAX_BYTES, "%s%s", in ? in : name, in ? suffix : "");
}

static void add_one(struct dh_gguf_tensors *to, const struct dh_tensor *t)
{
    const char *rest = t->name;
    int layer = layer_of(t->name, &rest);
    const char *in = layer < 0 ? released(outer, DH_COUNTOF(outer), t->name)
                               : released(in_layer, DH_COUNTOF(in_layer), rest);
    char name[NAME_MAX_BYTES];
    bool is_vision =
        strncmp(t->name, "v.", 2) == 0 || strncmp(t->name, "mm.", 3) == 0;
    if (in && layer >= 0)
        snprintf(name, sizeof(name), "language_model.model.layers.%d.%s", layer,
                 in);
    else if (is_vision)
        rename_vision(t->name, name);
    add(to, t, is_vision ? name : !in ? t->name : layer < 0 ? in : name);
}

static int by_name(const void *a, const void *b)
{
    const struct dh_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

void dh_gguf_tensors_init(struct dh_gguf_tensors *to, const struct dh_gguf *g)
{
    const struct dh_tensors *from = dh_gguf_list(g);
    size_t n = 0;
    for (size_t i = 0; i < from->n; i++)
        n += DH_MAX(experts_of(&from->at[i]), 1);
    *to = (struct dh_gguf_tensors){ .all = *from };
    to->all.n = 0;
    dh_array(to->own, n);
    for (size_t i = 0; i < from->n; i++) {
        size_t experts = experts_of(&from->at[i]);
        if (experts)
            add_experts(to, &from->at[i], experts);
        else
            add_one(to, &from->at[i]);
    }
    qsort(to->own, n, sizeof(*to->own), by_name);
    to->all.at = to->own;
}

void dh_gguf_tensors_finish(struct dh_gguf_tensors *t)
{
    for (size_t i = 0; i < t->all.n; i++)
        dh_free((void *)(uintptr_t)t->own[i].name);
    dh_free(t->own);
    *t = (struct dh_gguf_tensors){ 0 };
}
