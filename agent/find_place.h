/*
 * agent/find_place.h - where a recorded place is on the screen now.
 *
 * The ladder of benchmarks.md 11.2, the cheapest and surest rung first. A rung
 * finds one place, none or several; one ends the search, several go to the
 * anchors around. A place that the program itself calls something else is none.
 */
#ifndef DH_AGENT_FIND_PLACE_H
#define DH_AGENT_FIND_PLACE_H

#include <stdbool.h>

#include "base/geom.h"

struct dh_a11y;
struct dh_a11y_hits;
struct dh_frame;
struct dh_recorded_target;
struct dh_window;

enum dh_rung {
    DH_RUNG_NONE,
    DH_RUNG_WINDOW,   /* the window, and the place in it */
    DH_RUNG_TREE,     /* role and name */
    DH_RUNG_PLACE,    /* it looks the same at the same place of the window */
    DH_RUNG_TEMPLATE, /* it looks the same elsewhere */
    DH_RUNG_ANCHORS,  /* what is around it chose among several */
    DH_RUNG_TEXT,     /* the model read its text */
    DH_RUNG_MODEL,    /* the model found it by its description */
    DH_RUNG_PERSON,   /* a person pointed at it */
};
/* "window", "tree", ... */
const char *dh_rung_name(enum dh_rung rung);

/* What is there now. */
struct dh_scene {
    const struct dh_frame *frame;
    const struct dh_window *window; /* the one that is meant; NULL: any */
    struct dh_a11y *a11y;           /* may be NULL */
    bool scaled; /* it may be of another size: other fonts, another screen */
};

/* All root pixels. */
struct dh_candidate {
    struct dh_rect rect;
    struct dh_point at; /* where to act */
    double score;       /* 0..1 */
    enum dh_rung rung;
};

#define DH_CANDIDATES 8

struct dh_places {
    bool found;   /* candidate[0] is the place */
    bool several; /* a rung found more than one, whatever came of it */
    int n;        /* of those that were looked at, the best first */
    struct dh_candidate candidate[DH_CANDIDATES];
    const char *why; /* constant; where it is not found */
};

/* Tries the rungs from `first` to `last`, ANCHORS at most. `then` is the
 * picture of the target's crops, or NULL. */
void dh_place_find(const struct dh_scene *now,
                   const struct dh_recorded_target *t,
                   const struct dh_frame *then, enum dh_rung first,
                   enum dh_rung last, struct dh_places *out);

/* The tree there says nothing else than what was recorded, or nothing. */
bool dh_place_is_plausible(const struct dh_scene *now,
                           const struct dh_recorded_target *t,
                           struct dh_point at);
/* Rung PLACE alone, for a place without an element: a box of the recorded
 * picture around `at`, moved with the window. */
bool dh_place_is_same(const struct dh_scene *now,
                      const struct dh_window *recorded,
                      const struct dh_frame *then, struct dh_rect box);

/* An element is so large that it is a container of what was meant. */
bool dh_place_is_container(const struct dh_recorded_target *t);

#endif
