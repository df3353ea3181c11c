#include "agent/aim.h"

void dh_aim_action(const struct dh_view *view, struct dh_action *a)
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
