#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/task_box_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

// Systemd keeps these numbers for users that nobody else is.
#define FIRST_USER 64500

struct room {
    const struct dh_box_options *o;
    int sock, children; // children: the signalfd
    pid_t pid[64];      // of commands that are waited for
    int32_t id[64];
    char text[DH_BOX_COMMAND + 64]; // of a request
};

static void tell(int sock, enum dh_box_word word, int id, int status,
                 const char *what)
{
    struct dh_box_told t = { .word = word, .id = id, .status = status };
    snprintf(t.what, sizeof t.what, "%s", what ? what : "");
    (void)!send(sock, &t, sizeof t, MSG_NOSIGNAL);
}

static bool put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t n = strlen(text);
    bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n;
    if (fd >= 0)
        close(fd);
    return ok;
}

// The limit of processes does not hold for root, so root becomes nobody else.
static bool be_somebody(int slot)
{
    uid_t id = FIRST_USER + (uid_t)slot;
    if (geteuid() != 0)
        return true;
    return setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 &&
           setresuid(id, id, id) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}

static bool leave(int slot, const char **what)
{
    char map[64], groups[64];
    *what = "another user";
    if (!be_somebody(slot))
        return false;
    snprintf(map, sizeof map, "1000 %u 1", (unsigned)geteuid());
    snprintf(groups, sizeof groups, "1000 %u 1", (unsigned)getegid());
    *what = "namespaces";
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                CLONE_NEWIPC | CLONE_NEWUTS))
        return false;
    *what = "the map of users";
    return put("/proc/self/setgroups", "deny") &&
           put("/proc/self/uid_map", map) &&
           put("/proc/self/gid_map", groups) && sethostname("desk", 4) == 0;
}

static void limit(int which, rlim_t n)
{
    struct rlimit r = { n, n };
    (void)setrlimit(which, &r);
}

static void environment(int display, bool a11y)
{
    char x[16];
    snprintf(x, sizeof x, ":%d", display);
    clearenv();
    setenv("DISPLAY", x, 1);
    setenv("HOME", DH_BOX_HOME, 1);
    setenv("USER", "user", 1);
    setenv("LOGNAME", "user", 1);
    setenv("SHELL", "/bin/sh", 1);
    setenv("LANG", "C.UTF-8", 1);
    setenv("TZ", "UTC", 1);
    setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/games", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
    setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus", 1);
    setenv("GSETTINGS_BACKEND", "keyfile", 1);
    if (a11y) {
        setenv("QT_LINUX_ACCESSIBILITY_ALWAYS_ON", "1", 1);
        return;
    }
    // Else each program looks for a reader first, for nobody.
    setenv("NO_AT_BRIDGE", "1", 1);
    setenv("GTK_A11Y", "none", 1);
}

// Our own descriptors are all marked to close.
static _Noreturn void become(const struct dh_box_ask *ask, const char *command,
                             int out, int in)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (in < 0)
        in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
        chdir(DH_BOX_HOME))
        _exit(126);
    if (ask->fn) {
        // It holds our memory: what runs in there must not look into it.
        prctl(PR_SET_DUMPABLE, 0);
        close_range(3, ~0U, 0);
        alarm((unsigned)ask->seconds);
        _exit(ask->fn());
    }
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static void spawn(struct room *r, const struct dh_box_ask *ask,
                  const char *command, int out, int in)
{
    int id = ask->id;
    size_t i = 0;
    while (i < DH_COUNTOF(r->pid) && r->pid[i])
        i++;
    if (i == DH_COUNTOF(r->pid) || out < 0) {
        tell(r->sock, DH_BOX_NO_FORK, id, EAGAIN, NULL);
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(ask, command, out, in);
    if (pid < 0) {
        tell(r->sock, DH_BOX_NO_FORK, id, errno, NULL);
        return;
    }
    r->pid[i] = pid;
    r->id[i] = id;
}

static bool take_request(struct room *r)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec io = { r->text, sizeof r->text - 1 };
    struct msghdr m = { .msg_iov = &io,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof control };
    struct dh_box_ask ask;
    int fd[2] = { -1, -1 };
    ssize_t n = recvmsg(r->sock, &m, MSG_CMSG_CLOEXEC);
    if (n < (ssize_t)sizeof ask)
        return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), DH_MIN(c->cmsg_len - CMSG_LEN(0), sizeof fd));
    memcpy(&ask, r->text, sizeof ask);
    r->text[n] = 0;
    spawn(r, &ask, r->text + sizeof ask, fd[0], fd[1]);
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    return true;
}

