/*
 * agent/eval_set.h - grounding sets of others, and ours, as items
 * (benchmarks.md 2 and 7.1).
 *
 * A reader is bound to the name of its format; none guesses. What is wrong with
 * an item is counted and named, and the others go on. Files come from
 * strangers.
 */
#ifndef DH_AGENT_EVAL_SET_H
#define DH_AGENT_EVAL_SET_H

#include <stdint.h>

#include "agent/eval_item.h"

/* What was found wrong, in items. */
enum dh_eval_fault {
    DH_EVAL_FAULT_FIELD,     /* left out: a field is missing or wrong */
    DH_EVAL_FAULT_EMPTY,     /* left out: a box without a size, or outside */
    DH_EVAL_FAULT_PICTURE,   /* left out: no picture, or none that is known */
    DH_EVAL_FAULT_SIZE,      /* left out: the picture has another size */
    DH_EVAL_FAULT_DUPLICATE, /* the id was there before: it got a number */
    DH_EVAL_FAULT_CLIPPED,   /* the box stuck out of the picture */
    DH_EVAL_FAULT_TYPE,      /* an unknown type of element */
    DH_EVAL_FAULT_COUNT
};
/* "boxes clipped" and so on. */
const char *dh_eval_fault_name(enum dh_eval_fault f);

#define DH_EVAL_MAX_NOTES 20

struct dh_eval_set {
    const char *format; /* its name */
    int published;      /* items that the whole set has; 0: not known */
    char *dir;          /* item.image is relative to it */
    struct dh_eval_item *item;
    int n;
    char **file; /* the annotation files */
    int n_files;
    int fault[DH_EVAL_FAULT_COUNT];
    char *note[DH_EVAL_MAX_NOTES]; /* the first of them, a sentence each */
    int n_notes;
};

/* Names of formats, NULL at the end. */
const char *const *dh_eval_formats(void);

/* `path`: the set's folder, or one annotation file of it. DH_ERR_USAGE: there
 * is no such format; DH_ERR_NOTFOUND, DH_ERR_FORMAT with diag set: not one
 * item. */
DH_MUST_USE enum dh_status dh_eval_set_open(struct dh_eval_set **out,
                                            const char *format,
                                            const char *path,
                                            struct dh_diag *diag);
/* NULL is allowed. */
void dh_eval_set_close(struct dh_eval_set *s);

/* Keep the first n, or n drawn by the seed; 0 keeps all. */
void dh_eval_set_first(struct dh_eval_set *s, int n);
void dh_eval_set_sample(struct dh_eval_set *s, int n, uint64_t seed);
/* Items of one picture stand together. */
void dh_eval_set_by_picture(struct dh_eval_set *s);

/* The picture's path; dh_free. */
char *dh_eval_set_picture(const struct dh_eval_set *s, int item);

#endif
