#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/XKBlib.h>

#include "actions/guard.h"
#include "actions/xtest.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"

static struct dh_sink *sink_of_display(void)
{
    struct dh_sink *sink;
    CHECK_INT(dh_xtest_create(&sink, NULL, NULL), DH_OK);
    return sink;
}

static enum dh_status perform(struct dh_sink *sink, const char *line,
                              struct dh_diag *why)
{
    struct dh_action a;
    memset(why, 0, sizeof *why);
    if (!dh_action_of_text(line, true, &a, why))
        CHECK_STR(why->text, "");
    enum dh_status st = dh_sink_perform(sink, &a, NULL, why);
    dh_action_finish(&a);
    return st;
}

static void perform_ok(struct dh_sink *sink, const char *line)
{
    struct dh_diag why;
    enum dh_status st = perform(sink, line, &why);
    if (st)
        CHECK_STR(why.text, line);
    CHECK_INT(st, DH_OK);
}

// The layout is set as a person does it, with setxkbmap.
static void set_layout(const char *layout)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        execlp("setxkbmap", "setxkbmap", layout, (char *)NULL);
        _exit(127);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        dh_test_skip("setxkbmap is not installed");
    CHECK_INT(status, 0);
}

static void test_clicks_arrive_where_they_were_sent(void)
{
    struct dh_listener l;
    struct dh_sink *sink = sink_of_display();
    dh_listener_init(&l);
    perform_ok(sink, "left_click 0 0");
    perform_ok(sink, "right_click 1023 767");
    perform_ok(sink, "double_click 10 20 +ctrl");
    perform_ok(sink, "scroll 5 6 down 2");
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.events), "press 1 0,0\nrelease 1 0,0\n"
                                      "press 3 1023,767\nrelease 3 1023,767\n"
                                      "press 1 10,20 +ctrl\n"
                                      "release 1 10,20 +ctrl\n"
                                      "press 1 10,20 +ctrl\n"
                                      "release 1 10,20 +ctrl\n"
                                      "press 5 5,6\nrelease 5 5,6\n"
                                      "press 5 5,6\nrelease 5 5,6\n");
    CHECK_INT(dh_listener_held(&l), 0);
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
}

static void test_a_drag_presses_moves_and_lets_go(void)
{
    struct dh_listener l;
    struct dh_sink *sink = sink_of_display();
    dh_listener_init(&l);
    perform_ok(sink, "left_click_drag 10 20 200 100");
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.events), "press 1 10,20\nrelease 1 200,100\n");
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
}

static void test_a_point_off_the_screen_is_an_error(void)
{
    struct dh_sink *sink = sink_of_display();
    struct dh_diag why;
    CHECK_INT(perform(sink, "left_click 5000 10", &why), DH_ERR_RANGE);
    CHECK(why.text[0]);
    dh_sink_destroy(sink);
}

static void check_typed(const char *layout, const char *text)
{
    struct dh_listener l;
    set_layout(layout);
    struct dh_sink *sink = sink_of_display();
    struct dh_action a = { .op = DH_ACTION_TYPE,
                           .duration_ms = -1,
                           .repeat = 1 };
    struct dh_diag why = { 0 };
    a.text = dh_strdup(text);
    dh_listener_init(&l);
    CHECK_INT(dh_sink_perform(sink, &a, NULL, &why), DH_OK);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), text);
    CHECK_INT(dh_listener_held(&l), 0);
    dh_action_finish(&a);
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
}

#define HARD_TEXT "Hello_World? {}[]|\\~@ zy ZY\t\"'\n"

static void test_text_arrives_on_a_us_keyboard(void)
{
    check_typed("us", HARD_TEXT);
}

static void test_text_arrives_on_a_german_keyboard(void)
{
    check_typed("de", HARD_TEXT "\xc3\xa4\xc3\x9f");
}

static void test_text_arrives_on_a_french_keyboard(void)
{
    check_typed("fr", HARD_TEXT);
}

static void test_symbols_that_the_layout_lacks_are_lent(void)
{
    check_typed("us", "\xd0\x9f\xd1\x80\xd0\xb8 \xe4\xbd\xa0 \xe2\x86\x92 ok");
}

static void test_caps_lock_does_not_change_the_text(void)
{
    struct dh_listener l;
    set_layout("us");
    dh_listener_init(&l);
    struct dh_sink *sink = sink_of_display();
    XkbLockModifiers(l.dpy, XkbUseCoreKbd, LockMask, LockMask);
    XSync(l.dpy, False);
    perform_ok(sink, "type aBc");
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), "aBc");
    XkbStateRec state;
    XkbGetState(l.dpy, XkbUseCoreKbd, &state);
    CHECK(state.locked_mods & LockMask);
    XkbLockModifiers(l.dpy, XkbUseCoreKbd, LockMask, 0);
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
}

