// Halves and blocks of NVFP4 to bfloat16, for AVX-512 with BF16: what
// dh_quant_expand gives, rounded.
#if defined(__x86_64__)

#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/cpu/avx512_priv.h"
#    include "model/quant_priv.h"

// Elements whose blocks are expanded at once.
#    define BLOCK 256

// 32 signed codes times a scale, the two halves with their own.
INLINE void put(uint16_t *out, __m256i codes, float scale0, float scale1)
{
    vec a =
        _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(codes)));
    vec b = _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm256_extracti128_si256(codes, 1)));
    a = mul(a, set1(scale0));
    b = mul(b, set1(scale1));
    _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

// Up to 16 numbers of E4M3, as halves, which have one bit of exponent more: 2^8
// too small.
INLINE vec e4m3_at(const uint8_t *p, int n)
{
    __m128i c = _mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), p);
    __m256i h = _mm256_cvtepu8_epi16(c);
    __m256i low = _mm256_and_si256(h, _mm256_set1_epi16(0x7f));
    __m256i sign = _mm256_slli_epi16(_mm256_srli_epi16(h, 7), 15);
    __m256i nan = _mm256_cmpeq_epi16(low, _mm256_set1_epi16(0x7f));
    h = _mm256_or_si256(_mm256_or_si256(_mm256_slli_epi16(low, 7), sign),
                        _mm256_and_si256(nan, _mm256_set1_epi16(0x7e00)));
    return mul(_mm512_cvtph_ps(h), set1(256));
}

// Up to 16 blocks of 16.
static void put_nvfp4(uint16_t *out, const uint8_t *codes, const uint8_t *e4m3,
                      float scale, int blocks)
{
    // Twice the numbers of E2M1.
    const __m256i table = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12));
    float by[W];
    store(by, mul(mul(e4m3_at(e4m3, blocks), set1(scale)), set1(0.5f)));
    for (int i = 0; i < blocks; i += 2) {
        // Of the last block there may be no second.
        bool two = i + 1 < blocks;
        __m128i b = two ? _mm_loadu_si128((const void *)(codes + i * 8))
                        : _mm_loadl_epi64((const void *)(codes + i * 8));
        __m128i low = _mm_and_si128(b, _mm_set1_epi8(15));
        __m128i high = _mm_and_si128(_mm_srli_epi16(b, 4), _mm_set1_epi8(15));
        __m256i q = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_unpacklo_epi8(low, high)),
            _mm_unpackhi_epi8(low, high), 1);
        uint16_t last[32];
        put(two ? out + i * 16 : last, _mm256_shuffle_epi8(table, q), by[i],
            by[two ? i + 1 : i]);
        if (!two)
            memcpy(out + i * 16, last, 16 * sizeof(*last));
    }
}

static void put_halves(uint16_t *out, const uint8_t *in, int n)
{
    for (int i = 0; i < n; i += 16) {
        __mmask16 there =
            (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1 : 0xffff);
        vec v = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(there, in + 2 * i));
        _mm256_mask_storeu_epi16(out + i, there,
                                 (__m256i)_mm512_cvtneps_pbh(v));
    }
}

bool dh_pairs_expand_blocks(uint16_t *out, const struct dh_mat *w, int row,
                            int k0, int n)
{
    size_t at = (size_t)row * (size_t)w->cols + (size_t)k0;
    const uint8_t *in = (const uint8_t *)w->data + dh_dtype_size(w->dtype, at);
    if (w->dtype == DH_NVFP4) {
        for (int i = 0; i < n; i += BLOCK) {
            int blocks = (n - i < BLOCK ? n - i : BLOCK) / DH_QUANT_NV_BLOCK;
            put_nvfp4(out + i, in + i / 2,
                      w->scales + (at + (size_t)i) / DH_QUANT_NV_BLOCK,
                      w->scale, blocks);
        }
        return true;
    }
    if (w->dtype == DH_F16) {
        put_halves(out, in, n);
        return true;
    }
    return false;
}

#else
typedef int dh_blocks_avx512_unused;
#endif
