#include "model/gguf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/mem.h"
#include "model/gguf_priv.h"
#include "model/tensor_priv.h"

#define DH_LOG_TAG "gguf"
#include "base/log.h"

#define DIMS_MAX      4
#define FILES_MAX     999
#define TENSORS_MAX   ((size_t)1 << 20)
#define VALUES_MAX    65536
#define ALIGNMENT_MAX (1u << 16)

struct dh_gguf {
    struct dh_tensors_file *files; // none where the bytes are the caller's
    int n_files;
    struct dh_gguf_value *values;
    size_t n_values;
    struct dh_tensor *tensors;
    size_t n, cap;
    struct dh_tensors list;
};

// ------------------------------------------------------------------- reading

// A place in a file; after the first failure nothing more is read.
struct cursor {
    const uint8_t *data;
    size_t len, at;
    struct dh_diag *diag;
    enum dh_status st;
};

DH_PRINTF(3, 4)
static void fail(struct cursor *c, enum dh_status st, const char *fmt, ...)
{
    if (c->st)
        return;
    char text[sizeof(c->diag->text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    dh_diag_set(c->diag, c->at, "%s", text);
    c->st = st;
}

static const uint8_t *take(struct cursor *c, uint64_t n)
{
    if (!c->st && n > c->len - c->at)
        fail(c, DH_ERR_FORMAT, "cut short: %" PRIu64 " bytes wanted, %zu left",
             n, c->len - c->at);
    if (c->st)
        return NULL;
    const uint8_t *p = c->data + c->at;
    c->at += (size_t)n;
    return p;
}

static uint64_t read_uint(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static uint64_t take_uint(struct cursor *c, int bytes)
{
    const uint8_t *p = take(c, (uint64_t)bytes);
    return p ? read_uint(p, bytes) : 0;
}

static struct dh_str take_text(struct cursor *c)
{
    uint64_t n = take_uint(c, 8);
    const uint8_t *p = take(c, n);
    return p ? (struct dh_str){ (const char *)p, (size_t)n }
             : (struct dh_str){ "", 0 };
}

// ------------------------------------------------------------------ metadata

static int bytes_of_type(uint64_t type)
{
    static const int8_t bytes[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return type < DH_COUNTOF(bytes) ? bytes[type] : 0;
}

static void take_value(struct cursor *c, struct dh_gguf_value *v)
{
    v->key = take_text(c);
    uint64_t type = take_uint(c, 4);
    v->n = 1;
    v->is_array = type == DH_GGUF_ARRAY;
    if (v->is_array) {
        type = take_uint(c, 4);
        v->n = take_uint(c, 8);
    }
    int bytes = bytes_of_type(type);
    v->data = c->data + c->at;
    if (!c->st && bytes == 0 && type != DH_GGUF_STRING)
        fail(c, DH_ERR_FORMAT, "%.*s: there is no type %" PRIu64,
             (int)DH_MIN(v->key.n, 80), v->key.p, type);
    v->type = (enum dh_gguf_type)type;
    // Each string takes eight bytes at least, so that a false count ends soon.
    for (uint64_t i = 0; i < v->n && type == DH_GGUF_STRING && !c->st; i++)
        (void)take_text(c);
    if (bytes && v->n > c->len / (size_t)bytes)
        fail(c, DH_ERR_FORMAT, "%" PRIu64 " values are more than the file",
             v->n);
    if (bytes)
        (void)take(c, v->n * (uint64_t)bytes);
    v->bytes = (size_t)(c->data + c->at - v->data);
}

static bool has_key(const struct dh_gguf *g, struct dh_str key)
{
    for (size_t i = 0; i < g->n_values; i++)
        if (dh_str_eq(g->values[i].key, key))
            return true;
    return false;
}

static void take_metadata(struct cursor *c, struct dh_gguf *g, uint64_t n,
                          bool keep)
{
    if (n > VALUES_MAX) {
        fail(c, DH_ERR_FORMAT, "%" PRIu64 " entries of metadata, above %d", n,
             VALUES_MAX);
        return;
    }
    size_t cap = 0;
    for (uint64_t i = 0; i < n && !c->st; i++) {
        struct dh_gguf_value v = { 0 };
        take_value(c, &v);
        if (c->st || !keep)
            continue;
        if (has_key(g, v.key)) {
            fail(c, DH_ERR_FORMAT, "%.*s is there twice",
                 (int)DH_MIN(v.key.n, 80), v.key.p);
            return;
        }
        if (g->n_values == cap) {
            cap = DH_MAX(cap * 2, 64);
            g->values = dh_resize_array(g->values, cap, sizeof(*g->values));
        }
        g->values[g->n_values++] = v;
    }
}

// ------------------------------------------------------------------- tensors

// By their number in the files; those that only have a name here are not read.
static const struct {
    uint8_t type;
    enum dh_dtype dtype;
    const char *name;
} types[] = {
    { 0, DH_F32, NULL },    { 1, DH_F16, NULL },     { 2, DH_Q4_0, NULL },
    { 3, DH_Q4_1, NULL },   { 6, DH_Q5_0, NULL },    { 7, DH_Q5_1, NULL },
    { 8, DH_Q8_0, NULL },   { 10, DH_Q2_K, NULL },   { 11, DH_Q3_K, NULL },
    { 12, DH_Q4_K, NULL },  { 13, DH_Q5_K, NULL },   { 14, DH_Q6_K, NULL },
    { 16, 0, "IQ2_XXS" },   { 17, 0, "IQ2_XS" },     { 18, 0, "IQ3_XXS" },
    { 19, 0, "IQ1_S" },     { 20, DH_IQ4_NL, NULL }, { 21, 0, "IQ3_S" },
    { 22, 0, "IQ2_S" },     { 23, DH_IQ4_XS, NULL }, { 24, DH_I8, NULL },
    { 26, DH_I32, NULL },   { 27, DH_I64, NULL },    { 29, 0, "IQ1_M" },
    { 30, DH_BF16, NULL },  { 34, 0, "TQ1_0" },      { 35, 0, "TQ2_0" },
    { 39, DH_MXFP4, NULL }, { 40, 0, "NVFP4" },
};

uint32_t dh_gguf_type_of(enum dh_dtype t)
{
    for (size_t i = 0; i < DH_COUNTOF(types); i++)
        if (!types[i].name && types[i].dtype == t)
            return types[i].type;
    dh_assert(false); // no file of ours has another
    return 0;
}

static bool dtype_of(uint64_t type, enum dh_dtype *out, const char **name)
{
    *name = "";
    for (size_t i = 0; i < DH_COUNTOF(types); i++) {
        if (types[i].type != type)
            continue;
        *name = types[i].name;
        *out = types[i].dtype;
    }
    return !*name;
}

static void check_size(struct cursor *c, struct dh_tensor *t)
{
    size_t n = 1, block = dh_dtype_block(t->dtype);
    for (int i = 0; i < t->n_dims; i++)
        if (t->shape[i] < 0 || !dh_mul_size(n, (size_t)t->shape[i], &n)) {
            fail(c, DH_ERR_FORMAT, "%.80s: too large", t->name);
            return;
        }
    if ((size_t)t->shape[t->n_dims - 1] % block != 0)
        fail(c, DH_ERR_FORMAT,
             "%.80s: rows of %" PRId64 " are not whole "
             "blocks of %s",
             t->name, t->shape[t->n_dims - 1], dh_dtype_name(t->dtype));
    else if (!dh_mul_size(n / block, dh_dtype_bytes(t->dtype), &t->bytes))
        fail(c, DH_ERR_FORMAT, "%.80s: too large", t->name);
}

// Sizes are there; `t->data` will be found once the header's end is known.
static void take_tensor(struct cursor *c, struct dh_tensor *t, uint64_t *offset)
{
    struct dh_str name = take_text(c);
    if (name.n == 0 || name.n > 256 || memchr(name.p, 0, name.n))
        fail(c, DH_ERR_FORMAT, "a name of %zu bytes", name.n);
    uint64_t dims = take_uint(c, 4);
    if (!c->st && (dims < 1 || dims > DIMS_MAX))
        fail(c, DH_ERR_FORMAT, "%.*s: %" PRIu64 " dimensions",
             (int)DH_MIN(name.n, 80), name.p, dims);
    if (c->st)
        return;
    t->n_dims = (int)dims;
    for (int i = t->n_dims - 1; i >= 0; i--)
        t->shape[i] = (int64_t)take_uint(c, 8);
    uint64_t type = take_uint(c, 4);
    *offset = take_uint(c, 8);
    if (c->st)
        return;
    const char *other;
    if (!dtype_of(type, &t->dtype, &other)) {
        fail(c, DH_ERR_UNSUPPORTED,
             "%.*s: the type %" PRIu64 "%s%s is not supported: take a file of "
             "Q4_K, IQ4_XS, Q3_K or another type that `deskhand inspect` knows",
             (int)DH_MIN(name.n, 60), name.p, type, *other ? ", " : "", other);
        return;
    }
    char *own = dh_strndup(name.p, name.n);
    t->name = own;
    check_size(c, t);
}

static size_t alignment_of(struct cursor *c, const struct dh_gguf *g)
{
    const struct dh_gguf_value *v = dh_gguf_find(g, "general.alignment");
    int64_t a = 32;
    if (v && (!dh_gguf_i64(v, &a) || a < 1 || a > ALIGNMENT_MAX ||
              (a & (a - 1)) != 0))
        fail(c, DH_ERR_FORMAT, "general.alignment is no power of two");
    return (size_t)a;
}

static void take_tensors(struct cursor *c, struct dh_gguf *g, uint64_t n)
{
    size_t first = g->n, align = alignment_of(c, g);
    uint64_t *offsets = NULL;
    // A tensor takes 32 bytes of the header at least.
    if (!c->st && n > DH_MIN((c->len - c->at) / 32, TENSORS_MAX))
        fail(c, DH_ERR_FORMAT, "%" PRIu64 " tensors are too many", n);
    if (c->st)
        return;
    dh_array(offsets, (size_t)n);
    g->tensors = dh_resize_array(g->tensors, DH_MAX(first + (size_t)n, 1),
                                 sizeof(*g->tensors));
    for (uint64_t i = 0; i < n && !c->st; i++) {
        struct dh_tensor *t = &g->tensors[g->n];
        *t = (struct dh_tensor){ .shard = g->n_files - 1 };
        take_tensor(c, t, &offsets[i]);
        g->n += t->name != NULL;
    }
    size_t start = (c->at + align - 1) / align * align;
    for (size_t i = 0; i < n && !c->st; i++) {
        struct dh_tensor *t = &g->tensors[first + i];
        if (offsets[i] % align != 0)
            fail(c, DH_ERR_FORMAT, "%.80s: not aligned", t->name);
        else if (start > c->len || offsets[i] > c->len - start ||
                 t->bytes > c->len - start - offsets[i])
            fail(c, DH_ERR_FORMAT, "cut short: %.80s ends beyond the %zu bytes",
                 t->name, c->len);
        else
            t->data = c->data + start + offsets[i];
    }
    dh_free(offsets);
}

static enum dh_status take_file(struct dh_gguf *g, const uint8_t *data,
                                size_t len, struct dh_diag *diag)
{
    struct cursor c = { .data = data, .len = len, .diag = diag };
    const uint8_t *magic = take(&c, 4);
    if (magic && memcmp(magic, "GGUF", 4) != 0)
        fail(&c, DH_ERR_FORMAT, "not a GGUF file");
    uint64_t version = take_uint(&c, 4);
    if (!c.st && version != 3)
        fail(&c, DH_ERR_UNSUPPORTED,
             "GGUF version %" PRIu64 "; version 3 is supported", version);
    uint64_t tensors = take_uint(&c, 8), values = take_uint(&c, 8);
    g->n_files++;
    if (!c.st)
        take_metadata(&c, g, values, g->n_files == 1);
    if (!c.st)
        take_tensors(&c, g, tensors);
    return c.st;
}

static enum dh_status sort_tensors(struct dh_gguf *g, struct dh_diag *diag)
{
    if (g->n == 0) {
        dh_diag_set(diag, 0, "the file holds no tensor");
        return DH_ERR_FORMAT;
    }
    const struct dh_tensor *pair[2];
    enum dh_tensors_fault fault = dh_tensors_sort(g->tensors, g->n, pair);
    if (fault == DH_TENSORS_TWICE)
        dh_diag_set(diag, 0, "%.80s is there twice", pair[1]->name);
    else if (fault == DH_TENSORS_OVERLAP)
        dh_diag_set(diag, 0, "%.60s and %.60s overlap", pair[0]->name,
                    pair[1]->name);
    g->list = (struct dh_tensors){ .at = g->tensors,
                                   .n = g->n,
                                   .files = g->files,
                                   .n_files = g->files ? g->n_files : 0,
                                   .norms_plus_one = true };
    return fault ? DH_ERR_FORMAT : DH_OK;
}

enum dh_status dh_gguf_parse(struct dh_gguf **out, const uint8_t *data,
                             size_t len, struct dh_diag *diag)
{
    struct dh_gguf *g;
    dh_new(g);
    enum dh_status st = take_file(g, data, len, diag);
    if (!st)
        st = sort_tensors(g, diag);
    if (st)
        dh_gguf_close(g);
    else
        *out = g;
    return st;
}

// --------------------------------------------------------------------- files

static enum dh_status add_file(struct dh_gguf *g, const char *path)
{
    struct dh_diag diag = { 0 };
    g->files =
        dh_resize_array(g->files, (size_t)g->n_files + 1, sizeof(*g->files));
    struct dh_tensors_file *f = &g->files[g->n_files];
    *f = (struct dh_tensors_file){ 0 };
    enum dh_status st = dh_map_open(&f->map, path);
    if (st)
        return st;
    f->path = dh_strdup(path);
    st = take_file(g, f->map.data, f->map.len, &diag);
    if (st)
        dh_error("%s: byte %zu: %s", path, diag.offset, diag.text);
    return st;
}

// The other files of a model that was split: NAME-00001-of-00007.gguf.
static enum dh_status add_splits(struct dh_gguf *g, const char *path)
{
    int64_t n = 1, no = 0;
    const struct dh_gguf_value *v = dh_gguf_find(g, "split.count");
    if (!v)
        return DH_OK;
    bool good = dh_gguf_i64(v, &n) && n >= 1 && n <= FILES_MAX;
    char tail[40];
    snprintf(tail, sizeof(tail), "-00001-of-%05d.gguf", (int)(good ? n : 0));
    if (n == 1 && good)
        return DH_OK;
    v = dh_gguf_find(g, "split.no");
    if (!good || !dh_str_ends(dh_str_of(path), tail) || !dh_gguf_i64(v, &no) ||
        no != 0) {
        dh_error("%s is a part of a model in %" PRId64 " files: open the first "
                 "of them, whose name ends in %s",
                 path, n, tail);
        return DH_ERR_FORMAT;
    }
    size_t stem = strlen(path) - strlen(tail);
    enum dh_status st = DH_OK;
    for (int i = 2; i <= n && !st; i++) {
        char *next = dh_zalloc(strlen(path) + 1);
        snprintf(next, strlen(path) + 1, "%.*s-%05d-of-%05d.gguf", (int)stem,
                 path, i, (int)n);
        st = add_file(g, next);
        dh_free(next);
    }
    return st;
}

enum dh_status dh_gguf_open(struct dh_gguf **out, const char *path)
{
    struct dh_gguf *g;
    struct dh_diag diag = { 0 };
    dh_new(g);
    enum dh_status st = add_file(g, path);
    if (!st)
        st = add_splits(g, path);
    if (!st) {
        st = sort_tensors(g, &diag);
        if (st)
            dh_error("%s: %s", path, diag.text);
    }
    if (st) {
        dh_gguf_close(g);
        return st;
    }
    *out = g;
    return DH_OK;
}

void dh_gguf_close(struct dh_gguf *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n; i++)
        dh_free((void *)(uintptr_t)g->tensors[i].name);
    for (int i = 0; g->files && i < g->n_files; i++) {
        dh_map_close(&g->files[i].map);
        dh_free(g->files[i].path);
    }
    dh_free(g->files);
    dh_free(g->tensors);
    dh_free(g->values);
    dh_free(g);
}

static bool has_text(const struct dh_gguf *g, const char *key, const char *want)
{
    struct dh_str text;
    return dh_gguf_text(dh_gguf_find(g, key), &text) && dh_str_is(text, want);
}

// Moves what `from` owns, except for its tables.
static void take_over(struct dh_gguf *g, struct dh_gguf *from)
{
    g->values = dh_resize_array(g->values, g->n_values + from->n_values,
                                sizeof(*g->values));
    for (size_t i = 0; i < from->n_values; i++)
        if (dh_str_starts(from->values[i].key, "clip."))
            g->values[g->n_values++] = from->values[i];
    g->tensors =
        dh_resize_array(g->tensors, g->n + from->n, sizeof(*g->tensors));
    for (size_t i = 0; i < from->n; i++) {
        g->tensors[g->n] = from->tensors[i];
        g->tensors[g->n++].shard += g->n_files;
    }
    if (g->files && from->files) {
        size_t n = (size_t)g->n_files, more = (size_t)from->n_files;
        g->files = dh_resize_array(g->files, n + more, sizeof(*g->files));
        memcpy(g->files + n, from->files, more * sizeof(*g->files));
    }
    g->n_files += from->n_files;
    from->n = 0;
    from->n_files = 0;
}

enum dh_status dh_gguf_join(struct dh_gguf *g, struct dh_gguf *vision,
                            struct dh_diag *diag)
{
    int64_t has = 0, wants = 0;
    bool good = has_text(vision, "general.architecture", "clip") &&
                (has_text(vision, "clip.projector_type", "minimax_m3") ||
                 has_text(vision, "clip.vision.projector_type", "minimax_m3"));
    dh_diag_set(good ? NULL : diag, 0, "no vision file of MiniMax-M3");
    if (good &&
        dh_gguf_i64(dh_gguf_find(vision, "clip.vision.projection_dim"), &has) &&
        dh_gguf_i64(dh_gguf_find(g, "minimax-m3.embedding_length"), &wants) &&
        has != wants) {
        dh_diag_set(diag, 0,
                    "the vision file of a model of width %" PRId64
                    ", which here is %" PRId64,
                    has, wants);
        good = false;
    }
    if (good)
        take_over(g, vision);
    dh_gguf_close(vision);
    if (!good)
        return DH_ERR_UNSUPPORTED;
    enum dh_status st = sort_tensors(g, diag);
    g->list.vision_permuted = true;
    return st;
}

bool dh_gguf_is_path(const char *path)
{
    return dh_str_ends(dh_str_of(path), ".gguf") && !dh_path_is_dir(path);
}

// -------------------------------------------------------------------- access

const struct dh_tensors *dh_gguf_list(const struct dh_gguf *g)
{
    return &g->list;
}

int dh_gguf_files(const struct dh_gguf *g)
{
    return g->n_files;
}

size_t dh_gguf_count(const struct dh_gguf *g)
{
    return g->n_values;
}

const struct dh_gguf_value *dh_gguf_at(const struct dh_gguf *g, size_t i)
{
    dh_assert(i < g->n_values);
    return &g->values[i];
}

const struct dh_gguf_value *dh_gguf_find(const struct dh_gguf *g,
                                         const char *key)
{
    for (size_t i = 0; i < g->n_values; i++)
        if (dh_str_is(g->values[i].key, key))
            return &g->values[i];
    return NULL;
}

bool dh_gguf_i64(const struct dh_gguf_value *v, int64_t *out)
{
    if (!v || v->is_array || v->type == DH_GGUF_STRING ||
        v->type == DH_GGUF_F32 || v->type == DH_GGUF_F64)
        return false;
    int bytes = bytes_of_type(v->type);
    uint64_t u = read_uint(v->data, bytes);
    bool has_sign = v->type == DH_GGUF_I8 || v->type == DH_GGUF_I16 ||
                    v->type == DH_GGUF_I32;
    if (has_sign && (u >> (8 * bytes - 1)) != 0)
        u |= UINT64_MAX << (8 * bytes - 1);
    if (v->type == DH_GGUF_U64 && u > INT64_MAX)
        return false;
    *out = (int64_t)u;
    return true;
}

bool dh_gguf_double(const struct dh_gguf_value *v, double *out)
{
    int64_t whole;
    if (dh_gguf_i64(v, &whole)) {
        *out = (double)whole;
        return true;
    }
    if (!v || v->is_array || v->type == DH_GGUF_STRING ||
        v->type == DH_GGUF_U64)
        return false;
    float f;
    if (v->type == DH_GGUF_F64) {
        memcpy(out, v->data, sizeof(*out));
    } else {
        memcpy(&f, v->data, sizeof(f));
        *out = (double)f;
    }
    return true;
}

bool dh_gguf_text(const struct dh_gguf_value *v, struct dh_str *out)
{
    if (!v || v->is_array || v->type != DH_GGUF_STRING)
        return false;
    *out = (struct dh_str){ (const char *)v->data + 8,
                            (size_t)read_uint(v->data, 8) };
    return true;
}

bool dh_gguf_next_text(const struct dh_gguf_value *v, size_t *at,
                       struct dh_str *out)
{
    if (!v || !v->is_array || v->type != DH_GGUF_STRING || *at >= v->bytes)
        return false;
    const uint8_t *p = v->data + *at;
    *out = (struct dh_str){ (const char *)p + 8, (size_t)read_uint(p, 8) };
    *at += 8 + out->n;
    return true;
}
