#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
#include "tools/control.h"

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

static char *read_file(const char *dir, const char *name)
{
    char *path = dh_path_join(dir, name), *text;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 24, &text, &len), DH_OK);
    dh_free(path);
    return text;
}

static void tap_key(struct dh_person *p, KeySym key)
{
    dh_person_key(p, key, true);
    dh_person_key(p, key, false);
}

// One line of events.jsonl from `*at` on that has both; moves *at behind it.
static void check_line(const char **at, const char *one, const char *other)
{
    const char *p = strstr(*at, one);
    if (!p)
        CHECK_STR(*at, one);
    while (p > *at && p[-1] != '\n')
        p--;
    char *line = dh_strndup(p, strcspn(p, "\n"));
    if (!strstr(line, other))
        CHECK_STR(line, other);
    *at = p + strlen(line);
    dh_free(line);
}

static void test_what_a_person_does_by_hand_is_recorded(void)
{
    struct dh_listener l;
    struct dh_person person;
    struct said s;
    char *script = dh_test_file("script", "left_mouse_down 500 500\nwait 60\n"
                                          "type y\ntype z\n");
    char *dir = dh_test_path("s"), *audit = dh_test_path("audit.jsonl");
    const char *const args[] = { "run",      "--session", dir,
                                 "--audit",  audit,       "--no-video",
                                 "--script", script,      "--settle-ms=2000",
                                 "x",        NULL };
    dh_listener_init(&l);
    dh_person_init(&person);
    pid_t pid = program_start(args);
    CHECK(program_saw("[wait 60]"));
    tap_key(&person, XK_Scroll_Lock);
    CHECK(program_saw("a person has the desktop"));
    CHECK_INT(dh_listener_held(&l), 0);
    dh_person_clicks(&person, 200, 100, 1);
    dh_person_types(&person, "Ada");
    tap_key(&person, XK_Scroll_Lock);
    CHECK(program_saw("the desktop was handed back"));
    program_wait(&s, pid);
    CHECK_SAID(&s, 0, "by hand, the user did: left_click ", NULL);
    CHECK_SAID(&s, 0, "; type \"Ada\"\n", NULL);
    said_finish(&s);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), "<Scroll_Lock>Ada<Scroll_Lock>z");

    char *events = read_file(dir, "events.jsonl");
    const char *at = events;
    check_line(&at, "\"p\":[[200,100]]", "\"by\":\"human\"");
    check_line(&at, "\"k\":\"done\"", "\"ok\":true");
    check_line(&at, "\"text\":\"Ada\"", "\"by\":\"human\"");
    check_line(&at, "\"k\":\"done\"", "\"after\":");
    check_line(&at, "\"text\":\"z\"", "\"by\":\"model\"");
    CHECK(!strstr(events, "\"keys\":"));
    dh_big_free(events);
    char *page = read_file(dir, "index.html");
    CHECK(strstr(page, "<h2>By hand</h2>"));
    CHECK(strstr(page, "type &quot;Ada&quot;"));
    dh_big_free(page);
    RUN(&s, "view", "--list", dir);
    CHECK_SAID(&s, 0, "left_click", "");
    said_finish(&s);
    dh_person_finish(&person);
    dh_listener_finish(&l);
    dh_free(script);
    dh_free(audit);
    dh_free(dir);
}

