/*
 * vision/resize_x86_priv.h - the kernels of resize_avx2.c and resize_avx512.c.
 *
 * The file that includes this has the intrinsics, SIMD (the attribute that
 * names its instructions) and dot(sums, a, b), which adds to each 32-bit sum
 * the products of its two pairs of 16-bit numbers.
 */
#ifndef DH_VISION_RESIZE_X86_PRIV_H
#define DH_VISION_RESIZE_X86_PRIV_H

#include <string.h>

#include "vision/resize_priv.h"

// By force: the lengths that across_simd names are worth their copies.
#define INLINE SIMD __attribute__((always_inline)) static inline

// Two rows at once, one in each half of a vector: a pair of weights then is
// one broadcast, and no sum crosses the halves. Bytes of two neighbouring
// pixels are spread to 16 bits, channel by channel (b0 b1 g0 g1 r0 r1 x0 x1),
// so that one multiply-add does two taps of four channels of both rows.
INLINE __m256i spread(__m256i pixels, __m256i how)
{
    return _mm256_shuffle_epi8(pixels, how);
}

INLINE __m256i pair_of(const int16_t *w)
{
    int32_t both;
    memcpy(&both, w, sizeof(both));
    return _mm256_set1_epi32(both);
}

INLINE __m256i load_two(const uint8_t *a, const uint8_t *b)
{
    __m128i lo = _mm_loadu_si128((const __m128i *)(const void *)a);
    __m128i hi = _mm_loadu_si128((const __m128i *)(const void *)b);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(lo), hi, 1);
}

INLINE __m256i load_two_halves(const uint8_t *a, const uint8_t *b)
{
    __m128i lo = _mm_loadl_epi64((const __m128i *)(const void *)a);
    __m128i hi = _mm_loadl_epi64((const __m128i *)(const void *)b);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(lo), hi, 1);
}

// The sums of one output: four channels of the first row, then of the second.
INLINE __m256i sums_of(const struct dh_resize_axis *a, int i, int stride,
                       const uint8_t *const in[2], __m256i half)
{
    const __m256i first = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1));
    const __m256i second = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        8, -1, 12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1));
    const int16_t *w = a->weights + (size_t)i * (size_t)stride;
    size_t at = (size_t)a->first[i] * 4;
    const uint8_t *p = in[0] + at, *q = in[1] + at;
    __m256i even = half, odd = _mm256_setzero_si256();
    int j = 0;
    for (; j + 4 <= stride; j += 4) {
        __m256i x = load_two(p + 4 * j, q + 4 * j);
        even = dot(even, spread(x, first), pair_of(w + j));
        odd = dot(odd, spread(x, second), pair_of(w + j + 2));
    }
    if (j < stride) {
        __m256i x = load_two_halves(p + 4 * j, q + 4 * j);
        even = dot(even, spread(x, first), pair_of(w + j));
    }
    return _mm256_add_epi32(even, odd);
}

INLINE __m256i pack_four(__m256i s0, __m256i s1, __m256i s2, __m256i s3,
                         __m128i shift)
{
    __m256i lo = _mm256_packs_epi32(_mm256_sra_epi32(s0, shift),
                                    _mm256_sra_epi32(s1, shift));
    __m256i hi = _mm256_packs_epi32(_mm256_sra_epi32(s2, shift),
                                    _mm256_sra_epi32(s3, shift));
    // Four pixels in each half; then their blues, greens, reds, rests.
    const __m256i by_channel = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    return _mm256_shuffle_epi8(_mm256_packus_epi16(lo, hi), by_channel);
}

INLINE void store_low(uint8_t *to, __m128i v)
{
    _mm_storel_epi64((__m128i *)(void *)to, v);
}

INLINE void store_row(uint8_t *to, size_t pitch, __m128i blue_green,
                      __m128i red)
{
    store_low(to, red);
    store_low(to + pitch, _mm_unpackhi_epi64(blue_green, blue_green));
    store_low(to + 2 * pitch, blue_green);
}

