/*
 * agent/replay.h - plays a recording: exactly and without a model while nothing
 * has changed, rightly when something has, and else it stops with evidence.
 *
 * Each step's place is found again (find_place), what it should lead to is
 * waited for (expect), and a wrong click is worse than none: what cannot be
 * told apart, what another window covers, and a window that the recording does
 * not know end the replay before the click. One thread.
 */
#ifndef DH_AGENT_REPLAY_H
#define DH_AGENT_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "actions/action.h"
#include "agent/event.h"
#include "agent/find_place.h"
#include "agent/session_params.h"
#include "base/status.h"

struct dh_a11y;
struct dh_brain;
struct dh_cancel;
struct dh_hand;
struct dh_recorded_step;
struct dh_recording;
struct dh_sink;
struct dh_source;
struct dh_windows;

#define DH_REPLAY_WHY 512

/* A step that was played, or looked for (dry run). Lasts for the call. */
struct dh_replay_step {
    int number, of; /* 1 for the first */
    const struct dh_recorded_step *recorded;
    const struct dh_action *action; /* as it was played, on the screen */
    enum dh_rung rung;              /* NONE: nothing had to be found */
    double score;
    bool found;   /* in a dry run: it is there now */
    bool skipped; /* it was not played, and why */
    bool retried, repaired;
    const char *why;                   /* "" or a sentence */
    int64_t find_ns, act_ns, check_ns; /* check: until it had its effect */
};

/* Why it goes no further. Lasts for the call. */
struct dh_replay_stop {
    int number; /* of the step; 0: before the first */
    const struct dh_recorded_step *recorded;
    const struct dh_action *action; /* as it would be played */
    bool performed; /* it was done, and did not have its effect */
    char why[DH_REPLAY_WHY];
    struct dh_places places; /* what was looked at instead */
    struct dh_frame *frame;  /* the screen; NULL: no picture was taken */
    struct dh_frame *then;   /* the recorded picture, or NULL */
    struct dh_rect wanted;   /* in it: what was looked for */
};

enum dh_replay_choice {
    DH_REPLAY_END,
    DH_REPLAY_SKIP,
    DH_REPLAY_POINT, /* *at is the place */
};

enum dh_replay_end {
    DH_REPLAY_DONE,
    DH_REPLAY_STUCK,     /* the stop says where */
    DH_REPLAY_CANCELLED, /* by the user */
    DH_REPLAY_ERROR,     /* logged */
};

struct dh_replay_options {
    struct dh_recording *recording;
    struct dh_source *source; /* the whole screen, without the pointer */
    struct dh_sink *sink;
    struct dh_windows *windows;
    struct dh_a11y *a11y;             /* may be NULL */
    struct dh_cancel *cancel, *taken; /* taken may be NULL */
    bool dry_run, repair, arrange;
    bool scaled; /* fonts may be of another size than they were */
    /* So long a place may take to appear, and twice as long a window; more in
     * proportion where the recording paused there. 0: 5 */
    double patience_s;
    /* The model, when it is needed first; NULL: there is none. */
    struct dh_brain *(*brain)(void *user);
    /* What stands in a parameter's place; NULL: what was recorded. */
    dh_session_value_fn value;
    void (*step)(void *user, const struct dh_replay_step *step);
    /* Evidence is to be kept, and a person may choose; NULL: it ends. */
    enum dh_replay_choice (*stop)(void *user, const struct dh_replay_stop *stop,
                                  struct dh_point *at);
    /* Blocks until the desktop is handed back; false: stop. What was done by
     * hand is added to `did`, which is zero. */
    bool (*wait_back)(void *user, struct dh_cancel *cancel,
                      struct dh_hand *did);
    void *wait_user;
    dh_event_fn watch[2]; /* NULL ends */
    void *watch_user[2];
    void *user;
};

struct dh_replay_result {
    enum dh_replay_end end;
    enum dh_status status;
    int steps, played, skipped, found, repairs, model_calls;
    int rungs[DH_RUNG_PERSON + 1]; /* how many steps each found */
    int64_t took_ns, recorded_ns;
    struct dh_usage usage;
    int stopped_at;          /* number of the step, 0: none */
    char why[DH_REPLAY_WHY]; /* "" or why it ended */
};

void dh_replay_run(const struct dh_replay_options *o,
                   struct dh_replay_result *out);

/* "done", "stopped", ... */
const char *dh_replay_end_name(enum dh_replay_end end);
/* Leaves stop.json, stop-wanted.png and stop-screen.png in a folder. Logged. */
DH_MUST_USE enum dh_status
dh_replay_stop_write(const struct dh_replay_stop *stop, const char *dir);

#endif
