#include <stdlib.h>
#include <string.h>

#include <X11/XKBlib.h>

#include "actions/xtest.h"
#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"
#include "tests/x11/xserver.h"

#define MANY  "\xc3\xa4\xce\x91\xce\x92\xd0\x9f\xd1\x80\xe4\xbd\xa0\xe5\xa5\xbd"
#define OTHER "\xe4\xb8\x96"
#define NI    "\xe4\xbd\xa0"

static struct dh_sink *sink_new(void)
{
    struct dh_sink *sink;
    CHECK_INT(dh_xtest_create(&sink, NULL, NULL), DH_OK);
    return sink;
}

static void type(struct dh_sink *sink, const char *text)
{
    struct dh_diag why = { 0 };
    struct dh_action a = { .op = DH_ACTION_TYPE,
                           .duration_ms = -1,
                           .repeat = 1 };
    a.text = dh_strdup(text);
    CHECK_INT(dh_sink_perform(sink, &a, NULL, &why), DH_OK);
    dh_action_finish(&a);
}

// Tests share a server, and so its keys.
static void own_server(struct dh_xserver *s)
{
    dh_xserver_start(s);
    CHECK_INT(setenv("DISPLAY", s->display, 1), 0);
}

static int count_changes(Display *dpy, int event)
{
    int n = 0;
    XSync(dpy, False);
    while (XPending(dpy)) {
        XEvent e;
        XNextEvent(dpy, &e);
        n += e.type == event && ((XkbEvent *)&e)->any.xkb_type == XkbMapNotify;
    }
    return n;
}

static void test_all_keys_of_a_text_are_lent_in_one_change(void)
{
    int op, event, error, major = XkbMajorVersion, minor = XkbMinorVersion;
    struct dh_xserver server;
    struct dh_listener l;
    Display *dpy;
    own_server(&server);
    dh_listener_init(&l);
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    CHECK(XkbQueryExtension(dpy, &op, &event, &error, &major, &minor));
    struct dh_sink *sink = sink_new();
    XkbSelectEvents(dpy, XkbUseCoreKbd, XkbMapNotifyMask, XkbMapNotifyMask);
    // The server tells each change once for each device.
    type(sink, NI);
    count_changes(dpy, event);
    type(sink, OTHER);
    int one = count_changes(dpy, event);
    CHECK(one > 0);
    type(sink, MANY);
    CHECK_INT(count_changes(dpy, event), one);
    // They stay for the next text.
    type(sink, MANY);
    CHECK_INT(count_changes(dpy, event), 0);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), NI OTHER MANY MANY);
    dh_sink_destroy(sink);
    dh_x11_close(dpy);
    dh_listener_finish(&l);
    dh_xserver_stop(&server);
}

// One symbol on a key, then the same one with another.
static void test_what_is_adopted_leaves_room_for_more(void)
{
    struct dh_xserver server;
    struct dh_listener l;
    own_server(&server);
    dh_listener_init(&l);
    struct dh_sink *sink = sink_new();
    type(sink, NI);
    dh_sink_destroy(sink);
    sink = sink_new();
    type(sink, NI OTHER);
    dh_sink_destroy(sink);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), NI NI OTHER);
    dh_listener_finish(&l);
    dh_xserver_stop(&server);
}

// The listener does not say when it has read its keys.
static void test_lent_keys_stay_for_a_slow_program_and_are_adopted(void)
{
    KeyCode codes[DH_XTEST_KEYS];
    struct dh_held *held = dh_held_create();
    struct dh_xserver server;
    struct dh_listener l;
    Display *dpy;
    int n = 0;
    CHECK(held);
    own_server(&server);
    dh_listener_init(&l);
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    // On a busy machine the second in which they stay may be over.
    for (int i = 0; i < 10 && !n; i++) {
        struct dh_sink *sink = sink_new();
        type(sink, NI);
        dh_sink_destroy(sink);
        n = dh_lent_adopt(held, dpy, codes);
    }
    CHECK_INT(n, 1);
    CHECK(held->lent[codes[0]]);
    CHECK_INT(XkbKeycodeToKeysym(dpy, codes[0], 0, 0), 0x01004f60);
    // They were not given back by who left them: it is ours to do.
    CHECK_INT(dh_lent_adopt(held, dpy, codes + 1), 0);
    dh_lent_clear(held, dpy);
    XSync(dpy, False);
    dh_x11_close(dpy);
    dh_held_destroy(held);
    dh_listener_finish(&l);
    dh_xserver_stop(&server);
}

static void test_lent_keys_that_nobody_adopts_go(void)
{
    int64_t until = dh_now_ns() + 20 * DH_S;
    struct dh_xserver server;
    struct dh_listener l;
    Display *dpy;
    own_server(&server);
    dh_listener_init(&l);
    struct dh_sink *sink = sink_new();
    type(sink, NI);
    dh_sink_destroy(sink);
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    while (XKeysymToKeycode(dpy, 0x01004f60) && dh_now_ns() < until) {
        dh_x11_close(dpy); // Xlib reads the keymap once
        CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    }
    CHECK_INT(XKeysymToKeycode(dpy, 0x01004f60), 0);
    dh_x11_close(dpy);
    dh_listener_finish(&l);
    dh_xserver_stop(&server);
}

DH_TESTS(DH_TEST(all_keys_of_a_text_are_lent_in_one_change),
         DH_TEST(what_is_adopted_leaves_room_for_more),
         DH_TEST(lent_keys_stay_for_a_slow_program_and_are_adopted),
         DH_TEST(lent_keys_that_nobody_adopts_go));
