#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/dh_test.h"

static void test_views_compare_find_and_cut(void)
{
    struct dh_str s = DH_STR("hello world");
    struct dh_str none = { NULL, 0 };
    CHECK(dh_str_is(s, "hello world"));
    CHECK(!dh_str_is(s, "hello"));
    CHECK(dh_str_eq(none, DH_STR("")));
    CHECK(dh_str_starts(s, "hello") && dh_str_starts(s, ""));
    CHECK(!dh_str_starts(DH_STR("he"), "hello"));
    CHECK(dh_str_ends(s, "world") && !dh_str_ends(s, "worl"));
    CHECK(dh_str_ends(none, "") && !dh_str_ends(none, "x"));
    CHECK(dh_str_is_nocase(s, "HELLO World"));
    CHECK(!dh_str_is_nocase(s, "HELLO_World"));
    CHECK_INT(dh_str_find(s, "o", 0), 4);
    CHECK_INT(dh_str_find(s, "o", 5), 7);
    CHECK_INT(dh_str_find(s, "o", 8), -1);
    CHECK_INT(dh_str_find(s, "x", 0), -1);
    CHECK_INT(dh_str_find(s, "", 11), 11);
    CHECK_INT(dh_str_find(s, "", 12), -1);
    CHECK_INT(dh_str_find(none, "a", 0), -1);
    CHECK(dh_str_has_nocase(DH_STR("File Manager"), "MANAGER"));
    CHECK(dh_str_has_nocase(DH_STR("File Manager"), "file"));
    CHECK(!dh_str_has_nocase(DH_STR("File Manager"), "managers"));
    CHECK(!dh_str_has_nocase(DH_STR("File Manager"), ""));
    CHECK(dh_str_is(dh_str_sub(s, 6, 100), "world"));
    CHECK(dh_str_is(dh_str_sub(s, 8, 3), ""));
    CHECK_INT(dh_str_sub(none, 1, 2).n, 0);
    CHECK(dh_str_is(dh_str_trim(DH_STR(" \t a b \r\n")), "a b"));
    CHECK_INT(dh_str_trim(DH_STR(" \v ")).n, 0);
    CHECK_INT(dh_str_trim(none).n, 0);
}

struct utf8_case {
    const char *bytes;
    size_t used;
    uint32_t cp;
};

static void test_utf8_reads_what_unicode_says(void)
{
    static const struct utf8_case cases[] = {
        { "a", 1, 'a' },
        { "\x7f", 1, 0x7f },
        { "\xc2\x80", 2, 0x80 },
        { "\xdf\xbf", 2, 0x7ff },
        { "\xe0\xa0\x80", 3, 0x800 },
        { "\xed\x9f\xbf", 3, 0xd7ff },
        { "\xee\x80\x80", 3, 0xe000 },
        { "\xef\xbf\xbf", 3, 0xffff },
        { "\xf0\x90\x80\x80", 4, 0x10000 },
        { "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
        // Invalid ones: the maximal part that could have begun a character.
        { "\x80", 1, 0xfffd },
        { "\xc0\x80", 1, 0xfffd },
        { "\xc1\xbf", 1, 0xfffd },
        { "\xc2", 1, 0xfffd },
        { "\xc2g", 1, 0xfffd },
        { "\xe0\x9f\xbf", 1, 0xfffd },
        { "\xed\xa0\x80", 1, 0xfffd },
        { "\xe2\x82", 2, 0xfffd },
        { "\xe2\x82z", 2, 0xfffd },
        { "\xf0\x8f\xbf\xbf", 1, 0xfffd },
        { "\xf0\x9f\x98", 3, 0xfffd },
        { "\xf0\x9f\x98x", 3, 0xfffd },
        { "\xf4\x90\x80\x80", 1, 0xfffd },
        { "\xf5\x80\x80\x80", 1, 0xfffd },
        { "\xff", 1, 0xfffd },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        size_t n = strlen(cases[i].bytes);
        // On the heap and without a NUL, so that a read past the end is seen.
        char *p = dh_strndup(cases[i].bytes, n);
        p = dh_resize_array(p, n, 1);
        uint32_t cp = 1;
        size_t used = dh_utf8_read(p, n, &cp);
        if (used != cases[i].used || cp != cases[i].cp)
            printf("case %zu\n", i);
        CHECK_INT(used, cases[i].used);
        CHECK_INT(cp, cases[i].cp);
        CHECK_INT(dh_utf8_valid(p, n), cp != 0xfffd);
        dh_free(p);
    }
}

static void test_utf8_of_every_character_comes_back(void)
{
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        if (cp >= 0xd800 && cp <= 0xdfff)
            continue;
        char out[4];
        uint32_t back = 0;
        size_t n = dh_utf8_write(cp, out);
        CHECK(dh_utf8_read(out, n, &back) == n && back == cp);
        CHECK(dh_utf8_valid(out, n));
    }
    CHECK(dh_utf8_valid("", 0));
    CHECK(dh_utf8_valid("\xef\xbf\xbd", 3));
}

