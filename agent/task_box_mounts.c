#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/task_box_priv.h"
#include "base/mem.h"

// The old root hangs here until everything is bound.
#define OLD "/.old"

static bool dir(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

static bool file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    size_t n = strlen(text);
    bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool show_at(const char *from, const char *to, unsigned long more)
{
    return mount(from, to, NULL, MS_BIND | more, NULL) == 0;
}

// A folder of the system, read-only with all below; a link stays a link.
static bool show(const char *path)
{
    char old[64], target[256];
    struct stat st;
    struct mount_attr attr = { .attr_set =
                                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
    snprintf(old, sizeof old, OLD "%s", path);
    if (lstat(old, &st))
        return true;
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(old, target, sizeof target - 1);
        if (n < 0)
            return false;
        target[n] = 0;
        return symlink(target, path) == 0;
    }
    return dir(path) && show_at(old, path, MS_REC) &&
           mount_setattr(AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof attr) == 0;
}

static bool devices(void)
{
    static const char *const names[] = { "null",   "zero",    "full",
                                         "random", "urandom", "tty" };
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        char from[64], to[64];
        snprintf(from, sizeof from, OLD "/dev/%s", names[i]);
        snprintf(to, sizeof to, "/dev/%s", names[i]);
        if (!file(to, "") || !show_at(from, to, 0))
            return false;
    }
    return dir("/dev/pts") && dir("/dev/shm") &&
           mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                 "newinstance,ptmxmode=0666,mode=620") == 0 &&
           symlink("pts/ptmx", "/dev/ptmx") == 0 &&
           symlink("/proc/self/fd", "/dev/fd") == 0 &&
           symlink("/proc/self/fd/0", "/dev/stdin") == 0 &&
           symlink("/proc/self/fd/1", "/dev/stdout") == 0 &&
           symlink("/proc/self/fd/2", "/dev/stderr") == 0;
}

static bool x_socket(int display)
{
    char from[64], to[64];
    snprintf(from, sizeof from, OLD "/tmp/.X11-unix/X%d", display);
    snprintf(to, sizeof to, "/tmp/.X11-unix/X%d", display);
    return dir("/tmp/.X11-unix") && file(to, "") && show_at(from, to, 0);
}

static bool loopback(void)
{
    struct ifreq r = { 0 };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    snprintf(r.ifr_name, sizeof r.ifr_name, "lo");
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    bool ok = ioctl(fd, SIOCSIFFLAGS, &r) == 0;
    close(fd);
    return ok;
}

// Where we stand, read-only with all below. Its mount is of the old root, so
// that it has to be hung in before that is left.
static bool shown_folder(void)
{
    struct mount_attr attr = { .attr_set =
                                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
    return dir("/tmp" DH_BOX_SHOWN) &&
           show_at(".", "/tmp" DH_BOX_SHOWN, MS_REC) &&
           mount_setattr(AT_FDCWD, "/tmp" DH_BOX_SHOWN, AT_RECURSIVE, &attr,
                         sizeof attr) == 0;
}

// One file system in memory holds all that is written, so that one size
// limits it.
static bool new_root(const struct dh_box_options *o)
{
    char size[96];
    snprintf(size, sizeof size, "mode=0755,nr_inodes=100k,size=%lld",
             (long long)o->max_disk);
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, size) == 0 &&
           (!o->shown || shown_folder()) && dir("/tmp" OLD) &&
           syscall(SYS_pivot_root, "/tmp", "/tmp" OLD) == 0 && chdir("/") == 0;
}

static bool system_folders(void)
{
    static const char *const shown[] = {
        "/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"
    };
    for (size_t i = 0; i < DH_COUNTOF(shown); i++)
        if (!show(shown[i]))
            return false;
    return dir("/var/cache") && dir("/var/lib") &&
           show("/var/cache/fontconfig") && show("/var/lib/dbus") &&
           file("/.passwd", "root:x:0:0::/root:/bin/sh\n"
                            "user:x:1000:1000::" DH_BOX_HOME ":/bin/sh\n") &&
           show_at("/.passwd", "/etc/passwd", 0);
}

static bool own_folders(void)
{
    static const char *const made[] = {
        "/dev",      "/proc", "/tmp",      "/var",  "/var/tmp",      "/run",
        "/run/user", "/home", DH_BOX_HOME, "/root", "/run/user/1000"
    };
    for (size_t i = 0; i < DH_COUNTOF(made); i++)
        if (!dir(made[i]))
            return false;
    return chmod("/tmp", 01777) == 0 && chmod("/run/user/1000", 0700) == 0;
}

bool dh_box_furnish(const struct dh_box_options *o, const char **what)
{
    if (!new_root(o))
        *what = "a file system of its own";
    else if (!own_folders() || !system_folders())
        *what = "the system's folders";
    else if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV,
                   NULL))
        *what = "its own /proc";
    else if (!devices())
        *what = "devices";
    else if (!x_socket(o->display))
        *what = "the X server's socket";
    else if (!loopback())
        *what = "its own loopback";
    else if (umount2(OLD, MNT_DETACH) || rmdir(OLD))
        *what = "leaving the old root";
    else
        return true;
    return false;
}
