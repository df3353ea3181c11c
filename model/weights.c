#include "model/weights_priv.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "model/gguf_priv.h"
#include "model/quant_priv.h"
#include "model/tensor_priv.h"

#define DH_LOG_TAG "weights"
#include "base/log.h"

#define NAME_MAX_BYTES 160

// The first failure stays and was logged; what follows does nothing.
struct loader {
    struct dh_weights *w;
    const struct dh_config *config;
    const struct dh_tensors *files;
    bool *used; // one per tensor of them
    enum dh_weights_place place;
    bool routed;  // what is loaded now are experts
    int head_dim; // q or k of the tower in llama.cpp's order; or 0
    enum dh_status status;
};

// Where a kind of tensor may be found: the released name, then those of newer
// transformers. Prefixes and names are tried tensor by tensor, since
// checkpoints that were saved again mix them.
static const char *const text_prefixes[] = { "language_model.model.",
                                             "model.language_model.", "model.",
                                             NULL };
static const char *const head_prefixes[] = { "language_model.", "", NULL };
static const char *const vision_prefixes[] = { "", NULL };

// ------------------------------------------------------------------- finding

static void mark_used(struct loader *l, const struct dh_tensor *t)
{
    l->used[t - l->files->at] = true;
}

static const struct dh_tensor *
find_under(struct loader *l, const char *const *prefixes, const char *name)
{
    char full[NAME_MAX_BYTES + 32];
    for (; *prefixes; prefixes++) {
        snprintf(full, sizeof(full), "%s%s", *prefixes, name);
        const struct dh_tensor *t = dh_tensors_find(l->files, full);
        if (t) {
            mark_used(l, t);
            return t;
        }
    }
    return NULL;
}

DH_PRINTF(2, 3)
static void name_of(char out[NAME_MAX_BYTES], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out, NAME_MAX_BYTES, fmt, ap);
    va_end(ap);
}

static void missing(struct loader *l, const char *prefix, const char *name)
{
    if (l->status)
        return;
    dh_error("%s%s is missing", prefix, name);
    l->status = DH_ERR_FORMAT;
}

static bool check_shape(struct loader *l, const struct dh_tensor *t,
                        const int64_t *want, int n_dims)
{
    if (dh_tensor_has_shape(t, want, n_dims))
        return true;
    char got_text[128], want_text[128];
    dh_error(
        "%s has the shape %s, but the configuration makes it %s", t->name,
        dh_tensor_shape_text(t->shape, t->n_dims, got_text, sizeof(got_text)),
        dh_tensor_shape_text(want, n_dims, want_text, sizeof(want_text)));
    l->status = DH_ERR_FORMAT;
    return false;
}

// -------------------------------------------------------------------- owning

// Takes p over, which may be NULL: then memory is out.
static void *keep(struct loader *l, void *p, const char *what, size_t bytes)
{
    if (!p) {
        dh_error("no memory for %s, %zu bytes", what, bytes);
        l->status = DH_ERR_NOMEM;
        return NULL;
    }
    struct dh_weights *w = l->w;
    // Doubling whenever the count is a power of two needs no second member.
    if ((w->n_owned & (w->n_owned - 1)) == 0)
        w->owned = dh_resize_array(w->owned, DH_MAX(w->n_owned * 2, 1),
                                   sizeof(*w->owned));
    w->owned[w->n_owned++] = p;
    return p;
}

static void *own(struct loader *l, const struct dh_tensor *t, size_t n,
                 size_t size)
{
    size_t bytes = 0;
    bool fits = dh_mul_size(n, size, &bytes);
    if (!l->routed)
        l->w->resident_bytes += bytes;
    return keep(l, fits ? dh_big_alloc(bytes) : NULL, t->name, bytes);
}

// Zeroed; the counts are those of a checked configuration.
static void *own_table(struct loader *l, const char *what, int n, size_t size)
{
    size_t bytes = (size_t)n * size;
    return keep(l, dh_big_zalloc(bytes), what, bytes);
}

static void advise_pages(const uint8_t *p, size_t bytes, int how)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)p & ~(page - 1);
    // Only a hint, and so its result does not matter.
    (void)madvise((void *)from, (uintptr_t)p + bytes - from, how);
}

