#include "agent/eval_score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define NEAR_PX 12

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

// ---- one row ---------------------------------------------------------------

/* A choice of results, by index. */
struct pick {
    const struct dh_eval_results *rs;
    int *i, n;
};

static const struct dh_eval_result *at(const struct pick *p, int k)
{
    return &p->rs->v[p->i[k]];
}

static bool is_place(const struct dh_eval_result *r)
{
    return r->item.target.kind == DH_EVAL_BOX ||
           r->item.target.kind == DH_EVAL_POLYGON;
}

static void count_one(struct dh_eval_row *w, const struct dh_eval_result *r)
{
    bool none = r->item.target.kind == DH_EVAL_NONE;
    bool refused = r->error == DH_EVAL_ERROR_REFUSED;
    if (dh_eval_error_is_void(r->error)) {
        w->voids++;
        return;
    }
    w->n++;
    w->hits += r->hit;
    w->score += r->score;
    w->invalid += (r->error && !refused) || (refused && !none);
    w->attempts += r->has_point || r->item.target.kind == DH_EVAL_TEXT ||
                   (r->item.target.kind == DH_EVAL_STEP && !r->error);
    w->near += !r->hit && r->gap_px > 0 && r->gap_px <= NEAR_PX;
    w->targets_none += none;
    w->false_points += none && r->has_point;
    w->targets += is_place(r);
    w->declined_wrongly += refused && is_place(r);
    w->cost += r->cost;
}

// A mean of those that are known.
static double mean_of(const struct pick *p,
                      int64_t (*get)(const struct dh_eval_result *))
{
    double sum = 0;
    int n = 0;
    for (int k = 0; k < p->n; k++) {
        int64_t v = get(at(p, k));
        if (dh_eval_error_is_void(at(p, k)->error) || v < 0)
            continue;
        sum += (double)v;
        n++;
    }
    return n ? sum / n : -1;
}

static int64_t get_in(const struct dh_eval_result *r)
{
    return r->tokens_in;
}

static int64_t get_cached(const struct dh_eval_result *r)
{
    return r->tokens_cached;
}

static int64_t get_out(const struct dh_eval_result *r)
{
    return r->tokens_out;
}

static void measure_times(struct dh_eval_row *w, const struct pick *p)
{
    double *s, *gap;
    int n = 0, n_gap = 0;
    dh_array(s, (size_t)p->n);
    dh_array(gap, (size_t)p->n);
    for (int k = 0; k < p->n; k++) {
        const struct dh_eval_result *r = at(p, k);
        if (!dh_eval_error_is_void(r->error) && r->ms_model >= 0)
            s[n++] = r->ms_model / 1000;
        if (r->gap_px > 0)
            gap[n_gap++] = r->gap_px;
    }
    dh_eval_sort(s, n);
    dh_eval_sort(gap, n_gap);
    w->s_median = dh_eval_quantile(s, n, 0.5);
    w->s_p95 = dh_eval_quantile(s, n, 0.95);
    w->gap_median = dh_eval_quantile(gap, n_gap, 0.5);
    dh_free(s);
    dh_free(gap);
}

// ---- clusters --------------------------------------------------------------

struct member {
    const char *key;
    double score;
};

static int by_key(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return strcmp(x->key, y->key);
}

// Members with one key are drawn together.
static struct dh_eval_range cluster_range(struct member *m, int n,
                                          uint64_t seed)
{
    double *sum, *weight;
    int clusters = 0;
    dh_array(sum, (size_t)n);
    dh_array(weight, (size_t)n);
    if (n)
        qsort(m, (size_t)n, sizeof *m, by_key);
    for (int k = 0; k < n; k++) {
        clusters += k == 0 || strcmp(m[k].key, m[k - 1].key) != 0;
        sum[clusters - 1] += m[k].score;
        weight[clusters - 1] += 1;
    }
    struct dh_eval_range r = dh_eval_bootstrap(sum, weight, clusters, seed);
    dh_free(sum);
    dh_free(weight);
    return r;
}

static const char *cluster_of(const struct dh_eval_result *r,
                              const struct dh_eval_score_options *o)
{
    return o->by_picture && r->item.image[0] ? r->item.image : r->item.id;
}

