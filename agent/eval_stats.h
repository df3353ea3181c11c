/*
 * agent/eval_stats.h - what may be said of counts and averages (benchmarks.md
 * 8). Pure functions; the same input and seed give the same numbers anywhere.
 */
#ifndef DH_AGENT_EVAL_STATS_H
#define DH_AGENT_EVAL_STATS_H

#include <stdint.h>

struct dh_eval_range {
    double lo, hi;
};

/* Wilson's 95 % interval of hits among n; 0..1 where n is 0. */
struct dh_eval_range dh_eval_wilson(int64_t hits, int64_t n);
/* Half its width at a share of one half: what n items cannot tell apart. */
double dh_eval_half_width(int64_t n);
/* Exact two-sided p of b against c discordant pairs. */
double dh_eval_mcnemar(int64_t b, int64_t c);
/* At least one of k tries good, all k good; c of n were. 1 <= k <= n. */
double dh_eval_pass_at(int n, int c, int k);
double dh_eval_pass_all(int n, int c, int k);

/*
 * Bootstrap of sum(sum) / sum(weight): a resample draws n of the n clusters
 * with all that is in them, 10,000 times; the middle 95 % are the interval.
 */
struct dh_eval_range dh_eval_bootstrap(const double *sum, const double *weight,
                                       int n, uint64_t seed);

/* The same of the mean of the cells' means: size[c] of the values belong to
 * cell c, in order, and a resample draws as many within each. */
struct dh_eval_range dh_eval_bootstrap_cells(const double *value,
                                             const int *size, int n_cells,
                                             uint64_t seed);

void dh_eval_sort(double *v, int n);
/* Of sorted values, between neighbours; 0 where there are none. */
double dh_eval_quantile(const double *sorted, int n, double share);

#endif
