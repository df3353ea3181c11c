// Against a real server of our own, so that it can be killed.
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/Xlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"
#include "tests/dh_test.h"

#define DH_LOG_TAG "test"
#include "base/log.h"

struct server {
    pid_t pid;
    char name[16]; // ":60"
};

static void server_exec(int fd)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", fd);
    execlp("Xvfb", "Xvfb", "-displayfd", number, "-screen", "0", "320x200x24",
           "-nolisten", "tcp", (char *)NULL);
    _exit(127);
}

static void server_start(struct server *s)
{
    int fd[2];
    CHECK_INT(pipe(fd), 0);
    s->pid = fork();
    CHECK(s->pid >= 0);
    if (s->pid == 0) {
        close(fd[0]);
        server_exec(fd[1]);
    }
    close(fd[1]);
    size_t n = 0;
    s->name[n++] = ':';
    // It closes its end once it has written the line, or has failed.
    while (n < sizeof(s->name) - 1 && read(fd[0], s->name + n, 1) == 1 &&
           s->name[n] != '\n')
        n++;
    s->name[n] = '\0';
    close(fd[0]);
    if (n == 1)
        dh_test_skip("no Xvfb here");
}

static void server_kill(struct server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

static void server_stop(struct server *s)
{
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
}

static atomic_int warnings;

static void count_warnings(void *user, enum dh_log_level level, const char *tag,
                           const char *text)
{
    (void)user;
    (void)text;
    if (level == DH_LOG_WARN && strcmp(tag, "x11") == 0)
        warnings++;
}

static void bad_request(Display *dpy)
{
    XMapWindow(dpy, 0x7fffffff);
}

static void test_errors_are_results_in_a_trap_and_warnings_outside(void)
{
    struct server s;
    Display *a, *b;
    server_start(&s);
    CHECK_INT(dh_x11_open(&a, s.name), DH_OK);
    CHECK_INT(dh_x11_open(&b, s.name), DH_OK);
    dh_log_set_hook(count_warnings, NULL);

    dh_x11_trap_begin(a);
    bad_request(a);
    CHECK(!dh_x11_trap_end(a));
    CHECK_INT(warnings, 0);
    dh_x11_trap_begin(a);
    CHECK(dh_x11_trap_end(a));

    // An earlier error is not the trap's, and another display's neither.
    bad_request(a);
    dh_x11_trap_begin(a);
    CHECK_INT(warnings, 1);
    bad_request(b);
    XSync(b, False);
    CHECK_INT(warnings, 2);
    CHECK(dh_x11_trap_end(a));

    CHECK(!dh_x11_is_lost(a));
    dh_x11_close(a);
    dh_x11_close(b);
    dh_x11_close(NULL);
    server_stop(&s);
}

// SDL's, for one.
static void test_a_librarys_own_connection_survives_its_errors(void)
{
    struct server s;
    server_start(&s);
    dh_x11_forgive_others();
    Display *own = XOpenDisplay(s.name);
    CHECK(own != NULL);
    dh_log_set_hook(count_warnings, NULL);
    bad_request(own);
    XSync(own, False);
    CHECK_INT(warnings, 0);
    XCloseDisplay(own);
    server_stop(&s);
}

static void test_a_killed_server_is_noticed_and_survived(void)
{
    struct server s;
    Display *idle, *busy, *trapped;
    server_start(&s);
    CHECK_INT(dh_x11_open(&idle, s.name), DH_OK);
    CHECK_INT(dh_x11_open(&busy, s.name), DH_OK);
    CHECK_INT(dh_x11_open(&trapped, s.name), DH_OK);
    dh_x11_trap_begin(trapped);
    server_kill(&s);

    XWindowAttributes attr;
    CHECK(!XGetWindowAttributes(busy, DefaultRootWindow(busy), &attr));
    CHECK(dh_x11_is_lost(busy));
    CHECK(!dh_x11_trap_end(trapped));
    CHECK(dh_x11_is_lost(trapped));
    dh_x11_trap_begin(trapped);
    CHECK(!dh_x11_trap_end(trapped));
    CHECK_INT(dh_x11_wait_event(idle, dh_now_ns() + 20 * DH_S), DH_ERR_CLOSED);
    CHECK_INT(dh_x11_wait_event(idle, dh_now_ns() + 20 * DH_S), DH_ERR_CLOSED);
    dh_x11_close(idle);
    dh_x11_close(busy);
    dh_x11_close(trapped);
}

static void test_opening_fails_without_a_server(void)
{
    Display *none = NULL;
    CHECK_INT(dh_x11_open(&none, ":31999"), DH_ERR_NOTFOUND);
    CHECK_INT(dh_x11_open(&none, "no such display"), DH_ERR_NOTFOUND);
    CHECK(!none);
}

static void test_waiting_ends_with_an_event_or_in_time(void)
{
    struct server s;
    Display *dpy, *other;
    server_start(&s);
    CHECK_INT(dh_x11_open(&dpy, s.name), DH_OK);
    CHECK_INT(dh_x11_open(&other, s.name), DH_OK);
    XSelectInput(dpy, DefaultRootWindow(dpy), PropertyChangeMask);
    XSync(dpy, False);
    int64_t begun = dh_now_ns();
    CHECK_INT(dh_x11_wait_event(dpy, begun + 30 * DH_MS), DH_ERR_TIMEOUT);
    CHECK(dh_now_ns() >= begun + 30 * DH_MS);
    CHECK_INT(dh_x11_wait_event(dpy, 0), DH_ERR_TIMEOUT);

    Atom name = XInternAtom(other, "DH_TEST", False);
    XChangeProperty(other, DefaultRootWindow(other), name, name, 8,
                    PropModeReplace, (const unsigned char *)"x", 1);
    XFlush(other);
    CHECK_INT(dh_x11_wait_event(dpy, dh_now_ns() + 20 * DH_S), DH_OK);
    XEvent e;
    XNextEvent(dpy, &e);
    CHECK_INT(e.type, PropertyNotify);
    dh_x11_close(dpy);
    dh_x11_close(other);
    server_stop(&s);
}

static void test_connections_have_an_end_and_come_back(void)
{
    struct server s;
    Display *dpy[17];
    server_start(&s);
    for (int i = 0; i < 16; i++)
        CHECK_INT(dh_x11_open(&dpy[i], s.name), DH_OK);
    CHECK_INT(dh_x11_open(&dpy[16], s.name), DH_ERR_RANGE);
    dh_x11_close(dpy[3]);
    CHECK_INT(dh_x11_open(&dpy[3], s.name), DH_OK);
    for (int i = 0; i < 16; i++)
        dh_x11_close(dpy[i]);
    server_stop(&s);
}

DH_TESTS(DH_TEST(errors_are_results_in_a_trap_and_warnings_outside),
         DH_TEST(a_librarys_own_connection_survives_its_errors),
         DH_TEST(a_killed_server_is_noticed_and_survived),
         DH_TEST(opening_fails_without_a_server),
         DH_TEST(waiting_ends_with_an_event_or_in_time),
         DH_TEST(connections_have_an_end_and_come_back));
