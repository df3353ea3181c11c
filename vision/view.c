#include "vision/view.h"

#include <stdint.h>

#include "base/assert.h"
#include "base/mem.h"

static int to_pixel(int model, int origin, int side)
{
    int64_t at = ((int64_t)model * side + DH_VIEW_RANGE / 2) / DH_VIEW_RANGE;
    return origin + (int)DH_CLAMP(at, 0, side - 1);
}

static int to_model(int pixel, int origin, int side)
{
    int64_t at = ((int64_t)pixel - origin) * DH_VIEW_RANGE + side / 2;
    return (int)DH_CLAMP(at / side, 0, DH_VIEW_RANGE);
}

struct dh_point dh_view_to_screen(const struct dh_view *v,
                                  struct dh_point model)
{
    dh_assert(!dh_rect_is_empty(v->screen));
    return (struct dh_point){
        to_pixel(model.x, v->screen.x, v->screen.w),
        to_pixel(model.y, v->screen.y, v->screen.h),
    };
}

struct dh_point dh_view_to_model(const struct dh_view *v, struct dh_point px)
{
    dh_assert(!dh_rect_is_empty(v->screen));
    return (struct dh_point){
        to_model(px.x, v->screen.x, v->screen.w),
        to_model(px.y, v->screen.y, v->screen.h),
    };
}
