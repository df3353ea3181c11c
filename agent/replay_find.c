#include <string.h>

#include "agent/a11y.h"
#include "agent/replay_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/source.h"

#define DH_LOG_TAG "replay"
#include "base/log.h"

#define USUAL_S    5.0
#define PLACE_NS   (5 * DH_S)  // so long a place is waited for at least
#define WINDOW_NS  (10 * DH_S) // and a window
#define LONGEST_NS (60 * DH_S)
#define QUIET_NS   (120 * DH_MS)
#define SETTLE_NS  (600 * DH_MS)
#define LOOK_NS    (250 * DH_MS) // windows and widgets change without drawing
#define FOCUS_NS   (20 * DH_MS)
#define HURRY_NS   (700 * DH_MS) // what looks the same may still come
#define STRANGE_NS (700 * DH_MS) // so long a window may have no title yet
#define RAISE_NS   DH_S

// ---- what is there ----------------------------------------------------------

static enum dh_status look_windows(struct dh_replaying *r)
{
    enum dh_status st = dh_windows_stack(r->o->windows, r->stack.item,
                                         DH_REPLAY_WINDOWS, &r->stack.n);
    if (!st)
        st = dh_windows_focused(r->o->windows, &r->focus);
    return st;
}

enum dh_status dh_replay_look(struct dh_replaying *r)
{
    struct dh_frame *f;
    if (dh_cancel_is_set(r->o->cancel))
        return DH_ERR_CANCELLED;
    if (r->o->taken && dh_cancel_is_set(r->o->taken))
        return DH_ERR_TAKEN;
    enum dh_status st = dh_source_grab(r->o->source, &f);
    if (st)
        return st;
    dh_frame_unref(r->frame);
    r->frame = f;
    return look_windows(r);
}

static const struct dh_window *shown(const struct dh_stack *s, unsigned long id)
{
    for (int i = 0; i < s->n; i++)
        if (id && s->item[i].id == id)
            return &s->item[i];
    return NULL;
}

static unsigned long bound_to(const struct dh_replaying *r, unsigned long then)
{
    for (int i = r->n_bound; i-- > 0;)
        if (r->bound[i].then == then)
            return r->bound[i].now;
    return 0;
}

static bool is_bound(const struct dh_replaying *r, unsigned long now)
{
    for (int i = 0; i < r->n_bound; i++)
        if (r->bound[i].now == now)
            return true;
    return false;
}

void dh_replay_bind(struct dh_replaying *r, unsigned long then,
                    unsigned long now)
{
    if (!then || !now || bound_to(r, then) == now)
        return;
    if (r->n_bound == DH_REPLAY_WINDOWS)
        memmove(&r->bound[0], &r->bound[1],
                sizeof r->bound[0] * (size_t)--r->n_bound);
    r->bound[r->n_bound].then = then;
    r->bound[r->n_bound++].now = now;
}

static bool has_size_of(const struct dh_window *a, const struct dh_window *b)
{
    return a->box.w == b->box.w && a->box.h == b->box.h;
}

const struct dh_window *dh_replay_window(const struct dh_replaying *r,
                                         const struct dh_window *recorded,
                                         const char *pattern, bool sure)
{
    const struct dh_window *best = shown(&r->stack, bound_to(r, recorded->id));
    int most = 0;
    if (best && best->menu == recorded->menu &&
        dh_recorded_window_fits(recorded, pattern, best))
        return best;
    best = NULL;
    // The topmost of those that fit equally well.
    for (int i = 0; i < r->stack.n; i++) {
        const struct dh_window *w = &r->stack.item[i];
        int fit = dh_recorded_window_fits(recorded, pattern, w);
        // One that stands for another one is it only by its full name.
        fit = 4 * fit - 2 * is_bound(r, w->id);
        fit += fit > 0 && has_size_of(w, recorded);
        // A hint or a menu of the program has its class and title as well.
        if (w->own || w->menu != recorded->menu || fit <= most ||
            (sure && fit < 6))
            continue;
        best = w;
        most = fit;
    }
    return best;
}

