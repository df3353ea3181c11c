#include "actions/xtest_priv.h"

#include <stdlib.h>
#include <string.h>

#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"

#define DH_LOG_TAG "xtest"
#include "base/log.h"

#define DRAG_STEPS     20
#define DRAG_THRESHOLD 10           // pixels; toolkits ask for 4 to 8
#define DRAG_PRESS_NS  (20 * DH_MS) // a long press it is not
#define DRAG_DWELL_NS  (60 * DH_MS) // drop targets need an enter event first
#define SCROLL_GAP_NS  (10 * DH_MS)
#define MOVE_TRIES     3

void dh_xtest_pointer_init(struct dh_xtest *x)
{
    unsigned char logical[DH_XTEST_BUTTONS - 1];
    int n = XGetPointerMapping(x->dpy, logical, (int)sizeof logical);
    memset(x->buttons, 0, sizeof x->buttons);
    for (int i = DH_MIN(n, (int)sizeof logical) - 1; i >= 0; i--)
        if (logical[i] < DH_XTEST_BUTTONS)
            x->buttons[logical[i]] = (uint8_t)(i + 1);
}

// The mouse may have been made left-handed while we looked away. Such an event
// comes unasked, and before the answer to what is asked later.
static void see_mapping(struct dh_xtest *x)
{
    XEvent e;
    while (XEventsQueued(x->dpy, QueuedAlready) > 0 &&
           XCheckTypedEvent(x->dpy, MappingNotify, &e))
        dh_xkeys_note(&x->keys, &e);
    if (x->keys.pointer_stale)
        dh_xtest_pointer_init(x);
    x->keys.pointer_stale = false;
}

static enum dh_status pointer_at(struct dh_xtest *x, struct dh_point *p)
{
    Window root = DefaultRootWindow(x->dpy), w;
    int wx, wy;
    unsigned mask;
    bool here =
        XQueryPointer(x->dpy, root, &w, &w, &p->x, &p->y, &wx, &wy, &mask);
    dh_held_sent(x->held);
    if (dh_x11_is_lost(x->dpy))
        return DH_ERR_CLOSED;
    see_mapping(x);
    return here ? DH_OK : DH_ERR_RANGE;
}

// The root window as it is now: its size may have changed since we connected.
static enum dh_status check_on_screen(struct dh_xtest *x,
                                      const struct dh_point *p, int n,
                                      struct dh_diag *why)
{
    Window root = DefaultRootWindow(x->dpy);
    int rx, ry;
    unsigned w, h, border, depth;
    if (!XGetGeometry(x->dpy, root, &root, &rx, &ry, &w, &h, &border, &depth))
        return dh_x11_is_lost(x->dpy) ? DH_ERR_CLOSED : DH_ERR_IO;
    for (int i = 0; i < n; i++) {
        if (p[i].x >= 0 && p[i].y >= 0 && p[i].x < (int)w && p[i].y < (int)h)
            continue;
        dh_diag_set(why, 0, "%d,%d is off the screen: 0..%u, 0..%u", p[i].x,
                    p[i].y, w - 1, h - 1);
        return DH_ERR_RANGE;
    }
    return DH_OK;
}

static enum dh_status move_to(struct dh_xtest *x, struct dh_point p,
                              struct dh_diag *why)
{
    struct dh_point now = { -1, -1 };
    enum dh_status st = DH_OK;
    // A person's hand on the mouse may have been quicker.
    for (int i = 0; i < MOVE_TRIES && st != DH_ERR_CLOSED; i++) {
        XTestFakeMotionEvent(x->dpy, DefaultScreen(x->dpy), p.x, p.y,
                             CurrentTime);
        st = pointer_at(x, &now);
        if (!st && now.x == p.x && now.y == p.y)
            return DH_OK;
    }
    if (st != DH_ERR_CLOSED)
        st = check_on_screen(x, &p, 1, why);
    if (st)
        return st;
    dh_diag_set(why, 0, "the pointer did not reach %d,%d", p.x, p.y);
    return DH_ERR_RANGE;
}

