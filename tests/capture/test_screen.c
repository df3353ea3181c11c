/* On the server of $DISPLAY, with or without MIT-SHM, and on servers of the
 * tests' own where they need a special one. */
#include "capture/screen.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/Xlib.h>
#include <X11/extensions/Xfixes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"

static const struct dh_screen_options plain = { .shm = true, .damage = true };

static struct dh_source *screen_on(const char *display)
{
    struct dh_screen_options o = plain;
    o.display = display;
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

static Display *painter_on(const char *display)
{
    Display *dpy = XOpenDisplay(display);
    CHECK(dpy);
    return dpy;
}

/* A frame is a snapshot: painting later must not change it. */
static void test_frame_outlives_screen_and_later_grabs(void)
{
    Display *painter = painter_on(NULL);
    struct dh_source *screen = screen_on(NULL);
    paint_all(painter, 0xff0000);
    struct dh_frame *red = grab(screen);
    paint_all(painter, 0x0000ff);
    struct dh_frame *blue = grab(screen);
    dh_source_destroy(screen);

    CHECK_INT(red->width, DisplayWidth(painter, 0));
    CHECK_INT(red->height, DisplayHeight(painter, 0));
    CHECK_INT(blue->serial, red->serial + 1);
    CHECK(blue->time_ns > red->time_ns);
    check_pixel(red, 0, 0, 0xff0000);
    check_pixel(red, red->width - 1, red->height - 1, 0xff0000);
    check_pixel(blue, 0, 0, 0x0000ff);
    check_pixel(blue, blue->width - 1, blue->height - 1, 0x0000ff);

    dh_frame_unref(red);
    dh_frame_unref(blue);
    XCloseDisplay(painter);
}

static void test_channels_and_places_are_right(void)
{
    Display *painter = painter_on(NULL);
    struct dh_source *screen = screen_on(NULL);
    paint_all(painter, 0);
    int right = DisplayWidth(painter, 0) - 1;
    int bottom = DisplayHeight(painter, 0) - 1;
    paint(painter, right, bottom, 1, 1, 0x123456);
    paint(painter, 5, 7, 2, 1, 0xfedcba);
    struct dh_frame *f = grab(screen);
    check_pixel(f, right, bottom, 0x123456);
    check_pixel(f, right - 1, bottom, 0);
    check_pixel(f, right, bottom - 1, 0);
    check_pixel(f, 4, 7, 0);
    check_pixel(f, 5, 7, 0xfedcba);
    check_pixel(f, 6, 7, 0xfedcba);
    check_pixel(f, 7, 7, 0);
    dh_frame_unref(f);
    dh_source_destroy(screen);
    XCloseDisplay(painter);
}

static void test_region_is_cut_out_and_cut_to_the_screen(void)
{
    Display *painter = painter_on(NULL);
    int w = DisplayWidth(painter, 0), h = DisplayHeight(painter, 0);
    paint_all(painter, 0);
    paint(painter, 100, 50, 1, 1, 0xabcdef);
    paint(painter, w - 1, h - 1, 1, 1, 0x13579b);

    struct dh_screen_options o = plain;
    o.region = "40x30+100+50";
    struct dh_source *screen;
    CHECK_INT(dh_screen_create(&screen, &o), DH_OK);
    struct dh_frame *f = grab(screen);
    CHECK_INT(f->width, 40);
    CHECK_INT(f->height, 30);
    CHECK_INT(f->screen.x, 100);
    CHECK_INT(f->screen.y, 50);
    check_pixel(f, 0, 0, 0xabcdef);
    check_pixel(f, 39, 29, 0);
    dh_frame_unref(f);
    dh_source_destroy(screen);

    char text[64];
    snprintf(text, sizeof(text), "500x500+%d+%d", w - 10, h - 5);
    o.region = text;
    CHECK_INT(dh_screen_create(&screen, &o), DH_OK);
    f = grab(screen);
    CHECK_INT(f->width, 10);
    CHECK_INT(f->height, 5);
    check_pixel(f, 9, 4, 0x13579b);
    dh_frame_unref(f);
    dh_source_destroy(screen);

    o.region = "10x10+30000+0";
    CHECK_INT(dh_screen_create(&screen, &o), DH_OK);
    CHECK_INT(dh_source_grab(screen, &f), DH_ERR_RANGE);
    dh_source_destroy(screen);
    XCloseDisplay(painter);
}

static void test_region_text_is_read_strictly(void)
{
    struct dh_rect r;
    CHECK(dh_screen_region_parse(DH_STR("800x600+10+20"), &r));
    CHECK_INT(r.w, 800);
    CHECK_INT(r.h, 600);
    CHECK_INT(r.x, 10);
    CHECK_INT(r.y, 20);
    static const char *const bad[] = {
        "",
        "800x600",
        "800x600+1",
        "0x5+0+0",
        "5x0+0+0",
        "-5x5+0+0",
        "5x5+-1+0",
        "5x5+0+0 ",
        " 5x5+0+0",
        "5x5+0+0+0",
        "99999x5+0+0",
        "5X5+0+0",
        "5x5+0+0x",
        "5x5++0",
        "x5+0+0",
        "5x5+0+",
        "5x5-0-0",
        "1e3x5+0+0",
        "5x5+99999999999999999999+0",
    };
    for (size_t i = 0; i < DH_COUNTOF(bad); i++)
        CHECK(!dh_screen_region_parse(dh_str_of(bad[i]), &r));
    struct dh_screen_options o = plain;
    o.region = "800x600";
    struct dh_source *screen;
    CHECK_INT(dh_screen_create(&screen, &o), DH_ERR_USAGE);
}

static void test_without_shm_option_the_picture_is_the_same(void)
{
    Display *painter = painter_on(NULL);
    paint_all(painter, 0x204060);
    paint(painter, 3, 3, 300, 200, 0x908070);
    struct dh_screen_options o = plain;
    o.shm = false;
    struct dh_source *without, *with = screen_on(NULL);
    CHECK_INT(dh_screen_create(&without, &o), DH_OK);
    struct dh_frame *a = grab(with), *b = grab(without);
    CHECK_INT(dh_frame_hash(a), dh_frame_hash(b));
    check_pixel(b, 302, 202, 0x908070);
    dh_frame_unref(a);
    dh_frame_unref(b);
    dh_source_destroy(with);
    dh_source_destroy(without);
    XCloseDisplay(painter);
}

static void test_create_fails_without_a_server(void)
{
    struct dh_screen_options o = plain;
    o.display = ":9876";
    struct dh_source *s;
    CHECK_INT(dh_screen_create(&s, &o), DH_ERR_NOTFOUND);
    struct dh_screen_info info;
    CHECK_INT(dh_screen_probe(":9876", &info), DH_ERR_NOTFOUND);
}

static void test_depth_16_is_refused(void)
{
    struct server server;
    server_start(&server, "320x200x16", NULL);
    struct dh_screen_options o = plain;
    o.display = server.display;
    struct dh_source *s;
    CHECK_INT(dh_screen_create(&s, &o), DH_ERR_UNSUPPORTED);
    server_kill(&server);
}

static void check_server(const char *screen, const char *without)
{
    struct server server;
    server_start(&server, screen, without);
    Display *painter = painter_on(server.display);
    struct dh_source *s = screen_on(server.display);
    paint_all(painter, 0);
    const Visual *v = DefaultVisual(painter, 0);
    paint(painter, 319, 199, 1, 1, v->red_mask | v->blue_mask);
    struct dh_frame *f = grab(s);
    CHECK_INT(f->width, 320);
    CHECK_INT(f->height, 200);
    check_pixel(f, 319, 199, 0xff00ff);
    check_pixel(f, 318, 199, 0);
    dh_frame_unref(f);
    dh_source_destroy(s);
    XCloseDisplay(painter);
    server_kill(&server);
}

static void test_odd_servers(void)
{
    check_server("320x200x24", "MIT-SHM");
    check_server("320x200x24", "DAMAGE");
    check_server("320x200x30", NULL);
    check_server("320x200x24+32", NULL);
}

// ---- a screen that changes its size ----------------------------------------

static const char mode_small[] = "--output screen --mode small";
static const char mode_large[] = "--output screen --mode 640x480";

static bool modes_add(const char *display)
{
    return xrandr(display,
                  "--newmode small 20 320 330 340 350 200 201 202 210") &&
           xrandr(display, "--addmode screen small");
}

static void resized_and_grabbed(struct dh_source *s, const char *display)
{
    Display *painter = painter_on(display);
    CHECK(xrandr(display, mode_small));
    paint(painter, 319, 199, 1, 1, 0xabcdef);
    struct dh_frame *f = grab(s);
    CHECK_INT(f->width, 320);
    CHECK_INT(f->height, 200);
    CHECK_INT(f->screen.w, 320);
    check_pixel(f, 319, 199, 0xabcdef);
    dh_frame_unref(f);
    CHECK(xrandr(display, mode_large));
    paint(painter, 639, 479, 1, 1, 0x123456);
    f = grab(s);
    CHECK_INT(f->width, 640);
    check_pixel(f, 639, 479, 0x123456);
    dh_frame_unref(f);
    XCloseDisplay(painter);
}

/* Also in the very moment of a grab. */
static void test_size_may_change_between_grabs(void)
{
    struct server server;
    server_start(&server, "640x480x24", NULL);
    // First, since a server forgets its modes with its last client.
    struct dh_source *s = screen_on(server.display);
    if (!modes_add(server.display)) {
        server_kill(&server);
        dh_test_skip("xrandr is not installed, or this Xvfb cannot resize");
    }
    resized_and_grabbed(s, server.display);
    pid_t resizer = fork();
    if (resizer == 0) {
        for (int i = 0; i < 10; i++) {
            xrandr(server.display, mode_small);
            xrandr(server.display, mode_large);
        }
        _exit(0);
    }
    int sizes[2] = { 0 };
    while (waitpid(resizer, NULL, WNOHANG) == 0) {
        struct dh_frame *f = grab(s);
        CHECK(f->width == 640 || f->width == 320);
        sizes[f->width == 640]++;
        dh_frame_unref(f);
    }
    CHECK(sizes[0] > 0 && sizes[1] > 0);
    dh_source_destroy(s);
    server_kill(&server);
}

// ---- servers that come and go ----------------------------------------------

static void test_probe_tells_what_the_server_has(void)
{
    struct server server;
    struct dh_screen_info info;
    server_start(&server, "320x200x24", NULL);
    CHECK_INT(dh_screen_probe(server.display, &info), DH_OK);
    CHECK_INT(info.width, 320);
    CHECK_INT(info.height, 200);
    CHECK_INT(info.depth, 24);
    CHECK_INT(info.bits_per_pixel, 32);
    CHECK(info.true_color && info.has_shm && info.shm_works);
    CHECK(info.has_damage && info.has_fixes);
    CHECK(info.vendor[0]);
    server_kill(&server);

    server_start(&server, "320x200x24", "MIT-SHM");
    CHECK_INT(dh_screen_probe(server.display, &info), DH_OK);
    CHECK(!info.has_shm && !info.shm_works && info.has_damage);
    server_kill(&server);
}

/* The program goes on when the server does not. */
static void test_lost_server_is_a_status(void)
{
    struct server server;
    server_start(&server, "320x200x24", NULL);
    struct dh_source *s = screen_on(server.display);
    dh_frame_unref(grab(s));
    CHECK_INT(dh_source_mark(s), DH_OK);
    server_kill(&server);

    struct dh_frame *f;
    struct dh_settle how = { .quiet_ns = 100 * DH_MS, .limit_ns = DH_S };
    struct dh_settle_result r;
    CHECK_INT(dh_source_grab(s, &f), DH_ERR_CLOSED);
    CHECK_INT(dh_source_grab(s, &f), DH_ERR_CLOSED);
    CHECK_INT(dh_source_mark(s), DH_ERR_CLOSED);
    CHECK_INT(dh_source_settle(s, &how, NULL, &r), DH_ERR_CLOSED);
    dh_source_destroy(s);
}

// ---- settle ----------------------------------------------------------------

/* A process that paints one place again and again, never in the same colour, so
 * that whoever looks at any two moments sees a change. */
static pid_t painter_start(const char *display, struct dh_rect r,
                           int64_t every_ns)
{
    int ready[2];
    CHECK_INT(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        Display *dpy = XOpenDisplay(display);
        for (unsigned long i = 0; dpy; i++) {
            paint(dpy, r.x, r.y, r.w, r.h, i * 0x3779b9 & 0xffffff);
            if (i == 0 && write(ready[1], "", 1) != 1)
                break;
            dh_sleep_for(every_ns);
        }
        _exit(1);
    }
    char c;
    CHECK_INT(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void painter_stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static struct dh_settle_result settle(struct dh_source *s, int quiet_ms,
                                      int limit_ms)
{
    struct dh_settle how = { .quiet_ns = quiet_ms * DH_MS,
                             .limit_ns = limit_ms * DH_MS };
    struct dh_settle_result r;
    CHECK_INT(dh_source_settle(s, &how, NULL, &r), DH_OK);
    return r;
}

struct calm {
    struct dh_source *source;
    struct dh_frame *frame; // what was seen the last time
    int told;
};

static void see_calm(void *user)
{
    struct calm *c = user;
    c->told++;
    dh_frame_unref(c->frame);
    CHECK_INT(dh_source_grab(c->source, &c->frame), DH_OK);
}

// What has changed can be seen before it is certain that it stays.
static void check_calm(struct dh_source *s, Display *painter)
{
    struct calm c = { .source = s };
    struct dh_settle how = { .quiet_ns = 400 * DH_MS,
                             .limit_ns = 5 * DH_S,
                             .calm = see_calm,
                             .user = &c,
                             .calm_ns = 10 * DH_MS };
    struct dh_settle_result r;
    CHECK_INT(dh_source_mark(s), DH_OK);
    CHECK_INT(dh_source_settle(s, &how, NULL, &r), DH_OK);
    CHECK(r.settled && !r.changed);
    CHECK_INT(c.told, 0);

    CHECK_INT(dh_source_mark(s), DH_OK);
    paint(painter, 300, 200, 50, 50, 0x00ff00);
    CHECK_INT(dh_source_settle(s, &how, NULL, &r), DH_OK);
    CHECK(r.settled && r.changed);
    CHECK(r.waited_ns >= 300 * DH_MS);
    CHECK_INT(c.told, 1);
    const uint8_t *p = dh_frame_at(c.frame, 320, 220);
    CHECK(p[0] == 0 && p[1] == 0xff && p[2] == 0);
    dh_frame_unref(c.frame);
}

static void check_settle(bool damage)
{
    struct dh_screen_options o = plain;
    o.damage = damage;
    struct dh_source *s;
    CHECK_INT(dh_screen_create(&s, &o), DH_OK);
    Display *painter = painter_on(NULL);
    paint_all(painter, 0x808080);

    // Quiet.
    CHECK_INT(dh_source_mark(s), DH_OK);
    struct dh_settle_result r = settle(s, 100, 5000);
    CHECK(r.settled && !r.changed);
    CHECK(r.waited_ns < 1000 * DH_MS);
    CHECK(dh_rect_is_empty(r.damage));

    // What was drawn since the mark is told, and the quiet time starts there.
    CHECK_INT(dh_source_mark(s), DH_OK);
    paint(painter, 200, 100, 80, 70, 0xff0000);
    r = settle(s, 100, 5000);
    CHECK(r.settled && r.changed);
    CHECK(r.waited_ns < 1000 * DH_MS);
    CHECK_INT(r.damage.x, 200);
    CHECK_INT(r.damage.y, 100);
    CHECK_INT(r.damage.w, 80);
    CHECK_INT(r.damage.h, 70);

    check_calm(s, painter);

    // Never quiet.
    pid_t busy =
        painter_start(NULL, (struct dh_rect){ 10, 10, 200, 150 }, 20 * DH_MS);
    CHECK_INT(dh_source_mark(s), DH_OK);
    r = settle(s, 200, 700);
    CHECK(!r.settled && r.changed);
    CHECK(r.waited_ns >= 700 * DH_MS && r.waited_ns < 2000 * DH_MS);
    painter_stop(busy);

    // A caret only.
    pid_t caret =
        painter_start(NULL, (struct dh_rect){ 300, 200, 10, 20 }, 60 * DH_MS);
    CHECK_INT(dh_source_mark(s), DH_OK);
    r = settle(s, 200, 5000);
    CHECK(r.settled);
    CHECK(r.waited_ns < 2500 * DH_MS);
    painter_stop(caret);

    // A spinner, of the largest size that is none of a program's real work.
    pid_t spinner =
        painter_start(NULL, (struct dh_rect){ 500, 300, 64, 64 }, 40 * DH_MS);
    CHECK_INT(dh_source_mark(s), DH_OK);
    r = settle(s, 200, 10000);
    CHECK(r.settled);
    painter_stop(spinner);

    dh_source_destroy(s);
    XCloseDisplay(painter);
}

static void test_settle_by_damage(void)
{
    check_settle(true);
}

static void test_settle_by_comparing(void)
{
    check_settle(false);
}

static void test_quiet_time_counts_from_the_mark(void)
{
    struct dh_source *s = screen_on(NULL);
    CHECK_INT(dh_source_mark(s), DH_OK);
    dh_sleep_for(300 * DH_MS);
    struct dh_settle_result r = settle(s, 250, 5000);
    CHECK(r.settled);
    CHECK(r.waited_ns < 200 * DH_MS);
    // The mark is used up.
    r = settle(s, 150, 5000);
    CHECK(r.settled && r.waited_ns >= 140 * DH_MS);
    dh_source_destroy(s);
}

static void cancel_soon(void *arg)
{
    dh_sleep_for(100 * DH_MS);
    dh_cancel_set(arg);
}

static void test_settle_is_cancelled(void)
{
    struct dh_source *s = screen_on(NULL);
    struct dh_cancel cancel = { 0 };
    struct dh_thread t;
    CHECK_INT(dh_thread_start(&t, "cancel", cancel_soon, &cancel), DH_OK);
    struct dh_settle how = { .quiet_ns = 10 * DH_S, .limit_ns = 20 * DH_S };
    struct dh_settle_result r;
    int64_t begun = dh_now_ns();
    CHECK_INT(dh_source_settle(s, &how, &cancel, &r), DH_ERR_CANCELLED);
    CHECK(dh_now_ns() - begun < DH_S);
    dh_thread_join(&t);
    dh_source_destroy(s);
}

static void test_server_that_dies_ends_settle(void)
{
    struct server server;
    server_start(&server, "320x200x24", NULL);
    struct dh_source *s = screen_on(server.display);
    CHECK_INT(dh_source_mark(s), DH_OK);
    pid_t killer = fork();
    if (killer == 0) {
        dh_sleep_for(150 * DH_MS);
        kill(server.pid, SIGKILL);
        _exit(0);
    }
    struct dh_settle how = { .quiet_ns = 10 * DH_S, .limit_ns = 20 * DH_S };
    struct dh_settle_result r;
    CHECK_INT(dh_source_settle(s, &how, NULL, &r), DH_ERR_CLOSED);
    waitpid(killer, NULL, 0);
    dh_source_destroy(s);
    server_kill(&server);
}

// ---- pointer ---------------------------------------------------------------

/* A pointer of 8 x 8 pixels, the left half red, the right half green. */
static void pointer_set(Display *dpy)
{
    static const char half[8] = {
        0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f, 0x0f
    };
    static const char all[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
    Window root = DefaultRootWindow(dpy);
    Pixmap source = XCreateBitmapFromData(dpy, root, half, 8, 8);
    Pixmap mask = XCreateBitmapFromData(dpy, root, all, 8, 8);
    XColor red = { .red = 0xffff }, green = { .green = 0xffff };
    Cursor c = XCreatePixmapCursor(dpy, source, mask, &red, &green, 2, 3);
    XDefineCursor(dpy, root, c);
    XFreePixmap(dpy, source);
    XFreePixmap(dpy, mask);
}

static void test_pointer_is_drawn_on_request(void)
{
    Display *painter = painter_on(NULL);
    paint_all(painter, 0x0000ff);
    pointer_set(painter);
    XWarpPointer(painter, None, DefaultRootWindow(painter), 0, 0, 0, 0, 102,
                 203);
    XSync(painter, False);

    struct dh_screen_options o = DH_SCREEN_DEFAULTS;
    struct dh_source *with, *without = screen_on(NULL);
    CHECK_INT(dh_screen_create(&with, &o), DH_OK);
    struct dh_frame *f = grab(with);
    check_pixel(f, 100, 200, 0xff0000);
    check_pixel(f, 107, 207, 0x00ff00);
    check_pixel(f, 99, 200, 0x0000ff);
    check_pixel(f, 108, 207, 0x0000ff);
    dh_frame_unref(f);
    f = grab(without);
    check_pixel(f, 100, 200, 0x0000ff);
    dh_frame_unref(f);
    dh_source_destroy(with);

    // In a region that cuts it, at its place.
    o.region = "50x50+104+204";
    CHECK_INT(dh_screen_create(&with, &o), DH_OK);
    f = grab(with);
    check_pixel(f, 0, 0, 0x00ff00);
    check_pixel(f, 3, 3, 0x00ff00);
    check_pixel(f, 4, 4, 0x0000ff);
    dh_frame_unref(f);
    dh_source_destroy(with);
    dh_source_destroy(without);
    XCloseDisplay(painter);
}

DH_TESTS(DH_TEST(frame_outlives_screen_and_later_grabs),
         DH_TEST(channels_and_places_are_right),
         DH_TEST(region_is_cut_out_and_cut_to_the_screen),
         DH_TEST(region_text_is_read_strictly),
         DH_TEST(without_shm_option_the_picture_is_the_same),
         DH_TEST(create_fails_without_a_server), DH_TEST(depth_16_is_refused),
         DH_TEST(odd_servers), DH_TEST(size_may_change_between_grabs),
         DH_TEST(probe_tells_what_the_server_has),
         DH_TEST(lost_server_is_a_status), DH_TEST(settle_by_damage),
         DH_TEST(settle_by_comparing), DH_TEST(quiet_time_counts_from_the_mark),
         DH_TEST(settle_is_cancelled), DH_TEST(server_that_dies_ends_settle),
         DH_TEST(pointer_is_drawn_on_request));