// ---- windows that the recording does not know -------------------------------

static bool is_unknown(const struct dh_replaying *r, const struct dh_window *w)
{
    return w->id && !w->own && !w->menu && !is_bound(r, w->id) &&
           r->rec->n_windows > 0 && !dh_recording_knows(r->rec, w);
}

static bool is_strange(const struct dh_replaying *r, const struct dh_window *w)
{
    return is_unknown(r, w) && !shown(&r->first, w->id);
}

// A dialog of the window that is played, which may be modal; one of its program
// that was there before may belong to another window.
static const struct dh_window *strange_dialog(const struct dh_replaying *r,
                                              const struct dh_window *of)
{
    for (int i = 0; i < r->stack.n && r->stack.item[i].id != of->id; i++) {
        const struct dh_window *w = &r->stack.item[i];
        bool same =
            w->pid ? w->pid == of->pid : !strcmp(w->wm_class, of->wm_class);
        if ((same && is_strange(r, w)) ||
            (w->owner == of->id && is_unknown(r, w)))
            return w;
    }
    return NULL;
}

// What stands between us and `of`; NULL: nothing. `at`: what a click reaches.
static const struct dh_window *stranger_of(const struct dh_replaying *r,
                                           const struct dh_window *of,
                                           const struct dh_window *at)
{
    const struct dh_window *dialog = strange_dialog(r, of);
    return dialog                     ? dialog
           : is_strange(r, at)        ? at
           : is_strange(r, &r->focus) ? &r->focus
                                      : NULL;
}

// It may get its title in a moment, or go again. NULL: there is none;
// DH_ERR_NOTFOUND: it stays.
static enum dh_status mind_stranger(struct dh_replaying *r,
                                    const struct dh_window *w)
{
    if (!w) {
        r->unknown = 0;
        return DH_OK;
    }
    if (r->unknown != w->id) {
        r->unknown = w->id;
        r->unknown_ns = dh_now_ns();
    }
    if (dh_now_ns() - r->unknown_ns < STRANGE_NS)
        return DH_ERR_TIMEOUT;
    dh_replay_why(r,
                  "a window is in front that was not there in the recording: "
                  "\"%.200s\" (%.100s)",
                  w->title, w->wm_class);
    return DH_ERR_NOTFOUND;
}

// ---- waiting ----------------------------------------------------------------

int64_t dh_replay_patience(const struct dh_replaying *r, int64_t least)
{
    const struct dh_recorded_step *s = &r->rec->step[r->step];
    int64_t then = r->step ? s->began_ns - s[-1].ended_ns : s->began_ns;
    int64_t usual = DH_CLAMP(4 * then, least, LONGEST_NS);
    if (r->o->patience_s <= 0)
        return usual;
    return (int64_t)((double)usual * r->o->patience_s / USUAL_S);
}

// A source that cannot tell is looked at so often.
enum dh_status dh_replay_wait(struct dh_replaying *r, int64_t until_ns)
{
    bool changed = false;
    int64_t now = dh_now_ns();
    enum dh_status st =
        dh_source_wait(r->o->source, until_ns, r->o->cancel, &changed);
    if (!st && !changed)
        dh_sleep_until(DH_MIN(until_ns, now + FOCUS_NS));
    return st;
}

// Not all changes are drawn.
static enum dh_status wait_change(struct dh_replaying *r, int64_t until)
{
    return dh_replay_wait(r, DH_MIN(until, dh_now_ns() + LOOK_NS));
}

static enum dh_status settle(struct dh_replaying *r)
{
    struct dh_settle how = { .quiet_ns = QUIET_NS, .limit_ns = SETTLE_NS };
    struct dh_settle_result seen;
    enum dh_status st =
        dh_source_settle(r->o->source, &how, r->o->cancel, &seen);
    return st ? st : dh_replay_look(r);
}

// ---- a place ----------------------------------------------------------------

