/*
 * agent/target.h - several descriptions of the place that a person acted on, so
 * that a later desktop's same place can be found again.
 *
 * It is made at the press, while everything is still there. What could not be
 * had is absent and named under `missing`. benchmarks.md 10.3 has the members.
 */
#ifndef DH_AGENT_TARGET_H
#define DH_AGENT_TARGET_H

#include <stdbool.h>

#include "agent/a11y.h"
#include "base/geom.h"
#include "capture/windows.h"

struct dh_frame;
struct dh_json_writer;

/* How often something is counted at most. */
#define DH_TARGET_MANY 9

struct dh_target {
    struct dh_point at;         /* root pixels */
    struct dh_rect rect;        /* of the element; empty: not known */
    struct dh_rect tight, wide; /* root pixels; empty without a picture */
    struct dh_window window;    /* id 0: the bare desktop */
    bool has_node;
    struct dh_a11y_node node;
    struct dh_a11y_place place;
    int n_crop; /* how often the tight crop is in the picture; 0: not told */
    char missing[128]; /* "node: ..., rect: ..." */
};

/* `frame` is the picture before the act. a11y may be NULL. */
void dh_target_find(struct dh_target *t, const struct dh_frame *frame,
                    struct dh_point at, const struct dh_window *window,
                    struct dh_a11y *a11y);
/* Of a window that nobody may look into: only that there is one. */
void dh_target_hide(struct dh_target *t, struct dh_point at);
/* The member `target`; `number` is that of the picture. */
void dh_target_json(const struct dh_target *t, int number,
                    struct dh_json_writer *w);
/* NULL where one description at least tells it apart, else why none does. */
const char *dh_target_doubt(const struct dh_target *t);

/* A title with what changes from day to day as "*": numbers and the names of
 * files. `size` is 1 at least. */
void dh_target_pattern(const char *title, char *out, int size);

#endif
