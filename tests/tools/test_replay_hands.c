// What a hand does beside clicking, in real programs: it drags, rests on a line
// of a menu until the next one opens, and turns the wheel.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/x11.h"
#include "capture/windows.h"
#include "tests/agent/bus.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"
#include "tests/x11/person.h"

static const KeySym stop_mods[] = { XK_Control_L, XK_Alt_L, XK_Shift_L, 0 };

struct shown {
    pid_t pid;
    int out;
    struct dh_windows *windows;
    struct dh_window is;
};

static Display *dpy;
static struct dh_person person;

// The window whose title has this in it; it gets the focus.
static void await_window(struct shown *p, const char *title)
{
    memset(&p->is, 0, sizeof p->is);
    for (int i = 0; i < 400 && !strstr(p->is.title, title); i++) {
        dh_sleep_for(50 * DH_MS);
        dh_bus_focus_newest(dpy);
        CHECK_INT(dh_windows_focused(p->windows, &p->is), DH_OK);
    }
    CHECK(strstr(p->is.title, title) != NULL);
}

// A shell's command; what it writes to descriptor 3 is kept.
static void start(struct shown *p, const char *command, const char *title)
{
    const char *const argv[] = { "sh", "-c", command, NULL };
    int fd[2];
    CHECK_INT(pipe(fd), 0);
    p->pid = dh_bus_spawn(argv, fd[1]);
    close(fd[1]);
    p->out = fd[0];
    CHECK_INT(dh_windows_create(&p->windows, NULL), DH_OK);
    await_window(p, title);
}

static void place(struct shown *p, struct dh_rect box)
{
    CHECK_INT(
        dh_windows_place(p->windows, p->is.id, box, dh_now_ns() + 10 * DH_S),
        DH_OK);
    p->is.box = box;
    // It has laid itself out anew.
    dh_sleep_for(500 * DH_MS);
}

// What it has printed; "" where it has not ended.
static void end(struct shown *p, char out[64])
{
    struct pollfd in = { .fd = p->out, .events = POLLIN };
    ssize_t n = poll(&in, 1, 1000) == 1 ? read(p->out, out, 63) : 0;
    out[DH_MAX(n, 0)] = '\0';
    close(p->out);
    dh_windows_destroy(p->windows);
    dh_bus_stop(p->pid);
}

static void drag(const struct shown *p, struct dh_point from,
                 struct dh_point to)
{
    int x = p->is.box.x, y = p->is.box.y;
    dh_person_moves(&person, x + from.x, y + from.y);
    dh_sleep_for(300 * DH_MS);
    dh_person_button(&person, 1, true);
    for (int i = 1; i <= 10; i++) {
        dh_sleep_for(30 * DH_MS);
        dh_person_moves(&person, x + from.x + (to.x - from.x) * i / 10,
                        y + from.y + (to.y - from.y) * i / 10);
    }
    dh_sleep_for(100 * DH_MS);
    dh_person_button(&person, 1, false);
    dh_sleep_for(400 * DH_MS);
}

static void click(const struct shown *p, int x, int y)
{
    dh_person_clicks(&person, p->is.box.x + x, p->is.box.y + y, 1);
    dh_sleep_for(400 * DH_MS);
}

static pid_t begin(const char *dir)
{
    const char *const args[] = { "record", dir, "--include-xtest", "--no-sign",
                                 NULL };
    pid_t pid = program_start(args);
    CHECK(program_saw("recording"));
    // It has to have looked once.
    dh_sleep_for(1000 * DH_MS);
    return pid;
}

static void stop(pid_t pid, struct said *said)
{
    dh_person_chord(&person, XK_Escape, stop_mods);
    program_wait(said, pid);
    printf("%s%s", said->out, said->err);
    CHECK_INT(said->status, 0);
}

static void play(struct said *said, const char *dir, const char *option,
                 const char *more)
{
    char *audit = dh_test_path("audit.jsonl");
    RUN(said, "replay", dir, "--no-sign", "--no-record", "--mode", "free",
        "--audit", audit, option, more);
    printf("%s%s", said->out, said->err);
    dh_free(audit);
}

static void set_up(const char *program)
{
    if (access(program, X_OK))
        dh_test_skip("the program is not installed");
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    dh_person_init(&person);
    dh_person_moves(&person, 1000, 700);
}

/* --- a slider --- */

#define SLIDER \
    "exec yad --scale --title=Level --text='How much?' --value=20 >&3"

static void test_a_slider_is_dragged_as_far_or_not_at_all(void)
{
    struct shown p;
    struct said said;
    char wanted[64], out[64];
    char *dir = dh_test_path("s");
    set_up("/usr/bin/yad");
    pid_t bus = dh_bus_start();
    start(&p, SLIDER, "Level");
    const struct dh_rect box = { 100, 100, 260, 115 };
    place(&p, box);
    pid_t pid = begin(dir);
    drag(&p, (struct dh_point){ 61, 59 }, (struct dh_point){ 180, 59 });
    click(&p, 195, 94);
    end(&p, wanted);
    CHECK(strtol(wanted, NULL, 10) > 40 && strtol(wanted, NULL, 10) < 100);
    stop(pid, &said);
    CHECK_SAID(&said, 0, "left_click_drag 161 159 280 159", NULL);
    said_finish(&said);
    static const struct dh_rect now[] = { { 100, 100, 260, 115 },
                                          { 431, 322, 260, 115 },
                                          { 200, 300, 400, 115 } };
    for (int i = 0; i < 3; i++) {
        dh_person_moves(&person, 1000, 700);
        start(&p, SLIDER, "Level");
        place(&p, now[i]);
        play(&said, dir, "--no-arrange",
             now[i].w == box.w ? NULL : "--patience=1");
        end(&p, out);
        if (now[i].w == box.w)
            CHECK_SAID(&said, 0, "done: 2 of 2 steps", NULL);
        else
            CHECK_SAID(&said, 3, "has another length", NULL);
        CHECK_STR(out, now[i].w == box.w ? wanted : "");
        said_finish(&said);
    }
    dh_free(dir);
    dh_person_finish(&person);
    dh_x11_close(dpy);
    dh_bus_stop(bus);
}

