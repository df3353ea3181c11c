#include "capture/sign.h"

#include <stdio.h>
#include <string.h>

#include <X11/Xlib.h>
#include <X11/extensions/Xfixes.h>
#include <X11/extensions/shape.h>

#include "base/geom.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/x11.h"

#define DH_LOG_TAG "sign"
#include "base/log.h"

#define STRIPS 4
#define THICK  3
#define MARGIN 4

struct dh_sign {
    struct dh_mutex lock;
    // guarded by lock
    Display *dpy;      // NULL: the server has gone
    XFontStruct *font; // NULL: no label
    Window strip[STRIPS], label;
    GC gc;
    char hint[64];
    enum dh_sign_state state;
    struct dh_size screen; // as it was drawn for
};

static const struct {
    const char *text;
    unsigned short r, g, b;
} looks[] = {
    [DH_SIGN_AGENT] = { "deskhand has the desktop", 0x2f, 0x7d, 0xe1 },
    [DH_SIGN_PERSON] = { "you have the desktop, deskhand waits", 0x2f, 0x94,
                         0x3f },
    [DH_SIGN_ASKS] = { "deskhand asks", 0xd0, 0x80, 0x10 },
    [DH_SIGN_STOPPED] = { "deskhand has stopped", 0x70, 0x70, 0x70 },
    [DH_SIGN_RECORDS] = { "deskhand records what you do", 0xc0, 0x20, 0x30 },
    [DH_SIGN_PAUSES] = { "deskhand does not record now", 0x70, 0x70, 0x70 },
};

static unsigned long colour_of(struct dh_sign *s, enum dh_sign_state state)
{
    int screen = DefaultScreen(s->dpy);
    XColor c = { .red = (unsigned short)(looks[state].r * 257),
                 .green = (unsigned short)(looks[state].g * 257),
                 .blue = (unsigned short)(looks[state].b * 257) };
    if (!XAllocColor(s->dpy, DefaultColormap(s->dpy, screen), &c))
        return BlackPixel(s->dpy, screen);
    return c.pixel;
}

static Window create_window(struct dh_sign *s)
{
    XSetWindowAttributes a = { .override_redirect = True };
    Window w = XCreateWindow(s->dpy, DefaultRootWindow(s->dpy), 0, 0, 1, 1, 0,
                             CopyFromParent, InputOutput, NULL,
                             CWOverrideRedirect, &a);
    XserverRegion none = XFixesCreateRegion(s->dpy, NULL, 0);
    XFixesSetWindowShapeRegion(s->dpy, w, ShapeInput, 0, 0, none);
    XFixesDestroyRegion(s->dpy, none);
    XStoreName(s->dpy, w, "deskhand");
    return w;
}

// The background is the picture: nothing has to be drawn again, and so no
// thread has to wait for a reason to.
static void draw_label(struct dh_sign *s, unsigned long colour,
                       struct dh_size screen)
{
    char text[160];
    if (!s->font)
        return;
    bool hinted = s->hint[0] &&
                  (s->state == DH_SIGN_AGENT || s->state == DH_SIGN_RECORDS ||
                   s->state == DH_SIGN_PAUSES);
    snprintf(text, sizeof text, "%s%s%s", looks[s->state].text,
             hinted ? " - " : "", hinted ? s->hint : "");
    int n = (int)strlen(text);
    int w = XTextWidth(s->font, text, n) + 2 * MARGIN;
    int h = s->font->ascent + s->font->descent + 2;
    int deep = DefaultDepth(s->dpy, DefaultScreen(s->dpy));
    Pixmap p = XCreatePixmap(s->dpy, s->label, (unsigned)w, (unsigned)h,
                             (unsigned)deep);
    XSetForeground(s->dpy, s->gc, colour);
    XFillRectangle(s->dpy, p, s->gc, 0, 0, (unsigned)w, (unsigned)h);
    XSetForeground(s->dpy, s->gc, WhitePixel(s->dpy, DefaultScreen(s->dpy)));
    XDrawString(s->dpy, p, s->gc, MARGIN, s->font->ascent + 1, text, n);
    XSetWindowBackgroundPixmap(s->dpy, s->label, p);
    XFreePixmap(s->dpy, p);
    XMoveResizeWindow(s->dpy, s->label, (screen.w - w) / 2, screen.h - h,
                      (unsigned)w, (unsigned)h);
    XClearWindow(s->dpy, s->label);
    XMapRaised(s->dpy, s->label);
}

