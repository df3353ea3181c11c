#include "agent/expect.h"

#include <stdio.h>
#include <string.h>

#include "agent/find_place.h"
#include "agent/recording.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "vision/motion.h"
#include "vision/region.h"

#define TILE       DH_EXPECT_TILE
#define SPOT_PX    64            // a caret, a spinner, a clock's digits
#define POINTER_PX 32            // the picture of it
#define FRAME_PX   8             // at the sides of a window
#define TITLE_PX   40            // above it
#define FEW        4             // pixels of a tile that may differ
#define SOON_NS    (600 * DH_MS) // the recorder looks ten times a second
#define LIMIT_NS   (5 * DH_S)
#define LONGEST    (60 * DH_S)
#define TILES_MAX  65536

// ---- what changes by itself -------------------------------------------------

static bool tile_differs(const struct dh_frame *a, struct dh_point at,
                         const struct dh_frame *b, struct dh_point in_b,
                         int few)
{
    int total;
    struct dh_rect box = { at.x, at.y, TILE, TILE };
    return dh_region_differs(a, box, b, in_b, few, &total) > few;
}

// Where the hand of this step went, and what may light up under it; empty: it
// did not, or that is not known.
static struct dh_rect place_of(const struct dh_recorded_step *s)
{
    const struct dh_recorded_target *t =
        s->n_targets ? &s->target[s->n_targets - 1] : NULL;
    if (!t || !dh_action_is_pointer(&s->action) ||
        dh_rect_is_empty(t->t.rect) || dh_place_is_container(t))
        return (struct dh_rect){ 0 };
    return t->t.tight;
}

static struct dh_rect tile_box(struct dh_point p)
{
    return (struct dh_rect){ p.x, p.y, TILE, TILE };
}

static bool overlaps(struct dh_rect r, struct dh_point tile)
{
    return !dh_rect_is_empty(dh_rect_intersect(r, tile_box(tile)));
}

// Between the two pictures nothing was done but that the hand went to `next`.
static void learn_pair(struct dh_restless *x, const struct dh_frame *a,
                       const struct dh_frame *b, struct dh_rect next)
{
    if (a->width != b->width || a->height != b->height)
        return;
    struct dh_rect all = { 0, 0, a->width, a->height };
    struct dh_rect box = dh_motion_bounds(a, b, all);
    // What is small changes by itself; what is large has to do so twice.
    int weight = box.w <= SPOT_PX && box.h <= SPOT_PX ? 2 : 1;
    if (!x->tile) {
        x->w = (a->width + TILE - 1) / TILE;
        x->h = (a->height + TILE - 1) / TILE;
        dh_array(x->tile, (size_t)x->w * (size_t)x->h);
    }
    for (int ty = 0; ty < x->h; ty++)
        for (int tx = 0; tx < x->w; tx++) {
            struct dh_point at = { tx * TILE, ty * TILE };
            unsigned char *n = &x->tile[ty * x->w + tx];
            if (!overlaps(box, at) || overlaps(next, at) ||
                !tile_differs(a, at, b, at, 0))
                continue;
            *n = (unsigned char)DH_MIN(*n + weight, 255);
        }
}

void dh_restless_learn(struct dh_restless *x, struct dh_recording *r, int max)
{
    memset(x, 0, sizeof *x);
    for (int i = 0; i + 1 < r->n_steps && max > 0; i++) {
        const struct dh_recorded_step *s = &r->step[i];
        int a = s->after, b = s[1].before;
        // What comes before the screen is still is of the action.
        if (a < 1 || b < 1 || a == b || s->looked_ns < 0 ||
            s->looked_ns >= s[1].began_ns)
            continue;
        struct dh_frame *from = dh_recording_frame(r, a);
        struct dh_frame *to = dh_recording_frame(r, b);
        if (from && to)
            learn_pair(x, from, to, place_of(&s[1]));
        dh_frame_unref(from);
        dh_frame_unref(to);
        max--;
    }
}

void dh_restless_finish(struct dh_restless *x)
{
    dh_free(x->tile);
    memset(x, 0, sizeof *x);
}

