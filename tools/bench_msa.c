#include "tools/bench_msa.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "model/model.h"
#include "model/session.h"
#include "tools/app.h"
#include "tools/bench_peak.h"
#include "tools/bench_shape.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define MAX_CONTEXTS 8
#define MAX_ROUNDS   64
#define DECODE       4 // tokens of a turn

enum { SPARSE, DENSE, KINDS };

static const char *const kinds[] = { "m3-layer", "m3-layer-dense" };

struct row {
    int context;
    struct dh_model_cost cost[KINDS];
    double s[KINDS][MAX_ROUNDS * DECODE]; // of a token
    double median[KINDS];
};

struct bench {
    struct dh_pool *pool;
    struct dh_model *model[KINDS];
    struct dh_bench_peak peak;
    struct dh_rng rng;
    struct row rows[MAX_CONTEXTS];
    int n_rows, rounds;
    enum dh_cache_type cache_type;
};

static enum dh_status one_turn(struct bench *b, struct row *row, int kind,
                               struct dh_session *s, int round)
{
    enum dh_status st = DH_OK;
    dh_session_rewind(s, (size_t)row->context);
    for (int i = 0; i < DECODE && !st; i++) {
        int32_t id = (int32_t)(dh_rng_next(&b->rng) % 1000);
        int64_t start = dh_now_ns();
        st = dh_session_feed_text(s, &id, 1);
        row->s[kind][round * DECODE + i] = (double)(dh_now_ns() - start) / 1e9;
    }
    return st;
}

static enum dh_status open_session(struct bench *b, const struct row *row,
                                   int kind, struct dh_session **out)
{
    struct dh_session_options so = { .max_tokens = row->context + DECODE,
                                     .chunk = 1,
                                     .cache_type = b->cache_type,
                                     .cancel = dh_app_cancel() };
    enum dh_status st = dh_session_create(out, b->model[kind], &so);
    return st ? st : dh_session_fill(*out, (size_t)row->context, &b->rng);
}

static enum dh_status measure(struct bench *b, struct row *row)
{
    struct dh_session *s[KINDS] = { NULL };
    enum dh_status st = DH_OK;
    for (int k = 0; k < KINDS && !st; k++)
        st = open_session(b, row, k, &s[k]);
    // The first turn only brings the weights into memory.
    for (int r = -1; r < b->rounds && !st; r++)
        for (int k = 0; k < KINDS && !st; k++)
            st = one_turn(b, row, k, s[k], DH_MAX(r, 0));
    for (int k = 0; k < KINDS; k++) {
        dh_session_destroy(s[k]);
        dh_model_get_cost(b->model[k], b->cache_type, row->context,
                          &row->cost[k]);
        row->median[k] = dh_bench_quantile(row->s[k], b->rounds * DECODE, 0.5);
    }
    return st;
}

// ---- output ----------------------------------------------------------------

// Attention alone: what a token of the first context takes is everything else.
static double attention_s(const struct bench *b, const struct row *row, int k)
{
    return DH_MAX(row->median[k] - b->rows[0].median[k], 0);
}

static void print_head(const struct bench *b)
{
    const struct dh_model_info *info = dh_model_get_info(b->model[SPARSE]);
    printf(
        "One layer: hidden 6144, 64 heads, 4 key heads, blocks of 128, 16 of "
        "them chosen,\n8 experts in place of 128; kernels %s, cache %s, "
        "%d threads, %.1f GB/s read. A token's\nmedian of %d in %d rounds, in "
        "turns; "
        "attention: less the first line's.\n\n",
        info->kernels, dh_cache_type_names[b->cache_type],
        dh_pool_threads(b->pool), b->peak.read_bytes / 1e9, b->rounds * DECODE,
        b->rounds);
    printf("%9s %17s %17s %6s %21s %15s %15s\n", "", "sparse", "full", "",
           "attention", "counted", "cache read");
    printf("%9s %8s %8s %8s %8s %6s %7s %7s %5s %15s %7s %7s\n", "context",
           "ms", "p95", "ms", "p95", "ratio", "sparse", "full", "ratio",
           "ratio of flops", "sparse", "full");
}

