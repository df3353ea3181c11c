// What both protocols share.
#include "agent/wire_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void dh_wire_answer_init(struct dh_wire_answer *a)
{
    memset(a, 0, sizeof *a);
    dh_buf_init(&a->text, DH_WIRE_MAX_BYTES);
    dh_buf_init(&a->reasoning, DH_WIRE_MAX_BYTES);
    dh_buf_init(&a->details, DH_WIRE_MAX_BYTES);
    for (int i = 0; i < DH_WIRE_MAX_CALLS; i++)
        dh_buf_init(&a->call[i].arguments, DH_WIRE_MAX_BYTES);
}

void dh_wire_answer_finish(struct dh_wire_answer *a)
{
    dh_buf_finish(&a->text);
    dh_buf_finish(&a->reasoning);
    dh_buf_finish(&a->details);
    for (int i = 0; i < a->n_thoughts; i++) {
        dh_buf_finish(&a->thought[i].text);
        dh_buf_finish(&a->thought[i].signature);
    }
    dh_one_call_finish(&a->one);
    for (int i = 0; i < DH_WIRE_MAX_CALLS; i++)
        dh_buf_finish(&a->call[i].arguments);
}

void dh_wire_take_text(struct dh_wire_answer *a, const char *text)
{
    size_t before = a->text.len;
    dh_buf_puts(&a->text, text);
    if (dh_one_call_take(&a->one, &a->text, before, a->on_text, a->user))
        a->enough = true;
}

struct dh_wire_thought *dh_wire_think(struct dh_wire_answer *a)
{
    if (a->n_thoughts < DH_WIRE_MAX_THOUGHTS) {
        struct dh_wire_thought *t = &a->thought[a->n_thoughts++];
        dh_buf_init(&t->text, DH_WIRE_MAX_BYTES);
        dh_buf_init(&t->signature, DH_WIRE_MAX_BYTES);
    }
    return &a->thought[a->n_thoughts - 1];
}

const char *dh_wire_reasoning(const struct dh_wire_answer *a)
{
    if (a->reasoning.len)
        return dh_buf_text(&a->reasoning);
    return a->details.len ? dh_buf_text(&a->details) : NULL;
}

bool dh_wire_is_over(const struct dh_wire_answer *a)
{
    return a->failed || a->enough;
}

struct dh_wire_call *dh_wire_call_at(struct dh_wire_answer *a, int index)
{
    if (index < 0 || index >= DH_WIRE_MAX_CALLS)
        return NULL;
    a->n_calls = DH_MAX(a->n_calls, index + 1);
    return &a->call[index];
}

int dh_wire_count(const struct dh_json *o, const char *key)
{
    const struct dh_json *v = dh_json_find(o, key);
    double n = v && dh_json_kind(v) == DH_JSON_NUMBER ? dh_json_number(v) : 0;
    return n > 0 && n < 1e9 ? (int)n : 0;
}

static void fail(struct dh_wire_answer *a, const char *text)
{
    a->failed = true;
    dh_diag_set(&a->why, 0, "%.180s", text[0] ? text : "no reason given");
}

// Codes are numbers in most servers and texts in some.
static int code_of(const struct dh_json *v)
{
    int64_t n = 0;
    if (!v)
        return 0;
    double d = dh_json_kind(v) == DH_JSON_NUMBER ? dh_json_number(v) : 0;
    if (d > 0 && d < 1e9)
        return (int)d;
    return dh_parse_i64(dh_str_of(dh_json_text(v)), &n) ? (int)n : 0;
}

bool dh_wire_take_error(struct dh_wire_answer *a, const struct dh_json *o)
{
    const struct dh_json *base = dh_json_find(o, "base_resp");
    const struct dh_json *e = dh_json_find(o, "error");
    if (base && code_of(dh_json_find(base, "status_code")) != 0) {
        a->error = code_of(dh_json_find(base, "status_code"));
        const struct dh_json *m = dh_json_find(base, "status_msg");
        fail(a, m ? dh_json_text(m) : "");
        return true;
    }
    if (!e || dh_json_kind(e) == DH_JSON_NULL)
        return false;
    a->error = code_of(dh_json_find(e, "code"));
    const struct dh_json *m = dh_json_find(e, "message");
    fail(a, m ? dh_json_text(m) : dh_json_text(e));
    return true;
}

void dh_wire_put_arguments(struct dh_json_writer *w, const char *key,
                           const struct dh_wire_call *c)
{
    struct dh_diag diag = { 0 };
    struct dh_json *o =
        dh_json_parse(dh_buf_text(&c->arguments), c->arguments.len, &diag);
    bool good = o && dh_json_kind(o) == DH_JSON_OBJECT;
    dh_jw_raw(w, key, good ? dh_buf_text(&c->arguments) : "{}");
    dh_json_free(o);
}

// The parser of actions mends what is nearly JSON, so it gets what came.
static void put_call(struct dh_buf *out, const struct dh_wire_call *c)
{
    if (out->len)
        dh_buf_putc(out, '\n');
    dh_buf_puts(out, "<tool_call>\n{\"name\":");
    dh_json_quote(out, dh_str_of(c->name));
    dh_buf_puts(out, ",\"arguments\":");
    dh_buf_puts(out, c->arguments.len ? dh_buf_text(&c->arguments) : "{}");
    dh_buf_puts(out, "}\n</tool_call>");
}

// The last tag of a kind in a text, or -1.
static ptrdiff_t last_of(struct dh_str s, const char *tag)
{
    ptrdiff_t last = -1;
    for (ptrdiff_t at = -1; (at = dh_str_find(s, tag, (size_t)(at + 1))) >= 0;)
        last = at;
    return last;
}

char *dh_wire_text(const struct dh_wire_answer *a)
{
    struct dh_buf out;
    struct dh_str s = { dh_buf_text(&a->text), a->text.len };
    dh_buf_init(&out, 2 * DH_WIRE_MAX_BYTES);
    ptrdiff_t open = last_of(s, "<tool_call>");
    if (open >= 0 && last_of(s, "</tool_call>") < open) {
        while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == ' '))
            s.n--;
        dh_buf_put(&out, s.p, s.n);
        // M3's own tags follow their marker at once.
        dh_buf_puts(&out, dh_str_ends(s, "]<]minimax[>[") ? "</tool_call>"
                                                          : "\n</tool_call>");
    } else {
        dh_buf_put(&out, s.p, s.n);
    }
    for (int i = 0; i < a->n_calls; i++)
        put_call(&out, &a->call[i]);
    return dh_buf_take(&out);
}
