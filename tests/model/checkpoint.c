#include "tests/model/checkpoint.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/config_priv.h"
#include "model/quant_priv.h"
#include "model/tensor_priv.h"
#include "tests/dh_test.h"

#define TEXT_SHAPES                                                      \
    "\"hidden_size\": 64, \"num_hidden_layers\": 6,"                     \
    "\"num_attention_heads\": 8, \"num_key_value_heads\": 2,"            \
    "\"head_dim\": 16, \"vocab_size\": 256,"                             \
    "\"max_position_embeddings\": 4096, \"rms_norm_eps\": 1e-06,"        \
    "\"use_gemma_norm\": true, \"attention_output_gate\": false,"        \
    "\"swiglu_alpha\": 1.702, \"swiglu_limit\": 7.0,"                    \
    "\"use_qk_norm\": true, \"qk_norm_type\": \"per_head\","             \
    "\"tie_word_embeddings\": false, \"intermediate_size\": 32,"         \
    "\"dense_intermediate_size\": 96, \"shared_intermediate_size\": 40," \
    "\"num_experts_per_tok\": 2, \"n_shared_experts\": 1,"               \
    "\"scoring_func\": \"sigmoid\", \"use_routing_bias\": true,"         \
    "\"routed_scaling_factor\": 2.0, \"bos_token_id\": 1,"               \
    "\"eos_token_id\": 2,"

#define VISION_SHAPES                                             \
    "\"hidden_size\": 40, \"num_hidden_layers\": 2,"              \
    "\"num_attention_heads\": 2, \"intermediate_size\": 80,"      \
    "\"num_channels\": 3, \"patch_size\": 4, \"image_size\": 64," \
    "\"projection_dim\": 64, \"hidden_act\": \"gelu\","           \
    "\"layer_norm_eps\": 1e-05, \"attention_dropout\": 0.0,"      \
    "\"vision_segment_max_frames\": 4,"

#define COMPRESSION                                        \
    "\"img_token_compression_config\": {"                  \
    "\"image_token_compression_method\": \"patch_merge\"," \
    "\"spatial_merge_size\": 2, \"temporal_patch_size\": 2}"

const char dh_checkpoint_config[] =
    "{\"architectures\": [\"MiniMaxM3SparseForConditionalGeneration\"],"
    "\"model_type\": \"minimax_m3_vl\", \"torch_dtype\": \"float32\","
    "\"image_token_index\": 250, \"video_token_index\": 251,"
    "\"projector_hidden_size\": 48, \"projector_hidden_act\": \"gelu\","
    "\"multimodal_projector_bias\": true, \"vision_feature_layer\": "
    "-1," COMPRESSION ","
    "\"text_config\": {" TEXT_SHAPES
    "\"rope_theta\": 5000000, \"rotary_dim\": 8,"
    "\"partial_rotary_factor\": 0.5, \"hidden_act\": \"swigluoai\","
    "\"num_local_experts\": 8, \"moe_layer_freq\": [0, 0, 1, 1, 1, 1],"
    "\"sparse_attention_config\": {\"use_sparse_attention\": true,"
    "\"sparse_index_dim\": 16, \"sparse_num_index_heads\": 2,"
    "\"sparse_topk_blocks\": 4, \"sparse_block_size\": 4,"
    "\"sparse_score_type\": \"max\", \"sparse_init_block\": 0,"
    "\"sparse_local_block\": 1,"
    "\"sparse_disable_index_value\": [0, 0, 1, 1, 1, 1],"
    "\"sparse_attention_freq\": [0, 0, 1, 1, 1, 1]}},"
    "\"vision_config\": {\"model_type\": \"clip_vision_model\"," VISION_SHAPES
    "\"position_embedding_type\": \"rope\", \"rope_mode\": \"3d\","
    "\"rope_theta\": 10000.0," COMPRESSION "}}";

