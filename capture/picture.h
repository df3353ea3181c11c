/* capture/picture.h - a picture file of any kind that is known. */
#ifndef DH_CAPTURE_PICTURE_H
#define DH_CAPTURE_PICTURE_H

#include "base/geom.h"
#include "base/status.h"

struct dh_frame;

/* Read a PNG or a JPEG file, told apart by its first bytes, not by its name.
 * Logs what went wrong, with the path. Also DH_ERR_IO and DH_ERR_NOTFOUND. */
DH_MUST_USE enum dh_status dh_picture_read(const char *path,
                                           struct dh_frame **out);
/* Its size alone, from its first bytes. Logs nothing; DH_ERR_NOTFOUND, and
 * DH_ERR_FORMAT for what is neither. */
DH_MUST_USE enum dh_status dh_picture_size(const char *path,
                                           struct dh_size *out);

#endif
