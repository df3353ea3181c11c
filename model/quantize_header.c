// The headers of both kinds of files.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/quant_priv.h"
#include "model/quantize_priv.h"

#define DH_LOG_TAG "quantize"
#include "base/log.h"

#define JSON_MAX ((size_t)256 << 20)

// Shape of a part, the last dimension contiguous; returns the dimensions.
static int shape_of(const struct dh_quantize_plan *p,
                    const struct dh_quantize_part *part, int64_t shape[5])
{
    const struct dh_vision_config *v = &p->model->config.vision;
    if (!part->n_mats) {
        shape[0] = part->n;
        return 1;
    }
    const struct dh_mat *m = part->mats[0];
    if (part->kind == DH_WEIGHT_PATCHES) {
        const int64_t all[] = { v->hidden_size, v->num_channels,
                                v->temporal_patch_size, v->patch_size,
                                v->patch_size };
        memcpy(shape, all, sizeof(all));
        if (!p->gguf)
            return 5;
        shape[2] = shape[3]; // one frame
        return 4;
    }
    int n = 0;
    if (part->n_mats > 1)
        shape[n++] = part->n_mats;
    shape[n++] = m->rows;
    shape[n++] = m->cols;
    return n;
}

// -------------------------------------------------------------------
// safetensors

struct entries {
    struct dh_json_writer w;
    uint64_t at;
};

static void put_entry(struct entries *e, const char *name, const char *suffix,
                      const char *dtype, const int64_t *shape, int n_dims,
                      uint64_t bytes)
{
    char full[DH_WEIGHT_NAME + 32];
    snprintf(full, sizeof(full), "%s%s", name, suffix);
    dh_jw_object(&e->w, full);
    dh_jw_text(&e->w, "dtype", dtype);
    dh_jw_array(&e->w, "shape");
    for (int i = 0; i < n_dims; i++)
        dh_jw_i64(&e->w, NULL, shape[i]);
    dh_jw_end_array(&e->w);
    dh_jw_array(&e->w, "data_offsets");
    dh_jw_i64(&e->w, NULL, (int64_t)e->at);
    e->at += bytes;
    dh_jw_i64(&e->w, NULL, (int64_t)e->at);
    dh_jw_end_array(&e->w);
    dh_jw_end_object(&e->w);
}

static void put_entries(struct entries *e, const struct dh_quantize_plan *p,
                        const struct dh_quantize_part *part)
{
    int64_t shape[5];
    int n = shape_of(p, part, shape);
    int64_t *cols = &shape[n - 1];
    bool nv = part->dtype == DH_NVFP4;
    *cols /= nv ? 2 : 1;
    put_entry(e, part->name, "", nv ? "U8" : dh_dtype_name(part->dtype), shape,
              n, part->bytes);
    if (!part->scales_bytes)
        return;
    *cols = *cols * (nv ? 2 : 1) / dh_quant_block(part->dtype);
    put_entry(e, part->name, nv ? "_scale" : "_scale_inv",
              nv ? "F8_E4M3" : "U8", shape, n, part->scales_bytes);
    if (nv)
        put_entry(e, part->name, "_scale_2", "F32", NULL, 0, 4);
}

enum dh_status dh_quantize_safetensors_header(const struct dh_quantize_plan *p,
                                              struct dh_buf *out)
{
    struct entries e = { .at = 0 };
    uint8_t len[8];
    dh_buf_put(out, "--------", 8); // the length will be here
    dh_jw_init(&e.w, out);
    dh_jw_object(&e.w, NULL);
    dh_jw_object(&e.w, "__metadata__");
    dh_jw_text(&e.w, "format", "pt");
    dh_jw_end_object(&e.w);
    for (int i = 0; i < p->n; i++)
        put_entries(&e, p, &p->parts[i]);
    dh_jw_end_object(&e.w);
    while (out->len % 8 != 0 && !out->overflow)
        dh_buf_putc(out, ' ');
    if (out->overflow)
        return DH_ERR_RANGE;
    for (int i = 0; i < 8; i++)
        len[i] = (uint8_t)((out->len - 8) >> (8 * i));
    memcpy(out->data, len, sizeof(len));
    return DH_OK;
}

// --------------------------------------------------------------------------
// GGUF

static void put_uint(struct dh_buf *out, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        dh_buf_putc(out, (char)(v >> (8 * i)));
}

