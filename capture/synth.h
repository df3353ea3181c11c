/* capture/synth.h - generated frames, for tests and benchmarks. */
#ifndef DH_CAPTURE_SYNTH_H
#define DH_CAPTURE_SYNTH_H

#include <stdint.h>

#include "base/status.h"
#include "capture/source.h"

struct dh_synth_options {
    int width, height;
    int n_frames;        /* then grab says DH_ERR_CLOSED; 0: without end */
    int64_t interval_ns; /* between the time stamps of two frames */
    uint64_t seed;
};

/*
 * A colour gradient that wanders, with eight boxes that move at their own
 * speeds. Frame n is the same for the same options, on any machine: serial is
 * n from 1, time_ns is n * interval_ns. grab never waits.
 *
 * DH_ERR_RANGE for a size that no frame can have.
 */
DH_MUST_USE enum dh_status dh_synth_create(struct dh_source **out,
                                           const struct dh_synth_options *o);

#endif
