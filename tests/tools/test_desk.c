#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/Xutil.h>
#include <X11/keysym.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"
#include "tests/x11/listener.h"
#include "tests/x11/person.h"

static void test_the_stop_key_ends_the_run(void)
{
    struct dh_listener l;
    struct dh_person person;
    struct said s;
    char *script = dh_test_file("script", "left_mouse_down 500 500\nwait 60\n");
    char *audit = dh_test_path("audit.jsonl");
    const char *const args[] = {
        "run",  "--no-record",       "--audit", audit, "--script",
        script, "--settle-ms=60000", "x",       NULL
    };
    dh_listener_init(&l);
    dh_person_init(&person);
    pid_t pid = program_start(args);
    CHECK(program_saw("[wait 60]"));
    CHECK(dh_listener_held(&l) > 0);
    dh_person_key(&person, XK_Pause, true);
    dh_person_key(&person, XK_Pause, false);
    program_wait(&s, pid);
    CHECK_SAID(&s, 4, "stopped after 2 steps", "");
    said_finish(&s);
    CHECK_INT(dh_listener_held(&l), 0);
    char *log;
    size_t len;
    CHECK_INT(dh_file_read(audit, 1 << 20, &log, &len), DH_OK);
    CHECK(strstr(log, "\"event\":\"start\",\"text\":\"guard\""));
    CHECK(strstr(log, "left_mouse_down"));
    CHECK(strstr(log, "\"event\":\"end\""));
    dh_big_free(log);
    dh_person_finish(&person);
    dh_listener_finish(&l);
    dh_free(script);
    dh_free(audit);
}

static void test_without_a_person_what_is_risky_is_refused(void)
{
    struct dh_listener l;
    struct said s;
    char *script =
        dh_test_file("script", "key alt+F4\ntype \"sudo rm -rf /\\n\"\n"
                               "key ctrl+alt+BackSpace\n");
    dh_listener_init(&l);
    RUN(&s, "run", "--no-record", "--quiet-ms=10", "--script", script, "x");
    CHECK_SAID(&s, 0, "nobody can be asked (--mode free does not ask)", "");
    CHECK_SAID(&s, 0, "leave the desktop", "");
    said_finish(&s);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), "");
    dh_free(script);
    dh_listener_finish(&l);
}

static void test_rules_and_keys_are_checked(void)
{
    struct said s;
    char *script = dh_test_file("script", "done\n");
    RUN(&s, "run", "--no-record", "--deny=bank", "--script", script, "x");
    CHECK_SAID(&s, 2, "", "--deny=bank: window:TITLE PART");
    said_finish(&s);
    RUN(&s, "run", "--no-record", "--stop-key=Frob", "--script", script, "x");
    CHECK_SAID(&s, 2, "", "no key \"Frob\"");
    said_finish(&s);
    RUN(&s, "run", "--mode=trusting", "x");
    CHECK_SAID(&s, 2, "", "trusting");
    said_finish(&s);
    dh_free(script);
}

// What the program says on its terminal, until `text` or its end.
static bool terminal_says(int fd, struct dh_buf *said, const char *text)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (!text || !strstr(dh_buf_text(said), text)) {
        char part[512];
        ssize_t n = poll(&p, 1, 20000) > 0 ? read(fd, part, sizeof part) : 0;
        if (n <= 0)
            return false;
        dh_buf_put(said, part, (size_t)n);
    }
    return true;
}

// Run it on a terminal, answer its question, and see what arrived.
static void check_answer(const char *answer, const char *typed)
{
    struct dh_listener l;
    struct dh_buf said;
    int fd, status;
    char *script = dh_test_file("script", "type \"sudo ls\"\n");
    char *audit = dh_test_path("audit.jsonl");
    const char *build = getenv("B");
    char *path = dh_path_join(build ? build : "build/release", "deskhand");
    dh_listener_init(&l);
    dh_buf_init(&said, 1 << 20);
    XStoreName(l.dpy, l.win, "Notes \x1b[31m");
    XSync(l.dpy, False);
    pid_t pid = forkpty(&fd, NULL, NULL, NULL);
    if (pid == 0) {
        execl(path, path, "run", "--no-record", "--quiet-ms=10", "--audit",
              audit, "--script", script, "x", (char *)NULL);
        _exit(127);
    }
    CHECK(pid > 0);
    CHECK(terminal_says(fd, &said, "Allow it? [y/N] "));
    CHECK(strstr(dh_buf_text(&said), "type \"sudo ls\""));
    CHECK(strstr(dh_buf_text(&said), "Notes ?[31m"));
    CHECK(write(fd, answer, strlen(answer)) == (ssize_t)strlen(answer));
    terminal_says(fd, &said, NULL);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), typed);
    close(fd);
    dh_buf_finish(&said);
    dh_free(path);
    dh_free(audit);
    dh_free(script);
    dh_listener_finish(&l);
}

static void test_a_person_says_yes(void)
{
    check_answer("y\n", "sudo ls");
}

static void test_a_person_says_no(void)
{
    check_answer("n\n", "");
}

static void test_no_answer_is_no(void)
{
    check_answer("\n", "");
}

DH_TESTS(DH_TEST(the_stop_key_ends_the_run),
         DH_TEST(without_a_person_what_is_risky_is_refused),
         DH_TEST(rules_and_keys_are_checked), DH_TEST(a_person_says_yes),
         DH_TEST(a_person_says_no), DH_TEST(no_answer_is_no));
