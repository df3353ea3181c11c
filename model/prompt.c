#include "model/prompt.h"

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/prompt_priv.h"

const char *const dh_thinking_names[] = { "unset", "adaptive", "enabled",
                                          "disabled", NULL };

#define NS          "]<]minimax[>["
#define BOD         "]~!b["
#define BOS         "]~b]"
#define EOS         "[e~["
#define THINK       "<mm:think>"
#define THINK_END   "</mm:think>"
#define IMAGE       "]<]image[>["
#define VIDEO       "]<]video[>["
#define IMAGE_START "]<]start of image[>["
#define IMAGE_END   "]<]end of image[>["

#define MAX_MEDIA_TOKENS (1 << 24)
#define MAX_TEXT         ((size_t)512 << 20)

static const char default_system[] =
    "Your model version is MiniMax-M3, developed by MiniMax. Knowledge cutoff: "
    "January 2026. Founded in early 2022, MiniMax is a global AI foundation "
    "model company committed to advancing the frontiers of AI towards AGI.";
static const char default_developer[] = "You are a helpful assistant.";

static const char thinking_head[] =
    "\n\n<thinking_instructions>\n"
    "You have a thinking capability that allows you to reason step by step "
    "before responding. When thinking is enabled, wrap your reasoning in "
    "<mm:think></mm:think> tags before your response. When thinking is "
    "disabled, begin your response directly after the </mm:think> prefix. When "
    "thinking is adaptive, decide on your own whether to think for the current "
    "turn.\n";
static const char thinking_enabled[] =
    "Current thinking mode: enabled. You MUST think step by step before every "
    "response, including after receiving function/tool results.\n";
static const char thinking_disabled[] =
    "Current thinking mode: disabled. Do not output any thinking process.\n";
static const char thinking_adaptive[] =
    "Current thinking mode: adaptive. You are encouraged to think for complex "
    "decision-making, multi-step reasoning, or when analyzing function/tool "
    "results.\n";

static const char tools_head[] =
    "\n\n# Tools\n"
    "You may call one or more tools to assist with the user query.\n"
    "Here are the tools available in JSONSchema format:\n\n<tools>\n";
static const char tools_tail[] =
    "</tools>\n\n"
    "To call tools, wrap all invocations in a single " NS "<tool_call>" NS
    "</tool_call> block. Parameter values containing nested objects or arrays "
    "are recursively expanded into XML elements. Example:\n\n" NS
    "<tool_call>\n" NS "<invoke name=\"tool-name-1\">" NS "<param-1>value-1" NS
    "</param-1>" NS "<param-2>" NS "<item>" NS "<key-a>val-a" NS "</key-a>" NS
    "<key-b>val-b" NS "</key-b>" NS "</item>" NS "</param-2>" NS
    "</invoke>\n" NS "<invoke name=\"tool-name-2\">" NS "<param-1>value-1" NS
    "</param-1>" NS "</invoke>\n" NS "</tool_call>";

// ---- text and who wrote it -------------------------------------------------

struct writer {
    struct dh_buf *text;
    struct dh_buf *trusted; // may be NULL
};

static void put_mask(struct writer *w, size_t n, bool own)
{
    static const char marks[2][64] = {
        { 0 },
        { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
          1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
          1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }
    };
    for (; w->trusted && n; n -= DH_MIN(n, sizeof marks[0]))
        dh_buf_put(w->trusted, marks[own], DH_MIN(n, sizeof marks[0]));
}

static void put_own(struct writer *w, const char *s)
{
    dh_buf_puts(w->text, s);
    put_mask(w, strlen(s), true);
}

static void put_given(struct writer *w, struct dh_str s)
{
    dh_buf_put(w->text, s.p, s.n);
    put_mask(w, s.n, false);
}

// Copy what was written elsewhere, marks and all.
static void put_slice(struct writer *w, const struct writer *from, size_t begin,
                      size_t end)
{
    if (begin >= end)
        return;
    dh_buf_put(w->text, from->text->data + begin, end - begin);
    if (w->trusted)
        dh_buf_put(w->trusted, from->trusted->data + begin, end - begin);
}

