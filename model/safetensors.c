#include "model/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/tensor_priv.h"

#define DH_LOG_TAG "safetensors"
#include "base/log.h"

#define HEADER_MAX (100u << 20)
#define INDEX_MAX  (256u << 20)
#define SHARDS_MAX 4096

struct dh_safetensors {
    char *dir;
    struct dh_tensors_file *shards;
    int n_shards;
    struct dh_tensor *tensors; // by name, once open
    size_t n, cap;
    struct dh_tensors list; // of them
};

// ---------------------------------------------------------------- one header

// A whole number from 0 to 2^53, where doubles are still exact.
static bool index_of(const struct dh_json *v, int64_t *out)
{
    if (!v || dh_json_kind(v) != DH_JSON_NUMBER)
        return false;
    double d = dh_json_number(v);
    if (!(d >= 0 && d <= 0x1p53) || d != (double)(int64_t)d)
        return false;
    *out = (int64_t)d;
    return true;
}

static bool read_shape(const struct dh_json *entry, struct dh_tensor *t,
                       struct dh_diag *diag)
{
    const struct dh_json *shape = dh_json_find(entry, "shape");
    if (!shape || dh_json_kind(shape) != DH_JSON_ARRAY) {
        dh_diag_set(diag, 0, "%.80s: no shape", t->name);
        return false;
    }
    t->n_dims = 0;
    for (const struct dh_json *d = dh_json_first(shape); d;
         d = dh_json_next(d)) {
        if (t->n_dims == DH_TENSOR_MAX_DIMS) {
            dh_diag_set(diag, 0, "%.80s: more than %d dimensions", t->name,
                        DH_TENSOR_MAX_DIMS);
            return false;
        }
        if (!index_of(d, &t->shape[t->n_dims++])) {
            dh_diag_set(diag, 0, "%.80s: a size that is no whole number",
                        t->name);
            return false;
        }
    }
    return true;
}

static bool bytes_of_shape(const struct dh_tensor *t, size_t *out)
{
    size_t bytes = dh_dtype_bytes(t->dtype);
    for (int i = 0; i < t->n_dims; i++)
        if (!dh_mul_size(bytes, (size_t)t->shape[i], &bytes))
            return false;
    *out = bytes;
    return true;
}

static bool read_offsets(const struct dh_json *entry, struct dh_tensor *t,
                         size_t *begin, struct dh_diag *diag)
{
    const struct dh_json *pair = dh_json_find(entry, "data_offsets");
    const struct dh_json *first = pair ? dh_json_first(pair) : NULL;
    int64_t from, to;
    if (!first || dh_json_kind(pair) != DH_JSON_ARRAY ||
        dh_json_count(pair) != 2 || !index_of(first, &from) ||
        !index_of(dh_json_next(first), &to) || from > to) {
        dh_diag_set(diag, 0, "%.80s: data_offsets is no range", t->name);
        return false;
    }
    size_t want;
    if (!bytes_of_shape(t, &want) || want != (size_t)(to - from)) {
        dh_diag_set(diag, 0,
                    "%.80s: %" PRId64 " bytes, which its shape and dtype "
                    "contradict",
                    t->name, to - from);
        return false;
    }
    t->bytes = want;
    *begin = (size_t)from;
    return true;
}

static bool read_dtype(const struct dh_json *entry, struct dh_tensor *t)
{
    const struct dh_json *v = dh_json_find(entry, "dtype");
    const char *name = v ? dh_json_text(v) : "";
    for (int i = 0; i <= DH_I64; i++)
        if (strcmp(name, dh_dtype_name((enum dh_dtype)i)) == 0) {
            t->dtype = (enum dh_dtype)i;
            return true;
        }
    return false;
}

// False with diag set where the entry is broken. *known is false for a dtype
// that we do not read: such a tensor is left out, its place cannot be checked.
static bool read_entry(const struct dh_json *entry, struct dh_tensor *t,
                       size_t *begin, bool *known, struct dh_diag *diag)
{
    *t = (struct dh_tensor){ .name = dh_json_key(entry) };
    *begin = 0;
    *known = false;
    if (strcmp(t->name, "__metadata__") == 0)
        return true;
    if (dh_json_kind(entry) != DH_JSON_OBJECT) {
        dh_diag_set(diag, 0, "%.80s: object expected", t->name);
        return false;
    }
    if (!read_dtype(entry, t))
        return true;
    *known = true;
    return read_shape(entry, t, diag) && read_offsets(entry, t, begin, diag);
}

