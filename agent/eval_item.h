/*
 * agent/eval_item.h - one question of a test set and where its answer lies, in
 * one form for all sets (benchmarks.md 7.1).
 *
 * Texts are owned and never NULL once an item was read. One thread.
 */
#ifndef DH_AGENT_EVAL_ITEM_H
#define DH_AGENT_EVAL_ITEM_H

#include <stdbool.h>

#include "base/diag.h"
#include "base/geom.h"

struct dh_json;
struct dh_json_writer;

enum dh_eval_kind {
    DH_EVAL_NOTHING, /* no place is asked for: a task */
    DH_EVAL_BOX,     /* v: x0, y0, x1, y1, edges included */
    DH_EVAL_POLYGON, /* v: x, y, x, y, ...; the boundary counts */
    DH_EVAL_NONE,    /* there is no such thing; the model has to decline */
    DH_EVAL_TEXT,    /* the answer is `text`, word for word */
    DH_EVAL_STEP,    /* the next actions are `text`, a list as JSON */
};

#define DH_EVAL_MAX_NUMBERS 256

/* In pixels of the picture. */
struct dh_eval_target {
    enum dh_eval_kind kind;
    double *v;
    int n; /* numbers in v */
    char *text;
};

/* Each a text "key=value". */
struct dh_eval_tags {
    char **tag;
    int n;
};

struct dh_eval_item {
    char *id;
    char *image; /* path, as from the set's folder */
    struct dh_size size;
    char *instruction;
    struct dh_eval_target target;
    struct dh_eval_tags tags;
};

void dh_eval_item_finish(struct dh_eval_item *it);
void dh_eval_item_copy(struct dh_eval_item *out, const struct dh_eval_item *it);

/* An empty value is no tag. */
void dh_eval_tags_add(struct dh_eval_tags *t, const char *key,
                      const char *value);
/* The value of the first tag of this key; "" where there is none. */
const char *dh_eval_tags_find(const struct dh_eval_tags *t, const char *key);
void dh_eval_tags_finish(struct dh_eval_tags *t);

void dh_eval_target_set(struct dh_eval_target *t, enum dh_eval_kind kind,
                        const double *v, int n);
bool dh_eval_target_has(const struct dh_eval_target *t, double x, double y);
/* Pixels from the point to the target, 0 inside; -1 for what is no place. */
double dh_eval_target_gap(const struct dh_eval_target *t, double x, double y);
/* The smallest box around it: x0, y0, x1, y1. False: it is no place. */
bool dh_eval_target_box(const struct dh_eval_target *t, double box[4]);

/* Members into an open object, and back from one. */
void dh_eval_item_json(const struct dh_eval_item *it, struct dh_json_writer *w);
DH_MUST_USE bool dh_eval_item_read(struct dh_eval_item *out,
                                   const struct dh_json *o,
                                   struct dh_diag *diag);

#endif
