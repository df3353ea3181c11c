#include "model/quantize.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "model/quant_priv.h"
#include "model/quantize_priv.h"
#include "model/tensor_priv.h"

#define DH_LOG_TAG "quantize"
#include "base/log.h"

// Weights that are in memory at once, besides the map.
#define CHUNK      ((size_t)1 << 22)
#define HEADER_MAX ((size_t)256 << 20)
#define JSON_MAX   ((size_t)16 << 20)

// ---------------------------------------------------------------- what is to
// be

static bool is_float(enum dh_dtype t)
{
    return dh_dtype_is_float(t);
}

// The type of a matrix in the new checkpoint.
static enum dh_dtype type_of(const struct dh_quantize_plan *p,
                             const struct dh_quantize_options *o,
                             const struct dh_weight *w)
{
    enum dh_dtype same = w->mat->dtype;
    bool fits = w->mat->cols % dh_quant_block(o->to) == 0;
    if (w->kind == DH_WEIGHT_ROUTER ||
        (p->gguf &&
         (w->kind == DH_WEIGHT_INDEX || w->kind == DH_WEIGHT_PATCHES)))
        return DH_F32;
    bool chosen = w->kind == DH_WEIGHT_LINEAR ||
                  (w->kind == DH_WEIGHT_VISION && o->vision);
    if (p->gguf && o->to == DH_BF16 && (chosen || !w->vision))
        return DH_BF16;
    if (p->gguf && fits && (chosen || !w->vision))
        return w->kind == DH_WEIGHT_HEAD ? DH_Q8_0 : o->to;
    if (!p->gguf && chosen && fits)
        return o->to;
    // What was in blocks and is to stay goes as it is where the file can hold
    // it.
    bool keeps = is_float(same) || (!p->gguf && same == DH_F8_E4M3);
    return keeps ? same : DH_BF16;
}

static void size_part(struct dh_quantize_part *part)
{
    size_t n = (size_t)part->n;
    for (int i = 0; i < part->n_mats; i++)
        n += (size_t)part->mats[i]->rows * (size_t)part->mats[i]->cols;
    bool aside = part->dtype == DH_F8_E4M3 || part->dtype == DH_NVFP4;
    part->bytes = dh_dtype_size(part->dtype, n);
    part->scales_bytes = aside ? n / (size_t)dh_quant_block(part->dtype) : 0;
}

struct planner {
    struct dh_quantize_plan *plan;
    const struct dh_quantize_options *o;
};

static struct dh_quantize_part *
add_part(struct planner *pl, const struct dh_weight *w, const char *name)
{
    struct dh_quantize_plan *p = pl->plan;
    p->parts = dh_resize_array(p->parts, (size_t)p->n + 1, sizeof(*p->parts));
    struct dh_quantize_part *part = &p->parts[p->n++];
    *part = (struct dh_quantize_part){
        .kind = w->kind,
        .factor = 1,
        .dtype = w->mat ? type_of(p, pl->o, w) : DH_F32,
        .vec = w->vec,
        .n = w->n,
        .head_dim = p->gguf ? w->head_dim : 0,
    };
    snprintf(part->name, sizeof(part->name), "%s", name);
    return part;
}

static void add_mat(struct dh_quantize_part *part, const struct dh_mat *m)
{
    part->mats = dh_resize_array(part->mats, (size_t)part->n_mats + 1,
                                 sizeof(const struct dh_mat *));
    part->mats[part->n_mats++] = m;
}

// A tensor for each frame of a patch.
static void plan_patches(struct planner *pl, const struct dh_weight *w)
{
    int frames = pl->plan->model->config.vision.temporal_patch_size;
    for (int f = 0; f < frames; f++) {
        char name[DH_WEIGHT_NAME];
        snprintf(name, sizeof(name), f ? "%s.%d" : "%s", w->gguf, f);
        struct dh_quantize_part *part = add_part(pl, w, name);
        add_mat(part, w->mat);
        size_part(part);
        part->bytes /= (uint64_t)frames;
        part->frame = f;
    }
}

