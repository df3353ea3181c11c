// The commands that see and act, on a live X server.
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"
#include "tests/x11/listener.h"

static void test_grab_saves_the_screen(void)
{
    struct said s;
    struct dh_frame *f;
    char *path = dh_test_path("a.png");
    Display *dpy = XOpenDisplay(NULL);
    CHECK(dpy != NULL);
    paint_all(dpy, 0x336699);
    RUN(&s, "grab", path);
    CHECK_SAID(&s, 0, "", "");
    said_finish(&s);
    CHECK_INT(dh_picture_read(path, &f), DH_OK);
    CHECK_INT(f->width, 1024);
    CHECK_INT(f->height, 768);
    check_pixel(f, 5, 5, 0x336699);
    dh_frame_unref(f);
    RUN(&s, "grab", "--json", "--region=100x50+10+20", path);
    CHECK_SAID(&s, 0, "{\"width\":100,\"height\":50}\n", "");
    said_finish(&s);
    CHECK_INT(dh_picture_read(path, &f), DH_OK);
    CHECK_INT(f->width, 100);
    dh_frame_unref(f);
    XCloseDisplay(dpy);
    dh_free(path);
}

static void test_grab_says_why_it_cannot(void)
{
    struct said s;
    char *path = dh_test_path("no/such/folder.png");
    RUN(&s, "grab", path);
    CHECK_SAID(&s, 1, "", "folder.png");
    said_finish(&s);
    RUN(&s, "grab", "--region=banana", path);
    CHECK_SAID(&s, 2, "", "banana");
    said_finish(&s);
    dh_free(path);
}

static void test_grab_films_the_screen(void)
{
    struct said s;
    char *path = dh_test_path("a.mkv"), *lost = dh_test_path("no/such/a.mkv");
    RUN(&s, "grab", "--video", "--seconds=0.3", "--json", path);
    CHECK_SAID(&s, 0, "\"written\":2,", "");
    said_finish(&s);
    CHECK(dh_path_exists(path));
    RUN(&s, "grab", "--video", "--seconds=0.3", lost);
    CHECK_SAID(&s, 1, "", "a.mkv");
    said_finish(&s);
    dh_free(path);
    dh_free(lost);
}

static void test_act_reaches_a_window(void)
{
    struct dh_listener l;
    struct said s;
    dh_listener_init(&l);
    RUN(&s, "act", "left_click 500 500", "type \"Ada\\t\\u0041\\n\"",
        "key ctrl+s");
    CHECK_SAID(&s, 0, "", "");
    said_finish(&s);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.events), "press 1 512,384\nrelease 1 512,384\n");
    CHECK_STR(dh_buf_text(&l.typed), "Ada\tA\n^s");
    dh_buf_clear(&l.events);
    RUN(&s, "act", "--pixels", "right_click 1023 767");
    CHECK_SAID(&s, 0, "", "");
    said_finish(&s);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.events), "press 3 1023,767\nrelease 3 1023,767\n");
    CHECK_INT(dh_listener_held(&l), 0);
    dh_listener_finish(&l);
}

// A symbol that the layout lacks is lent a key, and for long enough that a
// program can look it up.
static void test_act_types_what_the_keyboard_lacks(void)
{
    struct dh_listener l;
    struct said s;
    const char *const args[] = { "act", "type \"\\u00e4\\u4f60\"", NULL };
    dh_listener_init(&l);
    pid_t pid = program_start(args);
    for (int i = 0; i < 50 && l.typed.len < 5; i++)
        dh_listener_drain(&l);
    program_wait(&s, pid);
    CHECK_SAID(&s, 0, "", "");
    CHECK_STR(dh_buf_text(&l.typed), "\xc3\xa4\xe4\xbd\xa0");
    said_finish(&s);
    dh_listener_finish(&l);
}

