#include "agent/a11y.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "actions/dry.h"
#include "actions/xtest.h"
#include "agent/loop.h"
#include "agent/trust.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/x11.h"
#include "capture/screen.h"
#include "capture/source.h"
#include "capture/windows.h"
#include "tests/agent/bus.h"
#include "tests/dh_test.h"

static pid_t start_entry(bool password)
{
    const char *const argv[] = { "zenity",
                                 "--entry",
                                 "--text=Name",
                                 "--entry-text=Ada",
                                 password ? "--hide-text" : NULL,
                                 NULL };
    return dh_bus_spawn(argv, -1);
}

/* Programs join the accessibility bus some time after they show up. */
static bool focused_soon(struct dh_a11y *a, int pid, struct dh_a11y_node *n)
{
    Display *dpy;
    bool found = false;
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    for (int i = 0; i < 100 && !found; i++) {
        dh_bus_focus_newest(dpy);
        found = dh_a11y_focused(a, pid, n) && n->rect.w > 0;
        if (!found)
            dh_sleep_for(100 * DH_MS);
    }
    dh_x11_close(dpy);
    return found;
}

static void test_the_focused_entry_tells_its_text(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n, at;
    pid_t bus = dh_bus_start(), entry = start_entry(false);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    CHECK_STR(n.text, "Ada");
    CHECK_STR(n.role, "text");
    CHECK(n.editable && n.focused && !n.password);
    struct dh_point p = { n.rect.x + n.rect.w / 2, n.rect.y + n.rect.h / 2 };
    CHECK(dh_a11y_at(a, entry, p, &at));
    CHECK_STR(at.text, "Ada");
    // Another process's window is not ours to speak for.
    CHECK(!dh_a11y_at(a, (int)getpid(), p, &at));
    dh_a11y_destroy(a);
    dh_bus_stop(entry);
    dh_bus_stop(bus);
}

static void test_a_password_is_known_and_not_read(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n;
    pid_t bus = dh_bus_start(), entry = start_entry(true);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    CHECK(n.password);
    CHECK_STR(n.text, "");
    dh_a11y_destroy(a);
    dh_bus_stop(entry);
    dh_bus_stop(bus);
}

/* The child that listens knows the same as the one that searches, also after
 * the focus went on. */
static void test_a_child_that_watches_knows_the_focus(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n;
    pid_t bus = dh_bus_start(), entry = start_entry(true);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    dh_a11y_watch(a);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    CHECK(n.password);
    Display *dpy = XOpenDisplay(NULL);
    XTestFakeKeyEvent(dpy, XKeysymToKeycode(dpy, XK_Tab), True, 0);
    XTestFakeKeyEvent(dpy, XKeysymToKeycode(dpy, XK_Tab), False, 0);
    XSync(dpy, False);
    bool gone = false;
    for (int i = 0; i < 100 && !gone; i++) {
        gone = dh_a11y_focused(a, entry, &n) && !n.password;
        dh_sleep_for(20 * DH_MS);
    }
    CHECK(gone);
    CHECK_STR(n.role, "push button");
    XCloseDisplay(dpy);
    dh_a11y_destroy(a);
    dh_bus_stop(entry);
    dh_bus_stop(bus);
}

static void test_a_widget_tells_where_it_is(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n, at;
    struct dh_a11y_place place;
    pid_t bus = dh_bus_start(), entry = start_entry(false);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    struct dh_point p = { n.rect.x + n.rect.w / 2, n.rect.y + n.rect.h / 2 };
    CHECK(dh_a11y_place(a, entry, p, &at, &place));
    CHECK_STR(at.text, "Ada");
    CHECK_INT(place.equal, 1);
    CHECK_INT(place.index, 0);
    CHECK(strstr(place.path, "text:"));
    CHECK(strstr(place.states, "focused"));
    // The question stands above the field.
    CHECK(place.n_labels > 0);
    CHECK_STR(place.label[0].text, "Name");
    CHECK(place.label[0].dy < 0);
    dh_a11y_destroy(a);
    dh_bus_stop(entry);
    dh_bus_stop(bus);
}

