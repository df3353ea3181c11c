#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

#define MAX_DEPTH 64
#define MAX_BYTES ((size_t)1 << 30)

// Beyond this a double cannot tell neighbouring integers apart.
#define EXACT_INT 9007199254740992.0

// ---- checks before cJSON ---------------------------------------------------
//
// cJSON takes texts that are not JSON (control characters, leading zeros, "1.",
// bytes that are not UTF-8), cuts strings at \u0000 and nests 1000 deep on the
// stack. This scan refuses those; the grammar between the tokens is cJSON's.

struct scan {
    const char *p;
    size_t n, i;
    struct dh_diag *diag;
};

static bool refuse(struct scan *s, size_t offset, const char *why)
{
    dh_diag_set(s->diag, offset, "%s", why);
    return false;
}

// What follows the backslash is for cJSON to judge, save for hexadecimal
// digits: it takes wrong ones for a NUL.
static bool scan_escape(struct scan *s)
{
    const char *p = s->p + s->i;
    if (s->n - s->i < 6 || p[1] != 'u') {
        s->i += 2;
        return true;
    }
    for (int i = 2; i < 6; i++) {
        if (!p[i] || !strchr("0123456789abcdefABCDEF", p[i]))
            return refuse(s, s->i, "malformed escape");
    }
    if (memcmp(p, "\\u0000", 6) == 0)
        return refuse(s, s->i, "a string holds a NUL");
    s->i += 6;
    return true;
}

static bool scan_string(struct scan *s)
{
    size_t start = s->i++;
    while (s->i < s->n && s->p[s->i] != '"') {
        uint32_t cp;
        size_t len = dh_utf8_read(s->p + s->i, s->n - s->i, &cp);
        if (cp < 0x20)
            return refuse(s, s->i, "control character in a string");
        if (!dh_utf8_valid(s->p + s->i, len))
            return refuse(s, s->i, "invalid UTF-8");
        if (cp != '\\')
            s->i += len;
        else if (!scan_escape(s))
            return false;
    }
    if (s->i >= s->n)
        return refuse(s, start, "unterminated string");
    s->i++;
    return true;
}

static size_t digits_at(const struct scan *s, size_t i)
{
    size_t start = i;
    while (i < s->n && s->p[i] >= '0' && s->p[i] <= '9')
        i++;
    return i - start;
}

static bool scan_number(struct scan *s)
{
    size_t start = s->i, i = s->i;
    i += s->p[i] == '-';
    size_t whole = digits_at(s, i);
    bool ok = whole > 0 && (whole == 1 || s->p[i] != '0');
    i += whole;
    if (ok && i < s->n && s->p[i] == '.') {
        size_t fraction = digits_at(s, i + 1);
        ok = fraction > 0;
        i += 1 + fraction;
    }
    if (ok && i < s->n && (s->p[i] == 'e' || s->p[i] == 'E')) {
        i++;
        i += i < s->n && (s->p[i] == '+' || s->p[i] == '-');
        size_t exponent = digits_at(s, i);
        ok = exponent > 0;
        i += exponent;
    }
    s->i = i;
    // cJSON copies a number into 64 bytes and silently drops the rest.
    if (!ok || i - start > 60)
        return refuse(s, start, ok ? "number too long" : "malformed number");
    return true;
}

static bool scan_text(struct scan *s)
{
    unsigned depth = 0;
    while (s->i < s->n) {
        char c = s->p[s->i];
        if (c == '"' || c == '-' || (c >= '0' && c <= '9')) {
            if (!(c == '"' ? scan_string(s) : scan_number(s)))
                return false;
            continue;
        }
        if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
        else if (!c || !strchr(" \t\r\n,:]}abcdefghijklmnopqrstuvwxyz", c))
            return refuse(s, s->i, "unexpected character");
        if (depth > MAX_DEPTH)
            return refuse(s, s->i, "nested too deeply");
        s->i++;
    }
    return true;
}

// cJSON keeps only the value of a number. Its types are the low byte and two
// flags above, so that a bit beyond those can tell 1.0 from 1.
#define FLOAT_BIT (1 << 12)

static void mark_floats(cJSON *v, struct scan *s)
{
    for (cJSON *c = v->child; c; c = c->next)
        mark_floats(c, s);
    if (!cJSON_IsNumber(v))
        return;
    while (s->p[s->i] != '-' && digits_at(s, s->i) == 0) {
        if (s->p[s->i] != '"')
            s->i++;
        else if (!scan_string(s))
            return;
    }
    size_t start = s->i;
    if (!scan_number(s))
        return;
    for (size_t i = start; i < s->i; i++) {
        if (strchr(".eE", s->p[i]))
            v->type |= FLOAT_BIT;
    }
}

static bool only_space(const char *p, const char *end)
{
    while (p < end && *p && strchr(" \t\r\n", *p))
        p++;
    return p == end;
}

