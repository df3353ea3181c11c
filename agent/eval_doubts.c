// What makes a number of a grounding run hard to believe (benchmarks.md 7.5).
#include <stdlib.h>
#include <string.h>

#include "agent/eval_judge.h"
#include "agent/eval_score.h"
#include "base/buf.h"
#include "base/mem.h"

#define MIN_ITEMS 20 // of fewer nothing is told

struct seen {
    int n, points, hits, invalid, outside;
    int quadrant[4];
    int same; // the most that fell on one point
    double same_at[2];
};

static bool is_asked(const struct dh_eval_result *r)
{
    return r->raw && r->item.target.kind != DH_EVAL_TEXT &&
           r->item.target.kind != DH_EVAL_STEP &&
           r->item.target.kind != DH_EVAL_NOTHING &&
           strcmp(r->method ? r->method : "point", "point") == 0;
}

static int by_point(const void *a, const void *b)
{
    return memcmp(a, b, 2 * sizeof(double));
}

static void find_same(struct seen *s, double (*at)[2], int n)
{
    if (n)
        qsort(at, (size_t)n, sizeof *at, by_point);
    for (int from = 0, to; from < n; from = to) {
        for (to = from; to < n && by_point(at[to], at[from]) == 0; to++)
            ;
        if (to - from > s->same) {
            s->same = to - from;
            memcpy(s->same_at, at[from], sizeof s->same_at);
        }
    }
}

static void look(struct seen *s, const struct dh_eval_results *rs)
{
    double(*at)[2];
    dh_array(at, (size_t)rs->n);
    for (int i = 0; i < rs->n; i++) {
        const struct dh_eval_result *r = &rs->v[i];
        if (!is_asked(r))
            continue;
        bool none = r->item.target.kind == DH_EVAL_NONE;
        s->n++;
        s->hits += r->hit;
        s->invalid += r->error == DH_EVAL_ERROR_FORMAT ||
                      (r->error == DH_EVAL_ERROR_REFUSED && !none);
        s->outside += dh_eval_judge_is_outside(r);
        if (!r->has_point)
            continue;
        s->quadrant[(r->point[0] * 2 > r->item.size.w) +
                    2 * (r->point[1] * 2 > r->item.size.h)]++;
        memcpy(at[s->points++], r->point, sizeof *at);
    }
    find_same(s, at, s->points);
    dh_free(at);
}

static int hits_as(const struct dh_eval_results *rs, enum dh_coord coord,
                   bool swapped)
{
    int hits = 0;
    for (int i = 0; i < rs->n; i++) {
        double p[2];
        if (is_asked(&rs->v[i]) &&
            dh_eval_judge_as(&rs->v[i], coord, swapped, p))
            hits += dh_eval_target_has(&rs->v[i].item.target, p[0], p[1]);
    }
    return hits;
}

static enum dh_coord used_by(const struct dh_eval_results *rs)
{
    for (int i = 0; i < rs->n; i++)
        if (is_asked(&rs->v[i]))
            return rs->v[i].coord;
    return DH_COORD_NORM1000;
}

static void try_conventions(const struct dh_eval_results *rs,
                            const struct seen *s, struct dh_buf *out)
{
    enum dh_coord best = used_by(rs), used = best;
    bool best_swapped = false;
    int most = s->hits;
    for (int c = 0; c < DH_COORD_COUNT; c++) {
        for (int swapped = 0; swapped < 2; swapped++) {
            int hits = hits_as(rs, (enum dh_coord)c, swapped);
            if (hits > most) {
                most = hits;
                best = (enum dh_coord)c;
                best_swapped = swapped;
            }
        }
    }
    if (s->hits * 10 < s->n && most * 10 > s->n * 4)
        dh_buf_printf(
            out,
            "the coordinate convention looks wrong: read as %s%s, "
            "%.1f %% would hit, in place of %.1f %% as %s\n",
            dh_coord_name(best), best_swapped ? " with x and y exchanged" : "",
            100.0 * most / s->n, 100.0 * s->hits / s->n, dh_coord_name(used));
}

void dh_eval_doubts(const struct dh_eval_results *rs, struct dh_buf *out)
{
    struct seen s = { 0 };
    look(&s, rs);
    if (s.n < MIN_ITEMS)
        return;
    if (s.invalid * 20 > s.n)
        dh_buf_printf(out, "%.1f %% of the answers cannot be read\n",
                      100.0 * s.invalid / s.n);
    if (s.outside * 50 > s.n)
        dh_buf_printf(out,
                      "%.1f %% of the answers lie outside of the picture\n",
                      100.0 * s.outside / s.n);
    try_conventions(rs, &s, out);
    for (int q = 0; q < 4; q++)
        if (s.quadrant[q] == s.points && s.points >= MIN_ITEMS)
            dh_buf_printf(out, "all answers are in the %s %s quarter\n",
                          q & 2 ? "lower" : "upper", q & 1 ? "right" : "left");
    if (s.same * 20 > s.n && s.same > 1)
        dh_buf_printf(out, "%.1f %% of the answers are the same point, %g %g\n",
                      100.0 * s.same / s.n, s.same_at[0], s.same_at[1]);
}