static void plan_one(void *user, const struct dh_weight *w)
{
    struct planner *pl = user;
    struct dh_quantize_plan *p = pl->plan;
    const char *name = p->gguf ? w->gguf : w->released;
    if (p->gguf && w->vision != p->vision)
        return;
    if (p->gguf && w->kind == DH_WEIGHT_PATCHES) {
        plan_patches(pl, w);
        return;
    }
    struct dh_quantize_part *last = p->n ? &p->parts[p->n - 1] : NULL;
    if (!last || strcmp(last->name, name) != 0)
        last = add_part(pl, w, name);
    if (w->mat)
        add_mat(last, w->mat);
    size_part(last);
}

// Wide elements first, so that all are aligned.
static int by_width(const void *a, const void *b)
{
    const struct dh_quantize_part *x = a, *y = b;
    int wx = is_float(x->dtype) ? (int)dh_dtype_bytes(x->dtype) : 1;
    int wy = is_float(y->dtype) ? (int)dh_dtype_bytes(y->dtype) : 1;
    return wx != wy ? wy - wx : strcmp(x->name, y->name);
}

static void plan_finish(struct dh_quantize_plan *p)
{
    for (int i = 0; i < p->n; i++)
        dh_free(p->parts[i].mats);
    dh_free(p->parts);
}

// ------------------------------------------------------------------ a part's
// rows

struct writer {
    const struct dh_quantize_options *o;
    FILE *f;
    const char *path;
    uint64_t written;
    bool failed;
};

static void put(struct writer *w, const void *p, size_t n)
{
    if (w->failed)
        return;
    w->failed = fwrite(p, 1, n, w->f) != n;
    w->written += n;
    if (w->failed)
        dh_error("cannot write %s: %s", w->path, strerror(errno));
}

// Some rows of one matrix, quantised by the pool.
struct rows {
    const struct dh_mat *m;
    const struct dh_quantize_part *part;
    int first, n;
    float *wide; // [workers][2 cols]
    uint8_t *codes, *scales;
    double *error, *power, *most; // of each row
};

// Where row i of the file comes from.
static int row_at(const struct dh_quantize_part *part, int i)
{
    return part->head_dim ? dh_gguf_vision_source(i, part->head_dim) : i;
}

static void copy_floats(enum dh_dtype t, const float *x, size_t n, uint8_t *to)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = t == DH_BF16 ? dh_f32_to_bf16(x[i]) : dh_f32_to_f16(x[i]);
        if (t == DH_F32)
            memcpy(to + 4 * i, &x[i], 4);
        else
            memcpy(to + 2 * i, &h, 2);
    }
}

static void run_rows(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    size_t cols = (size_t)r->m->cols;
    enum dh_dtype t = r->part->dtype;
    size_t row_bytes = dh_dtype_size(t, cols);
    size_t row_scales = cols / (size_t)dh_quant_block(t);
    float *x = r->wide + (size_t)worker * 2 * cols, *back = x + cols;
    for (size_t i = begin; i < end; i++) {
        uint8_t *codes = r->codes + i * row_bytes;
        uint8_t *scales = r->scales + i * row_scales;
        dh_quant_expand(x, r->m, row_at(r->part, r->first + (int)i), 0,
                        (int)cols);
        if (is_float(t))
            copy_floats(t, x, cols, codes);
        else
            dh_quant_make(t, x, cols, r->part->factor, codes, scales);
        struct dh_mat made = { .data = codes,
                               .dtype = t,
                               .rows = 1,
                               .cols = (int)cols,
                               .scales = scales,
                               .scale = r->part->factor };
        dh_quant_expand(back, &made, 0, 0, (int)cols);
        r->error[i] = r->power[i] = r->most[i] = 0;
        for (size_t k = 0; k < cols; k++) {
            double d = (double)x[k] - (double)back[k];
            r->error[i] += d * d;
            r->power[i] += (double)x[k] * (double)x[k];
            r->most[i] = fmax(r->most[i], fabs(d));
        }
    }
}

static void run_most(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    int cols = r->m->cols;
    float *x = r->wide + (size_t)worker * 2 * (size_t)cols;
    for (size_t i = begin; i < end; i++) {
        dh_quant_expand(x, r->m, r->first + (int)i, 0, cols);
        r->most[i] = 0;
        for (int k = 0; k < cols; k++)
            r->most[i] = fmax(r->most[i], fabs((double)x[k]));
    }
}

static void rows_finish(struct rows *r)
{
    dh_big_free(r->wide);
    dh_big_free(r->codes);
    dh_big_free(r->error);
}