struct dh_json *dh_json_parse(const char *text, size_t len,
                              struct dh_diag *diag)
{
    struct scan s = { .p = text, .n = len, .diag = diag };
    if (len > MAX_BYTES) {
        dh_diag_set(diag, 0, "longer than %zu bytes", MAX_BYTES);
        return NULL;
    }
    if (!scan_text(&s))
        return NULL;
    const char *end = text;
    cJSON *root = cJSON_ParseWithLengthOpts(text, len, &end, false);
    if (!root || !only_space(end, text + len)) {
        dh_diag_set(diag, (size_t)(end - text), "malformed JSON");
        cJSON_Delete(root);
        return NULL;
    }
    s.i = 0;
    mark_floats(root, &s);
    return (struct dh_json *)root;
}

void dh_json_free(struct dh_json *root)
{
    cJSON_Delete((cJSON *)root);
}

// ---- values ----------------------------------------------------------------

static const cJSON *in(const struct dh_json *v)
{
    return (const cJSON *)v;
}

static const struct dh_json *out_of(const cJSON *v)
{
    return (const struct dh_json *)v;
}

enum dh_json_kind dh_json_kind(const struct dh_json *v)
{
    if (cJSON_IsBool(in(v)))
        return DH_JSON_BOOL;
    if (cJSON_IsNumber(in(v)))
        return DH_JSON_NUMBER;
    if (cJSON_IsString(in(v)))
        return DH_JSON_STRING;
    if (cJSON_IsArray(in(v)))
        return DH_JSON_ARRAY;
    return cJSON_IsObject(in(v)) ? DH_JSON_OBJECT : DH_JSON_NULL;
}

const struct dh_json *dh_json_find(const struct dh_json *obj, const char *key)
{
    if (!cJSON_IsObject(in(obj)))
        return NULL;
    for (const cJSON *c = in(obj)->child; c; c = c->next) {
        if (strcmp(c->string, key) == 0)
            return out_of(c);
    }
    return NULL;
}

const struct dh_json *dh_json_first(const struct dh_json *v)
{
    return v ? out_of(in(v)->child) : NULL;
}

const struct dh_json *dh_json_next(const struct dh_json *v)
{
    return v ? out_of(in(v)->next) : NULL;
}

const char *dh_json_key(const struct dh_json *v)
{
    return v && in(v)->string ? in(v)->string : "";
}

size_t dh_json_count(const struct dh_json *v)
{
    size_t n = 0;
    for (const struct dh_json *c = dh_json_first(v); c; c = dh_json_next(c))
        n++;
    return n;
}

const char *dh_json_text(const struct dh_json *v)
{
    return cJSON_IsString(in(v)) ? in(v)->valuestring : "";
}

double dh_json_number(const struct dh_json *v)
{
    return cJSON_IsNumber(in(v)) ? in(v)->valuedouble : 0.0;
}

bool dh_json_is_float(const struct dh_json *v)
{
    return cJSON_IsNumber(in(v)) && (in(v)->type & FLOAT_BIT);
}

bool dh_json_is_true(const struct dh_json *v)
{
    return cJSON_IsTrue(in(v));
}

static bool wanted(const char *key, const char *what, struct dh_diag *diag)
{
    dh_diag_set(diag, 0, "%.100s: %s expected", key, what);
    return false;
}

bool dh_json_get_i64(const struct dh_json *obj, const char *key, int64_t lo,
                     int64_t hi, int64_t *out, struct dh_diag *diag)
{
    const struct dh_json *v = dh_json_find(obj, key);
    double d = dh_json_number(v);
    // Not a comparison with lo and hi as doubles: those may round outwards.
    if (!cJSON_IsNumber(in(v)) || !(fabs(d) <= EXACT_INT) || d != trunc(d))
        return wanted(key, "integer", diag);
    int64_t i = (int64_t)d;
    if (i < lo || i > hi) {
        dh_diag_set(diag, 0, "%.100s: %lld is not in %lld..%lld", key,
                    (long long)i, (long long)lo, (long long)hi);
        return false;
    }
    *out = i;
    return true;
}

bool dh_json_get_double(const struct dh_json *obj, const char *key, double *out,
                        struct dh_diag *diag)
{
    const struct dh_json *v = dh_json_find(obj, key);
    if (!cJSON_IsNumber(in(v)) || !isfinite(dh_json_number(v)))
        return wanted(key, "number", diag);
    *out = dh_json_number(v);
    return true;
}

bool dh_json_get_bool(const struct dh_json *obj, const char *key, bool *out,
                      struct dh_diag *diag)
{
    const struct dh_json *v = dh_json_find(obj, key);
    if (!cJSON_IsBool(in(v)))
        return wanted(key, "true or false", diag);
    *out = cJSON_IsTrue(in(v));
    return true;
}

bool dh_json_get_text(const struct dh_json *obj, const char *key,
                      const char **out, struct dh_diag *diag)
{
    const struct dh_json *v = dh_json_find(obj, key);
    if (!cJSON_IsString(in(v)))
        return wanted(key, "string", diag);
    *out = dh_json_text(v);
    return true;
}

