/* capture/video_in.h - frames from a video file. */
#ifndef DH_CAPTURE_VIDEO_IN_H
#define DH_CAPTURE_VIDEO_IN_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "capture/source.h"

struct dh_frame;

/*
 * Read a file that FFmpeg knows, from its start. grab decodes the next frame,
 * whose time_ns counts from the first one's, and never waits; DH_ERR_CLOSED at
 * the end. A damaged frame is left out; the end of a file that was cut short is
 * its end.
 *
 * DH_ERR_NOTFOUND, DH_ERR_IO, DH_ERR_FORMAT; DH_ERR_UNSUPPORTED without a video
 * stream or decoder; DH_ERR_RANGE for pictures of more than 64 Mi pixels.
 */
DH_MUST_USE enum dh_status dh_video_in_create(struct dh_source **out,
                                              const char *path);

/* Once a frame was grabbed: that one's own time in the file, ns. */
int64_t dh_video_in_start(const struct dh_source *video);

/* The times of all frames, ms as the file has them, without decoding any;
 * *ms is freed with dh_free. Errors as dh_video_in_create; DH_ERR_RANGE: there
 * are more than 2^24. */
DH_MUST_USE enum dh_status dh_video_times(const char *path, int64_t **ms,
                                          size_t *n);

/*
 * Which frames of a video a model is shown. times[n], n > 0, are their times in
 * seconds and do not shrink. The first one; from each, the first that is 1/fps
 * later or more; always the last; and where those are more than max_frames (2
 * at least), evenly chosen ones among them, with the last.
 *
 * Writes ascending indices to idx[n] and returns how many.
 */
size_t dh_video_rule(const double *times, size_t n, double fps,
                     size_t max_frames, size_t *idx);

struct dh_video_sampling {
    double fps;         /* 0.001 to 1000 */
    size_t max_frames;  /* 2 to 4096 */
    int64_t max_pixels; /* of all frames together; 0: 301,056,000 */
};

/* Chosen frames; each holds one reference, which finish drops. */
struct dh_video_sample {
    struct dh_frame **frames;
    double *seconds; /* since the first frame of the video */
    size_t n;
};

/*
 * Read a file twice: first the times of all frames, then those chosen by the
 * rule. Errors as dh_video_in_create; DH_ERR_RANGE also where `how` is out of
 * its limits or the frames would be too many pixels.
 */
DH_MUST_USE enum dh_status
dh_video_sample_read(struct dh_video_sample *out, const char *path,
                     const struct dh_video_sampling *how);
/* Zeroed is allowed. */
void dh_video_sample_finish(struct dh_video_sample *s);

#endif
