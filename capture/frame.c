#include "capture/frame.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/thread.h"

#define DH_LOG_TAG "frame"
#include "base/log.h"

// What lies around a frame; the public part comes first, so that one pointer
// leads to the other.
struct box {
    struct dh_frame frame;
    atomic_int refs;
    struct dh_frame_pool *pool;  // NULL: none
    size_t cap_bytes;            // of frame.pixels
    void (*release)(void *user); // NULL: the pixels are ours
    void *user;
    bool published;
    uint64_t frozen_hash; // at publish, debug builds only
};

struct dh_frame_pool {
    int keep; // set before start
    struct dh_mutex lock;
    // guarded by lock
    struct box **spare;
    int n_spare;
    size_t users; // frames that live, and one for the pool's owner
    bool closed;
};

static struct box *box_of(const struct dh_frame *f)
{
    // The const of a reader's pointer says nothing about the count beside it.
    return (struct box *)(uintptr_t)f;
}

static void box_free(struct box *b)
{
    if (!b)
        return;
    if (b->release)
        b->release(b->user);
    else
        dh_big_free(b->frame.pixels);
    dh_free(b);
}

struct dh_frame_pool *dh_frame_pool_create(int keep)
{
    dh_assert(keep >= 0);
    struct dh_frame_pool *p;
    dh_new(p);
    dh_mutex_init(&p->lock);
    p->keep = keep;
    dh_array(p->spare, (size_t)keep);
    p->users = 1;
    return p;
}

static void pool_free(struct dh_frame_pool *p)
{
    dh_assert(p->n_spare == 0);
    dh_mutex_finish(&p->lock);
    dh_free(p->spare);
    dh_free(p);
}

void dh_frame_pool_destroy(struct dh_frame_pool *p)
{
    if (!p)
        return;
    dh_mutex_lock(&p->lock);
    p->closed = true;
    for (int i = 0; i < p->n_spare; i++)
        box_free(p->spare[i]);
    p->n_spare = 0;
    bool unused = --p->users == 0;
    dh_mutex_unlock(&p->lock);
    if (unused)
        pool_free(p);
}

// A spare box of at least `bytes`, or NULL. One that does not fit is given up:
// the size of the screen has changed, and its like will not come back.
static struct box *pool_find(struct dh_frame_pool *p, size_t bytes)
{
    struct box *b = NULL, *unfit = NULL;
    dh_mutex_lock(&p->lock);
    p->users++;
    if (p->n_spare > 0)
        b = p->spare[--p->n_spare];
    if (b && (b->cap_bytes < bytes || b->cap_bytes / 4 > bytes)) {
        unfit = b;
        b = NULL;
    }
    dh_mutex_unlock(&p->lock);
    box_free(unfit);
    return b;
}

// The last reference is gone: keep the box or free it, and the pool with it
// where this was its last user.
static void pool_put(struct dh_frame_pool *p, struct box *b)
{
    dh_mutex_lock(&p->lock);
    if (!p->closed && p->n_spare < p->keep) {
        p->spare[p->n_spare++] = b;
        b = NULL;
    }
    bool unused = --p->users == 0;
    dh_mutex_unlock(&p->lock);
    box_free(b);
    if (unused)
        pool_free(p);
}

static struct box *box_create(size_t bytes)
{
    uint8_t *pixels = dh_big_alloc(bytes);
    if (!pixels)
        return NULL;
    struct box *b;
    dh_new(b);
    b->frame.pixels = pixels;
    b->cap_bytes = bytes;
    return b;
}

