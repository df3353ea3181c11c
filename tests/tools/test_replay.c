#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/keysym.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/x11.h"
#include "capture/windows.h"
#include "tests/agent/bus.h"
#include "tests/dh_test.h"
#include "tests/tools/form.h"
#include "tests/tools/program.h"
#include "tests/x11/person.h"

static const KeySym stop_mods[] = { XK_Control_L, XK_Alt_L, XK_Shift_L, 0 };

/* --- a person shows it --- */

// Until `part` is in the recording so often.
static void await_lines(const char *dir, const char *part, int times)
{
    char *path = dh_path_join(dir, "events.jsonl");
    int64_t until = dh_now_ns() + 20 * DH_S;
    for (int n = 0; n < times;) {
        char *lines;
        size_t len;
        CHECK(dh_now_ns() < until);
        dh_sleep_for(25 * DH_MS);
        if (!dh_path_exists(path))
            continue;
        CHECK_INT(dh_file_read(path, 16 << 20, &lines, &len), DH_OK);
        n = 0;
        for (const char *p = lines; (p = strstr(p, part)); p++)
            n++;
        dh_big_free(lines);
    }
    dh_free(path);
}

// Returns when it listens.
static pid_t start_recording(const char *dir)
{
    const char *const args[] = { "record", dir, "--no-sign", NULL };
    pid_t pid = program_start(args);
    CHECK(program_saw("recording"));
    await_lines(dir, "\n", 1);
    return pid;
}

// The folder of the recording, to be freed.
static char *record(const struct form_options *o, bool saves, bool types)
{
    char *dir = dh_test_path("s");
    struct dh_person person;
    struct form f;
    struct said said;
    int x = o->x ? o->x : 60, y = o->y ? o->y : 40;
    dh_person_init(&person);
    dh_person_moves(&person, 5, 5);
    form_start(&f, o);
    pid_t pid = start_recording(dir);
    if (types) {
        dh_person_clicks(&person, x + FORM_FIELD_X, y + FORM_FIELD_Y, 1);
        dh_person_types(&person, "Ada");
    }
    if (saves) {
        dh_person_clicks(&person, x + FORM_SAVE_X, y + FORM_SAVE_Y, 1);
        // What it did is looked at before the next click.
        await_lines(dir, "\"k\":\"done\"", types ? 3 : 1);
    }
    dh_person_clicks(&person, x + FORM_CLEAR_X, y + FORM_CLEAR_Y, 1);
    CHECK(program_saw("left_click 130 212"));
    dh_person_chord(&person, XK_Escape, stop_mods);
    program_wait(&said, pid);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "stopped after", NULL);
    said_finish(&said);
    dh_person_finish(&person);
    form_stop(&f);
    return dir;
}

/* --- and it is played --- */

#define PLAY(s, dir, ...)                                                   \
    RUN((s), "replay", (dir), "--no-sign", "--no-record", "--audit", audit, \
        __VA_ARGS__)

static char *audit;

static void play_init(void)
{
    audit = dh_test_path("audit.jsonl");
}

