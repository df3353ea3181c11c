#include "model/gguf.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/gguf_priv.h"
#include "tests/dh_test.h"

/* A file that is put together piece by piece. */
struct maker {
    struct dh_buf b;
};

static void put_uint(struct maker *m, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        dh_buf_putc(&m->b, (char)(v >> (8 * i)));
}

static void put_text(struct maker *m, const char *s)
{
    put_uint(m, strlen(s), 8);
    dh_buf_puts(&m->b, s);
}

static void begin(struct maker *m, uint64_t tensors, uint64_t values)
{
    dh_buf_init(&m->b, 1 << 20);
    dh_buf_puts(&m->b, "GGUF");
    put_uint(m, 3, 4);
    put_uint(m, tensors, 8);
    put_uint(m, values, 8);
}

static void put_u32(struct maker *m, const char *key, uint32_t v)
{
    put_text(m, key);
    put_uint(m, DH_GGUF_U32, 4);
    put_uint(m, v, 4);
}

static void put_tensor(struct maker *m, const char *name, uint64_t rows,
                       uint64_t cols, uint32_t type, uint64_t offset)
{
    put_text(m, name);
    put_uint(m, 2, 4);
    put_uint(m, cols, 8);
    put_uint(m, rows, 8);
    put_uint(m, type, 4);
    put_uint(m, offset, 8);
}

static void put_data(struct maker *m, size_t n)
{
    while (m->b.len % 32 != 0)
        dh_buf_putc(&m->b, 0);
    for (size_t i = 0; i < n; i++)
        dh_buf_putc(&m->b, (char)i);
}

// The file is freed; what it says is left in diag.
static enum dh_status parse(struct maker *m, struct dh_gguf **out,
                            struct dh_diag *diag)
{
    *diag = (struct dh_diag){ 0 };
    return dh_gguf_parse(out, (const uint8_t *)m->b.data, m->b.len, diag);
}

static void refused(struct maker *m, const char *why)
{
    struct dh_gguf *g = NULL;
    struct dh_diag diag;
    CHECK(parse(m, &g, &diag) != DH_OK);
    CHECK(!g);
    if (!strstr(diag.text, why))
        CHECK_STR(diag.text, why);
    dh_buf_finish(&m->b);
}

static void test_reads_values_and_tensors(void)
{
    struct maker m;
    struct dh_gguf *g;
    struct dh_diag diag;
    begin(&m, 2, 5);
    put_u32(&m, "a.number", 4000000000);
    put_text(&m, "a.text");
    put_uint(&m, DH_GGUF_STRING, 4);
    put_text(&m, "hello");
    put_text(&m, "a.list");
    put_uint(&m, DH_GGUF_ARRAY, 4);
    put_uint(&m, DH_GGUF_STRING, 4);
    put_uint(&m, 2, 8);
    put_text(&m, "x");
    put_text(&m, "");
    put_text(&m, "a.byte");
    put_uint(&m, DH_GGUF_I8, 4);
    put_uint(&m, 0xfe, 1);
    put_text(&m, "a.real");
    put_uint(&m, DH_GGUF_F32, 4);
    put_uint(&m, 0x3fc00000, 4);
    put_tensor(&m, "b", 2, 32, 8, 64);
    put_tensor(&m, "a", 3, 4, 0, 0);
    put_data(&m, 64 + 68);
    CHECK_INT(parse(&m, &g, &diag), DH_OK);

    int64_t whole;
    double real;
    struct dh_str text;
    CHECK(dh_gguf_i64(dh_gguf_find(g, "a.number"), &whole));
    CHECK_INT(whole, 4000000000);
    CHECK(dh_gguf_i64(dh_gguf_find(g, "a.byte"), &whole));
    CHECK_INT(whole, -2);
    CHECK(dh_gguf_double(dh_gguf_find(g, "a.real"), &real));
    CHECK_NEAR(real, 1.5, 0);
    CHECK(!dh_gguf_i64(dh_gguf_find(g, "a.real"), &whole));
    CHECK(!dh_gguf_i64(dh_gguf_find(g, "a.list"), &whole));
    CHECK(!dh_gguf_i64(dh_gguf_find(g, "absent"), &whole));
    CHECK(dh_gguf_text(dh_gguf_find(g, "a.text"), &text));
    CHECK(dh_str_is(text, "hello"));
    size_t at = 0;
    const struct dh_gguf_value *list = dh_gguf_find(g, "a.list");
    CHECK(dh_gguf_next_text(list, &at, &text) && dh_str_is(text, "x"));
    CHECK(dh_gguf_next_text(list, &at, &text) && text.n == 0);
    CHECK(!dh_gguf_next_text(list, &at, &text));

    const struct dh_tensors *all = dh_gguf_list(g);
    CHECK_INT(all->n, 2);
    CHECK_STR(all->at[0].name, "a");
    CHECK_INT(all->at[0].shape[0], 3);
    CHECK_INT(all->at[0].shape[1], 4);
    CHECK_INT(all->at[1].dtype, DH_Q8_0);
    CHECK_INT(all->at[1].bytes, 68);
    CHECK_INT(all->at[1].data[0], 64);
    dh_gguf_close(g);
    dh_buf_finish(&m.b);
}

