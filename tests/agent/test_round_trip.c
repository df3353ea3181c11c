#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/XKBlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "actions/xtest.h"
#include "agent/reduce.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/input_record.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"
#include "tests/x11/person.h"

/* What is performed is recorded, and what that means is performed again. */

static void set_layout(const char *layout, const char *variant)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        execlp("setxkbmap", "setxkbmap", "-layout", layout, "-variant", variant,
               (char *)NULL);
        _exit(127);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        dh_test_skip("setxkbmap is not installed");
    CHECK_INT(status, 0);
}

#define ACTIONS_MAX 32

struct trip {
    struct dh_listener l; // takes what is typed
    struct dh_input_record *input;
    struct dh_reduce *reduce;
    struct dh_action did[ACTIONS_MAX];
    int n;
    int64_t number;
    struct dh_buf raw, text; // device events; the actions in words
};

static void keep(void *user, const struct dh_reduced *d)
{
    struct trip *t = user;
    CHECK(t->n < ACTIONS_MAX);
    dh_action_copy(&t->did[t->n++], &d->action);
    dh_action_text(&d->action, &t->text);
    dh_buf_puts(&t->text, "\n");
}

static void trip_init(struct trip *t)
{
    struct dh_input_record_options input = { .locale = "en_US.UTF-8",
                                             .stop_key = "Ctrl+Pause",
                                             .include_xtest = true };
    struct dh_reduce_options reduce = { .emit = keep, .user = t };
    memset(t, 0, sizeof *t);
    dh_listener_init(&t->l);
    dh_buf_init(&t->raw, 1 << 20);
    dh_buf_init(&t->text, 1 << 20);
    t->reduce = dh_reduce_create(&reduce);
    CHECK_INT(dh_input_record_create(&t->input, &input), DH_OK);
}

static void trip_finish(struct trip *t)
{
    dh_input_record_destroy(t->input);
    dh_reduce_destroy(t->reduce);
    for (int i = 0; i < t->n; i++)
        dh_action_finish(&t->did[i]);
    dh_buf_finish(&t->raw);
    dh_buf_finish(&t->text);
    dh_listener_finish(&t->l);
}

// True at the stop key; false once nothing came until then.
static bool read_until(struct trip *t, int64_t until)
{
    struct dh_input_event e;
    while (dh_input_record_take(t->input, &e, until) == DH_OK) {
        if (e.kind == DH_INPUT_STOP)
            return true;
        if (e.kind == DH_INPUT_KEY)
            dh_buf_printf(&t->raw, "key %d %d\n", e.code, e.down);
        else if (e.kind == DH_INPUT_BUTTON || e.kind == DH_INPUT_SCROLL)
            dh_buf_printf(&t->raw, "button %d %d\n", e.code, e.down);
        dh_reduce_feed(t->reduce, &e, ++t->number, false);
    }
    return false;
}

// The stop key comes after all that was done.
static void read_rest(struct trip *t)
{
    CHECK(read_until(t, dh_now_ns() + 20 * DH_S));
    dh_reduce_flush(t->reduce);
    CHECK_INT(dh_input_record_dropped(t->input), 0);
}

// A hand rests between two things, and the server tells where the pointer is
// only now.
static void perform(struct trip *t, struct dh_sink *sink,
                    const struct dh_action *a)
{
    struct dh_diag why = { 0 };
    CHECK_INT(dh_sink_perform(sink, a, NULL, &why), DH_OK);
    CHECK(!read_until(t, dh_now_ns() + 60 * DH_MS));
}

static void press_stop(Display *dpy)
{
    KeyCode ctrl = XKeysymToKeycode(dpy, XK_Control_L);
    KeyCode stop = XKeysymToKeycode(dpy, XK_Pause);
    XTestFakeKeyEvent(dpy, ctrl, True, 0);
    XTestFakeKeyEvent(dpy, stop, True, 0);
    XTestFakeKeyEvent(dpy, stop, False, 0);
    XTestFakeKeyEvent(dpy, ctrl, False, 0);
    XSync(dpy, False);
}

static struct dh_sink *hands(void)
{
    static const struct dh_xtest_options o = { .never_paste = true };
    struct dh_sink *sink;
    CHECK_INT(dh_xtest_create(&sink, NULL, &o), DH_OK);
    return sink;
}

// Where a drag began is asked of the server after the press; on a busy machine
// the pointer has gone on a little by then.
static void check_lines(const char *got, const char *want)
{
    static const char drag[] = "left_click_drag ";
    while (*got && *want) {
        size_t n = strcspn(got, "\n"), m = strcspn(want, "\n");
        if (strncmp(want, drag, sizeof drag - 1) == 0) {
            char *a, *b;
            CHECK(strncmp(got, drag, sizeof drag - 1) == 0);
            long x = strtol(got + sizeof drag - 1, &a, 10);
            long u = strtol(want + sizeof drag - 1, &b, 10);
            long y = strtol(a, &a, 10), v = strtol(b, &b, 10);
            CHECK_NEAR((double)x, (double)u, 20);
            CHECK_NEAR((double)y, (double)v, 20);
            n = (size_t)(got + n - a);
            m = (size_t)(want + m - b);
            got = a;
            want = b;
        }
        CHECK_INT(n, m);
        CHECK_MEM(got, want, n);
        got += n + (got[n] == '\n');
        want += m + (want[m] == '\n');
    }
    CHECK_STR(got, want);
}

