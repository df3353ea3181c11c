#include "actions/parse.h"

#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

struct collector {
    struct dh_answer *answer;
    struct dh_diag *diag;
    unsigned repairs; // of the envelope, added to each action
    bool failed;
};

static const struct dh_json *arguments_of(const struct dh_json *call,
                                          struct dh_json **parsed,
                                          unsigned *repairs)
{
    static const char *const names[] = { "arguments", "input", "parameters" };
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        const struct dh_json *v = dh_json_find(call, names[i]);
        if (!v)
            continue;
        if (i)
            *repairs |= DH_REPAIR_ARGUMENTS;
        if (dh_json_kind(v) == DH_JSON_OBJECT)
            return v;
        const char *text = dh_json_text(v);
        *parsed = dh_json_parse(text, strlen(text), NULL);
        *repairs |= DH_REPAIR_ARGUMENTS;
        if (*parsed && dh_json_kind(*parsed) == DH_JSON_OBJECT)
            return *parsed;
    }
    *repairs |= DH_REPAIR_ARGUMENTS;
    return call;
}

static bool add_call(struct collector *c, struct dh_str tool,
                     const struct dh_json *args, unsigned repairs)
{
    if (c->answer->n == DH_ANSWER_MAX_ACTIONS)
        return false;
    struct dh_action *a = &c->answer->action[c->answer->n];
    memset(a, 0, sizeof *a);
    if (!dh_parse_call(tool, args, a, c->diag)) {
        dh_action_finish(a);
        c->failed = true;
        return false;
    }
    a->repairs |= repairs | c->repairs;
    c->answer->n++;
    return true;
}

// `text` starts at a brace. Returns the bytes that were read, 0 on failure.
static size_t add_object(struct collector *c, struct dh_str text)
{
    struct dh_buf strict;
    size_t used = 0;
    bool mended = false;
    dh_buf_init(&strict, 8 * (size_t)DH_ANSWER_MAX_BYTES);
    struct dh_json *parsed = NULL, *root = NULL;
    if (dh_parse_json_object(text, &strict, &used, &mended, c->diag))
        root = dh_json_parse(dh_buf_text(&strict), strict.len, c->diag);
    if (root && dh_json_kind(root) == DH_JSON_OBJECT) {
        unsigned repairs = mended ? DH_REPAIR_JSON : 0;
        const struct dh_json *name = dh_json_find(root, "name");
        const struct dh_json *args = arguments_of(root, &parsed, &repairs);
        add_call(c, dh_str_of(name ? dh_json_text(name) : ""), args, repairs);
    } else {
        c->failed = true;
        used = 0;
    }
    dh_json_free(parsed);
    dh_json_free(root);
    dh_buf_finish(&strict);
    return used;
}

static bool add_xml_call(void *user, struct dh_str name,
                         struct dh_str arguments)
{
    struct collector *c = user;
    struct dh_json *args = dh_json_parse(arguments.p, arguments.n, c->diag);
    if (!args) {
        c->failed = true;
        return false;
    }
    bool more = add_call(c, name, args, DH_REPAIR_XML);
    dh_json_free(args);
    return more;
}

static void tagged_calls(struct collector *c, struct dh_str s)
{
    static const char open[] = "<tool_call>", close[] = "</tool_call>";
    ptrdiff_t at = dh_str_find(s, open, 0);
    while (at >= 0 && !c->failed && c->answer->n < DH_ANSWER_MAX_ACTIONS) {
        size_t from = (size_t)at + sizeof open - 1;
        ptrdiff_t brace = dh_str_find(s, "{", from);
        ptrdiff_t end = dh_str_find(s, close, from);
        if (brace < 0 || (end >= 0 && end < brace)) {
            dh_diag_set(c->diag, from, "<tool_call> without an object");
            c->failed = true;
            return;
        }
        struct dh_str body = dh_str_sub(s, (size_t)brace, s.n);
        int before = c->answer->n;
        size_t used = add_object(c, body);
        if (!used)
            return;
        size_t after = (size_t)brace + used;
        if (dh_str_find(s, close, after) < 0 && c->answer->n > before)
            c->answer->action[before].repairs |= DH_REPAIR_UNTERMINATED;
        at = dh_str_find(s, open, after);
    }
}

// An object that starts a line (inside a code fence or not).
static bool bare_object(struct collector *c, struct dh_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '{' || (i && s.p[i - 1] != '\n'))
            continue;
        struct dh_str body = dh_str_sub(s, i, s.n);
        if (dh_str_find(body, "action", 0) < 0)
            return false;
        c->repairs |= DH_REPAIR_BARE;
        add_object(c, body);
        return true;
    }
    return false;
}

