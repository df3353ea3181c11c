#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/mem.h"

struct dh_str dh_str_of(const char *s)
{
    return (struct dh_str){ s, strlen(s) };
}

bool dh_str_eq(struct dh_str a, struct dh_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool dh_str_is(struct dh_str a, const char *s)
{
    return dh_str_eq(a, dh_str_of(s));
}

bool dh_str_starts(struct dh_str a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

bool dh_str_ends(struct dh_str a, const char *suffix)
{
    size_t n = strlen(suffix);
    return a.n >= n && (n == 0 || memcmp(a.p + (a.n - n), suffix, n) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool dh_str_is_nocase(struct dh_str a, const char *s)
{
    if (a.n != strlen(s))
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(s[i]))
            return false;
    }
    return true;
}

ptrdiff_t dh_str_find(struct dh_str a, const char *needle, size_t from)
{
    if (from > a.n)
        return -1;
    size_t n = strlen(needle);
    if (n == 0)
        return (ptrdiff_t)from;
    if (n > a.n - from)
        return -1;
    const char *hit = memmem(a.p + from, a.n - from, needle, n);
    return hit ? hit - a.p : -1;
}

bool dh_str_has_nocase(struct dh_str a, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; n && i + n <= a.n; i++)
        if (strncasecmp(a.p + i, part, n) == 0)
            return true;
    return false;
}

struct dh_str dh_str_sub(struct dh_str a, size_t from, size_t to)
{
    to = DH_MIN(to, a.n);
    from = DH_MIN(from, to);
    if (!a.p)
        return a;
    return (struct dh_str){ a.p + from, to - from };
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct dh_str dh_str_trim(struct dh_str a)
{
    while (a.n && is_space(a.p[a.n - 1]))
        a.n--;
    while (a.n && is_space(a.p[0])) {
        a.p++;
        a.n--;
    }
    return a;
}

// The range of the second byte is what shuts out overlong forms, surrogates
// and values above U+10FFFF (Unicode, table 3-7).
static size_t sequence_of(unsigned char b, unsigned char *lo, unsigned char *hi)
{
    *lo = 0x80;
    *hi = 0xbf;
    if (b < 0x80)
        return 1;
    if (b < 0xc2 || b > 0xf4)
        return 0;
    if (b < 0xe0)
        return 2;
    if (b == 0xe0)
        *lo = 0xa0;
    if (b == 0xed)
        *hi = 0x9f;
    if (b < 0xf0)
        return 3;
    if (b == 0xf0)
        *lo = 0x90;
    if (b == 0xf4)
        *hi = 0x8f;
    return 4;
}

size_t dh_utf8_read(const char *p, size_t n, uint32_t *cp)
{
    const unsigned char *b = (const unsigned char *)p;
    unsigned char lo, hi;
    dh_assert(n > 0);
    size_t len = sequence_of(b[0], &lo, &hi);
    if (len == 1) {
        *cp = b[0];
        return 1;
    }

    *cp = 0xfffd;
    if (len == 0)
        return 1;
    uint32_t v = b[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (i >= n || b[i] < lo || b[i] > hi)
            return i;
        v = v << 6 | (b[i] & 0x3f);
        lo = 0x80;
        hi = 0xbf;
    }
    *cp = v;
    return len;
}

size_t dh_utf8_write(uint32_t cp, char out[4])
{
    dh_assert(cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff));
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

bool dh_utf8_valid(const char *p, size_t n)
{
    while (n > 0) {
        unsigned char lo, hi;
        size_t len = sequence_of((unsigned char)*p, &lo, &hi);
        uint32_t cp;
        if (len == 0 || dh_utf8_read(p, n, &cp) != len)
            return false;
        p += len;
        n -= len;
    }
    return true;
}

bool dh_parse_i64(struct dh_str s, int64_t *out)
{
    bool negative = s.n && s.p[0] == '-';
    size_t i = negative || (s.n && s.p[0] == '+') ? 1 : 0;
    if (i == s.n)
        return false;
    int64_t v = 0;
    for (; i < s.n; i++) {
        int digit = s.p[i] - '0';
        if (digit < 0 || digit > 9)
            return false;
        // Downwards for negative numbers, so that INT64_MIN fits.
        if (__builtin_mul_overflow(v, INT64_C(10), &v) ||
            __builtin_add_overflow(v, negative ? -digit : digit, &v))
            return false;
    }
    *out = v;
    return true;
}

bool dh_parse_double(struct dh_str s, double *out)
{
    char text[64];
    if (s.n == 0 || s.n >= sizeof(text))
        return false;
    // strtod also takes white space, hexadecimal, "inf" and "nan".
    for (size_t i = 0; i < s.n; i++) {
        if (!s.p[i] || !strchr("0123456789+-.eE", s.p[i]))
            return false;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    char *end;
    double v = strtod(text, &end);
    if (end != text + s.n || !isfinite(v))
        return false;
    *out = v;
    return true;
}

size_t dh_str_distance(struct dh_str a, struct dh_str b)
{
    size_t rows[3][64];
    if (a.n >= DH_COUNTOF(rows[0]) || b.n >= DH_COUNTOF(rows[0]))
        return SIZE_MAX;
    for (size_t i = 0; i <= a.n; i++) {
        size_t *row = rows[i % 3];
        const size_t *up = rows[(i + 2) % 3], *two_up = rows[(i + 1) % 3];
        for (size_t j = 0; j <= b.n; j++) {
            if (i == 0 || j == 0) {
                row[j] = i + j;
                continue;
            }
            size_t change = up[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            size_t step = DH_MIN(up[j], row[j - 1]) + 1;
            row[j] = DH_MIN(change, step);
            bool swapped = i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
                           a.p[i - 2] == b.p[j - 1];
            if (swapped && two_up[j - 2] + 1 < row[j])
                row[j] = two_up[j - 2] + 1;
        }
    }
    return rows[a.n % 3][b.n];
}

uint64_t dh_hash_bytes(const void *p, size_t n)
{
    const unsigned char *b = p;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * UINT64_C(0x100000001b3);
    return h;
}
