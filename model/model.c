#include "model/model_priv.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/batch_priv.h"
#include "model/experts_priv.h"

#define DH_LOG_TAG "model"
#include "base/log.h"

#define MAX_JSON ((size_t)16 << 20)

// --- preprocessor_config.json -----------------------------------------------

static bool read_int(const struct dh_json *o, const char *key, int *out,
                     struct dh_diag *diag)
{
    int64_t v;
    if (!dh_json_find(o, key))
        return true;
    if (!dh_json_get_i64(o, key, 1, 1024, &v, diag))
        return false;
    *out = (int)v;
    return true;
}

static bool read_pixels(const struct dh_json *o, const char *key, int64_t *out,
                        struct dh_diag *diag)
{
    const struct dh_json *v = dh_json_find(o, key);
    if (!v || dh_json_kind(v) == DH_JSON_NULL)
        return true;
    return dh_json_get_i64(o, key, 1, (int64_t)1 << 40, out, diag);
}

static bool read_three(const struct dh_json *o, const char *key, float out[3],
                       struct dh_diag *diag)
{
    const struct dh_json *list = dh_json_find(o, key);
    if (!list)
        return true;
    int n = 0;
    for (const struct dh_json *e = dh_json_first(list); e;
         e = dh_json_next(e)) {
        double v = dh_json_number(e);
        if (n == 3 || dh_json_kind(e) != DH_JSON_NUMBER || !(v >= 0 && v <= 1))
            break;
        out[n++] = (float)v;
    }
    if (n == 3 && dh_json_count(list) == 3)
        return true;
    dh_diag_set(diag, 0, "%s: three numbers from 0 to 1 expected", key);
    return false;
}

static bool read_size(const struct dh_json *o, struct dh_patch_rule *rule,
                      struct dh_diag *diag)
{
    const struct dh_json *size = dh_json_find(o, "size");
    if (!size || dh_json_kind(size) != DH_JSON_OBJECT)
        return true; // [672, 672] stands for the defaults
    return read_pixels(size, "shortest_edge", &rule->min_pixels, diag) &&
           read_pixels(size, "longest_edge", &rule->max_pixels, diag);
}

enum dh_status dh_model_parse_rule(const char *json, size_t len,
                                   struct dh_patch_rule *rule,
                                   struct dh_diag *diag)
{
    struct dh_json *o = dh_json_parse(json, len, diag);
    if (!o)
        return DH_ERR_FORMAT;
    struct dh_patch_rule r = *rule;
    bool good =
        dh_json_kind(o) == DH_JSON_OBJECT &&
        read_int(o, "patch_size", &r.patch_size, diag) &&
        read_int(o, "temporal_patch_size", &r.temporal_patch_size, diag) &&
        read_int(o, "merge_size", &r.merge_size, diag) &&
        read_size(o, &r, diag) &&
        read_pixels(o, "min_pixels", &r.min_pixels, diag) &&
        read_pixels(o, "max_pixels", &r.max_pixels, diag) &&
        read_three(o, "image_mean", r.mean, diag) &&
        read_three(o, "image_std", r.std, diag);
    dh_json_free(o);
    if (good && r.min_pixels > r.max_pixels) {
        dh_diag_set(diag, 0, "min_pixels is larger than max_pixels");
        good = false;
    }
    for (int c = 0; c < 3 && good; c++) {
        if (!(r.std[c] > 0)) {
            dh_diag_set(diag, 0, "image_std: 0 is not possible");
            good = false;
        }
    }
    dh_diag_set(good ? NULL : diag, 0, "an object expected");
    if (good)
        *rule = r;
    return good ? DH_OK : DH_ERR_FORMAT;
}

// --- loading ----------------------------------------------------------------

static enum dh_status load_config(struct dh_model *m, const char *dir)
{
    char *path = dh_path_join(dir, "config.json"), *text = NULL;
    size_t len;
    enum dh_status st = dh_file_read(path, MAX_JSON, &text, &len);
    if (!st) {
        struct dh_diag diag = { 0 };
        st = dh_config_parse(text, len, &m->config, &diag);
        if (st)
            dh_error("%s: %s", path, diag.text);
    }
    dh_big_free(text);
    dh_free(path);
    return st;
}