static void put_text(struct dh_buf *out, struct dh_str s)
{
    put_uint(out, s.n, 8);
    dh_buf_put(out, s.p, s.n);
}

// Entries of the metadata, counted.
struct meta {
    struct dh_buf *out;
    uint64_t n;
};

static void key(struct meta *m, const char *name, enum dh_gguf_type type)
{
    put_text(m->out, dh_str_of(name));
    put_uint(m->out, type, 4);
    m->n++;
}

static void put_u32(struct meta *m, const char *name, int64_t v)
{
    key(m, name, DH_GGUF_U32);
    put_uint(m->out, (uint64_t)v, 4);
}

static void put_f32(struct meta *m, const char *name, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    key(m, name, DH_GGUF_F32);
    put_uint(m->out, bits, 4);
}

static void put_string(struct meta *m, const char *name, const char *v)
{
    key(m, name, DH_GGUF_STRING);
    put_text(m->out, dh_str_of(v));
}

static void put_bool(struct meta *m, const char *name, bool v)
{
    key(m, name, DH_GGUF_BOOL);
    put_uint(m->out, v, 1);
}

static void put_shapes(struct meta *m, const struct dh_text_config *t)
{
#define A "minimax-m3."
    int dense = 0;
    while (dense < t->num_hidden_layers && !t->layer_moe[dense])
        dense++;
    put_u32(m, A "block_count", t->num_hidden_layers);
    put_u32(m, A "context_length", t->max_position_embeddings);
    put_u32(m, A "embedding_length", t->hidden_size);
    put_u32(m, A "vocab_size", t->vocab_size);
    put_u32(m, A "feed_forward_length", t->dense_intermediate_size);
    put_u32(m, A "attention.head_count", t->num_attention_heads);
    put_u32(m, A "attention.head_count_kv", t->num_key_value_heads);
    put_u32(m, A "attention.key_length", t->head_dim);
    put_u32(m, A "attention.value_length", t->head_dim);
    put_f32(m, A "attention.layer_norm_rms_epsilon", t->rms_norm_eps);
    put_f32(m, A "rope.freq_base", t->rope_theta);
    put_u32(m, A "rope.dimension_count", t->rotary_dim);
    put_u32(m, A "leading_dense_block_count", dense);
    put_u32(m, A "expert_count", t->num_local_experts);
    put_u32(m, A "expert_used_count", t->num_experts_per_tok);
    put_u32(m, A "expert_feed_forward_length", t->intermediate_size);
    // One as wide as all of them.
    put_u32(m, A "expert_shared_count",
            t->intermediate_size
                ? DH_MAX(t->shared_intermediate_size / t->intermediate_size, 1)
                : 1);
    put_f32(m, A "expert_weights_scale", t->routed_scaling_factor);
    put_bool(m, A "expert_weights_norm", true);
    put_u32(m, A "expert_gating_func", 2);
    put_u32(m, A "attention.indexer.head_count", t->index_n_heads);
    put_u32(m, A "attention.indexer.key_length", t->index_head_dim);
    put_u32(m, A "attention.indexer.top_k", t->index_topk_blocks);
    put_u32(m, A "attention.indexer.block_size", t->index_block_size);
    put_u32(m, A "attention.indexer.local_blocks", t->index_local_blocks);
#undef A
}

static void put_three(struct meta *m, const char *name, const float v[3])
{
    key(m, name, DH_GGUF_ARRAY);
    put_uint(m->out, DH_GGUF_F32, 4);
    put_uint(m->out, 3, 8);
    dh_buf_put(m->out, (const char *)v, 3 * sizeof(*v));
}

