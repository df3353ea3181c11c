/* tests/agent/bus.h - a session bus of a test's own, and programs on it. */
#ifndef DH_TESTS_AGENT_BUS_H
#define DH_TESTS_AGENT_BUS_H

#include <sys/types.h>

#include <X11/Xlib.h>

/* Start a program that ends with the test; its descriptor 3 is `out` unless
 * that is -1. */
pid_t dh_bus_spawn(const char *const *argv, int out);
void dh_bus_stop(pid_t pid);
/* Skips the test where dbus-daemon is not installed. The environment names the
 * bus from then on. */
pid_t dh_bus_start(void);
/* What a window manager would do: the newest window gets the focus. */
void dh_bus_focus_newest(Display *dpy);

#endif
