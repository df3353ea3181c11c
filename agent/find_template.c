#include <stdlib.h>

#include "agent/find_place_priv.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "vision/match.h"

#define AGREE_PX     12
#define PIECE_PX     16   // about two letters
#define PIECE_SCORE  0.75 // so well each of them has to match
#define AROUND_SCORE 0.6
#define LINE_PX      14 // of a menu, inside of what lights up
#define EDGE_PX      3  // what frames an element is no part of its meaning
#define VOTES        (8 + DH_A11Y_LABELS)

// ---- rung 4: it looks the same elsewhere ------------------------------------

static struct dh_rect to_root(const struct dh_ladder *l, struct dh_rect r)
{
    r.x += l->now->frame->screen.x;
    r.y += l->now->frame->screen.y;
    return r;
}

static struct dh_rect window_area(const struct dh_ladder *l)
{
    struct dh_rect screen = l->now->frame->screen;
    struct dh_rect area = l->now->window ? l->now->window->box : screen;
    area = dh_rect_intersect(area, screen);
    area.x -= screen.x;
    area.y -= screen.y;
    return area;
}

static enum dh_match_found match(const struct dh_ladder *l, struct dh_rect crop,
                                 bool gradient, bool any_size,
                                 struct dh_match *best, int max, int *n)
{
    struct dh_match_options o = { .gradient = gradient };
    if (any_size) {
        o.scale_min = 0.67;
        o.scale_max = 2.0;
    }
    return dh_match_find(l->now->frame, window_area(l), l->then, crop, &o, best,
                         max, n);
}

// `inner` of the recorded picture, where `outer` of it is `found` now.
static struct dh_rect part_of(struct dh_rect outer, struct dh_rect inner,
                              const struct dh_match *found)
{
    double s = found->scale > 0 ? found->scale : 1;
    return (
        struct dh_rect){ found->rect.x + (int)((inner.x - outer.x) * s + 0.5),
                         found->rect.y + (int)((inner.y - outer.y) * s + 0.5),
                         (int)(inner.w * s + 0.5), (int)(inner.h * s + 0.5) };
}

static struct dh_rect element_of(const struct dh_ladder *l)
{
    struct dh_rect r = l->t->t.rect;
    return l->is_line || dh_rect_is_empty(r) || dh_place_is_container(l->t)
               ? l->tight
               : r;
}

// ---- is it the same in every part ------------------------------------------
// The box of a button outweighs what is written in it, so the letters have to
// match piece by piece.

static bool is_flat(const struct dh_frame *f, struct dh_rect r)
{
    int low = 255, high = 0;
    r = dh_rect_intersect(r, (struct dh_rect){ 0, 0, f->width, f->height });
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++) {
            int v = dh_ladder_light(dh_frame_at(f, x, y));
            low = DH_MIN(low, v);
            high = DH_MAX(high, v);
        }
    return high - low < DH_LADDER_FLAT;
}

static bool piece_fits(const struct dh_ladder *l, struct dh_rect piece,
                       struct dh_point at, bool gradient)
{
    const struct dh_frame *now = l->now->frame;
    struct dh_rect is = { at.x, at.y, piece.w, piece.h };
    bool flat = is_flat(l->then, piece);
    if (flat != is_flat(now, is))
        return false;
    return flat ||
           dh_match_score(now, at, l->then, piece, gradient) >= PIECE_SCORE;
}

// Of another size it is another drawing of the same letters; then only the
// whole can be compared.
static bool fits_in_detail(const struct dh_ladder *l, struct dh_rect crop,
                           struct dh_rect in, const struct dh_match *m,
                           bool gradient)
{
    struct dh_point by = { m->rect.x - crop.x, m->rect.y - crop.y };
    if (m->rect.w != crop.w || m->rect.h != crop.h)
        return !gradient;
    if (in.h > 4 * EDGE_PX && in.w > 4 * EDGE_PX)
        in = (struct dh_rect){ in.x + EDGE_PX, in.y + EDGE_PX,
                               in.w - 2 * EDGE_PX, in.h - 2 * EDGE_PX };
    for (int y = 0; y < in.h; y += PIECE_PX)
        for (int x = 0; x < in.w; x += PIECE_PX / 2) {
            struct dh_rect piece = { in.x + x, in.y + y,
                                     DH_MIN(PIECE_PX, in.w - x),
                                     DH_MIN(PIECE_PX, in.h - y) };
            if (piece.w < PIECE_PX / 2 && x)
                continue;
            if (!piece_fits(l, piece,
                            (struct dh_point){ piece.x + by.x, piece.y + by.y },
                            gradient))
                return false;
        }
    return true;
}

