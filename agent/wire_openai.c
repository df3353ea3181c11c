// Chat completions: actions.md 4.2 to 4.6 and 4.10.
#include <stdio.h>
#include <string.h>

#include "agent/wire_priv.h"
#include "base/mem.h"
#include "base/str.h"

// --- the question -----------------------------------------------------------

struct draft {
    const struct dh_wire_question *q;
    struct dh_json_writer w;
    size_t image, video;   // next of them
    const char *answer_to; // an assistant message with native calls, or NULL
};

static void put_text_part(struct draft *d, const char *text)
{
    dh_jw_object(&d->w, NULL);
    dh_jw_text(&d->w, "type", "text");
    dh_jw_text(&d->w, "text", text);
    dh_jw_end_object(&d->w);
}

static void put_url(struct draft *d, const struct dh_wire_media *m)
{
    struct dh_buf *out = d->w.out;
    // Base64 needs no escapes, and escaping would cost a pass over megabytes.
    dh_jw_raw(&d->w, "url", "\"data:");
    dh_buf_printf(out, "%s;base64,", m->type);
    dh_buf_put(out, m->base64, m->len);
    dh_buf_putc(out, '"');
}

static void put_media_part(struct draft *d, const struct dh_wire_media *m,
                           const char *kind)
{
    const struct dh_endpoint_settings *s = &d->q->e->s;
    dh_jw_object(&d->w, NULL);
    dh_jw_text(&d->w, "type", kind);
    dh_jw_object(&d->w, kind);
    put_url(d, m);
    if (m->fps > 0)
        dh_jw_double(&d->w, "fps", m->fps);
    if (s->tell_side && m->side > 0)
        dh_jw_i64(&d->w, "max_long_side_pixel",
                  DH_MIN(s->max_side / 28 * 28, (m->side + 27) / 28 * 28));
    dh_jw_end_object(&d->w);
    dh_jw_end_object(&d->w);
}

static void put_part(struct draft *d, const struct dh_part *p)
{
    if (p->kind == DH_PART_TEXT)
        put_text_part(d, p->text);
    else if (p->kind == DH_PART_VIDEO)
        put_media_part(d, &d->q->videos[d->video++], "video_url");
    else if (d->image++ < d->q->skip_images)
        put_text_part(d, DH_WIRE_LEFT_OUT);
    else
        put_media_part(d, &d->q->images[d->image - 1], "image_url");
}

// M3's template has a place of its own for what outranks the instructions; the
// vendor's API and our server know it.
static const char *role_name(const struct draft *d, enum dh_role role)
{
    const struct dh_endpoint_settings *s = &d->q->e->s;
    switch (role) {
    case DH_ROLE_ASSISTANT: return "assistant";
    case DH_ROLE_USER: return "user";
    case DH_ROLE_TOOL: return "tool";
    case DH_ROLE_ROOT: return s->root || s->form ? "root" : "system";
    case DH_ROLE_SYSTEM:
    case DH_ROLE_DEVELOPER: break;
    }
    return "system";
}

// Every native call must be answered before anything else is said.
static void answer_calls(struct draft *d)
{
    struct dh_diag diag = { 0 };
    if (!d->answer_to)
        return;
    struct dh_json *o =
        dh_json_parse(d->answer_to, strlen(d->answer_to), &diag);
    const struct dh_json *calls = dh_json_find(o, "tool_calls");
    for (const struct dh_json *c = dh_json_first(calls); c;
         c = dh_json_next(c)) {
        const struct dh_json *id = dh_json_find(c, "id");
        dh_jw_object(&d->w, NULL);
        dh_jw_text(&d->w, "role", "tool");
        dh_jw_text(&d->w, "tool_call_id", id ? dh_json_text(id) : "");
        dh_jw_text(&d->w, "content", "Done.");
        dh_jw_end_object(&d->w);
    }
    dh_json_free(o);
    d->answer_to = NULL;
}

static bool all_text(const struct dh_message *m)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind != DH_PART_TEXT)
            return false;
    }
    return m->n_parts == 1;
}

static void put_message(struct draft *d, const struct dh_message *m)
{
    answer_calls(d);
    if (m->role == DH_ROLE_ASSISTANT && m->wire) {
        dh_jw_raw(&d->w, NULL, m->wire);
        // As put_calls writes it; most messages hold none, and need no parser.
        d->answer_to = strstr(m->wire, "\"tool_calls\":") ? m->wire : NULL;
        return;
    }
    dh_jw_object(&d->w, NULL);
    dh_jw_text(&d->w, "role", role_name(d, m->role));
    if (all_text(m)) {
        dh_jw_text(&d->w, "content", m->parts[0].text);
    } else {
        dh_jw_array(&d->w, "content");
        for (size_t i = 0; i < m->n_parts; i++)
            put_part(d, &m->parts[i]);
        dh_jw_end_array(&d->w);
    }
    dh_jw_end_object(&d->w);
}

