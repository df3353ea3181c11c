/*
 * tools/bench_x11.h - the X server without deskhand: the shortest way to each
 * thing that deskhand does, and a client that paints and receives.
 *
 * It has two connections, the bare one and the client's. The client covers the
 * screen with a window of its own to paint on and has a smaller one that takes
 * clicks and keys. One thread.
 */
#ifndef DH_TOOLS_BENCH_X11_H
#define DH_TOOLS_BENCH_X11_H

#include <stdbool.h>
#include <stdint.h>

#include "base/geom.h"
#include "base/status.h"

struct dh_bench_x11;

/* DH_ERR_UNSUPPORTED without MIT-SHM, DAMAGE, XTEST or 8 bits of R, G, B. */
DH_MUST_USE enum dh_status dh_bench_x11_create(struct dh_bench_x11 **out,
                                               const char *display);
/* NULL is allowed. */
void dh_bench_x11_destroy(struct dh_bench_x11 *x);
/* The server has gone: nothing below may be called any more. */
bool dh_bench_x11_is_lost(const struct dh_bench_x11 *x);
struct dh_size dh_bench_x11_size(const struct dh_bench_x11 *x);
/* Valid as long as x. */
const char *dh_bench_x11_vendor(const struct dh_bench_x11 *x);
/* A point in the window that receives; two of them differ. */
struct dh_point dh_bench_x11_target(const struct dh_bench_x11 *x, bool second);

/* The client fills an area with a colour that it did not have, 0xRRGGBB, and
 * sends that off; `synced` waits until the server has done it. */
uint32_t dh_bench_x11_paint(struct dh_bench_x11 *x, struct dh_rect area,
                            bool synced);
/* XShmGetImage into a kept segment. False on failure, or where its first and
 * last pixel are not of this colour. */
bool dh_bench_x11_grab(struct dh_bench_x11 *x, struct dh_rect area,
                       uint32_t colour);
/* Forget the damage so far. */
void dh_bench_x11_arm(struct dh_bench_x11 *x);
/* Wait for damage, then grab. */
bool dh_bench_x11_damage_grab(struct dh_bench_x11 *x, struct dh_rect area,
                              uint32_t colour);
/* One request and its answer. */
void dh_bench_x11_round_trip(struct dh_bench_x11 *x);
/* Connect, grab the whole screen through MIT-SHM, disconnect. */
bool dh_bench_x11_first_frame(const char *display);

/* XTest events and one XSync. The text is ASCII of the keyboard's layout. */
void dh_bench_x11_click(struct dh_bench_x11 *x, struct dh_point at);
/* It asks where the pointer is before it presses, and does not wait after that.
 * False: elsewhere. */
bool dh_bench_x11_click_there(struct dh_bench_x11 *x, struct dh_point at);
void dh_bench_x11_type(struct dh_bench_x11 *x, const char *text);
/* Control and a letter. */
void dh_bench_x11_control(struct dh_bench_x11 *x, const char *letter);

/* The client takes the focus and forgets what it received. */
void dh_bench_x11_listen(struct dh_bench_x11 *x);
/* Wait until it has a press and a release at that point. */
bool dh_bench_x11_heard_click(struct dh_bench_x11 *x, struct dh_point at,
                              int64_t until_ns);
/* Wait until it has as many characters; *exact tells if they are these. */
bool dh_bench_x11_heard_text(struct dh_bench_x11 *x, const char *text,
                             int64_t until_ns, bool *exact);
/* Wait for a window with this name, raise it and give it the focus. */
bool dh_bench_x11_focus(struct dh_bench_x11 *x, const char *name,
                        int64_t until_ns);

#endif
