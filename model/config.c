#include "model/config_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/mem.h"

// Limits that no sane checkpoint meets, so that products of two sizes fit an
// int and products of any four fit 64 bits.
#define MAX_WIDTH    65536
#define MAX_HEADS    1024
#define MAX_HEAD_DIM 1024
#define MAX_ROWS     262144 // heads * head_dim, and widths of MLPs
#define MAX_VOCAB    (1 << 22)
#define MAX_CONTEXT  (1 << 28)

// One object of the file and the dotted path that leads to it. `v` may be
// NULL: then every member is absent.
struct section {
    const struct dh_json *v;
    const char *path; // "" or "text_config."
};

// The first failure stays; what follows reads defaults and does no harm.
struct reader {
    struct dh_diag *diag;
    enum dh_status st;
};

__attribute__((format(printf, 5, 6))) static void
fail(struct reader *r, enum dh_status st, const struct section *s,
     const char *key, const char *fmt, ...)
{
    if (r->st)
        return;
    r->st = st;
    char text[120];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    dh_diag_set(r->diag, 0, "%s%s: %s", s->path, key, text);
}

// ------------------------------------------------------------------- members

// A member that is null counts as absent, as in the published code.
static const struct dh_json *member(const struct section *s, const char *key)
{
    const struct dh_json *v = s->v ? dh_json_find(s->v, key) : NULL;
    return v && dh_json_kind(v) != DH_JSON_NULL ? v : NULL;
}

static struct section subsection(struct reader *r, const struct section *s,
                                 const char *key, const char *path)
{
    const struct dh_json *v = member(s, key);
    if (v && dh_json_kind(v) != DH_JSON_OBJECT) {
        fail(r, DH_ERR_FORMAT, s, key, "object expected");
        v = NULL;
    }
    return (struct section){ v, path };
}

static int integer_of(struct reader *r, const struct section *s,
                      const char *key, const struct dh_json *v, int lo, int hi)
{
    double d = dh_json_number(v);
    if (dh_json_kind(v) != DH_JSON_NUMBER || d != floor(d))
        fail(r, DH_ERR_FORMAT, s, key, "integer expected");
    else if (!(d >= lo && d <= hi))
        fail(r, DH_ERR_RANGE, s, key, "%.17g is not within %d..%d", d, lo, hi);
    else
        return (int)d;
    return lo;
}

static int read_int(struct reader *r, const struct section *s, const char *key,
                    int lo, int hi)
{
    const struct dh_json *v = member(s, key);
    if (v)
        return integer_of(r, s, key, v, lo, hi);
    fail(r, DH_ERR_FORMAT, s, key, "missing");
    return lo;
}

static int read_int_or(struct reader *r, const struct section *s,
                       const char *key, int lo, int hi, int otherwise)
{
    return member(s, key) ? read_int(r, s, key, lo, hi) : otherwise;
}

// The first of two places that has the key.
static int read_either(struct reader *r, const struct section *a,
                       const char *a_key, const struct section *b,
                       const char *b_key, int lo, int hi, int otherwise)
{
    if (member(a, a_key))
        return read_int(r, a, a_key, lo, hi);
    return read_int_or(r, b, b_key, lo, hi, otherwise);
}

static double read_number(struct reader *r, const struct section *s,
                          const char *key, double lo, double hi,
                          double otherwise)
{
    const struct dh_json *v = member(s, key);
    if (!v)
        return otherwise;
    double d = dh_json_number(v);
    if (dh_json_kind(v) != DH_JSON_NUMBER)
        fail(r, DH_ERR_FORMAT, s, key, "number expected");
    else if (!(d >= lo && d <= hi))
        fail(r, DH_ERR_RANGE, s, key, "%.9g is not within %.9g..%.9g", d, lo,
             hi);
    else
        return d;
    return otherwise;
}

// A switch that may be absent, but where it is there has one value only.
static void require_bool(struct reader *r, const struct section *s,
                         const char *key, bool want)
{
    const struct dh_json *v = member(s, key);
    if (!v)
        return;
    if (dh_json_kind(v) != DH_JSON_BOOL)
        fail(r, DH_ERR_FORMAT, s, key, "true or false expected");
    else if (dh_json_is_true(v) != want)
        fail(r, DH_ERR_UNSUPPORTED, s, key, "only %s is supported",
             want ? "true" : "false");
}

