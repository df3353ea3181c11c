#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/Xutil.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "agent/a11y.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/x11.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "capture/windows.h"
#include "tests/agent/bus.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"
#include "tests/x11/listener.h"
#include "tests/x11/person.h"

static const KeySym stop_mods[] = { XK_Control_L, XK_Alt_L, XK_Shift_L, 0 };

/* --- what a session holds --- */

static char *read_lines(void)
{
    char *path = dh_test_path("s/events.jsonl"), *text;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 26, &text, &len), DH_OK);
    dh_free(path);
    return text;
}

// The actions in short, one a line.
static void read_acts(struct dh_buf *out)
{
    char *text = read_lines();
    dh_buf_init(out, 1 << 20);
    for (char *p = text, *nl; (nl = strchr(p, '\n')); p = nl + 1) {
        struct dh_diag why = { 0 };
        struct dh_json *o = dh_json_parse(p, (size_t)(nl - p), &why);
        CHECK_STR(why.text, "");
        if (!strcmp(dh_json_text(dh_json_find(o, "k")), "act")) {
            const struct dh_json *text_of = dh_json_find(o, "text");
            const struct dh_json *keys = dh_json_find(o, "keys");
            dh_buf_puts(out, dh_json_text(dh_json_find(o, "op")));
            if (text_of || keys)
                dh_buf_printf(out, " %s",
                              dh_json_text(text_of ? text_of : keys));
            if (dh_json_find(o, "repeat"))
                dh_buf_printf(out, " x%d",
                              (int)dh_json_number(dh_json_find(o, "repeat")));
            dh_buf_putc(out, '\n');
        }
        dh_json_free(o);
    }
    dh_big_free(text);
}

static void check_file(const char *path, const char *secret)
{
    char *text;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 26, &text, &len), DH_OK);
    CHECK(!memmem(text, len, secret, strlen(secret)));
    dh_big_free(text);
}

// Nothing of it is in any file, nor is any of its pieces.
static void check_nowhere(const char *dir, const char *secret)
{
    DIR *d = opendir(dir);
    CHECK(d != NULL);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (e->d_name[0] == '.')
            continue;
        char *path = dh_path_join(dir, e->d_name);
        if (dh_path_is_dir(path))
            check_nowhere(path, secret);
        else
            check_file(path, secret);
        dh_free(path);
    }
    closedir(d);
}

// The picture before the first action has its target painted over.
static void check_painted_over(const char *dir)
{
    char *text = read_lines(), name[32];
    struct dh_diag why = { 0 };
    struct dh_frame *f;
    char *act = strstr(text, "\"k\":\"act\"");
    CHECK(act != NULL);
    while (act[-1] != '\n')
        act--;
    struct dh_json *o = dh_json_parse(act, strcspn(act, "\n"), &why);
    const struct dh_json *r = dh_json_find(dh_json_find(o, "target"), "rect");
    int x = (int)dh_json_number(dh_json_find(r, "x"));
    int y = (int)dh_json_number(dh_json_find(r, "y"));
    int w = (int)dh_json_number(dh_json_find(r, "w"));
    int h = (int)dh_json_number(dh_json_find(r, "h"));
    CHECK(w > 20 && h > 10);
    snprintf(name, sizeof name, "frames/%06d.png",
             (int)dh_json_number(dh_json_find(o, "before")));
    char *path = dh_path_join(dir, name);
    CHECK_INT(dh_picture_read(path, &f), DH_OK);
    for (int i = 0; i < w * h; i++) {
        const uint8_t *p = dh_frame_at(f, x + i % w, y + i / w);
        CHECK(p[0] == 0x80 && p[1] == 0x80 && p[2] == 0x80);
    }
    dh_frame_unref(f);
    dh_free(path);
    dh_json_free(o);
    dh_big_free(text);
}

/* --- a recording --- */

struct show {
    struct dh_person person;
    pid_t pid;
    char *dir;
};

