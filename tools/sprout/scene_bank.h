#ifndef DH_TOOLS_SPROUT_SCENE_BANK_H
#define DH_TOOLS_SPROUT_SCENE_BANK_H

/* The bank: captured windows of real toolkits with their elements.
 *
 * File, little endian, not aligned:
 *   "SPBANK01", u32 n_windows, then per window:
 *   u32 bytes that follow for this window
 *   u16 width, u16 height, u16 n_elements, u8 toolkit, u8 flags
 *   u8 len + title (UTF-8; empty: scene_make invents one)
 *   n_elements times:
 *     i16 x0, y0, x1, y1 (x1, y1 exclusive), u8 kind, u8 role, u8 state,
 *     u8 len + label, u8 len + anchor, u8 len + value
 *   the rest: pixels, scene_bank_encode's output
 *
 * Pixels, row by row over the whole picture, as operations:
 *   00nnnnnn            n+1 literal pixels, 3 bytes each, follow
 *   01nnnnnn            n+1 pixels as in the row above
 *   10nnnnnn            n+1 times the last pixel
 *   11000000 u16        that many pixels as in the row above
 *   11000001 u16        that many times the last pixel
 * Before the first pixel all is black. For transport the file is packed as a
 * whole by xz, which finds what windows share; scene.py unpacks it. */

#include <stddef.h>
#include <stdint.h>

#include "tools/sprout/scene.h"

/* Bits of a bank window's flags. */
enum {
    SCENE_BANK_FRAMED = 1, /* the picture shows the title bar already */
    SCENE_BANK_POPUP = 2,  /* menu or other frameless window */
    SCENE_BANK_SCREEN = 4, /* whole screen: pasted at 0,0, cropped to fit */
};

/* Packs w x h RGB pixels; 4 * w * h + 16 bytes of room always suffice.
 * Returns the length, 0 when max is too small. */
SCENE_API size_t scene_bank_encode(const uint8_t *rgb, int w, int h,
                                   uint8_t *out, size_t max);

/* The reverse, into rows of stride bytes. 0, or -1 on broken input. */
SCENE_API int scene_bank_decode(const uint8_t *in, size_t len, int w, int h,
                                uint8_t *rgb, size_t stride);

#endif
