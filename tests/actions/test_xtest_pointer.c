#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/XKBlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XTest.h>

#include "actions/xtest.h"
#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/x11.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"
#include "tests/x11/xserver.h"

// A listener and a sink on the same display.
struct desk {
    struct dh_listener l;
    struct dh_sink *sink;
    struct dh_buf seen;  // keys and buttons, a line each
    struct dh_buf moves; // of the pointer, with the buttons held
};

static void desk_init(struct desk *d, const struct dh_xtest_options *o)
{
    dh_listener_init(&d->l);
    XSelectInput(d->l.dpy, d->l.win,
                 KeyPressMask | KeyReleaseMask | ButtonPressMask |
                     ButtonReleaseMask | PointerMotionMask);
    XSync(d->l.dpy, True);
    dh_buf_init(&d->seen, 1 << 20);
    dh_buf_init(&d->moves, 1 << 20);
    CHECK_INT(dh_xtest_create(&d->sink, NULL, o), DH_OK);
}

static void desk_finish(struct desk *d)
{
    dh_sink_destroy(d->sink);
    CHECK_INT(dh_listener_held(&d->l), 0);
    dh_buf_finish(&d->seen);
    dh_buf_finish(&d->moves);
    dh_listener_finish(&d->l);
}

static void put_event(struct desk *d, XEvent *e)
{
    bool down = e->type == KeyPress || e->type == ButtonPress;
    switch (e->type) {
    case MappingNotify: XRefreshKeyboardMapping(&e->xmapping); break;
    case KeyPress:
    case KeyRelease:
        dh_buf_printf(&d->seen, "%c%s\n", down ? '+' : '-',
                      XKeysymToString(XLookupKeysym(&e->xkey, 0)));
        break;
    case ButtonPress:
    case ButtonRelease:
        dh_buf_printf(&d->seen, "%c%u %d,%d\n", down ? '+' : '-',
                      e->xbutton.button, e->xbutton.x, e->xbutton.y);
        break;
    case MotionNotify:
        dh_buf_printf(&d->moves, "%s%d,%d\n",
                      e->xmotion.state & Button1Mask ? "drag " : "",
                      e->xmotion.x, e->xmotion.y);
        break;
    default: break;
    }
}

// The sink's own answer comes after what it did; then all of it is here.
static const char *seen(struct desk *d)
{
    dh_buf_clear(&d->seen);
    dh_buf_clear(&d->moves);
    XSync(((struct dh_xtest *)d->sink)->dpy, False);
    XSync(d->l.dpy, False);
    while (XPending(d->l.dpy)) {
        XEvent e;
        XNextEvent(d->l.dpy, &e);
        put_event(d, &e);
    }
    return dh_buf_text(&d->seen);
}

static enum dh_status act(struct desk *d, const char *line, struct dh_diag *why)
{
    struct dh_action a;
    memset(why, 0, sizeof *why);
    if (!dh_action_of_text(line, true, &a, why))
        CHECK_STR(why->text, "");
    enum dh_status st = dh_sink_perform(d->sink, &a, NULL, why);
    dh_action_finish(&a);
    return st;
}

static void act_ok(struct desk *d, const char *line)
{
    struct dh_diag why;
    enum dh_status st = act(d, line, &why);
    if (st)
        CHECK_STR(why.text, line);
    CHECK_INT(st, DH_OK);
}

static void click_button(struct desk *d, int button)
{
    struct dh_action a = {
        .op = DH_ACTION_CLICK, .button = button, .count = 1, .duration_ms = -1
    };
    struct dh_diag why = { 0 };
    CHECK_INT(dh_sink_perform(d->sink, &a, NULL, &why), DH_OK);
}

static void test_modifiers_go_down_in_order_and_up_in_reverse(void)
{
    struct desk d;
    desk_init(&d, NULL);
    act_ok(&d, "left_click 10 20 +super+alt+ctrl+shift");
    CHECK_STR(seen(&d), "+Shift_L\n+Control_L\n+Alt_L\n+Super_L\n"
                        "+1 10,20\n-1 10,20\n"
                        "-Super_L\n-Alt_L\n-Control_L\n-Shift_L\n");
    CHECK_INT(dh_listener_held(&d.l), 0);
    desk_finish(&d);
}

