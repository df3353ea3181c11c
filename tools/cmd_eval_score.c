#include <stddef.h>
#include <stdio.h>

#include "agent/eval_score.h"
#include "base/buf.h"
#include "base/json.h"
#include "tools/app.h"
#include "tools/eval_report.h"

struct score_options {
    int cluster, seed;
    const char *method;
};

static const char *const clusters[] = { "item", "image", NULL };

static const struct dh_opt score_opts[] = {
    { "cluster", 0, DH_OPT_ENUM, offsetof(struct score_options, cluster),
      "WHAT", "What intervals draw again, as items of a picture are alike", 0,
      0, clusters },
    { "seed", 0, DH_OPT_INT, offsetof(struct score_options, seed), "N",
      "Seed of what intervals draw", 0, 1e9, NULL },
    { 0 },
};

static const struct dh_opt compare_opts[] = {
    { "method", 0, DH_OPT_TEXT, offsetof(struct score_options, method), "NAME",
      "Only this method, as point or zoom", 0, 0, NULL },
    { 0 },
};

static int run_score(int argc, char **argv)
{
    struct score_options o = { 0 };
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_opt_set sets[] = { { score_opts, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    int n, status;
    if (!dh_app_parse(&dh_cmd_eval_score, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 1)
        return dh_app_usage(&dh_cmd_eval_score,
                            "one folder of results is expected");
    struct dh_eval_score_options so = { .by_picture = o.cluster == 1,
                                        .seed = (uint64_t)o.seed };
    return dh_app_exit(dh_eval_report(argv[1], NULL, &so, app.json));
}

static void print_pair(const struct dh_eval_pair *p)
{
    double half = dh_eval_half_width(p->n);
    printf("%d items in both", p->n);
    if (p->unpaired)
        printf(", %d in one alone or left out", p->unpaired);
    printf("\n  A %.1f %%, B %.1f %%; B is %+.1f points (95 %%: %+.1f to "
           "%+.1f)\n",
           100 * p->a, 100 * p->b, 100 * (p->b - p->a), 100 * p->difference.lo,
           100 * p->difference.hi);
    printf("  right in both %d, in A alone %d, in B alone %d, in none %d; "
           "McNemar p = %.4g\n",
           p->both, p->only_a, p->only_b, p->neither, p->p);
    if (p->b - p->a > -half && p->b - p->a < half)
        printf("  The difference is within the +-%.1f points that %d items "
               "leave open for one run alone.\n",
               100 * half, p->n);
}

static void print_pair_json(const struct dh_eval_pair *p)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 16);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "n", p->n);
    dh_jw_i64(&w, "unpaired", p->unpaired);
    dh_jw_double(&w, "a", p->a);
    dh_jw_double(&w, "b", p->b);
    dh_jw_i64(&w, "both", p->both);
    dh_jw_i64(&w, "only_a", p->only_a);
    dh_jw_i64(&w, "only_b", p->only_b);
    dh_jw_i64(&w, "neither", p->neither);
    dh_jw_double(&w, "mcnemar_p", p->p);
    dh_jw_double(&w, "difference_lo", p->difference.lo);
    dh_jw_double(&w, "difference_hi", p->difference.hi);
    dh_jw_double(&w, "half_width", dh_eval_half_width(p->n));
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static enum dh_status compare(const char *first, const char *second,
                              const struct score_options *o, bool json)
{
    struct dh_eval_score_options so = { .by_picture = o->cluster == 1,
                                        .seed = (uint64_t)o->seed };
    struct dh_eval_results a, b;
    struct dh_eval_pair p;
    enum dh_status st = dh_eval_report_read(&a, first);
    if (st)
        return st;
    st = dh_eval_report_read(&b, second);
    if (!st) {
        dh_eval_compare(&p, &a, &b, o->method, &so);
        if (json)
            print_pair_json(&p);
        else
            print_pair(&p);
        if (!p.n) {
            fputs("deskhand eval: the two have no item in common\n", stderr);
            st = DH_ERR_FORMAT;
        }
        dh_eval_results_finish(&b);
    }
    dh_eval_results_finish(&a);
    return st;
}

static int run_compare(int argc, char **argv)
{
    struct score_options o = { 0 };
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_opt_set sets[] = {
        { score_opts, &o }, { compare_opts, &o }, { dh_app_opts, &app }, { 0 }
    };
    int n, status;
    if (!dh_app_parse(&dh_cmd_eval_compare, sets, &app, argc, argv, &n,
                      &status))
        return status;
    if (n != 2)
        return dh_app_usage(&dh_cmd_eval_compare,
                            "two folders of results are expected");
    return dh_app_exit(compare(argv[1], argv[2], &o, app.json));
}

const struct dh_command dh_cmd_eval_score = {
    "eval score",
    "DIR",
    "Compute all numbers again from the answers",
    NULL,
    { score_opts, dh_app_opts },
    run_score,
};

const struct dh_command dh_cmd_eval_compare = {
    "eval compare",
    "A B",
    "Hold two runs side by side, item by item",
    NULL,
    { score_opts, compare_opts, dh_app_opts },
    run_compare,
};