static void show_init(struct show *s, const char *option)
{
    s->dir = dh_test_path("s");
    const char *const args[] = { "record", s->dir, "--no-sign", option, NULL };
    dh_person_init(&s->person);
    s->pid = program_start(args);
    CHECK(program_saw("recording"));
    // The first line is written once it listens.
    char *lines = dh_path_join(s->dir, "events.jsonl");
    struct stat st = { 0 };
    for (int i = 0; i < 400 && !st.st_size; i++) {
        dh_sleep_for(25 * DH_MS);
        if (stat(lines, &st))
            st.st_size = 0;
    }
    CHECK(st.st_size > 0);
    dh_free(lines);
}

static void show_finish(struct show *s, struct said *said)
{
    dh_person_chord(&s->person, XK_Escape, stop_mods);
    program_wait(said, s->pid);
    dh_person_finish(&s->person);
}

// The page has each of so many steps, with its picture and what was done.
static void check_page(const char *dir, int steps, const char *has)
{
    char *text, *path = dh_path_join(dir, "index.html"), last[40];
    size_t len;
    int shots = 0;
    CHECK_INT(dh_file_read(path, 16 << 20, &text, &len), DH_OK);
    snprintf(last, sizeof last, "<h2>Step %d</h2>", steps);
    CHECK(strstr(text, "shown by a person") && strstr(text, last));
    CHECK(strstr(text, has) && strstr(text, "</body></html>"));
    for (const char *p = text; (p = strstr(p, "src=\"frames/")); p++)
        shots++;
    CHECK_INT(shots, steps + 1); // and the last one
    dh_big_free(text);
    dh_free(path);
}

static void test_what_a_person_does_becomes_actions(void)
{
    static const KeySym ctrl[] = { XK_Control_L, 0 }, none[] = { 0 };
    struct dh_listener l;
    struct show s;
    struct said said;
    struct dh_buf acts;
    dh_listener_init(&l);
    show_init(&s, "--task=Show it.");
    dh_person_clicks(&s.person, 300, 200, 1);
    dh_person_types(&s.person, "Hello, World");
    dh_person_chord(&s.person, XK_s, ctrl);
    dh_person_chord(&s.person, XK_BackSpace, none);
    dh_person_chord(&s.person, XK_BackSpace, none);
    dh_person_chord(&s.person, XK_Return, none);
    show_finish(&s, &said);
    CHECK_SAID(&said, 0, "left_click 300 200", NULL);
    CHECK_SAID(&said, 0, "stopped after", NULL);
    printf("%s", said.out);
    read_acts(&acts);
    CHECK_STR(dh_buf_text(&acts), "left_click\ntype Hello, World\nkey ctrl+s\n"
                                  "key BackSpace x2\nkey Return\n");
    check_page(s.dir, 5, "<code>type &quot;Hello, World&quot;</code>");
    dh_buf_finish(&acts);
    said_finish(&said);
    dh_free(s.dir);
    dh_listener_finish(&l);
}

static void test_the_mouse_clicks_twice_drags_and_scrolls(void)
{
    struct dh_listener l;
    struct show s;
    struct said said;
    struct dh_buf acts;
    dh_listener_init(&l);
    show_init(&s, "--include-xtest");
    dh_person_clicks(&s.person, 100, 100, 1);
    dh_person_button(&s.person, 1, true);
    dh_person_button(&s.person, 1, false);
    dh_person_clicks(&s.person, 400, 400, 3);
    dh_sleep_for(50 * DH_MS);
    dh_person_moves(&s.person, 200, 200);
    dh_sleep_for(100 * DH_MS);
    dh_person_button(&s.person, 1, true);
    dh_sleep_for(100 * DH_MS);
    for (int i = 0; i <= 10; i++) {
        dh_person_moves(&s.person, 200 + 10 * i, 200);
        dh_sleep_for(20 * DH_MS);
    }
    dh_person_button(&s.person, 1, false);
    XSync(s.person.dpy, False);
    // Xvfb's mouse has no wheel, XTest's has.
    for (int i = 0; i < 6; i++)
        XTestFakeButtonEvent(l.dpy, 5, i % 2 == 0, 0);
    XSync(l.dpy, False);
    show_finish(&s, &said);
    CHECK_SAID(&said, 0, "left_click_drag 200 200 300 200", NULL);
    CHECK_SAID(&said, 0, "scroll 300 200 down 3", NULL);
    read_acts(&acts);
    CHECK_STR(dh_buf_text(&acts),
              "double_click\nright_click\nleft_click_drag\nscroll\n");
    dh_buf_finish(&acts);
    said_finish(&said);
    dh_free(s.dir);
    dh_listener_finish(&l);
}

