#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/dh_test.h"

static struct dh_json *parse(const char *text)
{
    struct dh_diag d = { 0 };
    struct dh_json *v = dh_json_parse(text, strlen(text), &d);
    if (!v)
        printf("%zu: %s\n", d.offset, d.text);
    CHECK(v);
    return v;
}

static void check_printed(const char *text, const char *want)
{
    struct dh_json *v = parse(text);
    struct dh_buf b;
    dh_buf_init(&b, 100000);
    dh_json_print(v, &b);
    CHECK_STR(dh_buf_text(&b), want);
    dh_buf_finish(&b);
    dh_json_free(v);
}

static void test_prints_compactly_in_order_and_with_plain_numbers(void)
{
    check_printed(" { \"b\" : 1 , \"a\" : [ true , false , null ] }\n",
                  "{\"b\":1,\"a\":[true,false,null]}");
    check_printed("[]", "[]");
    check_printed("{}", "{}");
    check_printed("\"\"", "\"\"");
    check_printed("[1.0, -3, 1e3, 4503599627370497, 0.1, 1e300, -0.0]",
                  "[1,-3,1000,4503599627370497,0.1,1e+300,-0]");
    check_printed("[0.30000000000000004, 3.14159]",
                  "[0.30000000000000004,3.14159]");
    check_printed("\"a\\u00e9\\n\\u0001\\ud83d\\ude00\\/\"",
                  "\"a\xc3\xa9\\n\\u0001\xf0\x9f\x98\x80/\"");
    check_printed("{\"a\\\"\":1,\"a\\\"\":2}", "{\"a\\\"\":1,\"a\\\"\":2}");
}

static void test_hostile_text_is_refused_with_a_place(void)
{
    static const struct {
        const char *text;
        size_t offset;
        const char *why;
    } cases[] = {
        { "", 0, "malformed JSON" },
        { " ", 0, "malformed JSON" },
        { "{", 1, "malformed JSON" },
        { "[1,]", 3, "malformed JSON" },
        { "[1 2]", 3, "malformed JSON" },
        { "{\"a\" 1}", 5, "malformed JSON" },
        { "{a:1}", 1, "malformed JSON" },
        { "[1] x", 4, "malformed JSON" },
        { "[1]]", 3, "malformed JSON" },
        { "nul", 0, "malformed JSON" },
        { "nullx", 4, "malformed JSON" },
        { "\"abc", 0, "unterminated string" },
        { "\"abc\\", 0, "unterminated string" },
        { "\"a\\q\"", 2, "malformed JSON" },
        { "\"\\ud800\"", 1, "malformed JSON" },
        { "\"\\udc00\"", 1, "malformed JSON" },
        { "\"\\u12g4\"", 1, "malformed escape" },
        { "\"\\ud83d\\uzzzz\"", 7, "malformed escape" },
        { "\"\\u12\"", 1, "malformed JSON" },
        { "\"a\tb\"", 2, "control character in a string" },
        { "\"\xff\"", 1, "invalid UTF-8" },
        { "\"\xed\xa0\x80\"", 1, "invalid UTF-8" },
        { "\"a\\u0000b\"", 2, "a string holds a NUL" },
        { "[01]", 1, "malformed number" },
        { "[-]", 1, "malformed number" },
        { "[1.]", 1, "malformed number" },
        { "[1e+]", 1, "malformed number" },
        { "[--1]", 1, "malformed number" },
        { "[+1]", 1, "unexpected character" },
        { "[.5]", 1, "unexpected character" },
        { "[NaN]", 1, "unexpected character" },
        { "[0x10]", 2, "malformed JSON" },
        { "'a'", 0, "unexpected character" },
        { "[1,/*x*/2]", 3, "unexpected character" },
        { "[\f1]", 1, "unexpected character" },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        struct dh_diag d = { 0 };
        // Exactly as long as it is, so that a read past its end is seen.
        size_t n = strlen(cases[i].text);
        char *copy = dh_resize_array(dh_strdup(cases[i].text), n, 1);
        struct dh_json *v = dh_json_parse(copy, n, &d);
        if (v || strcmp(d.text, cases[i].why) != 0)
            printf("case %s: %zu: %s\n", cases[i].text, d.offset, d.text);
        CHECK(!v);
        CHECK_STR(d.text, cases[i].why);
        CHECK(d.offset <= n);
        dh_free(copy);
    }
    CHECK(!dh_json_parse("[1]\0", 4, NULL));
}

static void test_depth_and_number_length_are_limited(void)
{
    static char text[200001];
    struct dh_diag d = { 0 };
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    struct dh_json *v = dh_json_parse(text, 128, &d);
    CHECK(v);
    dh_json_free(v);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    CHECK(!dh_json_parse(text, 130, &d));
    CHECK_STR(d.text, "nested too deeply");
    CHECK_INT(d.offset, 64);
    memset(text, '[', 200000);
    CHECK(!dh_json_parse(text, 200000, NULL));
    memset(text, '1', 200000);
    CHECK(!dh_json_parse(text, 200000, NULL));
    memset(text, '1', 60);
    v = dh_json_parse(text, 60, NULL);
    CHECK(v);
    CHECK_NEAR(dh_json_number(v) / 1e59, 1.1111111, 1e-6);
    dh_json_free(v);
}

