#include "model/tokenizer.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/dh_test.h"

#define TEXTS "tests/vectors/text/"

static struct dh_json *read_json(const char *path)
{
    char *text;
    size_t len;
    CHECK_INT(dh_file_read(path, 16 << 20, &text, &len), DH_OK);
    struct dh_diag diag = { 0 };
    struct dh_json *root = dh_json_parse(text, len, &diag);
    CHECK_STR(diag.text, "");
    dh_big_free(text);
    return root;
}

static struct dh_tokenizer *open_tiny(const char *name)
{
    char path[128];
    struct dh_tokenizer *t;
    snprintf(path, sizeof path, TEXTS "%s", name);
    CHECK_INT(dh_tokenizer_create(&t, path), DH_OK);
    return t;
}

static void print_ids(struct dh_buf *out, const struct dh_ids *ids)
{
    for (size_t i = 0; i < ids->n; i++)
        dh_buf_printf(out, "%s%d", i ? " " : "", ids->id[i]);
}

static void check_ids(const struct dh_tokenizer *t, const char *text,
                      const struct dh_json *want)
{
    struct dh_ids ids = { 0 };
    struct dh_buf got, expected;
    dh_buf_init(&got, SIZE_MAX);
    dh_buf_init(&expected, SIZE_MAX);
    CHECK_INT(dh_tokenizer_encode(t, text, strlen(text), NULL, &ids), DH_OK);
    dh_buf_printf(&got, "%s: ", text);
    print_ids(&got, &ids);
    dh_buf_printf(&expected, "%s: ", text);
    for (const struct dh_json *v = dh_json_first(want); v; v = dh_json_next(v))
        dh_buf_printf(&expected, "%s%d", v == dh_json_first(want) ? "" : " ",
                      (int)dh_json_number(v));
    CHECK_STR(dh_buf_text(&got), dh_buf_text(&expected));
    dh_buf_finish(&got);
    dh_buf_finish(&expected);
    dh_ids_finish(&ids);
}

static void decode_all(const struct dh_tokenizer *t, const struct dh_ids *ids,
                       struct dh_buf *out)
{
    dh_buf_init(out, SIZE_MAX);
    for (size_t i = 0; i < ids->n; i++)
        dh_tokenizer_decode(t, ids->id[i], out);
}

static const char *const files[] = { "tiny_tokenizer.json", "tiny_flags.json" };

/* Every string gives the ids that a plain implementation in another language
 * gives. */
static void test_ids_match_plain_implementation(void)
{
    struct dh_json *strings = read_json(TEXTS "strings.json");
    struct dh_json *expected = read_json(TEXTS "expected_plain.json");
    for (size_t f = 0; f < DH_COUNTOF(files); f++) {
        struct dh_tokenizer *t = open_tiny(files[f]);
        const struct dh_json *want =
            dh_json_first(dh_json_find(expected, files[f]));
        size_t n = 0;
        for (const struct dh_json *s = dh_json_first(strings); s;
             s = dh_json_next(s), want = dh_json_next(want), n++) {
            CHECK(want);
            check_ids(t, dh_json_text(s), want);
        }
        CHECK(n >= 200);
        dh_tokenizer_destroy(t);
    }
    dh_json_free(strings);
    dh_json_free(expected);
}

/* The same against what the published library wrote, ids and decoded text. */
static void test_ids_match_published_library(void)
{
    struct dh_json *strings = read_json(TEXTS "strings.json");
    struct dh_json *expected = read_json(TEXTS "expected.json");
    for (size_t f = 0; f < DH_COUNTOF(files); f++) {
        struct dh_tokenizer *t = open_tiny(files[f]);
        const struct dh_json *row =
            dh_json_first(dh_json_find(expected, files[f]));
        for (const struct dh_json *s = dh_json_first(strings); s;
             s = dh_json_next(s), row = dh_json_next(row)) {
            CHECK(row);
            const char *text = dh_json_text(s);
            check_ids(t, text, dh_json_find(row, "ids"));
            struct dh_ids ids = { 0 };
            struct dh_buf back;
            CHECK_INT(dh_tokenizer_encode(t, text, strlen(text), NULL, &ids),
                      DH_OK);
            decode_all(t, &ids, &back);
            CHECK_STR(dh_buf_text(&back),
                      dh_json_text(dh_json_find(row, "decoded")));
            dh_buf_finish(&back);
            dh_ids_finish(&ids);
        }
        CHECK(!row);
        dh_tokenizer_destroy(t);
    }
    dh_json_free(strings);
    dh_json_free(expected);
}

