#include "tests/agent/bus.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/x11.h"
#include "tests/dh_test.h"

pid_t dh_bus_spawn(const char *const *argv, int out)
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

void dh_bus_stop(pid_t pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

// The accessibility bus of the test before is gone, but its address stays on
// the root window, where programs look first.
static void forget_bus(void)
{
    Display *dpy = XOpenDisplay(NULL);
    CHECK(dpy != NULL);
    XDeleteProperty(dpy, DefaultRootWindow(dpy),
                    XInternAtom(dpy, "AT_SPI_BUS", False));
    XCloseDisplay(dpy);
}

pid_t dh_bus_start(void)
{
    static const char *const argv[] = { "dbus-daemon",       "--session",
                                        "--nofork",          "--nopidfile",
                                        "--print-address=3", NULL };
    char address[512];
    int fd[2];
    CHECK_INT(pipe(fd), 0);
    pid_t pid = dh_bus_spawn(argv, fd[1]);
    close(fd[1]);
    ssize_t n = read(fd[0], address, sizeof address - 1);
    close(fd[0]);
    if (n <= 0)
        dh_test_skip("dbus-daemon is not installed");
    address[n] = 0;
    address[strcspn(address, "\n")] = 0;
    setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
    forget_bus();
    return pid;
}

void dh_bus_focus_newest(Display *dpy)
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