static void test_numbers_are_strict(void)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t v;
    } cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "+12", true, 12 },
        { "007", true, 7 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "99999999999999999999999", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { "+", false, 0 },
        { "--1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "0x10", false, 0 },
        { "1.0", false, 0 },
        { "1/", false, 0 },
        { "1:", false, 0 },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        int64_t v = 42;
        bool ok = dh_parse_i64(dh_str_of(cases[i].text), &v);
        if (ok != cases[i].ok)
            printf("case \"%s\"\n", cases[i].text);
        CHECK_INT(ok, cases[i].ok);
        CHECK_INT(v, ok ? cases[i].v : 42);
    }
}

static void test_doubles_are_strict(void)
{
    static const char *const bad[] = { "",    " 1",    "1 ",    "nan", "inf",
                                       "0x1", "1e",    "1e999", "1,5", "-",
                                       "1_0", "1.2.3", "e5" };
    double v = 42;
    CHECK(dh_parse_double(DH_STR("-1.25e2"), &v));
    CHECK_NEAR(v, -125, 0);
    CHECK(dh_parse_double(DH_STR(".5"), &v));
    CHECK_NEAR(v, 0.5, 0);
    for (size_t i = 0; i < DH_COUNTOF(bad); i++) {
        if (dh_parse_double(dh_str_of(bad[i]), &v))
            printf("\"%s\" was taken\n", bad[i]);
        CHECK(!dh_parse_double(dh_str_of(bad[i]), &v));
    }
    CHECK(!dh_parse_double((struct dh_str){ "1\0", 2 }, &v));
    CHECK_NEAR(v, 0.5, 0);
}

// Values of FNV's authors.
static void test_hash_is_fnv1a(void)
{
    CHECK(dh_hash_bytes("", 0) == UINT64_C(0xcbf29ce484222325));
    CHECK(dh_hash_bytes("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    CHECK(dh_hash_bytes("foobar", 6) == UINT64_C(0x85944171f73967e8));
}

static size_t distance(const char *a, const char *b)
{
    size_t there = dh_str_distance(dh_str_of(a), dh_str_of(b));
    CHECK_INT(dh_str_distance(dh_str_of(b), dh_str_of(a)), there);
    return there;
}

static void test_distance_counts_slips(void)
{
    CHECK_INT(distance("", ""), 0);
    CHECK_INT(distance("", "abc"), 3);
    CHECK_INT(distance("run", "run"), 0);
    CHECK_INT(distance("run", "rnu"), 1);
    CHECK_INT(distance("grab", "grb"), 1);
    CHECK_INT(distance("locate", "lcoatte"), 2);
    CHECK_INT(distance("kitten", "sitting"), 3);
    CHECK_INT(distance("abc", "xyz"), 3);
    char text[101] = { 0 };
    memset(text, 'a', 100);
    CHECK(distance(text, "a") == SIZE_MAX);
}

DH_TESTS(DH_TEST(views_compare_find_and_cut),
         DH_TEST(utf8_reads_what_unicode_says),
         DH_TEST(utf8_of_every_character_comes_back),
         DH_TEST(numbers_are_strict), DH_TEST(doubles_are_strict),
         DH_TEST(hash_is_fnv1a), DH_TEST(distance_counts_slips));