static enum dh_status rows_init(struct rows *r, struct dh_pool *pool,
                                const struct dh_mat *m)
{
    size_t cols = (size_t)m->cols, threads = (size_t)dh_pool_threads(pool);
    size_t rows = DH_CLAMP(CHUNK / cols, 1, (size_t)m->rows);
    r->m = m;
    r->n = (int)rows;
    r->wide = dh_big_alloc(threads * 2 * cols * sizeof(float));
    r->codes = dh_big_alloc(rows * cols * sizeof(float));
    r->error = dh_big_alloc(rows * 3 * sizeof(double));
    if (!r->wide || !r->codes || !r->error) {
        dh_error("no memory for %zu rows of %zu", rows, cols);
        rows_finish(r);
        return DH_ERR_NOMEM;
    }
    r->power = r->error + rows;
    r->most = r->power + rows;
    return DH_OK;
}

// What the whole part erred by.
struct sums {
    double error, power, most;
    int64_t weights;
};

static enum dh_status find_factor(const struct writer *w,
                                  struct dh_quantize_part *part)
{
    double most = 0;
    for (int i = 0; i < part->n_mats; i++) {
        const struct dh_mat *m = part->mats[i];
        struct rows r = { .part = part };
        enum dh_status st = rows_init(&r, w->o->pool, m);
        if (st)
            return st;
        int each = r.n;
        for (r.first = 0; r.first < m->rows; r.first += r.n) {
            r.n = DH_MIN(each, m->rows - r.first);
            dh_pool_run(w->o->pool, (size_t)r.n, 4, run_most, &r);
            for (int k = 0; k < r.n; k++)
                most = fmax(most, r.most[k]);
        }
        rows_finish(&r);
    }
    part->factor = dh_quant_factor((float)most);
    return DH_OK;
}

// All rows of one matrix; the scales that are kept aside go to `scales`.
static enum dh_status put_matrix(struct writer *w,
                                 const struct dh_quantize_part *part,
                                 const struct dh_mat *m, uint8_t *scales,
                                 struct sums *sums)
{
    struct rows r = { .part = part, .scales = scales };
    size_t cols = (size_t)m->cols;
    enum dh_status st = rows_init(&r, w->o->pool, m);
    if (st)
        return st;
    int each = r.n;
    for (r.first = 0; r.first < m->rows && !st; r.first += r.n) {
        r.n = DH_MIN(each, m->rows - r.first);
        dh_pool_run(w->o->pool, (size_t)r.n, 4, run_rows, &r);
        put(w, r.codes, (size_t)r.n * dh_dtype_size(part->dtype, cols));
        for (int k = 0; k < r.n; k++) {
            sums->error += r.error[k];
            sums->power += r.power[k];
            sums->most = fmax(sums->most, r.most[k]);
        }
        sums->weights += (int64_t)r.n * m->cols;
        if (scales)
            r.scales +=
                (size_t)r.n * (cols / (size_t)dh_quant_block(part->dtype));
        st = w->failed                        ? DH_ERR_IO
             : dh_cancel_is_set(w->o->cancel) ? DH_ERR_CANCELLED
                                              : DH_OK;
    }
    rows_finish(&r);
    return st;
}

// As it was: codes, and below the scales.
static enum dh_status put_copy(struct writer *w,
                               const struct dh_quantize_part *part,
                               const struct dh_mat *m, struct sums *sums)
{
    size_t n = (size_t)m->rows * (size_t)m->cols;
    size_t row = dh_dtype_size(m->dtype, (size_t)m->cols);
    const uint8_t *data = m->data;
    if (!part->head_dim)
        put(w, data, dh_dtype_size(m->dtype, n));
    for (int i = 0; i < m->rows && part->head_dim; i++)
        put(w, data + (size_t)row_at(part, i) * row, row);
    sums->weights += (int64_t)n;
    return w->failed ? DH_ERR_IO : DH_OK;
}

// One frame of the patch embedding, [hidden, channels, frames, patch, patch].
static enum dh_status put_frame(struct writer *w,
                                const struct dh_quantize_part *part,
                                const struct dh_vision_config *c,
                                struct sums *sums)
{
    const struct dh_mat *m = part->mats[0];
    int each = c->patch_size * c->patch_size, frames = c->temporal_patch_size;
    float *row;
    dh_array(row, (size_t)m->cols);
    for (int r = 0; r < m->rows; r++) {
        dh_quant_expand(row, m, r, 0, m->cols);
        for (int i = part->frame; i < c->num_channels * frames; i += frames)
            put(w, row + (size_t)i * (size_t)each, (size_t)each * sizeof(*row));
    }
    dh_free(row);
    sums->weights += (int64_t)m->rows * m->cols / frames;
    return w->failed ? DH_ERR_IO : DH_OK;
}

