#include "capture/veil.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "capture/frame.h"
#include "capture/source.h"

#define GREY 0x80

struct veil {
    struct dh_source source;
    struct dh_source *inner;
    struct dh_frame_pool *pool;
    struct dh_rect box[DH_VEIL_MAX];
    int n;
    bool moved;
    struct dh_frame *last;  // as it was given out
    struct dh_frame *below; // what it was made of
};

static void paint(struct dh_frame *f, struct dh_rect r)
{
    r.x -= f->screen.x;
    r.y -= f->screen.y;
    r = dh_rect_intersect(r, (struct dh_rect){ 0, 0, f->width, f->height });
    for (int y = r.y; y < r.y + r.h; y++)
        memset(dh_frame_at(f, r.x, y), GREY, (size_t)r.w * 4);
}

static enum dh_status cover(struct veil *v, struct dh_frame *in,
                            struct dh_frame **out)
{
    enum dh_status st = dh_frame_create(out, v->pool, in->width, in->height);
    if (st)
        return st;
    for (int y = 0; y < in->height; y++)
        memcpy(dh_frame_at(*out, 0, y), dh_frame_at(in, 0, y),
               (size_t)in->width * 4);
    (*out)->time_ns = in->time_ns;
    (*out)->serial = in->serial;
    (*out)->screen = in->screen;
    (*out)->layout = in->layout;
    for (int i = 0; i < v->n; i++)
        paint(*out, v->box[i]);
    dh_frame_publish(*out);
    return DH_OK;
}

static enum dh_status veil_grab(struct dh_source *s, struct dh_frame **out)
{
    struct veil *v = (struct veil *)s;
    struct dh_frame *in, *made;
    enum dh_status st = dh_source_grab(v->inner, &in);
    if (st)
        return st;
    if (in == v->below && !v->moved) {
        dh_frame_unref(in);
        *out = dh_frame_ref(v->last);
        return DH_OK;
    }
    if (v->n)
        st = cover(v, in, &made);
    else
        made = dh_frame_ref(in);
    if (st) {
        dh_frame_unref(in);
        return st;
    }
    dh_frame_unref(v->below);
    dh_frame_unref(v->last);
    v->below = in;
    v->last = made;
    v->moved = false;
    *out = dh_frame_ref(made);
    return DH_OK;
}

static enum dh_status veil_mark(struct dh_source *s)
{
    return dh_source_mark(((struct veil *)s)->inner);
}

static enum dh_status veil_settle(struct dh_source *s,
                                  const struct dh_settle *how,
                                  struct dh_cancel *cancel,
                                  struct dh_settle_result *out)
{
    return dh_source_settle(((struct veil *)s)->inner, how, cancel, out);
}

static enum dh_status veil_layout(struct dh_source *s, struct dh_layout *out)
{
    return dh_source_layout(((struct veil *)s)->inner, out);
}

static void veil_destroy(struct dh_source *s)
{
    struct veil *v = (struct veil *)s;
    dh_frame_unref(v->below);
    dh_frame_unref(v->last);
    dh_frame_pool_destroy(v->pool);
    dh_source_destroy(v->inner);
    dh_free(v);
}

struct dh_source *dh_veil_create(struct dh_source *inner)
{
    static const struct dh_source_ops ops = { .name = "veil",
                                              .grab = veil_grab,
                                              .mark = veil_mark,
                                              .settle = veil_settle,
                                              .layout = veil_layout,
                                              .destroy = veil_destroy };
    struct veil *v;
    dh_new(v);
    v->source.ops = &ops;
    v->inner = inner;
    v->pool = dh_frame_pool_create(2);
    return &v->source;
}

void dh_veil_set(struct dh_source *veil, const struct dh_rect *box, int n)
{
    struct veil *v = (struct veil *)veil;
    struct dh_rect all[DH_VEIL_MAX] = { 0 };
    for (int i = 0; i < n; i++) {
        int at = DH_MIN(i, DH_VEIL_MAX - 1);
        all[at] = dh_rect_union(all[at], box[i]);
    }
    n = DH_MIN(n, DH_VEIL_MAX);
    if (n == v->n && !memcmp(all, v->box, sizeof all))
        return;
    memcpy(v->box, all, sizeof all);
    v->n = n;
    v->moved = true;
}
