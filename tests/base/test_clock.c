#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "tests/dh_test.h"

static void test_time_moves_and_sleep_lasts(void)
{
    int64_t begun = dh_now_ns();
    dh_sleep_for(20 * DH_MS);
    CHECK(dh_now_ns() - begun >= 20 * DH_MS);
    CHECK(dh_now_ns() - begun < 20 * DH_S);
    dh_sleep_until(begun);
    dh_sleep_until(-5);
    dh_sleep_for(-5);
}

static void test_fake_clock_moves_by_sleeping_only(void)
{
    dh_clock_fake(true, 1000);
    CHECK_INT(dh_now_ns(), 1000);
    CHECK_INT(dh_now_ns(), 1000);
    dh_sleep_for(3600 * DH_S);
    CHECK_INT(dh_now_ns(), 1000 + 3600 * DH_S);
    dh_sleep_until(5);
    CHECK_INT(dh_now_ns(), 1000 + 3600 * DH_S);
    dh_sleep_for(INT64_MAX);
    CHECK_INT(dh_now_ns(), INT64_MAX);
    dh_clock_fake(false, 0);
    CHECK(dh_now_ns() < INT64_MAX / 2);
}

static void test_waiting_moves_the_fake_clock_to_its_end(void)
{
    struct dh_mutex m;
    struct dh_cond c;
    dh_mutex_init(&m);
    dh_cond_init(&c);
    dh_clock_fake(true, 77);
    dh_mutex_lock(&m);
    while (dh_cond_wait_until(&c, &m, 77 + DH_MS))
        continue;
    CHECK_INT(dh_now_ns(), 77 + DH_MS);
    dh_mutex_unlock(&m);
    dh_clock_fake(false, 0);
    dh_cond_finish(&c);
    dh_mutex_finish(&m);
}

static void test_time_as_text(void)
{
    char text[32];
    dh_time_text(0, text);
    CHECK_STR(text, "1970-01-01T00:00:00Z");
    dh_time_text(INT64_C(1795341600) * DH_S + 999, text);
    CHECK_STR(text, "2026-11-22T10:00:00Z");
    dh_time_text(INT64_MAX, text);
    CHECK_STR(text, "2262-04-11T23:47:16Z");
    dh_time_text(INT64_MIN, text);
    CHECK(strlen(text) == 20);
    CHECK(dh_realtime_ns() > INT64_C(1700000000) * DH_S);
}

DH_TESTS(DH_TEST(time_moves_and_sleep_lasts),
         DH_TEST(fake_clock_moves_by_sleeping_only),
         DH_TEST(waiting_moves_the_fake_clock_to_its_end),
         DH_TEST(time_as_text));
