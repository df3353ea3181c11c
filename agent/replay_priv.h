/* agent/replay_priv.h - what the files of the replay share. One thread. */
#ifndef DH_AGENT_REPLAY_PRIV_H
#define DH_AGENT_REPLAY_PRIV_H

#include "agent/expect.h"
#include "agent/find_place.h"
#include "agent/recording.h"
#include "agent/replay.h"
#include "capture/windows.h"

#define DH_REPLAY_WINDOWS 64

/* All windows of a moment. */
struct dh_stack {
    struct dh_window item[DH_REPLAY_WINDOWS];
    int n;
};

/* Where a step is to be done. */
struct dh_spot {
    struct dh_point at;
    enum dh_rung rung;
    double score;
    struct dh_window window; /* id 0: none */
    const struct dh_recorded_target *target;
};

struct dh_replaying {
    const struct dh_replay_options *o;
    struct dh_recording *rec;
    struct dh_replay_result *result;
    struct dh_restless restless;
    struct dh_frame *frame;            /* the newest */
    struct dh_stack stack, old, first; /* now, before the step, at the start */
    struct dh_window focus;
    struct {
        unsigned long then, now;
    } bound[DH_REPLAY_WINDOWS]; /* which window stands for a recorded one */
    int n_bound;
    bool scaled; /* the screen has another size than it had */
    int step;    /* index */
    int64_t acted_ns,
        clicked_ns; /* when the last action, the last click ended */
    struct dh_point clicked;
    struct dh_point by; /* the last place, from where it was */
    int64_t slowest_ns; /* so long an effect was waited for until it came */
    int64_t unknown_ns; /* since when a window is there that is not known */
    unsigned long unknown, raised;
    struct dh_brain *brain;
    bool brainless; /* there is none, or it failed */
    struct dh_replay_stop stop;
};

/* One step. */
struct dh_play {
    struct dh_replaying *r;
    struct dh_recorded_step *s;
    struct dh_spot spot;
    struct dh_action action; /* as it is performed */
    struct dh_expect expect;
    struct dh_frame *before;
    struct dh_expect_found found;
    int64_t find_ns, act_ns, check_ns;
    bool retried, repaired, pointed;
    bool described; /* `anew` is how the place looks now */
    struct dh_target anew;
};

/* Sets the reason why it cannot go on. */
void dh_replay_why(struct dh_replaying *r, const char *fmt, ...)
    DH_PRINTF(2, 3);

/* --- replay_find: DH_ERR_NOTFOUND sets the stop; DH_ERR_TAKEN, _CANCELLED and
 * what the source or the windows say --- */

/* A new picture, and which windows there are. */
DH_MUST_USE enum dh_status dh_replay_look(struct dh_replaying *r);
/* Until something is drawn, or then. */
DH_MUST_USE enum dh_status dh_replay_wait(struct dh_replaying *r,
                                          int64_t until_ns);
/* The window that stands for a recorded one; NULL: none. `sure`: by its title
 * too. */
const struct dh_window *dh_replay_window(const struct dh_replaying *r,
                                         const struct dh_window *recorded,
                                         const char *pattern, bool sure);
void dh_replay_bind(struct dh_replaying *r, unsigned long then,
                    unsigned long now);
/* Waits for the place of a step, from this rung on; once only in a dry run. */
DH_MUST_USE enum dh_status dh_replay_find(struct dh_replaying *r,
                                          struct dh_recorded_step *s,
                                          enum dh_rung from,
                                          struct dh_spot *out);
/* Waits until the keys go where they went. */
DH_MUST_USE enum dh_status dh_replay_focus(struct dh_replaying *r,
                                           struct dh_recorded_step *s,
                                           struct dh_spot *out);
/* How long a step's place is waited for. */
int64_t dh_replay_patience(const struct dh_replaying *r, int64_t least);

/* --- replay_fit --- */

/* Why the action would do something else where the program says that the place
 * is, though it is the right one; constant. NULL: it would not. */
const char *dh_replay_unfit(const struct dh_scene *now,
                            const struct dh_recorded_target *t,
                            const struct dh_frame *then,
                            const struct dh_action *a,
                            const struct dh_candidate *is);

/* --- replay_model: rungs 6 and 7 --- */

/* False: there is no model, or it did not find it; the stop has what it said.
 */
bool dh_replay_ask_model(struct dh_replaying *r,
                         const struct dh_recorded_target *t,
                         const struct dh_window *window, struct dh_spot *out);

/* --- replay: what watchers are told --- */

void dh_replay_tell(struct dh_replaying *r, struct dh_event *e);
void dh_replay_tell_text(struct dh_replaying *r, enum dh_event_kind kind,
                         const char *text);
void dh_replay_tell_frame(struct dh_replaying *r, const char *why);

/* --- replay_act: one step --- */

void dh_play_init(struct dh_play *p, struct dh_replaying *r);
void dh_play_finish(struct dh_play *p);
bool dh_play_is_for_desktop(const struct dh_action *a);
bool dh_play_needs_place(const struct dh_action *a);
/* The place, or the focus, as dh_replay_find. */
DH_MUST_USE enum dh_status dh_play_find(struct dh_play *p, enum dh_rung from);
/* The action with its text filled in, moved to where the place is. */
void dh_play_aim(struct dh_play *p);
/* Find, act, and wait for the effect. DH_ERR_NOTFOUND and others: the stop says
 * why; p->before is set where something was done. */
DH_MUST_USE enum dh_status dh_play_do(struct dh_play *p, enum dh_rung from);
/* The same for what was done when a person took the desktop, from there on. */
DH_MUST_USE enum dh_status dh_play_go_on(struct dh_play *p);
/* A place that was found by help is kept in the recording, where that was asked
 * for. */
void dh_play_repair(struct dh_play *p);
/* For dh_expect_now; user is the struct dh_replaying. 0: none. */
unsigned long dh_replay_stands_for(void *user, unsigned long recorded);

#endif
