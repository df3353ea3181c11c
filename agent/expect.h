/*
 * agent/expect.h - what should be so after a step is played, from what was so
 * when it was recorded.
 *
 * Conditions are states, not events: a window is there or gone, has a title,
 * has the focus; what changed then looks as it did then, or has at least
 * changed. Carets, clocks and videos are learned from the recording and do not
 * count. One thread.
 */
#ifndef DH_AGENT_EXPECT_H
#define DH_AGENT_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/geom.h"
#include "capture/windows.h"

struct dh_frame;
struct dh_recording;

#define DH_EXPECT_MAX  8
#define DH_EXPECT_TILE 16

/* Tiles of the recorded screen that change by themselves. */
struct dh_restless {
    int w, h;            /* in tiles */
    unsigned char *tile; /* owned; how often each was seen to, 255 at most */
};
/* Looks at pictures between which nothing was done; `max` pairs at most. */
void dh_restless_learn(struct dh_restless *x, struct dh_recording *r, int max);
void dh_restless_finish(struct dh_restless *x);

enum dh_expect_kind {
    DH_EXPECT_THERE,
    DH_EXPECT_GONE,
    DH_EXPECT_TITLE,
    DH_EXPECT_FOCUS,
};

struct dh_expect {
    struct {
        enum dh_expect_kind kind;
        int window; /* number in recording->window */
    } of[DH_EXPECT_MAX];
    int n;
    /* What changed: tiles of the recorded pictures; then are references. */
    struct dh_frame *before, *after;
    struct dh_point *tile; /* owned; corners */
    int n_tiles;
    /* The place that was acted on lights up under the pointer alone, so where
     * more than it changed, that has to change again. Empty: that is no matter.
     */
    struct dh_rect lit;
    /* The next action came before the screen was still, so soon that the
     * picture after this one may show nothing of it: it is hoped for, not
     * insisted on. */
    bool soft;
    int64_t limit_ns;
};

void dh_expect_init(struct dh_expect *e, struct dh_recording *r, int step,
                    const struct dh_restless *x);
void dh_expect_finish(struct dh_expect *e);

/* What is so now. */
struct dh_expect_now {
    const struct dh_frame *before, *now; /* before the step was played */
    const struct dh_window *stack;       /* of dh_windows_stack */
    int n_stack;
    const struct dh_window *old; /* the stack before the step */
    int n_old;
    unsigned long focus; /* 0: none */
    /* The window of the step, then and now: what changed moved with it. NULL:
     * the screen. */
    const struct dh_window *then_window, *now_window;
    /* Without them: how far what was acted on is from where it was. */
    struct dh_point by;
    /* The window that stands for a recorded one; 0: none has been met. */
    unsigned long (*stands_for)(void *user, unsigned long recorded);
    void *user;
};

enum dh_expect_picture {
    DH_PICTURE_ANY,     /* nothing is expected */
    DH_PICTURE_SAME,    /* as it was recorded */
    DH_PICTURE_CHANGED, /* something changed where it should */
    DH_PICTURE_OTHER,   /* nothing has changed there */
};

struct dh_expect_found {
    enum dh_expect_picture picture;
    bool windows;      /* all conditions on windows hold */
    char missing[400]; /* the first condition that does not hold, in words */
};

/* Nothing at all has changed since, but for what changes by itself. */
bool dh_expect_is_still(const struct dh_restless *x,
                        const struct dh_expect_now *now);
void dh_expect_check(const struct dh_expect *e, const struct dh_recording *r,
                     const struct dh_expect_now *now,
                     struct dh_expect_found *out);

#endif
