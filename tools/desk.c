#include "tools/desk.h"

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "agent/a11y.h"
#include "agent/audit.h"
#include "agent/demo.h"
#include "agent/event.h"
#include "agent/hand.h"
#include "agent/record.h"
#include "agent/reduce.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/input_record.h"
#include "capture/input_tap.h"
#include "capture/sign.h"
#include "capture/source.h"
#include "capture/windows.h"
#include "tools/app.h"
#include "tools/control.h"

#define DH_LOG_TAG "desk"
#include "base/log.h"

#define MEMBER(m) offsetof(struct dh_desk_options, m)

static const char *const modes[] = { "observe", "watch", "guard", "free",
                                     NULL };

const struct dh_opt dh_desk_opts[] = {
    { "mode", 0, DH_OPT_ENUM, MEMBER(mode), "MODE",
      "What is asked first: observe does nothing but look, watch asks before "
      "keys and text, guard (the default) before what is risky (Return in a "
      "terminal, sudo, closing a window, passwords), free never asks; what "
      "leaves the desktop is refused in all",
      0, 0, modes },
    { "allow", 0, DH_OPT_LIST, MEMBER(allow), "RULE",
      "Act only there: window:TITLE PART, program:NAME or region:WxH+X+Y; may "
      "be given more than once",
      0, 0, NULL },
    { "deny", 0, DH_OPT_LIST, MEMBER(deny), "RULE",
      "Never act there; rules as for --allow, and stronger", 0, 0, NULL },
    { "stop-key", 0, DH_OPT_TEXT, MEMBER(stop_key), "KEY",
      "Key that stops the run from any window (default: Pause)", 0, 0, NULL },
    { "resume-key", 0, DH_OPT_TEXT, MEMBER(resume_key), "KEY",
      "Key that takes the desktop, as your mouse or any key does, and hands it "
      "back (default: Scroll_Lock; Enter in the terminal hands back, too)",
      0, 0, NULL },
    { "resume-after", 0, DH_OPT_DOUBLE, MEMBER(resume_after), "S",
      "Hand back by itself after so many seconds without input (default: 0, "
      "never)",
      0, 86400, NULL },
    { "max-rate", 0, DH_OPT_INT, MEMBER(max_rate), "N",
      "Actions in a minute; more are held back (default: 240, 0: any number)",
      0, 100000, NULL },
    { "sign", 0, DH_OPT_BOOL, MEMBER(sign), NULL,
      "Show on the screen who has the desktop (the default; --no-sign does "
      "not)",
      0, 0, NULL },
    { "audit", 0, DH_OPT_TEXT, MEMBER(audit), "FILE",
      "Log of all actions and of who allowed them (default: "
      "$XDG_STATE_HOME/deskhand/audit.jsonl)",
      0, 0, NULL },
    { 0 },
};

// A title may hold anything; it is to be one line, and obeyed by no terminal.
static void print_part(const char *before, const char *text)
{
    char *line = dh_strdup(text);
    for (char *p = line; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    fputs(before, stderr);
    dh_app_print(stderr, line);
    dh_free(line);
}

static void print_question(const struct dh_trust_question *q)
{
    struct dh_buf action;
    dh_buf_init(&action, 1 << 20);
    dh_action_text(q->action, &action);
    print_part("\ndeskhand wants to: ", dh_buf_text(&action));
    print_part("\n        in window: ", q->title[0] ? q->title : "(none)");
    if (q->program[0])
        print_part(" of ", q->program);
    print_part("\n        because asking is due: ",
               q->why[0] ? q->why : "the mode asks first");
    fputs("\nAllow it? [y/N] ", stderr);
    fflush(stderr);
    dh_buf_finish(&action);
}

// A line of standard input is there.
static bool has_line(int ms)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    return poll(&p, 1, ms) > 0 && p.revents;
}

// What a person did before they took the desktop is not ours to know.
static void drop_input(struct dh_desk *d)
{
    struct dh_input_event e;
    while (d->input && dh_input_record_take(d->input, &e, 0) == DH_OK)
        ;
    explicit_bzero(&e, sizeof e);
}

static bool read_yes(struct dh_cancel *cancel)
{
    char line[64];
    while (!has_line(50))
        if (dh_cancel_is_set(cancel))
            return false;
    ssize_t n = read(STDIN_FILENO, line, sizeof line);
    return n > 0 && (line[0] == 'y' || line[0] == 'Y');
}

