#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/a11y.h"
#include "agent/demo.h"
#include "agent/reduce.h"
#include "agent/target.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "capture/sign.h"
#include "tools/app.h"

#define DH_LOG_TAG "record"
#include "base/log.h"

struct record_options {
    const char *display, *task, *stop_key, *pause_key;
    struct dh_opt_list exclude;
    double max_minutes;
    bool video, tidy, sign, include_xtest, clipboard;
};

#define MEMBER(m) offsetof(struct record_options, m)

static const struct dh_opt record_opts[] = {
    { "display", 'd', DH_OPT_TEXT, MEMBER(display), ":N",
      "X display to record (default: $DISPLAY)", 0, 0, NULL },
    { "task", 0, DH_OPT_TEXT, MEMBER(task), "TEXT",
      "What is shown, in words, as one would ask for it", 0, 0, NULL },
    { "video", 0, DH_OPT_BOOL, MEMBER(video), NULL,
      "Also make a video of the screen, ten pictures a second at most", 0, 0,
      NULL },
    { "tidy", 0, DH_OPT_BOOL, MEMBER(tidy), NULL,
      "Leave out of a text what BackSpace took back", 0, 0, NULL },
    { "exclude", 0, DH_OPT_LIST, MEMBER(exclude), "PART",
      "Paint over windows whose title or class has this in it, and write down "
      "nothing that is typed there; may be given more than once",
      0, 0, NULL },
    { "clipboard", 0, DH_OPT_BOOL, MEMBER(clipboard), NULL,
      "Also write down what is copied to the clipboard, which may be a "
      "password",
      0, 0, NULL },
    { "max-minutes", 0, DH_OPT_DOUBLE, MEMBER(max_minutes), "N",
      "Stop after so long (default: 120)", 0.01, 10000, NULL },
    { "stop-key", 0, DH_OPT_TEXT, MEMBER(stop_key), "KEYS",
      "Keys that end the recording from any window (default: "
      "Ctrl+Alt+Shift+Escape)",
      0, 0, NULL },
    { "pause-key", 0, DH_OPT_TEXT, MEMBER(pause_key), "KEYS",
      "Keys that pause it and let it go on (default: Ctrl+Alt+Shift+P)", 0, 0,
      NULL },
    { "sign", 0, DH_OPT_BOOL, MEMBER(sign), NULL,
      "Show on the screen that it is recorded (the default; --no-sign does "
      "not)",
      0, 0, NULL },
    { "include-xtest", 0, DH_OPT_BOOL, MEMBER(include_xtest), NULL,
      "Also record what programs do through XTest, as remote desktops and "
      "tests do",
      0, 0, NULL },
    { 0 },
};

// ---- what is printed --------------------------------------------------------

static void print_field(const char *before, const char *text, const char *after)
{
    fputs(before, stdout);
    dh_app_print(stdout, text);
    fputs(after, stdout);
}

static void print_place(const struct dh_target *t)
{
    const char *name = t->node.name[0] ? t->node.name : t->node.role;
    if (t->has_node && name[0])
        print_field("  on ", name, "");
    if (t->window.id && t->window.title[0])
        print_field("  in ", t->window.title, "");
}

static void print_step(const struct dh_demo_step *s)
{
    printf("%7.1f s  ", (double)s->t_ns / 1e9);
    dh_app_print(stdout, s->text);
    if (s->target)
        print_place(s->target);
    if (s->doubt)
        printf("\n           ! may not be found again: %s", s->doubt);
    putchar('\n');
}

static void print_step_json(const struct dh_demo_step *s)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "event", "act");
    dh_jw_i64(&w, "step", s->number);
    dh_jw_double(&w, "seconds", (double)s->t_ns / 1e9);
    dh_action_json(&s->what->action, &w);
    if (s->what->secret)
        dh_jw_bool(&w, "secret", true);
    if (s->target)
        dh_target_json(s->target, 0, &w);
    if (s->doubt)
        dh_jw_text(&w, "doubt", s->doubt);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static void on_step(void *user, const struct dh_demo_step *s)
{
    const struct dh_app_options *app = user;
    if (app->json)
        print_step_json(s);
    else
        print_step(s);
    fflush(stdout);
}

static void on_paused(void *user, bool paused)
{
    const struct dh_app_options *app = user;
    if (app->json)
        printf("{\"event\":\"%s\"}\n", paused ? "pause" : "resume");
    else
        puts(paused ? "           paused" : "           goes on");
    fflush(stdout);
}

static const char *end_name(enum dh_demo_end end)
{
    static const char *const names[] = { "stopped", "the time is up",
                                         "the X server has gone",
                                         "could not be written" };
    return names[end];
}

// Of this process and its children, which is what a recording costs.
static double cpu_seconds(void)
{
    static const int who[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
    double s = 0;
    for (size_t i = 0; i < DH_COUNTOF(who); i++) {
        struct rusage u;
        if (getrusage(who[i], &u))
            continue;
        s += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec);
        s += (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    }
    return s;
}

static double peak_mib(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) ? 0 : (double)u.ru_maxrss / 1024;
}