// A point of the recorded screen.
static bool is_restless(const struct dh_restless *x, struct dh_point p)
{
    int tx = p.x / TILE, ty = p.y / TILE;
    return x->tile && p.x >= 0 && p.y >= 0 && tx < x->w && ty < x->h &&
           x->tile[ty * x->w + tx] >= 2;
}

// ---- what was so then -------------------------------------------------------

// What is small and elsewhere may have moved by itself.
static bool has_more(const struct dh_expect *e, struct dh_rect own)
{
    struct dh_rect rest = { 0 };
    for (int i = 0; i < e->n_tiles; i++)
        if (!overlaps(own, e->tile[i]))
            rest = dh_rect_union(rest, tile_box(e->tile[i]));
    return rest.w > SPOT_PX || rest.h > SPOT_PX;
}

// Where the pointer is drawn after a step; false: nobody knows.
static bool pointer_at(const struct dh_recording *r, int step,
                       struct dh_rect *out)
{
    for (; step >= 0; step--) {
        const struct dh_action *a = &r->step[step].action;
        if (!dh_action_is_pointer(a) || !a->has_at)
            continue;
        *out = (struct dh_rect){ a->at.x - POINTER_PX / 2,
                                 a->at.y - POINTER_PX / 2, 2 * POINTER_PX,
                                 2 * POINTER_PX };
        return true;
    }
    return false;
}

// That the pointer is drawn elsewhere is nothing that changed: a replay sees
// none.
static void drop_pointer(struct dh_expect *e, const struct dh_recording *r,
                         int step)
{
    struct dh_rect was = { 0 }, is = { 0 }, rest = { 0 };
    bool known = pointer_at(r, step - 1, &was);
    int n = 0;
    if (!pointer_at(r, step, &is))
        return;
    for (int i = 0; i < e->n_tiles; i++)
        if (!overlaps(was, e->tile[i]) && !overlaps(is, e->tile[i])) {
            rest = dh_rect_union(rest, tile_box(e->tile[i]));
            e->tile[n++] = e->tile[i];
        }
    bool small = rest.w <= 2 * POINTER_PX && rest.h <= 2 * POINTER_PX;
    e->n_tiles = known || !small ? n : 0;
}

// `next`: where the hand may have been on its way to already.
static void find_tiles(struct dh_expect *e, const struct dh_restless *x,
                       struct dh_rect own, struct dh_rect next)
{
    const struct dh_frame *a = e->before, *b = e->after;
    if (!a || !b || a->width != b->width || a->height != b->height)
        return;
    struct dh_rect box =
        dh_motion_bounds(a, b, (struct dh_rect){ 0, 0, a->width, a->height });
    int cap = (box.w / TILE + 2) * (box.h / TILE + 2);
    if (dh_rect_is_empty(box))
        return;
    dh_array(e->tile, (size_t)DH_MIN(cap, TILES_MAX));
    for (int y = box.y / TILE * TILE; y < box.y + box.h; y += TILE)
        for (int w = box.x / TILE * TILE; w < box.x + box.w; w += TILE) {
            struct dh_point at = { w, y };
            bool lit = overlaps(next, at) && !overlaps(own, at);
            if (e->n_tiles < DH_MIN(cap, TILES_MAX) && !lit &&
                !is_restless(x, at) && tile_differs(a, at, b, at, 0))
                e->tile[e->n_tiles++] = at;
        }
    if (has_more(e, own))
        e->lit = own;
}

static void add(struct dh_expect *e, enum dh_expect_kind kind, int window)
{
    if (e->n == DH_EXPECT_MAX)
        return;
    e->of[e->n].kind = kind;
    e->of[e->n++].window = window;
}

// The last change of its kind to that window in the step.
static bool is_last(const struct dh_recording *r,
                    const struct dh_recorded_step *s, int i, bool focus)
{
    for (int k = i + 1; k < s->first_window + s->n_windows; k++) {
        const struct dh_recorded_window *later = &r->window[k];
        bool same = later->window.id == r->window[i].window.id;
        if (focus ? later->what == DH_WINDOW_FOCUS
                  : same && (later->what == r->window[i].what ||
                             later->what == DH_WINDOW_UNMAP ||
                             later->what == DH_WINDOW_MAP))
            return false;
    }
    return true;
}

