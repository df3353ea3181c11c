/*
 * model/gguf.h - llama.cpp's checkpoint files (GGUF, version 3), mapped
 * read-only.
 *
 * Every length, offset and shape is checked against the file before a view is
 * handed out; duplicates and overlaps are refused. A model that was split into
 * several files is opened by its first. m3.md 2.5.
 */
#ifndef DH_MODEL_GGUF_H
#define DH_MODEL_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/status.h"
#include "base/str.h"
#include "model/safetensors.h"

enum dh_gguf_type {
    DH_GGUF_U8,
    DH_GGUF_I8,
    DH_GGUF_U16,
    DH_GGUF_I16,
    DH_GGUF_U32,
    DH_GGUF_I32,
    DH_GGUF_F32,
    DH_GGUF_BOOL,
    DH_GGUF_STRING,
    DH_GGUF_ARRAY,
    DH_GGUF_U64,
    DH_GGUF_I64,
    DH_GGUF_F64,
};

/* One entry of the metadata: a value, or an array of n of them. */
struct dh_gguf_value {
    struct dh_str key;
    enum dh_gguf_type type; /* of a value or an element, never ARRAY */
    bool is_array;
    uint64_t n;
    const uint8_t *data; /* little-endian, unaligned */
    size_t bytes;
};

struct dh_gguf;

/* Failures are logged with file and offset. */
DH_MUST_USE enum dh_status dh_gguf_open(struct dh_gguf **out, const char *path);
/* One file that lies in memory and stays there, for tests and the fuzzer. */
DH_MUST_USE enum dh_status dh_gguf_parse(struct dh_gguf **out,
                                         const uint8_t *data, size_t len,
                                         struct dh_diag *diag);
void dh_gguf_close(struct dh_gguf *g);

/*
 * The vision file of the same model: its tensors and what its metadata says of
 * `clip` become g's. `vision` is g's from then on, also where this fails, with
 * the reason in diag: DH_ERR_UNSUPPORTED: it is no vision file of MiniMax-M3,
 * or one for a text model of another width; or names of both are the same.
 */
DH_MUST_USE enum dh_status
dh_gguf_join(struct dh_gguf *g, struct dh_gguf *vision, struct dh_diag *diag);

/* A path that is meant as such a file and not as a folder. */
bool dh_gguf_is_path(const char *path);

/* By the names of the file; shapes as elsewhere, the last is contiguous. */
const struct dh_tensors *dh_gguf_list(const struct dh_gguf *g);
int dh_gguf_files(const struct dh_gguf *g);

/* The metadata in the file's order. */
size_t dh_gguf_count(const struct dh_gguf *g);
const struct dh_gguf_value *dh_gguf_at(const struct dh_gguf *g, size_t i);
/* NULL where absent. */
const struct dh_gguf_value *dh_gguf_find(const struct dh_gguf *g,
                                         const char *key);

/* False where the value is absent (v NULL), an array, or of another kind. */
DH_MUST_USE bool dh_gguf_i64(const struct dh_gguf_value *v, int64_t *out);
DH_MUST_USE bool dh_gguf_double(const struct dh_gguf_value *v, double *out);
DH_MUST_USE bool dh_gguf_text(const struct dh_gguf_value *v,
                              struct dh_str *out);

/* Walks the strings of an array; zero `at` before the first. */
DH_MUST_USE bool dh_gguf_next_text(const struct dh_gguf_value *v, size_t *at,
                                   struct dh_str *out);

#endif
