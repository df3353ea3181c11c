#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/mem.h"

#define MAX_DEPTH 8

// A call with literal arguments, nothing more of the language: what a model
// wrote is read, and never executed.
struct python {
    struct dh_str in;
    size_t at;
    struct dh_buf *out;
    struct dh_diag *diag;
    bool loose; // UI-TARS: \\n is a newline, and quotes are not always escaped
    int depth;
};

static bool refuse(struct python *p, const char *what)
{
    dh_diag_set(p->diag, p->at, "a call with literal arguments is expected: %s",
                what);
    return false;
}

static char here(const struct python *p)
{
    return p->at < p->in.n ? p->in.p[p->at] : 0;
}

static void skip_space(struct python *p)
{
    while (p->at < p->in.n && isspace((unsigned char)p->in.p[p->at]))
        p->at++;
}

static struct dh_str word_of(struct python *p)
{
    size_t from = p->at;
    while (isalnum((unsigned char)here(p)) || here(p) == '_' || here(p) == '.')
        p->at++;
    return dh_str_sub(p->in, from, p->at);
}

static void put_escape(struct python *p, struct dh_buf *text)
{
    char c = ++p->at < p->in.n ? p->in.p[p->at] : 0;
    if (p->loose && c == '\\' && p->at + 1 < p->in.n &&
        strchr("nt'\"", p->in.p[p->at + 1]))
        c = p->in.p[++p->at];
    switch (c) {
    case 'n': dh_buf_putc(text, '\n'); break;
    case 't': dh_buf_putc(text, '\t'); break;
    case 'r': dh_buf_putc(text, '\r'); break;
    case '\\':
    case '\'':
    case '"': dh_buf_putc(text, c); break;
    default: dh_buf_putc(text, '\\'); return;
    }
    p->at++;
}

static bool ends_here(const struct python *p, char quote)
{
    if (p->in.p[p->at] != quote)
        return false;
    size_t i = p->at + 1;
    while (i < p->in.n && p->in.p[i] == ' ' && i < p->at + 16)
        i++;
    return !p->loose || i == p->in.n || strchr("),]}\n", p->in.p[i]);
}

static bool read_text(struct python *p)
{
    struct dh_buf text;
    char quote = p->in.p[p->at++];
    dh_buf_init(&text, DH_ANSWER_MAX_BYTES);
    while (p->at < p->in.n && !ends_here(p, quote)) {
        if (here(p) == '\\')
            put_escape(p, &text);
        else
            dh_buf_putc(&text, p->in.p[p->at++]);
    }
    bool ended = p->at < p->in.n;
    p->at += ended;
    dh_json_quote(p->out, (struct dh_str){ dh_buf_text(&text), text.len });
    dh_buf_finish(&text);
    return ended || refuse(p, "a text does not end");
}

static bool read_value(struct python *p);

static bool read_list(struct python *p)
{
    char end = p->in.p[p->at++] == '[' ? ']' : ')';
    if (++p->depth > MAX_DEPTH)
        return refuse(p, "too many brackets");
    dh_buf_putc(p->out, '[');
    for (bool first = true;; first = false) {
        skip_space(p);
        if (here(p) == end)
            break;
        if (!first)
            dh_buf_putc(p->out, ',');
        if (!read_value(p))
            return false;
        skip_space(p);
        if (here(p) == ',')
            p->at++;
        else if (here(p) != end)
            return refuse(p, "a comma is missing");
    }
    p->at++;
    p->depth--;
    dh_buf_putc(p->out, ']');
    return true;
}

static bool read_number_or_name(struct python *p)
{
    size_t from = p->at;
    if (here(p) == '-' || here(p) == '+')
        p->at++;
    word_of(p);
    struct dh_str w = dh_str_sub(p->in, from, p->at);
    double v;
    if (dh_str_is(w, "True") || dh_str_is(w, "False")) {
        dh_buf_puts(p->out, w.p[0] == 'T' ? "true" : "false");
    } else if (dh_str_is(w, "None")) {
        dh_buf_puts(p->out, "null");
    } else if (w.n && w.n < 40 && dh_parse_double(w, &v) && v > -1e9 &&
               v < 1e9) {
        dh_buf_printf(p->out, "%.10g", v);
    } else {
        return refuse(p, "something is no number and no text");
    }
    return true;
}

