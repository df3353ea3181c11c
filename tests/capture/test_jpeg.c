#include "capture/jpeg.h"

#include <stdlib.h>
#include <string.h>

#include <turbojpeg.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "tests/dh_test.h"

enum { W = 48, H = 32 };

// Four quarters: red, green, blue, white.
static unsigned colour_at(int x, int y)
{
    static const unsigned quarter[4] = { 0xff0000, 0x00ff00, 0x0000ff,
                                         0xffffff };
    return quarter[(y >= H / 2) * 2 + (x >= W / 2)];
}

static void jpeg_make(struct dh_buf *out, int orientation)
{
    uint8_t pixels[W * H * 3];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                pixels[(y * W + x) * 3 + c] =
                    (uint8_t)(colour_at(x, y) >> (16 - 8 * c));
    tjhandle jpeg = tjInitCompress();
    unsigned char *data = NULL;
    unsigned long len = 0;
    CHECK_INT(tjCompress2(jpeg, pixels, W, 0, H, TJPF_RGB, &data, &len,
                          TJSAMP_444, 95, 0),
              0);
    dh_buf_init(out, 1 << 20);
    dh_buf_put(out, data, 2);
    if (orientation) {
        // A big-endian Exif segment with the orientation alone.
        uint8_t exif[] = { 0xff, 0xe1, 0,    34,   'E', 'x',
                           'i',  'f',  0,    0,    'M', 'M',
                           0,    42,   0,    0,    0,   8,
                           0,    1,    0x01, 0x12, 0,   3,
                           0,    0,    0,    1,    0,   (uint8_t)orientation,
                           0,    0,    0,    0,    0,   0 };
        dh_buf_put(out, exif, sizeof(exif));
    }
    dh_buf_put(out, data + 2, len - 2);
    tjFree(data);
    tjDestroy(jpeg);
}

static void check_near(const struct dh_frame *f, int x, int y, unsigned rgb)
{
    const uint8_t *p = dh_frame_at(f, x, y);
    for (int c = 0; c < 3; c++)
        CHECK_NEAR(p[2 - c], (double)(rgb >> (16 - 8 * c) & 0xff), 6);
}

static void test_colours_and_size_come_out(void)
{
    struct dh_buf b;
    struct dh_frame *f;
    jpeg_make(&b, 0);
    CHECK_INT(dh_jpeg_decode(b.data, b.len, &f, NULL), DH_OK);
    CHECK_INT(f->width, W);
    CHECK_INT(f->height, H);
    check_near(f, 4, 4, 0xff0000);
    check_near(f, W - 5, 4, 0x00ff00);
    check_near(f, 4, H - 5, 0x0000ff);
    check_near(f, W - 5, H - 5, 0xffffff);
    dh_frame_unref(f);
    dh_buf_finish(&b);
}

/* The corner that each orientation turns to the upper left, and the one that it
 * turns to the upper right. */
static void test_exif_orientation_is_applied(void)
{
    enum {
        RED = 0xff0000,
        GREEN = 0x00ff00,
        BLUE = 0x0000ff,
        WHITE = 0xffffff
    };
    static const unsigned corner[9][2] = {
        { 0 },           { RED, GREEN },   { GREEN, RED },
        { WHITE, BLUE }, { BLUE, WHITE },  { RED, BLUE },
        { BLUE, RED },   { WHITE, GREEN }, { GREEN, WHITE },
    };
    for (int o = 1; o <= 8; o++) {
        struct dh_buf b;
        struct dh_frame *f;
        jpeg_make(&b, o);
        CHECK_INT(dh_jpeg_decode(b.data, b.len, &f, NULL), DH_OK);
        CHECK_INT(f->width, o < 5 ? W : H);
        CHECK_INT(f->height, o < 5 ? H : W);
        check_near(f, 4, 4, corner[o][0]);
        check_near(f, f->width - 5, 4, corner[o][1]);
        dh_frame_unref(f);
        dh_buf_finish(&b);
    }
}

static void test_damage_is_a_format_error(void)
{
    struct dh_buf b;
    struct dh_frame *f;
    jpeg_make(&b, 6);
    for (size_t len = 0; len + 2 < b.len; len++) {
        struct dh_diag diag = { 0 };
        char *cut = malloc(len ? len : 1);
        memcpy(cut, b.data, len);
        CHECK_INT(dh_jpeg_decode(cut, len, &f, &diag), DH_ERR_FORMAT);
        CHECK(diag.text[0]);
        free(cut);
    }
    for (size_t at = 0; at < b.len; at++) {
        char old = b.data[at];
        b.data[at] ^= (char)0x55;
        if (dh_jpeg_decode(b.data, b.len, &f, NULL) == DH_OK)
            dh_frame_unref(f);
        b.data[at] = old;
    }
    dh_buf_finish(&b);
}

static void test_picture_is_told_by_its_bytes(void)
{
    struct dh_buf b;
    struct dh_frame *f;
    char *path = dh_test_path("photo.png");
    jpeg_make(&b, 0);
    CHECK_INT(dh_file_write(path, b.data, b.len), DH_OK);
    CHECK_INT(dh_picture_read(path, &f), DH_OK);
    CHECK_INT(f->width, W);
    dh_frame_unref(f);
    CHECK_INT(dh_file_write(path, "GIF89a", 6), DH_OK);
    CHECK_INT(dh_picture_read(path, &f), DH_ERR_FORMAT);
    dh_buf_finish(&b);
    dh_free(path);
}

DH_TESTS(DH_TEST(colours_and_size_come_out),
         DH_TEST(exif_orientation_is_applied),
         DH_TEST(damage_is_a_format_error),
         DH_TEST(picture_is_told_by_its_bytes));
