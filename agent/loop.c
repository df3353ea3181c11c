#include "agent/loop.h"

#include <ctype.h>
#include <string.h>

#include "actions/parse.h"
#include "actions/sink.h"
#include "agent/hand.h"
#include "agent/loop_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/source.h"
#include "vision/view.h"

const char *dh_loop_end_name(enum dh_loop_end e)
{
    static const char *const names[] = { "done",   "failed",   "answered",
                                         "limit",  "nonsense", "stuck",
                                         "budget", "stopped",  "error" };
    return (unsigned)e < DH_COUNTOF(names) ? names[e] : "?";
}

void dh_run_tell(struct dh_run *r, struct dh_event *e)
{
    e->time_ns = dh_now_ns();
    e->step = r->step;
    for (size_t i = 0; i < DH_COUNTOF(r->l->watch) && r->l->watch[i]; i++)
        r->l->watch[i](r->l->watch_user[i], e);
}

void dh_run_tell_text(struct dh_run *r, enum dh_event_kind kind,
                      const char *text, enum dh_status status)
{
    struct dh_event e = { .kind = kind, .status = status };
    char *copy = text ? dh_strdup(text) : NULL;
    e.text = copy;
    dh_run_tell(r, &e);
    dh_free(copy);
}

bool dh_run_end(struct dh_run *r, enum dh_loop_end how, enum dh_status status)
{
    r->result->end = status == DH_ERR_CANCELLED ? DH_LOOP_STOPPED : how;
    r->result->status = status;
    return false;
}

bool dh_run_grab(struct dh_run *r, struct dh_frame **out)
{
    int64_t start = dh_now_ns();
    enum dh_status st = dh_source_grab(r->l->source, out);
    r->grab_ns = dh_now_ns() - start;
    return st ? dh_run_end(r, DH_LOOP_ERROR, st) : true;
}

void dh_run_show(struct dh_run *r, struct dh_frame *frame, const char *why)
{
    struct dh_event e = { .kind = DH_EVENT_FRAME, .frame = frame, .why = why };
    dh_frame_unref(r->frame);
    r->frame = frame;
    r->fresh = true;
    dh_run_tell(r, &e);
}

static bool observe(struct dh_run *r, const char *why)
{
    struct dh_frame *frame;
    if (!dh_run_grab(r, &frame))
        return false;
    dh_run_show(r, frame, why);
    return true;
}

// A desktop that is just starting up is no first picture.
bool dh_run_settle(struct dh_run *r)
{
    struct dh_settle how = { .quiet_ns = r->o.quiet_ns,
                             .limit_ns = r->o.settle_ns };
    struct dh_settle_result found;
    enum dh_status st = dh_source_mark(r->l->source);
    if (!st)
        st = dh_source_settle(r->l->source, &how, r->l->cancel, &found);
    return st ? dh_run_end(r, DH_LOOP_ERROR, st) : true;
}

// What the model says once it has thought.
static struct dh_str said(const char *text)
{
    static const char end[] = "think>";
    struct dh_str s = dh_str_of(text);
    for (ptrdiff_t at; (at = dh_str_find(s, end, 0)) >= 0;)
        s = dh_str_sub(s, (size_t)at + sizeof end - 1, s.n);
    return dh_str_trim(s);
}

// A line such as click(...) is meant as a call, whatever it is worth.
static bool line_is_call(struct dh_str s, size_t at)
{
    size_t from = at;
    while (at < s.n && (isalnum((unsigned char)s.p[at]) || s.p[at] == '_' ||
                        s.p[at] == '.'))
        at++;
    return at > from && at < s.n && s.p[at] == '(';
}

// Words for a person and nothing that was meant as an action.
static bool is_prose(struct dh_str s)
{
    static const char *const signs[] = { "{", "<", "```", "Action:" };
    for (size_t i = 0; i < DH_COUNTOF(signs); i++)
        if (dh_str_find(s, signs[i], 0) >= 0)
            return false;
    for (size_t i = 0; i < s.n; i++)
        if ((i == 0 || s.p[i - 1] == '\n') && line_is_call(s, i))
            return false;
    return s.n > 0;
}

