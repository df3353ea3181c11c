#include "actions/xtest.h"

#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>

#include "actions/xtest_priv.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/x11.h"

#define DH_LOG_TAG "xtest"
#include "base/log.h"

void dh_xtest_key(struct dh_xtest *x, KeyCode code, bool down)
{
    if (x->key_down[code] == down)
        return;
    x->key_down[code] = down;
    XTestFakeKeyEvent(x->dpy, code, down, CurrentTime);
}

void dh_xtest_button(struct dh_xtest *x, int button, bool down)
{
    if (x->button_down[button] == down)
        return;
    x->button_down[button] = down;
    XTestFakeButtonEvent(x->dpy, (unsigned)button, down, CurrentTime);
}

static void release(struct dh_sink *s)
{
    struct dh_xtest *x = (struct dh_xtest *)s;
    if (!x->dpy || dh_x11_is_lost(x->dpy))
        return;
    for (int b = 0; b < DH_XTEST_BUTTONS; b++)
        dh_xtest_button(x, b, false);
    for (int c = 255; c >= 0; c--)
        dh_xtest_key(x, (KeyCode)c, false);
    XSync(x->dpy, False);
}

static void destroy(struct dh_sink *s)
{
    struct dh_xtest *x = (struct dh_xtest *)s;
    dh_xkeys_finish(&x->keys);
    dh_x11_close(x->dpy);
    dh_free(x);
}

bool dh_xtest_stopped(struct dh_xtest *x)
{
    return dh_xtest_ended(x) != DH_OK;
}

enum dh_status dh_xtest_ended(struct dh_xtest *x)
{
    if (dh_x11_is_lost(x->dpy))
        return DH_ERR_CLOSED;
    if (dh_cancel_is_set(x->cancel))
        return DH_ERR_CANCELLED;
    return dh_cancel_is_set(x->o.taken) ? DH_ERR_TAKEN : DH_OK;
}

void dh_xtest_pace(struct dh_xtest *x, int64_t ns)
{
    XFlush(x->dpy);
    dh_sleep_for(ns);
}

// Sleeps in short parts, so that a stop comes through.
void dh_xtest_hold(struct dh_xtest *x, int64_t ns)
{
    int64_t until = dh_now_ns() + ns;
    while (!dh_xtest_stopped(x) && dh_now_ns() < until)
        dh_xtest_pace(x, DH_MIN(20 * DH_MS, until - dh_now_ns()));
}

static enum dh_status perform(struct dh_sink *s, const struct dh_action *a,
                              struct dh_cancel *cancel, struct dh_diag *why)
{
    struct dh_xtest *x = (struct dh_xtest *)s;
    x->cancel = cancel;
    enum dh_status st = dh_xtest_ended(x);
    if (st)
        return st;
    dh_assert(a->on_screen || !(a->has_at || a->has_start));
    if (dh_action_is_pointer(a))
        return dh_xtest_pointer(x, a, why);
    bool keys = a->op == DH_ACTION_TYPE || a->op == DH_ACTION_KEY ||
                a->op == DH_ACTION_HOLD_KEY || a->op == DH_ACTION_KEY_DOWN ||
                a->op == DH_ACTION_KEY_UP;
    return keys && a->text ? dh_xtest_keyboard(x, a, why) : DH_OK;
}

static const struct dh_sink_ops xtest_ops = { "xtest", perform, release,
                                              destroy };

static int64_t or_default(int64_t v, int64_t otherwise)
{
    return v ? v : otherwise;
}

enum dh_status dh_xtest_create(struct dh_sink **out, const char *display,
                               const struct dh_xtest_options *o)
{
    struct dh_xtest *x;
    int event, error, major, minor;
    dh_new(x);
    x->sink.ops = &xtest_ops;
    if (o)
        x->o = *o;
    x->o.hold_ns = or_default(x->o.hold_ns, 10 * DH_MS);
    x->o.click_gap_ns = or_default(x->o.click_gap_ns, 40 * DH_MS);
    x->o.drag_ns = or_default(x->o.drag_ns, 300 * DH_MS);
    enum dh_status st = dh_x11_open(&x->dpy, display);
    if (!st && !XTestQueryExtension(x->dpy, &event, &error, &major, &minor)) {
        dh_error("the X server has no XTEST extension, so nothing can be "
                 "clicked or typed");
        st = DH_ERR_UNSUPPORTED;
    }
    if (!st) {
        // A grab of another client must not hold our input back.
        XTestGrabControl(x->dpy, True);
        st = dh_xkeys_init(&x->keys, x->dpy);
    }
    if (st) {
        destroy(&x->sink);
        return st;
    }
    *out = &x->sink;
    return DH_OK;
}
