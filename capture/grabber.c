#include "capture/grabber.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#define DH_LOG_TAG "grabber"
#include "base/log.h"

#define MAX_FAILURES 10

struct dh_grabber {
    // set before start
    struct dh_source *source;
    struct dh_mailbox *box;
    int64_t interval_ns;
    struct dh_thread thread;
    bool joined; // only the joining thread
    struct dh_mutex lock;
    struct dh_cond changed;
    // guarded by lock
    bool wanted, stop;
    enum dh_status ended; // set by the thread, read after the join
};

// Wait until a frame is wanted and due. False: stop.
static bool turn_wait(struct dh_grabber *g, int64_t due_ns)
{
    dh_mutex_lock(&g->lock);
    while (!g->stop && !g->wanted)
        dh_cond_wait(&g->changed, &g->lock);
    while (!g->stop && dh_now_ns() < due_ns) {
        if (!dh_cond_wait_until(&g->changed, &g->lock, due_ns))
            break;
    }
    bool go = !g->stop;
    dh_mutex_unlock(&g->lock);
    return go;
}

static enum dh_status grab_all(struct dh_grabber *g)
{
    int64_t due = 0;
    int failures = 0;
    while (turn_wait(g, due)) {
        // Paced from the start of a grab, and not made up for after a late one.
        due = dh_now_ns() + g->interval_ns;
        struct dh_frame *f;
        enum dh_status st = dh_source_grab(g->source, &f);
        if (!st) {
            dh_mailbox_put(g->box, f);
            failures = 0;
        } else if (st == DH_ERR_CLOSED || ++failures == MAX_FAILURES) {
            return st;
        }
    }
    return DH_ERR_CANCELLED;
}

static void run(void *arg)
{
    struct dh_grabber *g = arg;
    g->ended = grab_all(g);
    dh_mailbox_close(g->box);
}

enum dh_status dh_grabber_create(struct dh_grabber **out,
                                 struct dh_source *source,
                                 struct dh_mailbox *box, int max_fps)
{
    if (max_fps < 1 || max_fps > 1000) {
        dh_error("%d frames a second is not in 1..1000", max_fps);
        return DH_ERR_RANGE;
    }
    struct dh_grabber *g;
    dh_new(g);
    g->source = source;
    g->box = box;
    g->interval_ns = DH_S / max_fps;
    dh_mutex_init(&g->lock);
    dh_cond_init(&g->changed);
    enum dh_status st = dh_thread_start(&g->thread, "dh-capture", run, g);
    if (st) {
        g->joined = true;
        dh_grabber_destroy(g);
        return st;
    }
    *out = g;
    return DH_OK;
}

void dh_grabber_want(struct dh_grabber *g, bool wanted)
{
    dh_mutex_lock(&g->lock);
    g->wanted = wanted;
    dh_cond_signal(&g->changed);
    dh_mutex_unlock(&g->lock);
}

void dh_grabber_request_stop(struct dh_grabber *g)
{
    dh_mutex_lock(&g->lock);
    g->stop = true;
    dh_cond_signal(&g->changed);
    dh_mutex_unlock(&g->lock);
}

enum dh_status dh_grabber_join(struct dh_grabber *g)
{
    dh_thread_join(&g->thread);
    g->joined = true;
    return g->ended;
}

void dh_grabber_destroy(struct dh_grabber *g)
{
    if (!g)
        return;
    dh_assert(g->joined);
    dh_cond_finish(&g->changed);
    dh_mutex_finish(&g->lock);
    dh_free(g);
}