static bool read_value(struct python *p)
{
    skip_space(p);
    char c = here(p);
    if (c == '\'' || c == '"')
        return read_text(p);
    if (c == '[' || c == '(')
        return read_list(p);
    return read_number_or_name(p);
}

static bool read_argument(struct python *p, int *position)
{
    size_t from = p->at;
    struct dh_str key = word_of(p);
    skip_space(p);
    if (key.n && here(p) == '=') {
        p->at++;
        dh_json_quote(p->out, key);
        dh_buf_putc(p->out, ':');
        return read_value(p);
    }
    p->at = from;
    dh_buf_printf(p->out, "\"%d\":", (*position)++);
    return read_value(p);
}

static size_t read_call(struct dh_str text, bool loose, struct dh_str *name,
                        struct dh_buf *json, struct dh_diag *diag)
{
    struct python p = { .in = text, .out = json, .diag = diag, .loose = loose };
    int position = 0;
    *name = word_of(&p);
    if (!name->n || here(&p) != '(') {
        refuse(&p, "there is no call");
        return 0;
    }
    p.at++;
    dh_buf_putc(json, '{');
    for (bool first = true;; first = false) {
        skip_space(&p);
        if (here(&p) == ')')
            break;
        if (!first)
            dh_buf_putc(json, ',');
        if (!read_argument(&p, &position))
            return 0;
        skip_space(&p);
        if (here(&p) == ',') {
            p.at++;
        } else if (here(&p) != ')') {
            refuse(&p, "a comma or the closing bracket is missing");
            return 0;
        }
    }
    dh_buf_putc(json, '}');
    return json->overflow ? 0 : p.at + 1;
}

// The names of positional arguments. A name without a dot is pyautogui's;
// those of computer are AgentNet's.
struct signature {
    const char *name;
    const char *args[4];
};

static const struct signature signatures[] = {
    { "click", { "x", "y", "clicks", "interval" } },
    { "leftClick", { "x", "y", NULL, NULL } },
    { "rightClick", { "x", "y", NULL, NULL } },
    { "middleClick", { "x", "y", NULL, NULL } },
    { "doubleClick", { "x", "y", NULL, NULL } },
    { "tripleClick", { "x", "y", NULL, NULL } },
    { "moveTo", { "x", "y", "duration", NULL } },
    { "dragTo", { "x", "y", "duration", NULL } },
    { "mouseDown", { "x", "y", "button", NULL } },
    { "mouseUp", { "x", "y", "button", NULL } },
    { "scroll", { "clicks", "x", "y", NULL } },
    { "vscroll", { "clicks", "x", "y", NULL } },
    { "hscroll", { "clicks", "x", "y", NULL } },
    { "write", { "text", "interval", NULL, NULL } },
    { "typewrite", { "text", "interval", NULL, NULL } },
    { "press", { "keys", "presses", "interval", NULL } },
    { "hotkey", { NULL, NULL, NULL, NULL } },
    { "keyDown", { "key", NULL, NULL, NULL } },
    { "keyUp", { "key", NULL, NULL, NULL } },
    { "time.sleep", { "seconds", NULL, NULL, NULL } },
    { "computer.tripleClick", { "x", "y", NULL, NULL } },
    { "computer.triple_click", { "x", "y", NULL, NULL } },
    { "computer.wait", { "seconds", NULL, NULL, NULL } },
    { "computer.terminate", { "status", "text", NULL, NULL } },
    { "computer.answer", { "text", NULL, NULL, NULL } },
    { "computer.ask_user", { "text", NULL, NULL, NULL } },
    { "computer.screenshot", { NULL, NULL, NULL, NULL } },
    { "computer.cursor_position", { NULL, NULL, NULL, NULL } },
    { "computer.zoom", { "x", "y", NULL, NULL } },
};

