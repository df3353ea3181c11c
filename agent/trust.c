#include "agent/trust.h"

#include <stdint.h>
#include <string.h>

#include "agent/a11y.h"
#include "agent/audit.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "capture/screen.h"
#include "capture/windows.h"

#define DH_LOG_TAG "trust"
#include "base/log.h"

#define MINUTE (60 * DH_S)

// All that an action reaches: the window under each of its points.
#define REACH_MAX (DH_ACTION_PATH_MAX + 2)

struct trust {
    struct dh_sink sink;
    struct dh_sink *inner;
    struct dh_trust_options o;
    struct dh_tier_held held;
    int64_t *acted_ns; // a ring of the last max_rate acts
    int next;
};

/* What was found out about one action. */
struct verdict {
    struct dh_window window; // the one that decided
    bool has_window;
    enum dh_tier tier;
    bool allowed, secret;
    const char *by;
    struct dh_diag why;
};

bool dh_trust_rule_parse(const char *text, struct dh_trust_rule *out)
{
    static const char *const kinds[] = { "window:", "program:", "region:" };
    for (size_t i = 0; i < DH_COUNTOF(kinds); i++) {
        const char *rest = text + strlen(kinds[i]);
        if (!dh_str_starts(dh_str_of(text), kinds[i]) || !rest[0])
            continue;
        *out = (struct dh_trust_rule){ .kind = (enum dh_trust_kind)i,
                                       .text = rest };
        return i != DH_TRUST_REGION ||
               (dh_screen_region_parse(dh_str_of(rest), &out->box) &&
                !dh_rect_is_empty(out->box));
    }
    return false;
}

// `at` is NULL for keys: they reach the whole window.
static bool rule_fits(const struct dh_trust_rule *r, const struct dh_window *w,
                      const struct dh_point *at)
{
    switch (r->kind) {
    case DH_TRUST_WINDOW:
        return w->id && dh_str_has_nocase(dh_str_of(w->title), r->text);
    case DH_TRUST_PROGRAM:
        return w->id && (dh_str_is_nocase(dh_str_of(w->program), r->text) ||
                         dh_str_has_nocase(dh_str_of(w->wm_class), r->text));
    case DH_TRUST_REGION:
        return at ? dh_rect_has(r->box, *at)
                  : !dh_rect_is_empty(dh_rect_intersect(r->box, w->box));
    }
    return false;
}

static bool is_denied(const struct trust *t, const struct dh_window *w,
                      const struct dh_point *at)
{
    for (int i = 0; i < t->o.n_deny; i++)
        if (rule_fits(&t->o.deny[i], w, at))
            return true;
    return false;
}

// Where a kind has rules at all, one of them must fit.
static bool is_listed(const struct trust *t, const struct dh_window *w,
                      const struct dh_point *at)
{
    bool any[3] = { false }, fits[3] = { false };
    for (int i = 0; i < t->o.n_allow; i++) {
        const struct dh_trust_rule *r = &t->o.allow[i];
        any[r->kind] = true;
        fits[r->kind] = fits[r->kind] || rule_fits(r, w, at);
    }
    for (int k = 0; k < 3; k++)
        if (any[k] && !fits[k])
            return false;
    return true;
}

static void refuse(struct verdict *v, const char *by, const char *why)
{
    v->tier = DH_TIER_NEVER;
    v->by = by;
    memset(&v->why, 0, sizeof v->why);
    dh_diag_set(&v->why, 0, "%s", why);
}

// What the program says of the widget that is reached, where it says anything.
static void read_widget(const struct trust *t, const struct dh_action *a,
                        const struct dh_window *w, const struct dh_point *at,
                        struct dh_a11y_node *out)
{
    memset(out, 0, sizeof *out);
    if (!w->pid || a->op == DH_ACTION_MOVE || a->op == DH_ACTION_SCROLL)
        return;
    bool known = at ? dh_a11y_at(t->o.a11y, w->pid, *at, out)
                    : dh_a11y_focused(t->o.a11y, w->pid, out);
    dh_debug("%s \"%s\"", known ? out->role : "no widget known", out->name);
}