// While the agent waits for a still screen nobody asks where the keys go.
static void test_what_is_typed_unseen_is_not_written(void)
{
    struct dh_listener l;
    struct dh_person person;
    struct said s;
    char *script = dh_test_file("script", "left_click 500 500\ntype y\n");
    char *dir = dh_test_path("s"), *audit = dh_test_path("audit.jsonl");
    const char *const args[] = {
        "run",      "--session", dir, "--audit",         audit, "--no-video",
        "--script", script,      "x", "--quiet-ms=2000", NULL
    };
    dh_listener_init(&l);
    dh_person_init(&person);
    pid_t pid = program_start(args);
    CHECK(program_saw("[left_click"));
    // It has been performed, too.
    int64_t until = dh_now_ns() + 20 * DH_S;
    while (!strstr(dh_buf_text(&l.events), "release") && dh_now_ns() < until)
        dh_listener_drain(&l);
    dh_person_types(&person, "Ada");
    CHECK(program_saw("a person has the desktop"));
    tap_key(&person, XK_Scroll_Lock);
    program_wait(&s, pid);
    CHECK_SAID(&s, 0, "by hand, the user did: type \"{{secret:secret1}}\"",
               NULL);
    CHECK(!strstr(s.out, "Ada"));
    said_finish(&s);
    char *events = read_file(dir, "events.jsonl");
    const char *at = events;
    check_line(&at, "\"by\":\"human\"", "\"secret\":true");
    CHECK(!strstr(events, "Ada"));
    CHECK(!strstr(events, "\"name\":\"d\""));
    dh_big_free(events);
    dh_person_finish(&person);
    dh_listener_finish(&l);
    dh_free(script);
    dh_free(audit);
    dh_free(dir);
}

static void wait_for_state(int fd, enum dh_control_state *state,
                           enum dh_control_state want)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (*state != want && poll(&p, 1, 20000) > 0)
        *state = dh_control_read(fd, *state);
    CHECK_INT(*state, want);
}

static int called(const char *dir)
{
    int fd = dh_control_connect(getenv("XDG_RUNTIME_DIR"), dir);
    CHECK(fd >= 0);
    return fd;
}

static void test_another_process_takes_and_hands_back(void)
{
    struct dh_listener l;
    struct said s;
    enum dh_control_state state = DH_CONTROL_GONE;
    char *script = dh_test_file("script", "wait 60\ntype y\ntype z\n");
    char *dir = dh_test_path("s"), *audit = dh_test_path("audit.jsonl");
    const char *const args[] = {
        "run",  "--session",    dir,          "--audit", audit, "--script",
        script, "--wait-exact", "--no-video", "x",       NULL
    };
    dh_listener_init(&l);
    pid_t pid = program_start(args);
    CHECK(program_saw("[wait 60]"));
    int fd = called(dir), rude = called(dir);
    wait_for_state(fd, &state, DH_CONTROL_AGENT);
    CHECK(dh_control_ask(fd, true));
    wait_for_state(fd, &state, DH_CONTROL_PERSON);
    CHECK(program_saw("a person has the desktop"));
    // What is no request ends the connection, and nothing else.
    state = DH_CONTROL_GONE;
    wait_for_state(rude, &state, DH_CONTROL_PERSON);
    CHECK_INT(send(rude, "take over the world", 19, MSG_NOSIGNAL), 19);
    wait_for_state(rude, &state, DH_CONTROL_GONE);
    close(rude);
    state = DH_CONTROL_PERSON;
    CHECK(dh_control_ask(fd, false));
    wait_for_state(fd, &state, DH_CONTROL_AGENT);
    program_wait(&s, pid);
    CHECK_SAID(&s, 0, "by hand, the user did: nothing\n", NULL);
    said_finish(&s);
    state = DH_CONTROL_AGENT;
    wait_for_state(fd, &state, DH_CONTROL_GONE);
    close(fd);
    CHECK_INT(dh_control_connect(getenv("XDG_RUNTIME_DIR"), dir), -1);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), "z");
    dh_listener_finish(&l);
    dh_free(script);
    dh_free(audit);
    dh_free(dir);
}

DH_TESTS(DH_TEST(the_stop_key_ends_the_run),
         DH_TEST(without_a_person_what_is_risky_is_refused),
         DH_TEST(what_a_person_does_by_hand_is_recorded),
         DH_TEST(what_is_typed_unseen_is_not_written),
         DH_TEST(another_process_takes_and_hands_back),
         DH_TEST(rules_and_keys_are_checked), DH_TEST(a_person_says_yes),
         DH_TEST(a_person_says_no), DH_TEST(no_answer_is_no));
