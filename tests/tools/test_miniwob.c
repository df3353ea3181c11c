// `eval miniwob`, as a user runs it, in a real Chromium on pages of our own.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"

#define PAGES "tests/tools/web"

static void need_browser(void)
{
    if (access("/usr/bin/chromium", X_OK))
        dh_test_skip("no chromium here");
}

static void need_rooms(const struct said *s)
{
    if (strstr(s->err, "no closed room"))
        dh_test_skip("the kernel allows no room here");
}

static char *results(const char *dir)
{
    char *path = dh_path_join(dir, "results.jsonl");
    char *text = NULL;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &len), DH_OK);
    dh_free(path);
    return text;
}

/* What does not start is named with its reason, and what follows still is. */
static void test_check_tells_pages_that_work_from_those_that_do_not(void)
{
    static const char *const want[] = {
        "unsupported  bad-alien                      it is no page",
        "unsupported  bad-hasty                      it ends before",
        "unsupported  bad-long                       its question is longer",
        "unsupported  bad-loops                      the page does not answer",
        "unsupported  bad-never                      the page never asks",
        "unsupported  bad-throws                     the page throws: Error: "
        "no "
        "problem today",
        "unsupported  bad-utterance                  the page throws: "
        "TypeError",
        "ok           click-test                     Click the button.",
        "ok           won-then-lost                  Click.",
    };
    struct said s;
    need_browser();
    RUN(&s, "eval", "miniwob", "--check", "--setup-seconds=5", PAGES);
    need_rooms(&s);
    CHECK_SAID(&s, 0, "12 pages, 7 unsupported", "");
    for (size_t i = 0; i < DH_COUNTOF(want); i++) {
        if (!strstr(s.out, want[i]))
            printf("missing: %s\n%s", want[i], s.out);
        CHECK(strstr(s.out, want[i]) != NULL);
    }
    said_finish(&s);
}

static void test_solutions_earn_the_whole_reward_and_nobody_none(void)
{
    struct said s;
    char *out = dh_test_path("run"), *text;
    need_browser();
    RUN(&s, "eval", "miniwob", "--noop", "--oracle", "--seeds=2", "--out", out,
        "--tasks=click-test,enter-*,short", PAGES);
    need_rooms(&s);
    CHECK_SAID(&s, 0, "6 of 6 tasks are valid", "");
    CHECK(strstr(s.out, "1 of 3 pages have no solution here") != NULL);
    text = results(out);
    CHECK_INT(json_lines(text), 10);
    for (const char *at = text; (at = strstr(at, "\"oracle\"")); at++)
        CHECK(strncmp(strstr(at, "\"reward\":"), "\"reward\":1,", 11) == 0);
    // Another seed, another instance.
    CHECK(strstr(text, "\"seed\":2") != NULL);
    CHECK(strstr(text, "Click the button.") != NULL);
    dh_big_free(text);
    said_finish(&s);
    RUN(&s, "eval", "score", out);
    CHECK_SAID(&s, 0, "6 of 6 tasks are valid", NULL);
    said_finish(&s);
    dh_free(out);
}

// A script plays one page; returns its line.
static char *play(const char *page, const char *script, const char *option)
{
    struct said s;
    char tasks[60], name[60];
    snprintf(name, sizeof name, "run-%zu%s", strlen(script),
             option ? option : "");
    char *out = dh_test_path(name);
    char *file = dh_test_file("script", script);
    need_browser();
    snprintf(tasks, sizeof tasks, "--tasks=%s", page);
    RUN(&s, "eval", "miniwob", "--seeds=1", tasks, "--script", file, "--out",
        out, PAGES, option);
    need_rooms(&s);
    CHECK_SAID(&s, 0, "script: ", "");
    CHECK(strstr(s.out, "left out 0") != NULL);
    char *text = results(out);
    CHECK_INT(json_lines(text), 1);
    said_finish(&s);
    dh_free(file);
    dh_free(out);
    return text;
}

static void check_line(char *line, const char *const *parts)
{
    for (; *parts; parts++) {
        if (!strstr(line, *parts))
            printf("missing: %s\n%s", *parts, line);
        CHECK(strstr(line, *parts) != NULL);
    }
    dh_big_free(line);
}
#define CHECK_LINE(line, ...) \
    check_line(line, (const char *const[]){ __VA_ARGS__, NULL })

