/*
 * tools/desk.h - a run on a person's own desktop: what is asked, what a person
 * at the desk does, the sign, the audit log.
 */
#ifndef DH_TOOLS_DESK_H
#define DH_TOOLS_DESK_H

#include <stdbool.h>

#include "agent/trust.h"
#include "base/opts.h"
#include "base/status.h"
#include "base/thread.h"

struct dh_a11y;
struct dh_audit;
struct dh_control;
struct dh_event;
struct dh_hand;
struct dh_input_record;
struct dh_input_tap;
struct dh_recorder;
struct dh_screen_options;
struct dh_sign;
struct dh_sink;
struct dh_source;
struct dh_windows;

struct dh_desk_options {
    int mode; /* enum dh_trust_mode */
    struct dh_opt_list allow, deny;
    const char *stop_key, *resume_key, *audit;
    double resume_after;
    int max_rate;
    bool sign;
};
#define DH_DESK_DEFAULTS                                            \
    {                                                               \
        .mode = DH_TRUST_GUARD, .stop_key = "Pause",                \
        .resume_key = "Scroll_Lock", .max_rate = 240, .sign = true, \
    }
extern const struct dh_opt dh_desk_opts[];

/* Zero it. `taken` is for the X sink, before open. */
struct dh_desk {
    struct dh_cancel taken;
    struct dh_cancel *cancel;
    struct dh_input_tap *tap; /* NULL where the server has none */
    struct dh_sign *sign;
    struct dh_a11y *a11y; /* NULL where there is no session bus */
    struct dh_windows *windows;
    struct dh_audit *audit;
    struct dh_source *source;
    struct dh_trust_rule *allow, *deny;
    bool asks; /* there is a person at a terminal */
    const char *resume_key, *stop_key, *display;

    /* What a person does by hand; see dh_desk_record. */
    struct dh_input_record *input; /* NULL where the server has none */
    struct dh_recorder *recorder;
    const struct dh_screen_options *screen;
    /* NULL: nobody elsewhere is listened to. The tap's thread reads it. */
    _Atomic(struct dh_control *) control;
    struct dh_hand *did; /* while they have it */
};

/*
 * Puts dh_trust around *sink on DH_OK. `audit` is where the log is without
 * --audit; the stop key sets `cancel`. Close it, after the sink is destroyed,
 * whatever open returned. DH_ERR_USAGE is printed.
 */
DH_MUST_USE enum dh_status
dh_desk_open(struct dh_desk *d, const struct dh_desk_options *o,
             const char *display, const char *audit, struct dh_source *source,
             struct dh_cancel *cancel, struct dh_sink **sink);
void dh_desk_close(struct dh_desk *d);
/* For dh_loop, a watcher: the sign is seen at each act. */
void dh_desk_event(void *user, const struct dh_event *e);
/*
 * From here on what a person does while they have the desktop goes into the
 * run's session, as a demonstration does, and `view` in another process may
 * take and hand back through a socket under `runtime` (NULL: it may not). `dir`
 * is the session's folder. All outlive the desk's use, or until it is called
 * again for the next session, which only who gave no `runtime` may do.
 */
void dh_desk_record(struct dh_desk *d, struct dh_recorder *recorder,
                    const char *dir, const struct dh_screen_options *screen,
                    const char *runtime);
/* The sign says that nothing acts any more; what is left may take a while. */
void dh_desk_rest(struct dh_desk *d);
/* For dh_loop; user is the desk. */
bool dh_desk_wait_back(void *user, struct dh_cancel *cancel,
                       struct dh_hand *did);

#endif
