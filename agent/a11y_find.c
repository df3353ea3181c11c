#include "agent/a11y_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

// ---- where a widget is in its window ----------------------------------------

// "role:index" of each widget from the window down, found from below.
static void read_path(AtspiAccessible *a, AtspiAccessible *win, char *out,
                      size_t size)
{
    char path[256] = "";
    a = g_object_ref(a);
    for (int depth = 0; a && a != win && depth < DH_A11Y_MAX_DEPTH; depth++) {
        char longer[sizeof path];
        char *role = atspi_accessible_get_role_name(a, NULL);
        int n = snprintf(longer, sizeof longer, "%s:%d%s%s", role ? role : "",
                         (int)atspi_accessible_get_index_in_parent(a, NULL),
                         path[0] ? "/" : "", path);
        g_free(role);
        AtspiAccessible *up = atspi_accessible_get_parent(a, NULL);
        g_object_unref(a);
        a = up;
        if (n < 0 || n >= (int)sizeof longer)
            break;
        memcpy(path, longer, sizeof path);
    }
    if (a == win)
        snprintf(out, size, "%s", path);
    if (a)
        g_object_unref(a);
}

// What is told of the other widgets of a window.
struct around {
    struct dh_a11y_search *s;
    AtspiAccessible *hit;
    AtspiRole role; // of the hit
    const struct dh_a11y_node *node;
    struct dh_a11y_place *out;
    int equal, index; // index is -1 until it was met
};

static bool is_label(AtspiRole role)
{
    return role == ATSPI_ROLE_LABEL || role == ATSPI_ROLE_STATIC ||
           role == ATSPI_ROLE_HEADING || role == ATSPI_ROLE_CAPTION;
}

static int64_t far(const struct dh_a11y_label *l)
{
    return (int64_t)l->dx * l->dx + (int64_t)l->dy * l->dy;
}

static void add_label(struct dh_a11y_place *p, const struct dh_a11y_label *l)
{
    int at = p->n_labels;
    while (at > 0 && far(&p->label[at - 1]) > far(l))
        at--;
    if (at == DH_A11Y_LABELS)
        return;
    int last = DH_MIN(p->n_labels, DH_A11Y_LABELS - 1);
    memmove(&p->label[at + 1], &p->label[at],
            (size_t)(last - at) * sizeof *p->label);
    p->label[at] = *l;
    p->n_labels = last + 1;
}

static void look_at(struct around *c, AtspiAccessible *a)
{
    char name[sizeof c->node->name] = "";
    AtspiRole role = atspi_accessible_get_role(a, NULL);
    if (a == c->hit)
        c->index = c->equal;
    // A name may be one more call to the program.
    if (role != c->role && !is_label(role))
        return;
    dh_a11y_put(name, sizeof name, atspi_accessible_get_name(a, NULL));
    if (role == c->role && !strcmp(name, c->node->name))
        c->equal++;
    if (a == c->hit || !name[0] || !is_label(role))
        return;
    struct dh_rect r = dh_a11y_rect(a), me = c->node->rect;
    struct dh_a11y_label l = { .dx = r.x + r.w / 2 - me.x - me.w / 2,
                               .dy = r.y + r.h / 2 - me.y - me.h / 2 };
    snprintf(l.text, sizeof l.text, "%.63s", name);
    if (!dh_rect_is_empty(r))
        add_label(c->out, &l);
}

static void look_around(struct around *c, AtspiAccessible *a, int depth)
{
    if (depth == DH_A11Y_MAX_DEPTH || dh_a11y_is_over(c->s))
        return;
    look_at(c, a);
    int n = atspi_accessible_get_child_count(a, NULL);
    for (int i = 0; i < n && !dh_a11y_is_over(c->s); i++) {
        AtspiAccessible *in = atspi_accessible_get_child_at_index(a, i, NULL);
        if (in && dh_a11y_has_state(in, ATSPI_STATE_SHOWING))
            look_around(c, in, depth + 1);
        if (in)
            g_object_unref(in);
    }
}

void dh_a11y_read_place(struct dh_a11y_search *s, AtspiAccessible *hit,
                        AtspiAccessible *win, struct dh_a11y_answer *out)
{
    struct dh_a11y_place *p = &out->place;
    struct around c = { .s = s,
                        .hit = hit,
                        .role = atspi_accessible_get_role(hit, NULL),
                        .node = &out->node,
                        .out = p,
                        .index = -1 };
    dh_a11y_put(p->description, sizeof p->description,
                atspi_accessible_get_description(hit, NULL));
    read_path(hit, win, p->path, sizeof p->path);
    AtspiStateSet *set = atspi_accessible_get_state_set(hit);
    dh_a11y_put_states(set, DH_A11Y_KEPT_STATES, p->states, sizeof p->states);
    if (set)
        g_object_unref(set);
    look_around(&c, win, 0);
    // What was cut short is not counted.
    if (dh_a11y_is_over(s) || c.index < 0)
        return;
    p->equal = c.equal;
    p->index = c.index;
}

