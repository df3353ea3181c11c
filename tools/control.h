/*
 * tools/control.h - a person in another process takes a run's desktop and hands
 * it back.
 *
 * A Unix socket RUNTIME/deskhand/DEV-INODE.sock (of the session's folder, in
 * hex), which only the same user reaches. Lines: "take" and "back" to the run,
 * "agent" and "person" from it, on connecting and at each change. What is asked
 * for is all that can be: nothing here reads or writes a session.
 */
#ifndef DH_TOOLS_CONTROL_H
#define DH_TOOLS_CONTROL_H

#include <stdbool.h>

#include "base/status.h"

struct dh_control;

/* Called on the control's thread, dh-control. */
struct dh_control_ops {
    void (*take)(void *user);
    void (*back)(void *user);
};

/* The run's end of it. Failures are logged. */
DH_MUST_USE enum dh_status dh_control_create(struct dh_control **out,
                                             const char *runtime,
                                             const char *session,
                                             const struct dh_control_ops *ops,
                                             void *user);
/* Any thread: who has the desktop from now on. */
void dh_control_tell(struct dh_control *c, bool taken);
/* No op is called any more; dh_control_tell is still allowed. NULL is
 * allowed. */
void dh_control_close(struct dh_control *c);
/* NULL is allowed. */
void dh_control_destroy(struct dh_control *c);

/* The other end: a socket that does not block, or -1 where no run of this
 * session listens; not logged. */
int dh_control_connect(const char *runtime, const char *session);

enum dh_control_state { DH_CONTROL_GONE, DH_CONTROL_AGENT, DH_CONTROL_PERSON };
/* The newest state that has come over the socket; `was` where none has. */
enum dh_control_state dh_control_read(int fd, enum dh_control_state was);
/* Ask for it; false: nobody is there any more. */
bool dh_control_ask(int fd, bool take);

#endif