static enum dh_status parse_rule(struct dh_model *m, const char *path,
                                 const char *json, size_t len)
{
    const struct dh_vision_config *v = &m->config.vision;
    struct dh_patch_rule *r = &m->image_rule;
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_model_parse_rule(json, len, r, &diag);
    if (st)
        dh_error("%s: %s", path, diag.text);
    if (!st && (r->patch_size != v->patch_size ||
                r->temporal_patch_size != v->temporal_patch_size ||
                r->merge_size != v->spatial_merge_size)) {
        dh_error("%s: patches differ from those of config.json", path);
        st = DH_ERR_FORMAT;
    }
    return st;
}

static enum dh_status read_rule(struct dh_model *m, const char *dir)
{
    char *path = dh_path_join(dir, "preprocessor_config.json"), *text = NULL;
    size_t len;
    enum dh_status st = DH_OK;
    if (dh_path_exists(path)) {
        st = dh_file_read(path, MAX_JSON, &text, &len);
        if (!st)
            st = parse_rule(m, path, text, len);
    }
    dh_big_free(text);
    dh_free(path);
    return st;
}

// Released budgets, the model's own geometry; then what the file says.
static enum dh_status load_rules(struct dh_model *m, const char *dir)
{
    const struct dh_vision_config *v = &m->config.vision;
    m->image_rule = m->video_rule = dh_patch_rule_m3;
    m->video_rule.max_pixels = 602112;
    if (!m->config.has_vision)
        return DH_OK;
    m->image_rule.patch_size = v->patch_size;
    m->image_rule.temporal_patch_size = v->temporal_patch_size;
    m->image_rule.merge_size = v->spatial_merge_size;
    enum dh_status st;
    if (m->gguf) {
        struct dh_buf json;
        dh_buf_init(&json, 4096);
        dh_gguf_image_rule(m->gguf, &json);
        st = parse_rule(m, dir, dh_buf_text(&json), json.len);
        dh_buf_finish(&json);
    } else {
        st = read_rule(m, dir);
    }
    int64_t pixels = m->video_rule.max_pixels;
    m->video_rule = m->image_rule;
    m->video_rule.max_pixels = DH_MAX(pixels, m->image_rule.min_pixels);
    return st;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

// What weights of a type are multiplied as.
enum { AS_FLOAT32, AS_BFLOAT16, AS_INT8, WAYS };

static int way_of(const struct dh_kernels *k, enum dh_dtype type)
{
    if ((k->ints && dh_ints_zero(type)) || (k->ints_k && dh_ints_is_k(type)))
        return AS_INT8;
    if (type == DH_F32 || (type == DH_F16 && !dh_pairs_take_halves(k)))
        return AS_FLOAT32;
    return k->pairs ? AS_BFLOAT16 : AS_FLOAT32;
}

static void describe(struct dh_model *m)
{
    static const char *const names[WAYS] = { "float32", "bfloat16", "int8" };
    int64_t of[WAYS] = { 0 };
    const struct dh_config *c = &m->config;
    m->info = (struct dh_model_info){
        .vocab_size = c->text.vocab_size,
        .hidden_size = c->text.hidden_size,
        .num_hidden_layers = c->text.num_hidden_layers,
        .max_position_embeddings = c->text.max_position_embeddings,
        .image_token_id = c->has_vision ? c->image_token_id : -1,
        .video_token_id = c->has_vision ? c->video_token_id : -1,
        .eos_token_id = c->text.eos_token_id,
        .has_vision = c->has_vision,
        .vision_missing =
            c->has_vision ? NULL
            : m->gguf ? "the model's vision file (mmproj*.gguf) is missing: "
                        "put it beside the .gguf, or name it with --mmproj"
                      : "this checkpoint has no vision tower",
        .kernels = m->kernels->name,
    };
    for (size_t i = 0; i < m->tensors->n; i++) {
        const struct dh_tensor *t = &m->tensors->at[i];
        // Two codes in a byte, and no scale is a weight.
        size_t per = t->dtype == DH_U8 ? 2 : dh_dtype_block(t->dtype);
        m->info.weight_bytes += (int64_t)t->bytes;
        if (!ends_with(t->name, "_scale_inv") &&
            !ends_with(t->name, "_scale") && !ends_with(t->name, "_scale_2"))
            of[way_of(m->kernels, t->dtype)] +=
                (int64_t)(t->bytes / dh_dtype_bytes(t->dtype) * per);
    }
    int most = 0;
    for (int i = 0; i < WAYS; i++) {
        m->info.parameters += of[i];
        most = of[i] > of[most] ? i : most;
    }
    m->info.products = names[most];
}

static enum dh_status open_folder(struct dh_model *m, const char *dir)
{
    enum dh_status st = load_config(m, dir);
    if (!st)
        st = dh_safetensors_open(&m->files, dir);
    if (!st)
        m->tensors = dh_safetensors_list(m->files);
    return st;
}

static enum dh_status open_gguf(struct dh_model *m, const char *path,
                                const char *mmproj)
{
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_gguf_open_model(&m->gguf, path, mmproj);
    if (st)
        return st;
    st = dh_gguf_config(m->gguf, &m->config, &diag);
    if (st)
        dh_error("%s: %s", path, diag.text);
    dh_gguf_tensors_init(&m->renamed, m->gguf);
    m->tensors = &m->renamed.all;
    return st;
}

static enum dh_status load(struct dh_model *m, const char *dir,
                           const struct dh_model_options *o)
{
    int64_t memory = o->memory_bytes;
    bool is_gguf = dh_gguf_is_path(dir);
    m->kernels = dh_kernels_find(o->kernels);
    if (!m->kernels) {
        dh_error("no kernels \"%s\" on this machine", o->kernels);
        return DH_ERR_USAGE;
    }
    if (o->mmproj && !is_gguf) {
        dh_error("--mmproj is for a .gguf file; %s is none", dir);
        return DH_ERR_USAGE;
    }
    enum dh_status st =
        is_gguf ? open_gguf(m, dir, o->mmproj) : open_folder(m, dir);
    if (!st)
        st = load_rules(m, dir);
    if (!st)
        st = dh_weights_init(&m->weights, &m->config, m->tensors,
                             memory ? DH_WEIGHTS_LISTED : DH_WEIGHTS_MAPPED);
    if (!st && memory)
        st = dh_experts_create(&m->experts, &m->config, &m->weights, m->tensors,
                               (size_t)memory);
    if (!st)
        st = dh_tensors_check(m->tensors);
    if (st)
        return st;
    if (!memory)
        dh_tensors_advise(m->tensors, false);
    describe(m);
    return DH_OK;
}

enum dh_status dh_model_create(struct dh_model **out, const char *dir,
                               const struct dh_model_options *o)
{
    static const struct dh_model_options none;
    struct dh_model *m;
    dh_new(m);
    m->pool = o ? o->pool : NULL;
    m->batch = dh_batch_create();
    enum dh_status st = load(m, dir, o ? o : &none);
    if (st) {
        dh_model_destroy(m);
        return st;
    }
    *out = m;
    return DH_OK;
}

void dh_model_destroy(struct dh_model *m)
{
    if (!m)
        return;
    dh_batch_destroy(m->batch);
    dh_experts_destroy(m->experts);
    dh_weights_finish(&m->weights);
    dh_safetensors_close(m->files);
    dh_gguf_tensors_finish(&m->renamed);
    dh_gguf_close(m->gguf);
    dh_free(m);
}

const struct dh_model_info *dh_model_get_info(const struct dh_model *m)
{
    return &m->info;
}

bool dh_model_get_reads(const struct dh_model *m, struct dh_model_reads *out)
{
    if (m->experts)
        dh_experts_get_reads(m->experts, out);
    return m->experts != NULL;
}

const struct dh_patch_rule *dh_model_get_image_rule(const struct dh_model *m)
{
    return &m->image_rule;
}

const struct dh_patch_rule *dh_model_get_video_rule(const struct dh_model *m)
{
    return &m->video_rule;
}
