// Messages: actions.md 4.3 to 4.6.
#include <stdio.h>
#include <string.h>

#include "agent/wire_priv.h"
#include "base/mem.h"
#include "base/str.h"

// --- the question -----------------------------------------------------------

struct draft {
    const struct dh_wire_question *q;
    struct dh_json_writer w;
    size_t image, video;
    const char *answer_to; // an assistant message that may hold calls, or NULL
    bool mark;             // the block that is written is the last one
};

// Anthropic's own service keeps what stands before such a mark, and the next
// question finds it there; other servers need none.
static void end_block(struct draft *d)
{
    if (d->mark) {
        dh_jw_object(&d->w, "cache_control");
        dh_jw_text(&d->w, "type", "ephemeral");
        dh_jw_end_object(&d->w);
    }
    dh_jw_end_object(&d->w);
}

static void put_text_block(struct draft *d, const char *text)
{
    dh_jw_object(&d->w, NULL);
    dh_jw_text(&d->w, "type", "text");
    dh_jw_text(&d->w, "text", text);
    end_block(d);
}

static void put_media_block(struct draft *d, const struct dh_wire_media *m,
                            const char *kind)
{
    struct dh_buf *out = d->w.out;
    dh_jw_object(&d->w, NULL);
    dh_jw_text(&d->w, "type", kind);
    dh_jw_object(&d->w, "source");
    dh_jw_text(&d->w, "type", "base64");
    dh_jw_text(&d->w, "media_type", m->type);
    // Base64 needs no escapes, and escaping would cost a pass over megabytes.
    dh_jw_raw(&d->w, "data", "\"");
    dh_buf_put(out, m->base64, m->len);
    dh_buf_putc(out, '"');
    dh_jw_end_object(&d->w);
    end_block(d);
}

static void put_part(struct draft *d, const struct dh_part *p)
{
    if (p->kind == DH_PART_TEXT)
        put_text_block(d, p->text);
    else if (p->kind == DH_PART_VIDEO)
        put_media_block(d, &d->q->videos[d->video++], "video");
    else if (d->image++ < d->q->skip_images)
        put_text_block(d, DH_WIRE_LEFT_OUT);
    else
        put_media_block(d, &d->q->images[d->image - 1], "image");
}

static void answer_calls(struct draft *d)
{
    struct dh_diag diag = { 0 };
    if (!d->answer_to)
        return;
    struct dh_json *o =
        dh_json_parse(d->answer_to, strlen(d->answer_to), &diag);
    const struct dh_json *blocks = dh_json_find(o, "content");
    for (const struct dh_json *b = dh_json_first(blocks); b;
         b = dh_json_next(b)) {
        const struct dh_json *type = dh_json_find(b, "type");
        const struct dh_json *id = dh_json_find(b, "id");
        if (!type || strcmp(dh_json_text(type), "tool_use") != 0)
            continue;
        dh_jw_object(&d->w, NULL);
        dh_jw_text(&d->w, "type", "tool_result");
        dh_jw_text(&d->w, "tool_use_id", id ? dh_json_text(id) : "");
        dh_jw_text(&d->w, "content", "Done.");
        dh_jw_end_object(&d->w);
    }
    dh_json_free(o);
    d->answer_to = NULL;
}

static bool is_system(enum dh_role role)
{
    return role == DH_ROLE_ROOT || role == DH_ROLE_SYSTEM ||
           role == DH_ROLE_DEVELOPER;
}

static void put_system(struct draft *d)
{
    const struct dh_brain_request *r = d->q->r;
    dh_jw_array(&d->w, "system");
    for (size_t i = 0; i < r->n_messages; i++) {
        const struct dh_message *m = &r->messages[i];
        for (size_t k = 0; k < m->n_parts && is_system(m->role); k++)
            put_part(d, &m->parts[k]);
    }
    dh_jw_end_array(&d->w);
}

static void put_message(struct draft *d, const struct dh_message *m)
{
    if (m->role == DH_ROLE_ASSISTANT && m->wire) {
        dh_jw_raw(&d->w, NULL, m->wire);
        // As message() writes it; most hold no calls, and need no parser.
        bool calls = strstr(m->wire, "\"type\":\"tool_use\"") != NULL;
        d->answer_to = calls ? m->wire : NULL;
        return;
    }
    dh_jw_object(&d->w, NULL);
    dh_jw_text(&d->w, "role",
               m->role == DH_ROLE_ASSISTANT ? "assistant" : "user");
    dh_jw_array(&d->w, "content");
    answer_calls(d);
    const struct dh_brain_request *r = d->q->r;
    bool last = m == &r->messages[r->n_messages - 1];
    for (size_t i = 0; i < m->n_parts; i++) {
        d->mark = last && d->q->e->s.mark_cache && i + 1 == m->n_parts;
        put_part(d, &m->parts[i]);
    }
    d->mark = false;
    dh_jw_end_array(&d->w);
    dh_jw_end_object(&d->w);
}

