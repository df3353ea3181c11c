#include "agent/seen_priv.h"

#include <stdbool.h>

#include "base/mem.h"
#include "capture/frame.h"
#include "model/session.h"

#define KEPT 16 // 11 MB each, and the frame

static void picture_finish(struct dh_seen_picture *p)
{
    dh_frame_unref(p->frame);
    dh_patches_finish(&p->patches);
    p->frame = NULL;
}

void dh_seen_finish(struct dh_seen *s)
{
    for (size_t i = 0; i < s->n; i++)
        picture_finish(&s->pictures[i]);
    dh_free(s->pictures);
    *s = (struct dh_seen){ 0 };
}

void dh_seen_trim(struct dh_seen *s)
{
    for (size_t i = 0; i + KEPT < s->n; i++)
        picture_finish(&s->pictures[i]);
}

static bool has_size_of(const struct dh_frame *a, const struct dh_frame *b)
{
    return a->width == b->width && a->height == b->height;
}

// Moves what is known of this frame, or of `any` of its size, to *out.
static void recall(struct dh_seen *s, const struct dh_frame *frame, bool any,
                   struct dh_seen_picture *out)
{
    for (size_t i = 0; i < s->n; i++) {
        struct dh_seen_picture *p = &s->pictures[i];
        bool fits =
            any ? p->frame && has_size_of(p->frame, frame) : p->frame == frame;
        if (!fits)
            continue;
        *out = *p;
        *p = (struct dh_seen_picture){ 0 };
        return;
    }
}

// *p is empty, or a picture that is not asked about.
static enum dh_status picture_make(struct dh_seen_picture *p,
                                   const struct dh_patch_rule *rule,
                                   struct dh_pool *pool, struct dh_frame *frame)
{
    enum dh_status st =
        p->frame ? dh_patches_update(rule, p->frame, frame, pool, &p->patches)
                 : dh_patches_of_frame(rule, frame, pool, &p->patches);
    if (st)
        return st;
    dh_frame_unref(p->frame);
    p->frame = dh_frame_ref(frame);
    p->hash = dh_session_hash(&p->patches);
    return DH_OK;
}

enum dh_status dh_seen_look(struct dh_seen *s, const struct dh_patch_rule *rule,
                            struct dh_pool *pool,
                            struct dh_frame *const *frames, size_t n)
{
    struct dh_seen now = { .n = n };
    enum dh_status st = DH_OK;
    dh_array(now.pictures, n);
    // The same frames first, so that none of them is taken for another.
    for (size_t i = 0; i < n; i++)
        recall(s, frames[i], false, &now.pictures[i]);
    for (size_t i = 0; i < n && !st; i++) {
        struct dh_seen_picture *p = &now.pictures[i];
        if (p->frame)
            continue;
        recall(s, frames[i], true, p);
        st = picture_make(p, rule, pool, frames[i]);
    }
    dh_seen_finish(s);
    *s = now;
    if (st)
        dh_seen_finish(s);
    return st;
}