// Rows of the tower's q or k, or numbers of its biases, as released.
static const uint8_t *in_order(struct loader *l, const struct dh_tensor *t,
                               const uint8_t *src, size_t bytes)
{
    int rows = l->config->vision.hidden_size;
    size_t each = bytes / (size_t)rows;
    uint8_t *copy = own(l, t, bytes, 1);
    for (int r = 0; copy && r < rows; r++)
        memcpy(copy + (size_t)r * each,
               src + (size_t)dh_gguf_vision_row(r, l->head_dim) * each, each);
    return copy;
}

// Bytes of t where they are computed with. The map's pages are given back one
// tensor after the other, so that nothing is there twice.
static const uint8_t *settle(struct loader *l, const struct dh_tensor *t,
                             const uint8_t *src, size_t bytes)
{
    if (l->routed)
        return src;
    if (l->head_dim)
        return in_order(l, t, src, bytes);
    if (l->place != DH_WEIGHTS_RESIDENT) {
        l->w->resident_bytes += bytes;
        return src;
    }
    uint8_t *copy = own(l, t, bytes, 1);
    if (!copy)
        return NULL;
    advise_pages(src, bytes, MADV_WILLNEED);
    memcpy(copy, src, bytes);
    advise_pages(src, bytes, MADV_DONTNEED);
    return copy;
}

static bool is_aligned(const void *p, size_t to)
{
    return (uintptr_t)p % to == 0;
}

static bool require_float(struct loader *l, const struct dh_tensor *t)
{
    if (dh_dtype_is_float(t->dtype))
        return true;
    dh_error("%s has the type %s, which is not supported here", t->name,
             dh_dtype_name(t->dtype));
    l->status = DH_ERR_UNSUPPORTED;
    return false;
}

// n values from element `first` of t on as float32.
static const float *floats_of(struct loader *l, const struct dh_tensor *t,
                              size_t first, size_t n)
{
    if (!require_float(l, t))
        return NULL;
    const uint8_t *src = t->data + first * dh_dtype_bytes(t->dtype);
    if (t->dtype == DH_F32 && is_aligned(src, sizeof(float)))
        return (const float *)(const void *)settle(l, t, src,
                                                   n * sizeof(float));
    float *dst = own(l, t, n, sizeof(*dst));
    if (dst)
        dh_tensor_to_f32(t->dtype, src, n, dst);
    if (!dst || !l->head_dim)
        return dst;
    return (const float *)(const void *)in_order(l, t, (const uint8_t *)dst,
                                                 n * sizeof(*dst));
}

// ------------------------------------------------------------------ matrices

// A tensor of the scales of t, of one of two types, or NULL with the failure
// logged.
static const struct dh_tensor *
find_scales(struct loader *l, const struct dh_tensor *t, const char *suffix,
            enum dh_dtype type, enum dh_dtype other)
{
    char name[NAME_MAX_BYTES + 64];
    snprintf(name, sizeof(name), "%s%s", t->name, suffix);
    const struct dh_tensor *s = dh_tensors_find(l->files, name);
    if (!s || (s->dtype != type && s->dtype != other)) {
        dh_error("%s is %s, but %s is %s%s", t->name, dh_dtype_name(t->dtype),
                 name, s ? "no tensor of " : "missing",
                 s ? dh_dtype_name(type) : "");
        l->status = s ? DH_ERR_UNSUPPORTED : DH_ERR_FORMAT;
        return NULL;
    }
    mark_used(l, s);
    return s;
}

// The scales of m's blocks, from first_row on.
static void view_scales(struct loader *l, const struct dh_tensor *t,
                        size_t first_row, const struct dh_tensor *s,
                        struct dh_mat *m)
{
    int64_t want[DH_TENSOR_MAX_DIMS];
    memcpy(want, t->shape, sizeof(want));
    want[t->n_dims - 1] = m->cols / dh_quant_block(m->dtype);
    size_t per_row = (size_t)want[t->n_dims - 1];
    if (check_shape(l, s, want, t->n_dims))
        m->scales = settle(l, s, s->data + first_row * per_row,
                           (size_t)m->rows * per_row);
}

