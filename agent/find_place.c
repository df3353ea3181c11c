#include "agent/find_place.h"

#include <stdlib.h>
#include <string.h>

#include "agent/find_place_priv.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "vision/region.h"

#define OFF_PX    3 // a place may be so far from where it was
#define TIGHT_PX  4
#define AROUND_PX 24
#define LABEL_PX  12
#define LARGE_W   400 // larger than this it is no button, list item or field
#define LARGE_H   200

const char *dh_rung_name(enum dh_rung rung)
{
    static const char *const names[] = { "none",  "window",   "tree",
                                         "place", "template", "anchors",
                                         "text",  "model",    "person" };
    return (size_t)rung < DH_COUNTOF(names) ? names[rung] : "?";
}

// ---- what the rungs share ---------------------------------------------------

static int scaled(int v, int from, int to)
{
    return from > 0 ? (int)((int64_t)v * to / from) : v;
}

static bool is_writable(const struct dh_recorded_target *t)
{
    return t->t.node.editable || !strcmp(t->t.node.role, "terminal");
}

struct dh_point dh_ladder_point(const struct dh_ladder *l, struct dh_rect rect)
{
    struct dh_rect was = l->t->t.rect;
    if (l->is_line || dh_rect_is_empty(was) || dh_place_is_container(l->t))
        was = l->tight;
    if (dh_rect_is_empty(was) || !dh_rect_has(was, l->t->t.at))
        return (struct dh_point){ rect.x + rect.w / 2, rect.y + rect.h / 2 };
    struct dh_point off = { l->t->t.at.x - was.x, l->t->t.at.y - was.y };
    // A text stays at its corner when there is more room for it.
    if (is_writable(l->t))
        return (struct dh_point){ rect.x + DH_MIN(off.x, rect.w - 1),
                                  rect.y + DH_MIN(off.y, rect.h - 1) };
    return (struct dh_point){ rect.x + scaled(off.x, was.w, rect.w),
                              rect.y + scaled(off.y, was.h, rect.h) };
}

void dh_ladder_add(struct dh_ladder *l, enum dh_rung rung, struct dh_rect rect,
                   double score)
{
    struct dh_places *p = l->out;
    if (p->n == DH_CANDIDATES)
        return;
    p->candidate[p->n++] = (struct dh_candidate){
        .rect = rect,
        .at = dh_ladder_point(l, rect),
        .score = score,
        .rung = rung,
    };
}

bool dh_place_is_container(const struct dh_recorded_target *t)
{
    // Of what is in these the program has not told, so their name says nothing
    // of what was meant.
    static const char *const roles[] = {
        "frame",         "window",       "dialog",         "alert",
        "panel",         "filler",       "scroll pane",    "viewport",
        "split pane",    "layered pane", "root pane",      "drawing area",
        "canvas",        "document web", "document frame", "section",
        "grouping",      "unknown",      "tool bar",       "menu bar",
        "page tab list", "list",         "list box",       "table",
        "tree",          "tree table",   "application",    "internal frame",
        "desktop frame", "image map",    "embedded",
    };
    const struct dh_rect *r = &t->t.rect, *w = &t->t.window.box;
    if (is_writable(t))
        return false;
    for (size_t i = 0; t->t.has_node && i < DH_COUNTOF(roles); i++)
        if (!strcmp(t->t.node.role, roles[i]))
            return true;
    bool most = w->w > 0 && 2 * (int64_t)r->w * r->h > (int64_t)w->w * w->h;
    return (r->w > LARGE_W && r->h > LARGE_H) || (t->t.has_node && most);
}

bool dh_place_is_plausible(const struct dh_scene *now,
                           const struct dh_recorded_target *t,
                           struct dh_point at)
{
    struct dh_a11y_node node;
    int pid = now->window ? now->window->pid : 0;
    if (!t->t.has_node || !t->t.node.name[0] ||
        !dh_a11y_at(now->a11y, pid, at, &node))
        return true;
    return !strcmp(node.role, t->t.node.role) &&
           !strcmp(node.name, t->t.node.name);
}

// ---- rung 2: the tree -------------------------------------------------------

bool dh_ladder_ask(struct dh_ladder *l)
{
    const struct dh_target *t = &l->t->t;
    struct dh_a11y_wanted what = { .n_labels = t->place.n_labels };
    if (l->asked || !l->now->window || !t->has_node)
        return l->told;
    l->asked = true;
    memcpy(what.role, t->node.role, sizeof what.role);
    memcpy(what.name, t->node.name, sizeof what.name);
    memcpy(what.description, t->place.description, sizeof what.description);
    memcpy(what.path, t->place.path, sizeof what.path);
    memcpy(what.title, l->now->window->title, sizeof what.title);
    memcpy(what.label, t->place.label, sizeof what.label);
    what.box = l->now->window->box;
    l->told = dh_a11y_find(l->now->a11y, l->now->window->pid, &what, &l->hits);
    return l->told;
}