const char dh_checkpoint_config_flat[] =
    "{\"model_type\": \"minimax_m3_vl\", \"dtype\": \"float32\","
    "\"image_token_id\": 250, \"video_token_id\": 251,"
    "\"projector_hidden_size\": 48, \"merged_hidden_size\": 256,"
    "\"text_config\": {\"model_type\": \"minimax_m3_vl_text\"," TEXT_SHAPES
    "\"rope_parameters\": {\"rope_theta\": 5000000,"
    "\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5},"
    "\"hidden_act\": \"silu\", \"num_experts\": 8,"
    "\"index_n_heads\": 2, \"index_head_dim\": 16, \"index_block_size\": 4,"
    "\"index_topk_blocks\": 4, \"index_local_blocks\": 1,"
    "\"layer_types\": [\"full_attention\", \"full_attention\","
    "\"minimax_m3_sparse\", \"minimax_m3_sparse\", \"minimax_m3_sparse\","
    "\"minimax_m3_sparse\"], \"mlp_layer_types\": [\"dense\", \"dense\","
    "\"sparse\", \"sparse\", \"sparse\", \"sparse\"]},"
    "\"vision_config\": {\"model_type\": "
    "\"minimax_m3_vl_vision\"," VISION_SHAPES
    "\"rope_parameters\": {\"rope_theta\": 10000.0, \"rope_type\": \"axial\"},"
    "\"spatial_merge_size\": 2, \"temporal_patch_size\": 2}}";

char *dh_checkpoint_edit(const char *json, const char *const *edits)
{
    char *text = dh_strdup(json);
    for (; *edits; edits += 2) {
        struct dh_buf out;
        dh_buf_init(&out, (size_t)1 << 20);
        const char *from = text;
        const char *hit = strstr(from, edits[0]);
        if (!hit)
            dh_check_failed(__FILE__, __LINE__, edits[0]);
        for (; hit; hit = strstr(from, edits[0])) {
            dh_buf_put(&out, from, (size_t)(hit - from));
            dh_buf_puts(&out, edits[1]);
            from = hit + strlen(edits[0]);
        }
        dh_buf_puts(&out, from);
        dh_free(text);
        text = dh_buf_take(&out);
    }
    return text;
}

// -------------------------------------------------------------------- values

static bool has(const char *name, const char *part)
{
    return strstr(name, part) != NULL;
}

static double scale_of(const char *name, double *base)
{
    static const struct {
        const char *part;
        double scale;
    } scales[] = {
        { "embed_tokens", 1.0 }, { "lm_head", 0.3 },    { "q_proj", 0.35 },
        { "k_proj", 0.35 },      { "v_proj", 0.2 },     { "o_proj", 0.2 },
        { "gate_proj", 0.9 },    { "up_proj", 0.9 },    { ".w1.", 0.9 },
        { ".w3.", 0.9 },         { "down_proj", 0.12 }, { ".w2.", 0.12 },
        { "moe.gate.", 0.5 },    { "e_score", 0.2 },
    };
    bool is_bias = has(name, ".bias");
    *base = 0;
    if (strncmp(name, "language_model.", 15) != 0) {
        if (has(name, "norm")) {
            *base = is_bias ? 0 : 1;
            return is_bias ? 0.1 : 0.3;
        }
        return is_bias ? 0.1 : 0.2;
    }
    if (has(name, "norm"))
        return 0.3;
    for (size_t i = 0; i < DH_COUNTOF(scales); i++)
        if (has(name, scales[i].part))
            return scales[i].scale;
    dh_check_failed(__FILE__, __LINE__, name);
    return 0;
}

void dh_checkpoint_values(const char *name, size_t n, float *out)
{
    uint64_t seed = 0xcbf29ce484222325;
    for (const char *p = name; *p; p++)
        seed = (seed ^ (uint8_t)*p) * 0x100000001b3;
    double base, scale = scale_of(name, &base);
    for (size_t k = 0; k < n; k++) {
        uint64_t z = seed + (k + 1) * 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        z ^= z >> 31;
        double r = (double)(z >> 40) / 8388608.0 - 1.0;
        out[k] = (float)(base + r * scale);
    }
}

// -------------------------------------------------------------------- writer

enum kind { KIND_F32, KIND_VECTOR, KIND_MATRIX, KIND_DECODER_MATRIX };

struct item {
    char name[160];
    int64_t shape[5];
    int n_dims;
    enum dh_dtype dtype;
    uint8_t *data;
    size_t bytes;
};