// A search for the place of one step.
struct hunt {
    struct dh_replaying *r;
    struct dh_recorded_step *s;
    struct dh_spot *out;
    enum dh_rung from;
    int64_t began_ns, until_ns;
    bool no_window; /* it is the window that is missing */
    bool unfit;     /* it is there, but the action would mean another */
};

static bool has_resized(const struct dh_window *was, const struct dh_window *is)
{
    return was->id && is &&
           (was->box.w != is->box.w || was->box.h != is->box.h);
}

static bool try_target(struct hunt *h, struct dh_recorded_target *t,
                       enum dh_rung first, enum dh_rung last)
{
    struct dh_replaying *r = h->r;
    const struct dh_window *w = NULL;
    bool sure = dh_now_ns() - h->began_ns < HURRY_NS && !r->o->dry_run;
    if (t->t.window.id) {
        w = dh_replay_window(r, &t->t.window, t->pattern, sure);
        h->no_window = !w;
        if (!w)
            return false;
    }
    struct dh_scene now = { .frame = r->frame,
                            .window = w,
                            .a11y = r->o->a11y,
                            .scaled =
                                r->scaled || has_resized(&t->t.window, w) };
    struct dh_frame *then = dh_recording_frame(r->rec, t->frame);
    struct dh_places places;
    dh_place_find(&now, t, then, first, last, &places);
    const char *unfit = places.found
                            ? dh_replay_unfit(&now, t, then, &h->s->action,
                                              &places.candidate[0])
                            : NULL;
    dh_frame_unref(then);
    if (places.n || !r->stop.places.n)
        r->stop.places = places;
    h->unfit = unfit != NULL;
    if (unfit)
        dh_replay_why(r, "%s", unfit);
    if (!places.found || unfit)
        return false;
    memset(h->out, 0, sizeof *h->out);
    h->out->at = places.candidate[0].at;
    h->out->rung = places.candidate[0].rung;
    h->out->score = places.candidate[0].score;
    h->out->target = t;
    if (w)
        h->out->window = *w;
    return true;
}

static bool try_targets(struct hunt *h, enum dh_rung first, enum dh_rung last)
{
    first = DH_MAX(first, h->from);
    for (int i = 0; i < h->s->n_targets && first <= last; i++)
        if (try_target(h, &h->s->target[i], first, last))
            return true;
    return false;
}

// The window under the place is the one that is meant. DH_ERR_TIMEOUT: not yet.
static enum dh_status reach(struct hunt *h)
{
    struct dh_replaying *r = h->r;
    const struct dh_spot *spot = h->out;
    struct dh_window at;
    if (r->o->dry_run)
        return DH_OK;
    enum dh_status st = dh_windows_at(r->o->windows, &spot->at, &at);
    if (!st)
        st = mind_stranger(r, stranger_of(r, &spot->window, &at));
    if (st || !spot->window.id || at.id == spot->window.id)
        return st;
    dh_replay_why(r, "the window \"%.200s\" is in the way", at.title);
    if (r->raised == spot->window.id)
        return DH_ERR_TIMEOUT;
    r->raised = spot->window.id;
    st = dh_windows_raise(r->o->windows, spot->window.id,
                          dh_now_ns() + RAISE_NS);
    return st == DH_ERR_CLOSED ? st : DH_ERR_TIMEOUT;
}

static enum dh_status try_now(struct hunt *h, enum dh_rung last)
{
    if (!try_targets(h, DH_RUNG_PLACE, DH_RUNG_PLACE) &&
        (last == DH_RUNG_PLACE || !try_targets(h, DH_RUNG_TREE, last)))
        return DH_ERR_TIMEOUT;
    return reach(h);
}