// ---- a widget that was seen before ------------------------------------------

struct hunt {
    struct dh_a11y_search *s;
    AtspiAccessible *win;
    const struct dh_a11y_wanted *what;
    struct dh_a11y_hits *out;
    int labels[DH_A11Y_LABELS]; // how often each was met
};

static bool name_is(AtspiAccessible *a, const char *name)
{
    char *got = atspi_accessible_get_name(a, NULL);
    // What is kept is cut at the size of its field.
    bool same =
        got && !strncmp(got, name, sizeof((struct dh_a11y_node *)0)->name - 1);
    g_free(got);
    return same;
}

static bool role_is(AtspiAccessible *a, AtspiRole role, const char *name)
{
    char *got = role == ATSPI_ROLE_EXTENDED
                    ? atspi_accessible_get_role_name(a, NULL)
                    : atspi_role_get_name(role);
    bool same = got && !strcmp(got, name);
    g_free(got);
    return same;
}

static void add_hit(struct hunt *h, AtspiAccessible *a)
{
    char path[sizeof h->what->path] = "", text[sizeof h->what->description];
    int i = h->out->n++;
    if (i >= DH_A11Y_HITS)
        return;
    text[0] = '\0';
    dh_a11y_put(text, sizeof text, atspi_accessible_get_description(a, NULL));
    read_path(a, h->win, path, sizeof path);
    h->out->hit[i].rect = dh_a11y_rect(a);
    h->out->hit[i].same_path = path[0] && !strcmp(path, h->what->path);
    h->out->hit[i].same_description = !strcmp(text, h->what->description);
}

static void hunt_labels(struct hunt *h, AtspiAccessible *a)
{
    for (int i = 0; i < h->what->n_labels; i++) {
        char name[128] = "";
        dh_a11y_put(name, sizeof name, atspi_accessible_get_name(a, NULL));
        if (strncmp(name, h->what->label[i].text,
                    sizeof h->what->label[i].text - 1))
            continue;
        bool again = h->labels[i]++;
        h->out->label[i] = again ? (struct dh_rect){ 0 } : dh_a11y_rect(a);
    }
}

static void hunt_below(struct hunt *h, AtspiAccessible *a, int depth)
{
    if (depth == DH_A11Y_MAX_DEPTH || dh_a11y_is_over(h->s))
        return;
    AtspiRole role = atspi_accessible_get_role(a, NULL);
    if (role_is(a, role, h->what->role) && name_is(a, h->what->name))
        add_hit(h, a);
    if (is_label(role))
        hunt_labels(h, a);
    int n = atspi_accessible_get_child_count(a, NULL);
    for (int i = 0; i < n && !dh_a11y_is_over(h->s); i++) {
        AtspiAccessible *in = atspi_accessible_get_child_at_index(a, i, NULL);
        if (in && dh_a11y_has_state(in, ATSPI_STATE_SHOWING))
            hunt_below(h, in, depth + 1);
        if (in)
            g_object_unref(in);
    }
}

static int64_t area(struct dh_rect r)
{
    return (int64_t)r.w * r.h;
}

// Programs do not say which X window it is: title and place have to tell.
static bool is_window(AtspiAccessible *win, const struct dh_a11y_wanted *what,
                      struct dh_rect *rect)
{
    *rect = dh_a11y_rect(win);
    int64_t both = area(dh_rect_intersect(*rect, what->box));
    int64_t all = area(*rect) + area(what->box) - both;
    if (what->title[0] && name_is(win, what->title))
        return dh_rect_is_empty(*rect) || 4 * both > all ||
               rect->w != what->box.w; // logical units, or a shadow
    return 10 * both > 7 * all;
}

bool dh_a11y_hunt(struct dh_a11y_search *s, AtspiAccessible *win,
                  const struct dh_a11y_question *q, struct dh_a11y_answer *out)
{
    struct hunt h = { .s = s, .win = win, .what = &q->what, .out = &out->hits };
    if (!dh_a11y_has_state(win, ATSPI_STATE_SHOWING) ||
        !is_window(win, &q->what, &out->hits.window))
        return false;
    hunt_below(&h, win, 0);
    // Of what was cut short there may be one more.
    return !dh_a11y_is_over(s);
}
