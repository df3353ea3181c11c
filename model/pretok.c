#include "model/pretok_priv.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_PATTERN 16384

// Steps for one match. A run of n characters that an alternative gives back one
// by one costs n of them, so the limit grows with the text.
#define MATCH_STEPS    1000000u
#define STEPS_PER_BYTE 16u
#define MATCH_HEAP_KIB (64u * 1024u)

// Unicode White_Space. PCRE2's own \s also takes U+180E, which lost the
// property in Unicode 6.3 and which the published tokenizer does not take.
#define WHITE                                                        \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}" \
    "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

struct dh_pretok {
    pcre2_code *code;
    pcre2_code *word; // one word character; NULL: PCRE2 lacks the properties
};

struct dh_pretok_scratch {
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

// ---- the pattern -----------------------------------------------------------

struct translator {
    const char *p;
    size_t n, i;
    bool in_class;
    struct dh_buf out;
    struct dh_diag *diag;
};

static bool refuse(struct translator *t, const char *what)
{
    dh_diag_set(t->diag, t->i, "split regex: %s is not supported", what);
    return false;
}

// \p{Lu} and the like. Scripts and binary properties have come and gone between
// versions of both engines.
static bool translate_property(struct translator *t)
{
    const char *p = t->p + t->i;
    size_t left = t->n - t->i;
    size_t n = left > 4 && p[4] == '}' ? 1 : 2;
    bool ok = left > 3 + n && p[2] == '{' && p[3 + n] == '}' &&
              memchr("CLMNPSZ", p[3], 7) &&
              (n == 1 || (p[4] >= 'a' && p[4] <= 'u'));
    if (!ok)
        return refuse(t, "a property that is not a general category");
    dh_buf_put(&t->out, p, 4 + n);
    t->i += 4 + n;
    return true;
}

static bool translate_escape(struct translator *t)
{
    char c = t->i + 1 < t->n ? t->p[t->i + 1] : '\0';
    if (c == 'p' || c == 'P')
        return translate_property(t);
    if (c == 's' && t->in_class)
        dh_buf_puts(&t->out, WHITE);
    else if (c == 's' || (c == 'S' && !t->in_class))
        dh_buf_puts(&t->out, c == 's' ? "[" WHITE "]" : "[^" WHITE "]");
    else if (c && strchr("rnt\\^$.|?*+()[]{}-/'\"#&~!,:;=@%_`", c))
        dh_buf_put(&t->out, t->p + t->i, 2);
    else
        return refuse(t, "this escape");
    t->i += 2;
    return true;
}

// A nested class, an intersection and a leading "]" mean something else in
// Oniguruma.
static bool translate_in_class(struct translator *t)
{
    char c = t->p[t->i];
    if (c == '\\')
        return translate_escape(t);
    if (c == '[')
        return refuse(t, "a class inside a class");
    if (c == '&' && t->i + 1 < t->n && t->p[t->i + 1] == '&')
        return refuse(t, "an intersection of classes");
    if (c == ']')
        t->in_class = false;
    dh_buf_putc(&t->out, c);
    t->i++;
    return true;
}

static bool translate_class_start(struct translator *t)
{
    size_t n = t->i + 1 < t->n && t->p[t->i + 1] == '^' ? 2 : 1;
    dh_buf_put(&t->out, t->p + t->i, n);
    t->i += n;
    if (t->i < t->n && t->p[t->i] == ']')
        return refuse(t, "a class that begins with \"]\"");
    t->in_class = true;
    return true;
}

static bool translate_group(struct translator *t)
{
    static const char *const heads[] = { "(?:", "(?i:", "(?!", "(?=" };
    size_t n = 1;
    struct dh_str rest = { t->p + t->i, t->n - t->i };
    if (rest.n > 1 && (rest.p[1] == '?' || rest.p[1] == '*')) {
        n = 0;
        for (size_t k = 0; k < DH_COUNTOF(heads); k++)
            if (dh_str_starts(rest, heads[k]))
                n = strlen(heads[k]);
    }
    if (n == 0)
        return refuse(t, "this kind of group");
    dh_buf_put(&t->out, rest.p, n);
    t->i += n;
    return true;
}

// {n}, {n,} or {n,m}. What follows one, "?" or "+", differs between engines.
static bool translate_interval(struct translator *t)
{
    size_t i = t->i + 1, digits = 0;
    bool comma = false;
    for (; i < t->n && t->p[i] != '}'; i++) {
        bool digit = t->p[i] >= '0' && t->p[i] <= '9';
        if (!digit && (t->p[i] != ',' || comma || digits == 0))
            return refuse(t, "this interval");
        comma = comma || !digit;
        digits += digit;
    }
    if (i >= t->n || digits == 0 || digits > 6 ||
        (i + 1 < t->n && strchr("?+*{", t->p[i + 1])))
        return refuse(t, "this interval");
    dh_buf_put(&t->out, t->p + t->i, i + 1 - t->i);
    t->i = i + 1;
    return true;
}

static bool translate_one(struct translator *t)
{
    char c = t->p[t->i];
    if (t->in_class)
        return translate_in_class(t);
    switch (c) {
    case '\\': return translate_escape(t);
    case '[': return translate_class_start(t);
    case '(': return translate_group(t);
    case '{': return translate_interval(t);
    case '^':
    case '$':
    case '.':
    case ']':
    case '}': return refuse(t, "an anchor, \".\" or a lone bracket");
    default: break;
    }
    dh_buf_putc(&t->out, c);
    t->i++;
    return true;
}

static enum dh_status translate(const char *pattern, struct dh_buf *out,
                                struct dh_diag *diag)
{
    struct translator t = { .p = pattern, .n = strlen(pattern), .diag = diag };
    dh_buf_init(&t.out, 64 * MAX_PATTERN);
    bool ok = t.n <= MAX_PATTERN || refuse(&t, "a pattern this long");
    while (ok && t.i < t.n)
        ok = translate_one(&t);
    *out = t.out;
    return ok ? DH_OK : DH_ERR_UNSUPPORTED;
}

static pcre2_code *compile(const char *pattern, size_t len,
                           struct dh_diag *diag)
{
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    dh_assert(cc);
    pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(cc, 32);
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile(
        (PCRE2_SPTR)pattern, len,
        PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, cc);
    pcre2_compile_context_free(cc);
    if (!code) {
        PCRE2_UCHAR text[120];
        pcre2_get_error_message(error, text, sizeof text);
        dh_diag_set(diag, offset, "split regex: %s", (const char *)text);
        return NULL;
    }
    // Without it the same matches take about ten times as long.
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    return code;
}

enum dh_status dh_pretok_create(struct dh_pretok **out, const char *pattern,
                                struct dh_diag *diag)
{
    struct dh_buf text;
    enum dh_status st = translate(pattern, &text, diag);
    struct dh_pretok *p = NULL;
    if (!st) {
        dh_new(p);
        p->code = compile(dh_buf_text(&text), text.len, diag);
        if (!p->code)
            st = DH_ERR_FORMAT;
    }
    dh_buf_finish(&text);
    if (st) {
        dh_pretok_destroy(p);
        return st;
    }
    static const char word[] =
        "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}]";
    p->word = compile(word, sizeof word - 1, NULL);
    *out = p;
    return DH_OK;
}

void dh_pretok_destroy(struct dh_pretok *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    pcre2_code_free(p->word);
    dh_free(p);
}

// ---- matching --------------------------------------------------------------

struct dh_pretok_scratch *dh_pretok_scratch_create(const struct dh_pretok *p)
{
    struct dh_pretok_scratch *s;
    dh_new(s);
    s->match = pcre2_match_data_create_from_pattern(p->code, NULL);
    s->limits = pcre2_match_context_create(NULL);
    dh_assert(s->match && s->limits);
    pcre2_set_heap_limit(s->limits, MATCH_HEAP_KIB);
    return s;
}

void dh_pretok_scratch_destroy(struct dh_pretok_scratch *s)
{
    if (!s)
        return;
    pcre2_match_data_free(s->match);
    pcre2_match_context_free(s->limits);
    dh_free(s);
}

enum dh_status dh_pretok_next(const struct dh_pretok *p,
                              struct dh_pretok_scratch *s, const char *text,
                              size_t len, size_t from, size_t *end)
{
    size_t steps = MATCH_STEPS + STEPS_PER_BYTE * (len - from);
    pcre2_set_match_limit(s->limits, (uint32_t)DH_MIN(steps, UINT32_MAX));
    // A match of nothing moves nothing on: PCRE2 looks for another one.
    uint32_t how = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
    int rc = pcre2_match(p->code, (PCRE2_SPTR)text, len, from, how, s->match,
                         s->limits);
    // The stack of compiled matches is small; the interpreter has the heap.
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(p->code, (PCRE2_SPTR)text, len, from,
                         how | PCRE2_NO_JIT, s->match, s->limits);
    if (rc == PCRE2_ERROR_NOMATCH) {
        *end = len;
        return DH_OK;
    }
    if (rc < 0)
        return DH_ERR_RANGE;
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(s->match);
    dh_assert(at[0] >= from && at[1] > at[0]);
    *end = at[0] > from ? at[0] : at[1];
    return DH_OK;
}

bool dh_pretok_is_space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || cp == 0x20 || cp == 0x85 || cp == 0xa0 ||
           cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 ||
           cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

bool dh_pretok_knows_words(const struct dh_pretok *p)
{
    return p->word != NULL;
}

bool dh_pretok_is_word(const struct dh_pretok *p, uint32_t cp)
{
    char c[4];
    size_t n = dh_utf8_write(cp, c);
    pcre2_match_data *m = pcre2_match_data_create(1, NULL);
    dh_assert(m && p->word);
    int rc = pcre2_match(p->word, (PCRE2_SPTR)c, n, 0, PCRE2_ANCHORED, m, NULL);
    pcre2_match_data_free(m);
    return rc > 0;
}
