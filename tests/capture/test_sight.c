/* Only what has changed is fetched, and the picture is right all the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <X11/extensions/Xdamage.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/x11.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "capture/screen_priv.h"
#include "capture/screen_ring_priv.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"

static struct dh_source *screen_with(bool damage, bool cursor,
                                     const char *region)
{
    struct dh_screen_options o = {
        .shm = true, .damage = damage, .cursor = cursor, .region = region
    };
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

static Display *painter_or_skip(void)
{
    struct dh_screen_info info;
    CHECK_INT(dh_screen_probe(NULL, &info), DH_OK);
    if (!info.shm_works)
        dh_test_skip("the server does not share memory");
    Display *dpy = XOpenDisplay(NULL);
    CHECK(dpy);
    return dpy;
}

static void test_an_unchanged_screen_is_the_same_frame(void)
{
    Display *painter = painter_or_skip();
    paint_all(painter, 0x102030);
    struct dh_source *s = screen_with(true, true, NULL);
    struct dh_frame *a = grab(s);
    uint64_t fetched = dh_screen_fetched(s);
    for (int i = 0; i < 5; i++) {
        struct dh_frame *b = grab(s);
        CHECK(a == b);
        dh_frame_unref(b);
    }
    CHECK_INT(dh_screen_fetched(s), fetched);
    CHECK_INT(a->serial, 1);
    dh_frame_unref(a);
    dh_source_destroy(s);
    XCloseDisplay(painter);
}

// A change between two looks is told, however it falls.
static void test_a_wait_ends_with_a_change(void)
{
    Display *painter = painter_or_skip();
    bool changed;
    paint_all(painter, 0x102030);
    struct dh_source *s = screen_with(true, false, NULL);
    dh_frame_unref(grab(s));
    int64_t start = dh_now_ns();
    CHECK_INT(dh_source_wait(s, start + 50 * DH_MS, NULL, &changed), DH_OK);
    CHECK(!changed);
    CHECK(dh_now_ns() - start >= 50 * DH_MS);
    for (unsigned i = 1; i <= 20; i++) {
        paint(painter, 10 * (int)i, 10, 30, 30, i);
        CHECK_INT(dh_source_wait(s, dh_now_ns() + 10 * DH_S, NULL, &changed),
                  DH_OK);
        CHECK(changed);
        struct dh_frame *f = grab(s);
        check_pixel(f, 10 * (int)i + 1, 11, i);
        dh_frame_unref(f);
    }
    CHECK_INT(dh_source_wait(s, 0, NULL, &changed), DH_OK);
    CHECK(!changed);
    dh_source_destroy(s);
    XCloseDisplay(painter);
}

static void test_only_what_changed_is_fetched(void)
{
    Display *painter = painter_or_skip();
    paint_all(painter, 0x102030);
    struct dh_source *s = screen_with(true, false, NULL);
    // Both places that frames alternate between are filled once.
    dh_frame_unref(grab(s));
    paint(painter, 0, 0, 1, 1, 1);
    dh_frame_unref(grab(s));
    uint64_t before = dh_screen_fetched(s);
    for (unsigned i = 1; i <= 10; i++) {
        paint(painter, 50 * (int)i, 40 * (int)i, 200, 200, i);
        struct dh_frame *f = grab(s);
        CHECK_INT(f->serial, 2 + i);
        check_pixel(f, 50 * (int)i + 199, 40 * (int)i + 199, i);
        check_pixel(f, 50 * (int)i, 40 * (int)i, i);
        dh_frame_unref(f);
    }
    // A box of the last frame that touches the new one is fetched with it.
    CHECK(dh_screen_fetched(s) - before >= 10 * 200 * 200);
    CHECK(dh_screen_fetched(s) - before <= 10 * 300 * 300);
    dh_source_destroy(s);
    XCloseDisplay(painter);
}

static void change_something(Display *painter, struct dh_rng *rng)
{
    int n = (int)dh_rng_below(rng, 4);
    for (int i = 0; i < n; i++)
        paint(painter, (int)dh_rng_below(rng, 1000),
              (int)dh_rng_below(rng, 700), 1 + (int)dh_rng_below(rng, 150),
              1 + (int)dh_rng_below(rng, 150), dh_rng_below(rng, 0x1000000));
    if (dh_rng_below(rng, 4) == 0)
        paint_all(painter, dh_rng_below(rng, 0x1000000));
    if (dh_rng_below(rng, 2))
        XWarpPointer(painter, None, DefaultRootWindow(painter), 0, 0, 0, 0,
                     (int)dh_rng_below(rng, 1000), (int)dh_rng_below(rng, 700));
    if (dh_rng_below(rng, 3) == 0)
        XCopyArea(painter, DefaultRootWindow(painter),
                  DefaultRootWindow(painter), DefaultGC(painter, 0), 10, 10,
                  300, 300, 30, 50);
    XSync(painter, False);
}

/* Hold some frames, let go of others, and look at all of them in the end. */
static void check_against_whole(bool cursor, const char *region)
{
    enum { HELD = 12 };
    Display *painter = painter_or_skip();
    struct dh_source *parts = screen_with(true, cursor, region);
    struct dh_source *whole = screen_with(false, cursor, region);
    struct dh_frame *held[HELD] = { 0 };
    uint64_t hash[HELD] = { 0 };
    struct dh_rng rng;
    dh_rng_init(&rng, 11);
    for (int i = 0; i < 150; i++) {
        change_something(painter, &rng);
        struct dh_frame *a = grab(parts), *b = grab(whole);
        CHECK_INT(dh_frame_hash(a), dh_frame_hash(b));
        int k = (int)dh_rng_below(&rng, HELD);
        if (i < 75) {
            dh_frame_unref(held[k]);
            held[k] = dh_frame_ref(a);
            hash[k] = dh_frame_hash(b);
        }
        dh_frame_unref(a);
        dh_frame_unref(b);
    }
    dh_source_destroy(parts);
    dh_source_destroy(whole);
    for (int k = 0; k < HELD; k++) {
        if (held[k])
            CHECK_INT(dh_frame_hash(held[k]), hash[k]);
        dh_frame_unref(held[k]);
    }
    XCloseDisplay(painter);
}

