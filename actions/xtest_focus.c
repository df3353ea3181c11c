#include <string.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"

#define DH_LOG_TAG "xtest"
#include "base/log.h"

#define DEEPEST 16 // windows inside windows

static bool is_terminal(const char *name)
{
    static const char *const known[] = {
        "xterm",       "uxterm",  "rxvt",      "terminal",
        "konsole",     "kitty",   "alacritty", "terminator",
        "st-256color", "wezterm", "foot"
    };
    struct dh_str s = dh_str_of(name);
    for (size_t i = 0; i < DH_COUNTOF(known); i++)
        if (dh_str_find(s, known[i], 0) >= 0)
            return true;
    return false;
}

static void take_class(const char *name, struct dh_xfocus *f)
{
    for (size_t i = 0; name && name[i] && i + 1 < sizeof f->name; i++) {
        char c = name[i];
        f->name[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    f->terminal = is_terminal(f->name);
}

// Top-level windows are those that say what they know of window managers.
static bool read_top(Display *dpy, Window w, struct dh_xfocus *f)
{
    Atom ping = XInternAtom(dpy, "_NET_WM_PING", False), *list = NULL;
    XClassHint hint = { NULL, NULL };
    int n = 0;
    bool is_top = XGetClassHint(dpy, w, &hint) != 0;
    take_class(hint.res_class, f);
    if (hint.res_name)
        XFree(hint.res_name);
    if (hint.res_class)
        XFree(hint.res_class);
    if (!XGetWMProtocols(dpy, w, &list, &n))
        n = 0;
    for (int i = 0; i < n; i++)
        f->pings |= list[i] == ping;
    if (list)
        XFree(list);
    if (!is_top && !n)
        return false;
    f->top = w;
    return true;
}

void dh_xfocus_read(Display *dpy, struct dh_xfocus *f)
{
    Window w, root, parent, *children;
    int revert;
    unsigned n;
    memset(f, 0, sizeof *f);
    XGetInputFocus(dpy, &w, &revert);
    dh_x11_ask_begin(dpy);
    for (int i = 0; i < DEEPEST && w > PointerRoot; i++) {
        if (w == DefaultRootWindow(dpy) || read_top(dpy, w, f) ||
            !XQueryTree(dpy, w, &root, &parent, &children, &n))
            break;
        if (children)
            XFree(children);
        w = parent;
    }
    // A window that closed meanwhile gets no keys either.
    if (!dh_x11_ask_end(dpy))
        memset(f, 0, sizeof *f);
}

static void ping(Display *dpy, Window top, Time stamp)
{
    XEvent e = { 0 };
    e.xclient.type = ClientMessage;
    e.xclient.window = top;
    e.xclient.message_type = XInternAtom(dpy, "WM_PROTOCOLS", False);
    e.xclient.format = 32;
    e.xclient.data.l[0] = (long)XInternAtom(dpy, "_NET_WM_PING", False);
    e.xclient.data.l[1] = (long)stamp;
    e.xclient.data.l[2] = (long)top;
    XSendEvent(dpy, top, False, NoEventMask, &e);
}

bool dh_xfocus_drain(struct dh_xtest *x, const struct dh_xfocus *f,
                     int64_t timeout_ns)
{
    // The answer is sent to the root window. It comes after all that the
    // program was sent before, since a connection keeps its order.
    Window root = DefaultRootWindow(x->dpy);
    Time stamp = (Time)(dh_now_ns() & 0x7fffffff);
    int64_t until = dh_now_ns() + timeout_ns;
    bool answered = false;
    if (!f->pings || dh_x11_is_lost(x->dpy))
        return false;
    dh_x11_trap_begin(x->dpy);
    // Qt answers to those who watch the root window itself.
    XSelectInput(x->dpy, root, SubstructureNotifyMask | StructureNotifyMask);
    ping(x->dpy, f->top, stamp);
    while (!answered && !dh_xtest_stopped(x) &&
           dh_x11_wait_event(x->dpy, until) == DH_OK) {
        XEvent e;
        XNextEvent(x->dpy, &e);
        dh_xkeys_note(&x->keys, &e);
        answered = e.type == ClientMessage && e.xclient.window == root &&
                   (Time)e.xclient.data.l[1] == stamp &&
                   (Window)e.xclient.data.l[2] == f->top;
    }
    XSelectInput(x->dpy, root, NoEventMask);
    return dh_x11_trap_end(x->dpy) && answered;
}

static Window read_check(Display *dpy, Window of)
{
    Window w = None;
    Atom type, check = XInternAtom(dpy, "_NET_SUPPORTING_WM_CHECK", False);
    int format;
    unsigned long n = 0, rest;
    unsigned char *p = NULL;
    if (XGetWindowProperty(dpy, of, check, 0, 1, False, XA_WINDOW, &type,
                           &format, &n, &rest, &p))
        return None;
    if (n && type == XA_WINDOW && format == 32)
        memcpy(&w, p, sizeof w);
    if (p)
        XFree(p);
    return w;
}

// The window manager's own window, which has the focus when nobody else has. It
// names itself (EWMH); what a manager that died left behind names nobody.
static Window manager_window(Display *dpy)
{
    Window w = read_check(dpy, DefaultRootWindow(dpy));
    if (!w)
        return None;
    dh_x11_ask_begin(dpy);
    bool alive = read_check(dpy, w) == w;
    return dh_x11_ask_end(dpy) && alive ? w : None;
}

// A window that has gone meanwhile says nothing any more.
static void watch(Display *dpy, Window w, long mask)
{
    dh_x11_ask_begin(dpy);
    XSelectInput(dpy, w, mask);
    if (!dh_x11_ask_end(dpy))
        dh_debug("the window with the focus has gone");
}

// True: nobody has the focus, and the next event comes when that may change.
static bool nobody_has_it(Display *dpy, Window manager, Window *watched)
{
    struct dh_xfocus f;
    Window w;
    int revert;
    XGetInputFocus(dpy, &w, &revert);
    if (w > PointerRoot && w != DefaultRootWindow(dpy) && w != *watched) {
        watch(dpy, w, FocusChangeMask);
        *watched = w;
    }
    // Read after that, so that no change falls in between.
    dh_xfocus_read(dpy, &f);
    return (!f.top || f.top == manager) && w != PointerRoot;
}

void dh_xfocus_wait(struct dh_xtest *x, int64_t timeout_ns)
{
    Window root = DefaultRootWindow(x->dpy), watched = None;
    int64_t until = dh_now_ns() + timeout_ns;
    if (dh_x11_is_lost(x->dpy))
        return;
    Window manager = manager_window(x->dpy);
    if (!manager)
        return;
    // The root stays, and what is asked next is answered after this.
    XSelectInput(x->dpy, root, PropertyChangeMask | FocusChangeMask);
    bool nobody = true;
    while (!dh_x11_is_lost(x->dpy) && !dh_xtest_stopped(x)) {
        XEvent e;
        nobody = nobody_has_it(x->dpy, manager, &watched);
        if (!nobody || dh_x11_wait_event(x->dpy, until))
            break;
        XNextEvent(x->dpy, &e);
        dh_xkeys_note(&x->keys, &e);
    }
    if (dh_x11_is_lost(x->dpy))
        return;
    XSelectInput(x->dpy, root, NoEventMask);
    if (watched)
        watch(x->dpy, watched, NoEventMask);
    if (nobody)
        dh_warn("no window has the keyboard focus");
}