static void test_multiple_clicks_are_at_one_place_and_near_in_time(void)
{
    struct desk d;
    desk_init(&d, NULL);
    int64_t start = dh_now_ns();
    act_ok(&d, "triple_click 30 40");
    printf("three clicks: %.1f ms\n", (double)(dh_now_ns() - start) / DH_MS);
    CHECK_STR(seen(&d), "+1 30,40\n-1 30,40\n+1 30,40\n-1 30,40\n"
                        "+1 30,40\n-1 30,40\n");
    CHECK_STR(dh_buf_text(&d.moves), "30,40\n");
    desk_finish(&d);
}

static void test_a_click_without_a_place_is_at_the_pointer(void)
{
    struct desk d;
    desk_init(&d, NULL);
    act_ok(&d, "mouse_move 70 80");
    click_button(&d, 1);
    CHECK_STR(seen(&d), "+1 70,80\n-1 70,80\n");
    desk_finish(&d);
}

static void test_a_point_off_the_screen_names_the_screen(void)
{
    struct desk d;
    struct dh_diag why;
    desk_init(&d, NULL);
    CHECK_INT(act(&d, "left_click 1024 10 +ctrl", &why), DH_ERR_RANGE);
    CHECK_STR(why.text, "1024,10 is off the screen: 0..1023, 0..767");
    CHECK_INT(act(&d, "left_click_drag 10 10 10 -5", &why), DH_ERR_RANGE);
    CHECK_STR(why.text, "10,-5 is off the screen: 0..1023, 0..767");
    CHECK_STR(seen(&d), "");
    desk_finish(&d);
}

static int count_lines(const char *s, const char *start)
{
    int n = 0;
    for (; *s; s = strchr(s, '\n') + 1)
        n += strncmp(s, start, strlen(start)) == 0;
    return n;
}

static void test_a_drag_leaves_its_start_slowly_and_arrives(void)
{
    struct desk d;
    desk_init(&d, NULL);
    act_ok(&d, "left_click_drag 100 100 400 300");
    CHECK_STR(seen(&d), "+1 100,100\n-1 400,300\n");
    const char *moves = dh_buf_text(&d.moves);
    CHECK(count_lines(moves, "drag ") >= 15);
    CHECK(strstr(moves, "100,100\ndrag 102,101\ndrag 104,102\n"));
    CHECK_STR(moves + strlen(moves) - strlen("drag 400,300\n"),
              "drag 400,300\n");
    CHECK_INT(dh_listener_held(&d.l), 0);
    desk_finish(&d);
}

static void test_a_drag_of_no_length_and_of_one_pixel(void)
{
    struct desk d;
    desk_init(&d, NULL);
    act_ok(&d, "left_click_drag 100 100 100 100");
    CHECK_STR(seen(&d), "+1 100,100\n-1 100,100\n");
    act_ok(&d, "left_click_drag 100 100 101 100");
    CHECK_STR(seen(&d), "+1 100,100\n-1 101,100\n");
    desk_finish(&d);
}

static void test_a_path_visits_every_point_in_order(void)
{
    struct dh_point p[40];
    struct desk d;
    struct dh_diag why = { 0 };
    struct dh_action a = { .op = DH_ACTION_DRAG,
                           .button = 1,
                           .has_at = true,
                           .has_start = true,
                           .on_screen = true,
                           .path = p,
                           .n_path = (int)DH_COUNTOF(p) };
    // A zigzag: a curve through it would miss the corners.
    for (int i = 0; i < a.n_path; i++)
        p[i] = (struct dh_point){ 100 + 20 * i, i % 2 ? 300 : 200 };
    a.start = p[0];
    a.at = p[a.n_path - 1];
    desk_init(&d, NULL);
    CHECK_INT(dh_sink_perform(d.sink, &a, NULL, &why), DH_OK);
    CHECK_STR(seen(&d), "+1 100,200\n-1 880,300\n");
    const char *at = dh_buf_text(&d.moves);
    for (int i = 0; i < a.n_path; i++) {
        char line[32];
        snprintf(line, sizeof line, "%d,%d\n", p[i].x, p[i].y);
        at = strstr(at, line);
        CHECK(at);
    }
    desk_finish(&d);
}