static void test_what_is_done_in_a_pause_is_not_kept(void)
{
    struct dh_listener l;
    struct show s;
    struct said said;
    struct dh_buf acts;
    dh_listener_init(&l);
    show_init(&s, NULL);
    dh_person_types(&s.person, "one");
    dh_person_chord(&s.person, XK_p, stop_mods);
    dh_person_types(&s.person, "Xyzzy");
    dh_person_chord(&s.person, XK_p, stop_mods);
    dh_person_types(&s.person, "two");
    show_finish(&s, &said);
    CHECK_SAID(&said, 0, "paused\n", NULL);
    read_acts(&acts);
    CHECK_STR(dh_buf_text(&acts), "type one\ntype two\n");
    check_nowhere(s.dir, "\"X\"");
    dh_buf_finish(&acts);
    said_finish(&said);
    dh_free(s.dir);
    dh_listener_finish(&l);
}

static void test_nothing_of_an_excluded_window_is_kept(void)
{
    struct dh_listener l;
    struct show s;
    struct said said;
    struct dh_buf acts;
    char name[] = "vault", kind[] = "Vault";
    XClassHint hint = { name, kind };
    dh_listener_init(&l);
    XSetClassHint(l.dpy, l.win, &hint);
    XStoreName(l.dpy, l.win, "Zanzibar");
    XSync(l.dpy, False);
    show_init(&s, "--exclude=vault");
    dh_person_clicks(&s.person, 300, 200, 1);
    dh_person_types(&s.person, "Swordfish");
    show_finish(&s, &said);
    CHECK_SAID(&said, 0, "1 secret text was not written down", NULL);
    read_acts(&acts);
    CHECK_STR(dh_buf_text(&acts), "left_click\ntype {{secret:secret1}}\n");
    check_nowhere(s.dir, "Zanzibar");
    check_nowhere(s.dir, "Swordfish");
    check_nowhere(s.dir, "\"w\",\"text\"");
    dh_buf_finish(&acts);
    said_finish(&said);
    dh_free(s.dir);
    dh_listener_finish(&l);
}

/* --- an end that nobody planned --- */

// Every line but the last is whole, and the header tells of no end.
static void check_cut(const char *dir)
{
    char *text = read_lines(), *p = text, *path;
    int n = 0;
    for (char *nl; (nl = strchr(p, '\n')); p = nl + 1, n++) {
        struct dh_diag why = { 0 };
        struct dh_json *o = dh_json_parse(p, (size_t)(nl - p), &why);
        CHECK_STR(why.text, "");
        dh_json_free(o);
    }
    CHECK(n > 10);
    dh_big_free(text);
    path = dh_path_join(dir, "session.json");
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &(size_t){ 0 }), DH_OK);
    CHECK(strstr(text, "\"deskhand-session\"") && !strstr(text, "\"ended\""));
    dh_big_free(text);
    dh_free(path);
}

static void test_a_kill_leaves_whole_lines(void)
{
    struct dh_listener l;
    struct show s;
    struct said said;
    struct dh_buf acts;
    dh_listener_init(&l);
    show_init(&s, NULL);
    dh_person_types(&s.person, "kept");
    dh_person_clicks(&s.person, 300, 200, 1);
    CHECK(program_saw("type \"kept\""));
    kill(s.pid, SIGKILL);
    program_wait(&said, s.pid);
    check_cut(s.dir);
    read_acts(&acts);
    CHECK(strstr(dh_buf_text(&acts), "type kept\n"));
    dh_buf_finish(&acts);
    said_finish(&said);
    dh_person_finish(&s.person);
    dh_free(s.dir);
    dh_listener_finish(&l);
}

