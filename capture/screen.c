#include "capture/screen.h"

#include <string.h>

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <X11/extensions/Xdamage.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/x11.h"
#include "capture/convert_priv.h"
#include "capture/cursor.h"
#include "capture/frame.h"
#include "capture/screen_layout_priv.h"
#include "capture/screen_priv.h"
#include "capture/screen_ring_priv.h"
#include "capture/screen_stage_priv.h"
#include "capture/screen_window_priv.h"
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
    char *output;          // NULL: the whole screen
    struct dh_screen_window window;
    struct dh_layout_watch watch;
    bool cursor;
    struct dh_frame_pool *pool; // where the ring cannot be used
    struct dh_stage stage;
    bool has_ring;
    struct dh_ring ring;
    uint64_t serial; // of the last frame
    struct dh_frame *last;
    bool changed;           // something may have, since the last frame
    bool drawn_on;          // something was, since the last frame
    struct dh_cursor drawn; // into it; only place and serial

    bool has_damage; // else settle compares pictures
    int damage_event;
    Damage damage;         // 0 until first wanted
    struct dh_point place; // root pixel of its 0,0
    bool marked;
    struct dh_unrest unrest;
    struct dh_frame *before; // the picture to compare with
};

static struct screen *screen_of(struct dh_source *source)
{
    return (struct screen *)source;
}

uint64_t dh_screen_fetched(const struct dh_source *source)
{
    return ((const struct screen *)source)->ring.fetched;
}

// ---- what the server tells -------------------------------------------------

static bool damage_note(struct screen *s, const XEvent *e, int64_t now)
{
    if (!s->damage || e->type != s->damage_event + XDamageNotify)
        return false;
    const XDamageNotifyEvent *d = (const XDamageNotifyEvent *)e;
    struct dh_rect r = { d->area.x + s->place.x, d->area.y + s->place.y,
                         d->area.width, d->area.height };
    dh_unrest_note(&s->unrest, r, now);
    dh_ring_note(&s->ring, r);
    return true;
}

// Only what is not damaged yet is reported. So a busy program fills no queue,
// and we say when we want to hear of the same area again. It leaves with the
// next request or look for events; what is fetched later on is newer than it.
static void damage_renew(struct screen *s)
{
    if (s->window.gone || dh_x11_is_lost(s->dpy))
        return;
    if (!s->window.id) {
        XDamageSubtract(s->dpy, s->damage, None, None);
        return;
    }
    // The damage goes with its window, at any time.
    dh_x11_trap_begin(s->dpy);
    XDamageSubtract(s->dpy, s->damage, None, None);
    s->window.gone = !dh_x11_trap_end(s->dpy);
}

// True where something was drawn.
static bool events_note(struct screen *s)
{
    bool damaged = false;
    int64_t now = dh_now_ns();
    // One look at the connection for all that came.
    int n = dh_x11_is_lost(s->dpy) ? 0 : XPending(s->dpy);
    for (; n > 0; n = XEventsQueued(s->dpy, QueuedAlready)) {
        XEvent e;
        XNextEvent(s->dpy, &e);
        s->changed = true;
        if (damage_note(s, &e, now))
            damaged = true;
        else if (dh_layout_watch_note(&s->watch, &e))
            dh_ring_forget(&s->ring);
        else
            dh_screen_window_note(&s->window, &e);
    }
    if (damaged)
        damage_renew(s);
    s->drawn_on = s->drawn_on || damaged;
    return damaged;
}

static enum dh_status screen_layout(struct dh_source *source,
                                    struct dh_layout *out)
{
    struct screen *s = screen_of(source);
    events_note(s);
    enum dh_status st = dh_layout_watch_read(&s->watch);
    if (!st)
        *out = s->watch.layout;
    return st;
}

// ---- pictures --------------------------------------------------------------

