/* capture/av_priv.h - what reading and writing videos share. */
#ifndef DH_CAPTURE_AV_PRIV_H
#define DH_CAPTURE_AV_PRIV_H

#include <libavutil/frame.h>

#include "base/late.h"
#include "base/status.h"

extern const struct dh_late dh_late_ffmpeg;

struct SwsContext;
struct dh_frame;

/* Load FFmpeg and send its log through base/log, with the tag "ffmpeg". Call it
 * before anything else of FFmpeg; any thread, more than once.
 * DH_ERR_UNSUPPORTED: it is not installed. */
DH_MUST_USE enum dh_status dh_av_init(void);

/* FFmpeg's words for an error; out is returned. */
const char *dh_av_text(int error, char out[64]);
/* The status for an error of FFmpeg. */
enum dh_status dh_av_status(int error);

/*
 * Converters keep *sws between calls; free it with sws_freeContext.
 * dh_av_from_frame fills an AVFrame that has buffers and a format; the frame's
 * top left part is taken, and what it does not cover stays as it is. RGB to YUV
 * is by BT.709, limited range.
 */
DH_MUST_USE enum dh_status dh_av_from_frame(struct SwsContext **sws,
                                            const struct dh_frame *from,
                                            AVFrame *to);
/* Scales nothing: the sizes are equal. */
DH_MUST_USE enum dh_status dh_av_to_frame(struct SwsContext **sws,
                                          const AVFrame *from,
                                          struct dh_frame *to);

#endif
