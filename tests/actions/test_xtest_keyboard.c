#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/XKBlib.h>
#include <X11/Xatom.h>
#include <X11/Xutil.h>

#include "actions/secrets.h"
#include "actions/xtest.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"

#define HARD                                                             \
    "Hello_World? Spa\xc3\x9f \xc3\xa9\xc3\xa0\xc3\xbc \xce\x91\xce\x92" \
    "\xce\xb3 \xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 "         \
    "\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd {}[]|\\~"
// Without what goes through the clipboard, which a listener does not read.
#define PLAIN "Spa\xc3\x9f \xce\x91 \xd0\x9f\xd1\x80 \xe4\xbd\xa0 {}[]|\\~"

struct desk {
    struct dh_listener l;
    struct dh_sink *sink;
};

static void set_layout(const char *layout)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        execlp("setxkbmap", "setxkbmap", "-layout", layout, (char *)NULL);
        _exit(127);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        dh_test_skip("setxkbmap is not installed");
    CHECK_INT(status, 0);
}

static void desk_init(struct desk *d, const char *layout,
                      const struct dh_xtest_options *o)
{
    set_layout(layout);
    CHECK_INT(dh_xtest_create(&d->sink, NULL, o), DH_OK);
    dh_listener_init(&d->l);
}

static void desk_finish(struct desk *d)
{
    CHECK_INT(dh_listener_held(&d->l), 0);
    dh_sink_destroy(d->sink);
    dh_listener_finish(&d->l);
}

static enum dh_status act(struct desk *d, enum dh_action_op op,
                          const char *text, struct dh_diag *why)
{
    struct dh_action a = { .op = op, .duration_ms = -1, .repeat = 1 };
    memset(why, 0, sizeof *why);
    a.text = dh_strdup(text);
    enum dh_status st = dh_sink_perform(d->sink, &a, NULL, why);
    dh_action_finish(&a);
    return st;
}

static void act_ok(struct desk *d, enum dh_action_op op, const char *text)
{
    struct dh_diag why;
    enum dh_status st = act(d, op, text, &why);
    if (st)
        CHECK_STR(why.text, "");
    CHECK_INT(st, DH_OK);
}

static void check_typed(struct desk *d, const char *want)
{
    dh_listener_drain(&d->l);
    CHECK_STR(dh_buf_text(&d->l.typed), want);
    dh_buf_clear(&d->l.typed);
}

static XkbStateRec state_of(struct desk *d)
{
    XkbStateRec state;
    CHECK_INT(XkbGetState(d->l.dpy, XkbUseCoreKbd, &state), Success);
    return state;
}

static void check_hard(const char *layout)
{
    struct dh_xtest_options o = { .never_paste = true };
    struct desk d;
    desk_init(&d, layout, &o);
    act_ok(&d, DH_ACTION_TYPE, HARD);
    check_typed(&d, HARD);
    desk_finish(&d);
}

static void test_mixed_scripts_arrive_on_a_us_keyboard(void)
{
    check_hard("us");
}

static void test_mixed_scripts_arrive_on_a_dvorak_keyboard(void)
{
    check_hard("dvorak");
}

static void test_caps_and_num_lock_are_put_back(void)
{
    struct desk d;
    desk_init(&d, "us", NULL);
    unsigned locks = LockMask | Mod2Mask;
    XkbLockModifiers(d.l.dpy, XkbUseCoreKbd, locks, locks);
    XSync(d.l.dpy, False);
    act_ok(&d, DH_ACTION_TYPE, "aBc 12");
    check_typed(&d, "aBc 12");
    CHECK_INT(state_of(&d).locked_mods & locks, locks);
    XkbLockModifiers(d.l.dpy, XkbUseCoreKbd, locks, 0);
    desk_finish(&d);
}

static void test_a_second_group_is_used_and_put_back(void)
{
    struct desk d;
    desk_init(&d, "us,gr", NULL);
    for (unsigned group = 0; group < 2; group++) {
        XkbLockGroup(d.l.dpy, XkbUseCoreKbd, group);
        XSync(d.l.dpy, False);
        act_ok(&d, DH_ACTION_TYPE, "ab [x]");
        check_typed(&d, "ab [x]");
        act_ok(&d, DH_ACTION_KEY, "ctrl+c");
        check_typed(&d, "^c");
        CHECK_INT(state_of(&d).locked_group, group);
    }
    XkbLockGroup(d.l.dpy, XkbUseCoreKbd, 0);
    XSync(d.l.dpy, False);
    desk_finish(&d);
}

static void test_a_latin_shortcut_works_on_a_keyboard_without_latin(void)
{
    struct desk d;
    desk_init(&d, "ru", NULL);
    act_ok(&d, DH_ACTION_KEY, "ctrl+c");
    check_typed(&d, "^c");
    desk_finish(&d);
}