static void put_parts(struct writer *w, const struct dh_message *m)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        switch (m->parts[i].kind) {
        case DH_PART_TEXT: put_given(w, dh_str_of(m->parts[i].text)); break;
        case DH_PART_IMAGE: put_own(w, IMAGE); break;
        case DH_PART_VIDEO: put_own(w, VIDEO); break;
        }
    }
}

// ---- the two blocks at the head --------------------------------------------

static void put_thinking(struct writer *w, enum dh_thinking mode)
{
    put_own(w, thinking_head);
    switch (mode) {
    case DH_THINKING_UNSET:
    case DH_THINKING_ADAPTIVE: put_own(w, thinking_adaptive); break;
    case DH_THINKING_ENABLED: put_own(w, thinking_enabled); break;
    case DH_THINKING_DISABLED: put_own(w, thinking_disabled); break;
    case DH_THINKING_OTHER: break;
    }
    put_own(w, "</thinking_instructions>");
}

// An empty message is as good as none.
static void put_parts_or(struct writer *w, const struct dh_message *m,
                         const char *own, const char *given)
{
    size_t before = w->text->len;
    if (m)
        put_parts(w, m);
    if (w->text->len != before)
        return;
    if (given && *given)
        put_given(w, dh_str_of(given));
    else
        put_own(w, own);
}

static enum dh_status put_tools(struct writer *w, const struct dh_json *tools,
                                struct dh_diag *diag)
{
    if (!dh_json_first(tools))
        return DH_OK;
    put_own(w, tools_head);
    struct dh_buf json;
    dh_buf_init(&json, MAX_TEXT);
    size_t i = 0;
    for (const struct dh_json *v = dh_json_first(tools); v;
         v = dh_json_next(v), i++) {
        const struct dh_json *function = dh_json_find(v, "function");
        if (!function) {
            dh_diag_set(diag, 0, "tools[%zu].function is missing", i);
            dh_buf_finish(&json);
            return DH_ERR_FORMAT;
        }
        dh_buf_clear(&json);
        dh_prompt_put_json(function, &json);
        put_own(w, "<tool>");
        put_given(w, dh_str_of(dh_buf_text(&json)));
        put_own(w, "</tool>\n");
    }
    dh_buf_finish(&json);
    put_own(w, tools_tail);
    return DH_OK;
}

// Returns the number of messages that went into the head.
static size_t find_head(const struct dh_prompt *p,
                        const struct dh_message **system,
                        const struct dh_message **developer)
{
    size_t n = 0;
    *system = *developer = NULL;
    if (n < p->n_messages && p->messages[n].role == DH_ROLE_ROOT)
        *system = &p->messages[n++];
    if (n < p->n_messages && (p->messages[n].role == DH_ROLE_SYSTEM ||
                              p->messages[n].role == DH_ROLE_DEVELOPER))
        *developer = &p->messages[n++];
    return n;
}

// ---- tool calls ------------------------------------------------------------

static void put_tag(struct writer *w, const char *open, const char *name)
{
    put_own(w, open);
    put_given(w, dh_str_of(name));
    put_own(w, ">");
}

static void put_value(struct writer *w, const struct dh_json *v);

static void put_members(struct writer *w, const struct dh_json *v)
{
    for (const struct dh_json *c = dh_json_first(v); c; c = dh_json_next(c)) {
        if (dh_json_kind(c) == DH_JSON_NULL)
            continue;
        put_tag(w, NS "<", dh_json_key(c));
        put_value(w, c);
        put_tag(w, NS "</", dh_json_key(c));
    }
}