static void tap(struct dh_xtest *x, int button)
{
    dh_xtest_button(x, button, true);
    if (x->o.hold_ns)
        dh_xtest_pace(x, x->o.hold_ns);
    dh_xtest_button(x, button, false);
}

static void click(struct dh_xtest *x, int button, int count)
{
    for (int i = 0; i < count && !dh_xtest_stopped(x); i++) {
        if (i)
            dh_xtest_pace(x, x->o.click_gap_ns);
        tap(x, button);
    }
}

// A straight way in small parts, the first ones just off the start: how far it
// is from the press decides whether a toolkit takes it for a drag.
static enum dh_status drag_line(struct dh_xtest *x, struct dh_point from,
                                struct dh_point to, int steps, int64_t step_ns,
                                struct dh_diag *why)
{
    enum dh_status st = DH_OK;
    for (int i = 1; i <= steps && !st && !dh_xtest_stopped(x); i++) {
        struct dh_point p = { from.x + (to.x - from.x) * i / steps,
                              from.y + (to.y - from.y) * i / steps };
        st = move_to(x, p, why);
        dh_xtest_pace(x, step_ns);
    }
    return st;
}

static enum dh_status drag_along(struct dh_xtest *x, const struct dh_point *p,
                                 int n, struct dh_diag *why)
{
    int per_line = DH_MAX(1, DRAG_STEPS / (n - 1));
    int64_t step_ns = x->o.drag_ns / (per_line * (n - 1));
    int dx = p[1].x - p[0].x, dy = p[1].y - p[0].y;
    int far = DH_MAX(abs(dx), abs(dy));
    struct dh_point from = p[0];
    enum dh_status st = DH_OK;
    if (far > DRAG_THRESHOLD) {
        from.x += dx * DRAG_THRESHOLD / far;
        from.y += dy * DRAG_THRESHOLD / far;
        st = drag_line(x, p[0], from, DRAG_THRESHOLD / 2, 2 * DH_MS, why);
    }
    for (int i = 1; i < n && !st && !dh_xtest_stopped(x); i++) {
        st = drag_line(x, from, p[i], per_line, step_ns, why);
        from = p[i];
    }
    return st;
}

static enum dh_status drag(struct dh_xtest *x, const struct dh_action *a,
                           int button, struct dh_diag *why)
{
    struct dh_point line[2] = { a->start, a->at };
    const struct dh_point *p = line;
    int n = 2;
    enum dh_status st = DH_OK;
    if (a->path && a->n_path >= 2) {
        p = a->path;
        n = a->n_path;
    } else if (!a->has_start) {
        st = pointer_at(x, &line[0]);
    }
    // All of the way, before the button is down.
    if (!st)
        st = check_on_screen(x, p, n, why);
    if (!st)
        st = move_to(x, p[0], why);
    if (st)
        return st;
    dh_xtest_button(x, button, true);
    dh_xtest_pace(x, DRAG_PRESS_NS);
    st = drag_along(x, p, n, why);
    if (!st && !dh_xtest_stopped(x))
        dh_xtest_hold(x, DRAG_DWELL_NS);
    dh_xtest_button(x, button, false);
    return st;
}

static void wheel(struct dh_xtest *x, int notches, int back, int forth)
{
    int button = x->buttons[notches < 0 ? back : forth];
    for (int i = 0; i < abs(notches) && !dh_xtest_stopped(x); i++) {
        if (i)
            dh_xtest_pace(x, SCROLL_GAP_NS);
        dh_xtest_button(x, button, true);
        dh_xtest_button(x, button, false);
    }
}