// What cannot be done names its action; what comes after it is not done.
static void test_act_stops_at_the_first_failure(void)
{
    struct dh_listener l;
    struct said s;
    dh_listener_init(&l);
    RUN(&s, "act", "key ctrl+bogus", "type x");
    CHECK_SAID(&s, 1, "", "no such key: \"bogus\"");
    said_finish(&s);
    RUN(&s, "act", "left_clik 1 1", "type x");
    CHECK_SAID(&s, 2, "", "left_clik");
    said_finish(&s);
    RUN(&s, "act", "--pixels", "left_click 4000 1", "type x");
    CHECK_SAID(&s, 1, "", "4000");
    said_finish(&s);
    RUN(&s, "act", "key ctrl+alt+BackSpace", "type x");
    CHECK_SAID(&s, 1, "", "blocked");
    said_finish(&s);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), "");
    CHECK_INT(dh_listener_held(&l), 0);
    dh_listener_finish(&l);
}

static void test_a_script_runs_and_leaves_a_session(void)
{
    struct dh_listener l;
    struct said s;
    char *script = dh_test_file("script", "left_click 500 500\ntype hello\n");
    char *dir = dh_test_path("session"),
         *page = dh_test_path("session/index.html");
    char *video = dh_test_path("session/video.mkv");
    dh_listener_init(&l);
    RUN(&s, "run", "--script", script, "--session", dir, "--quiet-ms=20",
        "Say hello.");
    CHECK_SAID(&s, 0, "task    Say hello.\n", "");
    CHECK_SAID(&s, 0, "done after 3 steps", "");
    CHECK_SAID(&s, 0, "settle ", "");
    CHECK_SAID(&s, 0, dir, "");
    said_finish(&s);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), "hello");
    CHECK(dh_path_exists(page));
    CHECK(dh_path_exists(video));
    // The same folder is not written over.
    RUN(&s, "run", "--script", script, "--session", dir, "again");
    CHECK_SAID(&s, 2, "", "not empty");
    said_finish(&s);
    dh_free(script);
    dh_free(dir);
    dh_free(page);
    dh_free(video);
    dh_listener_finish(&l);
}

static void test_a_run_tells_programs_in_json(void)
{
    struct said s;
    char *script = dh_test_file("script", "left_click 500 500\n");
    char *state = dh_test_path("state");
    setenv("XDG_STATE_HOME", state, 1);
    RUN(&s, "run", "--json", "--script", script, "--quiet-ms=20", "a \"task\"");
    CHECK_SAID(&s, 0, "{\"event\":\"start\"", "");
    CHECK_SAID(&s, 0, "\"op\":\"left_click\"", "");
    CHECK_SAID(&s, 0, "{\"event\":\"result\",\"end\":\"done\",\"steps\":2,",
               "");
    // Where none is named, the session is kept with the user's state.
    CHECK_SAID(&s, 0, state, "");
    CHECK(json_lines(s.out) >= 8);
    said_finish(&s);
    dh_free(script);
    dh_free(state);
}

static void check_unsolved(const char *text, int status, const char *out)
{
    struct said s;
    char *script = dh_test_file("script", text);
    RUN(&s, "run", "--no-record", "--max-steps=3", "--quiet-ms=10", "--script",
        script, "x");
    CHECK_SAID(&s, status, out, NULL);
    said_finish(&s);
    dh_free(script);
}

static void test_a_task_that_is_not_solved_exits_with_3(void)
{
    check_unsolved("fail\n", 3, "failed after 1 step,");
    check_unsolved("raw {\nraw {\nraw {\n", 3, "nonsense after 1 step,");
    check_unsolved("raw hm\nraw It is noon.\n", 0, "answered after 1 step,");
    // Nobody sits at the other end of /dev/null.
    check_unsolved("ask_user \"Which one?\"\n", 3, "failed after 1 step,");
    check_unsolved("key a\nkey b\nkey c\nkey d\n", 3, "limit after 3 steps");
    check_unsolved("done\n", 0, "done after 1 step,");
}

// What a model writes is printed, but a terminal does not obey it.
static void test_text_of_a_model_is_printed_harmless(void)
{
    struct said s;
    char *script = dh_test_file(
        "script",
        "raw Action: \x1b]0;evil\x07 \xc2\x9b\xc3\xa4 <tool_call>{\"name\":"
        "\"computer\",\"arguments\":{\"action\":\"key\",\"text\":\"a\"}}"
        "</tool_call>\nraw {\"action\":\"\x1b[31mred\"}\n");
    RUN(&s, "run", "--no-record", "--quiet-ms=10", "--script", script, "x");
    CHECK_SAID(&s, 0, "?]0;evil? ?\xc3\xa4", "");
    CHECK_SAID(&s, 0, "[31mred", "");
    for (const char *p = s.out; *p; p++)
        CHECK(*p == '\n' || (unsigned char)*p >= 0x20);
    CHECK(!strstr(s.out, "\xc2\x9b"));
    said_finish(&s);
    dh_free(script);
}