// A wheel turns what is under the pointer; where in it matters little.
static bool scroll_anywhere(struct hunt *h)
{
    struct dh_recorded_target *t = &h->s->target[0];
    const struct dh_window *w =
        dh_replay_window(h->r, &t->t.window, t->pattern, true);
    if (h->s->action.op != DH_ACTION_SCROLL || !t->t.window.id || !w)
        return false;
    struct dh_rect in = dh_rect_intersect(w->box, h->r->frame->screen);
    struct dh_point p = { t->t.at.x + w->box.x - t->t.window.box.x,
                          t->t.at.y + w->box.y - t->t.window.box.y };
    if (dh_rect_is_empty(in))
        return false;
    memset(h->out, 0, sizeof *h->out);
    h->out->at = (struct dh_point){ DH_CLAMP(p.x, in.x, in.x + in.w - 1),
                                    DH_CLAMP(p.y, in.y, in.y + in.h - 1) };
    h->out->rung = DH_RUNG_WINDOW;
    h->out->target = t;
    h->out->window = *w;
    return true;
}

static void say_missing(struct hunt *h)
{
    struct dh_replaying *r = h->r;
    const struct dh_recorded_target *t = &h->s->target[0];
    const char *name = t->t.node.name[0] ? t->t.node.name : t->say;
    if (r->stop.why[0])
        return;
    if (h->no_window)
        dh_replay_why(r, "the window \"%.200s\" (%.100s) is not there",
                      t->t.window.title, t->t.window.wm_class);
    else if (name[0])
        dh_replay_why(r, "\"%.200s\" was not found: %s", name,
                      r->stop.places.why);
    else
        dh_replay_why(r, "the place was not found: %s", r->stop.places.why);
}

static enum dh_status ask_model(struct hunt *h)
{
    struct dh_recorded_target *t = &h->s->target[0];
    const struct dh_window *w =
        t->t.window.id ? dh_replay_window(h->r, &t->t.window, t->pattern, false)
                       : NULL;
    if ((t->t.window.id && !w) || h->r->o->dry_run)
        return DH_ERR_TIMEOUT;
    if (!dh_replay_ask_model(h->r, t, w, h->out))
        return dh_cancel_is_set(h->r->o->cancel) ? DH_ERR_CANCELLED
                                                 : DH_ERR_TIMEOUT;
    return reach(h);
}

// What looks the same at its place is taken at once; else the screen has to be
// still, and what looks the same elsewhere has to wait for better.
static enum dh_status one_round(struct hunt *h)
{
    struct dh_replaying *r = h->r;
    enum dh_status st = dh_replay_look(r);
    r->stop.why[0] = '\0';
    if (!st)
        st = try_now(h, DH_RUNG_PLACE);
    if (st != DH_ERR_TIMEOUT || r->stop.why[0])
        return st;
    st = settle(r);
    if (st)
        return st;
    bool patient = dh_now_ns() - h->began_ns >= HURRY_NS || r->o->dry_run;
    st = try_now(h, patient ? DH_RUNG_ANCHORS : DH_RUNG_TREE);
    if (st == DH_ERR_TIMEOUT && scroll_anywhere(h))
        st = reach(h);
    return st;
}

enum dh_status dh_replay_find(struct dh_replaying *r,
                              struct dh_recorded_step *s, enum dh_rung from,
                              struct dh_spot *out)
{
    struct hunt h = { .r = r, .s = s, .out = out, .from = from };
    if (!dh_recording_target(r->rec, s)) {
        dh_replay_why(r, "the recording has no place for it");
        return DH_ERR_NOTFOUND;
    }
    memset(&r->stop.places, 0, sizeof r->stop.places);
    r->raised = r->unknown = 0;
    h.began_ns = dh_now_ns();
    h.until_ns = h.began_ns + dh_replay_patience(r, PLACE_NS);
    enum dh_status st = one_round(&h);
    while (st == DH_ERR_TIMEOUT && !r->o->dry_run) {
        int64_t until = h.no_window
                            ? h.began_ns + dh_replay_patience(r, WINDOW_NS)
                            : h.until_ns;
        if (dh_now_ns() >= until)
            break;
        st = wait_change(r, until);
        if (!st)
            st = one_round(&h);
    }
    if (st == DH_ERR_TIMEOUT && !h.unfit)
        st = ask_model(&h);
    if (st == DH_ERR_TIMEOUT) {
        say_missing(&h);
        return DH_ERR_NOTFOUND;
    }
    if (!st && out->target->t.window.id)
        dh_replay_bind(r, out->target->t.window.id, out->window.id);
    return st;
}

