// `eval tasks`, as a user runs it.
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"

#define CHECK_NONE                                                         \
    "\"evaluator\":{\"func\":\"exact_match\",\"result\":{\"type\":"        \
    "\"vm_command_line\",\"command\":\"cat ~/x\"},\"expected\":{\"type\":" \
    "\"rule\",\"rules\":{\"expected\":\"done\\n\"}}}"

static char *task(const char *id, const char *setup, const char *oracle)
{
    char text[2000], name[100];
    snprintf(text, sizeof text,
             "{\"id\":\"%s\",\"instruction\":\"Do it.\",\"config\":[{\"type\":"
             "\"execute\",\"parameters\":{\"command\":\"%s\"}}],\"oracle\":%"
             "s," CHECK_NONE "}",
             id, setup, oracle);
    snprintf(name, sizeof name, "%s.json", id);
    return dh_test_file(name, text);
}

static void need_rooms(const struct said *s)
{
    if (strstr(s->err, "no closed room"))
        dh_test_skip("the kernel allows no room here");
}

static void test_check_shows_commands_and_runs_none(void)
{
    struct said s;
    char *path = task("one", "touch /tmp/never", "\"true\"");
    char *odd = dh_test_file(
        "odd.json",
        "{\"id\":\"odd\",\"instruction\":\"x\",\"evaluator\":{"
        "\"func\":\"compare_table\",\"result\":{\"type\":\"clipboard"
        "\"},\"expected\":{\"type\":\"rule\",\"rules\":{}}}}");
    RUN(&s, "eval", "tasks", "--check", path, odd);
    CHECK_SAID(&s, 0, "execute: touch /tmp/never", "");
    CHECK(strstr(s.out, "unsupported") != NULL);
    CHECK(strstr(s.out, "metric compare_table") != NULL);
    CHECK(strstr(s.out, "1 tasks, 1 unsupported, 0 that are none") != NULL);
    said_finish(&s);
    RUN(&s, "eval", "tasks", "--check", "/no/such/folder");
    CHECK_SAID(&s, 1, "", "/no/such/folder");
    said_finish(&s);
    RUN(&s, "eval", "tasks", "--screen=big", path);
    CHECK_SAID(&s, 2, "", "--screen");
    said_finish(&s);
    dh_free(path);
    dh_free(odd);
}

static void test_noop_and_oracle_tell_good_tasks_from_bad(void)
{
    struct said s;
    char *good = task("good", "true", "\"echo done >~/x\"");
    char *open = task("open", "echo done >~/x", "\"true\"");
    char *shut = task("shut", "true", "[\"done\"]");
    char *out = dh_test_path("run");
    RUN(&s, "eval", "tasks", "--noop", "--oracle", "--out", out, good, open,
        shut);
    need_rooms(&s);
    CHECK_SAID(&s, 1, "1 of 3 tasks are valid", NULL);
    CHECK(strstr(s.out, "open: it is solved when nothing is done") != NULL);
    CHECK(strstr(s.out, "shut: its own solution does not solve it") != NULL);
    CHECK(strstr(s.out, "a desktop was up in ") != NULL);
    said_finish(&s);
    // An agent is only asked to do the good one, and claims too much.
    char *script = dh_test_file("script", "wait 1\ndone\n");
    RUN(&s, "eval", "tasks", "--json", "--script", script, "--resume", out,
        good, open, shut);
    CHECK_SAID(&s, 0, "\"false_success_rate\":1", NULL);
    CHECK(strstr(s.out, "\"n\":1,") != NULL);
    CHECK(strstr(s.out, "\"left_out\":2") != NULL);
    said_finish(&s);
    // Nothing is left to do.
    RUN(&s, "eval", "tasks", "--script", script, "--resume", out, good);
    CHECK_SAID(&s, 0, "script: 0 of 1 solved", NULL);
    CHECK(strstr(s.out, "a desktop was up") == NULL);
    said_finish(&s);
    dh_free(script);
    dh_free(good);
    dh_free(open);
    dh_free(shut);
    dh_free(out);
}

static void test_hostile_set_ups_are_counted_and_the_run_goes_on(void)
{
    struct said s;
    char *bomb = task("bomb", "f() { f | f & }; f; sleep 1000", "\"true\"");
    char *hang = task("hang", "sleep 1000", "\"true\"");
    char *disk = task("disk", "cat /dev/zero >~/a", "\"true\"");
    char *ends = task("ends", "kill -9 -1", "\"true\"");
    char *good = task("good", "true", "\"echo done >~/x\"");
    char *out = dh_test_path("run");
    RUN(&s, "eval", "tasks", "--oracle", "--jobs=1", "--setup-seconds=10",
        "--out", out, bomb, hang, disk, ends, good);
    need_rooms(&s);
    CHECK_SAID(&s, 1, "4 of 5 could not be set up", NULL);
    CHECK(strstr(s.out, "pass    oracle good") != NULL);
    said_finish(&s);
    dh_free(bomb);
    dh_free(hang);
    dh_free(disk);
    dh_free(ends);
    dh_free(good);
    dh_free(out);
}

// ---- what is left ----

static int parent_of(int pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *at = strrchr(text, ')');
    return at && at[1] && at[2] && at[3] ? (int)strtol(at + 4, NULL, 10) : 0;
}