static void find_windows(struct dh_expect *e, const struct dh_recording *r,
                         const struct dh_recorded_step *s)
{
    for (int i = s->first_window; i < s->first_window + s->n_windows; i++) {
        const struct dh_recorded_window *w = &r->window[i];
        bool focus = w->what == DH_WINDOW_FOCUS;
        // Managers give the focus to a helper of theirs that nobody sees.
        bool seen =
            w->window.wm_class[0] && w->window.box.w > 1 && w->window.box.h > 1;
        if (!is_last(r, s, i, focus) || !w->window.id || (focus && !seen) ||
            (!w->window.wm_class[0] && !w->window.title[0]))
            continue;
        switch (w->what) {
        case DH_WINDOW_MAP: add(e, DH_EXPECT_THERE, i); break;
        case DH_WINDOW_UNMAP: add(e, DH_EXPECT_GONE, i); break;
        case DH_WINDOW_TITLE: add(e, DH_EXPECT_TITLE, i); break;
        case DH_WINDOW_FOCUS: add(e, DH_EXPECT_FOCUS, i); break;
        case DH_WINDOW_MOVE: break;
        }
    }
}

void dh_expect_init(struct dh_expect *e, struct dh_recording *r, int step,
                    const struct dh_restless *x)
{
    const struct dh_recorded_step *s = &r->step[step];
    memset(e, 0, sizeof *e);
    e->limit_ns = DH_CLAMP(4 * (s->ended_ns - s->began_ns + s->settle_ns),
                           LIMIT_NS, LONGEST);
    find_windows(e, r, s);
    const struct dh_recorded_step *next =
        step + 1 < r->n_steps ? &r->step[step + 1] : NULL;
    e->soft = next && next->began_ns - s->ended_ns < SOON_NS &&
              s->looked_ns >= next->began_ns;
    if (!s->changed)
        return;
    e->before = dh_recording_frame(r, s->before);
    e->after = dh_recording_frame(r, s->after);
    find_tiles(e, x, place_of(s),
               next ? place_of(next) : (struct dh_rect){ 0 });
    if (r->pointer)
        drop_pointer(e, r, step);
}

void dh_expect_finish(struct dh_expect *e)
{
    dh_frame_unref(e->before);
    dh_frame_unref(e->after);
    dh_free(e->tile);
    memset(e, 0, sizeof *e);
}

// ---- what is so now ---------------------------------------------------------

static bool is_shown(const struct dh_window *stack, int n, unsigned long id)
{
    for (int i = 0; i < n; i++)
        if (stack[i].id == id)
            return true;
    return false;
}

// One that fits by its class alone may be another window of the program, so it
// has to be new; so has a menu, since all menus of a program fit.
static bool is_there(const struct dh_expect_now *now,
                     const struct dh_recorded_window *w, unsigned long id)
{
    for (int i = 0; i < now->n_stack; i++) {
        const struct dh_window *is = &now->stack[i];
        int fit = dh_recorded_window_fits(&w->window, w->pattern, is);
        // A menu often has the title of its program's window.
        if ((id && is->id != id) || is->menu != w->window.menu)
            continue;
        bool is_new =
            !is_shown(now->old, now->n_old, is->id) ||
            (is->menu && is->id == now->stands_for(now->user, w->window.id));
        if ((fit >= 2 && !is->menu) || (fit && is_new))
            return true;
    }
    return false;
}

static bool holds(const struct dh_expect_now *now, enum dh_expect_kind kind,
                  const struct dh_recorded_window *w)
{
    unsigned long is = now->stands_for(now->user, w->window.id);
    switch (kind) {
    case DH_EXPECT_THERE:
    case DH_EXPECT_TITLE: return is_there(now, w, 0);
    case DH_EXPECT_GONE: return !is || !is_shown(now->stack, now->n_stack, is);
    case DH_EXPECT_FOCUS:
        return now->focus && (now->focus == is || is_there(now, w, now->focus));
    }
    return false;
}