static void check_signal(int sig)
{
    struct dh_listener l;
    struct said s;
    char *script = dh_test_file("script", "left_mouse_down 500 500\nwait 60\n");
    char *dir = dh_test_path("session");
    const char *const args[] = { "run",       "--script", script,
                                 "--session", dir,        "--settle-ms=60000",
                                 "x",         NULL };
    dh_listener_init(&l);
    pid_t pid = program_start(args);
    CHECK(program_saw("[wait 60]"));
    CHECK(dh_listener_held(&l) > 0);
    int64_t start = dh_now_ns();
    kill(pid, sig);
    program_wait(&s, pid);
    CHECK(dh_now_ns() - start < 2 * DH_S);
    CHECK_SAID(&s, 4, "stopped after 2 steps", sig == SIGINT ? "stopping" : "");
    said_finish(&s);
    CHECK_INT(dh_listener_held(&l), 0);
    char *path = dh_test_path("session/session.json"), *head;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 20, &head, &len), DH_OK);
    CHECK(strstr(head, "\"reason\":\"stopped\""));
    dh_big_free(head);
    dh_free(path);
    dh_free(dir);
    dh_free(script);
    dh_listener_finish(&l);
}

static void test_ctrl_c_stops_and_lets_go(void)
{
    check_signal(SIGINT);
}

static void test_a_polite_kill_stops_and_lets_go(void)
{
    check_signal(SIGTERM);
}

static void test_a_display_that_goes_away_is_an_error(void)
{
    struct server server;
    struct said s;
    char *script = dh_test_file("script", "wait 60\n");
    server_start(&server, "640x480x24", NULL);
    const char *const args[] = { "run",
                                 "--no-record",
                                 "--display",
                                 server.display,
                                 "--settle-ms=60000",
                                 "--script",
                                 script,
                                 "x",
                                 NULL };
    pid_t pid = program_start(args);
    CHECK(program_saw("[wait 60]"));
    server_kill(&server);
    program_wait(&s, pid);
    CHECK_SAID(&s, 1, "error after 1 step", "lost the X server");
    said_finish(&s);
    dh_free(script);
}

static void test_without_a_display_it_says_so(void)
{
    struct said s;
    char *script = dh_test_file("script", "done\n"),
         *png = dh_test_path("a.png");
    for (int named = 0; named < 2; named++) {
        const char *err = named ? "\":98765\"" : "DISPLAY is not set";
        if (named)
            setenv("DISPLAY", ":98765", 1);
        else
            unsetenv("DISPLAY");
        RUN(&s, "grab", png);
        CHECK_SAID(&s, 1, "", err);
        said_finish(&s);
        RUN(&s, "act", "left_click 1 1");
        CHECK_SAID(&s, 1, "", err);
        said_finish(&s);
        RUN(&s, "run", "--no-record", "--script", script, "x");
        CHECK_SAID(&s, 1, "", err);
        said_finish(&s);
        RUN(&s, "doctor");
        CHECK_SAID(&s, 1, "set DISPLAY, name one with --display", NULL);
        said_finish(&s);
    }
    CHECK(!dh_path_exists(png));
    dh_free(script);
    dh_free(png);
}

static void test_doctor_finds_a_good_display(void)
{
    struct said s;
    RUN(&s, "doctor");
    CHECK(strstr(s.out, "ok      display        1024x768, 24 bits"));
    CHECK(strstr(s.out, "ok      XTest "));
    CHECK(strstr(s.out, "ok      XDamage "));
    CHECK(strstr(s.out, "ok      XInput2 "));
    said_finish(&s);
    RUN(&s, "doctor", "--json");
    CHECK(json_lines(s.out) >= 6);
    said_finish(&s);
}

