#include "tools/task_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/eval_result.h"
#include "agent/eval_stats.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_HOWS 24

/* What one model did; sums over its trials that count. */
struct sums {
    const char *model;
    int n, voids, hits, declinable, declined_wrongly, infeasible,
        declined_rightly, claims, false_claims, format;
    double score, steps, ms_model, ms_act, ms_settle, in, cached, out, cost;
    double ms_wall, ms_setup, ms_run; // of those that tell them
    int n_known, n_failed;            // kinds of failure; failures
    double efficiency;
    int n_reference;
    struct {
        const char *how;
        int n;
    } how[MAX_HOWS];
    int n_hows;
    // By task: trials, hits, sum of scores.
    const char **id;
    int *tries, *good;
    double *sum, *weight;
    int n_tasks;
};

static bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static bool is_method(const struct dh_eval_result *r, const char *method)
{
    return is(r->method, method);
}

bool dh_task_is_try(const struct dh_eval_result *r)
{
    return is_method(r, DH_TASK_METHOD_AGENT);
}

bool dh_task_is_proof(const struct dh_eval_result *r)
{
    return is_method(r, DH_TASK_METHOD_NOOP) ||
           is_method(r, DH_TASK_METHOD_ORACLE);
}

const char *dh_task_fault(const struct dh_eval_results *rs, const char *id)
{
    for (int i = 0; i < rs->n; i++) {
        const struct dh_eval_result *r = &rs->v[i];
        if (!is(r->item.id, id))
            continue;
        if (is_method(r, DH_TASK_METHOD_NOOP) && r->hit)
            return "it is solved when nothing is done";
        if (is_method(r, DH_TASK_METHOD_NOOP) &&
            dh_eval_error_is_void(r->error))
            return "its set-up or check fails";
        if (is_method(r, DH_TASK_METHOD_ORACLE) && !r->hit)
            return "its own solution does not solve it";
    }
    return NULL;
}

static void count_how(struct sums *s, const char *how)
{
    int i = 0;
    while (i < s->n_hows && strcmp(s->how[i].how, how) != 0)
        i++;
    if (i == MAX_HOWS)
        return;
    s->how[i].how = how;
    s->how[i].n++;
    s->n_hows = DH_MAX(s->n_hows, i + 1);
}

static void count_task(struct sums *s, const struct dh_eval_result *r)
{
    int i = 0;
    while (i < s->n_tasks && strcmp(s->id[i], r->item.id) != 0)
        i++;
    s->id[i] = r->item.id;
    s->tries[i]++;
    s->good[i] += r->hit;
    s->sum[i] += r->score;
    s->weight[i] += 1;
    s->n_tasks = DH_MAX(s->n_tasks, i + 1);
}

static void count(struct sums *s, const struct dh_eval_result *r)
{
    bool cannot = is(dh_eval_tags_find(&r->item.tags, "feasible"), "no");
    bool declined = is(r->end, "failed");
    bool claims = is(r->end, "done") || is(r->end, "answered");
    if (dh_eval_error_is_void(r->error) || r->error == DH_EVAL_ERROR_ENDPOINT) {
        s->voids++;
        return;
    }
    s->n++;
    s->hits += r->hit;
    s->score += r->score;
    s->infeasible += cannot;
    s->declinable += !cannot;
    s->declined_rightly += cannot && declined;
    s->declined_wrongly += !cannot && declined;
    s->claims += claims;
    s->false_claims += claims && !r->hit;
    s->format += r->error == DH_EVAL_ERROR_FORMAT;
    s->steps += r->steps;
    s->ms_model += r->ms_model;
    s->ms_act += r->ms_act;
    s->ms_settle += r->ms_settle;
    if (r->ms_wall > 0 && r->ms_setup >= 0 && r->ms_run >= 0) {
        s->ms_wall += r->ms_wall;
        s->ms_setup += r->ms_setup;
        s->ms_run += r->ms_run;
    }
    s->n_failed += !r->hit;
    s->n_known += !r->hit && r->note && !strstr(r->note, "not known");
    s->in += (double)r->tokens_in;
    s->cached += (double)r->tokens_cached;
    s->out += (double)r->tokens_out;
    s->cost += r->cost;
    if (r->steps_reference > 0) {
        s->n_reference++;
        if (r->hit)
            s->efficiency += (double)r->steps_reference /
                             DH_MAX(r->steps, r->steps_reference);
    }
    count_how(s, r->hit && !cannot ? "solved" : r->note ? r->note : "?");
    count_task(s, r);
}

