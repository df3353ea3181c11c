// Calls of tools: structure is carried by the marker token alone, types by the
// tools' schemas (m3.md 5.2, 5.3), and 5.5 says what is forgiven.
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/reply_priv.h"

#define MAX_DEPTH 24
#define MAX_NODES 20000

// An element. Children are a list; text is what stands between its tags.
struct node {
    struct dh_str key, text;
    struct node *first, *last, *next, *parent;
};

struct reader {
    struct dh_reply *r;
    struct dh_str rest; // behind the last marker
    struct node *nodes; // [MAX_NODES]
    int n, depth;
    struct node *call, *open; // the call, and its innermost open element
    struct dh_str loose;      // text whose opening tag is missing
};

// --- tags -------------------------------------------------------------------

enum tag { TAG_TEXT, TAG_OPEN, TAG_CLOSE, TAG_INVOKE };

static bool skip(struct dh_str *s, const char *text)
{
    if (!dh_str_starts(*s, text))
        return false;
    *s = dh_str_sub(*s, strlen(text), s->n);
    return true;
}

// Up to `end`, which is left out of both parts.
static bool take_until(struct dh_str *s, const char *end, struct dh_str *out)
{
    ptrdiff_t at = dh_str_find(*s, end, 0);
    if (at < 0)
        return false;
    *out = dh_str_sub(*s, 0, (size_t)at);
    *s = dh_str_sub(*s, (size_t)at + strlen(end), s->n);
    return true;
}

// What follows one marker: a tag, and text behind it.
static enum tag read_tag(struct dh_str s, struct dh_str *key,
                         struct dh_str *text)
{
    struct dh_str at = s;
    enum tag tag = TAG_TEXT;
    *text = s;
    *key = (struct dh_str){ 0 };
    if (skip(&at, "</"))
        tag = TAG_CLOSE;
    else if (skip(&at, "<invoke name=\"") || skip(&at, "invoke name=\""))
        tag = TAG_INVOKE;
    else if (skip(&at, "<"))
        tag = TAG_OPEN;
    if (tag == TAG_TEXT)
        return tag;
    if (!take_until(&at, tag == TAG_INVOKE ? "\">" : ">", key))
        return TAG_TEXT;
    *text = at;
    return tag;
}

// The text up to the next marker.
static bool next_piece(struct reader *x, struct dh_str *out)
{
    if (!x->rest.p)
        return false;
    if (!take_until(&x->rest, DH_REPLY_NS, out)) {
        *out = x->rest;
        x->rest = (struct dh_str){ 0 };
    }
    return true;
}

// --- the tree ---------------------------------------------------------------

static struct node *add_node(struct reader *x, struct node *to,
                             struct dh_str key, struct dh_str text)
{
    if (x->n == MAX_NODES)
        return NULL;
    struct node *n = &x->nodes[x->n++];
    *n = (struct node){ .key = key, .text = text, .parent = to };
    if (to) {
        *(to->last ? &to->last->next : &to->first) = n;
        to->last = n;
    }
    return n;
}

static void open_node(struct reader *x, struct dh_str key, struct dh_str text)
{
    struct node *n =
        x->depth < MAX_DEPTH ? add_node(x, x->open, key, text) : NULL;
    if (!n)
        return;
    x->open = n;
    x->depth++;
}

// A closing tag closes what was opened inside as well. One that matches nothing
// tells the name of text that came without an opening tag, or nothing at all.
static void close_node(struct reader *x, struct dh_str key)
{
    struct node *n = x->open;
    while (n && n != x->call && !dh_str_eq(n->key, key))
        n = n->parent;
    if (n && n != x->call) {
        for (; x->open != n->parent; x->open = x->open->parent)
            x->depth--;
    } else if (x->loose.p) {
        add_node(x, x->call, key, x->loose);
    }
    x->loose = (struct dh_str){ 0 };
}

// --- types ------------------------------------------------------------------

enum {
    IS_STRING = 1,
    IS_NUMBER = 2,
    IS_INTEGER = 4,
    IS_BOOLEAN = 8,
    IS_ARRAY = 16,
    IS_OBJECT = 32,
    IS_NULL = 64,
};

