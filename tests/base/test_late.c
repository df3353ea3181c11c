#include "base/late.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "tests/base/death.h"
#include "tests/dh_test.h"

// The Makefile gives DH_LATE to files of this name. Where it does not, there is
// nothing to test: the libraries are linked.
#ifdef DH_LATE

unsigned long crc32(unsigned long crc, const unsigned char *p, unsigned n);
unsigned long crc32_of_nobody(void);

DH_LATE_STUB(crc32)
DH_LATE_STUB(crc32_of_nobody)

static const struct dh_late_row rows[] = { DH_LATE_ROW(crc32){ 0 } };
static const struct dh_late_row absent[] = { DH_LATE_ROW(crc32) DH_LATE_ROW(
    crc32_of_nobody){ 0 } };
static const char *const zlib[] = { "libz.so.1", NULL };
static const char *const nowhere[] = { "libz.so.1", "libnowhere.so.7", NULL };

static const struct dh_late late = { "zlib", zlib, rows };

static unsigned long sum(void)
{
    static const unsigned char text[] = "123456789";
    return crc32(0, text, 9);
}

static void test_a_loaded_function_is_called(void)
{
    CHECK_INT(dh_late_load(&late), DH_OK);
    CHECK_INT(dh_late_load(&late), DH_OK);
    CHECK_INT(sum(), 0xcbf43926);
}

static void call_too_early(void)
{
    sum();
}

static void test_a_call_before_that_ends_the_process(void)
{
    CHECK(death_by_abort(call_too_early));
}

static void last_line(void *user, enum dh_log_level level, const char *tag,
                      const char *text)
{
    (void)tag;
    CHECK_INT(level, DH_LOG_ERROR);
    snprintf(user, 256, "%s", text);
}

static void test_what_is_missing_is_named(void)
{
    char said[256] = "";
    const struct dh_late no_library = { "zlib", nowhere, rows };
    const struct dh_late no_function = { "zlib", zlib, absent };
    dh_log_set_hook(last_line, said);
    CHECK_INT(dh_late_load(&no_library), DH_ERR_UNSUPPORTED);
    CHECK(strstr(said, "zlib cannot be loaded: libnowhere.so.7"));
    CHECK_INT(dh_late_load(&no_function), DH_ERR_UNSUPPORTED);
    CHECK(strstr(said, "the installed zlib has no crc32_of_nobody"));
    dh_log_set_hook(NULL, NULL);
}

DH_TESTS(DH_TEST(a_loaded_function_is_called),
         DH_TEST(a_call_before_that_ends_the_process),
         DH_TEST(what_is_missing_is_named));

#endif
