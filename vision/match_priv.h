/*
 * vision/match_priv.h - correlation and bounds of it.
 *
 * With T the crop and I the picture below it, both less their means, the score
 * is <T,I> / |T||I|. Over tiles of s x s pixels, let Ts and Is be the means of
 * the tiles and Tr, Ir what is left: <T,I> = <Ts,Is> + <Tr,Ir>, and the second
 * is at most |Tr||Ir|. The norms of the rests follow from those of the others,
 * so the means alone, one number for s * s pixels, give a bound.
 */
#ifndef DH_VISION_MATCH_PRIV_H
#define DH_VISION_MATCH_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/geom.h"
#include "base/status.h"

struct dh_frame;

#define DH_MATCH_FLAT_STD  4.0
#define DH_MATCH_BLANK_STD 1.0 // of the picture: a score of 0
/* So many places are bounded at once. */
#define DH_MATCH_BLOCK     32

/* What is compared, 0..255, rows `pitch` apart. */
struct dh_match_field {
    int w, h;
    size_t pitch;
    int16_t *v;
};

/* Of a rectangle that lies in the frame. By gradient it is one pixel smaller
 * than that on both axes, so that nothing outside counts; DH_ERR_RANGE where
 * nothing is left. DH_ERR_NOMEM. */
DH_MUST_USE enum dh_status dh_match_field_init(struct dh_match_field *f,
                                               const struct dh_frame *frame,
                                               struct dh_rect r, bool gradient);
void dh_match_field_finish(struct dh_match_field *f);
double dh_match_field_std(const struct dh_match_field *f);
/* The score of t with its corner at x, y of f, where it lies inside. */
double dh_match_field_score(const struct dh_match_field *f, int x, int y,
                            const struct dh_match_field *t);

/*
 * The sums of the s x s pixels from each pixel on, sorted so that tiles that
 * touch are neighbours: planes[y % s][x % s][y / s][x / s].
 */
struct dh_match_tiles {
    int s, w, h;
    size_t pitch;
    float *planes;
};

/* DH_ERR_NOMEM. */
DH_MUST_USE enum dh_status dh_match_tiles_init(struct dh_match_tiles *t,
                                               const struct dh_match_field *f,
                                               int s);
void dh_match_tiles_finish(struct dh_match_tiles *t);

/* The crop in tiles of one size. */
struct dh_match_sketch {
    int s, cols, rows;
    float *t;    /* sums of its tiles, less the mean, over s * |T| */
    double sum;  /* of these */
    double rest; /* |Tr| / |T| */
};

void dh_match_sketch_init(struct dh_match_sketch *k,
                          const struct dh_match_field *crop, int s);
void dh_match_sketch_finish(struct dh_match_sketch *k);

/* Means and norms |I| of the picture below each place of a w x h crop; a norm
 * is 0 where the picture is blank. */
struct dh_match_places {
    int w, h; /* how many places */
    float *mean, *norm;
};

/* DH_ERR_NOMEM. */
DH_MUST_USE enum dh_status dh_match_places_init(struct dh_match_places *p,
                                                const struct dh_match_field *f,
                                                int w, int h);
void dh_match_places_finish(struct dh_match_places *p);

/* No score at x, y is above this. */
float dh_match_bound(const struct dh_match_tiles *t,
                     const struct dh_match_sketch *k,
                     const struct dh_match_places *p, int x, int y);
/* The same for x, x + s, ... (DH_MATCH_BLOCK of them; those that are no places
 * get anything). */
void dh_match_bounds(const struct dh_match_tiles *t,
                     const struct dh_match_sketch *k,
                     const struct dh_match_places *p, int x, int y, float *out);

#endif
