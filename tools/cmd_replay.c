#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "actions/guard.h"
#include "actions/xtest.h"
#include "agent/brain.h"
#include "agent/record.h"
#include "agent/recording.h"
#include "agent/replay.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/input_record.h"
#include "capture/input_setup.h"
#include "capture/input_tap.h"
#include "capture/screen.h"
#include "capture/sign.h"
#include "tools/app.h"
#include "tools/desk.h"
#include "tools/replay_params.h"
#include "tools/replay_print.h"

#define DH_LOG_TAG "replay"
#include "base/log.h"

struct replay_options {
    const char *display, *session, *csv, *secret_file;
    struct dh_opt_list set;
    double patience_s;
    bool dry_run, repair, arrange, record, video;
};

#define MEMBER(m) offsetof(struct replay_options, m)

static const struct dh_opt replay_opts[] = {
    { "display", 'd', DH_OPT_TEXT, MEMBER(display), ":N",
      "X display to play it on (default: $DISPLAY)", 0, 0, NULL },
    { "set", 0, DH_OPT_LIST, MEMBER(set), "NAME=VALUE",
      "Type this in place of what the parameter was when it was recorded; may "
      "be given more than once",
      0, 0, NULL },
    { "csv", 0, DH_OPT_TEXT, MEMBER(csv), "FILE",
      "Play it once for each row; the first line has the parameters' names", 0,
      0, NULL },
    { "secret-file", 0, DH_OPT_TEXT, MEMBER(secret_file), "FILE",
      "Lines name=value: what the recording's secrets are", 0, 0, NULL },
    { "dry-run", 0, DH_OPT_BOOL, MEMBER(dry_run), NULL,
      "Only say which places are found on the screen as it is now", 0, 0,
      NULL },
    { "repair", 0, DH_OPT_BOOL, MEMBER(repair), NULL,
      "Add to the recording how a place looks now, where it was found "
      "elsewhere or by somebody's help",
      0, 0, NULL },
    { "arrange", 0, DH_OPT_BOOL, MEMBER(arrange), NULL,
      "Bring windows to their recorded places first (the default; "
      "--no-arrange does not)",
      0, 0, NULL },
    { "patience", 0, DH_OPT_DOUBLE, MEMBER(patience_s), "S",
      "Wait so many seconds for a place to appear, and twice as many for a "
      "window, before stopping (default: 5; in proportion more where the "
      "recording paused)",
      0.1, 3600, NULL },
    { "session", 's', DH_OPT_TEXT, MEMBER(session), "DIR",
      "Where to leave the folder of this replay (default: a new one under "
      "$XDG_STATE_HOME/deskhand/sessions)",
      0, 0, NULL },
    { "record", 0, DH_OPT_BOOL, MEMBER(record), NULL,
      "Leave a folder of this replay (the default; --no-record leaves none)", 0,
      0, NULL },
    { "video", 0, DH_OPT_BOOL, MEMBER(video), NULL, "Put a video into it", 0, 0,
      NULL },
    { 0 },
};

/* Everything that it holds; replay_finish takes down what is there. */
struct replay {
    struct replay_options o;
    struct dh_desk_options trust;
    struct dh_model_opts model;
    struct dh_app_options app;
    const char *name;
    struct dh_recording *recording;
    struct dh_replay_params params;
    struct dh_desk desk;
    struct dh_screen_options screen;
    struct dh_source *source;
    struct dh_sink *sink;
    struct dh_brain *brain;
    struct dh_replay_printer printer;
    bool scaled;   // fonts may be of another size than they were
    char *session; // the folder of this row's replay
};

// ---- what the replay asks for -----------------------------------------------

static struct dh_brain *load_brain(void *user)
{
    struct replay *r = user;
    // It is only asked where somebody named one: it may be slow, or cost.
    if (!r->brain && (r->model.model || dh_app_is_remote(&r->model)) &&
        dh_app_brain(&r->brain, &r->model))
        dh_warn("it goes on without a model");
    return r->brain;
}

static void on_step(void *user, const struct dh_replay_step *s)
{
    const struct replay *r = user;
    dh_replay_print_step(&r->printer, s);
}

static const char *value_of(void *user, const struct dh_session_param *param)
{
    struct replay *r = user;
    return dh_replay_params_value(&r->params, param);
}

