#include "actions/parse.h"

#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

// `text` starts at a bracket. Returns the bytes that were read, 0 on failure.
static size_t add_object(struct dh_collector *c, struct dh_str text,
                         bool *found)
{
    struct dh_buf strict;
    size_t used = 0;
    bool mended = false;
    dh_buf_init(&strict, 8 * (size_t)DH_ANSWER_MAX_BYTES);
    struct dh_json *root = NULL;
    if (dh_parse_json_object(text, &strict, &used, &mended, c->diag))
        root = dh_json_parse(dh_buf_text(&strict), strict.len, c->diag);
    unsigned before = c->repairs;
    c->repairs |= mended ? DH_REPAIR_JSON : 0;
    *found = root && dh_parse_message(c, root);
    c->repairs = before;
    if (!root) {
        c->failed = true;
        used = 0;
    }
    dh_json_free(root);
    dh_buf_finish(&strict);
    return used;
}

static bool add_xml_call(void *user, struct dh_str name,
                         struct dh_str arguments)
{
    struct dh_collector *c = user;
    struct dh_json *args = dh_json_parse(arguments.p, arguments.n, c->diag);
    if (!args) {
        c->failed = true;
        return false;
    }
    bool more = dh_parse_add(c, name, args, DH_REPAIR_XML);
    dh_json_free(args);
    return more;
}

static void set_dialect(struct dh_collector *c, enum dh_dialect d)
{
    if (c->answer->dialect != d && c->answer->dialect != DH_DIALECT_NONE)
        return;
    c->answer->dialect = c->how.dialect = d;
}

static void xml_calls(struct dh_collector *c, struct dh_str s)
{
    ptrdiff_t marker = dh_str_find(s, &DH_PARSE_MARKER[1], 0);
    if (marker < 0)
        return;
    if (marker > 0 && s.p[marker - 1] == ']')
        marker--;
    set_dialect(c, DH_DIALECT_M3_XML);
    dh_parse_xml(dh_str_sub(s, (size_t)marker, s.n), add_xml_call, c);
}

static size_t function_call(struct dh_collector *c, struct dh_str s)
{
    struct dh_str name;
    struct dh_buf json;
    dh_buf_init(&json, 8 * (size_t)DH_ANSWER_MAX_BYTES);
    size_t used = dh_parse_function(s, &name, &json);
    set_dialect(c, DH_DIALECT_QWEN);
    if (used)
        add_xml_call(c, name, (struct dh_str){ dh_buf_text(&json), json.len });
    else
        c->failed = true;
    dh_buf_finish(&json);
    return used;
}

// Where the object or the function of a call begins, -1 where it has none.
static ptrdiff_t body_of(struct dh_str s, size_t from)
{
    ptrdiff_t brace = dh_str_find(s, "{", from);
    ptrdiff_t end = dh_str_find(s, "</tool_call>", from);
    struct dh_str rest = dh_str_trim(dh_str_sub(s, from, s.n));
    if (dh_str_starts(rest, "<function="))
        return rest.p - s.p;
    return end >= 0 && end < brace ? -1 : brace;
}

static size_t body(struct dh_collector *c, struct dh_str s)
{
    bool found = false;
    if (dh_str_starts(s, "<function="))
        return function_call(c, s);
    set_dialect(c, DH_DIALECT_M3_TEXT);
    size_t used = add_object(c, s, &found);
    if (used && !found && !c->failed) {
        struct dh_json *none = dh_json_parse("{}", 2, NULL);
        dh_parse_add(c, dh_str_of(""), none, 0);
        dh_json_free(none);
    }
    return used;
}

static void tagged_calls(struct dh_collector *c, struct dh_str s)
{
    static const char open[] = "<tool_call>", close[] = "</tool_call>";
    ptrdiff_t at = dh_str_find(s, open, 0);
    while (at >= 0 && !c->failed && c->answer->n < DH_ANSWER_MAX_ACTIONS) {
        size_t from = (size_t)at + sizeof open - 1;
        ptrdiff_t begin = body_of(s, from);
        if (begin < 0) {
            dh_diag_set(c->diag, from, "<tool_call> without an object");
            c->failed = true;
            return;
        }
        int before = c->answer->n;
        size_t used = body(c, dh_str_sub(s, (size_t)begin, s.n));
        if (!used)
            return;
        size_t after = (size_t)begin + used;
        if (dh_str_find(s, close, after) < 0 && c->answer->n > before)
            c->answer->action[before].repairs |= DH_REPAIR_UNTERMINATED;
        at = dh_str_find(s, open, after);
    }
}

void dh_parse_slice(struct dh_collector *c, enum dh_scan_kind kind,
                    struct dh_str slice)
{
    if (kind == DH_SCAN_XML)
        xml_calls(c, slice);
    else
        body(c, slice);
}