static void require_number(struct reader *r, const struct section *s,
                           const char *key, double want)
{
    const struct dh_json *v = member(s, key);
    if (!v)
        return;
    if (dh_json_kind(v) != DH_JSON_NUMBER)
        fail(r, DH_ERR_FORMAT, s, key, "number expected");
    else if (dh_json_number(v) != want)
        fail(r, DH_ERR_UNSUPPORTED, s, key, "only %g is supported", want);
}

// `b` may be NULL: then only `a` is accepted.
static void require_text(struct reader *r, const struct section *s,
                         const char *key, const char *a, const char *b)
{
    const struct dh_json *v = member(s, key);
    if (!v)
        return;
    const char *text = dh_json_text(v);
    if (dh_json_kind(v) != DH_JSON_STRING)
        fail(r, DH_ERR_FORMAT, s, key, "text expected");
    else if (strcmp(text, a) != 0 && (!b || strcmp(text, b) != 0))
        fail(r, DH_ERR_UNSUPPORTED, s, key, "'%.40s' is not supported", text);
}

// A token id that may be one number or a list, of which the first counts.
static int read_token(struct reader *r, const struct section *a,
                      const struct section *b, const char *key, int vocab)
{
    const struct section *s = member(a, key) ? a : b;
    const struct dh_json *v = member(s, key);
    if (v && dh_json_kind(v) == DH_JSON_ARRAY)
        v = dh_json_first(v);
    return v ? integer_of(r, s, key, v, 0, vocab - 1) : -1;
}

// One flag a layer: texts that are `yes` or `no`, or where `yes` is NULL
// numbers that are 1 or 0. False where the list is absent.
static bool read_layers(struct reader *r, const struct section *s,
                        const char *key, const char *yes, const char *no, int n,
                        bool *out)
{
    const struct dh_json *list = member(s, key);
    if (!list)
        return false;
    if (dh_json_kind(list) != DH_JSON_ARRAY ||
        dh_json_count(list) != (size_t)n) {
        fail(r, DH_ERR_FORMAT, s, key, "a list of %d entries expected", n);
        return false;
    }
    int i = 0;
    for (const struct dh_json *v = dh_json_first(list); v;
         v = dh_json_next(v), i++) {
        const char *text = dh_json_text(v);
        if (!yes)
            out[i] = integer_of(r, s, key, v, 0, 1) == 1;
        else if (strcmp(text, yes) == 0 || strcmp(text, no) == 0)
            out[i] = strcmp(text, yes) == 0;
        else
            fail(r, DH_ERR_UNSUPPORTED, s, key, "entry %d: '%.40s'", i, text);
    }
    return true;
}

static bool any(const bool *flags, int n)
{
    for (int i = 0; i < n; i++)
        if (flags[i])
            return true;
    return false;
}

static bool all(const bool *flags, int n)
{
    for (int i = 0; i < n; i++)
        if (!flags[i])
            return false;
    return true;
}

// ---------------------------------------------------------------------- text

static void read_shape(struct reader *r, const struct section *s,
                       struct dh_text_config *t)
{
    t->hidden_size = read_int(r, s, "hidden_size", 1, MAX_WIDTH);
    t->num_hidden_layers =
        read_int(r, s, "num_hidden_layers", 1, DH_CONFIG_MAX_LAYERS);
    t->num_attention_heads =
        read_int(r, s, "num_attention_heads", 1, MAX_HEADS);
    t->num_key_value_heads =
        read_int(r, s, "num_key_value_heads", 1, MAX_HEADS);
    t->head_dim = read_int(r, s, "head_dim", 1, MAX_HEAD_DIM);
    t->vocab_size = read_int(r, s, "vocab_size", 1, MAX_VOCAB);
    t->max_position_embeddings =
        read_int_or(r, s, "max_position_embeddings", 1, MAX_CONTEXT, 524288);
    if (t->num_attention_heads % t->num_key_value_heads != 0)
        fail(r, DH_ERR_RANGE, s, "num_attention_heads",
             "%d is no multiple of num_key_value_heads, %d",
             t->num_attention_heads, t->num_key_value_heads);
    if (t->num_attention_heads * t->head_dim > MAX_ROWS)
        fail(r, DH_ERR_RANGE, s, "head_dim",
             "%d heads of %d are more than %d rows", t->num_attention_heads,
             t->head_dim, MAX_ROWS);
}