// What to fetch: the region, the output or all, as far as it is on the screen.
static enum dh_status area_find(const struct screen *s, struct dh_rect *out)
{
    const struct dh_layout *l = &s->watch.layout;
    struct dh_rect r = l->root;
    if (s->output) {
        const struct dh_output *o = dh_layout_find(l, s->output);
        if (!o) {
            dh_error("the screen has no output \"%s\" that is on", s->output);
            return DH_ERR_NOTFOUND;
        }
        r = dh_rect_intersect(r, o->rect);
    } else if (!dh_rect_is_empty(s->region)) {
        r = dh_rect_intersect(r, s->region);
    }
    if (dh_rect_is_empty(r)) {
        dh_error("the region %dx%d+%d+%d is not on the screen of %d x %d",
                 s->region.w, s->region.h, s->region.x, s->region.y, l->root.w,
                 l->root.h);
        return DH_ERR_RANGE;
    }
    *out = r;
    return DH_OK;
}

static enum dh_status shot_find(struct screen *s, struct dh_shot *out)
{
    enum dh_status st = dh_layout_watch_read(&s->watch);
    if (st)
        return st;
    if (s->window.id) {
        st = dh_screen_window_shot(&s->window, out);
        if (!st)
            s->place = (struct dh_point){ out->area.x, out->area.y };
        return st;
    }
    int n = DefaultScreen(s->dpy);
    struct dh_shot shot = { .drawable = s->root,
                            .visual = DefaultVisual(s->dpy, n),
                            .depth = DefaultDepth(s->dpy, n) };
    st = area_find(s, &shot.area);
    if (!st)
        *out = shot;
    return st;
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

static enum dh_status pixels_fetch(struct screen *s, const struct dh_shot *shot,
                                   struct dh_frame **out)
{
    if (s->has_ring && dh_ring_suits(s->dpy, shot)) {
        if (!s->has_damage)
            dh_ring_forget(&s->ring);
        enum dh_status st = dh_ring_fill(&s->ring, shot, out);
        if (st != DH_ERR_UNSUPPORTED)
            return st;
        s->has_ring = false;
    }
    dh_ring_finish(&s->ring);
    return dh_stage_fill(&s->stage, shot) ? stage_copy(s, shot->area, out)
                                          : DH_ERR_IO;
}

// The screen may be resized, or a window closed, between asking for its size
// and for its pixels. The server then refuses, and its events tell why.
static enum dh_status fetch_failed(struct screen *s, enum dh_status st,
                                   bool again)
{
    dh_ring_forget(&s->ring);
    s->changed = true;
    if (dh_x11_is_lost(s->dpy))
        return DH_ERR_CLOSED;
    if (st != DH_ERR_IO)
        return st;
    s->watch.known = false;
    events_note(s);
    if (!again)
        dh_warn("the X server did not deliver a picture");
    return DH_ERR_IO;
}

static bool same_pointer(const struct dh_cursor *a, const struct dh_cursor *b)
{
    return a->x == b->x && a->y == b->y && a->serial == b->serial;
}

static bool last_is_fresh(const struct screen *s, const struct dh_shot *shot,
                          const struct dh_cursor *pointer)
{
    if (!s->last || !s->has_damage || !same_pointer(&s->drawn, pointer))
        return false;
    struct dh_rect a = s->last->screen, b = shot->area;
    return s->has_ring ? dh_ring_is_fresh(&s->ring, shot)
                       : !s->changed && a.x == b.x && a.y == b.y &&
                             a.w == b.w && a.h == b.h;
}

// Nobody else looks at the last frame: the new one may take its place, which
// spares copying what they share.
static void last_yield(struct screen *s)
{
    if (!s->last || !dh_frame_is_sole(s->last))
        return;
    dh_frame_unref(s->last);
    s->last = NULL;
}

// One picture of what the events that were noted tell. *pointer may be NULL:
// then it is not the last frame again.
static enum dh_status frame_fetch(struct screen *s,
                                  const struct dh_cursor *pointer,
                                  struct dh_frame **out)
{
    enum dh_status st = DH_ERR_IO;
    struct dh_shot shot;
    for (int tries = 3; tries > 0 && st == DH_ERR_IO; tries--) {
        int64_t now = dh_now_ns();
        st = dh_x11_is_lost(s->dpy) ? DH_ERR_CLOSED : shot_find(s, &shot);
        if (st) {
            dh_ring_forget(&s->ring);
            return st;
        }
        if (pointer && last_is_fresh(s, &shot, pointer)) {
            *out = dh_frame_ref(s->last);
            return DH_OK;
        }
        last_yield(s);
        s->changed = s->drawn_on = false;
        st = pixels_fetch(s, &shot, out);
        if (st)
            st = fetch_failed(s, st, tries > 1);
        else
            (*out)->time_ns = now;
    }
    if (!st)
        (*out)->layout = s->watch.layout;
    return st;
}

// All that was drawn until now has to be in the picture. An answer of the
// server's says that its events up to there are in the queue. Where events wait
// already, that answer is the one that brings the pixels; seldom are there more
// events behind it, and a second round is needed.
static enum dh_status newest_fetch(struct screen *s, bool told,
                                   const struct dh_cursor *pointer,
                                   struct dh_frame **out)
{
    events_note(s);
    bool waiting = s->drawn_on && s->watch.known && !s->window.id;
    if (s->has_damage && !told && !waiting && !dh_x11_is_lost(s->dpy)) {
        XSync(s->dpy, False);
        events_note(s);
        told = true;
    }
    enum dh_status st = frame_fetch(s, pointer, out);
    if (st || told || !s->has_damage)
        return st;
    if (!events_note(s) && s->watch.known)
        return DH_OK;
    dh_frame_unref(*out);
    return frame_fetch(s, pointer, out);
}

static void pointer_draw(struct screen *s, const struct dh_cursor *pointer,
                         struct dh_frame *f)
{
    struct dh_cursor c = *pointer;
    if (!c.argb)
        return;
    c.x -= f->screen.x;
    c.y -= f->screen.y;
    dh_cursor_blend(&c, f);
    dh_ring_spoil(&s->ring, (struct dh_rect){ c.x, c.y, c.width, c.height });
}

static enum dh_status frame_make(struct screen *s, bool told,
                                 const struct dh_cursor *pointer,
                                 struct dh_frame **out)
{
    struct dh_frame *f;
    enum dh_status st = newest_fetch(s, told, pointer, &f);
    if (st)
        return st;
    if (f == s->last) {
        *out = f;
        return DH_OK;
    }
    pointer_draw(s, pointer, f);
    s->drawn = (struct dh_cursor){ .x = pointer->x,
                                   .y = pointer->y,
                                   .serial = pointer->serial };
    f->serial = ++s->serial;
    dh_frame_publish(f);
    dh_frame_unref(s->last);
    s->last = dh_frame_ref(f);
    *out = f;
    return DH_OK;
}

static enum dh_status damage_start(struct screen *s);

// Without a pointer the picture is still worth having.
static enum dh_status screen_grab(struct dh_source *source,
                                  struct dh_frame **out)
{
    struct screen *s = screen_of(source);
    struct dh_cursor pointer = { 0 };
    enum dh_status st = DH_OK;
    if (dh_x11_is_lost(s->dpy))
        return DH_ERR_CLOSED;
    if (s->has_damage && !s->damage)
        st = damage_start(s);
    bool told = s->cursor && !st && !dh_cursor_read(s->dpy, &pointer);
    if (!st)
        st = dh_x11_is_lost(s->dpy) ? DH_ERR_CLOSED
                                    : frame_make(s, told, &pointer, out);
    dh_cursor_finish(&pointer);
    return st;
}

// ---- changes ---------------------------------------------------------------

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
    enum dh_status st = frame_fetch(s, NULL, &now);
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
    if (s->window.id) {
        struct dh_shot shot; // where the window is
        enum dh_status st = shot_find(s, &shot);
        if (st)
            return st;
    }
    if (!s->damage) {
        Drawable what = s->window.id ? s->window.id : s->root;
        s->damage = XDamageCreate(s->dpy, what, XDamageReportDeltaRectangles);
        dh_ring_forget(&s->ring);
    }
    damage_renew(s);
    if (!dh_x11_is_lost(s->dpy))
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
    int64_t limit_at = dh_now_ns() + how->limit_ns, told_ns = 0;
    for (;;) {
        enum dh_status st = changes_note(s);
        if (st)
            return st;
        int64_t now = dh_now_ns(), since = s->unrest.since_ns;
        int64_t next = since + how->quiet_ns;
        *settled = now >= next;
        if (*settled || now >= limit_at)
            return DH_OK;
        if (dh_cancel_is_set(cancel))
            return DH_ERR_CANCELLED;
        if (how->calm && s->unrest.changed && since != told_ns) {
            next = since + how->calm_ns;
            if (now >= next) {
                told_ns = since;
                how->calm(how->user);
                continue;
            }
        }
        st = change_wait(s, now, DH_MIN(next, limit_at));
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

static enum dh_status screen_wait(struct dh_source *source, int64_t until_ns,
                                  struct dh_cancel *cancel, bool *changed)
{
    struct screen *s = screen_of(source);
    enum dh_status st = DH_OK;
    if (!s->has_damage) // who wants to know has to look
        return DH_OK;
    if (!s->damage)
        st = damage_start(s);
    while (!st) {
        st = changes_note(s);
        int64_t now = dh_now_ns();
        *changed = s->drawn_on;
        if (st || *changed || now >= until_ns)
            return st;
        if (dh_cancel_is_set(cancel))
            return DH_ERR_CANCELLED;
        st = change_wait(s, now, until_ns);
    }
    return st;
}

// ---- life ------------------------------------------------------------------

static void screen_destroy(struct dh_source *source)
{
    struct screen *s = screen_of(source);
    if (s->dpy) {
        dh_screen_window_close(&s->window);
        dh_stage_finish(&s->stage);
        dh_ring_finish(&s->ring);
        dh_x11_close(s->dpy);
    }
    dh_frame_unref(s->last);
    dh_frame_unref(s->before);
    dh_frame_pool_destroy(s->pool);
    dh_free(s->output);
    dh_free(s);
}

static const struct dh_source_ops screen_ops = {
    .name = "screen",
    .grab = screen_grab,
    .mark = screen_mark,
    .settle = screen_settle,
    .wait = screen_wait,
    .layout = screen_layout,
    .destroy = screen_destroy,
};

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

static void extensions_use(struct screen *s, const struct dh_screen_options *o)
{
    s->stage.dpy = s->ring.dpy = s->dpy;
    s->has_ring = o->shm && XShmQueryExtension(s->dpy);
    s->stage.no_shm = !s->has_ring;
    s->has_damage = o->damage && dh_damage_probe(s->dpy, &s->damage_event);
    s->cursor = o->cursor && dh_cursor_probe(s->dpy);
    if (o->damage && !s->has_damage)
        dh_info("the X server does not tell of changes, pictures are compared "
                "instead");
    if (o->cursor && !s->cursor)
        dh_info("the X server does not give the picture of the pointer");
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
    dh_layout_watch_init(&s->watch, s->dpy);
    extensions_use(s, o);
    st = dh_layout_watch_read(&s->watch);
    if (!st && s->output) {
        struct dh_rect area;
        st = area_find(s, &area);
    }
    if (!st && o->window)
        st = dh_screen_window_open(&s->window, s->dpy, o->window);
    return st;
}

static enum dh_status options_check(const struct dh_screen_options *o,
                                    struct dh_rect *region)
{
    *region = (struct dh_rect){ 0 };
    if (!!o->region + !!o->output + !!o->window > 1) {
        dh_error("only one of a region, an output and a window can be given");
        return DH_ERR_USAGE;
    }
    if (o->region && !dh_screen_region_parse(dh_str_of(o->region), region)) {
        dh_error("\"%s\" is no region such as 800x600+0+0", o->region);
        return DH_ERR_USAGE;
    }
    return DH_OK;
}

enum dh_status dh_screen_create(struct dh_source **out,
                                const struct dh_screen_options *options)
{
    struct dh_rect region;
    enum dh_status st = options_check(options, &region);
    if (st)
        return st;
    struct screen *s;
    dh_new(s);
    s->source.ops = &screen_ops;
    s->region = region;
    if (options->output && strcmp(options->output, "all") != 0)
        s->output = dh_strdup(options->output);
    s->pool = dh_frame_pool_create(4);
    st = screen_open(s, options);
    if (st) {
        screen_destroy(&s->source);
        return st;
    }
    *out = &s->source;
    return DH_OK;
}

unsigned long dh_screen_window(const struct dh_source *source)
{
    return ((const struct screen *)source)->window.id;
}
