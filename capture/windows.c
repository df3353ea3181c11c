#include "capture/windows.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"
#include "capture/windows_priv.h"

#define DH_LOG_TAG "windows"
#include "base/log.h"

// Deeper than any toolkit nests; a tree that changes while we walk ends too.
#define DEPTH_MAX 64

// How deep window managers put a program's window below the root.
#define FRAME_DEPTH 3

enum dh_status dh_windows_create(struct dh_windows **out, const char *display)
{
    struct dh_windows *w;
    dh_new(w);
    enum dh_status st = dh_x11_open(&w->dpy, display);
    if (st) {
        dh_free(w);
        return st;
    }
    w->wm_state = XInternAtom(w->dpy, "WM_STATE", False);
    w->net_name = XInternAtom(w->dpy, "_NET_WM_NAME", False);
    w->net_pid = XInternAtom(w->dpy, "_NET_WM_PID", False);
    w->clients = XInternAtom(w->dpy, "_NET_CLIENT_LIST", False);
    w->utf8 = XInternAtom(w->dpy, "UTF8_STRING", False);
    *out = w;
    return DH_OK;
}

void dh_windows_destroy(struct dh_windows *w)
{
    if (!w)
        return;
    dh_x11_close(w->dpy);
    dh_free(w);
}

size_t dh_windows_property(struct dh_windows *w, Window win, Atom name,
                           Atom type, void *out, size_t max)
{
    Atom real;
    int format;
    unsigned long n, after;
    unsigned char *data = NULL;
    if (XGetWindowProperty(w->dpy, win, name, 0, (long)(max + 3) / 4, False,
                           type, &real, &format, &n, &after, &data) ||
        !data)
        return 0;
    size_t unit = format == 32 ? sizeof(long) : (size_t)format / 8;
    size_t len = DH_MIN(n * unit, max);
    memcpy(out, data, len);
    XFree(data);
    return len;
}

static bool has_property(struct dh_windows *w, Window win, Atom name)
{
    long value[4];
    return dh_windows_property(w, win, name, AnyPropertyType, value,
                               sizeof value) > 0;
}

// A program's own window, as far as one can tell without a manager too.
static bool is_client(struct dh_windows *w, Window win)
{
    return has_property(w, win, w->wm_state) ||
           has_property(w, win, XA_WM_CLASS) ||
           has_property(w, win, w->net_pid);
}

// From the outermost to the innermost window under the point: the server looks
// at stacking and shapes. The first that is a program's, else the first.
static Window client_at(struct dh_windows *w, struct dh_point at)
{
    Window root = DefaultRootWindow(w->dpy), in = root, child, first = None;
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        int x, y;
        child = None;
        if (!XTranslateCoordinates(w->dpy, root, in, at.x, at.y, &x, &y,
                                   &child) ||
            child == None)
            return first;
        if (is_client(w, child))
            return child;
        if (first == None)
            first = child;
        in = child;
    }
    return first;
}

// The focus is often on a window inside of the program's.
static Window client_around(struct dh_windows *w, Window win)
{
    Window found = win;
    for (int depth = 0; depth < DEPTH_MAX && win != None; depth++) {
        Window root, parent = None, *children = NULL;
        unsigned n;
        if (is_client(w, win))
            return win;
        if (!XQueryTree(w->dpy, win, &root, &parent, &children, &n))
            return None;
        if (children)
            XFree(children);
        if (parent == root || parent == None)
            return found;
        win = parent;
    }
    return found;
}

// The window `of`, what lies in it, and what says that it belongs there:
// dialogs and menus.
static bool is_part(struct dh_windows *w, Window win, Window of)
{
    for (int depth = 0; depth < DEPTH_MAX && win != None; depth++) {
        Window root, owner = None, *children = NULL;
        unsigned n;
        if (win == of)
            return true;
        if (XGetTransientForHint(w->dpy, win, &owner) && owner != None) {
            win = owner;
            continue;
        }
        if (!XQueryTree(w->dpy, win, &root, &owner, &children, &n))
            return false;
        if (children)
            XFree(children);
        win = owner;
    }
    return false;
}

static Window innermost_at(struct dh_windows *w, struct dh_point at)
{
    Window root = DefaultRootWindow(w->dpy), in = root, child;
    int x, y;
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        if (!XTranslateCoordinates(w->dpy, root, in, at.x, at.y, &x, &y,
                                   &child) ||
            child == None)
            break;
        in = child;
    }
    return in;
}

