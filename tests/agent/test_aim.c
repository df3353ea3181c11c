/* What the model points at is what is hit, on each monitor. */
#include "agent/aim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/sink.h"
#include "actions/xtest.h"
#include "base/diag.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"

static const struct dh_layout two = {
    .root = { 0, 0, 300, 200 },
    .output = { { .name = "A", .rect = { 0, 0, 100, 200 } },
                { .name = "B", .rect = { 100, 100, 200, 100 } } },
    .n = 2,
};

static enum dh_status aim(struct dh_rect view, const char *line, bool pixels,
                          const struct dh_layout *l, struct dh_action *a,
                          struct dh_diag *why)
{
    struct dh_view v = { view };
    memset(why, 0, sizeof *why);
    CHECK(dh_action_of_text(line, pixels, a, why));
    return dh_aim_action(&v, l, a, why);
}

static void test_dead_areas_are_refused(void)
{
    static const struct {
        const char *line;
        bool shown;
    } t[] = {
        { "left_click 0 0", true },
        { "left_click 1000 1000", true },
        { "left_click 330 0", true },
        { "left_click 334 0", false },
        { "left_click 1000 0", false },
        { "left_click 1000 499", true },
        { "left_click 1000 494", false },
        { "left_click_drag 0 0 1000 1000", true },
        { "left_click_drag 0 0 1000 0", false },
        { "left_click_drag 1000 0 0 0", false },
        { "type hello", true },
    };
    for (size_t i = 0; i < DH_COUNTOF(t); i++) {
        struct dh_action a;
        struct dh_diag why;
        enum dh_status st = aim(two.root, t[i].line, false, &two, &a, &why);
        CHECK_INT(st, t[i].shown ? DH_OK : DH_ERR_REFUSED);
        CHECK(t[i].shown == !strstr(why.text, "dead area"));
        dh_action_finish(&a);
    }
}

static void test_points_off_the_screen_are_refused(void)
{
    struct dh_action a;
    struct dh_diag why;
    // A window that is partly off the screen.
    struct dh_rect window = { -50, -20, 100, 100 };
    CHECK_INT(aim(window, "left_click 1000 1000", false, &two, &a, &why),
              DH_OK);
    CHECK_INT(a.at.x, 49);
    CHECK_INT(a.at.y, 79);
    dh_action_finish(&a);
    CHECK_INT(aim(window, "left_click 0 1000", false, &two, &a, &why),
              DH_ERR_REFUSED);
    CHECK_INT(a.at.x, -50);
    CHECK(strstr(why.text, "off the screen"));
    dh_action_finish(&a);
    // Where no layout is known, all is allowed.
    struct dh_layout none = { 0 };
    CHECK_INT(aim(window, "left_click 0 0", false, &none, &a, &why), DH_OK);
    dh_action_finish(&a);
}

// ---- on the screen ---------------------------------------------------------

static const int grid[] = { 0, 1, 250, 500, 999, 1000 };

static int pixel(int model, int origin, int side)
{
    int at = (model * side + 500) / 1000;
    return origin + (at < side ? at : side - 1);
}

/* Click on model points of one output; the points must arrive as pixels. */
static void click_around(struct dh_listener *l, struct dh_sink *sink,
                         const char *display, const char *output,
                         struct dh_buf *want)
{
    struct dh_screen_options o = {
        .display = display, .output = output, .shm = true, .damage = true
    };
    struct dh_source *s;
    struct dh_frame *f;
    CHECK_INT(dh_screen_create(&s, &o), DH_OK);
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    struct dh_rect r = f->screen;
    for (size_t i = 0; i < DH_COUNTOF(grid) * DH_COUNTOF(grid); i++) {
        int x = grid[i % DH_COUNTOF(grid)], y = grid[i / DH_COUNTOF(grid)];
        char line[64];
        struct dh_action a;
        struct dh_diag why;
        snprintf(line, sizeof line, "left_click %d %d", x, y);
        enum dh_status st = aim(r, line, false, &f->layout, &a, &why);
        struct dh_point p = { pixel(x, r.x, r.w), pixel(y, r.y, r.h) };
        CHECK_INT(st, dh_layout_shows(&f->layout, p) ? DH_OK : DH_ERR_REFUSED);
        if (!st) {
            CHECK_INT(dh_sink_perform(sink, &a, NULL, &why), DH_OK);
            dh_buf_printf(want, "press 1 %d,%d\n", p.x, p.y);
        }
        dh_action_finish(&a);
    }
    dh_frame_unref(f);
    dh_source_destroy(s);
    dh_listener_drain(l);
}