// ---- the focus --------------------------------------------------------------

// As the recorder asks: the widget in the middle of what has the focus.
static bool focus_fits(struct dh_replaying *r,
                       const struct dh_recorded_target *t)
{
    struct dh_a11y_node focus, at;
    if (!t->t.has_node || !dh_a11y_focused(r->o->a11y, r->focus.pid, &focus))
        return true;
    struct dh_point centre = { focus.rect.x + focus.rect.w / 2,
                               focus.rect.y + focus.rect.h / 2 };
    if (dh_rect_is_empty(focus.rect) ||
        !dh_a11y_at(r->o->a11y, r->focus.pid, centre, &at))
        at = focus;
    bool named = strcmp(at.role, "terminal") != 0;
    bool fits = !strcmp(at.role, t->t.node.role) &&
                (!named || !strcmp(at.name, t->t.node.name));
    if (!fits)
        dh_replay_why(r,
                      "the keys would go to the %.60s \"%.100s\" in place of "
                      "the %.60s \"%.100s\"",
                      at.role, at.name, t->t.node.role, t->t.node.name);
    return fits;
}

// DH_ERR_TIMEOUT: not yet.
static enum dh_status try_focus(struct dh_replaying *r,
                                const struct dh_recorded_target *t, bool raise,
                                struct dh_spot *out)
{
    r->stop.why[0] = '\0';
    const struct dh_window *w =
        dh_replay_window(r, &t->t.window, t->pattern, !raise);
    enum dh_status st = mind_stranger(r, w ? stranger_of(r, w, &r->focus)
                                         : is_strange(r, &r->focus) ? &r->focus
                                                                    : NULL);
    if (st)
        return st;
    if (!w) {
        dh_replay_why(r, "the window \"%.200s\" (%.100s) is not there",
                      t->t.window.title, t->t.window.wm_class);
        return DH_ERR_TIMEOUT;
    }
    if (w->id != r->focus.id) {
        dh_replay_why(r, "the keys would go to the window \"%.200s\"",
                      r->focus.title);
        if (!raise || r->raised == w->id || r->o->dry_run)
            return DH_ERR_TIMEOUT;
        r->raised = w->id;
        st = dh_windows_raise(r->o->windows, w->id, dh_now_ns() + RAISE_NS);
        return st == DH_ERR_CLOSED ? st : DH_ERR_TIMEOUT;
    }
    out->window = *w;
    out->rung = DH_RUNG_WINDOW;
    out->score = 1;
    dh_replay_bind(r, t->t.window.id, w->id);
    return focus_fits(r, t) ? DH_OK : DH_ERR_TIMEOUT;
}

enum dh_status dh_replay_focus(struct dh_replaying *r,
                               struct dh_recorded_step *s, struct dh_spot *out)
{
    int64_t began = dh_now_ns();
    int64_t until = began + dh_replay_patience(r, WINDOW_NS);
    const struct dh_recorded_target *t = s->n_targets ? &s->target[0] : NULL;
    memset(out, 0, sizeof *out);
    r->raised = r->unknown = 0;
    out->target = t;
    enum dh_status st = dh_replay_look(r);
    if (st || !t || !t->t.window.id)
        return st;
    for (;;) {
        bool raise = dh_now_ns() - began > HURRY_NS;
        st = try_focus(r, t, raise, out);
        if (st != DH_ERR_TIMEOUT)
            return st;
        if (r->o->dry_run || dh_now_ns() >= until)
            return DH_ERR_NOTFOUND;
        // A focus moves without anything being drawn.
        st = dh_replay_wait(r, dh_now_ns() + FOCUS_NS);
        if (!st)
            st = dh_replay_look(r);
        if (st)
            return st;
    }
}