static void measure_range(struct dh_eval_row *w, const struct pick *p,
                          const struct dh_eval_score_options *o)
{
    struct member *m;
    int n = 0;
    bool plain = !o->by_picture;
    dh_array(m, (size_t)p->n);
    for (int k = 0; k < p->n; k++) {
        const struct dh_eval_result *r = at(p, k);
        if (dh_eval_error_is_void(r->error))
            continue;
        plain &= r->trial <= 1 && (r->score == 0 || r->score == 1);
        m[n++] = (struct member){ cluster_of(r, o), r->score };
    }
    w->range =
        plain ? dh_eval_wilson(w->hits, w->n) : cluster_range(m, n, o->seed);
    dh_free(m);
}

static void add_row(struct dh_eval_table *t, const struct pick *p,
                    const char *key, const char *value,
                    const struct dh_eval_score_options *o)
{
    struct dh_eval_row w = { .key = dh_strdup(key), .value = dh_strdup(value) };
    w.model = dh_strdup(or_empty(at(p, 0)->model));
    w.method = dh_strdup(or_empty(at(p, 0)->method));
    for (int k = 0; k < p->n; k++)
        count_one(&w, at(p, k));
    w.score = w.n ? w.score / w.n : 0;
    w.tokens_in = mean_of(p, get_in);
    w.tokens_cached = mean_of(p, get_cached);
    w.tokens_out = mean_of(p, get_out);
    measure_times(&w, p);
    measure_range(&w, p, o);
    t->row = dh_resize_array(t->row, (size_t)t->n + 1, sizeof *t->row);
    t->row[t->n++] = w;
}

// ---- groups ----------------------------------------------------------------

struct tag {
    const char *text; // "key=value"
    int i;
};

static int by_text(const void *a, const void *b)
{
    const struct tag *x = a, *y = b;
    int c = strcmp(x->text, y->text);
    return c ? c : x->i - y->i;
}

// One row for each run of equal tags.
static void add_tag_rows(struct dh_eval_table *t, const struct pick *all,
                         struct tag *tags, int n,
                         const struct dh_eval_score_options *o)
{
    int *members;
    dh_array(members, (size_t)n);
    if (n)
        qsort(tags, (size_t)n, sizeof *tags, by_text);
    for (int from = 0, to; from < n; from = to) {
        struct pick p = { all->rs, members, 0 };
        for (to = from; to < n && !strcmp(tags[to].text, tags[from].text); to++)
            members[p.n++] = tags[to].i;
        const char *eq = strchr(tags[from].text, '=');
        char *key = dh_strndup(tags[from].text, (size_t)(eq - tags[from].text));
        add_row(t, &p, key, eq + 1, o);
        dh_free(key);
    }
    dh_free(members);
}

static void add_tags(struct dh_eval_table *t, const struct pick *p,
                     const struct dh_eval_score_options *o)
{
    int n = 0, cap = 0;
    struct tag *tags;
    for (int k = 0; k < p->n; k++)
        cap += at(p, k)->item.tags.n;
    dh_array(tags, (size_t)cap);
    for (int k = 0; k < p->n; k++)
        for (int j = 0; j < at(p, k)->item.tags.n; j++)
            tags[n++] = (struct tag){ at(p, k)->item.tags.tag[j], p->i[k] };
    add_tag_rows(t, p, tags, n, o);
    dh_free(tags);
}

// The shorter side in pixels of the picture as the model got it.
static const char *size_of(const struct dh_eval_result *r)
{
    double b[4], scale = 1;
    int shown = r->crop.w ? r->crop.w : r->item.size.w;
    if (!dh_eval_target_box(&r->item.target, b))
        return NULL;
    if (r->sent.w && shown)
        scale = (double)r->sent.w / shown;
    double side = fmin(b[2] - b[0], b[3] - b[1]) * scale;
    return side < 16.5   ? "side=1: to 16 px"
           : side < 24.5 ? "side=2: 17 to 24 px"
           : side < 40.5 ? "side=3: 25 to 40 px"
                         : "side=4: over 40 px";
}

static double area_of(const struct dh_eval_result *r)
{
    double b[4];
    return dh_eval_target_box(&r->item.target, b)
               ? (b[2] - b[0]) * (b[3] - b[1])
               : -1;
}