static void test_lies_are_refused(void)
{
    struct maker m;
    dh_buf_init(&m.b, 100);
    dh_buf_puts(&m.b, "GGML, which is something else");
    refused(&m, "not a GGUF file");

    begin(&m, 1, 0);
    m.b.data[4] = 2;
    refused(&m, "version 2");

    begin(&m, 0, 0);
    refused(&m, "no tensor");

    begin(&m, UINT64_MAX, 0);
    refused(&m, "too many");

    begin(&m, 1, UINT64_MAX);
    refused(&m, "entries of metadata");

    begin(&m, 1, 1);
    put_text(&m, "k");
    put_uint(&m, 77, 4);
    put_uint(&m, 0, 8);
    refused(&m, "no type 77");

    begin(&m, 1, 1);
    put_text(&m, "k");
    put_uint(&m, DH_GGUF_ARRAY, 4);
    put_uint(&m, DH_GGUF_U64, 4);
    put_uint(&m, UINT64_MAX / 4, 8);
    refused(&m, "more than the file");

    begin(&m, 1, 1);
    put_text(&m, "k");
    put_uint(&m, DH_GGUF_ARRAY, 4);
    put_uint(&m, DH_GGUF_STRING, 4);
    put_uint(&m, UINT64_MAX, 8);
    refused(&m, "cut short");

    begin(&m, 1, 2);
    put_u32(&m, "k", 1);
    put_u32(&m, "k", 2);
    refused(&m, "k is there twice");

    begin(&m, 1, 1);
    put_u32(&m, "general.alignment", 48);
    put_tensor(&m, "a", 1, 32, 0, 0);
    refused(&m, "general.alignment");

    begin(&m, 1, 0);
    put_tensor(&m, "a", 1, 32, 21, 0);
    refused(&m, "a: the type 21, IQ3_S is not supported: take a file of Q4_K");

    begin(&m, 1, 0);
    put_tensor(&m, "a", 1, 32, 4000000000, 0);
    refused(&m, "a: the type 4000000000 is not supported");

    begin(&m, 1, 0);
    put_tensor(&m, "a", 1, 33, 8, 0);
    refused(&m, "not whole blocks of Q8_0");

    begin(&m, 1, 0);
    put_tensor(&m, "a", (uint64_t)1 << 40, (uint64_t)1 << 40, 0, 0);
    refused(&m, "too large");

    begin(&m, 1, 0);
    put_tensor(&m, "a", UINT64_MAX, 32, 0, 0);
    refused(&m, "too large");

    begin(&m, 1, 0);
    put_tensor(&m, "a", 1, 8, 0, 16);
    put_data(&m, 64);
    refused(&m, "not aligned");

    begin(&m, 1, 0);
    put_tensor(&m, "a", 1, 8, 0, UINT64_MAX - 31);
    put_data(&m, 64);
    refused(&m, "ends beyond");

    begin(&m, 2, 0);
    put_tensor(&m, "a", 1, 8, 0, 0);
    put_tensor(&m, "a", 1, 8, 0, 32);
    put_data(&m, 64);
    refused(&m, "a is there twice");

    begin(&m, 2, 0);
    put_tensor(&m, "a", 2, 8, 0, 0);
    put_tensor(&m, "b", 1, 8, 0, 32);
    put_data(&m, 64);
    refused(&m, "overlap");
}

/* Cut off anywhere, or with any byte changed: a reason, or a file that is read
 * within its bounds. */
static void test_no_byte_is_trusted(void)
{
    struct maker m;
    struct dh_gguf *g;
    struct dh_diag diag;
    begin(&m, 1, 2);
    put_u32(&m, "general.alignment", 32);
    put_text(&m, "l");
    put_uint(&m, DH_GGUF_ARRAY, 4);
    put_uint(&m, DH_GGUF_STRING, 4);
    put_uint(&m, 1, 8);
    put_text(&m, "abc");
    put_tensor(&m, "a", 2, 8, 0, 0);
    put_data(&m, 64);
    const uint8_t *all = (const uint8_t *)m.b.data;
    for (size_t n = 0; n < m.b.len; n++) {
        uint8_t *part = dh_big_alloc(DH_MAX(n, 1));
        memcpy(part, all, n);
        diag = (struct dh_diag){ 0 };
        CHECK(dh_gguf_parse(&g, part, n, &diag) != DH_OK);
        CHECK(diag.text[0]);
        dh_big_free(part);
    }
    uint8_t *copy = dh_big_alloc(m.b.len);
    for (size_t i = 0; i < m.b.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, all, m.b.len);
            copy[i] ^= (uint8_t)(1 << bit);
            diag = (struct dh_diag){ 0 };
            if (dh_gguf_parse(&g, copy, m.b.len, &diag)) {
                CHECK(diag.text[0]);
                continue;
            }
            const struct dh_tensor *t = dh_gguf_list(g)->at;
            CHECK(t->data >= copy && t->bytes <= m.b.len &&
                  (size_t)(t->data - copy) <= m.b.len - t->bytes);
            dh_gguf_close(g);
        }
    }
    dh_big_free(copy);
    dh_buf_finish(&m.b);
}