static void read_rope(struct reader *r, const struct section *s,
                      struct dh_text_config *t)
{
    char path[64];
    snprintf(path, sizeof(path), "%srope_parameters.", s->path);
    struct section p = subsection(r, s, "rope_parameters", path);
    require_text(r, &p, "rope_type", "default", NULL);
    if (member(s, "rope_scaling"))
        fail(r, DH_ERR_UNSUPPORTED, s, "rope_scaling",
             "scaled rotary embeddings are not supported");
    double theta = read_number(r, s, "rope_theta", 1, 1e12, 5e6);
    t->rope_theta = (float)read_number(r, &p, "rope_theta", 1, 1e12, theta);

    double factor = read_number(r, s, "partial_rotary_factor", 0, 1, -1);
    factor = read_number(r, &p, "partial_rotary_factor", 0, 1, factor);
    int given = read_int_or(r, s, "rotary_dim", 1, MAX_HEAD_DIM, -1);
    int derived = factor >= 0 ? (int)(t->head_dim * factor) : -1;
    if (given >= 0 && derived >= 0 && given != derived)
        fail(r, DH_ERR_RANGE, s, "rotary_dim",
             "%d, but partial_rotary_factor makes it %d", given, derived);
    t->rotary_dim = derived >= 0 ? derived : given >= 0 ? given : t->head_dim;
    if (t->rotary_dim < 1 || t->rotary_dim > t->head_dim ||
        t->rotary_dim % 2 != 0)
        fail(r, DH_ERR_RANGE, s, "rotary_dim",
             "%d is not even and within 2..%d", t->rotary_dim, t->head_dim);
}

static void check_index(struct reader *r, const struct section *s,
                        const struct dh_text_config *t)
{
    if (t->index_n_heads != t->num_key_value_heads)
        fail(r, DH_ERR_RANGE, s, "index_n_heads",
             "%d, but num_key_value_heads is %d", t->index_n_heads,
             t->num_key_value_heads);
    if (t->index_local_blocks > t->index_topk_blocks)
        fail(r, DH_ERR_RANGE, s, "index_local_blocks",
             "%d is above index_topk_blocks, %d", t->index_local_blocks,
             t->index_topk_blocks);
    if (t->rotary_dim > t->index_head_dim)
        fail(r, DH_ERR_RANGE, s, "rotary_dim", "%d is above index_head_dim, %d",
             t->rotary_dim, t->index_head_dim);
}

static void read_sparse(struct reader *r, const struct section *s,
                        struct dh_text_config *t)
{
    char path[64];
    snprintf(path, sizeof(path), "%ssparse_attention_config.", s->path);
    struct section old = subsection(r, s, "sparse_attention_config", path);
    int n = t->num_hidden_layers;
    if (!read_layers(r, s, "layer_types", "minimax_m3_sparse", "full_attention",
                     n, t->layer_sparse))
        (void)read_layers(r, &old, "sparse_attention_freq", NULL, NULL, n,
                          t->layer_sparse);
    t->index_n_heads = read_either(r, &old, "sparse_num_index_heads", s,
                                   "index_n_heads", 1, MAX_HEADS, 4);
    t->index_head_dim = read_either(r, &old, "sparse_index_dim", s,
                                    "index_head_dim", 1, MAX_HEAD_DIM, 128);
    t->index_block_size = read_either(r, &old, "sparse_block_size", s,
                                      "index_block_size", 1, 65536, 128);
    t->index_topk_blocks = read_either(r, &old, "sparse_topk_blocks", s,
                                       "index_topk_blocks", 1, 4096, 16);
    t->index_local_blocks = read_either(r, &old, "sparse_local_block", s,
                                        "index_local_blocks", 1, 4096, 1);
    if (!any(t->layer_sparse, n))
        return;
    check_index(r, s, t);
    require_bool(r, &old, "use_sparse_attention", true);
    require_text(r, &old, "sparse_score_type", "max", NULL);
    require_number(r, &old, "sparse_init_block", 0);
    bool no_value[DH_CONFIG_MAX_LAYERS] = { false };
    if (!read_layers(r, &old, "sparse_disable_index_value", NULL, NULL, n,
                     no_value))
        return;
    for (int i = 0; i < n; i++)
        if (t->layer_sparse[i] && !no_value[i])
            fail(r, DH_ERR_UNSUPPORTED, &old, "sparse_disable_index_value",
                 "layer %d is sparse and has an index value path", i);
}

