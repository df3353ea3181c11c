/*
 * agent/estimate.h - what a run behind an endpoint will cost.
 *
 * The pictures of a history in turns climb and fall as dh_history_prune has it;
 * between two falls the server's cache knows all but the newest turn
 * (actions.md 2.5, 4.6, 4.7). Texts are assumed to be of a usual length.
 */
#ifndef DH_AGENT_ESTIMATE_H
#define DH_AGENT_ESTIMATE_H

#include "base/geom.h"

struct dh_endpoint;
struct dh_profile;

struct dh_estimate {
    int pictures_sent; /* over all steps, those that were sent before too */
    double prompt_tokens, cached_tokens, answer_tokens;
    double cost, cost_uncached; /* dollars; 0 where no prices are known */
};

void dh_estimate_run(const struct dh_endpoint *e, const struct dh_profile *p,
                     struct dh_size screen, int steps, struct dh_estimate *out);

#endif