/* Without strip flags the pieces put together are the text. */
static void test_decode_gives_the_text_back(void)
{
    struct dh_json *strings = read_json(TEXTS "strings.json");
    struct dh_tokenizer *t = open_tiny("tiny_tokenizer.json");
    for (const struct dh_json *s = dh_json_first(strings); s;
         s = dh_json_next(s)) {
        const char *text = dh_json_text(s);
        struct dh_ids ids = { 0 };
        struct dh_buf back;
        CHECK_INT(dh_tokenizer_encode(t, text, strlen(text), NULL, &ids),
                  DH_OK);
        decode_all(t, &ids, &back);
        CHECK_STR(dh_buf_text(&back), text);
        dh_buf_finish(&back);
        dh_ids_finish(&ids);
    }
    dh_tokenizer_destroy(t);
    dh_json_free(strings);
}

/* All 61 control texts of the released file are found by name, in order. */
static void test_added_tokens_are_found_by_name(void)
{
    static const char *const some[] = { "]!p~[",        "]~b]",
                                        "[e~[",         "]<]image[>[",
                                        "]<]video[>[",  "]<]start of image[>[",
                                        "]~!b[",        "<tool_call>",
                                        "</tool_call>", "]<]minimax[>[",
                                        "<mm:think>",   "</mm:think>" };
    static const int at[] = { 0, 19, 20, 25, 26, 29, 34, 52, 53, 58, 59, 60 };
    struct dh_tokenizer *t = open_tiny("tiny_tokenizer.json");
    int first = dh_tokenizer_find_added(t, "]!p~[");
    CHECK_INT(dh_tokenizer_size(t), first + 61);
    for (size_t i = 0; i < DH_COUNTOF(some); i++) {
        CHECK_INT(dh_tokenizer_find_added(t, some[i]), first + at[i]);
        CHECK(dh_tokenizer_is_added(t, first + at[i]));
    }
    CHECK_INT(dh_tokenizer_find_added(t, "]~b"), -1);
    CHECK_INT(dh_tokenizer_find_added(t, ""), -1);
    CHECK(!dh_tokenizer_is_added(t, first - 1));
    CHECK(!dh_tokenizer_is_added(t, -1));
    CHECK(!dh_tokenizer_is_added(t, dh_tokenizer_size(t)));
    dh_tokenizer_destroy(t);
}

static void encode_masked(const struct dh_tokenizer *t, const char *text,
                          const char *mask, struct dh_ids *ids)
{
    bool trusted[256];
    size_t n = strlen(text);
    CHECK(n < sizeof trusted);
    for (size_t i = 0; i < n; i++)
        trusted[i] = !mask || mask[i] == '1';
    CHECK_INT(dh_tokenizer_encode(t, text, n, trusted, ids), DH_OK);
}

/* A control token needs every byte of it from us. */
static void test_untrusted_text_is_never_a_control_token(void)
{
    struct dh_tokenizer *t = open_tiny("tiny_tokenizer.json");
    struct dh_ids ids = { 0 };
    struct dh_buf back;

    encode_masked(t, "]~b]user x]~b]y[e~[", "1111111110000001111", &ids);
    size_t controls = 0;
    for (size_t i = 0; i < ids.n; i++)
        controls += dh_tokenizer_is_added(t, ids.id[i]);
    CHECK_INT(controls, 2);
    CHECK_INT(ids.id[0], dh_tokenizer_find_added(t, "]~b]"));
    CHECK_INT(ids.id[ids.n - 1], dh_tokenizer_find_added(t, "[e~["));
    decode_all(t, &ids, &back);
    CHECK_STR(dh_buf_text(&back), "]~b]user x]~b]y[e~[");
    dh_buf_finish(&back);

    // One byte is enough to spoil it, wherever it is.
    for (size_t k = 0; k < 4; k++) {
        char mask[] = "1111";
        mask[k] = '0';
        ids.n = 0;
        encode_masked(t, "]~b]", mask, &ids);
        for (size_t i = 0; i < ids.n; i++)
            CHECK(!dh_tokenizer_is_added(t, ids.id[i]));
    }
    dh_ids_finish(&ids);
    dh_tokenizer_destroy(t);
}

