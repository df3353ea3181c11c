/* Pictures of one window. */
#include <stdio.h>

#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include "capture/frame.h"
#include "capture/screen.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"

struct client {
    Display *dpy;
    Window win;
};

static void fill(struct client *c, Window w, unsigned long rgb)
{
    XSetWindowBackground(c->dpy, w, rgb);
    XClearWindow(c->dpy, w);
    XSync(c->dpy, False);
}

static Window window_at(struct client *c, int x, int y, int w, int h,
                        unsigned long rgb)
{
    XSetWindowAttributes a = { .background_pixel = rgb,
                               .override_redirect = True };
    Window win =
        XCreateWindow(c->dpy, DefaultRootWindow(c->dpy), x, y, (unsigned)w,
                      (unsigned)h, 3, CopyFromParent, InputOutput,
                      CopyFromParent, CWBackPixel | CWOverrideRedirect, &a);
    XMapRaised(c->dpy, win);
    XSync(c->dpy, False);
    return win;
}

static void client_init(struct client *c)
{
    c->dpy = XOpenDisplay(NULL);
    CHECK(c->dpy);
    c->win = window_at(c, 100, 80, 200, 150, 0xaa0000);
    XStoreName(c->dpy, c->win, "A Window of Tests");
    XSync(c->dpy, False);
}

static struct dh_source *screen_of_window(const char *which)
{
    struct dh_screen_options o = { .window = which,
                                   .shm = true,
                                   .damage = true };
    struct dh_source *s;
    CHECK_INT(dh_screen_create(&s, &o), DH_OK);
    return s;
}

static struct dh_frame *grab(struct dh_source *s)
{
    struct dh_frame *f;
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    return f;
}

static void check_place(const struct dh_frame *f, int x, int y, int w, int h)
{
    CHECK_INT(f->screen.x, x);
    CHECK_INT(f->screen.y, y);
    CHECK_INT(f->width, w);
    CHECK_INT(f->height, h);
}

static void test_a_covered_window_is_seen_whole(void)
{
    struct client c;
    client_init(&c);
    struct dh_source *s = screen_of_window("window OF");
    window_at(&c, 0, 0, 500, 500, 0x00ff00);
    fill(&c, c.win, 0xbb0000);
    struct dh_frame *f = grab(s);
    // Inside of its border.
    check_place(f, 103, 83, 200, 150);
    check_pixel(f, 0, 0, 0xbb0000);
    check_pixel(f, 199, 149, 0xbb0000);
    dh_frame_unref(f);
    fill(&c, c.win, 0x0000cc);
    f = grab(s);
    check_pixel(f, 100, 100, 0x0000cc);
    struct dh_frame *again = grab(s);
    dh_frame_unref(f);
    dh_frame_unref(again);
    dh_source_destroy(s);
    XCloseDisplay(c.dpy);
}

static void test_it_is_followed_where_it_goes(void)
{
    struct client c;
    char number[32];
    client_init(&c);
    snprintf(number, sizeof number, "0x%lX", c.win);
    struct dh_source *s = screen_of_window(number);
    dh_frame_unref(grab(s));
    XMoveWindow(c.dpy, c.win, -50, -20);
    fill(&c, c.win, 0x123456);
    struct dh_frame *f = grab(s);
    check_place(f, -47, -17, 200, 150);
    check_pixel(f, 0, 0, 0x123456);
    dh_frame_unref(f);
    for (int i = 0; i < 5; i++) {
        XResizeWindow(c.dpy, c.win, 300 - 20 * (unsigned)i,
                      100 + 30 * (unsigned)i);
        fill(&c, c.win, 0x654321);
        f = grab(s);
        check_place(f, -47, -17, 300 - 20 * i, 100 + 30 * i);
        check_pixel(f, f->width - 1, f->height - 1, 0x654321);
        dh_frame_unref(f);
    }
    dh_source_destroy(s);
    XCloseDisplay(c.dpy);
}

static void test_a_hidden_window_comes_back_and_a_closed_one_does_not(void)
{
    struct client c;
    client_init(&c);
    struct dh_source *s = screen_of_window("window of tests");
    struct dh_frame *f = grab(s);
    CHECK_INT(dh_source_mark(s), DH_OK);
    dh_frame_unref(f);
    XUnmapWindow(c.dpy, c.win);
    XSync(c.dpy, False);
    CHECK_INT(dh_source_grab(s, &f), DH_ERR_IO);
    XMapWindow(c.dpy, c.win);
    fill(&c, c.win, 0x777777);
    f = grab(s);
    check_pixel(f, 10, 10, 0x777777);
    dh_frame_unref(f);
    XDestroyWindow(c.dpy, c.win);
    XSync(c.dpy, False);
    CHECK_INT(dh_source_grab(s, &f), DH_ERR_CLOSED);
    CHECK_INT(dh_source_grab(s, &f), DH_ERR_CLOSED);
    dh_source_destroy(s);
    XCloseDisplay(c.dpy);
}

static void test_a_window_that_is_not_there(void)
{
    struct dh_screen_options o = { .shm = true, .damage = true };
    static const char *const bad[] = { "no such title",  "0x7ffffff", "0",
                                       "99999999999999", "0xzz",      "" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct dh_source *s;
        o.window = bad[i];
        CHECK_INT(dh_screen_create(&s, &o), DH_ERR_NOTFOUND);
    }
    struct server server;
    server_start(&server, "320x200x24", "Composite");
    struct dh_source *s;
    o.display = server.display;
    CHECK_INT(dh_screen_create(&s, &o), DH_ERR_UNSUPPORTED);
    server_kill(&server);
}

DH_TESTS(DH_TEST(a_covered_window_is_seen_whole),
         DH_TEST(it_is_followed_where_it_goes),
         DH_TEST(a_hidden_window_comes_back_and_a_closed_one_does_not),
         DH_TEST(a_window_that_is_not_there));