static void test_more_symbols_than_spare_keys_come_in_batches(void)
{
    struct desk d;
    struct dh_buf text;
    char utf8[4];
    desk_init(&d, "us", NULL);
    dh_buf_init(&text, 4096);
    for (uint32_t cp = 0x4e00; cp < 0x4e00 + 150; cp++)
        dh_buf_put(&text, utf8, dh_utf8_write(cp, utf8));
    for (int i = 0; i < 150; i += 30) {
        struct dh_str part = { dh_buf_text(&text) + i * 3, 90 };
        char *copy = dh_strndup(part.p, part.n);
        act_ok(&d, DH_ACTION_TYPE, copy);
        check_typed(&d, copy);
        dh_free(copy);
    }
    dh_buf_finish(&text);
    desk_finish(&d);
}

static void test_a_key_stays_down_until_it_is_let_go(void)
{
    struct desk d;
    struct dh_diag why;
    desk_init(&d, "us", NULL);
    act_ok(&d, DH_ACTION_KEY_DOWN, "ctrl");
    CHECK_INT(dh_listener_held(&d.l), 1);
    act_ok(&d, DH_ACTION_KEY, "ctrl+x");
    act_ok(&d, DH_ACTION_KEY, "c");
    check_typed(&d, "^x^c");
    CHECK_INT(dh_listener_held(&d.l), 1);
    act_ok(&d, DH_ACTION_KEY_UP, "ctrl");
    CHECK_INT(dh_listener_held(&d.l), 0);
    act_ok(&d, DH_ACTION_KEY, "ctrl+x");
    CHECK_INT(dh_listener_held(&d.l), 0);
    CHECK_INT(act(&d, DH_ACTION_KEY_DOWN, "nokey", &why), DH_ERR_NOTFOUND);
    act_ok(&d, DH_ACTION_KEY_DOWN, "shift");
    dh_sink_release(d.sink);
    act_ok(&d, DH_ACTION_KEY, "A");
    desk_finish(&d);
}

static void test_a_modifier_that_another_program_holds_is_put_back(void)
{
    struct desk d, other;
    desk_init(&d, "us", NULL);
    CHECK_INT(dh_xtest_create(&other.sink, NULL, NULL), DH_OK);
    act_ok(&other, DH_ACTION_KEY_DOWN, "shift");
    act_ok(&d, DH_ACTION_TYPE, "abc");
    check_typed(&d, "abc");
    CHECK_INT(dh_listener_held(&d.l), 1);
    dh_sink_destroy(other.sink);
    desk_finish(&d);
}

static char *write_secrets(void)
{
    return dh_test_file("secrets", "# for tests\npw=Aa=1 !\n");
}

static void test_a_secret_is_typed_and_an_unknown_one_is_named(void)
{
    char *path = write_secrets();
    struct desk d;
    struct dh_diag why;
    struct dh_xtest_options o = { 0 };
    struct dh_secrets *secrets;
    CHECK_INT(dh_secrets_read(&secrets, path), DH_OK);
    o.secrets = secrets;
    desk_init(&d, "us", &o);
    act_ok(&d, DH_ACTION_TYPE, "<{{secret:pw}}>");
    check_typed(&d, "<Aa=1 !>");
    CHECK_INT(act(&d, DH_ACTION_TYPE, "a{{secret:no}}", &why), DH_ERR_NOTFOUND);
    CHECK_STR(why.text, "no secret is named \"no\"");
    check_typed(&d, "");
    desk_finish(&d);
    dh_secrets_destroy(secrets);
    dh_free(path);
}

static void test_a_secret_file_that_others_can_read_is_refused(void)
{
    char *path = write_secrets();
    struct dh_secrets *secrets;
    CHECK_INT(chmod(path, 0640), 0);
    CHECK_INT(dh_secrets_read(&secrets, path), DH_ERR_REFUSED);
    unlink(path);
    CHECK_INT(dh_secrets_read(&secrets, path), DH_ERR_NOTFOUND);
    dh_free(path);
}

// As a window manager that is late: the focus is on what is left of a window
// that has gone, and after a while on the next one.
static pid_t focus_later(Window win)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid)
        return pid;
    Display *dpy = XOpenDisplay(NULL);
    dh_sleep_for(300 * DH_MS);
    if (dpy) {
        XSetInputFocus(dpy, win, RevertToParent, CurrentTime);
        XSync(dpy, False);
    }
    _exit(dpy ? 0 : 1);
}

