#include <string.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"
#include "capture/windows_priv.h"

#define DH_LOG_TAG "windows"
#include "base/log.h"

// A manager tells of a focus by a property; this is for those that do not.
#define LOOK_NS (50 * DH_MS)

// One that has gone leaves its mark on the root, but not on its own window.
static bool has_manager(struct dh_windows *w)
{
    Window check[2], same[2];
    Atom mark = XInternAtom(w->dpy, "_NET_SUPPORTING_WM_CHECK", False);
    dh_x11_ask_begin(w->dpy);
    bool has =
        dh_windows_property(w, DefaultRootWindow(w->dpy), mark, XA_WINDOW,
                            check, sizeof check) >= sizeof check[0] &&
        dh_windows_property(w, check[0], mark, XA_WINDOW, same, sizeof same) >=
            sizeof same[0] &&
        same[0] == check[0];
    return dh_x11_ask_end(w->dpy) && has;
}

// What a pager sends, and managers obey.
static void ask_manager(struct dh_windows *w, Window id, const char *name,
                        const long *data, int n)
{
    Window root = DefaultRootWindow(w->dpy);
    XEvent e = { .xclient = { .type = ClientMessage,
                              .window = id,
                              .message_type = XInternAtom(w->dpy, name, False),
                              .format = 32 } };
    for (int i = 0; i < n; i++)
        e.xclient.data.l[i] = data[i];
    XSendEvent(w->dpy, root, False,
               SubstructureRedirectMask | SubstructureNotifyMask, &e);
}

// ---- waiting ---------------------------------------------------------------

static void watch(struct dh_windows *w, Window id, bool on)
{
    XSelectInput(w->dpy, DefaultRootWindow(w->dpy),
                 on ? PropertyChangeMask : NoEventMask);
    XSelectInput(w->dpy, id,
                 on ? StructureNotifyMask | FocusChangeMask : NoEventMask);
}

// Until an event comes that may tell of it. False: the time is up.
static bool wait_more(struct dh_windows *w, int64_t until_ns)
{
    XEvent e;
    int64_t now = dh_now_ns();
    if (now >= until_ns)
        return false;
    if (dh_x11_wait_event(w->dpy, DH_MIN(until_ns, now + LOOK_NS)) ==
        DH_ERR_CLOSED)
        return false;
    while (XPending(w->dpy) > 0)
        XNextEvent(w->dpy, &e);
    return true;
}

static enum dh_status end_of(struct dh_windows *w, Window id, bool done)
{
    XWindowAttributes at;
    bool there = done || XGetWindowAttributes(w->dpy, id, &at);
    watch(w, id, false);
    bool whole = dh_x11_trap_end(w->dpy);
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    if (done)
        return DH_OK;
    return whole && there ? DH_ERR_TIMEOUT : DH_ERR_NOTFOUND;
}

// ---- the stack --------------------------------------------------------------

static bool is_shown(struct dh_windows *w, Window id)
{
    XWindowAttributes at;
    return XGetWindowAttributes(w->dpy, id, &at) &&
           at.map_state == IsViewable && at.class == InputOutput;
}

static bool describe_top(struct dh_windows *w, Window top,
                         struct dh_window *out)
{
    memset(out, 0, sizeof *out);
    dh_x11_trap_begin(w->dpy);
    Window client = is_shown(w, top) ? dh_windows_client(w, top) : None;
    bool shown = client != None && is_shown(w, client);
    if (shown)
        dh_windows_describe(w, client, out);
    out->within = true;
    return dh_x11_trap_end(w->dpy) && shown;
}

enum dh_status dh_windows_stack(struct dh_windows *w, struct dh_window *out,
                                int max, int *n)
{
    Window root = DefaultRootWindow(w->dpy), parent, *child = NULL;
    unsigned all = 0;
    if (dh_x11_is_lost(w->dpy) ||
        !XQueryTree(w->dpy, root, &root, &parent, &child, &all))
        return DH_ERR_CLOSED;
    *n = 0;
    for (unsigned i = all; i-- > 0 && *n < max;)
        *n += describe_top(w, child[i], &out[*n]);
    if (child)
        XFree(child);
    return dh_x11_is_lost(w->dpy) ? DH_ERR_CLOSED : DH_OK;
}

// ---- to the top, to its place -----------------------------------------------

static bool has_focus(struct dh_windows *w, Window id)
{
    Window focus = None, root, parent, *child = NULL;
    unsigned n;
    int revert;
    XGetInputFocus(w->dpy, &focus, &revert);
    // The focus is often on a window inside of the program's.
    while (focus > PointerRoot && focus != id) {
        child = NULL;
        if (!XQueryTree(w->dpy, focus, &root, &parent, &child, &n))
            return false;
        if (child)
            XFree(child);
        focus = parent == root ? None : parent;
    }
    return focus == id;
}

static void raise_it(struct dh_windows *w, Window id, bool managed)
{
    static const long by_pager[] = { 2, CurrentTime };
    if (managed) {
        ask_manager(w, id, "_NET_ACTIVE_WINDOW", by_pager,
                    DH_COUNTOF(by_pager));
        return;
    }
    XRaiseWindow(w->dpy, id);
    XSetInputFocus(w->dpy, id, RevertToPointerRoot, CurrentTime);
}

enum dh_status dh_windows_raise(struct dh_windows *w, unsigned long id,
                                int64_t until_ns)
{
    bool done;
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    bool managed = has_manager(w);
    dh_x11_trap_begin(w->dpy);
    watch(w, id, true);
    raise_it(w, id, managed);
    do
        done = has_focus(w, id);
    while (!done && wait_more(w, until_ns));
    return end_of(w, id, done);
}

static bool is_at(struct dh_windows *w, Window id, struct dh_rect box)
{
    Window root, child;
    int x, y;
    unsigned width, height, border, depth;
    return XGetGeometry(w->dpy, id, &root, &x, &y, &width, &height, &border,
                        &depth) &&
           XTranslateCoordinates(w->dpy, id, root, 0, 0, &x, &y, &child) &&
           x == box.x && y == box.y && (int)width == box.w &&
           (int)height == box.h;
}

// The box is without the manager's frame, which is what static gravity says.
static void place_it(struct dh_windows *w, Window id, struct dh_rect box,
                     bool managed)
{
    const long data[] = { StaticGravity | 0xf << 8 | 2 << 12, box.x, box.y,
                          box.w, box.h };
    if (managed)
        ask_manager(w, id, "_NET_MOVERESIZE_WINDOW", data, DH_COUNTOF(data));
    else
        XMoveResizeWindow(w->dpy, id, box.x, box.y, (unsigned)box.w,
                          (unsigned)box.h);
}

enum dh_status dh_windows_place(struct dh_windows *w, unsigned long id,
                                struct dh_rect box, int64_t until_ns)
{
    bool done;
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    if (dh_rect_is_empty(box))
        return DH_ERR_TIMEOUT;
    bool managed = has_manager(w);
    dh_x11_trap_begin(w->dpy);
    watch(w, id, true);
    done = is_at(w, id, box);
    if (!done)
        place_it(w, id, box, managed);
    while (!done && wait_more(w, until_ns))
        done = is_at(w, id, box);
    return end_of(w, id, done);
}
