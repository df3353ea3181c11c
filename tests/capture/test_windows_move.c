#include "capture/windows.h"

#include <string.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include "base/clock.h"
#include "tests/dh_test.h"

static Window open_window(Display *dpy, const char *title, int x, bool menu)
{
    XClassHint hint = { (char[]){ "t" }, (char[]){ "T" } };
    XSetWindowAttributes a = { .override_redirect = menu };
    Window w = XCreateWindow(dpy, DefaultRootWindow(dpy), x, 50, 200, 100, 0,
                             CopyFromParent, InputOutput, CopyFromParent,
                             CWOverrideRedirect, &a);
    XSetClassHint(dpy, w, &hint);
    XStoreName(dpy, w, title);
    XMapRaised(dpy, w);
    XSync(dpy, False);
    return w;
}

static void test_windows_are_told_from_the_top(void)
{
    Display *dpy = XOpenDisplay(NULL);
    struct dh_windows *w;
    struct dh_window all[8];
    int n;
    CHECK_INT(dh_windows_create(&w, NULL), DH_OK);
    open_window(dpy, "One", 10, false);
    open_window(dpy, "Two", 50, false);
    open_window(dpy, "Menu", 90, true);
    CHECK_INT(dh_windows_stack(w, all, 8, &n), DH_OK);
    CHECK_INT(n, 3);
    CHECK_STR(all[0].title, "Menu");
    CHECK(all[0].menu && !all[1].menu);
    CHECK_STR(all[1].title, "Two");
    CHECK_STR(all[2].title, "One");
    CHECK_INT(all[2].box.x, 10);
    CHECK_INT(dh_windows_stack(w, all, 1, &n), DH_OK);
    CHECK_INT(n, 1);
    dh_windows_destroy(w);
    XCloseDisplay(dpy);
}

// A manager that was killed leaves its mark, and obeys nobody.
static void leave_a_mark(Display *dpy)
{
    Window gone = open_window(dpy, "WM", 10, false);
    XDestroyWindow(dpy, gone);
    XChangeProperty(dpy, DefaultRootWindow(dpy),
                    XInternAtom(dpy, "_NET_SUPPORTING_WM_CHECK", False),
                    XA_WINDOW, 32, PropModeReplace, (unsigned char *)&gone, 1);
    XSync(dpy, False);
}

static void test_a_window_comes_to_the_top_and_to_its_place(void)
{
    Display *dpy = XOpenDisplay(NULL);
    struct dh_windows *w;
    struct dh_window at, all[8];
    struct dh_rect box = { 300, 200, 240, 130 };
    int n;
    CHECK_INT(dh_windows_create(&w, NULL), DH_OK);
    leave_a_mark(dpy);
    Window one = open_window(dpy, "One", 10, false);
    open_window(dpy, "Two", 50, false);
    int64_t until = dh_now_ns() + 20 * DH_S;
    CHECK_INT(dh_windows_raise(w, one, until), DH_OK);
    CHECK_INT(dh_windows_place(w, one, box, until), DH_OK);
    CHECK_INT(dh_windows_focused(w, &at), DH_OK);
    CHECK_INT(at.id, one);
    CHECK_INT(dh_windows_stack(w, all, 8, &n), DH_OK);
    CHECK_STR(all[0].title, "One");
    CHECK_INT(all[0].box.x, 300);
    CHECK_INT(all[0].box.h, 130);
    XDestroyWindow(dpy, one);
    XSync(dpy, False);
    CHECK_INT(dh_windows_raise(w, one, dh_now_ns() + 50 * DH_MS),
              DH_ERR_NOTFOUND);
    CHECK_INT(dh_windows_place(w, one, box, dh_now_ns() + 50 * DH_MS),
              DH_ERR_NOTFOUND);
    dh_windows_destroy(w);
    XCloseDisplay(dpy);
}

DH_TESTS(DH_TEST(windows_are_told_from_the_top),
         DH_TEST(a_window_comes_to_the_top_and_to_its_place));