static void check_trip(const char *layout, const char *const *lines, int n)
{
    static struct trip first, again; // not of a thread's stack
    struct dh_diag why = { 0 };
    struct dh_buf wanted;
    set_layout(layout, "");
    struct dh_sink *sink = hands();
    dh_buf_init(&wanted, 1 << 16);
    trip_init(&first);
    for (int i = 0; i < n; i++) {
        struct dh_action a;
        CHECK(dh_action_of_text(lines[i], true, &a, &why));
        a.on_screen = true;
        perform(&first, sink, &a);
        dh_buf_printf(&wanted, "%s\n", lines[i]);
        dh_action_finish(&a);
    }
    press_stop(first.l.dpy);
    read_rest(&first);
    check_lines(dh_buf_text(&first.text), dh_buf_text(&wanted));
    trip_init(&again);
    for (int i = 0; i < first.n; i++)
        perform(&again, sink, &first.did[i]);
    press_stop(again.l.dpy);
    read_rest(&again);
    CHECK_STR(dh_buf_text(&again.raw), dh_buf_text(&first.raw));
    check_lines(dh_buf_text(&again.text), dh_buf_text(&wanted));
    dh_sink_destroy(sink);
    dh_buf_finish(&wanted);
    trip_finish(&again);
    trip_finish(&first);
    set_layout("us", "");
}

static void test_a_us_keyboard_comes_back_the_same(void)
{
    static const char *const lines[] = {
        "left_click 200 150",
        "type \"Hello, World! 3% {x}\"",
        "key \"ctrl+s\"",
        "double_click 300 200",
        "key \"shift+Tab\"",
        "right_click 310 220",
        "left_click_drag 50 60 250 160",
        "scroll 250 160 down 3",
        "key \"Return\"",
        "triple_click 400 300",
        "key \"alt+F4\"",
        "left_click 10 20 +ctrl",
    };
    check_trip("us", lines, DH_COUNTOF(lines));
}

static void test_a_german_keyboard_comes_back_the_same(void)
{
    static const char *const lines[] = {
        "type \"Gr\xc3\xbc\xc3\x9f"
        "e an {Zoe} @ 50% \xe2\x82\xac\"",
        "key \"ctrl+z\"",
        "left_click 77 88",
        "key \"BackSpace\"",
    };
    check_trip("de", lines, DH_COUNTOF(lines));
}

static void test_a_russian_keyboard_comes_back_the_same(void)
{
    static const char *const lines[] = {
        "type \"\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, "
        "\xd0\xbc\xd0\xb8\xd1\x80\"",
        "key \"Return\"",
        "left_click 77 88",
    };
    check_trip("ru", lines, DH_COUNTOF(lines));
}

static void test_a_dead_key_is_a_letter(void)
{
    static struct trip t;
    static const KeySym none[] = { 0 };
    struct dh_person p;
    set_layout("de", "");
    dh_person_init(&p);
    trip_init(&t);
    dh_person_chord(&p, XK_dead_acute, none);
    dh_person_chord(&p, XK_e, none);
    dh_person_chord(&p, XK_n, none);
    press_stop(t.l.dpy);
    read_rest(&t);
    CHECK_STR(dh_buf_text(&t.text), "type \"\xc3\xa9n\"\n");
    trip_finish(&t);
    dh_person_finish(&p);
    set_layout("us", "");
}

static int count(const char *text, char c)
{
    int n = 0;
    for (; *text; text++)
        n += *text == c;
    return n;
}

// The server repeats a held key for the programs and does not tell us.
static void test_a_held_key_is_counted(void)
{
    static struct trip t;
    struct dh_person p;
    set_layout("us", "");
    dh_person_init(&p);
    trip_init(&t);
    XkbSetAutoRepeatRate(p.dpy, XkbUseCoreKbd, 300, 50);
    XSync(p.dpy, False);
    // The first key after another device brings that device's settings.
    dh_person_key(&p, XK_b, true);
    dh_person_key(&p, XK_b, false);
    dh_person_key(&p, XK_a, true);
    dh_sleep_for(800 * DH_MS);
    dh_person_key(&p, XK_a, false);
    press_stop(t.l.dpy);
    read_rest(&t);
    dh_listener_drain(&t.l);
    int got = count(dh_buf_text(&t.l.typed), 'a');
    int told = count(dh_buf_text(&t.text), 'a');
    printf("a held key came %d times and is told %d times\n", got, told);
    CHECK(got > 3);
    CHECK(told >= got - 2 && told <= got + 2);
    trip_finish(&t);
    dh_person_finish(&p);
}

DH_TESTS(DH_TEST(a_us_keyboard_comes_back_the_same),
         DH_TEST(a_german_keyboard_comes_back_the_same),
         DH_TEST(a_russian_keyboard_comes_back_the_same),
         DH_TEST(a_dead_key_is_a_letter), DH_TEST(a_held_key_is_counted));
