// The same for AVX2.
#if defined(__x86_64__)

#    include <immintrin.h>

#    include "tools/bench_peak.h"

#    define SUMS 12

static volatile float sink; // so that the sums are wanted

double dh_bench_peak_f32_avx2(int64_t rounds)
{
    __m256 sum[SUMS], x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(0.25f);
    for (int i = 0; i < SUMS; i++)
        sum[i] = _mm256_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#    pragma GCC unroll 16
        for (int i = 0; i < SUMS; i++)
            sum[i] = _mm256_fmadd_ps(sum[i], x, y);
    }
    for (int i = 1; i < SUMS; i++)
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    float lanes[8];
    _mm256_storeu_ps(lanes, sum[0]);
    sink = lanes[0];
    return (double)rounds * SUMS * 16;
}

#else
typedef int dh_bench_peak_avx2_unused;
#endif