static void test_notches_come_apart_and_none_is_lost(void)
{
    struct desk d;
    desk_init(&d, NULL);
    int64_t start = dh_now_ns();
    act_ok(&d, "scroll 5 6 up 20");
    CHECK(dh_now_ns() - start >= 19 * 8 * DH_MS);
    CHECK_INT(count_lines(seen(&d), "+4 5,6\n"), 20);
    CHECK_INT(count_lines(dh_buf_text(&d.seen), "-4 5,6\n"), 20);
    act_ok(&d, "scroll 5 6 right 1");
    CHECK_STR(seen(&d), "+7 5,6\n-7 5,6\n");
    act_ok(&d, "scroll 5 6 left 1");
    CHECK_STR(seen(&d), "+6 5,6\n-6 5,6\n");
    desk_finish(&d);
}

static void map_buttons(struct desk *d, const unsigned char *map)
{
    CHECK_INT(XSetPointerMapping(d->l.dpy, map, 10), MappingSuccess);
    XSync(d->l.dpy, False);
}

static const unsigned char plain_map[10] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };

static void test_a_left_handed_mouse_clicks_the_same(void)
{
    const unsigned char left[10] = { 3, 2, 1, 4, 5, 6, 7, 8, 9, 10 };
    struct desk d;
    desk_init(&d, NULL);
    // While the sink lives, and one that is made afterwards.
    map_buttons(&d, left);
    act_ok(&d, "left_click 10 10");
    CHECK_STR(seen(&d), "+1 10,10\n-1 10,10\n");
    dh_sink_destroy(d.sink);
    CHECK_INT(dh_xtest_create(&d.sink, NULL, NULL), DH_OK);
    act_ok(&d, "right_click 10 10");
    CHECK_STR(seen(&d), "+3 10,10\n-3 10,10\n");
    act_ok(&d, "left_mouse_down 10 10");
    act_ok(&d, "left_mouse_up 10 10");
    CHECK_STR(seen(&d), "+1 10,10\n-1 10,10\n");
    map_buttons(&d, plain_map);
    act_ok(&d, "left_click 10 10");
    CHECK_STR(seen(&d), "+1 10,10\n-1 10,10\n");
    desk_finish(&d);
}

static void test_buttons_of_the_side_or_the_keys_for_them(void)
{
    const unsigned char none[10] = { 1, 2, 3, 4, 5, 6, 7, 0, 0, 0 };
    struct desk d;
    desk_init(&d, NULL);
    act_ok(&d, "mouse_move 10 10");
    click_button(&d, 8);
    click_button(&d, 9);
    CHECK_STR(seen(&d), "+8 10,10\n-8 10,10\n+9 10,10\n-9 10,10\n");
    map_buttons(&d, none);
    click_button(&d, 8);
    click_button(&d, 9);
    CHECK_STR(seen(&d), "+Alt_L\n+Left\n-Left\n-Alt_L\n"
                        "+Alt_L\n+Right\n-Right\n-Alt_L\n");
    map_buttons(&d, plain_map);
    desk_finish(&d);
}

static void test_a_wheel_without_a_tilt_scrolls_sideways_with_shift(void)
{
    const unsigned char flat[10] = { 1, 2, 3, 4, 5, 0, 0, 8, 9, 10 };
    struct desk d;
    desk_init(&d, NULL);
    map_buttons(&d, flat);
    act_ok(&d, "scroll 10 10 right 2");
    CHECK_STR(seen(&d), "+Shift_L\n+5 10,10\n-5 10,10\n+5 10,10\n-5 10,10\n"
                        "-Shift_L\n");
    map_buttons(&d, plain_map);
    desk_finish(&d);
}

static void test_a_missing_button_is_said(void)
{
    const unsigned char two[10] = { 1, 0, 3, 4, 5, 6, 7, 8, 9, 10 };
    struct desk d;
    struct dh_diag why;
    desk_init(&d, NULL);
    map_buttons(&d, two);
    CHECK_INT(act(&d, "middle_click 10 10", &why), DH_ERR_NOTFOUND);
    CHECK_STR(why.text, "this mouse has no button 2");
    CHECK_STR(seen(&d), "");
    map_buttons(&d, plain_map);
    desk_finish(&d);
}