INLINE void across_rows(const struct dh_resize_axis *a, int stride,
                        const uint8_t *const in[2], uint8_t *const out[2],
                        size_t pitch)
{
    __m128i shift = _mm_cvtsi32_si128(a->shift);
    __m256i half = _mm256_set1_epi32(1 << (a->shift - 1));
    for (int i = 0; i < a->n_out; i += 8) {
        __m256i s[8];
        for (int k = 0; k < 8; k++)
            s[k] = sums_of(a, i + k, stride, in, half);
        __m256i lo = pack_four(s[0], s[1], s[2], s[3], shift);
        __m256i hi = pack_four(s[4], s[5], s[6], s[7], shift);
        __m256i blue_green = _mm256_unpacklo_epi32(lo, hi);
        __m256i red = _mm256_unpackhi_epi32(lo, hi);
        store_row(out[0] + i, pitch, _mm256_castsi256_si128(blue_green),
                  _mm256_castsi256_si128(red));
        store_row(out[1] + i, pitch, _mm256_extracti128_si256(blue_green, 1),
                  _mm256_extracti128_si256(red, 1));
    }
}

SIMD static void across_simd(const struct dh_resize_axis *a,
                             const uint8_t *const in[2], uint8_t *const out[2],
                             size_t pitch)
{
    // Too narrow to read whole windows.
    if (a->stride > a->n_in || a->shift < 1) {
        dh_resize_plain.across(a, in, out, pitch);
        return;
    }
    // Known lengths let the compiler unroll; the usual screens need 10 or less.
    switch (a->stride) {
    case 2: across_rows(a, 2, in, out, pitch); break;
    case 4: across_rows(a, 4, in, out, pitch); break;
    case 6: across_rows(a, 6, in, out, pitch); break;
    case 8: across_rows(a, 8, in, out, pitch); break;
    case 10: across_rows(a, 10, in, out, pitch); break;
    case 12: across_rows(a, 12, in, out, pitch); break;
    default: across_rows(a, a->stride, in, out, pitch); break;
    }
}

SIMD static void down_simd(const int16_t *weights, int n_taps, int shift,
                           const uint8_t *const *in, uint8_t *out, size_t n)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i half = _mm256_set1_epi32(shift ? 1 << (shift - 1) : 0);
    __m128i by = _mm_cvtsi32_si128(shift);
    for (size_t x = 0; x < n; x += 32) {
        __m256i s0 = half, s1 = half, s2 = half, s3 = half;
        for (int j = 0; j < n_taps; j += 2) {
            __m256i w = pair_of(weights + j);
            __m256i a =
                _mm256_loadu_si256((const __m256i *)(const void *)(in[j] + x));
            __m256i b = _mm256_loadu_si256(
                (const __m256i *)(const void *)(in[j + 1] + x));
            __m256i lo = _mm256_unpacklo_epi8(a, b);
            __m256i hi = _mm256_unpackhi_epi8(a, b);
            s0 = dot(s0, _mm256_unpacklo_epi8(lo, zero), w);
            s1 = dot(s1, _mm256_unpackhi_epi8(lo, zero), w);
            s2 = dot(s2, _mm256_unpacklo_epi8(hi, zero), w);
            s3 = dot(s3, _mm256_unpackhi_epi8(hi, zero), w);
        }
        __m256i lo = _mm256_packs_epi32(_mm256_sra_epi32(s0, by),
                                        _mm256_sra_epi32(s1, by));
        __m256i hi = _mm256_packs_epi32(_mm256_sra_epi32(s2, by),
                                        _mm256_sra_epi32(s3, by));
        _mm256_storeu_si256((__m256i *)(void *)(out + x),
                            _mm256_packus_epi16(lo, hi));
    }
}

INLINE void normalise_eight(const uint8_t *in, __m256 mean, __m256 std,
                            float *out)
{
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)in);
    __m256 v = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    // A true division: a reciprocal would change the last bit.
    _mm256_storeu_ps(out, _mm256_div_ps(_mm256_sub_ps(v, mean), std));
}

SIMD static void normalise_simd(const uint8_t *in, size_t in_stride, int side,
                                float mean, float std, float *out)
{
    if (side < 8) {
        dh_resize_plain.normalise(in, in_stride, side, mean, std, out);
        return;
    }
    __m256 m = _mm256_set1_ps(mean), s = _mm256_set1_ps(std);
    for (int y = 0; y < side; y++, in += in_stride, out += side) {
        int x = 0;
        for (; x + 8 <= side; x += 8)
            normalise_eight(in + x, m, s, out + x);
        // The last eight again rather than some one by one.
        if (x < side)
            normalise_eight(in + side - 8, m, s, out + side - 8);
    }
}

#endif
