/* capture/png.h - frames to and from PNG. */
#ifndef DH_CAPTURE_PNG_H
#define DH_CAPTURE_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/status.h"

struct dh_buf;
struct dh_frame;

/* A picture that claims to be larger is DH_ERR_RANGE before any memory is
 * taken, as is one with a side above DH_FRAME_MAX_SIDE. */
#define DH_PNG_MAX_PIXELS (INT64_C(64) * 1024 * 1024)
/* And so is a longer file. */
#define DH_PNG_MAX_BYTES  ((size_t)512 * 1024 * 1024)

/*
 * Decode a whole PNG of any colour type, bit depth and interlace into a
 * published frame with one reference. 16-bit samples keep their high byte,
 * grey is spread to three channels, alpha is dropped without compositing,
 * gamma and colour profiles are not applied; time_ns and serial are 0.
 *
 * DH_ERR_FORMAT where it is no PNG, is damaged or ends early, DH_ERR_RANGE,
 * DH_ERR_NOMEM; all with *diag set, where it is not NULL. Any thread.
 */
DH_MUST_USE enum dh_status dh_png_decode(const void *data, size_t len,
                                         struct dh_frame **out,
                                         struct dh_diag *diag);
/* Append an 8-bit RGB picture to `out`. DH_ERR_RANGE where its maximum is
 * passed; it then holds a part. Fast rather than small. */
DH_MUST_USE enum dh_status dh_png_encode(const struct dh_frame *frame,
                                         struct dh_buf *out);
/* Write a file: the old one, if any, or the whole new one is there. */
DH_MUST_USE enum dh_status dh_png_write(const char *path,
                                        const struct dh_frame *frame);

#endif
