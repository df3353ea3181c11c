#include <ctype.h>
#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/mem.h"

// More than the longest tag; a shorter rest may be the beginning of one.
#define LOOK_AHEAD 24

enum mode { START, OUTSIDE, THINKING, TAG, OBJECT, FUNCTION, XML, RAW };

static const char *const opens[] = { "<mm:think>", "<thinking>", "<think>" };
static const char *const closes[] = { "</mm:think>", "</thinking>",
                                      "</think>" };

void dh_scan_init(struct dh_scan *s, struct dh_buf *clean, bool thinking)
{
    *s = (struct dh_scan){ .clean = clean,
                           .mode = thinking ? THINKING : START,
                           .thinking = thinking };
}

static size_t tag_at(struct dh_str rest, const char *const *tags)
{
    for (size_t i = 0; i < DH_COUNTOF(opens); i++)
        if (dh_str_starts(rest, tags[i]))
            return strlen(tags[i]);
    return 0;
}

static void keep(struct dh_scan *s, struct dh_str in, size_t n)
{
    dh_buf_put(s->clean, in.p + s->at, n);
    s->at += n;
}

// What stood before an end of thinking that was never begun is thinking too.
static void drop_thoughts(struct dh_scan *s, size_t tag)
{
    dh_buf_clear(s->clean);
    s->dropped |= s->kind != DH_SCAN_PLAIN;
    s->kind = DH_SCAN_PLAIN;
    s->at += tag;
}

static size_t marker_at(struct dh_str rest)
{
    size_t n = strlen(DH_PARSE_MARKER);
    if (dh_str_starts(rest, DH_PARSE_MARKER))
        return n;
    return dh_str_starts(rest, &DH_PARSE_MARKER[1]) ? n - 1 : 0;
}

static void step_outside(struct dh_scan *s, struct dh_str in)
{
    struct dh_str rest = dh_str_sub(in, s->at, in.n);
    size_t open = tag_at(rest, opens), close = tag_at(rest, closes);
    size_t marker = marker_at(rest);
    struct dh_str behind = dh_str_sub(rest, marker, rest.n);
    if (marker && (tag_at(behind, opens) || tag_at(behind, closes))) {
        s->at += marker;
    } else if (open) {
        s->mode = THINKING;
        s->at += open;
        s->thinking = true;
        s->thought = s->at;
    } else if (close) {
        drop_thoughts(s, close);
    } else if (marker && s->kind == DH_SCAN_PLAIN) {
        s->kind = DH_SCAN_XML;
        s->mode = XML;
        s->from = s->clean->len;
        keep(s, in, marker);
    } else if (dh_str_starts(rest, "<tool_call>")) {
        s->kind = DH_SCAN_TAGGED;
        s->mode = TAG;
        keep(s, in, strlen("<tool_call>"));
    } else {
        keep(s, in, 1);
    }
}

static void step_start(struct dh_scan *s, struct dh_str in)
{
    char c = in.p[s->at];
    bool json = c == '{' || (c == '[' && s->at + 1 < in.n);
    if (isspace((unsigned char)c)) {
        keep(s, in, 1);
        return;
    }
    s->mode = json ? RAW : OUTSIDE;
    if (json)
        s->kind = DH_SCAN_JSON;
}

static void step_tag(struct dh_scan *s, struct dh_str in)
{
    char c = in.p[s->at];
    if (isspace((unsigned char)c)) {
        keep(s, in, 1);
        return;
    }
    s->from = s->clean->len;
    s->depth = 0;
    s->quote = 0;
    s->escaped = false;
    if (c == '{')
        s->mode = OBJECT;
    else if (dh_str_starts(dh_str_sub(in, s->at, in.n), "<function="))
        s->mode = FUNCTION;
    else
        s->mode = OUTSIDE;
    s->dead |= s->mode == OUTSIDE;
}

// The same steps as those of the tolerant reader. True where it has ended.
static bool object_byte(struct dh_scan *s, char c)
{
    if (s->quote) {
        bool end = !s->escaped && c == s->quote;
        s->escaped = !s->escaped && c == '\\';
        if (end)
            s->quote = 0;
        return false;
    }
    if (c == '"' || c == '\'')
        s->quote = c;
    if (c == '{' || c == '[') {
        if (s->depth == DH_PARSE_MAX_DEPTH) {
            s->dead = true;
            return true;
        }
        s->closer[s->depth++] = c == '{' ? '}' : ']';
    }
    if (c != '}' && c != ']')
        return false;
    int fits = s->depth;
    while (fits > 0 && s->closer[fits - 1] != c)
        fits--;
    s->depth = fits ? fits - 1 : s->depth;
    return !s->depth;
}

static void end_call(struct dh_scan *s)
{
    s->end = s->clean->len;
    s->ended = true;
}

static void step_call(struct dh_scan *s, struct dh_str in)
{
    char c = in.p[s->at];
    keep(s, in, 1);
    struct dh_str clean = { dh_buf_text(s->clean), s->clean->len };
    if (s->mode == OBJECT) {
        if (!object_byte(s, c))
            return;
        s->mode = OUTSIDE;
        if (!s->dead)
            end_call(s);
    } else if (s->mode == FUNCTION) {
        if (c != '>' || !dh_str_ends(clean, "</function>"))
            return;
        s->mode = OUTSIDE;
        end_call(s);
    } else if (c == '>' && dh_str_ends(clean, DH_PARSE_MARKER "</invoke>")) {
        end_call(s);
    }
}

static bool step(struct dh_scan *s, struct dh_str in, bool final)
{
    bool short_rest = !final && in.n - s->at < LOOK_AHEAD;
    switch ((enum mode)s->mode) {
    case START:
        if (short_rest)
            return false;
        step_start(s, in);
        return true;
    case OUTSIDE:
        if (short_rest)
            return false;
        step_outside(s, in);
        return true;
    case TAG:
        if (short_rest && in.p[s->at] == '<')
            return false;
        step_tag(s, in);
        return true;
    case THINKING: {
        if (short_rest)
            return false;
        size_t close = tag_at(dh_str_sub(in, s->at, in.n), closes);
        s->at += close ? close : 1;
        if (close) {
            s->mode = s->clean->len ? OUTSIDE : START;
            s->thinking = false;
        }
        return true;
    }
    case OBJECT:
    case FUNCTION:
    case XML: step_call(s, in); return true;
    case RAW: keep(s, in, in.n - s->at); return true;
    }
    return false;
}

bool dh_scan_go(struct dh_scan *s, struct dh_str in, bool final)
{
    // The next call of the XML begins where the last one ended.
    if (s->ended && s->mode == XML)
        s->from = s->end;
    s->ended = false;
    while (s->at < in.n && !s->ended)
        if (!step(s, in, final))
            return false;
    return s->ended;
}
