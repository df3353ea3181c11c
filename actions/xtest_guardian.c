#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/XKBlib.h>
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>

#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"

#define DH_LOG_TAG "xtest"
#include "base/log.h"

// XTest keeps keys down after the program that pressed them has gone, and
// nothing inside a process survives kill -9. So a second process waits for the
// death of the first.

enum { PARENT_FD = 3, WAKE_FD = 4, FIRST_OTHER_FD = 5 };

#define REPLY_NS (2 * DH_S) // for a process that stays to begin

struct dh_held *dh_held_create(void)
{
    void *p = mmap(NULL, sizeof(struct dh_held), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        dh_error("no shared memory: %s", strerror(errno));
        return NULL;
    }
    return p;
}

void dh_held_destroy(struct dh_held *h)
{
    if (h)
        munmap(h, sizeof *h);
}

static void queue_release(Display *dpy, int hold)
{
    if (hold < DH_XTEST_KEYS)
        XTestFakeKeyEvent(dpy, (unsigned)hold, False, CurrentTime);
    else
        XTestFakeButtonEvent(dpy, (unsigned)(hold - DH_XTEST_KEYS), False,
                             CurrentTime);
}

int dh_held_expire(struct dh_held *h, Display *dpy, int64_t now_ns)
{
    int n = 0;
    for (int i = DH_XTEST_HOLDS - 1; i >= 0; i--) {
        uint8_t kept = DH_HOLD_KEPT;
        if (h->state[i] != kept || h->until_ns[i] > now_ns)
            continue;
        // Both processes look at the time; one of them does it.
        if (!atomic_compare_exchange_strong(&h->state[i], &kept,
                                            DH_HOLD_LEAVING))
            continue;
        queue_release(dpy, i);
        h->n_expired++;
        n++;
    }
    return n;
}

void dh_held_sent(struct dh_held *h)
{
    for (int i = 0; i < DH_XTEST_HOLDS; i++) {
        uint8_t leaving = DH_HOLD_LEAVING;
        if (h->state[i] == leaving)
            atomic_compare_exchange_strong(&h->state[i], &leaving, DH_HOLD_UP);
    }
}

static bool anything_to_undo(const struct dh_held *h)
{
    bool any = h->locks || h->group;
    for (int i = 0; i < DH_XTEST_HOLDS; i++)
        any |= h->state[i] != DH_HOLD_UP;
    for (int c = 0; c < DH_XTEST_KEYS; c++)
        any |= h->lent[c];
    return any;
}

// Requests of the dead one that the server has not read yet could press again
// after we let go. While no other client is served, a window that still has our
// mark is still theirs, and its client can go with all that it has sent.
static void forget_parent(const struct dh_held *h, Display *dpy)
{
    unsigned char *data = NULL;
    unsigned long n = 0, left;
    Atom type;
    int format;
    if (h->id &&
        XGetWindowProperty(dpy, h->id, h->mark, 0, 1, False, XA_CARDINAL, &type,
                           &format, &n, &left, &data) == Success &&
        n == 1 && format == 32 &&
        (uint32_t) * (unsigned long *)(void *)data == h->nonce)
        XKillClient(dpy, h->id);
    if (data)
        XFree(data);
}

static void undo(struct dh_held *h, Display *dpy)
{
    if (!anything_to_undo(h))
        return;
    XGrabServer(dpy);
    forget_parent(h, dpy);
    for (int i = DH_XTEST_HOLDS - 1; i >= 0; i--)
        if (h->state[i] != DH_HOLD_UP)
            queue_release(dpy, i);
    if (h->locks)
        XkbLockModifiers(dpy, XkbUseCoreKbd, h->locks, h->locks);
    if (h->group)
        XkbLockGroup(dpy, XkbUseCoreKbd, (unsigned)h->group - 1);
    dh_lent_clear(h, dpy);
    XUngrabServer(dpy);
    XSync(dpy, False);
}

static int error_ignore(Display *dpy, XErrorEvent *e)
{
    (void)dpy;
    (void)e;
    return 0;
}

// The server is gone, and with it all that was held.
static int server_gone(Display *dpy)
{
    (void)dpy;
    _exit(0);
}

// How long until the first kept thing is too old, for poll.
static int ms_left(const struct dh_held *h)
{
    int64_t first = INT64_MAX, now = dh_now_ns();
    for (int i = 0; i < DH_XTEST_HOLDS; i++)
        if (h->state[i] == DH_HOLD_KEPT)
            first = DH_MIN(first, h->until_ns[i]);
    if (first == INT64_MAX)
        return -1;
    return (int)DH_CLAMP((first - now + DH_MS - 1) / DH_MS, 0, 3600 * 1000);
}

static void take_events(Display *dpy)
{
    while (XPending(dpy)) {
        XEvent e;
        XNextEvent(dpy, &e);
    }
}

