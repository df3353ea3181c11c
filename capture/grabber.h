/* capture/grabber.h - the dh-capture thread: a source into a mailbox. */
#ifndef DH_CAPTURE_GRABBER_H
#define DH_CAPTURE_GRABBER_H

#include <stdbool.h>

#include "base/mailbox.h"
#include "base/status.h"
#include "capture/source.h"

/* Grabs from a source while frames are wanted. */
struct dh_grabber;

/*
 * Start the thread, which from here until join alone uses `source`. At most
 * max_fps (1..1000) frames a second go to `box`; nothing does before
 * dh_grabber_want. Both outlive the grabber, and the caller destroys them.
 *
 * When the source ends, fails for good (DH_ERR_CLOSED) or fails ten times in a
 * row, the thread closes the mailbox and ends.
 */
DH_MUST_USE enum dh_status dh_grabber_create(struct dh_grabber **out,
                                             struct dh_source *source,
                                             struct dh_mailbox *box,
                                             int max_fps);
/* Any thread. */
void dh_grabber_want(struct dh_grabber *g, bool wanted);
/* Any thread, more than once. It may be in a grab for a moment longer. */
void dh_grabber_request_stop(struct dh_grabber *g);
/* Wait for the end. Why it ended: DH_ERR_CANCELLED after a stop, otherwise what
 * the source said last. */
enum dh_status dh_grabber_join(struct dh_grabber *g);
/* Joined before. NULL is allowed. */
void dh_grabber_destroy(struct dh_grabber *g);

#endif
