/* The monitors of a screen, on servers whose monitors come, go and turn. */
#include "capture/layout.h"

#include <stdio.h>
#include <string.h>

#include <X11/Xlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"

static enum dh_status create(struct dh_source **out, const char *display,
                             const char *output)
{
    struct dh_screen_options o = {
        .display = display, .output = output, .shm = true, .damage = true
    };
    return dh_screen_create(out, &o);
}

static struct dh_source *screen_on(const char *display, const char *output)
{
    struct dh_source *s;
    CHECK_INT(create(&s, display, output), DH_OK);
    return s;
}

static struct dh_frame *grab(struct dh_source *s)
{
    struct dh_frame *f;
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    return f;
}

static void check_rect(struct dh_rect r, int x, int y, int w, int h)
{
    CHECK_INT(r.x, x);
    CHECK_INT(r.y, y);
    CHECK_INT(r.w, w);
    CHECK_INT(r.h, h);
}

static void check_output(const struct dh_layout *l, const char *name, int x,
                         int y, int w, int h)
{
    const struct dh_output *o = dh_layout_find(l, name);
    CHECK(o);
    check_rect(o->rect, x, y, w, h);
}

// What xrandr did is known once the server has told us, which it may do a
// moment later.
static struct dh_layout layout_after(struct dh_source *s,
                                     const struct dh_layout *before)
{
    struct dh_layout l = { 0 };
    int64_t limit = dh_now_ns() + 10 * DH_S;
    do {
        CHECK_INT(dh_source_layout(s, &l), DH_OK);
    } while (dh_layout_equal(&l, before) && dh_now_ns() < limit);
    CHECK(!dh_layout_equal(&l, before));
    return l;
}

/* One output in two halves, as very wide monitors are used. */
static void test_monitors_that_split_an_output(void)
{
    struct server server;
    server_start(&server, "1000x600x24", NULL);
    struct dh_source *s = screen_on(server.display, NULL);
    struct dh_frame *f = grab(s);
    CHECK_INT(f->layout.n, 1);
    check_rect(f->layout.root, 0, 0, 1000, 600);
    check_output(&f->layout, "screen", 0, 0, 1000, 600);
    if (!xrandr(server.display,
                "--setmonitor left 400/100x600/100+0+0 screen") ||
        !xrandr(server.display, "--setmonitor right 500/100x300/100+500+200 "
                                "none")) {
        server_kill(&server);
        dh_test_skip("xrandr is not installed, or has no monitors");
    }
    struct dh_layout l = layout_after(s, &f->layout);
    while (l.n < 2) {
        struct dh_layout one = l;
        l = layout_after(s, &one);
    }
    check_output(&l, "left", 0, 0, 400, 600);
    check_output(&l, "right", 500, 200, 500, 300);
    CHECK(dh_layout_shows(&l, (struct dh_point){ 399, 599 }));
    CHECK(dh_layout_shows(&l, (struct dh_point){ 999, 499 }));
    CHECK(!dh_layout_shows(&l, (struct dh_point){ 400, 0 }));
    CHECK(!dh_layout_shows(&l, (struct dh_point){ 999, 500 }));
    dh_frame_unref(f);

    f = grab(s);
    CHECK(dh_layout_equal(&f->layout, &l));
    dh_frame_unref(f);
    struct dh_source *right = screen_on(server.display, "RIGHT");
    f = grab(right);
    check_rect(f->screen, 500, 200, 500, 300);
    dh_frame_unref(f);

    // It goes away in mid-run.
    CHECK(xrandr(server.display, "--delmonitor right"));
    CHECK_INT(dh_source_grab(right, &f), DH_ERR_NOTFOUND);
    dh_source_destroy(right);
    CHECK_INT(create(&right, server.display, "right"), DH_ERR_NOTFOUND);
    dh_source_destroy(s);
    server_kill(&server);
}

static void test_without_randr_there_is_only_the_size(void)
{
    struct server server;
    server_start(&server, "320x200x24", "RANDR");
    struct dh_source *s = screen_on(server.display, NULL);
    struct dh_frame *f = grab(s);
    CHECK_INT(f->layout.n, 0);
    check_rect(f->layout.root, 0, 0, 320, 200);
    CHECK(dh_layout_shows(&f->layout, (struct dh_point){ 1, 1 }));
    dh_frame_unref(f);
    dh_source_destroy(s);
    CHECK_INT(create(&s, server.display, "primary"), DH_ERR_NOTFOUND);
    server_kill(&server);
}

// ---- real monitors, but for the glass --------------------------------------

static void dummy_or_skip(struct server *server)
{
    if (!server_start_dummy(server, dh_test_dir()))
        dh_test_skip("this machine cannot run an Xorg with dummy monitors");
    if (!xrandr(server->display, "--addmode DUMMY1 1280x1024 --addmode DUMMY2 "
                                 "800x600")) {
        server_kill(server);
        dh_test_skip("this Xorg has one dummy monitor only");
    }
}

static const char three[] =
    "--output DUMMY0 --mode 1024x768 --pos 800x300 --primary "
    "--output DUMMY1 --mode 1280x1024 --pos 1824x0 "
    "--output DUMMY2 --mode 800x600 --pos 0x0";

