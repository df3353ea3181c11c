/*
 * model/cpu/expand_priv.h - dh_quant_expand, compiled for each instruction set
 * by the files that include it, for AVX2 after immintrin.h. To the last bit the
 * same everywhere.
 */

#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "model/quant_priv.h"
#include "model/tensor_priv.h"

#if defined(__AVX2__) && defined(__F16C__)
static inline float half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof(h));
    return _cvtsh_ss(h);
}

// 16 codes as halves, which have one bit of exponent more: 2^8 too small.
static inline void e4m3_floats(float *restrict out, const uint8_t *codes,
                               float by)
{
    __m256i c = _mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)codes));
    __m256i low = _mm256_and_si256(c, _mm256_set1_epi16(0x7f));
    __m256i sign = _mm256_slli_epi16(_mm256_srli_epi16(c, 7), 15);
    __m256i nan = _mm256_cmpeq_epi16(low, _mm256_set1_epi16(0x7f));
    __m256i h =
        _mm256_or_si256(_mm256_or_si256(_mm256_slli_epi16(low, 7), sign),
                        _mm256_and_si256(nan, _mm256_set1_epi16(0x7e00)));
    const __m256 up = _mm256_set1_ps(256);
    __m256 a = _mm256_cvtph_ps(_mm256_castsi256_si128(h));
    __m256 b = _mm256_cvtph_ps(_mm256_extracti128_si256(h, 1));
    a = _mm256_mul_ps(_mm256_mul_ps(a, up), _mm256_set1_ps(by));
    b = _mm256_mul_ps(_mm256_mul_ps(b, up), _mm256_set1_ps(by));
    _mm256_storeu_ps(out, a);
    _mm256_storeu_ps(out + 8, b);
}

// n codes, whole eights, as scale * code - min.
static inline void put_codes(float *restrict out, const int8_t *codes, int n,
                             float scale, float min)
{
    for (int i = 0; i < n; i += 8) {
        __m256i c =
            _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(codes + i)));
        __m256 f = _mm256_mul_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(c));
        _mm256_storeu_ps(out + i, _mm256_sub_ps(f, _mm256_set1_ps(min)));
    }
}

// (byte >> shift) & mask of n bytes, whole sixteens.
static inline void take_bits(int8_t *out, const uint8_t *in, int n, int shift,
                             int mask)
{
    for (int i = 0; i < n; i += 16) {
        __m128i b = _mm_loadu_si128((const void *)(in + i));
        b = _mm_srl_epi16(b, _mm_cvtsi32_si128(shift));
        b = _mm_and_si128(b, _mm_set1_epi8((char)mask));
        _mm_storeu_si128((void *)(out + i), b);
    }
}

// 16 codes of 8 bytes, the low one of each first.
static inline void take_pairs(int8_t *out, const uint8_t *in)
{
    const __m128i low = _mm_set1_epi8(15);
    __m128i b = _mm_loadl_epi64((const void *)in);
    __m128i high = _mm_and_si128(_mm_srli_epi16(b, 4), low);
    _mm_storeu_si128((void *)out,
                     _mm_unpacklo_epi8(_mm_and_si128(b, low), high));
}

// Twice the numbers of 16 codes of E2M1, one in each byte.
static inline void e2m1_doubled(int8_t *out, const int8_t *nibbles)
{
    const __m128i table =
        _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
    __m128i n = _mm_loadu_si128((const void *)nibbles);
    _mm_storeu_si128((void *)out, _mm_shuffle_epi8(table, n));
}
#else
static inline float half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof(h));
    return dh_f16_to_f32(h);
}

static inline void e4m3_floats(float *restrict out, const uint8_t *codes,
                               float by)
{
    for (int i = 0; i < 16; i++)
        out[i] = dh_quant_e4m3(codes[i]) * by;
}

static inline void put_codes(float *restrict out, const int8_t *codes, int n,
                             float scale, float min)
{
    for (int i = 0; i < n; i++)
        out[i] = scale * (float)codes[i] - min;
}