static void test_chords_and_sequences(void)
{
    struct dh_listener l;
    set_layout("us");
    struct dh_sink *sink = sink_of_display();
    dh_listener_init(&l);
    perform_ok(sink, "key ctrl+S");
    perform_ok(sink, "key alt+F4");
    perform_ok(sink, "key Down Down Return");
    perform_ok(sink, "key A");
    perform_ok(sink, "key XF86Back");
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), "^s!<F4><Down><Down>\nA<XF86Back>");
    CHECK_INT(dh_listener_held(&l), 0);
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
}

static void test_an_unknown_key_presses_nothing(void)
{
    struct dh_listener l;
    struct dh_sink *sink = sink_of_display();
    struct dh_diag why;
    dh_listener_init(&l);
    CHECK_INT(perform(sink, "key a b frobnicate", &why), DH_ERR_NOTFOUND);
    CHECK(strstr(why.text, "frobnicate"));
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), "");
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
}

static void test_a_held_button_goes_with_the_sink(void)
{
    struct dh_listener l;
    struct dh_sink *sink = sink_of_display();
    dh_listener_init(&l);
    perform_ok(sink, "left_mouse_down 30 40");
    CHECK_INT(dh_listener_held(&l), 1);
    dh_sink_destroy(sink);
    CHECK_INT(dh_listener_held(&l), 0);
    dh_listener_finish(&l);
}

static void cancel_soon(void *arg)
{
    dh_sleep_for(100 * DH_MS);
    dh_cancel_set(arg);
}

static void test_a_stop_ends_a_hold_and_lets_go(void)
{
    struct dh_listener l;
    struct dh_sink *sink = sink_of_display();
    struct dh_cancel cancel = { 0 };
    struct dh_thread t = { 0 };
    struct dh_diag why = { 0 };
    struct dh_action a;
    dh_listener_init(&l);
    CHECK(dh_action_of_text("hold_key shift", true, &a, &why));
    a.duration_ms = 30000;
    int64_t start = dh_now_ns();
    CHECK_INT(dh_thread_start(&t, "cancel", cancel_soon, &cancel), DH_OK);
    CHECK_INT(dh_sink_perform(sink, &a, &cancel, &why), DH_ERR_CANCELLED);
    CHECK(dh_now_ns() - start < 2 * DH_S);
    CHECK_INT(dh_listener_held(&l), 0);
    dh_thread_join(&t);
    dh_action_finish(&a);
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
}

static void test_the_guard_refuses_and_presses_nothing(void)
{
    struct dh_listener l;
    struct dh_sink *sink =
        dh_guard_create(sink_of_display(), (struct dh_rect){ 0, 0, 100, 100 });
    struct dh_diag why;
    dh_listener_init(&l);
    CHECK_INT(perform(sink, "key ctrl+alt+Delete", &why), DH_ERR_REFUSED);
    CHECK_INT(perform(sink, "key ctrl+alt+F2", &why), DH_ERR_REFUSED);
    CHECK_INT(perform(sink, "left_click 100 5", &why), DH_ERR_REFUSED);
    CHECK_INT(perform(sink, "left_click 99 99", &why), DH_OK);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.events), "press 1 99,99\nrelease 1 99,99\n");
    CHECK_STR(dh_buf_text(&l.typed), "");
    dh_sink_destroy(sink);
    dh_listener_finish(&l);
}

DH_TESTS(DH_TEST(clicks_arrive_where_they_were_sent),
         DH_TEST(a_drag_presses_moves_and_lets_go),
         DH_TEST(a_point_off_the_screen_is_an_error),
         DH_TEST(text_arrives_on_a_us_keyboard),
         DH_TEST(text_arrives_on_a_german_keyboard),
         DH_TEST(text_arrives_on_a_french_keyboard),
         DH_TEST(symbols_that_the_layout_lacks_are_lent),
         DH_TEST(caps_lock_does_not_change_the_text),
         DH_TEST(chords_and_sequences), DH_TEST(an_unknown_key_presses_nothing),
         DH_TEST(a_held_button_goes_with_the_sink),
         DH_TEST(a_stop_ends_a_hold_and_lets_go),
         DH_TEST(the_guard_refuses_and_presses_nothing));