// A process that stays after both of us. Nobody waits for it: its parent is
// gone first.
static void fork_stayer(struct dh_held *h, Display *dpy, enum dh_stay what)
{
    if (fork() != 0)
        return;
    close(PARENT_FD);
    // The guardian still reads from this one.
    const char *display = DisplayString(dpy);
    close(ConnectionNumber(dpy));
    if (what == DH_STAY_LENT) {
        prctl(PR_SET_NAME, "dh-lent");
        dh_lent_linger(h, display);
    }
    prctl(PR_SET_NAME, "dh-clip-heir");
    signal(SIGTERM, SIG_DFL); // it may be there for long
    dh_owner_inherit(&h->will, display);
}

void dh_guardian_reply(void)
{
    if (write(WAKE_FD, "", 1) < 0)
        dh_debug("nobody waits any more");
    close(WAKE_FD);
}

// True while the parent lives and has not said goodbye.
static bool watch(struct dh_held *h, Display *dpy)
{
    struct pollfd p[] = { { .fd = PARENT_FD, .events = POLLIN },
                          { .fd = WAKE_FD, .events = POLLIN },
                          { .fd = ConnectionNumber(dpy), .events = POLLIN } };
    char wake[16];
    ssize_t n = 0;
    if (poll(p, DH_COUNTOF(p), ms_left(h)) < 0)
        return errno == EINTR;
    // No PARENT_FD on an old kernel: POLLNVAL, and the socket has to do.
    if (p[0].revents & POLLIN)
        return false;
    if (p[1].revents && (n = read(WAKE_FD, wake, sizeof wake)) == 0)
        return false;
    for (ssize_t i = 0; i < n; i++)
        if (wake[i])
            fork_stayer(h, dpy, (enum dh_stay)wake[i]);
    if (p[2].revents)
        take_events(dpy);
    if (dh_held_expire(h, dpy, dh_now_ns())) {
        XSync(dpy, False);
        dh_held_sent(h);
    }
    return true;
}

// Nothing of the parent stays open: not the files it writes, not its
// connections, not a pipe that somebody waits on for its end.
static void leave_parent(int parent_fd, int wake_fd)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    sigset_t none;
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &plain, NULL);
    // What ends the parent politely must not end us before it.
    plain.sa_handler = SIG_IGN;
    sigaction(SIGINT, &plain, NULL);
    sigaction(SIGTERM, &plain, NULL);
    sigaction(SIGHUP, &plain, NULL);
    sigaction(SIGPIPE, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid(); // fails where the parent was quicker with a group of our own
    prctl(PR_SET_NAME, "dh-guardian");
    int above = FIRST_OTHER_FD;
    int p = parent_fd < 0 ? -1 : fcntl(parent_fd, F_DUPFD, above);
    int w = fcntl(wake_fd, F_DUPFD, above);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    if (p < 0)
        close(PARENT_FD);
    else
        dup2(p, PARENT_FD);
    dup2(w, WAKE_FD);
    syscall(SYS_close_range, FIRST_OTHER_FD, ~0U, 0);
}

static DH_NORETURN void guard(struct dh_held *h, const char *display)
{
    XSetErrorHandler(error_ignore);
    XSetIOErrorHandler(server_gone);
    Display *dpy = XOpenDisplay(display);
    if (!dpy) {
        h->unguarded = true;
        _exit(1);
    }
    XTestGrabControl(dpy, True);
    XSync(dpy, False);
    while (watch(h, dpy))
        continue;
    undo(h, dpy);
    _exit(0);
}

// A signal to our whole group must not hit the child, not even one that comes
// before it has run at all.
static pid_t fork_apart(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        return 0;
    int error = errno;
    if (pid > 0)
        setpgid(pid, pid);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

void dh_guardian_start(struct dh_guardian *g, struct dh_held *held,
                       const char *display)
{
    int pair[2]; // no pipe: writing to a broken one would kill us
    *g = (struct dh_guardian){ .wake_fd = -1 };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        dh_warn("no guardian: %s", strerror(errno));
        return;
    }
    // Of ourselves and before the fork: the child cannot come too late.
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    pid_t pid = fork_apart();
    if (pid == 0) {
        leave_parent(self, pair[0]);
        guard(held, display);
    }
    if (pid < 0)
        dh_warn("no guardian: %s; what is held when this program is killed "
                "stays down",
                strerror(errno));
    close(pair[0]);
    if (self >= 0)
        close(self);
    if (pid < 0) {
        close(pair[1]);
        return;
    }
    g->pid = pid;
    g->wake_fd = pair[1];
}

void dh_guardian_wake(struct dh_guardian *g)
{
    if (g->pid && send(g->wake_fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        dh_debug("the guardian was not woken: %s", strerror(errno));
}

bool dh_guardian_stay(struct dh_guardian *g, enum dh_stay what)
{
    struct pollfd p = { .fd = g->wake_fd, .events = POLLIN };
    char byte = (char)what;
    return g->pid && send(g->wake_fd, &byte, 1, MSG_NOSIGNAL) == 1 &&
           poll(&p, 1, (int)(REPLY_NS / DH_MS)) > 0 &&
           read(g->wake_fd, &byte, 1) == 1;
}

void dh_guardian_stop(struct dh_guardian *g)
{
    if (!g->pid)
        return;
    // It may still wait for a server that does not answer.
    kill(g->pid, SIGKILL);
    while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(g->wake_fd);
    *g = (struct dh_guardian){ .wake_fd = -1 };
}