// Every entry is checked before the first one is handed out.
static bool check_entries(const struct dh_json *root, size_t data_len,
                          struct dh_diag *diag)
{
    size_t end = 0;
    for (const struct dh_json *e = dh_json_first(root); e;
         e = dh_json_next(e)) {
        struct dh_tensor t;
        size_t begin;
        bool known;
        if (!read_entry(e, &t, &begin, &known, diag))
            return false;
        if (known)
            end = DH_MAX(end, begin + t.bytes);
        else if (strcmp(t.name, "__metadata__") != 0)
            dh_warn("%.80s is left out: its dtype is unknown", t.name);
    }
    if (end > data_len) {
        dh_diag_set(diag, 0, "cut short: %zu bytes of %zu after the header",
                    data_len, end);
        return false;
    }
    return true;
}

enum dh_status dh_safetensors_parse(
    const char *json, size_t json_len, const uint8_t *data, size_t data_len,
    enum dh_status (*each)(void *user, const struct dh_tensor *t), void *user,
    struct dh_diag *diag)
{
    struct dh_json *root = dh_json_parse(json, json_len, diag);
    if (!root)
        return DH_ERR_FORMAT;
    enum dh_status st = DH_ERR_FORMAT;
    if (dh_json_kind(root) != DH_JSON_OBJECT)
        dh_diag_set(diag, 0, "object expected");
    else if (check_entries(root, data_len, diag))
        st = DH_OK;

    const struct dh_json *e = st ? NULL : dh_json_first(root);
    for (; e && !st; e = dh_json_next(e)) {
        struct dh_tensor t;
        size_t begin;
        bool known;
        dh_assert(read_entry(e, &t, &begin, &known, NULL));
        if (!known)
            continue;
        t.data = data + begin;
        st = each(user, &t);
    }
    dh_json_free(root);
    return st;
}

// ---------------------------------------------------------------- the shards

static enum dh_status add_tensor(void *user, const struct dh_tensor *t)
{
    struct dh_safetensors *st = user;
    if (st->n == st->cap) {
        st->cap = DH_MAX(st->cap * 2, 256);
        st->tensors =
            dh_resize_array(st->tensors, st->cap, sizeof(*st->tensors));
    }
    struct dh_tensor *own = &st->tensors[st->n++];
    *own = *t;
    own->name = dh_strdup(t->name);
    own->shard = st->n_shards - 1;
    return DH_OK;
}

static enum dh_status read_shard(struct dh_safetensors *st,
                                 struct dh_tensors_file *file)
{
    const char *path = file->path;
    struct dh_map *map = &file->map;
    enum dh_status s = dh_map_open(map, path);
    if (s)
        return s;
    uint64_t header = 0;
    if (map->len < 8) {
        dh_error("%s: cut short: %zu bytes of at least 8", path, map->len);
        return DH_ERR_FORMAT;
    }
    for (int i = 0; i < 8; i++)
        header |= (uint64_t)map->data[i] << (8 * i);
    if (header > HEADER_MAX) {
        dh_error("%s: a header of %" PRIu64 " bytes, above the limit of %u",
                 path, header, HEADER_MAX);
        return DH_ERR_FORMAT;
    }
    size_t start = 8 + (size_t)header;
    if (map->len < start) {
        dh_error("%s: cut short: %zu bytes, the header alone ends at %zu", path,
                 map->len, start);
        return DH_ERR_FORMAT;
    }
    struct dh_diag diag = { 0 };
    s = dh_safetensors_parse((const char *)map->data + 8, (size_t)header,
                             map->data + start, map->len - start, add_tensor,
                             st, &diag);
    if (s)
        dh_error("%s: header, byte %zu: %s", path, diag.offset, diag.text);
    return s;
}

static enum dh_status open_shard(struct dh_safetensors *st, const char *name)
{
    st->shards =
        dh_resize_array(st->shards, st->n_shards + 1, sizeof(*st->shards));
    struct dh_tensors_file *file = &st->shards[st->n_shards++];
    *file = (struct dh_tensors_file){ .path = dh_path_join(st->dir, name) };
    if (dh_path_exists(file->path))
        return read_shard(st, file);
    dh_error("%s: the index names this shard, but it is not there", file->path);
    return DH_ERR_NOTFOUND;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// A shard lies beside its index: a name that leads elsewhere is not followed.
static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && !strchr(name, '/');
}