// ---- printing --------------------------------------------------------------

void dh_json_quote(struct dh_buf *out, struct dh_str s)
{
    static const char letters[] = "\b\f\n\r\t\"\\";
    static const char names[] = "bfnrt\"\\";
    dh_buf_putc(out, '"');
    for (size_t i = 0; i < s.n;) {
        uint32_t cp;
        size_t len = dh_utf8_read(s.p + i, s.n - i, &cp);
        const char *known = cp && cp < 0x80 ? strchr(letters, (int)cp) : NULL;
        if (known)
            dh_buf_printf(out, "\\%c", names[known - letters]);
        else if (cp < 0x20 || cp == 0x7f)
            dh_buf_printf(out, "\\u%04x", (unsigned)cp);
        else if (!dh_utf8_valid(s.p + i, len))
            dh_buf_puts(out, "\xef\xbf\xbd");
        else
            dh_buf_put(out, s.p + i, len);
        i += len;
    }
    dh_buf_putc(out, '"');
}

static void print_number(struct dh_buf *out, double v)
{
    if (!isfinite(v)) {
        dh_buf_puts(out, "null");
        return;
    }
    if (fabs(v) < EXACT_INT && v == trunc(v) && !(v == 0.0 && signbit(v))) {
        dh_buf_printf(out, "%lld", (long long)v);
        return;
    }
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    dh_buf_puts(out, text);
}

static void print_value(const cJSON *v, struct dh_buf *out)
{
    if (cJSON_IsNumber(v)) {
        print_number(out, v->valuedouble);
    } else if (cJSON_IsString(v)) {
        dh_json_quote(out, dh_str_of(v->valuestring));
    } else if (cJSON_IsBool(v)) {
        dh_buf_puts(out, cJSON_IsTrue(v) ? "true" : "false");
    } else if (cJSON_IsArray(v) || cJSON_IsObject(v)) {
        bool object = cJSON_IsObject(v);
        dh_buf_putc(out, object ? '{' : '[');
        for (const cJSON *c = v->child; c; c = c->next) {
            if (c != v->child)
                dh_buf_putc(out, ',');
            if (object) {
                dh_json_quote(out, dh_str_of(c->string));
                dh_buf_putc(out, ':');
            }
            print_value(c, out);
        }
        dh_buf_putc(out, object ? '}' : ']');
    } else {
        dh_buf_puts(out, "null");
    }
}

void dh_json_print(const struct dh_json *v, struct dh_buf *out)
{
    print_value(in(v), out);
}

// ---- writer ----------------------------------------------------------------

void dh_jw_init(struct dh_json_writer *w, struct dh_buf *out)
{
    *w = (struct dh_json_writer){ .out = out };
}

static void put_key(struct dh_json_writer *w, const char *key)
{
    if (w->depth > 0) {
        if (w->comma[w->depth - 1])
            dh_buf_putc(w->out, ',');
        w->comma[w->depth - 1] = true;
    }
    if (key) {
        dh_json_quote(w->out, dh_str_of(key));
        dh_buf_putc(w->out, ':');
    }
}

static void open_level(struct dh_json_writer *w, const char *key, char bracket)
{
    put_key(w, key);
    dh_assert(w->depth < DH_COUNTOF(w->comma));
    dh_buf_putc(w->out, bracket);
    w->comma[w->depth++] = false;
}

static void close_level(struct dh_json_writer *w, char bracket)
{
    dh_assert(w->depth > 0);
    w->depth--;
    dh_buf_putc(w->out, bracket);
}

void dh_jw_object(struct dh_json_writer *w, const char *key)
{
    open_level(w, key, '{');
}

void dh_jw_array(struct dh_json_writer *w, const char *key)
{
    open_level(w, key, '[');
}

void dh_jw_end_object(struct dh_json_writer *w)
{
    close_level(w, '}');
}

void dh_jw_end_array(struct dh_json_writer *w)
{
    close_level(w, ']');
}

void dh_jw_text(struct dh_json_writer *w, const char *key, const char *s)
{
    dh_jw_str(w, key, dh_str_of(s));
}

void dh_jw_str(struct dh_json_writer *w, const char *key, struct dh_str s)
{
    put_key(w, key);
    dh_json_quote(w->out, s);
}

void dh_jw_i64(struct dh_json_writer *w, const char *key, int64_t v)
{
    put_key(w, key);
    dh_buf_printf(w->out, "%lld", (long long)v);
}

void dh_jw_double(struct dh_json_writer *w, const char *key, double v)
{
    put_key(w, key);
    print_number(w->out, v);
}

void dh_jw_bool(struct dh_json_writer *w, const char *key, bool v)
{
    dh_jw_raw(w, key, v ? "true" : "false");
}

void dh_jw_null(struct dh_json_writer *w, const char *key)
{
    dh_jw_raw(w, key, "null");
}

void dh_jw_raw(struct dh_json_writer *w, const char *key, const char *json)
{
    put_key(w, key);
    dh_buf_puts(w->out, json);
}