struct writer {
    const struct dh_checkpoint_spec *spec;
    struct dh_config config;
    struct item *items;
    size_t n;
    // the tensor that is being put together
    float *values;
    size_t n_values;
};

static void map_name(const struct writer *w, const char *released, char *out,
                     size_t out_bytes)
{
    static const char *const changes[][2] = {
        { "language_model.model.", "model.language_model." },
        { "language_model.lm_head", "lm_head" },
        { "self_attn.index_", "self_attn.indexer." },
        { "block_sparse_moe.e_score", "mlp.gate.e_score" },
        { "block_sparse_moe.", "mlp." },
        { "vision_tower.vision_model.embeddings.patch_embedding",
          "model.vision_tower.embeddings.proj" },
        { "vision_tower.vision_model.encoder.", "model.vision_tower." },
        { "vision_tower.vision_model.", "model.vision_tower." },
        { "multi_modal_projector.", "model.multi_modal_projector." },
        { "patch_merge_mlp.linear_",
          "model.multi_modal_projector.merge_linear_" },
    };
    snprintf(out, out_bytes, "%s", released);
    if (w->spec->names == DH_CHECKPOINT_RELEASED)
        return;
    for (size_t i = 0; i < DH_COUNTOF(changes); i++) {
        const char *to = changes[i][1];
        if (i == 0 && w->spec->names == DH_CHECKPOINT_TEXT_ONLY)
            to = "model.";
        char *at = strstr(out, changes[i][0]);
        if (!at)
            continue;
        char rest[160];
        snprintf(rest, sizeof(rest), "%s", at + strlen(changes[i][0]));
        snprintf(at, out_bytes - (size_t)(at - out), "%s%s", to, rest);
    }
}

static size_t count_of(const int64_t *shape, int n_dims)
{
    size_t n = 1;
    for (int i = 0; i < n_dims; i++)
        n *= (size_t)shape[i];
    return n;
}

static struct item *new_item(struct writer *w, const char *name,
                             const int64_t *shape, int n_dims,
                             enum dh_dtype dtype)
{
    w->items = dh_resize_array(w->items, w->n + 1, sizeof(*w->items));
    struct item *t = &w->items[w->n++];
    *t = (struct item){ .n_dims = n_dims, .dtype = dtype };
    snprintf(t->name, sizeof(t->name), "%s", name);
    memcpy(t->shape, shape, (size_t)n_dims * sizeof(*shape));
    t->bytes = count_of(shape, n_dims) * dh_dtype_bytes(dtype);
    dh_array(t->data, t->bytes);
    return t;
}

static uint8_t nearest_e4m3(float v)
{
    int best = 0;
    for (int i = 1; i < 256; i++)
        if (fabsf(dh_quant_e4m3((uint8_t)i) - v) <
            fabsf(dh_quant_e4m3((uint8_t)best) - v))
            best = i;
    return (uint8_t)best;
}

static void put_mxfp8(struct writer *w, const char *name, const int64_t *shape,
                      int n_dims)
{
    int64_t blocks[5];
    memcpy(blocks, shape, (size_t)n_dims * sizeof(*shape));
    blocks[n_dims - 1] /= DH_QUANT_MX_BLOCK;
    char scale_name[200];
    snprintf(scale_name, sizeof(scale_name), "%s_scale_inv", name);
    new_item(w, name, shape, n_dims, DH_F8_E4M3);
    new_item(w, scale_name, blocks, n_dims, DH_U8);
    uint8_t *codes = w->items[w->n - 2].data;
    uint8_t *scales = w->items[w->n - 1].data;
    for (size_t b = 0; b < w->n_values / DH_QUANT_MX_BLOCK; b++) {
        const float *v = w->values + b * DH_QUANT_MX_BLOCK;
        float most = 0;
        for (int i = 0; i < DH_QUANT_MX_BLOCK; i++)
            most = DH_MAX(most, fabsf(v[i]));
        int e = most > 0 ? (int)ceilf(log2f(most / 448)) : 0;
        scales[b] = (uint8_t)(e + 127);
        for (int i = 0; i < DH_QUANT_MX_BLOCK; i++)
            codes[b * DH_QUANT_MX_BLOCK + (size_t)i] =
                nearest_e4m3(ldexpf(v[i], -e));
    }
    if (w->spec->skip && strcmp(scale_name, w->spec->skip) == 0)
        dh_free(w->items[--w->n].data);
}

