#include "vision/resize_priv.h"

#ifdef __AVX2__

#    include <immintrin.h>

#    define SIMD __attribute__((target("avx2")))

SIMD static inline __m256i dot(__m256i sums, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
}

#    include "vision/resize_x86_priv.h"

static const struct dh_resize_kernels kernels = {
    .name = "avx2",
    .across = across_simd,
    .down = down_simd,
    .normalise = normalise_simd,
};

const struct dh_resize_kernels *dh_resize_find_avx2(void)
{
    return __builtin_cpu_supports("avx2") ? &kernels : NULL;
}

#else

const struct dh_resize_kernels *dh_resize_find_avx2(void)
{
    return NULL;
}

#endif