// Everybody's children end up here.
static void reap(struct room *r)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    (void)!read(r->children, &info, sizeof info);
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < DH_COUNTOF(r->pid); i++) {
            if (r->pid[i] != pid)
                continue;
            r->pid[i] = 0;
            tell(r->sock, DH_BOX_ENDED, r->id[i],
                 WIFEXITED(status) ? WEXITSTATUS(status)
                                   : 128 + WTERMSIG(status),
                 NULL);
        }
    }
}

// Pages that are in memory and not of a file that others have mapped as well.
static int64_t pages_of(const char *pid)
{
    char path[300], line[128];
    int64_t v[3] = { 0 }; // size, resident, shared
    snprintf(path, sizeof path, "/proc/%s/statm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, line, sizeof line - 1);
    close(fd);
    line[DH_MAX(n, 0)] = 0;
    char *at = line, *word;
    for (int i = 0; i < 3 && (word = strsep(&at, " ")) != NULL; i++)
        if (!dh_parse_i64(dh_str_of(word), &v[i]))
            return 0;
    return DH_MAX(v[1] - v[2], 0);
}

static bool is_too_large(const struct room *r)
{
    int64_t pages = 0;
    struct dirent *e;
    DIR *d = opendir("/proc");
    if (!d)
        return false;
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] > '0' && e->d_name[0] <= '9')
            pages += pages_of(e->d_name);
    closedir(d);
    return pages * sysconf(_SC_PAGESIZE) > r->o->max_memory;
}

static void serve(struct room *r)
{
    int64_t look = 0;
    for (;;) {
        struct pollfd fd[] = { { .fd = r->sock, .events = POLLIN },
                               { .fd = r->children, .events = POLLIN } };
        poll(fd, 2, 200);
        if (fd[1].revents)
            reap(r);
        if (fd[0].revents && !take_request(r))
            return;
        if (dh_now_ns() < look)
            continue;
        look = dh_now_ns() + 200 * DH_MS;
        if (is_too_large(r)) {
            tell(r->sock, DH_BOX_NO_MEMORY, 0, 0, NULL);
            return;
        }
    }
}

// The first process of the room: when it ends, the kernel ends all others.
static _Noreturn void be_first(int sock, const struct dh_box_options *o)
{
    struct room r = { .o = o, .sock = sock };
    const char *what = "";
    sigset_t all;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!dh_box_furnish(o, &what)) {
        tell(sock, DH_BOX_READY, 0, errno, what);
        _exit(1);
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, (rlim_t)o->max_disk);
    limit(RLIMIT_NPROC, (rlim_t)o->max_processes);
    put("/proc/self/oom_score_adj", "800");
    environment(o->display, o->a11y);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&all);
    sigaddset(&all, SIGCHLD);
    r.children = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    tell(sock, DH_BOX_READY, 0, 0, NULL);
    serve(&r);
    _exit(0);
}

void dh_box_live(int sock, const struct dh_box_options *o)
{
    const char *what = "";
    int status;
    setsid(); // a Ctrl-C at the terminal is for us alone
    // As the user that we are: where we stand follows us into the namespaces.
    if (o->shown && chdir(o->shown)) {
        tell(sock, DH_BOX_READY, 0, errno, "the folder to be shown");
        _exit(1);
    }
    if (!leave(o->slot, &what)) {
        tell(sock, DH_BOX_READY, 0, errno, what);
        _exit(1);
    }
    // Only now: it is forgotten when the user changes.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pid_t pid = fork();
    if (pid == 0)
        be_first(sock, o);
    if (pid < 0)
        tell(sock, DH_BOX_READY, 0, errno, "a process");
    close(sock);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    _exit(0);
}
