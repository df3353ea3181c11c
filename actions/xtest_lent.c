#include <string.h>
#include <unistd.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>

#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"

// A program that does not say when it has read its keys looks lent ones up
// after we have gone. So a process stays with them for that time, and who owns
// this selection, with the keycodes in the property of that name, is it.
#define LENT "_DESKHAND_LENT"

// How many keycodes the window says; codes[DH_XTEST_KEYS].
static int read_codes(Display *dpy, Window w, Atom lent, KeyCode *codes)
{
    Atom type;
    unsigned char *data = NULL;
    unsigned long n = 0, left;
    int format = 0;
    if (XGetWindowProperty(dpy, w, lent, 0, DH_XTEST_KEYS / 4, False,
                           XA_CARDINAL, &type, &format, &n, &left, &data))
        return 0;
    if (format != 8)
        n = 0;
    if (n)
        memcpy(codes, data, n);
    if (data)
        XFree(data);
    return (int)n;
}

void dh_lent_linger(struct dh_held *h, const char *display)
{
    KeyCode codes[DH_XTEST_KEYS];
    int n = 0;
    Display *dpy = XOpenDisplay(display);
    if (!dpy)
        _exit(1);
    Atom lent = XInternAtom(dpy, LENT, False);
    Window w =
        XCreateSimpleWindow(dpy, DefaultRootWindow(dpy), -1, -1, 1, 1, 0, 0, 0);
    for (int c = 0; c < DH_XTEST_KEYS; c++)
        if (h->lent[c])
            codes[n++] = (KeyCode)c;
    XChangeProperty(dpy, w, lent, XA_CARDINAL, 8, PropModeReplace, codes, n);
    XSetSelectionOwner(dpy, lent, w, CurrentTime);
    XSync(dpy, False);
    dh_guardian_reply();
    dh_sleep_until(h->lent_until_ns);
    // Nobody adopts them between the look and the change.
    XGrabServer(dpy);
    if (read_codes(dpy, w, lent, codes))
        dh_lent_clear(h, dpy);
    XUngrabServer(dpy);
    XSync(dpy, False);
    _exit(0);
}

int dh_lent_adopt(struct dh_held *h, Display *dpy, KeyCode *codes)
{
    Atom lent = XInternAtom(dpy, LENT, False);
    int n = 0;
    dh_x11_trap_begin(dpy);
    XGrabServer(dpy);
    Window w = XGetSelectionOwner(dpy, lent);
    if (w)
        n = read_codes(dpy, w, lent, codes);
    for (int i = 0; i < n; i++)
        h->lent[codes[i]] = true;
    // Without the property they are not theirs any more.
    if (n)
        XDeleteProperty(dpy, w, lent);
    XUngrabServer(dpy);
    return dh_x11_trap_end(dpy) ? n : 0;
}

void dh_lent_clear(const struct dh_held *h, Display *dpy)
{
    KeyCode codes[DH_XTEST_KEYS];
    int n = 0;
    for (int c = 0; c < DH_XTEST_KEYS; c++)
        if (h->lent[c])
            codes[n++] = (KeyCode)c;
    XkbDescPtr map =
        n ? XkbGetMap(dpy, XkbAllClientInfoMask, XkbUseCoreKbd) : NULL;
    if (!map)
        return;
    dh_xkeys_clear(dpy, map, codes, n);
    XkbFreeKeyboard(map, 0, True);
}