static enum dh_trust_answer ask(void *user, const struct dh_trust_question *q,
                                struct dh_cancel *cancel)
{
    struct dh_desk *d = user;
    if (!d->asks)
        return DH_TRUST_NOBODY;
    // The answer comes from the person's keyboard, and takes nothing.
    if (d->tap)
        dh_input_tap_watch(d->tap, false);
    dh_sign_show(d->sign, DH_SIGN_ASKS);
    // What was typed before the question is no answer to it.
    tcflush(STDIN_FILENO, TCIFLUSH);
    print_question(q);
    bool yes = read_yes(cancel);
    dh_sign_show(d->sign, DH_SIGN_AGENT);
    if (d->tap)
        dh_input_tap_watch(d->tap, true);
    drop_input(d);
    // The sign, and what the person moved, are no effect of the action.
    if (dh_source_mark(d->source))
        return DH_TRUST_NO; // the next look will say why
    return yes ? DH_TRUST_YES : DH_TRUST_NO;
}

// On the tap's thread.
static void on_taken(void *user, bool taken)
{
    struct dh_desk *d = user;
    struct dh_control *control = d->control;
    if (control)
        dh_control_tell(control, taken);
    dh_sign_show(d->sign, taken ? DH_SIGN_PERSON : DH_SIGN_AGENT);
}

static enum dh_status note(struct dh_desk *d, const char *event,
                           const char *text)
{
    return d->audit ? dh_audit_note(d->audit, event, text) : DH_OK;
}

static void hear_terminal(struct dh_desk *d)
{
    char line[256];
    if (d->asks && has_line(0) && read(STDIN_FILENO, line, sizeof line) >= 0)
        dh_input_tap_hand_back(d->tap);
}

static bool is_back(void *user)
{
    struct dh_desk *d = user;
    hear_terminal(d);
    return !dh_input_tap_is_taken(d->tap);
}

static void on_step(void *user, const struct dh_demo_step *s)
{
    struct dh_desk *d = user;
    dh_hand_add(d->did, &s->what->action);
    dh_recorder_by_hand(d->recorder, &s->what->action, s->before);
}

static void watch_hands(struct dh_desk *d, struct dh_cancel *cancel)
{
    struct dh_demo_result result;
    struct dh_demo_options o = { .display = d->display,
                                 .into = dh_recorder_lend(d->recorder),
                                 .input = d->input,
                                 .screen = d->screen,
                                 .a11y = d->a11y,
                                 .over = is_back,
                                 .step = on_step,
                                 .user = d };
    if (dh_demo_run(&o, cancel, &result) == DH_OK)
        d->did->known = !result.dropped && result.end != DH_DEMO_FAILED;
}

bool dh_desk_wait_back(void *user, struct dh_cancel *cancel,
                       struct dh_hand *did)
{
    struct dh_desk *d = user;
    if (note(d, "taken", NULL))
        dh_warn("the audit log does not say that a person took over");
    if (d->asks)
        fprintf(stderr,
                "You have the desktop. %s or Enter here hands it "
                "back.\n",
                d->resume_key);
    if (d->asks)
        tcflush(STDIN_FILENO, TCIFLUSH);
    d->did = did;
    if (d->tap && d->input && d->recorder)
        watch_hands(d, cancel);
    while (d->tap && !dh_input_tap_wait(d->tap, 50 * DH_MS)) {
        if (dh_cancel_is_set(cancel))
            return false;
        hear_terminal(d);
    }
    if (note(d, "back", NULL))
        dh_warn("the audit log does not say that the desktop was handed back");
    return !dh_cancel_is_set(cancel);
}

static enum dh_status read_rules(const char *option,
                                 const struct dh_opt_list *list,
                                 struct dh_trust_rule **out)
{
    dh_array(*out, (size_t)list->n);
    for (int i = 0; i < list->n; i++) {
        if (dh_trust_rule_parse(list->item[i], &(*out)[i]))
            continue;
        dh_error("--%s=%s: window:TITLE PART, program:NAME or region:WxH+X+Y "
                 "is expected",
                 option, list->item[i]);
        return DH_ERR_USAGE;
    }
    return DH_OK;
}

static enum dh_status open_tap(struct dh_desk *d,
                               const struct dh_desk_options *o,
                               const char *display)
{
    struct dh_input_tap_options t = {
        .display = display,
        .stop_key = o->stop_key,
        .resume_key = o->resume_key,
        .resume_after_ns = (int64_t)(o->resume_after * (double)DH_S),
        .taken = &d->taken,
        .stop = d->cancel,
        .changed = on_taken,
        .user = d,
    };
    enum dh_status st = dh_input_tap_create(&d->tap, &t);
    return st == DH_ERR_UNSUPPORTED ? DH_OK : st;
}

