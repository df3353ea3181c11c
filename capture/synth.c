#include "capture/synth.h"

#include "base/geom.h"
#include "base/mem.h"
#include "base/rng.h"
#include "capture/frame.h"

#define DH_LOG_TAG "synth"
#include "base/log.h"

#define N_BOXES 8

struct box {
    struct dh_rect at_start;
    int dx, dy; // pixels a frame
    uint8_t bgr[3];
};

struct synth {
    struct dh_source source;
    struct dh_synth_options options;
    struct dh_frame_pool *pool;
    struct box boxes[N_BOXES];
    uint64_t serial;
};

static void box_init(struct box *b, struct dh_rng *rng, int width, int height)
{
    b->at_start.w = 1 + (int)dh_rng_below(rng, (uint64_t)(width + 3) / 4);
    b->at_start.h = 1 + (int)dh_rng_below(rng, (uint64_t)(height + 3) / 4);
    b->at_start.x = (int)dh_rng_below(rng, (uint64_t)width);
    b->at_start.y = (int)dh_rng_below(rng, (uint64_t)height);
    b->dx = (int)dh_rng_below(rng, 9) - 4;
    b->dy = (int)dh_rng_below(rng, 9) - 4;
    for (int c = 0; c < 3; c++)
        b->bgr[c] = (uint8_t)dh_rng_below(rng, 256);
}

static void gradient_draw(struct dh_frame *f, unsigned n)
{
    for (int y = 0; y < f->height; y++) {
        uint8_t *p = dh_frame_at(f, 0, y);
        for (int x = 0; x < f->width; x++, p += 4) {
            p[0] = (uint8_t)((unsigned)x + 2 * n);
            p[1] = (uint8_t)((unsigned)y + n);
            p[2] = (uint8_t)(((unsigned)x + (unsigned)y) / 2 + 3 * n);
            p[3] = 0xff;
        }
    }
}

static int wrapped(int start, int step, uint64_t n, int size)
{
    int64_t v = (start + step * (int64_t)(n % (uint64_t)size)) % size;
    return (int)(v < 0 ? v + size : v);
}

static void box_draw(const struct box *b, struct dh_frame *f, uint64_t n)
{
    struct dh_rect all = { 0, 0, f->width, f->height };
    struct dh_rect r = b->at_start;
    r.x = wrapped(r.x, b->dx, n, f->width);
    r.y = wrapped(r.y, b->dy, n, f->height);
    r = dh_rect_intersect(r, all);
    for (int y = r.y; y < r.y + r.h; y++) {
        for (int x = r.x; x < r.x + r.w; x++) {
            uint8_t *p = dh_frame_at(f, x, y);
            p[0] = b->bgr[0];
            p[1] = b->bgr[1];
            p[2] = b->bgr[2];
        }
    }
}

static enum dh_status synth_grab(struct dh_source *source,
                                 struct dh_frame **out)
{
    struct synth *s = (struct synth *)source;
    if (s->options.n_frames > 0 && s->serial == (uint64_t)s->options.n_frames)
        return DH_ERR_CLOSED;
    struct dh_frame *f;
    enum dh_status st =
        dh_frame_create(&f, s->pool, s->options.width, s->options.height);
    if (st)
        return st;
    f->serial = ++s->serial;
    f->time_ns = (int64_t)f->serial * s->options.interval_ns;
    gradient_draw(f, (unsigned)f->serial);
    for (int i = 0; i < N_BOXES; i++)
        box_draw(&s->boxes[i], f, f->serial);
    dh_frame_publish(f);
    *out = f;
    return DH_OK;
}

static void synth_destroy(struct dh_source *source)
{
    struct synth *s = (struct synth *)source;
    dh_frame_pool_destroy(s->pool);
    dh_free(s);
}

static const struct dh_source_ops synth_ops = {
    .name = "synth",
    .grab = synth_grab,
    .destroy = synth_destroy,
};

enum dh_status dh_synth_create(struct dh_source **out,
                               const struct dh_synth_options *o)
{
    if (o->width < 1 || o->height < 1 || o->width > DH_FRAME_MAX_SIDE ||
        o->height > DH_FRAME_MAX_SIDE) {
        dh_error("no frame can be %d x %d", o->width, o->height);
        return DH_ERR_RANGE;
    }
    struct synth *s;
    dh_new(s);
    s->source.ops = &synth_ops;
    s->options = *o;
    s->pool = dh_frame_pool_create(4);
    struct dh_rng rng;
    dh_rng_init(&rng, o->seed);
    for (int i = 0; i < N_BOXES; i++)
        box_init(&s->boxes[i], &rng, o->width, o->height);
    *out = &s->source;
    return DH_OK;
}