bool dh_ladder_looks_like(const struct dh_ladder *l, struct dh_rect rect)
{
    const struct dh_frame *f = l->now->frame;
    struct dh_match_options o = { .accept = 0.8,
                                  .scale_min = 0.67,
                                  .scale_max = 2.0 };
    struct dh_match best;
    int n;
    struct dh_rect area = { rect.x - rect.w / 4 - f->screen.x,
                            rect.y - rect.h / 4 - f->screen.y,
                            rect.w + rect.w / 2, rect.h + rect.h / 2 };
    if (!l->then || dh_rect_is_empty(l->tight))
        return false;
    enum dh_match_found found =
        dh_match_find(f, area, l->then, l->tight, &o, &best, 1, &n);
    return found == DH_MATCH_ONE || found == DH_MATCH_SEVERAL;
}

bool dh_ladder_is_menu_line(const struct dh_ladder *l)
{
    const struct dh_target *t = &l->t->t;
    const struct dh_window *is = l->now->window;
    struct dh_rect was = t->window.box;
    if (!l->then || !t->window.menu || !is || is->box.w != was.w ||
        is->box.h != was.h)
        return false;
    struct dh_rect line = { was.x + EDGE_PX, t->at.y - LINE_PX / 2,
                            was.w - 2 * EDGE_PX, LINE_PX };
    line = dh_rect_intersect(line, was);
    line = dh_rect_intersect(
        line, (struct dh_rect){ 0, 0, l->then->width, l->then->height });
    if (line.h < LINE_PX || is_flat(l->then, line))
        return false;
    struct dh_match m = { .rect = { line.x + l->by.x - l->now->frame->screen.x,
                                    line.y + l->by.y - l->now->frame->screen.y,
                                    line.w, line.h } };
    return fits_in_detail(l, line, line, &m, true);
}

// By its edges an empty field is like any box, so what is around has to be
// alike too.
static bool fits_around(const struct dh_ladder *l, struct dh_rect crop,
                        const struct dh_match *m)
{
    struct dh_point at = { m->rect.x + l->wide.x - crop.x,
                           m->rect.y + l->wide.y - crop.y };
    return dh_match_score(l->now->frame, at, l->then, l->wide, true) >=
           AROUND_SCORE;
}

// A line is the one only if there is no more in it.
static bool is_whole_line(const struct dh_ladder *l, struct dh_rect crop,
                          const struct dh_match *m)
{
    struct dh_rect text, is = part_of(crop, l->tight, m);
    return dh_ladder_line_text(l->now->frame, window_area(l), is.y + is.h / 2,
                               &text) &&
           abs(text.x - is.x) <= EDGE_PX && abs(text.w - is.w) <= EDGE_PX;
}

static void keep(struct dh_ladder *l, struct dh_rect crop,
                 const struct dh_match *m)
{
    dh_ladder_add(l, DH_RUNG_TEMPLATE,
                  to_root(l, part_of(crop, element_of(l), m)), m->score);
}

// Candidates of one crop; what is nearly one is kept as evidence.
static enum dh_match_found look_for(struct dh_ladder *l, struct dh_rect crop,
                                    bool gradient, bool any_size)
{
    struct dh_match best[DH_CANDIDATES];
    int n = 0, fit = 0;
    enum dh_match_found f =
        match(l, crop, gradient, any_size, best, DH_CANDIDATES, &n);
    bool some = f == DH_MATCH_ONE || f == DH_MATCH_SEVERAL;
    for (int i = 0; i < n && some && (i == 0 || f == DH_MATCH_SEVERAL); i++) {
        if (!fits_in_detail(l, crop, element_of(l), &best[i], gradient) ||
            (l->is_line ? !is_whole_line(l, crop, &best[i])
                        : gradient && !fits_around(l, crop, &best[i])))
            continue;
        keep(l, crop, &best[i]);
        fit++;
    }
    if (!fit && n && best[0].score > 0.5)
        keep(l, crop, &best[0]);
    if (some)
        return fit == 1 ? DH_MATCH_ONE : fit ? DH_MATCH_SEVERAL : DH_MATCH_NONE;
    return f;
}

// Of several that look the same, the one whose surroundings do.
static enum dh_rung_found by_crop(struct dh_ladder *l, bool gradient,
                                  bool any_size)
{
    int before = l->out->n;
    enum dh_match_found f = look_for(l, l->tight, gradient, any_size);
    if (f == DH_MATCH_ONE)
        return DH_FOUND_ONE;
    if (f == DH_MATCH_NONE)
        return DH_FOUND_NONE;
    int several = l->out->n;
    if (look_for(l, l->wide, gradient, any_size) == DH_MATCH_ONE) {
        l->out->candidate[before] = l->out->candidate[several];
        return DH_FOUND_ONE;
    }
    l->out->n = several;
    return f == DH_MATCH_SEVERAL ? DH_FOUND_SEVERAL : DH_FOUND_NONE;
}

