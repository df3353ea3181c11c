#include "capture/input_tap.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/windows.h"
#include "tests/dh_test.h"
#include "tests/x11/person.h"

struct desk {
    struct dh_cancel taken, stop;
    struct dh_input_tap *tap;
    struct dh_person person;
    Display *agent;
};

static void desk_init(struct desk *d, int64_t resume_after_ns)
{
    memset(d, 0, sizeof *d);
    struct dh_input_tap_options o = { .stop_key = "Pause",
                                      .resume_key = "Scroll_Lock",
                                      .resume_after_ns = resume_after_ns,
                                      .taken = &d->taken,
                                      .stop = &d->stop };
    dh_person_init(&d->person);
    d->agent = XOpenDisplay(NULL);
    CHECK_INT(dh_input_tap_create(&d->tap, &o), DH_OK);
}

static void desk_finish(struct desk *d)
{
    dh_input_tap_destroy(d->tap);
    XCloseDisplay(d->agent);
    dh_person_finish(&d->person);
}

// Far more than is claimed is waited for.
static void wait_set(struct dh_cancel *flag)
{
    int64_t start = dh_now_ns();
    while (!dh_cancel_is_set(flag) && dh_now_ns() < start + 10 * DH_S)
        dh_sleep_for(DH_MS / 100);
    CHECK(dh_cancel_is_set(flag));
}

static void wait_back(struct desk *d)
{
    CHECK(dh_input_tap_wait(d->tap, 10 * DH_S));
    CHECK(!dh_cancel_is_set(&d->taken));
}

static void test_a_persons_mouse_takes_the_desktop(void)
{
    struct desk d;
    int64_t most = 0;
    desk_init(&d, 0);
    for (int i = 0; i < 20; i++) {
        int64_t start = dh_now_ns();
        dh_person_moves(&d.person, 100 + i, 100);
        wait_set(&d.taken);
        most = DH_MAX(most, dh_now_ns() - start);
        dh_input_tap_hand_back(d.tap);
        wait_back(&d);
    }
    printf("a person's mouse was noticed after %.2f ms at most\n",
           (double)most / 1e6);
    desk_finish(&d);
}

static void test_the_agents_own_input_takes_nothing(void)
{
    struct desk d;
    desk_init(&d, 0);
    for (int i = 0; i < 50; i++) {
        XTestFakeMotionEvent(d.agent, 0, 10 + i, 10, 0);
        XTestFakeButtonEvent(d.agent, 1, True, 0);
        XTestFakeButtonEvent(d.agent, 1, False, 0);
        XTestFakeKeyEvent(d.agent, XKeysymToKeycode(d.agent, XK_a), True, 0);
        XTestFakeKeyEvent(d.agent, XKeysymToKeycode(d.agent, XK_a), False, 0);
        XWarpPointer(d.agent, None, DefaultRootWindow(d.agent), 0, 0, 0, 0, i,
                     i);
    }
    XSync(d.agent, False);
    // Events come in order: once this key has come, so have all before it.
    dh_person_key(&d.person, XK_Pause, true);
    wait_set(&d.stop);
    CHECK(!dh_cancel_is_set(&d.taken));
    dh_person_key(&d.person, XK_Pause, false);
    desk_finish(&d);
}

static void test_a_key_hands_back(void)
{
    struct desk d;
    desk_init(&d, 0);
    dh_person_key(&d.person, XK_x, true);
    dh_person_key(&d.person, XK_x, false);
    wait_set(&d.taken);
    CHECK(!dh_input_tap_wait(d.tap, 0));
    dh_person_key(&d.person, XK_Scroll_Lock, true);
    dh_person_key(&d.person, XK_Scroll_Lock, false);
    wait_back(&d);
    desk_finish(&d);
}

// The agent was thinking when a person came and went: it has to look again.
static void test_a_short_visit_is_not_missed(void)
{
    struct desk d;
    desk_init(&d, 0);
    dh_person_moves(&d.person, 7, 7);
    wait_set(&d.taken);
    dh_input_tap_hand_back(d.tap);
    CHECK(dh_cancel_is_set(&d.taken));
    wait_back(&d);
    desk_finish(&d);
}