static enum dh_status put_vector(struct writer *w,
                                 const struct dh_quantize_part *part, bool gguf)
{
    for (int i = 0; i < part->n; i++) {
        float f = part->vec[row_at(part, i)];
        f += gguf && part->kind == DH_WEIGHT_NORM ? 1 : 0;
        put(w, &f, sizeof(f));
    }
    return w->failed ? DH_ERR_IO : DH_OK;
}

static enum dh_status put_part(struct writer *w, struct dh_quantize_part *part,
                               struct sums *sums)
{
    const struct dh_mat *first = part->n_mats ? part->mats[0] : NULL;
    bool copy = first && part->dtype == first->dtype;
    uint8_t *scales = NULL, *at;
    enum dh_status st = DH_OK;
    if (part->dtype == DH_NVFP4 && !copy)
        st = find_factor(w, part);
    else if (copy)
        part->factor = first->scale;
    if (part->scales_bytes && !copy) {
        scales = dh_big_alloc((size_t)part->scales_bytes);
        if (!scales) {
            dh_error("no memory for the scales of %s", part->name);
            st = DH_ERR_NOMEM;
        }
    }
    at = scales;
    for (int i = 0; i < part->n_mats && !st; i++) {
        const struct dh_mat *m = part->mats[i];
        copy = part->dtype == m->dtype;
        st = copy ? put_copy(w, part, m, sums)
                  : put_matrix(w, part, m, at, sums);
        if (at)
            at += (size_t)m->rows * (size_t)m->cols /
                  (size_t)dh_quant_block(part->dtype);
    }
    if (!st && part->scales_bytes)
        put(w, copy ? first->scales : scales, (size_t)part->scales_bytes);
    if (!st && part->dtype == DH_NVFP4)
        put(w, &part->factor, sizeof(part->factor));
    dh_big_free(scales);
    return st ? st : w->failed ? DH_ERR_IO : DH_OK;
}

static void tell(const struct writer *w, const struct dh_quantize_plan *p,
                 int i, const struct sums *s)
{
    const struct dh_quantize_part *part = &p->parts[i];
    struct dh_quantize_item item = {
        .name = part->name,
        .from = part->n_mats ? part->mats[0]->dtype : DH_F32,
        .to = part->dtype,
        .weights = part->n_mats ? s->weights : part->n,
        .bytes = (int64_t)(part->bytes + part->scales_bytes),
        .error = s->power > 0 ? sqrt(s->error / s->power) : 0,
        .most = s->most,
        .index = p->first + i,
        .count = p->count,
    };
    if (w->o->done)
        w->o->done(w->o->user, &item);
}

static enum dh_status put_all(struct writer *w, struct dh_quantize_plan *p)
{
    static const char zeros[DH_QUANTIZE_ALIGN];
    struct dh_buf header;
    dh_buf_init(&header, HEADER_MAX);
    enum dh_status st = p->gguf ? dh_quantize_gguf_header(p, &header)
                                : dh_quantize_safetensors_header(p, &header);
    if (!st)
        put(w, header.data, header.len);
    dh_buf_finish(&header);
    for (int i = 0; i < p->n && !st; i++) {
        struct sums sums = { 0 };
        struct dh_quantize_part *part = &p->parts[i];
        st = !part->n_mats ? put_vector(w, part, p->gguf)
             : p->gguf && part->kind == DH_WEIGHT_PATCHES
                 ? put_frame(w, part, &p->model->config.vision, &sums)
                 : put_part(w, part, &sums);
        if (p->gguf)
            put(w, zeros, (size_t)(-w->written % DH_QUANTIZE_ALIGN));
        if (!st)
            tell(w, p, i, &sums);
    }
    return st ? st : w->failed ? DH_ERR_IO : DH_OK;
}