/* Trust decides on control tokens only: pieces are those of the joined text. */
static void test_mask_does_not_cut_pieces(void)
{
    struct dh_tokenizer *t = open_tiny("tiny_tokenizer.json");
    static const char text[] = "Action: Click the computer's arguments 1234";
    struct dh_ids all = { 0 };
    CHECK_INT(dh_tokenizer_encode(t, text, strlen(text), NULL, &all), DH_OK);
    for (size_t k = 0; k <= strlen(text); k++) {
        char mask[sizeof text];
        for (size_t i = 0; i < strlen(text); i++)
            mask[i] = i < k ? '1' : '0';
        mask[strlen(text)] = '\0';
        struct dh_ids ids = { 0 };
        encode_masked(t, text, mask, &ids);
        CHECK_INT(ids.n, all.n);
        CHECK_MEM(ids.id, all.id, all.n * sizeof *all.id);
        dh_ids_finish(&ids);
    }
    dh_ids_finish(&all);
    dh_tokenizer_destroy(t);
}

/* Each maximal invalid part becomes one U+FFFD. */
static void test_invalid_utf8_becomes_replacement(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "a\xff"
          "b",
          "a\xef\xbf\xbd"
          "b" },
        { "\xe2\x82", "\xef\xbf\xbd" },
        { "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xf0\x9f\x91]~b]", "\xef\xbf\xbd]~b]" },
    };
    struct dh_tokenizer *t = open_tiny("tiny_tokenizer.json");
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct dh_ids ids = { 0 };
        struct dh_buf back;
        CHECK_INT(dh_tokenizer_encode(t, rows[i].text, strlen(rows[i].text),
                                      NULL, &ids),
                  DH_OK);
        decode_all(t, &ids, &back);
        CHECK_STR(dh_buf_text(&back), rows[i].want);
        dh_buf_finish(&back);
        dh_ids_finish(&ids);
    }
    dh_tokenizer_destroy(t);
}

/* A piece of half a million bytes ends, and a NUL is a byte like others. */
static void test_long_piece_and_nul(void)
{
    struct dh_tokenizer *t = open_tiny("tiny_tokenizer.json");
    size_t n = 500000;
    char *text = dh_zalloc(n);
    for (size_t i = 0; i < n; i++)
        text[i] = "computerargumentscoordinate"[i % 27];
    struct dh_ids ids = { 0 };
    struct dh_buf back;
    CHECK_INT(dh_tokenizer_encode(t, text, n, NULL, &ids), DH_OK);
    CHECK(ids.n < n / 2);
    decode_all(t, &ids, &back);
    CHECK_INT(back.len, n);
    CHECK_MEM(back.data, text, n);
    dh_buf_finish(&back);

    memset(text, 0, 16);
    text[8] = 'a';
    ids.n = 0;
    CHECK_INT(dh_tokenizer_encode(t, text, 16, NULL, &ids), DH_OK);
    decode_all(t, &ids, &back);
    CHECK_INT(back.len, 16);
    CHECK_MEM(back.data, text, 16);
    dh_buf_finish(&back);
    dh_ids_finish(&ids);
    dh_free(text);
    dh_tokenizer_destroy(t);
}

/* Ids outside the file decode to nothing. */
static void test_unknown_ids_decode_to_nothing(void)
{
    struct dh_tokenizer *t = open_tiny("tiny_tokenizer.json");
    struct dh_buf out;
    dh_buf_init(&out, 64);
    dh_tokenizer_decode(t, -1, &out);
    dh_tokenizer_decode(t, dh_tokenizer_size(t), &out);
    dh_tokenizer_decode(t, INT32_MAX, &out);
    CHECK_INT(out.len, 0);
    dh_buf_finish(&out);
    dh_tokenizer_destroy(t);
}

