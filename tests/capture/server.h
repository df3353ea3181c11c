/* tests/capture/server.h - X servers of a test's own, and what is drawn. */
#ifndef DH_TESTS_CAPTURE_SERVER_H
#define DH_TESTS_CAPTURE_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include <X11/Xlib.h>

struct dh_frame;

struct server {
    pid_t pid;
    char display[16];
};

/* Start an Xvfb with `screen` such as "640x480x24" and, where it is not NULL,
 * without an extension. It ends with the test. */
void server_start(struct server *s, const char *screen, const char *without);
/* Start an Xorg whose monitors are dummies: DUMMY0 (1024x768) is on, the others
 * are for xrandr. `dir` takes its files. False where this machine cannot. */
bool server_start_dummy(struct server *s, const char *dir);
/* Start a Xephyr, whose one monitor can be turned, inside of $DISPLAY. */
bool server_start_nested(struct server *s, const char *screen);
void server_kill(struct server *s);
/* Run xrandr with these arguments. False: it failed, or is not installed. */
bool xrandr(const char *display, const char *args);

/* Fill a rectangle of the root window and wait until it is done. */
void paint(Display *dpy, int x, int y, int w, int h, unsigned long rgb);
/* The root window in one colour. */
void paint_all(Display *dpy, unsigned long rgb);
/* Fails the test where the pixel has another colour. */
void check_pixel(const struct dh_frame *f, int x, int y, unsigned long rgb);

#endif