static void test_parts_make_the_same_picture_as_the_whole(void)
{
    check_against_whole(false, NULL);
}

static void test_so_they_do_with_the_pointer(void)
{
    check_against_whole(true, NULL);
}

static void test_so_they_do_in_a_region_of_odd_size(void)
{
    check_against_whole(true, "333x277+101+53");
}

static void test_without_shared_memory_no_change_is_missed(void)
{
    struct dh_screen_options o = { .damage = true, .region = "200x100+10+10" };
    struct dh_source *s;
    Display *painter = XOpenDisplay(NULL);
    CHECK_INT(dh_screen_create(&s, &o), DH_OK);
    for (unsigned i = 1; i < 100; i++) {
        paint(painter, 15, 15, 50, 50, i);
        struct dh_frame *f = grab(s), *again = grab(s);
        check_pixel(f, 10, 10, i);
        CHECK(f == again);
        dh_frame_unref(f);
        dh_frame_unref(again);
    }
    dh_source_destroy(s);
    XCloseDisplay(painter);
}

/* As on servers that cannot draw into shared memory, which are many. */
static void test_parts_are_copied_where_they_cannot_be_drawn(void)
{
    XCloseDisplay(painter_or_skip());
    Display *dpy;
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    struct dh_ring ring = { .dpy = dpy, .no_pixmaps = true };
    struct dh_shot shot = { .drawable = DefaultRootWindow(dpy),
                            .visual = DefaultVisual(dpy, 0),
                            .depth = DefaultDepth(dpy, 0),
                            .area = { 10, 20, 500, 400 } };
    struct dh_frame *held[3];
    CHECK(dh_ring_suits(dpy, &shot));
    paint_all(dpy, 0x111111);
    for (unsigned i = 0; i < 10; i++) {
        paint(dpy, 30 + (int)i * 20, 40, 100, 50, i);
        dh_ring_note(&ring, (struct dh_rect){ 30 + (int)i * 20, 40, 100, 50 });
        struct dh_frame *f;
        CHECK_INT(dh_ring_fill(&ring, &shot, &f), DH_OK);
        dh_frame_publish(f);
        check_pixel(f, 20 + (int)i * 20, 20, i);
        check_pixel(f, 119 + (int)i * 20, 69, i);
        check_pixel(f, 120 + (int)i * 20, 69, 0x111111);
        if (i > 0)
            check_pixel(f, 19 + (int)i * 20, 20, i - 1);
        if (i < 3)
            held[i] = f;
        else
            dh_frame_unref(f);
    }
    CHECK(ring.no_pixmaps && ring.n == 4);
    // Four whole ones, and parts.
    CHECK(ring.fetched < 4 * 500 * 400 + 6 * 3 * 100 * 50);
    dh_ring_finish(&ring);
    dh_x11_close(dpy);
    for (unsigned i = 0; i < 3; i++) {
        check_pixel(held[i], 20 + (int)i * 20, 20, i);
        check_pixel(held[i], 120 + (int)i * 20, 69, 0x111111);
        dh_frame_unref(held[i]);
    }
}

// ---- what it costs ---------------------------------------------------------

// Builds that look for mistakes are no measure.
#ifdef DH_DEBUG
enum { ROUNDS = 10 };
#else
enum { ROUNDS = 400 };
#endif

struct bare {
    Display *dpy;
    XImage *img[2]; // full, and 200 x 200
    XShmSegmentInfo shm[2];
    Damage damage;
    int damage_event;
};

static void bare_image(struct bare *b, int i, int w, int h)
{
    int n = DefaultScreen(b->dpy);
    b->img[i] = XShmCreateImage(b->dpy, DefaultVisual(b->dpy, n), 24, ZPixmap,
                                NULL, &b->shm[i], (unsigned)w, (unsigned)h);
    CHECK(b->img[i]);
    size_t size = (size_t)b->img[i]->bytes_per_line * (size_t)h;
    b->shm[i].shmid = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
    b->shm[i].shmaddr = b->img[i]->data = shmat(b->shm[i].shmid, NULL, 0);
    XShmAttach(b->dpy, &b->shm[i]);
    XSync(b->dpy, False);
    shmctl(b->shm[i].shmid, IPC_RMID, NULL);
}

