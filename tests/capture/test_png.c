#include "capture/png.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "capture/synth.h"
#include "tests/dh_test.h"

enum { W = 37, H = 23 };

static struct dh_frame *synth_frame(int w, int h)
{
    struct dh_synth_options o = { .width = w, .height = h, .seed = 5 };
    struct dh_source *s;
    struct dh_frame *f;
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    dh_source_destroy(s);
    return f;
}

static void test_round_trip_is_exact(void)
{
    static const int size[][2] = { { 1, 1 },   { 7, 3 },    { 640, 480 },
                                   { 333, 1 }, { 1, 1000 }, { 1920, 1080 } };
    for (size_t i = 0; i < DH_COUNTOF(size); i++) {
        struct dh_frame *f = synth_frame(size[i][0], size[i][1]), *back;
        struct dh_buf b;
        dh_buf_init(&b, 64 << 20);
        CHECK_INT(dh_png_encode(f, &b), DH_OK);
        CHECK_INT(dh_png_decode(b.data, b.len, &back, NULL), DH_OK);
        CHECK_INT(back->width, f->width);
        CHECK_INT(back->height, f->height);
        CHECK_INT(dh_frame_hash(back), dh_frame_hash(f));
        dh_frame_unref(f);
        dh_frame_unref(back);
        dh_buf_finish(&b);
    }
}

static void test_file_round_trip(void)
{
    char *path = dh_test_path("a.png");
    struct dh_frame *f = synth_frame(100, 80), *back;
    CHECK_INT(dh_png_write(path, f), DH_OK);
    CHECK_INT(dh_png_write(path, f), DH_OK);
    CHECK_INT(dh_picture_read(path, &back), DH_OK);
    CHECK_INT(dh_frame_hash(back), dh_frame_hash(f));
    dh_frame_unref(back);
    CHECK_INT(dh_png_write("/nonexistent/a.png", f) != DH_OK, 1);
    CHECK_INT(dh_picture_read("/nonexistent/a.png", &back), DH_ERR_NOTFOUND);
    dh_frame_unref(f);
    dh_free(path);
}

static void test_encode_stops_at_the_maximum(void)
{
    struct dh_frame *f = synth_frame(200, 200);
    struct dh_buf b;
    dh_buf_init(&b, 500);
    CHECK_INT(dh_png_encode(f, &b), DH_ERR_RANGE);
    dh_buf_finish(&b);
    dh_frame_unref(f);
}

// ---- PNGs of all kinds, written by libpng itself ----------------------------

struct kind {
    int color_type, bits;
    bool interlaced, transparent;
};

static void bytes_put(png_structp png, png_bytep from, size_t n)
{
    dh_buf_put(png_get_io_ptr(png), from, n);
}

static void bytes_flush(png_structp png)
{
    (void)png;
}

// Sample c of pixel x, y: any pattern that uses all bits.
static unsigned sample(int x, int y, int c, int bits)
{
    unsigned v = (unsigned)(x * 7 + y * 13 + c * 101) * 2654435761u >> 7;
    return v & ((1u << bits) - 1);
}

static int channels_of(int color_type)
{
    switch (color_type) {
    case PNG_COLOR_TYPE_GRAY_ALPHA: return 2;
    case PNG_COLOR_TYPE_RGB: return 3;
    case PNG_COLOR_TYPE_RGB_ALPHA: return 4;
    default: return 1;
    }
}

static void row_fill(uint8_t *row, const struct kind *k, int y)
{
    int n = channels_of(k->color_type);
    memset(row, 0, (size_t)W * 8);
    for (int x = 0; x < W; x++) {
        for (int c = 0; c < n; c++) {
            unsigned v = sample(x, y, c, k->bits);
            int at = x * n + c;
            if (k->bits == 16) {
                row[at * 2] = (uint8_t)(v >> 8);
                row[at * 2 + 1] = (uint8_t)v;
            } else if (k->bits == 8) {
                row[at] = (uint8_t)v;
            } else {
                int bit = at * k->bits;
                row[bit / 8] |= (uint8_t)(v << (8 - k->bits - bit % 8));
            }
        }
    }
}