static enum dh_status scroll(struct dh_xtest *x, const struct dh_action *a,
                             struct dh_diag *why)
{
    enum dh_status st = DH_OK;
    if (!x->buttons[4] || !x->buttons[5]) {
        dh_diag_set(why, 0, "this pointer has no wheel");
        return DH_ERR_NOTFOUND;
    }
    wheel(x, a->dy, 4, 5);
    if (x->buttons[6] && x->buttons[7]) {
        wheel(x, a->dx, 6, 7);
    } else if (a->dx) {
        // The wheel with shift goes sideways in every toolkit.
        st = dh_xtest_mods_down(x, DH_MOD_SHIFT, why);
        if (!st)
            wheel(x, a->dx, 4, 5);
        if (!(a->mods & DH_MOD_SHIFT))
            dh_xtest_mods_up(x, DH_MOD_SHIFT);
    }
    return st;
}

// What a browser does on the buttons of the side that this mouse lacks.
static enum dh_status
walk_history(struct dh_xtest *x, const struct dh_action *a, struct dh_diag *why)
{
    char back[] = "alt+Left", forward[] = "alt+Right";
    struct dh_action key = { .op = DH_ACTION_KEY,
                             .text = a->button == 8 ? back : forward,
                             .repeat = a->count,
                             .duration_ms = -1 };
    return dh_xtest_keyboard(x, &key, why);
}

static enum dh_status pointer_action(struct dh_xtest *x,
                                     const struct dh_action *a, int button,
                                     struct dh_diag *why)
{
    switch ((int)a->op) {
    case DH_ACTION_CLICK: click(x, button, a->count); break;
    case DH_ACTION_DOWN: dh_xtest_button(x, button, true); break;
    case DH_ACTION_UP: dh_xtest_button(x, button, false); break;
    case DH_ACTION_PRESS:
        dh_xtest_button(x, button, true);
        dh_xtest_hold(x, a->duration_ms * DH_MS);
        dh_xtest_button(x, button, false);
        break;
    case DH_ACTION_SCROLL: return scroll(x, a, why);
    case DH_ACTION_DRAG: return drag(x, a, button, why);
    default: break;
    }
    return DH_OK;
}

// Where it acts: there is a round trip in both ways, after which the mapping of
// the buttons is up to date.
static enum dh_status go_there(struct dh_xtest *x, const struct dh_action *a,
                               struct dh_diag *why)
{
    if (a->has_at && a->op != DH_ACTION_DRAG)
        return move_to(x, a->at, why);
    struct dh_point p;
    enum dh_status st = pointer_at(x, &p);
    if (!st && !a->has_start && a->op != DH_ACTION_UP)
        dh_info("%s: no start was given, so it is the pointer's %d,%d",
                dh_action_name(a), p.x, p.y);
    return st;
}

static bool presses(const struct dh_action *a)
{
    return a->op != DH_ACTION_MOVE && a->op != DH_ACTION_SCROLL;
}

enum dh_status dh_xtest_pointer(struct dh_xtest *x, const struct dh_action *a,
                                struct dh_diag *why)
{
    if (a->button < 0 || a->button >= DH_XTEST_BUTTONS) {
        dh_diag_set(why, 0, "there is no mouse button %d", a->button);
        return DH_ERR_RANGE;
    }
    enum dh_status st = go_there(x, a, why);
    if (st || a->op == DH_ACTION_MOVE)
        return st ? st : dh_xtest_ended(x);
    int button = x->buttons[a->button];
    if (presses(a) && !button) {
        bool side = a->button == 8 || a->button == 9;
        if (side && a->op == DH_ACTION_CLICK)
            return walk_history(x, a, why);
        dh_diag_set(why, 0, "this mouse has no button %d", a->button);
        return DH_ERR_NOTFOUND;
    }
    st = dh_xtest_mods_down(x, a->mods, why);
    if (!st)
        st = pointer_action(x, a, button, why);
    dh_xtest_mods_up(x, a->mods);
    // A click is sent and in order; to wait for it would double its cost.
    if (a->op == DH_ACTION_CLICK)
        dh_xtest_flush(x);
    else
        dh_xtest_sync(x);
    return st ? st : dh_xtest_ended(x);
}
