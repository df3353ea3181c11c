#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actions/guard.h"
#include "actions/secrets.h"
#include "actions/xtest.h"
#include "agent/brain.h"
#include "agent/endpoint.h"
#include "agent/estimate.h"
#include "agent/export.h"
#include "agent/loop.h"
#include "agent/record.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/film.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "capture/windows.h"
#include "tools/app.h"
#include "tools/desk.h"
#include "tools/reads.h"

#define DH_LOG_TAG "run"
#include "base/log.h"

struct run_options {
    const char *display, *region, *output, *window, *session, *script;
    const char *plan;
    int max_steps, settle_ms, quiet_ms;
    bool record, video, film, wait_exact, cmd_is_ctrl, dry_run;
    double max_cost, max_tokens, max_seconds;
    const char *secret_file;
};

static const struct dh_opt run_opts[] = {
    { "display", 'd', DH_OPT_TEXT, offsetof(struct run_options, display), ":N",
      "X display to see and act on (default: $DISPLAY)", 0, 0, NULL },
    { "region", 0, DH_OPT_TEXT, offsetof(struct run_options, region), "WxH+X+Y",
      "Part of the screen to see and act in", 0, 0, NULL },
    { "output", 0, DH_OPT_TEXT, offsetof(struct run_options, output), "NAME",
      "Monitor to see, as xrandr calls it, \"primary\" or \"all\" (default)", 0,
      0, NULL },
    { "window", 0, DH_OPT_TEXT, offsetof(struct run_options, window), "ID",
      "Window to see and act in, by number or a part of its title", 0, 0,
      NULL },
    { "max-steps", 'n', DH_OPT_INT, offsetof(struct run_options, max_steps),
      "N", "Stop after so many answers (default: 30)", 1, 10000, NULL },
    { "max-cost", 0, DH_OPT_DOUBLE, offsetof(struct run_options, max_cost),
      "DOLLARS", "Stop once the answers have cost so much", 0, 1e6, NULL },
    { "max-tokens", 0, DH_OPT_DOUBLE, offsetof(struct run_options, max_tokens),
      "N", "Stop once questions and answers had so many tokens", 0, 1e12,
      NULL },
    { "max-seconds", 0, DH_OPT_DOUBLE,
      offsetof(struct run_options, max_seconds), "N",
      "Ask nothing more after so many seconds", 0, 1e9, NULL },
    { "dry-run", 0, DH_OPT_BOOL, offsetof(struct run_options, dry_run), NULL,
      "Only say what --max-steps steps would cost, and touch nothing", 0, 0,
      NULL },
    { "session", 's', DH_OPT_TEXT, offsetof(struct run_options, session), "DIR",
      "Where to leave the session folder (default: a new one under "
      "$XDG_STATE_HOME/deskhand/sessions)",
      0, 0, NULL },
    { "record", 0, DH_OPT_BOOL, offsetof(struct run_options, record), NULL,
      "Leave a session folder (the default; --no-record leaves none)", 0, 0,
      NULL },
    { "video", 0, DH_OPT_BOOL, offsetof(struct run_options, video), NULL,
      "Put a video into it (the default; --no-video saves some time)", 0, 0,
      NULL },
    { "film", 0, DH_OPT_BOOL, offsetof(struct run_options, film), NULL,
      "Also film the screen at 30 frames a second, into screen.mkv there", 0, 0,
      NULL },
    { "script", 0, DH_OPT_TEXT, offsetof(struct run_options, script), "FILE",
      "Take answers from a file, one action a line, in place of a model", 0, 0,
      NULL },
    { "plan", 0, DH_OPT_TEXT, offsetof(struct run_options, plan), "SESSION",
      "Tell the model how a recorded session did it; TASK may be left out", 0,
      0, NULL },
    { "quiet-ms", 0, DH_OPT_INT, offsetof(struct run_options, quiet_ms), "N",
      "After an action the screen must be still for so long (default: 120)", 1,
      60000, NULL },
    { "settle-ms", 0, DH_OPT_INT, offsetof(struct run_options, settle_ms), "N",
      "Wait no longer than this for a still screen (default: 3000)", 1, 600000,
      NULL },
    { "secret-file", 0, DH_OPT_TEXT, offsetof(struct run_options, secret_file),
      "FILE", "Lines name=value: what {{secret:name}} in a text types", 0, 0,
      NULL },
    { "cmd-is-ctrl", 0, DH_OPT_BOOL, offsetof(struct run_options, cmd_is_ctrl),
      NULL, "Press ctrl where cmd is asked for (default: super)", 0, 0, NULL },
    { "wait-exact", 0, DH_OPT_BOOL, offsetof(struct run_options, wait_exact),
      NULL,
      "Wait as long as the model says, though the screen has changed and is "
      "still",
      0, 0, NULL },
    { 0 },
};

