/*
 * model/cpu/ints_k_factors_priv.h - the factors of K types. Included by files
 * for AVX2 and more that have defined INLINE.
 */

INLINE float half_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof(h));
    return _cvtsh_ss(h);
}

// What the eight groups of a block are multiplied by: scales and minima, or
// the scales of their first and of their second halves.
INLINE void factors_of(float out[16], const uint8_t *b,
                       const enum dh_dtype type)
{
    __m128i n;
    float d0, d1;
    if (type == DH_Q6_K) {
        n = _mm_loadu_si128((const void *)(b + 192));
        n = _mm_shuffle_epi8(n, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3,
                                              5, 7, 9, 11, 13, 15));
        d0 = d1 = half_at(b + 208);
    } else {
        // 6 bits each, of which those of the last four groups are split.
        uint32_t s[3], six = 0x3f3f3f3f, four = 0x0f0f0f0f, two = 0x03030303;
        memcpy(s, b + 4, sizeof(s));
        n = _mm_setr_epi32((int)(s[0] & six),
                           (int)((s[2] & four) | (s[0] >> 6 & two) << 4),
                           (int)(s[1] & six),
                           (int)((s[2] >> 4 & four) | (s[1] >> 6 & two) << 4));
        d0 = half_at(b);
        d1 = half_at(b + 2);
    }
    __m256 a = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(n));
    __m256 c = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(n, 8)));
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_set1_ps(d0), a));
    _mm256_storeu_ps(out + 8, _mm256_mul_ps(_mm256_set1_ps(d1), c));
}
