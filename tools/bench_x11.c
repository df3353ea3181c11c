#include "tools/bench_x11.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include <X11/XKBlib.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <X11/extensions/XTest.h>
#include <X11/extensions/Xdamage.h>
#include <X11/keysym.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define DAMAGE_LIMIT_NS (2 * DH_S)
#define TREE_DEPTH      4 // of a window manager's frames

struct stage {
    XShmSegmentInfo shm;
    XImage *image;
};

struct dh_bench_x11 {
    Display *bare, *client;
    struct dh_size size;
    struct stage full, box; // `box` is of the size that was asked for last
    Damage damage;
    int damage_event;
    Window canvas, target;
    GC gc;
    uint32_t colour; // painted last
};

// ---- pictures --------------------------------------------------------------

static void stage_finish(Display *dpy, struct stage *s)
{
    if (s->image) {
        if (!dh_x11_is_lost(dpy)) {
            XShmDetach(dpy, &s->shm);
            XSync(dpy, False);
        }
        s->image->data = NULL;
        XDestroyImage(s->image);
        shmdt(s->shm.shmaddr);
    }
    *s = (struct stage){ 0 };
}

static bool stage_init(Display *dpy, struct stage *s, int w, int h)
{
    int screen = DefaultScreen(dpy);
    s->image = XShmCreateImage(dpy, DefaultVisual(dpy, screen),
                               (unsigned)DefaultDepth(dpy, screen), ZPixmap,
                               NULL, &s->shm, (unsigned)w, (unsigned)h);
    if (!s->image)
        return false;
    size_t bytes = (size_t)s->image->bytes_per_line * (size_t)h;
    s->shm.shmid = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
    s->shm.shmaddr = s->shm.shmid < 0 ? NULL : shmat(s->shm.shmid, NULL, 0);
    dh_x11_trap_begin(dpy);
    bool ok = s->shm.shmaddr && s->shm.shmaddr != (char *)-1 &&
              XShmAttach(dpy, &s->shm);
    ok = dh_x11_trap_end(dpy) && ok;
    // Both ends hold it now, or nobody needs it.
    if (s->shm.shmid >= 0)
        shmctl(s->shm.shmid, IPC_RMID, NULL);
    if (!ok) {
        XDestroyImage(s->image);
        *s = (struct stage){ 0 };
        return false;
    }
    s->image->data = s->shm.shmaddr;
    return true;
}

static bool is_colour(XImage *image, int x, int y, uint32_t colour)
{
    return (XGetPixel(image, x, y) & 0xffffff) == colour;
}

static bool stage_grab(Display *dpy, struct stage *s, int x, int y)
{
    return XShmGetImage(dpy, DefaultRootWindow(dpy), s->image, x, y, AllPlanes);
}

bool dh_bench_x11_grab(struct dh_bench_x11 *x, struct dh_rect r,
                       uint32_t colour)
{
    bool full = r.w == x->size.w && r.h == x->size.h;
    struct stage *s = full ? &x->full : &x->box;
    if (!s->image || s->image->width != r.w || s->image->height != r.h) {
        stage_finish(x->bare, s);
        if (!stage_init(x->bare, s, r.w, r.h))
            return false;
    }
    return stage_grab(x->bare, s, r.x, r.y) &&
           is_colour(s->image, 0, 0, colour) &&
           is_colour(s->image, r.w - 1, r.h - 1, colour);
}

void dh_bench_x11_arm(struct dh_bench_x11 *x)
{
    XEvent e;
    XDamageSubtract(x->bare, x->damage, None, None);
    XSync(x->bare, False);
    while (XCheckTypedEvent(x->bare, x->damage_event + XDamageNotify, &e)) {
    }
}

