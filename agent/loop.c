#include "agent/loop.h"

#include <stdio.h>
#include <string.h>

#include "actions/parse.h"
#include "actions/sink.h"
#include "agent/aim.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/source.h"
#include "vision/view.h"

#define DH_LOG_TAG "loop"
#include "base/log.h"

// So many equal actions on an unchanged screen are a loop without a way out.
#define STUCK_AFTER 4

// How much longer than the quiet time a first change is waited for.
#define LATE_FACTOR 3

struct run {
    const struct dh_loop *l;
    struct dh_loop_options o;
    struct dh_history history;
    struct dh_loop_result *result;
    struct dh_frame *frame; // the newest picture
    int64_t grab_ns;
    int step;
    struct dh_action last;
    uint64_t last_hash;
    int repeats;
};

const char *dh_loop_end_name(enum dh_loop_end e)
{
    static const char *const names[] = { "done",    "failed",   "answered",
                                         "limit",   "nonsense", "stuck",
                                         "stopped", "error" };
    return (unsigned)e < DH_COUNTOF(names) ? names[e] : "?";
}

static void tell(struct run *r, struct dh_event *e)
{
    e->time_ns = dh_now_ns();
    e->step = r->step;
    for (size_t i = 0; i < DH_COUNTOF(r->l->watch) && r->l->watch[i]; i++)
        r->l->watch[i](r->l->watch_user[i], e);
}

static void tell_text(struct run *r, enum dh_event_kind kind, const char *text,
                      enum dh_status status)
{
    struct dh_event e = { .kind = kind, .status = status };
    char *copy = text ? dh_strdup(text) : NULL;
    e.text = copy;
    tell(r, &e);
    dh_free(copy);
}

// Each returns false once the run has ended.
static bool end(struct run *r, enum dh_loop_end how, enum dh_status status)
{
    r->result->end = status == DH_ERR_CANCELLED ? DH_LOOP_STOPPED : how;
    r->result->status = status;
    return false;
}

static bool observe(struct run *r, const char *why)
{
    int64_t start = dh_now_ns();
    struct dh_frame *frame;
    enum dh_status st = dh_source_grab(r->l->source, &frame);
    if (st)
        return end(r, DH_LOOP_ERROR, st);
    r->grab_ns = dh_now_ns() - start;
    dh_frame_unref(r->frame);
    r->frame = frame;
    struct dh_event e = { .kind = DH_EVENT_FRAME, .frame = frame, .why = why };
    tell(r, &e);
    return true;
}

// Ask until the answer can be read, a few times. *answer is set on true.
static bool think(struct run *r, struct dh_answer *answer, char **raw)
{
    struct dh_policy *p = r->l->policy;
    struct dh_diag diag = { 0 };
    if (p->ops->prune)
        p->ops->prune(p, &r->history);
    for (int attempt = 0; attempt <= r->o.resamples; attempt++) {
        struct dh_decision d;
        enum dh_status st = p->ops->decide(p, &r->history, r->frame, attempt,
                                           attempt ? diag.text : NULL, &d);
        if (st)
            return end(r, DH_LOOP_ERROR, st);
        struct dh_event e = { .kind = DH_EVENT_ANSWER,
                              .text = d.text,
                              .usage = d.usage,
                              .times = d.times };
        e.times.grab = r->grab_ns;
        tell(r, &e);
        memset(&diag, 0, sizeof diag);
        if (!dh_answer_parse(d.text, strlen(d.text), answer, &diag)) {
            *raw = dh_strdup(d.text);
            dh_decision_finish(&d);
            return true;
        }
        dh_answer_finish(answer);
        dh_decision_finish(&d);
        tell_text(r, DH_EVENT_NOTE, diag.text, DH_ERR_FORMAT);
        if (dh_cancel_is_set(r->l->cancel))
            return end(r, DH_LOOP_STOPPED, DH_ERR_CANCELLED);
    }
    r->result->text = dh_strdup(diag.text);
    return end(r, DH_LOOP_NONSENSE, DH_ERR_FORMAT);
}

