#include "capture/screen.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <X11/extensions/Xdamage.h>
#include <X11/extensions/Xfixes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/x11.h"
#include "capture/convert_priv.h"
#include "capture/cursor.h"
#include "capture/frame.h"
#include "capture/screen_stage_priv.h"
#include "capture/unrest_priv.h"

#define DH_LOG_TAG "screen"
#include "base/log.h"

// How often settle looks at the cancel flag, and at the picture where the
// server does not tell of changes.
#define LOOK_NS (50 * DH_MS)

struct screen {
    struct dh_source source;
    Display *dpy;
    Window root;
    struct dh_rect region; // empty: the whole screen
    bool cursor;
    struct dh_frame_pool *pool;
    struct dh_stage stage;
    uint64_t serial; // of the last frame

    bool has_damage; // else settle compares pictures
    int damage_event;
    Damage damage; // 0 until the first mark
    bool marked;
    struct dh_unrest unrest;
    struct dh_frame *before; // the picture to compare with
};

static struct screen *screen_of(struct dh_source *source)
{
    return (struct screen *)source;
}

// ---- pictures --------------------------------------------------------------

// What to fetch: the region, or all, as far as it is on the screen.
static enum dh_status area_find(const struct screen *s,
                                const XWindowAttributes *root,
                                struct dh_rect *out)
{
    struct dh_rect all = { 0, 0, root->width, root->height };
    struct dh_rect r =
        dh_rect_is_empty(s->region) ? all : dh_rect_intersect(all, s->region);
    if (dh_rect_is_empty(r)) {
        dh_error("the region %dx%d+%d+%d is not on the screen of %d x %d",
                 s->region.w, s->region.h, s->region.x, s->region.y,
                 root->width, root->height);
        return DH_ERR_RANGE;
    }
    *out = r;
    return DH_OK;
}

static enum dh_status server_failed(const struct screen *s, const char *what)
{
    if (dh_x11_is_lost(s->dpy))
        return DH_ERR_CLOSED;
    dh_warn("the X server did not deliver %s", what);
    return DH_ERR_IO;
}

// Fetch the picture into the stage. The screen may be resized between asking
// for its size and for its pixels; the server then refuses, and the new size is
// known at once.
static enum dh_status stage_fill(struct screen *s, struct dh_rect *area)
{
    for (int tries = 0; tries < 3; tries++) {
        XWindowAttributes root;
        if (dh_x11_is_lost(s->dpy) ||
            !XGetWindowAttributes(s->dpy, s->root, &root))
            return server_failed(s, "the size of the screen");
        enum dh_status st = area_find(s, &root, area);
        if (st)
            return st;
        if (dh_stage_fill(&s->stage, &root, *area))
            return DH_OK;
        if (dh_x11_is_lost(s->dpy))
            return DH_ERR_CLOSED;
    }
    return server_failed(s, "a picture of the screen");
}

static struct dh_pixel_format format_of(const XImage *img)
{
    return (struct dh_pixel_format){ .bits_per_pixel = img->bits_per_pixel,
                                     .msb_first = img->byte_order == MSBFirst,
                                     .red_mask = (uint32_t)img->red_mask,
                                     .green_mask = (uint32_t)img->green_mask,
                                     .blue_mask = (uint32_t)img->blue_mask };
}

// The next grab overwrites the stage, but a frame lives as long as someone
// holds it: hence one copy here, and none after it.
static enum dh_status stage_copy(const struct screen *s, struct dh_rect area,
                                 struct dh_frame **out)
{
    const XImage *img = s->stage.img;
    struct dh_pixel_format format = format_of(img);
    if (!dh_pixel_format_is_valid(&format)) {
        dh_error("unsupported screen format: %d bits per pixel, masks %lx %lx "
                 "%lx",
                 img->bits_per_pixel, img->red_mask, img->green_mask,
                 img->blue_mask);
        return DH_ERR_UNSUPPORTED;
    }
    struct dh_frame *f;
    enum dh_status st = dh_frame_create(&f, s->pool, area.w, area.h);
    if (st)
        return st;
    for (int y = 0; y < area.h; y++) {
        const char *row = img->data + (size_t)y * (size_t)img->bytes_per_line;
        dh_convert_row(&format, (const uint8_t *)row, dh_frame_at(f, 0, y),
                       (size_t)area.w);
    }
    f->screen = area;
    *out = f;
    return DH_OK;
}

