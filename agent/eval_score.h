/*
 * agent/eval_score.h - results counted: rows by model, method and tag, what
 * looks wrong about a run, two runs held side by side.
 */
#ifndef DH_AGENT_EVAL_SCORE_H
#define DH_AGENT_EVAL_SCORE_H

#include "agent/eval_result.h"
#include "agent/eval_stats.h"

struct dh_buf;

struct dh_eval_row {
    char *model, *method;
    char *key, *value; /* "all", "", or a tag */
    int n;             /* that count: without those of which nothing can be
                        * said */
    int hits, voids;
    int invalid;  /* unreadable, out of range, too late, or declined although
                   * there is a target */
    int attempts; /* gave a point, or a text that was asked for */
    int near;     /* misses by 12 px at most */
    int false_points, targets_none; /* pointed at what is not there, of how many
                                     * that are not there */
    int declined_wrongly, targets;  /* declined what is there */
    double score;                   /* mean */
    struct dh_eval_range range;     /* 95 % */
    double s_median, s_p95;         /* seconds in the model */
    double gap_median;              /* of misses that have one, px */
    double tokens_in, tokens_cached, tokens_out; /* means; -1: not known */
    double cost;                                 /* sum */
};

struct dh_eval_table {
    struct dh_eval_row *row;
    int n;
};

struct dh_eval_score_options {
    bool by_picture; /* resample pictures in place of items */
    uint64_t seed;
};

/*
 * For each model and method: "all"; "own", the set's own average, where that is
 * another; each tag; and of places their size at the scale that was sent and
 * their quarter by area. Where items have parts of a point, several trials, or
 * pictures are asked for, the interval is by bootstrap, else Wilson's.
 */
void dh_eval_score(struct dh_eval_table *out, const struct dh_eval_results *rs,
                   const struct dh_eval_score_options *o);
void dh_eval_table_finish(struct dh_eval_table *t);
/* Columns for a terminal; one JSON object a line. */
void dh_eval_table_text(const struct dh_eval_table *t, struct dh_buf *out);
void dh_eval_table_json(const struct dh_eval_table *t, struct dh_buf *out);

/* Indices of results, what went worst first: unreadable, pointing at nothing,
 * then by the distance. `order` has room for rs->n; returns how many missed. */
int dh_eval_worst(const struct dh_eval_results *rs, int *order);

/* One line for each thing that looks wrong (7.5); nothing is ever corrected. */
void dh_eval_doubts(const struct dh_eval_results *rs, struct dh_buf *out);

struct dh_eval_pair {
    int n, both, only_a, only_b, neither;
    int unpaired;                    /* in one of them alone, or void in one */
    double a, b;                     /* mean scores */
    double p;                        /* McNemar */
    struct dh_eval_range difference; /* b - a, 95 % */
};
/* Items of the same id, method and trial. `method` NULL: each with its own. */
void dh_eval_compare(struct dh_eval_pair *out, const struct dh_eval_results *a,
                     const struct dh_eval_results *b, const char *method,
                     const struct dh_eval_score_options *o);

#endif