static inline void take_bits(int8_t *out, const uint8_t *in, int n, int shift,
                             int mask)
{
    for (int i = 0; i < n; i++)
        out[i] = (int8_t)(in[i] >> shift & mask);
}

static inline void take_pairs(int8_t *out, const uint8_t *in)
{
    for (int i = 0; i < 8; i++) {
        out[2 * i] = (int8_t)(in[i] & 15);
        out[2 * i + 1] = (int8_t)(in[i] >> 4);
    }
}

static inline void e2m1_doubled(int8_t *out, const int8_t *nibbles)
{
    for (int i = 0; i < 16; i++)
        out[i] = (int8_t)(2 * dh_quant_e2m1((uint8_t)nibbles[i]));
}
#endif

// Without a call, as dh_quant_e4m3: the bits move to their place with another
// bias; below the normal numbers a one that is not there is taken off again.
static inline float e4m3_of(uint8_t code)
{
    uint32_t low = code & 0x7f, tiny = low < 8;
    uint32_t bits = (low << 20) + ((120 + tiny) << 23);
    bits = low == 0x7f ? 0x7fc00000 : bits;
    float f;
    memcpy(&f, &bits, sizeof(f));
    f -= tiny ? 0x1p-6f : 0;
    return code & 0x80 ? -f : f;
}

