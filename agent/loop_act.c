#include <stdlib.h>
#include <string.h>

#include "actions/parse.h"
#include "actions/sink.h"
#include "agent/a11y.h"
#include "agent/aim.h"
#include "agent/check.h"
#include "agent/loop_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/source.h"
#include "capture/windows.h"
#include "vision/view.h"
#include "vision/zoom.h"

// How much longer than the quiet time a first change is waited for.
#define LATE_FACTOR 3

// A change that ends a wait is larger than a caret or a spinner.
#define SPOT_SIDE 64

#define NOTE_MAX (64 * 1024)

// The next picture is looked at early where it was still for this part of the
// quiet time, but not again and again where it never rests.
#define CALM_SHARE  4
#define EARLY_LOOKS 3

// What came of one answer so far.
struct deed {
    struct dh_run *r;
    const struct dh_answer *answer;
    struct dh_frame *seen;  // what the answer was made for
    struct dh_buf note;     // lines for the model
    struct dh_frame *extra; // a picture for the model, or NULL
    int executed;
    bool stopped; // the rest is not done
};

struct early {
    struct dh_run *r;
    int looks;
};

static void put_line(struct deed *d, const char *text)
{
    if (text[0])
        dh_buf_printf(&d->note, "%s%s", d->note.len ? "\n" : "", text);
}

static bool finish_with(struct dh_run *r, const struct dh_action *a)
{
    enum dh_loop_end how = a->op == DH_ACTION_DONE   ? DH_LOOP_DONE
                           : a->op == DH_ACTION_FAIL ? DH_LOOP_FAILED
                                                     : DH_LOOP_ANSWERED;
    // Who looks whether it is done finds nothing pressed.
    dh_sink_release(r->l->sink);
    r->result->text = a->text ? dh_strdup(a->text) : NULL;
    return dh_run_end(r, how, DH_OK);
}

static bool unanswered(struct dh_run *r, const char *question)
{
    struct dh_buf text;
    dh_buf_init(&text, 2 * DH_ACTION_TEXT_MAX);
    dh_buf_printf(&text, "nobody answered: %s", question);
    r->result->text = dh_buf_take(&text);
    return dh_run_end(r, DH_LOOP_FAILED, DH_OK);
}

// What follows in the same answer was written without knowing the reply.
static bool ask_person(struct deed *d, const struct dh_action *a)
{
    const struct dh_loop *l = d->r->l;
    const char *question = a->text ? a->text : "";
    char *reply = NULL;
    dh_sink_release(l->sink);
    dh_run_tell_text(d->r, DH_EVENT_NOTE, question, DH_OK);
    if (!l->ask)
        return unanswered(d->r, question);
    enum dh_status st = l->ask(l->ask_user, question, l->cancel, &reply);
    if (st == DH_ERR_CANCELLED)
        return dh_run_end(d->r, DH_LOOP_STOPPED, st);
    if (st)
        return unanswered(d->r, question);
    if (d->note.len)
        dh_buf_putc(&d->note, '\n');
    dh_buf_printf(&d->note, "The user answers: %s", reply);
    dh_free(reply);
    d->executed++;
    d->stopped = true;
    d->r->pointer_known = false;
    return dh_run_settle(d->r);
}

/* --- before --- */

static struct dh_view view_of(const struct dh_run *r)
{
    return (struct dh_view){ r->frame->screen };
}

static enum dh_status aim(struct dh_run *r, struct dh_action *a,
                          struct dh_diag *why)
{
    struct dh_view view = view_of(r);
    // A place that no monitor shows is no matter of policy.
    return dh_aim_action(&view, &r->frame->layout, a, why) ? DH_ERR_RANGE
                                                           : DH_OK;
}

static bool looks_only(const struct dh_action *a)
{
    return a->op == DH_ACTION_ZOOM || a->op == DH_ACTION_CURSOR;
}

// Monitors that came, went or turned since the picture: its points are of
// another screen. The answer is no step then, unless it happens again.
static bool layout_holds(struct deed *d, bool *holds)
{
    struct dh_run *r = d->r;
    struct dh_layout now;
    enum dh_status st = dh_source_layout(r->l->source, &now);
    if (st)
        return dh_run_end(r, DH_LOOP_ERROR, st);
    *holds = dh_layout_equal(&now, &d->seen->layout);
    if (*holds)
        return true;
    const char *text = d->executed
                           ? "the screen's layout changed"
                           : "the screen's layout changed; nothing was done";
    put_line(d, text);
    dh_run_tell_text(r, DH_EVENT_NOTE, text, DH_OK);
    if (!d->executed && !r->discarded) {
        r->step--;
        r->discarded = true;
    }
    d->stopped = true;
    r->fresh = false;
    return true;
}

