/*
 * base/json.h - cJSON behind typed getters, and a writer.
 *
 * A value is opaque. Getters take a path for messages and report what they
 * wanted through struct dh_diag, e.g. "text_config.hidden_size: integer
 * expected". Nesting and size are limited at parse.
 */
#ifndef DH_BASE_JSON_H
#define DH_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/str.h"

struct dh_buf;
struct dh_json; /* one value; children are owned by the root */

enum dh_json_kind {
    DH_JSON_NULL,
    DH_JSON_BOOL,
    DH_JSON_NUMBER,
    DH_JSON_STRING,
    DH_JSON_ARRAY,
    DH_JSON_OBJECT,
};

/* Parse the whole text; NULL with `diag` set where it is not JSON, deeper than
 * 64 levels or longer than 1 GiB. Free the result with dh_json_free. */
DH_MUST_USE struct dh_json *dh_json_parse(const char *text, size_t len,
                                          struct dh_diag *diag);
/* NULL is allowed. Only for what dh_json_parse returned. */
void dh_json_free(struct dh_json *root);

enum dh_json_kind dh_json_kind(const struct dh_json *v);
/* Members by exact name, the first one; NULL where absent or not an object. */
const struct dh_json *dh_json_find(const struct dh_json *obj, const char *key);
/* Elements or members in order: first child, next sibling. */
const struct dh_json *dh_json_first(const struct dh_json *v);
const struct dh_json *dh_json_next(const struct dh_json *v);
/* The member's name; "" for array elements and the root. */
const char *dh_json_key(const struct dh_json *v);
/* Number of elements or members. O(n). */
size_t dh_json_count(const struct dh_json *v);

/* The value of a leaf; dh_json_text is "" for what is not a string, and the
 * number of what is not one is 0. */
const char *dh_json_text(const struct dh_json *v);
double dh_json_number(const struct dh_json *v);
bool dh_json_is_true(const struct dh_json *v);
/* A number that was written with a fraction or an exponent: 1.0, not 1. */
bool dh_json_is_float(const struct dh_json *v);

/*
 * Typed members: false, with diag set, where the member is absent or of the
 * wrong kind. An integer must be integral and within lo..hi.
 */
DH_MUST_USE bool dh_json_get_i64(const struct dh_json *obj, const char *key,
                                 int64_t lo, int64_t hi, int64_t *out,
                                 struct dh_diag *diag);
DH_MUST_USE bool dh_json_get_double(const struct dh_json *obj, const char *key,
                                    double *out, struct dh_diag *diag);
DH_MUST_USE bool dh_json_get_bool(const struct dh_json *obj, const char *key,
                                  bool *out, struct dh_diag *diag);
DH_MUST_USE bool dh_json_get_text(const struct dh_json *obj, const char *key,
                                  const char **out, struct dh_diag *diag);

/* Text of any value as compact JSON, appended to out. Key order is kept. */
void dh_json_print(const struct dh_json *v, struct dh_buf *out);

/*
 * Writer of one compact value into a dh_buf: commas and escapes are its job.
 * Objects and arrays nest at most 32 deep; key is NULL inside arrays.
 */
struct dh_json_writer {
    struct dh_buf *out;
    unsigned depth;
    bool comma[32];
};

void dh_jw_init(struct dh_json_writer *w, struct dh_buf *out);
void dh_jw_object(struct dh_json_writer *w, const char *key);
void dh_jw_array(struct dh_json_writer *w, const char *key);
void dh_jw_end_object(struct dh_json_writer *w);
void dh_jw_end_array(struct dh_json_writer *w);
void dh_jw_text(struct dh_json_writer *w, const char *key, const char *s);
void dh_jw_str(struct dh_json_writer *w, const char *key, struct dh_str s);
void dh_jw_i64(struct dh_json_writer *w, const char *key, int64_t v);
/* Shortest of %.6g and enough digits; NaN and infinities become null. */
void dh_jw_double(struct dh_json_writer *w, const char *key, double v);
void dh_jw_bool(struct dh_json_writer *w, const char *key, bool v);
void dh_jw_null(struct dh_json_writer *w, const char *key);
/* `json` is written as it is. */
void dh_jw_raw(struct dh_json_writer *w, const char *key, const char *json);
/* Only a quoted and escaped string. Invalid UTF-8 becomes U+FFFD. */
void dh_json_quote(struct dh_buf *out, struct dh_str s);

#endif