static void test_an_unchanged_program_is_played_exactly(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 };
    play_init();
    char *dir = record(&o, true, true);
    form_start(&f, &o);
    PLAY(&said, dir, NULL);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "done: 4 of 4 steps", NULL);
    CHECK_SAID(&said, 0, "place 3", NULL);
    CHECK_STR(form_told(&f), "field \nkey A\nkey d\nkey a\npress Save\n"
                             "press Clear\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_a_moved_window_is_followed_or_brought_back(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, moved = { .x = 301, .y = 222 };
    play_init();
    char *dir = record(&o, true, true);
    form_start(&f, &moved);
    PLAY(&said, dir, "--no-arrange");
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "done: 4 of 4 steps", NULL);
    said_finish(&said);
    PLAY(&said, dir, NULL);
    CHECK_SAID(&said, 0, "place 3", NULL);
    CHECK_SAID(&said, 0, "left_click 130 152", NULL);
    CHECK_STR(form_told(&f), "field \nkey A\nkey d\nkey a\npress Save\n"
                             "press Clear\nfield \nkey A\nkey d\nkey a\n"
                             "press Save\npress Clear\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_an_element_that_is_gone_stops_it_before_the_click(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, gone = { .no_save = true };
    play_init();
    char *dir = record(&o, true, false);
    form_start(&f, &gone);
    int64_t start = dh_now_ns();
    PLAY(&said, dir, "--patience=7");
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 3, "stuck: 0 of 2 steps", NULL);
    CHECK(dh_now_ns() - start >= 7 * DH_S);
    CHECK_STR(form_told(&f), "");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_another_label_in_its_place_stops_it(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, other = { .label = "Send" };
    play_init();
    char *dir = record(&o, true, false), *out = dh_test_path("played");
    form_start(&f, &other);
    RUN(&said, "replay", dir, "--no-sign", "--audit", audit, "-s", out);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 3, "stop-screen.png", NULL);
    CHECK_STR(form_told(&f), "");
    char *stop = dh_path_join(out, "stop.json");
    char *wanted = dh_path_join(out, "stop-wanted.png");
    CHECK(dh_path_exists(stop) && dh_path_exists(wanted));
    dh_free(stop);
    dh_free(wanted);
    dh_free(out);
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_another_theme_is_played_and_repaired(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, dark = { .dark = true };
    play_init();
    char *dir = record(&o, true, false);
    form_start(&f, &dark);
    PLAY(&said, dir, "--repair");
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "template 2; 2 repaired", NULL);
    CHECK_STR(form_told(&f), "press Save\npress Clear\n");
    said_finish(&said);
    form_stop(&f);
    // From here on it is known how it looks.
    form_start(&f, &dark);
    PLAY(&said, dir, NULL);
    CHECK_SAID(&said, 0, "place 2", NULL);
    CHECK_STR(form_told(&f), "press Save\npress Clear\n");
    said_finish(&said);
    form_stop(&f);
    // And the old look is not forgotten.
    form_start(&f, &o);
    PLAY(&said, dir, NULL);
    CHECK_SAID(&said, 0, "place 2", NULL);
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_a_press_without_effect_is_not_made_again(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, deaf = { .deaf = true };
    play_init();
    char *dir = record(&o, true, false);
    form_start(&f, &deaf);
    PLAY(&said, dir, "--json");
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 3, "\"performed\":true", NULL);
    CHECK(json_lines(said.out) >= 2);
    CHECK_STR(form_told(&f), "press Save\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

/* That a button lights up under the pointer is not its effect. */
static void test_a_button_that_only_lights_up_is_not_done(void)
{
    struct form f;
    struct said said;
    struct form_options o = { .lights = true },
                        deaf = { .lights = true, .deaf = true };
    play_init();
    char *dir = record(&o, true, false);
    form_start(&f, &deaf);
    PLAY(&said, dir, NULL);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 3, "it was done, but what changed", NULL);
    CHECK_STR(form_told(&f), "press Save\n");
    said_finish(&said);
    form_stop(&f);
    form_start(&f, &o);
    PLAY(&said, dir, NULL);
    CHECK_SAID(&said, 0, "done: 2 of 2 steps", NULL);
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

/* Also where the next action followed so soon that other effects are only hoped
 * for. */
static void test_a_text_that_is_not_seen_is_not_done(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, mute = { .mute = true };
    play_init();
    char *dir = record(&o, true, true);
    form_start(&f, &mute);
    PLAY(&said, dir, NULL);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 3, "stuck: 1 of 4 steps", NULL);
    CHECK_STR(form_told(&f), "field \nkey A\nkey d\nkey a\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_a_slow_program_is_waited_for(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, slow = { .late_ms = 900 };
    play_init();
    char *dir = record(&o, true, true);
    form_start(&f, &slow);
    PLAY(&said, dir, NULL);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "done: 4 of 4 steps", NULL);
    CHECK_STR(form_told(&f), "field \nkey A\nkey d\nkey a\npress Save\n"
                             "press Clear\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_a_window_that_was_not_there_stops_it(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, asks = { .dialog = true };
    play_init();
    char *dir = record(&o, true, false);
    form_start(&f, &asks);
    PLAY(&said, dir, NULL);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 3, "was not there in the recording: \"It is saved\"",
               NULL);
    CHECK_STR(form_told(&f), "press Save\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void set_font_dpi(Display *dpy, const char *resources)
{
    Atom name = XInternAtom(dpy, "RESOURCE_MANAGER", False);
    XChangeProperty(dpy, DefaultRootWindow(dpy), name, XA_STRING, 8,
                    PropModeReplace, (const unsigned char *)resources,
                    (int)strlen(resources));
    XSync(dpy, False);
}

static void test_what_is_set_up_otherwise_is_said_before(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 };
    Display *dpy;
    play_init();
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    set_font_dpi(dpy, "Xft.dpi:\t96\n");
    char *dir = record(&o, true, false);
    form_start(&f, &o);
    PLAY(&said, dir, NULL);
    CHECK_SAID(&said, 0, "done: 2 of 2 steps", NULL);
    CHECK(!strstr(said.out, "dpi"));
    said_finish(&said);
    set_font_dpi(dpy, "Xft.dpi:\t120\n");
    PLAY(&said, dir, "--dry-run");
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "the resolution of fonts is 120 dpi, and was 96 dpi",
               NULL);
    said_finish(&said);
    form_stop(&f);
    // The tests that follow have the same server.
    XDeleteProperty(dpy, DefaultRootWindow(dpy), XA_RESOURCE_MANAGER);
    XSync(dpy, False);
    dh_x11_close(dpy);
    dh_free(dir);
}

