#include "tests/x11/person.h"

#include <string.h>

#include <X11/extensions/XTest.h>

#include "tests/dh_test.h"

static XDevice *device(Display *dpy, const char *name)
{
    int n;
    XDevice *found = NULL;
    XDeviceInfo *all = XListInputDevices(dpy, &n);
    for (int i = 0; i < n && !found; i++)
        if (!strcmp(all[i].name, name))
            found = XOpenDevice(dpy, all[i].id);
    XFreeDeviceList(all);
    return found;
}

void dh_person_init(struct dh_person *p)
{
    p->dpy = XOpenDisplay(NULL);
    CHECK(p->dpy != NULL);
    p->mouse = device(p->dpy, "Xvfb mouse");
    p->keyboard = device(p->dpy, "Xvfb keyboard");
    if (!p->mouse || !p->keyboard)
        dh_test_skip("this server's devices have other names");
}

void dh_person_finish(struct dh_person *p)
{
    XCloseDevice(p->dpy, p->mouse);
    XCloseDevice(p->dpy, p->keyboard);
    XCloseDisplay(p->dpy);
}

void dh_person_moves(struct dh_person *p, int x, int y)
{
    int axes[] = { x, y };
    XTestFakeDeviceMotionEvent(p->dpy, p->mouse, False, 0, axes, 2, 0);
    XFlush(p->dpy);
}

void dh_person_key(struct dh_person *p, KeySym sym, bool down)
{
    XTestFakeDeviceKeyEvent(p->dpy, p->keyboard, XKeysymToKeycode(p->dpy, sym),
                            down, NULL, 0, 0);
    XFlush(p->dpy);
}