static void read_title(struct dh_windows *w, Window id, char *out, size_t size)
{
    size_t n = dh_windows_property(w, id, w->net_name, w->utf8, out, size - 1);
    if (!n)
        n = dh_windows_property(w, id, XA_WM_NAME, AnyPropertyType, out,
                                size - 1);
    out[n] = '\0';
}

// Frames are no deeper than a few windows. None: it is no program's.
static Window client_below(struct dh_windows *w, Window win, int depth)
{
    Window root, parent, *child = NULL, found = None;
    unsigned n = 0;
    if (is_client(w, win))
        return win;
    if (depth == FRAME_DEPTH ||
        !XQueryTree(w->dpy, win, &root, &parent, &child, &n))
        return None;
    for (unsigned i = n; i-- > 0 && found == None;)
        found = client_below(w, child[i], depth + 1);
    if (child)
        XFree(child);
    return found;
}

static void read_texts(struct dh_windows *w, struct dh_window *out)
{
    char class[sizeof out->wm_class] = "";
    read_title(w, out->id, out->title, sizeof out->title);
    size_t n = dh_windows_property(w, out->id, XA_WM_CLASS, XA_STRING, class,
                                   sizeof class - 1);
    class[n] = '\0';
    size_t first = strlen(class);
    const char *second = first < n ? class + first + 1 : "";
    snprintf(out->wm_class, sizeof out->wm_class, "%.60s%s%.60s", class,
             second[0] ? "." : "", second);
}

static void program_of(int pid, char *out, size_t size)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/%d/exe", pid);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return;
    path[n] = '\0';
    const char *slash = strrchr(path, '/');
    snprintf(out, size, "%.63s", slash ? slash + 1 : path);
}

// 0 where it is not known.
static int parent_of(int pid)
{
    char path[64], line[512];
    int64_t parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = '\0';
    // "pid (name) S parent ...", and the name may hold anything.
    const char *p = strrchr(line, ')');
    if (!p || strlen(p) < 5)
        return 0;
    struct dh_str number = { p + 4, strcspn(p + 4, " ") };
    return dh_parse_i64(number, &parent) ? (int)parent : 0;
}

// A terminal that we run in is where a person controls us. What started it, a
// panel or a session, is not.
static bool is_ours(const struct dh_window *win)
{
    int pid = (int)getpid();
    if (win->pid == pid)
        return true;
    struct dh_str program = dh_str_of(win->program);
    if (dh_str_find(program, "term", 0) < 0 &&
        dh_str_find(program, "konsole", 0) < 0 &&
        dh_str_find(program, "kitty", 0) < 0 &&
        dh_str_find(program, "alacritty", 0) < 0)
        return false;
    for (int depth = 0; depth < DEPTH_MAX && pid > 1; depth++) {
        pid = parent_of(pid);
        if (pid > 1 && pid == win->pid)
            return true;
    }
    return false;
}

Window dh_windows_client(struct dh_windows *w, Window win)
{
    return client_below(w, win, 0);
}

void dh_windows_describe(struct dh_windows *w, Window id, struct dh_window *out)
{
    Window root, child;
    int x, y;
    unsigned width, height, border, depth;
    unsigned long pid = 0;
    out->id = id;
    if (id == None)
        return;
    if (XGetGeometry(w->dpy, id, &root, &x, &y, &width, &height, &border,
                     &depth) &&
        XTranslateCoordinates(w->dpy, id, root, 0, 0, &x, &y, &child))
        out->box = (struct dh_rect){ x, y, (int)width, (int)height };
    XWindowAttributes at;
    out->menu = XGetWindowAttributes(w->dpy, id, &at) && at.override_redirect;
    read_texts(w, out);
    Window owner;
    if (XGetTransientForHint(w->dpy, id, &owner) && owner != None)
        out->owner = owner;
    if (dh_windows_property(w, id, w->net_pid, XA_CARDINAL, &pid, sizeof pid) ==
            sizeof pid &&
        pid < INT32_MAX)
        out->pid = (int)pid;
    if (out->pid)
        program_of(out->pid, out->program, sizeof out->program);
    out->own = out->pid && is_ours(out);
}

static struct dh_point pointer_of(struct dh_windows *w)
{
    Window root, child;
    struct dh_point at = { 0 };
    int x, y;
    unsigned mask;
    XQueryPointer(w->dpy, DefaultRootWindow(w->dpy), &root, &child, &at.x,
                  &at.y, &x, &y, &mask);
    return at;
}