static const struct signature *signature_of(struct dh_str name)
{
    if (dh_str_starts(name, "pyautogui."))
        name = dh_str_sub(name, strlen("pyautogui."), name.n);
    else if (dh_str_find(name, ".", 0) < 0)
        return NULL;
    for (size_t i = 0; i < DH_COUNTOF(signatures); i++)
        if (dh_str_is(name, signatures[i].name))
            return &signatures[i];
    return NULL;
}

static const char *name_of_argument(const struct signature *s, const char *key)
{
    if (isdigit((unsigned char)key[0]) && !key[1] && key[0] < '4')
        return s->args[key[0] - '0'] ? s->args[key[0] - '0'] : key;
    if (strcmp(key, "message") == 0 || strcmp(key, "answer") == 0)
        return "text";
    return key;
}

// hotkey('ctrl','s') has its keys as positions.
static void put_hotkey(const struct dh_json *args, struct dh_buf *out)
{
    const struct dh_json *v = dh_json_first(args);
    if (v && dh_json_kind(v) == DH_JSON_ARRAY)
        v = dh_json_first(v);
    dh_buf_puts(out, "{\"keys\":[");
    for (const char *sep = ""; v; v = dh_json_next(v), sep = ",") {
        if (strcmp(dh_json_key(v), "interval") == 0)
            continue;
        dh_buf_puts(out, sep);
        dh_json_print(v, out);
    }
    dh_buf_puts(out, "]}");
}

static void put_named(const struct signature *s, const struct dh_json *args,
                      struct dh_buf *out)
{
    const char *sep = "{";
    if (!dh_json_first(args))
        dh_buf_putc(out, '{');
    for (const struct dh_json *v = dh_json_first(args); v;
         v = dh_json_next(v)) {
        dh_buf_puts(out, sep);
        dh_json_quote(out, dh_str_of(name_of_argument(s, dh_json_key(v))));
        dh_buf_putc(out, ':');
        dh_json_print(v, out);
        sep = ",";
    }
    dh_buf_putc(out, '}');
}

static struct dh_json *renamed(const struct signature *s,
                               const struct dh_json *args)
{
    struct dh_buf out;
    dh_buf_init(&out, 8 * (size_t)DH_ANSWER_MAX_BYTES);
    if (strcmp(s->name, "hotkey") == 0)
        put_hotkey(args, &out);
    else
        put_named(s, args, &out);
    struct dh_json *v =
        out.overflow ? NULL : dh_json_parse(dh_buf_text(&out), out.len, NULL);
    dh_buf_finish(&out);
    return v;
}

static bool add_pyautogui(struct dh_collector *c, struct dh_str name,
                          const struct dh_buf *json)
{
    const struct signature *s = signature_of(name);
    if (!s) {
        dh_diag_set(c->diag, 0,
                    "\"%.*s\" is not performed; only pyautogui's mouse and "
                    "keyboard, time.sleep and computer's wait and terminate "
                    "are, with literal arguments",
                    (int)DH_MIN(name.n, 40), name.p);
        return false;
    }
    struct dh_json *args =
        dh_json_parse(json->data ? json->data : "", json->len, c->diag);
    struct dh_json *named = args ? renamed(s, args) : NULL;
    bool ok = named && dh_parse_add(c, dh_str_of(s->name), named, 0);
    dh_json_free(named);
    dh_json_free(args);
    return ok;
}

static bool is_ignored(struct dh_str line)
{
    return !line.n || line.p[0] == '#' || dh_str_is(line, "import pyautogui") ||
           dh_str_is(line, "import time") ||
           dh_str_is(line, "import pyautogui, time") ||
           dh_str_is(line, "import time, pyautogui");
}

