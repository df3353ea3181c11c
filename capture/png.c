#include "capture/png.h"

#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <png.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"

#define DH_LOG_TAG "png"
#include "base/log.h"

// libpng leaves an error by longjmp. So what the code behind setjmp changes
// lives here, in the caller's frame, and never in a local variable of the
// function that called setjmp.
struct reader {
    png_structp png;
    png_infop info;
    const uint8_t *data;
    size_t len, pos;
    struct dh_frame *frame;
    enum dh_status status;
    struct dh_diag *diag;
};

struct writer {
    png_structp png;
    png_infop info;
    const struct dh_frame *frame;
    struct dh_buf *out;
};

static void warning_note(png_structp png, png_const_charp text)
{
    (void)png;
    dh_debug("%s", text);
}

// ---- reading ---------------------------------------------------------------

// What the picture is; the first reason wins.
DH_NORETURN static void refuse(struct reader *r, enum dh_status st,
                               const char *why)
{
    if (!r->status)
        r->status = st;
    dh_diag_set(r->diag, r->pos, "%s", why);
    png_longjmp(r->png, 1);
}

DH_NORETURN static void read_failed(png_structp png, png_const_charp text)
{
    refuse(png_get_error_ptr(png), DH_ERR_FORMAT, text);
}

static void bytes_read(png_structp png, png_bytep to, size_t n)
{
    struct reader *r = png_get_io_ptr(png);
    if (n > r->len - r->pos)
        refuse(r, DH_ERR_FORMAT, "the file ends too early");
    memcpy(to, r->data + r->pos, n);
    r->pos += n;
}

// Whatever comes in, 8-bit B, G, R, X goes out.
static void transforms_set(struct reader *r)
{
    png_set_expand(r->png); // palette, small grey, transparency
    png_set_strip_16(r->png);
    png_set_gray_to_rgb(r->png);
    png_set_strip_alpha(r->png);
    png_set_filler(r->png, 0xff, PNG_FILLER_AFTER);
    png_set_bgr(r->png);
}

static void size_check(struct reader *r)
{
    int64_t w = png_get_image_width(r->png, r->info);
    int64_t h = png_get_image_height(r->png, r->info);
    if (w > DH_FRAME_MAX_SIDE || h > DH_FRAME_MAX_SIDE ||
        w * h > DH_PNG_MAX_PIXELS)
        refuse(r, DH_ERR_RANGE, "the picture is too large");
}

// Each byte of the data can hold no more than about 8 x 1032 pixels, so that a
// picture of many pixels in few bytes is damaged, and no memory is spent on it.
static void density_check(struct reader *r)
{
    size_t row = png_get_rowbytes(r->png, r->info);
    size_t raw = row * png_get_image_height(r->png, r->info);
    if (raw / 1100 > r->len)
        refuse(r, DH_ERR_FORMAT, "too few bytes for the size of the picture");
}

static void picture_read(struct reader *r)
{
    png_read_info(r->png, r->info);
    size_check(r);
    density_check(r);
    transforms_set(r);
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);

    int width = (int)png_get_image_width(r->png, r->info);
    int height = (int)png_get_image_height(r->png, r->info);
    if (png_get_rowbytes(r->png, r->info) != (size_t)width * 4)
        refuse(r, DH_ERR_UNSUPPORTED, "a kind of pixels that is not known");
    enum dh_status st = dh_frame_create(&r->frame, NULL, width, height);
    if (st)
        refuse(r, st, "no memory for the picture");
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < height; y++)
            png_read_row(r->png, dh_frame_at(r->frame, 0, y), NULL);
    png_read_end(r->png, NULL);
}

static bool picture_read_safely(struct reader *r)
{
    if (setjmp(png_jmpbuf(r->png)))
        return false;
    picture_read(r);
    return true;
}

enum dh_status dh_png_decode(const void *data, size_t len,
                             struct dh_frame **out, struct dh_diag *diag)
{
    struct reader r = { .data = data, .len = len, .diag = diag };
    if (len > DH_PNG_MAX_BYTES) {
        dh_diag_set(diag, 0, "longer than %zu bytes", DH_PNG_MAX_BYTES);
        return DH_ERR_RANGE;
    }
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, read_failed,
                                   warning_note);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    if (!r.info) {
        png_destroy_read_struct(&r.png, NULL, NULL);
        dh_diag_set(diag, 0, "no memory for the decoder");
        return DH_ERR_NOMEM;
    }
    png_set_read_fn(r.png, &r, bytes_read);
    // All but the picture (-1) is left out: texts and profiles may be long or
    // compressed, and libpng believes what they say of their length.
    png_set_keep_unknown_chunks(r.png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_chunk_malloc_max(r.png, 4 << 20);
    png_set_user_limits(r.png, 0x7fffffff, 0x7fffffff);

    bool read = picture_read_safely(&r);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    if (!read) {
        dh_frame_unref(r.frame);
        return r.status;
    }
    dh_frame_publish(r.frame);
    *out = r.frame;
    return DH_OK;
}

// ---- writing ---------------------------------------------------------------

DH_NORETURN static void write_failed(png_structp png, png_const_charp text)
{
    dh_error("cannot write a picture: %s", text);
    png_longjmp(png, 1);
}

static void bytes_write(png_structp png, png_bytep from, size_t n)
{
    struct writer *w = png_get_io_ptr(png);
    dh_buf_put(w->out, from, n);
    if (w->out->overflow)
        png_error(png, "it takes more bytes than allowed");
}

static void bytes_flush(png_structp png)
{
    (void)png;
}

static void picture_write(struct writer *w)
{
    const struct dh_frame *f = w->frame;
    png_set_IHDR(w->png, w->info, (png_uint_32)f->width, (png_uint_32)f->height,
                 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(w->png, 1);
    png_set_filter(w->png, PNG_FILTER_TYPE_BASE,
                   PNG_FILTER_SUB | PNG_FILTER_UP);
    png_write_info(w->png, w->info);
    png_set_filler(w->png, 0, PNG_FILLER_AFTER);
    png_set_bgr(w->png);
    for (int y = 0; y < f->height; y++)
        png_write_row(w->png, dh_frame_at(f, 0, y));
    png_write_end(w->png, NULL);
}

static bool picture_write_safely(struct writer *w)
{
    if (setjmp(png_jmpbuf(w->png)))
        return false;
    picture_write(w);
    return true;
}

enum dh_status dh_png_encode(const struct dh_frame *frame, struct dh_buf *out)
{
    struct writer w = { .frame = frame, .out = out };
    w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, write_failed,
                                    warning_note);
    w.info = w.png ? png_create_info_struct(w.png) : NULL;
    if (!w.info) {
        png_destroy_write_struct(&w.png, NULL);
        dh_error("no memory for the PNG encoder");
        return DH_ERR_NOMEM;
    }
    png_set_write_fn(w.png, &w, bytes_write, bytes_flush);
    bool written = picture_write_safely(&w);
    png_destroy_write_struct(&w.png, &w.info);
    return written ? DH_OK : DH_ERR_RANGE;
}

enum dh_status dh_png_write(const char *path, const struct dh_frame *frame)
{
    struct dh_buf b;
    dh_buf_init(&b, DH_PNG_MAX_BYTES);
    enum dh_status st = dh_png_encode(frame, &b);
    if (!st)
        st = dh_file_write(path, b.data, b.len);
    dh_buf_finish(&b);
    return st;
}