/* By role and name, and not where another window is meant. */
static void test_a_widget_is_found_again(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n;
    struct dh_a11y_hits hits;
    struct dh_windows *w;
    struct dh_window win;
    pid_t bus = dh_bus_start(), entry = start_entry(false);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    CHECK_INT(dh_windows_create(&w, NULL), DH_OK);
    CHECK_INT(dh_windows_focused(w, &win), DH_OK);
    struct dh_a11y_wanted what = { .role = "text",
                                   .box = win.box,
                                   .n_labels = 1,
                                   .label = { { "Name", 0, 0 } } };
    memcpy(what.title, win.title, sizeof what.title);
    CHECK(dh_a11y_find(a, entry, &what, &hits));
    CHECK_INT(hits.n, 1);
    CHECK_INT(hits.hit[0].rect.x, n.rect.x);
    CHECK_INT(hits.hit[0].rect.y, n.rect.y);
    CHECK(hits.label[0].y < n.rect.y && hits.label[0].w > 0);
    memcpy(what.name, "No such field", 14);
    CHECK(dh_a11y_find(a, entry, &what, &hits));
    CHECK_INT(hits.n, 0);
    what.box = (struct dh_rect){ 5000, 5000, 10, 10 };
    memcpy(what.title, "Another", 8);
    CHECK(!dh_a11y_find(a, entry, &what, &hits));
    dh_windows_destroy(w);
    dh_a11y_destroy(a);
    dh_bus_stop(entry);
    dh_bus_stop(bus);
}

/* A program that is stopped does not hold us up. */
static void test_a_program_that_hangs_is_waited_for_a_moment(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n;
    pid_t bus = dh_bus_start(), entry = start_entry(false);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    kill(entry, SIGSTOP);
    int64_t start = dh_now_ns();
    CHECK(!dh_a11y_focused(a, entry, &n));
    CHECK(dh_now_ns() - start < 2 * DH_S);
    kill(entry, SIGCONT);
    CHECK(focused_soon(a, entry, &n));
    dh_a11y_destroy(a);
    dh_bus_stop(entry);
    dh_bus_stop(bus);
}