/* Nobody knows what it asks, also where it was there before and covers none of
 * the places. */
static void test_a_dialog_of_the_window_stops_it_from_the_start(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 };
    Display *dpy;
    play_init();
    char *dir = record(&o, true, false);
    form_start(&f, &o);
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    Window win = XCreateSimpleWindow(dpy, DefaultRootWindow(dpy), 600, 400, 200,
                                     100, 0, 0, 0xc0d0f0);
    XClassHint hint = { (char[]){ "other" }, (char[]){ "Other" } };
    XSetClassHint(dpy, win, &hint);
    XStoreName(dpy, win, "Update");
    XSetTransientForHint(dpy, win, f.window);
    XMapRaised(dpy, win);
    XSync(dpy, False);
    PLAY(&said, dir, NULL);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 3, "was not there in the recording: \"Update\"", NULL);
    CHECK_STR(form_told(&f), "");
    said_finish(&said);
    // What belongs to nobody is another matter.
    XDeleteProperty(dpy, win, XA_WM_TRANSIENT_FOR);
    XSync(dpy, False);
    PLAY(&said, dir, NULL);
    CHECK_SAID(&said, 0, "done: 2 of 2 steps", NULL);
    said_finish(&said);
    form_stop(&f);
    dh_x11_close(dpy);
    dh_free(dir);
}

static void test_a_dry_run_touches_nothing(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 };
    play_init();
    char *dir = record(&o, true, true);
    form_start(&f, &o);
    PLAY(&said, dir, "--dry-run");
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "4 of 4 steps would find their place", NULL);
    CHECK_STR(form_told(&f), "");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

/* --- parameters --- */

static char *record_customer(void)
{
    struct said said;
    struct form_options o = { 0 };
    play_init();
    char *dir = record(&o, true, true);
    RUN(&said, "mark", dir, "2", "customer");
    CHECK_SAID(&said, 0, NULL, NULL);
    said_finish(&said);
    return dir;
}

