// Dot products with MXFP8 in pairs of bfloat16, for AVX-512 with BF16: what
// `expand` and then `dot` of pairs_avx512.c give, to the last bit, without the
// way through memory.
#if defined(__x86_64__)

#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/cpu/avx512_priv.h"
#    include "model/quant_priv.h"

// Blocks whose scales are gathered at once, before they are needed.
#    define BATCH     8
// Powers of two that keep every code a normal number.
#    define POWER_MAX 110

// Magnitudes below the normal ones.
static const uint16_t small[32] = { 0,      0x3b00, 0x3b80, 0x3bc0,
                                    0x3c00, 0x3c20, 0x3c40, 0x3c60 };

// 32 codes, each in the upper half of 16 bits, times 2^by: by << 7 in 16 bits.
INLINE __m512i numbers_of(__m512i c, __m512i table, __m512i by)
{
    __m512i low =
        _mm512_and_si512(_mm512_srli_epi16(c, 4), _mm512_set1_epi16(0x07f0));
    __m512i v = _mm512_add_epi16(low, _mm512_set1_epi16(0x3c00));
    __mmask32 tiny = _mm512_testn_epi16_mask(c, _mm512_set1_epi16(0x7800));
    v = _mm512_mask_permutexvar_epi16(v, tiny, _mm512_srli_epi16(c, 8), table);
    __mmask32 number = _mm512_test_epi16_mask(c, _mm512_set1_epi16(0x7f00));
    v = _mm512_mask_add_epi16(v, number, v, by);
    // v | (c & sign)
    return _mm512_ternarylogic_epi32(v, c, _mm512_set1_epi16((short)0x8000),
                                     0xf8);
}

INLINE __m512i pair_of(__m512i words, int first)
{
    const __m512i spread = _mm512_broadcast_i32x4(
        first ? _mm_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1,
                              14, -1, 15)
              : _mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12,
                              -1, 13));
    return _mm512_shuffle_epi8(words, spread);
}

// 16 rows of w that are read together.
struct rows {
    const uint8_t *codes[W], *scales[W];
};

INLINE void gather_scales(uint8_t out[BATCH][W], const struct rows *r, int b,
                          int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < W; j++)
            out[i][j] = r->scales[j][b + i];
}

// The power of two of a block for each row, twice in a word and where the
// exponent is. False where one is out of bounds.
INLINE bool powers_of(const uint8_t scales[W], __m512i *out)
{
    __m512i e = _mm512_sub_epi32(
        _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)scales)),
        _mm512_set1_epi32(127));
    __m512i low =
        _mm512_and_si512(_mm512_slli_epi32(e, 7), _mm512_set1_epi32(0xffff));
    *out = _mm512_or_si512(low, _mm512_slli_epi32(e, 23));
    return _mm512_cmpgt_epi32_mask(_mm512_abs_epi32(e),
                                   _mm512_set1_epi32(POWER_MAX)) == 0;
}

// One block: 8 words of codes, 16 words of x.
INLINE void add_block(vec acc[4], const vec v[W], int first, __m512i by,
                      const uint32_t *x, size_t ldx, const int m,
                      __mmask64 *nan)
{
    const __m512i table = _mm512_loadu_si512(small);
    const __m512i most = _mm512_set1_epi8(0x7f);
#    pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        __m512i w = (__m512i)v[first + j];
        *nan |= _mm512_cmpeq_epi8_mask(_mm512_and_si512(w, most), most);
#    pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            __m512i n = numbers_of(pair_of(w, half), table, by);
#    pragma GCC unroll 4
            for (int i = 0; i < m; i++)
                acc[i] = _mm512_dpbf16_ps(
                    acc[i], (__m512bh)n,
                    (__m512bh)_mm512_set1_epi32(
                        (int)x[(size_t)i * ldx + 2 * j + half]));
        }
    }
}