static void check_pictures(const struct server *server)
{
    Display *painter = XOpenDisplay(server->display);
    CHECK(painter);
    static const char *const names[] = { "DUMMY0", "DUMMY1", "DUMMY2",
                                         "primary", "all" };
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        struct dh_source *s = screen_on(server->display, names[i]);
        struct dh_frame *f = grab(s);
        struct dh_rect at = f->screen;
        dh_frame_unref(f);
        CHECK_INT(f->width, at.w);
        paint(painter, at.x, at.y, 1, 1, 0x111111 * (i + 1));
        paint(painter, at.x + at.w - 1, at.y + at.h - 1, 1, 1,
              0x202020 * (i + 1));
        f = grab(s);
        check_pixel(f, 0, 0, 0x111111 * (i + 1));
        check_pixel(f, at.w - 1, at.h - 1, 0x202020 * (i + 1));
        dh_frame_unref(f);
        dh_source_destroy(s);
    }
    XCloseDisplay(painter);
}

static void test_outputs_side_by_side(void)
{
    struct server server;
    dummy_or_skip(&server);
    struct dh_source *s = screen_on(server.display, NULL);
    struct dh_layout l;
    CHECK_INT(dh_source_layout(s, &l), DH_OK);
    CHECK(xrandr(server.display, three));
    struct dh_frame *f = grab(s);
    l = f->layout;
    CHECK_INT(l.n, 3);
    check_rect(l.root, 0, 0, 3104, 1068);
    check_output(&l, "DUMMY0", 800, 300, 1024, 768);
    check_output(&l, "DUMMY1", 1824, 0, 1280, 1024);
    check_output(&l, "DUMMY2", 0, 0, 800, 600);
    CHECK(dh_layout_find(&l, "DUMMY0") == dh_layout_find(&l, "primary"));
    CHECK(!dh_layout_shows(&l, (struct dh_point){ 0, 600 }));
    CHECK(!dh_layout_shows(&l, (struct dh_point){ 800, 299 }));
    CHECK(dh_layout_shows(&l, (struct dh_point){ 800, 300 }));
    dh_frame_unref(f);
    check_pictures(&server);
    dh_source_destroy(s);
    server_kill(&server);
}

static void test_monitors_are_unplugged_and_plugged_in_mid_run(void)
{
    struct server server;
    dummy_or_skip(&server);
    CHECK(xrandr(server.display, three));
    struct dh_source *all = screen_on(server.display, "all");
    struct dh_source *one = screen_on(server.display, "DUMMY1");
    for (int i = 0; i < 3; i++) {
        struct dh_frame *f = grab(one);
        check_rect(f->screen, 1824, 0, 1280, 1024);
        dh_frame_unref(f);
        CHECK(xrandr(server.display, "--output DUMMY1 --off"));
        CHECK_INT(dh_source_grab(one, &f), DH_ERR_NOTFOUND);
        f = grab(all);
        CHECK_INT(f->layout.n, 2);
        check_rect(f->screen, 0, 0, 1824, 1068);
        dh_frame_unref(f);
        // Back, at another place first.
        CHECK(xrandr(server.display,
                     "--output DUMMY1 --mode 1280x1024 --pos 0x1068"));
        f = grab(one);
        check_rect(f->screen, 0, 1068, 1280, 1024);
        CHECK_INT(f->layout.n, 3);
        dh_frame_unref(f);
        CHECK(xrandr(server.display, three));
    }
    dh_source_destroy(all);
    dh_source_destroy(one);
    server_kill(&server);
}

static void test_a_monitor_that_is_turned(void)
{
    struct server server;
    if (!server_start_nested(&server, "640x480"))
        dh_test_skip("Xephyr is not installed");
    struct dh_source *s = screen_on(server.display, "default");
    Display *painter = XOpenDisplay(server.display);
    static const struct {
        const char *args;
        int degrees, w, h;
    } turns[] = {
        { "-o left", 90, 480, 640 },
        { "-o inverted", 180, 640, 480 },
        { "-o right", 270, 480, 640 },
        { "-o normal", 0, 640, 480 },
    };
    for (size_t i = 0; i < DH_COUNTOF(turns); i++) {
        // It complains of the gamma of such a monitor, and turns it.
        bool done = xrandr(server.display, turns[i].args);
        (void)done;
        int w = turns[i].w, h = turns[i].h;
        unsigned long rgb = 0x123456 + i;
        paint(painter, w - 1, h - 1, 1, 1, rgb);
        struct dh_frame *f = grab(s);
        check_rect(f->screen, 0, 0, w, h);
        CHECK_INT(f->layout.output[0].rotation, turns[i].degrees);
        check_output(&f->layout, "default", 0, 0, w, h);
        check_pixel(f, w - 1, h - 1, rgb);
        dh_frame_unref(f);
    }
    XCloseDisplay(painter);
    dh_source_destroy(s);
    server_kill(&server);
}

static void test_only_one_of_region_output_and_window(void)
{
    struct dh_screen_options o = { .region = "10x10+0+0", .output = "all" };
    struct dh_source *s;
    CHECK_INT(dh_screen_create(&s, &o), DH_ERR_USAGE);
    o = (struct dh_screen_options){ .window = "1", .output = "all" };
    CHECK_INT(dh_screen_create(&s, &o), DH_ERR_USAGE);
}

DH_TESTS(DH_TEST(monitors_that_split_an_output),
         DH_TEST(without_randr_there_is_only_the_size),
         DH_TEST(outputs_side_by_side),
         DH_TEST(monitors_are_unplugged_and_plugged_in_mid_run),
         DH_TEST(a_monitor_that_is_turned),
         DH_TEST(only_one_of_region_output_and_window));
