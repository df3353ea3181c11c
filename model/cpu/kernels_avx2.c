// The fast kernels for AVX2 with FMA and F16C.
#if defined(__x86_64__)

#    include <immintrin.h>
#    include <math.h>
#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/tensor_priv.h"

#    define W        8
#    define TILE_MAX 6
typedef __m256 vec;

#    define load(p)      _mm256_loadu_ps(p)
#    define store(p, v)  _mm256_storeu_ps(p, v)
#    define set1(f)      _mm256_set1_ps(f)
#    define add(a, b)    _mm256_add_ps(a, b)
#    define sub(a, b)    _mm256_sub_ps(a, b)
#    define mul(a, b)    _mm256_mul_ps(a, b)
#    define divide(a, b) _mm256_div_ps(a, b)
#    define fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#    define vmax(a, b)   _mm256_max_ps(a, b)
#    define larger(a, b) _mm256_max_ps(a, b)
#    define vmin(a, b)   _mm256_min_ps(a, b)
#    define nearest(a)   _mm256_round_ps(a, 8)
#    define load_codes(p)   \
        _mm256_cvtepi32_ps( \
            _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(p))))

// p * 2^n; what would not be a normal number becomes zero.
static inline __attribute__((always_inline)) vec pow2(vec p, vec n)
{
    __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    vec by = _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
    vec small = _mm256_cmp_ps(n, _mm256_set1_ps(-126.0f), _CMP_LT_OQ);
    return _mm256_andnot_ps(small, _mm256_mul_ps(p, by));
}

static inline float sum_of(vec v)
{
    __m128 s =
        _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline float max_of(vec v)
{
    __m128 s =
        _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

static inline __attribute__((always_inline)) vec widen(enum dh_dtype type,
                                                       const void *p)
{
    if (type == DH_F32)
        return _mm256_loadu_ps(p);
    __m128i h = _mm_loadu_si128(p);
    if (type == DH_F16)
        return _mm256_cvtph_ps(h);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

#    define load_bits(p) \
        _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)(p)))
#    define low_half(v) \
        _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(v), 16))
#    define high_half(v)                      \
        _mm256_castsi256_ps(_mm256_and_si256( \
            _mm256_castps_si256(v), _mm256_set1_epi32((int)0xffff0000)))

static inline __attribute__((always_inline)) void transpose(vec v[W])
{
    vec t[W];
#    pragma GCC unroll 16
    for (int i = 0; i < W; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
#    pragma GCC unroll 16
    for (int i = 0; i < W; i += 4) {
        v[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#    pragma GCC unroll 16
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
    }
    memcpy(v, t, sizeof(t));
}

#    include "model/cpu/simd_priv.h"
// After the intrinsics.
#    include "model/cpu/expand_priv.h"

#    define ALL_IN_FLOAT32                                                    \
        .tile = tile, .pack = pack, .dot = dot, .soften = soften,             \
        .expand = expand, .widen = widen_codes, .weigh = weigh, .most = most, \
        .scale = scale, .add_scaled = add_scaled, .rmsnorm = rmsnorm,         \
        .layernorm = layernorm, .gelu = gelu, .swiglu = swiglu, .rope = rope

const struct dh_kernels dh_kernels_avx2 = { .name = "avx2", ALL_IN_FLOAT32 };
const struct dh_kernels dh_kernels_avx2int8 = { .name = "avx2int8",
                                                ALL_IN_FLOAT32,
                                                .ints = &dh_ints_avx2,
                                                .ints_k = &dh_ints_k_avx2 };
const struct dh_kernels dh_kernels_avxvnni = { .name = "avxvnni",
                                               ALL_IN_FLOAT32,
                                               .ints = &dh_ints_vnni_avx2,
                                               .ints_k = &dh_ints_k_vnni_avx2 };

#else
typedef int dh_kernels_avx2_unused;
#endif
