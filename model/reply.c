#include "model/reply.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/reply_priv.h"

enum { TEXT, THINK, TOOLS };

struct marker {
    const char *text;
    int from, to; // states
};

static const struct marker markers[] = {
    { "</mm:think>", THINK, TEXT },
    { "<mm:think>", TEXT, THINK },
    { "</mm:think>", TEXT, TEXT }, // a stray one is dropped
    { DH_REPLY_NS "<tool_call>", TEXT, TOOLS },
    { DH_REPLY_NS "</tool_call>", TOOLS, TEXT },
};

void dh_reply_init(struct dh_reply *r, bool thinking,
                   const struct dh_json *tools)
{
    memset(r, 0, sizeof *r);
    dh_buf_init(&r->reasoning, DH_REPLY_MAX_BYTES);
    dh_buf_init(&r->content, DH_REPLY_MAX_BYTES);
    dh_buf_init(&r->held, DH_REPLY_MAX_BYTES);
    dh_buf_init(&r->block, DH_REPLY_MAX_BYTES);
    r->tools = tools;
    r->state = thinking ? THINK : TEXT;
}

void dh_reply_finish(struct dh_reply *r)
{
    dh_buf_finish(&r->reasoning);
    dh_buf_finish(&r->content);
    dh_buf_finish(&r->held);
    dh_buf_finish(&r->block);
    for (int i = 0; i < r->n_calls; i++) {
        dh_free(r->call[i].name);
        dh_free(r->call[i].arguments);
    }
    memset(r, 0, sizeof *r);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Newlines around thinking are the template's, not the answer's.
static void put(struct dh_reply *r, const char *text, size_t n)
{
    struct dh_buf *to = r->state == THINK  ? &r->reasoning
                        : r->state == TEXT ? &r->content
                                           : &r->block;
    while (r->state != TOOLS && !to->len && n && *text == '\n') {
        text++;
        n--;
    }
    dh_buf_put(to, text, n);
}

static void change_state(struct dh_reply *r, int to)
{
    if (r->state == TOOLS)
        dh_reply_read_calls(
            r, (struct dh_str){ dh_buf_text(&r->block), r->block.len });
    dh_buf_clear(&r->block);
    r->state = to;
}

// The first marker of this state in s; NULL where there is none.
static const struct marker *next_marker(const struct dh_reply *r,
                                        struct dh_str s, size_t *at)
{
    const struct marker *first = NULL;
    for (size_t i = 0; i < DH_COUNTOF(markers); i++) {
        ptrdiff_t found = markers[i].from == r->state
                              ? dh_str_find(s, markers[i].text, 0)
                              : -1;
        if (found >= 0 && (!first || (size_t)found < *at)) {
            first = &markers[i];
            *at = (size_t)found;
        }
    }
    return first;
}

// Bytes at the end of s that may be the beginning of a marker, and white space
// before them, which a tool block would swallow.
static size_t hold_back(const struct dh_reply *r, struct dh_str s)
{
    size_t most = 0;
    for (size_t i = 0; i < DH_COUNTOF(markers); i++) {
        size_t len = strlen(markers[i].text);
        if (markers[i].from != r->state)
            continue;
        for (size_t k = DH_MIN(len - 1, s.n); k > most; k--) {
            if (memcmp(s.p + s.n - k, markers[i].text, k) == 0) {
                most = k;
                break;
            }
        }
    }
    while (r->state != TOOLS && most < s.n && is_space(s.p[s.n - most - 1]))
        most++;
    return most;
}

static size_t without_space(struct dh_str s)
{
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s.n;
}

void dh_reply_feed(struct dh_reply *r, const char *text, size_t n)
{
    dh_buf_put(&r->held, text, n);
    struct dh_str s = { dh_buf_text(&r->held), r->held.len };
    const struct marker *m;
    size_t at = 0;
    while ((m = next_marker(r, s, &at))) {
        struct dh_str before = dh_str_sub(s, 0, at);
        bool trims = r->state == THINK || m->to != TEXT;
        put(r, before.p, trims ? without_space(before) : before.n);
        change_state(r, m->to);
        s = dh_str_sub(s, at + strlen(m->text), s.n);
    }
    size_t keep = hold_back(r, s);
    put(r, s.p, s.n - keep);
    // What is kept lies in `held` itself.
    struct dh_buf rest;
    dh_buf_init(&rest, DH_REPLY_MAX_BYTES);
    dh_buf_put(&rest, s.p + s.n - keep, keep);
    dh_buf_finish(&r->held);
    r->held = rest;
}

void dh_reply_end(struct dh_reply *r)
{
    struct dh_str s = { dh_buf_text(&r->held), r->held.len };
    put(r, s.p, r->state == TOOLS ? s.n : without_space(s));
    dh_buf_clear(&r->held);
    change_state(r, TEXT);
}