bool dh_bench_x11_damage_grab(struct dh_bench_x11 *x, struct dh_rect r,
                              uint32_t colour)
{
    int64_t until = dh_now_ns() + DAMAGE_LIMIT_NS;
    XEvent e = { 0 };
    while (e.type != x->damage_event + XDamageNotify) {
        if (dh_x11_wait_event(x->bare, until))
            return false;
        XNextEvent(x->bare, &e);
    }
    return dh_bench_x11_grab(x, r, colour);
}

void dh_bench_x11_round_trip(struct dh_bench_x11 *x)
{
    XSync(x->bare, False);
}

bool dh_bench_x11_first_frame(const char *display)
{
    Display *dpy;
    struct stage s = { 0 };
    if (dh_x11_open(&dpy, display))
        return false;
    int screen = DefaultScreen(dpy);
    bool ok = stage_init(dpy, &s, DisplayWidth(dpy, screen),
                         DisplayHeight(dpy, screen)) &&
              stage_grab(dpy, &s, 0, 0);
    stage_finish(dpy, &s);
    dh_x11_close(dpy);
    return ok;
}

// ---- the client ------------------------------------------------------------

uint32_t dh_bench_x11_paint(struct dh_bench_x11 *x, struct dh_rect r,
                            bool synced)
{
    x->colour = (x->colour * 0x9e3779 + 0x3c6ef3) & 0xffffff;
    XSetForeground(x->client, x->gc, x->colour);
    XFillRectangle(x->client, x->canvas, x->gc, r.x, r.y, (unsigned)r.w,
                   (unsigned)r.h);
    if (synced)
        XSync(x->client, False);
    else
        XFlush(x->client);
    return x->colour;
}

static Window client_window(struct dh_bench_x11 *x, struct dh_rect r,
                            unsigned long colour)
{
    // A window manager would move it and draw a frame around it.
    XSetWindowAttributes attr = { .override_redirect = True,
                                  .background_pixel = colour };
    Window w = XCreateWindow(x->client, DefaultRootWindow(x->client), r.x, r.y,
                             (unsigned)r.w, (unsigned)r.h, 0, CopyFromParent,
                             InputOutput, CopyFromParent,
                             CWOverrideRedirect | CWBackPixel, &attr);
    XSelectInput(x->client, w,
                 ExposureMask | KeyPressMask | ButtonPressMask |
                     ButtonReleaseMask);
    XMapRaised(x->client, w);
    XEvent e;
    XWindowEvent(x->client, w, ExposureMask, &e);
    return w;
}

static struct dh_rect target_rect(const struct dh_bench_x11 *x)
{
    return (struct dh_rect){ x->size.w / 8, x->size.h / 8, x->size.w / 4,
                             x->size.h / 4 };
}

struct dh_point dh_bench_x11_target(const struct dh_bench_x11 *x, bool second)
{
    struct dh_rect r = target_rect(x);
    return (struct dh_point){ r.x + (second ? r.w - 20 : 20), r.y + r.h / 2 };
}

void dh_bench_x11_listen(struct dh_bench_x11 *x)
{
    XRaiseWindow(x->client, x->target);
    XSetInputFocus(x->client, x->target, RevertToParent, CurrentTime);
    XSync(x->client, True);
}

bool dh_bench_x11_heard_click(struct dh_bench_x11 *x, struct dh_point at,
                              int64_t until_ns)
{
    bool pressed = false;
    for (;;) {
        XEvent e;
        if (dh_x11_wait_event(x->client, until_ns))
            return false;
        XNextEvent(x->client, &e);
        bool here = (e.type == ButtonPress || e.type == ButtonRelease) &&
                    e.xbutton.x_root == at.x && e.xbutton.y_root == at.y;
        if (here && e.type == ButtonPress)
            pressed = true;
        if (here && e.type == ButtonRelease && pressed)
            return true;
    }
}

