// What a user reads: help, usage errors, output that cannot be written.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"

static const char *const commands[] = { "run",   "locate", "ask",     "grab",
                                        "act",   "tokens", "inspect", "forward",
                                        "eval",  "doctor", "bench",   "view",
                                        "serve", "record", "mark",    "export",
                                        "import" };

static void test_help_lists_every_command(void)
{
    static const char *const ways[] = { "help", "--help", "-h" };
    struct said s;
    for (size_t w = 0; w < DH_COUNTOF(ways); w++) {
        RUN(&s, ways[w]);
        CHECK_SAID(&s, 0, "Usage: deskhand COMMAND", "");
        for (size_t i = 0; i < DH_COUNTOF(commands); i++) {
            char line[32];
            snprintf(line, sizeof line, "\n  %s ", commands[i]);
            CHECK_SAID(&s, 0, line, "");
        }
        said_finish(&s);
    }
}

// No line of it is too wide for a terminal, and both ways say the same.
static void test_every_command_has_help(void)
{
    struct said s, other;
    for (size_t i = 0; i < DH_COUNTOF(commands); i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "Usage: deskhand %s [OPTION]...",
                 commands[i]);
        RUN(&s, "help", commands[i]);
        RUN(&other, commands[i], "--help");
        CHECK_SAID(&s, 0, usage, "");
        CHECK_SAID(&s, 0, "\n  -h, --help ", "");
        CHECK_STR(other.out, s.out);
        for (const char *p = s.out; *p; p += strcspn(p, "\n") + 1) {
            if (strcspn(p, "\n") > 80)
                CHECK_STR(p, "a line of 80 columns");
        }
        said_finish(&s);
        said_finish(&other);
    }
}

static void test_version_is_printed(void)
{
    struct said s;
    RUN(&s, "--version");
    CHECK_SAID(&s, 0, "deskhand " DH_VERSION "\n", "");
    said_finish(&s);
}

static void test_a_wrong_command_names_the_nearest(void)
{
    static const char *const rows[][2] = {
        { "rnu", "did you mean run?" },
        { "grabb", "did you mean grab?" },
        { "loc", "did you mean locate?" },
        { "docter", "did you mean doctor?" },
        { "insepct", "did you mean inspect?" },
    };
    struct said s;
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        RUN(&s, rows[i][0]);
        CHECK_SAID(&s, 2, "", rows[i][1]);
        said_finish(&s);
        RUN(&s, "help", rows[i][0]);
        CHECK_SAID(&s, 2, "", rows[i][1]);
        said_finish(&s);
    }
    RUN(&s, "xyzzy");
    CHECK_SAID(&s, 2, "", "no command \"xyzzy\"\nTry 'deskhand help'.\n");
    said_finish(&s);
}

static void check_usage(const char *const *args, const char *err)
{
    struct said s;
    program_run(&s, args);
    CHECK_SAID(&s, 2, "", err);
    CHECK_SAID(&s, 2, "", "--help'.\n");
    said_finish(&s);
}
#define CHECK_USAGE(err, ...) \
    check_usage((const char *const[]){ __VA_ARGS__, NULL }, err)

static void test_usage_errors_exit_with_2(void)
{
    CHECK_USAGE("did you mean --max-steps?", "run", "--max-stps", "3", "x");
    CHECK_USAGE("0 is not in 1..10000", "run", "--max-steps", "0", "x");
    CHECK_USAGE("integer expected", "run", "--max-steps=many", "x");
    CHECK_USAGE("needs a value", "run", "x", "--display");
    CHECK_USAGE("one TASK", "run");
    CHECK_USAGE("one TASK", "run", "two", "tasks");
    CHECK_USAGE("one TASK", "run", "");
    CHECK_USAGE("--log=loud", "run", "--log=loud", "x");
    CHECK_USAGE("IMAGE and INSTRUCTION", "locate", "a.png");
    CHECK_USAGE("one QUESTION", "ask");
    CHECK_USAGE("one FILE", "grab");
    CHECK_USAGE("no action", "act");
    CHECK_USAGE("one checkpoint", "inspect", "a", "b");
    CHECK_USAGE("are needed", "forward", "--model", "x");
    CHECK_USAGE("no operand", "doctor", "now");
    CHECK_USAGE("unknown option", "doctor", "--xyzzy");
}

