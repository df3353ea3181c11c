/*
 * model/quant_priv.h - storage formats of quantised weights (m3.md 2.4, 2.5).
 *
 * F8_E4M3 with E8M0 scales beside it, one for 32 elements (MXFP8); NVFP4, two
 * E2M1 codes a byte, the even element low, with E4M3 scales beside it, one for
 * 16, and one factor for all. The others are llama.cpp's blocks, in which the
 * scales lie inside: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, MXFP4 of 32
 * elements, Q2_K to Q6_K and IQ4_XS of 256.
 */
#ifndef DH_MODEL_QUANT_PRIV_H
#define DH_MODEL_QUANT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/weights_priv.h"

/* Elements that share one scale of MXFP8 and of NVFP4. */
#define DH_QUANT_MX_BLOCK 32
#define DH_QUANT_NV_BLOCK 16

/* E4M3 without infinities (0x7f and 0xff are NaN), E8M0 (255 is NaN), and the
 * lower four bits as E2M1. */
float dh_quant_e4m3(uint8_t code);
float dh_quant_e8m0(uint8_t code);
float dh_quant_e2m1(uint8_t code);

/* Elements that cannot be read one without the others: a dh_mat's cols and the
 * columns of an expansion are multiples of it. 1: not quantised. */
int dh_quant_block(enum dh_dtype t);

/* Bytes of a matrix with its scales. */
size_t dh_quant_mat_bytes(const struct dh_mat *w);

/*
 * Columns [k0, k0 + n) of one row as float32: the numbers that a file's format
 * says. Floats too. k0 and n are whole blocks.
 */
void dh_quant_expand(float *out, const struct dh_mat *w, int row, int k0,
                     int n);

/* The nearest code; beyond the largest number, that. NaN gives NaN, or of E2M1
 * zero. */
uint8_t dh_quant_to_e4m3(float f);
uint8_t dh_quant_to_e2m1(float f);

/* F8_E4M3, NVFP4, Q8_0, Q4_0, MXFP4: what dh_quant_make writes. */
bool dh_quant_can_make(enum dh_dtype t);
/*
 * n numbers, whole blocks, in the type `t`, each block with the scale that
 * leaves the least squared error. `codes` has dh_dtype_size(t, n) bytes;
 * `scales` a byte for each block of the types that keep them aside; `all` is
 * NVFP4's factor, that of dh_quant_factor.
 */
void dh_quant_make(enum dh_dtype t, const float *x, size_t n, float all,
                   uint8_t *codes, uint8_t *scales);
/* Of a matrix whose largest magnitude is `most`. */
float dh_quant_factor(float most);

#endif
