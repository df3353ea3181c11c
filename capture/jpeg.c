#include "capture/jpeg.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <turbojpeg.h>

#include "base/buf.h"
#include "capture/frame.h"
#include "capture/png.h"

#define DH_LOG_TAG "jpeg"
#include "base/log.h"

// ---- Exif orientation ------------------------------------------------------

struct exif {
    const uint8_t *p; // the TIFF part
    size_t n;
    bool big_endian;
};

static unsigned exif_u16(const struct exif *e, size_t at)
{
    if (e->n < 2 || at > e->n - 2)
        return 0;
    const uint8_t *p = e->p + at;
    return e->big_endian ? p[0] * 256u + p[1] : p[1] * 256u + p[0];
}

static size_t exif_u32(const struct exif *e, size_t at)
{
    size_t first = exif_u16(e, at), second = exif_u16(e, at + 2);
    return e->big_endian ? first << 16 | second : second << 16 | first;
}

// 1 to 8 as Exif counts them; 1 (upright) for whatever is not well formed.
static int exif_orientation(const uint8_t *p, size_t n)
{
    struct exif e = { p, n, n > 0 && p[0] == 'M' };
    size_t dir = exif_u32(&e, 4);
    unsigned n_entries = exif_u16(&e, dir);
    for (unsigned i = 0; i < n_entries; i++) {
        size_t entry = dir + 2 + i * (size_t)12;
        if (entry + 12 > n)
            return 1;
        if (exif_u16(&e, entry) == 0x0112) {
            unsigned v = exif_u16(&e, entry + 8);
            return v >= 1 && v <= 8 ? (int)v : 1;
        }
    }
    return 1;
}

// The segments before the picture data, in search of the Exif one.
static int orientation_of(const uint8_t *p, size_t n)
{
    size_t at = 2;
    while (at + 4 <= n && p[at] == 0xff && p[at + 1] != 0xda) {
        size_t len = p[at + 2] * (size_t)256 + p[at + 3];
        if (len < 2 || len > n - at - 2)
            break;
        if (p[at + 1] == 0xe1 && len >= 16 &&
            !memcmp(p + at + 4, "Exif\0\0", 6))
            return exif_orientation(p + at + 10, len - 8);
        at += 2 + len;
    }
    return 1;
}

// Where the upright picture's pixel x, y is in the stored one of w x h.
static struct dh_point stored_point(int orientation, int x, int y, int w, int h)
{
    switch (orientation) {
    case 2: return (struct dh_point){ w - 1 - x, y };
    case 3: return (struct dh_point){ w - 1 - x, h - 1 - y };
    case 4: return (struct dh_point){ x, h - 1 - y };
    case 5: return (struct dh_point){ y, x };
    case 6: return (struct dh_point){ y, h - 1 - x };
    case 7: return (struct dh_point){ w - 1 - y, h - 1 - x };
    case 8: return (struct dh_point){ w - 1 - y, x };
    default: return (struct dh_point){ x, y };
    }
}

static enum dh_status frame_turn(const struct dh_frame *from, int orientation,
                                 struct dh_frame **out)
{
    bool sideways = orientation >= 5;
    struct dh_frame *f;
    enum dh_status st =
        dh_frame_create(&f, NULL, sideways ? from->height : from->width,
                        sideways ? from->width : from->height);
    if (st)
        return st;
    for (int y = 0; y < f->height; y++) {
        for (int x = 0; x < f->width; x++) {
            struct dh_point p =
                stored_point(orientation, x, y, from->width, from->height);
            memcpy(dh_frame_at(f, x, y), dh_frame_at(from, p.x, p.y), 4);
        }
    }
    *out = f;
    return DH_OK;
}

// ---- decoding --------------------------------------------------------------

static enum dh_status refuse(struct dh_diag *diag, enum dh_status st,
                             const char *why)
{
    dh_diag_set(diag, 0, "%s", why);
    return st;
}

// Cameras leave odd bytes between the segments, which is a warning that nobody
// needs. So is an early end, but half a picture is worse than none.
static bool is_fatal(tjhandle jpeg)
{
    return tjGetErrorCode(jpeg) != TJERR_WARNING ||
           strstr(tjGetErrorStr2(jpeg), "remature end");
}

static enum dh_status picture_decode(tjhandle jpeg, const uint8_t *data,
                                     size_t len, struct dh_frame **out,
                                     struct dh_diag *diag)
{
    // Where the data ends in the header, the call may succeed and set nothing.
    int width = 0, height = 0, sampling = 0, colours = 0;
    if (tjDecompressHeader3(jpeg, data, len, &width, &height, &sampling,
                            &colours))
        return refuse(diag, DH_ERR_FORMAT, tjGetErrorStr2(jpeg));
    if (width < 1 || height < 1)
        return refuse(diag, DH_ERR_FORMAT, "a picture without a size");
    if (width > DH_FRAME_MAX_SIDE || height > DH_FRAME_MAX_SIDE ||
        (int64_t)width * height > DH_PNG_MAX_PIXELS)
        return refuse(diag, DH_ERR_RANGE, "the picture is too large");
    struct dh_frame *f;
    enum dh_status st = dh_frame_create(&f, NULL, width, height);
    if (st)
        return refuse(diag, st, "no memory for the picture");
    if (tjDecompress2(jpeg, data, len, f->pixels, width, (int)f->stride, height,
                      TJPF_BGRX, TJFLAG_LIMITSCANS) &&
        is_fatal(jpeg)) {
        dh_frame_unref(f);
        return refuse(diag, DH_ERR_FORMAT, tjGetErrorStr2(jpeg));
    }
    *out = f;
    return DH_OK;
}

enum dh_status dh_jpeg_decode(const void *data, size_t len,
                              struct dh_frame **out, struct dh_diag *diag)
{
    if (len > DH_PNG_MAX_BYTES)
        return refuse(diag, DH_ERR_RANGE, "the file is too long");
    tjhandle jpeg = tjInitDecompress();
    if (!jpeg)
        return refuse(diag, DH_ERR_NOMEM, "no memory for the decoder");
    struct dh_frame *f;
    enum dh_status st = picture_decode(jpeg, data, len, &f, diag);
    tjDestroy(jpeg);
    if (st)
        return st;
    int orientation = orientation_of(data, len);
    if (orientation != 1) {
        struct dh_frame *stored = f;
        st = frame_turn(stored, orientation, &f);
        dh_frame_unref(stored);
        if (st)
            return refuse(diag, st, "no memory for the picture");
    }
    dh_frame_publish(f);
    *out = f;
    return DH_OK;
}

// ---- encoding --------------------------------------------------------------

enum dh_status dh_jpeg_encode(const struct dh_frame *frame, int quality,
                              struct dh_buf *out)
{
    unsigned char *bytes = NULL;
    unsigned long len = 0;
    tjhandle jpeg = tjInitCompress();
    if (!jpeg)
        return DH_ERR_NOMEM;
    int failed = tjCompress2(
        jpeg, frame->pixels, frame->width, (int)frame->stride, frame->height,
        TJPF_BGRX, &bytes, &len, TJSAMP_444, quality, TJFLAG_ACCURATEDCT);
    if (failed)
        dh_error("a JPEG cannot be made: %s", tjGetErrorStr2(jpeg));
    else
        dh_buf_put(out, bytes, len);
    tjFree(bytes);
    tjDestroy(jpeg);
    if (failed)
        return DH_ERR_IO;
    return out->overflow ? DH_ERR_RANGE : DH_OK;
}
