#include "base/mailbox.h"

#include <stddef.h>

#include "base/assert.h"

void dh_mailbox_init(struct dh_mailbox *m, void (*unref)(void *))
{
    m->unref = unref;
    m->item = NULL;
    m->skipped = 0;
    m->closed = false;
    dh_mutex_init(&m->lock);
    dh_cond_init(&m->filled);
}

void dh_mailbox_finish(struct dh_mailbox *m)
{
    dh_assert(m->closed && !m->item);
    dh_cond_finish(&m->filled);
    dh_mutex_finish(&m->lock);
}

void dh_mailbox_put(struct dh_mailbox *m, void *item)
{
    void *drop = item;
    dh_mutex_lock(&m->lock);
    if (!m->closed) {
        drop = m->item;
        m->item = item;
        if (drop)
            m->skipped++;
        dh_cond_signal(&m->filled);
    }
    dh_mutex_unlock(&m->lock);
    if (drop)
        m->unref(drop);
}

enum dh_status dh_mailbox_take(struct dh_mailbox *m, int64_t until_ns,
                               void **out)
{
    enum dh_status st = DH_OK;
    dh_mutex_lock(&m->lock);
    while (!m->closed && !m->item) {
        if (!dh_cond_wait_until(&m->filled, &m->lock, until_ns))
            break;
    }
    if (m->closed) {
        st = DH_ERR_CLOSED;
    } else if (!m->item) {
        st = DH_ERR_TIMEOUT;
    } else {
        *out = m->item;
        m->item = NULL;
    }
    dh_mutex_unlock(&m->lock);
    return st;
}

void dh_mailbox_close(struct dh_mailbox *m)
{
    dh_mutex_lock(&m->lock);
    void *drop = m->item;
    m->item = NULL;
    m->closed = true;
    dh_cond_broadcast(&m->filled);
    dh_mutex_unlock(&m->lock);
    if (drop)
        m->unref(drop);
}

uint64_t dh_mailbox_skipped(struct dh_mailbox *m)
{
    dh_mutex_lock(&m->lock);
    uint64_t n = m->skipped;
    dh_mutex_unlock(&m->lock);
    return n;
}