static void put_vision(struct meta *m, const struct dh_model *model)
{
#define V "clip.vision."
    const struct dh_vision_config *c = &model->config.vision;
    const struct dh_patch_rule *r = &model->image_rule;
    put_string(m, "general.architecture", "clip");
    put_string(m, "general.type", "mmproj");
    put_bool(m, "clip.has_vision_encoder", true);
    put_string(m, "clip.projector_type", "minimax_m3");
    put_bool(m, "clip.use_gelu", true);
    // A square that llama.cpp makes positions and warms up for.
    put_u32(m, V "image_size", c->patch_size * c->spatial_merge_size * 24);
    put_u32(m, V "image_min_pixels", r->min_pixels);
    put_u32(m, V "image_max_pixels", r->max_pixels);
    put_u32(m, V "patch_size", c->patch_size);
    put_u32(m, V "embedding_length", c->hidden_size);
    put_u32(m, V "feed_forward_length", c->intermediate_size);
    put_u32(m, V "block_count", c->num_hidden_layers);
    put_u32(m, V "projection_dim", model->config.text.hidden_size);
    put_u32(m, V "attention.head_count", c->num_attention_heads);
    put_f32(m, V "attention.layer_norm_epsilon", c->layer_norm_eps);
    put_u32(m, V "spatial_merge_size", c->spatial_merge_size);
    // For a model whose file has no vocabulary; llama.cpp does not read them.
    put_u32(m, V "image_token_id", model->config.image_token_id);
    put_u32(m, V "video_token_id", model->config.video_token_id);
    put_three(m, V "image_mean", r->mean);
    put_three(m, V "image_std", r->std);
#undef V
}

// ---- the vocabulary

struct token {
    struct dh_str text;
    int type; // 0: there is none
};

static void set_token(struct token *tokens, int n, const struct dh_json *id,
                      const char *text, int type)
{
    double v = id ? dh_json_number(id) : -1;
    if (v >= 0 && v < n)
        tokens[(int)v] = (struct token){ dh_str_of(text), type };
}

static void put_tokens(struct meta *m, const struct dh_json *root, int n)
{
    struct token *tokens;
    char unused[32];
    dh_array(tokens, (size_t)n);
    const struct dh_json *e =
        dh_json_first(dh_json_find(dh_json_find(root, "model"), "vocab"));
    for (; e; e = dh_json_next(e))
        set_token(tokens, n, e, dh_json_key(e), 1);
    const struct dh_json *added = dh_json_find(root, "added_tokens");
    for (e = added ? dh_json_first(added) : NULL; e; e = dh_json_next(e)) {
        const struct dh_json *special = dh_json_find(e, "special");
        set_token(tokens, n, dh_json_find(e, "id"),
                  dh_json_text(dh_json_find(e, "content")),
                  special && dh_json_is_true(special) ? 3 : 4);
    }
    key(m, "tokenizer.ggml.tokens", DH_GGUF_ARRAY);
    put_uint(m->out, DH_GGUF_STRING, 4);
    put_uint(m->out, (uint64_t)n, 8);
    for (int i = 0; i < n; i++) {
        snprintf(unused, sizeof(unused), "[PAD%d]", i);
        put_text(m->out, tokens[i].type ? tokens[i].text : dh_str_of(unused));
    }
    key(m, "tokenizer.ggml.token_type", DH_GGUF_ARRAY);
    put_uint(m->out, DH_GGUF_I32, 4);
    put_uint(m->out, (uint64_t)n, 8);
    for (int i = 0; i < n; i++)
        put_uint(m->out, (uint64_t)(tokens[i].type ? tokens[i].type : 5), 4);
    dh_free(tokens);
}

static void put_merges(struct meta *m, const struct dh_json *root)
{
    const struct dh_json *list =
        dh_json_find(dh_json_find(root, "model"), "merges");
    key(m, "tokenizer.ggml.merges", DH_GGUF_ARRAY);
    put_uint(m->out, DH_GGUF_STRING, 4);
    put_uint(m->out, list ? dh_json_count(list) : 0, 8);
    const struct dh_json *e = list ? dh_json_first(list) : NULL;
    for (; e; e = dh_json_next(e)) {
        const struct dh_json *a = dh_json_first(e);
        char pair[1024];
        if (a)
            snprintf(pair, sizeof(pair), "%s %s", dh_json_text(a),
                     dh_json_text(dh_json_next(a)));
        put_text(m->out, dh_str_of(a ? pair : dh_json_text(e)));
    }
}

static const char *regex_of(const struct dh_json *root)
{
    const struct dh_json *list =
        dh_json_find(dh_json_find(root, "pre_tokenizer"), "pretokenizers");
    const struct dh_json *split = list ? dh_json_first(list) : NULL;
    const struct dh_json *pattern =
        split ? dh_json_find(split, "pattern") : NULL;
    const struct dh_json *regex =
        pattern ? dh_json_find(pattern, "Regex") : NULL;
    return regex ? dh_json_text(regex) : "";
}

