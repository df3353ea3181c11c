#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "actions/xtest.h"
#include "agent/brain.h"
#include "agent/endpoint.h"
#include "agent/probe.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/input_tap.h"
#include "capture/screen.h"
#include "model/model.h"
#include "model/tokenizer.h"
#include "tools/app.h"

static const struct dh_opt doctor_opts[] = {
    { "display", 'd', DH_OPT_TEXT, 0, ":N",
      "X display to look at (default: $DISPLAY)", 0, 0, NULL },
    { 0 },
};

struct doctor {
    const char *display;
    struct dh_model_opts model;
    bool json;
    int broken;
};

// `mend` says what to do about it; NULL where nothing is wrong.
static void say(void *user, enum dh_probe_verdict v, const char *what,
                const char *found, const char *mend)
{
    struct doctor *d = user;
    static const char *const marks[] = { "ok", "worse", "BROKEN" };
    d->broken += v == DH_PROBE_BROKEN;
    if (!d->json) {
        printf("%-7s %-14s ", marks[v], what);
        dh_app_print(stdout, found); // a server may have named it
        putchar('\n');
        if (v != DH_PROBE_FINE && mend)
            printf("        %-14s -> %s\n", "", mend);
        fflush(stdout);
        return;
    }
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 16);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "check", what);
    dh_jw_text(&w, "verdict", marks[v]);
    dh_jw_text(&w, "found", found);
    if (v != DH_PROBE_FINE && mend)
        dh_jw_text(&w, "mend", mend);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static void check_input(struct doctor *d)
{
    struct dh_sink *sink;
    if (dh_xtest_create(&sink, d->display, NULL)) {
        say(d, DH_PROBE_BROKEN, "XTest", "nothing can be clicked or typed",
            "start the X server without '-extension XTEST'");
        return;
    }
    say(d, DH_PROBE_FINE, "XTest", "present, and the keymap can be read", NULL);
    dh_sink_destroy(sink);
}

// What tells a person from the agent, and what tells buttons apart.
static void check_trust(struct doctor *d)
{
    struct dh_cancel taken = { 0 }, stop = { 0 };
    struct dh_input_tap_options o = { .display = d->display,
                                      .taken = &taken,
                                      .stop = &stop };
    struct dh_input_tap *tap = NULL;
    bool has_tap = dh_input_tap_create(&tap, &o) == DH_OK;
    dh_input_tap_destroy(tap);
    say(d, has_tap ? DH_PROBE_FINE : DH_PROBE_WORSE, "XInput2",
        has_tap ? "your mouse or keyboard pauses a run"
                : "a run does not notice that you use the desktop",
        "use an X server with XInput 2.1; Ctrl-C in the terminal stops a run");
    bool has_bus = dh_app_has_bus();
    say(d, has_bus ? DH_PROBE_FINE : DH_PROBE_WORSE, "accessibility",
        has_bus ? "a session bus is there for programs to tell their widgets"
                : "buttons and password fields are not known by name",
        "start from a desktop session, or with dbus-run-session");
}

static void check_screen(struct doctor *d)
{
    struct dh_screen_info i;
    char text[160];
    if (dh_screen_probe(d->display, &i)) {
        say(d, DH_PROBE_BROKEN, "display", "no X server can be reached",
            "set DISPLAY, name one with --display, or start one: "
            "Xvfb :1 -screen 0 1024x768x24 & (on Wayland, use Xwayland's)");
        return;
    }
    snprintf(text, sizeof text, "%dx%d, %d bits, %s", i.width, i.height,
             i.depth, i.vendor);
    say(d, i.true_color ? DH_PROBE_FINE : DH_PROBE_BROKEN, "display", text,
        "a TrueColor screen of 24 bits is needed: Xvfb -screen 0 1024x768x24");
    say(d, i.shm_works ? DH_PROBE_FINE : DH_PROBE_WORSE, "MIT-SHM",
        i.shm_works ? "pictures are shared, not sent" : "pictures go by socket",
        "run on the same host as the server for pictures 40 times faster");
    say(d, i.has_damage ? DH_PROBE_FINE : DH_PROBE_WORSE, "XDamage",
        i.has_damage ? "changes are reported" : "changes are found by looking",
        "start the X server without '-extension DAMAGE'");
    say(d, i.has_fixes ? DH_PROBE_FINE : DH_PROBE_WORSE, "XFixes",
        i.has_fixes ? "the pointer can be seen" : "pictures lack the pointer",
        "start the X server without '-extension XFIXES'");
    check_input(d);
    check_trust(d);
}

