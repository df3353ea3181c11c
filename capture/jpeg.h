/* capture/jpeg.h - frames from and to JPEG. */
#ifndef DH_CAPTURE_JPEG_H
#define DH_CAPTURE_JPEG_H

#include <stddef.h>

#include "base/diag.h"
#include "base/status.h"

struct dh_buf;
struct dh_frame;

/*
 * Decode a whole JPEG into a published frame with one reference, turned upright
 * as its Exif orientation says. time_ns and serial are 0. A picture of more
 * pixels than DH_PNG_MAX_PIXELS is DH_ERR_RANGE; DH_ERR_FORMAT also for one
 * that ends early; DH_ERR_NOMEM; all with *diag set, where it is not NULL. Any
 * thread.
 */
DH_MUST_USE enum dh_status dh_jpeg_decode(const void *data, size_t len,
                                          struct dh_frame **out,
                                          struct dh_diag *diag);

/* Append a JPEG of this quality, 1..100, all colours kept (4:4:4): coloured
 * text stays readable. DH_ERR_RANGE where the buffer's maximum is passed. */
DH_MUST_USE enum dh_status dh_jpeg_encode(const struct dh_frame *frame,
                                          int quality, struct dh_buf *out);

#endif
