// Recordings marked, given away and taken in, as a user does it.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "tests/agent/sample.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"
#include "tests/x11/listener.h"

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

/* --- what is given away --- */

static const char *const forms[] = { "agentnet", "screenspot", "osworld",
                                     "markdown", "shell" };

// Of a session with a text that was marked as a secret afterwards.
static void test_secrets_never_leave(void)
{
    char *dir = sample();
    SAY(0, "", NULL, "mark", dir, "2", "pin", "--part=Dear Ada", "--secret");
    // It also stands where nobody marked it.
    char *lines = sample_read(dir, "events.jsonl"), *at;
    while ((at = strstr(lines, "Customer")) != NULL)
        memcpy(at, "Dear Ada", 8);
    CHECK(strstr(lines, "\"title\":\"Dear Ada\""));
    dh_free(dh_test_file("s/events.jsonl", lines));
    for (size_t i = 0; i < DH_COUNTOF(forms); i++) {
        char *out = dh_test_path(forms[i]);
        SAY(0, NULL, NULL, "export", dir, "--to", forms[i], out);
        sample_check_nowhere(out, "Dear Ada");
        dh_free(out);
    }
    // The field is gray in every picture.
    char *picture = dh_test_path("markdown/images/000002.png");
    struct dh_frame *f;
    CHECK_INT(dh_picture_read(picture, &f), DH_OK);
    CHECK_INT(dh_frame_at(f, 60, 50)[0], 0x80);
    CHECK_INT(dh_frame_at(f, 300, 200)[0], 90);
    dh_frame_unref(f);
    dh_free(picture);
    dh_big_free(lines);
    dh_free(dir);
}

/* Where the place is not known, no picture after it leaves. */
static void test_pictures_after_a_secret_without_a_place_stay(void)
{
    char *dir = sample(), *lines = sample_read(dir, "events.jsonl");
    char *rect = strstr(strstr(lines, "\"type\""), "\"rect\"");
    memcpy(rect, "\"tcer\"", 6);
    dh_free(dh_test_file("s/events.jsonl", lines));
    SAY(0, "", NULL, "mark", dir, "2", "pin", "--part=2026", "--secret");
    char *out = dh_test_path("markdown"), *md;
    SAY(0, "7 steps, 1 picture; 2 pictures held back", NULL, "export", dir,
        "--to=markdown", out);
    md = sample_read(out, "session.md");
    CHECK(strstr(md, "000001.png"));
    CHECK(!strstr(md, "000002.png"));
    dh_big_free(md);
    dh_big_free(lines);
    dh_free(out);
    dh_free(dir);
}

static void test_clicks_become_a_set_that_eval_reads(void)
{
    char *dir = sample(), *out = dh_test_path("set");
    char *set = dh_path_join(out, "screenspot.json");
    char *lines = dh_test_path("lines");
    SAY(0, "1 item; 1 left out", "", "export", dir, "--to=screenspot", out);
    SAY(0, NULL, NULL, "eval", "ground", set, "--out", lines);
    char *text = sample_read(lines, "results.jsonl");
    CHECK_INT(json_lines(text), 1);
    CHECK(strstr(text, "images/000001.png"));
    dh_big_free(text);
    dh_free(lines);
    dh_free(set);
    dh_free(out);
    dh_free(dir);
}

static void become_script(const char *path, const char *secrets)
{
    const char *build = getenv("B");
    char *program = dh_path_join(build ? build : "build/release", "deskhand");
    char *argv[] = { dh_strdup(path), NULL };
    setenv("DESKHAND", program, 1);
    setenv("PAUSE", "0", 1);
    if (secrets)
        setenv("SECRETS", secrets, 1);
    execv(path, argv);
    _exit(127);
}

