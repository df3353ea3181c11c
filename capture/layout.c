#include "capture/layout.h"

#include <string.h>
#include <strings.h>

static bool rect_equal(struct dh_rect a, struct dh_rect b)
{
    return a.x == b.x && a.y == b.y && a.w == b.w && a.h == b.h;
}

static bool output_equal(const struct dh_output *a, const struct dh_output *b)
{
    return strcmp(a->name, b->name) == 0 && rect_equal(a->rect, b->rect) &&
           a->rotation == b->rotation && a->primary == b->primary;
}

bool dh_layout_equal(const struct dh_layout *a, const struct dh_layout *b)
{
    if (a->n != b->n || !rect_equal(a->root, b->root))
        return false;
    for (int i = 0; i < a->n; i++)
        if (!output_equal(&a->output[i], &b->output[i]))
            return false;
    return true;
}

bool dh_layout_shows(const struct dh_layout *l, struct dh_point p)
{
    for (int i = 0; i < l->n; i++)
        if (dh_rect_has(l->output[i].rect, p))
            return true;
    return l->n == 0;
}

const struct dh_output *dh_layout_find(const struct dh_layout *l,
                                       const char *name)
{
    bool primary = strcasecmp(name, "primary") == 0;
    for (int i = 0; i < l->n; i++) {
        const struct dh_output *o = &l->output[i];
        if (primary ? o->primary : strcasecmp(o->name, name) == 0)
            return o;
    }
    return NULL;
}