#define STAGES 8
static const char *const stage_names[STAGES] = {
    "grab",    "settle", "preprocess", "vision",
    "prefill", "decode", "wire",       "act",
};

/* What the run prints, and what it adds up for the end. */
struct printer {
    bool json;
    int64_t *ns[STAGES]; // of each step
    int n[STAGES], cap;
};

static void put_stage(struct printer *p, int stage, int64_t ns)
{
    if (p->n[stage] < p->cap)
        p->ns[stage][p->n[stage]++] = ns;
}

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static void count_times(struct printer *p, const struct dh_event *e)
{
    const struct dh_times *t = &e->times;
    if (e->kind == DH_EVENT_ANSWER) {
        put_stage(p, 0, t->grab);
        put_stage(p, 2, t->preprocess);
        put_stage(p, 3, t->vision);
        put_stage(p, 4, t->prefill);
        put_stage(p, 5, t->decode);
        put_stage(p, 6, t->wire);
    } else if (e->kind == DH_EVENT_DONE) {
        put_stage(p, 1, t->settle);
        put_stage(p, 7, t->act);
    }
}

static void print_line(const char *before, const char *text, const char *after)
{
    fputs(before, stdout);
    dh_app_print(stdout, text);
    fputs(after, stdout);
}

static void print_text(const struct dh_event *e)
{
    struct dh_buf action;
    dh_buf_init(&action, 1 << 20);
    switch (e->kind) {
    case DH_EVENT_START: print_line("task    ", e->text, "\n"); break;
    case DH_EVENT_FRAME: break;
    case DH_EVENT_ANSWER:
        printf("step %-3d", e->step);
        printf("saw %.1f ms, thought %.0f ms (%d tokens in, %d cached, %d out",
               ms(e->times.grab + e->times.preprocess),
               ms(e->times.vision + e->times.prefill + e->times.decode +
                  e->times.wire),
               e->usage.prompt_tokens, e->usage.cached_tokens,
               e->usage.answer_tokens);
        if (e->usage.cost > 0)
            printf(", $%.5f", e->usage.cost);
        puts(")");
        break;
    case DH_EVENT_ACT:
        dh_action_text(&e->action, &action);
        print_line("        ", e->step_text, "  [");
        print_line("", dh_buf_text(&action), "]\n");
        break;
    case DH_EVENT_DONE:
        if (e->text)
            print_line("        ! ", e->text, "\n");
        printf("        acted %.1f ms, settled %.0f ms%s\n", ms(e->times.act),
               ms(e->times.settle), e->changed ? "" : ", nothing changed");
        break;
    case DH_EVENT_NOTE: print_line("        ! ", e->text, "\n"); break;
    case DH_EVENT_END: break;
    }
    dh_buf_finish(&action);
    fflush(stdout);
}

static void put_usage(struct dh_json_writer *w, const struct dh_usage *u)
{
    dh_jw_i64(w, "prompt_tokens", u->prompt_tokens);
    dh_jw_i64(w, "cached_tokens", u->cached_tokens);
    dh_jw_i64(w, "answer_tokens", u->answer_tokens);
    if (u->cost > 0)
        dh_jw_double(w, "cost", u->cost);
}