static enum dh_status put_tokenizer(struct meta *m,
                                    const struct dh_quantize_plan *p)
{
    const struct dh_text_config *t = &p->model->config.text;
    char *path = dh_path_join(p->from, "tokenizer.json"), *text = NULL;
    size_t len;
    struct dh_diag diag = { 0 };
    enum dh_status st = DH_OK;
    if (dh_path_exists(path)) {
        st = dh_file_read(path, JSON_MAX, &text, &len);
        struct dh_json *root = st ? NULL : dh_json_parse(text, len, &diag);
        if (!st && !root) {
            dh_error("%s: %s", path, diag.text);
            st = DH_ERR_FORMAT;
        }
        if (root) {
            const char *pre = dh_gguf_split_name(regex_of(root));
            if (!pre)
                dh_warn("%s: llama.cpp has no name for how it splits a text: "
                        "put the file beside the new one",
                        path);
            put_string(m, "tokenizer.ggml.model", "gpt2");
            put_string(m, "tokenizer.ggml.pre", pre ? pre : "unknown");
            put_tokens(m, root, t->vocab_size);
            put_merges(m, root);
        }
        dh_json_free(root);
    }
    if (t->bos_token_id >= 0)
        put_u32(m, "tokenizer.ggml.bos_token_id", t->bos_token_id);
    if (t->eos_token_id >= 0)
        put_u32(m, "tokenizer.ggml.eos_token_id", t->eos_token_id);
    dh_big_free(text);
    dh_free(path);
    return st;
}

// What a GGUF file said is said again.
static void copy_metadata(struct meta *m, const struct dh_gguf *g)
{
    for (size_t i = 0; i < dh_gguf_count(g); i++) {
        const struct dh_gguf_value *v = dh_gguf_at(g, i);
        if (dh_str_is(v->key, "general.file_type") ||
            dh_str_is(v->key, "general.alignment") ||
            dh_str_starts(v->key, "clip.") || dh_str_starts(v->key, "split."))
            continue;
        put_text(m->out, v->key);
        put_uint(m->out, v->is_array ? DH_GGUF_ARRAY : v->type, 4);
        if (v->is_array) {
            put_uint(m->out, v->type, 4);
            put_uint(m->out, v->n, 8);
        }
        dh_buf_put(m->out, v->data, v->bytes);
        m->n++;
    }
}

// ---- the tensors

static void put_infos(const struct dh_quantize_plan *p, struct dh_buf *out)
{
    uint64_t at = 0;
    for (int i = 0; i < p->n; i++) {
        const struct dh_quantize_part *part = &p->parts[i];
        int64_t shape[5];
        int n = shape_of(p, part, shape);
        put_text(out, dh_str_of(part->name));
        put_uint(out, (uint64_t)n, 4);
        for (int d = n - 1; d >= 0; d--)
            put_uint(out, (uint64_t)shape[d], 8);
        put_uint(out, dh_gguf_type_of(part->dtype), 4);
        put_uint(out, at, 8);
        at += (part->bytes + DH_QUANTIZE_ALIGN - 1) / DH_QUANTIZE_ALIGN *
              DH_QUANTIZE_ALIGN;
    }
}

enum dh_status dh_quantize_gguf_header(const struct dh_quantize_plan *p,
                                       struct dh_buf *out)
{
    struct dh_buf body;
    dh_buf_init(&body, JSON_MAX);
    struct meta m = { .out = &body };
    enum dh_status st = DH_OK;
    if (p->vision) {
        put_vision(&m, p->model);
    } else if (p->model->gguf) {
        copy_metadata(&m, p->model->gguf);
    } else {
        put_string(&m, "general.architecture", "minimax-m3");
        put_shapes(&m, &p->model->config.text);
        st = put_tokenizer(&m, p);
    }
    put_infos(p, &body);
    dh_buf_puts(out, "GGUF");
    put_uint(out, 3, 4);
    put_uint(out, (uint64_t)p->n, 8);
    put_uint(out, m.n, 8);
    dh_buf_put(out, body.data, body.len);
    while (out->len % DH_QUANTIZE_ALIGN != 0 && !out->overflow)
        dh_buf_putc(out, 0);
    if (!st && (body.overflow || out->overflow)) {
        dh_error("the file's header is too large");
        st = DH_ERR_RANGE;
    }
    dh_buf_finish(&body);
    return st;
}
