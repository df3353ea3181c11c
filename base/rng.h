/* base/rng.h - a small seeded generator (splitmix64, then xoshiro256**). */
#ifndef DH_BASE_RNG_H
#define DH_BASE_RNG_H

#include <stdint.h>

struct dh_rng {
    uint64_t s[4];
};

void dh_rng_init(struct dh_rng *r, uint64_t seed);
uint64_t dh_rng_next(struct dh_rng *r);
/* Uniform in [0, 1). */
double dh_rng_unit(struct dh_rng *r);
/* Uniform in 0..n-1; n > 0. */
uint64_t dh_rng_below(struct dh_rng *r, uint64_t n);

#endif
