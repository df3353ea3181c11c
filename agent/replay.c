#include "agent/replay.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/sink.h"
#include "agent/a11y.h"
#include "agent/check.h"
#include "agent/replay_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/source.h"

#define DH_LOG_TAG "replay"
#include "base/log.h"

#define GAP_NS     (30 * DH_MS)  // between two actions
#define DOUBLE_NS  (600 * DH_MS) // two clicks at one place are two until then
#define DOUBLE_PX  8
#define QUIET_NS   (120 * DH_MS)
#define SETTLE_NS  DH_S
#define LOOK_NS    (50 * DH_MS) // windows are told of by nobody
#define PLACE_WAIT DH_S
#define LEARN_MAX  64
#define AROUND_PX  24
#define OTHER_PX   12

const char *dh_replay_end_name(enum dh_replay_end end)
{
    static const char *const names[] = { "done", "stuck", "stopped", "error" };
    return names[end];
}

void dh_replay_why(struct dh_replaying *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->stop.why, sizeof r->stop.why, fmt, ap);
    va_end(ap);
}

// ---- watchers
// ------------------------------------------------------------------

static void tell(struct dh_replaying *r, struct dh_event *e)
{
    e->time_ns = dh_now_ns();
    e->step = r->step + 1;
    for (size_t i = 0; i < DH_COUNTOF(r->o->watch) && r->o->watch[i]; i++)
        r->o->watch[i](r->o->watch_user[i], e);
}

static void tell_text(struct dh_replaying *r, enum dh_event_kind kind,
                      const char *text)
{
    char *copy = dh_strdup(text);
    struct dh_event e = { .kind = kind, .text = copy };
    tell(r, &e);
    dh_free(copy);
}

static void tell_frame(struct dh_replaying *r, const char *why)
{
    struct dh_event e = { .kind = DH_EVENT_FRAME,
                          .frame = r->frame,
                          .why = why };
    if (r->frame)
        tell(r, &e);
}

// ---- one step
// -------------------------------------------------------------------

struct play {
    struct dh_replaying *r;
    struct dh_recorded_step *s;
    struct dh_spot spot;
    struct dh_action action; // as it is performed
    struct dh_expect expect;
    struct dh_frame *before;
    struct dh_expect_found found;
    int64_t find_ns, act_ns, check_ns;
    bool retried, repaired, pointed;
    bool described; // `anew` is how the place looks now
    struct dh_target anew;
};

static bool is_for_desktop(const struct dh_action *a)
{
    return dh_action_is_pointer(a) ||
           (a->op >= DH_ACTION_TYPE && a->op <= DH_ACTION_KEY_UP);
}

static bool needs_place(const struct dh_action *a)
{
    return dh_action_is_pointer(a) && (a->has_at || a->has_start);
}

static struct dh_point plus(struct dh_point a, struct dh_point by)
{
    return (struct dh_point){ a.x + by.x, a.y + by.y };
}

// Where a drag ends: at the same place of the window if that looks as it did,
// else as far from its start as it was.
static struct dh_point end_moves(struct play *p, struct dh_point by)
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