// Without what comes in between.
static void presses_of(const struct dh_buf *events, struct dh_buf *out)
{
    const char *p = dh_buf_text(events);
    while (*p) {
        size_t n = strcspn(p, "\n");
        if (strncmp(p, "press ", 6) == 0)
            dh_buf_printf(out, "%.*s\n", (int)n, p);
        p += n + (p[n] == '\n');
    }
}

static void check_hits(const char *display, const char *const *outputs)
{
    struct dh_listener l;
    struct dh_sink *sink;
    struct dh_buf want, got;
    dh_buf_init(&want, 1 << 20);
    dh_buf_init(&got, 1 << 20);
    setenv("DISPLAY", display, 1);
    dh_listener_init(&l);
    CHECK_INT(dh_xtest_create(&sink, display, NULL), DH_OK);
    for (; *outputs; outputs++)
        click_around(&l, sink, display, *outputs, &want);
    presses_of(&l.events, &got);
    CHECK_STR(dh_buf_text(&got), dh_buf_text(&want));
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
    dh_buf_finish(&want);
    dh_buf_finish(&got);
}

static void test_hits_are_exact_on_split_outputs(void)
{
    static const char *const names[] = { "left", "right", "all", NULL };
    struct server server;
    server_start(&server, "1366x768x24", NULL);
    // A server forgets its monitors with its last client.
    Display *keep = XOpenDisplay(server.display);
    if (!xrandr(server.display,
                "--setmonitor left 683/100x768/100+0+0 screen") ||
        !xrandr(server.display, "--setmonitor right 583/100x333/100+783+200 "
                                "none")) {
        server_kill(&server);
        dh_test_skip("xrandr is not installed, or has no monitors");
    }
    check_hits(server.display, names);
    XCloseDisplay(keep);
    server_kill(&server);
}

static void test_hits_are_exact_on_any_arrangement_of_outputs(void)
{
    static const char *const names[] = { "DUMMY0", "DUMMY1", "DUMMY2", "all",
                                         NULL };
    static const char *const arranged[] = {
        "--output DUMMY0 --mode 1024x768 --pos 0x0 "
        "--output DUMMY1 --mode 1280x1024 --pos 1024x0 "
        "--output DUMMY2 --mode 800x600 --pos 2304x424",
        "--output DUMMY0 --mode 1024x768 --pos 800x300 "
        "--output DUMMY1 --mode 1280x1024 --pos 1824x0 "
        "--output DUMMY2 --mode 800x600 --pos 0x0",
        "--output DUMMY0 --mode 1024x768 --pos 100x1624 "
        "--output DUMMY1 --mode 1280x1024 --pos 0x600 "
        "--output DUMMY2 --mode 800x600 --pos 300x0",
    };
    struct server server;
    if (!server_start_dummy(&server, dh_test_dir()))
        dh_test_skip("this machine cannot run an Xorg with dummy monitors");
    if (!xrandr(server.display, "--addmode DUMMY1 1280x1024 --addmode DUMMY2 "
                                "800x600")) {
        server_kill(&server);
        dh_test_skip("this Xorg has one dummy monitor only");
    }
    for (size_t i = 0; i < DH_COUNTOF(arranged); i++) {
        CHECK(xrandr(server.display, arranged[i]));
        check_hits(server.display, names);
    }
    server_kill(&server);
}

static void test_hits_are_exact_on_a_turned_monitor(void)
{
    static const char *const names[] = { "default", NULL };
    static const char *const turns[] = { "-o left", "-o inverted", "-o right",
                                         "-o normal" };
    struct server server;
    if (!server_start_nested(&server, "640x480"))
        dh_test_skip("Xephyr is not installed");
    for (size_t i = 0; i < DH_COUNTOF(turns); i++) {
        // It complains of the gamma of such a monitor, and turns it.
        bool done = xrandr(server.display, turns[i]);
        (void)done;
        check_hits(server.display, names);
    }
    server_kill(&server);
}

DH_TESTS(DH_TEST(dead_areas_are_refused),
         DH_TEST(points_off_the_screen_are_refused),
         DH_TEST(hits_are_exact_on_split_outputs),
         DH_TEST(hits_are_exact_on_any_arrangement_of_outputs),
         DH_TEST(hits_are_exact_on_a_turned_monitor));