static int type_of(const char *name)
{
    static const char *const names[] = { "string",  "number", "integer",
                                         "boolean", "array",  "object",
                                         "null" };
    for (int i = 0; i < (int)DH_COUNTOF(names); i++) {
        if (strcmp(names[i], name) == 0)
            return 1 << i;
    }
    return 0;
}

// The types that a schema allows; 0: it does not say.
static int types_of(const struct dh_json *schema, int depth)
{
    static const char *const unions[] = { "anyOf", "oneOf", "allOf" };
    const struct dh_json *t = dh_json_find(schema, "type");
    int types = 0;
    if (!schema || depth > 8)
        return 0;
    if (t && dh_json_kind(t) == DH_JSON_STRING)
        types |= type_of(dh_json_text(t));
    for (const struct dh_json *e = dh_json_first(t); e; e = dh_json_next(e))
        types |= type_of(dh_json_text(e));
    for (size_t i = 0; i < DH_COUNTOF(unions); i++) {
        const struct dh_json *e =
            dh_json_first(dh_json_find(schema, unions[i]));
        for (; e; e = dh_json_next(e))
            types |= types_of(e, depth + 1);
    }
    const struct dh_json *e = dh_json_first(dh_json_find(schema, "enum"));
    for (; e && !t; e = dh_json_next(e))
        types |= dh_json_kind(e) == DH_JSON_STRING ? IS_STRING : 0;
    return types;
}

// A text that is JSON of one of these types goes in as it is.
static bool put_json(struct dh_json_writer *w, const char *key, struct dh_str s,
                     int types)
{
    static const int kinds[] = { [DH_JSON_NULL] = IS_NULL,
                                 [DH_JSON_BOOL] = IS_BOOLEAN,
                                 [DH_JSON_NUMBER] = IS_NUMBER | IS_INTEGER,
                                 [DH_JSON_STRING] = 0,
                                 [DH_JSON_ARRAY] = IS_ARRAY,
                                 [DH_JSON_OBJECT] = IS_OBJECT };
    struct dh_diag diag = { 0 };
    struct dh_json *v = dh_json_parse(s.p, s.n, &diag);
    if (!v)
        return false;
    int kind = kinds[dh_json_kind(v)] & types;
    double number = dh_json_number(v);
    bool whole =
        number >= -9e15 && number <= 9e15 && number == (double)(int64_t)number;
    if (kind == IS_INTEGER && !whole)
        kind = 0;
    if (kind == IS_INTEGER) {
        dh_jw_i64(w, key, (int64_t)number);
    } else if (kind) {
        struct dh_buf text;
        dh_buf_init(&text, DH_REPLY_MAX_BYTES);
        dh_json_print(v, &text);
        dh_jw_raw(w, key, dh_buf_text(&text));
        dh_buf_finish(&text);
    }
    dh_json_free(v);
    return kind != 0;
}

static void put_leaf(struct dh_json_writer *w, const char *key, struct dh_str s,
                     const struct dh_json *schema)
{
    int types = types_of(schema, 0);
    int any = IS_NUMBER | IS_BOOLEAN | IS_NULL | IS_ARRAY | IS_OBJECT;
    struct dh_str t = dh_str_trim(s);
    if (types == IS_STRING) {
        dh_jw_str(w, key, s);
    } else if (!t.n && (types & (IS_ARRAY | IS_OBJECT))) {
        dh_jw_raw(w, key, types & IS_ARRAY ? "[]" : "{}");
    } else if ((types & IS_BOOLEAN) && dh_str_is_nocase(t, "true")) {
        dh_jw_bool(w, key, true);
    } else if ((types & IS_BOOLEAN) && dh_str_is_nocase(t, "false")) {
        dh_jw_bool(w, key, false);
    } else if (!put_json(w, key, t, types ? types : any)) {
        dh_jw_str(w, key, s);
    }
}

// --- values -----------------------------------------------------------------

static void put_node(struct dh_json_writer *w, const char *key,
                     const struct node *n, const struct dh_json *schema);

static bool all_items(const struct node *n)
{
    for (const struct node *c = n->first; c; c = c->next) {
        if (!dh_str_is(c->key, "item"))
            return false;
    }
    return n->first != NULL;
}

static bool came_before(const struct node *n, const struct node *c)
{
    for (const struct node *e = n->first; e != c; e = e->next) {
        if (dh_str_eq(e->key, c->key))
            return true;
    }
    return false;
}

