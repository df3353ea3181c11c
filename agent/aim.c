#include "agent/aim.h"

#include "base/diag.h"

static void to_screen(const struct dh_view *view, struct dh_action *a)
{
    if (a->on_screen)
        return;
    if (a->has_at)
        a->at = dh_view_to_screen(view, a->at);
    if (a->has_start)
        a->start = dh_view_to_screen(view, a->start);
    for (int i = 0; i < a->n_path; i++)
        a->path[i] = dh_view_to_screen(view, a->path[i]);
    a->on_screen = true;
}

static bool is_shown(const struct dh_layout *l, struct dh_point p,
                     struct dh_diag *why)
{
    bool off = !dh_rect_is_empty(l->root) && !dh_rect_has(l->root, p);
    if (off)
        dh_diag_set(why, 0,
                    "the point %d,%d is off the screen, which has %d x %d "
                    "pixels",
                    p.x, p.y, l->root.w, l->root.h);
    else if (!dh_layout_shows(l, p))
        dh_diag_set(why, 0,
                    "the point %d,%d lies in a dead area, which no monitor "
                    "shows",
                    p.x, p.y);
    else
        return true;
    return false;
}

enum dh_status dh_aim_action(const struct dh_view *view,
                             const struct dh_layout *layout,
                             struct dh_action *a, struct dh_diag *why)
{
    to_screen(view, a);
    bool shown = (!a->has_at || is_shown(layout, a->at, why)) &&
                 (!a->has_start || is_shown(layout, a->start, why));
    for (int i = 0; i < a->n_path && shown; i++)
        shown = is_shown(layout, a->path[i], why);
    return shown ? DH_OK : DH_ERR_REFUSED;
}