// A disk of this process's own and its children's, which goes with it.
static char *small_disk(void)
{
    char *dir = dh_test_path("s");
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    if (unshare(CLONE_NEWNS) ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", dir, "tmpfs", 0, "size=32k"))
        dh_test_skip("only root can mount a small disk");
    return dir;
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = { 0 };
    CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid == pid;
}

static void test_a_full_disk_ends_it_with_whole_lines(void)
{
    struct dh_listener l;
    struct show s;
    struct said said;
    dh_free(small_disk());
    dh_listener_init(&l);
    show_init(&s, NULL);
    for (int i = 0; i < 30 && !has_ended(s.pid); i++)
        dh_person_types(&s.person, "The disk is too small for this. ");
    program_wait(&said, s.pid);
    CHECK_SAID(&said, 1, "could not be written after", "No space left");
    check_cut(s.dir);
    said_finish(&said);
    dh_person_finish(&s.person);
    dh_free(s.dir);
    dh_listener_finish(&l);
}

static void test_ctrl_c_ends_it_well(void)
{
    struct dh_listener l;
    struct show s;
    struct said said;
    dh_listener_init(&l);
    show_init(&s, NULL);
    dh_person_clicks(&s.person, 300, 200, 1);
    kill(s.pid, SIGINT);
    program_wait(&said, s.pid);
    CHECK_SAID(&said, 0, "1 action,", NULL);
    char *path = dh_path_join(s.dir, "session.json"), *text;
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &(size_t){ 0 }), DH_OK);
    CHECK(strstr(text, "\"kind\":\"human\""));
    CHECK(strstr(text, "\"ended\""));
    dh_big_free(text);
    dh_free(path);
    said_finish(&said);
    dh_person_finish(&s.person);
    dh_free(s.dir);
    dh_listener_finish(&l);
}

static void test_names_and_keys_are_checked(void)
{
    struct said s;
    RUN(&s, "record");
    CHECK_SAID(&s, 2, "", "one NAME");
    said_finish(&s);
    RUN(&s, "record", ".hidden");
    CHECK_SAID(&s, 2, "", "no good name");
    said_finish(&s);
    char *dir = dh_test_path("s");
    RUN(&s, "record", dir, "--stop-key=Ctrl+Frob");
    CHECK_SAID(&s, 2, NULL, "no key \"Ctrl+Frob\"");
    said_finish(&s);
    RUN(&s, "record", dir, "--display=:77");
    CHECK_SAID(&s, 1, NULL, NULL);
    said_finish(&s);
    dh_free(dir);
}

/* --- real programs --- */

static bool on_screen(Display *dpy, const char *title)
{
    Window root = DefaultRootWindow(dpy), parent, *child = NULL;
    unsigned n = 0;
    bool found = false;
    XQueryTree(dpy, root, &root, &parent, &child, &n);
    for (unsigned i = 0; i < n && !found; i++) {
        char *name = NULL;
        XWindowAttributes at;
        found = XFetchName(dpy, child[i], &name) && name &&
                !strcmp(name, title) &&
                XGetWindowAttributes(dpy, child[i], &at) &&
                at.map_state == IsViewable;
        if (name)
            XFree(name);
    }
    if (child)
        XFree(child);
    return found;
}

static void wait_shown(Display *dpy, const char *title)
{
    for (int i = 0; i < 200 && !on_screen(dpy, title); i++)
        dh_sleep_for(50 * DH_MS);
    if (!on_screen(dpy, title))
        dh_test_skip("zenity is not installed");
}

// The accessibility bus knows it a while after it can be seen.
static void wait_known(void)
{
    char *text = NULL;
    for (int i = 0; i < 100; i++) {
        dh_sleep_for(50 * DH_MS);
        text = read_lines();
        bool known = strstr(text, "\"what\":\"focus\"") != NULL;
        dh_big_free(text);
        if (known)
            return;
    }
}

/* A dialog of a real program on a bus of its own, shown and recorded. */
struct dialog {
    struct show show;
    pid_t bus, program;
    Display *dpy;
};

