#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/XKBlib.h>
#include <X11/keysym.h>

#include "actions/xtest.h"
#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"
#include "tests/x11/xserver.h"

#define PATIENCE_NS (10 * DH_S) // of a machine with much else to do

// An agent in a process of its own, which does these lines and then lives on.
struct agent {
    pid_t pid;
    int said; // readable once it has got through its lines
};

static void perform_line(struct dh_sink *sink, const char *line)
{
    struct dh_diag why = { 0 };
    struct dh_action a;
    if (!dh_action_of_text(line, true, &a, &why) ||
        dh_sink_perform(sink, &a, NULL, &why))
        _exit(3);
    dh_action_finish(&a);
}

static DH_NORETURN void agent_live(const char *display,
                                   const char *const *lines, int said)
{
    struct dh_xtest_options o = { .drag_ns = 60 * DH_S };
    struct dh_sink *sink;
    setpgid(0, 0);
    if (dh_xtest_create(&sink, display, &o))
        _exit(2);
    for (; *lines; lines++) {
        // The last one never ends.
        if (!lines[1] && write(said, "", 1) != 1)
            _exit(4);
        perform_line(sink, *lines);
    }
    _exit(5);
}

static void agent_start(struct agent *a, const char *display,
                        const char *const *lines)
{
    int fd[2];
    char c;
    // The guardian becomes our child when its parent dies.
    CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    CHECK_INT(pipe(fd), 0);
    a->pid = fork();
    CHECK(a->pid >= 0);
    if (a->pid == 0)
        agent_live(display, lines, fd[1]);
    close(fd[1]);
    CHECK_INT(read(fd[0], &c, 1), 1);
    // Nobody else holds the other end: the guardian keeps nothing open.
    a->said = fd[0];
}

static int64_t wait_for_held(struct dh_listener *l, int n)
{
    int64_t start = dh_now_ns();
    while (dh_listener_held(l) != n && dh_now_ns() - start < PATIENCE_NS)
        continue;
    CHECK_INT(dh_listener_held(l), n);
    return dh_now_ns() - start;
}

// All of the agent's processes are gone, and none is left as a zombie.
static void reap_all(struct agent *a)
{
    while (waitpid(-1, NULL, 0) > 0)
        continue;
    close(a->said);
}

static void kill_and_check(struct agent *a, struct dh_listener *l, pid_t whom,
                           int sig, const char *what)
{
    CHECK_INT(kill(whom, sig), 0);
    int64_t ns = wait_for_held(l, 0);
    printf("%s: let go of after %.1f ms\n", what, (double)ns / DH_MS);
    reap_all(a);
    CHECK_INT(dh_listener_held(l), 0);
}

static void test_a_kill_in_a_drag_releases_the_button(void)
{
    const char *const lines[] = { "mouse_move 5 5",
                                  "left_click_drag 10 10 500 500", NULL };
    struct dh_listener l;
    struct agent a;
    dh_listener_init(&l);
    agent_start(&a, NULL, lines);
    wait_for_held(&l, 1);
    kill_and_check(&a, &l, a.pid, SIGKILL, "kill -9 in a drag");
    dh_listener_drain(&l);
    CHECK(strstr(dh_buf_text(&l.events), "release 1"));
    dh_listener_finish(&l);
}

static void test_the_guardian_outlives_a_kill_of_the_group(void)
{
    const int signals[] = { SIGKILL, SIGTERM, SIGINT, SIGHUP };
    const char *const lines[] = { "mouse_move 5 5",
                                  "left_click_drag 10 10 500 500", NULL };
    struct dh_listener l;
    dh_listener_init(&l);
    for (size_t i = 0; i < DH_COUNTOF(signals); i++) {
        struct agent a;
        agent_start(&a, NULL, lines);
        wait_for_held(&l, 1);
        kill_and_check(&a, &l, -a.pid, signals[i], strsignal(signals[i]));
    }
    dh_listener_finish(&l);
}

static void test_a_crash_releases_kept_keys_and_buttons(void)
{
    const char *const lines[] = { "left_mouse_down 30 40", "hold_key shift",
                                  NULL };
    struct dh_listener l;
    struct agent a;
    dh_listener_init(&l);
    agent_start(&a, NULL, lines);
    wait_for_held(&l, 2);
    kill_and_check(&a, &l, a.pid, SIGSEGV, "a crash with two things held");
    dh_listener_finish(&l);
}

