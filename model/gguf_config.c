// A GGUF file's metadata as the texts that a published checkpoint has.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/gguf_priv.h"

#define DH_LOG_TAG "gguf"
#include "base/log.h"

// The first thing that is missing stays in diag.
struct reader {
    const struct dh_gguf *g;
    struct dh_diag *diag;
    char arch[32];
    bool failed;
};

static const struct dh_gguf_value *value(const struct reader *r,
                                         const char *key)
{
    char full[128];
    snprintf(full, sizeof(full), "%s.%s", r->arch, key);
    return dh_gguf_find(r->g, full);
}

static int64_t number(struct reader *r, const char *key)
{
    int64_t v = 0;
    if (!dh_gguf_i64(value(r, key), &v)) {
        dh_diag_set(r->diag, 0, "%s.%s: a whole number expected", r->arch, key);
        r->failed = true;
    }
    return v;
}

static int64_t number_or(struct reader *r, const char *key, int64_t otherwise)
{
    return value(r, key) ? number(r, key) : otherwise;
}

static double real_or(struct reader *r, const char *key, double otherwise)
{
    double v = otherwise;
    if (value(r, key) && !dh_gguf_double(value(r, key), &v)) {
        dh_diag_set(r->diag, 0, "%s.%s: a number expected", r->arch, key);
        r->failed = true;
    }
    return v;
}

static const struct dh_tensor *tensor(const struct reader *r, int layer,
                                      const char *name)
{
    char full[128];
    snprintf(full, sizeof(full), "blk.%d.%s", layer, name);
    return dh_tensors_find(dh_gguf_list(r->g), layer < 0 ? name : full);
}

// Where the metadata does not say it.
static int64_t rows_of(const struct dh_tensor *t, int64_t otherwise)
{
    return t && t->n_dims >= 2 ? t->shape[t->n_dims - 2] : otherwise;
}

static bool is_known(struct reader *r)
{
    struct dh_str arch = { 0 };
    bool good =
        dh_gguf_text(dh_gguf_find(r->g, "general.architecture"), &arch) &&
        (dh_str_is(arch, "minimax-m3") || dh_str_is(arch, "minimax_m3"));
    if (!good)
        dh_diag_set(r->diag, 0,
                    "general.architecture is '%.*s': minimax-m3 is supported%s",
                    (int)DH_MIN(arch.n, 60), arch.p ? arch.p : "",
                    dh_str_is(arch, "clip") ? "; this one is the vision file "
                                              "(mmproj) of a model"
                                            : "");
    else
        snprintf(r->arch, sizeof(r->arch), "%.*s", (int)arch.n, arch.p);
    return good;
}

// One flag for each layer: has it this tensor?
static int put_flags(struct reader *r, struct dh_json_writer *w,
                     const char *key, const char *name, int layers)
{
    int first = -1;
    dh_jw_array(w, key);
    for (int i = 0; i < layers; i++) {
        bool has = tensor(r, i, name) != NULL;
        first = has && first < 0 ? i : first;
        dh_jw_i64(w, NULL, has);
    }
    dh_jw_end_array(w);
    return first;
}

static void put_shape(struct reader *r, struct dh_json_writer *w, int layers)
{
    int64_t dim = number(r, "attention.key_length");
    dh_jw_i64(w, "hidden_size", number(r, "embedding_length"));
    dh_jw_i64(w, "num_hidden_layers", layers);
    dh_jw_i64(w, "num_attention_heads", number(r, "attention.head_count"));
    dh_jw_i64(w, "num_key_value_heads", number(r, "attention.head_count_kv"));
    dh_jw_i64(w, "head_dim", dim);
    dh_jw_i64(w, "vocab_size",
              rows_of(tensor(r, -1, "token_embd.weight"),
                      number_or(r, "vocab_size", 0)));
    dh_jw_i64(w, "max_position_embeddings",
              number_or(r, "context_length", 524288));
    dh_jw_i64(w, "rotary_dim", number_or(r, "rope.dimension_count", dim));
    dh_jw_double(w, "rope_theta", real_or(r, "rope.freq_base", 5e6));
    // The file's float is not the decimal number that it was made of.
    double eps = real_or(r, "attention.layer_norm_rms_epsilon", 1e-6);
    dh_jw_double(w, "rms_norm_eps", eps);
    dh_jw_bool(w, "tie_word_embeddings", !tensor(r, -1, "output.weight"));
    if (number_or(r, "attention.value_length", dim) != dim) {
        dh_diag_set(r->diag, 0, "%s.attention.value_length is not key_length",
                    r->arch);
        r->failed = true;
    }
}

