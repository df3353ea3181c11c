#include "model/weights_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/quant_priv.h"
#include "model/tensor_priv.h"
#include "tests/dh_test.h"
#include "tests/model/checkpoint.h"

struct loaded {
    struct dh_config config;
    struct dh_safetensors *st;
    struct dh_weights w;
};

static char last_log[400];

static void remember(void *user, enum dh_log_level level, const char *tag,
                     const char *text)
{
    (void)user;
    (void)tag;
    if (level <= DH_LOG_WARN)
        snprintf(last_log, sizeof(last_log), "%s", text);
}

static void check_logged(const char *part)
{
    if (!strstr(last_log, part))
        CHECK_STR(last_log, part);
}

static void open_written(const char *sub, const struct dh_checkpoint_spec *spec,
                         struct loaded *l)
{
    char *dir = dh_test_path(sub), *text;
    char *path = dh_path_join(dir, "config.json");
    size_t len;
    struct dh_diag diag = { 0 };
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    dh_checkpoint_write(dir, spec);
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &len), DH_OK);
    CHECK_INT(dh_config_parse(text, len, &l->config, &diag), DH_OK);
    CHECK_INT(dh_safetensors_open(&l->st, dir), DH_OK);
    dh_big_free(text);
    dh_free(path);
    dh_free(dir);
}

static enum dh_status try_load(struct loaded *l)
{
    last_log[0] = '\0';
    dh_log_set_hook(remember, NULL);
    enum dh_status st = dh_weights_init(
        &l->w, &l->config, dh_safetensors_list(l->st), DH_WEIGHTS_MAPPED);
    dh_log_set_hook(NULL, NULL);
    return st;
}

static void load(const char *sub, const struct dh_checkpoint_spec *spec,
                 struct loaded *l)
{
    open_written(sub, spec, l);
    enum dh_status st = try_load(l);
    CHECK_STR(last_log, "");
    CHECK_INT(st, DH_OK);
}

static void unload(struct loaded *l)
{
    dh_weights_finish(&l->w);
    dh_safetensors_close(l->st);
}

// ------------------------------------------------------------- what to expect

// Called for every matrix and vector (rows 1) of a model with its released
// name.
typedef void (*visit_fn)(void *user, const char *name, struct dh_mat m);

struct visitor {
    visit_fn fn;
    void *user;
};