static void dialog_init(struct dialog *d, const char *const *argv,
                        const char *title, const char *option)
{
    d->bus = dh_bus_start();
    d->program = dh_bus_spawn(argv, -1);
    CHECK_INT(dh_x11_open(&d->dpy, NULL), DH_OK);
    wait_shown(d->dpy, title);
    show_init(&d->show, option);
    dh_bus_focus_newest(d->dpy);
    wait_known();
}

static void dialog_finish(struct dialog *d)
{
    dh_free(d->show.dir);
    dh_x11_close(d->dpy);
    dh_bus_stop(d->program);
    dh_bus_stop(d->bus);
}

static const char *const unlock[] = { "zenity", "--password", "--title=Unlock",
                                      NULL };

static void test_a_password_is_nowhere(void)
{
    static const KeySym none[] = { 0 };
    struct dialog d;
    struct said said;
    struct dh_buf acts;
    dialog_init(&d, unlock, "Unlock", "--video");
    dh_person_types(&d.show.person, "Hunter2Zq");
    dh_person_chord(&d.show.person, XK_BackSpace, none);
    dh_person_types(&d.show.person, "x");
    dh_person_chord(&d.show.person, XK_Return, none);
    CHECK(program_saw("key \"Return\""));
    show_finish(&d.show, &said);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "1 secret text was not written down", NULL);
    read_acts(&acts);
    CHECK_STR(dh_buf_text(&acts), "type {{secret:secret1}}\nkey Return\n");
    check_nowhere(d.show.dir, "Hunter2Zq");
    check_nowhere(d.show.dir, "\"text\":\"H\"");
    check_nowhere(d.show.dir, "\"name\":\"u\"");
    check_nowhere(d.show.dir, "BackSpace");
    check_painted_over(d.show.dir);
    dh_buf_finish(&acts);
    said_finish(&said);
    dialog_finish(&d);
}

// The program takes the keys later, and may be one that asks for a password.
static void test_what_is_typed_while_a_program_hangs_is_not_kept(void)
{
    struct dialog d;
    struct said said;
    struct dh_buf acts;
    dialog_init(&d, unlock, "Unlock", NULL);
    kill(d.program, SIGSTOP);
    dh_person_types(&d.show.person, "Hunter2Zq");
    CHECK(program_saw("{{secret:secret1}}"));
    kill(d.program, SIGCONT);
    show_finish(&d.show, &said);
    read_acts(&acts);
    CHECK_STR(dh_buf_text(&acts), "type {{secret:secret1}}\n");
    check_nowhere(d.show.dir, "\"text\":\"H\"");
    check_nowhere(d.show.dir, "\"name\":\"u\"");
    dh_buf_finish(&acts);
    said_finish(&said);
    dialog_finish(&d);
}

static void test_a_button_is_told_by_its_name(void)
{
    static const char *const argv[] = { "zenity",
                                        "--entry",
                                        "--title=Form",
                                        "--text=Your name",
                                        "--ok-label=Send it",
                                        NULL };
    static const KeySym none[] = { 0 };
    struct dialog d;
    struct said said;
    dialog_init(&d, argv, "Form", NULL);
    dh_person_types(&d.show.person, "Ada");
    dh_person_chord(&d.show.person, XK_Tab, none);
    CHECK(program_saw("key \"Tab\""));
    show_finish(&d.show, &said);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "type \"Ada\"  on text  in Form", NULL);
    char *text = read_lines();
    CHECK(strstr(text, "\"text\":\"Your name\""));
    CHECK(strstr(text, "\"side\":\"above\""));
    dh_big_free(text);
    said_finish(&said);
    dialog_finish(&d);
}

/* --- programs under a window manager --- */

static bool wait_manager(void)
{
    Display *dpy = XOpenDisplay(NULL);
    Atom mark = XInternAtom(dpy, "_NET_SUPPORTING_WM_CHECK", False), type;
    unsigned long n = 0, after;
    int format;
    for (int i = 0; i < 200 && !n; i++) {
        unsigned char *data = NULL;
        XGetWindowProperty(dpy, DefaultRootWindow(dpy), mark, 0, 1, False,
                           AnyPropertyType, &type, &format, &n, &after, &data);
        if (data)
            XFree(data);
        if (!n)
            dh_sleep_for(50 * DH_MS);
    }
    XCloseDisplay(dpy);
    return n > 0;
}