static bool is_stuck(struct run *r, const struct dh_action *a)
{
    uint64_t hash = dh_frame_hash(r->frame);
    bool same = hash == r->last_hash && dh_action_equal(a, &r->last);
    r->repeats = same ? r->repeats + 1 : 1;
    r->last_hash = hash;
    dh_action_finish(&r->last);
    dh_action_copy(&r->last, a);
    return r->repeats >= STUCK_AFTER;
}

static bool finish_with(struct run *r, const struct dh_action *a)
{
    enum dh_loop_end how = a->op == DH_ACTION_DONE   ? DH_LOOP_DONE
                           : a->op == DH_ACTION_FAIL ? DH_LOOP_FAILED
                                                     : DH_LOOP_ANSWERED;
    r->result->text = a->text ? dh_strdup(a->text) : NULL;
    return end(r, how, DH_OK);
}

// Wait until the screen is quiet again; after a wait action, for as long as it
// asks for.
static enum dh_status settle(struct run *r, const struct dh_action *a,
                             struct dh_event *e)
{
    struct dh_settle how = { r->o.quiet_ns, r->o.settle_ns };
    struct dh_settle_result found = { 0 };
    if (a->op == DH_ACTION_WAIT) {
        int64_t ns = DH_MAX(0, a->duration_ms) * DH_MS;
        how.quiet_ns = DH_MAX(how.quiet_ns, ns);
        how.limit_ns = DH_MAX(how.limit_ns, ns);
    }
    enum dh_status st =
        dh_source_settle(r->l->source, &how, r->l->cancel, &found);
    // Some programs take longer than a quiet moment to begin: what has not
    // changed yet is given a second look.
    if (!st && !found.changed && a->op != DH_ACTION_WAIT) {
        how.quiet_ns *= LATE_FACTOR;
        e->times.settle += found.waited_ns;
        st = dh_source_settle(r->l->source, &how, r->l->cancel, &found);
    }
    e->times.settle += found.waited_ns;
    e->changed = found.changed;
    return st;
}

static const char *finding(enum dh_status st, const struct dh_diag *why)
{
    if (why->text[0])
        return why->text;
    return st ? dh_status_name(st) : NULL;
}

// What cannot be done is told to the model; a lost server ends the run.
static bool is_fatal(enum dh_status st)
{
    return st == DH_ERR_CLOSED || st == DH_ERR_CANCELLED || st == DH_ERR_IO;
}

// A desktop that is just starting up is no first picture.
static bool begin(struct run *r)
{
    struct dh_settle how = { r->o.quiet_ns, r->o.settle_ns };
    struct dh_settle_result found;
    enum dh_status st = dh_source_mark(r->l->source);
    if (!st)
        st = dh_source_settle(r->l->source, &how, r->l->cancel, &found);
    return st ? end(r, DH_LOOP_ERROR, st) : true;
}

// A person took the desktop. What was asked for is not done; the model is told
// and sees the screen as it was handed back, and no step is spent.
static bool wait_back(struct run *r, struct dh_event *e, char note[256])
{
    snprintf(note, 256, "user took over");
    e->status = DH_ERR_TAKEN;
    e->text = note;
    tell(r, e);
    dh_sink_release(r->l->sink);
    tell_text(r, DH_EVENT_NOTE, "a person has the desktop; waiting for it back",
              DH_ERR_TAKEN);
    if (!r->l->wait_back)
        return end(r, DH_LOOP_ERROR, DH_ERR_TAKEN);
    if (!r->l->wait_back(r->l->wait_user, r->l->cancel))
        return end(r, DH_LOOP_STOPPED, DH_ERR_CANCELLED);
    tell_text(r, DH_EVENT_NOTE, "the desktop was handed back", DH_OK);
    r->step--;
    return begin(r);
}

