#include "base/geom.h"

#include <limits.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"

bool dh_size_parse(const char *text, struct dh_size *out)
{
    struct dh_str s = dh_str_of(text);
    ptrdiff_t x = dh_str_find(s, "x", 0);
    int64_t w, h;
    if (x < 0 || !dh_parse_i64(dh_str_sub(s, 0, (size_t)x), &w) ||
        !dh_parse_i64(dh_str_sub(s, (size_t)x + 1, s.n), &h) || w < 1 ||
        h < 1 || w > 32767 || h > 32767)
        return false;
    *out = (struct dh_size){ (int)w, (int)h };
    return true;
}

bool dh_rect_is_empty(struct dh_rect r)
{
    return r.w <= 0 || r.h <= 0;
}

bool dh_rect_has(struct dh_rect r, struct dh_point p)
{
    return p.x >= r.x && p.y >= r.y && (int64_t)p.x < (int64_t)r.x + r.w &&
           (int64_t)p.y < (int64_t)r.y + r.h;
}

// From corners, which may not fit an int where the rectangle reaches its end.
static struct dh_rect of_corners(int64_t x0, int64_t y0, int64_t x1, int64_t y1)
{
    return (struct dh_rect){ (int)x0, (int)y0,
                             (int)DH_CLAMP(x1 - x0, 0, INT_MAX),
                             (int)DH_CLAMP(y1 - y0, 0, INT_MAX) };
}

struct dh_rect dh_rect_intersect(struct dh_rect a, struct dh_rect b)
{
    int64_t x0 = DH_MAX(a.x, b.x), y0 = DH_MAX(a.y, b.y);
    int64_t ax = (int64_t)a.x + a.w, bx = (int64_t)b.x + b.w;
    int64_t ay = (int64_t)a.y + a.h, by = (int64_t)b.y + b.h;
    if (dh_rect_is_empty(a) || dh_rect_is_empty(b))
        return (struct dh_rect){ (int)x0, (int)y0, 0, 0 };
    return of_corners(x0, y0, DH_MIN(ax, bx), DH_MIN(ay, by));
}

struct dh_rect dh_rect_union(struct dh_rect a, struct dh_rect b)
{
    if (dh_rect_is_empty(a))
        return b;
    if (dh_rect_is_empty(b))
        return a;
    int64_t ax = (int64_t)a.x + a.w, bx = (int64_t)b.x + b.w;
    int64_t ay = (int64_t)a.y + a.h, by = (int64_t)b.y + b.h;
    return of_corners(DH_MIN(a.x, b.x), DH_MIN(a.y, b.y), DH_MAX(ax, bx),
                      DH_MAX(ay, by));
}