static size_t end_of_line(struct dh_str s, size_t at)
{
    const char *nl = at < s.n ? memchr(s.p + at, '\n', s.n - at) : NULL;
    return nl ? (size_t)(nl - s.p) : s.n;
}

// One statement; the bytes read, 0 where the block is to be rejected.
static size_t statement(struct dh_collector *c, struct dh_str s)
{
    struct dh_str name;
    struct dh_buf json;
    size_t stop = end_of_line(s, 0);
    struct dh_str line = dh_str_sub(s, 0, stop);
    ptrdiff_t semicolon = dh_str_find(line, ";", 0);
    if (is_ignored(dh_str_trim(line)))
        return stop;
    if (semicolon >= 0 &&
        is_ignored(dh_str_trim(dh_str_sub(line, 0, (size_t)semicolon))))
        return (size_t)semicolon;
    dh_buf_init(&json, 8 * (size_t)DH_ANSWER_MAX_BYTES);
    size_t used = read_call(s, false, &name, &json, c->diag);
    if (used && !add_pyautogui(c, name, &json))
        used = 0;
    dh_buf_finish(&json);
    // What follows on the line must be another statement or a comment.
    struct dh_str rest = dh_str_trim(dh_str_sub(s, used, end_of_line(s, used)));
    if (used && rest.n && rest.p[0] != ';' && rest.p[0] != '#') {
        dh_diag_set(c->diag, used, "only calls stand in such a block");
        return 0;
    }
    return used && rest.n && rest.p[0] == '#' ? end_of_line(s, used) : used;
}

bool dh_parse_pyautogui(struct dh_collector *c, struct dh_str block)
{
    size_t at = 0;
    c->how.dialect = c->answer->dialect = DH_DIALECT_PYAUTOGUI;
    while (at < block.n && !c->failed) {
        if (isspace((unsigned char)block.p[at]) || block.p[at] == ';') {
            at++;
            continue;
        }
        size_t used = statement(c, dh_str_sub(block, at, block.n));
        if (!used) {
            c->failed = true;
            break;
        }
        at += used;
    }
    return c->answer->n > 0;
}

static bool add_uitars(struct dh_collector *c, struct dh_str name,
                       const struct dh_buf *json)
{
    struct dh_json *args =
        dh_json_parse(json->data ? json->data : "", json->len, c->diag);
    bool ok = args && dh_parse_add(c, name, args, 0);
    dh_json_free(args);
    c->failed |= !args;
    return ok;
}

// Is it the name of an action with a bracket behind it? Asked before anything
// is read, so that no line reads the whole rest in vain.
static bool is_call(struct dh_str s)
{
    struct python p = { .in = s };
    struct dh_str name = word_of(&p);
    return here(&p) == '(' && name.n < DH_PARSE_NAME_MAX &&
           dh_str_find(name, ".", 0) < 0 && dh_parse_is_verb(name);
}

// The bytes read, 0 on failure.
static size_t uitars_call(struct dh_collector *c, struct dh_str s)
{
    struct dh_str name;
    struct dh_buf json;
    dh_buf_init(&json, 8 * (size_t)DH_ANSWER_MAX_BYTES);
    c->how.dialect = c->answer->dialect = DH_DIALECT_UITARS;
    size_t used = read_call(s, true, &name, &json, c->diag);
    c->failed |= !used;
    if (used && !add_uitars(c, name, &json))
        used = 0;
    dh_buf_finish(&json);
    return used;
}

bool dh_parse_uitars(struct dh_collector *c, struct dh_str text)
{
    bool found = false;
    for (size_t at = 0; at < text.n && !c->failed;) {
        struct dh_str rest = dh_str_sub(text, at, text.n);
        if (isspace((unsigned char)text.p[at])) {
            at++;
        } else if (dh_str_starts(rest, "Action:")) {
            at += strlen("Action:");
        } else if (is_call(rest)) {
            size_t used = uitars_call(c, rest);
            found = true;
            if (!used)
                break;
            at += used;
        } else {
            at = end_of_line(text, at);
        }
    }
    return found;
}