static bool aims_at_something(const struct dh_action *a)
{
    bool held = a->op == DH_ACTION_MOVE || a->op == DH_ACTION_UP;
    return dh_action_is_pointer(a) && a->has_at && !held;
}

// A later action of an answer was made for what its first one has changed.
static bool is_upset(const struct deed *d, const struct dh_action *a)
{
    struct dh_view view = view_of(d->r);
    if (!d->executed || !aims_at_something(a))
        return false;
    struct dh_point p = a->has_start ? a->start : a->at;
    if (!a->on_screen)
        p = dh_view_to_screen(&view, p);
    return dh_check_is_upset(d->seen, d->r->frame, p);
}

static bool is_stuck(struct deed *d, const struct dh_action *a)
{
    char text[512];
    enum dh_stall_level level =
        dh_stall_add(&d->r->stall, d->r->frame, a, text);
    if (level == DH_STALL_END) {
        d->r->result->text = dh_strdup(text);
        return true;
    }
    put_line(d, text);
    if (level != DH_STALL_NONE)
        dh_run_tell_text(d->r, DH_EVENT_NOTE, text, DH_OK);
    return false;
}

/* --- the act --- */

// start..at, or a third of the screen around at.
static struct dh_rect zoom_area(const struct dh_frame *f,
                                const struct dh_action *a)
{
    struct dh_rect s = f->screen;
    if (a->has_at && a->has_start) {
        int x = DH_MIN(a->start.x, a->at.x), y = DH_MIN(a->start.y, a->at.y);
        return (struct dh_rect){ x, y, abs(a->at.x - a->start.x) + 1,
                                 abs(a->at.y - a->start.y) + 1 };
    }
    if (!a->has_at)
        return s;
    int w = DH_MAX(1, s.w / 3), h = DH_MAX(1, s.h / 3);
    return (struct dh_rect){ DH_CLAMP(a->at.x - w / 2, s.x, s.x + s.w - w),
                             DH_CLAMP(a->at.y - h / 2, s.y, s.y + s.h - h), w,
                             h };
}

static enum dh_status zoom(struct deed *d, const struct dh_action *a,
                           struct dh_diag *why)
{
    struct dh_view view = view_of(d->r);
    struct dh_frame *f;
    enum dh_status st =
        dh_zoom_frame(d->r->frame, zoom_area(d->r->frame, a), &f);
    if (st) {
        dh_diag_set(why, 0, "there is nothing to zoom into");
        return st;
    }
    struct dh_rect s = f->screen;
    struct dh_point to = { s.x + s.w - 1, s.y + s.h - 1 };
    struct dh_point from =
        dh_view_to_model(&view, (struct dh_point){ s.x, s.y });
    to = dh_view_to_model(&view, to);
    if (d->note.len)
        dh_buf_putc(&d->note, '\n');
    dh_buf_printf(&d->note,
                  "the first picture is %d %d to %d %d of the screen; points "
                  "are still of the whole screen",
                  from.x, from.y, to.x, to.y);
    dh_frame_unref(d->extra);
    d->extra = f;
    return DH_OK;
}

static enum dh_status tell_cursor(struct deed *d, struct dh_diag *why)
{
    struct dh_view view = view_of(d->r);
    struct dh_point p;
    enum dh_status st = dh_sink_pointer(d->r->l->sink, &p);
    if (st) {
        dh_diag_set(why, 0, "where the pointer is cannot be told");
        return st;
    }
    p = dh_view_to_model(&view, p);
    if (d->note.len)
        dh_buf_putc(&d->note, '\n');
    dh_buf_printf(&d->note, "the pointer is at %d %d", p.x, p.y);
    return DH_OK;
}

static enum dh_status perform(struct deed *d, const struct dh_action *a,
                              struct dh_diag *why)
{
    enum dh_status st = dh_source_mark(d->r->l->source);
    // The sink is asked for all: a policy may not even let the model look.
    if (!st)
        st = dh_sink_perform(d->r->l->sink, a, d->r->l->cancel, why);
    if (!st && a->op == DH_ACTION_ZOOM)
        st = zoom(d, a, why);
    if (!st && a->op == DH_ACTION_CURSOR)
        st = tell_cursor(d, why);
    return st;
}

// What cannot be done is told to the model; a lost server ends the run.
static bool is_fatal(enum dh_status st)
{
    return st == DH_ERR_CLOSED || st == DH_ERR_CANCELLED || st == DH_ERR_IO;
}

/* --- after --- */

static bool ends_wait(const struct dh_settle_result *s)
{
    return s->changed && s->settled &&
           (s->damage.w > SPOT_SIDE || s->damage.h > SPOT_SIDE);
}

