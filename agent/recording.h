/*
 * agent/recording.h - a session folder as something that can be played again:
 * its actions in order, where each was done, which windows came and went.
 *
 * A person's demonstration has targets and windows, an agent's session has only
 * points and pictures; what is not known of those is made from the pictures
 * when they are first asked for. A folder may come from a stranger: all of its
 * numbers and texts are limited here. One thread.
 */
#ifndef DH_AGENT_RECORDING_H
#define DH_AGENT_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "actions/action.h"
#include "agent/session_params.h"
#include "agent/session_read.h"
#include "agent/target.h"
#include "base/diag.h"
#include "base/status.h"
#include "capture/input_record.h"

struct dh_frame;

/* A target as it was recorded, or as a later replay found it (--repair). */
struct dh_recorded_target {
    struct dh_target t; /* window.id 0: none is known */
    char pattern[256];  /* of the window's title */
    char say[256];      /* in words, "" where nobody has said it */
    int frame;          /* the picture of its crops; 0: none */
    bool repaired;
};

struct dh_recorded_window {
    enum dh_window_change what;
    int64_t t; /* ns since the start */
    struct dh_window window;
    char pattern[sizeof((struct dh_window *)0)->title];
};

struct dh_recorded_step {
    int64_t n; /* of the act's line */
    struct dh_action action;
    char *broken; /* owned; why it cannot be done, or NULL */
    char *say;    /* owned; an agent's own words, or NULL */
    int64_t began_ns, ended_ns, settle_ns;
    int64_t looked_ns; /* when `after` was taken; -1: not known */
    int before, after; /* pictures; 0: none */
    bool failed;       /* it was not performed then either */
    bool changed;      /* the screen changed, as far as that was recorded */
    /* The newest first, the recorded one last. */
    struct dh_recorded_target *target;
    int n_targets;
    /* Changes of windows from its beginning to that of the next step. */
    int first_window, n_windows;
};

struct dh_recording {
    struct dh_session_reader *reader;
    char *dir;
    struct dh_session_params params;
    struct dh_size screen;
    bool pointer; /* it is, or may be, in the pictures */
    char layout[64], locale[64], theme[64], font[64]; /* "" where not known */
    double dpi; /* of fonts, else of the screen; 0 where not known */
    struct dh_recorded_step *step;
    int n_steps;
    struct dh_recorded_window *window;
    int n_windows;
    int64_t last_n, last_t; /* of the lines, for one that is added */
    int last_frame;         /* the greatest number of a picture */
    struct {
        int number;
        struct dh_frame *frame;
        int64_t used;
    } kept[6];
    int64_t uses;
};

/* DH_ERR_NOTFOUND, _FORMAT, _IO with diag set. */
DH_MUST_USE enum dh_status dh_recording_open(struct dh_recording **out,
                                             const char *dir,
                                             struct dh_diag *diag);
/* NULL is allowed. */
void dh_recording_close(struct dh_recording *r);

/* A picture, which the recording keeps for a while; with a reference of the
 * caller's. NULL: it is missing or damaged. */
struct dh_frame *dh_recording_frame(struct dh_recording *r, int number);
/* The newest target of a step, made from its point and picture where none was
 * recorded; NULL: it has none. */
struct dh_recorded_target *dh_recording_target(struct dh_recording *r,
                                               struct dh_recorded_step *s);
/* The window was there at some time of the recording. */
bool dh_recording_knows(const struct dh_recording *r,
                        const struct dh_window *w);
/* The window fits what was recorded of one: 3 the same title, 2 the pattern,
 * 1 the class alone, 0 not. */
int dh_recorded_window_fits(const struct dh_window *recorded,
                            const char *pattern, const struct dh_window *now);

/*
 * Put a new target beside a step's old ones: the picture first, then one line
 * at the end of the events. `t` is in the frame's screen. Logged.
 */
DH_MUST_USE enum dh_status dh_recording_repair(struct dh_recording *r,
                                               struct dh_recorded_step *s,
                                               const struct dh_target *t,
                                               const struct dh_frame *frame);

#endif
