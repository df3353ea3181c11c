#include "capture/film.h"

#include <stdio.h>
#include <string.h>

#include <X11/Xlib.h>

#include "base/clock.h"
#include "base/x11.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "capture/synth.h"
#include "capture/video_in.h"
#include "tests/dh_test.h"

static const char *film_path(void)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/film.mkv", dh_test_dir());
    return path;
}

static struct dh_source *screen(void)
{
    struct dh_screen_options o = DH_SCREEN_DEFAULTS;
    struct dh_source *s;
    o.cursor = false;
    CHECK_INT(dh_screen_create(&s, &o), DH_OK);
    return s;
}

static struct dh_film *film_of(struct dh_source *source, bool lossless)
{
    struct dh_film_options o = { .max_fps = 60, .lossless = lossless };
    struct dh_film *f;
    CHECK_INT(dh_film_create(&f, source, film_path(), &o), DH_OK);
    return f;
}

static void paint(Display *dpy, unsigned long colour)
{
    GC gc = DefaultGC(dpy, DefaultScreen(dpy));
    XSetForeground(dpy, gc, colour);
    XFillRectangle(dpy, DefaultRootWindow(dpy), gc, 0, 0, 200, 200);
    XSync(dpy, False);
}

/* The pictures of the film, newest last. *end_ns: when the last one begins. */
static int film_read(struct dh_frame **last, int64_t *end_ns)
{
    struct dh_source *in;
    struct dh_frame *f;
    int n = 0;
    *last = NULL;
    CHECK_INT(dh_video_in_create(&in, film_path()), DH_OK);
    while (dh_source_grab(in, &f) == DH_OK) {
        dh_frame_unref(*last);
        *last = f;
        *end_ns = f->time_ns;
        n++;
    }
    dh_source_destroy(in);
    return n;
}

/* A still screen is written when it begins and when it ends. */
static void test_a_still_screen_is_two_pictures(void)
{
    struct dh_film_stats stats;
    struct dh_frame *last;
    int64_t end = 0;
    struct dh_film *f = film_of(screen(), false);
    dh_sleep_for(800 * DH_MS);
    CHECK_INT(dh_film_destroy(f, &stats), DH_OK);
    CHECK_INT(stats.written, 2);
    // How often it looked depends on what else the machine does.
    CHECK(stats.same >= 1);
    CHECK_INT(film_read(&last, &end), 2);
    CHECK(end >= 300 * DH_MS && end <= 30 * DH_S);
    dh_frame_unref(last);
}

/* What the film shows last is what the screen showed last, to the bit. */
static void test_changes_are_in_the_film_without_loss(void)
{
    struct dh_film_stats stats;
    struct dh_frame *last, *seen;
    int64_t end = 0;
    Display *dpy;
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    struct dh_film *f = film_of(screen(), true);
    for (unsigned i = 0; i < 20; i++) {
        paint(dpy, 0x10203u * (i + 1));
        dh_sleep_for(50 * DH_MS);
    }
    CHECK_INT(dh_film_destroy(f, &stats), DH_OK);
    // How many of them depends on what else the machine does.
    CHECK(stats.written >= 2 && stats.written <= 22);
    CHECK_INT(film_read(&last, &end), (int)stats.written);
    struct dh_source *now = screen();
    CHECK_INT(dh_source_grab(now, &seen), DH_OK);
    CHECK(dh_frame_hash(seen) == dh_frame_hash(last));
    dh_frame_unref(seen);
    dh_frame_unref(last);
    dh_source_destroy(now);
    dh_x11_close(dpy);
}

static void test_a_source_that_ends_leaves_a_whole_film(void)
{
    struct dh_synth_options o = {
        .width = 64, .height = 48, .n_frames = 5, .interval_ns = 20 * DH_MS
    };
    struct dh_source *s;
    struct dh_film_stats stats;
    struct dh_frame *last;
    int64_t end = 0;
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    struct dh_film *f = film_of(s, true);
    dh_sleep_for(500 * DH_MS);
    CHECK_INT(dh_film_destroy(f, &stats), DH_ERR_CLOSED);
    CHECK(stats.written >= 1);
    CHECK_INT(film_read(&last, &end), (int)stats.written);
    dh_frame_unref(last);
}

static void test_a_folder_that_is_not_there_is_an_error_at_the_end(void)
{
    struct dh_film_options o = { 0 };
    struct dh_film *f;
    CHECK_INT(dh_film_create(&f, screen(), "/nowhere/at/all.mkv", &o), DH_OK);
    dh_sleep_for(200 * DH_MS);
    CHECK(dh_film_destroy(f, NULL) != DH_OK);
}

static void test_an_absurd_rate_is_refused(void)
{
    struct dh_film_options o = { .max_fps = 5000 };
    struct dh_film *f;
    CHECK_INT(dh_film_create(&f, screen(), film_path(), &o), DH_ERR_RANGE);
}

DH_TESTS(DH_TEST(a_still_screen_is_two_pictures),
         DH_TEST(changes_are_in_the_film_without_loss),
         DH_TEST(a_source_that_ends_leaves_a_whole_film),
         DH_TEST(a_folder_that_is_not_there_is_an_error_at_the_end),
         DH_TEST(an_absurd_rate_is_refused));