static void put_experts(struct reader *r, struct dh_json_writer *w, int layers)
{
    int moe = put_flags(r, w, "moe_layer_freq", "ffn_gate_inp.weight", layers);
    if (moe < layers - 1 || value(r, "feed_forward_length"))
        dh_jw_i64(w, "dense_intermediate_size",
                  number(r, "feed_forward_length"));
    if (moe < 0)
        return;
    int64_t width = number(r, "expert_feed_forward_length");
    int64_t shared = number_or(r, "expert_shared_count", 1) * width;
    dh_jw_i64(w, "intermediate_size", width);
    dh_jw_i64(w, "shared_intermediate_size",
              rows_of(tensor(r, moe, "ffn_gate_shexp.weight"), shared));
    dh_jw_i64(w, "num_local_experts", number(r, "expert_count"));
    dh_jw_i64(w, "num_experts_per_tok", number(r, "expert_used_count"));
    dh_jw_double(w, "routed_scaling_factor",
                 real_or(r, "expert_weights_scale", 2));
    // 2 is the sigmoid.
    dh_jw_text(w, "scoring_func",
               number_or(r, "expert_gating_func", 2) == 2 ? "sigmoid"
                                                          : "another one");
}

static void put_sparse(struct reader *r, struct dh_json_writer *w, int layers)
{
    dh_jw_object(w, "sparse_attention_config");
    int first = put_flags(r, w, "sparse_attention_freq",
                          "indexer.q_proj.weight", layers);
    put_flags(r, w, "sparse_disable_index_value", "indexer.q_proj.weight",
              layers);
    dh_jw_bool(w, "use_sparse_attention", first >= 0);
    if (first >= 0) {
        dh_jw_i64(w, "sparse_num_index_heads",
                  number(r, "attention.indexer.head_count"));
        dh_jw_i64(w, "sparse_index_dim",
                  number(r, "attention.indexer.key_length"));
        dh_jw_i64(w, "sparse_topk_blocks",
                  number(r, "attention.indexer.top_k"));
        dh_jw_i64(w, "sparse_block_size",
                  number(r, "attention.indexer.block_size"));
        dh_jw_i64(w, "sparse_local_block",
                  number_or(r, "attention.indexer.local_blocks", 1));
        dh_jw_text(w, "sparse_score_type", "max");
    } else {
        dh_warn("the file has no indexer tensors: attention is dense, which "
                "beyond 2048 tokens is another model");
    }
    dh_jw_end_object(w);
}

// The id of a token by its text, or that of the published vocabulary.
static int64_t id_of(const struct dh_gguf *g, const char *want,
                     int64_t otherwise)
{
    const struct dh_gguf_value *v = dh_gguf_find(g, "tokenizer.ggml.tokens");
    struct dh_str text;
    size_t at = 0;
    for (int64_t id = 0; dh_gguf_next_text(v, &at, &text); id++)
        if (dh_str_is(text, want))
            return id;
    return otherwise;
}

// What a vision file says of the tower; it does not say all.
static void put_vision(struct reader *r, struct dh_json_writer *w)
{
    struct reader v = *r;
    snprintf(v.arch, sizeof(v.arch), "clip.vision");
    char name[40] = "v.patch_embd.weight";
    int frames = 0;
    while (frames < 8 && tensor(r, -1, name))
        snprintf(name, sizeof(name), "v.patch_embd.weight.%d", ++frames);
    dh_jw_object(w, "vision_config");
    dh_jw_i64(w, "hidden_size", number(&v, "embedding_length"));
    dh_jw_i64(w, "num_hidden_layers", number(&v, "block_count"));
    dh_jw_i64(w, "num_attention_heads", number(&v, "attention.head_count"));
    dh_jw_i64(w, "intermediate_size", number(&v, "feed_forward_length"));
    dh_jw_i64(w, "patch_size", number(&v, "patch_size"));
    dh_jw_double(w, "layer_norm_eps",
                 real_or(&v, "attention.layer_norm_epsilon", 1e-5));
    dh_jw_i64(w, "spatial_merge_size", number_or(&v, "spatial_merge_size", 2));
    dh_jw_i64(w, "temporal_patch_size", DH_MAX(frames, 2));
    dh_jw_end_object(w);
    dh_jw_i64(w, "projector_hidden_size",
              rows_of(tensor(r, -1, "mm.1.weight"), 0));
    // Only files of deskhand say the ids themselves.
    dh_jw_i64(
        w, "image_token_id",
        number_or(&v, "image_token_id", id_of(r->g, "]<]image[>[", 200025)));
    dh_jw_i64(
        w, "video_token_id",
        number_or(&v, "video_token_id", id_of(r->g, "]<]video[>[", 200026)));
    r->failed = v.failed;
}