static void print_json(const struct dh_event *e)
{
    static const char *const kinds[] = { "start", "frame", "answer", "act",
                                         "done",  "note",  "end" };
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 22);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "event", kinds[e->kind]);
    dh_jw_i64(&w, "step", e->step);
    if (e->text)
        dh_jw_text(&w, "text", e->text);
    if (e->kind == DH_EVENT_ACT) {
        dh_jw_text(&w, "say", e->step_text);
        dh_action_json(&e->action, &w);
    }
    if (e->kind == DH_EVENT_ANSWER) {
        put_usage(&w, &e->usage);
        dh_jw_double(&w, "grab_ms", ms(e->times.grab));
        dh_jw_double(&w, "preprocess_ms", ms(e->times.preprocess));
        dh_jw_double(&w, "vision_ms", ms(e->times.vision));
        dh_jw_double(&w, "prefill_ms", ms(e->times.prefill));
        dh_jw_double(&w, "decode_ms", ms(e->times.decode));
        dh_jw_double(&w, "wire_ms", ms(e->times.wire));
    }
    if (e->kind == DH_EVENT_DONE) {
        dh_jw_bool(&w, "ok", e->status == DH_OK);
        dh_jw_bool(&w, "changed", e->changed);
        dh_jw_double(&w, "act_ms", ms(e->times.act));
        dh_jw_double(&w, "settle_ms", ms(e->times.settle));
    }
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    fflush(stdout);
    dh_buf_finish(&out);
}

