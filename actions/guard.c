#include "actions/guard.h"

#include <stdbool.h>
#include <string.h>

#include "actions/tier.h"
#include "base/mem.h"
#include "base/thread.h"

struct guard {
    struct dh_sink sink;
    struct dh_sink *inner;
    struct dh_rect allowed;
    struct dh_tier_held held;
};

// Where it lands is not known here; what it is says enough.
static bool keys_are_forbidden(const struct guard *g, const struct dh_action *a)
{
    struct dh_tier_context nowhere = { .held = &g->held };
    return dh_tier_of(a, &nowhere, NULL) == DH_TIER_NEVER;
}

static bool point_is_outside(const struct guard *g, bool has, struct dh_point p)
{
    return has && !dh_rect_is_empty(g->allowed) && !dh_rect_has(g->allowed, p);
}

static bool path_is_outside(const struct guard *g, const struct dh_action *a)
{
    for (int i = 0; i < a->n_path; i++)
        if (point_is_outside(g, true, a->path[i]))
            return true;
    return false;
}

static enum dh_status perform(struct dh_sink *s, const struct dh_action *a,
                              struct dh_cancel *cancel, struct dh_diag *why)
{
    struct guard *g = (struct guard *)s;
    if (dh_cancel_is_set(cancel))
        return DH_ERR_CANCELLED;
    if (point_is_outside(g, a->has_at, a->at) ||
        point_is_outside(g, a->has_start, a->start) || path_is_outside(g, a)) {
        dh_diag_set(why, 0,
                    "blocked: the point is outside of the allowed area");
        return DH_ERR_REFUSED;
    }
    if (keys_are_forbidden(g, a)) {
        dh_diag_set(why, 0, "blocked: %.100s would leave the desktop", a->text);
        return DH_ERR_REFUSED;
    }
    // Down before it is tried, up only once it is: a key that we take for held
    // too long refuses more, never less.
    if (a->op == DH_ACTION_KEY_DOWN)
        dh_tier_held_note(&g->held, a);
    enum dh_status st = dh_sink_perform(g->inner, a, cancel, why);
    if (!st && a->op == DH_ACTION_KEY_UP)
        dh_tier_held_note(&g->held, a);
    if (st == DH_ERR_TAKEN)
        memset(&g->held, 0, sizeof g->held);
    return st;
}

static void release(struct dh_sink *s)
{
    struct guard *g = (struct guard *)s;
    dh_sink_release(g->inner);
    memset(&g->held, 0, sizeof g->held);
}

static void destroy(struct dh_sink *s)
{
    dh_sink_destroy(((struct guard *)s)->inner);
    dh_free(s);
}

static enum dh_status pointer(struct dh_sink *s, struct dh_point *out)
{
    return dh_sink_pointer(((struct guard *)s)->inner, out);
}

static const struct dh_sink_ops guard_ops = { "guard", perform, release,
                                              destroy, pointer };

struct dh_sink *dh_guard_create(struct dh_sink *inner, struct dh_rect allowed)
{
    struct guard *g;
    dh_new(g);
    g->sink.ops = &guard_ops;
    g->inner = inner;
    g->allowed = allowed;
    return &g->sink;
}