static bool bare_word(struct collector *c, struct dh_str s)
{
    static const struct {
        const char *word;
        enum dh_action_op op;
    } words[] = { { "DONE", DH_ACTION_DONE },
                  { "FAIL", DH_ACTION_FAIL },
                  { "WAIT", DH_ACTION_WAIT } };
    struct dh_str t = dh_str_trim(s);
    struct dh_action *a = &c->answer->action[0];
    struct dh_action found = { .duration_ms = -1,
                               .repeat = 1,
                               .repairs = DH_REPAIR_BARE };
    bool hit = false;
    if (t.n >= 12 && dh_str_is_nocase(dh_str_sub(t, 0, 12), "[infeasible]")) {
        struct dh_str why = dh_str_trim(dh_str_sub(t, 12, t.n));
        found.op = DH_ACTION_FAIL;
        found.text = dh_strndup(why.p, why.n);
        hit = true;
    }
    for (size_t i = 0; !hit && i < DH_COUNTOF(words); i++) {
        hit = dh_str_is(t, words[i].word);
        found.op = words[i].op;
    }
    if (hit && found.op == DH_ACTION_WAIT)
        found.duration_ms = 1000;
    if (hit) {
        *a = found;
        c->answer->n = 1;
    }
    return hit;
}

static ptrdiff_t last_of(struct dh_str s, const char *needle)
{
    ptrdiff_t last = -1, at = dh_str_find(s, needle, 0);
    while (at >= 0) {
        last = at;
        at = dh_str_find(s, needle, (size_t)at + 1);
    }
    return last;
}

// Drop the thinking: what counts stands after its last end. A span that never
// ends hides all behind it, unless a call follows there.
static struct dh_str without_thinking(struct dh_str s)
{
    static const char *const tags[][2] = {
        { "<mm:think>", "</mm:think>" },
        { "<thinking>", "</thinking>" },
        { "<think>", "</think>" },
    };
    for (size_t i = 0; i < DH_COUNTOF(tags); i++) {
        ptrdiff_t end = last_of(s, tags[i][1]);
        if (end >= 0)
            s = dh_str_sub(s, (size_t)end + strlen(tags[i][1]), s.n);
    }
    for (size_t i = 0; i < DH_COUNTOF(tags); i++) {
        ptrdiff_t start = dh_str_find(s, tags[i][0], 0);
        if (start < 0)
            continue;
        ptrdiff_t call = dh_str_find(s, "<tool_call>", (size_t)start);
        ptrdiff_t xml = dh_str_find(s, DH_PARSE_MARKER, (size_t)start);
        if (call >= 0 || xml >= 0)
            return dh_str_sub(s, (size_t)(xml >= 0 ? xml : call), s.n);
        return dh_str_sub(s, 0, (size_t)start);
    }
    return s;
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

static void read_envelope(struct collector *c, struct dh_str s)
{
    ptrdiff_t marker = dh_str_find(s, &DH_PARSE_MARKER[1], 0);
    if (marker > 0 && s.p[marker - 1] == ']')
        marker--;
    if (marker >= 0) {
        dh_parse_xml(dh_str_sub(s, (size_t)marker, s.n), add_xml_call, c);
    } else if (dh_str_find(s, "<tool_call>", 0) >= 0) {
        tagged_calls(c, s);
    } else if (!bare_object(c, s)) {
        bare_word(c, s);
    }
}

enum dh_status dh_answer_parse(const char *text, size_t len,
                               struct dh_answer *out, struct dh_diag *diag)
{
    struct collector c = { .answer = out, .diag = diag };
    memset(out, 0, sizeof *out);
    if (len > DH_ANSWER_MAX_BYTES) {
        dh_diag_set(diag, 0, "the answer is longer than 1 MiB");
        out->step = dh_strdup("");
        return DH_ERR_FORMAT;
    }
    struct dh_str s = without_thinking((struct dh_str){ text, len });
    out->step = step_of(s);
    read_envelope(&c, s);
    if (!c.failed && out->n)
        return DH_OK;
    dh_diag_set(diag, 0,
                "no action found; answer with an Action: line and one "
                "<tool_call> object");
    return DH_ERR_FORMAT;
}

void dh_answer_finish(struct dh_answer *a)
{
    for (int i = 0; i < a->n; i++)
        dh_action_finish(&a->action[i]);
    dh_free(a->step);
    memset(a, 0, sizeof *a);
}
