// The last rungs of a replay, in a real dialog whose look has changed: a model
// names the place of a button and is believed only with proof, or a person at
// the terminal points at it.
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/keysym.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/x11.h"
#include "capture/windows.h"
#include "tests/agent/bus.h"
#include "tests/agent/peer.h"
#include "tests/agent/sample.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"
#include "tests/x11/person.h"

/* --- the dialog --- */

#define FONT_17 "[Settings]\ngtk-font-name=Serif 17\n"

struct dialog {
    pid_t pid;
    int out;
    struct dh_window is;
};

static void dialog_start(struct dialog *d, Display *dpy)
{
    static const char *const argv[] = {
        "sh", "-c", "exec zenity --entry --title=Customers --text=Name >&3",
        NULL
    };
    int fd[2];
    struct dh_windows *w;
    CHECK_INT(pipe(fd), 0);
    d->pid = dh_bus_spawn(argv, fd[1]);
    close(fd[1]);
    d->out = fd[0];
    d->is = (struct dh_window){ 0 };
    CHECK_INT(dh_windows_create(&w, NULL), DH_OK);
    // It is there before it has its size.
    for (int i = 0, same = 0; i < 400 && same < 8; i++) {
        struct dh_rect was = d->is.box;
        dh_bus_focus_newest(dpy);
        CHECK_INT(dh_windows_focused(w, &d->is), DH_OK);
        bool still = !strcmp(d->is.title, "Customers") &&
                     !memcmp(&was, &d->is.box, sizeof was);
        same = still ? same + 1 : 0;
        dh_sleep_for(50 * DH_MS);
    }
    dh_windows_destroy(w);
    if (strcmp(d->is.title, "Customers"))
        dh_test_skip("zenity is not installed");
}

// "" while it is open, and where it was cancelled.
static bool dialog_is_open(struct dialog *d, char out[64])
{
    struct pollfd in = { .fd = d->out, .events = POLLIN };
    ssize_t n = poll(&in, 1, 500) == 1 ? read(d->out, out, 63) : -1;
    out[DH_MAX(n, 0)] = '\0';
    return n < 0;
}

static void dialog_stop(struct dialog *d)
{
    close(d->out);
    dh_bus_stop(d->pid);
}

/* --- what is recorded: a text, and a click on OK --- */

static Display *dpy;

// False: on a busy machine the dialog may go before it has told what OK is.
static bool record_once(const char *dir)
{
    static const KeySym stop[] = { XK_Control_L, XK_Alt_L, XK_Shift_L, 0 };
    struct dh_person person;
    struct dialog d;
    struct said said;
    char out[64];
    const char *const args[] = { "record", dir, "--no-sign", NULL };
    dh_person_init(&person);
    dh_person_moves(&person, 1000, 700);
    dialog_start(&d, dpy);
    pid_t pid = program_start(args);
    CHECK(program_saw("recording"));
    // The program has to have told of its widgets.
    dh_sleep_for(1500 * DH_MS);
    dh_person_types(&person, "Ada");
    dh_sleep_for(1000 * DH_MS);
    dh_person_moves(&person, d.is.box.x + d.is.box.w * 3 / 4,
                    d.is.box.y + d.is.box.h - 24);
    dh_sleep_for(300 * DH_MS);
    // The dialog goes as soon as a finger lets go.
    dh_person_button(&person, 1, true);
    dh_sleep_for(400 * DH_MS);
    dh_person_button(&person, 1, false);
    for (int i = 0; i < 20 && dialog_is_open(&d, out); i++)
        ;
    CHECK_STR(out, "Ada\n");
    dialog_stop(&d);
    dh_person_chord(&person, XK_Escape, stop);
    program_wait(&said, pid);
    printf("%s%s", said.out, said.err);
    bool whole = strstr(said.out, "on OK  in Customers") != NULL;
    said_finish(&said);
    dh_person_moves(&person, 1000, 700);
    dh_person_finish(&person);
    return whole;
}

