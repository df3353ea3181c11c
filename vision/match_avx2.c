#include "vision/match_priv.h"

#ifdef __AVX2__

#    include "vision/match_kernels_priv.h"

static const struct dh_match_kernels kernels = { add_row, dot, dots };

const struct dh_match_kernels *dh_match_find_avx2(void)
{
    return __builtin_cpu_supports("avx2") ? &kernels : NULL;
}

#else

const struct dh_match_kernels *dh_match_find_avx2(void)
{
    return NULL;
}

#endif