// NVFP4 has a factor for the whole matrix besides.
static void view_nvfp4(struct loader *l, const struct dh_tensor *t,
                       size_t first_row, struct dh_mat *m)
{
    const struct dh_tensor *s =
        find_scales(l, t, "_scale", DH_F8_E4M3, DH_F8_E4M3);
    const struct dh_tensor *all =
        s ? find_scales(l, t, "_scale_2", DH_F32, DH_F32) : NULL;
    if (!all)
        return;
    if (all->bytes != sizeof(float)) {
        dh_error("%s is more than one number", all->name);
        l->status = DH_ERR_FORMAT;
        return;
    }
    dh_tensor_to_f32(DH_F32, all->data, 1, &m->scale);
    view_scales(l, t, first_row, s, m);
}

// m->rows and m->cols are set; t is checked to hold them.
static void view_quantised(struct loader *l, const struct dh_tensor *t,
                           size_t first_row, struct dh_mat *m)
{
    m->dtype = t->dtype == DH_U8 ? DH_NVFP4 : t->dtype;
    int block = dh_quant_block(m->dtype);
    if (m->cols % block != 0) {
        dh_error("%s is %s, but its rows are not whole blocks of %d", t->name,
                 dh_dtype_name(m->dtype), block);
        l->status = DH_ERR_UNSUPPORTED;
        return;
    }
    m->data = settle(
        l, t, t->data + dh_dtype_size(m->dtype, first_row * (size_t)m->cols),
        dh_dtype_size(m->dtype, (size_t)m->rows * (size_t)m->cols));
    if (m->dtype == DH_NVFP4)
        view_nvfp4(l, t, first_row, m);
    else if (m->dtype == DH_F8_E4M3) {
        const struct dh_tensor *s =
            find_scales(l, t, "_scale_inv", DH_U8, DH_F8_E8M0);
        if (s)
            view_scales(l, t, first_row, s, m);
    }
}

// Rows first_row.. of t, whose leading dimensions count as rows. m->rows and
// m->cols are set and lie inside of t.
static void view_rows(struct loader *l, const struct dh_tensor *t,
                      size_t first_row, struct dh_mat *m)
{
    if (t->dtype == DH_U8 || (dh_quant_block(t->dtype) > 1 && t->n_dims > 0)) {
        view_quantised(l, t, first_row, m);
        return;
    }
    if (!require_float(l, t))
        return;
    size_t size = dh_dtype_bytes(t->dtype);
    size_t n = (size_t)m->rows * (size_t)m->cols;
    const uint8_t *src = t->data + first_row * (size_t)m->cols * size;
    m->dtype = t->dtype;
    if (is_aligned(src, size) || l->head_dim ||
        (l->routed && l->place != DH_WEIGHTS_MAPPED)) {
        m->data = settle(l, t, src, n * size);
        return;
    }
    void *copy = own(l, t, n, size);
    if (copy)
        memcpy(copy, src, n * size);
    m->data = copy;
}

static void set_size(struct dh_mat *m, int rows, int cols)
{
    m->rows = rows;
    m->cols = cols;
}

static void load_mat(struct loader *l, const char *const *prefixes,
                     const char *name, int rows, int cols, struct dh_mat *m)
{
    const struct dh_tensor *t =
        l->status ? NULL : find_under(l, prefixes, name);
    if (!t) {
        missing(l, prefixes[0], name);
        return;
    }
    // Of NVFP4 there are two in a byte.
    const int64_t want[] = { rows, t->dtype == DH_U8 ? cols / 2 : cols };
    if (!check_shape(l, t, want, 2))
        return;
    set_size(m, rows, cols);
    view_rows(l, t, 0, m);
}

// A norm of the decoder as w. 1+w was rounded when it was written; taking 1
// off again is exact, and so is adding it where it is used.
static const float *norm_of(struct loader *l, const struct dh_tensor *t, int n)
{
    const float *from = floats_of(l, t, 0, (size_t)n);
    if (!from || !l->files->norms_plus_one || !strstr(t->name, "norm.weight") ||
        strncmp(t->name, "vision_tower.", 13) == 0)
        return from;
    float *w = own(l, t, (size_t)n, sizeof(*w));
    for (int i = 0; w && i < n; i++)
        w[i] = from[i] - 1;
    return w;
}

