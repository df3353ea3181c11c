#include "capture/screen_window_priv.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <X11/Xatom.h>
#include <X11/extensions/Xcomposite.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"

#define DH_LOG_TAG "screen"
#include "base/log.h"

// How deep the search for a title goes below the root: frames of window
// managers nest, menus of programs are not looked for.
#define TITLE_DEPTH 3

static bool property_has(Display *dpy, Window w, const char *name,
                         const char *part)
{
    Atom atom = XInternAtom(dpy, name, False), type;
    int format;
    unsigned long n, left;
    unsigned char *text = NULL;
    int st = XGetWindowProperty(dpy, w, atom, 0, 256, False, AnyPropertyType,
                                &type, &format, &n, &left, &text);
    bool found =
        st == Success && text && format == 8 &&
        dh_str_has_nocase((struct dh_str){ (const char *)text, n }, part);
    if (text)
        XFree(text);
    return found;
}

static bool is_shown(Display *dpy, Window w)
{
    XWindowAttributes a;
    return XGetWindowAttributes(dpy, w, &a) && a.map_state == IsViewable &&
           a.class == InputOutput;
}

// The one on top wins.
static Window title_find(Display *dpy, Window below, const char *part,
                         int depth)
{
    Window root, parent, *child = NULL, found = None;
    unsigned n = 0;
    if (!XQueryTree(dpy, below, &root, &parent, &child, &n))
        return None;
    while (n-- > 0 && !found) {
        bool titled = property_has(dpy, child[n], "_NET_WM_NAME", part) ||
                      property_has(dpy, child[n], "WM_NAME", part);
        if (titled && is_shown(dpy, child[n]))
            found = child[n];
        else if (depth > 1)
            found = title_find(dpy, child[n], part, depth - 1);
    }
    if (child)
        XFree(child);
    return found;
}

static bool number_read(const char *text, Window *out)
{
    unsigned long v = 0;
    unsigned base = strncasecmp(text, "0x", 2) == 0 ? 16 : 10;
    const char *p = base == 16 ? text + 2 : text;
    if (!*p || strlen(p) > 10)
        return false;
    for (; *p; p++) {
        const char *digits = "0123456789abcdef";
        char c = *p >= 'A' && *p <= 'F' ? (char)(*p + 'a' - 'A') : *p;
        const char *at = strchr(digits, c);
        if (!at || (unsigned)(at - digits) >= base)
            return false;
        v = v * base + (unsigned long)(at - digits);
    }
    *out = v;
    return v > 0 && v <= UINT32_MAX;
}

// A number may be a title too.
static Window window_find(Display *dpy, const char *which)
{
    Window id;
    bool exists = false;
    if (number_read(which, &id)) {
        XWindowAttributes a;
        dh_x11_trap_begin(dpy);
        bool answered = XGetWindowAttributes(dpy, id, &a);
        exists = dh_x11_trap_end(dpy) && answered && a.class == InputOutput &&
                 id != DefaultRootWindow(dpy);
    }
    if (exists)
        return id;
    // Windows come and go in the search.
    dh_x11_trap_begin(dpy);
    id = title_find(dpy, DefaultRootWindow(dpy), which, TITLE_DEPTH);
    return dh_x11_trap_end(dpy) || id ? id : None;
}

static bool composite_probe(Display *dpy)
{
    int event, error, major = 0, minor = 2;
    return XCompositeQueryExtension(dpy, &event, &error) &&
           XCompositeQueryVersion(dpy, &major, &minor) &&
           (major > 0 || minor >= 2);
}

enum dh_status dh_screen_window_open(struct dh_screen_window *w, Display *dpy,
                                     const char *which)
{
    if (!composite_probe(dpy)) {
        dh_error("the X server has no COMPOSITE extension, which pictures of "
                 "one window need");
        return DH_ERR_UNSUPPORTED;
    }
    Window id = window_find(dpy, which);
    if (!id) {
        dh_error("no window is \"%s\", by number or by a part of its title",
                 which);
        return DH_ERR_NOTFOUND;
    }
    dh_x11_trap_begin(dpy);
    XSelectInput(dpy, id, StructureNotifyMask);
    XCompositeRedirectWindow(dpy, id, CompositeRedirectAutomatic);
    if (!dh_x11_trap_end(dpy)) {
        dh_error("the X server does not give the window 0x%lx", id);
        return DH_ERR_NOTFOUND;
    }
    *w = (struct dh_screen_window){ .dpy = dpy, .id = id };
    return DH_OK;
}

static void pixmap_free(struct dh_screen_window *w)
{
    if (w->pixmap && !dh_x11_is_lost(w->dpy))
        XFreePixmap(w->dpy, w->pixmap);
    w->pixmap = None;
}

void dh_screen_window_close(struct dh_screen_window *w)
{
    if (!w->id)
        return;
    pixmap_free(w);
    if (!w->gone && !dh_x11_is_lost(w->dpy)) {
        dh_x11_trap_begin(w->dpy);
        XCompositeUnredirectWindow(w->dpy, w->id, CompositeRedirectAutomatic);
        // It may have gone in this moment, which is no failure.
        bool ended = dh_x11_trap_end(w->dpy);
        (void)ended;
    }
    w->id = None;
}

bool dh_screen_window_note(struct dh_screen_window *w, const XEvent *e)
{
    if (!w->id || e->xany.window != w->id)
        return false;
    if (e->type == DestroyNotify)
        w->gone = true;
    // The server makes a new pixmap when the size or the parent is another.
    if (e->type == ConfigureNotify || e->type == MapNotify ||
        e->type == UnmapNotify || e->type == ReparentNotify)
        pixmap_free(w);
    return e->type != DestroyNotify;
}

static enum dh_status shot_failed(struct dh_screen_window *w, const char *why)
{
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    if (w->gone) {
        dh_error("the window 0x%lx was closed", w->id);
        return DH_ERR_CLOSED;
    }
    dh_warn("no picture of the window 0x%lx: %s", w->id, why);
    return DH_ERR_IO;
}

enum dh_status dh_screen_window_shot(struct dh_screen_window *w,
                                     struct dh_shot *out)
{
    XWindowAttributes a = { 0 };
    Window child;
    int x = 0, y = 0;
    if (w->gone || dh_x11_is_lost(w->dpy))
        return shot_failed(w, "");
    dh_x11_trap_begin(w->dpy);
    bool there =
        XGetWindowAttributes(w->dpy, w->id, &a) &&
        XTranslateCoordinates(w->dpy, w->id, a.root, 0, 0, &x, &y, &child);
    there = dh_x11_trap_end(w->dpy) && there;
    if (!there)
        w->gone = true;
    if (!there || a.map_state != IsViewable)
        return shot_failed(w, "it is not shown now");
    if (!w->pixmap) {
        dh_x11_trap_begin(w->dpy);
        w->pixmap = XCompositeNameWindowPixmap(w->dpy, w->id);
        if (!dh_x11_trap_end(w->dpy)) {
            w->pixmap = None;
            return shot_failed(w, "the server has none");
        }
    }
    *out = (struct dh_shot){
        .drawable = w->pixmap,
        .visual = a.visual,
        .depth = a.depth,
        .origin = { x - a.border_width, y - a.border_width },
        .area = { x, y, a.width, a.height },
    };
    return DH_OK;
}