static void add_sizes(struct dh_eval_table *t, const struct pick *p,
                      const struct dh_eval_score_options *o)
{
    static const char *const quarters[] = { "area=1: smallest quarter",
                                            "area=2: second quarter",
                                            "area=3: third quarter",
                                            "area=4: largest quarter" };
    struct tag *tags;
    double *area;
    int n = 0, places = 0;
    dh_array(tags, 2 * (size_t)p->n);
    dh_array(area, (size_t)p->n);
    for (int k = 0; k < p->n; k++)
        if (area_of(at(p, k)) >= 0)
            area[places++] = area_of(at(p, k));
    dh_eval_sort(area, places);
    for (int k = 0; k < p->n; k++) {
        const char *size = size_of(at(p, k));
        int quarter = 0;
        if (!size)
            continue;
        while (quarter < 3 &&
               area_of(at(p, k)) > area[(quarter + 1) * places / 4])
            quarter++;
        tags[n++] = (struct tag){ size, p->i[k] };
        tags[n++] = (struct tag){ quarters[quarter], p->i[k] };
    }
    add_tag_rows(t, p, tags, n, o);
    dh_free(area);
    dh_free(tags);
}

// ---- the set's own average -------------------------------------------------

/* Plain means over the cells that these tags make. */
static const struct {
    const char *set, *key[2];
} own_cells[] = {
    { "screenspot", { "platform", "type" } },
    { "screenspot-v2", { "platform", "type" } },
    { "ui-vision", { "split", NULL } },
    { "mmbench-gui", { "grounding", NULL } },
};

static double mean_of_cells(const struct member *m, int n)
{
    double sum = 0;
    int cells = 0;
    for (int from = 0, to; from < n; from = to) {
        double in = 0;
        for (to = from; to < n && !strcmp(m[to].key, m[from].key); to++)
            in += m[to].score;
        sum += in / (to - from);
        cells++;
    }
    return cells ? sum / cells : 0;
}

static struct dh_eval_range range_of_cells(const struct member *m, int n,
                                           uint64_t seed)
{
    double *value;
    int *size, cells = 0;
    dh_array(value, (size_t)n);
    dh_array(size, (size_t)n);
    for (int i = 0; i < n; i++) {
        cells += i == 0 || strcmp(m[i].key, m[i - 1].key) != 0;
        size[cells - 1]++;
        value[i] = m[i].score;
    }
    struct dh_eval_range out =
        dh_eval_bootstrap_cells(value, size, cells, seed);
    dh_free(value);
    dh_free(size);
    return out;
}

static void add_own(struct dh_eval_table *t, const struct pick *p,
                    const struct dh_eval_score_options *o)
{
    struct member *m;
    char **names;
    int n = 0;
    size_t c = 0;
    while (c < DH_COUNTOF(own_cells) &&
           strcmp(own_cells[c].set, or_empty(at(p, 0)->set)) != 0)
        c++;
    if (c == DH_COUNTOF(own_cells))
        return;
    dh_array(m, (size_t)p->n);
    dh_array(names, (size_t)p->n);
    for (int k = 0; k < p->n; k++) {
        const struct dh_eval_result *r = at(p, k);
        char name[128];
        if (dh_eval_error_is_void(r->error))
            continue;
        snprintf(name, sizeof name, "%.60s %.60s",
                 dh_eval_tags_find(&r->item.tags, own_cells[c].key[0]),
                 own_cells[c].key[1]
                     ? dh_eval_tags_find(&r->item.tags, own_cells[c].key[1])
                     : "");
        names[n] = dh_strdup(name);
        m[n] = (struct member){ names[n], r->score };
        n++;
    }
    if (n)
        qsort(m, (size_t)n, sizeof *m, by_key);
    add_row(t, p, "own",
            own_cells[c].key[1] ? "mean over cells" : "mean over splits", o);
    t->row[t->n - 1].score = mean_of_cells(m, n);
    t->row[t->n - 1].range = range_of_cells(m, n, o->seed);
    for (int k = 0; k < n; k++)
        dh_free(names[k]);
    dh_free(names);
    dh_free(m);
}

// ---- the table -------------------------------------------------------------

static void add_run(struct dh_eval_table *t, const struct pick *p,
                    const struct dh_eval_score_options *o)
{
    add_row(t, p, "all", "", o);
    add_own(t, p, o);
    if (t->row[t->n - 1].targets_none) {
        struct pick places = { p->rs, NULL, 0 };
        dh_array(places.i, (size_t)p->n);
        for (int k = 0; k < p->n; k++)
            if (is_place(at(p, k)))
                places.i[places.n++] = p->i[k];
        if (places.n)
            add_row(t, &places, "all", "with a target", o);
        dh_free(places.i);
    }
    add_tags(t, p, o);
    add_sizes(t, p, o);
}

static bool same_run(const struct dh_eval_result *a,
                     const struct dh_eval_result *b)
{
    return strcmp(or_empty(a->model), or_empty(b->model)) == 0 &&
           strcmp(or_empty(a->method), or_empty(b->method)) == 0;
}