static void put_thinking(struct draft *d, enum dh_thinking mode)
{
    static const char *const names[] = { "", "adaptive", "enabled", "disabled",
                                         "" };
    enum dh_think_by by = (enum dh_think_by)d->q->e->s.think_by;
    if (!names[mode][0] || by == DH_THINK_NOWHERE)
        return;
    bool field = by == DH_THINK_FIELD;
    // The vendor knows adaptive and disabled alone.
    const char *name =
        field && mode == DH_THINKING_ENABLED ? "adaptive" : names[mode];
    dh_jw_object(&d->w, field ? "thinking" : "chat_template_kwargs");
    dh_jw_text(&d->w, field ? "type" : "thinking_mode", name);
    dh_jw_end_object(&d->w);
    if (field)
        dh_jw_bool(&d->w, "reasoning_split", true);
}

static void put_form(struct draft *d)
{
    static const char *const forms[] = { "free", "action", "locate" };
    if (!d->q->e->s.form)
        return;
    dh_jw_object(&d->w, "deskhand");
    dh_jw_text(&d->w, "form", forms[d->q->r->form]);
    dh_jw_end_object(&d->w);
}

static void put_settings(struct draft *d)
{
    const struct dh_endpoint_settings *s = &d->q->e->s;
    const struct dh_brain_request *r = d->q->r;
    dh_jw_text(&d->w, "model", s->model ? s->model : "");
    if (s->temperature >= 0)
        dh_jw_double(&d->w, "temperature", s->temperature);
    if (s->top_p >= 0)
        dh_jw_double(&d->w, "top_p", s->top_p);
    dh_jw_i64(&d->w,
              s->completion_tokens ? "max_completion_tokens" : "max_tokens",
              d->q->max_tokens);
    dh_jw_bool(&d->w, "stream", s->stream);
    if (s->stream) {
        dh_jw_object(&d->w, "stream_options");
        dh_jw_bool(&d->w, "include_usage", true);
        dh_jw_end_object(&d->w);
    }
    put_thinking(d, r->thinking ? r->thinking : (enum dh_thinking)s->thinking);
    if (s->stop && r->form != DH_FORM_FREE) {
        dh_jw_array(&d->w, "stop");
        dh_jw_text(&d->w, NULL, "</tool_call>");
        dh_jw_end_array(&d->w);
    }
    put_form(d);
}

static void question(const struct dh_wire_question *q, struct dh_buf *out)
{
    struct draft d = { .q = q };
    dh_jw_init(&d.w, out);
    dh_jw_object(&d.w, NULL);
    put_settings(&d);
    dh_jw_array(&d.w, "messages");
    for (size_t i = 0; i < q->r->n_messages; i++)
        put_message(&d, &q->r->messages[i]);
    answer_calls(&d);
    dh_jw_end_array(&d.w);
    dh_jw_end_object(&d.w);
}

// --- the answer -------------------------------------------------------------

static int64_t ms_of(const struct dh_json *o, const char *key)
{
    const struct dh_json *v = dh_json_find(o, key);
    double ms = v ? dh_json_number(v) : 0;
    return ms > 0 && ms < 1e9 ? (int64_t)(ms * 1e6) : 0;
}

static void take_times(struct dh_wire_answer *a, const struct dh_json *t)
{
    if (!t)
        return;
    a->has_times = true;
    a->times.preprocess = ms_of(t, "preprocess");
    a->times.vision = ms_of(t, "vision");
    a->times.prefill = ms_of(t, "prefill");
    a->times.decode = ms_of(t, "decode");
}

static void take_usage(struct dh_wire_answer *a, const struct dh_json *u)
{
    if (!u || dh_json_kind(u) != DH_JSON_OBJECT)
        return;
    a->has_usage = true;
    a->usage.prompt_tokens = dh_wire_count(u, "prompt_tokens");
    a->usage.answer_tokens = dh_wire_count(u, "completion_tokens");
    a->usage.cached_tokens = dh_wire_count(
        dh_json_find(u, "prompt_tokens_details"), "cached_tokens");
    take_times(a, dh_json_find(u, "deskhand_ms"));
}

static void take_reasoning(struct dh_wire_answer *a, const struct dh_json *m)
{
    static const char *const keys[] = { "reasoning_content", "reasoning" };
    for (size_t i = 0; i < DH_COUNTOF(keys); i++) {
        const struct dh_json *v = dh_json_find(m, keys[i]);
        if (v && dh_json_text(v)[0]) {
            dh_buf_puts(&a->reasoning, dh_json_text(v));
            a->reasoning_key = keys[i];
            break;
        }
    }
    const struct dh_json *d = dh_json_find(m, "reasoning_details");
    for (const struct dh_json *e = dh_json_first(d); e; e = dh_json_next(e)) {
        const struct dh_json *text = dh_json_find(e, "text");
        if (text)
            dh_buf_puts(&a->details, dh_json_text(text));
    }
}

// Bounded, and NUL at its end.
static void keep(char *to, size_t size, const struct dh_json *v)
{
    if (v && dh_json_text(v)[0])
        snprintf(to, size, "%s", dh_json_text(v));
}