static bool is_near(int a, int b)
{
    return abs(a - b) <= 2;
}

static bool has_other_units(const struct dh_ladder *l)
{
    int is = l->hits.window.w, box = l->now->window->box.w;
    return is > 0 && (10 * is < 9 * box || 10 * is > 11 * box);
}

// Some toolkits report logical units, and some count from their own corner. A
// window that is a little smaller has a shadow, and its widgets are right.
struct dh_rect dh_ladder_pixels(const struct dh_ladder *l, struct dh_rect r)
{
    struct dh_rect box = l->now->window->box, is = l->hits.window;
    if (dh_rect_is_empty(is) || dh_rect_is_empty(r))
        return r;
    bool same = is_near(is.w, box.w) && is_near(is.h, box.h);
    if (same)
        return (struct dh_rect){ r.x + box.x - is.x, r.y + box.y - is.y, r.w,
                                 r.h };
    if (!has_other_units(l))
        return r;
    return (struct dh_rect){ box.x + scaled(r.x - is.x, is.w, box.w),
                             box.y + scaled(r.y - is.y, is.w, box.w),
                             scaled(r.w, is.w, box.w),
                             scaled(r.h, is.w, box.w) };
}

// The one hit that has it; -1: none or several.
static int only_hit(const struct dh_a11y_hits *h, bool by_path)
{
    int found = -1;
    for (int i = 0; i < h->n && i < DH_A11Y_HITS; i++) {
        if (!(by_path ? h->hit[i].same_path : h->hit[i].same_description))
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

static bool is_beside(int then, int now, int across_then, int across_now)
{
    return (then < 0) == (now < 0) && abs(across_now - across_then) <= LABEL_PX;
}

// The nearest label stands to it as it did, on the same side and in one line.
static bool has_its_label(const struct dh_ladder *l, int hit)
{
    const struct dh_a11y_label *was = &l->t->t.place.label[0];
    struct dh_rect r = dh_ladder_pixels(l, l->hits.hit[hit].rect);
    struct dh_rect label = dh_ladder_pixels(l, l->hits.label[0]);
    int dx = label.x + label.w / 2 - r.x - r.w / 2;
    int dy = label.y + label.h / 2 - r.y - r.h / 2;
    if (dh_rect_is_empty(label))
        return false;
    return abs(was->dx) >= abs(was->dy) ? is_beside(was->dx, dx, was->dy, dy)
                                        : is_beside(was->dy, dy, was->dx, dx);
}

// A role alone is no description: where another one has gone, it would be found
// in its place.
static int choose_nameless(const struct dh_ladder *l)
{
    const struct dh_a11y_hits *h = &l->hits;
    int found = -1;
    if (!l->t->t.place.n_labels)
        return h->n == l->t->t.place.equal ? only_hit(h, true) : -1;
    for (int i = 0; i < h->n; i++) {
        if (!has_its_label(l, i))
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

// Which of those with the role and the name; -1: it cannot be told.
static int choose_hit(const struct dh_ladder *l)
{
    const struct dh_a11y_place *p = &l->t->t.place;
    const struct dh_a11y_hits *h = &l->hits;
    if (h->n > DH_A11Y_HITS)
        return -1;
    if (!l->t->t.node.name[0])
        return choose_nameless(l);
    if (h->n == 1)
        return 0;
    int i = only_hit(h, true);
    if (i < 0 && p->description[0])
        i = only_hit(h, false);
    if (i < 0 && p->equal == h->n && p->index < h->n)
        i = p->index;
    return i;
}

static bool is_inside(const struct dh_ladder *l, struct dh_rect r)
{
    struct dh_point centre = { r.x + r.w / 2, r.y + r.h / 2 };
    return !dh_rect_is_empty(r) && dh_rect_has(l->now->window->box, centre) &&
           dh_rect_has(l->now->frame->screen, centre);
}

static enum dh_rung_found by_tree(struct dh_ladder *l)
{
    if (dh_place_is_container(l->t) || !dh_ladder_ask(l))
        return DH_FOUND_NONE;
    int one = choose_hit(l), n = 0;
    for (int i = 0; i < l->hits.n && i < DH_A11Y_HITS; i++) {
        struct dh_rect r = dh_ladder_pixels(l, l->hits.hit[i].rect);
        if (!is_inside(l, r) || (one >= 0 && i != one))
            continue;
        // Chromium tells its window in logical units and what is in it in
        // pixels: what was scaled has to look right as well.
        if (has_other_units(l) && !dh_ladder_looks_like(l, r))
            continue;
        dh_ladder_add(l, DH_RUNG_TREE, r, 1);
        n++;
    }
    if (n && one >= 0)
        return DH_FOUND_ONE;
    return n > 1 ? DH_FOUND_SEVERAL : DH_FOUND_NONE;
}

// ---- rung 3: the same place -------------------------------------------------

static struct dh_point in_frame(const struct dh_frame *f, struct dh_rect box,
                                struct dh_point by)
{
    return (struct dh_point){ box.x + by.x - f->screen.x,
                              box.y + by.y - f->screen.y };
}

static int differs(const struct dh_ladder *l, struct dh_rect box,
                   struct dh_point by, int limit, int *total)
{
    const struct dh_frame *f = l->now->frame;
    return dh_region_differs(l->then, box, f, in_frame(f, box, by), limit,
                             total);
}

// What is around may have another text in it. Where nothing in it tells the
// place apart, what is around has to.
static int wide_percent(const struct dh_ladder *l)
{
    int n = l->t->t.n_crop;
    return n == 1 ? 25 : n > 1 ? 5 : 1;
}

// So few pixels of the element itself may differ that no letter has changed.
static bool looks_same(const struct dh_ladder *l, struct dh_point by,
                       double *score)
{
    int total, wide_total, some = l->tight.w * l->tight.h / 1000;
    int n = differs(l, l->tight, by, DH_MAX(2, some), &total);
    if (!total || n > DH_MAX(2, some))
        return false;
    int most = l->wide.w * l->wide.h / 100 * wide_percent(l);
    if (differs(l, l->wide, by, most, &wide_total) > most)
        return false;
    *score = 1 - (double)n / total;
    return true;
}

static bool looks_same_near(const struct dh_ladder *l, struct dh_point *by,
                            double *score)
{
    for (int far = 0; far <= OFF_PX; far++)
        for (int dy = -far; dy <= far; dy++)
            for (int dx = -far; dx <= far; dx++) {
                if (DH_MAX(abs(dx), abs(dy)) != far)
                    continue;
                struct dh_point p = { by->x + dx, by->y + dy };
                if (!looks_same(l, p, score))
                    continue;
                *by = p;
                return true;
            }
    return false;
}

static struct dh_rect moved(struct dh_rect r, struct dh_point by)
{
    return (struct dh_rect){ r.x + by.x, r.y + by.y, r.w, r.h };
}

// In a window of another size things keep their distance from one of its sides,
// or from its middle.
static enum dh_rung_found by_place(struct dh_ladder *l)
{
    const struct dh_window *was = &l->t->t.window, *is = l->now->window;
    bool sized = is && was->id;
    int dw = sized ? is->box.w - was->box.w : 0;
    int dh = sized ? is->box.h - was->box.h : 0;
    const struct dh_rect *of =
        dh_rect_is_empty(l->t->t.rect) || dh_place_is_container(l->t)
            ? &l->tight
            : &l->t->t.rect;
    if (!l->then || dh_rect_is_empty(l->tight))
        return DH_FOUND_NONE;
    if (dh_ladder_is_menu_line(l)) {
        dh_ladder_add(l, DH_RUNG_PLACE, moved(*of, l->by), 1);
        struct dh_candidate *c = &l->out->candidate[l->out->n - 1];
        c->at =
            (struct dh_point){ l->t->t.at.x + l->by.x, l->t->t.at.y + l->by.y };
        return DH_FOUND_ONE;
    }
    for (int ix = 0; ix <= (dw ? 2 : 0); ix++)
        for (int iy = 0; iy <= (dh ? 2 : 0); iy++) {
            struct dh_point by = { l->by.x + dw * ix / 2,
                                   l->by.y + dh * iy / 2 };
            double score;
            if (!looks_same_near(l, &by, &score))
                continue;
            dh_ladder_add(l, DH_RUNG_PLACE, moved(*of, by), score);
            // The very point, also where the element is not known.
            struct dh_candidate *c = &l->out->candidate[l->out->n - 1];
            c->at =
                (struct dh_point){ l->t->t.at.x + by.x, l->t->t.at.y + by.y };
            return DH_FOUND_ONE;
        }
    return DH_FOUND_NONE;
}

static struct dh_point window_moved(const struct dh_scene *now,
                                    const struct dh_window *recorded)
{
    if (!now->window || !recorded->id)
        return (struct dh_point){ 0 };
    return (struct dh_point){ now->window->box.x - recorded->box.x,
                              now->window->box.y - recorded->box.y };
}

bool dh_place_is_same(const struct dh_scene *now,
                      const struct dh_window *recorded,
                      const struct dh_frame *then, struct dh_rect box)
{
    int total;
    struct dh_point to = in_frame(now->frame, box, window_moved(now, recorded));
    int n = dh_region_differs(then, box, now->frame, to, box.w * box.h, &total);
    return total > 0 && n <= total / 50;
}

// ---- the ladder -------------------------------------------------------------

static struct dh_rect grown(struct dh_rect r, int dx, int dy)
{
    return (struct dh_rect){ r.x - dx, r.y - dy, r.w + 2 * dx, r.h + 2 * dy };
}

// The crops as they were recorded; of a container only what is around the point
// is worth looking for.
static void find_crops(struct dh_ladder *l)
{
    const struct dh_frame *f = l->then;
    if (!f)
        return;
    struct dh_rect all = { 0, 0, f->width, f->height };
    struct dh_point at = l->t->t.at;
    // What is behind the window is another thing each time.
    if (l->t->t.window.id && dh_rect_has(l->t->t.window.box, at))
        all = dh_rect_intersect(all, l->t->t.window.box);
    l->tight = dh_rect_intersect(l->t->t.tight, all);
    l->wide = dh_rect_intersect(l->t->t.wide, all);
    if (dh_place_is_container(l->t) && dh_rect_has(all, at)) {
        struct dh_rect part = { at.x, at.y, 1, 1 };
        part = dh_region_around(f, at, &part)
                   ? grown(part, TIGHT_PX, TIGHT_PX)
                   : grown(part, AROUND_PX, AROUND_PX);
        l->tight = dh_rect_intersect(part, all);
        l->wide = (struct dh_rect){ 0 };
    }
    const struct dh_target *t = &l->t->t;
    l->is_line = t->window.menu && !t->has_node &&
                 dh_ladder_line_text(f, t->window.box, t->at.y, &l->tight);
    if (dh_rect_is_empty(l->wide) || l->is_line)
        l->wide =
            dh_rect_intersect(grown(l->tight, l->tight.w, l->tight.h), all);
}

// The rest stays as what was looked at.
static void take_first(struct dh_places *p, int i)
{
    struct dh_candidate one = p->candidate[i];
    memmove(&p->candidate[1], &p->candidate[0], (size_t)i * sizeof one);
    p->candidate[0] = one;
    p->found = true;
}

static bool accept(struct dh_ladder *l, int i, bool sure)
{
    const struct dh_candidate *c = &l->out->candidate[i];
    if (!dh_rect_has(l->now->frame->screen, c->at))
        return false;
    if (!sure && !dh_place_is_plausible(l->now, l->t, c->at)) {
        l->out->why = "what looks like it is called otherwise by the program";
        return false;
    }
    take_first(l->out, i);
    return true;
}

static bool climb(struct dh_ladder *l, enum dh_rung rung)
{
    int first = l->out->n;
    enum dh_rung_found f = DH_FOUND_NONE;
    switch (rung) {
    case DH_RUNG_TREE: f = by_tree(l); break;
    case DH_RUNG_PLACE: f = by_place(l); break;
    case DH_RUNG_TEMPLATE: f = dh_ladder_template(l); break;
    case DH_RUNG_NONE:
    case DH_RUNG_WINDOW:
    case DH_RUNG_ANCHORS:
    case DH_RUNG_TEXT:
    case DH_RUNG_MODEL:
    case DH_RUNG_PERSON: break;
    }
    if (f == DH_FOUND_ONE)
        return accept(l, first, rung <= DH_RUNG_PLACE);
    if (f == DH_FOUND_NONE)
        return false;
    l->out->several = true;
    l->out->why = "several places look like it";
    return dh_ladder_anchors(l, first) == DH_FOUND_ONE &&
           accept(l, first, false);
}

void dh_place_find(const struct dh_scene *now,
                   const struct dh_recorded_target *t,
                   const struct dh_frame *then, enum dh_rung first,
                   enum dh_rung last, struct dh_places *out)
{
    // What looks exactly as it did at its place needs nobody to be asked.
    static const enum dh_rung order[] = { DH_RUNG_PLACE, DH_RUNG_TREE,
                                          DH_RUNG_TEMPLATE };
    struct dh_ladder l = { .now = now, .t = t, .then = then, .out = out };
    memset(out, 0, sizeof *out);
    out->why = "nothing there looks like it";
    l.by = window_moved(now, &t->t.window);
    find_crops(&l);
    for (size_t i = 0; i < DH_COUNTOF(order) && !out->found; i++)
        if (order[i] >= first && order[i] <= last)
            climb(&l, order[i]);
}