static void put_value(struct writer *w, const struct dh_json *v)
{
    struct dh_buf number;
    switch (dh_json_kind(v)) {
    case DH_JSON_NULL: break;
    case DH_JSON_BOOL: put_own(w, dh_json_is_true(v) ? "true" : "false"); break;
    case DH_JSON_NUMBER:
        dh_buf_init(&number, 512);
        dh_prompt_put_number(v, &number);
        put_given(w, dh_str_of(dh_buf_text(&number)));
        dh_buf_finish(&number);
        break;
    case DH_JSON_STRING: put_given(w, dh_str_of(dh_json_text(v))); break;
    case DH_JSON_ARRAY:
        for (const struct dh_json *c = dh_json_first(v); c;
             c = dh_json_next(c)) {
            put_own(w, NS "<item>");
            put_value(w, c);
            put_own(w, NS "</item>");
        }
        break;
    case DH_JSON_OBJECT: put_members(w, v); break;
    }
}

static enum dh_status put_calls(struct writer *w, const struct dh_message *m,
                                struct dh_diag *diag)
{
    if (!m->n_calls)
        return DH_OK;
    put_own(w, NS "<tool_call>\n");
    for (size_t i = 0; i < m->n_calls; i++) {
        const struct dh_tool_call *c = &m->calls[i];
        if (!c->arguments || dh_json_kind(c->arguments) != DH_JSON_OBJECT) {
            dh_diag_set(diag, 0, "call %zu of %.80s: arguments are no object",
                        i, c->name);
            return DH_ERR_FORMAT;
        }
        put_own(w, NS "<invoke name=\"");
        put_given(w, dh_str_of(c->name));
        put_own(w, "\">");
        put_members(w, c->arguments);
        put_own(w, NS "</invoke>\n");
    }
    put_own(w, NS "</tool_call>");
    return DH_OK;
}

// ---- messages --------------------------------------------------------------

static ptrdiff_t find_last(struct dh_str s, const char *needle)
{
    ptrdiff_t last = -1, at = -1;
    while ((at = dh_str_find(s, needle, (size_t)(at + 1))) >= 0)
        last = at;
    return last;
}

static struct dh_str strip_newlines(struct dh_str s)
{
    while (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    while (s.n && s.p[0] == '\n') {
        s.p++;
        s.n--;
    }
    return s;
}

// Content that holds its own reasoning is taken apart: what stands before the
// first end mark and after the last one. The middle is lost, as published.
static void split_reasoning(struct dh_str content, struct dh_str *reasoning,
                            struct dh_str *answer)
{
    ptrdiff_t first = dh_str_find(content, THINK_END, 0);
    *reasoning = (struct dh_str){ content.p, 0 };
    *answer = content;
    if (first < 0)
        return;
    struct dh_str r = strip_newlines(dh_str_sub(content, 0, (size_t)first));
    ptrdiff_t open = find_last(r, THINK);
    if (open >= 0)
        r = dh_str_sub(r, (size_t)open + strlen(THINK), r.n);
    *reasoning = strip_newlines(r);
    size_t after = (size_t)find_last(content, THINK_END) + strlen(THINK_END);
    *answer = strip_newlines(dh_str_sub(content, after, content.n));
}

static enum dh_status put_assistant(struct writer *w,
                                    const struct dh_message *m,
                                    struct dh_diag *diag)
{
    struct dh_buf text, mask;
    dh_buf_init(&text, MAX_TEXT);
    dh_buf_init(&mask, MAX_TEXT);
    struct writer part = { &text, &mask };
    put_parts(&part, m);

    struct dh_str content = { dh_buf_text(&text), text.len };
    struct dh_str reasoning = { content.p, 0 }, answer = content;
    if (!m->reasoning)
        split_reasoning(content, &reasoning, &answer);
    put_own(w, BOS "ai\n");
    if (m->reasoning && *m->reasoning) {
        put_own(w, THINK);
        put_given(w, dh_str_of(m->reasoning));
    } else if (reasoning.n) {
        put_own(w, THINK);
        size_t at = (size_t)(reasoning.p - content.p);
        put_slice(w, &part, at, at + reasoning.n);
    }
    put_own(w, THINK_END);
    size_t at = (size_t)(answer.p - content.p);
    put_slice(w, &part, at, at + answer.n);
    bool overflow = text.overflow;
    dh_buf_finish(&text);
    dh_buf_finish(&mask);
    if (overflow)
        return DH_ERR_RANGE;