static const struct node *comes_again(const struct node *c)
{
    for (const struct node *e = c->next; e; e = e->next) {
        if (dh_str_eq(e->key, c->key))
            return e;
    }
    return NULL;
}

// A key that is there more than once is a list.
static void put_members(struct dh_json_writer *w, const struct node *n,
                        const struct dh_json *properties)
{
    for (const struct node *c = n->first; c; c = c->next) {
        char *key = dh_strndup(c->key.p, c->key.n);
        const struct dh_json *schema = dh_json_find(properties, key);
        if (!came_before(n, c) && comes_again(c)) {
            dh_jw_array(w, key);
            for (const struct node *e = c; e; e = comes_again(e))
                put_node(w, NULL, e, dh_json_find(schema, "items"));
            dh_jw_end_array(w);
        } else if (!came_before(n, c)) {
            put_node(w, key, c, schema);
        }
        dh_free(key);
    }
}

static void put_node(struct dh_json_writer *w, const char *key,
                     const struct node *n, const struct dh_json *schema)
{
    int types = types_of(schema, 0);
    struct dh_str text = dh_str_trim(n->text);
    if (!n->first) {
        put_leaf(w, key, n->text, schema);
    } else if (all_items(n) &&
               (!types || (types & IS_ARRAY) ||
                !dh_json_find(dh_json_find(schema, "properties"), "item"))) {
        dh_jw_array(w, key);
        for (const struct node *c = n->first; c; c = c->next)
            put_node(w, NULL, c, dh_json_find(schema, "items"));
        dh_jw_end_array(w);
    } else {
        dh_jw_object(w, key);
        put_members(w, n, dh_json_find(schema, "properties"));
        if (text.n)
            dh_jw_str(w, "$text", text);
        dh_jw_end_object(w);
    }
}

// --- calls ------------------------------------------------------------------

static const struct dh_json *schema_of(const struct dh_json *tools,
                                       struct dh_str name)
{
    for (const struct dh_json *t = dh_json_first(tools); t;
         t = dh_json_next(t)) {
        const struct dh_json *f = dh_json_find(t, "function");
        const struct dh_json *n = dh_json_find(f, "name");
        if (n && dh_str_is(name, dh_json_text(n)))
            return dh_json_find(f, "parameters");
    }
    return NULL;
}

static void end_call(struct reader *x, bool whole)
{
    struct dh_reply *r = x->r;
    struct dh_buf out;
    struct dh_json_writer w;
    if (!x->call)
        return;
    if (r->n_calls < DH_REPLY_MAX_CALLS) {
        const struct dh_json *schema = schema_of(r->tools, x->call->key);
        dh_buf_init(&out, 4 * DH_REPLY_MAX_BYTES);
        dh_jw_init(&w, &out);
        dh_jw_object(&w, NULL);
        put_members(&w, x->call, dh_json_find(schema, "properties"));
        dh_jw_end_object(&w);
        r->call[r->n_calls++] = (struct dh_reply_call){
            .name = dh_strndup(x->call->key.p, x->call->key.n),
            .arguments = dh_buf_take(&out),
            .whole = whole,
        };
    }
    x->call = x->open = NULL;
    x->n = x->depth = 0;
}

static void begin_call(struct reader *x, struct dh_str name)
{
    end_call(x, false);
    x->loose = (struct dh_str){ 0 };
    x->call = x->open = add_node(x, NULL, name, (struct dh_str){ 0 });
}

void dh_reply_read_calls(struct dh_reply *r, struct dh_str block)
{
    struct reader x = { .r = r, .rest = block };
    struct dh_str piece, key, text;
    dh_array(x.nodes, MAX_NODES);
    while (next_piece(&x, &piece)) {
        enum tag tag = read_tag(piece, &key, &text);
        if (tag == TAG_INVOKE)
            begin_call(&x, key);
        else if (tag == TAG_CLOSE && dh_str_is(key, "invoke"))
            end_call(&x, true);
        else if (x.call && tag == TAG_OPEN)
            open_node(&x, key, text);
        else if (x.call && tag == TAG_CLOSE)
            close_node(&x, key);
        else if (x.call && x.open == x.call)
            x.loose = piece;
    }
    end_call(&x, false);
    dh_free(x.nodes);
}
