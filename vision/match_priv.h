/*
 * vision/match_priv.h - correlation and bounds of it.
 *
 * With T the crop less its mean and I the picture below it, the score is
 * <T,I> / |T||I|, |I| being that of I less its mean. Let a tile be s x s
 * pixels, T be 0 where the last tiles stick out of the crop, and split a tile
 * of either into its mean and what is left. The means' share of <T,I> follows
 * from one number for each tile; the other is at most the product of the norms
 * of what is left, tile by tile. So two numbers for s * s pixels give a bound.
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
#define DH_MATCH_LANES     8

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
 * The s x s pixels from each pixel on, 0 outside of the field: their sums, and
 * the norms of what is left without their means. Sorted so that tiles that
 * touch are neighbours: of[y % s][x % s][y / s][x / s].
 */
struct dh_match_tiles {
    int s, w, h;
    float *sums, *rests;
};

/* s: a power of two. DH_ERR_NOMEM. */
DH_MUST_USE enum dh_status dh_match_tiles_init(struct dh_match_tiles *t,
                                               const struct dh_match_field *f,
                                               int s);
void dh_match_tiles_finish(struct dh_match_tiles *t);

/* The crop in such tiles, over its norm; rows are filled up with zeros. */
struct dh_match_sketch {
    int s, cols, rows; /* cols: a multiple of DH_MATCH_LANES */
    int used;          /* of cols */
    float *means, *rests;
};

/* Not for a flat crop. */
void dh_match_sketch_init(struct dh_match_sketch *k,
                          const struct dh_match_field *crop, int s);
void dh_match_sketch_finish(struct dh_match_sketch *k);

/* 1 / |I| for each place of a w x h crop; 0 where the picture is blank. */
struct dh_match_places {
    int w, h; /* how many places */
    float *scale;
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

struct dh_match_sums {
    int64_t a, b, aa, bb, ab;
};

/* `tiles` and `rests` of a field lie `pitch` apart, those of the crop `cols`.
 */
struct dh_match_pair {
    const float *sums, *rests;
    size_t pitch;
    const float *means, *crop_rests;
    int cols, used, rows;
};

/* The hot loops; they differ in speed alone, save for the last bits of floats.
 */
struct dh_match_kernels {
    /* Add a row of n <= 32768 values and their products. */
    void (*add_row)(struct dh_match_sums *s, const int16_t *a, const int16_t *b,
                    int n);
    /* sum of means * sums + crop_rests * rests. */
    float (*dot)(const struct dh_match_pair *p);
    /* The same at DH_MATCH_BLOCK tiles from the first on. */
    void (*dots)(const struct dh_match_pair *p, float *out);
};

/* NULL where this build or this machine has none. */
const struct dh_match_kernels *dh_match_find_avx2(void);

#endif
