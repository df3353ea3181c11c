#include "capture/boxes_priv.h"

#include "base/mem.h"

// Fetching a box costs about as much as these pixels do, whatever its size.
#define BOX_COST 20000

static int64_t area_of(struct dh_rect r)
{
    return (int64_t)r.w * r.h;
}

// What is fetched in vain, or less, when two boxes become one.
static int64_t waste(struct dh_rect a, struct dh_rect b)
{
    return area_of(dh_rect_union(a, b)) - area_of(a) - area_of(b);
}

static int best_partner(const struct dh_boxes *b, struct dh_rect r)
{
    int best = 0;
    for (int i = 1; i < b->n; i++)
        if (waste(b->r[i], r) < waste(b->r[best], r))
            best = i;
    return best;
}

void dh_boxes_add(struct dh_boxes *b, struct dh_rect r)
{
    if (dh_rect_is_empty(r))
        return;
    // A box that has grown may swallow the next one.
    while (b->n > 0) {
        int i = best_partner(b, r);
        bool full = b->n == (int)DH_COUNTOF(b->r);
        if (!full && waste(b->r[i], r) > BOX_COST)
            break;
        r = dh_rect_union(r, b->r[i]);
        b->r[i] = b->r[--b->n];
    }
    b->r[b->n++] = r;
}

bool dh_boxes_touch(const struct dh_boxes *b, struct dh_rect r)
{
    for (int i = 0; i < b->n; i++)
        if (!dh_rect_is_empty(dh_rect_intersect(b->r[i], r)))
            return true;
    return false;
}

void dh_boxes_clip(struct dh_boxes *b, struct dh_rect area)
{
    int n = 0;
    for (int i = 0; i < b->n; i++) {
        struct dh_rect r = dh_rect_intersect(b->r[i], area);
        if (!dh_rect_is_empty(r))
            b->r[n++] = r;
    }
    b->n = n;
}

int64_t dh_boxes_area(const struct dh_boxes *b)
{
    int64_t sum = 0;
    for (int i = 0; i < b->n; i++)
        sum += area_of(b->r[i]);
    return sum;
}
