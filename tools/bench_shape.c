#include "tools/bench_shape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/model.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define HEAD_DIM   128
#define INDEX_DIM  128
#define ROTARY_DIM 64
#define EXPERTS_OF 4 // of each token

struct shape {
    const char *name;
    int hidden, layers, heads, kv_heads, vocab;
    int experts, expert_width, dense_width, index_heads;
    int mixed;  // the first layer with experts
    int sparse; // the first layer that chooses blocks
    bool mxfp8; // what the official MXFP8 has so
};

static const struct shape shapes[] = {
    { "tiny", 512, 8, 8, 2, 4096, 16, 256, 1024, 2, 1, 1, false },
    { "mid", 1024, 12, 16, 4, 16384, 32, 512, 3072, 4, 1, 1, false },
    { "m3-layer", 6144, 1, 64, 4, 1024, 128, 3072, 0, 4, 0, 0, true },
};

// The tensors are gone through twice: for the header, then for the numbers.
struct writer {
    const struct shape *s;
    struct dh_json_writer *json; // NULL in the second pass
    FILE *file;
    int64_t at; // of the next tensor
    uint64_t head_len;
    struct dh_rng rng;
    bool failed;
};

// Uniform, as wide as a normal distribution with this deviation.
static void put_numbers(struct writer *w, int64_t n, float deviation)
{
    uint16_t some[4096];
    float width = deviation * sqrtf(12.0f);
    while (n > 0 && !w->failed) {
        size_t m = (size_t)DH_MIN(n, (int64_t)DH_COUNTOF(some));
        for (size_t i = 0; i < m; i++) {
            float f = ((float)dh_rng_unit(&w->rng) - 0.5f) * width;
            uint32_t bits;
            memcpy(&bits, &f, sizeof bits);
            some[i] = (uint16_t)(bits >> 16);
        }
        w->failed = fwrite(some, sizeof *some, m, w->file) != m;
        n -= (int64_t)m;
    }
}

// Four powers of two with all their eighths, of either sign, and what brings
// their deviation of 14 to the wanted one.
static void put_codes(struct writer *w, int64_t n)
{
    uint64_t some[4096];
    while (n > 0 && !w->failed) {
        size_t m = (size_t)DH_MIN(n, (int64_t)sizeof some);
        for (size_t i = 0; i * sizeof *some < m; i++)
            some[i] = (dh_rng_next(&w->rng) & 0x9f9f9f9f9f9f9f9f) |
                      0x4040404040404040;
        w->failed = fwrite(some, 1, m, w->file) != m;
        n -= (int64_t)m;
    }
}

static void put_scales(struct writer *w, int64_t n, float deviation)
{
    int scale = 127 + (int)lrintf(log2f(deviation / 14));
    for (; n > 0 && !w->failed; n--)
        w->failed = putc(scale, w->file) == EOF;
}

static void head_of(struct writer *w, const char *name, const char *dtype,
                    int rows, int cols, int64_t bytes)
{
    dh_jw_object(w->json, name);
    dh_jw_text(w->json, "dtype", dtype);
    dh_jw_array(w->json, "shape");
    if (rows > 1)
        dh_jw_i64(w->json, NULL, rows);
    dh_jw_i64(w->json, NULL, cols);
    dh_jw_end_array(w->json);
    dh_jw_array(w->json, "data_offsets");
    dh_jw_i64(w->json, NULL, w->at);
    w->at += bytes;
    dh_jw_i64(w->json, NULL, w->at);
    dh_jw_end_array(w->json);
    dh_jw_end_object(w->json);
}

static void tensor(struct writer *w, const char *name, int rows, int cols,
                   float deviation)
{
    int64_t n = (int64_t)rows * cols;
    if (w->json)
        head_of(w, name, "BF16", rows, cols, 2 * n);
    else
        put_numbers(w, n, deviation);
}

// MXFP8: a code each, and a scale for 32 of a row.
static void tensor_mxfp8(struct writer *w, const char *name, int rows, int cols,
                         float deviation)
{
    char scales[160];
    int64_t n = (int64_t)rows * cols;
    if (!w->json) {
        put_codes(w, n);
        put_scales(w, n / 32, deviation);
        return;
    }
    snprintf(scales, sizeof scales, "%s_scale_inv", name);
    head_of(w, name, "F8_E4M3", rows, cols, n);
    head_of(w, scales, "U8", rows, cols / 32, n / 32);
}