// A power of two without a call.
static inline float e8m0_of(uint8_t code)
{
    uint32_t bits = code ? (uint32_t)code << 23 : 0x00400000;
    float f;
    bits = code == 255 ? 0x7fc00000 : bits;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

static void expand_mxfp8(float *restrict out, const uint8_t *codes,
                         const uint8_t *scales, int n)
{
    for (int b = 0; b < n; b += DH_QUANT_MX_BLOCK) {
        float by = e8m0_of(scales[b / DH_QUANT_MX_BLOCK]);
        e4m3_floats(out + b, codes + b, by);
        e4m3_floats(out + b + 16, codes + b + 16, by);
    }
}

static void expand_nvfp4(float *restrict out, const uint8_t *codes,
                         const uint8_t *scales, float scale, int n)
{
    for (int b = 0; b < n; b += DH_QUANT_NV_BLOCK) {
        float by = e4m3_of(scales[b / DH_QUANT_NV_BLOCK]) * scale * 0.5f;
        int8_t nibbles[DH_QUANT_NV_BLOCK], twice[DH_QUANT_NV_BLOCK];
        take_pairs(nibbles, codes + b / 2);
        e2m1_doubled(twice, nibbles);
        put_codes(out + b, twice, DH_QUANT_NV_BLOCK, by, 0);
    }
}

static void expand_q8_0(float *restrict out, const uint8_t *b)
{
    put_codes(out, (const int8_t *)b + 2, 32, half_at(b), 0);
}

static void expand_q4_0(float *restrict out, const uint8_t *b)
{
    int8_t codes[32];
    take_bits(codes, b + 2, 16, 0, 15);
    take_bits(codes + 16, b + 2, 16, 4, 15);
    for (int i = 0; i < 32; i++)
        codes[i] = (int8_t)(codes[i] - 8);
    put_codes(out, codes, 32, half_at(b), 0);
}

static void expand_q4_1(float *restrict out, const uint8_t *b)
{
    int8_t codes[32];
    take_bits(codes, b + 4, 16, 0, 15);
    take_bits(codes + 16, b + 4, 16, 4, 15);
    put_codes(out, codes, 32, half_at(b), -half_at(b + 2));
}

// 32 codes: 16 bytes of low halves behind four that hold the fifth bits.
static void take_fives(int8_t codes[32], const uint8_t *in, int zero)
{
    uint32_t high;
    memcpy(&high, in, sizeof(high));
    take_bits(codes, in + 4, 16, 0, 15);
    take_bits(codes + 16, in + 4, 16, 4, 15);
    for (int i = 0; i < 32; i++)
        codes[i] = (int8_t)((codes[i] | (int)(high >> i & 1) << 4) - zero);
}

static void expand_q5_0(float *restrict out, const uint8_t *b)
{
    int8_t codes[32];
    take_fives(codes, b + 2, 16);
    put_codes(out, codes, 32, half_at(b), 0);
}

static void expand_q5_1(float *restrict out, const uint8_t *b)
{
    int8_t codes[32];
    take_fives(codes, b + 4, 0);
    put_codes(out, codes, 32, half_at(b), -half_at(b + 2));
}

// 32 codes that stand for the numbers of a table.
static inline void take_iq4(int8_t codes[32], const uint8_t *in)
{
    static const int8_t table[16] = {
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
    };
    for (int i = 0; i < 16; i++) {
        codes[i] = table[in[i] & 15];
        codes[16 + i] = table[in[i] >> 4];
    }
}

static void expand_iq4_nl(float *restrict out, const uint8_t *b)
{
    int8_t codes[32];
    take_iq4(codes, b + 2);
    put_codes(out, codes, 32, half_at(b), 0);
}

static void expand_iq4_xs(float *restrict out, const uint8_t *b)
{
    for (int g = 0; g < 8; g++) { // of 32, each with a scale of 6 bits
        int low = b[4 + g / 2] >> g % 2 * 4 & 15;
        int high = b[2 + g / 4] >> g % 4 * 2 & 3;
        int8_t codes[32];
        take_iq4(codes, b + 8 + g * 16);
        put_codes(out + g * 32, codes, 32,
                  half_at(b) * (float)((low | high << 4) - 32), 0);
    }
}

static void expand_mxfp4(float *restrict out, const uint8_t *b)
{
    float by = e8m0_of(b[0]) * 0.5f;
    int8_t nibbles[32], twice[32];
    take_bits(nibbles, b + 1, 16, 0, 15);
    take_bits(nibbles + 16, b + 1, 16, 4, 15);
    e2m1_doubled(twice, nibbles);
    e2m1_doubled(twice + 16, nibbles + 16);
    put_codes(out, twice, 32, by, 0);
}

// Scale and minimum of the i-th of eight groups of 32: 6 bits each, of which
// those of the last four groups are split.
static void group_of(const uint8_t *s, int i, float d, float dmin, float *scale,
                     float *min)
{
    int sc = s[i] & 63, m = s[i + 4] & 63;
    if (i >= 4) {
        sc = (s[i + 4] & 15) | ((s[i - 4] >> 6) << 4);
        m = (s[i + 4] >> 4) | ((s[i] >> 6) << 4);
    }
    *scale = d * (float)sc;
    *min = dmin * (float)m;
}

// Groups of 16, each with a scale and a minimum of 4 bits; two halves of eight
// groups share their bytes.
static void expand_q2_k(float *restrict out, const uint8_t *b)
{
    float d = half_at(b + 80), dmin = half_at(b + 82);
    for (int g = 0; g < 16; g++) {
        int8_t codes[16];
        take_bits(codes, b + 16 + g / 8 * 32 + g % 2 * 16, 16, g % 8 / 2 * 2,
                  3);
        put_codes(out + g * 16, codes, 16, d * (float)(b[g] & 15),
                  dmin * (float)(b[g] >> 4));
    }
}

// The same with a third bit in bytes of their own and scales of 6 bits.
static void expand_q3_k(float *restrict out, const uint8_t *b)
{
    const uint8_t *s = b + 96;
    float d = half_at(b + 108);
    for (int g = 0; g < 16; g++) {
        int low = s[g % 8] >> g / 8 * 4 & 15, high = s[8 + g % 4] >> g / 4 * 2;
        int8_t codes[16], top[16];
        take_bits(codes, b + 32 + g / 8 * 32 + g % 2 * 16, 16, g % 8 / 2 * 2,
                  3);
        take_bits(top, b + g % 2 * 16, 16, g / 2, 1);
        for (int i = 0; i < 16; i++)
            codes[i] = (int8_t)((codes[i] | top[i] << 2) - 4);
        put_codes(out + g * 16, codes, 16,
                  d * (float)((low | (high & 3) << 4) - 32), 0);
    }
}

static void expand_q4_k(float *restrict out, const uint8_t *b)
{
    float d = half_at(b), dmin = half_at(b + 2), scale, min;
    for (int g = 0; g < 8; g++) {
        const uint8_t *q = b + 16 + g / 2 * 32;
        group_of(b + 4, g, d, dmin, &scale, &min);
        int8_t codes[32];
        take_bits(codes, q, 32, g % 2 * 4, 15);
        put_codes(out + g * 32, codes, 32, scale, min);
    }
}

static void expand_q5_k(float *restrict out, const uint8_t *b)
{
    float d = half_at(b), dmin = half_at(b + 2), scale, min;
    const uint8_t *high = b + 16;
    for (int g = 0; g < 8; g++) {
        const uint8_t *q = b + 48 + g / 2 * 32;
        group_of(b + 4, g, d, dmin, &scale, &min);
        int8_t codes[32], top[32];
        take_bits(codes, q, 32, g % 2 * 4, 15);
        take_bits(top, high, 32, g, 1);
        for (int i = 0; i < 32; i++)
            codes[i] = (int8_t)(codes[i] | top[i] << 4);
        put_codes(out + g * 32, codes, 32, scale, min);
    }
}

static void expand_q6_k(float *restrict out, const uint8_t *b)
{
    float d = half_at(b + 208);
    for (int g = 0; g < 16; g++) { // of 16; two halves of eight
        const uint8_t *low = b + g / 8 * 64 + g % 4 * 16;
        const uint8_t *high = b + 128 + g / 8 * 32 + g % 2 * 16;
        float by = d * (float)(int8_t)b[192 + g];
        int8_t codes[16], top[16];
        take_bits(codes, low, 16, g % 8 / 4 * 4, 15);
        take_bits(top, high, 16, g % 8 / 2 * 2, 3);
        for (int i = 0; i < 16; i++)
            codes[i] = (int8_t)((codes[i] | top[i] << 4) - 32);
        put_codes(out + g * 16, codes, 16, by, 0);
    }
}

static inline void expand(float *out, const struct dh_mat *w, int row, int k0,
                          int n)
{
    static void (*const of[DH_DTYPE_COUNT])(float *, const uint8_t *) = {
        [DH_Q8_0] = expand_q8_0,     [DH_Q4_0] = expand_q4_0,
        [DH_Q4_1] = expand_q4_1,     [DH_Q5_0] = expand_q5_0,
        [DH_Q5_1] = expand_q5_1,     [DH_Q2_K] = expand_q2_k,
        [DH_Q3_K] = expand_q3_k,     [DH_Q4_K] = expand_q4_k,
        [DH_Q5_K] = expand_q5_k,     [DH_Q6_K] = expand_q6_k,
        [DH_IQ4_NL] = expand_iq4_nl, [DH_IQ4_XS] = expand_iq4_xs,
        [DH_MXFP4] = expand_mxfp4,
    };
    int block = dh_quant_block(w->dtype);
    dh_debug_assert(k0 % block == 0 && n % block == 0);
    size_t at = (size_t)row * (size_t)w->cols + (size_t)k0;
    const uint8_t *in = w->data, *s = w->scales;
    in += dh_dtype_size(w->dtype, at);
    if (w->dtype == DH_F8_E4M3)
        expand_mxfp8(out, in, s + at / DH_QUANT_MX_BLOCK, n);
    else if (w->dtype == DH_NVFP4)
        expand_nvfp4(out, in, s + at / DH_QUANT_NV_BLOCK, w->scale, n);
    else if (!of[w->dtype])
        dh_tensor_to_f32(w->dtype, in, (size_t)n, out);
    else
        for (int i = 0; i < n; i += block, in += dh_dtype_bytes(w->dtype))
            of[w->dtype](out + i, in);
}
