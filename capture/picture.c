#include "capture/picture.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/jpeg.h"
#include "capture/png.h"

#define DH_LOG_TAG "picture"
#include "base/log.h"

static enum dh_status picture_decode(const char *data, size_t len,
                                     struct dh_frame **out,
                                     struct dh_diag *diag)
{
    if (len >= 3 && !memcmp(data, "\xff\xd8\xff", 3))
        return dh_jpeg_decode(data, len, out, diag);
    if (len >= 4 && !memcmp(data, "\x89PNG", 4))
        return dh_png_decode(data, len, out, diag);
    dh_diag_set(diag, 0, "neither a PNG nor a JPEG");
    return DH_ERR_FORMAT;
}

enum dh_status dh_picture_read(const char *path, struct dh_frame **out)
{
    char *data;
    size_t len;
    enum dh_status st = dh_file_read(path, DH_PNG_MAX_BYTES, &data, &len);
    if (st)
        return st;
    struct dh_diag diag = { 0 };
    st = picture_decode(data, len, out, &diag);
    if (st)
        dh_error("cannot read the picture \"%s\": %s (at byte %zu)", path,
                 diag.text, diag.offset);
    dh_big_free(data);
    return st;
}

static int big_endian(const uint8_t *p, int n)
{
    int v = 0;
    while (n--)
        v = (v << 8 | *p++) & 0x7fffff;
    return v;
}

// The markers of a JPEG up to the one that tells the size.
static bool jpeg_size(FILE *f, struct dh_size *out)
{
    uint8_t h[9];
    if (fseek(f, 2, SEEK_SET))
        return false;
    while (fread(h, 1, 4, f) == 4 && h[0] == 0xff) {
        int kind = h[1], len = big_endian(h + 2, 2);
        bool frame = kind >= 0xc0 && kind <= 0xcf && kind != 0xc4 &&
                     kind != 0xc8 && kind != 0xcc;
        if (frame && fread(h, 1, 5, f) == 5) {
            *out =
                (struct dh_size){ big_endian(h + 3, 2), big_endian(h + 1, 2) };
            return true;
        }
        if (frame || len < 2 || fseek(f, len - 2, SEEK_CUR))
            return false;
    }
    return false;
}

enum dh_status dh_picture_size(const char *path, struct dh_size *out)
{
    uint8_t h[24];
    struct dh_size size = { 0, 0 };
    FILE *f = fopen(path, "re");
    if (!f)
        return DH_ERR_NOTFOUND;
    size_t n = fread(h, 1, sizeof h, f);
    bool ok = false;
    if (n == sizeof h && !memcmp(h, "\x89PNG\r\n\x1a\n", 8)) {
        size = (struct dh_size){ big_endian(h + 16, 4), big_endian(h + 20, 4) };
        ok = true;
    } else if (n >= 4 && !memcmp(h, "\xff\xd8\xff", 3)) {
        ok = jpeg_size(f, &size);
    }
    fclose(f);
    if (!ok || size.w < 1 || size.h < 1 || size.w > DH_FRAME_MAX_SIDE ||
        size.h > DH_FRAME_MAX_SIDE)
        return DH_ERR_FORMAT;
    *out = size;
    return DH_OK;
}
