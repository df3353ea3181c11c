#include "agent/replay.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actions/sink.h"
#include "agent/a11y.h"
#include "agent/hand.h"
#include "agent/replay_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "vision/view.h"

#define DH_LOG_TAG "replay"
#include "base/log.h"

#define PLACE_NS  DH_S // so long a window may take to its place
#define LEARN_MAX 64

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

// ---- watchers ---------------------------------------------------------------

void dh_replay_tell(struct dh_replaying *r, struct dh_event *e)
{
    e->time_ns = dh_now_ns();
    e->step = r->step + 1;
    for (size_t i = 0; i < DH_COUNTOF(r->o->watch) && r->o->watch[i]; i++)
        r->o->watch[i](r->o->watch_user[i], e);
}

void dh_replay_tell_text(struct dh_replaying *r, enum dh_event_kind kind,
                         const char *text)
{
    char *copy = dh_strdup(text);
    struct dh_event e = { .kind = kind, .text = copy };
    dh_replay_tell(r, &e);
    dh_free(copy);
}

void dh_replay_tell_frame(struct dh_replaying *r, const char *why)
{
    struct dh_event e = { .kind = DH_EVENT_FRAME,
                          .frame = r->frame,
                          .why = why };
    if (r->frame)
        dh_replay_tell(r, &e);
}

// ---- the stop ---------------------------------------------------------------

static enum dh_replay_choice stop_here(struct dh_play *p, struct dh_point *at)
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
    dh_replay_tell_text(r, DH_EVENT_NOTE, stop->why);
    enum dh_replay_choice c =
        r->o->stop ? r->o->stop(r->o->user, stop, at) : DH_REPLAY_END;
    dh_frame_unref(stop->then);
    stop->then = stop->frame = NULL;
    stop->action = NULL;
    return c;
}

static void report(struct dh_play *p, bool played)
{
    struct dh_replaying *r = p->r;
    struct dh_replay_step told = {
        .number = r->step + 1,
        .of = r->rec->n_steps,
        .recorded = p->s,
        .action = &p->action,
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
static void point_at(struct dh_play *p, struct dh_point at)
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

static void tell_hand(struct dh_replaying *r, const struct dh_hand *did)
{
    struct dh_buf text;
    struct dh_view view = { r->frame->screen };
    dh_buf_init(&text, 1 << 16);
    dh_hand_text(did, &view, &text);
    dh_replay_tell_text(r, DH_EVENT_NOTE, dh_buf_text(&text));
    dh_buf_finish(&text);
}

// True: it was handed back.
static bool hand_over(struct dh_replaying *r)
{
    dh_sink_release(r->o->sink);
    dh_replay_tell_text(r, DH_EVENT_NOTE,
                        "a person has the desktop; waiting for it back");
    struct dh_hand did = { 0 };
    bool back =
        r->o->wait_back && r->o->wait_back(r->o->wait_user, r->o->cancel, &did);
    tell_hand(r, &did);
    dh_hand_finish(&did);
    if (!back)
        return end_with(r, DH_REPLAY_CANCELLED, DH_ERR_CANCELLED);
    dh_replay_tell_text(r, DH_EVENT_NOTE, "the desktop was handed back");
    return true;
}

static bool one_try(struct dh_play *p, bool *again)
{
    struct dh_replaying *r = p->r;
    struct dh_point at;
    enum dh_status st = dh_play_do(p, DH_RUNG_WINDOW);
    if (!st) {
        dh_play_repair(p);
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
    // What was done whole need not be done again, if it led to what it should.
    if (st == DH_ERR_TAKEN && r->stop.performed && !dh_play_go_on(p)) {
        report(p, true);
        return true;
    }
    switch (stop_here(p, &at)) {
    case DH_REPLAY_END:
        return dh_cancel_is_set(r->o->cancel)
                   ? end_with(r, DH_REPLAY_CANCELLED, DH_ERR_CANCELLED)
                   : end_stuck(r);
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
    struct dh_play p;
    bool again = true, on = true;
    dh_play_init(&p, r);
    if (p.s->broken) {
        dh_replay_why(r, "%s", p.s->broken);
        on = stop_here(&p, &(struct dh_point){ 0 }) == DH_REPLAY_SKIP ||
             end_stuck(r);
        again = false;
    } else if (p.s->failed || !dh_play_is_for_desktop(&p.s->action)) {
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
            dh_play_finish(&p);
            dh_play_init(&p, r);
            p.pointed = pointed;
            p.spot = spot;
        }
    }
    dh_play_finish(&p);
    return on;
}

// ---- a dry run --------------------------------------------------------------

static bool look_for_step(struct dh_replaying *r)
{
    struct dh_play p;
    dh_play_init(&p, r);
    enum dh_status st = DH_OK;
    bool looks = !p.s->broken && dh_play_is_for_desktop(&p.s->action);
    if (looks)
        st = dh_play_find(&p, DH_RUNG_WINDOW);
    else
        dh_replay_why(r, "%s",
                      p.s->broken ? p.s->broken
                                  : "it does nothing to the desktop");
    bool found = looks && !st;
    if (found)
        dh_play_aim(&p);
    r->result->found += found;
    if (st && st != DH_ERR_NOTFOUND) {
        dh_play_finish(&p);
        return end_with(
            r, st == DH_ERR_CANCELLED ? DH_REPLAY_CANCELLED : DH_REPLAY_ERROR,
            st);
    }
    report(&p, found);
    dh_play_finish(&p);
    return true;
}

// ---- before and after -------------------------------------------------------

// Windows go back to where they were, so that all looks as it did.
static enum dh_status arrange(struct dh_replaying *r)
{
    for (int i = 0; i < r->rec->n_steps; i++) {
        const struct dh_recorded_step *s = &r->rec->step[i];
        const struct dh_recorded_target *t =
            s->n_targets ? &s->target[s->n_targets - 1] : NULL;
        if (!t || !t->t.window.id || dh_replay_stands_for(r, t->t.window.id))
            continue;
        const struct dh_window *w =
            dh_replay_window(r, &t->t.window, t->pattern, true);
        if (!w)
            continue;
        dh_replay_bind(r, t->t.window.id, w->id);
        enum dh_status st = dh_windows_place(
            r->o->windows, w->id, t->t.window.box, dh_now_ns() + PLACE_NS);
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
    bool other =
        was.w && (was.w != r->frame->screen.w || was.h != r->frame->screen.h);
    r->scaled = other || r->o->scaled;
    if (r->o->arrange && !r->o->dry_run)
        st = arrange(r);
    dh_replay_tell_frame(r, "start");
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
    dh_replay_tell_text(r, DH_EVENT_START,
                        dh_session_info(r->rec->reader)->task);
    enum dh_status st = begin(r);
    bool on = st ? end_with(r, DH_REPLAY_ERROR, st) : true;
    start = st ? start : dh_now_ns();
    for (; on && r->step < r->rec->n_steps; r->step++)
        on = o->dry_run ? look_for_step(r) : play_step(r);
    out->took_ns = dh_now_ns() - start;
    // Whatever ended it, nothing stays pressed.
    if (o->sink)
        dh_sink_release(o->sink);
    dh_replay_tell_text(r, DH_EVENT_END, dh_replay_end_name(out->end));
    dh_restless_finish(&r->restless);
    dh_frame_unref(r->frame);
    dh_free(r);
}
