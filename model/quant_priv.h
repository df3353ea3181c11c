/* model/quant_priv.h - storage formats of quantised weights (m3.md 2.4). */
#ifndef DH_MODEL_QUANT_PRIV_H
#define DH_MODEL_QUANT_PRIV_H

#include <stddef.h>
#include <stdint.h>

/* Elements that share one scale of MXFP8. */
#define DH_QUANT_MX_BLOCK 32

/* E4M3 without infinities (0x7f and 0xff are NaN) and E8M0 (255 is NaN). */
float dh_quant_e4m3(uint8_t code);
float dh_quant_e8m0(uint8_t code);

/*
 * codes[rows][cols] E4M3 with scales[rows][cols / 32] E8M0 to BF16. A product
 * has 4 significant bits, so that BF16 holds it exactly while the scale is
 * 2^-124 to 2^119; beyond that it rounds or becomes infinite. cols is a
 * multiple of 32.
 */
void dh_quant_mxfp8_to_bf16(const uint8_t *codes, const uint8_t *scales,
                            size_t rows, size_t cols, uint16_t *out);

#endif
