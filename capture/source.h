/* capture/source.h - anything that yields frames: a screen, a video, a
 * generator, a recorded session. */
#ifndef DH_CAPTURE_SOURCE_H
#define DH_CAPTURE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/geom.h"
#include "base/status.h"

struct dh_cancel;
struct dh_frame;
struct dh_layout;

/*
 * Embedded by its implementer, who fills in `ops`. A source belongs to one
 * thread at a time.
 */
struct dh_source {
    const struct dh_source_ops *ops;
};

/*
 * How long a screen must be still, counted from the mark or from what was drawn
 * last, and when to stop waiting for that, counted from the call. A small area
 * (64 x 64 pixels at most) that is painted over and over, such as a blinking
 * caret or a spinner, is still.
 */
struct dh_settle {
    int64_t quiet_ns;
    int64_t limit_ns;
    /* Told where what has changed seems to be over: drawn on, and still for
     * calm_ns, which are fewer than quiet_ns. It may come again, and may grab.
     * NULL: nobody is told. A source that does not wait tells nobody. */
    void (*calm)(void *user);
    void *user;
    int64_t calm_ns;
};

/* What waiting for quiet found. */
struct dh_settle_result {
    int64_t waited_ns;
    bool settled;          /* false: the limit passed first */
    bool changed;          /* something was drawn since the mark */
    struct dh_rect damage; /* around all that was drawn, in screen pixels, not
                            * cut to the captured part; may be empty */
};

struct dh_source_ops {
    const char *name;
    /* The newest picture; the caller owns one reference. DH_ERR_CLOSED at the
     * end of a finite source. */
    enum dh_status (*grab)(struct dh_source *s, struct dh_frame **out);
    /* Start counting changes from now. NULL: the source cannot tell, and the
     * mark does nothing. */
    enum dh_status (*mark)(struct dh_source *s);
    /* Wait until the screen is still, or limit_ns passed, which is DH_OK too.
     * DH_ERR_CANCELLED once *cancel (may be NULL) is set. It uses up the mark;
     * without one it counts from the call. NULL: returns at once, settled. */
    enum dh_status (*settle)(struct dh_source *s, const struct dh_settle *how,
                             struct dh_cancel *cancel,
                             struct dh_settle_result *out);
    /* Wait until something was drawn that no grab has shown, until_ns at most
     * (dh_now_ns); *changed says whether. It leaves the mark alone. NULL:
     * returns at once, as if it had. */
    enum dh_status (*wait)(struct dh_source *s, int64_t until_ns,
                           struct dh_cancel *cancel, bool *changed);
    /* The layout now, without a picture. NULL: it never changes. */
    enum dh_status (*layout)(struct dh_source *s, struct dh_layout *out);
    void (*destroy)(struct dh_source *s);
};

DH_MUST_USE enum dh_status dh_source_grab(struct dh_source *s,
                                          struct dh_frame **out);
DH_MUST_USE enum dh_status dh_source_mark(struct dh_source *s);
DH_MUST_USE enum dh_status dh_source_settle(struct dh_source *s,
                                            const struct dh_settle *how,
                                            struct dh_cancel *cancel,
                                            struct dh_settle_result *out);
DH_MUST_USE enum dh_status dh_source_wait(struct dh_source *s, int64_t until_ns,
                                          struct dh_cancel *cancel,
                                          bool *changed);
/* What the next frame would carry; zeroed where the source has none. */
DH_MUST_USE enum dh_status dh_source_layout(struct dh_source *s,
                                            struct dh_layout *out);
/* NULL is allowed. */
void dh_source_destroy(struct dh_source *s);

#endif
