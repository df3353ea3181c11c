#include "model/draft.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

// Fewer tokens that are the same say too little, more say no more.
#define MATCH_MIN 2
#define MATCH_MAX 16
// How much the newest guess counts in the share of those that came true.
#define NEWEST    (1.0f / 8)
// What a token in a pass costs beyond what is read for it, as a share of the
// pass. With 64 and 684 million weights on two cores, 8 tokens took 2.4 and 2.3
// times as long as one, with 2.4 and 2.8 times the weights; 16 took 3.4
// with 3.0.
#define COMPUTE   0.02f
// Where no guess pays, one of a single token is still made so rarely that it
// does not matter, to learn whether the text has become another one.
#define RETRY     32

void dh_draft_init(struct dh_draft *d, const struct dh_model *model, int most)
{
    struct dh_model_reads reads;
    // From a disk, experts alone are read.
    double free = dh_model_get_reads(model, &reads)
                      ? dh_model_get_pass_bytes(model, 0)
                      : 0;
    dh_assert(most >= 0 && most <= DH_DRAFT_MAX);
    memset(d, 0, sizeof *d);
    d->most = most;
    for (int n = 0; n <= DH_DRAFT_ROWS; n++)
        d->cost[n] = (float)(dh_model_get_pass_bytes(model, n) - free) *
                     (1 + COMPUTE * (float)(n - 1));
    for (int i = 0; i < DH_DRAFT_KINDS; i++)
        d->right[i] = 0.5f + 0.1f * (float)i;
}

static int kind_of(int match)
{
    return match < 3 ? 0 : match < 5 ? 1 : match < 9 ? 2 : 3;
}

static int32_t at(const struct dh_draft_from *f, size_t i)
{
    return i < f->n ? f->ids[i] : f->more[i - f->n];
}

// Where the longest of what was said before that ended as the text does now
// ends, the latest of equals; *match is its length.
static size_t find(const struct dh_draft_from *f, int *match)
{
    size_t n = f->n + f->n_more, best = 0;
    int32_t last = at(f, n - 1);
    *match = 0;
    for (size_t end = n - 1; end > 0 && *match < MATCH_MAX; end--) {
        if (at(f, end - 1) != last)
            continue;
        size_t same = 1;
        while (same < MATCH_MAX && same < end &&
               at(f, end - 1 - same) == at(f, n - 1 - same))
            same++;
        if ((int)same > *match) {
            *match = (int)same;
            best = end;
        }
    }
    return best;
}

// How many are worth it: most tokens for what the pass costs, where each is
// right with probability p if those before it were.
static int worth(const struct dh_draft *d, float p, int rows, int others,
                 int max)
{
    float tokens = 1 + (float)others, next = 1, best;
    int n = 0;
    max = DH_MIN(max, DH_DRAFT_ROWS - rows);
    if (max <= 0)
        return 0;
    best = tokens / d->cost[rows];
    for (int k = 1; k <= max; k++) {
        next *= p;
        tokens += next;
        if (tokens / d->cost[rows + k] > best) {
            best = tokens / d->cost[rows + k];
            n = k;
        }
    }
    return n;
}

int dh_draft_guess(struct dh_draft *d, const struct dh_draft_from *from,
                   int max, int32_t *out)
{
    int match, rows = (int)from->n_more + from->others;
    max = DH_MIN(max, d->most);
    if (max <= 0)
        return 0;
    size_t end = find(from, &match);
    if (match < MATCH_MIN)
        return 0;
    d->kind = kind_of(match);
    int n = worth(d, d->right[d->kind], rows, from->others, max);
    if (n == 0 && ++d->silent % RETRY == 0)
        n = 1;
    n = (int)DH_MIN((size_t)n, from->n + from->n_more - end);
    for (int i = 0; i < n; i++)
        out[i] = at(from, end + (size_t)i);
    return n;
}

void dh_draft_learn(struct dh_draft *d, int right, bool wrong)
{
    float *share = &d->right[d->kind];
    for (int i = 0; i < right; i++)
        *share += (1 - *share) * NEWEST;
    if (wrong)
        *share -= *share * NEWEST;
}
