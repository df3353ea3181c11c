#include "capture/windows_watch_priv.h"

#include <string.h>

#include <X11/Xatom.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"

#define DH_LOG_TAG "windows"
#include "base/log.h"

#define TOPS_MAX 256
#define REST_NS  (250 * DH_MS)

struct top {
    Window id; // child of the root: the manager's frame, or the program's own
    struct dh_window last; // the program's window in it
    int64_t moved_ns;      // 0: it rests
};

struct dh_windows_watch {
    Display *dpy; // not owned
    struct dh_windows *windows;
    dh_windows_watch_fn tell;
    void *user;
    Atom active, net_name;
    struct top top[TOPS_MAX];
    int n;
    unsigned long focus;
    bool focus_moved;
};

static struct top *find_top(struct dh_windows_watch *w, Window id)
{
    for (int i = 0; i < w->n; i++)
        if (w->top[i].id == id || w->top[i].last.id == id)
            return &w->top[i];
    return NULL;
}

static void watch_client(struct dh_windows_watch *w, Window id)
{
    dh_x11_trap_begin(w->dpy);
    XSelectInput(w->dpy, id, PropertyChangeMask | FocusChangeMask);
    if (!dh_x11_trap_end(w->dpy))
        dh_debug("a window went before it could be watched");
}

// What belongs to no program (the sign, a manager's helpers) is not told.
static void add(struct dh_windows_watch *w, Window id)
{
    struct dh_window found;
    if (find_top(w, id) || w->n == TOPS_MAX ||
        dh_windows_within(w->windows, id, &found) || !found.id)
        return;
    w->top[w->n++] = (struct top){ .id = id, .last = found };
    watch_client(w, found.id);
    w->tell(w->user, DH_WINDOW_MAP, &found);
    w->focus_moved = true;
}

static void drop(struct dh_windows_watch *w, Window id)
{
    struct top *t = find_top(w, id);
    if (!t || t->id != id)
        return;
    w->tell(w->user, DH_WINDOW_UNMAP, &t->last);
    *t = w->top[--w->n];
    w->focus_moved = true;
}

static void add_all(struct dh_windows_watch *w)
{
    Window root = DefaultRootWindow(w->dpy), parent, *child = NULL;
    unsigned n = 0;
    XWindowAttributes at;
    if (!XQueryTree(w->dpy, root, &root, &parent, &child, &n))
        return;
    for (unsigned i = 0; i < n; i++) {
        dh_x11_trap_begin(w->dpy);
        bool seen = XGetWindowAttributes(w->dpy, child[i], &at) &&
                    at.map_state == IsViewable;
        if (dh_x11_trap_end(w->dpy) && seen)
            add(w, child[i]);
    }
    if (child)
        XFree(child);
}

enum dh_status dh_windows_watch_create(struct dh_windows_watch **out,
                                       Display *dpy, const char *display,
                                       dh_windows_watch_fn tell, void *user)
{
    struct dh_windows_watch *w;
    dh_new(w);
    w->dpy = dpy;
    w->tell = tell;
    w->user = user;
    enum dh_status st = dh_windows_create(&w->windows, display);
    if (st) {
        dh_free(w);
        return st;
    }
    w->active = XInternAtom(dpy, "_NET_ACTIVE_WINDOW", False);
    w->net_name = XInternAtom(dpy, "_NET_WM_NAME", False);
    XSelectInput(dpy, DefaultRootWindow(dpy),
                 SubstructureNotifyMask | PropertyChangeMask);
    // Whoever is told may ask.
    *out = w;
    add_all(w);
    w->focus_moved = true;
    return DH_OK;
}

void dh_windows_watch_destroy(struct dh_windows_watch *w)
{
    if (!w)
        return;
    dh_windows_destroy(w->windows);
    dh_free(w);
}

int dh_windows_watch_above(struct dh_windows_watch *w, unsigned long id)
{
    Window root = DefaultRootWindow(w->dpy), parent, *child = NULL;
    unsigned n = 0;
    int above = 0;
    const struct top *asked = find_top(w, id), *t = NULL;
    if (!asked || !XQueryTree(w->dpy, root, &root, &parent, &child, &n))
        return -1;
    while (n-- > 0 && t != asked) {
        t = find_top(w, child[n]);
        above += t && t != asked;
    }
    if (child)
        XFree(child);
    return t == asked ? above : -1;
}

static void note_title(struct dh_windows_watch *w, Window id)
{
    struct dh_window now;
    struct top *t = find_top(w, id);
    if (!t || dh_windows_within(w->windows, id, &now) || !now.id ||
        !strcmp(now.title, t->last.title))
        return;
    t->last = now;
    w->tell(w->user, DH_WINDOW_TITLE, &now);
}

void dh_windows_watch_event(struct dh_windows_watch *w, const XEvent *e)
{
    struct top *t;
    switch (e->type) {
    case MapNotify: add(w, e->xmap.window); break;
    case UnmapNotify: drop(w, e->xunmap.window); break;
    case DestroyNotify: drop(w, e->xdestroywindow.window); break;
    case ReparentNotify:
        // Into a frame that was shown before it had something in it.
        if (e->xreparent.parent != DefaultRootWindow(w->dpy)) {
            drop(w, e->xreparent.window);
            add(w, e->xreparent.parent);
        }
        break;
    case ConfigureNotify:
        t = find_top(w, e->xconfigure.window);
        if (t)
            t->moved_ns = dh_now_ns();
        break;
    case FocusIn:
    case FocusOut: w->focus_moved = true; break;
    case PropertyNotify:
        if (e->xproperty.atom == w->active)
            w->focus_moved = true;
        else if (e->xproperty.atom == w->net_name ||
                 e->xproperty.atom == XA_WM_NAME)
            note_title(w, e->xproperty.window);
        break;
    default: break;
    }
}

static void flush_focus(struct dh_windows_watch *w)
{
    struct dh_window now;
    w->focus_moved = false;
    if (dh_windows_focused(w->windows, &now) || now.id == w->focus)
        return;
    w->focus = now.id;
    w->tell(w->user, DH_WINDOW_FOCUS, &now);
}

static bool box_equal(struct dh_rect a, struct dh_rect b)
{
    return a.x == b.x && a.y == b.y && a.w == b.w && a.h == b.h;
}

static void flush_move(struct dh_windows_watch *w, struct top *t)
{
    struct dh_window now;
    t->moved_ns = 0;
    if (dh_windows_within(w->windows, t->id, &now) || !now.id ||
        box_equal(now.box, t->last.box))
        return;
    t->last = now;
    w->tell(w->user, DH_WINDOW_MOVE, &now);
}

int64_t dh_windows_watch_flush(struct dh_windows_watch *w)
{
    int64_t now = dh_now_ns(), next = INT64_MAX;
    if (w->focus_moved)
        flush_focus(w);
    for (int i = 0; i < w->n; i++) {
        if (!w->top[i].moved_ns)
            continue;
        int64_t due = w->top[i].moved_ns + REST_NS;
        if (due <= now)
            flush_move(w, &w->top[i]);
        else
            next = DH_MIN(next, due);
    }
    return next;
}