static void test_only_the_first_reward_counts(void)
{
    CHECK_LINE(play("lost-then-won",
                    "left_click 150 350\nleft_click 150 350\n"
                    "left_click 150 350\nwait 30\n",
                    NULL),
               "\"hit\":false", "\"reward\":-1,", "\"note\":\"lost\"",
               "\"end\":\"over\"");
    CHECK_LINE(play("won-then-lost", "left_click 150 350\nwait 30\n", NULL),
               "\"hit\":true", "\"reward\":1,", "\"score\":1");
}

static void test_the_limit_of_time_is_lifted_or_kept(void)
{
    const char *late = "wait 2\nleft_click 150 350\nwait 30\n";
    CHECK_LINE(play("short", late, NULL), "\"hit\":true", "\"score\":1",
               "\"reward\":0.5", "\"reward_timed\":0,");
    CHECK_LINE(play("short", late, "--time-limit"), "\"hit\":false",
               "\"reward\":-1,", "\"note\":\"timed out\"");
}

/* An agent that closes the browser has failed; that is no fault of ours. */
static void test_a_closed_page_is_a_failure(void)
{
    CHECK_LINE(play("click-test", "key alt+F4\nwait 1\ndone\n", NULL),
               "\"hit\":false", "\"error_kind\":\"none\"",
               "\"note\":\"the page was closed\"");
    CHECK_LINE(play("click-test", "done\n", NULL), "\"hit\":false",
               "\"note\":\"the page was not finished\"", "\"end\":\"done\"");
}

static void test_a_bad_page_is_left_out_and_the_run_goes_on(void)
{
    struct said s;
    char *out = dh_test_path("run");
    char *script = dh_test_file("script", "left_click 150 350\nwait 30\n");
    need_browser();
    RUN(&s, "eval", "miniwob", "--seeds=1", "--setup-seconds=6", "--script",
        script, "--tasks=bad-loops,bad-throws,won-then-lost", "--out", out,
        PAGES);
    need_rooms(&s);
    CHECK_SAID(&s, 0, "script: 1 of 1 solved", NULL);
    CHECK(strstr(s.out, "left out 2") != NULL);
    CHECK(strstr(s.out, "2 of 3 could not be set up") != NULL);
    said_finish(&s);
    dh_free(script);
    dh_free(out);
}

static void test_a_wrong_folder_or_list_is_said(void)
{
    struct said s;
    char *list = dh_test_file("list", "# none\nno-such-page\n"), at[300];
    char *dir = dh_test_path("shut"), *core = dh_test_path("shut/core");
    char *pages = dh_test_path("shut/miniwob");
    RUN(&s, "eval", "miniwob", "/no/such/folder");
    CHECK_SAID(&s, 1, "", "/no/such/folder");
    said_finish(&s);
    RUN(&s, "eval", "miniwob");
    CHECK_SAID(&s, 2, "", "one folder");
    said_finish(&s);
    snprintf(at, sizeof at, "--tasks=@%s", list);
    RUN(&s, "eval", "miniwob", at, PAGES);
    CHECK_SAID(&s, 1, "", "is among --tasks");
    said_finish(&s);
    RUN(&s, "eval", "miniwob", "--scale=1", PAGES);
    CHECK_SAID(&s, 2, "", "scale: 1");
    said_finish(&s);
    RUN(&s, "eval", "miniwob", "--scale=4", "--screen=600x800", PAGES);
    CHECK_SAID(&s, 2, "", "--screen");
    said_finish(&s);
    CHECK(!mkdir(dir, 0700) && !mkdir(core, 0700) && !mkdir(pages, 0700));
    dh_free(dh_test_file("shut/core/core.js", ""));
    RUN(&s, "eval", "miniwob", dir);
    CHECK_SAID(&s, 1, "", "chmod");
    said_finish(&s);
    dh_free(dir);
    dh_free(core);
    dh_free(pages);
    dh_free(list);
}

DH_TESTS(DH_TEST(check_tells_pages_that_work_from_those_that_do_not),
         DH_TEST(solutions_earn_the_whole_reward_and_nobody_none),
         DH_TEST(only_the_first_reward_counts),
         DH_TEST(the_limit_of_time_is_lifted_or_kept),
         DH_TEST(a_closed_page_is_a_failure),
         DH_TEST(a_bad_page_is_left_out_and_the_run_goes_on),
         DH_TEST(a_wrong_folder_or_list_is_said));
