#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/dh_test.h"

static void test_empty_buffer_is_an_empty_text(void)
{
    struct dh_buf b;
    dh_buf_init(&b, 10);
    CHECK_STR(dh_buf_text(&b), "");
    char *taken = dh_buf_take(&b);
    CHECK_STR(taken, "");
    dh_free(taken);
    dh_buf_finish(&b);
}

static void test_grows_and_keeps_everything(void)
{
    struct dh_buf b;
    dh_buf_init(&b, SIZE_MAX);
    for (int i = 0; i < 5000; i++)
        dh_buf_printf(&b, "%d,", i);
    CHECK(!b.overflow);
    CHECK_INT(b.len, strlen(b.data));
    CHECK_MEM(b.data, "0,1,2,3,", 8);
    CHECK_STR(b.data + b.len - 5, "4999,");
    dh_buf_finish(&b);
}

static void test_write_past_the_maximum_writes_nothing_and_is_remembered(void)
{
    struct dh_buf b;
    dh_buf_init(&b, 5);
    dh_buf_puts(&b, "abcde");
    CHECK(!b.overflow);
    dh_buf_putc(&b, 'f');
    CHECK(b.overflow);
    CHECK_STR(dh_buf_text(&b), "abcde");
    dh_buf_put(&b, "", 0);
    CHECK(b.overflow);
    dh_buf_clear(&b);
    CHECK(!b.overflow);
    CHECK_STR(dh_buf_text(&b), "");
    dh_buf_printf(&b, "%s", "123456");
    CHECK(b.overflow);
    CHECK_STR(dh_buf_text(&b), "");
    dh_buf_finish(&b);
}

static void test_take_hands_over_and_starts_anew(void)
{
    struct dh_buf b;
    dh_buf_init(&b, 100);
    dh_buf_put(&b, "a\0b", 3);
    char *taken = dh_buf_take(&b);
    CHECK_MEM(taken, "a\0b", 4);
    dh_buf_puts(&b, "new");
    CHECK_STR(dh_buf_text(&b), "new");
    dh_free(taken);
    dh_buf_finish(&b);
}

static void test_printf_joins_at_any_length(void)
{
    struct dh_buf b;
    dh_buf_init(&b, 1000);
    for (size_t n = 0; n < 200; n++) {
        char text[256];
        memset(text, 'y', n);
        text[n] = '\0';
        dh_buf_clear(&b);
        dh_buf_printf(&b, "<%s>", text);
        CHECK_INT(b.len, n + 2);
        CHECK(b.data[0] == '<' && b.data[n + 1] == '>');
    }
    dh_buf_finish(&b);
}

DH_TESTS(DH_TEST(empty_buffer_is_an_empty_text),
         DH_TEST(grows_and_keeps_everything),
         DH_TEST(write_past_the_maximum_writes_nothing_and_is_remembered),
         DH_TEST(take_hands_over_and_starts_anew),
         DH_TEST(printf_joins_at_any_length));