// One change to the small file, and what the loader says to it.
static const struct {
    const char *find, *put;
    enum dh_status status;
    const char *reason; // part of the text
} changes[] = {
    { "\"type\": \"BPE\"", "\"type\": \"WordPiece\"", DH_ERR_UNSUPPORTED,
      "not BPE" },
    { "\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}",
      DH_ERR_UNSUPPORTED, "NFC" },
    { "\"normalizer\": null", "\"normalizer\": {\"type\": \"Lowercase\"}",
      DH_ERR_UNSUPPORTED, "normalizer" },
    { "\"byte_fallback\": false", "\"byte_fallback\": true", DH_ERR_UNSUPPORTED,
      "byte_fallback" },
    { "\"unk_token\": null", "\"unk_token\": \"<unk>\"", DH_ERR_UNSUPPORTED,
      "unk_token" },
    { "\"dropout\": null", "\"dropout\": 0.1", DH_ERR_UNSUPPORTED, "dropout" },
    { "\"end_of_word_suffix\": null", "\"end_of_word_suffix\": \"@\"",
      DH_ERR_UNSUPPORTED, "end_of_word_suffix" },
    { "\"behavior\": \"Isolated\"", "\"behavior\": \"Removed\"",
      DH_ERR_UNSUPPORTED, "Isolated" },
    { "\"invert\": false", "\"invert\": true", DH_ERR_UNSUPPORTED, "Isolated" },
    { "\"use_regex\": false", "\"use_regex\": true", DH_ERR_UNSUPPORTED,
      "regex of its own" },
    { "\"add_prefix_space\": false", "\"add_prefix_space\": true",
      DH_ERR_UNSUPPORTED, "prefix space" },
    { "\"post_processor\": {\"type\": \"ByteLevel\"",
      "\"post_processor\": {\"type\": \"BertProcessing\"", DH_ERR_UNSUPPORTED,
      "post_processor" },
    { "\"truncation\": null", "\"truncation\": {}", DH_ERR_UNSUPPORTED,
      "truncation" },
    { "(?!\\\\S)", "(?<!\\\\S)", DH_ERR_UNSUPPORTED, "group" },
    { "\\\\p{N}{1,3}", "\\\\p{Han}{1,3}", DH_ERR_UNSUPPORTED, "category" },
    { "\\\\p{N}{1,3}", "\\\\p{N}{1,3}+", DH_ERR_UNSUPPORTED, "interval" },
    { "\\\\p{N}{1,3}", "\\\\w{1,3}", DH_ERR_UNSUPPORTED, "escape" },
    { "\\\\p{N}{1,3}", "[a[b]]", DH_ERR_UNSUPPORTED, "class" },
    { "\\\\p{N}{1,3}", "^x", DH_ERR_UNSUPPORTED, "anchor" },
    { "(?!\\\\S)", "(?!\\\\S", DH_ERR_FORMAT, "split regex" },
    { "\"Q\": 81", "\"QZQ\": 81", DH_ERR_FORMAT, "0x51 is missing" },
    { "\"Q\": 81", "\"Q\": 82", DH_ERR_FORMAT, "twice" },
    { "\"Q\": 81", "\"Q\": 81.5", DH_ERR_FORMAT, "no usable id" },
    { "\"Q\": 81", "\"Q\": 99999999", DH_ERR_FORMAT, "no usable id" },
    { "\"Q\": 81", "\"Q \": 81", DH_ERR_UNSUPPORTED, "alphabet" },
    { "\"merges\": [\"", "\"merges\": [\"zz qq\", \"", DH_ERR_FORMAT,
      "merges[0]" },
    { "\"merges\": [\"", "\"merges\": [\"q q\", \"", DH_ERR_FORMAT,
      "merges[0]" },
    { "\"merges\": [\"", "\"merges\": [[\"q\"], \"", DH_ERR_FORMAT,
      "merges[0]" },
    { "\"content\": \"[e~[\"", "\"content\": \"]~b]\"", DH_ERR_FORMAT,
      "twice" },
    { "\"content\": \"[e~[\"", "\"content\": \"\"", DH_ERR_FORMAT, "missing" },
    { "\"added_tokens\": [{\"id\": ", "\"added_tokens\": [{\"id\": 1, \"x\": ",
      DH_ERR_FORMAT, "taken" },
    { "\"model\":", "\"mode\":", DH_ERR_UNSUPPORTED, "not BPE" },
    { "\"version\"", "version", DH_ERR_FORMAT, "JSON" },
};