bool dh_bench_x11_heard_text(struct dh_bench_x11 *x, const char *text,
                             int64_t until_ns, bool *exact)
{
    size_t n = 0, len = strlen(text);
    *exact = true;
    while (n < len) {
        XEvent e;
        char got[16];
        if (dh_x11_wait_event(x->client, until_ns))
            return false;
        XNextEvent(x->client, &e);
        if (e.type == MappingNotify)
            XRefreshKeyboardMapping(&e.xmapping);
        if (e.type != KeyPress)
            continue;
        int k = XLookupString(&e.xkey, got, sizeof got, NULL, NULL);
        for (int i = 0; i < k && n < len; i++, n++)
            *exact = *exact && got[i] == text[n];
    }
    return true;
}

static Window find_named(Display *dpy, Window top, const char *name, int depth)
{
    Window root, parent, *children = NULL, found = None;
    unsigned n = 0;
    if (depth == 0 || !XQueryTree(dpy, top, &root, &parent, &children, &n))
        return None;
    for (unsigned i = 0; i < n && !found; i++) {
        char *its = NULL;
        XWindowAttributes attr;
        if (XFetchName(dpy, children[i], &its) && strcmp(its, name) == 0 &&
            XGetWindowAttributes(dpy, children[i], &attr) &&
            attr.map_state == IsViewable)
            found = children[i];
        XFree(its);
        if (!found)
            found = find_named(dpy, children[i], name, depth - 1);
    }
    if (children)
        XFree(children);
    return found;
}

// Windows come and go while we look, so errors are no news. What happens below
// the root tells when to look again.
bool dh_bench_x11_focus(struct dh_bench_x11 *x, const char *name,
                        int64_t until_ns)
{
    Window root = DefaultRootWindow(x->bare);
    XSelectInput(x->bare, root, SubstructureNotifyMask | PropertyChangeMask);
    bool done = false;
    while (!done) {
        dh_x11_trap_begin(x->bare);
        Window w = find_named(x->bare, root, name, TREE_DEPTH);
        if (w) {
            XRaiseWindow(x->bare, w);
            XSetInputFocus(x->bare, w, RevertToParent, CurrentTime);
        }
        done = dh_x11_trap_end(x->bare) && w;
        if (done)
            break;
        // A name may be set after the window appeared, without an event here.
        int64_t look = DH_MIN(until_ns, dh_now_ns() + 50 * DH_MS);
        if (dh_x11_wait_event(x->bare, look) == DH_OK)
            XSync(x->bare, True);
        if (dh_now_ns() >= until_ns || dh_x11_is_lost(x->bare))
            break;
    }
    XSelectInput(x->bare, root, NoEventMask);
    XSync(x->bare, True);
    return done;
}

// ---- input -----------------------------------------------------------------

bool dh_bench_x11_click_there(struct dh_bench_x11 *x, struct dh_point at)
{
    Window w;
    int px, py, wx, wy;
    unsigned mask;
    XTestFakeMotionEvent(x->bare, -1, at.x, at.y, CurrentTime);
    XQueryPointer(x->bare, DefaultRootWindow(x->bare), &w, &w, &px, &py, &wx,
                  &wy, &mask);
    if (px != at.x || py != at.y)
        return false;
    XTestFakeButtonEvent(x->bare, 1, True, CurrentTime);
    XTestFakeButtonEvent(x->bare, 1, False, CurrentTime);
    XFlush(x->bare);
    return true;
}

void dh_bench_x11_click(struct dh_bench_x11 *x, struct dh_point at)
{
    XTestFakeMotionEvent(x->bare, -1, at.x, at.y, CurrentTime);
    XTestFakeButtonEvent(x->bare, 1, True, CurrentTime);
    XTestFakeButtonEvent(x->bare, 1, False, CurrentTime);
    XSync(x->bare, False);
}

static void tap(Display *dpy, KeyCode code, KeyCode with)
{
    if (with)
        XTestFakeKeyEvent(dpy, with, True, CurrentTime);
    XTestFakeKeyEvent(dpy, code, True, CurrentTime);
    XTestFakeKeyEvent(dpy, code, False, CurrentTime);
    if (with)
        XTestFakeKeyEvent(dpy, with, False, CurrentTime);
}