static void put_thinking(struct draft *d)
{
    const struct dh_endpoint_settings *s = &d->q->e->s;
    enum dh_thinking mode =
        d->q->r->thinking ? d->q->r->thinking : (enum dh_thinking)s->thinking;
    if (s->think_by == DH_THINK_NOWHERE || mode == DH_THINKING_UNSET)
        return;
    dh_jw_object(&d->w, "thinking");
    dh_jw_text(&d->w, "type",
               mode == DH_THINKING_DISABLED ? "disabled" : "adaptive");
    dh_jw_end_object(&d->w);
}

static void question(const struct dh_wire_question *q, struct dh_buf *out)
{
    const struct dh_endpoint_settings *s = &q->e->s;
    struct draft d = { .q = q };
    dh_jw_init(&d.w, out);
    dh_jw_object(&d.w, NULL);
    dh_jw_text(&d.w, "model", s->model ? s->model : "");
    dh_jw_i64(&d.w, "max_tokens", q->max_tokens);
    if (s->temperature >= 0)
        dh_jw_double(&d.w, "temperature", s->temperature);
    if (s->top_p >= 0)
        dh_jw_double(&d.w, "top_p", s->top_p);
    dh_jw_bool(&d.w, "stream", s->stream);
    put_thinking(&d);
    if (s->stop && q->r->form != DH_FORM_FREE) {
        dh_jw_array(&d.w, "stop_sequences");
        dh_jw_text(&d.w, NULL, "</tool_call>");
        dh_jw_end_array(&d.w);
    }
    put_system(&d);
    dh_jw_array(&d.w, "messages");
    for (size_t i = 0; i < q->r->n_messages; i++) {
        if (!is_system(q->r->messages[i].role))
            put_message(&d, &q->r->messages[i]);
    }
    dh_jw_end_array(&d.w);
    dh_jw_end_object(&d.w);
}

// --- the answer -------------------------------------------------------------

// What was cached is counted apart from the rest of the input.
static void take_usage(struct dh_wire_answer *a, const struct dh_json *u)
{
    if (!u || dh_json_kind(u) != DH_JSON_OBJECT)
        return;
    int cached = dh_wire_count(u, "cache_read_input_tokens");
    int input = dh_wire_count(u, "input_tokens") + cached +
                dh_wire_count(u, "cache_creation_input_tokens");
    a->has_usage = true;
    if (input > 0) {
        a->usage.prompt_tokens = input;
        a->usage.cached_tokens = cached;
    }
    if (dh_json_find(u, "output_tokens"))
        a->usage.answer_tokens = dh_wire_count(u, "output_tokens");
}

static const char *text_of(const struct dh_json *o, const char *key)
{
    const struct dh_json *v = dh_json_find(o, key);
    return v ? dh_json_text(v) : "";
}

// Each block has a signature of its own, which fits its own text alone.
static void take_thought(struct dh_wire_answer *a, const struct dh_json *b,
                         const char *type)
{
    bool begins = strcmp(type, "thinking") == 0;
    bool redacted = strcmp(type, "redacted_thinking") == 0;
    bool goes_on = strcmp(type, "thinking_delta") == 0 ||
                   strcmp(type, "signature_delta") == 0;
    if (!begins && !redacted && !(goes_on && a->n_thoughts))
        return;
    struct dh_wire_thought *t =
        goes_on ? &a->thought[a->n_thoughts - 1] : dh_wire_think(a);
    t->redacted = t->redacted || redacted;
    dh_buf_puts(&t->text, text_of(b, redacted ? "data" : "thinking"));
    dh_buf_puts(&t->signature, text_of(b, "signature"));
    if (!redacted)
        dh_buf_puts(&a->reasoning, text_of(b, "thinking"));
}

