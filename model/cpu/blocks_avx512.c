// Halves, blocks of NVFP4 and of llama.cpp's K types to bfloat16, for AVX-512
// with BF16: what dh_quant_expand gives, rounded.
#if defined(__x86_64__)

#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/cpu/avx512_priv.h"
#    include "model/quant_priv.h"

// Elements of a K block.
#    define BLOCK 256

// 32 signed codes as scale * code - min, the two halves with their own.
INLINE void put(uint16_t *out, __m256i codes, vec scale0, vec scale1, vec min)
{
    vec a =
        _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(codes)));
    vec b = _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm256_extracti128_si256(codes, 1)));
    a = sub(mul(a, scale0), min);
    b = sub(mul(b, scale1), min);
    _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

INLINE __m256i low_bits(__m256i v, int shift, int mask)
{
    return _mm256_and_si256(_mm256_srl_epi16(v, _mm_cvtsi32_si128(shift)),
                            _mm256_set1_epi8((char)mask));
}

INLINE __m256i bytes_at(const uint8_t *p)
{
    return _mm256_loadu_si256((const void *)p);
}

INLINE float half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof(h));
    return _cvtsh_ss(h);
}

// Scales and minima of the eight groups of a Q4_K or Q5_K block: 6 bits each,
// of which those of the last four groups are split.
INLINE void groups_of(const uint8_t *b, float scales[8], float mins[8])
{
    uint32_t s[3], six = 0x3f3f3f3f, four = 0x0f0f0f0f, two = 0x03030303;
    memcpy(s, b + 4, sizeof(s));
    __m128i all = _mm_setr_epi32(
        (int)(s[0] & six), (int)((s[2] & four) | (s[0] >> 6 & two) << 4),
        (int)(s[1] & six), (int)((s[2] >> 4 & four) | (s[1] >> 6 & two) << 4));
    vec n = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(all));
    _mm256_storeu_ps(scales, _mm256_mul_ps(_mm512_castps512_ps256(n),
                                           _mm256_set1_ps(half_at(b))));
    _mm256_storeu_ps(mins, _mm256_mul_ps(_mm512_extractf32x8_ps(n, 1),
                                         _mm256_set1_ps(half_at(b + 2))));
}

static void put_q4_k(uint16_t *out, const uint8_t *b)
{
    float scales[8], mins[8];
    groups_of(b, scales, mins);
#    pragma GCC unroll 8
    for (int g = 0; g < 8; g++) {
        __m256i q = low_bits(bytes_at(b + 16 + g / 2 * 32), g % 2 * 4, 15);
        vec by = set1(scales[g]);
        put(out + g * 32, q, by, by, set1(mins[g]));
    }
}

static void put_q5_k(uint16_t *out, const uint8_t *b)
{
    float scales[8], mins[8];
    __m256i high = bytes_at(b + 16);
    groups_of(b, scales, mins);
#    pragma GCC unroll 8
    for (int g = 0; g < 8; g++) {
        __m256i q = low_bits(bytes_at(b + 48 + g / 2 * 32), g % 2 * 4, 15);
        q = _mm256_or_si256(q, _mm256_slli_epi16(low_bits(high, g, 1), 4));
        vec by = set1(scales[g]);
        put(out + g * 32, q, by, by, set1(mins[g]));
    }
}

// Two groups of 16 at a time.
static void put_q6_k(uint16_t *out, const uint8_t *b)
{
    float d = half_at(b + 208);
#    pragma GCC unroll 8
    for (int g = 0; g < 16; g += 2) {
        __m256i q =
            low_bits(bytes_at(b + g / 8 * 64 + g % 4 * 16), g % 8 / 4 * 4, 15);
        __m256i top = low_bits(bytes_at(b + 128 + g / 8 * 32), g % 8, 3);
        q = _mm256_sub_epi8(_mm256_or_si256(q, _mm256_slli_epi16(top, 4)),
                            _mm256_set1_epi8(32));
        put(out + g * 16, q, set1(d * (float)(int8_t)b[192 + g]),
            set1(d * (float)(int8_t)b[193 + g]), set1(0));
    }
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
        put(two ? out + i * 16 : last, _mm256_shuffle_epi8(table, q),
            set1(by[i]), set1(by[two ? i + 1 : i]), set1(0));
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
    void (*one)(uint16_t *, const uint8_t *) = w->dtype == DH_Q4_K   ? put_q4_k
                                               : w->dtype == DH_Q5_K ? put_q5_k
                                               : w->dtype == DH_Q6_K ? put_q6_k
                                                                     : NULL;
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
    if (!one)
        return false;
    for (int i = 0; i < n; i += BLOCK, in += dh_dtype_bytes(w->dtype))
        one(out + i, in);
    return true;
}

#else
typedef int dh_blocks_avx512_unused;
#endif
