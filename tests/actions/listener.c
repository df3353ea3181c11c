#include "tests/x11/listener.h"

#include <string.h>

#include <X11/Xutil.h>
#include <X11/keysym.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"
#include "tests/dh_test.h"

void dh_listener_init(struct dh_listener *l)
{
    XSetWindowAttributes attr = { .override_redirect = True };
    memset(l, 0, sizeof *l);
    CHECK_INT(dh_x11_open(&l->dpy, NULL), DH_OK);
    dh_buf_init(&l->typed, 1 << 20);
    dh_buf_init(&l->events, 1 << 20);
    int s = DefaultScreen(l->dpy);
    l->win =
        XCreateWindow(l->dpy, DefaultRootWindow(l->dpy), 0, 0,
                      (unsigned)DisplayWidth(l->dpy, s),
                      (unsigned)DisplayHeight(l->dpy, s), 0, CopyFromParent,
                      InputOutput, CopyFromParent, CWOverrideRedirect, &attr);
    XSelectInput(l->dpy, l->win,
                 KeyPressMask | ButtonPressMask | ButtonReleaseMask |
                     ExposureMask);
    XMapRaised(l->dpy, l->win);
    XEvent e;
    XWindowEvent(l->dpy, l->win, ExposureMask, &e);
    XSetInputFocus(l->dpy, l->win, RevertToParent, CurrentTime);
    XSync(l->dpy, False);
}

void dh_listener_finish(struct dh_listener *l)
{
    dh_buf_finish(&l->typed);
    dh_buf_finish(&l->events);
    dh_x11_close(l->dpy);
}

// The character of a keysym: what a program shows that has no input method.
static void put_keysym(struct dh_buf *out, KeySym sym)
{
    char utf8[4];
    uint32_t cp = 0;
    if (sym == XK_Return)
        cp = '\n';
    else if (sym == XK_Tab)
        cp = '\t';
    else if ((sym >= 0x20 && sym < 0x7f) || (sym >= 0xa0 && sym <= 0xff))
        cp = (uint32_t)sym;
    else if (sym > 0x01000000 && sym <= 0x0110ffff)
        cp = (uint32_t)sym - 0x01000000;
    else if (sym == XK_EuroSign)
        cp = 0x20ac;
    if (cp)
        dh_buf_put(out, utf8, dh_utf8_write(cp, utf8));
    else if (!IsModifierKey(sym) && sym != XK_ISO_Level3_Shift)
        dh_buf_printf(out, "<%s>", sym ? XKeysymToString(sym) : "none");
}

static void take_key(struct dh_listener *l, XKeyEvent *e)
{
    char text[32];
    KeySym sym;
    XLookupString(e, text, sizeof text, &sym, NULL);
    if (IsModifierKey(sym) || sym == XK_ISO_Level3_Shift)
        return;
    if (e->state & ControlMask)
        dh_buf_puts(&l->typed, "^");
    if (e->state & Mod1Mask)
        dh_buf_puts(&l->typed, "!");
    put_keysym(&l->typed, sym);
}

void dh_listener_drain(struct dh_listener *l)
{
    while (dh_x11_wait_event(l->dpy, dh_now_ns() + 100 * DH_MS) == DH_OK) {
        XEvent e;
        XNextEvent(l->dpy, &e);
        switch (e.type) {
        case MappingNotify: XRefreshKeyboardMapping(&e.xmapping); break;
        case KeyPress: take_key(l, &e.xkey); break;
        case ButtonPress:
        case ButtonRelease:
            dh_buf_printf(&l->events, "%s %u %d,%d%s\n",
                          e.type == ButtonPress ? "press" : "release",
                          e.xbutton.button, e.xbutton.x, e.xbutton.y,
                          e.xbutton.state & ControlMask ? " +ctrl" : "");
            break;
        default: break;
        }
    }
}

int dh_listener_held(struct dh_listener *l)
{
    char keys[32];
    Window w;
    int x, held = 0;
    unsigned mask;
    XQueryKeymap(l->dpy, keys);
    for (int i = 0; i < 256; i++)
        held += keys[i / 8] >> (i % 8) & 1;
    XQueryPointer(l->dpy, l->win, &w, &w, &x, &x, &x, &x, &mask);
    for (unsigned b = Button1Mask; b <= Button5Mask; b <<= 1)
        held += (mask & b) != 0;
    return held;
}
