/*
 * agent/import.h - what others recorded, as a session.
 *
 * The source may be a stranger's: pictures are opened only within its folder,
 * links and pipes are not followed, and a step that cannot be understood is a
 * note in the session. The session is whole or not there at all.
 */
#ifndef DH_AGENT_IMPORT_H
#define DH_AGENT_IMPORT_H

#include <stdbool.h>

#include "base/geom.h"
#include "base/status.h"

struct dh_cancel;

enum dh_import_form {
    DH_IMPORT_AGENTNET,     /* its released form: a task in each line */
    DH_IMPORT_AGENTNET_RAW, /* a folder of AgentNetTool */
    DH_IMPORT_CUA,          /* a folder of turn-NNNNN folders */
    DH_IMPORT_OSWORLD,      /* traj.jsonl, or the folder that it is in */
    DH_IMPORT_FORMS
};

/* Their names, NULL at the end. */
extern const char *const dh_import_names[DH_IMPORT_FORMS + 1];

struct dh_import_options {
    enum dh_import_form form;
    const char *src, *dir;
    const char *task;      /* what was to be done; NULL: what the source says */
    const char *pick;      /* the task_id in AgentNet's file; NULL: the first */
    const char *images;    /* folder of its pictures; NULL: beside the file */
    struct dh_size screen; /* where no picture tells; 0, 0: not known */
    struct dh_cancel *cancel;
};

struct dh_import_result {
    int steps, actions, pictures;
    int missing;  /* pictures */
    int left_out; /* steps that could not be understood */
    bool more;    /* there are other tasks in the file */
};

/* Logged. */
DH_MUST_USE enum dh_status dh_import(const struct dh_import_options *o,
                                     struct dh_import_result *result);

#endif
