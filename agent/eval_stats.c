#include "agent/eval_stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

#define Z95       1.959964
#define RESAMPLES 10000

// Of the interval around a share p of n.
static double half_width(double p, double n)
{
    double zz = Z95 * Z95;
    return Z95 * sqrt(p * (1 - p) / n + zz / (4 * n * n)) / (1 + zz / n);
}

struct dh_eval_range dh_eval_wilson(int64_t hits, int64_t count)
{
    if (count <= 0)
        return (struct dh_eval_range){ 0, 1 };
    double n = (double)count, p = (double)hits / n, zz = Z95 * Z95;
    double middle = (p + zz / (2 * n)) / (1 + zz / n), half = half_width(p, n);
    // Rounding leaves crumbs at both ends.
    return (struct dh_eval_range){ hits == 0 ? 0 : fmax(0, middle - half),
                                   hits == count ? 1 : fmin(1, middle + half) };
}

double dh_eval_half_width(int64_t n)
{
    return n > 0 ? half_width(0.5, (double)n) : 0.5;
}

double dh_eval_mcnemar(int64_t b, int64_t c)
{
    double n = (double)(b + c), p = 0;
    // The terms of the binomial by logarithms: they neither under- nor
    // overflow.
    for (int64_t i = 0; i <= DH_MIN(b, c); i++)
        p += exp(lgamma(n + 1) - lgamma((double)i + 1) -
                 lgamma(n - (double)i + 1) - n * log(2));
    return fmin(1, 2 * p);
}

// C(m, k) / C(n, k)
static double share_of_draws(int n, int m, int k)
{
    double p = 1;
    for (int i = 0; i < k; i++)
        p *= m > i ? (double)(m - i) / (n - i) : 0;
    return p;
}

double dh_eval_pass_at(int n, int c, int k)
{
    return 1 - share_of_draws(n, n - c, k);
}

double dh_eval_pass_all(int n, int c, int k)
{
    return share_of_draws(n, c, k);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void dh_eval_sort(double *v, int n)
{
    if (n > 0)
        qsort(v, (size_t)n, sizeof *v, by_value);
}

double dh_eval_quantile(const double *v, int n, double share)
{
    if (n <= 0)
        return 0;
    double at = share * (n - 1);
    int i = (int)at;
    return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

// Takes the means of all resamples.
static struct dh_eval_range middle(double *mean)
{
    dh_eval_sort(mean, RESAMPLES);
    struct dh_eval_range out = { dh_eval_quantile(mean, RESAMPLES, 0.025),
                                 dh_eval_quantile(mean, RESAMPLES, 0.975) };
    dh_free(mean);
    return out;
}

struct dh_eval_range dh_eval_bootstrap(const double *sum, const double *weight,
                                       int n, uint64_t seed)
{
    struct dh_rng rng;
    double *mean;
    if (n <= 0)
        return (struct dh_eval_range){ 0, 0 };
    dh_array(mean, RESAMPLES);
    dh_rng_init(&rng, seed);
    for (int r = 0; r < RESAMPLES; r++) {
        double s = 0, w = 0;
        for (int i = 0; i < n; i++) {
            uint64_t pick = dh_rng_below(&rng, (uint64_t)n);
            s += sum[pick];
            w += weight[pick];
        }
        mean[r] = w > 0 ? s / w : 0;
    }
    return middle(mean);
}

static double mean_of_draws(const double *value, int n, struct dh_rng *rng)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += value[dh_rng_below(rng, (uint64_t)n)];
    return n > 0 ? sum / n : 0;
}

struct dh_eval_range dh_eval_bootstrap_cells(const double *value,
                                             const int *size, int n_cells,
                                             uint64_t seed)
{
    struct dh_rng rng;
    double *mean;
    if (n_cells <= 0)
        return (struct dh_eval_range){ 0, 0 };
    dh_array(mean, RESAMPLES);
    dh_rng_init(&rng, seed);
    for (int r = 0; r < RESAMPLES; r++) {
        const double *cell = value;
        for (int c = 0; c < n_cells; cell += size[c++])
            mean[r] += mean_of_draws(cell, size[c], &rng) / n_cells;
    }
    return middle(mean);
}
