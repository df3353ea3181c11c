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

static void be_quiet(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
}

static void server_exec(const char *screen, const char *without, int number_fd)
{
    be_quiet();
    char fd[16];
    snprintf(fd, sizeof(fd), "%d", number_fd);
    execlp("Xvfb", "Xvfb", "-displayfd", fd, "-screen", "0", screen,
           "-nolisten", "tcp", without ? "-extension" : (char *)NULL, without,
           (char *)NULL);
    _exit(127);
}

// Read the number that a server writes once it is ready. False: it ended.
static bool number_read(struct server *s, int fd)
{
    char number[8] = { 0 };
    size_t len = 0;
    while (len < sizeof(number) - 1 && read(fd, number + len, 1) == 1 &&
           number[len] != '\n')
        len++;
    close(fd);
    number[strcspn(number, "\n")] = '\0';
    if (number[0])
        snprintf(s->display, sizeof(s->display), ":%s", number);
    else
        waitpid(s->pid, NULL, 0);
    return number[0];
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
        if (number_read(s, pipe_fd[0]))
            return;
    }
    dh_check_failed(__FILE__, __LINE__, "no X server started");
}

static const char dummy_config[] = "Section \"ServerFlags\"\n"
                                   "  Option \"AutoAddDevices\" \"false\"\n"
                                   "  Option \"AutoAddGPU\" \"false\"\n"
                                   "  Option \"DontVTSwitch\" \"true\"\n"
                                   "EndSection\n"
                                   "Section \"Device\"\n"
                                   "  Identifier \"d\"\n"
                                   "  Driver \"dummy\"\n"
                                   "  VideoRam 128000\n"
                                   "EndSection\n"
                                   "Section \"Monitor\"\n"
                                   "  Identifier \"m\"\n"
                                   "  HorizSync 5-1000\n"
                                   "  VertRefresh 5-200\n"
                                   "EndSection\n"
                                   "Section \"Screen\"\n"
                                   "  Identifier \"s\"\n"
                                   "  Device \"d\"\n"
                                   "  Monitor \"m\"\n"
                                   "  DefaultDepth 24\n"
                                   "  SubSection \"Display\"\n"
                                   "    Depth 24\n"
                                   "    Modes \"1024x768\"\n"
                                   "    Virtual 4096 4096\n"
                                   "  EndSubSection\n"
                                   "EndSection\n";

static void dummy_exec(const char *dir, int number_fd)
{
    be_quiet();
    char fd[16];
    snprintf(fd, sizeof(fd), "%d", number_fd);
    if (chdir(dir) == 0)
        execlp("Xorg", "Xorg", "-displayfd", fd, "-config", "xorg.conf",
               "-logfile", "xorg.log", "-noreset", "-novtswitch", "-sharevts",
               "-nolisten", "tcp", (char *)NULL);
    _exit(127);
}

bool server_start_dummy(struct server *s, const char *dir)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/xorg.conf", dir);
    FILE *f = fopen(path, "w");
    CHECK(f);
    fputs(dummy_config, f);
    CHECK_INT(fclose(f), 0);
    int pipe_fd[2];
    CHECK_INT(pipe(pipe_fd), 0);
    s->pid = fork();
    CHECK(s->pid >= 0);
    if (s->pid == 0)
        dummy_exec(dir, pipe_fd[1]);
    close(pipe_fd[1]);
    return number_read(s, pipe_fd[0]);
}

bool server_start_nested(struct server *s, const char *screen)
{
    int pipe_fd[2];
    CHECK_INT(pipe(pipe_fd), 0);
    s->pid = fork();
    CHECK(s->pid >= 0);
    if (s->pid == 0) {
        char fd[16];
        be_quiet();
        snprintf(fd, sizeof(fd), "%d", pipe_fd[1]);
        execlp("Xephyr", "Xephyr", "-displayfd", fd, "-screen", screen,
               "-noreset", "-nolisten", "tcp", (char *)NULL);
        _exit(127);
    }
    close(pipe_fd[1]);
    return number_read(s, pipe_fd[0]);
}

bool xrandr(const char *display, const char *args)
{
    char line[1024];
    snprintf(line, sizeof(line), "exec xrandr -display %s %s 2>/dev/null",
             display, args);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
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