static const float *load_vec(struct loader *l, const char *const *prefixes,
                             const char *name, int n)
{
    const struct dh_tensor *t =
        l->status ? NULL : find_under(l, prefixes, name);
    if (!t) {
        missing(l, prefixes[0], name);
        return NULL;
    }
    const int64_t want[] = { n };
    return check_shape(l, t, want, 1) ? norm_of(l, t, n) : NULL;
}

// The same, by the released name or by another one. The released name is what
// a message says.
static void load_mat_either(struct loader *l, const char *const *prefixes,
                            const char *name, const char *other, int rows,
                            int cols, struct dh_mat *m)
{
    bool use_other = !l->status && !find_under(l, prefixes, name) &&
                     find_under(l, prefixes, other);
    load_mat(l, prefixes, use_other ? other : name, rows, cols, m);
}

static const float *load_vec_either(struct loader *l,
                                    const char *const *prefixes,
                                    const char *name, const char *other, int n)
{
    bool use_other = !l->status && !find_under(l, prefixes, name) &&
                     find_under(l, prefixes, other);
    return load_vec(l, prefixes, use_other ? other : name, n);
}

// ---------------------------------------------------------------------- text

static void load_attention(struct loader *l, int i, struct dh_layer_weights *w)
{
    const struct dh_text_config *c = &l->config->text;
    int q = c->num_attention_heads * c->head_dim;
    int kv = c->num_key_value_heads * c->head_dim;
    const struct {
        const char *name;
        struct dh_mat *m;
        int rows, cols;
    } mats[] = {
        { "q_proj", &w->q_proj, q, c->hidden_size },
        { "k_proj", &w->k_proj, kv, c->hidden_size },
        { "v_proj", &w->v_proj, kv, c->hidden_size },
        { "o_proj", &w->o_proj, c->hidden_size, q },
    };
    char name[NAME_MAX_BYTES];
    for (size_t k = 0; k < DH_COUNTOF(mats); k++) {
        name_of(name, "layers.%d.self_attn.%s.weight", i, mats[k].name);
        load_mat(l, text_prefixes, name, mats[k].rows, mats[k].cols, mats[k].m);
    }
    name_of(name, "layers.%d.self_attn.q_norm.weight", i);
    w->q_norm = load_vec(l, text_prefixes, name, c->head_dim);
    name_of(name, "layers.%d.self_attn.k_norm.weight", i);
    w->k_norm = load_vec(l, text_prefixes, name, c->head_dim);
    name_of(name, "layers.%d.input_layernorm.weight", i);
    w->input_layernorm = load_vec(l, text_prefixes, name, c->hidden_size);
    name_of(name, "layers.%d.post_attention_layernorm.weight", i);
    w->post_attention_layernorm =
        load_vec(l, text_prefixes, name, c->hidden_size);
}

static void load_index(struct loader *l, int i, struct dh_layer_weights *w)
{
    const struct dh_text_config *c = &l->config->text;
    const struct {
        char letter;
        struct dh_mat *m;
        const float **norm;
        int rows;
    } parts[] = {
        { 'q', &w->index_q_proj, &w->index_q_norm,
          c->index_n_heads * c->index_head_dim },
        { 'k', &w->index_k_proj, &w->index_k_norm, c->index_head_dim },
    };
    char name[NAME_MAX_BYTES], other[NAME_MAX_BYTES];
    for (size_t k = 0; k < DH_COUNTOF(parts); k++) {
        char x = parts[k].letter;
        name_of(name, "layers.%d.self_attn.index_%c_proj.weight", i, x);
        name_of(other, "layers.%d.self_attn.indexer.%c_proj.weight", i, x);
        load_mat_either(l, text_prefixes, name, other, parts[k].rows,
                        c->hidden_size, parts[k].m);
        name_of(name, "layers.%d.self_attn.index_%c_norm.weight", i, x);
        name_of(other, "layers.%d.self_attn.indexer.%c_norm.weight", i, x);
        *parts[k].norm =
            load_vec_either(l, text_prefixes, name, other, c->index_head_dim);
    }
}