// False: a code or a scale that is not for here.
INLINE bool add_rows(vec acc[4], const struct rows *r, const struct dh_mat *w,
                     const uint32_t *x, size_t ldx, const int m,
                     const uint8_t *next)
{
    int blocks = w->cols / DH_QUANT_MX_BLOCK;
    uint8_t scales[2][BATCH][W];
    __mmask64 nan = 0;
    gather_scales(scales[0], r, 0, blocks < BATCH ? blocks : BATCH);
    for (int b0 = 0; b0 < blocks; b0 += BATCH) {
        int some = blocks - b0 < BATCH ? blocks - b0 : BATCH;
        int now = b0 / BATCH % 2, rest = blocks - b0 - some;
        gather_scales(scales[!now], r, b0 + some, rest < BATCH ? rest : BATCH);
        for (int b = 0; b < some; b += 2) {
            size_t at = (size_t)(b0 + b) * DH_QUANT_MX_BLOCK;
            vec v[W];
            __m512i by;
            if (next)
                fetch(next + at * W, W);
            // Of the last block there may be no second.
            if (b + 1 < some)
                load_turned(v, r->codes, at);
            else
                load_half_turned(v, r->codes, at);
            if (!powers_of(scales[now][b], &by))
                return false;
            add_block(acc, v, 0, by, x + at / 2, ldx, m, &nan);
            if (b + 1 == some)
                break;
            if (!powers_of(scales[now][b + 1], &by))
                return false;
            add_block(acc, v, 8, by, x + at / 2 + W, ldx, m, &nan);
        }
    }
    return nan == 0;
}

INLINE void start_rows(vec acc[4], const struct dh_dot *d, int row,
                       __mmask16 there, const int m)
{
#    pragma GCC unroll 4
    for (int i = 0; i < m; i++)
        acc[i] = d->start ? _mm512_maskz_loadu_ps(
                                there, d->start + (size_t)i * d->lds + row)
                          : set1(0);
}

// Rows with numbers that only `expand` can read, a part at a time.
static void dot_expanded(const struct dh_dot *d, const uint32_t *x, size_t ldx,
                         int row, int rows)
{
    enum { COLS = 256 };
    uint16_t wide[W * COLS];
    struct dh_mat some = { .data = wide, .dtype = DH_BF16, .rows = rows };
    struct dh_dot part = *d;
    part.w = &some;
    part.y += row;
    part.start = d->start ? d->start + row : NULL;
    part.row0 = 0;
    part.rows = rows;
    for (int k0 = 0; k0 < d->w->cols; k0 += COLS) {
        some.cols = d->w->cols - k0 < COLS ? d->w->cols - k0 : COLS;
        for (int r = 0; r < rows; r++)
            dh_pairs_avx512.expand(wide + r * some.cols, d->w,
                                   d->row0 + row + r, k0, some.cols);
        dh_pairs_avx512.dot(&part, x + k0 / 2, ldx);
        part.start = part.y;
        part.lds = part.ldy;
    }
}

INLINE void dot_m(const struct dh_dot *d, const uint32_t *x, size_t ldx,
                  const int m)
{
    const struct dh_mat *w = d->w;
    size_t cols = (size_t)w->cols, blocks = cols / DH_QUANT_MX_BLOCK;
    for (int row = 0; row < d->rows; row += W) {
        struct rows r;
        vec acc[4];
        int rows = d->rows - row < W ? d->rows - row : W;
        __mmask16 there = (__mmask16)(0xffff >> (W - rows));
        for (int j = 0; j < W; j++) {
            size_t at = (size_t)(d->row0 + row + (j < rows ? j : rows - 1));
            r.codes[j] = (const uint8_t *)w->data + at * cols;
            r.scales[j] = w->scales + at * blocks;
        }
        start_rows(acc, d, row, there, m);
        // What lies behind these rows is fetched while they are computed.
        const uint8_t *next =
            d->rows - row >= 2 * W ? r.codes[0] + cols * W : NULL;
        if (!add_rows(acc, &r, w, x, ldx, m, next)) {
            dot_expanded(d, x, ldx, row, rows);
            continue;
        }
#    pragma GCC unroll 4
        for (int i = 0; i < m; i++)
            _mm512_mask_storeu_ps(d->y + (size_t)i * d->ldy + row, there,
                                  acc[i]);
    }
}

void dh_pairs_dot_mxfp8(const struct dh_dot *d, const uint32_t *x, size_t ldx)
{
    switch (d->m) {
    case 1: dot_m(d, x, ldx, 1); break;
    case 2: dot_m(d, x, ldx, 2); break;
    case 3: dot_m(d, x, ldx, 3); break;
    default: dot_m(d, x, ldx, 4); break;
    }
}

#else
typedef int dh_mxfp8_avx512_unused;
#endif
