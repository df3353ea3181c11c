#include "actions/guard.h"

#include <stdbool.h>
#include <string.h>

#include "actions/keymap.h"
#include "base/mem.h"
#include "base/thread.h"

struct guard {
    struct dh_sink sink;
    struct dh_sink *inner;
    struct dh_rect allowed;
};

#define SYM_BACKSPACE 0xff08u
#define SYM_DELETE    0xffffu
#define SYM_SYSRQ     0xff15u
#define SYM_F1        0xffbeu
#define SYM_F12       0xffc9u

// Virtual terminals, the server's kill chord, log-out, SysRq.
static bool chord_is_forbidden(struct dh_chord c)
{
    unsigned both = DH_MOD_CONTROL | DH_MOD_ALT;
    if (c.keysym == SYM_SYSRQ)
        return true;
    if ((c.mods & both) != both)
        return false;
    return c.keysym == SYM_DELETE || c.keysym == SYM_BACKSPACE ||
           (c.keysym >= SYM_F1 && c.keysym <= SYM_F12);
}

static bool keys_are_forbidden(const struct dh_action *a)
{
    struct dh_chord chords[DH_CHORDS_MAX];
    size_t n;
    if (a->op != DH_ACTION_KEY && a->op != DH_ACTION_HOLD_KEY)
        return false;
    // A key that we do not know is the inner sink's to refuse.
    if (dh_keys_parse(a->text, NULL, chords, &n, NULL))
        return false;
    for (size_t i = 0; i < n; i++)
        if (chord_is_forbidden(chords[i]))
            return true;
    return false;
}

static bool point_is_outside(const struct guard *g, bool has, struct dh_point p)
{
    return has && !dh_rect_is_empty(g->allowed) && !dh_rect_has(g->allowed, p);
}

static enum dh_status perform(struct dh_sink *s, const struct dh_action *a,
                              struct dh_cancel *cancel, struct dh_diag *why)
{
    struct guard *g = (struct guard *)s;
    if (dh_cancel_is_set(cancel))
        return DH_ERR_CANCELLED;
    if (point_is_outside(g, a->has_at, a->at) ||
        point_is_outside(g, a->has_start, a->start)) {
        dh_diag_set(why, 0,
                    "blocked: the point is outside of the allowed area");
        return DH_ERR_REFUSED;
    }
    if (keys_are_forbidden(a)) {
        dh_diag_set(why, 0, "blocked: %s would leave the desktop", a->text);
        return DH_ERR_REFUSED;
    }
    return dh_sink_perform(g->inner, a, cancel, why);
}

static void release(struct dh_sink *s)
{
    dh_sink_release(((struct guard *)s)->inner);
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