static void put_passes(const struct sums *s, struct dh_json_writer *w)
{
    int k_max = s->n_tasks ? s->tries[0] : 0;
    for (int i = 0; i < s->n_tasks; i++)
        k_max = DH_MIN(k_max, s->tries[i]);
    for (int k = 1; k_max >= 3 && k <= k_max; k++) {
        double any = 0, all = 0;
        for (int i = 0; i < s->n_tasks; i++) {
            any += dh_eval_pass_at(s->tries[i], s->good[i], k);
            all += dh_eval_pass_all(s->tries[i], s->good[i], k);
        }
        any /= s->n_tasks;
        all /= s->n_tasks;
        if (w) {
            dh_jw_object(w, NULL);
            dh_jw_i64(w, "k", k);
            dh_jw_double(w, "pass_at", any);
            dh_jw_double(w, "pass_all", all);
            dh_jw_end_object(w);
        } else {
            printf("  pass@%d %.3f, pass^%d %.3f\n", k, any, k, all);
        }
    }
}

static struct dh_eval_range range_of(const struct sums *s)
{
    return s->n == s->n_tasks && s->score == s->hits
               ? dh_eval_wilson(s->hits, s->n)
               : dh_eval_bootstrap(s->sum, s->weight, s->n_tasks, 1);
}

static double share(double part, double of)
{
    return of > 0 ? part / of : 0;
}

// What is neither the agent's time nor the task's.
static double share_of_ours(const struct sums *s)
{
    return share(s->ms_wall - s->ms_run - s->ms_setup, s->ms_wall);
}

static void print_sums(const struct sums *s)
{
    struct dh_eval_range r = range_of(s);
    printf("\n%s: %d of %d solved, %.1f %% (95 %%: %.1f to %.1f)\n", s->model,
           s->hits, s->n, 100 * share(s->score, s->n), 100 * r.lo, 100 * r.hi);
    put_passes(s, NULL);
    printf("  attempted %.1f %% of what can be done; claimed success falsely "
           "in %.1f %% of all (%.1f %% of its claims)\n",
           100 * share(s->declinable - s->declined_wrongly, s->declinable),
           100 * share(s->false_claims, s->n),
           100 * share(s->false_claims, s->claims));
    printf("  declined: rightly %d of %d, wrongly %d of %d; not readable %d; "
           "left out %d\n",
           s->declined_rightly, s->infeasible, s->declined_wrongly,
           s->declinable, s->format, s->voids);
    if (s->n_failed)
        printf("  how they failed, beside each task's own solution (known of "
               "%d of %d):\n",
               s->n_known, s->n_failed);
    for (int i = 0; i < s->n_hows; i++)
        if (strcmp(s->how[i].how, "solved") != 0)
            printf("  %4d  %s\n", s->how[i].n, s->how[i].how);
    printf("  a try: %.1f steps; %.2f s in the model, %.2f s acting, %.2f s "
           "settling;\n         %.0f tokens in, %.0f %% of them cached, %.0f "
           "out",
           share(s->steps, s->n), share(s->ms_model, s->n) / 1e3,
           share(s->ms_act, s->n) / 1e3, share(s->ms_settle, s->n) / 1e3,
           share(s->in, s->n), 100 * share(s->cached, s->in),
           share(s->out, s->n));
    if (s->cost > 0)
        printf("; $%.4f in all, $%.4f a success", s->cost,
               share(s->cost, s->hits));
    puts("");
    if (s->ms_wall > 0)
        printf("  of %.1f s: %.1f %% the agent, %.1f %% the tasks' programs "
               "starting, %.1f %% ours (desktop, check, taking down)\n",
               s->ms_wall / 1e3, 100 * s->ms_run / s->ms_wall,
               100 * s->ms_setup / s->ms_wall, 100 * share_of_ours(s));
    if (s->n_reference)
        printf("  step efficiency %.3f on %d tries with a known solution\n",
               s->efficiency / s->n_reference, s->n_reference);
}

