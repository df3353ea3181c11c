// Recordings marked, given away and taken in, as a user does it.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/agent/sample.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"

#define SECRET "Dear Ada"

static char *sample(void)
{
    char *dir = dh_test_path("s");
    sample_write(dir);
    return dir;
}

#define SAY(want, out_has, err_has, ...)                \
    do {                                                \
        struct said said_here;                          \
        RUN(&said_here, __VA_ARGS__);                   \
        CHECK_SAID(&said_here, want, out_has, err_has); \
        said_finish(&said_here);                        \
    } while (0)

static void test_a_text_becomes_a_parameter(void)
{
    char *dir = sample();
    SAY(0, "   2  type \"" SAMPLE_TEXT "\"\n", "", "mark", dir);
    SAY(0, "secret1, which has to be given: a secret", "", "mark", dir);
    SAY(0, "", "", "mark", dir, "2", "customer", "--part", "Ada");
    SAY(0, "", "", "mark", dir, "2", "--note", "new ones only");
    SAY(0, "type \"Dear {{customer}}, it's 2026\"  (new ones only)\n", "",
        "mark", dir);
    SAY(0, "customer = Ada\n", "", "mark", dir);
    SAY(0, "\"param\":\"customer\",\"value\":\"Ada\"", "", "mark", "--json",
        dir);
    SAY(0, "", "", "mark", dir, "--remove", "customer");
    SAY(0, "   2  type \"" SAMPLE_TEXT "\"", "", "mark", dir);
    SAY(0, "", "is still in", "mark", dir, "2", "pin", "--part=2026",
        "--secret");
    SAY(0, "it's {{secret:pin}}\"", "", "mark", dir);
    dh_free(dir);
}

static void test_bad_marks_are_said(void)
{
    char *dir = sample();
    SAY(2, "", "one", "mark");
    SAY(2, "", "no number of a step", "mark", dir, "x", "a");
    SAY(2, "", "--note", "mark", dir, "1");
    SAY(2, "", "STEP PARAM", "mark", dir, "--secret");
    SAY(2, "", "there is no step 70", "mark", dir, "70", "a");
    SAY(2, "", "has no text", "mark", dir, "1", "a");
    SAY(2, "", "has no text", "mark", dir, "4", "a");
    SAY(2, "", "is no name", "mark", dir, "2", "no good");
    SAY(2, "", "is not in the text", "mark", dir, "2", "a", "--part=Bob");
    SAY(2, "", "more than once", "mark", dir, "2", "a", "--part=a");
    SAY(2, "", "no parameter", "mark", dir, "--remove=zoo");
    SAY(1, "", "cannot be opened", "mark", "./nowhere");
    dh_free(
        dh_test_file("s/session.json", "{\"format\":\"deskhand-session\"}"));
    SAY(2, "", "has no end", "mark", dir, "2", "a");
    SAY(0, "", "", "mark", "--cut-short", dir, "2", "a");
    dh_free(dir);
}

DH_TESTS(DH_TEST(a_text_becomes_a_parameter), DH_TEST(bad_marks_are_said));