static void test_a_kept_button_is_told_at_the_end_of_a_run(void)
{
    struct dh_action done = { .op = DH_ACTION_DONE, .duration_ms = -1 };
    struct desk d;
    struct dh_diag why = { 0 };
    desk_init(&d, NULL);
    act_ok(&d, "left_mouse_down 10 10");
    act_ok(&d, "mouse_move 50 60");
    CHECK_INT(dh_listener_held(&d.l), 1);
    CHECK_INT(dh_sink_perform(d.sink, &done, NULL, &why), DH_OK);
    CHECK(strstr(why.text, "were released"));
    CHECK_STR(seen(&d), "+1 10,10\n-1 50,60\n");
    why.text[0] = '\0';
    CHECK_INT(dh_sink_perform(d.sink, &done, NULL, &why), DH_OK);
    CHECK_STR(why.text, "");
    desk_finish(&d);
}

static void test_a_person_at_the_desk_gets_it_with_nothing_held(void)
{
    struct dh_cancel taken = { 0 };
    struct dh_xtest_options o = { .taken = &taken };
    struct desk d;
    struct dh_diag why;
    desk_init(&d, &o);
    act_ok(&d, "left_mouse_down 10 10");
    CHECK_INT(dh_listener_held(&d.l), 1);
    dh_cancel_set(&taken);
    CHECK_INT(act(&d, "mouse_move 50 60", &why), DH_ERR_TAKEN);
    CHECK_INT(dh_listener_held(&d.l), 0);
    CHECK_STR(seen(&d), "+1 10,10\n-1 10,10\n");
    CHECK_INT(act(&d, "left_click 50 60 +ctrl", &why), DH_ERR_TAKEN);
    CHECK_STR(seen(&d), "");
    desk_finish(&d);
}

// Waits until something is held, which is in the middle of the drag.
static void interrupt_drag(void *arg)
{
    struct dh_listener l = { 0 };
    CHECK_INT(dh_x11_open(&l.dpy, NULL), DH_OK);
    l.win = DefaultRootWindow(l.dpy);
    while (dh_listener_held(&l) < 2)
        continue;
    dh_cancel_set(arg);
    dh_x11_close(l.dpy);
}

static void test_a_drag_that_is_interrupted_lets_go_where_it_is(void)
{
    struct dh_cancel taken = { 0 };
    struct dh_xtest_options o = { .drag_ns = 60 * DH_S, .taken = &taken };
    struct dh_thread t = { 0 };
    struct desk d;
    struct dh_diag why;
    desk_init(&d, &o);
    CHECK_INT(dh_thread_start(&t, "taken", interrupt_drag, &taken), DH_OK);
    CHECK_INT(act(&d, "left_click_drag 10 10 500 500 +ctrl", &why),
              DH_ERR_TAKEN);
    CHECK_INT(dh_listener_held(&d.l), 0);
    dh_thread_join(&t);
    CHECK(strstr(seen(&d), "-1 "));
    CHECK(!strstr(dh_buf_text(&d.seen), "-1 500,500"));
    desk_finish(&d);
}

static void test_a_window_that_closes_under_the_pointer_is_no_error(void)
{
    struct desk d;
    desk_init(&d, NULL);
    act_ok(&d, "left_mouse_down 10 10");
    XDestroyWindow(d.l.dpy, d.l.win);
    XSync(d.l.dpy, False);
    act_ok(&d, "mouse_move 40 40");
    act_ok(&d, "left_mouse_up 40 40");
    act_ok(&d, "double_click 40 40");
    d.l.win = DefaultRootWindow(d.l.dpy);
    desk_finish(&d);
}

// A process, since Xlib is not clean in a thread whose server dies.
static DH_NORETURN void kill_when_held(const struct dh_xserver *s)
{
    struct dh_listener l = { 0 };
    if (dh_x11_open(&l.dpy, s->display))
        _exit(1);
    l.win = DefaultRootWindow(l.dpy);
    while (dh_listener_held(&l) < 1)
        continue;
    kill(s->pid, SIGKILL);
    _exit(0);
}