static void test_a_kill_while_typing_leaves_nothing_down(void)
{
    // Capitals, so that shift goes up and down all the time.
    char line[4096] = "type ";
    memset(line + 5, 'Q', sizeof line - 6);
    line[sizeof line - 1] = '\0';
    const char *const lines[] = { "mouse_move 5 5", line, NULL };
    struct dh_listener l;
    dh_listener_init(&l);
    for (int i = 0; i < 12; i++) {
        struct agent a;
        agent_start(&a, NULL, lines);
        int64_t until = dh_now_ns() + (20 + 7 * i) * DH_MS + i * 137000;
        while (dh_now_ns() < until)
            continue;
        CHECK_INT(kill(a.pid, SIGKILL), 0);
        reap_all(&a);
        CHECK_INT(dh_listener_held(&l), 0);
        dh_buf_clear(&l.typed);
    }
    dh_listener_drain(&l);
    dh_listener_finish(&l);
}

// Wait for a child of ours that is not this one.
static bool waitpid_other(pid_t one)
{
    siginfo_t info;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) || info.si_pid == one)
        return false;
    return waitpid(info.si_pid, NULL, 0) == info.si_pid;
}

static DH_NORETURN void press_when_told(const char *display, int fd)
{
    struct dh_sink *sink;
    char c = 0;
    if (dh_xtest_create(&sink, display, NULL) || write(fd, &c, 1) != 1 ||
        read(fd, &c, 1) != 1)
        _exit(2);
    struct dh_xtest *x = (struct dh_xtest *)sink;
    dh_xtest_button(x, 1, true);
    dh_xtest_flush(x);
    if (write(fd, &c, 1) == 1)
        pause();
    _exit(3);
}

// A server that is busy has requests of the dead agent that it did not read
// yet, among them presses; it must not do them after the guardian let go.
static void test_a_press_that_the_server_reads_late_does_not_stay(void)
{
    struct dh_listener l = { 0 };
    struct dh_xserver s;
    dh_xserver_start(&s);
    CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    CHECK_INT(dh_x11_open(&l.dpy, s.display), DH_OK);
    l.win = DefaultRootWindow(l.dpy);
    for (int i = 0; i < 8; i++) {
        int fd[2];
        char c = 0;
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            press_when_told(s.display, fd[1]);
        CHECK_INT(read(fd[0], &c, 1), 1);
        dh_sleep_for(20 * DH_MS); // the guardian may connect, or not
        CHECK_INT(kill(s.pid, SIGSTOP), 0);
        CHECK_INT(write(fd[0], &c, 1), 1);
        CHECK_INT(read(fd[0], &c, 1), 1);
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        dh_sleep_for(20 * DH_MS);
        CHECK_INT(kill(s.pid, SIGCONT), 0);
        // The guardian, which is ours now.
        CHECK(waitpid_other(s.pid));
        CHECK_INT(dh_listener_held(&l), 0);
        close(fd[0]);
        close(fd[1]);
    }
    dh_x11_close(l.dpy);
    dh_xserver_stop(&s);
}

static KeyCode code_of(Display *dpy, KeySym sym)
{
    KeyCode found = 0;
    int min, max, n;
    XDisplayKeycodes(dpy, &min, &max);
    KeySym *all = XGetKeyboardMapping(dpy, (KeyCode)min, max - min + 1, &n);
    CHECK(all);
    for (int i = 0; i < (max - min + 1) * n; i++)
        if (all[i] == sym)
            found = (KeyCode)(min + i / n);
    XFree(all);
    return found;
}

static void test_a_kill_gives_the_keyboard_back_as_it_was(void)
{
    const char *const lines[] = { "type \xd0\x9f\xd1\x80", "hold_key shift",
                                  NULL };
    struct dh_listener l;
    struct agent a;
    XkbStateRec state;
    dh_listener_init(&l);
    XkbLockModifiers(l.dpy, XkbUseCoreKbd, LockMask, LockMask);
    XSync(l.dpy, False);
    agent_start(&a, NULL, lines);
    wait_for_held(&l, 1);
    CHECK(code_of(l.dpy, XK_Cyrillic_PE) || code_of(l.dpy, 0x0100041f));
    XkbGetState(l.dpy, XkbUseCoreKbd, &state);
    CHECK(!(state.locked_mods & LockMask));
    kill_and_check(&a, &l, a.pid, SIGKILL, "kill -9 with lent keys");
    CHECK_INT(code_of(l.dpy, XK_Cyrillic_PE), 0);
    CHECK_INT(code_of(l.dpy, 0x0100041f), 0);
    XkbGetState(l.dpy, XkbUseCoreKbd, &state);
    CHECK(state.locked_mods & LockMask);
    XkbLockModifiers(l.dpy, XkbUseCoreKbd, LockMask, 0);
    dh_listener_finish(&l);
}

