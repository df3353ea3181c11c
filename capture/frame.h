/* capture/frame.h - counted, frozen pixels. */
#ifndef DH_CAPTURE_FRAME_H
#define DH_CAPTURE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/geom.h"
#include "base/status.h"
#include "capture/layout.h"

/* No side of a frame is longer, so that stride * height fits everywhere. */
#define DH_FRAME_MAX_SIDE 32768

/*
 * One picture: 8-bit B, G, R, X bytes in memory order, rows from the top,
 * `stride` bytes apart (a multiple of 4; of 64 where dh_frame_create made it).
 * X is unspecified.
 *
 * The maker fills it in and publishes it; from then on nobody changes it, and
 * ref and unref may be called from any thread. Until then it belongs to one
 * thread.
 */
struct dh_frame {
    uint8_t *pixels;
    int width, height;
    size_t stride;
    int64_t time_ns; /* dh_now_ns when the pixels were taken; 0: unknown */
    /* Counts the frames of one source from 1. A source where nothing changed
     * may give the same frame again: same serial, same time. */
    uint64_t serial;
    /* Where the picture lies on the screen it was taken from; 0,0 and its own
     * size for what is no screen. */
    struct dh_rect screen;
    struct dh_layout layout; /* of that screen at that moment */
};

/*
 * A pool keeps the pixels of dead frames for the next one. It may be destroyed
 * before its frames: it lives on until the last one is back. Any thread.
 */
struct dh_frame_pool;

/* `keep`: at most so many unused buffers are held. */
struct dh_frame_pool *dh_frame_pool_create(int keep);
void dh_frame_pool_destroy(struct dh_frame_pool *pool);

/* A frame with unset pixels and one reference. pool may be NULL. DH_ERR_RANGE
 * for a side below 1 or above DH_FRAME_MAX_SIDE; DH_ERR_NOMEM. */
DH_MUST_USE enum dh_status dh_frame_create(struct dh_frame **out,
                                           struct dh_frame_pool *pool,
                                           int width, int height);
/*
 * The same around pixels of the caller's, which must hold until `release` is
 * called with `user`: by the last unref, in whichever thread that happens.
 */
void dh_frame_wrap(struct dh_frame **out, uint8_t *pixels, int width,
                   int height, size_t stride, void (*release)(void *user),
                   void *user);
/* From here on the pixels never change. Debug builds check it. */
void dh_frame_publish(struct dh_frame *frame);
struct dh_frame *dh_frame_ref(struct dh_frame *frame);
/* NULL is allowed. */
void dh_frame_unref(struct dh_frame *frame);
/* The same for dh_mailbox_init. */
void dh_frame_unref_item(void *frame);
/* A hash of the visible pixels (B, G, R only) and the size. */
uint64_t dh_frame_hash(const struct dh_frame *frame);

/* The four bytes of a pixel. */
static inline uint8_t *dh_frame_at(const struct dh_frame *f, int x, int y)
{
    return f->pixels + (size_t)y * f->stride + (size_t)x * 4;
}

#endif
