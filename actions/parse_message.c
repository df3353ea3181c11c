#include <string.h>

#include "actions/parse_priv.h"
#include "base/mem.h"
#include "base/str.h"

// The JSON of a message, whole or only the part with the calls. The members of
// the servers' shapes do not collide, so that one walk reads them all.

static bool add_list(struct dh_collector *c, const struct dh_json *list)
{
    bool found = false;
    for (const struct dh_json *v = dh_json_first(list); v && !c->failed;
         v = dh_json_next(v))
        found |= dh_parse_message(c, v);
    return found;
}

static void set_dialect(struct dh_collector *c, enum dh_dialect d)
{
    if (c->answer->dialect == DH_DIALECT_NONE ||
        c->answer->dialect == DH_DIALECT_BARE)
        c->answer->dialect = d;
    c->how.dialect = d;
}

static const struct dh_json *arguments_of(const struct dh_json *call,
                                          struct dh_json **parsed,
                                          unsigned *repairs)
{
    static const char *const names[] = { "arguments", "input", "parameters",
                                         "args" };
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
        dh_json_free(*parsed);
        *parsed = NULL;
    }
    *repairs |= DH_REPAIR_ARGUMENTS;
    return call;
}

static bool add_call(struct dh_collector *c, const struct dh_json *call,
                     bool native)
{
    unsigned repairs = 0;
    struct dh_json *parsed = NULL;
    const struct dh_json *args = arguments_of(call, &parsed, &repairs);
    const struct dh_json *name = dh_json_find(call, "name");
    const char *tool = name ? dh_json_text(name) : "";
    if (native) // a text or "input" is the shape there, no mistake
        repairs &= ~(unsigned)DH_REPAIR_ARGUMENTS;
    if (!name && dh_json_find(call, "action_type")) {
        tool = dh_json_text(dh_json_find(call, "action_type"));
        set_dialect(c, DH_DIALECT_OSWORLD);
    }
    if (strcmp(tool, "computer_use") == 0 && !native)
        c->answer->dialect = c->how.dialect = DH_DIALECT_QWEN;
    dh_parse_add(c, dh_str_of(tool), args, repairs);
    dh_json_free(parsed);
    return true;
}

static bool is_kind(const struct dh_json *v, const char *key, const char *text)
{
    const struct dh_json *m = dh_json_find(v, key);
    return m && strcmp(dh_json_text(m), text) == 0;
}

static bool computer_call(struct dh_collector *c, const struct dh_json *v)
{
    const struct dh_json *checks = dh_json_find(v, "pending_safety_checks");
    const struct dh_json *all = dh_json_find(v, "actions");
    const struct dh_json *one = dh_json_find(v, "action");
    bool before = c->confirm, found = false;
    set_dialect(c, DH_DIALECT_OPENAI);
    c->confirm |= checks && dh_json_first(checks);
    if (all)
        found = add_list(c, all);
    else if (one && dh_json_kind(one) == DH_JSON_OBJECT)
        found = dh_parse_message(c, one);
    c->confirm = before;
    return found;
}

static bool gemini_call(struct dh_collector *c, const struct dh_json *v)
{
    set_dialect(c, DH_DIALECT_GEMINI);
    return add_call(c, v, true);
}

static bool text_content(struct dh_collector *c, const struct dh_json *v)
{
    int before = c->answer->n;
    if (dh_json_kind(v) != DH_JSON_STRING || !dh_json_text(v)[0])
        return false;
    dh_parse_text(c, dh_str_of(dh_json_text(v)));
    return c->answer->n > before || c->failed;
}

// What a server wraps its message in.
static bool wrapped(struct dh_collector *c, const struct dh_json *v)
{
    static const char *const names[] = { "tool_calls", "choices",    "message",
                                         "output",     "candidates", "content",
                                         "parts" };
    static const char *const thoughts[] = { "reasoning_content", "reasoning" };
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        const struct dh_json *m = dh_json_find(v, names[i]);
        if (!m)
            continue;
        if (i == 0)
            set_dialect(c, DH_DIALECT_NATIVE);
        if (dh_json_kind(m) == DH_JSON_STRING ? text_content(c, m)
                                              : dh_parse_message(c, m))
            return true;
    }
    const struct dh_json *content = dh_json_find(v, "content");
    if (content && dh_json_kind(content) == DH_JSON_STRING &&
        dh_str_trim(dh_str_of(dh_json_text(content))).n)
        return false;
    for (size_t i = 0; i < DH_COUNTOF(thoughts); i++) {
        const struct dh_json *m = dh_json_find(v, thoughts[i]);
        unsigned before = c->repairs;
        c->repairs |= DH_REPAIR_REASONING;
        bool found = m && text_content(c, m);
        c->repairs = before;
        if (found)
            return true;
    }
    return false;
}

static bool is_text(const struct dh_json *v, const char *key)
{
    const struct dh_json *m = dh_json_find(v, key);
    return m && dh_json_kind(m) == DH_JSON_STRING;
}

static bool add_object(struct dh_collector *c, const struct dh_json *v)
{
    const struct dh_json *f = dh_json_find(v, "function");
    const struct dh_json *g = dh_json_find(v, "functionCall");
    if (!g)
        g = dh_json_find(v, "function_call");
    if (is_kind(v, "type", "thinking"))
        return false;
    if (is_kind(v, "type", "text") && is_text(v, "text"))
        return text_content(c, dh_json_find(v, "text"));
    if (is_kind(v, "type", "tool_use")) {
        set_dialect(c, DH_DIALECT_ANTHROPIC);
        return add_call(c, v, true);
    }
    if (is_kind(v, "type", "function_call")) {
        set_dialect(c, DH_DIALECT_NATIVE);
        return add_call(c, v, true);
    }
    if (is_kind(v, "type", "computer_call") || dh_json_find(v, "actions"))
        return computer_call(c, v);
    if (f && dh_json_kind(f) == DH_JSON_OBJECT) {
        set_dialect(c, DH_DIALECT_NATIVE);
        return add_call(c, f, true);
    }
    if (g && dh_json_kind(g) == DH_JSON_OBJECT)
        return gemini_call(c, g);
    if (is_text(v, "name") || is_text(v, "action") || is_text(v, "action_type"))
        return add_call(c, v, dh_json_find(v, "args") != NULL);
    const struct dh_json *type = dh_json_find(v, "type");
    if (type && dh_parse_is_verb(dh_str_of(dh_json_text(type)))) {
        set_dialect(c, DH_DIALECT_OPENAI);
        dh_parse_add(c, dh_str_of(dh_json_text(type)), v, 0);
        return true;
    }
    return wrapped(c, v);
}

bool dh_parse_message(struct dh_collector *c, const struct dh_json *v)
{
    bool found = false;
    if (c->failed || c->depth == DH_PARSE_MAX_DEPTH)
        return false;
    c->depth++;
    if (dh_json_kind(v) == DH_JSON_ARRAY)
        found = add_list(c, v);
    else if (dh_json_kind(v) == DH_JSON_OBJECT)
        found = add_object(c, v);
    c->depth--;
    return found;
}