static bool wait_focus(struct dh_windows *w, const char *class,
                       struct dh_window *out)
{
    for (int i = 0; i < 200; i++) {
        CHECK_INT(dh_windows_focused(w, out), DH_OK);
        if (out->id && strstr(out->wm_class, class))
            return true;
        dh_sleep_for(50 * DH_MS);
    }
    return false;
}

// Where the widget of that name is; programs join the bus some time after they
// show up.
static struct dh_point
find_widget(struct dh_a11y *a, const struct dh_window *win, const char *name)
{
    struct dh_a11y_node n;
    for (int round = 0; round < 20; round++, dh_sleep_for(100 * DH_MS))
        for (int y = win->box.y + 6; y < win->box.y + win->box.h; y += 20)
            for (int x = win->box.x + 6; x < win->box.x + win->box.w; x += 30)
                if (dh_a11y_at(a, win->pid, (struct dh_point){ x, y }, &n) &&
                    !strcmp(n.name, name))
                    return (struct dh_point){ n.rect.x + n.rect.w / 2,
                                              n.rect.y + n.rect.h / 2 };
    dh_test_skip("the program does not tell of its widgets");
}

// Each click has a node that is the only one of its role and name.
static void check_nodes(int clicks)
{
    char *text = read_lines();
    int n = 0;
    for (char *p = text, *nl; (nl = strchr(p, '\n')); p = nl + 1) {
        struct dh_diag why = { 0 };
        struct dh_json *o = dh_json_parse(p, (size_t)(nl - p), &why);
        if (!strcmp(dh_json_text(dh_json_find(o, "op")), "left_click")) {
            const struct dh_json *t = dh_json_find(o, "target");
            const struct dh_json *unique = dh_json_find(t, "unique");
            // A loaded machine does not count the nodes in time.
            if (dh_json_find(unique, "node"))
                CHECK_INT(dh_json_number(dh_json_find(unique, "node")), 1);
            CHECK_INT(dh_json_number(dh_json_find(unique, "crop")), 1);
            n++;
        }
        dh_json_free(o);
    }
    CHECK_INT(n, clicks);
    dh_big_free(text);
}

static void test_programs_under_a_window_manager_are_told_apart(void)
{
    static const char *const manager[] = { "openbox", NULL };
    static const char *const program[] = { "galculator", NULL };
    static const char *const terminal[] = { "xterm", "-title", "Shell", NULL };
    static const KeySym none[] = { 0 };
    struct dh_windows *w;
    struct dh_window win;
    struct dh_a11y *a;
    struct show s;
    struct said said;
    struct dh_buf acts;
    pid_t bus = dh_bus_start(), wm = dh_bus_spawn(manager, -1);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    CHECK_INT(dh_windows_create(&w, NULL), DH_OK);
    if (!wait_manager())
        dh_test_skip("openbox is not installed");
    pid_t pid = dh_bus_spawn(program, -1);
    if (!wait_focus(w, "alculator", &win))
        dh_test_skip("galculator is not installed");
    struct dh_point seven = find_widget(a, &win, "7");
    struct dh_point plus = find_widget(a, &win, "+");
    show_init(&s, NULL);
    dh_person_clicks(&s.person, seven.x, seven.y, 1);
    CHECK(program_saw("on 7  in galculator"));
    dh_person_clicks(&s.person, plus.x, plus.y, 1);
    CHECK(program_saw("on +  in galculator"));
    pid_t term = dh_bus_spawn(terminal, -1);
    if (!wait_focus(w, "XTerm", &win))
        dh_test_skip("xterm is not installed");
    dh_person_types(&s.person, "ls -la");
    dh_person_chord(&s.person, XK_Return, none);
    CHECK(program_saw("key \"Return\""));
    show_finish(&s, &said);
    CHECK_SAID(&said, 0, "type \"ls -la\"  in Shell", "");
    read_acts(&acts);
    CHECK_STR(dh_buf_text(&acts),
              "left_click\nleft_click\ntype ls -la\nkey Return\n");
    check_nodes(2);
    dh_buf_finish(&acts);
    said_finish(&said);
    dh_free(s.dir);
    dh_windows_destroy(w);
    dh_a11y_destroy(a);
    dh_bus_stop(term);
    dh_bus_stop(pid);
    dh_bus_stop(wm);
    dh_bus_stop(bus);
}