    enum dh_status st = put_calls(w, m, diag);
    put_own(w, EOS "\n");
    return st;
}

static enum dh_status put_message(struct writer *w, const struct dh_prompt *p,
                                  size_t i, bool *called, struct dh_diag *diag)
{
    const struct dh_message *m = &p->messages[i];
    bool first = i == 0 || m[-1].role != DH_ROLE_TOOL;
    bool last = i + 1 == p->n_messages || m[1].role != DH_ROLE_TOOL;
    switch (m->role) {
    case DH_ROLE_USER:
        put_own(w, BOS "user\n");
        put_parts(w, m);
        put_own(w, EOS "\n");
        return DH_OK;
    case DH_ROLE_ASSISTANT:
        *called = m->n_calls > 0;
        return put_assistant(w, m, diag);
    case DH_ROLE_TOOL:
        if (!*called) {
            dh_diag_set(diag, 0, "message %zu: a result without a call", i);
            return DH_ERR_FORMAT;
        }
        put_own(w, first ? BOS "tool\n<response>" : "\n<response>");
        put_parts(w, m);
        put_own(w, last ? "</response>" EOS "\n" : "</response>");
        return DH_OK;
    case DH_ROLE_ROOT:
    case DH_ROLE_SYSTEM:
    case DH_ROLE_DEVELOPER: break;
    }
    dh_diag_set(diag, 0, "message %zu: a system message only at the head", i);
    return DH_ERR_FORMAT;
}

static void put_generation(struct writer *w, enum dh_thinking mode)
{
    put_own(w, BOS "ai\n");
    if (mode == DH_THINKING_ENABLED)
        put_own(w, THINK);
    else if (mode == DH_THINKING_DISABLED)
        put_own(w, THINK_END);
}

enum dh_status dh_prompt_render(const struct dh_prompt *p, struct dh_buf *text,
                                struct dh_buf *trusted, struct dh_diag *diag)
{
    struct writer w = { text, trusted };
    const struct dh_message *system, *developer;
    size_t head = find_head(p, &system, &developer);

    put_own(&w, BOD BOS "system\n");
    put_parts_or(&w, system, default_system, NULL);
    put_thinking(&w, p->thinking);
    put_own(&w, EOS "\n" BOS "developer\n");
    put_parts_or(&w, developer, default_developer, p->model_identity);
    enum dh_status st = put_tools(&w, p->tools, diag);
    put_own(&w, EOS "\n");