static void json_sums(const struct sums *s, struct dh_json_writer *w)
{
    struct dh_eval_range r = range_of(s);
    dh_jw_object(w, NULL);
    dh_jw_text(w, "model", s->model);
    dh_jw_i64(w, "n", s->n);
    dh_jw_i64(w, "tasks", s->n_tasks);
    dh_jw_i64(w, "solved", s->hits);
    dh_jw_double(w, "score", share(s->score, s->n));
    dh_jw_double(w, "lo", r.lo);
    dh_jw_double(w, "hi", r.hi);
    dh_jw_i64(w, "left_out", s->voids);
    dh_jw_double(w, "attempt_rate",
                 share(s->declinable - s->declined_wrongly, s->declinable));
    dh_jw_double(w, "false_success_rate", share(s->false_claims, s->n));
    dh_jw_i64(w, "infeasible", s->infeasible);
    dh_jw_i64(w, "declined_rightly", s->declined_rightly);
    dh_jw_i64(w, "declined_wrongly", s->declined_wrongly);
    dh_jw_i64(w, "format_errors", s->format);
    dh_jw_double(w, "steps", share(s->steps, s->n));
    dh_jw_double(w, "s_model", share(s->ms_model, s->n) / 1e3);
    dh_jw_double(w, "s_act", share(s->ms_act, s->n) / 1e3);
    dh_jw_double(w, "s_settle", share(s->ms_settle, s->n) / 1e3);
    dh_jw_double(w, "s_wall", share(s->ms_wall, s->n) / 1e3);
    dh_jw_double(w, "s_setup", share(s->ms_setup, s->n) / 1e3);
    dh_jw_double(w, "s_run", share(s->ms_run, s->n) / 1e3);
    dh_jw_double(w, "harness_share", share_of_ours(s));
    dh_jw_i64(w, "failures", s->n_failed);
    dh_jw_i64(w, "failures_of_known_kind", s->n_known);
    dh_jw_double(w, "tokens_in", share(s->in, s->n));
    dh_jw_double(w, "tokens_cached", share(s->cached, s->n));
    dh_jw_double(w, "tokens_out", share(s->out, s->n));
    dh_jw_double(w, "cost", s->cost);
    dh_jw_array(w, "pass");
    put_passes(s, w);
    dh_jw_end_array(w);
    dh_jw_object(w, "how");
    for (int i = 0; i < s->n_hows; i++)
        dh_jw_i64(w, s->how[i].how, s->how[i].n);
    dh_jw_end_object(w);
    dh_jw_end_object(w);
}

static void report_model(const struct dh_eval_results *rs, int first,
                         struct dh_json_writer *w)
{
    struct sums s = { .model = rs->v[first].model ? rs->v[first].model : "?" };
    size_t n = (size_t)rs->n;
    dh_array(s.id, n);
    dh_array(s.tries, n);
    dh_array(s.good, n);
    dh_array(s.sum, n);
    dh_array(s.weight, n);
    for (int i = first; i < rs->n; i++)
        if (is_method(&rs->v[i], DH_TASK_METHOD_AGENT) &&
            is(rs->v[i].model, s.model))
            count(&s, &rs->v[i]);
    if (w)
        json_sums(&s, w);
    else
        print_sums(&s);
    dh_free(s.id);
    dh_free(s.tries);
    dh_free(s.good);
    dh_free(s.sum);
    dh_free(s.weight);
}

static bool is_first_of_model(const struct dh_eval_results *rs, int i)
{
    for (int j = 0; j < i; j++)
        if (is_method(&rs->v[j], DH_TASK_METHOD_AGENT) &&
            is(rs->v[j].model, rs->v[i].model))
            return false;
    return is_method(&rs->v[i], DH_TASK_METHOD_AGENT);
}

// Tasks that were put to the test themselves.
static void report_tasks(const struct dh_eval_results *rs,
                         struct dh_json_writer *w)
{
    int n = 0, bad = 0;
    for (int i = 0; i < rs->n; i++) {
        const struct dh_eval_result *r = &rs->v[i];
        bool oracle = is_method(r, DH_TASK_METHOD_ORACLE);
        bool alone = is_method(r, DH_TASK_METHOD_NOOP) &&
                     !dh_eval_results_find(rs, r->item.id, r->model,
                                           DH_TASK_METHOD_ORACLE, 1);
        if (!oracle && !alone)
            continue;
        n++;
        const char *fault = dh_task_fault(rs, r->item.id);
        bad += fault != NULL;
        if (fault && !w)
            printf("invalid  %s: %s%s%s\n", r->item.id, fault,
                   r->note ? "; " : "", r->note ? r->note : "");
        else if (fault)
            dh_jw_text(w, r->item.id, fault);
    }
    if (n && !w)
        printf("%d of %d tasks are valid\n", n - bad, n);
}

void dh_task_report(const struct dh_eval_results *rs, bool json)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 16 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_object(&w, "invalid");
    report_tasks(rs, json ? &w : NULL);
    dh_jw_end_object(&w);
    dh_jw_array(&w, "models");
    for (int i = 0; i < rs->n; i++)
        if (is_first_of_model(rs, i))
            report_model(rs, i, json ? &w : NULL);
    dh_jw_end_array(&w);
    dh_jw_end_object(&w);
    if (json)
        puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}
