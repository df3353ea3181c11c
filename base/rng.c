#include "base/rng.h"

#include "base/assert.h"

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t rotl(uint64_t x, unsigned k)
{
    return x << k | x >> (64 - k);
}

void dh_rng_init(struct dh_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

uint64_t dh_rng_next(struct dh_rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

double dh_rng_unit(struct dh_rng *r)
{
    return (double)(dh_rng_next(r) >> 11) * 0x1p-53;
}

uint64_t dh_rng_below(struct dh_rng *r, uint64_t n)
{
    dh_assert(n > 0);
    // Values below 2^64 mod n would make small results more likely.
    uint64_t reject = (0 - n) % n;
    uint64_t v = dh_rng_next(r);
    while (v < reject)
        v = dh_rng_next(r);
    return v % n;
}