// A block, or the piece of one that a stream brings; index counts blocks.
static void take_block(struct dh_wire_answer *a, const struct dh_json *b,
                       int index)
{
    const char *type = text_of(b, "type");
    const struct dh_json *input = dh_json_find(b, "input");
    if (strcmp(type, "text") == 0 || strcmp(type, "text_delta") == 0)
        dh_wire_take_text(a, text_of(b, "text"));
    take_thought(a, b, type);
    if (strcmp(type, "input_json_delta") == 0 && index >= 0 && a->n_calls)
        dh_buf_puts(&a->call[a->n_calls - 1].arguments,
                    text_of(b, "partial_json"));
    if (strcmp(type, "tool_use") != 0)
        return;
    struct dh_wire_call *c = dh_wire_call_at(a, a->n_calls);
    if (!c)
        return;
    snprintf(c->id, sizeof c->id, "%s", text_of(b, "id"));
    snprintf(c->name, sizeof c->name, "%s", text_of(b, "name"));
    // A stream begins with an empty object and brings the text later.
    if (dh_json_first(input))
        dh_json_print(input, &c->arguments);
}

static void take_event(struct dh_wire_answer *a, const struct dh_json *o)
{
    const char *type = text_of(o, "type");
    const struct dh_json *delta = dh_json_find(o, "delta");
    int index = dh_wire_count(o, "index");
    if (strcmp(type, "message_start") == 0)
        take_usage(a, dh_json_find(dh_json_find(o, "message"), "usage"));
    if (strcmp(type, "content_block_start") == 0)
        take_block(a, dh_json_find(o, "content_block"), index);
    if (strcmp(type, "content_block_delta") == 0)
        take_block(a, delta, index);
    if (strcmp(type, "message_delta") != 0)
        return;
    const char *stop = text_of(delta, "stop_reason");
    if (stop[0])
        snprintf(a->finish, sizeof a->finish, "%s", stop);
    take_usage(a, dh_json_find(o, "usage"));
}

static bool event(struct dh_wire_answer *a, const char *name, const char *data,
                  size_t len)
{
    struct dh_diag diag = { 0 };
    (void)name; // the object says its type as well
    struct dh_json *o = dh_json_parse(data, len, &diag);
    if (!o) {
        a->failed = true;
        dh_diag_set(&a->why, 0, "what the server sends is not JSON: %.100s",
                    diag.text);
        return false;
    }
    bool last = strcmp(text_of(o, "type"), "message_stop") == 0;
    if (!dh_wire_take_error(a, o))
        take_event(a, o);
    dh_json_free(o);
    return !last && !dh_wire_is_over(a);
}

static void whole(struct dh_wire_answer *a, const struct dh_json *o)
{
    const struct dh_json *blocks = dh_json_find(o, "content");
    int index = 0;
    if (dh_wire_take_error(a, o))
        return;
    if (!blocks || dh_json_kind(blocks) != DH_JSON_ARRAY) {
        a->failed = true;
        dh_diag_set(&a->why, 0, "the answer holds no content");
        return;
    }
    for (const struct dh_json *b = dh_json_first(blocks); b;
         b = dh_json_next(b))
        take_block(a, b, index++);
    snprintf(a->finish, sizeof a->finish, "%s", text_of(o, "stop_reason"));
    take_usage(a, dh_json_find(o, "usage"));
}

// --- the answer as history --------------------------------------------------

static void put_thought(struct dh_json_writer *w,
                        const struct dh_wire_thought *t)
{
    // Thinking without its signature would be refused.
    if (!t->redacted && !t->signature.len)
        return;
    dh_jw_object(w, NULL);
    dh_jw_text(w, "type", t->redacted ? "redacted_thinking" : "thinking");
    dh_jw_text(w, t->redacted ? "data" : "thinking", dh_buf_text(&t->text));
    if (!t->redacted)
        dh_jw_text(w, "signature", dh_buf_text(&t->signature));
    dh_jw_end_object(w);
}

static void message(const struct dh_wire_answer *a, const char *text,
                    struct dh_buf *out)
{
    struct dh_json_writer w;
    const char *said = a->n_calls ? dh_buf_text(&a->text) : text;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "role", "assistant");
    dh_jw_array(&w, "content");
    for (int i = 0; i < a->n_thoughts; i++)
        put_thought(&w, &a->thought[i]);
    if (said[0] || !a->n_calls) {
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "type", "text");
        dh_jw_text(&w, "text", said[0] ? said : "(nothing)");
        dh_jw_end_object(&w);
    }
    for (int i = 0; i < a->n_calls; i++) {
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "type", "tool_use");
        dh_jw_text(&w, "id", a->call[i].id);
        dh_jw_text(&w, "name", a->call[i].name);
        dh_wire_put_arguments(&w, "input", &a->call[i]);
        dh_jw_end_object(&w);
    }
    dh_jw_end_array(&w);
    dh_jw_end_object(&w);
}

const struct dh_wire_ops dh_wire_anthropic = { "/messages", question, event,
                                               whole, message };
