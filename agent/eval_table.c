#include <stdio.h>
#include <string.h>

#include "agent/eval_score.h"
#include "base/buf.h"
#include "base/json.h"

static void put_tokens(struct dh_buf *out, double v)
{
    if (v >= 0)
        dh_buf_printf(out, " %7.0f", v);
    else
        dh_buf_printf(out, " %7s", "-");
}

static void put_row(const struct dh_eval_row *r, struct dh_buf *out)
{
    char name[64];
    snprintf(name, sizeof name, "%-9.20s %.32s", r->key, r->value);
    dh_buf_printf(out, "  %-33.33s %6d %6.1f  %5.1f to %5.1f %7d %7.2f %7.2f",
                  name, r->n, 100 * r->score, 100 * r->range.lo,
                  100 * r->range.hi, r->invalid, r->s_median, r->s_p95);
    put_tokens(out, r->tokens_in);
    put_tokens(out, r->tokens_out);
    dh_buf_putc(out, '\n');
}

// What a share hides: a model that abstains looks careful, one that points at
// what is not there looks able.
static void put_behaviour(const struct dh_eval_row *r, struct dh_buf *out)
{
    // Live tasks ask for no point.
    bool points = r->attempts || r->targets || r->targets_none;
    dh_buf_puts(out, "  ");
    if (points)
        dh_buf_printf(out, "attempted %d of %d", r->attempts, r->n);
    if (r->targets)
        dh_buf_printf(out, ", declined %d of %d that are there",
                      r->declined_wrongly, r->targets);
    if (r->targets_none)
        dh_buf_printf(out, ", pointed at %d of %d that are not",
                      r->false_points, r->targets_none);
    if (points)
        dh_buf_printf(out, "; %d of %d misses by 12 px at most", r->near,
                      r->n - r->hits);
    else
        dh_buf_printf(out, "%d misses", r->n - r->hits);
    if (r->voids)
        dh_buf_printf(out, "; %d left out, set-up or server failed", r->voids);
    if (r->cost > 0)
        dh_buf_printf(out, "; %.4f dollars", r->cost);
    dh_buf_putc(out, '\n');
    if (r->voids * 20 > r->n + r->voids)
        dh_buf_puts(out, "  More than 5 % are left out: this is no result.\n");
}

void dh_eval_table_text(const struct dh_eval_table *t, struct dh_buf *out)
{
    for (int i = 0; i < t->n; i++) {
        const struct dh_eval_row *r = &t->row[i];
        bool first = strcmp(r->key, "all") == 0 && !r->value[0];
        if (first) {
            dh_buf_printf(out, "%s%.80s, %s\n", i ? "\n" : "",
                          r->model[0] ? r->model : "no model", r->method);
            put_behaviour(r, out);
            dh_buf_printf(out, "  %-33s %6s %6s  %-14s %7s %7s %7s %7s %7s\n",
                          "", "n", "%", "95 % interval", "invalid", "s", "p95",
                          "tok in", "out");
        }
        put_row(r, out);
    }
}

static void put_known(struct dh_json_writer *w, const char *key, double v)
{
    if (v >= 0)
        dh_jw_double(w, key, v);
}

void dh_eval_table_json(const struct dh_eval_table *t, struct dh_buf *out)
{
    for (int i = 0; i < t->n; i++) {
        const struct dh_eval_row *r = &t->row[i];
        struct dh_json_writer w;
        dh_jw_init(&w, out);
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "model", r->model);
        dh_jw_text(&w, "method", r->method);
        dh_jw_text(&w, "key", r->key);
        dh_jw_text(&w, "value", r->value);
        dh_jw_i64(&w, "n", r->n);
        dh_jw_i64(&w, "hits", r->hits);
        dh_jw_double(&w, "score", r->score);
        dh_jw_double(&w, "lo", r->range.lo);
        dh_jw_double(&w, "hi", r->range.hi);
        dh_jw_i64(&w, "invalid", r->invalid);
        dh_jw_i64(&w, "left_out", r->voids);
        dh_jw_i64(&w, "attempts", r->attempts);
        dh_jw_i64(&w, "near_misses", r->near);
        dh_jw_i64(&w, "targets", r->targets);
        dh_jw_i64(&w, "declined_wrongly", r->declined_wrongly);
        dh_jw_i64(&w, "targets_none", r->targets_none);
        dh_jw_i64(&w, "false_points", r->false_points);
        dh_jw_double(&w, "gap_median_px", r->gap_median);
        dh_jw_double(&w, "s_median", r->s_median);
        dh_jw_double(&w, "s_p95", r->s_p95);
        put_known(&w, "tokens_in", r->tokens_in);
        put_known(&w, "tokens_cached", r->tokens_cached);
        put_known(&w, "tokens_out", r->tokens_out);
        dh_jw_double(&w, "cost", r->cost);
        dh_jw_end_object(&w);
        dh_buf_putc(out, '\n');
    }
}