static void draw(struct dh_sign *s)
{
    XWindowAttributes root;
    unsigned long colour = colour_of(s, s->state);
    if (!XGetWindowAttributes(s->dpy, DefaultRootWindow(s->dpy), &root))
        return;
    int w = root.width, h = root.height;
    s->screen = (struct dh_size){ w, h };
    const struct dh_rect box[STRIPS] = { { 0, 0, w, THICK },
                                         { 0, h - THICK, w, THICK },
                                         { 0, THICK, THICK, h - 2 * THICK },
                                         { w - THICK, THICK, THICK,
                                           h - 2 * THICK } };
    if (w <= 2 * THICK || h <= 2 * THICK)
        return;
    for (int i = 0; i < STRIPS; i++) {
        XSetWindowBackground(s->dpy, s->strip[i], colour);
        XMoveResizeWindow(s->dpy, s->strip[i], box[i].x, box[i].y,
                          (unsigned)box[i].w, (unsigned)box[i].h);
        XClearWindow(s->dpy, s->strip[i]);
        XMapRaised(s->dpy, s->strip[i]);
    }
    draw_label(s, colour, (struct dh_size){ w, h });
}

static void draw_synced(struct dh_sign *s)
{
    if (!s->dpy)
        return;
    dh_x11_ask_begin(s->dpy);
    draw(s);
    if (!dh_x11_ask_end(s->dpy))
        dh_debug("the sign could not be drawn");
    // Xlib leaves a lost display locked by the thread that lost it.
    if (dh_x11_is_lost(s->dpy)) {
        dh_x11_close(s->dpy);
        s->dpy = NULL;
    }
}

enum dh_status dh_sign_create(struct dh_sign **out, const char *display,
                              const char *hint, enum dh_sign_state state)
{
    struct dh_sign *s;
    int event, error, major = 2, minor = 0;
    dh_new(s);
    dh_mutex_init(&s->lock);
    enum dh_status st = dh_x11_open(&s->dpy, display);
    if (!st && (!XFixesQueryExtension(s->dpy, &event, &error) ||
                !XFixesQueryVersion(s->dpy, &major, &minor) || major < 2)) {
        dh_info("the X server has no XFixes 2, so no sign is shown");
        st = DH_ERR_UNSUPPORTED;
    }
    if (st) {
        dh_sign_destroy(s);
        return st;
    }
    snprintf(s->hint, sizeof s->hint, "%s", hint ? hint : "");
    for (int i = 0; i < STRIPS; i++)
        s->strip[i] = create_window(s);
    s->label = create_window(s);
    // Of the display, which frees it even where the server has gone.
    s->gc = DefaultGC(s->dpy, DefaultScreen(s->dpy));
    s->font = XLoadQueryFont(s->dpy, "fixed");
    if (s->font)
        XSetFont(s->dpy, s->gc, s->font->fid);
    s->state = state;
    draw_synced(s);
    *out = s;
    return DH_OK;
}

// The windows go with the connection.
void dh_sign_destroy(struct dh_sign *s)
{
    if (!s)
        return;
    // Without a request, so that it is right where the server has gone too.
    if (s->font)
        XFreeFontInfo(NULL, s->font, 1);
    dh_x11_close(s->dpy);
    dh_mutex_finish(&s->lock);
    dh_free(s);
}

void dh_sign_show(struct dh_sign *s, enum dh_sign_state state)
{
    if (!s)
        return;
    dh_mutex_lock(&s->lock);
    if (s->state != state) {
        s->state = state;
        draw_synced(s);
    }
    dh_mutex_unlock(&s->lock);
}

static bool is_ours(const struct dh_sign *s, Window win)
{
    for (int i = 0; i < STRIPS; i++)
        if (win == s->strip[i])
            return true;
    return win == s->label;
}

// Another window lies on one of the sign's, or the screen has another size.
static bool is_hidden(struct dh_sign *s)
{
    Window root = DefaultRootWindow(s->dpy), parent, *child = NULL;
    XWindowAttributes a;
    unsigned n = 0;
    bool above = false;
    int left = STRIPS + (s->font != NULL);
    if (!XGetWindowAttributes(s->dpy, root, &a) ||
        !XQueryTree(s->dpy, root, &root, &parent, &child, &n))
        return false;
    bool hidden = a.width != s->screen.w || a.height != s->screen.h;
    // From the top down, until all of the sign has been seen.
    while (n-- > 0 && left > 0 && !above) {
        bool ours = is_ours(s, child[n]);
        left -= ours;
        above = !ours && XGetWindowAttributes(s->dpy, child[n], &a) &&
                a.map_state == IsViewable && a.class == InputOutput;
    }
    if (child)
        XFree(child);
    return hidden || above;
}

void dh_sign_raise(struct dh_sign *s)
{
    if (!s)
        return;
    dh_mutex_lock(&s->lock);
    bool hidden = false;
    if (s->dpy) {
        dh_x11_ask_begin(s->dpy);
        hidden = is_hidden(s);
        // Windows come and go while they are looked at.
        hidden = !dh_x11_ask_end(s->dpy) || hidden;
    }
    if (hidden)
        draw_synced(s);
    dh_mutex_unlock(&s->lock);
}