    bool called = false;
    for (size_t i = head; !st && i < p->n_messages; i++)
        st = put_message(&w, p, i, &called, diag);
    if (!st && p->add_generation_prompt)
        put_generation(&w, p->thinking);
    if (!st && (text->overflow || (trusted && trusted->overflow))) {
        dh_diag_set(diag, text->len, "the prompt is too long");
        st = DH_ERR_RANGE;
    }
    return st;
}

// ---- placeholders ----------------------------------------------------------

struct media {
    const struct dh_prompt_media *item;
    size_t n, used;
    const char *mark;
};

static bool is_mark_at(const struct writer *from, size_t at, bool safe,
                       const char *mark)
{
    size_t n = strlen(mark);
    const struct dh_buf *t = from->text;
    return n <= t->len - at && memcmp(t->data + at, mark, n) == 0 &&
           (!safe || !memchr(from->trusted->data + at, 0, n));
}

static enum dh_status put_media(struct writer *w, struct media *m, size_t at,
                                struct dh_diag *diag)
{
    if (m->used == m->n) {
        dh_diag_set(diag, at, "more %s in the text than given (%zu)", m->mark,
                    m->n);
        return DH_ERR_FORMAT;
    }
    const struct dh_prompt_media *item = &m->item[m->used++];
    if (item->tokens <= 0 || item->groups <= 0 ||
        item->groups > MAX_MEDIA_TOKENS / item->tokens) {
        dh_diag_set(diag, at, "%s number %zu: no usable size", m->mark,
                    m->used);
        return DH_ERR_RANGE;
    }
    for (int g = 0; g < item->groups; g++) {
        if (item->at) {
            size_t before = w->text->len;
            dh_buf_printf(w->text, "]<]%.1f seconds[>[", item->at[g]);
            put_mask(w, w->text->len - before, true);
        }
        put_own(w, IMAGE_START);
        for (int k = 0; k < item->tokens; k++)
            put_own(w, m->mark);
        put_own(w, IMAGE_END);
    }
    return DH_OK;
}

static enum dh_status expand(const struct writer *from, struct writer *w,
                             struct media media[2], bool safe,
                             struct dh_diag *diag)
{
    size_t done = 0, at = 0;
    while (at < from->text->len) {
        struct media *m = is_mark_at(from, at, safe, IMAGE)   ? &media[0]
                          : is_mark_at(from, at, safe, VIDEO) ? &media[1]
                                                              : NULL;
        if (!m) {
            at++;
            continue;
        }
        put_slice(w, from, done, at);
        enum dh_status st = put_media(w, m, at, diag);
        if (st)
            return st;
        at += strlen(m->mark);
        done = at;
    }
    put_slice(w, from, done, from->text->len);
    for (int k = 0; k < 2; k++) {
        if (media[k].used == media[k].n)
            continue;
        dh_diag_set(diag, at, "%zu %s given, %zu in the text", media[k].n,
                    media[k].mark, media[k].used);
        return DH_ERR_FORMAT;
    }
    if (!w->text->overflow)
        return DH_OK;
    dh_diag_set(diag, at, "the prompt is too long");
    return DH_ERR_RANGE;
}

static enum dh_status check_tokens(const struct dh_tokenizer *t,
                                   const struct media media[2],
                                   struct dh_diag *diag)
{
    for (int k = 0; k < 2; k++) {
        if (media[k].n && (dh_tokenizer_find_added(t, media[k].mark) < 0 ||
                           dh_tokenizer_find_added(t, IMAGE_START) < 0 ||
                           dh_tokenizer_find_added(t, IMAGE_END) < 0)) {
            dh_diag_set(diag, 0, "the tokenizer has no %s", media[k].mark);
            return DH_ERR_UNSUPPORTED;
        }
    }
    return DH_OK;
}

static enum dh_status ids_of(const struct dh_prompt *p,
                             const struct dh_tokenizer *t,
                             struct media media[2], bool safe,
                             struct writer *plain, struct writer *full,
                             struct dh_ids *out, struct dh_diag *diag)
{
    enum dh_status st = check_tokens(t, media, diag);
    if (!st)
        st = dh_prompt_render(p, plain->text, plain->trusted, diag);
    if (!st)
        st = expand(plain, full, media, safe, diag);
    if (st)
        return st;
    dh_assert(full->text->len == full->trusted->len);
    const bool *trusted = safe ? (const bool *)full->trusted->data : NULL;
    st =
        dh_tokenizer_encode(t, full->text->data, full->text->len, trusted, out);
    if (st)
        dh_diag_set(diag, 0, "the tokenizer cannot split the prompt");
    return st;
}

enum dh_status
dh_prompt_ids(const struct dh_prompt *p, const struct dh_tokenizer *t,
              const struct dh_prompt_media *images, size_t n_images,
              const struct dh_prompt_media *videos, size_t n_videos, bool safe,
              struct dh_ids *out, struct dh_diag *diag)
{
    struct media media[2] = { { images, n_images, 0, IMAGE },
                              { videos, n_videos, 0, VIDEO } };
    struct dh_buf b[4];
    for (size_t i = 0; i < DH_COUNTOF(b); i++)
        dh_buf_init(&b[i], MAX_TEXT);
    struct writer plain = { &b[0], &b[1] }, full = { &b[2], &b[3] };
    enum dh_status st = ids_of(p, t, media, safe, &plain, &full, out, diag);
    for (size_t i = 0; i < DH_COUNTOF(b); i++)
        dh_buf_finish(&b[i]);
    return st;
}