static void read_experts(struct reader *r, const struct section *s,
                         struct dh_text_config *t)
{
    t->intermediate_size = read_int(r, s, "intermediate_size", 1, MAX_ROWS);
    const char *key =
        member(s, "num_local_experts") ? "num_local_experts" : "num_experts";
    t->num_local_experts = read_int(r, s, key, 1, DH_CONFIG_MAX_EXPERTS);
    t->num_experts_per_tok =
        read_int(r, s, "num_experts_per_tok", 1, DH_CONFIG_MAX_EXPERTS);
    if (t->num_experts_per_tok > t->num_local_experts)
        fail(r, DH_ERR_RANGE, s, "num_experts_per_tok", "%d of %d experts",
             t->num_experts_per_tok, t->num_local_experts);
    // More than one shared expert is one MLP that is so many times as wide.
    int shared = read_int_or(r, s, "n_shared_experts", 1, 64, 1);
    int width =
        read_int(r, s, "shared_intermediate_size", 1, MAX_ROWS / shared);
    t->shared_intermediate_size = width * shared;
    require_text(r, s, "scoring_func", "sigmoid", NULL);
    require_bool(r, s, "use_routing_bias", true);
}

static void read_mlp(struct reader *r, const struct section *s,
                     struct dh_text_config *t)
{
    int n = t->num_hidden_layers;
    if (!read_layers(r, s, "mlp_layer_types", "sparse", "dense", n,
                     t->layer_moe) &&
        !read_layers(r, s, "moe_layer_freq", NULL, NULL, n, t->layer_moe))
        memset(t->layer_moe, true, (size_t)n * sizeof(bool));
    if (any(t->layer_moe, n))
        read_experts(r, s, t);
    if (!all(t->layer_moe, n))
        t->dense_intermediate_size =
            read_int(r, s, "dense_intermediate_size", 1, MAX_ROWS);
    t->routed_scaling_factor =
        (float)read_number(r, s, "routed_scaling_factor", 0, 1e6, 2);
    t->swiglu_alpha = (float)read_number(r, s, "swiglu_alpha", 0, 1e3, 1.702);
    t->swiglu_limit = (float)read_number(r, s, "swiglu_limit", 0, 1e6, 7);
    require_number(r, s, "swiglu_beta", 1);
    // Newer transformers write "silu" and compute swigluoai all the same.
    require_text(r, s, "hidden_act", "swigluoai", "silu");
}

static void read_text(struct reader *r, const struct section *top,
                      const struct section *s, struct dh_text_config *t)
{
    read_shape(r, s, t);
    if (r->st)
        return; // the lists below are as long as num_hidden_layers
    read_rope(r, s, t);
    read_sparse(r, s, t);
    read_mlp(r, s, t);
    t->rms_norm_eps = (float)read_number(r, s, "rms_norm_eps", 0, 1, 1e-6);
    require_bool(r, s, "use_gemma_norm", true);
    require_bool(r, s, "attention_output_gate", false);
    require_bool(r, s, "use_qk_norm", true);
    require_text(r, s, "qk_norm_type", "per_head", NULL);
    const struct section *at = member(s, "tie_word_embeddings") ? s : top;
    const struct dh_json *tie = member(at, "tie_word_embeddings");
    if (tie && dh_json_kind(tie) != DH_JSON_BOOL)
        fail(r, DH_ERR_FORMAT, at, "tie_word_embeddings",
             "true or false expected");
    t->tie_word_embeddings = tie && dh_json_is_true(tie);
    t->bos_token_id = read_token(r, s, top, "bos_token_id", t->vocab_size);
    t->eos_token_id = read_token(r, s, top, "eos_token_id", t->vocab_size);
}

// -------------------------------------------------------------------- vision

static int read_compression(struct reader *r, const struct section *top,
                            const struct section *s, const char *key)
{
    struct section own = subsection(r, s, "img_token_compression_config",
                                    "vision_config."
                                    "img_token_compression_config.");
    struct section outer = subsection(r, top, "img_token_compression_config",
                                      "img_token_compression_config.");
    if (member(s, key))
        return read_int(r, s, key, 1, 8);
    return read_either(r, &own, key, &outer, key, 1, 8, 2);
}