// The tier in one window; the riskiest of all that are reached counts.
static void judge_window(struct trust *t, const struct dh_action *a,
                         const struct dh_window *w, const struct dh_point *at,
                         struct verdict *v)
{
    struct dh_a11y_node widget;
    read_widget(t, a, w, at, &widget);
    struct dh_tier_context c = { .title = w->title,
                                 .target = widget.name,
                                 .password = widget.password,
                                 .wm_class = w->wm_class,
                                 .program = w->program,
                                 .own = w->own,
                                 .held = &t->held };
    struct dh_diag why = { 0 };
    enum dh_tier tier = dh_tier_of(a, &c, &why);
    v->secret = v->secret || dh_tier_is_secret(a, &c);
    if (!v->has_window || tier > v->tier) {
        v->window = *w;
        v->has_window = true;
        v->tier = tier;
        v->why = why;
    }
    if (tier == DH_TIER_LOOK || v->by)
        return;
    if (!w->within) {
        v->window = *w;
        refuse(v, "window",
               at ? "another window than the chosen one is there"
                  : "the keys would go to another window than the chosen one");
    } else if (is_denied(t, w, at)) {
        v->window = *w;
        refuse(v, "list", "the window or the place is on the deny list");
    } else if (!is_listed(t, w, at)) {
        v->window = *w;
        refuse(v, "list", "the window or the place is not on the allow list");
    }
}

static int points_of(const struct dh_action *a, struct dh_point *out)
{
    int n = 0;
    if (a->has_at)
        out[n++] = a->at;
    if (a->has_start)
        out[n++] = a->start;
    for (int i = 0; i < a->n_path && n < REACH_MAX; i++)
        out[n++] = a->path[i];
    return n;
}

static enum dh_status judge_points(struct trust *t, const struct dh_action *a,
                                   struct verdict *v)
{
    struct dh_point points[REACH_MAX];
    int n = points_of(a, points);
    enum dh_status st = DH_OK;
    for (int i = 0; i < DH_MAX(n, 1) && !st; i++) {
        struct dh_window w;
        st = dh_windows_at(t->o.windows, n ? &points[i] : NULL, &w);
        if (!st)
            judge_window(t, a, &w, &w.at, v);
    }
    return st;
}

static enum dh_status judge(struct trust *t, const struct dh_action *a,
                            struct verdict *v)
{
    static const struct dh_tier_context nowhere;
    struct dh_window w;
    memset(v, 0, sizeof *v);
    if (dh_tier_of(a, &nowhere, NULL) == DH_TIER_LOOK)
        return DH_OK; // reaches no window
    if (dh_action_is_pointer(a))
        return judge_points(t, a, v);
    enum dh_status st = dh_windows_focused(t->o.windows, &w);
    if (!st)
        judge_window(t, a, &w, NULL, v);
    return st;
}

// Consent is for one window. While the person answered, another may have come
// to its place; the answer itself often is typed into one.
static enum dh_status still_the_same(struct trust *t, const struct dh_action *a,
                                     struct verdict *v)
{
    struct verdict now;
    if (!dh_action_is_pointer(a))
        dh_windows_refocus(t->o.windows);
    enum dh_status st = judge(t, a, &now);
    if (!st && (now.window.id != v->window.id || now.tier > v->tier)) {
        v->allowed = false;
        refuse(v, "rule", "another window came into its place meanwhile");
    }
    return st;
}

static enum dh_status ask(struct trust *t, const struct dh_action *a,
                          struct verdict *v, struct dh_cancel *cancel)
{
    struct dh_trust_question q = { .action = a,
                                   .title = v->window.title,
                                   .program = v->window.program,
                                   .why = v->why.text,
                                   .tier = v->tier };
    enum dh_trust_answer answer =
        t->o.ask ? t->o.ask(t->o.user, &q, cancel) : DH_TRUST_NOBODY;
    v->allowed = answer == DH_TRUST_YES;
    v->by = answer == DH_TRUST_NOBODY ? "nobody" : "person";
    return v->allowed ? still_the_same(t, a, v) : DH_OK;
}

static enum dh_status decide(struct trust *t, const struct dh_action *a,
                             struct verdict *v, struct dh_cancel *cancel)
{
    static const enum dh_tier asks_from[] = {
        [DH_TRUST_OBSERVE] = DH_TIER_NEVER,
        [DH_TRUST_WATCH] = DH_TIER_TYPE,
        [DH_TRUST_GUARD] = DH_TIER_RISK,
        [DH_TRUST_FREE] = DH_TIER_NEVER,
    };
    if (v->tier == DH_TIER_NEVER) {
        v->by = v->by ? v->by : "rule";
    } else if (t->o.mode == DH_TRUST_OBSERVE && v->tier > DH_TIER_LOOK) {
        dh_diag_set(&v->why, 0, "in mode observe nothing is done");
        v->by = "mode";
    } else if (v->tier >= asks_from[t->o.mode]) {
        return ask(t, a, v, cancel);
    } else {
        v->allowed = true;
        v->by = "mode";
    }
    return DH_OK;
}

