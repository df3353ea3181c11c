#include "capture/picture.h"

#include <string.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
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
