#include "tests/x11/xserver.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/dh_test.h"

static void server_exec(int number_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    dup2(number_fd, 3);
    dup2(null, 1);
    dup2(null, 2);
    execlp("Xvfb", "Xvfb", "-displayfd", "3", "-noreset", "-nolisten", "tcp",
           (char *)NULL);
    _exit(127);
}

static bool try_start(struct dh_xserver *s)
{
    int fd[2];
    char number[8] = { 0 };
    size_t n = 0;
    CHECK_INT(pipe(fd), 0);
    s->pid = fork();
    CHECK(s->pid >= 0);
    if (s->pid == 0)
        server_exec(fd[1]);
    close(fd[1]);
    while (n < sizeof number - 1 && read(fd[0], number + n, 1) == 1 &&
           number[n] != '\n')
        n++;
    close(fd[0]);
    number[strcspn(number, "\n")] = '\0';
    snprintf(s->display, sizeof s->display, ":%s", number);
    return number[0] != '\0';
}

void dh_xserver_start(struct dh_xserver *s)
{
    // Servers that start at the same moment may want the same number, and the
    // loser ends.
    for (int i = 0; i < 5; i++) {
        if (try_start(s))
            return;
        waitpid(s->pid, NULL, 0);
    }
    dh_check_failed(__FILE__, __LINE__, "no X server started");
}

void dh_xserver_stop(struct dh_xserver *s)
{
    char path[64];
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    // A killed server leaves these behind.
    snprintf(path, sizeof path, "/tmp/.X%s-lock", s->display + 1);
    unlink(path);
    snprintf(path, sizeof path, "/tmp/.X11-unix/X%s", s->display + 1);
    unlink(path);
}
