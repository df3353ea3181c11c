#include "tools/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

#define DH_LOG_TAG "control"
#include "base/log.h"

#define GUESTS   4
#define ASK_SIZE 5 // "take\n", "back\n"

struct guest {
    int fd; // -1: none
    char line[ASK_SIZE];
    size_t len;
};

struct dh_control {
    // set before start
    struct dh_control_ops ops;
    void *user;
    struct sockaddr_un at;
    int listener, wake;
    struct dh_thread thread;
    atomic_bool taken, stop;
    // only the thread
    struct guest guest[GUESTS];
};

static bool address(struct sockaddr_un *at, const char *runtime,
                    const char *session)
{
    struct stat st;
    *at = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (stat(session, &st))
        return false;
    int n = snprintf(
        at->sun_path, sizeof at->sun_path, "%s/deskhand/%llx-%llx.sock",
        runtime, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    return n > 0 && (size_t)n < sizeof at->sun_path;
}

/* --- the run's end --- */

static void dismiss(struct guest *g)
{
    close(g->fd);
    *g = (struct guest){ .fd = -1 };
}

// Who does not read is not waited for.
static void tell(struct guest *g, bool taken)
{
    const char *line = taken ? "person\n" : "agent\n";
    ssize_t want = (ssize_t)strlen(line);
    if (g->fd >= 0 &&
        send(g->fd, line, (size_t)want, MSG_NOSIGNAL | MSG_DONTWAIT) != want)
        dismiss(g);
}

static bool is_same_user(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) &&
           who.uid == geteuid();
}

static void welcome(struct dh_control *c)
{
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct guest *g = c->guest;
    if (fd < 0)
        return;
    while (g < c->guest + GUESTS && g->fd >= 0)
        g++;
    if (g == c->guest + GUESTS || !is_same_user(fd)) {
        close(fd);
        return;
    }
    *g = (struct guest){ .fd = fd };
    tell(g, atomic_load(&c->taken));
}

static void obey(struct dh_control *c, struct guest *g)
{
    if (memcmp(g->line, "take\n", ASK_SIZE) == 0)
        c->ops.take(c->user);
    else if (memcmp(g->line, "back\n", ASK_SIZE) == 0)
        c->ops.back(c->user);
    else
        dismiss(g);
    g->len = 0;
}

static void hear(struct dh_control *c, struct guest *g)
{
    ssize_t n = recv(g->fd, g->line + g->len, ASK_SIZE - g->len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        dismiss(g);
        return;
    }
    g->len += n > 0 ? (size_t)n : 0;
    if (g->len == ASK_SIZE)
        obey(c, g);
}

static void serve(void *arg)
{
    struct dh_control *c = arg;
    struct pollfd fds[GUESTS + 2] = { { c->wake, POLLIN, 0 },
                                      { c->listener, POLLIN, 0 } };
    while (!atomic_load(&c->stop)) {
        for (int i = 0; i < GUESTS; i++)
            fds[i + 2] = (struct pollfd){ c->guest[i].fd, POLLIN, 0 };
        if (poll(fds, GUESTS + 2, -1) < 0 && errno != EINTR)
            return;
        eventfd_t n;
        if (fds[0].revents && eventfd_read(c->wake, &n) == 0)
            for (int i = 0; i < GUESTS; i++)
                tell(&c->guest[i], atomic_load(&c->taken));
        for (int i = 0; i < GUESTS; i++)
            if (fds[i + 2].revents && c->guest[i].fd >= 0)
                hear(c, &c->guest[i]);
        if (fds[1].revents)
            welcome(c);
    }
}

// The folder is the user's own and closed to others, so nobody else can get at
// the name before it is bound.
static enum dh_status open_folder(const struct sockaddr_un *at)
{
    struct stat st;
    char dir[sizeof at->sun_path];
    snprintf(dir, sizeof dir, "%s", at->sun_path);
    *strrchr(dir, '/') = '\0';
    if (mkdir(dir, 0700) && errno != EEXIST) {
        dh_warn("%s cannot be created: %s", dir, strerror(errno));
        return DH_ERR_IO;
    }
    if (lstat(dir, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
        st.st_mode & 077) {
        dh_warn("%s is not a folder that you alone can use", dir);
        return DH_ERR_REFUSED;
    }
    return DH_OK;
}

static enum dh_status start(struct dh_control *c)
{
    enum dh_status st = open_folder(&c->at);
    if (st)
        return st;
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->listener =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // What a run that was killed has left.
    unlink(c->at.sun_path);
    if (c->wake < 0 || c->listener < 0 ||
        bind(c->listener, (const struct sockaddr *)&c->at, sizeof c->at) ||
        chmod(c->at.sun_path, 0600) || listen(c->listener, GUESTS)) {
        dh_warn("%s cannot be listened on: %s", c->at.sun_path,
                strerror(errno));
        return DH_ERR_IO;
    }
    return dh_thread_start(&c->thread, "dh-control", serve, c);
}

enum dh_status dh_control_create(struct dh_control **out, const char *runtime,
                                 const char *session,
                                 const struct dh_control_ops *ops, void *user)
{
    struct dh_control *c;
    dh_new(c);
    c->ops = *ops;
    c->user = user;
    c->listener = c->wake = -1;
    for (int i = 0; i < GUESTS; i++)
        c->guest[i].fd = -1;
    enum dh_status st =
        address(&c->at, runtime, session) ? start(c) : DH_ERR_RANGE;
    if (st) {
        dh_control_destroy(c);
        return st;
    }
    *out = c;
    return DH_OK;
}

void dh_control_tell(struct dh_control *c, bool taken)
{
    atomic_store(&c->taken, taken);
    (void)eventfd_write(c->wake, 1);
}

void dh_control_close(struct dh_control *c)
{
    if (!c || !c->thread.started)
        return;
    atomic_store(&c->stop, true);
    (void)eventfd_write(c->wake, 1);
    dh_thread_join(&c->thread);
    unlink(c->at.sun_path);
}

void dh_control_destroy(struct dh_control *c)
{
    if (!c)
        return;
    dh_control_close(c);
    for (int i = 0; i < GUESTS; i++)
        if (c->guest[i].fd >= 0)
            close(c->guest[i].fd);
    if (c->listener >= 0)
        close(c->listener);
    if (c->wake >= 0)
        close(c->wake);
    dh_free(c);
}

/* --- the other end --- */

int dh_control_connect(const char *runtime, const char *session)
{
    struct sockaddr_un at;
    if (!runtime || !address(&at, runtime, session))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (!connect(fd, (const struct sockaddr *)&at, sizeof at) &&
                   is_same_user(fd)))
        return fd;
    close(fd);
    return -1;
}

enum dh_control_state dh_control_read(int fd, enum dh_control_state was)
{
    char text[256];
    ssize_t n = recv(fd, text, sizeof text, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? was : DH_CONTROL_GONE;
    if (n == 0)
        return DH_CONTROL_GONE;
    // Lines are sent whole; the last letter of a state tells it.
    for (ssize_t i = n; i-- > 0;)
        if (text[i] == '\n' && i > 0)
            return text[i - 1] == 't' ? DH_CONTROL_AGENT : DH_CONTROL_PERSON;
    return was;
}

bool dh_control_ask(int fd, bool take)
{
    return send(fd, take ? "take\n" : "back\n", ASK_SIZE,
                MSG_NOSIGNAL | MSG_DONTWAIT) == ASK_SIZE;
}