static void on_event(void *user, const struct dh_event *e)
{
    struct printer *p = user;
    count_times(p, e);
    if (p->json)
        print_json(e);
    else
        print_text(e);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_stages(struct printer *p)
{
    bool begun = false;
    for (int s = 0; s < STAGES; s++) {
        int n = p->n[s];
        if (!n)
            continue;
        qsort(p->ns[s], (size_t)n, sizeof *p->ns[s], by_size);
        // A script has stages that never run.
        if (!p->ns[s][n - 1])
            continue;
        if (!begun)
            printf("stage, ms    median      min      max\n");
        begun = true;
        printf("%-10s %8.1f %8.1f %8.1f\n", stage_names[s], ms(p->ns[s][n / 2]),
               ms(p->ns[s][0]), ms(p->ns[s][n - 1]));
    }
}

static void printer_init(struct printer *p, bool json, int steps)
{
    memset(p, 0, sizeof *p);
    p->json = json;
    p->cap = steps * 8;
    for (int s = 0; s < STAGES; s++)
        dh_array(p->ns[s], (size_t)p->cap);
}

static void printer_finish(struct printer *p)
{
    for (int s = 0; s < STAGES; s++)
        dh_free(p->ns[s]);
}

/* Everything that a run holds; run_finish takes down what is there. */
struct run {
    struct run_options o;
    struct dh_desk_options trust;
    struct dh_model_opts model;
    struct dh_app_options app;
    struct dh_desk desk;
    struct dh_brain *brain;
    struct dh_policy *policy;
    struct dh_source *source;
    struct dh_sink *sink;
    struct dh_secrets *secrets;
    struct dh_recorder *recorder;
    struct dh_film *film;
    struct dh_screen_options screen;
    char *session; // the folder
};

static char *new_session_dir(void)
{
    char name[64];
    time_t now = (time_t)(dh_realtime_ns() / DH_S);
    struct tm tm;
    localtime_r(&now, &tm);
    strftime(name, sizeof name, "%Y%m%d-%H%M%S", &tm);
    struct dh_buf path;
    dh_buf_init(&path, 8192);
    dh_app_state_dir(&path);
    dh_buf_printf(&path, "/sessions/%s-%d", name, (int)getpid());
    return dh_buf_take(&path);
}

static void print_endpoint(const struct run *r)
{
    const struct dh_endpoint *e = dh_brain_get_endpoint(r->brain);
    if (e && !r->app.json) {
        print_line("model   ", e->s.model ? e->s.model : "?", "");
        print_line(" at ", e->base, "");
        print_line(", asked as ", e->s.profile, "\n");
    }
}

static enum dh_status open_policy(struct run *r)
{
    char *text;
    size_t len;
    if (!r->o.script) {
        enum dh_status st = dh_app_brain(&r->brain, &r->model);
        if (st)
            return st;
        print_endpoint(r);
        r->policy = dh_policy_model_create(r->brain);
        return DH_OK;
    }
    enum dh_status st = dh_file_read(r->o.script, 1 << 24, &text, &len);
    if (!st) {
        r->policy = dh_policy_script_create(text);
        dh_big_free(text);
    }
    return st;
}

// What is done is asked for, shown and written down.
static enum dh_status open_trust(struct run *r)
{
    struct dh_buf audit;
    dh_buf_init(&audit, 8192);
    dh_app_state_dir(&audit);
    dh_buf_puts(&audit, "/audit.jsonl");
    enum dh_status st =
        dh_desk_open(&r->desk, &r->trust, r->o.display, dh_buf_text(&audit),
                     r->source, dh_app_cancel(), &r->sink);
    dh_buf_finish(&audit);
    if (!st)
        dh_windows_limit(r->desk.windows, dh_screen_window(r->source));
    return st;
}

static struct dh_screen_options screen_options(const struct run_options *o)
{
    struct dh_screen_options screen = DH_SCREEN_DEFAULTS;
    screen.display = o->display;
    screen.region = o->region;
    screen.output = o->output;
    screen.window = o->window;
    return screen;
}

static enum dh_status open_desktop(struct run *r)
{
    struct dh_xtest_options hands = { .taken = &r->desk.taken,
                                      .cmd_is_ctrl = r->o.cmd_is_ctrl };
    struct dh_rect allowed = { 0 };
    struct dh_sink *inner;
    r->screen = screen_options(&r->o);
    enum dh_status st = dh_screen_create(&r->source, &r->screen);
    if (!st && r->o.secret_file)
        st = dh_secrets_read(&r->secrets, r->o.secret_file);
    hands.secrets = r->secrets;
    if (!st)
        st = dh_xtest_create(&inner, r->o.display, &hands);
    if (st)
        return st;
    if (r->o.region &&
        !dh_screen_region_parse(dh_str_of(r->o.region), &allowed))
        dh_warn("--region=%s limits nothing", r->o.region);
    r->sink = dh_guard_create(inner, allowed);
    return open_trust(r);
}

static const char *model_name(const struct run *r)
{
    const struct dh_endpoint *e =
        r->brain ? dh_brain_get_endpoint(r->brain) : NULL;
    if (!r->brain)
        return "script";
    return e && e->s.model ? e->s.model : dh_brain_get_profile(r->brain)->name;
}

static enum dh_status open_recorder(struct run *r, const char *task)
{
    if (!r->o.record)
        return DH_OK;
    r->session = r->o.session ? dh_strdup(r->o.session) : new_session_dir();
    struct dh_recorder_options o = {
        .dir = r->session,
        .kind = "agent",
        .task = task,
        .model = model_name(r),
        .display = r->o.display,
        .video = r->o.video,
    };
    enum dh_status st = dh_recorder_create(&r->recorder, &o);
    if (!st)
        dh_desk_record(&r->desk, r->recorder, r->session, &r->screen,
                       dh_app_runtime_dir());
    return st;
}

// Told while it answers, and interrupted by a person who takes the desktop.
static void listen_to_model(struct run *r)
{
    struct dh_policy_ear ear = { .piece =
                                     r->recorder ? dh_recorder_piece : NULL,
                                 .user = r->recorder,
                                 .taken = &r->desk.taken };
    if (!r->o.script)
        dh_policy_model_listen(r->policy, &ear);
}

// A connection of its own, so that neither waits for the other.
static enum dh_status open_film(struct run *r)
{
    struct dh_film_options o = { 0 };
    struct dh_source *source;
    if (!r->o.film || !r->session)
        return DH_OK;
    enum dh_status st = dh_screen_create(&source, &r->screen);
    if (st)
        return st;
    char *path = dh_path_join(r->session, "screen.mkv");
    st = dh_film_create(&r->film, source, path, &o);
    dh_free(path);
    return st;
}

static enum dh_status open_all(struct run *r, const char *task)
{
    enum dh_status st = open_desktop(r);
    if (!st)
        st = open_policy(r);
    if (!st)
        st = open_recorder(r, task);
    if (!st)
        listen_to_model(r);
    return st ? st : open_film(r);
}

static void run_finish(struct run *r)
{
    if (dh_film_destroy(r->film, NULL))
        dh_warn("the film of %s is not complete", r->session);
    dh_desk_rest(&r->desk);
    if (dh_recorder_destroy(r->recorder))
        dh_warn("the session folder %s is not complete", r->session);
    dh_sink_destroy(r->sink);
    dh_desk_close(&r->desk);
    dh_secrets_destroy(r->secrets);
    dh_source_destroy(r->source);
    dh_policy_destroy(r->policy);
    dh_brain_destroy(r->brain);
    dh_free(r->session);
}

static int exit_of(const struct dh_loop_result *result)
{
    switch (result->end) {
    case DH_LOOP_DONE:
    case DH_LOOP_ANSWERED: return DH_EXIT_OK;
    case DH_LOOP_STOPPED: return DH_EXIT_STOPPED;
    case DH_LOOP_ERROR: return DH_EXIT_FAILED;
    case DH_LOOP_FAILED:
    case DH_LOOP_LIMIT:
    case DH_LOOP_NONSENSE:
    case DH_LOOP_STUCK:
    case DH_LOOP_BUDGET: break;
    }
    return DH_EXIT_UNSOLVED;
}

static void print_result(struct run *r, const struct dh_loop_result *result,
                         int64_t took)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 22);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "event", "result");
    dh_jw_text(&w, "end", dh_loop_end_name(result->end));
    dh_jw_i64(&w, "steps", result->steps);
    dh_jw_double(&w, "seconds", (double)took / 1e9);
    put_usage(&w, &result->usage);
    struct dh_model_reads reads;
    if (r->brain && dh_brain_get_reads(r->brain, &reads))
        dh_reads_put(&w, &reads);
    if (result->text)
        dh_jw_text(&w, "text", result->text);
    if (r->session)
        dh_jw_text(&w, "session", r->session);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static void print_usage(const struct dh_usage *u)
{
    if (!u->prompt_tokens)
        return;
    printf("tokens: %d in, %.0f %% of them cached, %d out", u->prompt_tokens,
           100.0 * u->cached_tokens / u->prompt_tokens, u->answer_tokens);
    if (u->cost > 0)
        printf("; $%.4f", u->cost);
    puts("");
}