// The whole manual without a warning, where there is a formatter to ask.
static void test_the_manual_is_clean(void)
{
    struct said s;
    char *path = dh_test_path("deskhand.1");
    char *log = dh_test_path("warnings");
    RUN(&s, "help", "--man");
    CHECK_SAID(&s, 0, ".TH DESKHAND 1", "");
    for (size_t i = 0; i < DH_COUNTOF(commands); i++) {
        char heading[32];
        snprintf(heading, sizeof heading, ".SH DESKHAND %s\n", commands[i]);
        CHECK_SAID(&s, 0, heading, "");
    }
    CHECK_INT(dh_file_write(path, s.out, strlen(s.out)), DH_OK);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen(log, "w", stderr))
            _exit(126);
        execlp("groff", "groff", "-man", "-Tutf8", "-ww", "-z", path,
               (char *)NULL);
        _exit(127);
    }
    int status;
    CHECK(pid > 0);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        dh_test_skip("groff is not installed");
    CHECK_INT(status, 0);
    char *text;
    size_t len;
    CHECK_INT(dh_file_read(log, 1 << 20, &text, &len), DH_OK);
    CHECK_STR(text, "");
    dh_big_free(text);
    dh_free(path);
    dh_free(log);
    said_finish(&s);
}

// A result that could not be written is no success.
static void test_a_full_standard_output_is_a_failure(void)
{
    static const char *const lines[] = { "help", "help --man",
                                         "act -n 'key a'" };
    const char *build = getenv("B");
    for (size_t i = 0; i < DH_COUNTOF(lines); i++) {
        char command[512];
        int status;
        snprintf(command, sizeof command,
                 "%s/deskhand %s >/dev/full 2>/dev/null",
                 build ? build : "build/release", lines[i]);
        pid_t pid = fork();
        if (pid == 0) {
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
            _exit(127);
        }
        CHECK(pid > 0);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status));
        CHECK_INT(WEXITSTATUS(status), 1);
    }
}

static void test_a_dry_run_prints_actions(void)
{
    struct said s;
    // It needs no display at all.
    unsetenv("DISPLAY");
    RUN(&s, "act", "--dry-run", "left_click 500 300", "type hi  there",
        "key ctrl+s", "scroll 1 2 down 3", "wait 1.5");
    CHECK_SAID(&s, 0,
               "left_click 500 300\ntype \"hi  there\"\nkey \"ctrl+s\"\n", "");
    said_finish(&s);
}

static void test_an_answer_in_a_file_is_read_in_its_dialect(void)
{
    static const char path[] = "act-answer.txt";
    static const char text[] =
        "Thought: so.\nAction: hotkey(key='ctrl v')\n\nwait()\n";
    struct said s;
    CHECK_INT(dh_file_write(path, text, sizeof text - 1), DH_OK);
    RUN(&s, "act", "--dry-run", "--answer", path);
    CHECK_SAID(&s, 0, "key \"ctrl v\"\nwait 5\n", "");
    said_finish(&s);
    RUN(&s, "act", "-n", "--answer", path, "--coord", "guess");
    CHECK_SAID(&s, 2, "", "none of norm1000");
    said_finish(&s);
    CHECK_INT(dh_file_write(path, "Well.", 5), DH_OK);
    RUN(&s, "act", "-n", "--answer", path);
    CHECK_SAID(&s, 1, "", "no action found");
    said_finish(&s);
    unlink(path);
    RUN(&s, "act", "-n", "--answer", path);
    CHECK_SAID(&s, 1, "", path);
    said_finish(&s);
}

static void test_a_bad_action_is_a_usage_error(void)
{
    static const char *const rows[][2] = {
        { "left_clik 3 4", "left_click" },
        { "left_click 5000 1", "5000" },
        { "mouse_move", "coordinate" },
        { "", "\"\"" },
        { "scroll 1 1 sideways 3", "sideways" },
    };
    struct said s;
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        RUN(&s, "act", "-n", rows[i][0]);
        CHECK_SAID(&s, 2, "", rows[i][1]);
        said_finish(&s);
    }
}

DH_TESTS(DH_TEST(help_lists_every_command), DH_TEST(every_command_has_help),
         DH_TEST(version_is_printed),
         DH_TEST(a_wrong_command_names_the_nearest),
         DH_TEST(usage_errors_exit_with_2), DH_TEST(the_manual_is_clean),
         DH_TEST(a_full_standard_output_is_a_failure),
         DH_TEST(a_dry_run_prints_actions),
         DH_TEST(an_answer_in_a_file_is_read_in_its_dialect),
         DH_TEST(a_bad_action_is_a_usage_error));
