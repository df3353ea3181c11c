/* tools/viewer.h - a window on a session: what was seen, said and done. */
#ifndef DH_TOOLS_VIEWER_H
#define DH_TOOLS_VIEWER_H

#include <stdbool.h>

#include "base/diag.h"
#include "base/opts.h"
#include "base/status.h"

struct dh_frame;
struct dh_session_reader;

struct dh_viewer_options {
    double scale; /* of text and lines; 0: by the display */
    int step;     /* to begin with, from 1; 0: the first, or newest if live */
    bool play, fullscreen;
    bool stats;          /* print frame times when it ends */
    bool json;           /* a line on stdout for each thing that is shown */
    bool live;           /* follow what is being written */
    const char *runtime; /* where a run may be asked for its desktop; or NULL */
    const char *title;   /* of the window; NULL: the folder */
    /* Where pictures come from in place of the session's folder, on another
     * thread; what the key o opens. NULL where there is nothing of it. */
    enum dh_status (*picture)(const void *user, int number,
                              struct dh_frame **out, struct dh_diag *diag);
    void (*open)(const void *user, int step); /* steps from 0 */
    const void *user;
};
extern const struct dh_opt dh_viewer_opts[];

/*
 * Until the window is closed. `dir` is the folder of `s`. DH_ERR_NOTFOUND: no
 * display, or no font; logged. The session stays the caller's, and is read
 * further where it grows. DH_ERR_CANCELLED: a signal ended it.
 */
DH_MUST_USE enum dh_status dh_viewer_run(struct dh_session_reader *s,
                                         const char *dir,
                                         const struct dh_viewer_options *o);

#endif