// gate, up and down of one MLP below `at`. `fused_at` holds gate_up_proj and
// down_proj where transformers saved it: the rows of gate first, then up.
static void load_mlp(struct loader *l, const char *at, const char *fused_at,
                     int width, struct dh_mlp_weights *w)
{
    int hidden = l->config->text.hidden_size;
    char name[NAME_MAX_BYTES], other[NAME_MAX_BYTES];
    name_of(name, "%s.gate_up_proj.weight", fused_at);
    const struct dh_tensor *t =
        l->status ? NULL : find_under(l, text_prefixes, name);
    if (t) {
        const int64_t want[] = { 2 * (int64_t)width, hidden };
        if (!check_shape(l, t, want, 2))
            return;
        set_size(&w->gate, width, hidden);
        set_size(&w->up, width, hidden);
        view_rows(l, t, 0, &w->gate);
        view_rows(l, t, (size_t)width, &w->up);
    } else {
        name_of(name, "%s.gate_proj.weight", at);
        load_mat(l, text_prefixes, name, width, hidden, &w->gate);
        name_of(name, "%s.up_proj.weight", at);
        load_mat(l, text_prefixes, name, width, hidden, &w->up);
    }
    name_of(name, "%s.down_proj.weight", at);
    name_of(other, "%s.down_proj.weight", fused_at);
    load_mat_either(l, text_prefixes, name, other, hidden, width, &w->down);
}

// [E, 2 width, H]: per expert the rows of gate (w1), then those of up (w3).
static void view_stacked_gate_up(struct loader *l, const struct dh_tensor *t,
                                 struct dh_mlp_weights *experts)
{
    const struct dh_text_config *c = &l->config->text;
    int width = c->intermediate_size;
    const int64_t want[] = { c->num_local_experts, 2 * (int64_t)width,
                             c->hidden_size };
    if (!check_shape(l, t, want, 3))
        return;
    for (int e = 0; e < c->num_local_experts && !l->status; e++) {
        size_t row = 2 * (size_t)e * (size_t)width;
        set_size(&experts[e].gate, width, c->hidden_size);
        set_size(&experts[e].up, width, c->hidden_size);
        view_rows(l, t, row, &experts[e].gate);
        view_rows(l, t, row + (size_t)width, &experts[e].up);
    }
}

static void view_stacked_down(struct loader *l, const struct dh_tensor *t,
                              struct dh_mlp_weights *experts)
{
    const struct dh_text_config *c = &l->config->text;
    const int64_t want[] = { c->num_local_experts, c->hidden_size,
                             c->intermediate_size };
    if (!check_shape(l, t, want, 3))
        return;
    for (int e = 0; e < c->num_local_experts && !l->status; e++) {
        set_size(&experts[e].down, c->hidden_size, c->intermediate_size);
        view_rows(l, t, (size_t)e * (size_t)c->hidden_size, &experts[e].down);
    }
}

static void load_expert_mat(struct loader *l, int i, int e, const char *which,
                            int rows, int cols, struct dh_mat *m)
{
    char name[NAME_MAX_BYTES];
    name_of(name, "layers.%d.block_sparse_moe.experts.%d.%s.weight", i, e,
            which);
    load_mat(l, text_prefixes, name, rows, cols, m);
}

static void load_experts(struct loader *l, int i, struct dh_layer_weights *w)
{
    const struct dh_text_config *c = &l->config->text;
    int n = c->num_local_experts, width = c->intermediate_size;
    w->experts = own_table(l, "the experts", n, sizeof(*w->experts));
    if (!w->experts)
        return;
    l->routed = true;
    char name[NAME_MAX_BYTES];
    name_of(name, "layers.%d.mlp.experts.gate_up_proj", i);
    const struct dh_tensor *gate_up = find_under(l, text_prefixes, name);
    name_of(name, "layers.%d.mlp.experts.down_proj", i);
    const struct dh_tensor *down = find_under(l, text_prefixes, name);
    if (gate_up)
        view_stacked_gate_up(l, gate_up, w->experts);
    if (down && !l->status)
        view_stacked_down(l, down, w->experts);
    for (int e = 0; e < n && !l->status; e++) {
        struct dh_mlp_weights *x = &w->experts[e];
        if (!gate_up) {
            load_expert_mat(l, i, e, "w1", width, c->hidden_size, &x->gate);
            load_expert_mat(l, i, e, "w3", width, c->hidden_size, &x->up);
        }
        if (!down)
            load_expert_mat(l, i, e, "w2", c->hidden_size, width, &x->down);
    }
    l->routed = false;
}

