// A session's header and lines without what may not leave.
#include <string.h>

#include "agent/export_priv.h"
#include "agent/pack_priv.h"
#include "base/mem.h"

#define DH_LOG_TAG "pack"
#include "base/log.h"

static void put_clean(const struct dh_export *x, struct dh_json_writer *w,
                      const char *key, const struct dh_json *v)
{
    enum dh_json_kind kind = dh_json_kind(v);
    if (kind == DH_JSON_OBJECT)
        dh_jw_object(w, key);
    else if (kind == DH_JSON_ARRAY)
        dh_jw_array(w, key);
    for (const struct dh_json *m = dh_json_first(v); m; m = dh_json_next(m)) {
        char *name =
            kind == DH_JSON_OBJECT ? dh_export_clean(x, dh_json_key(m)) : NULL;
        put_clean(x, w, name, m);
        dh_free(name);
    }
    if (kind == DH_JSON_OBJECT)
        dh_jw_end_object(w);
    else if (kind == DH_JSON_ARRAY)
        dh_jw_end_array(w);
    if (kind == DH_JSON_OBJECT || kind == DH_JSON_ARRAY)
        return;
    struct dh_buf plain;
    dh_buf_init(&plain, DH_EXPORT_MAX_BYTES);
    if (kind == DH_JSON_STRING) {
        char *text = dh_export_clean(x, dh_json_text(v));
        dh_json_quote(&plain, dh_str_of(text));
        dh_free(text);
    } else {
        dh_json_print(v, &plain);
    }
    dh_jw_raw(w, key, dh_buf_text(&plain));
    dh_buf_finish(&plain);
}

void dh_pack_clean_line(const struct dh_export *x, int line, struct dh_buf *out)
{
    struct dh_diag why = { 0 };
    struct dh_json *o = dh_session_json(x->s, line, &why);
    struct dh_json_writer w;
    int64_t n = (int64_t)dh_json_number(dh_json_find(o, "n"));
    bool act = !strcmp(dh_json_text(dh_json_find(o, "k")), "act");
    if (!o) {
        dh_warn("line %d is left out: %s", line + 1, why.text);
        return;
    }
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    for (const struct dh_json *m = dh_json_first(o); m; m = dh_json_next(m)) {
        const char *key = dh_json_key(m);
        if (!act || strcmp(key, "text") || dh_json_kind(m) != DH_JSON_STRING) {
            char *name = dh_export_clean(x, key);
            put_clean(x, &w, name, m);
            dh_free(name);
            continue;
        }
        char *text = dh_export_clean_act(x, n, dh_json_text(m));
        dh_jw_text(&w, key, text);
        dh_free(text);
    }
    dh_jw_end_object(&w);
    dh_buf_putc(out, '\n');
    dh_json_free(o);
}

// ---- the header -------------------------------------------------------------

static char *text_of_act(const struct dh_export *x, int64_t act)
{
    int n;
    const struct dh_session_step *step = dh_session_steps(x->s, &n);
    for (int i = 0; i < n; i++) {
        struct dh_diag why = { 0 };
        if (step[i].act < 0 || step[i].act_n != act)
            continue;
        struct dh_json *o = dh_session_json(x->s, step[i].act, &why);
        char *text = dh_strdup(dh_json_text(dh_json_find(o, "text")));
        dh_json_free(o);
        return text;
    }
    return dh_strdup("");
}

// Where it is once the text before it has no secrets. False: nowhere.
static bool move_place(const struct dh_export *x, struct dh_session_place *q)
{
    char *text = text_of_act(x, q->act);
    bool found = q->from + q->len <= strlen(text);
    if (found) {
        char *before = dh_strndup(text, q->from);
        char *part = dh_strndup(text + q->from, q->len);
        char *clean = dh_export_clean_act(x, q->act, text);
        char *head = dh_export_clean_act(x, q->act, before);
        char *value = dh_export_clean(x, part);
        q->from = strlen(head);
        q->len = strlen(value);
        found =
            q->from < strlen(clean) && !strncmp(clean + q->from, value, q->len);
        dh_free(value);
        dh_free(head);
        dh_free(clean);
        dh_free(part);
        dh_free(before);
    }
    dh_free(text);
    return found;
}

static void clean_param(const struct dh_export *x, struct dh_session_param *p)
{
    int n = 0;
    p->value = p->value ? dh_export_clean(x, p->value) : NULL;
    for (int i = 0; i < p->n_at && !p->secret; i++)
        if (move_place(x, &p->at[i]))
            p->at[n++] = p->at[i];
    p->n_at = n;
}

void dh_pack_clean_header(const struct dh_export *x, struct dh_buf *out)
{
    struct dh_buf clean;
    struct dh_json_writer w;
    struct dh_diag why = { 0 };
    struct dh_session_params params = { .n = x->params.n };
    dh_array(params.item, (size_t)params.n);
    for (int i = 0; i < params.n; i++) {
        params.item[i] = x->params.item[i];
        clean_param(x, &params.item[i]);
    }
    dh_buf_init(&clean, DH_EXPORT_MAX_BYTES);
    dh_jw_init(&w, &clean);
    put_clean(x, &w, NULL, x->header);
    struct dh_json *header =
        dh_json_parse(dh_buf_text(&clean), clean.len, &why);
    dh_session_params_print(&params, header, out);
    dh_json_free(header);
    dh_buf_finish(&clean);
    for (int i = 0; i < params.n; i++)
        dh_free(params.item[i].value);
    dh_free(params.item);
}
