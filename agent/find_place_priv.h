/* agent/find_place_priv.h - what the rungs of the ladder share. */
#ifndef DH_AGENT_FIND_PLACE_PRIV_H
#define DH_AGENT_FIND_PLACE_PRIV_H

#include "agent/a11y.h"
#include "agent/find_place.h"
#include "agent/recording.h"

#define DH_LADDER_FLAT 32 /* of 255; what differs less is one ground */

/* How bright a pixel is. */
static inline int dh_ladder_light(const uint8_t *p)
{
    return (p[0] + 2 * p[1] + p[2]) / 4;
}

/* One search. Rectangles of `then` are in its own pixels, which are root pixels
 * of that time. */
struct dh_ladder {
    const struct dh_scene *now;
    const struct dh_recorded_target *t;
    const struct dh_frame *then;
    struct dh_rect tight, wide; /* in `then`; empty: there is none */
    bool is_line;               /* tight is the text of a menu's line */
    struct dh_point by;         /* how far the window has moved */
    struct dh_places *out;
    bool asked; /* the tree; `hits` is what it said */
    bool told;
    struct dh_a11y_hits hits;
};

enum dh_rung_found { DH_FOUND_NONE, DH_FOUND_ONE, DH_FOUND_SEVERAL };

/* Where to act, of an element that is `rect` now. */
struct dh_point dh_ladder_point(const struct dh_ladder *l, struct dh_rect rect);
void dh_ladder_add(struct dh_ladder *l, enum dh_rung rung, struct dh_rect rect,
                   double score);
/* The tree is asked once. False: it says nothing. */
bool dh_ladder_ask(struct dh_ladder *l);
/* Tree units to root pixels. */
struct dh_rect dh_ladder_pixels(const struct dh_ladder *l, struct dh_rect r);

/* At this place, in root pixels, it looks like what was recorded, in any size.
 * Also in agent/find_template.c. */
bool dh_ladder_looks_like(const struct dh_ladder *l, struct dh_rect rect);
/* It is a line of an open menu, which is as large as it was and reads the same
 * there, whatever is lit. */
bool dh_ladder_is_menu_line(const struct dh_ladder *l);
/* The text of the line of a menu that is nearest to the row `y`, and what is
 * blank behind it. False: there is none. In pixels of the frame. */
bool dh_ladder_line_text(const struct dh_frame *f, struct dh_rect menu, int y,
                         struct dh_rect *out);
/* Rung 4: agent/find_template.c. */
enum dh_rung_found dh_ladder_template(struct dh_ladder *l);
/* Rung 5: chooses among the candidates from number `first` on. */
enum dh_rung_found dh_ladder_anchors(struct dh_ladder *l, int first);

#endif