static void test_text_waits_for_a_window_that_gets_the_focus(void)
{
    struct desk d;
    char name[] = "desk";
    XClassHint hint = { name, name };
    int status;
    desk_init(&d, "us", NULL);
    Display *dpy = d.l.dpy;
    Window root = DefaultRootWindow(dpy);
    Window frame = XCreateSimpleWindow(dpy, root, 0, 0, 9, 9, 0, 0, 0);
    Atom check = XInternAtom(dpy, "_NET_SUPPORTING_WM_CHECK", False);
    XSetClassHint(dpy, d.l.win, &hint);
    XChangeProperty(dpy, root, check, XA_WINDOW, 32, PropModeReplace,
                    (unsigned char *)&frame, 1);
    XChangeProperty(dpy, frame, check, XA_WINDOW, 32, PropModeReplace,
                    (unsigned char *)&frame, 1);
    XMapWindow(dpy, frame);
    XSync(dpy, False);
    XSetInputFocus(dpy, frame, RevertToParent, CurrentTime);
    XSync(dpy, False);
    pid_t pid = focus_later(d.l.win);
    act_ok(&d, DH_ACTION_TYPE, PLAIN);
    dh_listener_drain(&d.l);
    CHECK_STR(dh_buf_text(&d.l.typed), PLAIN);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    XDeleteProperty(dpy, root, check);
    XDestroyWindow(dpy, frame);
    desk_finish(&d);
}

// A real program of its own, whose only window gets the focus.
static pid_t start_program(Display *dpy, const char *command, const char *file)
{
    Window root, parent, *list = NULL;
    XWindowAttributes at = { 0 };
    unsigned n = 0;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        execl("/bin/sh", "sh", "-c", command, "sh", file, (char *)NULL);
        _exit(127);
    }
    CHECK(pid > 0);
    int64_t until = dh_now_ns() + 20 * DH_S;
    bool seen = false;
    while (!seen && dh_now_ns() < until) {
        dh_sleep_for(20 * DH_MS);
        if (!XQueryTree(dpy, DefaultRootWindow(dpy), &root, &parent, &list, &n))
            continue;
        for (unsigned i = 0; i < n && !seen; i++)
            if (XGetWindowAttributes(dpy, list[i], &at) && at.width > 60 &&
                at.map_state == IsViewable) {
                XSetInputFocus(dpy, list[i], RevertToParent, CurrentTime);
                seen = true;
            }
        if (list)
            XFree(list);
    }
    CHECK(seen);
    XSync(dpy, False);
    return pid;
}

// What the program wrote once it got a line.
static void check_received(const char *program, const char *command)
{
    struct dh_xtest_options o = { .never_paste = true };
    char file[64], *got = NULL;
    struct desk d;
    size_t n;
    if (dh_path_exists(program) == false)
        dh_test_skip("the program is not installed");
    snprintf(file, sizeof file, "/tmp/dh-typed-%d", (int)getpid());
    set_layout("us");
    CHECK_INT(dh_xtest_create(&d.sink, NULL, &o), DH_OK);
    CHECK_INT(dh_x11_open(&d.l.dpy, NULL), DH_OK);
    pid_t pid = start_program(d.l.dpy, command, file);
    act_ok(&d, DH_ACTION_TYPE, HARD "\n");
    int64_t until = dh_now_ns() + 20 * DH_S;
    while (!dh_path_exists(file) && dh_now_ns() < until)
        dh_sleep_for(20 * DH_MS);
    CHECK_INT(dh_file_read(file, 4096, &got, &n), DH_OK);
    CHECK_STR(got, HARD "\n");
    dh_big_free(got);
    unlink(file);
    kill(-pid, SIGTERM);
    waitpid(pid, NULL, 0);
    dh_sink_destroy(d.sink);
    dh_x11_close(d.l.dpy);
}

static void test_xterm_gets_mixed_scripts_byte_for_byte(void)
{
    check_received("/usr/bin/xterm",
                   "exec xterm -u8 -e sh -c 'IFS= read -r l; "
                   "printf \"%s\\n\" \"$l\" >\"$1.new\"; mv \"$1.new\" "
                   "\"$1\"' sh \"$1\" 2>/dev/null");
}

static void test_a_gtk_entry_gets_mixed_scripts_byte_for_byte(void)
{
    check_received("/usr/bin/zenity",
                   "export NO_AT_BRIDGE=1 LC_ALL=C.UTF-8; zenity --entry "
                   "--text t >\"$1.new\" 2>/dev/null; mv \"$1.new\" \"$1\"");
}

DH_TESTS(DH_TEST(xterm_gets_mixed_scripts_byte_for_byte),
         DH_TEST(a_gtk_entry_gets_mixed_scripts_byte_for_byte),
         DH_TEST(text_waits_for_a_window_that_gets_the_focus),
         DH_TEST(mixed_scripts_arrive_on_a_us_keyboard),
         DH_TEST(mixed_scripts_arrive_on_a_dvorak_keyboard),
         DH_TEST(caps_and_num_lock_are_put_back),
         DH_TEST(a_second_group_is_used_and_put_back),
         DH_TEST(a_latin_shortcut_works_on_a_keyboard_without_latin),
         DH_TEST(more_symbols_than_spare_keys_come_in_batches),
         DH_TEST(a_key_stays_down_until_it_is_let_go),
         DH_TEST(a_modifier_that_another_program_holds_is_put_back),
         DH_TEST(a_secret_is_typed_and_an_unknown_one_is_named),
         DH_TEST(a_secret_file_that_others_can_read_is_refused));