static char last_log[400];

static void remember(void *user, enum dh_log_level level, const char *tag,
                     const char *text)
{
    (void)user;
    (void)level;
    (void)tag;
    snprintf(last_log, sizeof(last_log), "%s", text);
}

static void write_split(const char *name, int no, const char *tensor)
{
    struct maker m;
    char *path = dh_test_path(name);
    begin(&m, 1, 2);
    put_u32(&m, "split.count", 2);
    put_u32(&m, "split.no", (uint32_t)no);
    put_tensor(&m, tensor, 1, 8, 0, 0);
    put_data(&m, 32);
    CHECK_INT(dh_file_write(path, m.b.data, m.b.len), DH_OK);
    dh_buf_finish(&m.b);
    dh_free(path);
}

static void test_a_model_in_two_files(void)
{
    struct dh_gguf *g;
    char *first = dh_test_path("m-00001-of-00002.gguf");
    char *second = dh_test_path("m-00002-of-00002.gguf");
    write_split("m-00001-of-00002.gguf", 0, "b");
    dh_log_set_hook(remember, NULL);
    CHECK_INT(dh_gguf_open(&g, first), DH_ERR_NOTFOUND);
    write_split("m-00002-of-00002.gguf", 1, "a");
    CHECK_INT(dh_gguf_open(&g, second), DH_ERR_FORMAT);
    CHECK(strstr(last_log, "-00001-of-00002.gguf"));
    dh_log_set_hook(NULL, NULL);
    CHECK_INT(dh_gguf_open(&g, first), DH_OK);
    CHECK_INT(dh_gguf_files(g), 2);
    CHECK_INT(dh_gguf_list(g)->n, 2);
    CHECK_STR(dh_gguf_list(g)->at[0].name, "a");
    CHECK_INT(dh_gguf_list(g)->at[0].shard, 1);
    dh_gguf_close(g);
    dh_free(first);
    dh_free(second);
}

/* Another architecture, or one whose metadata is not all there. */
static void test_configurations_name_what_is_wrong(void)
{
    struct maker m;
    struct dh_gguf *g;
    struct dh_diag diag;
    struct dh_config c;
    begin(&m, 1, 1);
    put_text(&m, "general.architecture");
    put_uint(&m, DH_GGUF_STRING, 4);
    put_text(&m, "llama");
    put_tensor(&m, "a", 1, 8, 0, 0);
    put_data(&m, 32);
    CHECK_INT(parse(&m, &g, &diag), DH_OK);
    CHECK_INT(dh_gguf_config(g, &c, &diag), DH_ERR_UNSUPPORTED);
    CHECK(strstr(diag.text, "'llama'"));
    dh_gguf_close(g);
    dh_buf_finish(&m.b);

    begin(&m, 1, 2);
    put_text(&m, "general.architecture");
    put_uint(&m, DH_GGUF_STRING, 4);
    put_text(&m, "minimax-m3");
    put_u32(&m, "minimax-m3.block_count", 4000000000);
    put_tensor(&m, "a", 1, 8, 0, 0);
    put_data(&m, 32);
    CHECK_INT(parse(&m, &g, &diag), DH_OK);
    CHECK_INT(dh_gguf_config(g, &c, &diag), DH_ERR_FORMAT);
    CHECK(strstr(diag.text, "block_count"));
    dh_gguf_close(g);
    m.b.data[m.b.len - 1] = 0;
    dh_buf_finish(&m.b);

    begin(&m, 1, 2);
    put_text(&m, "general.architecture");
    put_uint(&m, DH_GGUF_STRING, 4);
    put_text(&m, "minimax-m3");
    put_u32(&m, "minimax-m3.block_count", 2);
    put_tensor(&m, "a", 1, 8, 0, 0);
    put_data(&m, 32);
    CHECK_INT(parse(&m, &g, &diag), DH_OK);
    dh_log_set_hook(remember, NULL);
    CHECK_INT(dh_gguf_config(g, &c, &diag), DH_ERR_FORMAT);
    dh_log_set_hook(NULL, NULL);
    CHECK(strstr(diag.text, "a whole number expected"));
    struct dh_buf json;
    dh_buf_init(&json, 1 << 16);
    diag = (struct dh_diag){ 0 };
    CHECK_INT(dh_gguf_tokenizer(g, &json, &diag), DH_ERR_UNSUPPORTED);
    CHECK(strstr(diag.text, "tokenizer.ggml.model"));
    dh_buf_finish(&json);
    dh_gguf_close(g);
    dh_buf_finish(&m.b);
}

DH_TESTS(DH_TEST(reads_values_and_tensors), DH_TEST(lies_are_refused),
         DH_TEST(no_byte_is_trusted), DH_TEST(a_model_in_two_files),
         DH_TEST(configurations_name_what_is_wrong));
