#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tests/dh_test.h"

#define DH_LOG_TAG "probe"
#include "base/log.h"

static void collect(void *user, enum dh_log_level level, const char *tag,
                    const char *text)
{
    dh_buf_printf(user, "%d %s %s;", (int)level, tag, text);
}

static void test_levels_select_by_tag(void)
{
    CHECK(dh_log_wants(DH_LOG_WARN, "x"));
    CHECK(!dh_log_wants(DH_LOG_INFO, "x"));
    CHECK(dh_log_set_levels("error,model:trace,screen:info,model:debug"));
    CHECK(!dh_log_wants(DH_LOG_WARN, "x"));
    CHECK(dh_log_wants(DH_LOG_INFO, "screen"));
    CHECK(!dh_log_wants(DH_LOG_DEBUG, "screen"));
    CHECK(dh_log_wants(DH_LOG_DEBUG, "model"));
    CHECK(!dh_log_wants(DH_LOG_TRACE, "model"));
    CHECK(dh_log_set_levels("x:trace"));
    CHECK(dh_log_wants(DH_LOG_WARN, "y"));
}

static void test_malformed_levels_change_nothing(void)
{
    static const char *const bad[] = {
        "",         "loud",
        "info,",    ",info",
        "model:",   ":info",
        "a:b:info", "info model:trace",
        "INFO",     "a_tag_that_is_far_longer_than_any_module_name:info"
    };
    CHECK(dh_log_set_levels("debug"));
    for (size_t i = 0; i < DH_COUNTOF(bad); i++) {
        if (dh_log_set_levels(bad[i]))
            printf("\"%s\" was taken\n", bad[i]);
        CHECK(!dh_log_set_levels(bad[i]));
        CHECK(dh_log_wants(DH_LOG_DEBUG, "x"));
        CHECK(!dh_log_wants(DH_LOG_TRACE, "x"));
    }
}

static void test_hook_gets_what_is_wanted_without_control_characters(void)
{
    struct dh_buf b;
    dh_buf_init(&b, 10000);
    dh_log_set_hook(collect, &b);
    dh_info("not wanted");
    dh_warn("a\nb\x1b[31m%d", 5);
    dh_log_set_hook(NULL, NULL);
    CHECK_STR(dh_buf_text(&b), "1 probe a b?[31m5;");
    dh_buf_finish(&b);
}

static void log_many(void *arg)
{
    for (int i = 0; i < 500; i++)
        dh_warn("thread %s says the same thing over and over",
                (const char *)arg);
}

static void test_lines_of_threads_do_not_mix(void)
{
    char *path = dh_test_path("log");
    int old = dup(STDERR_FILENO);
    CHECK(freopen(path, "w", stderr));
    struct dh_thread t[3];
    char names[3][2] = { "a", "b", "c" };
    for (int i = 0; i < 3; i++)
        CHECK_INT(dh_thread_start(&t[i], "log", log_many, names[i]), DH_OK);
    for (int i = 0; i < 3; i++)
        dh_thread_join(&t[i]);
    dup2(old, STDERR_FILENO);

    char *text;
    size_t len, lines = 0;
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &len), DH_OK);
    for (char *p = text; *p; lines++) {
        static const char want[] = "warn probe: thread ";
        char *end = strchr(p, '\n');
        CHECK(end);
        CHECK_MEM(p, want, strlen(want));
        CHECK_INT(end - p, strlen(want) + strlen("a says the same thing over "
                                                 "and over"));
        p = end + 1;
    }
    CHECK_INT(lines, 1500);
    dh_big_free(text);
    dh_free(path);
}

static void test_long_line_is_cut_with_dots(void)
{
    char big[5000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    struct dh_buf b;
    dh_buf_init(&b, 10000);
    dh_log_set_hook(collect, &b);
    dh_warn("%s", big);
    dh_log_set_hook(NULL, NULL);
    CHECK(b.len > 1000 && b.len < 3000);
    CHECK_STR(b.data + b.len - 5, "x...;");
    dh_buf_finish(&b);
}

DH_TESTS(DH_TEST(levels_select_by_tag),
         DH_TEST(malformed_levels_change_nothing),
         DH_TEST(hook_gets_what_is_wanted_without_control_characters),
         DH_TEST(lines_of_threads_do_not_mix),
         DH_TEST(long_line_is_cut_with_dots));