void dh_bench_x11_type(struct dh_bench_x11 *x, const char *text)
{
    KeyCode shift = XKeysymToKeycode(x->bare, XK_Shift_L);
    for (const char *p = text; *p; p++) {
        KeySym sym = *p == '\n' ? XK_Return : (KeySym)(unsigned char)*p;
        KeyCode code = XKeysymToKeycode(x->bare, sym);
        bool plain = XkbKeycodeToKeysym(x->bare, code, 0, 0) == sym;
        tap(x->bare, code, plain ? 0 : shift);
    }
    XSync(x->bare, False);
}

void dh_bench_x11_control(struct dh_bench_x11 *x, const char *letter)
{
    tap(x->bare, XKeysymToKeycode(x->bare, (KeySym)(unsigned char)*letter),
        XKeysymToKeycode(x->bare, XK_Control_L));
    XSync(x->bare, False);
}

// ---- begin and end ---------------------------------------------------------

static enum dh_status check_server(struct dh_bench_x11 *x)
{
    int a, b, c, d, screen = DefaultScreen(x->bare);
    const Visual *v = DefaultVisual(x->bare, screen);
    const char *lacks = NULL;
    if (v->red_mask != 0xff0000 || v->green_mask != 0xff00 ||
        v->blue_mask != 0xff)
        lacks = "pixels of 8 bits of red, green and blue";
    if (!XShmQueryExtension(x->bare))
        lacks = "MIT-SHM";
    if (!XTestQueryExtension(x->bare, &a, &b, &c, &d))
        lacks = "XTEST";
    if (!XDamageQueryExtension(x->bare, &x->damage_event, &b))
        lacks = "DAMAGE";
    if (!lacks)
        return DH_OK;
    dh_error("the X server lacks %s, so there is nothing to compare with",
             lacks);
    return DH_ERR_UNSUPPORTED;
}

enum dh_status dh_bench_x11_create(struct dh_bench_x11 **out,
                                   const char *display)
{
    struct dh_bench_x11 *x;
    dh_new(x);
    enum dh_status st = dh_x11_open(&x->bare, display);
    if (!st)
        st = dh_x11_open(&x->client, display);
    if (!st)
        st = check_server(x);
    if (st) {
        dh_bench_x11_destroy(x);
        return st;
    }
    int screen = DefaultScreen(x->bare);
    x->size = (struct dh_size){ DisplayWidth(x->bare, screen),
                                DisplayHeight(x->bare, screen) };
    struct dh_rect all = { 0, 0, x->size.w, x->size.h };
    XTestGrabControl(x->bare, True);
    x->damage = XDamageCreate(x->bare, DefaultRootWindow(x->bare),
                              XDamageReportNonEmpty);
    x->canvas = client_window(x, all, 0x203040);
    x->target = client_window(x, target_rect(x), 0xf0f0e0);
    x->gc = DefaultGC(x->client, DefaultScreen(x->client));
    XSync(x->client, False);
    *out = x;
    return DH_OK;
}

void dh_bench_x11_destroy(struct dh_bench_x11 *x)
{
    if (!x)
        return;
    if (x->bare) {
        stage_finish(x->bare, &x->full);
        stage_finish(x->bare, &x->box);
    }
    dh_x11_close(x->client);
    dh_x11_close(x->bare);
    dh_free(x);
}

bool dh_bench_x11_is_lost(const struct dh_bench_x11 *x)
{
    return dh_x11_is_lost(x->bare) || dh_x11_is_lost(x->client);
}

struct dh_size dh_bench_x11_size(const struct dh_bench_x11 *x)
{
    return x->size;
}

const char *dh_bench_x11_vendor(const struct dh_bench_x11 *x)
{
    return ServerVendor(x->bare);
}
