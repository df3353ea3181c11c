/*
 * vision/resize_priv.h - the bicubic antialias resampler on bytes (m3.md 6.3).
 *
 * Two passes with 16-bit weights, each rounding to bytes: across, then down.
 * The picture between them is planar: a row is the R plane, then G, then B,
 * `pitch` bytes each. Fast kernels give the same bytes as the plain ones.
 */
#ifndef DH_VISION_RESIZE_PRIV_H
#define DH_VISION_RESIZE_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A pitch is a multiple of this, and so is the length that `down` gets. */
#define DH_RESIZE_VECTOR 32

/*
 * out[i] = (2^(shift-1) + sum over j < count[i] of
 *           weights[i * stride + j] * in[first[i] + j]) >> shift, clamped.
 *
 * stride is even, weights beyond count[i] are 0, first[] never falls. Where
 * stride <= n_in, all of first[i] .. first[i] + stride - 1 lies inside, so that
 * a kernel may read it. The arrays go on with zeros to a multiple of 8 outputs.
 */
struct dh_resize_axis {
    int n_in, n_out;
    int stride, shift;
    int32_t *first, *count;
    int16_t *weights;
};

/* n_in, n_out: 1 to 2^20. DH_ERR_NOMEM. */
DH_MUST_USE enum dh_status dh_resize_axis_init(struct dh_resize_axis *a,
                                               int n_in, int n_out);
/* A zeroed axis is allowed. */
void dh_resize_axis_finish(struct dh_resize_axis *a);

struct dh_resize_kernels {
    const char *name;
    /* Two rows of a->n_in BGRX pixels to two planar rows; in[0] may be in[1],
     * the outputs differ. Bytes up to the next multiple of 8 outputs are
     * written, too. */
    void (*across)(const struct dh_resize_axis *a, const uint8_t *const in[2],
                   uint8_t *const out[2], size_t pitch);
    /* n_taps (even) rows in[] of n bytes to one; n is a multiple of
     * DH_RESIZE_VECTOR. */
    void (*down)(const int16_t *weights, int n_taps, int shift,
                 const uint8_t *const *in, uint8_t *out, size_t n);
    /* out[y * side + x] = (in[y * in_stride + x] - mean) / std. */
    void (*normalise)(const uint8_t *in, size_t in_stride, int side, float mean,
                      float std, float *out);
};

extern const struct dh_resize_kernels dh_resize_plain;
/* NULL where this build or this machine has none. */
const struct dh_resize_kernels *dh_resize_find_avx2(void);
const struct dh_resize_kernels *dh_resize_find_avx512(void);
/* The fastest of this machine. */
const struct dh_resize_kernels *dh_resize_best(void);

#endif