static void put_floats(struct writer *w, const char *name, const int64_t *shape,
                       int n_dims, enum dh_dtype dtype)
{
    struct item *t = new_item(w, name, shape, n_dims, dtype);
    if (dtype == DH_F32) {
        memcpy(t->data, w->values, t->bytes);
        return;
    }
    uint16_t *to = (uint16_t *)(void *)t->data;
    for (size_t i = 0; i < count_of(shape, n_dims); i++)
        to[i] = dtype == DH_BF16 ? dh_f32_to_bf16(w->values[i])
                                 : dh_f32_to_f16(w->values[i]);
}

// The values of one released tensor go behind those put before.
static void put(struct writer *w, const char *released, size_t n)
{
    w->values = dh_resize_array(w->values, w->n_values + n, sizeof(*w->values));
    dh_checkpoint_values(released, n, w->values + w->n_values);
    w->n_values += n;
}

// All that was put is the tensor of this written name.
static void finish_item(struct writer *w, const char *name,
                        const int64_t *given, int n_dims, enum kind kind)
{
    const struct dh_checkpoint_spec *spec = w->spec;
    int64_t shape[5];
    memcpy(shape, given, (size_t)n_dims * sizeof(*given));
    CHECK_INT(w->n_values, count_of(shape, n_dims));
    if (spec->narrow && strcmp(name, spec->narrow) == 0)
        shape[0]--;
    if (spec->skip && strcmp(name, spec->skip) == 0)
        ;
    else if (kind == KIND_DECODER_MATRIX && spec->mxfp8 &&
             shape[n_dims - 1] % DH_QUANT_MX_BLOCK == 0)
        put_mxfp8(w, name, shape, n_dims);
    else
        put_floats(w, name, shape, n_dims,
                   kind == KIND_F32 ? DH_F32 : spec->dtype);
    w->n_values = 0;
}

static void add(struct writer *w, const char *released, enum kind kind,
                int n_dims, const int64_t *shape)
{
    char name[160];
    map_name(w, released, name, sizeof(name));
    put(w, released, count_of(shape, n_dims));
    finish_item(w, name, shape, n_dims, kind);
}

static void add_vector(struct writer *w, const char *released, int n)
{
    add(w, released, KIND_VECTOR, 1, (const int64_t[]){ n });
}

static void add_matrix(struct writer *w, const char *released, enum kind kind,
                       int rows, int cols)
{
    add(w, released, kind, 2, (const int64_t[]){ rows, cols });
}

DH_PRINTF(1, 2) static const char *fmt(const char *format, ...)
{
    static char text[4][160];
    static int next;
    char *out = text[next++ % 4];
    va_list ap;
    va_start(ap, format);
    vsnprintf(out, sizeof(text[0]), format, ap);
    va_end(ap);
    return out;
}

// ------------------------------------------------------------------- tensors

static void add_attention(struct writer *w, const char *at, bool sparse)
{
    const struct dh_text_config *c = &w->config.text;
    int h = c->hidden_size, q = c->num_attention_heads * c->head_dim;
    int kv = c->num_key_value_heads * c->head_dim;
    enum kind k = KIND_DECODER_MATRIX;
    add_vector(w, fmt("%s.input_layernorm.weight", at), h);
    add_vector(w, fmt("%s.post_attention_layernorm.weight", at), h);
    add_matrix(w, fmt("%s.self_attn.q_proj.weight", at), k, q, h);
    add_matrix(w, fmt("%s.self_attn.k_proj.weight", at), k, kv, h);
    add_matrix(w, fmt("%s.self_attn.v_proj.weight", at), k, kv, h);
    add_matrix(w, fmt("%s.self_attn.o_proj.weight", at), k, h, q);
    add_vector(w, fmt("%s.self_attn.q_norm.weight", at), c->head_dim);
    add_vector(w, fmt("%s.self_attn.k_norm.weight", at), c->head_dim);
    if (!sparse)
        return;
    add_matrix(w, fmt("%s.self_attn.index_q_proj.weight", at), k,
               c->index_n_heads * c->index_head_dim, h);
    add_matrix(w, fmt("%s.self_attn.index_k_proj.weight", at), k,
               c->index_head_dim, h);
    add_vector(w, fmt("%s.self_attn.index_q_norm.weight", at),
               c->index_head_dim);
    add_vector(w, fmt("%s.self_attn.index_k_norm.weight", at),
               c->index_head_dim);
}