static enum dh_status settle_more(struct dh_run *r, const struct dh_settle *how,
                                  struct dh_settle_result *all)
{
    struct dh_settle_result part = { 0 };
    enum dh_status st =
        dh_source_settle(r->l->source, how, r->l->cancel, &part);
    if (st)
        return st;
    all->waited_ns += part.waited_ns;
    all->settled = part.settled;
    all->changed = all->changed || part.changed;
    all->damage = dh_rect_union(all->damage, part.damage);
    return DH_OK;
}

// As long as it says, or until what is waited for has come and is still.
static enum dh_status wait_for(struct dh_run *r, const struct dh_action *a,
                               struct dh_settle_result *found)
{
    int64_t ns = DH_MAX(r->o.quiet_ns, a->duration_ms * DH_MS);
    int64_t until = dh_now_ns() + ns;
    enum dh_status st = DH_OK;
    for (int64_t left = ns; !st && left > 0; left = until - dh_now_ns()) {
        // In pieces, so that a person who takes the desktop need not wait.
        struct dh_settle how = { .quiet_ns = DH_MIN(left, r->o.quiet_ns),
                                 .limit_ns = DH_MIN(left, DH_S) };
        if (r->o.wait_exact)
            how.quiet_ns = how.limit_ns;
        st = settle_more(r, &how, found);
        bool over = (ends_wait(found) && !r->o.wait_exact) ||
                    dh_cancel_is_set(r->l->taken);
        // A source that cannot tell does not wait either.
        if (over || !r->l->source->ops->settle)
            break;
    }
    return st;
}

// It is looked at before it is certain to stay as it is: mostly it does.
static void look_early(void *user)
{
    struct early *e = user;
    struct dh_policy *p = e->r->l->policy;
    struct dh_frame *frame;
    if (e->looks++ < EARLY_LOOKS && !dh_source_grab(e->r->l->source, &frame)) {
        p->ops->look(p, frame);
        dh_frame_unref(frame);
    }
}

// Wait until the screen is quiet again.
static enum dh_status settle(struct dh_run *r, const struct dh_action *a,
                             bool last, struct dh_settle_result *found)
{
    struct early early = { .r = r };
    struct dh_settle how = { .quiet_ns = r->o.quiet_ns,
                             .limit_ns = r->o.settle_ns,
                             .calm_ns = r->o.quiet_ns / CALM_SHARE };
    // Another action of the same answer would only be in its way.
    if (last && r->l->policy->ops->look) {
        how.calm = look_early;
        how.user = &early;
    }
    if (a->op == DH_ACTION_WAIT)
        return wait_for(r, a, found);
    if (looks_only(a))
        return DH_OK;
    enum dh_status st = settle_more(r, &how, found);
    // Some programs take longer than a quiet moment to begin: what has not
    // changed yet is given a second look.
    if (!st && !found->changed) {
        how.quiet_ns *= LATE_FACTOR;
        st = settle_more(r, &how, found);
    }
    return st;
}

static void remember_pointer(struct dh_run *r, const struct dh_action *a)
{
    if (!dh_action_is_pointer(a) || !a->has_at)
        return;
    r->pointer = a->at;
    r->pointer_known = true;
}

static bool pointer_stays(const struct dh_run *r, const struct dh_action *a)
{
    return r->pointer_known && a->has_at && r->pointer.x == a->at.x &&
           r->pointer.y == a->at.y;
}

static const struct dh_a11y_node *
field_of(struct dh_run *r, const struct dh_action *a, struct dh_a11y_node *node)
{
    bool asks = a->op == DH_ACTION_TYPE && r->l->a11y;
    return asks && dh_a11y_focused(r->l->a11y, 0, node) ? node : NULL;
}

static const struct dh_window_list *windows_of(const struct dh_run *r,
                                               const struct dh_action *a,
                                               struct dh_window_list *list)
{
    bool asks = r->l->windows && !looks_only(a);
    return asks && !dh_windows_list(r->l->windows, list) ? list : NULL;
}

