#include "capture/input_devices_priv.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include <X11/extensions/XInput2.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"

#define DH_LOG_TAG "input"
#include "base/log.h"

void dh_input_devices_find(struct dh_input_devices *d, Display *dpy)
{
    Atom mark = XInternAtom(dpy, "XTEST Device", False);
    int n = 0;
    d->n = 0;
    dh_x11_trap_begin(dpy);
    XIDeviceInfo *all = XIQueryDevice(dpy, XIAllDevices, &n);
    for (int i = 0; all && i < n && d->n < DH_INPUT_DEVICES_MAX; i++) {
        Atom type;
        int format;
        unsigned long items, after;
        unsigned char *data = NULL;
        if (XIGetProperty(dpy, all[i].deviceid, mark, 0, 1, False,
                          AnyPropertyType, &type, &format, &items, &after,
                          &data) == Success &&
            items)
            d->xtest[d->n++] = all[i].deviceid;
        if (data)
            XFree(data);
    }
    if (all)
        XIFreeDeviceInfo(all);
    if (!dh_x11_trap_end(dpy))
        dh_debug("a device went while its properties were read");
}

bool dh_input_devices_is_xtest(const struct dh_input_devices *d, int id)
{
    for (int i = 0; i < d->n; i++)
        if (id == d->xtest[i])
            return true;
    return false;
}

enum dh_status dh_input_select(Display *dpy, bool releases, int *opcode)
{
    int event, error, major = 2, minor = 2;
    unsigned char bits[XIMaskLen(XI_LASTEVENT)] = { 0 };
    if (!XQueryExtension(dpy, "XInputExtension", opcode, &event, &error) ||
        XIQueryVersion(dpy, &major, &minor) != Success ||
        major * 10 + minor < 21) {
        dh_info("the X server has no XInput 2.1, so a person's input is not "
                "noticed");
        return DH_ERR_UNSUPPORTED;
    }
    XISetMask(bits, XI_RawKeyPress);
    XISetMask(bits, XI_RawButtonPress);
    XISetMask(bits, XI_RawMotion);
    XISetMask(bits, XI_HierarchyChanged);
    if (releases) {
        XISetMask(bits, XI_RawKeyRelease);
        XISetMask(bits, XI_RawButtonRelease);
    }
    // A grab may freeze the master devices; those that a person holds in hand
    // are not frozen with them.
    XIEventMask mask = { XIAllDevices, sizeof bits, bits };
    dh_x11_trap_begin(dpy);
    XISelectEvents(dpy, DefaultRootWindow(dpy), &mask, 1);
    return dh_x11_trap_end(dpy) ? DH_OK : DH_ERR_IO;
}

bool dh_input_wait(Display *dpy, int wake, int64_t until)
{
    struct pollfd p[2] = { { .fd = ConnectionNumber(dpy), .events = POLLIN },
                           { .fd = wake, .events = POLLIN } };
    int64_t left = DH_MAX(until - dh_now_ns(), 0);
    struct timespec ts = { .tv_sec = left / DH_S, .tv_nsec = left % DH_S };
    int n = ppoll(p, 2, until == INT64_MAX ? NULL : &ts, NULL);
    return n < 0 ? errno == EINTR : !p[1].revents;
}