/* A click on a button that says so is risky, one beside it is not. */
static void test_a_button_that_reads_delete_is_asked_about(void)
{
    static const char *const argv[] = { "zenity",
                                        "--question",
                                        "--text=The file is old.",
                                        "--ok-label=Delete",
                                        "--cancel-label=Keep",
                                        NULL };
    struct dh_trust_options o = { .mode = DH_TRUST_GUARD };
    struct dh_action click = { .op = DH_ACTION_CLICK,
                               .has_at = true,
                               .on_screen = true,
                               .button = 1,
                               .count = 1,
                               .duration_ms = -1,
                               .repeat = 1 };
    struct dh_a11y_node n;
    struct dh_diag why = { 0 };
    struct dh_buf done;
    pid_t bus = dh_bus_start(), program = dh_bus_spawn(argv, -1);
    CHECK_INT(dh_a11y_create(&o.a11y), DH_OK);
    CHECK_INT(dh_windows_create(&o.windows, NULL), DH_OK);
    if (!focused_soon(o.a11y, program, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    dh_buf_init(&done, 1 << 16);
    struct dh_sink *sink = dh_trust_create(dh_dry_create(&done), &o);
    // Delete has the focus; Keep is on its left.
    CHECK_STR(n.name, "Delete");
    click.at =
        (struct dh_point){ n.rect.x + n.rect.w / 2, n.rect.y + n.rect.h / 2 };
    CHECK_INT(dh_sink_perform(sink, &click, NULL, &why), DH_ERR_REFUSED);
    CHECK(strstr(why.text, "target"));
    click.at.x -= n.rect.w;
    memset(&why, 0, sizeof why);
    CHECK_INT(dh_sink_perform(sink, &click, NULL, &why), DH_OK);
    CHECK(strstr(dh_buf_text(&done), "left_click"));
    dh_sink_destroy(sink);
    dh_buf_finish(&done);
    dh_windows_destroy(o.windows);
    dh_a11y_destroy(o.a11y);
    dh_bus_stop(program);
    dh_bus_stop(bus);
}

static void test_without_a_bus_nothing_is_known(void)
{
    struct dh_a11y *a;
    struct dh_a11y_node n;
    setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/at/all", 1);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    CHECK(!dh_a11y_focused(a, 0, &n));
    CHECK(!dh_a11y_at(NULL, 0, (struct dh_point){ 1, 1 }, &n));
    dh_a11y_destroy(a);
    dh_a11y_destroy(NULL);
}

/* --- a keyboard that loses the first letter, and a run that notices --- */

struct lossy {
    struct dh_sink sink;
    struct dh_sink *inner;
};

static enum dh_status lossy_perform(struct dh_sink *s,
                                    const struct dh_action *a,
                                    struct dh_cancel *cancel,
                                    struct dh_diag *why)
{
    struct dh_action less = *a;
    if (a->op == DH_ACTION_TYPE)
        less.text++;
    return dh_sink_perform(((struct lossy *)s)->inner, &less, cancel, why);
}

static void lossy_release(struct dh_sink *s)
{
    dh_sink_release(((struct lossy *)s)->inner);
}

static void lossy_destroy(struct dh_sink *s)
{
    dh_sink_destroy(((struct lossy *)s)->inner);
}

static const struct dh_sink_ops lossy_ops = { .name = "lossy",
                                              .perform = lossy_perform,
                                              .release = lossy_release,
                                              .destroy = lossy_destroy };

static void keep_finding(void *user, const struct dh_event *e)
{
    struct dh_buf *found = user;
    if (e->kind == DH_EVENT_DONE)
        dh_buf_printf(found, "%s\n", e->text ? e->text : "-");
}

static void type_into(struct dh_a11y *a, struct dh_point p,
                      struct dh_buf *found)
{
    struct lossy lossy = { .sink = { &lossy_ops } };
    struct dh_screen_options o = DH_SCREEN_DEFAULTS;
    struct dh_loop l = { .sink = &lossy.sink,
                         .a11y = a,
                         .options = { .resamples = -1 },
                         .watch = { keep_finding },
                         .watch_user = { found } };
    struct dh_loop_result result;
    char script[128];
    snprintf(script, sizeof script, "left_click %d %d\ntype Grace\n",
             p.x * 1000 / 1024, p.y * 1000 / 768);
    CHECK_INT(dh_screen_create(&l.source, &o), DH_OK);
    CHECK_INT(dh_xtest_create(&lossy.inner, NULL, NULL), DH_OK);
    l.policy = dh_policy_script_create(script);
    dh_loop_run(&l, "a task", &result);
    CHECK_STR(dh_loop_end_name(result.end), "done");
    dh_loop_result_finish(&result);
    dh_policy_destroy(l.policy);
    dh_sink_destroy(l.sink);
    dh_source_destroy(l.source);
}

static void check_lossy(bool password, const char *told)
{
    struct dh_a11y *a;
    struct dh_a11y_node n;
    struct dh_buf found;
    pid_t bus = dh_bus_start(), entry = start_entry(password);
    CHECK_INT(dh_a11y_create(&a), DH_OK);
    if (!focused_soon(a, entry, &n))
        dh_test_skip("zenity or at-spi2-core is not installed");
    struct dh_point p = { n.rect.x + n.rect.w / 2, n.rect.y + n.rect.h / 2 };
    dh_buf_init(&found, 4096);
    type_into(a, p, &found);
    const char *last = strchr(dh_buf_text(&found), '\n');
    CHECK(last != NULL);
    CHECK_STR(last + 1, told);
    dh_buf_finish(&found);
    dh_a11y_destroy(a);
    dh_bus_stop(entry);
    dh_bus_stop(bus);
}

static void test_a_letter_that_was_lost_is_told(void)
{
    check_lossy(false, "text appeared as \"race\"\n");
}

static void test_of_a_password_nothing_is_told(void)
{
    check_lossy(true, "-\n");
}

DH_TESTS(DH_TEST(the_focused_entry_tells_its_text),
         DH_TEST(a_password_is_known_and_not_read),
         DH_TEST(a_child_that_watches_knows_the_focus),
         DH_TEST(a_widget_tells_where_it_is), DH_TEST(a_widget_is_found_again),
         DH_TEST(a_program_that_hangs_is_waited_for_a_moment),
         DH_TEST(a_button_that_reads_delete_is_asked_about),
         DH_TEST(a_letter_that_was_lost_is_told),
         DH_TEST(of_a_password_nothing_is_told),
         DH_TEST(without_a_bus_nothing_is_known));
