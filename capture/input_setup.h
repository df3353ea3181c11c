/*
 * capture/input_setup.h - how the desktop is set up: what a later one may have
 * otherwise. Asked once, without any library of a toolkit: root properties, the
 * XSETTINGS of the desktop, the properties of pointers.
 */
#ifndef DH_CAPTURE_INPUT_SETUP_H
#define DH_CAPTURE_INPUT_SETUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* "" and 0 where nobody says; natural_scroll is -1 then. */
struct dh_input_setup {
    char layout[64], variant[64], model[64]; /* as given to XKB */
    char wm[64], theme[64], icons[64], font[64];
    double dpi;        /* of fonts, else of the screen */
    double font_scale; /* dpi of fonts / 96 */
    int depth;
    int double_click_ms, drag_px;
    int natural_scroll; /* of any pointer: 1, 0 */
};

DH_MUST_USE enum dh_status dh_input_setup_read(struct dh_input_setup *out,
                                               const char *display);

/* What the property _XSETTINGS_SETTINGS says, as far as it is whole. The bytes
 * are another program's. */
void dh_input_setup_settings(struct dh_input_setup *out,
                             const unsigned char *bytes, size_t len);
/* "Xft.dpi: 96" of RESOURCE_MANAGER. */
void dh_input_setup_resources(struct dh_input_setup *out, const char *text,
                              size_t len);

#endif
