/* tools/agree.h - how often two checkpoints mean the same next token. */
#ifndef DH_TOOLS_AGREE_H
#define DH_TOOLS_AGREE_H

#include "base/status.h"

struct dh_pool;

struct dh_agree_result {
    int positions, same;    /* where the best token is the same */
    double kl_mean, kl_max; /* KL divergence of b from a, in nats */
};

/*
 * Feed the same tokens to both, with the arithmetic that rounds no activation:
 * `tokens` random ones, or as many as the lines of the text file `prompts` have
 * (each a prompt of its own). Vocabularies of different sizes are an error.
 */
DH_MUST_USE enum dh_status dh_agree_measure(struct dh_agree_result *out,
                                            const char *a, const char *b,
                                            struct dh_pool *pool, int tokens,
                                            const char *prompts);

#endif
