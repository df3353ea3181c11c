#include <stdlib.h>
#include <string.h>

#include "actions/sink.h"
#include "agent/a11y.h"
#include "agent/check.h"
#include "agent/replay_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/source.h"

#define GAP_NS     (30 * DH_MS)  // between two actions
#define DOUBLE_NS  (600 * DH_MS) // two clicks at one place are two until then
#define DOUBLE_PX  8
#define QUIET_NS   (120 * DH_MS)
#define SETTLE_NS  DH_S
#define LOOK_NS    (50 * DH_MS) // windows are told of by nobody
#define LONGEST_NS (60 * DH_S)  // an effect is waited for
#define HOPE_NS    (400 * DH_MS)
#define SEE_NS     (150 * DH_MS)
#define REST_NS    (10 * DH_S)
#define READY_NS   (5 * DH_S) // what cannot be pressed yet may be soon
#define READY_LOOK (200 * DH_MS)
#define AROUND_PX  24
#define OTHER_PX   12

// ---- where ------------------------------------------------------------------

bool dh_play_is_for_desktop(const struct dh_action *a)
{
    return dh_action_is_pointer(a) ||
           (a->op >= DH_ACTION_TYPE && a->op <= DH_ACTION_KEY_UP);
}

bool dh_play_needs_place(const struct dh_action *a)
{
    return dh_action_is_pointer(a) && (a->has_at || a->has_start);
}

static struct dh_point plus(struct dh_point a, struct dh_point by)
{
    return (struct dh_point){ a.x + by.x, a.y + by.y };
}

// Where a drag ends: at the same place of the window if that looks as it did,
// else as far from its start as it was.
static struct dh_point end_moves(struct dh_play *p, struct dh_point by)
{
    const struct dh_recorded_target *t = p->spot.target;
    const struct dh_window *was = &t->t.window, *is = &p->spot.window;
    struct dh_point end = p->s->action.at;
    struct dh_rect box = { end.x - AROUND_PX, end.y - AROUND_PX, 2 * AROUND_PX,
                           2 * AROUND_PX };
    struct dh_scene now = { .frame = p->r->frame,
                            .window = is->id ? is : NULL };
    struct dh_frame *then = dh_recording_frame(p->r->rec, t->frame);
    if (then && was->id && is->id && dh_place_is_same(&now, was, then, box))
        by =
            (struct dh_point){ is->box.x - was->box.x, is->box.y - was->box.y };
    dh_frame_unref(then);
    return by;
}

static void aim(struct dh_play *p)
{
    struct dh_action *a = &p->action;
    const struct dh_recorded_target *t = p->spot.target;
    if (!dh_play_needs_place(a))
        return;
    struct dh_point by = { p->spot.at.x - t->t.at.x, p->spot.at.y - t->t.at.y };
    p->r->by = by;
    if (!a->has_start) {
        a->at = plus(a->at, by);
        return;
    }
    struct dh_point end = end_moves(p, by);
    for (int i = 0; i < a->n_path; i++) {
        int last = DH_MAX(a->n_path - 1, 1);
        struct dh_point part = { by.x + (end.x - by.x) * i / last,
                                 by.y + (end.y - by.y) * i / last };
        a->path[i] = plus(a->path[i], part);
    }
    a->start = plus(a->start, by);
    a->at = plus(a->at, end);
}

static void fill_text(struct dh_play *p)
{
    struct dh_replaying *r = p->r;
    if (!p->action.text || p->action.op != DH_ACTION_TYPE)
        return;
    char *text = dh_session_params_fill(
        &r->rec->params, p->s->n, p->action.text, r->o->value, r->o->user);
    dh_free(p->action.text);
    p->action.text = text;
}

// ---- the act ----------------------------------------------------------------

static bool is_near(struct dh_point a, struct dh_point b)
{
    return abs(a.x - b.x) <= DOUBLE_PX && abs(a.y - b.y) <= DOUBLE_PX;
}

// Two clicks that were apart must not become one double click.
static void keep_gap(struct dh_replaying *r, const struct dh_action *a)
{
    int64_t until = r->acted_ns + GAP_NS;
    if (a->op == DH_ACTION_CLICK && a->has_at && r->clicked_ns &&
        is_near(a->at, r->clicked))
        until = r->clicked_ns + DOUBLE_NS;
    dh_sleep_until(until);
}

static void note_act(struct dh_replaying *r, const struct dh_action *a)
{
    r->acted_ns = dh_now_ns();
    if (a->op != DH_ACTION_CLICK)
        return;
    r->clicked_ns = r->acted_ns;
    r->clicked = a->at;
}