static png_color palette_entry(int i)
{
    return (png_color){ (png_byte)(i * 3), (png_byte)(255 - i),
                        (png_byte)(i * 5 + 1) };
}

static void transparency_set(png_structp png, png_infop info,
                             const struct kind *k)
{
    png_byte alpha[16];
    png_color_16 colour = { .gray = 1, .red = 2, .green = 3, .blue = 4 };
    memset(alpha, 0, sizeof(alpha));
    if (k->color_type == PNG_COLOR_TYPE_PALETTE)
        png_set_tRNS(png, info, alpha, 1 << DH_MIN(k->bits, 4), NULL);
    else
        png_set_tRNS(png, info, NULL, 0, &colour);
}

static void kind_write(const struct kind *k, struct dh_buf *out)
{
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, out, bytes_put, bytes_flush);
    png_set_IHDR(png, info, W, H, k->bits, k->color_type,
                 k->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_color palette[256];
    for (int i = 0; i < 256; i++)
        palette[i] = palette_entry(i);
    if (k->color_type == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 1 << k->bits);
    if (k->transparent)
        transparency_set(png, info, k);
    png_write_info(png, info);
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < H; y++) {
            uint8_t row[W * 8];
            row_fill(row, k, y);
            png_write_row(png, row);
        }
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

// What channel c (0 red, 1 green, 2 blue) has to be.
static unsigned wanted(const struct kind *k, int x, int y, int c)
{
    if (k->color_type == PNG_COLOR_TYPE_PALETTE) {
        png_color e = palette_entry((int)sample(x, y, 0, k->bits));
        return c == 0 ? e.red : c == 1 ? e.green : e.blue;
    }
    bool grey = !(k->color_type & PNG_COLOR_MASK_COLOR);
    unsigned v = sample(x, y, grey ? 0 : c, k->bits);
    if (k->bits == 16)
        return v >> 8;
    return v * 255 / ((1u << k->bits) - 1);
}

static void kind_check(const struct kind *k)
{
    struct dh_buf b;
    dh_buf_init(&b, 1 << 20);
    kind_write(k, &b);
    struct dh_frame *f;
    struct dh_diag diag = { 0 };
    CHECK_INT(dh_png_decode(b.data, b.len, &f, &diag), DH_OK);
    CHECK_INT(f->width, W);
    CHECK_INT(f->height, H);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            for (int c = 0; c < 3; c++)
                CHECK_INT(dh_frame_at(f, x, y)[2 - c], wanted(k, x, y, c));
            CHECK_INT(dh_frame_at(f, x, y)[3], 0xff);
        }
    }
    dh_frame_unref(f);
    dh_buf_finish(&b);
}

/* Every colour type, depth, interlace and transparency: colours come out, alpha
 * changes nothing. */
static void test_every_kind_is_read(void)
{
    static const struct {
        int color_type, bits[6];
    } t[] = {
        { PNG_COLOR_TYPE_GRAY, { 1, 2, 4, 8, 16 } },
        { PNG_COLOR_TYPE_PALETTE, { 1, 2, 4, 8 } },
        { PNG_COLOR_TYPE_GRAY_ALPHA, { 8, 16 } },
        { PNG_COLOR_TYPE_RGB, { 8, 16 } },
        { PNG_COLOR_TYPE_RGB_ALPHA, { 8, 16 } },
    };
    for (size_t i = 0; i < DH_COUNTOF(t); i++) {
        for (const int *bits = t[i].bits; *bits; bits++) {
            for (int v = 0; v < 4; v++) {
                struct kind k = { t[i].color_type, *bits, v & 1, v & 2 };
                if (k.transparent && (k.color_type & PNG_COLOR_MASK_ALPHA))
                    continue;
                kind_check(&k);
            }
        }
    }
}

// ---- damage ----------------------------------------------------------------

