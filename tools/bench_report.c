#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/bench.h"

void dh_bench_result_add(struct dh_bench_result *r,
                         const struct dh_bench_sample *s)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 64;
        r->ms = dh_resize_array(r->ms, (size_t)r->cap, sizeof *r->ms);
    }
    r->ms[r->n++] = s->ms;
    r->exact += s->exact;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The samples are sorted. The share of them that are not above it.
static double quantile(const struct dh_bench_result *r, double share)
{
    int i = (int)(share * (double)r->n);
    return r->n ? r->ms[DH_MIN(i, r->n - 1)] : 0;
}

static double median(const struct dh_bench_result *r)
{
    return quantile(r, 0.5);
}

static const struct dh_bench_result *find_kind(const struct dh_bench_result *r,
                                               enum dh_bench_kind kind)
{
    for (; r->c && r->c->name; r++) {
        if (r->c->kind == kind)
            return r;
    }
    return NULL;
}

static const struct dh_bench_result *find_named(const struct dh_bench_result *r,
                                                const char *name)
{
    for (; r->c && r->c->name; r++) {
        if (strcmp(r->c->name, name) == 0)
            return r;
    }
    return NULL;
}

// 0 where one of them has no time.
static double ratio(const struct dh_bench_result *a,
                    const struct dh_bench_result *b)
{
    return a && b && a->n && b->n && median(b) > 0 ? median(a) / median(b) : 0;
}

static void put_ratio(struct dh_buf *out, double v)
{
    if (v > 0)
        dh_buf_printf(out, " %9.*f", v < 100 ? 2 : 0, v);
    else
        dh_buf_printf(out, " %9s", "-");
}

static void row_text(const struct dh_bench_stage *stage,
                     const struct dh_bench_result *r,
                     const struct dh_bench_result *ours,
                     const struct dh_bench_result *limit, struct dh_buf *out)
{
    dh_buf_printf(out, "  %-33s", r->c->name);
    if (!r->n) {
        if (r->missing)
            dh_buf_printf(out, " skipped: %s is not installed\n", r->missing);
        else if (r->failed)
            dh_buf_printf(out, " failed %d times\n", r->failed);
        else
            dh_buf_puts(out, " not run\n");
        return;
    }
    dh_buf_printf(out, " %5d %9.3f %9.3f %9.3f %9.3f %7.0f", r->n, median(r),
                  quantile(r, 0.95), r->ms[0], r->ms[r->n - 1],
                  median(r) > 0 ? 1000 / median(r) : 0);
    put_ratio(out, ratio(r, limit));
    put_ratio(out, ratio(r, ours));
    if (stage->exact)
        dh_buf_printf(out, "  %d/%d", r->exact, r->n);
    if (r->failed)
        dh_buf_printf(out, "  failed %d times", r->failed);
    dh_buf_putc(out, '\n');
}

static void row_json(const struct dh_bench_stage *stage,
                     const struct dh_bench_result *r,
                     const struct dh_bench_result *ours,
                     const struct dh_bench_result *limit, struct dh_buf *out)
{
    static const char *const kinds[] = { "ours", "limit", "peer", "other" };
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "stage", stage->name);
    dh_jw_text(&w, "row", r->c->name);
    dh_jw_text(&w, "kind", kinds[r->c->kind]);
    dh_jw_i64(&w, "n", r->n);
    dh_jw_i64(&w, "failed", r->failed);
    if (r->missing)
        dh_jw_text(&w, "missing", r->missing);
    if (r->n) {
        dh_jw_double(&w, "median_ms", median(r));
        dh_jw_double(&w, "p95_ms", quantile(r, 0.95));
        dh_jw_double(&w, "min_ms", r->ms[0]);
        dh_jw_double(&w, "max_ms", r->ms[r->n - 1]);
        dh_jw_double(&w, "to_limit", ratio(r, limit));
        dh_jw_double(&w, "to_ours", ratio(r, ours));
        if (stage->exact)
            dh_jw_i64(&w, "exact", r->exact);
    }
    dh_jw_end_object(&w);
    dh_buf_putc(out, '\n');
}

static void put_goal(const struct dh_bench_stage *stage, const char *text,
                     double want, double got, bool met, bool json,
                     struct dh_buf *out)
{
    struct dh_json_writer w;
    if (!json) {
        dh_buf_printf(out, "  goal: %s: %.*f, %s\n", text, got < 100 ? 2 : 0,
                      got, met ? "met" : "missed");
        return;
    }
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "stage", stage->name);
    dh_jw_text(&w, "goal", text);
    dh_jw_double(&w, "want", want);
    dh_jw_double(&w, "got", got);
    dh_jw_bool(&w, "met", met);
    dh_jw_end_object(&w);
    dh_buf_putc(out, '\n');
}

static void report_goal(const struct dh_bench_stage *stage,
                        const struct dh_bench_goal *g,
                        const struct dh_bench_result *ours,
                        const struct dh_bench_result *against, bool json,
                        struct dh_buf *out)
{
    struct dh_buf text;
    double got = g->at_most > 0 ? ratio(ours, against) : ratio(against, ours);
    double want = g->at_most > 0 ? g->at_most : g->at_least;
    if (got <= 0) // one of them did not take part
        return;
    dh_buf_init(&text, 256);
    if (g->at_most > 0)
        dh_buf_printf(&text, "at most %g times %s", want, g->against);
    else
        dh_buf_printf(&text, "at least %g times faster than %s", want,
                      g->against);
    put_goal(stage, dh_buf_text(&text), want, got,
             g->at_most > 0 ? got <= want : got >= want, json, out);
    dh_buf_finish(&text);
}

static void report_goals(const struct dh_bench_stage *stage,
                         const struct dh_bench_result *results,
                         const struct dh_bench_result *ours, bool json,
                         struct dh_buf *out)
{
    for (int i = 0; i < DH_BENCH_MAX_GOALS && stage->goals[i].against; i++) {
        const struct dh_bench_goal *g = &stage->goals[i];
        report_goal(stage, g, ours, find_named(results, g->against), json, out);
    }
    if (stage->at_most_ms > 0 && ours && ours->n) {
        char text[64];
        snprintf(text, sizeof text, "at most %g ms", stage->at_most_ms);
        put_goal(stage, text, stage->at_most_ms, median(ours),
                 median(ours) <= stage->at_most_ms, json, out);
    }
    if (stage->exact && ours && ours->n) {
        double share = (double)ours->exact / ours->n;
        put_goal(stage, "all of ours exact", 1, share, ours->exact == ours->n,
                 json, out);
    }
}

void dh_bench_report(const struct dh_bench_stage *stage,
                     struct dh_bench_result *results, bool json,
                     struct dh_buf *out)
{
    const struct dh_bench_result *ours = find_kind(results, DH_BENCH_OURS);
    const struct dh_bench_result *limit = find_kind(results, DH_BENCH_LIMIT);
    for (struct dh_bench_result *r = results; r->c && r->c->name; r++) {
        if (r->n)
            qsort(r->ms, (size_t)r->n, sizeof *r->ms, by_value);
    }
    if (!json)
        dh_buf_printf(
            out, "\n%s: %s\n  %-33s %5s %9s %9s %9s %9s %7s %9s %9s%s\n",
            stage->name, stage->what, "", "n", "median", "p95", "min", "max",
            "per s", "x limit", "x ours", stage->exact ? "  exact" : "");
    for (struct dh_bench_result *r = results; r->c && r->c->name; r++) {
        if (json)
            row_json(stage, r, ours, limit, out);
        else
            row_text(stage, r, ours, limit, out);
    }
    report_goals(stage, results, ours, json, out);
}