// The model is told in a line; a person who starts runs without a terminal is
// told what to do about it.
static void tell(const struct verdict *v, struct dh_diag *why)
{
    const char *text = v->why.text[0] ? v->why.text : "the mode asks first";
    if (!strcmp(v->by, "person"))
        dh_diag_set(why, 0, "blocked: the user said no (%s)", text);
    else if (!strcmp(v->by, "nobody"))
        dh_diag_set(why, 0,
                    "blocked: %s, and nobody can be asked (--mode free does "
                    "not ask)",
                    text);
    else
        dh_diag_set(why, 0, "blocked: %s", text);
}

// Too many at once are held back, not refused: the model did nothing wrong.
static enum dh_status hold_rate(struct trust *t, struct dh_cancel *cancel)
{
    if (!t->o.max_rate)
        return DH_OK;
    int64_t *oldest = &t->acted_ns[t->next];
    int64_t until = *oldest ? *oldest + MINUTE : 0;
    while (dh_now_ns() < until) {
        if (dh_cancel_is_set(cancel))
            return DH_ERR_CANCELLED;
        if (dh_cancel_is_set(t->o.taken))
            return DH_ERR_TAKEN;
        dh_sleep_for(DH_MIN(20 * DH_MS, until - dh_now_ns()));
    }
    *oldest = dh_now_ns();
    t->next = (t->next + 1) % t->o.max_rate;
    return DH_OK;
}

static enum dh_status write_down(struct trust *t, const struct dh_action *a,
                                 const struct verdict *v)
{
    struct dh_audit_entry e = { .action = a,
                                .window = v->has_window ? &v->window : NULL,
                                .tier = v->tier,
                                .allowed = v->allowed,
                                .by = v->by,
                                .why = v->why.text,
                                .secret = v->secret };
    return t->o.audit ? dh_audit_write(t->o.audit, &e) : DH_OK;
}

static enum dh_status pass_on(struct trust *t, const struct dh_action *a,
                              struct dh_cancel *cancel, struct dh_diag *why)
{
    if (a->op == DH_ACTION_KEY_DOWN)
        dh_tier_held_note(&t->held, a);
    enum dh_status st = dh_sink_perform(t->inner, a, cancel, why);
    if (!st && a->op == DH_ACTION_KEY_UP)
        dh_tier_held_note(&t->held, a);
    if (st == DH_ERR_TAKEN)
        memset(&t->held, 0, sizeof t->held);
    return st;
}

static enum dh_status refuse_to_do(struct trust *t, const struct dh_action *a,
                                   const struct verdict *v, struct dh_diag *why)
{
    tell(v, why);
    // What may not be let go of here is let go of where the pointer is.
    if (a->op == DH_ACTION_UP || a->op == DH_ACTION_KEY_UP)
        dh_sink_release(&t->sink);
    return DH_ERR_REFUSED;
}

static enum dh_status perform(struct dh_sink *s, const struct dh_action *a,
                              struct dh_cancel *cancel, struct dh_diag *why)
{
    struct trust *t = (struct trust *)s;
    struct verdict v = { 0 };
    if (dh_cancel_is_set(cancel))
        return DH_ERR_CANCELLED;
    if (dh_cancel_is_set(t->o.taken)) {
        dh_sink_release(s);
        return DH_ERR_TAKEN;
    }
    enum dh_status st = judge(t, a, &v);
    if (!st)
        st = decide(t, a, &v, cancel);
    if (!st)
        st = write_down(t, a, &v);
    if (st)
        return st;
    if (dh_cancel_is_set(cancel))
        return DH_ERR_CANCELLED;
    if (!v.allowed)
        return refuse_to_do(t, a, &v, why);
    if (v.tier > DH_TIER_LOOK)
        st = hold_rate(t, cancel);
    return st ? st : pass_on(t, a, cancel, why);
}

static void release(struct dh_sink *s)
{
    struct trust *t = (struct trust *)s;
    dh_sink_release(t->inner);
    memset(&t->held, 0, sizeof t->held);
}

static void destroy(struct dh_sink *s)
{
    struct trust *t = (struct trust *)s;
    dh_sink_destroy(t->inner);
    dh_free(t->acted_ns);
    dh_free(t);
}

static enum dh_status pointer(struct dh_sink *s, struct dh_point *out)
{
    return dh_sink_pointer(((struct trust *)s)->inner, out);
}

static const struct dh_sink_ops trust_ops = { "trust", perform, release,
                                              destroy, pointer };

struct dh_sink *dh_trust_create(struct dh_sink *inner,
                                const struct dh_trust_options *o)
{
    struct trust *t;
    dh_new(t);
    t->sink.ops = &trust_ops;
    t->inner = inner;
    t->o = *o;
    if (o->max_rate)
        dh_array(t->acted_ns, (size_t)o->max_rate);
    return &t->sink;
}
