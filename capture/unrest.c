#include "capture/unrest_priv.h"

#include "base/clock.h"
#include "base/mem.h"

enum {
    SPOT_SIDE = 64,
    SPOT_HITS = 3,
};

// One repaint may come as several rectangles: they are one hit.
#define SPOT_APART_NS  (10 * DH_MS)
// The slowest carets blink once in 1.2 s.
#define SPOT_FORGET_NS (2 * DH_S)

void dh_unrest_mark(struct dh_unrest *u, int64_t now_ns)
{
    u->since_ns = now_ns;
    u->changed = false;
    u->damage = (struct dh_rect){ 0 };
}

static bool rect_is_small(struct dh_rect r)
{
    return r.w <= SPOT_SIDE && r.h <= SPOT_SIDE;
}

// The spot that `r` belongs to; else the one longest unused, made anew.
static struct dh_unrest_spot *spot_of(struct dh_unrest *u, struct dh_rect r,
                                      int64_t now)
{
    struct dh_unrest_spot *oldest = &u->spots[0];
    for (size_t i = 0; i < DH_COUNTOF(u->spots); i++) {
        struct dh_unrest_spot *s = &u->spots[i];
        bool alive = s->hits > 0 && now - s->last_ns <= SPOT_FORGET_NS;
        if (alive && !dh_rect_is_empty(dh_rect_intersect(s->area, r)) &&
            rect_is_small(dh_rect_union(s->area, r)))
            return s;
        if (s->last_ns < oldest->last_ns)
            oldest = s;
    }
    *oldest = (struct dh_unrest_spot){ 0 };
    return oldest;
}

static bool spot_is_blinking(struct dh_unrest *u, struct dh_rect r, int64_t now)
{
    if (!rect_is_small(r))
        return false;
    struct dh_unrest_spot *s = spot_of(u, r, now);
    s->area = dh_rect_union(s->area, r);
    if (s->hits == 0 || now - s->last_ns >= SPOT_APART_NS) {
        s->hits = DH_MIN(s->hits + 1, SPOT_HITS);
        s->last_ns = now;
    }
    return s->hits >= SPOT_HITS;
}

void dh_unrest_note(struct dh_unrest *u, struct dh_rect r, int64_t now_ns)
{
    if (dh_rect_is_empty(r) || spot_is_blinking(u, r, now_ns))
        return;
    u->since_ns = now_ns;
    u->changed = true;
    u->damage = dh_rect_union(u->damage, r);
}