static void bare_init(struct bare *b, const char *display)
{
    int error;
    memset(b, 0, sizeof *b);
    b->dpy = XOpenDisplay(display);
    CHECK(b->dpy);
    bare_image(b, 0, DisplayWidth(b->dpy, 0), DisplayHeight(b->dpy, 0));
    bare_image(b, 1, 200, 200);
    CHECK(XDamageQueryExtension(b->dpy, &b->damage_event, &error));
    b->damage = XDamageCreate(b->dpy, DefaultRootWindow(b->dpy),
                              XDamageReportDeltaRectangles);
    XDamageSubtract(b->dpy, b->damage, None, None);
    XSync(b->dpy, True);
}

static void bare_finish(struct bare *b)
{
    for (int i = 0; i < 2; i++) {
        XShmDetach(b->dpy, &b->shm[i]);
        shmdt(b->shm[i].shmaddr);
        b->img[i]->data = NULL;
        XDestroyImage(b->img[i]);
    }
    XCloseDisplay(b->dpy);
}

static int64_t bare_full(struct bare *b)
{
    int64_t begun = dh_now_ns();
    CHECK(XShmGetImage(b->dpy, DefaultRootWindow(b->dpy), b->img[0], 0, 0,
                       AllPlanes));
    return dh_now_ns() - begun;
}

static int64_t bare_part(struct bare *b)
{
    XEvent e;
    int64_t begun = dh_now_ns();
    XNextEvent(b->dpy, &e);
    XDamageSubtract(b->dpy, b->damage, None, None);
    CHECK(XShmGetImage(b->dpy, DefaultRootWindow(b->dpy), b->img[1], 300, 200,
                       AllPlanes));
    return dh_now_ns() - begun;
}

static int64_t grab_time(struct dh_source *s, unsigned long rgb)
{
    int64_t begun = dh_now_ns();
    struct dh_frame *f = grab(s);
    int64_t took = dh_now_ns() - begun;
    if (rgb)
        check_pixel(f, 499, 399, rgb);
    dh_frame_unref(f);
    return took;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double median_us(int64_t *t)
{
    qsort(t, ROUNDS, sizeof *t, by_size);
    return (double)t[ROUNDS / 2] / 1e3;
}

/* Measured in turns with the bare requests; how close depends on the machine,
 * and on what else it does, so only a gross failure is one. */
static void test_costs_are_near_those_of_the_bare_requests(void)
{
    struct server server;
    static int64_t t[5][ROUNDS];
    server_start(&server, "1920x1080x24", NULL);
    struct dh_screen_options o = { .display = server.display, .shm = true };
    struct dh_source *full, *parts;
    CHECK_INT(dh_screen_create(&full, &o), DH_OK);
    o.damage = true;
    CHECK_INT(dh_screen_create(&parts, &o), DH_OK);
    Display *painter = XOpenDisplay(server.display);
    struct bare b;
    bare_init(&b, server.display);
    grab_time(parts, 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned long rgb = 0x101010 + i;
        paint(painter, 300, 200, 200, 200, rgb);
        bool first = i % 2;
        if (first)
            t[0][i] = bare_part(&b);
        t[1][i] = grab_time(parts, rgb);
        if (!first)
            t[0][i] = bare_part(&b);
        t[4][i] = grab_time(parts, 0);
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool first = i % 2;
        if (first)
            t[2][i] = bare_full(&b);
        t[3][i] = grab_time(full, 0x101010 + ROUNDS - 1);
        if (!first)
            t[2][i] = bare_full(&b);
    }
    double part = median_us(t[0]), our_part = median_us(t[1]);
    double whole = median_us(t[2]), our_whole = median_us(t[3]);
    fprintf(stderr,
            "1080p, median of %d in turns: full %.1f us, bare %.1f us, ratio "
            "%.2f; 200x200 damage %.1f us, bare %.1f us, ratio %.2f; unchanged "
            "%.1f us\n",
            ROUNDS, our_whole, whole, our_whole / whole, our_part, part,
            our_part / part, median_us(t[4]));
    if (ROUNDS > 10) {
        CHECK(our_part < 10 * part + 1000);
        CHECK(our_whole < 10 * whole + 1000);
    }
    bare_finish(&b);
    XCloseDisplay(painter);
    dh_source_destroy(full);
    dh_source_destroy(parts);
    server_kill(&server);
}

DH_TESTS(DH_TEST(costs_are_near_those_of_the_bare_requests),
         DH_TEST(an_unchanged_screen_is_the_same_frame),
         DH_TEST(a_wait_ends_with_a_change),
         DH_TEST(only_what_changed_is_fetched),
         DH_TEST(parts_make_the_same_picture_as_the_whole),
         DH_TEST(so_they_do_with_the_pointer),
         DH_TEST(so_they_do_in_a_region_of_odd_size),
         DH_TEST(without_shared_memory_no_change_is_missed),
         DH_TEST(parts_are_copied_where_they_cannot_be_drawn));
