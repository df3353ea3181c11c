#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/task_priv.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

#define MAX_PARAMS 32

/* "{name}" and what takes its place, escaped for a JSON string. */
struct word {
    char name[48];
    char *value;
};

static void put(struct word *w, const char *name, const char *value)
{
    struct dh_buf out;
    snprintf(w->name, sizeof w->name, "{%s}", name);
    dh_buf_init(&out, 1 << 16);
    dh_json_quote(&out, dh_str_of(value));
    // Without its quotes: it stands inside of some.
    w->value = dh_strndup(dh_buf_text(&out) + 1, out.len - 2);
    dh_buf_finish(&out);
}

static void put_int(struct word *w, const char *name, int64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)n);
    put(w, name, text);
}

static bool day_of(const char *text, int64_t *out)
{
    struct tm tm = { 0 };
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    if (!end || *end)
        return false;
    *out = (int64_t)timegm(&tm) / 86400;
    return true;
}

static bool put_date(struct word *w, const char *name, const struct dh_json *v,
                     struct dh_rng *rng)
{
    int64_t lo, hi;
    char text[32];
    struct tm tm;
    if (dh_json_count(v) != 2 || !day_of(dh_json_text(dh_json_first(v)), &lo) ||
        !day_of(dh_json_text(dh_json_next(dh_json_first(v))), &hi) || hi < lo)
        return false;
    time_t t =
        (time_t)((lo + (int64_t)dh_rng_below(rng, (uint64_t)(hi - lo) + 1)) *
                 86400);
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d", &tm);
    put(w, name, text);
    return true;
}

static bool put_pick(struct word *w, const char *name, const struct dh_json *v,
                     struct dh_rng *rng)
{
    size_t n = dh_json_count(v);
    if (dh_json_kind(v) != DH_JSON_ARRAY || !n)
        return false;
    uint64_t at = dh_rng_below(rng, n);
    for (v = dh_json_first(v); at; at--)
        v = dh_json_next(v);
    if (dh_json_kind(v) != DH_JSON_STRING)
        return false;
    put(w, name, dh_json_text(v));
    return true;
}

static bool put_range(struct word *w, const char *name, const struct dh_json *v,
                      struct dh_rng *rng)
{
    if (dh_json_count(v) != 2)
        return false;
    double lo = dh_json_number(dh_json_first(v));
    double hi = dh_json_number(dh_json_next(dh_json_first(v)));
    if (!(lo >= -1e9 && hi <= 1e9 && lo <= hi))
        return false;
    put_int(w, name,
            (int64_t)lo + (int64_t)dh_rng_below(
                              rng, (uint64_t)((int64_t)hi - (int64_t)lo) + 1));
    return true;
}

static bool is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n && n < 32 && !s[n];
}

static bool put_param(struct word *w, const struct dh_json *p,
                      struct dh_rng *rng)
{
    const struct dh_json *v = dh_json_first(p);
    const char *name = dh_json_key(p);
    if (dh_json_count(p) != 1 || !is_name(name))
        return false;
    if (strcmp(dh_json_key(v), "int") == 0)
        return put_range(w, name, v, rng);
    if (strcmp(dh_json_key(v), "words") == 0)
        return put_pick(w, name, v, rng);
    return strcmp(dh_json_key(v), "date") == 0 && put_date(w, name, v, rng);
}

static void replace(const struct word *w, int n, struct dh_str text,
                    struct dh_buf *out)
{
    for (size_t i = 0; i < text.n;) {
        int k = n;
        if (text.p[i] == '{')
            for (k = 0; k < n; k++)
                if (dh_str_starts(dh_str_sub(text, i, text.n), w[k].name))
                    break;
        if (k < n) {
            dh_buf_puts(out, w[k].value);
            i += strlen(w[k].name);
        } else {
            dh_buf_putc(out, text.p[i++]);
        }
    }
}

// A place holder is no JSON outside of a string, so the text itself is changed.
bool dh_task_fill(const struct dh_json *root, struct dh_str text,
                  const struct dh_task_options *o, struct dh_buf *out,
                  struct dh_diag *diag)
{
    struct word w[MAX_PARAMS + 5];
    struct dh_rng rng;
    const struct dh_json *params = dh_json_find(root, "params");
    const char *id = dh_json_text(dh_json_find(root, "id"));
    bool ok = true;
    int n = 0;
    put(&w[n++], "CLIENT_PASSWORD", "password");
    put_int(&w[n++], "SCREEN_WIDTH", o->screen.w);
    put_int(&w[n++], "SCREEN_HEIGHT", o->screen.h);
    put_int(&w[n++], "SCREEN_WIDTH_HALF", o->screen.w / 2);
    put_int(&w[n++], "SCREEN_HEIGHT_HALF", o->screen.h / 2);
    dh_rng_init(&rng, o->seed ^ dh_hash_bytes(id, strlen(id)));
    const struct dh_json *p = dh_json_first(params);
    for (; ok && p; p = dh_json_next(p)) {
        ok = n < (int)DH_COUNTOF(w) && put_param(&w[n], p, &rng);
        if (ok)
            n++;
        else
            dh_diag_set(diag, 0,
                        "params.%s: one of int [lo,hi], words [...], date "
                        "[from,to] is expected",
                        dh_json_key(p));
    }
    if (ok)
        replace(w, n, text, out);
    for (int i = 0; i < n; i++)
        dh_free(w[i].value);
    return ok;
}