static void test_doctor_finds_what_a_server_lacks(void)
{
    struct server server;
    struct said s;
    server_start(&server, "640x480x24", "XTEST");
    RUN(&s, "doctor", "--display", server.display);
    CHECK_SAID(&s, 1, "BROKEN  XTest ", NULL);
    said_finish(&s);
    server_kill(&server);
    server_start(&server, "640x480x24", "DAMAGE");
    RUN(&s, "doctor", "--display", server.display);
    CHECK(strstr(s.out, "worse   XDamage "));
    CHECK(strstr(s.out, "-> "));
    said_finish(&s);
    server_kill(&server);
    server_start(&server, "640x480x8", NULL);
    RUN(&s, "doctor", "--json", "--display", server.display);
    CHECK_SAID(&s, 1, "\"check\":\"display\",\"verdict\":\"BROKEN\"", NULL);
    CHECK(json_lines(s.out) >= 6);
    said_finish(&s);
    server_kill(&server);
}

/* --- a program that knows nothing of this --- */

static bool terminal_is_there(Display *dpy)
{
    Window root, parent, *child = NULL;
    unsigned n = 0;
    bool shown = false;
    if (!XQueryTree(dpy, DefaultRootWindow(dpy), &root, &parent, &child, &n))
        return false;
    for (unsigned i = 0; i < n; i++) {
        XWindowAttributes a;
        shown |= XGetWindowAttributes(dpy, child[i], &a) &&
                 a.map_state == IsViewable && a.width > 200;
    }
    XFree(child);
    return shown;
}

static pid_t terminal_start(Display *dpy, const char *shell)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("xterm", "xterm", "-geometry", "80x24+0+0", "-e", "sh", "-c",
               shell, (char *)NULL);
        _exit(127);
    }
    CHECK(pid > 0);
    for (int i = 0; i < 200 && !terminal_is_there(dpy); i++) {
        dh_sleep_for(50 * DH_MS);
        if (waitpid(pid, &status, WNOHANG) == pid)
            dh_test_skip("xterm is not installed, or does not start");
    }
    CHECK(terminal_is_there(dpy));
    return pid;
}

static void test_a_script_types_into_a_terminal(void)
{
    struct said s;
    char *script = dh_test_file("script", "left_click 100 100\nwait 0.5\n"
                                          "type \"Ada & Grace\\n\"\n");
    char *name = dh_test_path("typed"), *video = dh_test_path("session");
    char shell[4200];
    Display *dpy = XOpenDisplay(NULL);
    CHECK(dpy != NULL);
    snprintf(shell, sizeof shell, "read -r x; printf %%s \"$x\" >'%s'", name);
    pid_t pid = terminal_start(dpy, shell);
    // Return in a terminal is asked for, and there is nobody to ask.
    RUN(&s, "run", "--mode=free", "--script", script, "--session", video,
        "Type.");
    CHECK_SAID(&s, 0, "done after 4 steps", "");
    said_finish(&s);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    char *text;
    size_t len;
    CHECK_INT(dh_file_read(name, 1000, &text, &len), DH_OK);
    CHECK_STR(text, "Ada & Grace");
    dh_big_free(text);
    XCloseDisplay(dpy);
    dh_free(script);
    dh_free(name);
    dh_free(video);
}

DH_TESTS(DH_TEST(grab_saves_the_screen), DH_TEST(grab_says_why_it_cannot),
         DH_TEST(grab_films_the_screen), DH_TEST(act_reaches_a_window),
         DH_TEST(act_types_what_the_keyboard_lacks),
         DH_TEST(act_stops_at_the_first_failure),
         DH_TEST(a_script_runs_and_leaves_a_session),
         DH_TEST(a_run_tells_programs_in_json),
         DH_TEST(a_task_that_is_not_solved_exits_with_3),
         DH_TEST(text_of_a_model_is_printed_harmless),
         DH_TEST(ctrl_c_stops_and_lets_go),
         DH_TEST(a_polite_kill_stops_and_lets_go),
         DH_TEST(a_display_that_goes_away_is_an_error),
         DH_TEST(without_a_display_it_says_so),
         DH_TEST(doctor_finds_a_good_display),
         DH_TEST(doctor_finds_what_a_server_lacks),
         DH_TEST(a_script_types_into_a_terminal));