static void check_model(struct doctor *d)
{
    struct dh_model *model;
    struct dh_model_options o = { 0 };
    char text[200];
    char *dir = d->model.model ? dh_strdup(d->model.model)
                               : dh_app_asset("models/sprout");
    if (dh_model_create(&model, dir, &o)) {
        snprintf(text, sizeof text, "%.150s cannot be loaded", dir);
        say(d, DH_PROBE_BROKEN, "model", text,
            "name a MiniMax-M3 checkpoint with --model DIR; the lines above "
            "say what is wrong with this one");
        dh_free(dir);
        return;
    }
    const struct dh_model_info *i = dh_model_get_info(model);
    snprintf(text, sizeof text, "%.100s: %.1f million parameters%s", dir,
             (double)i->parameters / 1e6, i->has_vision ? "" : ", no vision");
    say(d, i->has_vision ? DH_PROBE_FINE : DH_PROBE_BROKEN, "model", text,
        "a checkpoint with a vision tower is needed to see");
    snprintf(text, sizeof text, "%d cores, kernels: %s", dh_thread_cores(),
             i->kernels);
    say(d, strcmp(i->kernels, "ref") == 0 ? DH_PROBE_WORSE : DH_PROBE_FINE,
        "CPU", text, "without AVX2 or AVX-512 a step takes much longer");
    dh_model_destroy(model);
    struct dh_tokenizer *tokenizer = NULL;
    bool there = !dh_tokenizer_open(&tokenizer, dir);
    say(d, there ? DH_PROBE_FINE : DH_PROBE_BROKEN, "tokenizer",
        there ? "it can be read" : "it cannot be read",
        "copy the checkpoint's tokenizer.json beside the weights");
    dh_tokenizer_destroy(tokenizer);
    dh_free(dir);
}

// What a machine elsewhere lacks; this one is not looked at.
static int check_endpoint(struct doctor *d)
{
    struct dh_brain *brain = NULL;
    enum dh_status st = dh_app_brain(&brain, &d->model);
    if (st == DH_ERR_USAGE)
        return DH_EXIT_USAGE;
    if (st && st != DH_ERR_CANCELLED)
        say(d, DH_PROBE_BROKEN, "endpoint", "the server cannot be used",
            "the lines above say what is wrong");
    if (!st) {
        st = dh_probe_endpoint(brain, say, d);
        if (st && st != DH_ERR_CANCELLED)
            say(d, DH_PROBE_BROKEN, "answer", "a question got no answer",
                "the lines above say what is wrong");
    }
    dh_brain_destroy(brain);
    if (st)
        return dh_app_exit(st);
    return d->broken ? DH_EXIT_FAILED : DH_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct doctor d = { 0 };
    struct dh_opt_set sets[] = { { doctor_opts, &d.display },
                                 { dh_model_opt_table, &d.model },
                                 { dh_app_opts, &app },
                                 { 0 } };
    int n, status;
    if (!dh_app_parse(&dh_cmd_doctor, sets, &app, argc, argv, &n, &status))
        return status;
    if (n > 1 || (n && (d.model.model || !dh_endpoint_is_url(argv[1]))))
        return dh_app_usage(&dh_cmd_doctor,
                            "no operand but one address of a server "
                            "(http://...) is expected");
    if (n)
        d.model.model = argv[1];
    d.json = app.json;
    if (dh_app_is_remote(&d.model))
        return check_endpoint(&d);
    check_screen(&d);
    check_model(&d);
    return d.broken ? DH_EXIT_FAILED : DH_EXIT_OK;
}

const struct dh_command dh_cmd_doctor = {
    "doctor",
    "[URL]",
    "Say what is missing on this machine, or at a server, and how to mend it",
    "With an address, or --endpoint, the server there is asked three short\n"
    "questions about a picture: whether it makes pictures smaller, what its\n"
    "points mean, whether it caches, and in which fields its answers come.\n"
    "\n"
    "  deskhand doctor http://127.0.0.1:8000/v1\n"
    "  deskhand doctor --endpoint minimax --api-key-file key",
    { doctor_opts, dh_model_opt_table, dh_app_opts },
    run,
};
