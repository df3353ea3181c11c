#include "agent/a11y.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/Xlib.h>

#include "base/clock.h"
#include "base/x11.h"
#include "tests/dh_test.h"

static pid_t spawn(const char *const *argv, int out)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (out >= 0)
            dup2(out, 3);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    CHECK(pid > 0);
    return pid;
}

static void stop(pid_t pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

/* A session bus of this test's own. */
static pid_t start_bus(void)
{
    static const char *const argv[] = { "dbus-daemon",       "--session",
                                        "--nofork",          "--nopidfile",
                                        "--print-address=3", NULL };
    char address[512];
    int fd[2];
    CHECK_INT(pipe(fd), 0);
    pid_t pid = spawn(argv, fd[1]);
    close(fd[1]);
    ssize_t n = read(fd[0], address, sizeof address - 1);
    close(fd[0]);
    if (n <= 0)
        dh_test_skip("dbus-daemon is not installed");
    address[n] = 0;
    address[strcspn(address, "\n")] = 0;
    setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
    return pid;
}

static pid_t start_entry(bool password)
{
    const char *const argv[] = { "zenity",
                                 "--entry",
                                 "--text=Name",
                                 "--entry-text=Ada",
                                 password ? "--hide-text" : NULL,
                                 NULL };
    return spawn(argv, -1);
}

/* What a window manager would do: the newest window gets the focus. */
static void focus_newest(Display *dpy)
{
    Window root = DefaultRootWindow(dpy), parent, *child;
    unsigned n = 0;
    XWindowAttributes at;
    if (!XQueryTree(dpy, root, &root, &parent, &child, &n))
        return;
    dh_x11_trap_begin(dpy);
    for (unsigned i = n; i-- > 0;) {
        if (!XGetWindowAttributes(dpy, child[i], &at) || at.width < 50 ||
            at.map_state != IsViewable)
            continue;
        XSetInputFocus(dpy, child[i], RevertToParent, CurrentTime);
        break;
    }
    // A window that has just gone is no trouble.
    bool given = dh_x11_trap_end(dpy);
    (void)given;
    XFree(child);
}

/* Programs join the accessibility bus some time after they show up. */
static bool focused_soon(struct dh_a11y *a, int pid, struct dh_a11y_node *n)
{
    Display *dpy;
    bool found = false;
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    for (int i = 0; i < 100 && !found; i++) {
        focus_newest(dpy);
        found = dh_a11y_focused(a, pid, n) && n->rect.w > 0;
        if (!found)
            dh_sleep_for(100 * DH_MS);
    }
    dh_x11_close(dpy);
    return found;
}

static void test_the_focused_entry_tells_its_text(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n, at;
    pid_t bus = start_bus(), entry = start_entry(false);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    CHECK_STR(n.text, "Ada");
    CHECK_STR(n.role, "text");
    CHECK(n.editable && n.focused && !n.password);
    struct dh_point p = { n.rect.x + n.rect.w / 2, n.rect.y + n.rect.h / 2 };
    CHECK(dh_a11y_at(a, entry, p, &at));
    CHECK_STR(at.text, "Ada");
    // Another process's window is not ours to speak for.
    CHECK(!dh_a11y_at(a, (int)getpid(), p, &at));
    dh_a11y_destroy(a);
    stop(entry);
    stop(bus);
}

static void test_a_password_is_known_and_not_read(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n;
    pid_t bus = start_bus(), entry = start_entry(true);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    CHECK(n.password);
    CHECK_STR(n.text, "");
    dh_a11y_destroy(a);
    stop(entry);
    stop(bus);
}

/* A program that is stopped does not hold us up. */
static void test_a_program_that_hangs_is_waited_for_a_moment(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n;
    pid_t bus = start_bus(), entry = start_entry(false);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    kill(entry, SIGSTOP);
    int64_t start = dh_now_ns();
    CHECK(!dh_a11y_focused(a, entry, &n));
    CHECK(dh_now_ns() - start < 2 * DH_S);
    kill(entry, SIGCONT);
    CHECK(focused_soon(a, entry, &n));
    dh_a11y_destroy(a);
    stop(entry);
    stop(bus);
}

static void test_without_a_bus_nothing_is_known(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n;
    setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/at/all", 1);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    CHECK(!dh_a11y_focused(a, 0, &n));
    CHECK(!dh_a11y_at(NULL, 0, (struct dh_point){ 1, 1 }, &n));
    dh_a11y_destroy(a);
    dh_a11y_destroy(NULL);
}

DH_TESTS(DH_TEST(the_focused_entry_tells_its_text),
         DH_TEST(a_password_is_known_and_not_read),
         DH_TEST(a_program_that_hangs_is_waited_for_a_moment),
         DH_TEST(without_a_bus_nothing_is_known));