static void add_mlp(struct writer *w, const char *at, int width)
{
    int h = w->config.text.hidden_size;
    enum kind k = KIND_DECODER_MATRIX;
    add_matrix(w, fmt("%s.down_proj.weight", at), k, h, width);
    if (w->spec->names == DH_CHECKPOINT_RELEASED) {
        add_matrix(w, fmt("%s.gate_proj.weight", at), k, width, h);
        add_matrix(w, fmt("%s.up_proj.weight", at), k, width, h);
        return;
    }
    char name[160];
    map_name(w, fmt("%s.gate_up_proj.weight", at), name, sizeof(name));
    put(w, fmt("%s.gate_proj.weight", at), (size_t)width * (size_t)h);
    put(w, fmt("%s.up_proj.weight", at), (size_t)width * (size_t)h);
    finish_item(w, name, (const int64_t[]){ 2 * width, h }, 2, k);
}

static void add_stacked_experts(struct writer *w, const char *at)
{
    const struct dh_text_config *c = &w->config.text;
    int n = c->num_local_experts, width = c->intermediate_size;
    size_t each = (size_t)width * (size_t)c->hidden_size;
    char name[160];
    for (int e = 0; e < n; e++) {
        put(w, fmt("%s.experts.%d.w1.weight", at, e), each);
        put(w, fmt("%s.experts.%d.w3.weight", at, e), each);
    }
    map_name(w, fmt("%s.experts.gate_up_proj", at), name, sizeof(name));
    finish_item(w, name, (const int64_t[]){ n, 2 * width, c->hidden_size }, 3,
                KIND_DECODER_MATRIX);
    for (int e = 0; e < n; e++)
        put(w, fmt("%s.experts.%d.w2.weight", at, e), each);
    map_name(w, fmt("%s.experts.down_proj", at), name, sizeof(name));
    finish_item(w, name, (const int64_t[]){ n, c->hidden_size, width }, 3,
                KIND_DECODER_MATRIX);
}

static void add_moe(struct writer *w, const char *at)
{
    const struct dh_text_config *c = &w->config.text;
    int n = c->num_local_experts, width = c->intermediate_size;
    int h = c->hidden_size;
    enum kind k = KIND_DECODER_MATRIX;
    add_matrix(w, fmt("%s.gate.weight", at), KIND_F32, n, h);
    add(w, fmt("%s.e_score_correction_bias", at), KIND_F32, 1,
        (const int64_t[]){ n });
    char shared[160];
    snprintf(shared, sizeof(shared), "%s.shared_experts", at);
    add_mlp(w, shared, c->shared_intermediate_size);
    if (w->spec->names != DH_CHECKPOINT_RELEASED) {
        add_stacked_experts(w, at);
        return;
    }
    for (int e = 0; e < n; e++) {
        add_matrix(w, fmt("%s.experts.%d.w1.weight", at, e), k, width, h);
        add_matrix(w, fmt("%s.experts.%d.w3.weight", at, e), k, width, h);
        add_matrix(w, fmt("%s.experts.%d.w2.weight", at, e), k, h, width);
    }
}

static void add_text(struct writer *w)
{
    const struct dh_text_config *c = &w->config.text;
    add_matrix(w, "language_model.model.embed_tokens.weight", KIND_MATRIX,
               c->vocab_size, c->hidden_size);
    add_vector(w, "language_model.model.norm.weight", c->hidden_size);
    if (!c->tie_word_embeddings)
        add_matrix(w, "language_model.lm_head.weight", KIND_MATRIX,
                   c->vocab_size, c->hidden_size);
    for (int i = 0; i < c->num_hidden_layers; i++) {
        char at[100], moe[140];
        snprintf(at, sizeof(at), "language_model.model.layers.%d", i);
        snprintf(moe, sizeof(moe), "%s.%s", at,
                 c->layer_moe[i] ? "block_sparse_moe" : "mlp");
        add_attention(w, at, c->layer_sparse[i]);
        if (c->layer_moe[i])
            add_moe(w, moe);
        else
            add_mlp(w, moe, c->dense_intermediate_size);
    }
}

