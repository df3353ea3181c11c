#include "base/queue.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void dh_queue_init(struct dh_queue *q, size_t item_bytes, size_t cap)
{
    dh_assert(item_bytes > 0 && cap > 0);
    q->item_bytes = item_bytes;
    q->cap = cap;
    q->items = dh_zalloc_array(cap, item_bytes);
    q->head = q->len = 0;
    q->closed = false;
    dh_mutex_init(&q->lock);
    dh_cond_init(&q->changed);
}

void dh_queue_finish(struct dh_queue *q)
{
    dh_assert(q->closed && q->len == 0);
    dh_cond_finish(&q->changed);
    dh_mutex_finish(&q->lock);
    dh_free(q->items);
    q->items = NULL;
}

static unsigned char *slot(struct dh_queue *q, size_t i)
{
    return q->items + (q->head + i) % q->cap * q->item_bytes;
}

enum dh_status dh_queue_put(struct dh_queue *q, const void *item,
                            int64_t until_ns)
{
    enum dh_status st = DH_OK;
    dh_mutex_lock(&q->lock);
    while (!q->closed && q->len == q->cap) {
        if (!dh_cond_wait_until(&q->changed, &q->lock, until_ns))
            break;
    }
    if (q->closed) {
        st = DH_ERR_CLOSED;
    } else if (q->len == q->cap) {
        st = DH_ERR_TIMEOUT;
    } else {
        memcpy(slot(q, q->len), item, q->item_bytes);
        q->len++;
        // One condition serves both ends: a signal could wake the wrong one.
        dh_cond_broadcast(&q->changed);
    }
    dh_mutex_unlock(&q->lock);
    return st;
}

enum dh_status dh_queue_take(struct dh_queue *q, void *item, int64_t until_ns)
{
    enum dh_status st = DH_OK;
    dh_mutex_lock(&q->lock);
    while (!q->closed && q->len == 0) {
        if (!dh_cond_wait_until(&q->changed, &q->lock, until_ns))
            break;
    }
    if (q->len > 0) {
        memcpy(item, slot(q, 0), q->item_bytes);
        q->head = (q->head + 1) % q->cap;
        q->len--;
        dh_cond_broadcast(&q->changed);
    } else {
        st = q->closed ? DH_ERR_CLOSED : DH_ERR_TIMEOUT;
    }
    dh_mutex_unlock(&q->lock);
    return st;
}

void dh_queue_close(struct dh_queue *q)
{
    dh_mutex_lock(&q->lock);
    q->closed = true;
    dh_cond_broadcast(&q->changed);
    dh_mutex_unlock(&q->lock);
}

size_t dh_queue_len(struct dh_queue *q)
{
    dh_mutex_lock(&q->lock);
    size_t n = q->len;
    dh_mutex_unlock(&q->lock);
    return n;
}