static void print_end(struct run *r, struct printer *p,
                      const struct dh_loop_result *result, int64_t took)
{
    const char *text = result->text;
    if (r->app.json) {
        print_result(r, result, took);
        return;
    }
    if (result->end == DH_LOOP_ERROR)
        text = dh_status_name(result->status);
    printf("%s after %d step%s, %.1f s", dh_loop_end_name(result->end),
           result->steps, result->steps == 1 ? "" : "s", (double)took / 1e9);
    print_line(text ? ": " : "", text, "\n");
    print_stages(p);
    print_usage(&result->usage);
    struct dh_model_reads reads;
    if (r->brain && dh_brain_get_reads(r->brain, &reads))
        dh_reads_print(stdout, &reads);
    if (r->session)
        printf("session %s\n", r->session);
}

/* A line from the terminal; a stop ends the wait for it. */
static enum dh_status ask_person(void *user, const char *question,
                                 struct dh_cancel *cancel, char **reply)
{
    char line[4096];
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    (void)user;
    fputs("? ", stderr);
    dh_app_print(stderr, question);
    fputs("\n> ", stderr);
    while (poll(&in, 1, 100) <= 0)
        if (dh_cancel_is_set(cancel))
            return DH_ERR_CANCELLED;
    ssize_t n = read(STDIN_FILENO, line, sizeof line);
    if (n <= 0)
        return DH_ERR_CLOSED;
    struct dh_str text = dh_str_trim((struct dh_str){ line, (size_t)n });
    *reply = dh_strndup(text.p, text.n);
    return DH_OK;
}

