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

#else
typedef int dh_bench_peak_avx512_unused;
#endif
