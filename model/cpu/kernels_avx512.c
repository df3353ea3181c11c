// The fast kernels for AVX-512 (F, BW, VL, DQ).
#if defined(__x86_64__)

#    include <math.h>
#    include <string.h>

#    include "model/backend_priv.h"

#    include "model/cpu/avx512_priv.h"
// After the vectors that it is written in.
#    include "model/cpu/simd_priv.h"
// After the intrinsics.
#    include "model/cpu/expand_priv.h"

#    define ALL_IN_FLOAT32                                                    \
        .tile = tile, .pack = pack, .dot = dot, .soften = soften,             \
        .expand = expand, .widen = widen_codes, .weigh = weigh, .most = most, \
        .scale = scale, .add_scaled = add_scaled, .rmsnorm = rmsnorm,         \
        .layernorm = layernorm, .gelu = gelu, .swiglu = swiglu, .rope = rope

const struct dh_kernels dh_kernels_avx512 = { .name = "avx512",
                                              ALL_IN_FLOAT32 };
const struct dh_kernels dh_kernels_avx512vnni = { .name = "avx512vnni",
                                                  ALL_IN_FLOAT32,
                                                  .ints = &dh_ints_avx512,
                                                  .ints_k = &dh_ints_k_avx512 };
const struct dh_kernels dh_kernels_avx512bf16 = { .name = "avx512bf16",
                                                  ALL_IN_FLOAT32,
                                                  .pairs = &dh_pairs_avx512,
                                                  .ints = &dh_ints_avx512,
                                                  .ints_k = &dh_ints_k_avx512 };
const struct dh_kernels dh_kernels_amx = { .name = "amx",
                                           ALL_IN_FLOAT32,
                                           .pairs = &dh_pairs_amx,
                                           .ints = &dh_ints_amx,
                                           .ints_k = &dh_ints_k_amx };

#else
typedef int dh_kernels_avx512_unused;
#endif