static enum dh_status open_listed(struct dh_safetensors *st, const char *path,
                                  const struct dh_json *weight_map)
{
    size_t n = dh_json_count(weight_map), at = 0;
    const char **names;
    dh_array(names, n);
    for (const struct dh_json *e = dh_json_first(weight_map); e;
         e = dh_json_next(e))
        names[at++] = dh_json_text(e);
    qsort(names, n, sizeof(*names), by_text);

    enum dh_status s = DH_OK;
    for (size_t i = 0; i < n && !s; i++) {
        if (i > 0 && strcmp(names[i], names[i - 1]) == 0)
            continue;
        if (!is_plain_name(names[i]) || st->n_shards == SHARDS_MAX) {
            dh_error("%s: '%.80s' is no name of a shard", path, names[i]);
            s = DH_ERR_FORMAT;
        } else {
            s = open_shard(st, names[i]);
        }
    }
    dh_free(names);
    return s;
}

static enum dh_status open_index(struct dh_safetensors *st, const char *path)
{
    char *text;
    size_t len;
    enum dh_status s = dh_file_read(path, INDEX_MAX, &text, &len);
    if (s)
        return s;
    struct dh_diag diag = { 0 };
    struct dh_json *root = dh_json_parse(text, len, &diag);
    const struct dh_json *map = root ? dh_json_find(root, "weight_map") : NULL;
    if (!map || dh_json_kind(map) != DH_JSON_OBJECT || !dh_json_first(map)) {
        dh_diag_set(&diag, 0, "no weight_map");
        dh_error("%s: byte %zu: %s", path, diag.offset, diag.text);
        s = DH_ERR_FORMAT;
    } else {
        s = open_listed(st, path, map);
    }
    dh_json_free(root);
    dh_big_free(text);
    return s;
}

static enum dh_status sort_tensors(struct dh_safetensors *st)
{
    if (st->n == 0) {
        dh_error("%s: the checkpoint holds no tensor", st->dir);
        return DH_ERR_FORMAT;
    }
    const struct dh_tensor *pair[2];
    enum dh_tensors_fault fault = dh_tensors_sort(st->tensors, st->n, pair);
    if (fault == DH_TENSORS_TWICE)
        dh_error("%.80s is there twice, in %s and in %s", pair[0]->name,
                 st->shards[pair[0]->shard].path,
                 st->shards[pair[1]->shard].path);
    else if (fault == DH_TENSORS_OVERLAP)
        dh_error("%s: %.80s and %.80s overlap", st->shards[pair[0]->shard].path,
                 pair[0]->name, pair[1]->name);
    return fault ? DH_ERR_FORMAT : DH_OK;
}

enum dh_status dh_safetensors_open(struct dh_safetensors **out, const char *dir)
{
    struct dh_safetensors *st;
    dh_new(st);
    st->dir = dh_strdup(dir);
    char *index = dh_path_join(dir, "model.safetensors.index.json");
    char *single = dh_path_join(dir, "model.safetensors");
    enum dh_status s = DH_ERR_NOTFOUND;
    if (dh_path_exists(index))
        s = open_index(st, index);
    else if (dh_path_exists(single))
        s = open_shard(st, "model.safetensors");
    else
        dh_error("%s: neither model.safetensors nor "
                 "model.safetensors.index.json is there",
                 dir);
    dh_free(index);
    dh_free(single);
    if (!s)
        s = sort_tensors(st);
    if (s) {
        dh_safetensors_close(st);
        return s;
    }
    st->list = (struct dh_tensors){ .at = st->tensors,
                                    .n = st->n,
                                    .files = st->shards,
                                    .n_files = st->n_shards };
    *out = st;
    return DH_OK;
}

void dh_safetensors_close(struct dh_safetensors *st)
{
    if (!st)
        return;
    for (size_t i = 0; i < st->n; i++)
        dh_free((void *)(uintptr_t)st->tensors[i].name);
    for (int i = 0; i < st->n_shards; i++) {
        dh_map_close(&st->shards[i].map);
        dh_free(st->shards[i].path);
    }
    dh_free(st->tensors);
    dh_free(st->shards);
    dh_free(st->dir);
    dh_free(st);
}

size_t dh_safetensors_count(const struct dh_safetensors *st)
{
    return st->n;
}

const struct dh_tensor *dh_safetensors_at(const struct dh_safetensors *st,
                                          size_t i)
{
    dh_assert(i < st->n);
    return &st->tensors[i];
}

const struct dh_tensors *dh_safetensors_list(const struct dh_safetensors *st)
{
    return &st->list;
}

const struct dh_tensor *dh_safetensors_find(const struct dh_safetensors *st,
                                            const char *name)
{
    return dh_tensors_find(&st->list, name);
}

int dh_safetensors_shards(const struct dh_safetensors *st)
{
    return st->n_shards;
}

const char *dh_safetensors_shard_name(const struct dh_safetensors *st, int i)
{
    dh_assert(i >= 0 && i < st->n_shards);
    const char *slash = strrchr(st->shards[i].path, '/');
    return slash ? slash + 1 : st->shards[i].path;
}
