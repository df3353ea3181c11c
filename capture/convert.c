#include "capture/convert_priv.h"

#include <string.h>

struct channel {
    uint32_t mask;
    unsigned shift, bits;
};

static struct channel channel_of(uint32_t mask)
{
    return (struct channel){ .mask = mask,
                             .shift = (unsigned)__builtin_ctz(mask),
                             .bits = (unsigned)__builtin_popcount(mask) };
}

static uint8_t channel_get(struct channel c, uint32_t pixel)
{
    uint32_t v = (pixel & c.mask) >> c.shift;
    if (c.bits >= 8)
        return (uint8_t)(v >> (c.bits - 8));
    uint32_t full = (UINT32_C(1) << c.bits) - 1;
    return (uint8_t)((v * 255 + full / 2) / full);
}

static bool mask_is_solid(uint32_t mask)
{
    if (!mask)
        return false;
    uint32_t low = mask >> __builtin_ctz(mask);
    return (low & (low + 1)) == 0;
}

bool dh_pixel_format_is_valid(const struct dh_pixel_format *f)
{
    uint32_t r = f->red_mask, g = f->green_mask, b = f->blue_mask;
    if (f->bits_per_pixel != 24 && f->bits_per_pixel != 32)
        return false;
    if (f->bits_per_pixel == 24 && ((r | g | b) >> 24))
        return false;
    if ((r & g) || (g & b) || (r & b))
        return false;
    return mask_is_solid(r) && mask_is_solid(g) && mask_is_solid(b);
}

static bool is_bgrx(const struct dh_pixel_format *f)
{
    return f->bits_per_pixel == 32 && !f->msb_first &&
           f->red_mask == 0xff0000 && f->green_mask == 0xff00 &&
           f->blue_mask == 0xff;
}

static uint32_t pixel_read(const uint8_t *p, unsigned bytes, bool msb_first)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint32_t)p[i] << 8 * (msb_first ? bytes - 1 - i : i);
    return v;
}

void dh_convert_row(const struct dh_pixel_format *f, const uint8_t *src,
                    uint8_t *dst, size_t n)
{
    if (is_bgrx(f)) {
        memcpy(dst, src, n * 4);
        return;
    }
    struct channel r = channel_of(f->red_mask), g = channel_of(f->green_mask),
                   b = channel_of(f->blue_mask);
    unsigned bytes = (unsigned)f->bits_per_pixel / 8;
    for (size_t i = 0; i < n; i++) {
        uint32_t v = pixel_read(src + i * bytes, bytes, f->msb_first);
        dst[i * 4 + 0] = channel_get(b, v);
        dst[i * 4 + 1] = channel_get(g, v);
        dst[i * 4 + 2] = channel_get(r, v);
        dst[i * 4 + 3] = 0xff;
    }
}