static void test_quiet_hands_back_where_asked(void)
{
    struct desk d;
    desk_init(&d, 30 * DH_MS);
    dh_person_moves(&d.person, 5, 5);
    wait_set(&d.taken);
    wait_back(&d);
    desk_finish(&d);
}

static void test_an_answer_to_a_question_takes_nothing(void)
{
    struct desk d;
    desk_init(&d, 0);
    dh_input_tap_watch(d.tap, false);
    dh_person_key(&d.person, XK_y, true);
    dh_person_key(&d.person, XK_Pause, true);
    wait_set(&d.stop);
    CHECK(!dh_cancel_is_set(&d.taken));
    // Its release, and that of the key that answered, come later.
    dh_input_tap_watch(d.tap, true);
    dh_person_key(&d.person, XK_y, false);
    dh_person_key(&d.person, XK_Pause, false);
    dh_cancel_clear(&d.stop);
    dh_person_key(&d.person, XK_Pause, true);
    wait_set(&d.stop);
    CHECK(!dh_cancel_is_set(&d.taken));
    dh_person_key(&d.person, XK_Pause, false);
    desk_finish(&d);
}

// The stop key while the agent holds keys and a program has grabbed all input.
static void stop_inside_a_grab(int mode)
{
    struct desk d;
    desk_init(&d, 0);
    Window root = DefaultRootWindow(d.agent);
    CHECK_INT(XGrabKeyboard(d.agent, root, False, mode, mode, CurrentTime),
              GrabSuccess);
    CHECK_INT(XGrabPointer(d.agent, root, False, 0, mode, mode, None, None,
                           CurrentTime),
              GrabSuccess);
    KeyCode ctrl = XKeysymToKeycode(d.agent, XK_Control_L);
    XTestFakeKeyEvent(d.agent, ctrl, True, 0);
    XSync(d.agent, False);
    dh_person_key(&d.person, XK_Pause, true);
    wait_set(&d.stop);
    XUngrabKeyboard(d.agent, CurrentTime);
    XTestFakeKeyEvent(d.agent, ctrl, False, 0);
    XSync(d.agent, False);
    dh_person_key(&d.person, XK_Pause, false);
    desk_finish(&d);
}

static void test_the_stop_key_works_inside_a_grab(void)
{
    stop_inside_a_grab(GrabModeAsync);
}

// Such a grab keeps all events in the server until the program asks for more.
static void test_the_stop_key_works_inside_a_frozen_grab(void)
{
    stop_inside_a_grab(GrabModeSync);
}

static void test_an_unknown_key_is_an_error(void)
{
    struct dh_cancel flag = { 0 };
    struct dh_input_tap_options o = { .stop_key = "Frobnicate",
                                      .taken = &flag,
                                      .stop = &flag };
    struct dh_input_tap *tap;
    CHECK_INT(dh_input_tap_create(&tap, &o), DH_ERR_USAGE);
}

static Window show_window(Display *dpy, int x, const char *title,
                          const char *class, long pid)
{
    Window w = XCreateSimpleWindow(dpy, DefaultRootWindow(dpy), x, 50, 200, 100,
                                   0, 0, 0xffffff);
    char name[32], kind[32];
    snprintf(name, sizeof name, "%s", class);
    snprintf(kind, sizeof kind, "%s", class);
    XClassHint hint = { name, kind };
    XStoreName(dpy, w, title);
    XSetClassHint(dpy, w, &hint);
    XChangeProperty(dpy, w, XInternAtom(dpy, "_NET_WM_PID", False),
                    XInternAtom(dpy, "CARDINAL", False), 32, PropModeReplace,
                    (unsigned char *)&pid, 1);
    // Toolkits put a window of their own inside.
    XMapWindow(dpy, XCreateSimpleWindow(dpy, w, 0, 0, 200, 100, 0, 0, 0));
    XMapWindow(dpy, w);
    XSync(dpy, False);
    return w;
}