DH_PRINTF(5, 6)
static void put(struct writer *w, int rows, int cols, float deviation,
                const char *fmt, ...)
{
    char name[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    tensor(w, name, rows, cols, deviation);
}

static void mat(struct writer *w, int layer, const char *name, int rows,
                int cols)
{
    char full[128];
    snprintf(full, sizeof full, "model.layers.%d.%s.weight", layer, name);
    (w->s->mxfp8 ? tensor_mxfp8 : tensor)(w, full, rows, cols,
                                          1 / sqrtf((float)cols));
}

static void norm(struct writer *w, int layer, const char *name, int n)
{
    put(w, 1, n, 0.05f, "model.layers.%d.%s.weight", layer, name);
}

static void attention(struct writer *w, int i)
{
    const struct shape *s = w->s;
    norm(w, i, "input_layernorm", s->hidden);
    mat(w, i, "self_attn.q_proj", s->heads * HEAD_DIM, s->hidden);
    mat(w, i, "self_attn.k_proj", s->kv_heads * HEAD_DIM, s->hidden);
    mat(w, i, "self_attn.v_proj", s->kv_heads * HEAD_DIM, s->hidden);
    mat(w, i, "self_attn.o_proj", s->hidden, s->heads * HEAD_DIM);
    norm(w, i, "self_attn.q_norm", HEAD_DIM);
    norm(w, i, "self_attn.k_norm", HEAD_DIM);
    norm(w, i, "post_attention_layernorm", s->hidden);
}

static void index_branch(struct writer *w, int i)
{
    const struct shape *s = w->s;
    mat(w, i, "self_attn.index_q_proj", s->index_heads * INDEX_DIM, s->hidden);
    mat(w, i, "self_attn.index_k_proj", INDEX_DIM, s->hidden);
    norm(w, i, "self_attn.index_q_norm", INDEX_DIM);
    norm(w, i, "self_attn.index_k_norm", INDEX_DIM);
}

static void mixture(struct writer *w, int i)
{
    const struct shape *s = w->s;
    int n = s->expert_width;
    char name[64];
    put(w, s->experts, s->hidden, 1 / sqrtf((float)s->hidden),
        "model.layers.%d.block_sparse_moe.gate.weight", i);
    put(w, 1, s->experts, 0.05f,
        "model.layers.%d.block_sparse_moe.e_score_correction_bias", i);
    for (int e = 0; e < s->experts; e++) {
        snprintf(name, sizeof name, "block_sparse_moe.experts.%d.w1", e);
        mat(w, i, name, n, s->hidden);
        snprintf(name, sizeof name, "block_sparse_moe.experts.%d.w3", e);
        mat(w, i, name, n, s->hidden);
        snprintf(name, sizeof name, "block_sparse_moe.experts.%d.w2", e);
        mat(w, i, name, s->hidden, n);
    }
    mat(w, i, "block_sparse_moe.shared_experts.gate_proj", n, s->hidden);
    mat(w, i, "block_sparse_moe.shared_experts.up_proj", n, s->hidden);
    mat(w, i, "block_sparse_moe.shared_experts.down_proj", s->hidden, n);
}

static void all_tensors(struct writer *w)
{
    const struct shape *s = w->s;
    put(w, s->vocab, s->hidden, 1, "model.embed_tokens.weight");
    for (int i = 0; i < s->layers && !w->failed; i++) {
        attention(w, i);
        if (i >= s->mixed) {
            mixture(w, i);
            continue;
        }
        mat(w, i, "mlp.gate_proj", s->dense_width, s->hidden);
        mat(w, i, "mlp.up_proj", s->dense_width, s->hidden);
        mat(w, i, "mlp.down_proj", s->hidden, s->dense_width);
    }
    put(w, 1, s->hidden, 0.05f, "model.norm.weight");
    put(w, s->vocab, s->hidden, 1 / sqrtf((float)s->hidden), "lm_head.weight");
    // Last, so that what has none is the same file without its end.
    for (int i = s->sparse; i < s->layers && !w->failed; i++)
        index_branch(w, i);
}

static void one_from(struct dh_json_writer *w, const char *key,
                     const struct shape *s, int first)
{
    dh_jw_array(w, key);
    for (int i = 0; i < s->layers; i++)
        dh_jw_i64(w, NULL, i >= first);
    dh_jw_end_array(w);
}

static void put_config(const struct shape *s, struct dh_buf *out)
{
    const struct {
        const char *key;
        int value;
    } numbers[] = {
        { "hidden_size", s->hidden },
        { "num_hidden_layers", s->layers },
        { "num_attention_heads", s->heads },
        { "num_key_value_heads", s->kv_heads },
        { "head_dim", HEAD_DIM },
        { "vocab_size", s->vocab },
        { "max_position_embeddings", 1 << 20 },
        { "rotary_dim", ROTARY_DIM },
        { "rope_theta", 5000000 },
        { "intermediate_size", s->expert_width },
        { "dense_intermediate_size", DH_MAX(s->dense_width, 1) },
        { "shared_intermediate_size", s->expert_width },
        { "num_local_experts", s->experts },
        { "num_experts_per_tok", EXPERTS_OF },
        { "n_shared_experts", 1 },
    };
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_array(&w, "architectures");
    dh_jw_text(&w, NULL, "MiniMaxM3SparseForCausalLM");
    dh_jw_end_array(&w);
    for (size_t i = 0; i < DH_COUNTOF(numbers); i++)
        dh_jw_i64(&w, numbers[i].key, numbers[i].value);
    dh_jw_text(&w, "hidden_act", "swigluoai");
    dh_jw_text(&w, "scoring_func", "sigmoid");
    dh_jw_text(&w, "qk_norm_type", "per_head");
    dh_jw_double(&w, "rms_norm_eps", 1e-6);
    dh_jw_double(&w, "swiglu_alpha", 1.702);
    dh_jw_double(&w, "swiglu_limit", 7);
    dh_jw_double(&w, "routed_scaling_factor", 2);
    dh_jw_bool(&w, "use_gemma_norm", true);
    dh_jw_bool(&w, "use_qk_norm", true);
    dh_jw_bool(&w, "use_routing_bias", true);
    dh_jw_bool(&w, "tie_word_embeddings", false);
    one_from(&w, "moe_layer_freq", s, s->mixed);
    dh_jw_object(&w, "sparse_attention_config");
    dh_jw_bool(&w, "use_sparse_attention", true);
    dh_jw_i64(&w, "sparse_index_dim", INDEX_DIM);
    dh_jw_i64(&w, "sparse_num_index_heads", s->index_heads);
    dh_jw_i64(&w, "sparse_topk_blocks", 16);
    dh_jw_i64(&w, "sparse_block_size", 128);
    dh_jw_text(&w, "sparse_score_type", "max");
    dh_jw_i64(&w, "sparse_init_block", 0);
    dh_jw_i64(&w, "sparse_local_block", 1);
    one_from(&w, "sparse_disable_index_value", s, s->sparse);
    one_from(&w, "sparse_attention_freq", s, s->sparse);
    dh_jw_end_object(&w);
    dh_jw_end_object(&w);
}

// As long as `least` bytes, in whole words.
static void put_header(struct writer *w, size_t least)
{
    struct dh_buf head;
    struct dh_json_writer json;
    dh_buf_init(&head, 1 << 26);
    dh_jw_init(&json, &head);
    dh_jw_object(&json, NULL);
    w->json = &json;
    all_tensors(w);
    dh_jw_end_object(&json);
    w->json = NULL;
    while (head.len < least || head.len % 8)
        dh_buf_putc(&head, ' ');
    w->head_len = head.len;
    w->failed = fwrite(&w->head_len, sizeof w->head_len, 1, w->file) != 1 ||
                fwrite(head.data, 1, head.len, w->file) != head.len;
    dh_buf_finish(&head);
}

static const struct shape *find_shape(const char *name)
{
    for (size_t i = 0; i < DH_COUNTOF(shapes); i++)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    dh_error("there is no shape \"%s\": tiny, mid and m3-layer are", name);
    return NULL;
}

static enum dh_status write_config(const struct shape *s, const char *dir)
{
    struct dh_buf config;
    dh_buf_init(&config, 1 << 16);
    put_config(s, &config);
    char *path = dh_path_join(dir, "config.json");
    enum dh_status st = dh_file_write(path, config.data, config.len);
    dh_free(path);
    dh_buf_finish(&config);
    return st;
}

// With a header of `least` bytes; or that alone, in a file that is there.
static enum dh_status write_weights(const struct shape *s, const char *dir,
                                    bool header_only, uint64_t *head_len)
{
    struct writer w = { .s = s };
    dh_rng_init(&w.rng, 20260101);
    char *path = dh_path_join(dir, "model.safetensors");
    w.file = fopen(path, header_only ? "r+be" : "wbe");
    if (w.file)
        put_header(&w, *head_len);
    if (w.file && !header_only && !w.failed)
        all_tensors(&w);
    bool ok = w.file && !w.failed;
    ok = w.file && fclose(w.file) == 0 && ok;
    if (!ok)
        dh_error("%s cannot be written", path);
    dh_free(path);
    *head_len = w.head_len;
    return ok ? DH_OK : DH_ERR_IO;
}

static void remove_all(const char *dir)
{
    static const char *const names[] = { "config.json", "model.safetensors" };
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        char *path = dh_path_join(dir, names[i]);
        unlink(path);
        dh_free(path);
    }
    rmdir(dir);
}

