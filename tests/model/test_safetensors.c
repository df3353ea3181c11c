#include "model/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/model/checkpoint.h"

static char last_log[400];

static void remember(void *user, enum dh_log_level level, const char *tag,
                     const char *text)
{
    (void)user;
    (void)tag;
    if (level <= DH_LOG_WARN)
        snprintf(last_log, sizeof(last_log), "%s", text);
}

static void check_logged(const char *part)
{
    if (!strstr(last_log, part))
        CHECK_STR(last_log, part);
}

static void write_in_dir(const char *name, const void *data, size_t len)
{
    char *path = dh_test_path(name);
    CHECK_INT(dh_file_write(path, data, len), DH_OK);
    dh_free(path);
}

// One file of this header and `n_data` bytes 0, 1, 2...
static void write_raw(const char *name, const char *header, size_t n_data)
{
    struct dh_buf b;
    dh_buf_init(&b, (size_t)1 << 20);
    size_t n = strlen(header);
    for (int i = 0; i < 8; i++)
        dh_buf_putc(&b, (char)(n >> (8 * i) & 255));
    dh_buf_puts(&b, header);
    for (size_t i = 0; i < n_data; i++)
        dh_buf_putc(&b, (char)i);
    write_in_dir(name, b.data, b.len);
    dh_buf_finish(&b);
}

static enum dh_status open_here(struct dh_safetensors **st)
{
    last_log[0] = '\0';
    dh_log_set_hook(remember, NULL);
    enum dh_status s = dh_safetensors_open(st, dh_test_dir());
    dh_log_set_hook(NULL, NULL);
    return s;
}

#define TWO_TENSORS                                                       \
    "{\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[4,28]}," \
    "\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]},"    \
    "\"__metadata__\":{\"format\":\"pt\"}}"

/* Tensors come in name order with their shapes and bytes. */
static void test_finds_tensors_of_a_single_file(void)
{
    struct dh_safetensors *st;
    write_raw("model.safetensors", TWO_TENSORS, 28);
    CHECK_INT(open_here(&st), DH_OK);
    CHECK_INT(dh_safetensors_count(st), 2);
    CHECK_INT(dh_safetensors_shards(st), 1);
    CHECK_STR(dh_safetensors_shard_name(st, 0), "model.safetensors");
    CHECK_STR(dh_safetensors_at(st, 0)->name, "a");
    const struct dh_tensor *b = dh_safetensors_find(st, "b");
    CHECK(b == dh_safetensors_at(st, 1));
    CHECK_INT(b->dtype, DH_F32);
    CHECK_INT(b->n_dims, 2);
    CHECK_INT(b->shape[1], 3);
    CHECK_INT(b->bytes, 24);
    CHECK_INT(b->data[0], 4);
    CHECK_INT(b->data[23], 27);
    CHECK(!dh_safetensors_find(st, "c"));
    CHECK(!dh_safetensors_find(st, ""));
    dh_safetensors_close(st);
}

static void test_type_names_and_sizes_are_those_of_the_format(void)
{
    static const struct {
        enum dh_dtype t;
        const char *name;
        size_t bytes;
    } rows[] = { { DH_F32, "F32", 4 },         { DH_F16, "F16", 2 },
                 { DH_BF16, "BF16", 2 },       { DH_F8_E4M3, "F8_E4M3", 1 },
                 { DH_F8_E8M0, "F8_E8M0", 1 }, { DH_U8, "U8", 1 },
                 { DH_I8, "I8", 1 },           { DH_I32, "I32", 4 },
                 { DH_I64, "I64", 8 } };
    CHECK_INT(DH_COUNTOF(rows), DH_I64 + 1);
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        CHECK_STR(dh_dtype_name(rows[i].t), rows[i].name);
        CHECK_INT(dh_dtype_bytes(rows[i].t), rows[i].bytes);
        CHECK_INT(dh_dtype_block(rows[i].t), 1);
    }
}

#define ONE(name, dtype, shape, offsets)                     \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape \
    ",\"data_offsets\":" offsets "}"

