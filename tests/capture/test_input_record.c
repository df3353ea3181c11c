#include "capture/input_record.h"

#include <stdio.h>
#include <string.h>

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"
#include "tests/x11/person.h"

static struct dh_input_record *start(bool include_xtest)
{
    struct dh_input_record *r;
    struct dh_input_record_options o = { .locale = "C",
                                         .stop_key = "Ctrl+Alt+Escape",
                                         .include_xtest = include_xtest };
    CHECK_INT(dh_input_record_create(&r, &o), DH_OK);
    return r;
}

// The next event of that kind; others are left out.
static struct dh_input_event next(struct dh_input_record *r,
                                  enum dh_input_kind kind)
{
    struct dh_input_event e;
    int64_t until = dh_now_ns() + 10 * DH_S;
    do
        CHECK_INT(dh_input_record_take(r, &e, until), DH_OK);
    while (e.kind != kind);
    return e;
}

static struct dh_window next_window(struct dh_input_record *r,
                                    enum dh_window_change what,
                                    unsigned long id)
{
    struct dh_input_event e;
    do
        e = next(r, DH_INPUT_WINDOW);
    while (e.what != what || e.window.id != id);
    return e.window;
}

static Window show(Display *dpy, int x, const char *title)
{
    char name[] = "pad", kind[] = "Pad";
    XClassHint hint = { name, kind };
    Window w = XCreateSimpleWindow(dpy, DefaultRootWindow(dpy), x, 60, 200, 100,
                                   0, 0, 0xffffff);
    XStoreName(dpy, w, title);
    XSetClassHint(dpy, w, &hint);
    XMapWindow(dpy, w);
    XSync(dpy, False);
    return w;
}

static void test_windows_are_told_of_from_their_coming_to_their_going(void)
{
    Display *dpy = XOpenDisplay(NULL);
    Window old = show(dpy, 0, "Old");
    struct dh_input_record *r = start(false);
    // One that is there already is told of as well.
    CHECK_STR(next_window(r, DH_WINDOW_MAP, old).title, "Old");
    Window new = show(dpy, 300, "New");
    struct dh_window found = next_window(r, DH_WINDOW_MAP, new);
    CHECK_STR(found.wm_class, "pad.Pad");
    CHECK_INT(found.box.x, 300);
    XSetInputFocus(dpy, new, RevertToNone, CurrentTime);
    XSync(dpy, False);
    CHECK_STR(next_window(r, DH_WINDOW_FOCUS, new).title, "New");
    XStoreName(dpy, new, "Newer");
    XSync(dpy, False);
    CHECK_STR(next_window(r, DH_WINDOW_TITLE, new).title, "Newer");
    // A move is told once, where it ended.
    for (int i = 1; i <= 20; i++)
        XMoveWindow(dpy, new, 300 + i, 60);
    XSync(dpy, False);
    CHECK_INT(next_window(r, DH_WINDOW_MOVE, new).box.x, 320);
    XDestroyWindow(dpy, new);
    XSync(dpy, False);
    CHECK_STR(next_window(r, DH_WINDOW_UNMAP, new).title, "Newer");
    dh_input_record_destroy(r);
    XCloseDisplay(dpy);
}

static void test_a_button_tells_where_the_pointer_was(void)
{
    struct dh_person p;
    dh_person_init(&p);
    struct dh_input_record *r = start(false);
    dh_person_moves(&p, 123, 234);
    CHECK_INT(next(r, DH_INPUT_MOTION).at.x, 123);
    dh_person_button(&p, 1, true);
    struct dh_input_event e = next(r, DH_INPUT_BUTTON);
    CHECK(e.down);
    CHECK_INT(e.code, 1);
    CHECK_INT(e.at.x, 123);
    CHECK_INT(e.at.y, 234);
    dh_person_button(&p, 1, false);
    CHECK(!next(r, DH_INPUT_BUTTON).down);
    dh_input_record_destroy(r);
    dh_person_finish(&p);
}