/* A file that we cannot follow is refused, and the reason names the place. */
static void test_refuses_what_it_cannot_follow(void)
{
    char *json;
    size_t len;
    CHECK_INT(dh_file_read(TEXTS "tiny_tokenizer.json", 1 << 20, &json, &len),
              DH_OK);
    for (size_t i = 0; i < DH_COUNTOF(changes); i++) {
        char *at = strstr(json, changes[i].find);
        if (!at)
            dh_check_failed(__FILE__, __LINE__, changes[i].find);
        struct dh_buf text;
        dh_buf_init(&text, SIZE_MAX);
        dh_buf_put(&text, json, (size_t)(at - json));
        dh_buf_puts(&text, changes[i].put);
        dh_buf_puts(&text, at + strlen(changes[i].find));
        struct dh_diag diag = { 0 };
        struct dh_tokenizer *t = NULL;
        enum dh_status st = dh_tokenizer_parse(&t, text.data, text.len, &diag);
        if (st != changes[i].status || !strstr(diag.text, changes[i].reason))
            printf("%s -> %s: %s\n", changes[i].find, changes[i].put,
                   diag.text);
        CHECK_INT(st, changes[i].status);
        CHECK(strstr(diag.text, changes[i].reason));
        CHECK(!t);
        dh_buf_finish(&text);
    }
    dh_big_free(json);
}

/* Each large allocation that fails is DH_ERR_NOMEM, and nothing leaks. */
static void test_survives_without_memory(void)
{
    static const char text[] = "Click Save. ]~b] 123";
    char *json;
    size_t len;
    CHECK_INT(dh_file_read(TEXTS "tiny_tokenizer.json", 1 << 20, &json, &len),
              DH_OK);
    bool done = false;
    for (long n = 0; !done; n++) {
        struct dh_diag diag = { 0 };
        struct dh_tokenizer *t = NULL;
        struct dh_ids ids = { 0 };
        CHECK(n < 40);
        dh_mem_fail_after(n);
        enum dh_status st = dh_tokenizer_parse(&t, json, len, &diag);
        if (!st)
            st = dh_tokenizer_encode(t, text, sizeof text - 1, NULL, &ids);
        dh_mem_fail_after(-1);
        done = st == DH_OK;
        CHECK(done || st == DH_ERR_NOMEM);
        CHECK(done || ids.n == 0);
        dh_ids_finish(&ids);
        dh_tokenizer_destroy(t);
    }
    dh_big_free(json);
}

static char last_log[400];

static void keep_log(void *user, enum dh_log_level level, const char *tag,
                     const char *text)
{
    (void)user;
    (void)level;
    snprintf(last_log, sizeof last_log, "%s: %s", tag, text);
}

/* The log names the file and what is wrong with it. */
static void test_create_logs_the_reason(void)
{
    char path[256];
    struct dh_tokenizer *t = NULL;
    snprintf(path, sizeof path, "%s/tokenizer.json", dh_test_dir());
    dh_log_set_hook(keep_log, NULL);
    CHECK_INT(dh_tokenizer_create(&t, path), DH_ERR_NOTFOUND);
    CHECK_INT(dh_file_write(path, "{\"model\": 1}", 12), DH_OK);
    CHECK_INT(dh_tokenizer_create(&t, path), DH_ERR_UNSUPPORTED);
    dh_log_set_hook(NULL, NULL);
    CHECK(strstr(last_log, path));
    CHECK(strstr(last_log, "not BPE"));
}

DH_TESTS(DH_TEST(ids_match_plain_implementation),
         DH_TEST(ids_match_published_library),
         DH_TEST(decode_gives_the_text_back),
         DH_TEST(added_tokens_are_found_by_name),
         DH_TEST(untrusted_text_is_never_a_control_token),
         DH_TEST(mask_does_not_cut_pieces),
         DH_TEST(invalid_utf8_becomes_replacement), DH_TEST(long_piece_and_nul),
         DH_TEST(unknown_ids_decode_to_nothing),
         DH_TEST(refuses_what_it_cannot_follow),
         DH_TEST(survives_without_memory), DH_TEST(create_logs_the_reason));
