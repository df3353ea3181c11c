#include "agent/estimate.h"

#include <string.h>

#include "agent/endpoint.h"
#include "agent/profile.h"
#include "base/mem.h"

#define TOKENS_OF_A_TURN   60 // an Action: line and one call
#define TOKENS_OF_THINKING 2000
#define BYTES_OF_A_TOKEN   4

void dh_estimate_run(const struct dh_endpoint *e, const struct dh_profile *p,
                     struct dh_size screen, int steps, struct dh_estimate *out)
{
    int picture = dh_endpoint_picture_tokens(e, &screen.w, &screen.h);
    double head =
        p->developer ? (double)strlen(p->developer) / BYTES_OF_A_TOKEN : 0;
    bool thinks = e->s.think_by != DH_THINK_NOWHERE &&
                  e->s.thinking != DH_THINKING_DISABLED;
    double answer = TOKENS_OF_A_TURN + (thinks ? TOKENS_OF_THINKING : 0);
    double before = 0; // the last question and its answer
    int k = 0;         // pictures behind the first
    memset(out, 0, sizeof *out);
    for (int step = 0; step < steps; step++) {
        k += step > 0;
        int drop = DH_MAX(0, k - p->keep_min);
        drop -= drop % DH_MAX(p->chunk, 1);
        k -= drop;
        double prompt =
            head + (k + 1.0) * picture + (double)step * TOKENS_OF_A_TURN;
        double cached = drop ? head + picture : before;
        out->pictures_sent += k + 1;
        out->prompt_tokens += prompt;
        out->cached_tokens += cached;
        out->answer_tokens += answer;
        out->cost += dh_endpoint_cost(e, prompt, cached, answer);
        out->cost_uncached += dh_endpoint_cost(e, prompt, 0, answer);
        before = prompt;
    }
}
