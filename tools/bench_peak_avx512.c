// How many multiply-adds one core does when nothing else holds it up.
#if defined(__x86_64__)

#    include <immintrin.h>

#    include "tools/bench_peak.h"

// Enough sums in flight for two units of four cycles each, and registers to
// spare.
#    define SUMS 16

static volatile float sink; // so that the sums are wanted

double dh_bench_peak_f32_avx512(int64_t rounds)
{
    __m512 sum[SUMS], x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(0.25f);
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#    pragma GCC unroll 16
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_fmadd_ps(sum[i], x, y);
    }
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    sink = _mm512_reduce_add_ps(sum[0]);
    return (double)rounds * SUMS * 32;
}

__attribute__((target("avx512bf16"))) double
dh_bench_peak_pairs_avx512(int64_t rounds)
{
    __m512 sum[SUMS];
    // 0.5 twice in each word
    __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f003f00), y = x;
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#    pragma GCC unroll 16
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], x, y);
    }
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    sink = _mm512_reduce_add_ps(sum[0]);
    return (double)rounds * SUMS * 64;
}

__attribute__((target("avx512vnni"))) double
dh_bench_peak_ints_avx512(int64_t rounds)
{
    __m512i sum[SUMS], x = _mm512_set1_epi32(0x01010101);
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm512_set1_epi32(i);
    for (int64_t r = 0; r < rounds; r++) {
#    pragma GCC unroll 16
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm512_dpbusd_epi32(sum[i], x, x);
    }
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm512_add_epi32(sum[0], sum[i]);
    sink = (float)_mm512_reduce_add_epi32(sum[0]);
    return (double)rounds * SUMS * 128;
}

// Four places at once: one alone leaves the memory waiting.
double dh_bench_peak_read_avx512(const void *from, size_t bytes)
{
    const char *p = from;
    size_t part = bytes / 4;
    __m512i sum[4];
    for (int i = 0; i < 4; i++)
        sum[i] = _mm512_setzero_si512();
    for (size_t at = 0; at < part; at += 256) {
#    pragma GCC unroll 4
        for (size_t line = 0; line < 256; line += 64)
#    pragma GCC unroll 4
            for (size_t i = 0; i < 4; i++)
                sum[i] = _mm512_add_epi64(
                    sum[i], _mm512_loadu_si512(p + i * part + at + line));
    }
    for (int i = 1; i < 4; i++)
        sum[0] = _mm512_add_epi64(sum[0], sum[i]);
    return (double)_mm512_reduce_add_epi64(sum[0]);
}

#else
typedef int dh_bench_peak_avx512_unused;
#endif