static int run_task(struct run *r, const char *task)
{
    struct dh_loop_result result;
    struct printer p;
    struct dh_loop l = {
        .source = r->source,
        .sink = r->sink,
        .policy = r->policy,
        .cancel = dh_app_cancel(),
        .a11y = r->desk.a11y,
        .windows = r->desk.windows,
        .options = { .max_steps = r->o.max_steps,
                     .quiet_ns = r->o.quiet_ms * DH_MS,
                     .settle_ns = r->o.settle_ms * DH_MS,
                     .resamples = -1,
                     .wait_exact = r->o.wait_exact,
                     .max_cost = r->o.max_cost,
                     .max_tokens = (int64_t)r->o.max_tokens,
                     .max_ns = (int64_t)(r->o.max_seconds * 1e9) },
        .watch = { on_event, dh_desk_event,
                   r->recorder ? dh_recorder_event : NULL },
        .watch_user = { &p, &r->desk, r->recorder },
        .ask = isatty(STDIN_FILENO) ? ask_person : NULL,
        .wait_back = dh_desk_wait_back,
        .wait_user = &r->desk,
        .taken = &r->desk.taken,
    };
    printer_init(&p, r->app.json, r->o.max_steps);
    int64_t start = dh_now_ns();
    dh_loop_run(&l, task, &result);
    print_end(r, &p, &result, dh_now_ns() - start);
    int status = exit_of(&result);
    dh_loop_result_finish(&result);
    printer_finish(&p);
    return status;
}

// The size alone is asked of the screen.
static struct dh_size screen_size(const struct run_options *o)
{
    struct dh_size size = { 1920, 1080 };
    struct dh_screen_options screen = screen_options(o);
    struct dh_source *source = NULL;
    struct dh_frame *frame = NULL;
    bool there = o->display || getenv("DISPLAY");
    if (there && !dh_screen_create(&source, &screen) &&
        !dh_source_grab(source, &frame))
        size = (struct dh_size){ frame->width, frame->height };
    else
        dh_warn("no screen to measure; 1920 x 1080 is assumed");
    dh_frame_unref(frame);
    dh_source_destroy(source);
    return size;
}

static void print_estimate_json(const struct run *r,
                                const struct dh_estimate *e,
                                struct dh_size size)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 4096);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "steps", r->o.max_steps);
    dh_jw_i64(&w, "width", size.w);
    dh_jw_i64(&w, "height", size.h);
    dh_jw_i64(&w, "pictures_sent", e->pictures_sent);
    dh_jw_i64(&w, "prompt_tokens", (int64_t)e->prompt_tokens);
    dh_jw_i64(&w, "cached_tokens", (int64_t)e->cached_tokens);
    dh_jw_i64(&w, "answer_tokens", (int64_t)e->answer_tokens);
    dh_jw_double(&w, "cost", e->cost);
    dh_jw_double(&w, "cost_uncached", e->cost_uncached);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static void print_estimate(const struct run *r, const struct dh_estimate *e,
                           struct dh_size size)
{
    if (r->app.json) {
        print_estimate_json(r, e, size);
        return;
    }
    printf("%d steps at %d x %d: %d pictures, %.2f million tokens in, of which "
           "the server's\ncache should know %.0f %%, %.3f million out\n",
           r->o.max_steps, size.w, size.h, e->pictures_sent,
           e->prompt_tokens / 1e6, 100 * e->cached_tokens / e->prompt_tokens,
           e->answer_tokens / 1e6);
    if (e->cost > 0)
        printf("about $%.2f; $%.2f if nothing were cached\n", e->cost,
               e->cost_uncached);
    else
        puts("no prices are known for it; see price-in in the configuration");
}

