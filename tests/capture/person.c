#include "tests/x11/person.h"

#include <string.h>

#include <X11/XKBlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "base/clock.h"
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

void dh_person_button(struct dh_person *p, unsigned button, bool down)
{
    XTestFakeDeviceButtonEvent(p->dpy, p->mouse, button, down, NULL, 0, 0);
    XFlush(p->dpy);
}

#define KEY_GAP  (15 * DH_MS)
#define HAND_GAP (30 * DH_MS)

void dh_person_clicks(struct dh_person *p, int x, int y, unsigned button)
{
    for (int step = 4; step >= 0; step--) {
        dh_person_moves(p, x - step * 3, y - step * 2);
        dh_sleep_for(HAND_GAP);
    }
    dh_person_button(p, button, true);
    dh_sleep_for(HAND_GAP);
    dh_person_button(p, button, false);
}

void dh_person_chord(struct dh_person *p, KeySym sym, const KeySym *mods)
{
    int n = 0;
    for (; n < 4 && mods[n]; n++)
        dh_person_key(p, mods[n], true);
    dh_sleep_for(KEY_GAP);
    dh_person_key(p, sym, true);
    dh_sleep_for(KEY_GAP);
    dh_person_key(p, sym, false);
    while (n-- > 0)
        dh_person_key(p, mods[n], false);
    dh_sleep_for(KEY_GAP);
}

void dh_person_types(struct dh_person *p, const char *text)
{
    static const KeySym shift[] = { XK_Shift_L, 0 }, none[] = { 0 };
    for (; *text; text++) {
        KeySym sym = (unsigned char)*text;
        KeyCode code = XKeysymToKeycode(p->dpy, sym);
        bool plain = XkbKeycodeToKeysym(p->dpy, code, 0, 0) == sym;
        dh_person_chord(p, sym, plain ? none : shift);
    }
}