// All that descend from a process, itself left out.
static int descendants(int root, int *pid, int max)
{
    struct dirent *e;
    DIR *d = opendir("/proc");
    int n = 0;
    CHECK(d != NULL);
    while ((e = readdir(d)) != NULL) {
        int p = (int)strtol(e->d_name, NULL, 10), up = p;
        while (up > 1 && up != root)
            up = parent_of(up);
        if (p > 1 && p != root && up == root && n < max)
            pid[n++] = p;
    }
    closedir(d);
    return n;
}

static void ends_whole(int sig)
{
    struct said s;
    int pid[200], n = 0;
    char *hang = task("hang", "setsid sleep 1000 & sleep 1000", "\"true\"");
    char *out = dh_test_path("run");
    pid_t p = program_start((const char *const[]){ "eval", "tasks", "--oracle",
                                                   "--out", out, hang, NULL });
    // A trial, the room's two, the server, a bus, a manager, three of the task.
    int64_t limit = dh_now_ns() + 30 * DH_S;
    while (n < 9 && dh_now_ns() < limit && kill(p, 0) == 0) {
        n = descendants(p, pid, 200);
        dh_sleep_for(20 * DH_MS);
        if (parent_of(p) == 0)
            break;
    }
    kill(p, sig);
    program_wait(&s, p);
    need_rooms(&s);
    CHECK(n >= 9);
    CHECK_INT(s.status, sig == SIGKILL ? 128 + SIGKILL : 4);
    limit = dh_now_ns() + 20 * DH_S;
    for (int i = 0; i < n; i++)
        while (parent_of(pid[i]) && dh_now_ns() < limit)
            dh_sleep_for(10 * DH_MS);
    CHECK(dh_now_ns() < limit);
    said_finish(&s);
    dh_free(hang);
    dh_free(out);
}

static void test_ctrl_c_leaves_nothing_behind(void)
{
    ends_whole(SIGINT);
}

static void test_being_killed_leaves_nothing_behind(void)
{
    ends_whole(SIGKILL);
}

// What only the program knows: nothing is written anywhere.
static void test_a_check_can_ask_programs_about_their_widgets(void)
{
    struct said s;
    char *path = dh_test_file(
        "name.json",
        "{\"id\":\"name\",\"instruction\":\"Type Ada.\",\"config\":[{"
        "\"type\":\"execute_with_verification\",\"parameters\":{\"command\":"
        "\"setsid zenity --forms --title=Form --add-entry=Name "
        "--add-password=Key >/dev/null 2>&1 &\",\"verification\":{"
        "\"window_exists\":{\"window_name\":\"Form\"}}}}],\"evaluator\":{"
        "\"func\":\"check_accessibility_tree\",\"result\":{\"type\":"
        "\"accessibility_tree\"},\"expected\":{\"type\":\"rule\",\"rules\":{"
        "\"expect\":[{\"path\":[{\"name\":\"Form\"},{\"role\":\"text\","
        "\"label\":\"Name\",\"text\":\"Ada\"}]},{\"path\":[{\"role\":"
        "\"password text\","
        "\"text\":\"\",\"state\":\"focused\"}]}]}}},\"oracle\":[{"
        "\"left_click\":[{\"role\":\"text\",\"label\":\"Name\"}]},"
        "\"type \\\"Ada\\\"\",{\"left_click\":[{\"role\":\"password text\"}]},"
        "\"type secret\",\"done\"]}");
    char *out = dh_test_path("run");
    RUN(&s, "eval", "tasks", "--noop", "--oracle", "--out", out, path);
    need_rooms(&s);
    CHECK_SAID(&s, 0, "1 of 1 tasks are valid", NULL);
    said_finish(&s);
    // And what an agent does is held beside it.
    char *script = dh_test_file("script", "left_click 900 900\ndone\n");
    RUN(&s, "eval", "tasks", "--script", script, "--resume", out, path);
    CHECK_SAID(&s, 0, "claimed falsely, wrong place", NULL);
    CHECK(strstr(s.out, "(known of 1 of 1)") != NULL);
    CHECK(strstr(s.out, " ours (desktop, check, taking down)") != NULL);
    said_finish(&s);
    dh_free(script);
    dh_free(path);
    dh_free(out);
}

// A few of those that come along, of programs that the tests need anyway.
static void test_some_of_our_tasks_are_valid(void)
{
    struct said s;
    char *out = dh_test_path("run");
    RUN(&s, "eval", "tasks", "--noop", "--oracle", "--out", out,
        "assets/tasks/terminals/terminal-mkdir.json",
        "assets/tasks/forms/form-password.json",
        "assets/tasks/across/across-form-terminal.json",
        "assets/tasks/declined/decline-no-button.json");
    need_rooms(&s);
    CHECK_SAID(&s, 0, "4 of 4 tasks are valid", NULL);
    said_finish(&s);
    RUN(&s, "eval", "tasks", "--check");
    CHECK_SAID(&s, 0, " 0 unsupported, 0 that are none", "");
    said_finish(&s);
    dh_free(out);
}

DH_TESTS(DH_TEST(check_shows_commands_and_runs_none),
         DH_TEST(noop_and_oracle_tell_good_tasks_from_bad),
         DH_TEST(hostile_set_ups_are_counted_and_the_run_goes_on),
         DH_TEST(ctrl_c_leaves_nothing_behind),
         DH_TEST(being_killed_leaves_nothing_behind),
         DH_TEST(a_check_can_ask_programs_about_their_widgets),
         DH_TEST(some_of_our_tasks_are_valid));