// The folder, to be freed.
static char *record(void)
{
    char name[] = "s0", *dir = NULL;
    pid_t bus = dh_bus_start();
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    for (bool whole = false; !whole; name[1]++) {
        CHECK(name[1] < '6');
        dh_free(dir);
        dir = dh_test_path(name);
        whole = record_once(dir);
    }
    dh_bus_stop(bus);
    // From here on no program says what it has, and all looks otherwise.
    setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", 1);
    char *gtk = dh_test_path("etc/gtk-3.0"), *etc = dh_test_path("etc");
    CHECK_INT(dh_path_mkdirs(gtk), DH_OK);
    dh_free(dh_test_file("etc/gtk-3.0/settings.ini", FONT_17));
    setenv("XDG_CONFIG_HOME", etc, 1);
    setenv("GTK_THEME", "HighContrast", 1);
    dh_free(etc);
    dh_free(gtk);
    return dir;
}

/* --- what thinks --- */

struct mind {
    int x, y; // where in the dialog it points, of 1000; y 0: the buttons
    const char *text; // said in place of a point; NULL: the point
    const char *reads;
    bool silent;
    atomic_int asked;
    struct dh_rect dialog;
};

// Thousandths of the dialog as those of the screen.
static int of_screen(int from, int size, int at, int screen)
{
    return (from * 1000 + size * at) / screen;
}

static bool think(struct peer *p, int fd, const struct peer_request *r)
{
    struct mind *m = p->user;
    struct dh_buf answer, event;
    if (strncmp(r->head, "GET ", 4) == 0)
        return peer_answer(
            fd, 200, "application/json",
            "{\"data\":[{\"id\":\"m3\",\"owned_by\":\"vllm\"}]}");
    atomic_fetch_add(&m->asked, 1);
    while (m->silent && peer_pause(p, 1000))
        ;
    dh_buf_init(&answer, 4096);
    dh_buf_init(&event, 1 << 16);
    if (memmem(r->body, r->len, "red cross", 9))
        dh_buf_puts(&answer, m->reads);
    else if (m->text)
        dh_buf_puts(&answer, m->text);
    else
        dh_buf_printf(&answer,
                      "<tool_call>\n{\"name\":\"computer\",\"arguments\":{"
                      "\"action\":\"left_click\",\"coordinate\":[%d,%d]}}",
                      of_screen(m->dialog.x, m->dialog.w, m->x, 1024),
                      of_screen(m->dialog.y, m->dialog.h,
                                m->y ? m->y
                                     : (m->dialog.h - 24) * 1000 /
                                           (m->dialog.h + !m->dialog.h),
                                768));
    dh_buf_puts(&event, "{\"choices\":[{\"delta\":{\"content\":");
    dh_json_quote(&event, dh_str_of(dh_buf_text(&answer)));
    dh_buf_puts(&event, "},\"finish_reason\":\"stop\"}]}");
    bool ok = peer_stream(fd) && peer_event(fd, NULL, dh_buf_text(&event)) &&
              peer_event(fd, NULL, "[DONE]");
    dh_buf_finish(&event);
    dh_buf_finish(&answer);
    (void)ok; // whoever hung up has what it wanted
    return false;
}

#define OK_AT     750, 0
#define CANCEL_AT 250, 0

static void check_replay(const char *dir, struct mind *m, int status,
                         const char *has, const char *typed)
{
    struct dialog d;
    struct peer p;
    struct said said;
    char out[64], *audit = dh_test_path("audit.jsonl");
    dialog_start(&d, dpy);
    m->dialog = d.is.box;
    peer_start(&p, think, m);
    RUN(&said, "replay", dir, "--no-sign", "--no-record", "--audit", audit,
        "--mode", "free", "--patience=1.5", "--model", p.url);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, status, has, NULL);
    said_finish(&said);
    CHECK_INT(dialog_is_open(&d, out), !typed);
    CHECK_STR(out, typed ? typed : "");
    CHECK(atomic_load(&m->asked) > 0);
    dialog_stop(&d);
    peer_stop(&p);
    dh_free(audit);
}