void dh_eval_score(struct dh_eval_table *out, const struct dh_eval_results *rs,
                   const struct dh_eval_score_options *o)
{
    struct dh_eval_table t = { 0 };
    struct pick p = { rs, NULL, 0 };
    bool *seen;
    dh_array(p.i, (size_t)rs->n);
    dh_array(seen, (size_t)rs->n);
    for (int i = 0; i < rs->n; i++) {
        if (seen[i])
            continue;
        p.n = 0;
        for (int j = i; j < rs->n; j++) {
            if (!seen[j] && same_run(&rs->v[i], &rs->v[j])) {
                seen[j] = true;
                p.i[p.n++] = j;
            }
        }
        add_run(&t, &p, o);
    }
    dh_free(seen);
    dh_free(p.i);
    *out = t;
}

void dh_eval_table_finish(struct dh_eval_table *t)
{
    for (int i = 0; i < t->n; i++) {
        dh_free(t->row[i].model);
        dh_free(t->row[i].method);
        dh_free(t->row[i].key);
        dh_free(t->row[i].value);
    }
    dh_free(t->row);
    *t = (struct dh_eval_table){ 0 };
}

// ---- the worst -------------------------------------------------------------

struct badness {
    int i;
    double v;
};

static int by_badness(const void *a, const void *b)
{
    const struct badness *x = a, *y = b;
    if (x->v != y->v)
        return x->v < y->v ? 1 : -1;
    return x->i - y->i;
}

static double badness_of(const struct dh_eval_result *r)
{
    if (dh_eval_error_is_void(r->error))
        return 4e9;
    if (r->error)
        return 3e9;
    if (r->item.target.kind == DH_EVAL_NONE)
        return 2e9;
    return (1 - r->score) * 1e6 + fmax(0, r->gap_px);
}

int dh_eval_worst(const struct dh_eval_results *rs, int *order)
{
    struct badness *b;
    int n = 0;
    dh_array(b, (size_t)rs->n);
    for (int i = 0; i < rs->n; i++)
        if (!rs->v[i].hit)
            b[n++] = (struct badness){ i, badness_of(&rs->v[i]) };
    if (n)
        qsort(b, (size_t)n, sizeof *b, by_badness);
    for (int k = 0; k < n; k++)
        order[k] = b[k].i;
    dh_free(b);
    return n;
}

// ---- two runs --------------------------------------------------------------

static const struct dh_eval_result *partner(const struct dh_eval_results *rs,
                                            const struct dh_eval_result *r,
                                            const char *method)
{
    for (int i = 0; i < rs->n; i++) {
        const struct dh_eval_result *x = &rs->v[i];
        if (strcmp(x->item.id, r->item.id) == 0 && x->trial == r->trial &&
            strcmp(or_empty(x->method), method) == 0)
            return dh_eval_error_is_void(x->error) ? NULL : x;
    }
    return NULL;
}

static void add_pair(struct dh_eval_pair *out, const struct dh_eval_result *a,
                     const struct dh_eval_result *b)
{
    out->n++;
    out->a += a->score;
    out->b += b->score;
    out->both += a->hit && b->hit;
    out->only_a += a->hit && !b->hit;
    out->only_b += !a->hit && b->hit;
    out->neither += !a->hit && !b->hit;
}

void dh_eval_compare(struct dh_eval_pair *out, const struct dh_eval_results *a,
                     const struct dh_eval_results *b, const char *method,
                     const struct dh_eval_score_options *o)
{
    struct dh_eval_pair p = { 0 };
    struct member *m;
    dh_array(m, (size_t)a->n);
    for (int i = 0; i < a->n; i++) {
        const struct dh_eval_result *r = &a->v[i];
        if (method && strcmp(method, or_empty(r->method)) != 0)
            continue;
        const struct dh_eval_result *x = partner(b, r, or_empty(r->method));
        if (!x || dh_eval_error_is_void(r->error)) {
            p.unpaired++;
            continue;
        }
        m[p.n] = (struct member){ cluster_of(r, o), x->score - r->score };
        add_pair(&p, r, x);
    }
    p.difference = cluster_range(m, p.n, o->seed);
    p.p = dh_eval_mcnemar(p.only_a, p.only_b);
    p.a = p.n ? p.a / p.n : 0;
    p.b = p.n ? p.b / p.n : 0;
    dh_free(m);
    *out = p;
}
