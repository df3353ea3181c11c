#include <ctype.h>
#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"

struct reader {
    struct dh_str in;
    size_t at;
    struct dh_buf *out;
    struct dh_diag *diag;
    bool mended;
    bool comma; // seen, not yet written: dropped before a closing bracket
    int depth;
    char closer[DH_PARSE_MAX_DEPTH];
};

static void put_comma(struct reader *r)
{
    if (r->comma)
        dh_buf_putc(r->out, ',');
    r->comma = false;
}

static void put_raw_byte(struct reader *r, char c)
{
    switch (c) {
    case '\n': dh_buf_puts(r->out, "\\n"); break;
    case '\r': dh_buf_puts(r->out, "\\r"); break;
    case '\t': dh_buf_puts(r->out, "\\t"); break;
    case '"': dh_buf_puts(r->out, "\\\""); break;
    default:
        if ((unsigned char)c < 0x20)
            dh_buf_printf(r->out, "\\u%04x", (unsigned)(unsigned char)c);
        else
            dh_buf_putc(r->out, c);
        return;
    }
    r->mended = true;
}

static bool four_hex(struct dh_str s, size_t at)
{
    for (size_t i = at; i < at + 4; i++)
        if (i >= s.n || !isxdigit((unsigned char)s.p[i]))
            return false;
    return true;
}

// A legal escape is kept; any other backslash stands for itself, and \' is '.
static void read_escape(struct reader *r)
{
    char c = r->at + 1 < r->in.n ? r->in.p[r->at + 1] : 0;
    bool legal = c && strchr("\"\\/bfnrt", c);
    if (legal || (c == 'u' && four_hex(r->in, r->at + 2))) {
        dh_buf_put(r->out, r->in.p + r->at, 2);
        r->at += 2;
        return;
    }
    r->mended = true;
    r->at++;
    if (c == '\'') {
        dh_buf_putc(r->out, '\'');
        r->at++;
    } else {
        dh_buf_puts(r->out, "\\\\");
    }
}

static bool read_string(struct reader *r)
{
    char quote = r->in.p[r->at];
    size_t from = r->at++;
    r->mended |= quote == '\'';
    put_comma(r);
    dh_buf_putc(r->out, '"');
    while (r->at < r->in.n && r->in.p[r->at] != quote) {
        if (r->in.p[r->at] == '\\')
            read_escape(r);
        else
            put_raw_byte(r, r->in.p[r->at++]);
    }
    dh_buf_putc(r->out, '"');
    if (r->at >= r->in.n) {
        dh_diag_set(r->diag, from, "the answer ends inside of a string");
        return false;
    }
    r->at++;
    return true;
}

static bool is_number(struct dh_str s)
{
    double v;
    bool plain = s.n && (isdigit((unsigned char)s.p[0]) || s.p[0] == '-');
    return plain && s.p[s.n - 1] != '.' &&
           !(s.n > 1 && s.p[0] == '0' && isdigit((unsigned char)s.p[1])) &&
           dh_parse_double(s, &v);
}

static void read_word(struct reader *r)
{
    size_t from = r->at;
    // A NUL is part of a word, and strchr would find it.
    while (r->at < r->in.n &&
           (!r->in.p[r->at] || !strchr(",:{}[]\"' \t\r\n", r->in.p[r->at])))
        r->at++;
    struct dh_str word = dh_str_sub(r->in, from, r->at);
    put_comma(r);
    if (is_number(word) || dh_str_is(word, "true") ||
        dh_str_is(word, "false") || dh_str_is(word, "null")) {
        dh_buf_put(r->out, word.p, word.n);
        return;
    }
    r->mended = true;
    if (dh_str_is(word, "True") || dh_str_is(word, "False"))
        dh_buf_puts(r->out, word.p[0] == 'T' ? "true" : "false");
    else if (dh_str_is(word, "None"))
        dh_buf_puts(r->out, "null");
    else
        dh_json_quote(r->out, word);
}

static bool open_bracket(struct reader *r, char c)
{
    if (r->depth == DH_PARSE_MAX_DEPTH) {
        dh_diag_set(r->diag, r->at, "more than %d brackets deep",
                    DH_PARSE_MAX_DEPTH);
        return false;
    }
    put_comma(r);
    dh_buf_putc(r->out, c);
    r->closer[r->depth++] = c == '{' ? '}' : ']';
    r->at++;
    return true;
}

// A closer that does not fit closes what is open inside of what it fits.
static void close_bracket(struct reader *r, char c)
{
    r->at++;
    r->mended |= r->comma;
    r->comma = false;
    int fits = r->depth;
    while (fits > 0 && r->closer[fits - 1] != c)
        fits--;
    if (!fits) {
        r->mended = true;
        return;
    }
    r->mended |= fits != r->depth;
    while (r->depth >= fits)
        dh_buf_putc(r->out, r->closer[--r->depth]);
}

static bool read_one(struct reader *r)
{
    char c = r->in.p[r->at];
    switch (c) {
    case '{':
    case '[': return open_bracket(r, c);
    case '}':
    case ']': close_bracket(r, c); return true;
    case '"':
    case '\'': return read_string(r);
    case ',':
        r->comma = true;
        r->at++;
        return true;
    case ':':
        dh_buf_putc(r->out, ':');
        r->at++;
        return true;
    case ' ':
    case '\t':
    case '\r':
    case '\n': r->at++; return true;
    default: read_word(r); return true;
    }
}

bool dh_parse_json_object(struct dh_str text, struct dh_buf *out, size_t *used,
                          bool *mended, struct dh_diag *diag)
{
    struct reader r = { .in = text, .out = out, .diag = diag };
    do {
        if (!read_one(&r))
            return false;
    } while (r.depth && r.at < r.in.n);
    r.mended |= r.depth > 0;
    while (r.depth)
        dh_buf_putc(out, r.closer[--r.depth]);
    *used = r.at;
    *mended = r.mended;
    return !out->overflow;
}