static void put_token(struct reader *r, struct dh_json_writer *w,
                      const char *key, const char *name)
{
    int64_t id;
    if (dh_gguf_i64(dh_gguf_find(r->g, name), &id))
        dh_jw_i64(w, key, id);
}

enum dh_status dh_gguf_config(const struct dh_gguf *g, struct dh_config *out,
                              struct dh_diag *diag)
{
    struct reader r = { .g = g, .diag = diag };
    if (!is_known(&r))
        return DH_ERR_UNSUPPORTED;
    int64_t layers = number(&r, "block_count");
    if (r.failed || layers < 1 || layers > DH_CONFIG_MAX_LAYERS) {
        dh_diag_set(diag, 0, "%s.block_count: %" PRId64 " layers", r.arch,
                    layers);
        return DH_ERR_FORMAT;
    }
    struct dh_buf text;
    struct dh_json_writer w;
    dh_buf_init(&text, 1 << 20);
    dh_jw_init(&w, &text);
    dh_jw_object(&w, NULL);
    dh_jw_array(&w, "architectures");
    dh_jw_text(&w, NULL, "MiniMaxM3SparseForCausalLM");
    dh_jw_end_array(&w);
    put_shape(&r, &w, (int)layers);
    put_experts(&r, &w, (int)layers);
    put_sparse(&r, &w, (int)layers);
    if (dh_gguf_find(g, "clip.has_vision_encoder"))
        put_vision(&r, &w);
    put_token(&r, &w, "bos_token_id", "tokenizer.ggml.bos_token_id");
    put_token(&r, &w, "eos_token_id", "tokenizer.ggml.eos_token_id");
    dh_jw_end_object(&w);
    enum dh_status st = DH_ERR_FORMAT;
    if (!r.failed)
        st = dh_config_parse(dh_buf_text(&text), text.len, out, diag);
    dh_buf_finish(&text);
    return st;
}

// ----------------------------------------------------------------- tokenizer

// How a text is split before the merges: a file has only a name for it.
static const char o200k[] =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*"
    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|"
                           " ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static const struct {
    const char *name, *regex;
} splits[] = {
    { "minimax-m2", o200k }, // as llama.cpp calls it for this model too
    { "minimax-m3", o200k },
    { "gpt-2", gpt2 },
};

const char *dh_gguf_split_name(const char *regex)
{
    for (size_t i = 0; i < DH_COUNTOF(splits); i++)
        if (strcmp(splits[i].regex, regex) == 0)
            return splits[i].name;
    return NULL;
}

static const char *find_split(const struct dh_gguf *g, struct dh_diag *diag)
{
    struct dh_str model = { 0 }, pre = { 0 };
    if (!dh_gguf_text(dh_gguf_find(g, "tokenizer.ggml.model"), &model) ||
        !dh_str_is(model, "gpt2")) {
        dh_diag_set(diag, 0, "tokenizer.ggml.model is '%.*s', not gpt2",
                    (int)DH_MIN(model.n, 40), model.p ? model.p : "");
        return NULL;
    }
    bool given = dh_gguf_text(dh_gguf_find(g, "tokenizer.ggml.pre"), &pre);
    for (size_t i = 0; given && i < DH_COUNTOF(splits); i++)
        if (dh_str_is(pre, splits[i].name))
            return splits[i].regex;
    dh_diag_set(diag, 0, "tokenizer.ggml.pre is '%.*s', which is not known",
                (int)DH_MIN(pre.n, 40), pre.p ? pre.p : "");
    return NULL;
}

