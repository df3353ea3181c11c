// Where keys and values stand for attention, and what they are kept as.
#include <math.h>
#include <string.h>

#include "model/backend_priv.h"

struct dh_attend_head dh_attend_head_of(const struct dh_pairs *pairs,
                                        const float *keys, const float *values,
                                        int dim, int ldv)
{
    struct dh_attend_head h = { .dim = dim, .ldv = ldv };
    if (pairs) {
        h.key_pairs = (const uint32_t *)(const void *)keys;
        h.value_pairs = (const uint32_t *)(const void *)values;
    } else {
        h.keys = keys;
        h.values = values;
    }
    return h;
}

void dh_attend_put_key(const struct dh_pairs *pairs, float *keys, int dim,
                       size_t token, const float *key)
{
    size_t panel = token / DH_PANEL * DH_PANEL, in = token % DH_PANEL;
    size_t n = (size_t)dim;
    if (!pairs) {
        for (size_t d = 0; d < n; d++)
            keys[panel * n + d * DH_PANEL + in] = key[d];
        return;
    }
    uint32_t word[DH_PAIRS_MAX_DIM / 2];
    uint32_t *to = (uint32_t *)(void *)keys + panel * (n / 2) + in;
    pairs->narrow((uint16_t *)word, key, n);
    for (size_t d = 0; d < n / 2; d++)
        to[d * DH_PANEL] = word[d];
}

void dh_attend_put_value(const struct dh_pairs *pairs, float *values, int dim,
                         int ldv, size_t token, const float *value)
{
    if (!pairs) {
        memcpy(values + token * (size_t)ldv, value,
               (size_t)dim * sizeof(*value));
        return;
    }
    uint16_t half[DH_PAIRS_MAX_DIM];
    uint16_t *to =
        (uint16_t *)(void *)values + token / 2 * 2 * (size_t)ldv + token % 2;
    pairs->narrow(half, value, (size_t)dim);
    for (int d = 0; d < dim; d++)
        to[2 * d] = half[d];
}

// n numbers as codes `step` apart, but that those of pairs stand two by two,
// `step` from pair to pair: the scale of them.
static float put_codes(int8_t *to, const float *x, int n, size_t step, int two)
{
    float most = 0;
    bool finite = true;
    for (int i = 0; i < n; i++) {
        float size = fabsf(x[i]);
        finite &= size < INFINITY;
        most = size > most ? size : most;
    }
    // What is less than this has no inverse.
    float by = finite && most > 1e-30f ? 127 / most : 0;
    for (int i = 0; i < n; i++) {
        // To nearest, even, as whatever compiler rounds a sum.
        float code = (finite ? x[i] * by : 0) + 0x1.8p23f;
        to[(size_t)(i / two) * step + (size_t)(i % two)] =
            (int8_t)(code - 0x1.8p23f);
    }
    return !finite ? NAN : by > 0 ? most / 127 : 0;
}

float dh_attend_put_key_codes(const struct dh_pairs *pairs, int8_t *keys,
                              int dim, size_t token, const float *key)
{
    size_t panel = token / DH_PANEL * DH_PANEL, in = token % DH_PANEL;
    int two = pairs ? 2 : 1;
    return put_codes(keys + panel * (size_t)dim + in * (size_t)two, key, dim,
                     (size_t)(DH_PANEL * two), two);
}

float dh_attend_put_value_codes(const struct dh_pairs *pairs, int8_t *values,
                                int dim, int ldv, size_t token,
                                const float *value)
{
    size_t each = (size_t)ldv;
    if (!pairs)
        return put_codes(values + token * each, value, dim, 1, 1);
    return put_codes(values + token / 2 * 2 * each + token % 2, value, dim, 2,
                     1);
}