// An object or a list of them. What no server has wrapped was written bare.
static bool json_block(struct dh_collector *c, struct dh_str s)
{
    bool found;
    int before = c->answer->n;
    set_dialect(c, DH_DIALECT_BARE);
    add_object(c, s, &found);
    if (c->answer->dialect == DH_DIALECT_BARE)
        for (int i = before; i < c->answer->n; i++)
            c->answer->action[i].repairs |= DH_REPAIR_BARE;
    if (!found && !c->failed)
        c->answer->dialect = c->how.dialect = DH_DIALECT_NONE;
    return found || c->failed;
}

static bool is_json(struct dh_str s)
{
    return dh_str_starts(s, "{") || dh_str_starts(s, "[{") ||
           dh_str_starts(s, "[\n") || dh_str_starts(s, "[ ");
}

// An object that starts a line.
static bool bare_object(struct dh_collector *c, struct dh_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((!i || s.p[i - 1] == '\n') &&
            is_json(dh_str_sub(s, i, DH_MIN(s.n, i + 4))))
            return json_block(c, dh_str_sub(s, i, s.n));
    return false;
}

static bool bare_word(struct dh_collector *c, struct dh_str s)
{
    static const struct {
        const char *word;
        enum dh_action_op op;
    } words[] = { { "DONE", DH_ACTION_DONE },
                  { "FAIL", DH_ACTION_FAIL },
                  { "CALL_USER", DH_ACTION_ASK },
                  { "INFEASIBLE", DH_ACTION_FAIL },
                  { "WAIT", DH_ACTION_WAIT } };
    struct dh_str t = dh_str_trim(s);
    struct dh_action found = { .duration_ms = -1,
                               .repeat = 1,
                               .repairs = c->repairs | DH_REPAIR_BARE };
    bool hit = false;
    if (c->answer->n == DH_ANSWER_MAX_ACTIONS)
        return false;
    if (t.n >= 12 && dh_str_is_nocase(dh_str_sub(t, 0, 12), "[infeasible]")) {
        struct dh_str why = dh_str_trim(dh_str_sub(t, 12, t.n));
        found.op = DH_ACTION_FAIL;
        found.text = dh_strndup(why.p, DH_MIN(why.n, DH_ACTION_TEXT_MAX));
        hit = true;
    }
    for (size_t i = 0; !hit && i < DH_COUNTOF(words); i++) {
        hit = dh_str_is(t, words[i].word);
        found.op = words[i].op;
    }
    if (hit && found.op == DH_ACTION_WAIT)
        found.duration_ms = 1000;
    if (hit) {
        c->answer->action[c->answer->n++] = found;
        set_dialect(c, DH_DIALECT_WORD);
    }
    return hit;
}

static bool is_python(struct dh_str s)
{
    s = dh_str_trim(s);
    return dh_str_starts(s, "pyautogui.") || dh_str_starts(s, "computer.") ||
           dh_str_starts(s, "import ") || dh_str_starts(s, "from ") ||
           dh_str_starts(s, "time.sleep(");
}

// The first block between fences. What is in it decides what it is.
static bool fenced(struct dh_collector *c, struct dh_str s)
{
    ptrdiff_t open = dh_str_find(s, "```", 0);
    ptrdiff_t line = open < 0 ? -1 : dh_str_find(s, "\n", (size_t)open);
    if (line < 0)
        return false;
    struct dh_str language =
        dh_str_trim(dh_str_sub(s, (size_t)open + 3, (size_t)line));
    ptrdiff_t close = dh_str_find(s, "```", (size_t)line);
    struct dh_str block = dh_str_trim(
        dh_str_sub(s, (size_t)line + 1, close < 0 ? s.n : (size_t)close));
    if (is_json(block))
        return json_block(c, block);
    if (dh_str_is(language, "python") || is_python(block)) {
        if (bare_word(c, block) || dh_parse_uitars(c, block))
            return true;
        return dh_parse_pyautogui(c, block) || c->failed;
    }
    return bare_word(c, block) || dh_parse_uitars(c, block);
}

static void plain(struct dh_collector *c, struct dh_str s)
{
    ptrdiff_t function = dh_str_find(s, "<function=", 0);
    if (function >= 0) {
        function_call(c, dh_str_sub(s, (size_t)function, s.n));
        return;
    }
    if (fenced(c, s) || dh_parse_uitars(c, s))
        return;
    if (is_python(s))
        dh_parse_pyautogui(c, dh_str_trim(s));
    else if (!bare_word(c, s))
        bare_object(c, s);
}

static void read_clean(struct dh_collector *c, enum dh_scan_kind kind,
                       struct dh_str s)
{
    switch (kind) {
    case DH_SCAN_XML: xml_calls(c, s); return;
    case DH_SCAN_TAGGED: tagged_calls(c, s); return;
    case DH_SCAN_JSON:
        if (json_block(c, dh_str_trim(s)))
            return;
        break;
    case DH_SCAN_PLAIN: break;
    }
    plain(c, s);
}

static char *step_of(struct dh_str s)
{
    static const char label[] = "Action:";
    ptrdiff_t at = dh_str_find(s, label, 0);
    if (at < 0)
        return dh_strdup("");
    size_t from = (size_t)at + sizeof label - 1;
    ptrdiff_t nl = dh_str_find(s, "\n", from);
    struct dh_str line =
        dh_str_trim(dh_str_sub(s, from, nl < 0 ? s.n : (size_t)nl));
    return dh_strndup(line.p, DH_MIN(line.n, 500));
}

