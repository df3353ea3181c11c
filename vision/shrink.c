#include "vision/shrink.h"

#include "base/mem.h"
#include "capture/frame.h"
#include "vision/resize_priv.h"

#define MAX_TAPS 4096

struct shrink {
    const struct dh_resize_kernels *k;
    struct dh_resize_axis across, down;
    size_t pitch;  // of one plane of one row
    uint8_t *rows; // of the picture made narrower: planes of each row
    uint8_t *row;  // one of the result
};

static void make_narrower(const struct shrink *s, const struct dh_frame *f)
{
    for (int y = 0; y < f->height; y += 2) {
        int next = DH_MIN(y + 1, f->height - 1);
        const uint8_t *in[2] = { dh_frame_at(f, 0, y),
                                 dh_frame_at(f, 0, next) };
        // The last row of an odd number is made twice; there is room for it.
        uint8_t *out[2] = { s->rows + (size_t)y * 3 * s->pitch,
                            s->rows + ((size_t)y + 1) * 3 * s->pitch };
        s->k->across(&s->across, in, out, s->pitch);
    }
}

static void make_row(const struct shrink *s, int y, struct dh_frame *out)
{
    const struct dh_resize_axis *a = &s->down;
    const uint8_t *in[MAX_TAPS];
    int taps = DH_MIN(a->stride, MAX_TAPS);
    for (int j = 0; j < taps; j++) {
        int row = DH_MIN(a->first[y] + j, a->n_in - 1);
        in[j] = s->rows + (size_t)row * 3 * s->pitch;
    }
    s->k->down(a->weights + (size_t)y * (size_t)a->stride, taps, a->shift, in,
               s->row, 3 * s->pitch);
    for (int x = 0; x < out->width; x++) {
        uint8_t *p = dh_frame_at(out, x, y);
        p[0] = s->row[2 * s->pitch + (size_t)x];
        p[1] = s->row[s->pitch + (size_t)x];
        p[2] = s->row[(size_t)x];
        p[3] = 0xff;
    }
}

static enum dh_status shrink_init(struct shrink *s, const struct dh_frame *f,
                                  struct dh_size to)
{
    s->k = dh_resize_best();
    s->pitch = ((size_t)to.w + DH_RESIZE_VECTOR - 1) / DH_RESIZE_VECTOR *
               DH_RESIZE_VECTOR;
    enum dh_status st = dh_resize_axis_init(&s->across, f->width, to.w);
    if (!st)
        st = dh_resize_axis_init(&s->down, f->height, to.h);
    if (st)
        return st;
    s->rows = dh_big_zalloc(((size_t)f->height + 1) * 3 * s->pitch);
    s->row = dh_big_zalloc(3 * s->pitch);
    return s->rows && s->row ? DH_OK : DH_ERR_NOMEM;
}

enum dh_status dh_shrink_frame(const struct dh_frame *f, struct dh_size to,
                               struct dh_frame **out)
{
    struct shrink s = { 0 };
    struct dh_frame *small = NULL;
    if (to.w < 1 || to.h < 1)
        return DH_ERR_RANGE;
    enum dh_status st = shrink_init(&s, f, to);
    if (!st && s.down.stride > MAX_TAPS)
        st = DH_ERR_RANGE;
    if (!st)
        st = dh_frame_create(&small, NULL, to.w, to.h);
    if (!st) {
        make_narrower(&s, f);
        for (int y = 0; y < to.h; y++)
            make_row(&s, y, small);
        small->time_ns = f->time_ns;
        small->serial = f->serial;
        small->screen = f->screen;
        small->layout = f->layout;
        dh_frame_publish(small);
        *out = small;
    }
    dh_big_free(s.rows);
    dh_big_free(s.row);
    dh_resize_axis_finish(&s.across);
    dh_resize_axis_finish(&s.down);
    return st;
}