// What has been used up, or NULL.
static const char *spent(const struct dh_run *r)
{
    const struct dh_usage *u = &r->result->usage;
    int64_t tokens = (int64_t)u->prompt_tokens + u->answer_tokens;
    if (r->o.max_cost > 0 && u->cost >= r->o.max_cost)
        return "the money for this run is spent";
    if (r->o.max_tokens > 0 && tokens >= r->o.max_tokens)
        return "the tokens for this run are spent";
    if (r->o.max_ns > 0 && dh_now_ns() - r->start_ns >= r->o.max_ns)
        return "the time for this run is over";
    return NULL;
}

// Some servers put a call among the reasoning and leave the answer empty.
static enum dh_status read_answer(struct dh_run *r, const struct dh_decision *d,
                                  struct dh_answer *out, struct dh_diag *diag)
{
    struct dh_policy *p = r->l->policy;
    struct dh_parse_options how = { 0 };
    if (p->ops->parse_options)
        p->ops->parse_options(p, r->frame, &how);
    if (d->reasoning && !dh_str_trim(dh_str_of(d->text)).n)
        return dh_answer_parse_reasoning(&how, d->reasoning,
                                         strlen(d->reasoning), out, diag);
    return dh_answer_parse_with(&how, d->text, strlen(d->text), out, diag);
}

static bool ask_once(struct dh_run *r, int attempt, const char *why,
                     struct dh_decision *d)
{
    struct dh_policy *p = r->l->policy;
    const char *over = spent(r);
    if (over) {
        // A step without a question is none.
        r->step -= attempt == 0;
        r->result->text = dh_strdup(over);
        return dh_run_end(r, DH_LOOP_BUDGET, DH_OK);
    }
    memset(d, 0, sizeof *d);
    enum dh_status st =
        p->ops->decide(p, &r->history, r->frame, attempt, why, d);
    r->taken = st == DH_ERR_CANCELLED && dh_cancel_is_set(r->l->taken) &&
               !dh_cancel_is_set(r->l->cancel);
    if (r->taken)
        return false;
    if (st)
        return dh_run_end(r, DH_LOOP_ERROR, st);
    struct dh_event e = { .kind = DH_EVENT_ANSWER,
                          .text = d->text,
                          .reasoning = d->reasoning,
                          .usage = d->usage,
                          .times = d->times };
    e.times.grab = r->grab_ns;
    dh_usage_add(&r->result->usage, &d->usage);
    dh_run_tell(r, &e);
    return true;
}

// Words alone are asked back once; said again, they are the answer.
static bool hear_prose(struct dh_run *r, const char *raw, int *heard,
                       struct dh_diag *diag)
{
    struct dh_str words = said(raw);
    if (!is_prose(words))
        return true;
    if (++*heard == 2) {
        r->result->text = dh_strndup(words.p, words.n);
        return dh_run_end(r, DH_LOOP_ANSWERED, DH_OK);
    }
    memset(diag, 0, sizeof *diag);
    dh_diag_set(diag, 0,
                "no action found; answer with one action, or with done where "
                "the task is done");
    return true;
}

// Ask until the answer can be read, a few times. Both are set on true.
static bool think(struct dh_run *r, struct dh_answer *answer,
                  struct dh_decision *d)
{
    struct dh_policy *p = r->l->policy;
    struct dh_diag diag = { 0 };
    int heard = 0;
    if (p->ops->prune)
        p->ops->prune(p, &r->history);
    for (int attempt = 0; attempt <= r->o.resamples; attempt++) {
        if (!ask_once(r, attempt, attempt ? diag.text : NULL, d))
            return false;
        memset(&diag, 0, sizeof diag);
        if (!read_answer(r, d, answer, &diag))
            return true;
        dh_answer_finish(answer);
        bool on = hear_prose(r, d->text, &heard, &diag);
        dh_decision_finish(d);
        if (!on)
            return false;
        dh_run_tell_text(r, DH_EVENT_NOTE, diag.text, DH_ERR_FORMAT);
        if (dh_cancel_is_set(r->l->cancel))
            return dh_run_end(r, DH_LOOP_STOPPED, DH_ERR_CANCELLED);
    }
    r->result->text = dh_strdup(diag.text);
    return dh_run_end(r, DH_LOOP_NONSENSE, DH_ERR_FORMAT);
}