static void add_linear(struct writer *w, const char *at, int rows, int cols)
{
    add_matrix(w, fmt("%s.weight", at), KIND_MATRIX, rows, cols);
    add_vector(w, fmt("%s.bias", at), rows);
}

static void add_norm(struct writer *w, const char *at, int n)
{
    add_vector(w, fmt("%s.weight", at), n);
    add_vector(w, fmt("%s.bias", at), n);
}

static void add_vision_layer(struct writer *w, const char *at)
{
    static const char *const square[] = { "q", "k", "v", "out" };
    int d = w->config.vision.hidden_size;
    int wide = w->config.vision.intermediate_size;
    char x[140];
    for (size_t k = 0; k < DH_COUNTOF(square); k++) {
        snprintf(x, sizeof(x), "%s.self_attn.%s_proj", at, square[k]);
        add_linear(w, x, d, d);
    }
    snprintf(x, sizeof(x), "%s.mlp.fc1", at);
    add_linear(w, x, wide, d);
    snprintf(x, sizeof(x), "%s.mlp.fc2", at);
    add_linear(w, x, d, wide);
    snprintf(x, sizeof(x), "%s.layer_norm1", at);
    add_norm(w, x, d);
    snprintf(x, sizeof(x), "%s.layer_norm2", at);
    add_norm(w, x, d);
}

static void add_vision(struct writer *w)
{
    const struct dh_vision_config *c = &w->config.vision;
    int d = c->hidden_size, h = w->config.text.hidden_size;
    int p = w->config.projector_hidden_size;
    add(w, "vision_tower.vision_model.embeddings.patch_embedding.weight",
        KIND_F32, 5,
        (const int64_t[]){ d, c->num_channels, c->temporal_patch_size,
                           c->patch_size, c->patch_size });
    add_norm(w, "vision_tower.vision_model.pre_layrnorm", d);
    for (int j = 0; j < c->num_hidden_layers; j++) {
        char at[100];
        snprintf(at, sizeof(at), "vision_tower.vision_model.encoder.layers.%d",
                 j);
        add_vision_layer(w, at);
    }
    int merged = h * c->spatial_merge_size * c->spatial_merge_size;
    add_linear(w, "multi_modal_projector.linear_1", p, d);
    add_linear(w, "multi_modal_projector.linear_2", h, p);
    add_linear(w, "patch_merge_mlp.linear_1", p, merged);
    add_linear(w, "patch_merge_mlp.linear_2", h, p);
}

// --------------------------------------------------------------------- files

static void put_header(const struct writer *w, size_t from, size_t to,
                       struct dh_buf *out)
{
    struct dh_json_writer j;
    dh_jw_init(&j, out);
    dh_jw_object(&j, NULL);
    dh_jw_object(&j, "__metadata__");
    dh_jw_text(&j, "format", "pt");
    dh_jw_end_object(&j);
    size_t at = 0;
    for (size_t i = from; i < to; i++) {
        const struct item *t = &w->items[i];
        dh_jw_object(&j, t->name);
        dh_jw_text(&j, "dtype", dh_dtype_name(t->dtype));
        dh_jw_array(&j, "shape");
        for (int d = 0; d < t->n_dims; d++)
            dh_jw_i64(&j, NULL, t->shape[d]);
        dh_jw_end_array(&j);
        dh_jw_array(&j, "data_offsets");
        dh_jw_i64(&j, NULL, (int64_t)at);
        at += t->bytes;
        dh_jw_i64(&j, NULL, (int64_t)at);
        dh_jw_end_array(&j);
        dh_jw_end_object(&j);
    }
    dh_jw_end_object(&j);
}

static void write_file(const char *dir, const char *name, const char *data,
                       size_t len)
{
    char *path = dh_path_join(dir, name);
    CHECK_INT(dh_file_write(path, data, len), DH_OK);
    dh_free(path);
}