/* Each of these headers, over 16 bytes of data, is refused with a reason. */
static void test_lying_headers_are_refused(void)
{
    static const struct {
        const char *header, *reason;
    } rows[] = {
        { "{" ONE("a", "U8", "[16]", "[0,16]"), "" },
        { "[]", "object expected" },
        { "{\"a\":3}", "object expected" },
        { "{" ONE("a", "U8", "[17]", "[0,17]") "}",
          "cut short: 16 bytes of 17" },
        { "{" ONE("a", "U8", "[1]", "[16,17]") "}", "cut short" },
        { "{" ONE("a", "U8", "[1]", "[9007199254740991,9007199254740992]") "}",
          "cut short" },
        { "{" ONE("a", "U8", "[4]", "[0,5]") "}", "contradict" },
        { "{" ONE("a", "F32", "[4]", "[0,4]") "}", "contradict" },
        { "{" ONE("a", "U8", "[4294967296,4294967296]", "[0,0]") "}",
          "contradict" },
        { "{" ONE("a", "U8", "[4]", "[4,0]") "}", "data_offsets" },
        { "{" ONE("a", "U8", "[4]", "[-4,0]") "}", "data_offsets" },
        { "{" ONE("a", "U8", "[4]", "[0.5,4.5]") "}", "data_offsets" },
        { "{" ONE("a", "U8", "[4]", "[0,4,8]") "}", "data_offsets" },
        { "{" ONE("a", "U8", "[4]", "[0]") "}", "data_offsets" },
        { "{" ONE("a", "U8", "[4]", "{\"x\":0,\"y\":4}") "}", "data_offsets" },
        { "{" ONE("a", "U8", "[4]", "[\"0\",4]") "}", "data_offsets" },
        { "{" ONE("a", "U8", "[-4]", "[0,4]") "}", "whole number" },
        { "{" ONE("a", "U8", "[1e300]", "[0,4]") "}", "whole number" },
        { "{" ONE("a", "U8", "4", "[0,4]") "}", "no shape" },
        { "{" ONE("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}",
          "more than 8 dimensions" },
        { "{" ONE("a", "U8", "[4]", "[0,4]") "," ONE("a", "U8", "[4]",
                                                     "[4,8]") "}",
          "twice" },
        { "{" ONE("a", "U8", "[4]", "[0,4]") "," ONE("b", "U8", "[4]",
                                                     "[3,7]") "}",
          "overlap" },
        { "{" ONE("a", "U8", "[4]", "[0,4]") "," ONE("b", "U8", "[4]",
                                                     "[0,4]") "}",
          "overlap" },
        { "{}", "no tensor" },
        { "{" ONE("a", "F4", "[4]", "[0,4]") "}", "no tensor" },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct dh_safetensors *st = NULL;
        write_raw("model.safetensors", rows[i].header, 16);
        CHECK_INT(open_here(&st), DH_ERR_FORMAT);
        CHECK(!st);
        check_logged(rows[i].reason);
    }
}

/* Gaps, scalars, empty tensors, and types that we do not know do no harm. */
static void test_odd_but_true_headers_are_read(void)
{
    struct dh_safetensors *st;
    write_raw(
        "model.safetensors",
        "{" ONE("s", "F32", "[]", "[12,16]") "," ONE(
            "none", "F32", "[0,7]",
            "[4,4]") "," ONE("t", "F64", "[99]",
                             "[0,5]") "," ONE("u", "U8", "[2,1]", "[0,2]") "}",
        16);
    CHECK_INT(open_here(&st), DH_OK);
    check_logged("t is left out");
    CHECK_INT(dh_safetensors_count(st), 3);
    CHECK_INT(dh_safetensors_find(st, "s")->n_dims, 0);
    CHECK_INT(dh_safetensors_find(st, "s")->bytes, 4);
    CHECK_INT(dh_safetensors_find(st, "none")->bytes, 0);
    dh_safetensors_close(st);
}

/* Whatever is cut off, the file is refused, and the whole one is not. */
static void test_truncated_files_are_refused_at_every_length(void)
{
    char *data;
    size_t len;
    struct dh_safetensors *st;
    write_raw("model.safetensors", TWO_TENSORS, 28);
    char *path = dh_test_path("model.safetensors");
    CHECK_INT(dh_file_read(path, 4096, &data, &len), DH_OK);
    dh_free(path);
    for (size_t n = 1; n < len; n++) {
        write_in_dir("model.safetensors", data, n);
        CHECK_INT(open_here(&st), DH_ERR_FORMAT);
        check_logged("cut short");
    }
    write_in_dir("model.safetensors", data, len);
    CHECK_INT(open_here(&st), DH_OK);
    dh_safetensors_close(st);
    dh_big_free(data);
}

static void test_header_length_is_limited(void)
{
    static const uint8_t huge[] = { 255, 255, 255, 255, 255,
                                    255, 255, 255, '{', '}' };
    static const uint8_t above[] = { 1, 0, 0x40, 6, 0, 0, 0, 0, '{', '}' };
    struct dh_safetensors *st;
    write_in_dir("model.safetensors", huge, sizeof(huge));
    CHECK_INT(open_here(&st), DH_ERR_FORMAT);
    check_logged("above the limit");
    write_in_dir("model.safetensors", above, sizeof(above));
    CHECK_INT(open_here(&st), DH_ERR_FORMAT);
    check_logged("above the limit");
}

static void test_missing_files_are_named(void)
{
    struct dh_safetensors *st;
    CHECK_INT(open_here(&st), DH_ERR_NOTFOUND);
    check_logged("neither model.safetensors nor");

    static const char index[] =
        "{\"weight_map\":{\"a\":\"x.safetensors\",\"b\":\"y.safetensors\"}}";
    write_in_dir("model.safetensors.index.json", index, strlen(index));
    write_raw("x.safetensors", TWO_TENSORS, 28);
    CHECK_INT(open_here(&st), DH_ERR_NOTFOUND);
    check_logged("y.safetensors: the index names this shard");
}

static void test_bad_indexes_are_refused(void)
{
    static const struct {
        const char *index, *reason;
    } rows[] = {
        { "{", "model.safetensors.index.json" },
        { "{}", "no weight_map" },
        { "{\"weight_map\":[]}", "no weight_map" },
        { "{\"weight_map\":{}}", "no weight_map" },
        { "{\"weight_map\":{\"a\":7}}", "no name of a shard" },
        { "{\"weight_map\":{\"a\":\"../x.safetensors\"}}", "no name" },
        { "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "no name" },
        { "{\"weight_map\":{\"a\":\".hidden\"}}", "no name" },
        { "{\"weight_map\":{\"a\":\"x.safetensors\",\"b\":\"z.safetensors\"}}",
          "a is there twice" },
    };
    struct dh_safetensors *st;
    write_raw("x.safetensors", TWO_TENSORS, 28);
    write_raw("z.safetensors", TWO_TENSORS, 28);
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        write_in_dir("model.safetensors.index.json", rows[i].index,
                     strlen(rows[i].index));
        CHECK_INT(open_here(&st), DH_ERR_FORMAT);
        check_logged(rows[i].reason);
    }
}

/* The same tensors, wherever they lie. */
static void test_shards_hold_what_one_file_holds(void)
{
    struct dh_safetensors *one, *many;
    char *a = dh_test_path("one");
    char *b = dh_test_path("many");
    CHECK_INT(dh_path_mkdirs(a), DH_OK);
    CHECK_INT(dh_path_mkdirs(b), DH_OK);
    dh_checkpoint_write(a, &(struct dh_checkpoint_spec){ .config = NULL });
    dh_checkpoint_write(b, &(struct dh_checkpoint_spec){ .shards = 7 });
    CHECK_INT(dh_safetensors_open(&one, a), DH_OK);
    CHECK_INT(dh_safetensors_open(&many, b), DH_OK);
    CHECK_INT(dh_safetensors_shards(many), 7);
    size_t n = dh_safetensors_count(one);
    CHECK_INT(dh_safetensors_count(many), n);
    for (size_t i = 0; i < n; i++) {
        const struct dh_tensor *x = dh_safetensors_at(one, i);
        const struct dh_tensor *y = dh_safetensors_find(many, x->name);
        CHECK(y);
        CHECK_INT(y->bytes, x->bytes);
        CHECK_MEM(y->data, x->data, x->bytes);
    }
    dh_safetensors_close(one);
    dh_safetensors_close(many);
    dh_free(a);
    dh_free(b);
}

static enum dh_status stop_at_second(void *user, const struct dh_tensor *t)
{
    int *n = user;
    (void)t;
    return ++*n == 2 ? DH_ERR_CANCELLED : DH_OK;
}

static void test_parse_returns_what_the_caller_says(void)
{
    struct dh_diag diag = { 0 };
    static const uint8_t data[28];
    int n = 0;
    CHECK_INT(dh_safetensors_parse(TWO_TENSORS, strlen(TWO_TENSORS), data,
                                   sizeof(data), stop_at_second, &n, &diag),
              DH_ERR_CANCELLED);
    CHECK_INT(n, 2);
    CHECK_STR(diag.text, "");
}

DH_TESTS(DH_TEST(finds_tensors_of_a_single_file),
         DH_TEST(type_names_and_sizes_are_those_of_the_format),
         DH_TEST(lying_headers_are_refused),
         DH_TEST(odd_but_true_headers_are_read),
         DH_TEST(truncated_files_are_refused_at_every_length),
         DH_TEST(header_length_is_limited), DH_TEST(missing_files_are_named),
         DH_TEST(bad_indexes_are_refused),
         DH_TEST(shards_hold_what_one_file_holds),
         DH_TEST(parse_returns_what_the_caller_says));