// The router stays in float32: in BF16 it chooses other experts.
static void load_router(struct loader *l, int i, struct dh_layer_weights *w)
{
    const struct dh_text_config *c = &l->config->text;
    char name[NAME_MAX_BYTES], other[NAME_MAX_BYTES];
    name_of(name, "layers.%d.block_sparse_moe.gate.weight", i);
    name_of(other, "layers.%d.mlp.gate.weight", i);
    const struct dh_tensor *t = find_under(l, text_prefixes, name);
    if (!t)
        t = find_under(l, text_prefixes, other);
    if (!t) {
        missing(l, text_prefixes[0], name);
        return;
    }
    const int64_t want[] = { c->num_local_experts, c->hidden_size };
    if (!check_shape(l, t, want, 2))
        return;
    set_size(&w->router, c->num_local_experts, c->hidden_size);
    w->router.dtype = DH_F32;
    w->router.data = floats_of(l, t, 0, (size_t)want[0] * (size_t)want[1]);
    name_of(name, "layers.%d.block_sparse_moe.e_score_correction_bias", i);
    name_of(other, "layers.%d.mlp.gate.e_score_correction_bias", i);
    w->e_score_correction_bias =
        load_vec_either(l, text_prefixes, name, other, c->num_local_experts);
}

static void load_moe(struct loader *l, int i, struct dh_layer_weights *w)
{
    char at[64], fused_at[64];
    load_router(l, i, w);
    if (!l->status)
        load_experts(l, i, w);
    snprintf(at, sizeof(at), "layers.%d.block_sparse_moe.shared_experts", i);
    snprintf(fused_at, sizeof(fused_at), "layers.%d.mlp.shared_experts", i);
    load_mlp(l, at, fused_at, l->config->text.shared_intermediate_size,
             &w->shared);
}

static void load_text(struct loader *l)
{
    const struct dh_text_config *c = &l->config->text;
    struct dh_weights *w = l->w;
    load_mat(l, text_prefixes, "embed_tokens.weight", c->vocab_size,
             c->hidden_size, &w->embed_tokens);
    w->norm = load_vec(l, text_prefixes, "norm.weight", c->hidden_size);
    if (c->tie_word_embeddings &&
        !find_under(l, head_prefixes, "lm_head.weight"))
        w->lm_head = w->embed_tokens;
    else
        load_mat(l, head_prefixes, "lm_head.weight", c->vocab_size,
                 c->hidden_size, &w->lm_head);
    w->layers =
        own_table(l, "the layers", c->num_hidden_layers, sizeof(*w->layers));
    for (int i = 0; i < c->num_hidden_layers && !l->status; i++) {
        load_attention(l, i, &w->layers[i]);
        if (c->layer_sparse[i])
            load_index(l, i, &w->layers[i]);
        char at[64];
        snprintf(at, sizeof(at), "layers.%d.mlp", i);
        if (c->layer_moe[i])
            load_moe(l, i, &w->layers[i]);
        else
            load_mlp(l, at, at, c->dense_intermediate_size, &w->layers[i].mlp);
    }
}

// -------------------------------------------------------------------- vision

// `x`.weight and .bias; `other` as in transformers.
static void load_linear(struct loader *l, const char *x, const char *other,
                        int rows, int cols, struct dh_mat *m,
                        const float **bias)
{
    char name[NAME_MAX_BYTES], second[NAME_MAX_BYTES];
    name_of(name, "%s.weight", x);
    name_of(second, "%s.weight", other);
    load_mat_either(l, vision_prefixes, name, second, rows, cols, m);
    name_of(name, "%s.bias", x);
    name_of(second, "%s.bias", other);
    *bias = load_vec_either(l, vision_prefixes, name, second, rows);
}