static bool act(struct run *r, struct dh_action *a, const char *step,
                char note[256])
{
    struct dh_diag why = { 0 };
    struct dh_event e = { .kind = DH_EVENT_ACT };
    struct dh_view view = { r->frame->screen };
    dh_aim_action(&view, a);
    char *copy = dh_strdup(step);
    e.step_text = copy;
    e.action = *a;
    tell(r, &e);
    dh_free(copy);
    memset(&e, 0, sizeof e);
    e.kind = DH_EVENT_DONE;
    enum dh_status st = dh_source_mark(r->l->source);
    int64_t start = dh_now_ns();
    if (!st)
        st = dh_sink_perform(r->l->sink, a, r->l->cancel, &why);
    e.times.act = dh_now_ns() - start;
    if (is_fatal(st))
        return end(r, DH_LOOP_ERROR, st);
    if (st == DH_ERR_TAKEN)
        return wait_back(r, &e, note);
    enum dh_status settled = settle(r, a, &e);
    e.status = st;
    const char *found = finding(st, &why);
    snprintf(note, 256, "%s", found ? found : "");
    e.text = note[0] ? note : NULL;
    tell(r, &e);
    return settled ? end(r, DH_LOOP_ERROR, settled) : true;
}

static bool act_all(struct run *r, struct dh_answer *answer, char *raw)
{
    char note[256] = "";
    struct dh_frame *seen = dh_frame_ref(r->frame);
    bool on = true;
    for (int i = 0; i < answer->n && on && !note[0]; i++) {
        struct dh_action *a = &answer->action[i];
        if (dh_action_is_final(a))
            on = finish_with(r, a);
        else if (is_stuck(r, a))
            on = end(r, DH_LOOP_STUCK, DH_OK);
        else
            on = act(r, a, answer->step, note);
    }
    dh_history_add(&r->history, seen, raw, answer->step, note[0] ? note : NULL);
    dh_frame_unref(seen);
    return on;
}

static bool one_step(struct run *r)
{
    struct dh_answer answer;
    char *raw = NULL;
    if (r->step == r->o.max_steps)
        return end(r, DH_LOOP_LIMIT, DH_OK);
    r->step++;
    if (!think(r, &answer, &raw))
        return false;
    bool on = act_all(r, &answer, raw) && observe(r, "after");
    dh_answer_finish(&answer);
    dh_free(raw);
    if (on && dh_cancel_is_set(r->l->cancel))
        return end(r, DH_LOOP_STOPPED, DH_ERR_CANCELLED);
    return on;
}

static struct dh_loop_options with_defaults(struct dh_loop_options o)
{
    o.max_steps = o.max_steps ? o.max_steps : 30;
    o.quiet_ns = o.quiet_ns ? o.quiet_ns : 120 * DH_MS;
    o.settle_ns = o.settle_ns ? o.settle_ns : 3 * DH_S;
    o.resamples = o.resamples < 0 ? 2 : o.resamples;
    return o;
}

void dh_loop_run(const struct dh_loop *l, const char *task,
                 struct dh_loop_result *out)
{
    struct run r = { .l = l, .o = with_defaults(l->options), .result = out };
    memset(out, 0, sizeof *out);
    dh_history_init(&r.history, task);
    tell_text(&r, DH_EVENT_START, task, DH_OK);
    bool on = begin(&r) && observe(&r, "start");
    while (on)
        on = one_step(&r);
    // Whatever ended the run, nothing stays pressed.
    dh_sink_release(l->sink);
    out->steps = r.step;
    tell_text(&r, DH_EVENT_END, dh_loop_end_name(out->end), out->status);
    dh_frame_unref(r.frame);
    dh_action_finish(&r.last);
    dh_history_finish(&r.history);
}

void dh_loop_result_finish(struct dh_loop_result *r)
{
    dh_free(r->text);
    memset(r, 0, sizeof *r);
}