// Own the clipboard, and give the text to who asks for it next.
static void give_clipboard(Display *dpy, Window w, const char *text)
{
    Atom clipboard = XInternAtom(dpy, "CLIPBOARD", False);
    XEvent e;
    XSetSelectionOwner(dpy, clipboard, w, CurrentTime);
    XSync(dpy, False);
    do {
        CHECK_INT(dh_x11_wait_event(dpy, dh_now_ns() + 10 * DH_S), DH_OK);
        XNextEvent(dpy, &e);
    } while (e.type != SelectionRequest);
    const XSelectionRequestEvent *q = &e.xselectionrequest;
    XChangeProperty(dpy, q->requestor, q->property, q->target, 8,
                    PropModeReplace, (const unsigned char *)text,
                    (int)strlen(text));
    XSelectionEvent answer = { .type = SelectionNotify,
                               .requestor = q->requestor,
                               .selection = q->selection,
                               .target = q->target,
                               .property = q->property };
    XSendEvent(dpy, q->requestor, False, 0, (XEvent *)&answer);
    XSync(dpy, False);
}

// Until the recording has it, ten seconds at most.
static bool wait_line(const char *part)
{
    bool found = false;
    for (int i = 0; i < 400 && !found; i++) {
        char *text = read_lines();
        found = strstr(text, part) != NULL;
        dh_big_free(text);
        if (!found)
            dh_sleep_for(25 * DH_MS);
    }
    return found;
}

/* What is asked after its end is told by what was seen before. */
static void test_a_menu_that_is_gone_at_once_is_where_it_was_clicked(void)
{
    struct dh_listener l;
    struct show s;
    struct said said;
    XSetWindowAttributes at = { .override_redirect = True,
                                .background_pixel = 0xffffff };
    dh_listener_init(&l);
    Window menu = XCreateWindow(
        l.dpy, DefaultRootWindow(l.dpy), 200, 150, 200, 100, 0, CopyFromParent,
        InputOutput, CopyFromParent, CWOverrideRedirect | CWBackPixel, &at);
    XClassHint hint = { (char[]){ "app" }, (char[]){ "App" } };
    XSetClassHint(l.dpy, menu, &hint);
    XStoreName(l.dpy, menu, "Colours");
    show_init(&s, NULL);
    XMapRaised(l.dpy, menu);
    XSync(l.dpy, False);
    CHECK(wait_line("\"title\":\"Colours\""));
    // Slower than the program that is recorded.
    kill(s.pid, SIGSTOP);
    dh_person_clicks(&s.person, 300, 200, 1);
    XUnmapWindow(l.dpy, menu);
    XSync(l.dpy, False);
    kill(s.pid, SIGCONT);
    CHECK(program_saw("left_click 300 200"));
    show_finish(&s, &said);
    CHECK_SAID(&said, 0, "1 action", NULL);
    char *text = read_lines(), *act = strstr(text, "\"k\":\"act\"");
    CHECK(act != NULL);
    act[strcspn(act, "\n")] = '\0';
    CHECK(strstr(act, "\"title\":\"Colours\"") && strstr(act, "\"menu\":true"));
    dh_big_free(text);
    said_finish(&said);
    dh_free(s.dir);
    dh_listener_finish(&l);
}

static struct dh_json *header(const char *dir)
{
    char *path = dh_path_join(dir, "session.json"), *text;
    struct dh_diag why = { 0 };
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &len), DH_OK);
    struct dh_json *o = dh_json_parse(text, len, &why);
    CHECK_STR(why.text, "");
    dh_big_free(text);
    dh_free(path);
    return o;
}