static bool is_repairable(const struct dh_play *p)
{
    return p->r->o->repair && p->spot.rung >= DH_RUNG_TEMPLATE &&
           dh_play_needs_place(&p->s->action);
}

// Before the act, while it is all there.
static void describe_anew(struct dh_play *p)
{
    if (!is_repairable(p))
        return;
    dh_target_find(&p->anew, p->r->frame, p->spot.at, &p->spot.window,
                   p->r->o->a11y);
    p->described = true;
}

// What the place was found on is still what is there.
static enum dh_status look_again(struct dh_play *p, bool *same)
{
    struct dh_frame *seen = dh_frame_ref(p->r->frame);
    enum dh_status st = dh_replay_look(p->r);
    *same = !st && (!dh_play_needs_place(&p->action) ||
                    !dh_check_is_upset(seen, p->r->frame, p->spot.at));
    dh_frame_unref(seen);
    return st;
}

static enum dh_status perform(struct dh_play *p)
{
    struct dh_replaying *r = p->r;
    struct dh_diag why = { 0 };
    struct dh_event e = { .kind = DH_EVENT_ACT,
                          .step_text = p->s->say,
                          .action = p->action,
                          .replayed = { p->s->n, dh_rung_name(p->spot.rung),
                                        p->spot.score } };
    describe_anew(p);
    dh_replay_tell_frame(r, "before");
    dh_replay_tell(r, &e);
    keep_gap(r, &p->action);
    r->old = r->stack;
    p->before = dh_frame_ref(r->frame);
    enum dh_status st = dh_source_mark(r->o->source);
    int64_t start = dh_now_ns();
    if (!st)
        st = dh_sink_perform(r->o->sink, &p->action, r->o->cancel, &why);
    p->act_ns = dh_now_ns() - start;
    note_act(r, &p->action);
    if (st == DH_ERR_TAKEN)
        dh_replay_why(r, "a person took the desktop in the middle of it");
    else if (st)
        dh_replay_why(r, "%s", why.text[0] ? why.text : dh_status_name(st));
    return st;
}

// ---- what came of it --------------------------------------------------------

unsigned long dh_replay_stands_for(void *user, unsigned long recorded)
{
    const struct dh_replaying *r = user;
    for (int i = r->n_bound; i-- > 0;)
        if (r->bound[i].then == recorded)
            return r->bound[i].now;
    return 0;
}

static struct dh_expect_now state_now(struct dh_play *p)
{
    struct dh_replaying *r = p->r;
    const struct dh_recorded_target *t = p->spot.target;
    return (struct dh_expect_now){
        .before = p->before,
        .now = r->frame,
        .stack = r->stack.item,
        .n_stack = r->stack.n,
        .old = r->old.item,
        .n_old = r->old.n,
        .focus = r->focus.id,
        .then_window = t && t->t.window.id ? &t->t.window : NULL,
        .now_window = p->spot.window.id ? &p->spot.window : NULL,
        .by = r->rec->n_windows ? (struct dh_point){ 0 } : r->by,
        .stands_for = dh_replay_stands_for,
        .user = r,
    };
}

static bool is_certain(const struct dh_expect_found *f)
{
    return f->windows &&
           (f->picture == DH_PICTURE_SAME || f->picture == DH_PICTURE_ANY);
}

static bool is_likely(const struct dh_expect_found *f)
{
    return f->windows && f->picture != DH_PICTURE_OTHER;
}

static enum dh_status check_once(struct dh_play *p)
{
    enum dh_status st = dh_replay_look(p->r);
    if (st)
        return st;
    struct dh_expect_now now = state_now(p);
    dh_expect_check(&p->expect, p->r->rec, &now, &p->found);
    return DH_OK;
}

// Something else than in the recording came up where it should: it counts once
// it is still.
static enum dh_status check_still(struct dh_play *p)
{
    struct dh_settle how = { .quiet_ns = QUIET_NS, .limit_ns = SETTLE_NS };
    struct dh_settle_result seen;
    enum dh_status st =
        dh_source_settle(p->r->o->source, &how, p->r->o->cancel, &seen);
    return st ? st : check_once(p);
}

// What the recorder may have looked at too late need not be waited for, unless
// nothing but its looks says that the place is the right one, or it is a text,
// which is seen as it is typed.
static bool may_hope(const struct dh_play *p)
{
    bool types =
        p->action.op == DH_ACTION_TYPE && p->action.text && p->action.text[0];
    return p->expect.soft && p->found.windows &&
           (p->found.picture != DH_PICTURE_OTHER ||
            (p->spot.rung != DH_RUNG_TEMPLATE && !types));
}

static bool is_still(struct dh_play *p)
{
    struct dh_expect_now now = state_now(p);
    return p->before && dh_expect_is_still(&p->r->restless, &now);
}