static void test_motion_is_thinned_and_ends_where_it_ended(void)
{
    struct dh_person p;
    struct dh_input_event e;
    int n = 0;
    dh_person_init(&p);
    struct dh_input_record *r = start(false);
    int64_t start_ns = dh_now_ns();
    for (int i = 1; i <= 500; i++) {
        dh_person_moves(&p, i, 50);
        dh_sleep_for(DH_MS / 2);
    }
    struct dh_point last = { 0 };
    do {
        CHECK_INT(dh_input_record_take(r, &e, dh_now_ns() + 10 * DH_S), DH_OK);
        n += e.kind == DH_INPUT_MOTION;
        if (e.kind == DH_INPUT_MOTION)
            last = e.at;
    } while (last.x != 500);
    double seconds = (double)(e.time_ns - start_ns) / 1e9;
    printf("500 motions in %.2f s are told as %d\n", seconds, n);
    CHECK(n >= 2);
    CHECK(n <= 62 * seconds + 3);
    dh_input_record_destroy(r);
    dh_person_finish(&p);
}

static void test_what_programs_do_is_told_where_asked(void)
{
    Display *dpy = XOpenDisplay(NULL);
    struct dh_person p;
    dh_person_init(&p);
    KeyCode key = XKeysymToKeycode(dpy, XK_q);
    struct dh_input_record *r = start(false);
    XTestFakeKeyEvent(dpy, key, True, 0);
    XTestFakeKeyEvent(dpy, key, False, 0);
    XSync(dpy, False);
    dh_person_key(&p, XK_w, true);
    dh_person_key(&p, XK_w, false);
    CHECK_STR(next(r, DH_INPUT_KEY).text, "w");
    dh_input_record_destroy(r);
    r = start(true);
    XTestFakeKeyEvent(dpy, key, True, 0);
    XTestFakeKeyEvent(dpy, key, False, 0);
    XSync(dpy, False);
    CHECK_STR(next(r, DH_INPUT_KEY).text, "q");
    dh_input_record_destroy(r);
    dh_person_finish(&p);
    XCloseDisplay(dpy);
}

static void test_the_stop_key_works_inside_a_grab_and_is_no_key(void)
{
    static const KeySym mods[] = { XK_Control_L, XK_Alt_L, 0 };
    Display *dpy = XOpenDisplay(NULL);
    struct dh_person p;
    struct dh_input_event e;
    dh_person_init(&p);
    struct dh_input_record *r = start(false);
    CHECK_INT(XGrabKeyboard(dpy, DefaultRootWindow(dpy), False, GrabModeAsync,
                            GrabModeAsync, CurrentTime),
              GrabSuccess);
    XSync(dpy, False);
    dh_person_chord(&p, XK_Escape, mods);
    do {
        CHECK_INT(dh_input_record_take(r, &e, dh_now_ns() + 10 * DH_S), DH_OK);
        CHECK(e.kind != DH_INPUT_KEY || e.modifier);
    } while (e.kind != DH_INPUT_STOP);
    dh_input_record_destroy(r);
    dh_person_finish(&p);
    XCloseDisplay(dpy);
}

static void test_what_nobody_takes_is_counted(void)
{
    struct dh_person p;
    uint64_t lost = 0;
    dh_person_init(&p);
    struct dh_input_record *r = start(false);
    for (int i = 0; i < 1500; i++)
        dh_person_key(&p, XK_z, i % 2 == 0);
    XSync(p.dpy, False);
    int64_t until = dh_now_ns() + 20 * DH_S;
    while (!lost && dh_now_ns() < until) {
        lost = dh_input_record_dropped(r);
        dh_sleep_for(DH_MS);
    }
    CHECK(lost > 0);
    dh_input_record_destroy(r);
    dh_person_finish(&p);
}

static void test_a_server_that_goes_ends_it(void)
{
    struct server s;
    struct dh_input_record *r;
    server_start(&s, "640x480x24", NULL);
    struct dh_input_record_options o = { .display = s.display };
    CHECK_INT(dh_input_record_create(&r, &o), DH_OK);
    server_kill(&s);
    next(r, DH_INPUT_LOST);
    dh_input_record_destroy(r);
}

DH_TESTS(DH_TEST(windows_are_told_of_from_their_coming_to_their_going),
         DH_TEST(a_button_tells_where_the_pointer_was),
         DH_TEST(motion_is_thinned_and_ends_where_it_ended),
         DH_TEST(what_programs_do_is_told_where_asked),
         DH_TEST(the_stop_key_works_inside_a_grab_and_is_no_key),
         DH_TEST(what_nobody_takes_is_counted),
         DH_TEST(a_server_that_goes_ends_it));