static void test_getters_report_the_member_they_wanted(void)
{
    struct dh_json *v = parse("{\"n\":5,\"x\":1.5,\"s\":\"t\",\"b\":true,"
                              "\"big\":1e300,\"inf\":1e999,\"n\":6}");
    int64_t i = 42;
    double x = 42;
    bool b = false;
    const char *s = "none";
    CHECK(dh_json_get_i64(v, "n", 0, 5, &i, NULL));
    CHECK_INT(i, 5);
    CHECK(dh_json_get_double(v, "x", &x, NULL));
    CHECK_NEAR(x, 1.5, 0);
    CHECK(dh_json_get_double(v, "n", &x, NULL));
    CHECK(dh_json_get_bool(v, "b", &b, NULL) && b);
    CHECK(dh_json_get_text(v, "s", &s, NULL));
    CHECK_STR(s, "t");

    struct dh_diag d = { 0 };
    i = 42;
    CHECK(!dh_json_get_i64(v, "n", 6, 9, &i, &d));
    CHECK_STR(d.text, "n: 5 is not in 6..9");
    CHECK_INT(i, 42);
    d = (struct dh_diag){ 0 };
    CHECK(!dh_json_get_i64(v, "x", 0, 9, &i, &d));
    CHECK_STR(d.text, "x: integer expected");
    CHECK(!dh_json_get_i64(v, "big", INT64_MIN, INT64_MAX, &i, NULL));
    CHECK(!dh_json_get_i64(v, "inf", INT64_MIN, INT64_MAX, &i, NULL));
    CHECK(!dh_json_get_i64(v, "s", 0, 9, &i, NULL));
    CHECK(!dh_json_get_double(v, "inf", &x, NULL));
    d = (struct dh_diag){ 0 };
    CHECK(!dh_json_get_text(v, "missing", &s, &d));
    CHECK_STR(d.text, "missing: string expected");
    CHECK(!dh_json_get_bool(v, "n", &b, NULL));
    CHECK(!dh_json_get_bool(NULL, "n", &b, NULL));
    dh_json_free(v);
}

static void test_values_can_be_walked(void)
{
    struct dh_json *v = parse("{\"a\":[1,2,3],\"b\":{},\"c\":null}");
    const struct dh_json *a = dh_json_find(v, "a");
    CHECK_INT(dh_json_kind(v), DH_JSON_OBJECT);
    CHECK_INT(dh_json_kind(a), DH_JSON_ARRAY);
    CHECK_INT(dh_json_count(v), 3);
    CHECK_INT(dh_json_count(a), 3);
    CHECK(dh_json_first(v) == a);
    CHECK_STR(dh_json_key(a), "a");
    CHECK_STR(dh_json_key(v), "");
    CHECK_STR(dh_json_key(dh_json_first(a)), "");
    CHECK_STR(dh_json_key(dh_json_next(dh_json_next(a))), "c");
    CHECK(!dh_json_next(dh_json_next(dh_json_next(a))));
    CHECK(!dh_json_next(v));
    CHECK(!dh_json_first(dh_json_find(v, "b")));
    CHECK(!dh_json_find(v, "A"));
    CHECK(!dh_json_find(a, "a"));
    CHECK_STR(dh_json_text(a), "");
    CHECK_NEAR(dh_json_number(v), 0, 0);
    CHECK_INT(dh_json_kind(dh_json_find(v, "c")), DH_JSON_NULL);
    CHECK_INT(dh_json_kind(NULL), DH_JSON_NULL);
    CHECK(!dh_json_is_true(NULL));
    dh_json_free(v);
    dh_json_free(NULL);
}

static void test_writer_puts_commas_and_escapes(void)
{
    struct dh_buf b;
    struct dh_json_writer w;
    dh_buf_init(&b, 10000);
    dh_jw_init(&w, &b);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "a\"b", "x\\y\x01\x7f");
    dh_jw_array(&w, "list");
    dh_jw_i64(&w, NULL, INT64_MIN);
    dh_jw_double(&w, NULL, 0.1);
    dh_jw_double(&w, NULL, (double)NAN);
    dh_jw_double(&w, NULL, -(double)INFINITY);
    dh_jw_object(&w, NULL);
    dh_jw_end_object(&w);
    dh_jw_array(&w, NULL);
    dh_jw_end_array(&w);
    dh_jw_end_array(&w);
    dh_jw_bool(&w, "t", true);
    dh_jw_null(&w, "n");
    dh_jw_raw(&w, "r", "[1]");
    dh_jw_str(&w, "s", (struct dh_str){ "\xff\0z", 3 });
    dh_jw_end_object(&w);
    CHECK_STR(dh_buf_text(&b),
              "{\"a\\\"b\":\"x\\\\y\\u0001\\u007f\","
              "\"list\":[-9223372036854775808,0.1,null,null,{},[]],"
              "\"t\":true,\"n\":null,\"r\":[1],"
              "\"s\":\"\xef\xbf\xbd\\u0000z\"}");
    dh_buf_finish(&b);
}

static void test_random_doubles_come_back_exactly(void)
{
    struct dh_rng r;
    dh_rng_init(&r, 1);
    struct dh_buf b;
    dh_buf_init(&b, 1000);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = dh_rng_next(&r);
        double v;
        memcpy(&v, &bits, sizeof(v));
        if (!isfinite(v))
            continue;
        struct dh_json_writer w;
        dh_buf_clear(&b);
        dh_jw_init(&w, &b);
        dh_jw_double(&w, NULL, v);
        struct dh_json *back = dh_json_parse(b.data, b.len, NULL);
        double got = dh_json_number(back);
        CHECK(back);
        CHECK_MEM(&got, &v, sizeof(v));
        dh_json_free(back);
    }
    dh_buf_finish(&b);
}

DH_TESTS(DH_TEST(prints_compactly_in_order_and_with_plain_numbers),
         DH_TEST(hostile_text_is_refused_with_a_place),
         DH_TEST(depth_and_number_length_are_limited),
         DH_TEST(getters_report_the_member_they_wanted),
         DH_TEST(values_can_be_walked), DH_TEST(writer_puts_commas_and_escapes),
         DH_TEST(random_doubles_come_back_exactly));
