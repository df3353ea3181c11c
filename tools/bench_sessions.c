#include "tools/bench_sessions.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/app.h"
#include "tools/bench_model.h"

enum dh_status dh_bench_sessions_init(struct dh_bench_sessions *b,
                                      const int32_t *ids)
{
    struct dh_session_options o = { .max_tokens = b->context + b->decode,
                                    .cache_type = b->cache_type,
                                    .cancel = dh_app_cancel() };
    enum dh_status st = DH_OK;
    for (int n = 1, k = 0; n <= b->most; n *= 2, k++)
        dh_array(b->pass_s[k], (size_t)b->rounds * (size_t)b->decode);
    for (int i = 0; i < b->most && !st; i++) {
        st = dh_session_create(&b->session[i], b->model, &o);
        if (!st)
            st = dh_session_feed_text(b->session[i],
                                      ids + (size_t)i * (size_t)b->context,
                                      (size_t)b->context);
    }
    return st;
}

static int32_t first_id(const struct dh_bench_sessions *b, int i)
{
    return i % dh_model_get_info(b->model)->vocab_size;
}

// n sessions from the ends of their prompts on.
static enum dh_status decode(struct dh_bench_sessions *b, int n, double *pass_s)
{
    int vocab = dh_model_get_info(b->model)->vocab_size;
    struct dh_session_turn turns[DH_BENCH_MAX_SESSIONS];
    int32_t id[DH_BENCH_MAX_SESSIONS];
    for (int i = 0; i < n; i++) {
        dh_session_rewind(b->session[i], (size_t)b->context);
        id[i] = first_id(b, i);
        turns[i] = (struct dh_session_turn){ b->session[i], &id[i], 1, DH_OK };
    }
    for (int step = 0; step < b->decode; step++) {
        int64_t start = dh_now_ns();
        dh_session_feed_together(turns, n);
        pass_s[step] = dh_seconds_since(start);
        for (int i = 0; i < n; i++) {
            if (turns[i].status)
                return turns[i].status;
            id[i] = dh_bench_best_id(dh_session_logits(b->session[i]), vocab);
        }
    }
    return DH_OK;
}

static int numbers(const struct dh_bench_sessions *b)
{
    int k = 0;
    while (1 << k <= b->most)
        k++;
    return k;
}

enum dh_status dh_bench_sessions_run(struct dh_bench_sessions *b, int round)
{
    int n = numbers(b);
    enum dh_status st = DH_OK;
    for (int i = 0; i < n && !st; i++) {
        int k = (i + round) % n;
        st =
            decode(b, 1 << k, b->pass_s[k] + (size_t)round * (size_t)b->decode);
    }
    return st;
}

static void put_json(const struct dh_bench_sessions *b, int n, double s,
                     double s95, double bytes, struct dh_buf *out)
{
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "sessions", n);
    dh_jw_i64(&w, "context", b->context);
    dh_jw_text(&w, "kernels", dh_model_get_info(b->model)->kernels);
    dh_jw_text(&w, "cache_type", dh_cache_type_names[b->cache_type]);
    dh_jw_double(&w, "pass_s", s);
    dh_jw_double(&w, "pass_p95_s", s95);
    dh_jw_double(&w, "pass_bytes", bytes);
    dh_jw_end_object(&w);
    dh_buf_putc(out, '\n');
}

void dh_bench_sessions_put(const struct dh_bench_sessions *b, double read_bytes,
                           bool json, struct dh_buf *out)
{
    int n = b->rounds * b->decode;
    struct dh_model_cost cost;
    double one = 0;
    dh_model_get_cost(b->model, b->cache_type, b->context, &cost);
    for (int k = 0; k < numbers(b); k++) {
        int sessions = 1 << k;
        char name[40];
        double s = dh_bench_quantile(b->pass_s[k], n, 0.5);
        double s95 = dh_bench_quantile(b->pass_s[k], n, 0.95);
        double bytes = dh_model_get_pass_bytes(b->model, sessions) +
                       sessions * cost.cache_bytes;
        one = one > 0 ? one : s;
        if (json) {
            put_json(b, sessions, s, s95, bytes, out);
            continue;
        }
        snprintf(name, sizeof name, "%d together @%d", sessions, b->context);
        dh_buf_printf(out,
                      "%-22s %5d %8.2fms %8.2fms %10.1f %8.1fMB %8.1f"
                      "   %.2f times one\n",
                      name, n, s * 1e3, s95 * 1e3, sessions / s, bytes / 1e6,
                      bytes / read_bytes / s * 100, sessions * one / s);
    }
}

void dh_bench_sessions_finish(struct dh_bench_sessions *b)
{
    for (int i = 0; i < b->most; i++)
        dh_session_destroy(b->session[i]);
    for (size_t k = 0; k < DH_COUNTOF(b->pass_s); k++)
        dh_free(b->pass_s[k]);
    *b = (struct dh_bench_sessions){ 0 };
}