static void test_windows_are_told_apart(void)
{
    struct dh_windows *w;
    struct dh_window found;
    Display *dpy = XOpenDisplay(NULL);
    show_window(dpy, 0, "Bank", "web", (long)getpid());
    Window notes = show_window(dpy, 300, "Notes", "pad", (long)getppid());
    CHECK_INT(dh_windows_create(&w, NULL), DH_OK);
    CHECK_INT(dh_windows_at(w, &(struct dh_point){ 10, 60 }, &found), DH_OK);
    CHECK_STR(found.title, "Bank");
    CHECK_STR(found.wm_class, "web.web");
    CHECK_INT(found.pid, getpid());
    CHECK_STR(found.program, "test-capture");
    CHECK(found.own);
    CHECK_INT(dh_windows_at(w, &(struct dh_point){ 310, 60 }, &found), DH_OK);
    CHECK_STR(found.title, "Notes");
    CHECK(!found.own);
    CHECK_INT(found.box.x, 300);
    CHECK_INT(found.box.w, 200);
    CHECK_INT(dh_windows_at(w, &(struct dh_point){ 900, 700 }, &found), DH_OK);
    CHECK_INT(found.id, 0);
    XSetInputFocus(dpy, notes, RevertToNone, CurrentTime);
    XSync(dpy, False);
    CHECK_INT(dh_windows_focused(w, &found), DH_OK);
    CHECK_STR(found.title, "Notes");
    // Gone between two looks is no error.
    XDestroyWindow(dpy, notes);
    XSync(dpy, False);
    CHECK_INT(dh_windows_focused(w, &found), DH_OK);
    CHECK_INT(found.id, 0);
    dh_windows_destroy(w);
    XCloseDisplay(dpy);
}

static void test_the_programs_windows_are_listed(void)
{
    Display *dpy = XOpenDisplay(NULL);
    struct dh_windows *w;
    struct dh_window_list l;
    CHECK(dpy);
    Window root = DefaultRootWindow(dpy), list[2];
    list[0] = show_window(dpy, 50, "Notes", "pad", 0);
    list[1] = show_window(dpy, 300, "ada@box", "term", 0);
    XSetWindowAttributes menu = { .override_redirect = True };
    Window m = show_window(dpy, 500, "Menu", "pad", 0);
    XChangeWindowAttributes(dpy, m, CWOverrideRedirect, &menu);
    XSetInputFocus(dpy, list[1], RevertToNone, CurrentTime);
    XSync(dpy, False);
    CHECK_INT(dh_windows_create(&w, NULL), DH_OK);
    CHECK_INT(dh_windows_list(w, &l), DH_OK);
    CHECK_INT(l.n, 2);
    CHECK_STR(l.item[0].title, "Notes");
    CHECK(l.item[1].id == list[1] && l.focus == list[1]);
    // A manager knows better.
    Atom clients = XInternAtom(dpy, "_NET_CLIENT_LIST", False);
    XChangeProperty(dpy, root, clients, XA_WINDOW, 32, PropModeReplace,
                    (unsigned char *)list, 1);
    XSync(dpy, False);
    CHECK_INT(dh_windows_list(w, &l), DH_OK);
    CHECK_INT(l.n, 1);
    XDestroyWindow(dpy, list[0]);
    XSync(dpy, False);
    CHECK_INT(dh_windows_list(w, &l), DH_ERR_NOTFOUND);
    XDeleteProperty(dpy, root, clients);
    dh_windows_destroy(w);
    XCloseDisplay(dpy);
}

DH_TESTS(DH_TEST(a_persons_mouse_takes_the_desktop),
         DH_TEST(the_agents_own_input_takes_nothing), DH_TEST(a_key_hands_back),
         DH_TEST(a_short_visit_is_not_missed),
         DH_TEST(quiet_hands_back_where_asked),
         DH_TEST(an_answer_to_a_question_takes_nothing),
         DH_TEST(the_stop_key_works_inside_a_grab),
         DH_TEST(the_stop_key_works_inside_a_frozen_grab),
         DH_TEST(an_unknown_key_is_an_error), DH_TEST(windows_are_told_apart),
         DH_TEST(the_programs_windows_are_listed));