static void aim(struct play *p)
{
    struct dh_action *a = &p->action;
    const struct dh_recorded_target *t = p->spot.target;
    if (!needs_place(a))
        return;
    struct dh_point by = { p->spot.at.x - t->t.at.x, p->spot.at.y - t->t.at.y };
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

static void fill_text(struct play *p)
{
    struct dh_replaying *r = p->r;
    if (!p->action.text || p->action.op != DH_ACTION_TYPE)
        return;
    char *text = dh_session_params_fill(
        &r->rec->params, p->s->n, p->action.text, r->o->value, r->o->user);
    dh_free(p->action.text);
    p->action.text = text;
}

// ---- the act
// -------------------------------------------------------------------

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

static bool is_repairable(const struct play *p)
{
    return p->r->o->repair && p->spot.rung >= DH_RUNG_TEMPLATE &&
           needs_place(&p->s->action);
}

// Before the act, while it is all there.
static void describe_anew(struct play *p)
{
    if (!is_repairable(p))
        return;
    dh_target_find(&p->anew, p->r->frame, p->spot.at, &p->spot.window,
                   p->r->o->a11y);
    p->described = true;
}

// What the place was found on is still what is there.
static enum dh_status look_again(struct play *p, bool *same)
{
    struct dh_frame *seen = dh_frame_ref(p->r->frame);
    enum dh_status st = dh_replay_look(p->r);
    *same = !st && (!needs_place(&p->action) ||
                    !dh_check_is_upset(seen, p->r->frame, p->spot.at));
    dh_frame_unref(seen);
    return st;
}

static enum dh_status perform(struct play *p)
{
    struct dh_replaying *r = p->r;
    struct dh_diag why = { 0 };
    struct dh_event e = { .kind = DH_EVENT_ACT,
                          .step_text = p->s->say,
                          .action = p->action,
                          .replayed = { p->s->n, dh_rung_name(p->spot.rung),
                                        p->spot.score } };
    describe_anew(p);
    tell_frame(r, "before");
    tell(r, &e);
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

// ---- what came of it
// -------------------------------------------------------------

static unsigned long stands_for(void *user, unsigned long recorded)
{
    const struct dh_replaying *r = user;
    for (int i = r->n_bound; i-- > 0;)
        if (r->bound[i].then == recorded)
            return r->bound[i].now;
    return 0;
}

static struct dh_expect_now state_now(struct play *p)
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
        .stands_for = stands_for,
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

static enum dh_status check_once(struct play *p)
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
static enum dh_status check_still(struct play *p)
{
    struct dh_settle how = { QUIET_NS, SETTLE_NS };
    struct dh_settle_result seen;
    enum dh_status st =
        dh_source_settle(p->r->o->source, &how, p->r->o->cancel, &seen);
    return st ? st : check_once(p);
}

// DH_ERR_TIMEOUT: it had not the effect that it should have.
static enum dh_status await_effect(struct play *p)
{
    int64_t start = dh_now_ns(), until = start + p->expect.limit_ns;
    enum dh_status st = check_once(p);
    while (!st && !is_certain(&p->found)) {
        if (is_likely(&p->found)) {
            st = check_still(p);
            if (st || is_likely(&p->found))
                break;
        }
        if (dh_now_ns() >= until) {
            st = DH_ERR_TIMEOUT;
            break;
        }
        st = dh_replay_wait(p->r, DH_MIN(until, dh_now_ns() + LOOK_NS));
        if (!st)
            st = check_once(p);
    }
    p->check_ns += dh_now_ns() - start;
    return st;
}

// The windows that came stand for those of the recording from here on.
static void bind_windows(struct play *p)
{
    struct dh_replaying *r = p->r;
    for (int i = 0; i < p->s->n_windows; i++) {
        const struct dh_recorded_window *w =
            &r->rec->window[p->s->first_window + i];
        const struct dh_window *is =
            w->what == DH_WINDOW_MAP && !stands_for(r, w->window.id)
                ? dh_replay_window(r, &w->window, w->pattern, true)
                : NULL;
        if (is)
            dh_replay_bind(r, w->window.id, is->id);
    }
}

// A second press of a toggle, of "Send" or "Delete" does harm; one into a field
// does not.
static bool is_idempotent(const struct play *p)
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

// ---- find, act, check
// ------------------------------------------------------------

static enum dh_status find(struct play *p, enum dh_rung from)
{
    int64_t start = dh_now_ns();
    enum dh_status st = needs_place(&p->s->action)
                            ? dh_replay_find(p->r, p->s, from, &p->spot)
                            : dh_replay_focus(p->r, p->s, &p->spot);
    p->find_ns += dh_now_ns() - start;
    return st;
}

static void set_action(struct play *p)
{
    dh_action_finish(&p->action);
    dh_action_copy(&p->action, &p->s->action);
    fill_text(p);
    aim(p);
}

static enum dh_status find_and_act(struct play *p, enum dh_rung from)
{
    bool same = false;
    int64_t until = dh_now_ns() + 10 * PLACE_WAIT;
    while (!same) {
        enum dh_status st = p->pointed ? DH_OK : find(p, from);
        if (st)
            return st;
        set_action(p);
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

static void tell_done(struct play *p, enum dh_status st)
{
    struct dh_event e = { .kind = DH_EVENT_DONE,
                          .status = st,
                          .times = { .act = p->act_ns, .settle = p->check_ns },
                          .changed = p->found.picture == DH_PICTURE_SAME ||
                                     p->found.picture == DH_PICTURE_CHANGED };
    char *why = st ? dh_strdup(p->r->stop.why) : NULL;
    e.text = why;
    tell(p->r, &e);
    dh_free(why);
    tell_frame(p->r, "after");
}

static bool is_still(struct play *p)
{
    struct dh_expect_now now = state_now(p);
    return p->before && dh_expect_is_still(&p->r->restless, &now);
}

// Nothing at all happened: once more where that does no harm, then the place
// that the next rung names, if it is another one.
static enum dh_status try_again(struct play *p)
{
    struct dh_point first = p->spot.at;
    bool still = is_still(p) && needs_place(&p->s->action);
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
    if (find(p, next) || (abs(p->spot.at.x - first.x) <= OTHER_PX &&
                          abs(p->spot.at.y - first.y) <= OTHER_PX)) {
        p->spot = was;
        return DH_ERR_TIMEOUT;
    }
    set_action(p);
    dh_frame_unref(p->before);
    p->before = NULL;
    st = perform(p);
    return st ? st : await_effect(p);
}

static enum dh_status act_and_check(struct play *p, enum dh_rung from)
{
    enum dh_status st = find_and_act(p, from);
    if (st)
        return st;
    p->r->stop.performed = true;
    st = await_effect(p);
    if (st == DH_ERR_TIMEOUT)
        st = try_again(p);
    if (st == DH_ERR_TIMEOUT) {
        dh_replay_why(p->r, "it was done, but %s", p->found.missing);
        st = DH_ERR_NOTFOUND;
    }
    tell_done(p, st);
    if (!st)
        bind_windows(p);
    return st;
}

// ---- repairs
// -------------------------------------------------------------------

static void repair(struct play *p)
{
    struct dh_replaying *r = p->r;
    if (!p->described || !p->before ||
        dh_recording_repair(r->rec, p->s, &p->anew, p->before))
        return;
    p->repaired = true;
    r->result->repairs++;
}

// ---- the stop
// -------------------------------------------------------------------

static enum dh_replay_choice stop_here(struct play *p, struct dh_point *at)
{
    struct dh_replaying *r = p->r;
    struct dh_replay_stop *stop = &r->stop;
    const struct dh_recorded_target *t =
        p->s->n_targets ? &p->s->target[0] : NULL;
    stop->number = r->step + 1;
    stop->recorded = p->s;
    stop->action = &p->action;
    stop->frame = r->frame;
    stop->then = t ? dh_recording_frame(r->rec, t->frame) : NULL;
    if (t)
        stop->wanted = t->t.wide;
    // Who looks at it finds nothing pressed.
    dh_sink_release(r->o->sink);
    tell_text(r, DH_EVENT_NOTE, stop->why);
    enum dh_replay_choice c =
        r->o->stop ? r->o->stop(r->o->user, stop, at) : DH_REPLAY_END;
    dh_frame_unref(stop->then);
    stop->then = stop->frame = NULL;
    stop->action = NULL;
    return c;
}

static void report(struct play *p, bool played)
{
    struct dh_replaying *r = p->r;
    struct dh_replay_step told = {
        .number = r->step + 1,
        .of = r->rec->n_steps,
        .recorded = p->s,
        .action =
            p->action.op || p->action.on_screen ? &p->action : &p->s->action,
        .rung = p->spot.rung,
        .score = p->spot.score,
        .found = played,
        .skipped = !played,
        .retried = p->retried,
        .repaired = p->repaired,
        .why = played ? "" : r->stop.why,
        .find_ns = p->find_ns,
        .act_ns = p->act_ns,
        .check_ns = p->check_ns,
    };
    r->result->played += played;
    r->result->skipped += !played;
    if (played)
        r->result->rungs[p->spot.rung]++;
    if (r->o->step)
        r->o->step(r->o->user, &told);
}

static bool end_with(struct dh_replaying *r, enum dh_replay_end end,
                     enum dh_status st)
{
    r->result->end = end;
    r->result->status = st;
    return false;
}

static bool end_stuck(struct dh_replaying *r)
{
    snprintf(r->result->why, sizeof r->result->why, "%s", r->stop.why);
    r->result->stopped_at = r->step + 1;
    return end_with(r, DH_REPLAY_STUCK, DH_OK);
}

// The place that a person pointed at, as if it had been found.
static void point_at(struct play *p, struct dh_point at)
{
    struct dh_window w;
    memset(&p->spot, 0, sizeof p->spot);
    p->spot.at = at;
    p->spot.rung = DH_RUNG_PERSON;
    p->spot.score = 1;
    p->spot.target = dh_recording_target(p->r->rec, p->s);
    if (!dh_windows_at(p->r->o->windows, &at, &w))
        p->spot.window = w;
    p->pointed = p->spot.target != NULL;
}

// True: it was handed back, and the step is tried anew.
static bool hand_over(struct dh_replaying *r)
{
    dh_sink_release(r->o->sink);
    tell_text(r, DH_EVENT_NOTE,
              "a person has the desktop; waiting for it back");
    if (!r->o->wait_back || !r->o->wait_back(r->o->wait_user, r->o->cancel))
        return end_with(r, DH_REPLAY_CANCELLED, DH_ERR_CANCELLED);
    tell_text(r, DH_EVENT_NOTE, "the desktop was handed back");
    return true;
}

static void play_finish(struct play *p)
{
    dh_expect_finish(&p->expect);
    dh_action_finish(&p->action);
    dh_frame_unref(p->before);
}

static void play_init(struct play *p, struct dh_replaying *r)
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
static bool one_try(struct play *p, bool *again)
{
    struct dh_replaying *r = p->r;
    struct dh_point at;
    enum dh_status st = act_and_check(p, DH_RUNG_WINDOW);
    if (!st) {
        repair(p);
        report(p, true);
        return true;
    }
    if (st == DH_ERR_CANCELLED)
        return end_with(r, DH_REPLAY_CANCELLED, st);
    if (st == DH_ERR_CLOSED || st == DH_ERR_IO)
        return end_with(r, DH_REPLAY_ERROR, st);
    if (st == DH_ERR_TAKEN && !p->before) {
        *again = true;
        return hand_over(r);
    }
    if (st == DH_ERR_TAKEN && !hand_over(r))
        return false;
    switch (stop_here(p, &at)) {
    case DH_REPLAY_END: return end_stuck(r);
    case DH_REPLAY_SKIP: report(p, false); return true;
    case DH_REPLAY_POINT:
        point_at(p, at);
        *again = true;
        return true;
    }
    return true;
}

static bool play_step(struct dh_replaying *r)
{
    struct play p;
    bool again = true, on = true;
    play_init(&p, r);
    if (p.s->broken) {
        dh_replay_why(r, "%s", p.s->broken);
        on = stop_here(&p, &(struct dh_point){ 0 }) == DH_REPLAY_SKIP ||
             end_stuck(r);
        again = false;
    } else if (p.s->failed || !is_for_desktop(&p.s->action)) {
        dh_replay_why(r, p.s->failed ? "it was not done in the recording either"
                                     : "it does nothing to the desktop");
        report(&p, false);
        again = false;
    }
    while (on && again) {
        again = false;
        on = one_try(&p, &again);
        if (again) {
            bool pointed = p.pointed;
            struct dh_spot spot = p.spot;
            play_finish(&p);
            play_init(&p, r);
            p.pointed = pointed;
            p.spot = spot;
        }
    }
    play_finish(&p);
    return on;
}

// ---- a dry run
// ------------------------------------------------------------------

static bool look_for_step(struct dh_replaying *r)
{
    struct play p;
    play_init(&p, r);
    enum dh_status st = DH_OK;
    bool looks = !p.s->broken && is_for_desktop(&p.s->action);
    if (looks)
        st = find(&p, DH_RUNG_WINDOW);
    else
        dh_replay_why(r, "%s",
                      p.s->broken ? p.s->broken
                                  : "it does nothing to the desktop");
    bool found = looks && !st;
    if (found)
        set_action(&p);
    r->result->found += found;
    if (st && st != DH_ERR_NOTFOUND) {
        play_finish(&p);
        return end_with(
            r, st == DH_ERR_CANCELLED ? DH_REPLAY_CANCELLED : DH_REPLAY_ERROR,
            st);
    }
    report(&p, found);
    play_finish(&p);
    return true;
}

// ---- before and after
// ------------------------------------------------------------

// Windows go back to where they were, so that all looks as it did.
static enum dh_status arrange(struct dh_replaying *r)
{
    for (int i = 0; i < r->rec->n_steps; i++) {
        const struct dh_recorded_step *s = &r->rec->step[i];
        const struct dh_recorded_target *t =
            s->n_targets ? &s->target[s->n_targets - 1] : NULL;
        if (!t || !t->t.window.id || stands_for(r, t->t.window.id))
            continue;
        const struct dh_window *w =
            dh_replay_window(r, &t->t.window, t->pattern, true);
        if (!w)
            continue;
        dh_replay_bind(r, t->t.window.id, w->id);
        enum dh_status st = dh_windows_place(
            r->o->windows, w->id, t->t.window.box, dh_now_ns() + PLACE_WAIT);
        if (st == DH_ERR_TIMEOUT)
            dh_info("the window \"%s\" cannot be brought to its place",
                    w->title);
        if (st == DH_ERR_CLOSED)
            return st;
    }
    return DH_OK;
}

static enum dh_status begin(struct dh_replaying *r)
{
    dh_a11y_watch(r->o->a11y);
    dh_restless_learn(&r->restless, r->rec, LEARN_MAX);
    enum dh_status st = dh_replay_look(r);
    if (st)
        return st;
    r->first = r->old = r->stack;
    struct dh_size was = r->rec->screen;
    r->scaled =
        was.w && (was.w != r->frame->screen.w || was.h != r->frame->screen.h);
    if (r->o->arrange && !r->o->dry_run)
        st = arrange(r);
    tell_frame(r, "start");
    return st;
}

static int64_t recorded_ns(const struct dh_recording *rec)
{
    if (!rec->n_steps)
        return 0;
    const struct dh_recorded_step *last = &rec->step[rec->n_steps - 1];
    return last->ended_ns + last->settle_ns - rec->step[0].began_ns;
}

void dh_replay_run(const struct dh_replay_options *o,
                   struct dh_replay_result *out)
{
    struct dh_replaying *r;
    int64_t start = dh_now_ns();
    dh_new(r);
    r->o = o;
    r->rec = o->recording;
    r->result = out;
    memset(out, 0, sizeof *out);
    out->steps = r->rec->n_steps;
    out->recorded_ns = recorded_ns(r->rec);
    tell_text(r, DH_EVENT_START, dh_session_info(r->rec->reader)->task);
    enum dh_status st = begin(r);
    bool on = st ? end_with(r, DH_REPLAY_ERROR, st) : true;
    start = st ? start : dh_now_ns();
    for (; on && r->step < r->rec->n_steps; r->step++)
        on = o->dry_run ? look_for_step(r) : play_step(r);
    out->took_ns = dh_now_ns() - start;
    // Whatever ended it, nothing stays pressed.
    if (o->sink)
        dh_sink_release(o->sink);
    tell_text(r, DH_EVENT_END, dh_replay_end_name(out->end));
    dh_restless_finish(&r->restless);
    dh_frame_unref(r->frame);
    dh_free(r);
}