static void take_call(struct dh_wire_answer *a, const struct dh_json *c,
                      int place)
{
    const struct dh_json *index = dh_json_find(c, "index");
    int i = index ? dh_wire_count(c, "index") : place;
    struct dh_wire_call *call = dh_wire_call_at(a, i);
    const struct dh_json *f = dh_json_find(c, "function");
    const struct dh_json *args = dh_json_find(f, "arguments");
    if (!call)
        return;
    keep(call->id, sizeof call->id, dh_json_find(c, "id"));
    keep(call->name, sizeof call->name, dh_json_find(f, "name"));
    if (args && dh_json_kind(args) == DH_JSON_OBJECT)
        dh_json_print(args, &call->arguments);
    else if (args)
        dh_buf_puts(&call->arguments, dh_json_text(args));
}

// A message, or the part of one that a stream brings.
static void take_message(struct dh_wire_answer *a, const struct dh_json *m)
{
    const struct dh_json *content = dh_json_find(m, "content");
    int place = 0;
    take_reasoning(a, m);
    if (content && dh_json_kind(content) == DH_JSON_ARRAY) {
        for (const struct dh_json *e = dh_json_first(content); e;
             e = dh_json_next(e)) {
            const struct dh_json *text = dh_json_find(e, "text");
            if (text)
                dh_wire_take_text(a, dh_json_text(text));
        }
    } else if (content) {
        dh_wire_take_text(a, dh_json_text(content));
    }
    const struct dh_json *calls = dh_json_find(m, "tool_calls");
    for (const struct dh_json *c = dh_json_first(calls); c; c = dh_json_next(c))
        take_call(a, c, place++);
}

static void take_choice(struct dh_wire_answer *a, const struct dh_json *o,
                        const char *key)
{
    const struct dh_json *choice = dh_json_first(dh_json_find(o, "choices"));
    const struct dh_json *finish = dh_json_find(choice, "finish_reason");
    const struct dh_json *m = dh_json_find(choice, key);
    if (m)
        take_message(a, m);
    keep(a->finish, sizeof a->finish, finish);
    take_usage(a, dh_json_find(o, "usage"));
}

static bool event(struct dh_wire_answer *a, const char *name, const char *data,
                  size_t len)
{
    struct dh_diag diag = { 0 };
    (void)name;
    if (strcmp(data, "[DONE]") == 0)
        return false;
    struct dh_json *o = dh_json_parse(data, len, &diag);
    if (!o) {
        a->failed = true;
        dh_diag_set(&a->why, 0, "what the server sends is not JSON: %.100s",
                    diag.text);
        return false;
    }
    if (!dh_wire_take_error(a, o))
        take_choice(a, o, "delta");
    dh_json_free(o);
    return !dh_wire_is_over(a);
}

static void whole(struct dh_wire_answer *a, const struct dh_json *o)
{
    if (dh_wire_take_error(a, o))
        return;
    if (!dh_json_first(dh_json_find(o, "choices"))) {
        a->failed = true;
        dh_diag_set(&a->why, 0, "the answer holds no choices");
        return;
    }
    take_choice(a, o, "message");
}

// --- the answer as history --------------------------------------------------

static void put_reasoning(const struct dh_wire_answer *a,
                          struct dh_json_writer *w)
{
    if (a->reasoning.len)
        dh_jw_text(w, a->reasoning_key, dh_buf_text(&a->reasoning));
    if (!a->details.len)
        return;
    dh_jw_array(w, "reasoning_details");
    dh_jw_object(w, NULL);
    dh_jw_text(w, "type", "reasoning.text");
    dh_jw_text(w, "text", dh_buf_text(&a->details));
    dh_jw_end_object(w);
    dh_jw_end_array(w);
}

static void put_calls(const struct dh_wire_answer *a, struct dh_json_writer *w)
{
    dh_jw_array(w, "tool_calls");
    for (int i = 0; i < a->n_calls; i++) {
        const struct dh_wire_call *c = &a->call[i];
        struct dh_buf text;
        struct dh_json_writer args;
        dh_buf_init(&text, 2 * DH_WIRE_MAX_BYTES);
        dh_jw_init(&args, &text);
        dh_wire_put_arguments(&args, NULL, c);
        dh_jw_object(w, NULL);
        dh_jw_text(w, "id", c->id);
        dh_jw_text(w, "type", "function");
        dh_jw_object(w, "function");
        dh_jw_text(w, "name", c->name);
        dh_jw_text(w, "arguments", dh_buf_text(&text));
        dh_jw_end_object(w);
        dh_jw_end_object(w);
        dh_buf_finish(&text);
    }
    dh_jw_end_array(w);
}

static void message(const struct dh_wire_answer *a, const char *text,
                    struct dh_buf *out)
{
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "role", "assistant");
    // With native calls, only what stood beside them is content.
    dh_jw_text(&w, "content", a->n_calls ? dh_buf_text(&a->text) : text);
    put_reasoning(a, &w);
    if (a->n_calls)
        put_calls(a, &w);
    dh_jw_end_object(&w);
}

const struct dh_wire_ops dh_wire_openai = { "/chat/completions", question,
                                            event, whole, message };
