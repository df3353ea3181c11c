/* base/str.h - views of text, UTF-8, strict numbers. */
#ifndef DH_BASE_STR_H
#define DH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Bytes that somebody else owns; not NUL-terminated. */
struct dh_str {
    const char *p;
    size_t n;
};

#define DH_STR(lit) ((struct dh_str){ (lit), sizeof(lit) - 1 })

struct dh_str dh_str_of(const char *s);
bool dh_str_eq(struct dh_str a, struct dh_str b);
bool dh_str_is(struct dh_str a, const char *s);
bool dh_str_starts(struct dh_str a, const char *prefix);
bool dh_str_ends(struct dh_str a, const char *suffix);
/* ASCII case only. */
bool dh_str_is_nocase(struct dh_str a, const char *s);
/* Offset of the first match at or after `from`, or -1. */
ptrdiff_t dh_str_find(struct dh_str a, const char *needle, size_t from);
/* Somewhere in it, ASCII case ignored. The empty text is in none. */
bool dh_str_has_nocase(struct dh_str a, const char *part);
struct dh_str dh_str_sub(struct dh_str a, size_t from, size_t to);
/* Without ASCII white space at both ends. */
struct dh_str dh_str_trim(struct dh_str a);

/*
 * Read one Unicode scalar value at p[0..n). Returns the bytes consumed (1..4)
 * and sets *cp; for an invalid sequence sets U+FFFD and returns the length of
 * its maximal invalid part (at least 1). n must be at least 1.
 */
size_t dh_utf8_read(const char *p, size_t n, uint32_t *cp);
/* Write one scalar value to out[4]; returns 1..4. Not for surrogates. */
size_t dh_utf8_write(uint32_t cp, char out[4]);
bool dh_utf8_valid(const char *p, size_t n);

/* The whole text must be the number; no white space, no trailing text. */
DH_MUST_USE bool dh_parse_i64(struct dh_str s, int64_t *out);
DH_MUST_USE bool dh_parse_double(struct dh_str s, double *out);

/* Bytes to change, add or remove to make b of a, two neighbours in the wrong
 * order counting as one; SIZE_MAX where one has 64 or more. */
size_t dh_str_distance(struct dh_str a, struct dh_str b);

/* FNV-1a, 64 bits. */
uint64_t dh_hash_bytes(const void *p, size_t n);

#endif
