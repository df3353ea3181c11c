/* tests/x11/xserver.h - an X server of a test's own, which can be hurt. */
#ifndef DH_TESTS_X11_XSERVER_H
#define DH_TESTS_X11_XSERVER_H

#include <sys/types.h>

struct dh_xserver {
    pid_t pid;
    char display[16];
};

/* It ends with the thread that started it. */
void dh_xserver_start(struct dh_xserver *s);
/* Also where it was killed before; it leaves nothing behind. */
void dh_xserver_stop(struct dh_xserver *s);

#endif