static void write_shard(const struct writer *w, const char *dir,
                        const char *name, size_t from, size_t to)
{
    struct dh_buf header, file;
    dh_buf_init(&header, (size_t)16 << 20);
    dh_buf_init(&file, (size_t)256 << 20);
    put_header(w, from, to, &header);
    while (header.len % 8 != (w->spec->unaligned ? 1 : 0))
        dh_buf_putc(&header, ' ');
    for (int i = 0; i < 8; i++)
        dh_buf_putc(&file, (char)(header.len >> (8 * i) & 255));
    dh_buf_put(&file, header.data, header.len);
    for (size_t i = from; i < to; i++)
        dh_buf_put(&file, w->items[i].data, w->items[i].bytes);
    CHECK(!file.overflow);
    write_file(dir, name, file.data, file.len);
    dh_buf_finish(&header);
    dh_buf_finish(&file);
}

static void write_shards(const struct writer *w, const char *dir, int n_shards)
{
    struct dh_buf index;
    struct dh_json_writer j;
    dh_buf_init(&index, (size_t)16 << 20);
    dh_jw_init(&j, &index);
    dh_jw_object(&j, NULL);
    dh_jw_object(&j, "metadata");
    dh_jw_i64(&j, "total_size", 1); // wrong in the release, too
    dh_jw_end_object(&j);
    dh_jw_object(&j, "weight_map");
    for (int s = 0; s < n_shards; s++) {
        char name[64];
        snprintf(name, sizeof(name), "model-%05d-of-%05d.safetensors", s + 1,
                 n_shards);
        size_t from = w->n * (size_t)s / (size_t)n_shards;
        size_t to = w->n * (size_t)(s + 1) / (size_t)n_shards;
        for (size_t i = from; i < to; i++)
            dh_jw_text(&j, w->items[i].name, name);
        write_shard(w, dir, name, from, to);
    }
    dh_jw_end_object(&j);
    dh_jw_end_object(&j);
    write_file(dir, "model.safetensors.index.json", index.data, index.len);
    dh_buf_finish(&index);
}

static void write_config(const char *dir, const char *json, bool text_only)
{
    struct dh_diag diag = { 0 };
    struct dh_json *root = dh_json_parse(json, strlen(json), &diag);
    CHECK(root);
    const struct dh_json *text = dh_json_find(root, "text_config");
    struct dh_buf out;
    dh_buf_init(&out, (size_t)1 << 20);
    dh_json_print(text_only && text ? text : root, &out);
    write_file(dir, "config.json", out.data, out.len);
    dh_buf_finish(&out);
    dh_json_free(root);
}

// The larger types first, as real writers do, so that all stay aligned.
static void sort_by_width(struct writer *w)
{
    struct item *sorted;
    size_t at = 0;
    dh_array(sorted, w->n);
    for (size_t width = 4; width > 0; width /= 2)
        for (size_t i = 0; i < w->n; i++)
            if (dh_dtype_bytes(w->items[i].dtype) == width)
                sorted[at++] = w->items[i];
    CHECK_INT(at, w->n);
    dh_free(w->items);
    w->items = sorted;
}

void dh_checkpoint_write(const char *dir, const struct dh_checkpoint_spec *s)
{
    const char *json = s->config ? s->config : dh_checkpoint_config;
    bool text_only = s->names == DH_CHECKPOINT_TEXT_ONLY;
    struct writer w = { .spec = s };
    struct dh_diag diag = { 0 };
    if (dh_config_parse(json, strlen(json), &w.config, &diag) != DH_OK)
        dh_check_failed(__FILE__, __LINE__, diag.text);
    write_config(dir, json, text_only);
    add_text(&w);
    if (w.config.has_vision && !text_only)
        add_vision(&w);
    if (s->add_mtp)
        new_item(&w, "model.mtp.layers.0.norm.weight", (const int64_t[]){ 4 },
                 1, DH_F32);
    sort_by_width(&w);
    if (s->shards > 0)
        write_shards(&w, dir, s->shards);
    else
        write_shard(&w, dir, "model.safetensors", 0, w.n);
    for (size_t i = 0; i < w.n; i++)
        dh_free(w.items[i].data);
    dh_free(w.items);
    dh_free(w.values);
}
