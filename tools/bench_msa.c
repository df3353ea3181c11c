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

static const char *const kinds[] = { "sparse", "full" };

struct row {
    int context;
    struct dh_model_cost cost[KINDS];
    double read_bytes; // a second, of memory: the best beside any round
    double s[KINDS][MAX_ROUNDS * DECODE]; // of a token
    double attention[KINDS][MAX_ROUNDS * DECODE];
    double median[KINDS], p95[KINDS], own[KINDS]; // own: of attention
};

struct bench {
    struct dh_pool *pool;
    struct dh_model *model[KINDS];
    struct dh_rng rng;
    struct row rows[MAX_CONTEXTS];
    int n_rows, rounds;
    enum dh_cache_type cache_type;
};

static double attention_s(const struct dh_session *s)
{
    struct dh_session_stats stats;
    dh_session_get_stats(s, &stats);
    return stats.attention_s;
}

static enum dh_status one_turn(struct bench *b, struct row *row, int kind,
                               struct dh_session *s, int round)
{
    enum dh_status st = DH_OK;
    dh_session_rewind(s, (size_t)row->context);
    for (int i = 0; i < DECODE && !st; i++) {
        int32_t id = (int32_t)(dh_rng_next(&b->rng) % 1000);
        double before = attention_s(s);
        int64_t start = dh_now_ns();
        st = dh_session_feed_text(s, &id, 1);
        row->s[kind][round * DECODE + i] = dh_seconds_since(start);
        row->attention[kind][round * DECODE + i] = attention_s(s) - before;
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
    for (int r = -1; r < b->rounds && !st; r++) {
        struct dh_bench_peak peak = { 0 };
        for (int k = 0; k < KINDS && !st; k++)
            st = one_turn(b, row, k, s[k], DH_MAX(r, 0));
        if (!st)
            st = dh_bench_peak_measure(b->pool, 0, &peak);
        row->read_bytes = DH_MAX(row->read_bytes, peak.read_bytes);
    }
    int n = b->rounds * DECODE;
    for (int k = 0; k < KINDS; k++) {
        dh_session_destroy(s[k]);
        dh_model_get_cost(b->model[k], b->cache_type, row->context,
                          &row->cost[k]);
        row->median[k] = dh_bench_quantile(row->s[k], n, 0.5);
        row->p95[k] = dh_bench_quantile(row->s[k], n, 0.95);
        row->own[k] = dh_bench_quantile(row->attention[k], n, 0.5);
    }
    return st;
}

// ---- output ----------------------------------------------------------------

static void print_head(const struct bench *b)
{
    const struct dh_model_info *info = dh_model_get_info(b->model[SPARSE]);
    printf(
        "One layer: hidden 6144, 64 heads, 4 key heads, blocks of 128, 16 of "
        "them chosen,\n128 experts, 4 of them and the shared one for a "
        "token; weights in MXFP8, %.1f GB;\nkernels %s, cache %s, %d "
        "threads. Medians of %d tokens in %d rounds, in turns.\n"
        "Attention: what of a token's time goes into choosing blocks and the "
        "cache; counted:\nits arithmetic, full by sparse; read: of the "
        "cache, and as a share of what memory\nis read at, measured beside "
        "it; held: the cache.\n\n",
        (double)info->weight_bytes / 1e9, info->kernels,
        dh_cache_type_names[b->cache_type], dh_pool_threads(b->pool),
        b->rounds * DECODE, b->rounds);
    printf("%9s %23s %31s %21s %13s\n", "", "a token, ms", "attention, ms",
           "read, MB and %", "held, MB");
    printf("%9s %8s %8s %5s %8s %8s %5s %7s %5s %3s %7s %3s %6s %6s\n",
           "context", "sparse", "full", "ratio", "sparse", "full", "ratio",
           "counted", "sparse", "", "full", "", "sparse", "full");
}

static double share_of_reading(const struct row *row, int k)
{
    return row->cost[k].cache_bytes / DH_MAX(row->own[k], 1e-9) /
           row->read_bytes;
}

static void print_row(const struct row *row)
{
    const struct dh_model_cost *c = row->cost;
    printf("%9d %8.2f %8.2f %5.2f %8.3f %8.3f %5.1f %7.1f", row->context,
           row->median[SPARSE] * 1e3, row->median[DENSE] * 1e3,
           row->median[DENSE] / row->median[SPARSE], row->own[SPARSE] * 1e3,
           row->own[DENSE] * 1e3, row->own[DENSE] / row->own[SPARSE],
           c[DENSE].attention_flops / c[SPARSE].attention_flops);
    for (int k = 0; k < KINDS; k++)
        printf(" %*.1f %3.0f", k ? 7 : 6, c[k].cache_bytes / 1e6,
               share_of_reading(row, k) * 100);
    printf(" %6.0f %6.0f\n", c[SPARSE].cache_held_bytes / 1e6,
           c[DENSE].cache_held_bytes / 1e6);
}

static void print_json(const struct bench *b, const struct row *row)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 4096);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "context", row->context);
    dh_jw_text(&w, "kernels", dh_model_get_info(b->model[SPARSE])->kernels);
    dh_jw_text(&w, "cache_type", dh_cache_type_names[b->cache_type]);
    dh_jw_i64(&w, "threads", dh_pool_threads(b->pool));
    dh_jw_double(&w, "read_bytes_s", row->read_bytes);
    for (int k = 0; k < KINDS; k++) {
        dh_jw_object(&w, kinds[k]);
        dh_jw_double(&w, "decode_s", row->median[k]);
        dh_jw_double(&w, "decode_p95_s", row->p95[k]);
        dh_jw_double(&w, "attention_s", row->own[k]);
        dh_jw_double(&w, "flops", row->cost[k].flops);
        dh_jw_double(&w, "attention_flops", row->cost[k].attention_flops);
        dh_jw_double(&w, "weight_bytes", row->cost[k].weight_bytes);
        dh_jw_double(&w, "cache_bytes", row->cost[k].cache_bytes);
        dh_jw_double(&w, "cache_held_bytes", row->cost[k].cache_held_bytes);
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
    if (!st)
        st = dh_bench_shape_open(&b->model[SPARSE], &b->model[DENSE],
                                 "m3-layer", &mo, &load_s);
    if (!st && !json)
        print_head(b);
    for (int i = 0; i < b->n_rows && !st; i++) {
        st = measure(b, &b->rows[i]);
        if (!st && json)
            print_json(b, &b->rows[i]);
        else if (!st)
            print_row(&b->rows[i]);
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
