#include "capture/screen_ring_priv.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "base/x11.h"
#include "capture/boxes_priv.h"
#include "capture/frame.h"

#define DH_LOG_TAG "screen"
#include "base/log.h"

// More than this part of a picture is fetched as a whole.
#define PART_MAX(area) ((area) / 2)

// Shared with the frame that lives in it, which may outlive the ring.
struct dh_slot {
    struct dh_shared shared;
    atomic_int refs; // the ring's, and the frame's
    // only the ring's thread
    bool whole;            // nothing in it is valid
    struct dh_boxes stale; // in the picture's pixels
    bool spoiled;          // by what was drawn into the frame
    struct dh_rect spoil;
};

static void slot_release(void *user)
{
    struct dh_slot *s = user;
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    dh_shared_unmap(&s->shared);
    dh_free(s);
}

// The last frame in it may be let go of by another thread at any time.
static bool slot_is_free(struct dh_slot *s)
{
    return atomic_load_explicit(&s->refs, memory_order_acquire) == 1;
}

static void slot_drop(struct dh_ring *r, int i)
{
    struct dh_slot *s = r->slot[i];
    if (r->last == s)
        r->last = NULL;
    dh_shared_detach(&s->shared, r->dpy);
    slot_release(s);
    // The others keep their order: the oldest comes first.
    r->n--;
    for (int k = i; k < r->n; k++)
        r->slot[k] = r->slot[k + 1];
}

static void slots_drop(struct dh_ring *r)
{
    while (r->n > 0)
        slot_drop(r, r->n - 1);
    dh_shared_detach(&r->pieces, r->dpy);
    dh_shared_unmap(&r->pieces);
}

void dh_ring_finish(struct dh_ring *r)
{
    slots_drop(r);
}

bool dh_ring_suits(Display *dpy, const struct dh_shot *shot)
{
    const Visual *v = shot->visual;
    return ImageByteOrder(dpy) == LSBFirst &&
           (shot->depth == 24 || shot->depth == 32) &&
           v->red_mask == 0xff0000 && v->green_mask == 0xff00 &&
           v->blue_mask == 0xff && shot->area.w <= DH_FRAME_MAX_SIDE &&
           shot->area.h <= DH_FRAME_MAX_SIDE;
}

void dh_ring_note(struct dh_ring *r, struct dh_rect changed)
{
    struct dh_rect area = r->shot.area;
    changed = dh_rect_intersect(changed, area);
    changed.x -= area.x;
    changed.y -= area.y;
    for (int i = 0; i < r->n; i++)
        if (!r->slot[i]->whole)
            dh_boxes_add(&r->slot[i]->stale, changed);
}

void dh_ring_forget(struct dh_ring *r)
{
    for (int i = 0; i < r->n; i++)
        r->slot[i]->whole = true;
}

void dh_ring_spoil(struct dh_ring *r, struct dh_rect area)
{
    if (!r->last)
        return;
    struct dh_rect all = { 0, 0, r->shot.area.w, r->shot.area.h };
    r->last->spoil = dh_rect_intersect(all, area);
    r->last->spoiled = !dh_rect_is_empty(r->last->spoil);
}

// A drawable that has moved still has the same pixels.
static bool shot_is_same(const struct dh_shot *a, const struct dh_shot *b)
{
    return a->drawable == b->drawable && a->depth == b->depth &&
           a->area.w == b->area.w && a->area.h == b->area.h &&
           a->area.x - a->origin.x == b->area.x - b->origin.x &&
           a->area.y - a->origin.y == b->area.y - b->origin.y;
}

bool dh_ring_is_fresh(const struct dh_ring *r, const struct dh_shot *shot)
{
    return r->last && !r->last->whole && r->last->stale.n == 0 &&
           shot_is_same(&r->shot, shot) && r->shot.area.x == shot->area.x &&
           r->shot.area.y == shot->area.y;
}

static size_t bytes_of(const struct dh_shot *shot)
{
    return (size_t)shot->area.w * 4 * (size_t)shot->area.h;
}

static enum dh_status slot_add(struct dh_ring *r, struct dh_slot **out)
{
    // All are held: the oldest lives on with its frame alone.
    if (r->n == (int)DH_COUNTOF(r->slot))
        slot_drop(r, 0);
    struct dh_slot *s;
    dh_new(s);
    if (!dh_shared_init(&s->shared, r->dpy, bytes_of(&r->shot))) {
        dh_free(s);
        return dh_x11_is_lost(r->dpy) ? DH_ERR_IO : DH_ERR_UNSUPPORTED;
    }
    s->whole = true;
    atomic_store(&s->refs, 1);
    r->slot[r->n++] = s;
    *out = s;
    return DH_OK;
}

