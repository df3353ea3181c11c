/*
 * agent/demo.h - a person shows how something is done, and a session folder of
 * it is left: raw events, the actions that they mean, windows, pictures before
 * and after, and what tells each place apart.
 *
 * What is typed into a password field or an excluded window is written nowhere:
 * the action names a parameter in its place, and the pictures have the field or
 * the window painted over.
 */
#ifndef DH_AGENT_DEMO_H
#define DH_AGENT_DEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct dh_a11y;
struct dh_cancel;
struct dh_input_record;
struct dh_reduced;
struct dh_screen_options;
struct dh_session_file;
struct dh_sign;
struct dh_target;

/* An action that was just written down. All of it lasts for the call. */
struct dh_demo_step {
    int number;   /* 1 for the first */
    int before;   /* number of the picture that it began with; 0: none */
    int64_t t_ns; /* since the start */
    const struct dh_reduced *what;
    const char *text;               /* of it, as `deskhand act` takes it */
    const struct dh_target *target; /* NULL: it has none */
    const char *doubt; /* why the place may not be found again, or NULL */
};

struct dh_demo_options {
    const char *dir; /* must not exist, or be an empty folder */
    const char *task, *display, *locale, *desktop; /* NULL: not known */
    const char *stop_key, *pause_key;              /* chords; NULL: none */
    /* Parts of titles or classes of windows, letter case ignored. */
    const char *const *exclude;
    int n_exclude;
    bool video, tidy, include_xtest;
    bool clipboard; /* what is in the clipboard is written down as well */
    /*
     * A session that is being written by a run which waits meanwhile, in place
     * of a folder: what a person does by hand goes into it, and it is not
     * ended. `input`, which is the caller's too, has been on since before, so
     * that what the person began with is there; its keys end nothing.
     */
    struct dh_session_file *into;
    struct dh_input_record *input;
    const struct dh_screen_options *screen; /* NULL: all of `display` */
    bool (*over)(void *user); /* asked every 100 ms; true ends it. Or NULL */
    int64_t limit_ns;         /* 0: none */
    struct dh_a11y *a11y;     /* NULL: passwords cannot be told, nor widgets */
    struct dh_sign *sign;     /* may be NULL */
    void (*step)(void *user, const struct dh_demo_step *step); /* or NULL */
    void (*paused)(void *user, bool paused);                   /* or NULL */
    void *user;
};

enum dh_demo_end {
    DH_DEMO_STOPPED, /* by the stop key or the cancel flag */
    DH_DEMO_LIMIT,
    DH_DEMO_LOST,   /* the X server has gone */
    DH_DEMO_FAILED, /* it could not be written; logged */
};

struct dh_demo_result {
    enum dh_demo_end end;
    int steps, doubts, secrets, pictures;
    int64_t events, dropped, took_ns;
};

/* Records until the stop key, `cancel` or the limit. What is written until then
 * stays readable whatever happens. *out is set on DH_OK only; otherwise nothing
 * was recorded, and why is logged. */
DH_MUST_USE enum dh_status dh_demo_run(const struct dh_demo_options *o,
                                       struct dh_cancel *cancel,
                                       struct dh_demo_result *out);

#endif
