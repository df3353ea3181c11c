/*
 * base/queue.h - bounded first-in-first-out queue of fixed-size items.
 * Any thread may call anything except finish.
 */
#ifndef DH_BASE_QUEUE_H
#define DH_BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/thread.h"

struct dh_queue {
    size_t item_bytes, cap; // set before start
    struct dh_mutex lock;
    struct dh_cond changed;
    // guarded by lock
    unsigned char *items;
    size_t head, len;
    bool closed;
};

void dh_queue_init(struct dh_queue *q, size_t item_bytes, size_t cap);
/* Closed, without users, and drained: items are bytes to the queue. */
void dh_queue_finish(struct dh_queue *q);
/* Copies *item in; waits for room until `until_ns`. DH_ERR_TIMEOUT,
 * DH_ERR_CLOSED: the item was not taken. */
DH_MUST_USE enum dh_status dh_queue_put(struct dh_queue *q, const void *item,
                                        int64_t until_ns);
/* Copies the oldest item out; waits until `until_ns`. DH_ERR_CLOSED only once
 * it is closed and empty. */
DH_MUST_USE enum dh_status dh_queue_take(struct dh_queue *q, void *item,
                                         int64_t until_ns);
void dh_queue_close(struct dh_queue *q);
size_t dh_queue_len(struct dh_queue *q);

#endif