// Whatever a model of this size takes for OK, nothing else is clicked.
static void test_the_embedded_model_clicks_nothing_wrong(void)
{
    struct dialog d;
    struct said said;
    char out[64], *dir = record();
    dialog_start(&d, dpy);
    RUN(&said, "replay", dir, "--no-sign", "--no-record", "--mode", "free",
        "--patience=1.5", "--model", "assets/models/sprout");
    printf("%s%s", said.out, said.err);
    bool open = dialog_is_open(&d, out);
    CHECK_SAID(&said, open ? 3 : 0, open ? "stuck: 1 of 2" : "done: 2 of 2",
               NULL);
    CHECK_STR(out, open ? "" : "Ada\n");
    CHECK(strstr(said.out, "the model was asked"));
    said_finish(&said);
    dialog_stop(&d);
    dh_free(dir);
}

static void test_what_it_points_at_and_reads_is_clicked(void)
{
    char *dir = record();
    struct mind right = { OK_AT, .reads = "OK" };
    check_replay(dir, &right, 0, "text 1", "Ada\n");
    dh_free(dir);
}

static void test_a_wrong_point_is_not_clicked(void)
{
    char *dir = record();
    struct mind honest = { CANCEL_AT, .reads = "Cancel" };
    struct mind yes = { CANCEL_AT, .reads = "Yes, it is on the OK button." };
    check_replay(dir, &honest, 3, "cannot be confirmed", NULL);
    check_replay(dir, &yes, 3, "cannot be confirmed", NULL);
    dh_free(dir);
}

static void test_no_point_and_one_outside_are_not_clicked(void)
{
    char *dir = record();
    struct mind outside = { 4000, -900, .reads = "OK" };
    struct mind none = { .text = "I cannot see it.", .reads = "OK" };
    check_replay(dir, &outside, 3, "stuck", NULL);
    check_replay(dir, &none, 3, "stuck", NULL);
    dh_free(dir);
}

static void test_a_model_that_is_silent_is_not_waited_for_when_stopped(void)
{
    struct dialog d;
    struct peer p;
    struct said said;
    struct mind m = { .silent = true };
    char out[64], *dir = record();
    peer_start(&p, think, &m);
    dialog_start(&d, dpy);
    const char *const args[] = {
        "replay", dir,    "--no-sign",      "--no-record",
        "--mode", "free", "--patience=1.5", "--model",
        p.url,    NULL
    };
    pid_t pid = program_start(args);
    for (int i = 0; i < 1000 && !atomic_load(&m.asked); i++)
        dh_sleep_for(20 * DH_MS);
    CHECK(atomic_load(&m.asked) == 1);
    int64_t start = dh_now_ns();
    CHECK_INT(kill(pid, SIGINT), 0);
    program_wait(&said, pid);
    printf("%s%s", said.out, said.err);
    CHECK(dh_now_ns() - start < 3 * DH_S);
    CHECK_SAID(&said, 4, "stopped", NULL);
    said_finish(&said);
    CHECK(dialog_is_open(&d, out));
    dialog_stop(&d);
    peer_stop(&p);
    dh_free(dir);
}

/* --- a person at the terminal --- */

struct terminal {
    pid_t pid;
    int fd;
    struct dh_buf said;
};

static void terminal_start(struct terminal *t, const char *dir)
{
    const char *build = getenv("B");
    char *program = dh_path_join(build ? build : "build/release", "deskhand");
    t->pid = forkpty(&t->fd, NULL, NULL, NULL);
    CHECK(t->pid >= 0);
    if (!t->pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, "replay", dir, "--repair", "--no-sign",
              "--no-record", "--mode", "free", "--patience=1.5", (char *)NULL);
        _exit(127);
    }
    dh_buf_init(&t->said, 1 << 20);
    dh_free(program);
}

// False: it ended, or said nothing of it for 30 s.
static bool terminal_says(struct terminal *t, const char *text)
{
    struct pollfd in = { .fd = t->fd, .events = POLLIN };
    char piece[512];
    while (!strstr(dh_buf_text(&t->said), text)) {
        ssize_t n =
            poll(&in, 1, 30000) == 1 ? read(t->fd, piece, sizeof piece) : 0;
        if (n <= 0)
            return false;
        dh_buf_put(&t->said, piece, (size_t)n);
    }
    return true;
}

