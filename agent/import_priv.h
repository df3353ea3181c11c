/* agent/import_priv.h - what the forms of an import share. One thread. */
#ifndef DH_AGENT_IMPORT_PRIV_H
#define DH_AGENT_IMPORT_PRIV_H

#include "actions/parse.h"
#include "agent/import.h"
#include "agent/session_file.h"
#include "agent/staging.h"
#include "base/json.h"

#define DH_IMPORT_LINE_MAX (256u << 20)

struct dh_frame;

struct dh_import {
    const struct dh_import_options *o;
    struct dh_staging staging;
    struct dh_session_file *file;
    const char *by;        /* who acted: "human", "model" */
    int64_t base_ns, t_ns; /* the session's start; now, since then */
    struct dh_size screen;
    int frame; /* number of the last picture; 0: none */
    struct dh_import_result result;
};

/* Before anything is written. `kind` and `by` are not copied. */
DH_MUST_USE enum dh_status dh_import_begin(struct dh_import *x,
                                           const char *kind, const char *by,
                                           const char *task);
DH_MUST_USE enum dh_status
dh_import_frame(struct dh_import *x, struct dh_frame *frame, const char *why);
/* A picture by its name within a folder. A missing one is counted. */
DH_MUST_USE enum dh_status dh_import_picture(struct dh_import *x,
                                             const char *folder,
                                             const char *name, const char *why);
DH_MUST_USE enum dh_status
dh_import_answer(struct dh_import *x, const char *raw, const char *thinking);
DH_MUST_USE enum dh_status
dh_import_act(struct dh_import *x, const struct dh_action *a, const char *say);
DH_MUST_USE enum dh_status dh_import_note(struct dh_import *x,
                                          const char *text);
/* All actions of a code of pyautogui, or of whatever else a model writes, with
 * points as `coord` says. What cannot be understood becomes a note. */
DH_MUST_USE enum dh_status dh_import_code(struct dh_import *x, const char *code,
                                          enum dh_coord coord, const char *say);
DH_MUST_USE enum dh_status dh_import_end(struct dh_import *x,
                                         const char *reason);
/* A file of JSON of at most 64 MiB; NULL, logged. */
struct dh_json *dh_import_json(const char *folder, const char *name);

enum dh_status dh_import_agentnet(struct dh_import *x);
enum dh_status dh_import_agentnet_raw(struct dh_import *x);
enum dh_status dh_import_cua(struct dh_import *x);
enum dh_status dh_import_osworld(struct dh_import *x);

#endif