// Nothing is known of what should be seen: what comes soon is in the picture
// after it.
static enum dh_status see_any(struct dh_play *p)
{
    enum dh_status st = DH_OK;
    int64_t until = dh_now_ns() + SEE_NS;
    while (!st && is_still(p) && dh_now_ns() < until) {
        st = dh_replay_wait(p->r, until);
        if (!st)
            st = check_once(p);
    }
    return st;
}

// DH_ERR_TIMEOUT: it had not the effect that it should have.
static enum dh_status await_effect(struct dh_play *p)
{
    int64_t start = dh_now_ns();
    // A program that was slow before may be so again.
    int64_t until = start + DH_MAX(p->expect.limit_ns,
                                   DH_MIN(4 * p->r->slowest_ns, LONGEST_NS));
    enum dh_status st = check_once(p);
    while (!st && !is_certain(&p->found)) {
        if (is_likely(&p->found)) {
            st = check_still(p);
            if (st || is_likely(&p->found))
                break;
        }
        if (may_hope(p) && dh_now_ns() - start > HOPE_NS)
            break;
        if (dh_now_ns() >= until) {
            st = DH_ERR_TIMEOUT;
            break;
        }
        st = dh_replay_wait(p->r, DH_MIN(until, dh_now_ns() + LOOK_NS));
        if (!st)
            st = check_once(p);
    }
    if (!st && p->found.picture == DH_PICTURE_ANY)
        st = see_any(p);
    int64_t took = dh_now_ns() - start;
    p->check_ns += took;
    if (!st)
        p->r->slowest_ns = DH_MAX(p->r->slowest_ns, took);
    return st;
}

// The windows that came stand for those of the recording from here on.
static void bind_windows(struct dh_play *p)
{
    struct dh_replaying *r = p->r;
    for (int i = 0; i < p->s->n_windows; i++) {
        const struct dh_recorded_window *w =
            &r->rec->window[p->s->first_window + i];
        const struct dh_window *is =
            w->what == DH_WINDOW_MAP && !dh_replay_stands_for(r, w->window.id)
                ? dh_replay_window(r, &w->window, w->pattern, true)
                : NULL;
        if (is)
            dh_replay_bind(r, w->window.id, is->id);
    }
}

// A second press of a toggle, of "Send" or "Delete" does harm; one into a field
// does not.
static bool is_idempotent(const struct dh_play *p)
{
    static const char *const roles[] = { "text",      "entry",     "terminal",
                                         "page tab",  "list item", "paragraph",
                                         "table cell" };
    const struct dh_recorded_target *t = p->spot.target;
    if (p->action.op == DH_ACTION_MOVE)
        return true;
    if (p->action.op != DH_ACTION_CLICK || p->action.count != 1 ||
        p->action.button != 1 || !t || !t->t.has_node)
        return false;
    for (size_t i = 0; i < DH_COUNTOF(roles); i++)
        if (!strcmp(t->t.node.role, roles[i]))
            return true;
    return false;
}

// ---- find, act, check -------------------------------------------------------

enum dh_status dh_play_find(struct dh_play *p, enum dh_rung from)
{
    int64_t start = dh_now_ns();
    enum dh_status st = dh_play_needs_place(&p->s->action)
                            ? dh_replay_find(p->r, p->s, from, &p->spot)
                            : dh_replay_focus(p->r, p->s, &p->spot);
    p->find_ns += dh_now_ns() - start;
    return st;
}

void dh_play_aim(struct dh_play *p)
{
    dh_action_finish(&p->action);
    dh_action_copy(&p->action, &p->s->action);
    fill_text(p);
    aim(p);
}

// A button that is gray until the program has read what was typed is found by
// its name, but cannot be pressed yet. What looks as it did can be.
static bool is_refused(struct dh_play *p)
{
    static const char able[] = "sensitive";
    const struct dh_recorded_target *t = p->spot.target;
    struct dh_a11y_node node;
    struct dh_a11y_place place;
    return !p->pointed && t && p->spot.rung != DH_RUNG_NONE &&
           p->spot.rung != DH_RUNG_PLACE && t->t.has_node &&
           strstr(t->t.place.states, able) &&
           dh_a11y_place(p->r->o->a11y, p->spot.window.pid, p->spot.at, &node,
                         &place) &&
           !strcmp(node.role, t->t.node.role) &&
           !strcmp(node.name, t->t.node.name) && !strstr(place.states, able);
}

