#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "tools/viewer_priv.h"

#define DH_LOG_TAG "viewer"
#include "base/log.h"

struct dh_viewer_watch {
    struct dh_thread thread;
    int notify, stop;
    uint32_t wake;
};

static void watch(void *arg)
{
    struct dh_viewer_watch *w = arg;
    struct pollfd fds[] = { { w->stop, POLLIN, 0 }, { w->notify, POLLIN, 0 } };
    char events[4096];
    // What was written between the first reading and the watch.
    SDL_Event missed = { .type = w->wake };
    SDL_PushEvent(&missed);
    while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
        if (fds[0].revents)
            return;
        SDL_Event e = { .type = w->wake };
        if (fds[1].revents && read(w->notify, events, sizeof events) > 0)
            SDL_PushEvent(&e);
    }
}

enum dh_status dh_viewer_watch_create(struct dh_viewer_watch **out,
                                      const char *dir, uint32_t wake)
{
    struct dh_viewer_watch *w;
    dh_new(w);
    w->wake = wake;
    w->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    w->stop = eventfd(0, EFD_CLOEXEC);
    enum dh_status st = DH_OK;
    if (w->notify < 0 || w->stop < 0 ||
        inotify_add_watch(w->notify, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) <
            0) {
        dh_warn("%s cannot be watched: %s; it is shown as it is now", dir,
                strerror(errno));
        st = DH_ERR_IO;
    }
    if (!st)
        st = dh_thread_start(&w->thread, "dh-watch", watch, w);
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
    if (w->thread.started)
        (void)eventfd_write(w->stop, 1);
    dh_thread_join(&w->thread);
    if (w->notify >= 0)
        close(w->notify);
    if (w->stop >= 0)
        close(w->stop);
    dh_free(w);
}
