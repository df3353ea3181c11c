#include "tests/capture/server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/frame.h"
#include "tests/dh_test.h"

static void server_exec(const char *screen, const char *without, int number_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    char fd[16];
    snprintf(fd, sizeof(fd), "%d", number_fd);
    execlp("Xvfb", "Xvfb", "-displayfd", fd, "-screen", "0", screen,
           "-nolisten", "tcp", without ? "-extension" : (char *)NULL, without,
           (char *)NULL);
    _exit(127);
}

void server_start(struct server *s, const char *screen, const char *without)
{
    // Servers that start at the same moment may want the same number, and the
    // loser ends.
    for (int tries = 0; tries < 5; tries++) {
        int pipe_fd[2];
        CHECK_INT(pipe(pipe_fd), 0);
        s->pid = fork();
        CHECK(s->pid >= 0);
        if (s->pid == 0)
            server_exec(screen, without, pipe_fd[1]);
        close(pipe_fd[1]);
        char number[8] = { 0 };
        size_t len = 0;
        while (len < sizeof(number) - 1 &&
               read(pipe_fd[0], number + len, 1) == 1 && number[len] != '\n')
            len++;
        close(pipe_fd[0]);
        number[strcspn(number, "\n")] = '\0';
        if (number[0]) {
            snprintf(s->display, sizeof(s->display), ":%s", number);
            return;
        }
        waitpid(s->pid, NULL, 0);
    }
    dh_check_failed(__FILE__, __LINE__, "no X server started");
}

void server_kill(struct server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    // A killed server leaves these behind.
    char path[64];
    snprintf(path, sizeof(path), "/tmp/.X%s-lock", s->display + 1);
    unlink(path);
    snprintf(path, sizeof(path), "/tmp/.X11-unix/X%s", s->display + 1);
    unlink(path);
}

void paint(Display *dpy, int x, int y, int w, int h, unsigned long rgb)
{
    Window root = DefaultRootWindow(dpy);
    GC gc = XCreateGC(dpy, root, 0, NULL);
    XSetSubwindowMode(dpy, gc, IncludeInferiors);
    XSetForeground(dpy, gc, rgb);
    XFillRectangle(dpy, root, gc, x, y, (unsigned)w, (unsigned)h);
    XFreeGC(dpy, gc);
    XSync(dpy, False);
}

void paint_all(Display *dpy, unsigned long rgb)
{
    paint(dpy, 0, 0, DisplayWidth(dpy, 0), DisplayHeight(dpy, 0), rgb);
}

void check_pixel(const struct dh_frame *f, int x, int y, unsigned long rgb)
{
    const uint8_t *p = dh_frame_at(f, x, y);
    unsigned long got = (unsigned long)p[2] << 16 | p[1] << 8 | p[0];
    if (got != rgb) {
        fprintf(stderr, "pixel %d,%d is %06lx, not %06lx\n", x, y, got, rgb);
        dh_check_failed(__FILE__, __LINE__, "pixel");
    }
}
