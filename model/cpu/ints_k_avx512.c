// Products of whole numbers with K types, for AVX-512 with VNNI.
#if defined(__x86_64__)

#    include <immintrin.h>
#    include <stddef.h>
#    include <stdint.h>

#    define INLINE static inline __attribute__((always_inline))
#    define W      16
typedef __m512i whole;
typedef __m512 real;

#    define all_whole(n)      _mm512_set1_epi32(n)
#    define all_real(f)       _mm512_set1_ps(f)
#    define as_real(v)        _mm512_cvtepi32_ps(v)
#    define bits_as_real(v)   _mm512_castsi512_ps(v)
#    define plus(a, b)        _mm512_add_epi32(a, b)
#    define times(a, b)       _mm512_mul_ps(a, b)
#    define fused(a, b, c)    _mm512_fmadd_ps(a, b, c)
#    define either(a, b)      _mm512_or_si512(a, b)
#    define raised(v)         _mm512_slli_epi16(v, 4)
#    define products(s, w, x) _mm512_dpbusd_epi32(s, w, x)
#    define load_real(p)      _mm512_loadu_ps(p)
#    define store_real(p, v)  _mm512_storeu_ps(p, v)
#    define load_whole(p)     _mm512_loadu_si512(p)
#    define store_whole(p, v) _mm512_storeu_si512(p, v)
#    define bits(v, shift, mask)                                         \
        _mm512_and_si512(_mm512_srlv_epi32(v, _mm512_set1_epi32(shift)), \
                         _mm512_set1_epi8(mask))

// Eight words of each row from byte `from` on: a vector for each word. Rows j
// and j + 8 go together.
INLINE void read_words(whole v[8], const uint8_t *const at[W], size_t from)
{
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    const __m512i second = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    __m512i r[8], t[8], u[8];
#    pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        r[i] = _mm512_inserti64x4(
            _mm512_castsi256_si512(
                _mm256_loadu_si256((const void *)(at[i] + from))),
            _mm256_loadu_si256((const void *)(at[i + 8] + from)), 1);
#    pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
#    pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#    pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_permutex2var_epi64(u[i], first, u[i + 4]);
        v[i + 4] = _mm512_permutex2var_epi64(u[i], second, u[i + 4]);
    }
}

#    include "model/cpu/ints_k_priv.h"

static void narrow(int8_t *codes, float *scales, int32_t *sums, const float *x,
                   size_t n)
{
    dh_ints_avx512.narrow(codes, scales, sums, x, n);
    dh_ints_k_halves(codes, sums, n);
}

const struct dh_ints dh_ints_k_avx512 = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};

// Products of many rows are those of ints_amx.c.
const struct dh_ints dh_ints_k_amx = {
    .narrow = narrow,
    .dot = dot,
    .gather = dh_ints_gather_amx,
    .spread = dh_ints_spread_amx,
    .sum = dh_ints_sum_amx,
};

#else
typedef int dh_ints_k_avx512_unused;
#endif