static enum dh_status open_all(struct dh_model **out, struct dh_model **dense,
                               const struct shape *s, const char *dir,
                               const struct dh_model_options *o, double *load_s)
{
    struct shape full = *s;
    full.sparse = s->layers;
    uint64_t head_len = 0;
    enum dh_status st = write_config(s, dir);
    if (!st)
        st = write_weights(s, dir, false, &head_len);
    int64_t start = dh_now_ns();
    if (!st)
        st = dh_model_create(out, dir, o);
    *load_s = dh_seconds_since(start);
    if (!st && dense)
        st = write_config(&full, dir);
    if (!st && dense)
        st = write_weights(&full, dir, true, &head_len);
    if (!st && dense)
        st = dh_model_create(dense, dir, o);
    return st;
}

enum dh_status dh_bench_shape_open(struct dh_model **out,
                                   struct dh_model **dense, const char *name,
                                   const struct dh_model_options *o,
                                   double *load_s)
{
    const struct shape *s = find_shape(name);
    const char *tmp = getenv("TMPDIR");
    char dir[512];
    if (!s)
        return DH_ERR_USAGE;
    snprintf(dir, sizeof dir, "%s/deskhand-model-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        dh_error("cannot make a folder such as %s", dir);
        return DH_ERR_IO;
    }
    enum dh_status st = open_all(out, dense, s, dir, o, load_s);
    // What is mapped stays.
    remove_all(dir);
    return st;
}
