#include "capture/screen.h"

#include <stddef.h>
#include <stdio.h>

#include <X11/Xlib.h>
#include <X11/extensions/XShm.h>
#include <X11/extensions/Xdamage.h>

#include "base/x11.h"
#include "capture/cursor.h"
#include "capture/screen_layout_priv.h"
#include "capture/screen_priv.h"
#include "capture/screen_stage_priv.h"

const struct dh_opt dh_screen_opts[] = {
    { .name = "display",
      .letter = 'd',
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct dh_screen_options, display),
      .arg = ":N",
      .help = "X display to look at (default: $DISPLAY)" },
    { .name = "region",
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct dh_screen_options, region),
      .arg = "WxH+X+Y",
      .help = "Part of the screen to capture" },
    { .name = "output",
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct dh_screen_options, output),
      .arg = "NAME",
      .help = "Monitor to capture, as xrandr calls it, \"primary\" or \"all\" "
              "(default)" },
    { .name = "window",
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct dh_screen_options, window),
      .arg = "ID",
      .help = "Window to capture, by number or a part of its title, also where "
              "others cover it" },
    { .name = "cursor",
      .type = DH_OPT_BOOL,
      .offset = offsetof(struct dh_screen_options, cursor),
      .help = "Draw the pointer into the pictures (default)" },
    { .name = "shm",
      .type = DH_OPT_BOOL,
      .offset = offsetof(struct dh_screen_options, shm),
      .help = "Share memory with the X server where it can (default)" },
    { .name = "damage",
      .type = DH_OPT_BOOL,
      .offset = offsetof(struct dh_screen_options, damage),
      .help = "Let the X server tell of changes where it can (default)" },
    { 0 },
};

bool dh_screen_region_parse(struct dh_str s, struct dh_rect *out)
{
    static const char separator[] = { 'x', '+', '+' };
    int64_t v[4];
    for (int i = 0; i < 4; i++) {
        size_t n = 0;
        while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
            n++;
        if (!dh_parse_i64(dh_str_sub(s, 0, n), &v[i]) || v[i] > 32767)
            return false;
        if (i < 3 && (n == s.n || s.p[n] != separator[i]))
            return false;
        s = dh_str_sub(s, i < 3 ? n + 1 : n, s.n);
    }
    if (s.n || !v[0] || !v[1])
        return false;
    *out = (struct dh_rect){ (int)v[2], (int)v[3], (int)v[0], (int)v[1] };
    return true;
}

bool dh_damage_probe(Display *dpy, int *event)
{
    int error, major = 1, minor = 1;
    // The damage extension refuses clients that have not asked XFIXES first.
    return dh_cursor_probe(dpy) && XDamageQueryExtension(dpy, event, &error) &&
           XDamageQueryVersion(dpy, &major, &minor);
}

static bool shm_probe(Display *dpy)
{
    struct dh_stage stage = { .dpy = dpy };
    struct dh_shot pixel = {
        .drawable = DefaultRootWindow(dpy),
        .visual = DefaultVisual(dpy, DefaultScreen(dpy)),
        .depth = DefaultDepth(dpy, DefaultScreen(dpy)),
        .area = { 0, 0, 1, 1 },
    };
    bool filled = dh_stage_fill(&stage, &pixel);
    dh_stage_finish(&stage);
    return filled && !stage.no_shm;
}

enum dh_status dh_screen_probe(const char *display, struct dh_screen_info *out)
{
    Display *dpy;
    enum dh_status st = dh_x11_open(&dpy, display);
    if (st)
        return st;
    int n = DefaultScreen(dpy), event;
    const Visual *v = DefaultVisual(dpy, n);
    struct dh_screen_info info = { .width = DisplayWidth(dpy, n),
                                   .height = DisplayHeight(dpy, n),
                                   .depth = DefaultDepth(dpy, n),
                                   .red_mask = v->red_mask,
                                   .green_mask = v->green_mask,
                                   .blue_mask = v->blue_mask,
                                   .true_color = v->class == TrueColor,
                                   .msb_first = ImageByteOrder(dpy) == MSBFirst,
                                   .has_shm = XShmQueryExtension(dpy),
                                   .has_fixes = dh_cursor_probe(dpy),
                                   .has_damage = dh_damage_probe(dpy, &event) };
    int n_formats;
    XPixmapFormatValues *formats = XListPixmapFormats(dpy, &n_formats);
    for (int i = 0; formats && i < n_formats; i++) {
        if (formats[i].depth == info.depth)
            info.bits_per_pixel = formats[i].bits_per_pixel;
    }
    XFree(formats);
    snprintf(info.vendor, sizeof(info.vendor), "%s", ServerVendor(dpy));
    info.shm_works = info.has_shm && shm_probe(dpy);
    struct dh_layout_watch watch;
    dh_layout_watch_init(&watch, dpy);
    st = dh_layout_watch_read(&watch);
    info.layout = watch.layout;
    dh_x11_close(dpy);
    if (!st)
        *out = info;
    return st;
}
