/* vision/match.h - where a part of one picture is in another. */
#ifndef DH_VISION_MATCH_H
#define DH_VISION_MATCH_H

#include <stdbool.h>

#include "base/geom.h"

struct dh_frame;

/* A member that is 0 stands for the value in brackets. */
struct dh_match_options {
    double accept; /* the least score of a match [0.92; by gradient 0.80] */
    double apart;  /* the next best place scores so much less [0.05] */
    /* The crop is looked for at these sizes, in steps of 1.06 [1.0 only]. */
    double scale_min, scale_max;
    /* Compare how steep pixels are rather than how bright: survives other
     * colours, but not other shapes. */
    bool gradient;
};

struct dh_match {
    struct dh_rect rect; /* where the clipped crop is, in pixels of `in` */
    double score, scale;
};

enum dh_match_found {
    DH_MATCH_NONE,    /* nowhere, or there is nothing to look in or for */
    DH_MATCH_ONE,     /* best[0] */
    DH_MATCH_SEVERAL, /* more than one place that cannot be told apart */
    DH_MATCH_FLAT,    /* the crop shows too little to be told from others */
};

/*
 * Look in `area` of `in` for what `crop` of `from` shows. Both rectangles are
 * clipped to their pictures; the whole of the crop has to lie in the area.
 *
 * A score is the normalised cross-correlation of brightness, 1 for an exact
 * copy; brightness and contrast do not matter. Places are compared as far down
 * as accept - apart, and none of them is missed: what is ruled out on a smaller
 * picture is so by a bound. Places of which one is merely the slope of the
 * other count once. best[0 .. *n - 1], `max` at most, are those places, the
 * best first, also where none of them is accepted.
 *
 * A crop whose standard deviation is below 4 of 255 is flat; where the picture
 * deviates by less than 1 the score is 0. `o` may be NULL.
 *
 * A crop of 200 x 80 in a picture of 1920 x 1080 takes one core of a server of
 * 2026 50 to 70 ms by brightness and 60 to 90 ms by gradient, found or not, and
 * 0.8 s in all 20 sizes from 0.67 to 2; a window of 600 x 400 takes a tenth. No
 * search goes on for more than about a second a size: where a pattern repeats
 * all over the picture, the answer is then DH_MATCH_SEVERAL. Any thread; 40
 * bytes for each pixel of the area.
 */
enum dh_match_found dh_match_find(const struct dh_frame *in,
                                  struct dh_rect area,
                                  const struct dh_frame *from,
                                  struct dh_rect crop,
                                  const struct dh_match_options *o,
                                  struct dh_match *best, int max, int *n);

/*
 * How well `in` at `at` matches the crop, -1 to 1, without a search. What
 * sticks out of either picture is left out of the comparison. 0 where more than
 * half of the crop does or where either side is flat. 30 us for 200 x 80.
 */
double dh_match_score(const struct dh_frame *in, struct dh_point at,
                      const struct dh_frame *from, struct dh_rect crop,
                      bool gradient);

#endif
