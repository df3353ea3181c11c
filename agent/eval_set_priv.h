/* agent/eval_set_priv.h - between the readers of sets and what they fill. */
#ifndef DH_AGENT_EVAL_SET_PRIV_H
#define DH_AGENT_EVAL_SET_PRIV_H

#include "agent/eval_set.h"
#include "base/json.h"

/* Reading one annotation file. */
struct dh_eval_import {
    struct dh_eval_set *set;
    const struct dh_eval_format *format;
    const char *file;            /* its name without the folder and ".json" */
    const struct dh_json *extra; /* osworld-g: the classes of ids */
    int index;                   /* of the item in its file */
};

enum dh_eval_corners {
    DH_EVAL_XYWH,
    DH_EVAL_XYXY,
};

struct dh_eval_format {
    const char *name;
    int published;
    /* Annotation files, "" ends; a name, or "*": every *.json there. */
    const char *files[5];
    const char *folder;    /* of these files; "" for the set's own */
    const char *images[4]; /* where pictures may be, the first that has it */
    /* Fill id (may stay NULL), image, instruction, target, tags; size where the
     * set tells it. False with diag set. */
    bool (*read)(const struct dh_eval_import *im, const struct dh_json *o,
                 struct dh_eval_item *it, struct dh_diag *diag);
    bool episodes;  /* each object of a file holds several items */
    bool fractions; /* a box within 0..1 is one of the picture's sides */
};

/* NULL where there is none of this name. */
const struct dh_eval_format *dh_eval_format_find(const char *name);

/* One file's text through the format's reader into the set, without a look at
 * pictures. DH_ERR_FORMAT with diag set: it is no list. */
DH_MUST_USE enum dh_status dh_eval_import_text(struct dh_eval_import *im,
                                               const char *text, size_t len,
                                               struct dh_diag *diag);
/* One or more episodes of AgentNetBench, a step an item. */
void dh_eval_import_episodes(struct dh_eval_import *im,
                             const struct dh_json *root);
/* The clicks of a recorded session. */
DH_MUST_USE enum dh_status dh_eval_import_session(struct dh_eval_set *s,
                                                  const char *dir,
                                                  struct dh_diag *diag);

/* Takes the item over. */
void dh_eval_set_add(struct dh_eval_set *s, struct dh_eval_item *it);
void dh_eval_set_fault(struct dh_eval_set *s, enum dh_eval_fault f,
                       const char *fmt, ...) DH_PRINTF(3, 4);
/* False where nothing of the target is inside of the picture; what sticks out
 * is cut off and counted. */
bool dh_eval_set_clip(struct dh_eval_set *s, struct dh_eval_item *it);

#endif