bool dh_run_yield(struct dh_run *r, char **told)
{
    struct dh_hand did = { 0 };
    struct dh_buf text;
    *told = NULL;
    dh_sink_release(r->l->sink);
    dh_run_tell_text(r, DH_EVENT_NOTE,
                     "a person has the desktop; waiting for it back",
                     DH_ERR_TAKEN);
    if (!r->l->wait_back)
        return dh_run_end(r, DH_LOOP_ERROR, DH_ERR_TAKEN);
    bool back = r->l->wait_back(r->l->wait_user, r->l->cancel, &did);
    struct dh_view view = { r->frame->screen };
    dh_buf_init(&text, 1 << 16);
    dh_hand_text(&did, &view, &text);
    dh_run_tell_text(r, DH_EVENT_NOTE, dh_buf_text(&text), DH_OK);
    bool acted = !did.known || did.n;
    *told = back && acted ? dh_buf_take(&text) : NULL;
    dh_hand_finish(&did);
    dh_buf_finish(&text);
    if (!back)
        return dh_run_end(r, DH_LOOP_STOPPED, DH_ERR_CANCELLED);
    dh_run_tell_text(r, DH_EVENT_NOTE, "the desktop was handed back", DH_OK);
    dh_stall_changed(&r->stall, true);
    r->pointer_known = false;
    return true;
}

// What was thought so far was about another screen; it was no step.
static bool yield_question(struct dh_run *r)
{
    char *told;
    if (!dh_run_yield(r, &told))
        return false;
    if (told) {
        dh_history_by_hand(&r->history, "user took over");
        dh_history_by_hand(&r->history, told);
    }
    dh_free(told);
    r->step--;
    return dh_run_settle(r) && observe(r, "after");
}

static bool one_step(struct dh_run *r)
{
    struct dh_answer answer;
    struct dh_decision d;
    if (r->step == r->o.max_steps)
        return dh_run_end(r, DH_LOOP_LIMIT, DH_OK);
    r->step++;
    if (!think(r, &answer, &d))
        return r->taken && yield_question(r);
    r->fresh = false;
    bool on = dh_run_act(r, &answer, &d) && (r->fresh || observe(r, "after"));
    dh_answer_finish(&answer);
    dh_decision_finish(&d);
    if (on && dh_cancel_is_set(r->l->cancel))
        return dh_run_end(r, DH_LOOP_STOPPED, DH_ERR_CANCELLED);
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
    struct dh_run r = { .l = l, .o = with_defaults(l->options), .result = out };
    memset(out, 0, sizeof *out);
    r.start_ns = dh_now_ns();
    dh_history_init(&r.history, task);
    dh_run_tell_text(&r, DH_EVENT_START, task, DH_OK);
    bool on = dh_run_settle(&r) && observe(&r, "start");
    while (on)
        on = one_step(&r);
    // Whatever ended the run, nothing stays pressed.
    dh_sink_release(l->sink);
    out->steps = r.step;
    dh_run_tell_text(&r, DH_EVENT_END, dh_loop_end_name(out->end), out->status);
    dh_frame_unref(r.frame);
    dh_stall_finish(&r.stall);
    dh_history_finish(&r.history);
}

void dh_loop_result_finish(struct dh_loop_result *r)
{
    dh_free(r->text);
    memset(r, 0, sizeof *r);
}