static void say_missing(enum dh_expect_kind kind, const char *title, char *out,
                        size_t size)
{
    static const char *const text[] = {
        [DH_EXPECT_THERE] = "has not come",
        [DH_EXPECT_GONE] = "has not gone",
        [DH_EXPECT_TITLE] = "has not come under this title",
        [DH_EXPECT_FOCUS] = "has not got the focus",
    };
    snprintf(out, size, "the window \"%.200s\" %s", title, text[kind]);
}

// With the manager's frame, of which nobody tells how large it is.
static bool has(const struct dh_window *w, struct dh_point p)
{
    struct dh_rect box = { w->box.x - FRAME_PX, w->box.y - TITLE_PX,
                           w->box.w + 2 * FRAME_PX,
                           w->box.h + TITLE_PX + FRAME_PX };
    return dh_rect_has(box, p);
}

// What changed in the step's window has moved with it; `p` is in one of them.
static struct dh_point moved_by(const struct dh_expect_now *now,
                                struct dh_point p, bool then)
{
    const struct dh_window *was = now->then_window, *is = now->now_window;
    if (!was || !is || !was->id || !is->id)
        return now->by;
    if (!has(then ? was : is, p))
        return (struct dh_point){ 0 };
    return (struct dh_point){ is->box.x - was->box.x, is->box.y - was->box.y };
}

static struct dh_point place_now(const struct dh_expect_now *now,
                                 struct dh_point p)
{
    struct dh_point by = moved_by(now, p, true);
    return (struct dh_point){ p.x + by.x - now->now->screen.x,
                              p.y + by.y - now->now->screen.y };
}

static struct dh_point place_then(const struct dh_expect_now *now,
                                  struct dh_point p)
{
    p.x += now->now->screen.x;
    p.y += now->now->screen.y;
    struct dh_point by = moved_by(now, p, false);
    return (struct dh_point){ p.x - by.x, p.y - by.y };
}

bool dh_expect_is_still(const struct dh_restless *x,
                        const struct dh_expect_now *now)
{
    const struct dh_frame *a = now->before, *b = now->now;
    if (a == b)
        return true;
    if (a->width != b->width || a->height != b->height)
        return false;
    struct dh_rect box =
        dh_motion_bounds(a, b, (struct dh_rect){ 0, 0, a->width, a->height });
    if (dh_rect_is_empty(box))
        return true;
    for (int y = box.y / TILE * TILE; y < box.y + box.h; y += TILE)
        for (int w = box.x / TILE * TILE; w < box.x + box.w; w += TILE) {
            struct dh_point at = { w, y };
            if (!is_restless(x, place_then(now, at)) &&
                tile_differs(a, at, b, at, 0))
                return false;
        }
    return true;
}

static enum dh_expect_picture look(const struct dh_expect *e,
                                   const struct dh_expect_now *now)
{
    bool same = true, changed = false;
    for (int i = 0; i < e->n_tiles && (same || !changed); i++) {
        struct dh_point p = e->tile[i], at = place_now(now, p);
        same = same && !tile_differs(e->after, p, now->now, at, FEW);
        changed = changed || (!overlaps(e->lit, p) &&
                              tile_differs(now->now, at, now->before, at, 0));
    }
    if (!e->n_tiles)
        return DH_PICTURE_ANY;
    return same      ? DH_PICTURE_SAME
           : changed ? DH_PICTURE_CHANGED
                     : DH_PICTURE_OTHER;
}

void dh_expect_check(const struct dh_expect *e, const struct dh_recording *r,
                     const struct dh_expect_now *now,
                     struct dh_expect_found *out)
{
    memset(out, 0, sizeof *out);
    out->windows = true;
    out->picture = look(e, now);
    for (int i = 0; i < e->n && out->windows; i++) {
        const struct dh_recorded_window *w = &r->window[e->of[i].window];
        // A title may tell what day it is.
        bool title = e->of[i].kind == DH_EXPECT_TITLE;
        out->windows = (title && out->picture == DH_PICTURE_SAME) ||
                       holds(now, e->of[i].kind, w);
        if (!out->windows)
            say_missing(e->of[i].kind, w->window.title, out->missing,
                        sizeof out->missing);
    }
    if (out->windows && out->picture == DH_PICTURE_OTHER)
        snprintf(out->missing, sizeof out->missing,
                 "what changed in the recording has not changed now");
}