static enum dh_status frame_fetch(struct screen *s, bool cursor,
                                  struct dh_frame **out)
{
    struct dh_rect area;
    int64_t now = dh_now_ns();
    enum dh_status st = stage_fill(s, &area);
    if (st)
        return st;
    struct dh_frame *f;
    st = stage_copy(s, area, &f);
    if (st)
        return st;
    f->time_ns = now;
    // Without a pointer the picture is still worth having.
    if (cursor && dh_cursor_draw(s->dpy, f) && dh_x11_is_lost(s->dpy)) {
        dh_frame_unref(f);
        return DH_ERR_CLOSED;
    }
    *out = f;
    return DH_OK;
}

static enum dh_status screen_grab(struct dh_source *source,
                                  struct dh_frame **out)
{
    struct screen *s = screen_of(source);
    struct dh_frame *f;
    enum dh_status st = frame_fetch(s, s->cursor, &f);
    if (st)
        return st;
    f->serial = ++s->serial;
    dh_frame_publish(f);
    *out = f;
    return DH_OK;
}

// ---- changes ---------------------------------------------------------------

static void events_note(struct screen *s)
{
    bool any = false;
    int64_t now = dh_now_ns();
    while (!dh_x11_is_lost(s->dpy) && XPending(s->dpy) > 0) {
        XEvent e;
        XNextEvent(s->dpy, &e);
        if (!s->damage || e.type != s->damage_event + XDamageNotify)
            continue;
        const XDamageNotifyEvent *d = (const XDamageNotifyEvent *)&e;
        struct dh_rect r = { d->area.x, d->area.y, d->area.width,
                             d->area.height };
        dh_unrest_note(&s->unrest, r, now);
        any = true;
    }
    // Only what is not damaged yet is reported. So a busy program fills no
    // queue, and we say when we want to hear of the same area again.
    if (any && !dh_x11_is_lost(s->dpy)) {
        XDamageSubtract(s->dpy, s->damage, None, None);
        XFlush(s->dpy);
    }
}

static bool pixels_differ(const uint8_t *a, const uint8_t *b)
{
    return a[0] != b[0] || a[1] != b[1] || a[2] != b[2];
}

static bool row_find_change(const struct dh_frame *a, const struct dh_frame *b,
                            int y, int *left, int *right)
{
    int x0 = 0, x1 = a->width - 1;
    if (!memcmp(dh_frame_at(a, 0, y), dh_frame_at(b, 0, y),
                (size_t)a->width * 4))
        return false;
    while (x0 <= x1 &&
           !pixels_differ(dh_frame_at(a, x0, y), dh_frame_at(b, x0, y)))
        x0++;
    if (x0 > x1)
        return false;
    while (!pixels_differ(dh_frame_at(a, x1, y), dh_frame_at(b, x1, y)))
        x1--;
    *left = x0;
    *right = x1;
    return true;
}

// Around all pixels that differ, in screen coordinates.
static struct dh_rect frames_compare(const struct dh_frame *a,
                                     const struct dh_frame *b)
{
    if (a->width != b->width || a->height != b->height)
        return dh_rect_union(a->screen, b->screen);
    struct dh_rect r = { 0 };
    for (int y = 0; y < a->height; y++) {
        int left, right;
        if (row_find_change(a, b, y, &left, &right)) {
            struct dh_rect row = { b->screen.x + left, b->screen.y + y,
                                   right - left + 1, 1 };
            r = dh_rect_union(r, row);
        }
    }
    return r;
}

// The pointer is left out: moving it is no change of the screen.
static enum dh_status pictures_note(struct screen *s)
{
    struct dh_frame *now;
    enum dh_status st = frame_fetch(s, false, &now);
    if (st)
        return st;
    if (s->before) {
        dh_unrest_note(&s->unrest, frames_compare(s->before, now),
                       now->time_ns);
        dh_frame_unref(s->before);
    }
    s->before = now;
    events_note(s); // none is wanted, but a full queue would end each wait
    return DH_OK;
}

static enum dh_status changes_note(struct screen *s)
{
    if (!s->has_damage)
        return pictures_note(s);
    events_note(s);
    return dh_x11_is_lost(s->dpy) ? DH_ERR_CLOSED : DH_OK;
}

static enum dh_status damage_start(struct screen *s)
{
    if (!s->damage)
        s->damage =
            XDamageCreate(s->dpy, s->root, XDamageReportDeltaRectangles);
    XDamageSubtract(s->dpy, s->damage, None, None);
    XSync(s->dpy, False);
    return dh_x11_is_lost(s->dpy) ? DH_ERR_CLOSED : DH_OK;
}