static enum dh_status open_sign(struct dh_desk *d,
                                const struct dh_desk_options *o,
                                const char *display)
{
    char hint[64];
    if (!o->sign)
        return DH_OK;
    snprintf(hint, sizeof hint, "%.40s stops", o->stop_key);
    enum dh_status st = dh_sign_create(&d->sign, display, hint, DH_SIGN_AGENT);
    return st == DH_ERR_UNSUPPORTED ? DH_OK : st;
}

// Before any thread, since it makes a process.
static void open_a11y(struct dh_desk *d)
{
    if (dh_app_has_bus() && dh_a11y_create(&d->a11y))
        dh_warn("what programs say of their widgets is not known");
}

static enum dh_status open_parts(struct dh_desk *d,
                                 const struct dh_desk_options *o,
                                 const char *display, const char *audit)
{
    enum dh_status st = read_rules("allow", &o->allow, &d->allow);
    if (!st)
        st = read_rules("deny", &o->deny, &d->deny);
    if (!st)
        st = dh_audit_open(&d->audit, o->audit ? o->audit : audit);
    if (!st)
        st = dh_windows_create(&d->windows, display);
    if (!st)
        open_a11y(d);
    if (!st)
        st = open_sign(d, o, display);
    if (!st)
        st = open_tap(d, o, display);
    return st ? st : note(d, "start", modes[o->mode]);
}

enum dh_status dh_desk_open(struct dh_desk *d, const struct dh_desk_options *o,
                            const char *display, const char *audit,
                            struct dh_source *source, struct dh_cancel *cancel,
                            struct dh_sink **sink)
{
    d->cancel = cancel;
    d->source = source;
    d->resume_key = o->resume_key;
    d->stop_key = o->stop_key;
    d->display = display;
    d->asks = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    enum dh_status st = open_parts(d, o, display, audit);
    if (st)
        return st;
    struct dh_trust_options t = { .mode = (enum dh_trust_mode)o->mode,
                                  .allow = d->allow,
                                  .n_allow = o->allow.n,
                                  .deny = d->deny,
                                  .n_deny = o->deny.n,
                                  .max_rate = o->max_rate,
                                  .windows = d->windows,
                                  .a11y = d->a11y,
                                  .audit = d->audit,
                                  .taken = &d->taken,
                                  .ask = ask,
                                  .user = d };
    *sink = dh_trust_create(*sink, &t);
    return DH_OK;
}

static void take(void *user)
{
    struct dh_desk *d = user;
    dh_input_tap_take(d->tap);
}

static void hand_back(void *user)
{
    struct dh_desk *d = user;
    dh_input_tap_hand_back(d->tap);
}

void dh_desk_record(struct dh_desk *d, struct dh_recorder *recorder,
                    const char *dir, const struct dh_screen_options *screen,
                    const char *runtime)
{
    static const struct dh_control_ops ops = { take, hand_back };
    struct dh_input_record_options o = { .display = d->display,
                                         .stop_key = d->stop_key,
                                         .pause_key = d->resume_key };
    if (!d->tap)
        return;
    d->recorder = recorder;
    d->screen = screen;
    if (!d->input && dh_input_record_create(&d->input, &o))
        dh_warn("what you do by hand is not recorded");
    struct dh_control *control = NULL;
    if (runtime && dh_control_create(&control, runtime, dir, &ops, d))
        dh_warn("view cannot take the desktop or hand it back");
    d->control = control;
    if (control)
        dh_control_tell(control, dh_input_tap_is_taken(d->tap));
}

// Before the source is marked: the sign is no effect of the action.
void dh_desk_event(void *user, const struct dh_event *e)
{
    struct dh_desk *d = user;
    if (!dh_cancel_is_set(&d->taken))
        drop_input(d);
    if (e->kind == DH_EVENT_ACT)
        dh_sign_raise(d->sign);
}

void dh_desk_rest(struct dh_desk *d)
{
    dh_sign_show(d->sign, DH_SIGN_STOPPED);
}

void dh_desk_close(struct dh_desk *d)
{
    // It uses the tap, whose thread tells it and draws the sign.
    dh_control_close(d->control);
    dh_input_tap_destroy(d->tap);
    dh_control_destroy(d->control);
    dh_input_record_destroy(d->input);
    dh_sign_destroy(d->sign);
    dh_a11y_destroy(d->a11y);
    dh_windows_destroy(d->windows);
    if (d->audit && dh_audit_note(d->audit, "end", NULL))
        dh_warn("the audit log does not say that the run has ended");
    dh_audit_close(d->audit);
    dh_free(d->allow);
    dh_free(d->deny);
}