// Where thinking never ends, a call in it is what the model came to: it forgot
// the closing tag. Empty where there is none.
static struct dh_str call_in_thoughts(const struct dh_scan *scan,
                                      struct dh_str s)
{
    struct dh_str thoughts = dh_str_sub(s, scan->thought, s.n);
    ptrdiff_t tag = dh_str_find(thoughts, "<tool_call>", 0);
    ptrdiff_t marker = dh_str_find(thoughts, DH_PARSE_MARKER, 0);
    ptrdiff_t at = tag >= 0 && (marker < 0 || tag < marker) ? tag : marker;
    if (!scan->thinking || scan->kind != DH_SCAN_PLAIN || at < 0)
        return dh_str_sub(s, s.n, s.n);
    return dh_str_sub(thoughts, (size_t)at, thoughts.n);
}

static void read_text(struct dh_collector *c, struct dh_str s, bool thinking)
{
    struct dh_buf clean;
    struct dh_scan scan;
    dh_buf_init(&clean, 2 * (size_t)DH_ANSWER_MAX_BYTES);
    dh_scan_init(&scan, &clean, thinking);
    while (dh_scan_go(&scan, s, true)) {
    }
    struct dh_str meant = call_in_thoughts(&scan, s);
    if (meant.n) {
        c->repairs |= DH_REPAIR_UNTERMINATED;
        dh_buf_clear(&clean);
        dh_scan_init(&scan, &clean, false);
        while (dh_scan_go(&scan, meant, true)) {
        }
    }
    struct dh_str kept = { dh_buf_text(&clean), clean.len };
    if (!c->answer->step)
        c->answer->step = step_of(kept);
    read_clean(c, scan.kind, kept);
    dh_buf_finish(&clean);
}

void dh_parse_text(struct dh_collector *c, struct dh_str text)
{
    c->answer->dialect = DH_DIALECT_NONE;
    read_text(c, text, false);
}

static enum dh_status parse(const struct dh_parse_options *options,
                            struct dh_str s, unsigned repairs,
                            struct dh_answer *out, struct dh_diag *diag)
{
    struct dh_collector c = { .how = { .options = options },
                              .answer = out,
                              .diag = diag,
                              .repairs = repairs };
    memset(out, 0, sizeof *out);
    if (s.n > DH_ANSWER_MAX_BYTES) {
        dh_diag_set(diag, 0, "the answer is longer than 1 MiB");
        out->step = dh_strdup("");
        return DH_ERR_FORMAT;
    }
    read_text(&c, s, options && options->thinking);
    if (!c.failed && out->n)
        return DH_OK;
    dh_diag_set(diag, 0,
                "no action found; answer with an Action: line and one "
                "<tool_call> object");
    return DH_ERR_FORMAT;
}

enum dh_status dh_answer_parse_with(const struct dh_parse_options *options,
                                    const char *text, size_t len,
                                    struct dh_answer *out, struct dh_diag *diag)
{
    return parse(options, (struct dh_str){ text, len }, 0, out, diag);
}

enum dh_status dh_answer_parse(const char *text, size_t len,
                               struct dh_answer *out, struct dh_diag *diag)
{
    return dh_answer_parse_with(NULL, text, len, out, diag);
}

enum dh_status dh_answer_parse_reasoning(const struct dh_parse_options *options,
                                         const char *text, size_t len,
                                         struct dh_answer *out,
                                         struct dh_diag *diag)
{
    struct dh_parse_options o = { 0 };
    if (options)
        o = *options;
    o.thinking = false; // all of it is thinking, that is why it is read
    return parse(&o, (struct dh_str){ text, len }, DH_REPAIR_REASONING, out,
                 diag);
}

void dh_answer_finish(struct dh_answer *a)
{
    for (int i = 0; i < a->n; i++)
        dh_action_finish(&a->action[i]);
    dh_free(a->step);
    memset(a, 0, sizeof *a);
}

static const char *const coord_names[DH_COORD_COUNT] = {
    "norm1000", "norm1", "pixels-sent", "pixels-resized28", "pixels-screen",
};

const char *dh_coord_name(enum dh_coord c)
{
    return (unsigned)c < DH_COORD_COUNT ? coord_names[c] : "?";
}

bool dh_coord_of_name(const char *name, enum dh_coord *out)
{
    for (int i = 0; i < DH_COORD_COUNT; i++)
        if (strcmp(name, coord_names[i]) == 0) {
            *out = (enum dh_coord)i;
            return true;
        }
    return false;
}

const char *dh_dialect_name(enum dh_dialect d)
{
    static const char *const names[DH_DIALECT_COUNT] = {
        "none",    "m3-text", "m3-xml", "native", "anthropic",
        "openai",  "ui-tars", "qwen",   "gemini", "pyautogui",
        "osworld", "word",    "bare",
    };
    return (unsigned)d < DH_DIALECT_COUNT ? names[d] : "?";
}