// The file at `path`, which is not there.
static enum dh_status write_file(const struct dh_quantize_options *o,
                                 struct dh_quantize_plan *p, const char *path)
{
    struct writer w = { .o = o, .f = fopen(path, "wbx"), .path = path };
    if (!w.f) {
        dh_error("cannot write %s: %s", path, strerror(errno));
        return DH_ERR_IO;
    }
    enum dh_status st = put_all(&w, p);
    bool good = fflush(w.f) == 0 && fsync(fileno(w.f)) == 0;
    good = fclose(w.f) == 0 && good;
    if (!st && !good) {
        dh_error("cannot write %s: %s", path, strerror(errno));
        st = DH_ERR_IO;
    }
    return st;
}

// ------------------------------------------------------------------- the
// folder

static const char mxfp8_config[] =
    "\"quantization_config\":{\"quant_method\":\"mxfp8\",\"fmt\":\"e4m3\","
    "\"scale_fmt\":\"ue8m0\",\"weight_block_size\":[1,32],"
    "\"activation_scheme\":\"dynamic\",\"ignored_layers\":[\"lm_head\","
    "\"embed_tokens\",\"block_sparse_moe.gate\",\"index_q_proj\","
    "\"index_k_proj\"]}";
static const char nvfp4_config[] =
    "\"quantization_config\":{\"quant_method\":\"modelopt\",\"quant_algo\":"
    "\"NVFP4\",\"group_size\":16}";

// The configuration with a word on how the weights are kept in place of what
// it had.
static enum dh_status copy_config(const char *from, const char *to,
                                  enum dh_dtype dtype)
{
    char *text;
    size_t len;
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_file_read(from, JSON_MAX, &text, &len);
    if (st)
        return st;
    struct dh_json *root = dh_json_parse(text, len, &diag);
    struct dh_buf out, value;
    dh_buf_init(&out, 2 * JSON_MAX);
    dh_buf_init(&value, 2 * JSON_MAX);
    dh_buf_putc(&out, '{');
    const struct dh_json *e = root ? dh_json_first(root) : NULL;
    for (; e; e = dh_json_next(e)) {
        if (strcmp(dh_json_key(e), "quantization_config") == 0)
            continue;
        dh_json_quote(&out, dh_str_of(dh_json_key(e)));
        dh_buf_clear(&value);
        dh_json_print(e, &value);
        dh_buf_printf(&out, ":%s,\n", dh_buf_text(&value));
    }
    dh_buf_printf(&out, "%s}\n",
                  dtype == DH_NVFP4 ? nvfp4_config : mxfp8_config);
    st = out.overflow ? DH_ERR_RANGE : dh_file_write(to, out.data, out.len);
    dh_buf_finish(&value);
    dh_buf_finish(&out);
    dh_json_free(root);
    dh_big_free(text);
    return st;
}

static const char *const beside[] = {
    "tokenizer.json",      "tokenizer_config.json",
    "deskhand.json",       "generation_config.json",
    "chat_template.jinja", "preprocessor_config.json",
};
static const char *const made[] = { "config.json", "model.safetensors" };

static enum dh_status copy_beside(const char *from, const char *to)
{
    enum dh_status st = DH_OK;
    for (size_t i = 0; i < DH_COUNTOF(beside) && !st; i++) {
        char *a = dh_path_join(from, beside[i]),
             *b = dh_path_join(to, beside[i]);
        char *text = NULL;
        size_t len;
        if (dh_path_exists(a)) {
            st = dh_file_read(a, HEADER_MAX, &text, &len);
            if (!st)
                st = dh_file_write(b, text, len);
        }
        dh_big_free(text);
        dh_free(a);
        dh_free(b);
    }
    return st;
}

static enum dh_status write_folder(const struct dh_quantize_options *o,
                                   struct dh_quantize_plan *p, const char *dir)
{
    char *weights = dh_path_join(dir, "model.safetensors");
    char *config = dh_path_join(dir, "config.json");
    char *old = dh_path_join(p->from, "config.json");
    enum dh_status st = dh_path_mkdirs(dir);
    if (!st)
        st = write_file(o, p, weights);
    if (!st)
        st = copy_config(old, config, o->to);
    if (!st)
        st = copy_beside(p->from, dir);
    dh_free(weights);
    dh_free(config);
    dh_free(old);
    return st;
}

static void remove_folder(const char *dir)
{
    for (size_t i = 0; i < DH_COUNTOF(beside) + DH_COUNTOF(made); i++) {
        char *path = dh_path_join(
            dir, i < DH_COUNTOF(made) ? made[i] : beside[i - DH_COUNTOF(made)]);
        unlink(path);
        dh_free(path);
    }
    rmdir(dir);
}

