/* capture/screen.h - the X11 screen as a source of frames. */
#ifndef DH_CAPTURE_SCREEN_H
#define DH_CAPTURE_SCREEN_H

#include <stdbool.h>

#include "base/geom.h"
#include "base/opts.h"
#include "base/status.h"
#include "base/str.h"
#include "capture/layout.h"
#include "capture/source.h"

struct dh_screen_options {
    const char *display; /* NULL: $DISPLAY */
    const char *region;  /* "WIDTHxHEIGHT+X+Y"; NULL: the whole screen */
    const char *output;  /* of RandR; NULL or "all": the whole screen */
    const char *window;  /* number or part of a title; NULL: none */
    bool cursor;         /* draw the pointer into the pictures */
    bool shm;            /* use MIT-SHM where the server has it */
    bool damage;         /* use the DAMAGE extension where the server has it */
};

#define DH_SCREEN_DEFAULTS                          \
    {                                               \
        .cursor = true, .shm = true, .damage = true \
    }

extern const struct dh_opt dh_screen_opts[];

/* Read "WIDTHxHEIGHT+X+Y": decimal numbers from 0 to 32767, no empty area. */
DH_MUST_USE bool dh_screen_region_parse(struct dh_str s, struct dh_rect *out);

/*
 * Connect to a screen. *options is only looked at in the call. The source
 * belongs to one thread at a time; several screens share nothing.
 *
 * DH_ERR_USAGE for a region that cannot be read, or more than one of region,
 * output and window; DH_ERR_NOTFOUND where there is no server, output or
 * window; DH_ERR_UNSUPPORTED where its screen is not TrueColor of depth 24, 30
 * or 32, or the server cannot show a window alone.
 *
 * grab: the whole screen, or what lies of the region on it, or the output, or
 * the window, as it is at that moment; place and size may differ from the last
 * time. `frame->screen` is where it lies on the screen, which for a window may
 * begin left of it or above. Where nothing has changed it is the same frame
 * again. DH_ERR_IO: the server did not deliver, a later grab may work; also a
 * window that is not shown. DH_ERR_RANGE: the region is wholly off the screen,
 * which may have shrunk. DH_ERR_NOTFOUND: the output is not there any more, or
 * is off. DH_ERR_CLOSED: the server or the window has gone for good.
 *
 * With MIT-SHM, DAMAGE and 32 bits a pixel only what has changed is fetched,
 * and straight into the frame. layout: asks the server only after it said that
 * something has changed.
 *
 * mark, settle: by the DAMAGE extension. Without it settle compares a picture
 * every 50 ms with the one before, at the price of those grabs, and changes
 * that are undone in between are not seen. Changes outside of the region count
 * in the first case only.
 */
DH_MUST_USE enum dh_status
dh_screen_create(struct dh_source **out,
                 const struct dh_screen_options *options);

/* The window that a source of dh_screen_create shows; 0: not one alone. */
unsigned long dh_screen_window(const struct dh_source *source);

/* What a server offers, for people. */
struct dh_screen_info {
    int width, height, depth, bits_per_pixel;
    unsigned long red_mask, green_mask, blue_mask;
    bool true_color, msb_first;
    bool has_shm, has_damage, has_fixes;
    bool shm_works; /* it has it, and it can share memory with this process */
    char vendor[64];
    struct dh_layout layout;
};

/* Connect, ask, disconnect. DH_ERR_NOTFOUND without a server. */
DH_MUST_USE enum dh_status dh_screen_probe(const char *display,
                                           struct dh_screen_info *out);

#endif