static enum dh_status screen_mark(struct dh_source *source)
{
    struct screen *s = screen_of(source);
    if (dh_x11_is_lost(s->dpy))
        return DH_ERR_CLOSED;
    enum dh_status st = s->has_damage ? damage_start(s) : DH_OK;
    if (!st)
        st = changes_note(s);
    if (st)
        return st;
    s->marked = true;
    // What came in so far was drawn before the mark.
    dh_unrest_mark(&s->unrest, dh_now_ns());
    return DH_OK;
}

// Sleep until something may have changed, not beyond `until_ns`.
static enum dh_status change_wait(struct screen *s, int64_t now,
                                  int64_t until_ns)
{
    enum dh_status st =
        dh_x11_wait_event(s->dpy, DH_MIN(until_ns, now + LOOK_NS));
    return st == DH_ERR_TIMEOUT ? DH_OK : st;
}

static enum dh_status quiet_wait(struct screen *s, const struct dh_settle *how,
                                 struct dh_cancel *cancel, bool *settled)
{
    int64_t limit_at = dh_now_ns() + how->limit_ns;
    for (;;) {
        enum dh_status st = changes_note(s);
        if (st)
            return st;
        int64_t now = dh_now_ns();
        int64_t quiet_at = s->unrest.since_ns + how->quiet_ns;
        *settled = now >= quiet_at;
        if (*settled || now >= limit_at)
            return DH_OK;
        if (dh_cancel_is_set(cancel))
            return DH_ERR_CANCELLED;
        st = change_wait(s, now, DH_MIN(quiet_at, limit_at));
        if (st)
            return st;
    }
}

static enum dh_status screen_settle(struct dh_source *source,
                                    const struct dh_settle *how,
                                    struct dh_cancel *cancel,
                                    struct dh_settle_result *out)
{
    struct screen *s = screen_of(source);
    int64_t begun = dh_now_ns();
    enum dh_status st = DH_OK;
    if (!s->marked)
        st = screen_mark(source);
    else if (!dh_x11_is_lost(s->dpy))
        XSync(s->dpy, False); // what was drawn until now is in the queue
    if (st)
        return st;
    bool settled;
    st = quiet_wait(s, how, cancel, &settled);
    if (st)
        return st;
    *out = (struct dh_settle_result){ .waited_ns = dh_now_ns() - begun,
                                      .settled = settled,
                                      .changed = s->unrest.changed,
                                      .damage = s->unrest.damage };
    s->marked = false;
    dh_debug("%s after %d ms", settled ? "still" : "not still",
             (int)(out->waited_ns / DH_MS));
    return DH_OK;
}

// ---- life ------------------------------------------------------------------

static void screen_destroy(struct dh_source *source)
{
    struct screen *s = screen_of(source);
    if (s->dpy) {
        dh_stage_finish(&s->stage);
        dh_x11_close(s->dpy);
    }
    dh_frame_unref(s->before);
    dh_frame_pool_destroy(s->pool);
    dh_free(s);
}

static const struct dh_source_ops screen_ops = {
    .name = "screen",
    .grab = screen_grab,
    .mark = screen_mark,
    .settle = screen_settle,
    .destroy = screen_destroy,
};

static bool damage_probe(Display *dpy, int *event)
{
    int error, major = 1, minor = 1;
    // The damage extension refuses clients that have not asked XFIXES first.
    return dh_cursor_probe(dpy) && XDamageQueryExtension(dpy, event, &error) &&
           XDamageQueryVersion(dpy, &major, &minor);
}

static enum dh_status visual_check(Display *dpy)
{
    const Visual *v = DefaultVisual(dpy, DefaultScreen(dpy));
    int depth = DefaultDepth(dpy, DefaultScreen(dpy));
    if (v->class == TrueColor && (depth == 24 || depth == 30 || depth == 32))
        return DH_OK;
    dh_error("unsupported screen: depth %d, visual class %d; it takes a "
             "TrueColor screen of depth 24, 30 or 32",
             depth, v->class);
    return DH_ERR_UNSUPPORTED;
}

static enum dh_status screen_open(struct screen *s,
                                  const struct dh_screen_options *o)
{
    enum dh_status st = dh_x11_open(&s->dpy, o->display);
    if (st)
        return st;
    st = visual_check(s->dpy);
    if (st)
        return st;
    s->root = DefaultRootWindow(s->dpy);
    s->stage.dpy = s->dpy;
    s->stage.no_shm = !o->shm || !XShmQueryExtension(s->dpy);
    s->has_damage = o->damage && damage_probe(s->dpy, &s->damage_event);
    s->cursor = o->cursor && dh_cursor_probe(s->dpy);
    if (o->damage && !s->has_damage)
        dh_info("the X server does not tell of changes, pictures are compared "
                "instead");
    if (o->cursor && !s->cursor)
        dh_info("the X server does not give the picture of the pointer");
    return dh_x11_is_lost(s->dpy) ? DH_ERR_CLOSED : DH_OK;
}

