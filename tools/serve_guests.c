#include <stdatomic.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/serve.h"

#define DH_LOG_TAG "serve"
#include "base/log.h"

// The library's own time limit begins anew with every byte, and would end a
// connection that waits for a long answer.
struct dh_guest {
    int fd;
    _Atomic int64_t until;
    struct dh_guest *next, **at; // guarded by the lock of all
};

struct dh_guests {
    struct dh_mutex lock;
    struct dh_guest *first; // guarded by lock
};

struct dh_guests *dh_guests_create(void)
{
    struct dh_guests *all;
    dh_new(all);
    dh_mutex_init(&all->lock);
    return all;
}

void dh_guests_destroy(struct dh_guests *all)
{
    if (!all)
        return;
    dh_mutex_finish(&all->lock);
    dh_free(all);
}

struct dh_guest *dh_guests_add(struct dh_guests *all, int fd)
{
    struct dh_guest *g;
    dh_new(g);
    g->fd = fd;
    atomic_init(&g->until, INT64_MAX);
    dh_mutex_lock(&all->lock);
    g->next = all->first;
    g->at = &all->first;
    if (g->next)
        g->next->at = &g->next;
    all->first = g;
    dh_mutex_unlock(&all->lock);
    return g;
}

void dh_guests_remove(struct dh_guests *all, struct dh_guest *g)
{
    dh_mutex_lock(&all->lock);
    *g->at = g->next;
    if (g->next)
        g->next->at = g->at;
    dh_mutex_unlock(&all->lock);
    dh_free(g);
}

void dh_guest_allow(struct dh_guest *g, int64_t until_ns)
{
    atomic_store_explicit(&g->until, until_ns, memory_order_relaxed);
}

void dh_guests_watch(struct dh_guests *all)
{
    int64_t now = dh_now_ns();
    dh_mutex_lock(&all->lock);
    for (struct dh_guest *g = all->first; g; g = g->next) {
        if (atomic_load_explicit(&g->until, memory_order_relaxed) > now)
            continue;
        // Its thread sees the end and takes it down.
        shutdown(g->fd, SHUT_RDWR);
        dh_guest_allow(g, INT64_MAX);
        dh_debug("a client that took too long is gone");
    }
    dh_mutex_unlock(&all->lock);
}