DH_PRINTF(3, 4)
static void visit(const struct visitor *v, struct dh_mat m, const char *fmt,
                  ...)
{
    char name[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    v->fn(v->user, name, m);
}

static struct dh_mat vec(const float *p, int n)
{
    return (struct dh_mat){ .data = p, .dtype = DH_F32, .rows = 1, .cols = n };
}

static void visit_mlp(const struct visitor *v, const char *at,
                      const struct dh_mlp_weights *w)
{
    visit(v, w->gate, "%s.gate_proj.weight", at);
    visit(v, w->up, "%s.up_proj.weight", at);
    visit(v, w->down, "%s.down_proj.weight", at);
}

static void visit_moe(const struct visitor *v, const char *at,
                      const struct dh_text_config *c,
                      const struct dh_layer_weights *w)
{
    char shared[120];
    snprintf(shared, sizeof(shared), "%s.block_sparse_moe.shared_experts", at);
    visit_mlp(v, shared, &w->shared);
    CHECK_INT(w->router.dtype, DH_F32);
    visit(v, w->router, "%s.block_sparse_moe.gate.weight", at);
    visit(v, vec(w->e_score_correction_bias, c->num_local_experts),
          "%s.block_sparse_moe.e_score_correction_bias", at);
    for (int e = 0; e < c->num_local_experts; e++) {
        const char *x = "block_sparse_moe.experts";
        visit(v, w->experts[e].gate, "%s.%s.%d.w1.weight", at, x, e);
        visit(v, w->experts[e].up, "%s.%s.%d.w3.weight", at, x, e);
        visit(v, w->experts[e].down, "%s.%s.%d.w2.weight", at, x, e);
    }
}

static void visit_layer(const struct visitor *v, const char *at, int i,
                        const struct dh_text_config *c,
                        const struct dh_layer_weights *w)
{
    visit(v, vec(w->input_layernorm, c->hidden_size),
          "%s.input_layernorm.weight", at);
    visit(v, vec(w->post_attention_layernorm, c->hidden_size),
          "%s.post_attention_layernorm.weight", at);
    visit(v, w->q_proj, "%s.self_attn.q_proj.weight", at);
    visit(v, w->k_proj, "%s.self_attn.k_proj.weight", at);
    visit(v, w->v_proj, "%s.self_attn.v_proj.weight", at);
    visit(v, w->o_proj, "%s.self_attn.o_proj.weight", at);
    visit(v, vec(w->q_norm, c->head_dim), "%s.self_attn.q_norm.weight", at);
    visit(v, vec(w->k_norm, c->head_dim), "%s.self_attn.k_norm.weight", at);
    if (c->layer_sparse[i]) {
        int d = c->index_head_dim;
        visit(v, w->index_q_proj, "%s.self_attn.index_q_proj.weight", at);
        visit(v, w->index_k_proj, "%s.self_attn.index_k_proj.weight", at);
        visit(v, vec(w->index_q_norm, d), "%s.self_attn.index_q_norm.weight",
              at);
        visit(v, vec(w->index_k_norm, d), "%s.self_attn.index_k_norm.weight",
              at);
    }
    char mlp[120];
    snprintf(mlp, sizeof(mlp), "%s.mlp", at);
    if (c->layer_moe[i])
        visit_moe(v, at, c, w);
    else
        visit_mlp(v, mlp, &w->mlp);
}

static void visit_linear(const struct visitor *v, const char *at,
                         struct dh_mat m, const float *bias)
{
    visit(v, m, "%s.weight", at);
    visit(v, vec(bias, m.rows), "%s.bias", at);
}

static void visit_vision_layer(const struct visitor *v, int j, int d,
                               const struct dh_vision_layer_weights *w)
{
    const struct {
        const char *name;
        struct dh_mat m;
        const float *b;
    } linears[] = {
        { "self_attn.q_proj", w->q, w->q_b },
        { "self_attn.k_proj", w->k, w->k_b },
        { "self_attn.v_proj", w->v, w->v_b },
        { "self_attn.out_proj", w->out, w->out_b },
        { "mlp.fc1", w->fc1, w->fc1_b },
        { "mlp.fc2", w->fc2, w->fc2_b },
    };
    char at[80], x[120];
    snprintf(at, sizeof(at), "vision_tower.vision_model.encoder.layers.%d", j);
    for (size_t k = 0; k < DH_COUNTOF(linears); k++) {
        snprintf(x, sizeof(x), "%s.%s", at, linears[k].name);
        visit_linear(v, x, linears[k].m, linears[k].b);
    }
    visit(v, vec(w->ln1_w, d), "%s.layer_norm1.weight", at);
    visit(v, vec(w->ln1_b, d), "%s.layer_norm1.bias", at);
    visit(v, vec(w->ln2_w, d), "%s.layer_norm2.weight", at);
    visit(v, vec(w->ln2_b, d), "%s.layer_norm2.bias", at);
}

static void visit_all(const struct loaded *l, const struct visitor *v)
{
    const struct dh_weights *w = &l->w;
    const struct dh_text_config *c = &l->config.text;
    visit(v, w->embed_tokens, "language_model.model.embed_tokens.weight");
    visit(v, w->lm_head, "language_model.lm_head.weight");
    visit(v, vec(w->norm, c->hidden_size), "language_model.model.norm.weight");
    for (int i = 0; i < c->num_hidden_layers; i++) {
        char at[80];
        snprintf(at, sizeof(at), "language_model.model.layers.%d", i);
        visit_layer(v, at, i, c, &w->layers[i]);
    }
    if (!l->config.has_vision)
        return;
    const struct dh_vision_weights *x = &w->vision;
    int d = l->config.vision.hidden_size;
    visit(v, x->patch_embedding,
          "vision_tower.vision_model.embeddings.patch_embedding.weight");
    visit(v, vec(x->pre_w, d), "vision_tower.vision_model.pre_layrnorm.weight");
    visit(v, vec(x->pre_b, d), "vision_tower.vision_model.pre_layrnorm.bias");
    for (int j = 0; j < l->config.vision.num_hidden_layers; j++)
        visit_vision_layer(v, j, d, &x->layers[j]);
    visit_linear(v, "multi_modal_projector.linear_1", x->linear_1,
                 x->linear_1_b);
    visit_linear(v, "multi_modal_projector.linear_2", x->linear_2,
                 x->linear_2_b);
    visit_linear(v, "patch_merge_mlp.linear_1", x->merge_1, x->merge_1_b);
    visit_linear(v, "patch_merge_mlp.linear_2", x->merge_2, x->merge_2_b);
}

struct expectation {
    enum dh_dtype dtype; // what the values were rounded to
    size_t tensors, rounded;
};

static bool stays_f32(const char *name)
{
    return strstr(name, "moe.gate.") || strstr(name, "e_score") ||
           strstr(name, "patch_embedding");
}

static void expect_values(void *user, const char *name, struct dh_mat m)
{
    struct expectation *x = user;
    size_t n = (size_t)m.rows * (size_t)m.cols;
    float *want, *got;
    dh_array(want, n);
    dh_array(got, n);
    CHECK(m.data);
    dh_checkpoint_values(name, n, want);
    dh_tensor_to_f32(m.dtype, m.data, n, got);
    for (size_t i = 0; i < n; i++) {
        float w = want[i];
        if (x->dtype == DH_BF16 && !stays_f32(name))
            w = dh_bf16_to_f32(dh_f32_to_bf16(w));
        else if (x->dtype == DH_F16 && !stays_f32(name))
            w = dh_f16_to_f32(dh_f32_to_f16(w));
        if (w != got[i])
            dh_check_near(__FILE__, __LINE__, name, (double)got[i], (double)w,
                          0);
        x->rounded += w != want[i];
    }
    x->tensors++;
    dh_free(want);
    dh_free(got);
}

static void check_values(const struct loaded *l, enum dh_dtype dtype,
                         size_t tensors)
{
    struct expectation x = { .dtype = dtype };
    visit_all(l, &(struct visitor){ expect_values, &x });
    CHECK_INT(x.tensors, tensors);
    CHECK_INT(x.rounded > 0, dtype != DH_F32);
}

// --------------------------------------------------------------------- tests

// 3 + 2 dense layers of 11 + 4 of 8 + 4 + 2 + 3 + 24, 3 + 2 * 16 + 8 of vision.
#define TEXT_TENSORS   (3 + 2 * 11 + 4 * 41)
#define VISION_TENSORS (3 + 2 * 16 + 8)

/* Every tensor, by every scheme of names, in every type. */
static void test_both_namings_give_the_same_values(void)
{
    static const enum dh_dtype types[] = { DH_F32, DH_BF16, DH_F16 };
    static const enum dh_checkpoint_names names[] = {
        DH_CHECKPOINT_RELEASED, DH_CHECKPOINT_TRANSFORMERS,
        DH_CHECKPOINT_TEXT_ONLY
    };
    for (size_t t = 0; t < DH_COUNTOF(types); t++)
        for (size_t n = 0; n < DH_COUNTOF(names); n++) {
            struct loaded l;
            bool text_only = names[n] == DH_CHECKPOINT_TEXT_ONLY;
            load("m",
                 &(struct dh_checkpoint_spec){ .dtype = types[t],
                                               .names = names[n] },
                 &l);
            check_values(&l, types[t],
                         TEXT_TENSORS + (text_only ? 0 : VISION_TENSORS));
            unload(&l);
        }
}

/* Matrices are views; only what needs another type is copied. */
static void test_aligned_matrices_stay_in_the_map(void)
{
    struct loaded l;
    load("m", &(struct dh_checkpoint_spec){ .dtype = DH_F32 }, &l);
    const struct dh_tensor *t = dh_safetensors_find(
        l.st, "language_model.model.layers.3.self_attn.q_proj.weight");
    CHECK(l.w.layers[3].q_proj.data == t->data);
    CHECK_INT(l.w.layers[3].q_proj.rows, 128);
    CHECK_INT(l.w.layers[3].q_proj.cols, 64);
    // The tables of layers, and of experts for each of 4 layers.
    CHECK_INT(l.w.n_owned, 6);
    unload(&l);
}

static void test_unaligned_data_is_copied(void)
{
    struct loaded l;
    load("m",
         &(struct dh_checkpoint_spec){ .dtype = DH_BF16, .unaligned = true },
         &l);
    CHECK_INT((uintptr_t)l.w.embed_tokens.data % 2, 0);
    CHECK_INT((uintptr_t)l.w.layers[2].router.data % 4, 0);
    check_values(&l, DH_BF16, TEXT_TENSORS + VISION_TENSORS);
    unload(&l);
}

static void test_shards_and_mtp_tensors_change_nothing(void)
{
    struct loaded l;
    load("m", &(struct dh_checkpoint_spec){ .shards = 5, .add_mtp = true }, &l);
    check_values(&l, DH_F32, TEXT_TENSORS + VISION_TENSORS);
    unload(&l);
}

static void test_a_tied_head_is_the_embedding(void)
{
    const char *const edits[] = { "\"tie_word_embeddings\": false",
                                  "\"tie_word_embeddings\": true", NULL };
    char *json = dh_checkpoint_edit(dh_checkpoint_config, edits);
    struct loaded l;
    load("m", &(struct dh_checkpoint_spec){ .config = json }, &l);
    CHECK(l.w.lm_head.data == l.w.embed_tokens.data);
    CHECK_INT(l.w.lm_head.rows, 256);
    unload(&l);
    dh_free(json);
}

/* Without any of these the model is refused, and the message names it. */
static void test_missing_tensors_are_named(void)
{
    static const struct {
        enum dh_checkpoint_names names;
        const char *skip, *says;
    } rows[] = {
#define R DH_CHECKPOINT_RELEASED
#define T DH_CHECKPOINT_TRANSFORMERS
        { R, "language_model.lm_head.weight", NULL },
        { R, "language_model.model.norm.weight", NULL },
        { R, "language_model.model.layers.0.mlp.up_proj.weight", NULL },
        { R, "language_model.model.layers.5.self_attn.k_norm.weight", NULL },
        { R, "language_model.model.layers.2.self_attn.index_k_norm.weight",
          NULL },
        { R, "language_model.model.layers.2.block_sparse_moe.gate.weight",
          NULL },
        { R,
          "language_model.model.layers.4.block_sparse_moe.experts.7.w3.weight",
          NULL },
        { R, "vision_tower.vision_model.encoder.layers.1.mlp.fc2.bias", NULL },
        { R, "vision_tower.vision_model.embeddings.patch_embedding.weight",
          NULL },
        { R, "patch_merge_mlp.linear_2.bias", NULL },
        { T, "model.language_model.layers.3.mlp.experts.gate_up_proj",
          "language_model.model.layers.3.block_sparse_moe.experts.0.w1" },
        { T, "model.language_model.layers.3.mlp.gate.e_score_correction_bias",
          "layers.3.block_sparse_moe.e_score_correction_bias is missing" },
        { T, "model.multi_modal_projector.merge_linear_1.weight",
          "patch_merge_mlp.linear_1.weight is missing" },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct loaded l;
        open_written("m",
                     &(struct dh_checkpoint_spec){ .names = rows[i].names,
                                                   .skip = rows[i].skip },
                     &l);
        CHECK_INT(try_load(&l), DH_ERR_FORMAT);
        check_logged(rows[i].says ? rows[i].says : rows[i].skip);
        CHECK(!l.w.layers && !l.w.owned);
        dh_safetensors_close(l.st);
    }
}

static void test_wrong_shapes_are_named_with_both(void)
{
    static const struct {
        enum dh_checkpoint_names names;
        const char *narrow, *says;
    } rows[] = {
        { R, "language_model.model.embed_tokens.weight", "[255, 64]" },
        { R, "language_model.model.layers.1.self_attn.o_proj.weight",
          "has the shape [63, 128], but the configuration makes it [64, 128]" },
        { R, "language_model.model.norm.weight", "[63]" },
        { R, "vision_tower.vision_model.embeddings.patch_embedding.weight",
          "[39, 3, 2, 4, 4], but the configuration makes it [40, 3, 2, 4, 4]" },
        { R, "language_model.model.layers.2.block_sparse_moe.gate.weight",
          "[7, 64]" },
        { T, "model.language_model.layers.2.mlp.experts.gate_up_proj",
          "[7, 64, 64], but the configuration makes it [8, 64, 64]" },
        { T, "model.language_model.layers.2.mlp.experts.down_proj",
          "[7, 64, 32]" },
        { T, "model.language_model.layers.0.mlp.gate_up_proj.weight",
          "[191, 64]" },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct loaded l;
        open_written("m",
                     &(struct dh_checkpoint_spec){ .names = rows[i].names,
                                                   .narrow = rows[i].narrow },
                     &l);
        CHECK_INT(try_load(&l), DH_ERR_FORMAT);
        check_logged(rows[i].narrow);
        check_logged(rows[i].says);
        dh_safetensors_close(l.st);
    }
}

static void test_unknown_tensors_warn_and_do_not_fail(void)
{
    const char *const edits[] = { "\"vision_config\"", "\"no_vision\"", NULL };
    char *json = dh_checkpoint_edit(dh_checkpoint_config, edits);
    struct loaded l;
    open_written("m", &(struct dh_checkpoint_spec){ .add_mtp = true }, &l);
    struct dh_diag diag = { 0 };
    CHECK_INT(dh_config_parse(json, strlen(json), &l.config, &diag), DH_OK);
    CHECK_INT(try_load(&l), DH_OK);
    char want[40];
    snprintf(want, sizeof(want), "%d tensors are unknown", VISION_TENSORS);
    check_logged(want);
    unload(&l);
    dh_free(json);
}

/* E4M3 by the words of its definition, all 256 codes. */
static void test_e4m3_and_e8m0_decode_as_defined(void)
{
    for (int code = 0; code < 256; code++) {
        int e = (code >> 3) & 15, m = code & 7;
        double want = e ? pow(2, e - 7) * (1 + m / 8.0) : m / 8.0 * pow(2, -6);
        float got = dh_quant_e4m3((uint8_t)code);
        if ((code & 127) == 127)
            CHECK(isnan(got));
        else
            CHECK_NEAR((double)got, code & 128 ? -want : want, 0);
        if (code < 255)
            CHECK_NEAR((double)dh_quant_e8m0((uint8_t)code), pow(2, code - 127),
                       0);
    }
    CHECK(isnan(dh_quant_e8m0(255)));
    CHECK_NEAR((double)dh_quant_e4m3(0x7e), 448, 0);
    CHECK(signbit(dh_quant_e4m3(0x80)));
}

static void expect_mxfp8(void *user, const char *name, struct dh_mat m)
{
    size_t n = (size_t)m.rows * (size_t)m.cols, *quantised = user;
    float *want, *got;
    dh_array(want, n);
    dh_array(got, n);
    dh_checkpoint_values(name, n, want);
    for (int r = 0; r < m.rows; r++)
        dh_quant_expand(got + (size_t)r * m.cols, &m, r, 0, m.cols);
    // Half a step of E4M3 is 1/16 of the value; what is small against the
    // largest of its block steps by 2^-10 of that.
    if (m.dtype == DH_F8_E4M3)
        for (size_t i = 0; i < n; i++)
            CHECK_NEAR((double)got[i], (double)want[i],
                       fabs((double)want[i]) / 16 + 1e-5);
    else
        CHECK_MEM(got, want, n * sizeof(*got));
    *quantised += m.dtype == DH_F8_E4M3;
    dh_free(want);
    dh_free(got);
}

/* Quantised matrices stay so, under both namings the same bytes. */
static void test_mxfp8_checkpoints_load(void)
{
    size_t quantised[2] = { 0, 0 };
    struct loaded l[2];
    for (int i = 0; i < 2; i++) {
        load(i ? "t" : "r",
             &(struct dh_checkpoint_spec){ .mxfp8 = true,
                                           .names =
                                               i ? DH_CHECKPOINT_TRANSFORMERS
                                                 : DH_CHECKPOINT_RELEASED },
             &l[i]);
        visit_all(&l[i], &(struct visitor){ expect_mxfp8, &quantised[i] });
    }
    // 4 of attention and 3 of the MLP in 2 layers; 4, 2, 2 of the shared
    // expert (its down_proj has rows of 40) and 24 in 4 layers.
    CHECK_INT(quantised[0], 2 * 7 + 4 * (4 + 2 + 2 + 24));
    CHECK_INT(quantised[1], quantised[0]);
    struct dh_mat a = l[0].w.layers[4].experts[6].up;
    struct dh_mat b = l[1].w.layers[4].experts[6].up;
    CHECK_INT(a.dtype, DH_F8_E4M3);
    CHECK_MEM(a.data, b.data, (size_t)a.rows * (size_t)a.cols);
    CHECK_MEM(a.scales, b.scales, (size_t)a.rows * (size_t)a.cols / 32);
    CHECK_INT(l[0].w.n_owned, l[1].w.n_owned);
    CHECK_INT(l[0].w.n_owned, 6); // tables: nothing was copied
    unload(&l[0]);
    unload(&l[1]);
}

static void test_mxfp8_without_scales_is_refused(void)
{
    const char *scales =
        "language_model.model.layers.1.self_attn.o_proj.weight_scale_inv";
    struct loaded l;
    open_written(
        "m", &(struct dh_checkpoint_spec){ .mxfp8 = true, .skip = scales }, &l);
    CHECK_INT(try_load(&l), DH_ERR_FORMAT);
    check_logged(scales);
    dh_safetensors_close(l.st);
}

static void test_mxfp8_with_scales_of_another_shape_is_refused(void)
{
    static const char name[] =
        "language_model.model.layers.1.self_attn.o_proj.weight_scale_inv\"";
    char *path = dh_test_path("m/model.safetensors"), *bytes;
    struct dh_checkpoint_spec spec = { .mxfp8 = true };
    struct loaded l;
    size_t len;
    open_written("m", &spec, &l);
    dh_safetensors_close(l.st);
    CHECK_INT(dh_file_read(path, 1 << 24, &bytes, &len), DH_OK);
    char *at = memmem(bytes, len, name, strlen(name));
    CHECK(at);
    at = strstr(at, "[64,4]");
    CHECK(at && at < bytes + len);
    memcpy(at, "[4,64]", 6);
    CHECK_INT(dh_file_write(path, bytes, len), DH_OK);
    char *dir = dh_test_path("m");
    CHECK_INT(dh_safetensors_open(&l.st, dir), DH_OK);
    CHECK_INT(try_load(&l), DH_ERR_FORMAT);
    check_logged("o_proj.weight_scale_inv has the shape [4, 64]");
    dh_safetensors_close(l.st);
    dh_big_free(bytes);
    dh_free(path);
    dh_free(dir);
}

/* Whichever allocation fails: a status, no leak, and the next try works. */
static void test_survives_failing_allocations(void)
{
    struct loaded l;
    open_written("m", &(struct dh_checkpoint_spec){ .dtype = DH_BF16 }, &l);
    long before = dh_mem_big_count();
    CHECK_INT(try_load(&l), DH_OK);
    long n = dh_mem_big_count() - before;
    CHECK(n > 20);
    dh_weights_finish(&l.w);
    for (long i = 0; i < n; i++) {
        dh_mem_fail_after(i);
        CHECK_INT(try_load(&l), DH_ERR_NOMEM);
        check_logged("no memory for");
        CHECK(!l.w.owned);
    }
    dh_mem_fail_after(-1);
    CHECK_INT(try_load(&l), DH_OK);
    unload(&l);
}

static void test_half_types_round_trip(void)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float f = dh_f16_to_f32((uint16_t)h), b = dh_bf16_to_f32((uint16_t)h);
        if (!isnan(f))
            CHECK_INT(dh_f32_to_f16(f), h);
        if (!isnan(b))
            CHECK_INT(dh_f32_to_bf16(b), h);
    }
    CHECK(isnan(dh_f16_to_f32(dh_f32_to_f16(NAN))));
    CHECK(isnan(dh_bf16_to_f32(dh_f32_to_bf16(NAN))));
    CHECK_NEAR((double)dh_f16_to_f32(0x3555), 0.333251953125, 0);
    CHECK_NEAR((double)dh_f16_to_f32(0x0001), 0x1p-24, 0);
    CHECK_INT(dh_f32_to_f16(65519.9f), 0x7bff);
    CHECK_INT(dh_f32_to_f16(65520.0f), 0x7c00);
    CHECK_INT(dh_f32_to_f16(1 + 0x1p-11f), 0x3c00);
    CHECK_INT(dh_f32_to_f16(1 + 0x3p-11f), 0x3c02);
    CHECK_INT(dh_f32_to_bf16(1 + 0x1p-8f), 0x3f80);
    CHECK_INT(dh_f32_to_bf16(1 + 0x3p-8f), 0x3f82);
}

DH_TESTS(DH_TEST(both_namings_give_the_same_values),
         DH_TEST(aligned_matrices_stay_in_the_map),
         DH_TEST(unaligned_data_is_copied),
         DH_TEST(shards_and_mtp_tensors_change_nothing),
         DH_TEST(a_tied_head_is_the_embedding),
         DH_TEST(missing_tensors_are_named),
         DH_TEST(wrong_shapes_are_named_with_both),
         DH_TEST(unknown_tensors_warn_and_do_not_fail),
         DH_TEST(e4m3_and_e8m0_decode_as_defined),
         DH_TEST(mxfp8_checkpoints_load),
         DH_TEST(mxfp8_without_scales_is_refused),
         DH_TEST(mxfp8_with_scales_of_another_shape_is_refused),
         DH_TEST(survives_failing_allocations), DH_TEST(half_types_round_trip));