// The first letter of a line from the terminal; 0: none, or it is over.
static char read_letter(void)
{
    char line[64];
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    while (poll(&in, 1, 100) <= 0)
        if (dh_cancel_is_set(dh_app_cancel()))
            return 0;
    ssize_t n = read(STDIN_FILENO, line, sizeof line);
    return n > 0 ? line[0] : 0;
}

static enum dh_replay_choice ask_person(struct replay *r, struct dh_point *at)
{
    enum dh_replay_choice c = DH_REPLAY_END;
    tcflush(STDIN_FILENO, TCIFLUSH);
    fputs("Rest the pointer on the place and type p, s to leave the step out, "
          "or e to end here: ",
          stderr);
    fflush(stderr);
    switch (read_letter()) {
    case 'p':
    case 'P':
        if (!dh_sink_pointer(r->sink, at))
            c = DH_REPLAY_POINT;
        break;
    case 's':
    case 'S': c = DH_REPLAY_SKIP; break;
    default: break;
    }
    return c;
}

static enum dh_replay_choice
on_stop(void *user, const struct dh_replay_stop *stop, struct dh_point *at)
{
    struct replay *r = user;
    if (r->session && dh_replay_stop_write(stop, r->session))
        dh_warn("the evidence in %s is not complete", r->session);
    dh_replay_print_stop(&r->printer, stop);
    if (!r->desk.asks || dh_cancel_is_set(dh_app_cancel()))
        return DH_REPLAY_END;
    // What the person does now takes nothing: it is an answer.
    if (r->desk.tap)
        dh_input_tap_watch(r->desk.tap, false);
    dh_sign_show(r->desk.sign, DH_SIGN_ASKS);
    enum dh_replay_choice c = ask_person(r, at);
    dh_sign_show(r->desk.sign, DH_SIGN_AGENT);
    if (r->desk.tap)
        dh_input_tap_watch(r->desk.tap, true);
    return c;
}

static bool wait_back(void *user, struct dh_cancel *cancel, struct dh_hand *did)
{
    struct replay *r = user;
    dh_replay_print_note(&r->printer, "a person has the desktop");
    bool back = dh_desk_wait_back(&r->desk, cancel, did);
    if (back)
        dh_replay_print_note(&r->printer, "the desktop was handed back");
    return back;
}

// ---- open and close ---------------------------------------------------------

static enum dh_status open_recording(struct replay *r)
{
    struct dh_diag diag = { 0 };
    int n;
    char *dir = dh_app_session_find(r->name);
    if (!dir) {
        dh_error("\"%s\" is no good name for a recording", r->name);
        return DH_ERR_USAGE;
    }
    enum dh_status st = dh_recording_open(&r->recording, dir, &diag);
    if (st)
        dh_error("%s", diag.text);
    dh_free(dir);
    if (st)
        return st;
    const char *const *notes = dh_session_notes(r->recording->reader, &n);
    for (int i = 0; i < n; i++)
        dh_warn("%s: %s", r->name, notes[i]);
    if (r->recording->n_steps)
        return DH_OK;
    dh_error("%s has no actions that could be played", r->name);
    return DH_ERR_FORMAT;
}

static enum dh_status open_desktop(struct replay *r)
{
    struct dh_xtest_options hands = { .taken = &r->desk.taken,
                                      .secrets = r->params.secrets };
    struct dh_rect anywhere = { 0 };
    struct dh_sink *inner;
    struct dh_buf audit;
    r->screen = (struct dh_screen_options)DH_SCREEN_DEFAULTS;
    r->screen.display = r->o.display;
    // As in the recording: it would cover what it points at.
    r->screen.cursor = false;
    enum dh_status st = dh_screen_create(&r->source, &r->screen);
    if (!st)
        st = dh_xtest_create(&inner, r->o.display, &hands);
    if (st)
        return st;
    r->sink = dh_guard_create(inner, anywhere);
    dh_buf_init(&audit, 8192);
    dh_app_state_dir(&audit);
    dh_buf_puts(&audit, "/audit.jsonl");
    st = dh_desk_open(&r->desk, &r->trust, r->o.display, dh_buf_text(&audit),
                      r->source, dh_app_cancel(), &r->sink);
    dh_buf_finish(&audit);
    return st;
}

static void replay_finish(struct replay *r)
{
    dh_desk_rest(&r->desk);
    dh_sink_destroy(r->sink);
    dh_desk_close(&r->desk);
    dh_source_destroy(r->source);
    dh_brain_destroy(r->brain);
    dh_replay_params_close(&r->params);
    dh_recording_close(r->recording);
    dh_free(r->session);
}

