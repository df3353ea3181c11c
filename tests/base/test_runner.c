// The runner's checks and the assertions: those that must fail do.
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/base/death.h"
#include "tests/dh_test.h"

static void fail_check(void)
{
    CHECK(1 + 1 == 3);
}

static void fail_int(void)
{
    CHECK_INT(1, 2);
}

static void fail_str(void)
{
    CHECK_STR("a", NULL);
}

static void fail_near(void)
{
    CHECK_NEAR((double)NAN, 0, 1e9);
}

static void fail_mem(void)
{
    CHECK_MEM("ab", "ac", 2);
}

static void skip(void)
{
    dh_test_skip("on purpose");
}

static void fail_assert(void)
{
    dh_assert(1 + 1 == 3);
}

static void test_checks_fail_where_they_must(void)
{
    void (*const fails[])(void) = { fail_check, fail_int, fail_str, fail_near,
                                    fail_mem };
    for (size_t i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
        int status = death_status(fails[i]);
        CHECK(WIFEXITED(status));
        CHECK_INT(WEXITSTATUS(status), 1);
    }
}

static void test_skip_has_a_status_of_its_own(void)
{
    int status = death_status(skip);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 77);
}

static void test_assert_ends_the_process(void)
{
    dh_assert(1 + 1 == 2);
    CHECK(death_by_abort(fail_assert));
}

static void test_dir_is_there_and_empty(void)
{
    CHECK(dh_path_is_dir(dh_test_dir()));
    CHECK_INT(rmdir(dh_test_dir()), 0);
}

static void test_every_status_has_a_name(void)
{
    for (int st = DH_OK; st <= DH_ERR_REFUSED; st++) {
        CHECK(dh_status_name((enum dh_status)st)[0]);
        CHECK(strcmp(dh_status_name((enum dh_status)st), "unknown status"));
    }
    CHECK_STR(dh_status_name((enum dh_status)99), "unknown status");
    CHECK_STR(dh_status_name((enum dh_status) - 1), "unknown status");
}

static void test_first_diagnosis_wins_and_long_ones_are_cut(void)
{
    struct dh_diag d = { 0 };
    char longer[400];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    dh_diag_set(NULL, 1, "nobody listens");
    dh_diag_set(&d, 7, "%s", longer);
    dh_diag_set(&d, 9, "second");
    CHECK_INT(d.offset, 7);
    CHECK_INT(strlen(d.text), sizeof(d.text) - 1);
}

DH_TESTS(DH_TEST(checks_fail_where_they_must),
         DH_TEST(skip_has_a_status_of_its_own),
         DH_TEST(assert_ends_the_process), DH_TEST(dir_is_there_and_empty),
         DH_TEST(every_status_has_a_name),
         DH_TEST(first_diagnosis_wins_and_long_ones_are_cut));
