#include "vision/resize_priv.h"

#include <stdbool.h>

#ifdef __AVX512VL__

#    include <immintrin.h>

// Vectors of 256 bits: wider ones have one port less for what is done here,
// and gained nothing. What helps is the multiply-add in one instruction.
#    define SIMD __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

SIMD static inline __m256i dot(__m256i sums, __m256i a, __m256i b)
{
    return _mm256_dpwssd_epi32(sums, a, b);
}

#    include "vision/resize_x86_priv.h"

static const struct dh_resize_kernels kernels = {
    .name = "avx512",
    .across = across_simd,
    .down = down_simd,
    .normalise = normalise_simd,
};

const struct dh_resize_kernels *dh_resize_find_avx512(void)
{
    bool has = __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vnni");
    return has ? &kernels : NULL;
}

#else

const struct dh_resize_kernels *dh_resize_find_avx512(void)
{
    return NULL;
}

#endif
