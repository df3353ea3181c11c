#include "vision/zoom.h"

#include <stdint.h>

#include "base/mem.h"
#include "capture/frame.h"

// Between the four nearest pixels, by sixths of the way: with whole factors up
// to three all weights are exact.
enum { PARTS = 6 };

static int along(int out, int factor, int last, int *part)
{
    int at = DH_CLAMP((2 * out + 1 - factor) * (PARTS / 2) / factor, 0,
                      last * PARTS);
    *part = at % PARTS;
    return at / PARTS;
}

static void row_put(const struct dh_frame *f, struct dh_rect from, int factor,
                    struct dh_frame *out, int y)
{
    int down, right;
    int sy = along(y, factor, from.h - 1, &down);
    const uint8_t *top = dh_frame_at(f, from.x, from.y + sy);
    const uint8_t *bottom = top + (down ? f->stride : 0);
    uint8_t *p = dh_frame_at(out, 0, y);
    for (int x = 0; x < out->width; x++, p += 4) {
        int at = 4 * along(x, factor, from.w - 1, &right);
        int next = at + (right ? 4 : 0);
        for (int c = 0; c < 4; c++) {
            int a = top[at + c] * (PARTS - right) + top[next + c] * right;
            int b = bottom[at + c] * (PARTS - right) + bottom[next + c] * right;
            int v = a * (PARTS - down) + b * down;
            p[c] = (uint8_t)((v + PARTS * PARTS / 2) / (PARTS * PARTS));
        }
    }
}

enum dh_status dh_zoom_frame(const struct dh_frame *f, struct dh_rect area,
                             struct dh_frame **out)
{
    struct dh_rect from = dh_rect_intersect(area, f->screen);
    struct dh_rect shown = from;
    struct dh_frame *z;
    from.x -= f->screen.x;
    from.y -= f->screen.y;
    from =
        dh_rect_intersect(from, (struct dh_rect){ 0, 0, f->width, f->height });
    if (dh_rect_is_empty(from))
        return DH_ERR_RANGE;
    int fits = DH_MIN(f->width / from.w, f->height / from.h);
    int factor = DH_CLAMP(fits, 1, DH_ZOOM_MAX);
    enum dh_status st =
        dh_frame_create(&z, NULL, from.w * factor, from.h * factor);
    if (st)
        return st;
    for (int y = 0; y < z->height; y++)
        row_put(f, from, factor, z, y);
    z->time_ns = f->time_ns;
    z->serial = f->serial;
    z->screen = shown;
    z->layout = f->layout;
    dh_frame_publish(z);
    *out = z;
    return DH_OK;
}