static void test_a_parameter_is_typed_in_its_place(void)
{
    struct form f;
    struct said said;
    char *dir = record_customer();
    form_start(&f, &(struct form_options){ 0 });
    PLAY(&said, dir, "--set", "client=Bo");
    CHECK_SAID(&said, 2, NULL, "no parameter \"client\"; it has customer");
    said_finish(&said);
    PLAY(&said, dir, "--set", "customer=Bo");
    CHECK_SAID(&said, 0, "type \"Bo\"", NULL);
    CHECK_STR(form_told(&f), "field \nkey B\nkey o\npress Save\n"
                             "press Clear\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_each_row_of_a_table_is_played(void)
{
    static const char rows[] = "customer\nBo\n\"Cy\"\n";
    struct form f;
    struct said said;
    char *dir = record_customer(), *csv = dh_test_path("t.csv");
    CHECK_INT(dh_file_write(csv, rows, sizeof rows - 1), DH_OK);
    form_start(&f, &(struct form_options){ 0 });
    PLAY(&said, dir, "--csv", csv);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "2 of 2 rows played, 0 failed", NULL);
    CHECK_STR(form_told(&f), "field \nkey B\nkey o\npress Save\npress Clear\n"
                             "field \nkey C\nkey y\npress Save\n"
                             "press Clear\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(csv);
    dh_free(dir);
}

static void test_a_secret_that_nobody_gives_is_asked_for_before(void)
{
    struct form f;
    struct said said;
    char *dir = record_customer();
    RUN(&said, "mark", dir, "2", "pin", "--part", "d", "--secret");
    said_finish(&said);
    RUN(&said, "mark", dir, "--remove", "customer");
    said_finish(&said);
    RUN(&said, "mark", dir, "2", "pin", "--secret");
    said_finish(&said);
    form_start(&f, &(struct form_options){ 0 });
    PLAY(&said, dir, NULL);
    CHECK_SAID(&said, 2, NULL, "needs the secret pin");
    said_finish(&said);
    PLAY(&said, dir, "--set", "pin=Xyz", "--mode", "free");
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "type \"{{secret:pin}}\"", NULL);
    CHECK(!strstr(said.out, "Xyz"));
    CHECK_STR(form_told(&f), "field \nkey X\nkey y\nkey z\npress Save\n"
                             "press Clear\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

/* --- a real program --- */

struct dialog {
    pid_t pid;
    int out;
};

static void dialog_start(struct dialog *d, Display *dpy)
{
    static const char *const argv[] = { "sh", "-c",
                                        "exec zenity --entry --title=Customers "
                                        "--text='Your name' >&3",
                                        NULL };
    int fd[2];
    if (access("/usr/bin/zenity", X_OK))
        dh_test_skip("zenity is not installed");
    CHECK_INT(pipe(fd), 0);
    d->pid = dh_bus_spawn(argv, fd[1]);
    close(fd[1]);
    d->out = fd[0];
    struct dh_windows *w;
    struct dh_window at = { 0 };
    CHECK_INT(dh_windows_create(&w, NULL), DH_OK);
    for (int i = 0; i < 400 && strcmp(at.title, "Customers"); i++) {
        dh_bus_focus_newest(dpy);
        CHECK_INT(dh_windows_focused(w, &at), DH_OK);
        dh_sleep_for(50 * DH_MS);
    }
    dh_windows_destroy(w);
    CHECK_STR(at.title, "Customers");
}

// What it printed; "" where it has not ended.
static void dialog_stop(struct dialog *d, char out[64])
{
    struct pollfd in = { .fd = d->out, .events = POLLIN };
    ssize_t n = poll(&in, 1, 5000) == 1 ? read(d->out, out, 63) : 0;
    out[n > 0 ? n : 0] = '\0';
    close(d->out);
    dh_bus_stop(d->pid);
}

static void test_a_dialog_of_a_real_program_is_filled_in_again(void)
{
    static const KeySym none[] = { 0 };
    struct dh_person person;
    struct dialog d;
    struct said said;
    char out[64];
    play_init();
    pid_t bus = dh_bus_start();
    Display *dpy;
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    dh_person_init(&person);
    dh_person_moves(&person, 5, 5);
    dialog_start(&d, dpy);
    char *dir = dh_test_path("s");
    pid_t pid = start_recording(dir);
    dh_person_types(&person, "Ada");
    dh_person_chord(&person, XK_BackSpace, none);
    dh_person_types(&person, "m");
    dh_person_chord(&person, XK_Return, none);
    dialog_stop(&d, out);
    CHECK_STR(out, "Adm\n");
    dh_person_chord(&person, XK_Escape, stop_mods);
    program_wait(&said, pid);
    said_finish(&said);
    dialog_start(&d, dpy);
    PLAY(&said, dir, NULL);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "done: 4 of 4 steps", NULL);
    dialog_stop(&d, out);
    CHECK_STR(out, "Adm\n");
    said_finish(&said);
    dh_free(dir);
    dh_x11_close(dpy);
    dh_person_finish(&person);
    dh_bus_stop(bus);
}

/* --- what cannot be played --- */

static void test_bad_recordings_are_told(void)
{
    static const char head[] = "{\"format\":\"deskhand-session\","
                               "\"version\":1,\"kind\":\"human\"}\n";
    static const char lines[] =
        "{\"n\":1,\"t\":5,\"k\":\"act\",\"op\":\"frobnicate\"}\n";
    struct said said;
    RUN(&said, "replay");
    CHECK_SAID(&said, 2, "", "one recording");
    said_finish(&said);
    RUN(&said, "replay", "./nowhere");
    CHECK_SAID(&said, 1, NULL, "nowhere");
    said_finish(&said);
    char *dir = dh_test_path("bad"), *path = dh_path_join(dir, "session.json");
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    CHECK_INT(dh_file_write(path, head, sizeof head - 1), DH_OK);
    dh_free(path);
    RUN(&said, "replay", dir);
    CHECK_SAID(&said, 1, NULL, "no actions");
    said_finish(&said);
    path = dh_path_join(dir, "events.jsonl");
    CHECK_INT(dh_file_write(path, lines, sizeof lines - 1), DH_OK);
    play_init();
    PLAY(&said, dir, NULL);
    CHECK_SAID(&said, 3, "the recording is damaged there", NULL);
    said_finish(&said);
    dh_free(path);
    dh_free(dir);
}

DH_TESTS(DH_TEST(an_unchanged_program_is_played_exactly),
         DH_TEST(a_moved_window_is_followed_or_brought_back),
         DH_TEST(an_element_that_is_gone_stops_it_before_the_click),
         DH_TEST(another_label_in_its_place_stops_it),
         DH_TEST(another_theme_is_played_and_repaired),
         DH_TEST(a_press_without_effect_is_not_made_again),
         DH_TEST(a_button_that_only_lights_up_is_not_done),
         DH_TEST(a_text_that_is_not_seen_is_not_done),
         DH_TEST(a_slow_program_is_waited_for),
         DH_TEST(a_window_that_was_not_there_stops_it),
         DH_TEST(what_is_set_up_otherwise_is_said_before),
         DH_TEST(a_dialog_of_the_window_stops_it_from_the_start),
         DH_TEST(a_dry_run_touches_nothing),
         DH_TEST(a_parameter_is_typed_in_its_place),
         DH_TEST(each_row_of_a_table_is_played),
         DH_TEST(a_secret_that_nobody_gives_is_asked_for_before),
         DH_TEST(a_dialog_of_a_real_program_is_filled_in_again),
         DH_TEST(bad_recordings_are_told));
