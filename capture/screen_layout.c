#include "capture/screen_layout_priv.h"

#include <stdio.h>
#include <string.h>

#include <X11/extensions/Xrandr.h>

#include "base/mem.h"
#include "base/x11.h"

#define DH_LOG_TAG "screen"
#include "base/log.h"

void dh_layout_watch_init(struct dh_layout_watch *w, Display *dpy)
{
    int opcode, error, major = 1, minor = 5;
    Window root = DefaultRootWindow(dpy);
    memset(w, 0, sizeof *w);
    w->dpy = dpy;
    // Xrandr itself leaks where the server has no such extension.
    w->has_randr = XQueryExtension(dpy, "RANDR", &opcode, &w->event, &error) &&
                   XRRQueryExtension(dpy, &w->event, &error) &&
                   XRRQueryVersion(dpy, &major, &minor) &&
                   (major > 1 || minor >= 2);
    w->has_monitors = w->has_randr && (major > 1 || minor >= 5);
    if (w->has_randr)
        XRRSelectInput(dpy, root,
                       RRScreenChangeNotifyMask | RRCrtcChangeNotifyMask |
                           RROutputChangeNotifyMask);
    // Monitors that are set by hand are told of in no other way.
    XSelectInput(dpy, root, StructureNotifyMask);
}

bool dh_layout_watch_note(struct dh_layout_watch *w, const XEvent *e)
{
    bool randr = w->has_randr && (e->type == w->event + RRScreenChangeNotify ||
                                  e->type == w->event + RRNotify);
    bool root = e->type == ConfigureNotify &&
                e->xconfigure.window == DefaultRootWindow(w->dpy);
    if (randr || root)
        w->known = false;
    return randr || root;
}

static int degrees_of(Rotation r)
{
    if (r & RR_Rotate_90)
        return 90;
    if (r & RR_Rotate_180)
        return 180;
    return r & RR_Rotate_270 ? 270 : 0;
}

static struct dh_output *output_add(struct dh_layout *l, const char *name,
                                    struct dh_rect rect)
{
    if (l->n == DH_LAYOUT_MAX || dh_rect_is_empty(rect))
        return NULL;
    struct dh_output *o = &l->output[l->n++];
    snprintf(o->name, sizeof o->name, "%s", name ? name : "");
    o->rect = rect;
    return o;
}

static XRRCrtcInfo *crtc_of(Display *dpy, XRRScreenResources *all,
                            RROutput output, XRROutputInfo **info)
{
    *info = XRRGetOutputInfo(dpy, all, output);
    return *info && (*info)->crtc ? XRRGetCrtcInfo(dpy, all, (*info)->crtc)
                                  : NULL;
}

static int rotation_of(Display *dpy, XRRScreenResources *all, RROutput output)
{
    XRROutputInfo *info;
    XRRCrtcInfo *crtc = crtc_of(dpy, all, output, &info);
    int degrees = crtc ? degrees_of(crtc->rotation) : 0;
    if (crtc)
        XRRFreeCrtcInfo(crtc);
    if (info)
        XRRFreeOutputInfo(info);
    return degrees;
}

// One output may be split into several monitors, or several be joined.
static void monitors_read(Display *dpy, XRRScreenResources *all,
                          struct dh_layout *l)
{
    int n = 0;
    XRRMonitorInfo *m = XRRGetMonitors(dpy, DefaultRootWindow(dpy), True, &n);
    for (int i = 0; m && i < n; i++) {
        char *name = XGetAtomName(dpy, m[i].name);
        struct dh_output *o = output_add(
            l, name,
            (struct dh_rect){ m[i].x, m[i].y, m[i].width, m[i].height });
        if (o) {
            o->primary = m[i].primary;
            if (m[i].noutput > 0)
                o->rotation = rotation_of(dpy, all, m[i].outputs[0]);
        }
        if (name)
            XFree(name);
    }
    if (m)
        XRRFreeMonitors(m);
}

static void outputs_read(Display *dpy, XRRScreenResources *all,
                         struct dh_layout *l)
{
    RROutput primary = XRRGetOutputPrimary(dpy, DefaultRootWindow(dpy));
    for (int i = 0; i < all->noutput; i++) {
        XRROutputInfo *info;
        XRRCrtcInfo *c = crtc_of(dpy, all, all->outputs[i], &info);
        struct dh_output *o = NULL;
        if (c)
            o = output_add(
                l, info->name,
                (struct dh_rect){ c->x, c->y, (int)c->width, (int)c->height });
        if (o) {
            o->rotation = degrees_of(c->rotation);
            o->primary = all->outputs[i] == primary;
        }
        if (c)
            XRRFreeCrtcInfo(c);
        if (info)
            XRRFreeOutputInfo(info);
    }
}

static void layout_read(struct dh_layout_watch *w, struct dh_layout *l)
{
    Window root = DefaultRootWindow(w->dpy);
    XRRScreenResources *all =
        w->has_randr ? XRRGetScreenResourcesCurrent(w->dpy, root) : NULL;
    if (!all)
        return;
    if (w->has_monitors)
        monitors_read(w->dpy, all, l);
    else
        outputs_read(w->dpy, all, l);
    XRRFreeScreenResources(all);
}

enum dh_status dh_layout_watch_read(struct dh_layout_watch *w)
{
    // An output may go away between the questions: then they begin anew.
    for (int tries = 0; !w->known && tries < 3; tries++) {
        XWindowAttributes root;
        if (dh_x11_is_lost(w->dpy))
            return DH_ERR_CLOSED;
        dh_x11_trap_begin(w->dpy);
        memset(&w->layout, 0, sizeof w->layout);
        bool sized =
            XGetWindowAttributes(w->dpy, DefaultRootWindow(w->dpy), &root);
        if (sized) {
            w->layout.root = (struct dh_rect){ 0, 0, root.width, root.height };
            layout_read(w, &w->layout);
        }
        w->known = dh_x11_trap_end(w->dpy) && sized;
    }
    if (w->known)
        return DH_OK;
    if (dh_x11_is_lost(w->dpy))
        return DH_ERR_CLOSED;
    dh_warn("the X server did not tell the layout of the screen");
    return DH_ERR_IO;
}