static enum dh_status find_and_act(struct dh_play *p, enum dh_rung from)
{
    bool same = false;
    int64_t start = dh_now_ns(), until = start + REST_NS;
    while (!same) {
        enum dh_status st = p->pointed ? DH_OK : dh_play_find(p, from);
        if (st)
            return st;
        int64_t ready = start + READY_NS;
        if (is_refused(p) && dh_now_ns() < ready) {
            st = dh_replay_wait(p->r, DH_MIN(ready, dh_now_ns() + READY_LOOK));
            if (st)
                return st;
            continue;
        }
        dh_play_aim(p);
        st = look_again(p, &same);
        if (st)
            return st;
        if (!same && dh_now_ns() > until) {
            dh_replay_why(p->r, "the screen does not come to rest there");
            return DH_ERR_NOTFOUND;
        }
    }
    return perform(p);
}

static void tell_done(struct dh_play *p, enum dh_status st)
{
    struct dh_event e = { .kind = DH_EVENT_DONE,
                          .status = st,
                          .times = { .act = p->act_ns, .settle = p->check_ns },
                          .changed = p->found.picture == DH_PICTURE_SAME ||
                                     p->found.picture == DH_PICTURE_CHANGED ||
                                     (p->before && !is_still(p)) };
    char *why = st ? dh_strdup(p->r->stop.why) : NULL;
    e.text = why;
    dh_replay_tell(p->r, &e);
    dh_free(why);
    dh_replay_tell_frame(p->r, "after");
}

// Nothing at all happened: once more where that does no harm, then the place
// that the next rung names, if it is another one.
static enum dh_status try_again(struct dh_play *p)
{
    struct dh_point first = p->spot.at;
    bool still = is_still(p) && dh_play_needs_place(&p->s->action);
    enum dh_status st = DH_ERR_TIMEOUT;
    p->retried = still;
    if (still && is_idempotent(p)) {
        dh_frame_unref(p->before);
        p->before = NULL;
        st = perform(p);
        if (!st)
            st = await_effect(p);
        still = st == DH_ERR_TIMEOUT && is_still(p);
    }
    if (!still || p->spot.rung >= DH_RUNG_TEXT)
        return st;
    struct dh_spot was = p->spot;
    enum dh_rung next = was.rung == DH_RUNG_PLACE  ? DH_RUNG_TREE
                        : was.rung == DH_RUNG_TREE ? DH_RUNG_TEMPLATE
                                                   : DH_RUNG_TEXT;
    if (dh_play_find(p, next) || (abs(p->spot.at.x - first.x) <= OTHER_PX &&
                                  abs(p->spot.at.y - first.y) <= OTHER_PX)) {
        p->spot = was;
        return DH_ERR_TIMEOUT;
    }
    dh_play_aim(p);
    dh_frame_unref(p->before);
    p->before = NULL;
    st = perform(p);
    return st ? st : await_effect(p);
}

static enum dh_status conclude(struct dh_play *p, enum dh_status st)
{
    if (st == DH_ERR_TAKEN)
        dh_replay_why(p->r, "a person took the desktop again");
    if (st == DH_ERR_TIMEOUT) {
        dh_replay_why(p->r, "it was done, but %s", p->found.missing);
        st = DH_ERR_NOTFOUND;
    }
    tell_done(p, st);
    if (!st)
        bind_windows(p);
    return st;
}

enum dh_status dh_play_do(struct dh_play *p, enum dh_rung from)
{
    enum dh_status st = find_and_act(p, from);
    if (st)
        return st;
    p->r->stop.performed = true;
    st = await_effect(p);
    if (st == DH_ERR_TIMEOUT)
        st = try_again(p);
    return st == DH_ERR_TAKEN ? st : conclude(p, st);
}

enum dh_status dh_play_go_on(struct dh_play *p)
{
    return conclude(p, await_effect(p));
}

void dh_play_repair(struct dh_play *p)
{
    struct dh_replaying *r = p->r;
    if (!p->described || !p->before ||
        dh_recording_repair(r->rec, p->s, &p->anew, p->before))
        return;
    p->repaired = true;
    r->result->repairs++;
}

void dh_play_finish(struct dh_play *p)
{
    dh_expect_finish(&p->expect);
    dh_action_finish(&p->action);
    dh_frame_unref(p->before);
}

void dh_play_init(struct dh_play *p, struct dh_replaying *r)
{
    memset(p, 0, sizeof *p);
    p->r = r;
    p->s = &r->rec->step[r->step];
    dh_expect_init(&p->expect, r->rec, r->step, &r->restless);
    // From here on: a text that was marked as a secret later is told nowhere.
    dh_action_copy(&p->action, &p->s->action);
    fill_text(p);
    r->stop.performed = false;
    r->stop.why[0] = '\0';
    memset(&r->stop.places, 0, sizeof r->stop.places);
}

// One try of a step. False: the replay has ended; *again: once more.