/* --- an editor --- */

static char *list;

static bool forgets = true; // where a file was left

static void editor_start(struct shown *p, struct dh_rect box)
{
    char command[512];
    snprintf(command, sizeof command,
             "seq 1 200 | sed 's/^/line /' >'%s'; "
             "%s '%s.d'; XDG_DATA_HOME='%s.d' "
             "exec mousepad --disable-server '%s'",
             list, forgets ? "rm -rf" : "ls", list, list, list);
    dh_person_moves(&person, 1000, 700);
    start(p, command, "Mousepad");
    place(p, box);
}

// Lines 4 and 5 in capitals, " here" behind line 23.
static bool is_edited(void)
{
    char *text;
    size_t len;
    bool is = false;
    for (int i = 0; i < 40 && !is; i++) {
        dh_sleep_for(50 * DH_MS);
        CHECK_INT(dh_file_read(list, 1 << 20, &text, &len), DH_OK);
        is = strstr(text, "line 3\nLINE 4\nLINE 5\nline 6\n") != NULL &&
             strstr(text, "line 22\nline 23 here\nline 24\n") != NULL;
        dh_big_free(text);
    }
    return is;
}

static bool is_untouched(void)
{
    char *text;
    size_t len;
    CHECK_INT(dh_file_read(list, 1 << 20, &text, &len), DH_OK);
    bool is = len == 1692 && !strstr(text, "LINE") && !strstr(text, "here");
    dh_big_free(text);
    return is;
}

static void edit(struct shown *p)
{
    static const KeySym none[] = { 0 }, control[] = { XK_Control_L, 0 };
    drag(p, (struct dh_point){ 4, 119 }, (struct dh_point){ 4, 155 });
    click(p, 56, 14);
    dh_person_moves(&person, p->is.box.x + 115, p->is.box.y + 287);
    dh_sleep_for(1200 * DH_MS);
    click(p, 421, 314);
    dh_person_moves(&person, p->is.box.x + 300, p->is.box.y + 300);
    dh_sleep_for(300 * DH_MS);
    for (int i = 0; i < 6; i++) {
        // Xvfb's mouse has no wheel, XTest's has.
        XTestFakeButtonEvent(dpy, 5, i % 2 == 0, 0);
        XFlush(dpy);
        dh_sleep_for(20 * DH_MS);
    }
    dh_sleep_for(500 * DH_MS);
    click(p, 300, 293);
    dh_person_chord(&person, XK_End, none);
    dh_sleep_for(300 * DH_MS);
    dh_person_types(&person, " here");
    dh_sleep_for(300 * DH_MS);
    dh_person_chord(&person, XK_s, control);
}

static void test_a_text_is_selected_changed_and_scrolled(void)
{
    const struct dh_rect box = { 60, 60, 640, 480 };
    struct shown p;
    struct said said;
    char out[64], *dir = dh_test_path("s");
    list = dh_test_path("list");
    set_up("/usr/bin/mousepad");
    pid_t bus = dh_bus_start();
    editor_start(&p, box);
    pid_t pid = begin(dir);
    edit(&p);
    // The hand goes where the lines are with Noto Sans.
    if (!is_edited())
        dh_test_skip("mousepad is laid out otherwise with these fonts");
    stop(pid, &said);
    end(&p, out);
    CHECK_SAID(&said, 0, "mouse_move 175 347", NULL);
    CHECK_SAID(&said, 0, "down 3", NULL);
    said_finish(&said);
    editor_start(&p, box);
    play(&said, dir, NULL, NULL);
    CHECK_SAID(&said, 0, "done: 9 of 9 steps", NULL);
    CHECK(is_edited());
    end(&p, out);
    said_finish(&said);
    editor_start(&p, (struct dh_rect){ 211, 133, 640, 480 });
    play(&said, dir, "--no-arrange", NULL);
    CHECK_SAID(&said, 0, "done: 9 of 9 steps", NULL);
    CHECK(is_edited());
    end(&p, out);
    said_finish(&said);
    // It opens the file where it was left.
    forgets = false;
    editor_start(&p, box);
    play(&said, dir, "--patience=3", NULL);
    CHECK_SAID(&said, 3, "shows other lines there", NULL);
    CHECK(is_untouched());
    end(&p, out);
    said_finish(&said);
    forgets = true;
    // The wheel turns a taller page further.
    editor_start(&p, (struct dh_rect){ 30, 30, 770, 640 });
    play(&said, dir, "--no-arrange", "--patience=3");
    CHECK_SAID(&said, 3, "shows other lines there", NULL);
    CHECK(is_untouched());
    end(&p, out);
    said_finish(&said);
    dh_free(dir);
    dh_free(list);
    dh_person_finish(&person);
    dh_x11_close(dpy);
    dh_bus_stop(bus);
}

DH_TESTS(DH_TEST(a_slider_is_dragged_as_far_or_not_at_all),
         DH_TEST(a_text_is_selected_changed_and_scrolled));