enum dh_rung_found dh_ladder_template(struct dh_ladder *l)
{
    if (!l->then || dh_rect_is_empty(l->tight))
        return DH_FOUND_NONE;
    int first = l->out->n;
    // Of another size a line is like others of its menu.
    int sizes = l->now->scaled && !l->is_line;
    for (int any_size = 0; any_size <= sizes; any_size++)
        for (int gradient = 0; gradient <= 1; gradient++) {
            int n = l->out->n;
            enum dh_rung_found f = by_crop(l, gradient, any_size);
            if (f == DH_FOUND_NONE)
                continue;
            // The caller looks from its first on.
            for (int i = 0; n + i < l->out->n && n != first; i++)
                l->out->candidate[first + i] = l->out->candidate[n + i];
            l->out->n -= n - first;
            return f;
        }
    return DH_FOUND_NONE;
}

// ---- rung 5: what is around it ----------------------------------------------

struct votes {
    struct dh_point centre[VOTES]; // of the element, as each has it
    int n;
};

static struct dh_point centre_of(struct dh_rect r)
{
    return (struct dh_point){ r.x + r.w / 2, r.y + r.h / 2 };
}

static void ask_labels(struct dh_ladder *l, struct votes *v)
{
    const struct dh_a11y_place *p = &l->t->t.place;
    if (!dh_ladder_ask(l))
        return;
    for (int i = 0; i < p->n_labels; i++) {
        struct dh_rect r = dh_ladder_pixels(l, l->hits.label[i]);
        if (dh_rect_is_empty(r))
            continue;
        struct dh_point c = centre_of(r);
        v->centre[v->n++] =
            (struct dh_point){ c.x - p->label[i].dx, c.y - p->label[i].dy };
    }
}

// Where a part of what is around is now, in every letter. False: nowhere, or
// at several places.
static bool find_piece(const struct dh_ladder *l, struct dh_rect piece,
                       struct dh_match *out)
{
    struct dh_match best[DH_CANDIDATES];
    int n = 0, fit = 0;
    enum dh_match_found f =
        match(l, piece, false, false, best, DH_CANDIDATES, &n);
    if (f != DH_MATCH_ONE && f != DH_MATCH_SEVERAL)
        return false;
    for (int i = 0; i < n; i++) {
        if (!fits_in_detail(l, piece, piece, &best[i], false))
            continue;
        *out = best[i];
        fit++;
    }
    return fit == 1;
}

// The eight boxes of the element's own size around it.
static void ask_pictures(struct dh_ladder *l, struct votes *v)
{
    struct dh_rect t = l->tight;
    for (int i = 0; l->then && i < 9; i++) {
        struct dh_rect piece = { t.x + (i % 3 - 1) * t.w,
                                 t.y + (i / 3 - 1) * t.h, t.w, t.h };
        struct dh_match m;
        piece = dh_rect_intersect(piece, l->wide);
        if (i == 4 || piece.w < t.w / 2 || piece.h < t.h / 2 ||
            !find_piece(l, piece, &m))
            continue;
        v->centre[v->n++] =
            centre_of(to_root(l, part_of(piece, element_of(l), &m)));
    }
}

static int votes_for(const struct votes *v, struct dh_rect r)
{
    struct dh_point c = centre_of(r);
    int n = 0;
    for (int i = 0; i < v->n; i++)
        n += abs(v->centre[i].x - c.x) <= AGREE_PX &&
             abs(v->centre[i].y - c.y) <= AGREE_PX;
    return n;
}

enum dh_rung_found dh_ladder_anchors(struct dh_ladder *l, int first)
{
    struct votes v = { .n = 0 };
    int best = -1, most = 0, second = 0;
    ask_labels(l, &v);
    if (v.n < 2)
        ask_pictures(l, &v);
    for (int i = first; i < l->out->n; i++) {
        int n = votes_for(&v, l->out->candidate[i].rect);
        if (n > most) {
            second = most;
            most = n;
            best = i;
        } else {
            second = DH_MAX(second, n);
        }
    }
    // One alone chooses only where no other vote says anything else.
    if (best < 0 || most == second || (most == 1 && v.n > 1))
        return DH_FOUND_SEVERAL;
    struct dh_candidate one = l->out->candidate[best];
    one.rung = DH_RUNG_ANCHORS;
    one.score = (double)most / v.n;
    l->out->candidate[best] = l->out->candidate[first];
    l->out->candidate[first] = one;
    return DH_FOUND_ONE;
}
