#include "tools/bench_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

// A signal that sets the flag also ends poll; this is for one that comes just
// before it.
#define LOOK_NS (100 * DH_MS)

bool dh_bench_proc_exists(const char *name)
{
    const char *path = getenv("PATH");
    char file[4096];
    while (path && *path) {
        size_t n = strcspn(path, ":"), len = strlen(name);
        if (n && n + len + 2 <= sizeof file) {
            memcpy(file, path, n);
            file[n] = '/';
            memcpy(file + n + 1, name, len + 1);
            if (access(file, X_OK) == 0)
                return true;
        }
        path += n + (path[n] == ':');
    }
    return false;
}

// In the child, which has only this thread: nothing here takes memory.
static void become(const char *const *argv, int out, int err, int keep,
                   pid_t parent)
{
    int none = open("/dev/null", O_RDWR);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) // it died before that took effect
        _exit(127);
    setpgid(0, 0);
    dup2(none, STDIN_FILENO);
    dup2(out >= 0 ? out : none, STDOUT_FILENO);
    dup2(err >= 0 ? err : none, STDERR_FILENO);
    for (int fd = 3; fd < 256; fd++) {
        if (fd != keep)
            close(fd);
    }
    union {
        const char *const *in;
        char *const *out; // execvp changes nothing, it only says so
    } words = { .in = argv };
    execvp(argv[0], words.out);
    _exit(127);
}

enum dh_status dh_bench_proc_start(pid_t *pid, const char *const *argv, int out,
                                   int err, int keep)
{
    pid_t parent = getpid();
    pid_t p = fork();
    if (p < 0) {
        dh_error("cannot start %s: %s", argv[0], strerror(errno));
        return DH_ERR_IO;
    }
    if (p == 0)
        become(argv, out, err, keep, parent);
    setpgid(p, p);
    *pid = p;
    return DH_OK;
}

// Wait until the descriptor is readable: 1, 0 where the time passed, -1 where
// it was cancelled.
static int readable(int fd, int64_t until_ns, struct dh_cancel *cancel)
{
    for (;;) {
        if (dh_cancel_is_set(cancel))
            return -1;
        int64_t left = DH_MIN(until_ns - dh_now_ns(), LOOK_NS);
        if (left < 0)
            left = 0;
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int n = poll(&p, 1, (int)((left + DH_MS - 1) / DH_MS));
        if (n > 0)
            return 1;
        if (dh_now_ns() >= until_ns)
            return 0;
    }
}

void dh_bench_proc_kill(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

enum dh_status dh_bench_proc_wait(pid_t pid, int64_t until_ns,
                                  struct dh_cancel *cancel)
{
    int status = 0;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int ended = fd >= 0 ? readable(fd, until_ns, cancel) : 0;
    if (fd >= 0)
        close(fd);
    if (ended != 1) {
        dh_bench_proc_kill(pid);
        return ended ? DH_ERR_CANCELLED : DH_ERR_TIMEOUT;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0 ? DH_OK : DH_ERR_IO;
}

enum dh_status dh_bench_proc_run(const char *const *argv, int64_t limit_ns,
                                 struct dh_cancel *cancel)
{
    pid_t pid;
    enum dh_status st = dh_bench_proc_start(&pid, argv, -1, -1, -1);
    return st ? st : dh_bench_proc_wait(pid, dh_now_ns() + limit_ns, cancel);
}

bool dh_bench_proc_line(int fd, char *line, int size, int64_t until_ns,
                        struct dh_cancel *cancel)
{
    int n = 0;
    while (readable(fd, until_ns, cancel) == 1) {
        char c;
        ssize_t got = read(fd, &c, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            break;
        if (c == '\n') {
            line[n] = 0;
            return true;
        }
        if (n + 1 < size)
            line[n++] = c;
    }
    return false;
}