// ------------------------------------------------------------------------- all

static enum dh_status check(const char *from, const char *to, bool gguf,
                            const struct dh_quantize_options *o)
{
    bool block = o->to == DH_Q8_0 || o->to == DH_Q4_0 || o->to == DH_MXFP4;
    bool aside = o->to == DH_F8_E4M3 || o->to == DH_NVFP4;
    if (gguf ? !block && o->to != DH_BF16 : !aside) {
        dh_error("%s %s: a file that ends in .gguf is q8_0, q4_0, mxfp4 or "
                 "bf16, a folder is mxfp8 or nvfp4",
                 to, gguf ? "is a GGUF file" : "is a folder");
        return DH_ERR_USAGE;
    }
    if (dh_gguf_is_path(from) && !gguf) {
        dh_error("%s has no config.json, which a folder needs: only another "
                 ".gguf can be made of it",
                 from);
        return DH_ERR_USAGE;
    }
    char *vision = dh_gguf_vision_path(to);
    const char *there = dh_path_exists(to)               ? to
                        : gguf && dh_path_exists(vision) ? vision
                                                         : NULL;
    if (there)
        dh_error("%s is there already", there);
    dh_free(vision);
    return there ? DH_ERR_USAGE : DH_OK;
}

static void plan_init(struct dh_quantize_plan *p, const struct dh_model *model,
                      const struct dh_quantize_options *o)
{
    struct planner pl = { .plan = p, .o = o };
    p->model = model;
    dh_weights_each(&model->weights, &model->config, plan_one, &pl);
    if (!p->gguf)
        qsort(p->parts, (size_t)p->n, sizeof(*p->parts), by_width);
}

// The file or folder `to`, under another name until it is whole.
static enum dh_status make(struct dh_quantize_plan *p, const char *to,
                           const struct dh_quantize_options *o)
{
    size_t len = strlen(to);
    while (len > 1 && to[len - 1] == '/')
        len--;
    char *part = dh_zalloc(len + 6);
    snprintf(part, len + 6, "%.*s.part", (int)len, to);
    enum dh_status st = DH_ERR_USAGE;
    if (dh_path_exists(part)) {
        dh_error("%s is in the way: another run writes it, or was killed",
                 part);
        dh_free(part);
        return st;
    }
    st = p->gguf ? write_file(o, p, part) : write_folder(o, p, part);
    if (!st)
        st = dh_tensors_check(p->model->tensors);
    if (!st && rename(part, to) != 0) {
        dh_error("cannot rename %s to %s: %s", part, to, strerror(errno));
        st = DH_ERR_IO;
    }
    if (st && p->gguf)
        unlink(part);
    else if (st)
        remove_folder(part);
    dh_free(part);
    return st;
}

// A GGUF model's pictures are another file's, which is there first.
static enum dh_status make_all(const struct dh_model *model, const char *from,
                               const char *to,
                               const struct dh_quantize_options *o)
{
    bool gguf = dh_str_ends(dh_str_of(to), ".gguf");
    struct dh_quantize_plan p = { .from = from, .gguf = gguf };
    struct dh_quantize_plan pictures = { .gguf = true, .vision = true };
    char *mmproj = dh_gguf_vision_path(to);
    enum dh_status st = DH_OK;
    plan_init(&p, model, o);
    if (gguf && model->config.has_vision)
        plan_init(&pictures, model, o);
    p.first = pictures.n;
    p.count = pictures.count = p.n + pictures.n;
    if (pictures.n)
        st = make(&pictures, mmproj, o);
    if (!st) {
        st = make(&p, to, o);
        if (st && pictures.n)
            unlink(mmproj);
    }
    plan_finish(&pictures);
    plan_finish(&p);
    dh_free(mmproj);
    return st;
}

enum dh_status dh_quantize(const char *from, const char *to,
                           const struct dh_quantize_options *o)
{
    struct dh_model_options mo = { .pool = o->pool };
    struct dh_model *model = NULL;
    enum dh_status st = check(from, to, dh_str_ends(dh_str_of(to), ".gguf"), o);
    if (!st)
        st = dh_model_create(&model, from, &mo);
    if (!st)
        st = make_all(model, from, to, o);
    dh_model_destroy(model);
    return st;
}