static void terminal_tells(struct terminal *t, const char *text)
{
    bool told = terminal_says(t, text);
    if (!told)
        printf("%s", dh_buf_text(&t->said));
    CHECK(told);
}

static void terminal_types(struct terminal *t, const char *text)
{
    CHECK(write(t->fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static int terminal_ends(struct terminal *t)
{
    int status;
    CHECK(!terminal_says(t, "no such thing"));
    CHECK(waitpid(t->pid, &status, 0) == t->pid);
    printf("%s", dh_buf_text(&t->said));
    dh_buf_finish(&t->said);
    close(t->fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

#define PROMPT "or e to end here: "

static void test_what_a_person_points_at_is_known_from_then_on(void)
{
    struct terminal t;
    struct dialog d;
    struct dh_person person;
    struct said said;
    char out[64], *dir = record(), *played = dh_test_path("played");
    dialog_start(&d, dpy);
    terminal_start(&t, dir);
    terminal_tells(&t, PROMPT);
    dh_person_init(&person);
    dh_person_moves(&person, d.is.box.x + d.is.box.w * 3 / 4,
                    d.is.box.y + d.is.box.h - 24);
    XSync(person.dpy, False);
    terminal_types(&t, "p\n");
    terminal_tells(&t, "1 repaired");
    terminal_tells(&t, "person 1");
    CHECK_INT(terminal_ends(&t), 0);
    CHECK(!dialog_is_open(&d, out));
    CHECK_STR(out, "Ada\n");
    dialog_stop(&d);
    dh_person_moves(&person, 1000, 700);
    dh_person_finish(&person);
    dialog_start(&d, dpy);
    RUN(&said, "replay", dir, "--no-sign", "--mode", "free", "-s", played);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "done: 2 of 2 steps", NULL);
    CHECK(!strstr(said.out, "person"));
    char *page = sample_read(played, "index.html");
    CHECK(strstr(page, "found by place, score 1.00") != NULL);
    dh_big_free(page);
    dh_free(played);
    CHECK(!dialog_is_open(&d, out));
    CHECK_STR(out, "Ada\n");
    said_finish(&said);
    dialog_stop(&d);
    dh_free(dir);
}

// The dialog stays as it is; returns how the replay ended.
static int answer(const char *dir, const char *line)
{
    struct terminal t;
    struct dialog d;
    char out[64];
    dialog_start(&d, dpy);
    terminal_start(&t, dir);
    terminal_tells(&t, PROMPT);
    terminal_types(&t, line);
    int status = terminal_ends(&t);
    CHECK(dialog_is_open(&d, out));
    dialog_stop(&d);
    return status;
}

static void test_a_step_is_left_out_or_the_end(void)
{
    char *dir = record();
    CHECK_INT(answer(dir, "s\n"), 0);
    CHECK_INT(answer(dir, "e\n"), 3);
    // Anything else is no answer that would click.
    CHECK_INT(answer(dir, "what?\n"), 3);
    dh_free(dir);
}

static void test_the_question_can_be_broken_off(void)
{
    char *dir = record();
    CHECK_INT(answer(dir, "\003"), 4);
    // The terminal's end.
    CHECK_INT(answer(dir, "\004"), 3);
    dh_free(dir);
}

DH_TESTS(DH_TEST(what_it_points_at_and_reads_is_clicked),
         DH_TEST(the_embedded_model_clicks_nothing_wrong),
         DH_TEST(a_wrong_point_is_not_clicked),
         DH_TEST(no_point_and_one_outside_are_not_clicked),
         DH_TEST(a_model_that_is_silent_is_not_waited_for_when_stopped),
         DH_TEST(what_a_person_points_at_is_known_from_then_on),
         DH_TEST(a_step_is_left_out_or_the_end),
         DH_TEST(the_question_can_be_broken_off));