static enum dh_status finish(struct dh_windows *w, struct dh_window *out,
                             const struct dh_window *found)
{
    struct dh_window none = { .within = !w->only };
    bool whole = dh_x11_ask_end(w->dpy);
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    // An error is a window that went while we asked.
    *out = whole ? *found : none;
    return DH_OK;
}

enum dh_status dh_windows_at(struct dh_windows *w, const struct dh_point *at,
                             struct dh_window *out)
{
    struct dh_window found = { 0 };
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    dh_x11_ask_begin(w->dpy);
    found.at = at ? *at : pointer_of(w);
    dh_windows_describe(w, client_at(w, found.at), &found);
    found.within = !w->only || is_part(w, innermost_at(w, found.at), w->only);
    return finish(w, out, &found);
}

enum dh_status dh_windows_focused(struct dh_windows *w, struct dh_window *out)
{
    struct dh_window found = { 0 };
    Window focus = None;
    int revert;
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    dh_x11_ask_begin(w->dpy);
    XGetInputFocus(w->dpy, &focus, &revert);
    w->focus = focus;
    Window reached = focus;
    // Without a focus of its own the window under the pointer gets the keys.
    if (focus == PointerRoot || focus == DefaultRootWindow(w->dpy)) {
        reached = innermost_at(w, pointer_of(w));
        focus = client_at(w, pointer_of(w));
    } else if (focus != None) {
        focus = client_around(w, focus);
    }
    dh_windows_describe(w, focus, &found);
    found.within = !w->only || is_part(w, reached, w->only);
    return finish(w, out, &found);
}

static void list_add(struct dh_windows *w, Window win,
                     struct dh_window_list *out)
{
    if (out->n == DH_WINDOWS_LISTED)
        return;
    out->item[out->n].id = win;
    read_title(w, win, out->item[out->n].title, sizeof out->item[0].title);
    out->n++;
}

// Without a manager that keeps a list.
static void list_below(struct dh_windows *w, Window win, int depth,
                       struct dh_window_list *out)
{
    Window root, parent, *child = NULL;
    unsigned n = 0;
    if (!XQueryTree(w->dpy, win, &root, &parent, &child, &n))
        return;
    for (unsigned i = 0; i < n; i++) {
        XWindowAttributes a;
        if (!XGetWindowAttributes(w->dpy, child[i], &a) ||
            a.map_state != IsViewable)
            continue;
        // Menus are programs' windows too, but frames are what managers make.
        if (!a.override_redirect && is_client(w, child[i]))
            list_add(w, child[i], out);
        else if (depth > 1)
            list_below(w, child[i], depth - 1, out);
    }
    if (child)
        XFree(child);
}

enum dh_status dh_windows_list(struct dh_windows *w, struct dh_window_list *out)
{
    Window root = DefaultRootWindow(w->dpy), focus = None;
    long ids[DH_WINDOWS_LISTED];
    int revert;
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    memset(out, 0, sizeof *out);
    dh_x11_ask_begin(w->dpy);
    size_t n =
        dh_windows_property(w, root, w->clients, XA_WINDOW, ids, sizeof ids);
    for (size_t i = 0; i < n / sizeof ids[0]; i++)
        list_add(w, (Window)ids[i], out);
    if (!n)
        list_below(w, root, FRAME_DEPTH, out);
    XGetInputFocus(w->dpy, &focus, &revert);
    if (focus != None && focus != PointerRoot && focus != root)
        out->focus = client_around(w, focus);
    bool whole = dh_x11_ask_end(w->dpy);
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    return whole ? DH_OK : DH_ERR_NOTFOUND;
}

void dh_windows_limit(struct dh_windows *w, unsigned long id)
{
    w->only = id;
}

enum dh_status dh_windows_within(struct dh_windows *w, unsigned long id,
                                 struct dh_window *out)
{
    struct dh_window found = { 0 };
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    dh_x11_ask_begin(w->dpy);
    dh_windows_describe(w, dh_windows_client(w, id), &found);
    return finish(w, out, &found);
}

void dh_windows_refocus(struct dh_windows *w)
{
    Window now = None;
    int revert;
    if (dh_x11_is_lost(w->dpy))
        return;
    dh_x11_ask_begin(w->dpy);
    XGetInputFocus(w->dpy, &now, &revert);
    if (now != w->focus)
        XSetInputFocus(w->dpy, w->focus, RevertToPointerRoot, CurrentTime);
    if (!dh_x11_ask_end(w->dpy))
        dh_debug("the window that had the focus has gone");
}