// ---- what is different ------------------------------------------------------

// True: it is another one.
static bool note_other(struct replay *r, const char *what, const char *then,
                       const char *now)
{
    char text[400];
    if (!then[0] || !now[0] || !strcmp(then, now))
        return false;
    snprintf(text, sizeof text, "the %s is %.100s, and was %.100s", what, now,
             then);
    dh_replay_print_note(&r->printer, text);
    return true;
}

static enum dh_status compare_looks(struct replay *r)
{
    const struct dh_recording *rec = r->recording;
    struct dh_input_setup s;
    char then[32] = "", now[32] = "";
    enum dh_status st = dh_input_setup_read(&s, r->o.display);
    if (st)
        return st;
    note_other(r, "theme", rec->theme, s.theme);
    bool font = note_other(r, "font", rec->font, s.font);
    if (rec->dpi > 0 && s.dpi > 0) {
        snprintf(then, sizeof then, "%.0f dpi", rec->dpi);
        snprintf(now, sizeof now, "%.0f dpi", s.dpi);
    }
    r->scaled = note_other(r, "resolution of fonts", then, now) || font;
    return DH_OK;
}

static enum dh_status compare_desktop(struct replay *r)
{
    const struct dh_recording *rec = r->recording;
    struct dh_layout layout;
    char then[64] = "", now[64] = "";
    enum dh_status st = dh_source_layout(r->source, &layout);
    if (!st && rec->screen.w) {
        snprintf(then, sizeof then, "%d x %d", rec->screen.w, rec->screen.h);
        snprintf(now, sizeof now, "%d x %d", layout.root.w, layout.root.h);
        note_other(r, "screen", then, now);
    }
    if (!st)
        st = dh_input_layout_now(r->o.display, now, sizeof now);
    if (st)
        return st;
    note_other(r, "keyboard's layout", rec->layout, now);
    note_other(r, "locale", rec->locale, dh_app_locale());
    return compare_looks(r);
}

// ---- one replay -------------------------------------------------------------

static char *new_session_dir(const struct replay *r)
{
    char when[64];
    time_t now = (time_t)(dh_realtime_ns() / DH_S);
    struct tm tm;
    struct dh_buf path;
    localtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y%m%d-%H%M%S", &tm);
    dh_buf_init(&path, 8192);
    if (r->o.session) {
        dh_buf_puts(&path, r->o.session);
        if (r->printer.row)
            dh_buf_printf(&path, "-%d", r->printer.row);
        return dh_buf_take(&path);
    }
    dh_app_state_dir(&path);
    dh_buf_printf(&path, "/sessions/%s-%d-replay", when, (int)getpid());
    if (r->printer.row)
        dh_buf_printf(&path, "-%d", r->printer.row);
    return dh_buf_take(&path);
}

static enum dh_status open_recorder(struct replay *r, struct dh_recorder **out)
{
    if (!r->o.record || r->o.dry_run)
        return DH_OK;
    dh_free(r->session);
    r->session = new_session_dir(r);
    r->printer.session = r->session;
    struct dh_recorder_options o = {
        .dir = r->session,
        .kind = "replay",
        .task = dh_session_info(r->recording->reader)->task,
        .display = r->o.display,
        .video = r->o.video,
    };
    enum dh_status st = dh_recorder_create(out, &o);
    // Of many rows each has a folder of its own, which view does not follow.
    if (!st)
        dh_desk_record(&r->desk, *out, r->session, &r->screen,
                       r->o.csv ? NULL : dh_app_runtime_dir());
    return st;
}

static int exit_of(const struct dh_replay_result *result)
{
    switch (result->end) {
    case DH_REPLAY_DONE: return DH_EXIT_OK;
    case DH_REPLAY_STUCK: return DH_EXIT_UNSOLVED;
    case DH_REPLAY_CANCELLED: return DH_EXIT_STOPPED;
    case DH_REPLAY_ERROR: break;
    }
    return DH_EXIT_FAILED;
}

