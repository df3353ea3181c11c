#include "actions/xtest_priv.h"

#include <stdlib.h>

#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>

#include "base/clock.h"
#include "base/x11.h"

#define DRAG_STEPS    20
#define DRAG_DWELL_NS (60 * DH_MS) // drop targets need an enter event first
#define SCROLL_GAP_NS (10 * DH_MS)

static enum dh_status move_to(struct dh_xtest *x, struct dh_point p,
                              struct dh_diag *why)
{
    Window root = DefaultRootWindow(x->dpy), w;
    int rx, ry, wx, wy;
    unsigned mask;
    XTestFakeMotionEvent(x->dpy, DefaultScreen(x->dpy), p.x, p.y, CurrentTime);
    XSync(x->dpy, False);
    if (dh_x11_is_lost(x->dpy))
        return DH_ERR_CLOSED;
    if (!XQueryPointer(x->dpy, root, &w, &w, &rx, &ry, &wx, &wy, &mask) ||
        rx != p.x || ry != p.y) {
        dh_diag_set(why, 0, "the pointer did not reach %d,%d", p.x, p.y);
        return dh_x11_is_lost(x->dpy) ? DH_ERR_CLOSED : DH_ERR_RANGE;
    }
    return DH_OK;
}

static void click(struct dh_xtest *x, int button, int count)
{
    for (int i = 0; i < count && !dh_xtest_stopped(x); i++) {
        if (i)
            dh_xtest_pace(x, x->o.click_gap_ns);
        dh_xtest_button(x, button, true);
        dh_xtest_pace(x, x->o.hold_ns);
        dh_xtest_button(x, button, false);
    }
}

static enum dh_status drag(struct dh_xtest *x, const struct dh_action *a,
                           struct dh_diag *why)
{
    Window root = DefaultRootWindow(x->dpy), w;
    int sx = a->start.x, sy = a->start.y, wx, wy;
    unsigned mask;
    if (!a->has_start)
        XQueryPointer(x->dpy, root, &w, &w, &sx, &sy, &wx, &wy, &mask);
    enum dh_status st = move_to(x, (struct dh_point){ sx, sy }, why);
    if (st)
        return st;
    dh_xtest_button(x, a->button, true);
    dh_xtest_pace(x, x->o.hold_ns);
    for (int i = 1; i <= DRAG_STEPS && !st && !dh_xtest_stopped(x); i++) {
        struct dh_point p = { sx + (a->at.x - sx) * i / DRAG_STEPS,
                              sy + (a->at.y - sy) * i / DRAG_STEPS };
        st = move_to(x, p, why);
        dh_xtest_pace(x, x->o.drag_ns / DRAG_STEPS);
    }
    dh_xtest_pace(x, DRAG_DWELL_NS);
    dh_xtest_button(x, a->button, false);
    return st;
}

static void wheel(struct dh_xtest *x, int notches, int back, int forth)
{
    int button = notches < 0 ? back : forth;
    for (int i = 0; i < abs(notches) && !dh_xtest_stopped(x); i++) {
        dh_xtest_button(x, button, true);
        dh_xtest_button(x, button, false);
        dh_xtest_pace(x, SCROLL_GAP_NS);
    }
}

static enum dh_status pointer_action(struct dh_xtest *x,
                                     const struct dh_action *a,
                                     struct dh_diag *why)
{
    switch ((int)a->op) {
    case DH_ACTION_CLICK: click(x, a->button, a->count); break;
    case DH_ACTION_DOWN: dh_xtest_button(x, a->button, true); break;
    case DH_ACTION_UP: dh_xtest_button(x, a->button, false); break;
    case DH_ACTION_PRESS:
        dh_xtest_button(x, a->button, true);
        dh_xtest_hold(x, a->duration_ms * DH_MS);
        dh_xtest_button(x, a->button, false);
        break;
    case DH_ACTION_SCROLL:
        wheel(x, a->dy, 4, 5);
        wheel(x, a->dx, 6, 7);
        break;
    case DH_ACTION_DRAG: return drag(x, a, why);
    default: break;
    }
    return DH_OK;
}

enum dh_status dh_xtest_pointer(struct dh_xtest *x, const struct dh_action *a,
                                struct dh_diag *why)
{
    enum dh_status st = DH_OK;
    if (a->button < 0 || a->button >= DH_XTEST_BUTTONS) {
        dh_diag_set(why, 0, "there is no mouse button %d", a->button);
        return DH_ERR_RANGE;
    }
    if (a->has_at && a->op != DH_ACTION_DRAG)
        st = move_to(x, a->at, why);
    if (!st)
        st = dh_xtest_mods_down(x, a->mods, why);
    if (!st)
        st = pointer_action(x, a, why);
    dh_xtest_mods_up(x, a->mods);
    XSync(x->dpy, False);
    return st ? st : dh_xtest_ended(x);
}
