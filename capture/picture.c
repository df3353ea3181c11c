#include "capture/picture.h"

#include <stdbool.h>
#include <string.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/jpeg.h"
#include "capture/png.h"

#define DH_LOG_TAG "picture"
#include "base/log.h"

static bool is_jpeg(const char *data, size_t len)
{
    return len >= 3 && !memcmp(data, "\xff\xd8\xff", 3);
}

enum dh_status dh_picture_read(const char *path, struct dh_frame **out)
{
    char *data;
    size_t len;
    enum dh_status st = dh_file_read(path, DH_PNG_MAX_BYTES, &data, &len);
    if (st)
        return st;
    struct dh_diag diag = { 0 };
    st = is_jpeg(data, len) ? dh_jpeg_decode(data, len, out, &diag)
                            : dh_png_decode(data, len, out, &diag);
    if (st)
        dh_error("cannot read the picture \"%s\": %s (at byte %zu)", path,
                 diag.text, diag.offset);
    dh_big_free(data);
    return st;
}
