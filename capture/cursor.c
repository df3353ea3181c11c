#include "capture/cursor.h"

#include <X11/extensions/Xfixes.h>

#include "base/geom.h"
#include "capture/frame.h"

#define DH_LOG_TAG "cursor"
#include "base/log.h"

static uint8_t over(unsigned long argb, unsigned shift, uint8_t below)
{
    unsigned alpha = (unsigned)(argb >> 24) & 0xff;
    unsigned v = (unsigned)(argb >> shift) & 0xff;
    v += (below * (255 - alpha) + 127) / 255;
    // A picture whose colours exceed its alpha is wrong, and comes from
    // clients.
    return (uint8_t)(v > 255 ? 255 : v);
}

void dh_cursor_blend(const struct dh_cursor *c, struct dh_frame *frame)
{
    struct dh_rect all = { 0, 0, frame->width, frame->height };
    struct dh_rect own = { c->x, c->y, c->width, c->height };
    struct dh_rect r = dh_rect_intersect(all, own);
    for (int y = r.y; y < r.y + r.h; y++) {
        const unsigned long *src =
            c->argb + (size_t)(y - c->y) * (size_t)c->width;
        for (int x = r.x; x < r.x + r.w; x++) {
            uint8_t *p = dh_frame_at(frame, x, y);
            unsigned long argb = src[x - c->x];
            p[0] = over(argb, 0, p[0]);
            p[1] = over(argb, 8, p[1]);
            p[2] = over(argb, 16, p[2]);
        }
    }
}

bool dh_cursor_probe(Display *dpy)
{
    int event, error, major = 2, minor = 0;
    return XFixesQueryExtension(dpy, &event, &error) &&
           XFixesQueryVersion(dpy, &major, &minor) && major >= 2;
}

enum dh_status dh_cursor_read(Display *dpy, struct dh_cursor *out)
{
    XFixesCursorImage *img = XFixesGetCursorImage(dpy);
    if (!img) {
        dh_info("the X server did not give the picture of the pointer");
        return DH_ERR_IO;
    }
    *out = (struct dh_cursor){ .x = img->x - img->xhot,
                               .y = img->y - img->yhot,
                               .width = img->width,
                               .height = img->height,
                               .argb = img->pixels,
                               .serial = img->cursor_serial,
                               .owned = img };
    return DH_OK;
}

void dh_cursor_finish(struct dh_cursor *c)
{
    if (c->owned)
        XFree(c->owned);
    *c = (struct dh_cursor){ 0 };
}