// The type of the i-th token; 1, an ordinary one, where there are no types.
static int64_t type_of(const struct dh_gguf_value *types, uint64_t i)
{
    bool there =
        types && types->is_array && types->type == DH_GGUF_I32 && i < types->n;
    return there ? types->data[4 * i] : 1;
}

#define CONTROL      3
#define USER_DEFINED 4

static void put_tokens(const struct dh_gguf *g, struct dh_json_writer *w,
                       bool added)
{
    const struct dh_gguf_value *tokens =
        dh_gguf_find(g, "tokenizer.ggml.tokens");
    const struct dh_gguf_value *types =
        dh_gguf_find(g, "tokenizer.ggml.token_type");
    struct dh_str text;
    size_t at = 0;
    char key[512];
    for (uint64_t i = 0; dh_gguf_next_text(tokens, &at, &text); i++) {
        int64_t type = type_of(types, i);
        bool is_added = type == CONTROL || type == USER_DEFINED;
        if (is_added != added)
            continue;
        if (added) {
            dh_jw_object(w, NULL);
            dh_jw_i64(w, "id", (int64_t)i);
            dh_jw_str(w, "content", text);
            dh_jw_bool(w, "special", type == CONTROL);
            dh_jw_end_object(w);
        } else if (text.n < sizeof(key)) {
            snprintf(key, sizeof(key), "%.*s", (int)text.n, text.p);
            dh_jw_i64(w, key, (int64_t)i);
        }
    }
}

static void put_merges(const struct dh_gguf *g, struct dh_json_writer *w)
{
    const struct dh_gguf_value *merges =
        dh_gguf_find(g, "tokenizer.ggml.merges");
    struct dh_str text;
    size_t at = 0;
    dh_jw_array(w, "merges");
    while (dh_gguf_next_text(merges, &at, &text))
        dh_jw_str(w, NULL, text);
    dh_jw_end_array(w);
}

static void put_pretokenizer(struct dh_json_writer *w, const char *regex)
{
    dh_jw_object(w, "pre_tokenizer");
    dh_jw_text(w, "type", "Sequence");
    dh_jw_array(w, "pretokenizers");
    dh_jw_object(w, NULL);
    dh_jw_text(w, "type", "Split");
    dh_jw_object(w, "pattern");
    dh_jw_text(w, "Regex", regex);
    dh_jw_end_object(w);
    dh_jw_text(w, "behavior", "Isolated");
    dh_jw_bool(w, "invert", false);
    dh_jw_end_object(w);
    dh_jw_object(w, NULL);
    dh_jw_text(w, "type", "ByteLevel");
    dh_jw_bool(w, "add_prefix_space", false);
    dh_jw_bool(w, "use_regex", false);
    dh_jw_end_object(w);
    dh_jw_end_array(w);
    dh_jw_end_object(w);
}

enum dh_status dh_gguf_tokenizer(const struct dh_gguf *g, struct dh_buf *json,
                                 struct dh_diag *diag)
{
    const char *regex = find_split(g, diag);
    const struct dh_gguf_value *tokens =
        dh_gguf_find(g, "tokenizer.ggml.tokens");
    if (!regex)
        return DH_ERR_UNSUPPORTED;
    if (!tokens || !tokens->is_array || tokens->type != DH_GGUF_STRING) {
        dh_diag_set(diag, 0, "tokenizer.ggml.tokens is missing");
        return DH_ERR_UNSUPPORTED;
    }
    struct dh_json_writer w;
    dh_jw_init(&w, json);
    dh_jw_object(&w, NULL);
    dh_jw_array(&w, "added_tokens");
    put_tokens(g, &w, true);
    dh_jw_end_array(&w);
    put_pretokenizer(&w, regex);
    dh_jw_object(&w, "decoder");
    dh_jw_text(&w, "type", "ByteLevel");
    dh_jw_end_object(&w);
    dh_jw_object(&w, "model");
    dh_jw_text(&w, "type", "BPE");
    dh_jw_object(&w, "vocab");
    put_tokens(g, &w, false);
    dh_jw_end_object(&w);
    put_merges(g, &w);
    dh_jw_end_object(&w);
    dh_jw_end_object(&w);
    if (json->overflow) {
        dh_diag_set(diag, 0, "the vocabulary is too large");
        return DH_ERR_RANGE;
    }
    return DH_OK;
}