static void test_kept_things_go_after_their_time(void)
{
    struct dh_xtest_options o = { .kept_ns = 300 * DH_MS };
    struct dh_diag why = { 0 };
    struct dh_action down, look = { .op = DH_ACTION_SCREENSHOT };
    struct dh_listener l;
    struct dh_sink *sink;
    dh_listener_init(&l);
    CHECK_INT(dh_xtest_create(&sink, NULL, &o), DH_OK);
    CHECK(dh_action_of_text("left_mouse_down 30 40", true, &down, &why));
    int64_t start = dh_now_ns();
    CHECK_INT(dh_sink_perform(sink, &down, NULL, &why), DH_OK);
    CHECK_STR(why.text, "");
    // The agent thinks; nobody calls the sink.
    wait_for_held(&l, 0);
    int64_t ns = dh_now_ns() - start;
    printf("a button held for 300 ms went after %.1f ms\n", (double)ns / DH_MS);
    CHECK(ns >= o.kept_ns);
    CHECK_INT(dh_sink_perform(sink, &look, NULL, &why), DH_OK);
    CHECK(strstr(why.text, "were released"));
    why.text[0] = '\0';
    CHECK_INT(dh_sink_perform(sink, &look, NULL, &why), DH_OK);
    CHECK_STR(why.text, "");
    dh_action_finish(&down);
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
}

static void test_a_sink_that_ends_leaves_no_process(void)
{
    struct dh_sink *sink;
    for (int i = 0; i < 5; i++) {
        CHECK_INT(dh_xtest_create(&sink, NULL, NULL), DH_OK);
        CHECK(((struct dh_xtest *)sink)->guardian.pid > 0);
        dh_sink_destroy(sink);
        CHECK_INT(waitpid(-1, NULL, 0), -1);
    }
}

static void test_a_guardian_costs_little_at_the_start(void)
{
    struct dh_held *held = dh_held_create();
    int64_t best = INT64_MAX;
    CHECK(held);
    for (int i = 0; i < 10; i++) {
        struct dh_guardian g;
        int64_t start = dh_now_ns();
        dh_guardian_start(&g, held, NULL);
        best = DH_MIN(best, dh_now_ns() - start);
        CHECK(g.pid > 0);
        dh_guardian_stop(&g);
    }
    printf("a guardian is started in %.2f ms\n", (double)best / DH_MS);
    CHECK(best < 100 * DH_MS);
    dh_held_destroy(held);
}

static void test_a_guardian_that_was_killed_takes_nothing_along(void)
{
    struct dh_listener l;
    struct dh_sink *sink;
    dh_listener_init(&l);
    CHECK_INT(dh_xtest_create(&sink, NULL, NULL), DH_OK);
    siginfo_t info;
    pid_t pid = ((struct dh_xtest *)sink)->guardian.pid;
    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    perform_line(sink, "left_mouse_down 30 40");
    perform_line(sink, "left_click 50 60");
    dh_sink_destroy(sink);
    CHECK_INT(dh_listener_held(&l), 0);
    dh_listener_finish(&l);
}

DH_TESTS(DH_TEST(a_kill_in_a_drag_releases_the_button),
         DH_TEST(the_guardian_outlives_a_kill_of_the_group),
         DH_TEST(a_crash_releases_kept_keys_and_buttons),
         DH_TEST(a_kill_while_typing_leaves_nothing_down),
         DH_TEST(a_press_that_the_server_reads_late_does_not_stay),
         DH_TEST(a_kill_gives_the_keyboard_back_as_it_was),
         DH_TEST(kept_things_go_after_their_time),
         DH_TEST(a_sink_that_ends_leaves_no_process),
         DH_TEST(a_guardian_costs_little_at_the_start),
         DH_TEST(a_guardian_that_was_killed_takes_nothing_along));
