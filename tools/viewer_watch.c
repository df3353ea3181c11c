#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tools/viewer_priv.h"

#define DH_LOG_TAG "viewer"
#include "base/log.h"

#define PART_NS (100 * DH_MS) // text that comes is not drawn more often

struct dh_viewer_watch {
    // set before start
    const char *dir, *runtime;
    uint32_t wake;
    struct dh_thread thread;
    int notify, poke; // an eventfd: something is asked for
    // any thread
    atomic_bool stop;
    atomic_int ask; // 0: nothing, 1: take, 2: back
    atomic_uint news;
    atomic_int state; // enum dh_control_state
    // only the thread
    int control; // -1: no run listens
    bool part;   // it changed, and that is not told yet
    int64_t part_ns;
};

static void tell(struct dh_viewer_watch *w, unsigned news)
{
    if (!news)
        return;
    // One wake-up is under way for all until it is taken.
    if (atomic_fetch_or(&w->news, news))
        return;
    SDL_Event e = { .type = w->wake };
    SDL_PushEvent(&e);
}

static unsigned news_of(struct dh_viewer_watch *w, const char *name)
{
    if (strcmp(name, "answer.part") == 0)
        w->part = true;
    bool lines = strcmp(name, "events.jsonl") == 0 ||
                 strcmp(name, "session.json") == 0 ||
                 strcmp(name, "frames") == 0;
    return lines ? DH_VIEWER_LINES : 0;
}

static void read_folder(struct dh_viewer_watch *w)
{
    _Alignas(struct inotify_event) char events[4096];
    unsigned news = 0;
    ssize_t n = read(w->notify, events, sizeof events);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e =
            (const struct inotify_event *)(const void *)(events + at);
        if (e->len)
            news |= news_of(w, e->name);
        // So much came that some was lost.
        if (e->mask & IN_Q_OVERFLOW)
            news |= DH_VIEWER_LINES;
        at += (ssize_t)(sizeof *e + e->len);
    }
    tell(w, news);
}

static void set_state(struct dh_viewer_watch *w, enum dh_control_state state)
{
    if (atomic_exchange(&w->state, (int)state) != (int)state)
        tell(w, DH_VIEWER_STATE);
    if (state == DH_CONTROL_GONE && w->control >= 0) {
        close(w->control);
        w->control = -1;
    }
}

static void call_run(struct dh_viewer_watch *w)
{
    if (w->control < 0)
        w->control = dh_control_connect(w->runtime, w->dir);
    int ask = atomic_exchange(&w->ask, 0);
    if (ask && w->control >= 0 && !dh_control_ask(w->control, ask == 1))
        set_state(w, DH_CONTROL_GONE);
}

static void tell_part(struct dh_viewer_watch *w)
{
    w->part = false;
    w->part_ns = dh_now_ns();
    tell(w, DH_VIEWER_PART);
}

static int wait_ms(const struct dh_viewer_watch *w)
{
    int64_t left = w->part_ns + PART_NS - dh_now_ns();
    if (!w->part)
        return -1;
    return left > 0 ? (int)(left / DH_MS) + 1 : 0;
}

static void watch(void *arg)
{
    struct dh_viewer_watch *w = arg;
    eventfd_t pokes;
    // What was written between the first reading and the watch.
    w->part = true;
    tell(w, DH_VIEWER_LINES);
    call_run(w);
    while (!atomic_load(&w->stop)) {
        struct pollfd fds[] = { { w->poke, POLLIN, 0 },
                                { w->notify, POLLIN, 0 },
                                { w->control, POLLIN, 0 } };
        if (poll(fds, 3, wait_ms(w)) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            (void)eventfd_read(w->poke, &pokes);
        if (fds[1].revents)
            read_folder(w);
        // A run that begins to write listens, too.
        if (fds[0].revents || (fds[1].revents && w->control < 0))
            call_run(w);
        if (fds[2].revents && w->control >= 0)
            set_state(w, dh_control_read(
                             w->control,
                             (enum dh_control_state)atomic_load(&w->state)));
        if (w->part && wait_ms(w) == 0)
            tell_part(w);
    }
}

static enum dh_status open_parts(struct dh_viewer_watch *w)
{
    w->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    w->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->notify < 0 || w->poke < 0 ||
        inotify_add_watch(w->notify, w->dir,
                          IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
        dh_warn("%s cannot be watched: %s; it is shown as it is now", w->dir,
                strerror(errno));
        return DH_ERR_IO;
    }
    return dh_thread_start(&w->thread, "dh-watch", watch, w);
}

enum dh_status dh_viewer_watch_create(struct dh_viewer_watch **out,
                                      const char *dir, const char *runtime,
                                      uint32_t wake)
{
    struct dh_viewer_watch *w;
    dh_new(w);
    w->dir = dir;
    w->runtime = runtime;
    w->wake = wake;
    w->control = -1;
    enum dh_status st = open_parts(w);
    if (st) {
        dh_viewer_watch_destroy(w);
        return st;
    }
    *out = w;
    return DH_OK;
}

void dh_viewer_watch_destroy(struct dh_viewer_watch *w)
{
    if (!w)
        return;
    atomic_store(&w->stop, true);
    if (w->poke >= 0)
        (void)eventfd_write(w->poke, 1);
    dh_thread_join(&w->thread);
    if (w->control >= 0)
        close(w->control);
    if (w->notify >= 0)
        close(w->notify);
    if (w->poke >= 0)
        close(w->poke);
    dh_free(w);
}

unsigned dh_viewer_watch_news(struct dh_viewer_watch *w)
{
    return atomic_exchange(&w->news, 0);
}

enum dh_control_state dh_viewer_watch_state(struct dh_viewer_watch *w)
{
    return w ? (enum dh_control_state)atomic_load(&w->state) : DH_CONTROL_GONE;
}

void dh_viewer_watch_ask(struct dh_viewer_watch *w, bool take)
{
    atomic_store(&w->ask, take ? 1 : 2);
    (void)eventfd_write(w->poke, 1);
}