static int replay_once(struct replay *r)
{
    struct dh_recorder *recorder = NULL;
    struct dh_replay_result result;
    enum dh_status st = open_recorder(r, &recorder);
    if (st)
        return dh_app_exit(st);
    struct dh_replay_options o = {
        .recording = r->recording,
        .source = r->source,
        .sink = r->sink,
        .windows = r->desk.windows,
        .a11y = r->desk.a11y,
        .cancel = dh_app_cancel(),
        .taken = &r->desk.taken,
        .dry_run = r->o.dry_run,
        .repair = r->o.repair,
        .arrange = r->o.arrange,
        .scaled = r->scaled,
        .patience_s = r->o.patience_s,
        .brain = load_brain,
        .value = value_of,
        .step = on_step,
        .stop = on_stop,
        .wait_back = wait_back,
        .wait_user = r,
        .watch = { dh_desk_event, recorder ? dh_recorder_event : NULL },
        .watch_user = { &r->desk, recorder },
        .user = r,
    };
    dh_replay_run(&o, &result);
    if (dh_recorder_destroy(recorder))
        dh_warn("the session folder %s is not complete", r->session);
    dh_replay_print_result(&r->printer, &result);
    return exit_of(&result);
}

// Each row from the same beginning as far as the recording leads back to it.
static int replay_rows(struct replay *r)
{
    int failed = 0, n = r->params.table.n_rows, status = DH_EXIT_OK;
    int i = 0;
    for (; i < n; i++) {
        r->printer.row = i + 1;
        if (dh_replay_params_row(&r->params, i))
            return DH_EXIT_FAILED;
        status = replay_once(r);
        if (status == DH_EXIT_STOPPED)
            break;
        failed += status != DH_EXIT_OK;
    }
    if (r->app.json)
        printf("{\"event\":\"rows\",\"rows\":%d,\"played\":%d,\"failed\":%d}\n",
               n, i, failed);
    else
        printf("%d of %d rows played, %d failed\n", i, n, failed);
    if (status == DH_EXIT_STOPPED)
        return status;
    return failed ? DH_EXIT_UNSOLVED : DH_EXIT_OK;
}

static int replay(struct replay *r)
{
    enum dh_status st = open_recording(r);
    if (!st)
        st = dh_replay_params_open(&r->params, &r->recording->params, &r->o.set,
                                   r->o.csv, r->o.secret_file, r->o.dry_run);
    if (!st)
        st = open_desktop(r);
    if (!st)
        st = compare_desktop(r);
    if (st)
        return dh_app_exit(st);
    if (r->o.csv && !r->o.dry_run)
        return replay_rows(r);
    return replay_once(r);
}

static int run(int argc, char **argv)
{
    struct replay r = { .o = { .arrange = true, .record = true },
                        .trust = DH_DESK_DEFAULTS,
                        .app = DH_APP_DEFAULTS };
    struct dh_opt_set sets[] = { { replay_opts, &r.o },
                                 { dh_desk_opts, &r.trust },
                                 { dh_model_opt_table, &r.model },
                                 { dh_app_opts, &r.app },
                                 { 0 } };
    int n, status;
    if (!dh_app_parse(&dh_cmd_replay, sets, &r.app, argc, argv, &n, &status))
        return status;
    if (n != 1 || !argv[1][0])
        return dh_app_usage(&dh_cmd_replay, "one recording is expected");
    r.name = argv[1];
    r.printer = (struct dh_replay_printer){ .json = r.app.json,
                                            .dry_run = r.o.dry_run };
    dh_app_cancel();
    status = replay(&r);
    replay_finish(&r);
    return status;
}

const struct dh_command dh_cmd_replay = {
    "replay",
    "NAME",
    "Play what was recorded, also where windows or looks have changed",
    "  deskhand replay invoice\n"
    "  deskhand replay invoice --set customer=Ada --set amount=12.50\n"
    "  deskhand replay invoice --csv customers.csv\n"
    "  deskhand replay invoice --dry-run\n"
    "\n"
    "NAME is a session of `deskhand record`, of a run, or an imported one; "
    "the\n"
    "last two know places by their look alone. Each place is found again by "
    "the\n"
    "program's own names, by its look, and by what is around it; a model is\n"
    "asked last, and only with --model or --endpoint. What each step led to "
    "is\n"
    "waited for, pauses are not. Where a place cannot be told, or a window is\n"
    "in front that the recording does not know, it stops with exit status 3 "
    "and\n"
    "clicks nothing; pictures of what was seen and what was looked for are "
    "left\n"
    "in the folder of the replay. `deskhand mark` makes parameters of what "
    "was\n"
    "typed.",
    { replay_opts, dh_desk_opts, dh_model_opt_table, dh_app_opts },
    run,
};