enum dh_status dh_frame_create(struct dh_frame **out,
                               struct dh_frame_pool *pool, int width,
                               int height)
{
    if (width < 1 || height < 1 || width > DH_FRAME_MAX_SIDE ||
        height > DH_FRAME_MAX_SIDE) {
        dh_error("no frame can be %d x %d", width, height);
        return DH_ERR_RANGE;
    }
    size_t stride = ((size_t)width * 4 + 63) / 64 * 64, bytes;
    if (!dh_mul_size(stride, (size_t)height, &bytes))
        return DH_ERR_NOMEM;

    struct box *b = pool ? pool_find(pool, bytes) : NULL;
    if (!b)
        b = box_create(bytes);
    if (!b) {
        dh_error("no memory for a frame of %d x %d", width, height);
        if (pool)
            pool_put(pool, NULL);
        return DH_ERR_NOMEM;
    }
    uint8_t *pixels = b->frame.pixels;
    b->frame = (struct dh_frame){ .pixels = pixels,
                                  .width = width,
                                  .height = height,
                                  .stride = stride,
                                  .screen = { 0, 0, width, height } };
    b->pool = pool;
    b->published = false;
    atomic_store(&b->refs, 1);
    *out = &b->frame;
    return DH_OK;
}

void dh_frame_wrap(struct dh_frame **out, uint8_t *pixels, int width,
                   int height, size_t stride, void (*release)(void *user),
                   void *user)
{
    struct box *b;
    dh_assert(width > 0 && height > 0 && width <= DH_FRAME_MAX_SIDE &&
              height <= DH_FRAME_MAX_SIDE && stride >= (size_t)width * 4);
    dh_new(b);
    b->frame = (struct dh_frame){ .pixels = pixels,
                                  .width = width,
                                  .height = height,
                                  .stride = stride,
                                  .screen = { 0, 0, width, height } };
    b->release = release;
    b->user = user;
    atomic_store(&b->refs, 1);
    *out = &b->frame;
}

void dh_frame_publish(struct dh_frame *frame)
{
    struct box *b = box_of(frame);
    dh_assert(!b->published);
    b->published = true;
#ifdef DH_DEBUG
    b->frozen_hash = dh_frame_hash(frame);
#endif
}

struct dh_frame *dh_frame_ref(struct dh_frame *frame)
{
    int before = atomic_fetch_add_explicit(&box_of(frame)->refs, 1,
                                           memory_order_relaxed);
    dh_assert(before > 0);
    return frame;
}

void dh_frame_unref(struct dh_frame *frame)
{
    if (!frame)
        return;
    struct box *b = box_of(frame);
    int before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
    dh_assert(before > 0);
    if (before > 1)
        return;
#ifdef DH_DEBUG
    // Somebody drew into a picture that others were reading.
    dh_assert(!b->published || b->frozen_hash == dh_frame_hash(frame));
#endif
    if (b->pool)
        pool_put(b->pool, b);
    else
        box_free(b);
}

void dh_frame_unref_item(void *frame)
{
    dh_frame_unref(frame);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

// Four lanes, since one multiplication has to wait for the one before it:
// 1920 x 1080 takes about a millisecond.
static uint64_t hash_row(uint64_t h, const uint8_t *row, size_t n_pixels)
{
    const uint64_t visible = UINT64_C(0x00ffffff00ffffff);
    uint64_t lane[4] = { h, h + 1, h + 2, h + 3 };
    size_t x = 0;
    for (; x + 8 <= n_pixels; x += 8) {
        uint64_t v[4];
        memcpy(v, row + x * 4, sizeof v);
        for (int i = 0; i < 4; i++)
            lane[i] = mix(lane[i], v[i] & visible);
    }
    for (; x < n_pixels; x++) {
        uint32_t v;
        memcpy(&v, row + x * 4, sizeof v);
        lane[x % 4] = mix(lane[x % 4], v & 0xffffff);
    }
    return mix(mix(mix(lane[0], lane[1]), lane[2]), lane[3]);
}

uint64_t dh_frame_hash(const struct dh_frame *f)
{
    uint64_t h = mix((uint64_t)f->width, (uint64_t)f->height);
    for (int y = 0; y < f->height; y++)
        h = hash_row(h, dh_frame_at(f, 0, y), (size_t)f->width);
    return h;
}
