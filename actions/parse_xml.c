#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"

// Structure is carried by the marker alone: the text between two markers is one
// tag and what follows it. A leaf's text is data, whatever it looks like.

enum element_kind { LEAF, LIST, OBJECT };

struct element {
    struct dh_str key;
    struct dh_str text;
    enum element_kind kind;
    bool comma; // a child was written
};

struct xml {
    dh_parse_call_fn fn;
    void *user;
    struct dh_buf json;
    struct dh_str call; // name of the open call; p is NULL outside of one
    struct element open[DH_PARSE_MAX_DEPTH]; // [0] stands for the call itself
    int depth;
    bool stopped;
};

static void begin_child(struct xml *x, struct dh_str key)
{
    struct element *up = &x->open[x->depth - 1];
    if (up->kind == LEAF) {
        up->kind = dh_str_is(key, "item") ? LIST : OBJECT;
        dh_buf_putc(&x->json, up->kind == LIST ? '[' : '{');
    }
    if (up->comma)
        dh_buf_putc(&x->json, ',');
    up->comma = true;
    if (up->kind == OBJECT) {
        dh_json_quote(&x->json, key);
        dh_buf_putc(&x->json, ':');
    }
}

static void open_element(struct xml *x, struct dh_str key, struct dh_str text)
{
    if (!x->call.p || x->depth == DH_PARSE_MAX_DEPTH)
        return;
    begin_child(x, key);
    x->open[x->depth++] = (struct element){ .key = key, .text = text };
}

static void close_one(struct xml *x)
{
    const struct element *e = &x->open[--x->depth];
    if (e->kind == LEAF)
        dh_json_quote(&x->json, e->text);
    else
        dh_buf_putc(&x->json, e->kind == LIST ? ']' : '}');
}

static void begin_call(struct xml *x, struct dh_str name)
{
    x->call = name;
    dh_buf_clear(&x->json);
    dh_buf_putc(&x->json, '{');
    x->open[0] = (struct element){ .kind = OBJECT };
    x->depth = 1;
}

static void end_call(struct xml *x)
{
    if (!x->call.p)
        return;
    while (x->depth)
        close_one(x);
    struct dh_str json = { dh_buf_text(&x->json), x->json.len };
    if (!x->json.overflow)
        x->stopped = !x->fn(x->user, x->call, json);
    x->call.p = NULL;
}

// The name inside the first pair of quotes; damaged forms glue or double the
// attribute (`nameRead`, `name name="f"`).
static struct dh_str call_name(struct dh_str tag)
{
    ptrdiff_t a = dh_str_find(tag, "\"", 0);
    if (a >= 0) {
        ptrdiff_t b = dh_str_find(tag, "\"", (size_t)a + 1);
        size_t end = b < 0 ? tag.n : (size_t)b;
        return dh_str_sub(tag, (size_t)a + 1, end);
    }
    struct dh_str rest = dh_str_trim(dh_str_sub(tag, strlen("invoke"), tag.n));
    if (dh_str_starts(rest, "name"))
        rest = dh_str_trim(dh_str_sub(rest, 4, rest.n));
    if (dh_str_starts(rest, "="))
        rest = dh_str_sub(rest, 1, rest.n);
    return rest;
}

static void close_tag(struct xml *x, struct dh_str key)
{
    if (dh_str_is(key, "invoke") || dh_str_is(key, "tool_call")) {
        end_call(x);
        return;
    }
    int fits = x->call.p ? x->depth - 1 : 0;
    while (fits > 0 && !dh_str_eq(x->open[fits].key, key))
        fits--;
    if (!fits)
        return;
    while (x->depth > fits)
        close_one(x);
}

// Text where a tag should be: its opening tag was lost, and the closing tag in
// the next piece has the key.
static void lost_open_tag(struct xml *x, struct dh_str text, struct dh_str next)
{
    ptrdiff_t end = dh_str_find(next, ">", 0);
    if (!x->call.p || !dh_str_starts(next, "</") || end < 0)
        return;
    open_element(x, dh_str_sub(next, 2, (size_t)end), text);
}

static void piece(struct xml *x, struct dh_str s, struct dh_str next)
{
    bool bracket = dh_str_starts(s, "<");
    if (!bracket && !dh_str_starts(s, "invoke")) {
        lost_open_tag(x, s, next);
        return;
    }
    ptrdiff_t end = dh_str_find(s, ">", 0);
    size_t stop = end < 0 ? s.n : (size_t)end;
    struct dh_str tag = dh_str_sub(s, bracket, stop);
    struct dh_str text = dh_str_sub(s, end < 0 ? s.n : stop + 1, s.n);
    if (dh_str_starts(tag, "/")) {
        close_tag(x, dh_str_sub(tag, 1, tag.n));
    } else if (dh_str_starts(tag, "invoke")) {
        end_call(x);
        if (!x->stopped)
            begin_call(x, call_name(tag));
    } else if (!dh_str_is(tag, "tool_call")) {
        open_element(x, tag, text);
    }
}

// The first marker may have lost its first byte.
static size_t skip_marker(struct dh_str s, size_t at)
{
    size_t n = strlen(DH_PARSE_MARKER);
    return at + (s.p[at] == ']' ? n : n - 1);
}

void dh_parse_xml(struct dh_str text, dh_parse_call_fn fn, void *user)
{
    struct xml x = { .fn = fn, .user = user };
    dh_buf_init(&x.json, 8 * 1024 * 1024);
    size_t from = skip_marker(text, 0);
    while (from <= text.n && !x.stopped) {
        ptrdiff_t m = dh_str_find(text, DH_PARSE_MARKER, from);
        size_t end = m < 0 ? text.n : (size_t)m;
        struct dh_str next = { text.p + text.n, 0 };
        if (m >= 0) {
            size_t after = skip_marker(text, end);
            next = dh_str_sub(text, after, text.n);
            ptrdiff_t gt = dh_str_find(
                dh_str_sub(next, 0, next.n < 256 ? next.n : 256), ">", 0);
            next = dh_str_sub(next, 0, gt < 0 ? 0 : (size_t)gt + 1);
        }
        piece(&x, dh_str_sub(text, from, end), next);
        if (m < 0)
            break;
        from = skip_marker(text, end);
    }
    end_call(&x);
    dh_buf_finish(&x.json);
}