static int64_t cost_of(const struct dh_ring *r, const struct dh_slot *s)
{
    int64_t all = (int64_t)r->shot.area.w * r->shot.area.h;
    return s->whole ? all : DH_MIN(all, dh_boxes_area(&s->stale));
}

static enum dh_status slot_take(struct dh_ring *r, struct dh_slot **out)
{
    struct dh_slot *best = NULL;
    for (int i = 0; i < r->n; i++) {
        struct dh_slot *s = r->slot[i];
        if (slot_is_free(s) && (!best || cost_of(r, s) < cost_of(r, best)))
            best = s;
    }
    if (!best)
        return slot_add(r, out);
    *out = best;
    return DH_OK;
}

static char *slot_at(const struct dh_ring *r, const struct dh_slot *s, int x,
                     int y)
{
    return s->shared.shm.shmaddr +
           ((size_t)y * (size_t)r->shot.area.w + (size_t)x) * 4;
}

static void rows_copy(const struct dh_ring *r, struct dh_slot *to,
                      struct dh_rect box, const char *from, size_t stride)
{
    for (int y = 0; y < box.h; y++)
        memcpy(slot_at(r, to, box.x, box.y + y), from + (size_t)y * stride,
               (size_t)box.w * 4);
}

// The server fills whole rows of memory, and a box has parts of rows.
static bool box_fetch(struct dh_ring *r, struct dh_slot *s, struct dh_rect box)
{
    struct dh_rect area = { box.x + r->shot.area.x, box.y + r->shot.area.y,
                            box.w, box.h };
    if (!r->pieces.bytes &&
        !dh_shared_init(&r->pieces, r->dpy, bytes_of(&r->shot)))
        return false;
    char *piece = r->pieces.shm.shmaddr;
    if (!dh_shared_fetch(&r->pieces, r->dpy, &r->shot, area, piece))
        return false;
    rows_copy(r, s, box, piece, (size_t)box.w * 4);
    r->fetched += (uint64_t)box.w * (uint64_t)box.h;
    return true;
}

static bool last_has(const struct dh_ring *r, const struct dh_slot *s,
                     struct dh_rect box)
{
    const struct dh_slot *l = r->last;
    return l && l != s && !l->whole && !dh_boxes_touch(&l->stale, box);
}

static bool slot_patch(struct dh_ring *r, struct dh_slot *s)
{
    for (int i = 0; i < s->stale.n; i++) {
        struct dh_rect box = s->stale.r[i];
        if (last_has(r, s, box))
            rows_copy(r, s, box, slot_at(r, r->last, box.x, box.y),
                      (size_t)r->shot.area.w * 4);
        else if (!box_fetch(r, s, box))
            return false;
    }
    return true;
}

static bool slot_fill(struct dh_ring *r, struct dh_slot *s)
{
    int64_t all = (int64_t)r->shot.area.w * r->shot.area.h;
    if (!s->whole && cost_of(r, s) <= PART_MAX(all))
        return slot_patch(r, s);
    r->fetched += (uint64_t)all;
    return dh_shared_fetch(&s->shared, r->dpy, &r->shot, r->shot.area,
                           s->shared.shm.shmaddr);
}

static void shot_set(struct dh_ring *r, const struct dh_shot *shot)
{
    struct dh_rect old = r->shot.area;
    if (old.w != shot->area.w || old.h != shot->area.h)
        slots_drop(r);
    else if (!shot_is_same(&r->shot, shot))
        dh_ring_forget(r);
    r->shot = *shot;
}

// What was drawn into a frame is not on the screen.
static void spoils_note(struct dh_ring *r)
{
    for (int i = 0; i < r->n; i++) {
        struct dh_slot *s = r->slot[i];
        if (s->spoiled && !s->whole)
            dh_boxes_add(&s->stale, s->spoil);
        s->spoiled = false;
    }
}

enum dh_status dh_ring_fill(struct dh_ring *r, const struct dh_shot *shot,
                            struct dh_frame **out)
{
    struct dh_slot *s;
    shot_set(r, shot);
    spoils_note(r);
    enum dh_status st = slot_take(r, &s);
    if (st)
        return st;
    if (!slot_fill(r, s)) {
        s->whole = true;
        return DH_ERR_IO;
    }
    s->whole = false;
    s->stale.n = 0;
    r->last = s;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    dh_frame_wrap(out, (uint8_t *)s->shared.shm.shmaddr, shot->area.w,
                  shot->area.h, (size_t)shot->area.w * 4, slot_release, s);
    (*out)->screen = shot->area;
    return DH_OK;
}