static void print_end_json(const struct dh_demo_result *r, const char *dir,
                           double cpu)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 16);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "event", "end");
    dh_jw_text(&w, "reason", end_name(r->end));
    dh_jw_i64(&w, "actions", r->steps);
    dh_jw_i64(&w, "doubts", r->doubts);
    dh_jw_i64(&w, "secrets", r->secrets);
    dh_jw_i64(&w, "pictures", r->pictures);
    dh_jw_i64(&w, "events", r->events);
    dh_jw_i64(&w, "dropped", r->dropped);
    dh_jw_double(&w, "seconds", (double)r->took_ns / 1e9);
    dh_jw_double(&w, "cpu_seconds", cpu);
    dh_jw_double(&w, "peak_mib", peak_mib());
    dh_jw_text(&w, "session", dir);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static void print_end(const struct dh_demo_result *r, const char *dir,
                      double cpu)
{
    double took = (double)r->took_ns / 1e9;
    printf("%s after %.1f s: %d action%s, %d picture%s, %lld events",
           end_name(r->end), took, r->steps, r->steps == 1 ? "" : "s",
           r->pictures, r->pictures == 1 ? "" : "s", (long long)r->events);
    if (r->dropped)
        printf(", %lld lost", (long long)r->dropped);
    printf("\ncost %.2f s of a core (%.1f %%), %.0f MiB at most\n", cpu,
           took > 0 ? 100 * cpu / took : 0, peak_mib());
    if (r->doubts)
        printf("%d place%s may not be found again by look or name\n", r->doubts,
               r->doubts == 1 ? "" : "s");
    if (r->secrets)
        printf("%d secret text%s not written down; whoever plays it again has "
               "to give "
               "%s\n",
               r->secrets, r->secrets == 1 ? " was" : "s were",
               r->secrets == 1 ? "it" : "them");
    printf("session %s\n", dir);
}

// ---- the command ------------------------------------------------------------

static int exit_of(enum dh_demo_end end)
{
    return end == DH_DEMO_STOPPED || end == DH_DEMO_LIMIT ? DH_EXIT_OK
                                                          : DH_EXIT_FAILED;
}

static enum dh_status open_sign(struct dh_sign **out,
                                const struct record_options *o)
{
    char hint[64];
    if (!o->sign)
        return DH_OK;
    snprintf(hint, sizeof hint, "%.40s stops", o->stop_key);
    enum dh_status st = dh_sign_create(out, o->display, hint, DH_SIGN_RECORDS);
    return st == DH_ERR_UNSUPPORTED ? DH_OK : st;
}

static int record(const struct record_options *o, struct dh_app_options *app,
                  const char *dir)
{
    struct dh_sign *sign = NULL;
    struct dh_demo_result result;
    struct dh_demo_options demo = {
        .dir = dir,
        .task = o->task,
        .display = o->display,
        .locale = dh_app_locale(),
        .desktop = getenv("XDG_CURRENT_DESKTOP"),
        .stop_key = o->stop_key,
        .pause_key = o->pause_key,
        .exclude = o->exclude.item,
        .n_exclude = o->exclude.n,
        .video = o->video,
        .tidy = o->tidy,
        .include_xtest = o->include_xtest,
        .clipboard = o->clipboard,
        .limit_ns = (int64_t)(o->max_minutes * 60 * (double)DH_S),
        .step = on_step,
        .paused = on_paused,
        .user = app,
    };
    // Before any thread, since it makes a process.
    if (!dh_app_has_bus() || dh_a11y_create(&demo.a11y))
        dh_warn("there is no accessibility bus, so widgets have no names, and "
                "password fields look like any other: exclude their windows");
    enum dh_status st = open_sign(&sign, o);
    demo.sign = sign;
    if (!st && !app->json)
        printf("recording; %s or Ctrl-C here ends it, %s pauses it\n",
               o->stop_key, o->pause_key);
    fflush(stdout);
    if (!st)
        st = dh_demo_run(&demo, dh_app_cancel(), &result);
    dh_sign_destroy(sign);
    dh_a11y_destroy(demo.a11y);
    if (st)
        return dh_app_exit(st);
    if (app->json)
        print_end_json(&result, dir, cpu_seconds());
    else
        print_end(&result, dir, cpu_seconds());
    return exit_of(result.end);
}

static int run(int argc, char **argv)
{
    struct record_options o = { .stop_key = "Ctrl+Alt+Shift+Escape",
                                .pause_key = "Ctrl+Alt+Shift+P",
                                .max_minutes = 120,
                                .sign = true };
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_opt_set sets[] = { { record_opts, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    int n, status;
    if (!dh_app_parse(&dh_cmd_record, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 1 || !argv[1][0])
        return dh_app_usage(&dh_cmd_record, "one NAME is expected");
    char *dir = dh_app_session_dir(argv[1]);
    if (!dir)
        return dh_app_usage(&dh_cmd_record,
                            "\"%s\" is no good name for a folder; letters, "
                            "digits, - and _ are, or a path with a /",
                            argv[1]);
    dh_app_cancel();
    status = record(&o, &app, dir);
    dh_free(dir);
    return status;
}

const struct dh_command dh_cmd_record = {
    "record",
    "NAME",
    "Record what you do on the desktop, step by step",
    "  deskhand record invoice --task \"Enter the invoice in the form.\"\n"
    "  deskhand record ./demo --exclude keepass --exclude Bank\n"
    "\n"
    "NAME is a new folder under $XDG_STATE_HOME/deskhand/sessions, or a path.\n"
    "It holds raw input, the actions that it means, pictures before and after\n"
    "each, and what tells each place apart. What you type into a password\n"
    "field is not written down, and the field is painted over, as far as the\n"
    "program says through the accessibility bus that it is one. Terminals do\n"
    "not say: pause before you type a password there.",
    { record_opts, dh_app_opts },
    run,
};