static void load_norm(struct loader *l, const char *x, const char *other, int n,
                      const float **weight, const float **bias)
{
    char name[NAME_MAX_BYTES], second[NAME_MAX_BYTES];
    name_of(name, "%s.weight", x);
    name_of(second, "%s.weight", other);
    *weight = load_vec_either(l, vision_prefixes, name, second, n);
    name_of(name, "%s.bias", x);
    name_of(second, "%s.bias", other);
    *bias = load_vec_either(l, vision_prefixes, name, second, n);
}

// As llama.cpp has it: a tensor [hidden, channels, patch, patch] for each frame
// of a patch.
static void join_patch_embedding(struct loader *l, struct dh_mat *m)
{
    const struct dh_vision_config *c = &l->config->vision;
    const int64_t want[] = { c->hidden_size, c->num_channels, c->patch_size,
                             c->patch_size };
    size_t each = (size_t)c->patch_size * (size_t)c->patch_size;
    size_t frames = (size_t)c->temporal_patch_size;
    size_t pieces = (size_t)c->hidden_size * (size_t)c->num_channels;
    float *to = NULL;
    m->dtype = DH_F32;
    for (size_t f = 0; f < frames; f++) {
        char name[NAME_MAX_BYTES] = "v.patch_embd.weight";
        if (f)
            name_of(name, "v.patch_embd.weight.%zu", f);
        const struct dh_tensor *t =
            l->status ? NULL : find_under(l, vision_prefixes, name);
        if (!t) {
            missing(l, "", name);
            return;
        }
        if (!check_shape(l, t, want, 4) || !require_float(l, t))
            return;
        if (f == 0)
            to = own(l, t, pieces * frames * each, sizeof(*to));
        size_t bytes = each * dh_dtype_bytes(t->dtype);
        for (size_t i = 0; to && i < pieces; i++)
            dh_tensor_to_f32(t->dtype, t->data + i * bytes, each,
                             to + (i * frames + f) * each);
    }
    m->data = to;
}

static void load_patch_embedding(struct loader *l, struct dh_mat *m)
{
    const struct dh_vision_config *c = &l->config->vision;
    const char *name =
        "vision_tower.vision_model.embeddings.patch_embedding.weight";
    const struct dh_tensor *t = find_under(l, vision_prefixes, name);
    if (!t)
        t = find_under(l, vision_prefixes,
                       "model.vision_tower.embeddings.proj.weight");
    set_size(m, c->hidden_size,
             c->num_channels * c->temporal_patch_size * c->patch_size *
                 c->patch_size);
    if (l->files->vision_permuted) {
        join_patch_embedding(l, m);
        return;
    }
    if (!t) {
        missing(l, "", name);
        return;
    }
    const int64_t want[] = { c->hidden_size, c->num_channels,
                             c->temporal_patch_size, c->patch_size,
                             c->patch_size };
    if (check_shape(l, t, want, 5))
        view_rows(l, t, 0, m);
}

