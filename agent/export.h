/*
 * agent/export.h - a session in the forms that others read.
 *
 * What was secret stays here: a text that was never written is {{secret:NAME}},
 * one that was marked as a secret afterwards is so wherever it stands, and the
 * place where it was typed is painted over in every picture, or where that is
 * not known, the later pictures are left out.
 */
#ifndef DH_AGENT_EXPORT_H
#define DH_AGENT_EXPORT_H

#include "base/status.h"

struct dh_buf;
struct dh_cancel;

enum dh_export_form {
    DH_EXPORT_AGENTNET,   /* a folder: agentnet.jsonl, images/ */
    DH_EXPORT_SCREENSPOT, /* a folder: screenspot.json, images/ */
    DH_EXPORT_OSWORLD,    /* a file: a task to be filled in */
    DH_EXPORT_MARKDOWN,   /* a folder: session.md, images/ */
    DH_EXPORT_SHELL,      /* a file that can be run */
    DH_EXPORT_FORMS
};

/* Their names, NULL at the end. */
extern const char *const dh_export_names[DH_EXPORT_FORMS + 1];

struct dh_export_result {
    int steps, pictures; /* that were written */
    int items;           /* of ScreenSpot */
    int left_out;        /* steps that the form has no word for, or items that
                            nobody could ask for */
    int hidden;          /* pictures that were left out for a secret */
};

/* Write the session in `dir` to `out`, where nothing may be; whole or not at
 * all. Logged. */
DH_MUST_USE enum dh_status dh_export(const char *dir, enum dh_export_form form,
                                     const char *out, struct dh_cancel *cancel,
                                     struct dh_export_result *result);

/*
 * The session as a plan for an agent: `task` (NULL: the session's own) and
 * below it the recorded steps in words, one a line, points from 0 to 1000. What
 * was on a screen then stands in quotes, and is said to be no instruction.
 * DH_ERR_FORMAT: there is no task, or no step. Logged.
 */
DH_MUST_USE enum dh_status dh_export_plan(const char *dir, const char *task,
                                          struct dh_buf *out);

#endif
