#include "capture/convert_priv.h"

#include <string.h>

#include "base/mem.h"
#include "tests/dh_test.h"

struct example {
    const char *name;
    struct dh_pixel_format format;
    uint8_t in[4];
    uint8_t b, g, r;
};

/* One pixel of each way to pack it. */
static void test_every_packing_becomes_bgrx(void)
{
    static const struct example t[] = {
        { "bgrx",
          { 32, false, 0xff0000, 0xff00, 0xff },
          { 1, 2, 3, 9 },
          1,
          2,
          3 },
        { "xrgb bytes",
          { 32, true, 0xff0000, 0xff00, 0xff },
          { 9, 3, 2, 1 },
          1,
          2,
          3 },
        { "rgbx",
          { 32, false, 0xff, 0xff00, 0xff0000 },
          { 3, 2, 1, 9 },
          1,
          2,
          3 },
        { "masks in the high bytes",
          { 32, false, 0xff000000, 0xff0000, 0xff00 },
          { 9, 1, 2, 3 },
          1,
          2,
          3 },
        { "three bytes",
          { 24, false, 0xff0000, 0xff00, 0xff },
          { 1, 2, 3 },
          1,
          2,
          3 },
        { "three bytes, most significant first",
          { 24, true, 0xff0000, 0xff00, 0xff },
          { 3, 2, 1 },
          1,
          2,
          3 },
        // 10 bits each: red 1023, green 516 (0x204), blue 3.
        { "30 bits",
          { 32, false, 0x3ff00000, 0xffc00, 0x3ff },
          { 0x03, 0x10, 0xf8, 0x3f },
          0,
          0x81,
          255 },
        // 5, 6 and 5 bits in 32: red 31, green 32, blue 1.
        { "few bits",
          { 32, false, 0xf800, 0x7e0, 0x1f },
          { 0x01, 0xfc, 0, 0 },
          8,
          130,
          255 },
    };
    for (size_t i = 0; i < DH_COUNTOF(t); i++) {
        CHECK(dh_pixel_format_is_valid(&t[i].format));
        size_t bytes = (size_t)t[i].format.bits_per_pixel / 8;
        uint8_t in[12], out[12];
        for (size_t p = 0; p < 3; p++)
            memcpy(in + p * bytes, t[i].in, bytes);
        dh_convert_row(&t[i].format, in, out, 3);
        const uint8_t want[3] = { t[i].b, t[i].g, t[i].r };
        CHECK_MEM(out, want, 3);
        CHECK_MEM(out + 8, want, 3);
    }
}

static void test_formats_that_make_no_sense_are_refused(void)
{
    static const struct dh_pixel_format bad[] = {
        { 16, false, 0xf800, 0x7e0, 0x1f },      // not ours
        { 32, false, 0, 0xff00, 0xff },          // no red
        { 32, false, 0xff0000, 0xff00, 0xfff },  // overlap
        { 32, false, 0xf0f000, 0xff0, 0xf },     // overlap and gap
        { 32, false, 0xf0f00000, 0xff00, 0xff }, // gap
        { 24, false, 0xff000000, 0xff00, 0xff }, // outside of the pixel
    };
    for (size_t i = 0; i < DH_COUNTOF(bad); i++)
        CHECK(!dh_pixel_format_is_valid(&bad[i]));
}

DH_TESTS(DH_TEST(every_packing_becomes_bgrx),
         DH_TEST(formats_that_make_no_sense_are_refused));