static void load_vision_layer(struct loader *l, int j,
                              struct dh_vision_layer_weights *w)
{
    const struct dh_vision_config *c = &l->config->vision;
    int d = c->hidden_size, wide = c->intermediate_size;
    const struct {
        const char *name;
        struct dh_mat *m;
        const float **bias;
        int rows, cols;
    } linears[] = {
        { "self_attn.q_proj", &w->q, &w->q_b, d, d },
        { "self_attn.k_proj", &w->k, &w->k_b, d, d },
        { "self_attn.v_proj", &w->v, &w->v_b, d, d },
        { "self_attn.out_proj", &w->out, &w->out_b, d, d },
        { "mlp.fc1", &w->fc1, &w->fc1_b, wide, d },
        { "mlp.fc2", &w->fc2, &w->fc2_b, d, wide },
    };
    const char *at = "vision_tower.vision_model.encoder.layers";
    const char *other_at = "model.vision_tower.layers";
    char x[96], other[96];
    for (size_t k = 0; k < DH_COUNTOF(linears); k++) {
        snprintf(x, sizeof(x), "%s.%d.%s", at, j, linears[k].name);
        snprintf(other, sizeof(other), "%s.%d.%s", other_at, j,
                 linears[k].name);
        if (l->files->vision_permuted && k < 2)
            l->head_dim = d / c->num_attention_heads;
        load_linear(l, x, other, linears[k].rows, linears[k].cols, linears[k].m,
                    linears[k].bias);
        l->head_dim = 0;
    }
    snprintf(x, sizeof(x), "%s.%d.layer_norm1", at, j);
    snprintf(other, sizeof(other), "%s.%d.layer_norm1", other_at, j);
    load_norm(l, x, other, d, &w->ln1_w, &w->ln1_b);
    snprintf(x, sizeof(x), "%s.%d.layer_norm2", at, j);
    snprintf(other, sizeof(other), "%s.%d.layer_norm2", other_at, j);
    load_norm(l, x, other, d, &w->ln2_w, &w->ln2_b);
}

static void load_vision(struct loader *l)
{
    const struct dh_vision_config *c = &l->config->vision;
    struct dh_vision_weights *w = &l->w->vision;
    int d = c->hidden_size, h = l->config->text.hidden_size;
    int p = l->config->projector_hidden_size;
    int merged = h * c->spatial_merge_size * c->spatial_merge_size;
    load_patch_embedding(l, &w->patch_embedding);
    load_norm(l, "vision_tower.vision_model.pre_layrnorm",
              "model.vision_tower.pre_layrnorm", d, &w->pre_w, &w->pre_b);
    w->layers = own_table(l, "the vision layers", c->num_hidden_layers,
                          sizeof(*w->layers));
    for (int j = 0; j < c->num_hidden_layers && !l->status; j++)
        load_vision_layer(l, j, &w->layers[j]);
    load_linear(l, "multi_modal_projector.linear_1",
                "model.multi_modal_projector.linear_1", p, d, &w->linear_1,
                &w->linear_1_b);
    load_linear(l, "multi_modal_projector.linear_2",
                "model.multi_modal_projector.linear_2", h, p, &w->linear_2,
                &w->linear_2_b);
    load_linear(l, "patch_merge_mlp.linear_1",
                "model.multi_modal_projector.merge_linear_1", p, merged,
                &w->merge_1, &w->merge_1_b);
    load_linear(l, "patch_merge_mlp.linear_2",
                "model.multi_modal_projector.merge_linear_2", h, p, &w->merge_2,
                &w->merge_2_b);
}

// ----------------------------------------------------------------------- all

static bool is_mtp(const char *name)
{
    return strncmp(name, "mtp.", 4) == 0 || strstr(name, ".mtp.") != NULL;
}

static void report_unknown(const struct loader *l)
{
    size_t n = 0, first = 0;
    for (size_t i = 0; i < l->files->n; i++) {
        if (l->used[i] || is_mtp(l->files->at[i].name))
            continue;
        if (n++ == 0)
            first = i;
    }
    if (n > 0)
        dh_warn("%zu tensors are unknown and not read, first %s", n,
                l->files->at[first].name);
}

enum dh_status dh_weights_init(struct dh_weights *w,
                               const struct dh_config *config,
                               const struct dh_tensors *files,
                               enum dh_weights_place place)
{
    *w = (struct dh_weights){ 0 };
    struct loader l = {
        .w = w, .config = config, .files = files, .place = place
    };
    dh_array(l.used, files->n);
    load_text(&l);
    if (config->has_vision && !l.status)
        load_vision(&l);
    if (!l.status && place != DH_WEIGHTS_LISTED)
        report_unknown(&l);
    dh_free(l.used);
    if (l.status)
        dh_weights_finish(w);
    return l.status;
}

void dh_weights_finish(struct dh_weights *w)
{
    for (size_t i = 0; i < w->n_owned; i++)
        dh_big_free(w->owned[i]);
    dh_free(w->owned);
    *w = (struct dh_weights){ 0 };
}