static int run_script(const char *path, const char *secrets)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        become_script(path, secrets);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_the_script_does_it_again(void)
{
    struct dh_listener l;
    char *dir = sample(), *out = dh_test_path("it's a \"script\".sh");
    char *secrets = dh_test_file("secrets", "secret1=pa55\n");
    SAY(0, ": 7 steps\n", "", "export", dir, "--to=shell", out);
    dh_listener_init(&l);
    CHECK(run_script(out, NULL) != 0);
    CHECK_INT(run_script(out, secrets), 0);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), SAMPLE_TEXT "^spa55");
    CHECK_STR(dh_buf_text(&l.events),
              "press 1 60,50\nrelease 1 60,50\n"
              "press 1 10,10\nrelease 1 200,150\n"
              "press 5 60,50\nrelease 5 60,50\n"
              "press 5 60,50\nrelease 5 60,50\n"
              "press 5 60,50\nrelease 5 60,50\n"
              "press 3 300,200 +ctrl\nrelease 3 300,200 +ctrl\n");
    CHECK_INT(dh_listener_held(&l), 0);
    dh_listener_finish(&l);
    dh_free(secrets);
    dh_free(out);
    dh_free(dir);
}

static void test_hostile_sessions_make_no_files(void)
{
    char *dir = sample(), *out = dh_test_path("out dir/x");
    // What cannot be read is left out, and the rest is whole.
    dh_free(dh_test_file(
        "s/events.jsonl",
        "{\"n\":1,\"t\":1,\"k\":\"act\",\"op\":\"dance\"}\n"
        "{\"n\":2,\"t\":2,\"k\":\"act\",\"op\":\"type\",\"text\":\"a\\n'; "
        "touch owned; '\",\"before\":7,\"say\":\"x\\ntouch owned <img "
        "src=x>`\"}\n"));
    SAY(0, "1 step; 1 left out", "no action", "export", dir, "--to=shell", out);
    char *text = sample_read("", out);
    CHECK(strstr(text, "# x touch owned <img src=x>`\n"));
    CHECK(strstr(text, "'type \"a\\n'\\''; touch owned; '\\''\"'"));
    dh_big_free(text);
    SAY(2, "", "is there already", "export", dir, "--to=shell", dir);
    // What is secret must be known.
    dh_free(dh_test_file("s/session.json",
                         "{\"format\":\"deskhand-session\",\"version\":1,"
                         "\"params\":{\"a b\":{}}}"));
    char *none = dh_test_path("none");
    SAY(1, "", "cannot be one", "export", dir, "--to=markdown", none);
    CHECK(!dh_path_exists(none));
    SAY(2, "", "--to which form", "export", dir);
    SAY(1, "", "cannot be opened", "export", "./nowhere", "--to=shell", none);
    dh_free(none);
    dh_free(out);
    dh_free(dir);
}

/* The steps stand below the task, without what is secret or another line. */
static void test_a_session_is_a_plan(void)
{
    char *dir = sample(), *script = dh_test_file("script", "done\n");
    SAY(0, NULL, NULL, "mark", dir, "2", "pin", "--part=2026", "--secret");
    SAY(0, "Enter the form.\n", NULL, "run", "--no-record", "--plan", dir,
        "--script", script);
    SAY(0, "\n2. Type \"Dear Ada, it's {{secret:pin}}\" in the window", NULL,
        "run", "--no-record", "--plan", dir, "--script", script);
    SAY(0, "\n7. Right-click at 750,666\n", NULL, "run", "--no-record",
        "--plan", dir, "--script", script);
    SAY(0, "Another one.\n", NULL, "run", "Another one.", "--no-record",
        "--plan", dir, "--script", script);
    SAY(2, "", "one TASK", "run", "--script", script);
    SAY(1, "", "cannot be opened", "run", "--no-record", "--plan=./nowhere",
        "--script", script);
    dh_free(script);
    dh_free(dir);
}

DH_TESTS(DH_TEST(a_session_is_a_plan), DH_TEST(a_text_becomes_a_parameter),
         DH_TEST(bad_marks_are_said), DH_TEST(secrets_never_leave),
         DH_TEST(pictures_after_a_secret_without_a_place_stay),
         DH_TEST(clicks_become_a_set_that_eval_reads),
         DH_TEST(the_script_does_it_again),
         DH_TEST(hostile_sessions_make_no_files));
