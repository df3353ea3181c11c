/* capture/input_devices_priv.h - what those who read raw input share. */
#ifndef DH_CAPTURE_INPUT_DEVICES_PRIV_H
#define DH_CAPTURE_INPUT_DEVICES_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <X11/Xlib.h>

#include "base/status.h"

#define DH_INPUT_DEVICES_MAX 64

/* The devices of XTest, through which programs act. */
struct dh_input_devices {
    int xtest[DH_INPUT_DEVICES_MAX];
    int n;
};

/* Ask again after XI_HierarchyChanged. */
void dh_input_devices_find(struct dh_input_devices *d, Display *dpy);
bool dh_input_devices_is_xtest(const struct dh_input_devices *d, int id);

/*
 * Raw events of all devices, and once more of their masters, with releases
 * where `releases`, and changes among the devices. *opcode is that of the
 * extension. DH_ERR_UNSUPPORTED, logged at info: the server has no XInput 2.1.
 */
DH_MUST_USE enum dh_status dh_input_select(Display *dpy, bool releases,
                                           int *opcode);
/* Wait for an event until then (INT64_MAX: for ever); false once `wake`, an
 * eventfd, was written to. */
bool dh_input_wait(Display *dpy, int wake, int64_t until);

#endif