static void test_cut_short_anywhere_is_a_format_error(void)
{
    static const struct kind kinds[] = {
        { PNG_COLOR_TYPE_RGB, 8, false, false },
        { PNG_COLOR_TYPE_PALETTE, 8, true, true },
    };
    for (size_t i = 0; i < DH_COUNTOF(kinds); i++) {
        struct dh_buf b;
        dh_buf_init(&b, 1 << 20);
        kind_write(&kinds[i], &b);
        for (size_t len = 0; len < b.len; len += len < 97 ? 1 : 97) {
            struct dh_frame *f;
            struct dh_diag diag = { 0 };
            // A buffer of that very size, so that a sanitizer sees one byte
            // too many.
            char *cut = malloc(len ? len : 1);
            memcpy(cut, b.data, len);
            CHECK_INT(dh_png_decode(cut, len, &f, &diag), DH_ERR_FORMAT);
            CHECK(diag.text[0]);
            CHECK(diag.offset <= len);
            free(cut);
        }
        dh_buf_finish(&b);
    }
}

/* Any byte changed: an answer, and the same size where it is a picture. */
static void test_damaged_bytes_do_no_harm(void)
{
    struct kind k = { PNG_COLOR_TYPE_RGB_ALPHA, 8, true, false };
    struct dh_buf b;
    dh_buf_init(&b, 1 << 20);
    kind_write(&k, &b);
    struct dh_rng rng;
    dh_rng_init(&rng, 1);
    for (int i = 0; i < 3000; i++) {
        size_t at = dh_rng_below(&rng, b.len);
        char old = b.data[at];
        b.data[at] = (char)dh_rng_next(&rng);
        struct dh_frame *f;
        if (dh_png_decode(b.data, b.len, &f, NULL) == DH_OK) {
            CHECK_INT(f->width, W);
            dh_frame_unref(f);
        }
        b.data[at] = old;
    }
    dh_buf_finish(&b);
}

static void u32_put(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t crc_of(const uint8_t *p, size_t n)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
    }
    return ~c;
}

static enum dh_status decode_claiming(uint32_t w, uint32_t h)
{
    struct kind k = { PNG_COLOR_TYPE_RGB, 8, false, false };
    struct dh_buf b;
    dh_buf_init(&b, 1 << 20);
    kind_write(&k, &b);
    uint8_t *p = (uint8_t *)b.data;
    u32_put(p + 16, w);
    u32_put(p + 20, h);
    u32_put(p + 29, crc_of(p + 12, 17));
    struct dh_frame *f;
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_png_decode(p, b.len, &f, &diag);
    CHECK(diag.text[0]);
    dh_buf_finish(&b);
    return st;
}

static void test_absurd_sizes_are_refused_before_memory_is_taken(void)
{
    long before = dh_mem_big_count();
    CHECK_INT(decode_claiming(32769, 1), DH_ERR_RANGE);
    CHECK_INT(decode_claiming(1, 32769), DH_ERR_RANGE);
    CHECK_INT(decode_claiming(8193, 8193), DH_ERR_RANGE);
    CHECK_INT(decode_claiming(0x7fffffff, 0x7fffffff) != DH_OK, 1);
    CHECK_INT(decode_claiming(0, 5), DH_ERR_FORMAT);
    CHECK_INT(decode_claiming(0x80000000, 5), DH_ERR_FORMAT);
    // Within the limits, but no such picture fits in so few bytes.
    CHECK_INT(decode_claiming(8192, 8192), DH_ERR_FORMAT);
    CHECK_INT(dh_mem_big_count(), before);
}

static void test_no_memory_is_a_status(void)
{
    struct kind k = { PNG_COLOR_TYPE_RGB, 8, false, false };
    struct dh_buf b;
    dh_buf_init(&b, 1 << 20);
    kind_write(&k, &b);
    struct dh_frame *f;
    struct dh_diag diag = { 0 };
    dh_mem_fail_after(0);
    CHECK_INT(dh_png_decode(b.data, b.len, &f, &diag), DH_ERR_NOMEM);
    dh_mem_fail_after(-1);
    CHECK(diag.text[0]);
    dh_buf_finish(&b);
}

DH_TESTS(DH_TEST(round_trip_is_exact), DH_TEST(file_round_trip),
         DH_TEST(encode_stops_at_the_maximum), DH_TEST(every_kind_is_read),
         DH_TEST(cut_short_anywhere_is_a_format_error),
         DH_TEST(damaged_bytes_do_no_harm),
         DH_TEST(absurd_sizes_are_refused_before_memory_is_taken),
         DH_TEST(no_memory_is_a_status));
