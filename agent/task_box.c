#include "agent/task_box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/task_box_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#define DH_LOG_TAG "box"
#include "base/log.h"

struct dh_box {
    struct dh_box_options o;
    int sock;
    pid_t pid;
    int next_id;
    const char *why;
};

static int ms_until(int64_t until_ns)
{
    int64_t left = until_ns - dh_now_ns();
    return left <= 0 ? 0 : (int)DH_MIN(left / DH_MS + 1, 60000);
}

static enum dh_status hear(struct dh_box *b, struct dh_box_told *t)
{
    if (recv(b->sock, t, sizeof *t, 0) != (ssize_t)sizeof *t)
        return DH_ERR_CLOSED;
    t->what[sizeof t->what - 1] = 0;
    if (t->word == DH_BOX_NO_MEMORY)
        b->why = "memory limit";
    return DH_OK;
}

static enum dh_status wait_ready(struct dh_box *b)
{
    struct dh_box_told t = { 0 };
    struct pollfd fd = { .fd = b->sock, .events = POLLIN };
    if (poll(&fd, 1, 20000) <= 0 || hear(b, &t)) {
        dh_error("no closed room for a task: it did not start");
        return DH_ERR_UNSUPPORTED;
    }
    if (t.status) {
        dh_error("no closed room for a task, %s: %s", t.what,
                 strerror(t.status));
        return DH_ERR_UNSUPPORTED;
    }
    return DH_OK;
}

enum dh_status dh_box_open(struct dh_box **out, const struct dh_box_options *o)
{
    struct dh_box *b;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        dh_error("socketpair: %s", strerror(errno));
        return DH_ERR_IO;
    }
    dh_new(b);
    b->o = *o;
    b->o.max_processes = o->max_processes ? o->max_processes : 256;
    b->o.max_memory = o->max_memory ? o->max_memory : INT64_C(3) << 30;
    b->o.max_disk = o->max_disk ? o->max_disk : INT64_C(512) << 20;
    b->why = "";
    b->sock = pair[0];
    b->pid = fork();
    if (b->pid == 0) {
        close(pair[0]);
        dh_box_live(pair[1], &b->o);
    }
    close(pair[1]);
    enum dh_status st = DH_ERR_IO;
    if (b->pid < 0)
        dh_error("fork: %s", strerror(errno));
    else
        st = wait_ready(b);
    if (st) {
        dh_box_close(b);
        return st;
    }
    *out = b;
    return DH_OK;
}

void dh_box_close(struct dh_box *b)
{
    int status;
    if (!b)
        return;
    close(b->sock);
    // The kernel ends the room's processes before its first one is gone.
    int64_t limit = dh_now_ns() + 10 * DH_S;
    while (b->pid > 0 && waitpid(b->pid, &status, WNOHANG) == 0) {
        if (dh_now_ns() > limit) {
            kill(b->pid, SIGKILL);
            limit = INT64_MAX;
        }
        dh_sleep_for(2 * DH_MS);
    }
    dh_free(b);
}

const char *dh_box_why(const struct dh_box *b)
{
    return b->why;
}

static enum dh_status ask(struct dh_box *b, struct dh_box_ask a,
                          const char *command, int out, int in)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = { 0 };
    int fds[2] = { out, in };
    size_t size = in < 0 ? sizeof(int) : sizeof fds;
    struct iovec io[] = { { &a, sizeof a },
                          { (void *)(uintptr_t)command, strlen(command) } };
    struct msghdr m = { .msg_iov = io,
                        .msg_iovlen = 2,
                        .msg_control = &control,
                        .msg_controllen = CMSG_SPACE(size) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (io[1].iov_len > DH_BOX_COMMAND)
        return DH_ERR_RANGE;
    a.id = ++b->next_id;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), fds, size);
    return sendmsg(b->sock, &m, MSG_NOSIGNAL) < 0 ? DH_ERR_CLOSED : DH_OK;
}

// False at the end. What does not fit is read and dropped.
static bool drain(int fd, struct dh_buf *out)
{
    char bytes[16384];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0)
        return errno == EINTR;
    if (n > 0 && out)
        dh_buf_put(out, bytes, DH_MIN((size_t)n, out->max - out->len));
    return n > 0;
}

static enum dh_status wait_end(struct dh_box *b, int pipe_fd, int64_t until_ns,
                               struct dh_buf *out, int *exit_status)
{
    struct pollfd fd[] = { { .fd = b->sock, .events = POLLIN },
                           { .fd = pipe_fd, .events = POLLIN } };
    struct dh_box_told t;
    for (;;) {
        int n = poll(fd, 2, ms_until(until_ns));
        if (n < 0 && errno == EINTR)
            return DH_ERR_CANCELLED;
        if (dh_now_ns() >= until_ns)
            return DH_ERR_TIMEOUT;
        if (fd[1].revents && !drain(pipe_fd, out))
            fd[1].fd = -1;
        if (!fd[0].revents)
            continue;
        if (hear(b, &t) || t.word == DH_BOX_NO_MEMORY)
            return DH_ERR_CLOSED;
        if (t.id != b->next_id)
            continue;
        if (t.word == DH_BOX_NO_FORK)
            return DH_ERR_NOMEM;
        *exit_status = t.status;
        break;
    }
    // What it wrote is there; what it left behind may hold the pipe for long.
    struct pollfd rest = { .fd = pipe_fd, .events = POLLIN };
    while (fd[1].fd >= 0 && poll(&rest, 1, 0) > 0 && dh_now_ns() < until_ns &&
           drain(pipe_fd, out))
        continue;
    return DH_OK;
}

static enum dh_status run(struct dh_box *b, struct dh_box_ask a,
                          const char *command, int in, int64_t until_ns,
                          struct dh_buf *out, int *exit_status)
{
    int pipe_fd[2];
    if (pipe2(pipe_fd, O_CLOEXEC)) {
        dh_error("pipe: %s", strerror(errno));
        return DH_ERR_IO;
    }
    enum dh_status st = ask(b, a, command, pipe_fd[1], in);
    close(pipe_fd[1]);
    if (!st)
        st = wait_end(b, pipe_fd[0], until_ns, out, exit_status);
    close(pipe_fd[0]);
    return st;
}

enum dh_status dh_box_run(struct dh_box *b, const char *command, int in,
                          int64_t until_ns, struct dh_buf *out,
                          int *exit_status)
{
    struct dh_box_ask a = { 0 };
    return run(b, a, command, in, until_ns, out, exit_status);
}

enum dh_status dh_box_call(struct dh_box *b, int (*fn)(void), int seconds,
                           struct dh_buf *out, int *exit_status)
{
    struct dh_box_ask a = { .fn = fn, .seconds = seconds };
    return run(b, a, "", -1, dh_now_ns() + (seconds + 10) * DH_S, out,
               exit_status);
}

enum dh_status dh_box_start(struct dh_box *b, const char *command, int in,
                            int out)
{
    struct dh_box_ask a = { 0 };
    return ask(b, a, command, out, in);
}

void dh_box_quote(struct dh_buf *out, const char *text)
{
    dh_buf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            dh_buf_puts(out, "'\\''");
        else
            dh_buf_putc(out, *text);
    }
    dh_buf_putc(out, '\'');
}