enum dh_status dh_screen_create(struct dh_source **out,
                                const struct dh_screen_options *options)
{
    struct dh_rect region = { 0 };
    if (options->region &&
        !dh_screen_region_parse(dh_str_of(options->region), &region)) {
        dh_error("\"%s\" is no region such as 800x600+0+0", options->region);
        return DH_ERR_USAGE;
    }
    struct screen *s;
    dh_new(s);
    s->source.ops = &screen_ops;
    s->region = region;
    s->pool = dh_frame_pool_create(4);
    enum dh_status st = screen_open(s, options);
    if (st) {
        screen_destroy(&s->source);
        return st;
    }
    *out = &s->source;
    return DH_OK;
}

// ---- options and facts -----------------------------------------------------

const struct dh_opt dh_screen_opts[] = {
    { .name = "display",
      .letter = 'd',
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct dh_screen_options, display),
      .arg = ":N",
      .help = "X display to look at (default: $DISPLAY)" },
    { .name = "region",
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct dh_screen_options, region),
      .arg = "WxH+X+Y",
      .help = "Part of the screen to capture" },
    { .name = "cursor",
      .type = DH_OPT_BOOL,
      .offset = offsetof(struct dh_screen_options, cursor),
      .help = "Draw the pointer into the pictures (default)" },
    { .name = "shm",
      .type = DH_OPT_BOOL,
      .offset = offsetof(struct dh_screen_options, shm),
      .help = "Share memory with the X server where it can (default)" },
    { .name = "damage",
      .type = DH_OPT_BOOL,
      .offset = offsetof(struct dh_screen_options, damage),
      .help = "Let the X server tell of changes where it can (default)" },
    { 0 },
};

bool dh_screen_region_parse(struct dh_str s, struct dh_rect *out)
{
    static const char separator[] = { 'x', '+', '+' };
    int64_t v[4];
    for (int i = 0; i < 4; i++) {
        size_t n = 0;
        while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
            n++;
        if (!dh_parse_i64(dh_str_sub(s, 0, n), &v[i]) || v[i] > 32767)
            return false;
        if (i < 3 && (n == s.n || s.p[n] != separator[i]))
            return false;
        s = dh_str_sub(s, i < 3 ? n + 1 : n, s.n);
    }
    if (s.n || !v[0] || !v[1])
        return false;
    *out = (struct dh_rect){ (int)v[2], (int)v[3], (int)v[0], (int)v[1] };
    return true;
}

static bool shm_probe(Display *dpy)
{
    XWindowAttributes root;
    struct dh_stage stage = { .dpy = dpy };
    if (!XGetWindowAttributes(dpy, DefaultRootWindow(dpy), &root))
        return false;
    bool filled = dh_stage_fill(&stage, &root, (struct dh_rect){ 0, 0, 1, 1 });
    dh_stage_finish(&stage);
    return filled && !stage.no_shm;
}

enum dh_status dh_screen_probe(const char *display, struct dh_screen_info *out)
{
    Display *dpy;
    enum dh_status st = dh_x11_open(&dpy, display);
    if (st)
        return st;
    int n = DefaultScreen(dpy), event;
    const Visual *v = DefaultVisual(dpy, n);
    struct dh_screen_info info = { .width = DisplayWidth(dpy, n),
                                   .height = DisplayHeight(dpy, n),
                                   .depth = DefaultDepth(dpy, n),
                                   .red_mask = v->red_mask,
                                   .green_mask = v->green_mask,
                                   .blue_mask = v->blue_mask,
                                   .true_color = v->class == TrueColor,
                                   .msb_first = ImageByteOrder(dpy) == MSBFirst,
                                   .has_shm = XShmQueryExtension(dpy),
                                   .has_fixes = dh_cursor_probe(dpy),
                                   .has_damage = damage_probe(dpy, &event) };
    int n_formats;
    XPixmapFormatValues *formats = XListPixmapFormats(dpy, &n_formats);
    for (int i = 0; formats && i < n_formats; i++) {
        if (formats[i].depth == info.depth)
            info.bits_per_pixel = formats[i].bits_per_pixel;
    }
    XFree(formats);
    snprintf(info.vendor, sizeof(info.vendor), "%s", ServerVendor(dpy));
    info.shm_works = info.has_shm && shm_probe(dpy);
    st = dh_x11_is_lost(dpy) ? DH_ERR_CLOSED : DH_OK;
    dh_x11_close(dpy);
    if (!st)
        *out = info;
    return st;
}
