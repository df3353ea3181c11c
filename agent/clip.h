/* agent/clip.h - the frames of a clip as a video that another machine reads. */
#ifndef DH_AGENT_CLIP_H
#define DH_AGENT_CLIP_H

#include <stddef.h>

#include "agent/brain.h"

struct dh_buf;

/*
 * An MP4 of the frames at their times, no side longer than max_side and no more
 * pixels in all than the vendor takes (actions.md 4.3). *side becomes its long
 * side, *fps its frames a second, 0.2 to 5. Logs what goes wrong.
 */
DH_MUST_USE enum dh_status dh_clip_encode(const struct dh_brain_video *v,
                                          int max_side, struct dh_buf *out,
                                          int *side, double *fps);

#endif
