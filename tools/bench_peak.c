#include "tools/bench_peak.h"

#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/pool.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define TRIES      5
#define ROUNDS     2000000
// Far more than most caches hold.
#define READ_BYTES ((size_t)512 << 20)
#define SLICE      ((size_t)128 << 10)
#define HUGE       ((size_t)2 << 20)

struct work {
    double (*flops)(int64_t rounds);
    double done[256]; // of each thread
    double (*read)(const void *from, size_t bytes);
    const char *from;
};

static void run_flops(void *arg, size_t begin, size_t end, int worker)
{
    struct work *w = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        w->done[i] = w->flops(ROUNDS);
}

static double sum_of(const void *from, size_t bytes)
{
    const uint64_t *words = from;
    uint64_t sum[8] = { 0 };
    for (size_t i = 0; i < bytes / sizeof *words; i += 8) {
        for (int k = 0; k < 8; k++)
            sum[k] += words[i + (size_t)k];
    }
    for (int k = 1; k < 8; k++)
        sum[0] += sum[k];
    return (double)sum[0];
}

// Slices of SLICE bytes.
static void run_read(void *arg, size_t begin, size_t end, int worker)
{
    struct work *w = arg;
    for (; begin < end; begin++)
        w->done[worker % (int)DH_COUNTOF(w->done)] =
            w->read(w->from + begin * SLICE, SLICE);
}

static double peak_of(struct dh_pool *pool, double (*flops)(int64_t rounds))
{
    struct work w = { .flops = flops };
    int threads = DH_MIN(dh_pool_threads(pool), (int)DH_COUNTOF(w.done));
    double best = 0;
    for (int t = 0; t < TRIES; t++) {
        int64_t start = dh_now_ns();
        dh_pool_run(pool, (size_t)threads, 1, run_flops, &w);
        double took = dh_seconds_since(start), all = 0;
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
    if (__builtin_cpu_supports("avx512vnni"))
        out->int8_flops = peak_of(pool, dh_bench_peak_ints_avx512);
    if (__builtin_cpu_supports("avx512f"))
        out->f32_flops = peak_of(pool, dh_bench_peak_f32_avx512);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out->f32_flops = peak_of(pool, dh_bench_peak_f32_avx2);
    if (dh_cpu_has_amx()) {
        out->bf16_flops =
            DH_MAX(out->bf16_flops, peak_of(pool, dh_bench_peak_pairs_amx));
        out->int8_flops =
            DH_MAX(out->int8_flops, peak_of(pool, dh_bench_peak_ints_amx));
    }
#else
    (void)pool;
    (void)out;
#endif
}

// The best of the times that the first `bytes` are read, of which there are
// more the fewer they are.
static double read_rate(struct dh_pool *pool, struct work *w, size_t bytes)
{
    double best = 0;
    size_t slices = (bytes + SLICE - 1) / SLICE;
    size_t tries = DH_CLAMP(TRIES * READ_BYTES / bytes, TRIES, 20 * TRIES);
    for (size_t t = 0; t < tries; t++) {
        int64_t start = dh_now_ns();
        dh_pool_run(pool, slices, 1, run_read, w);
        best = DH_MAX(best, (double)(slices * SLICE) / dh_seconds_since(start));
    }
    return best;
}

enum dh_status dh_bench_peak_measure(struct dh_pool *pool, size_t near,
                                     struct dh_bench_peak *out)
{
    struct work w = { .read = sum_of };
    char *bytes = dh_big_alloc(READ_BYTES + HUGE);
    memset(out, 0, sizeof *out);
    if (!bytes) {
        dh_error("no memory to measure how fast it is read");
        return DH_ERR_NOMEM;
    }
    // In large pages, where there are such: else what is measured is how fast
    // addresses are looked up.
    char *from = bytes + (HUGE - (uintptr_t)bytes % HUGE);
    (void)madvise(from, READ_BYTES, MADV_HUGEPAGE);
    memset(from, 1, READ_BYTES);
    w.from = from;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        w.read = dh_bench_peak_read_avx512;
#endif
    out->read_bytes = read_rate(pool, &w, READ_BYTES);
    out->near_bytes = out->read_bytes;
    if (near > 0 && near < READ_BYTES / 2)
        out->near_bytes = DH_MAX(out->near_bytes, read_rate(pool, &w, near));
    dh_big_free(bytes);
    measure_flops(pool, out);
    return DH_OK;
}