static void print_row(const struct bench *b, struct row *row)
{
    const struct dh_model_cost *c = row->cost, *first = b->rows[0].cost;
    double own[KINDS];
    for (int k = 0; k < KINDS; k++)
        own[k] = attention_s(b, row, k);
    printf("%9d", row->context);
    for (int k = 0; k < KINDS; k++)
        printf(" %8.2f %8.2f", row->median[k] * 1e3,
               dh_bench_quantile(row->s[k], b->rounds * DECODE, 0.95) * 1e3);
    printf(" %6.2f", row->median[DENSE] / row->median[SPARSE]);
    if (row == b->rows)
        printf(" %7s %7s %5s %15s", "-", "-", "-", "-");
    else
        printf(" %7.2f %7.2f %5.1f %15.1f", own[SPARSE] * 1e3, own[DENSE] * 1e3,
               own[DENSE] / DH_MAX(own[SPARSE], 1e-6),
               (c[DENSE].flops - first[DENSE].flops) /
                   DH_MAX(c[SPARSE].flops - first[SPARSE].flops, 1));
    printf(" %5.0fMB %5.0fMB\n", c[SPARSE].cache_bytes / 1e6,
           c[DENSE].cache_bytes / 1e6);
}

static void print_json(const struct bench *b, struct row *row)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 4096);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "context", row->context);
    dh_jw_text(&w, "cache_type", dh_cache_type_names[b->cache_type]);
    dh_jw_i64(&w, "threads", dh_pool_threads(b->pool));
    dh_jw_double(&w, "read_bytes_s", b->peak.read_bytes);
    for (int k = 0; k < KINDS; k++) {
        dh_jw_object(&w, k == SPARSE ? "sparse" : "full");
        dh_jw_double(&w, "decode_s", row->median[k]);
        dh_jw_double(&w, "decode_p95_s",
                     dh_bench_quantile(row->s[k], b->rounds * DECODE, 0.95));
        dh_jw_double(&w, "attention_s", attention_s(b, row, k));
        dh_jw_double(&w, "flops", row->cost[k].flops);
        dh_jw_double(&w, "weight_bytes", row->cost[k].weight_bytes);
        dh_jw_double(&w, "cache_bytes", row->cost[k].cache_bytes);
        dh_jw_end_object(&w);
    }
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static enum dh_status run(struct bench *b,
                          const struct dh_bench_model_options *o, bool json)
{
    struct dh_model_options mo = { .kernels = o->kernels };
    double load_s;
    enum dh_status st = dh_pool_create(&b->pool, o->threads);
    mo.pool = b->pool;
    for (int k = 0; k < KINDS && !st; k++)
        st = dh_bench_shape_open(&b->model[k], kinds[k], &mo, &load_s);
    if (!st)
        st = dh_bench_peak_measure(b->pool, &b->peak);
    if (!st && !json)
        print_head(b);
    for (int i = 0; i < b->n_rows && !st; i++) {
        st = measure(b, &b->rows[i]);
        if (!st)
            (json ? print_json : print_row)(b, &b->rows[i]);
        fflush(stdout);
    }
    return st;
}

enum dh_status dh_bench_msa(const struct dh_bench_model_options *o, int rounds,
                            bool json)
{
    static const char usual[] = "1024,8192,131072,1048000";
    struct bench *b;
    int contexts[MAX_CONTEXTS];
    dh_new(b);
    b->rounds = DH_MIN(rounds ? rounds : 5, MAX_ROUNDS);
    b->cache_type = (enum dh_cache_type)o->cache_type;
    dh_rng_init(&b->rng, 1);
    enum dh_status st = dh_bench_contexts(o->contexts ? o->contexts : usual,
                                          contexts, MAX_CONTEXTS, &b->n_rows);
    for (int i = 0; i < b->n_rows; i++)
        b->rows[i].context = contexts[i];
    if (!st)
        st = run(b, o, json);
    for (int k = 0; k < KINDS; k++)
        dh_model_destroy(b->model[k]);
    dh_pool_destroy(b->pool);
    dh_free(b);
    return st;
}
