#include "tools/bench_peak.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define TRIES      5
#define ROUNDS     2000000
// Far more than any cache holds.
#define READ_BYTES ((size_t)512 << 20)

struct work {
    double (*flops)(int64_t rounds);
    double done[256]; // of each thread
    const uint64_t *from;
};

static void run_flops(void *arg, size_t begin, size_t end, int worker)
{
    struct work *w = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        w->done[i] = w->flops(ROUNDS);
}

static void run_read(void *arg, size_t begin, size_t end, int worker)
{
    struct work *w = arg;
    uint64_t sum[8] = { 0 };
    for (size_t i = begin; i + 8 <= end; i += 8) {
        for (int k = 0; k < 8; k++)
            sum[k] += w->from[i + (size_t)k];
    }
    for (int k = 1; k < 8; k++)
        sum[0] += sum[k];
    w->done[worker % (int)DH_COUNTOF(w->done)] = (double)sum[0];
}

static double seconds_since(int64_t start)
{
    return (double)(dh_now_ns() - start) / 1e9;
}

static double peak_of(struct dh_pool *pool, double (*flops)(int64_t rounds))
{
    struct work w = { .flops = flops };
    int threads = DH_MIN(dh_pool_threads(pool), (int)DH_COUNTOF(w.done));
    double best = 0;
    for (int t = 0; t < TRIES; t++) {
        int64_t start = dh_now_ns();
        dh_pool_run(pool, (size_t)threads, 1, run_flops, &w);
        double took = seconds_since(start), all = 0;
        for (int i = 0; i < threads; i++)
            all += w.done[i];
        best = DH_MAX(best, all / took);
    }
    return best;
}

static void measure_flops(struct dh_pool *pool, struct dh_bench_peak *out)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bf16"))
        out->bf16_flops = peak_of(pool, dh_bench_peak_pairs_avx512);
    if (__builtin_cpu_supports("avx512f"))
        out->f32_flops = peak_of(pool, dh_bench_peak_f32_avx512);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out->f32_flops = peak_of(pool, dh_bench_peak_f32_avx2);
#else
    (void)pool;
    (void)out;
#endif
}

enum dh_status dh_bench_peak_measure(struct dh_pool *pool,
                                     struct dh_bench_peak *out)
{
    struct work w = { 0 };
    uint64_t *bytes = dh_big_alloc(READ_BYTES);
    memset(out, 0, sizeof *out);
    if (!bytes) {
        dh_error("no memory to measure how fast it is read");
        return DH_ERR_NOMEM;
    }
    memset(bytes, 1, READ_BYTES);
    w.from = bytes;
    for (int t = 0; t < TRIES; t++) {
        int64_t start = dh_now_ns();
        dh_pool_run(pool, READ_BYTES / sizeof *bytes, 1 << 16, run_read, &w);
        out->read_bytes =
            DH_MAX(out->read_bytes, (double)READ_BYTES / seconds_since(start));
    }
    dh_big_free(bytes);
    measure_flops(pool, out);
    return DH_OK;
}