static int dry_run(struct run *r)
{
    struct dh_endpoint *e;
    struct dh_profile profile;
    struct dh_estimate estimate;
    if (!dh_app_is_remote(&r->model)) {
        puts("the model runs in this process and costs nothing");
        return DH_EXIT_OK;
    }
    enum dh_status st = dh_app_endpoint(&e, &r->model);
    if (st)
        return dh_app_exit(st);
    char *prompts = dh_app_asset("prompts");
    st = dh_profile_init(&profile, prompts, prompts);
    dh_free(prompts);
    if (!st && e->s.prompt) {
        st = dh_profile_read_prompt(&profile, e->s.prompt);
        if (st)
            dh_profile_finish(&profile);
    }
    if (!st) {
        struct dh_size size = screen_size(&r->o);
        dh_profile_set_pictures(&profile, e->s.max_images);
        dh_estimate_run(e, &profile, size, r->o.max_steps, &estimate);
        print_estimate(r, &estimate, size);
        dh_profile_finish(&profile);
    }
    dh_endpoint_close(e);
    return dh_app_exit(st);
}

// The task in words, and the plan that comes with it.
static enum dh_status read_task(const struct run *r, const char *task,
                                struct dh_buf *out)
{
    if (!r->o.plan) {
        dh_buf_puts(out, task);
        return DH_OK;
    }
    char *dir = dh_app_session_find(r->o.plan);
    enum dh_status st = dh_export_plan(dir, task, out);
    dh_free(dir);
    return st;
}

static int run(int argc, char **argv)
{
    struct run r = { .o = { .max_steps = 30,
                            .settle_ms = 3000,
                            .quiet_ms = 120,
                            .record = true,
                            .video = true },
                     .trust = DH_DESK_DEFAULTS,
                     .app = DH_APP_DEFAULTS };
    struct dh_opt_set sets[] = { { run_opts, &r.o },
                                 { dh_desk_opts, &r.trust },
                                 { dh_model_opt_table, &r.model },
                                 { dh_app_opts, &r.app },
                                 { 0 } };
    int n, status;
    if (!dh_app_parse(&dh_cmd_run, sets, &r.app, argc, argv, &n, &status))
        return status;
    bool task = n == 1 && argv[1][0];
    if (!task && !(n == 0 && r.o.plan))
        return dh_app_usage(&dh_cmd_run, "one TASK is expected, in quotes");
    dh_app_cancel();
    if (r.o.dry_run)
        return dry_run(&r);
    struct dh_buf text;
    dh_buf_init(&text, 1 << 20);
    enum dh_status st = read_task(&r, task ? argv[1] : NULL, &text);
    if (!st)
        st = open_all(&r, dh_buf_text(&text));
    status = st ? dh_app_exit(st) : run_task(&r, dh_buf_text(&text));
    run_finish(&r);
    dh_buf_finish(&text);
    return status;
}

const struct dh_command dh_cmd_run = {
    "run",
    "TASK",
    "Do a task on the desktop",
    "  deskhand run \"Type Ada in Name, then click OK.\"\n"
    "  deskhand run --display :1 --model /models/MiniMax-M3 \"Open a "
    "terminal.\"\n"
    "  deskhand run --model http://127.0.0.1:8000/v1 \"Open a terminal.\"\n"
    "\n"
    "Each run leaves a folder with all pictures, answers and actions, a video\n"
    "and index.html, a page to look at. Ctrl-C stops and lets go of all keys,\n"
    "and so does the key Pause, wherever the focus is. Your own mouse or\n"
    "keyboard, or Scroll_Lock, pauses the run: what you do by hand is\n"
    "recorded, and the model is told. Scroll_Lock hands the desktop back; so\n"
    "does deskhand view --live, from another screen too. What is\n"
    "risky is asked for first; without a terminal to ask on it is refused.",
    { run_opts, dh_desk_opts, dh_model_opt_table, dh_app_opts },
    run,
};