// Tells what came of the action; e has its times. False: the run has ended.
static bool conclude(struct deed *d, struct dh_check *c, struct dh_event *e)
{
    struct dh_run *r = d->r;
    struct dh_check_result found = { 0 };
    struct dh_frame *after = NULL;
    bool last = c->action == &d->answer->action[d->answer->n - 1];
    enum dh_status settled = settle(r, c->action, last, &c->seen);
    bool on = settled ? dh_run_end(r, DH_LOOP_ERROR, settled)
                      : dh_run_grab(r, &after);
    struct dh_a11y_node field;
    struct dh_window_list windows;
    c->field_after = c->field_before ? field_of(r, c->action, &field) : NULL;
    c->windows_after =
        c->windows_before ? windows_of(r, c->action, &windows) : NULL;
    c->before = r->frame;
    c->after = after;
    c->told = r->l->source->ops->settle != NULL;
    c->pointer_stayed = pointer_stays(r, c->action);
    if (on)
        dh_check_action(c, &found);
    e->kind = DH_EVENT_DONE;
    e->times.settle = c->seen.waited_ns;
    e->status = c->status;
    e->changed = found.changed;
    e->text = found.text[0] ? found.text : NULL;
    dh_run_tell(r, e);
    if (!on)
        return false;
    put_line(d, found.text);
    dh_stall_changed(&r->stall, found.changed);
    remember_pointer(r, c->action);
    dh_run_show(r, after, "after");
    return true;
}

// A person took the desktop. The model is told and sees it as it was handed
// back; where nothing was done yet, no step is spent.
static bool yield(struct deed *d, struct dh_event *e)
{
    static const char taken[] = "user took over";
    struct dh_run *r = d->r;
    char text[sizeof taken];
    memcpy(text, taken, sizeof taken);
    e->kind = DH_EVENT_DONE;
    e->status = DH_ERR_TAKEN;
    e->text = text;
    dh_run_tell(r, e);
    put_line(d, taken);
    char *told;
    if (!dh_run_yield(r, &told))
        return false;
    if (told)
        put_line(d, told);
    dh_free(told);
    r->step -= !d->executed;
    r->fresh = false;
    d->stopped = true;
    return dh_run_settle(r);
}

static bool act(struct deed *d, struct dh_action *a)
{
    struct dh_run *r = d->r;
    struct dh_diag why = { 0 };
    struct dh_event e = { .kind = DH_EVENT_ACT };
    struct dh_a11y_node before;
    struct dh_window_list windows;
    struct dh_check check = { .action = a,
                              .why = &why,
                              .field_before = field_of(r, a, &before),
                              .windows_before = windows_of(r, a, &windows) };
    enum dh_status st = aim(r, a, &why);
    e.step_text = dh_strdup(d->answer->step);
    e.action = *a;
    dh_run_tell(r, &e);
    dh_free(e.step_text);
    memset(&e, 0, sizeof e);
    int64_t start = dh_now_ns();
    if (!st)
        st = perform(d, a, &why);
    e.times.act = dh_now_ns() - start;
    if (is_fatal(st))
        return dh_run_end(r, DH_LOOP_ERROR, st);
    if (st == DH_ERR_TAKEN)
        return yield(d, &e);
    check.status = st;
    d->executed += !st;
    d->stopped = st != DH_OK;
    r->discarded = false;
    return conclude(d, &check, &e);
}

/* --- the answer --- */

static bool one_action(struct deed *d, struct dh_action *a)
{
    bool holds;
    if (dh_action_is_final(a))
        return finish_with(d->r, a);
    if (a->op == DH_ACTION_ASK)
        return ask_person(d, a);
    if (!layout_holds(d, &holds))
        return false;
    if (!holds)
        return true;
    if (is_upset(d, a)) {
        put_line(d, "the screen is another one now; look before you point");
        d->stopped = true;
        return true;
    }
    if (is_stuck(d, a))
        return dh_run_end(d->r, DH_LOOP_STUCK, DH_OK);
    return act(d, a);
}

// "1 left_click: executed; 2 type: not executed": what was typed is left out.
static void report_rest(struct deed *d)
{
    const struct dh_answer *answer = d->answer;
    if (answer->n < 2 || d->executed == answer->n)
        return;
    if (d->note.len)
        dh_buf_putc(&d->note, '\n');
    for (int i = 0; i < answer->n; i++)
        dh_buf_printf(&d->note, "%s%d %s: %s", i ? "; " : "", i + 1,
                      dh_action_name(&answer->action[i]),
                      i < d->executed ? "executed" : "not executed");
}

bool dh_run_act(struct dh_run *r, struct dh_answer *answer,
                const struct dh_decision *decision)
{
    struct deed d = { .r = r, .answer = answer };
    bool on = true;
    dh_buf_init(&d.note, NOTE_MAX);
    d.seen = dh_frame_ref(r->frame);
    for (int i = 0; i < answer->n && on && !d.stopped; i++)
        on = one_action(&d, &answer->action[i]);
    report_rest(&d);
    dh_history_add(&r->history, d.seen, decision->text, answer->step,
                   d.note.len ? dh_buf_text(&d.note) : NULL);
    dh_history_set_wire(&r->history, decision->wire);
    if (d.extra)
        dh_history_show(&r->history, d.extra);
    dh_frame_unref(d.seen);
    dh_frame_unref(d.extra);
    dh_buf_finish(&d.note);
    return on;
}
