/* capture/video_out.h - frames into a video file. */
#ifndef DH_CAPTURE_VIDEO_OUT_H
#define DH_CAPTURE_VIDEO_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct dh_frame;

/*
 * One file being written, Matroska unless mp4 is asked for: H.264 (x264, all
 * colours kept, constant quality, or on request without loss) where this FFmpeg
 * has it, else FFV1, which loses nothing. Frames are shown from their time on,
 * in milliseconds; a key frame comes at least every 10 s. A file that is cut
 * short plays up to about its last second.
 *
 * It belongs to one thread at a time.
 */
struct dh_video_out;

struct dh_video_out_options {
    int width, height; /* of the video: 1..16384 */
    int64_t base_ns;   /* the frame time that is 0 in the video */
    int64_t frame_ms;  /* how long each is shown; 0: until the next one */
    bool lossless;
    bool mp4;  /* for other programs' decoders: MP4, H.264 with halved colours;
                * whole only once it was ended */
    bool fast; /* H.264 in half the time, and a larger file */
};

/* Create or overwrite the file. DH_ERR_RANGE for the size, DH_ERR_IO,
 * DH_ERR_UNSUPPORTED where FFmpeg lacks an encoder. */
DH_MUST_USE enum dh_status
dh_video_out_create(struct dh_video_out **out, const char *path,
                    const struct dh_video_out_options *options);

/*
 * Append a frame. One of another size is cut or padded with black at the right
 * and the bottom. Times that do not grow are moved on by a millisecond. *pts_ms
 * (NULL is allowed) is where it starts in the video.
 *
 * DH_ERR_IO: it could not be written, e.g. the disk is full. That is logged
 * once, and all later calls say the same at once.
 */
DH_MUST_USE enum dh_status dh_video_out_write(struct dh_video_out *v,
                                              const struct dh_frame *frame,
                                              int64_t *pts_ms);

/* Write what is still held back and the index. Nothing may be written then. */
DH_MUST_USE enum dh_status dh_video_out_end(struct dh_video_out *v);

/* NULL is allowed. Without an end before, the file is as if cut short. */
void dh_video_out_destroy(struct dh_video_out *v);

/* The encoder in use: "libx264", "libx264rgb" or "ffv1". */
const char *dh_video_out_codec(const struct dh_video_out *v);

#endif
