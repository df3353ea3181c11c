/* capture/convert_priv.h - pixels of any TrueColor visual to B, G, R, X. */
#ifndef DH_CAPTURE_CONVERT_PRIV_H
#define DH_CAPTURE_CONVERT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a server packs one pixel. */
struct dh_pixel_format {
    int bits_per_pixel; /* 24 or 32 */
    bool msb_first;     /* byte order of the pixel */
    uint32_t red_mask, green_mask, blue_mask;
};

/* 24 or 32 bits, and three masks that are not empty, have no gaps, fit in the
 * pixel and do not overlap. */
bool dh_pixel_format_is_valid(const struct dh_pixel_format *f);

/*
 * Convert n pixels. Channels of more than 8 bits lose their low bits, those of
 * fewer are stretched so that full stays full. X becomes 0xff, save in the one
 * format that is a plain copy, where it is what the server sent. The format is
 * valid; src and dst do not overlap.
 */
void dh_convert_row(const struct dh_pixel_format *f, const uint8_t *src,
                    uint8_t *dst, size_t n);

#endif
