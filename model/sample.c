// Picking a token from logits (m3.md 12).
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/rng.h"
#include "model/session.h"

static bool may(const uint64_t *allowed, int i)
{
    return !allowed || (allowed[i / 64] >> (i % 64) & 1);
}

static int best_of(const float *x, int n)
{
    int best = -1;
    for (int i = 0; i < n; i++) {
        if (isfinite(x[i]) && (best < 0 || x[i] > x[best]))
            best = i;
    }
    return best;
}

// The k-th largest value of x[0..n): bisection over the order of floats as
// integers, since x may not be changed and nothing may be allocated.
static uint32_t order_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof(u));
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

static uint32_t kth_order(const float *x, int n, int k)
{
    uint32_t low = 0, high = UINT32_MAX;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2 + 1;
        int above = 0;
        for (int i = 0; i < n; i++)
            above += order_of(x[i]) >= mid;
        if (above >= k)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

// Keep the k largest; ties with the last of them stay.
static void keep_top_k(float *x, int n, int k)
{
    uint32_t least = kth_order(x, n, k);
    for (int i = 0; i < n; i++) {
        if (order_of(x[i]) < least)
            x[i] = -INFINITY;
    }
}

// p[0..n) holds probabilities that sum to 1. Keep the largest whose sum is at
// least `mass`, at least one: the published code drops the rising prefix whose
// sum is at most 1 - mass, which is the same set but for equal values; those
// stay together here.
static void keep_top_p(float *p, int n, double mass)
{
    uint32_t low = 0, high = UINT32_MAX;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2 + 1;
        double sum = 0;
        for (int i = 0; i < n; i++) {
            if (order_of(p[i]) >= mid)
                sum += (double)p[i];
        }
        if (sum >= mass)
            low = mid;
        else
            high = mid - 1;
    }
    for (int i = 0; i < n; i++) {
        if (order_of(p[i]) < low)
            p[i] = 0;
    }
}

// Scores to probabilities in place; -inf becomes 0.
static void softmax(float *x, int n, float top)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        x[i] = x[i] == -INFINITY ? 0 : expf(x[i] - top);
        sum += (double)x[i];
    }
    for (int i = 0; i < n; i++)
        x[i] = (float)((double)x[i] / sum);
}

static int draw(const float *p, int n, struct dh_rng *rng)
{
    double sum = 0, at = 0;
    int last = -1;
    for (int i = 0; i < n; i++)
        sum += (double)p[i];
    double u = dh_rng_unit(rng) * sum;
    for (int i = 0; i < n; i++) {
        if (!(p[i] > 0))
            continue;
        at += (double)p[i];
        last = i;
        if (u < at)
            break;
    }
    return last;
}

int dh_sample(const float *logits, int vocab, const uint64_t *allowed,
              const struct dh_sampling *how, struct dh_rng *rng, float *scratch)
{
    for (int i = 0; i < vocab; i++)
        scratch[i] =
            may(allowed, i) && isfinite(logits[i]) ? logits[i] : -INFINITY;
    int best = best_of(scratch, vocab);
    if (best < 0 || !(how->temperature > 0))
        return best;
    for (int i = 0; i < vocab; i++)
        scratch[i] /= how->temperature;
    // A tiny temperature makes infinities of what is far from the best.
    if (!isfinite(scratch[best]))
        return best;
    if (how->top_k > 0 && how->top_k < vocab)
        keep_top_k(scratch, vocab, how->top_k);
    softmax(scratch, vocab, scratch[best]);
    if (how->top_p > 0 && how->top_p < 1)
        keep_top_p(scratch, vocab, (double)how->top_p);
    return draw(scratch, vocab, rng);
}