static void read_vision(struct reader *r, const struct section *top,
                        const struct section *s, struct dh_vision_config *v)
{
    v->hidden_size = read_int(r, s, "hidden_size", 1, MAX_WIDTH);
    v->num_hidden_layers =
        read_int(r, s, "num_hidden_layers", 1, DH_CONFIG_MAX_LAYERS);
    v->num_attention_heads =
        read_int(r, s, "num_attention_heads", 1, MAX_HEADS);
    v->intermediate_size = read_int(r, s, "intermediate_size", 1, MAX_ROWS);
    v->num_channels = read_int_or(r, s, "num_channels", 3, 3, 3);
    v->patch_size = read_int(r, s, "patch_size", 1, 64);
    v->spatial_merge_size = read_compression(r, top, s, "spatial_merge_size");
    v->temporal_patch_size = read_compression(r, top, s, "temporal_patch_size");
    v->layer_norm_eps = (float)read_number(r, s, "layer_norm_eps", 0, 1, 1e-5);
    v->vision_segment_max_frames =
        read_int_or(r, s, "vision_segment_max_frames", 1, 65536, 4);
    struct section rope =
        subsection(r, s, "rope_parameters", "vision_config.rope_parameters.");
    double theta = read_number(r, s, "rope_theta", 1, 1e12, 1e4);
    v->rope_theta = (float)read_number(r, &rope, "rope_theta", 1, 1e12, theta);
    require_text(r, &rope, "rope_type", "axial", "default");
    require_text(r, s, "rope_mode", "3d", NULL);
    require_text(r, s, "position_embedding_type", "rope", NULL);
    require_text(r, s, "hidden_act", "gelu", NULL);
    if (v->hidden_size % v->num_attention_heads != 0)
        fail(r, DH_ERR_RANGE, s, "num_attention_heads",
             "%d heads do not divide hidden_size, %d", v->num_attention_heads,
             v->hidden_size);
    else if (v->hidden_size / v->num_attention_heads < 6)
        fail(r, DH_ERR_RANGE, s, "num_attention_heads",
             "heads of %d are too small for three rotary axes",
             v->hidden_size / v->num_attention_heads);
}

static void read_image(struct reader *r, const struct section *top,
                       struct dh_config *c)
{
    struct section s = subsection(r, top, "vision_config", "vision_config.");
    c->has_vision = s.v != NULL;
    c->image_token_id = c->video_token_id = -1;
    if (!c->has_vision)
        return;
    read_vision(r, top, &s, &c->vision);
    c->projector_hidden_size = read_int_or(r, top, "projector_hidden_size", 1,
                                           MAX_WIDTH, c->text.hidden_size);
    require_text(r, top, "projector_hidden_act", "gelu", NULL);
    require_bool(r, top, "multimodal_projector_bias", true);
    require_number(r, top, "vision_feature_layer", -1);
    require_text(r, top, "vision_feature_select_strategy", "full", NULL);
    int last = c->text.vocab_size - 1;
    const char *image = member(top, "image_token_index") ? "image_token_index"
                                                         : "image_token_id";
    const char *video = member(top, "video_token_index") ? "video_token_index"
                                                         : "video_token_id";
    c->image_token_id = read_int(r, top, image, 0, last);
    c->video_token_id = read_int(r, top, video, 0, last);
}

// ----------------------------------------------------------------------- all

static void check_model_type(struct reader *r, const struct section *top)
{
    const struct dh_json *v = member(top, "model_type");
    const char *text = v ? dh_json_text(v) : "minimax_m3";
    if (strncmp(text, "minimax_m3", 10) != 0)
        fail(r, DH_ERR_UNSUPPORTED, top, "model_type",
             "'%.40s' is no MiniMax-M3", text);
}

enum dh_status dh_config_parse(const char *json, size_t len,
                               struct dh_config *out, struct dh_diag *diag)
{
    struct dh_json *root = dh_json_parse(json, len, diag);
    if (!root)
        return DH_ERR_FORMAT;
    struct reader r = { diag, DH_OK };
    struct section top = { root, "" };
    struct dh_config *c;
    dh_new(c);
    if (dh_json_kind(root) != DH_JSON_OBJECT) {
        r.st = DH_ERR_FORMAT;
        dh_diag_set(diag, 0, "object expected");
    } else {
        check_model_type(&r, &top);
        // The class for text alone has the text's config at the top.
        struct section text =
            subsection(&r, &top, "text_config", "text_config.");
        read_text(&r, &top, text.v ? &text : &top, &c->text);
        if (!r.st)
            read_image(&r, &top, c);
    }
    dh_json_free(root);
    if (!r.st)
        *out = *c;
    dh_free(c);
    return r.st;
}
