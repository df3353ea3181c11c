/*
 * agent/audit.h - an append-only file of what was asked for and who allowed it.
 *
 * One JSON object a line, one write a line, for its owner alone to read. What
 * is typed into a field for passwords is never written, and a secret's
 * placeholder is written as it stands.
 */
#ifndef DH_AGENT_AUDIT_H
#define DH_AGENT_AUDIT_H

#include <stdbool.h>

#include "actions/tier.h"
#include "base/status.h"

struct dh_action;
struct dh_audit;
struct dh_window;

struct dh_audit_entry {
    const struct dh_action *action;
    const struct dh_window *window; /* NULL: not known */
    enum dh_tier tier;
    bool allowed;
    const char *by;  /* who decided: "mode", "person", "list", "nobody" */
    const char *why; /* NULL or "": nothing to say */
    bool secret;     /* its text is not to be written down */
};

/* Creates the file (0600) and its folder. Failures are logged. One thread. */
DH_MUST_USE enum dh_status dh_audit_open(struct dh_audit **out,
                                         const char *path);
/* NULL is allowed. */
void dh_audit_close(struct dh_audit *a);
/* DH_ERR_IO, logged: it is not on the disk, so it should not be done. */
DH_MUST_USE enum dh_status dh_audit_write(struct dh_audit *a,
                                          const struct dh_audit_entry *e);
/* Something that is no action: "start", "taken", "back", "stop". */
DH_MUST_USE enum dh_status dh_audit_note(struct dh_audit *a, const char *event,
                                         const char *text);

#endif