static void test_a_server_that_dies_in_a_drag_is_a_status(void)
{
    struct dh_xtest_options o = { .drag_ns = 60 * DH_S };
    struct dh_xserver s;
    struct dh_sink *sink;
    struct dh_diag why = { 0 };
    struct dh_action a;
    siginfo_t info;
    dh_xserver_start(&s);
    CHECK_INT(dh_xtest_create(&sink, s.display, &o), DH_OK);
    CHECK(dh_action_of_text("left_click_drag 10 10 500 500", true, &a, &why));
    pid_t killer = fork();
    CHECK(killer >= 0);
    if (killer == 0)
        kill_when_held(&s);
    CHECK_INT(dh_sink_perform(sink, &a, NULL, &why), DH_ERR_CLOSED);
    CHECK_INT(dh_sink_perform(sink, &a, NULL, &why), DH_ERR_CLOSED);
    CHECK_INT(waitpid(killer, NULL, 0), killer);
    // Its guardian has nothing left to do.
    pid_t guardian = ((struct dh_xtest *)sink)->guardian.pid;
    CHECK_INT(waitid(P_PID, (id_t)guardian, &info, WEXITED | WNOWAIT), 0);
    dh_sink_release(sink);
    dh_sink_destroy(sink);
    dh_action_finish(&a);
    dh_xserver_stop(&s);
    CHECK_INT(waitpid(-1, NULL, 0), -1);
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// In turns, so that what else the machine does hits both alike.
static void test_move_and_click_cost_what_the_bare_requests_cost(void)
{
    enum { ROUNDS = 2000 };
    static int64_t bare[ROUNDS], ours[ROUNDS];
    struct dh_action a = { .op = DH_ACTION_CLICK,
                           .button = 1,
                           .count = 1,
                           .has_at = true,
                           .on_screen = true };
    struct desk d;
    struct dh_diag why = { 0 };
    desk_init(&d, NULL);
    Display *dpy = ((struct dh_xtest *)d.sink)->dpy;
    XUnmapWindow(d.l.dpy, d.l.win);
    XSync(d.l.dpy, False);
    for (int i = 0; i < ROUNDS; i++) {
        a.at = (struct dh_point){ i % 700, i % 500 };
        int64_t start = dh_now_ns();
        XTestFakeMotionEvent(dpy, 0, a.at.x + 1, a.at.y, CurrentTime);
        XTestFakeButtonEvent(dpy, 1, True, CurrentTime);
        XTestFakeButtonEvent(dpy, 1, False, CurrentTime);
        XSync(dpy, False);
        bare[i] = dh_now_ns() - start;
        start = dh_now_ns();
        CHECK_INT(dh_sink_perform(d.sink, &a, NULL, &why), DH_OK);
        ours[i] = dh_now_ns() - start;
        XSync(dpy, False);
    }
    qsort(bare, ROUNDS, sizeof *bare, by_size);
    qsort(ours, ROUNDS, sizeof *ours, by_size);
    double ratio = (double)ours[ROUNDS / 2] / (double)bare[ROUNDS / 2];
    printf("move and click: %.1f us, the bare requests %.1f us, ratio %.2f\n",
           (double)ours[ROUNDS / 2] / 1e3, (double)bare[ROUNDS / 2] / 1e3,
           ratio);
    CHECK(ratio < 4); // the goal is 1.3, on a machine with nothing else to do
    desk_finish(&d);
}

DH_TESTS(DH_TEST(modifiers_go_down_in_order_and_up_in_reverse),
         DH_TEST(multiple_clicks_are_at_one_place_and_near_in_time),
         DH_TEST(a_click_without_a_place_is_at_the_pointer),
         DH_TEST(a_point_off_the_screen_names_the_screen),
         DH_TEST(a_drag_leaves_its_start_slowly_and_arrives),
         DH_TEST(a_drag_of_no_length_and_of_one_pixel),
         DH_TEST(a_path_visits_every_point_in_order),
         DH_TEST(notches_come_apart_and_none_is_lost),
         DH_TEST(a_left_handed_mouse_clicks_the_same),
         DH_TEST(buttons_of_the_side_or_the_keys_for_them),
         DH_TEST(a_wheel_without_a_tilt_scrolls_sideways_with_shift),
         DH_TEST(a_missing_button_is_said),
         DH_TEST(a_kept_button_is_told_at_the_end_of_a_run),
         DH_TEST(a_person_at_the_desk_gets_it_with_nothing_held),
         DH_TEST(a_drag_that_is_interrupted_lets_go_where_it_is),
         DH_TEST(a_window_that_closes_under_the_pointer_is_no_error),
         DH_TEST(a_server_that_dies_in_a_drag_is_a_status),
         DH_TEST(move_and_click_cost_what_the_bare_requests_cost));