static void check_members(const struct dh_json *o, const char *object,
                          const char *const *keys)
{
    const struct dh_json *in = dh_json_find(o, object);
    for (; *keys; keys++)
        if (!dh_json_find(in, *keys))
            CHECK_STR(object, *keys);
}

/* What a dialog that a click opens does to the windows is told, and with
 * --clipboard what was copied; the header says how the desktop is set up. */
static void test_windows_clipboard_and_desktop_are_told(void)
{
    static const char *const screen[] = { "depth", "dpi", "outputs", "captured",
                                          NULL };
    static const char *const input[] = { "layout", "layout_name",
                                         "double_click_ms", "drag_px", NULL };
    static const char *const desktop[] = { "locale", NULL };
    static const char *const privacy[] = { "text", "masked_rects", "clipboard",
                                           "excluded_windows", NULL };
    static const char *const counts[] = { "lines", "frames", "dropped", NULL };
    struct dh_listener l;
    struct show s;
    struct said said;
    Display *dpy;
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    dh_listener_init(&l);
    show_init(&s, "--clipboard");
    dh_person_clicks(&s.person, 300, 200, 1);
    CHECK(program_saw("left_click 300 200"));
    Window w = XCreateSimpleWindow(dpy, DefaultRootWindow(dpy), 40, 40, 200,
                                   100, 0, 0, 0);
    char name[] = "ask", kind[] = "Ask";
    XClassHint hint = { .res_name = name, .res_class = kind };
    XSetClassHint(dpy, w, &hint);
    XStoreName(dpy, w, "Really?");
    XMapWindow(dpy, w);
    XSync(dpy, False);
    CHECK(wait_line("\"what\":\"map\",\"title\":\"Really?\""));
    give_clipboard(dpy, w, "what was \"copied\"");
    CHECK(wait_line("\"k\":\"clip\",\"what\":\"owner\",\"text\":\"what was "
                    "\\\"copied\\\"\""));
    show_finish(&s, &said);
    CHECK_SAID(&said, 0, "stopped after", NULL);
    char *text = read_lines();
    CHECK(strstr(text, "\"k\":\"expect\""));
    CHECK(strstr(text, "\"what\":\"window\",\"is\":\"appeared\",\"class\":"
                       "\"ask.Ask\",\"title\":\"Really?\""));
    CHECK(strstr(text, "\"stack\":0"));
    dh_big_free(text);
    struct dh_json *o = header(s.dir);
    CHECK_INT(strlen(dh_json_text(dh_json_find(o, "id"))), 16);
    check_members(o, "screen", screen);
    check_members(o, "input", input);
    check_members(o, "desktop", desktop);
    check_members(o, "privacy", privacy);
    check_members(o, "counts", counts);
    CHECK(dh_json_find(dh_json_find(o, "program"), "commit"));
    dh_json_free(o);
    said_finish(&said);
    dh_free(s.dir);
    dh_x11_close(dpy);
    dh_listener_finish(&l);
}

DH_TESTS(DH_TEST(a_menu_that_is_gone_at_once_is_where_it_was_clicked),
         DH_TEST(windows_clipboard_and_desktop_are_told),
         DH_TEST(what_a_person_does_becomes_actions),
         DH_TEST(the_mouse_clicks_twice_drags_and_scrolls),
         DH_TEST(what_is_done_in_a_pause_is_not_kept),
         DH_TEST(nothing_of_an_excluded_window_is_kept),
         DH_TEST(a_kill_leaves_whole_lines),
         DH_TEST(a_full_disk_ends_it_with_whole_lines),
         DH_TEST(ctrl_c_ends_it_well), DH_TEST(names_and_keys_are_checked),
         DH_TEST(a_password_is_nowhere),
         DH_TEST(what_is_typed_while_a_program_hangs_is_not_kept),
         DH_TEST(a_button_is_told_by_its_name),
         DH_TEST(programs_under_a_window_manager_are_told_apart));
