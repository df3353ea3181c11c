// Products of whole numbers in tiles of AMX: those of a block in one step, then
// on as vectors while the tiles are busy with the next one.
#if defined(__x86_64__)

#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/cpu/amx_priv.h"
#    include "model/cpu/ints_k_factors_priv.h"
#    include "model/quant_priv.h"

#    define WORDS  (DH_INTS_BLOCK / 4) // of a block
#    define GROUPS 8                   // blocks that K types keep together

// Blocks of one row, which are turned together.
#    define SOME 16

// Word k of row i at k * m + i; likewise the scales behind all words, and the
// sums of codes behind these.
void dh_ints_gather_amx(uint32_t *dst, const float *x, size_t ldx, int m, int n)
{
    uint32_t words[DH_PANEL][SOME * WORDS];
    float scales[DH_PANEL][SOME], added[DH_PANEL][SOME];
    int32_t sums[SOME];
    int blocks = n / DH_INTS_BLOCK;
    float *to = (float *)(void *)(dst + (size_t)(blocks * WORDS) * (size_t)m);
    for (int b = 0; b < blocks; b += SOME) {
        int some = least(SOME, blocks - b);
        for (int i = 0; i < m; i++) {
            dh_ints_amx.narrow((int8_t *)words[i], scales[i], sums,
                               x + (size_t)i * ldx + (size_t)b * DH_INTS_BLOCK,
                               (size_t)some * DH_INTS_BLOCK);
            for (int k = 0; k < some; k++)
                added[i][k] = (float)sums[k];
        }
        turn_all((float *)(void *)(dst + (size_t)(b * WORDS) * (size_t)m),
                 (size_t)m, (const float *)(const void *)words[0], SOME * WORDS,
                 m, some * WORDS, NULL);
        turn_all(to + (size_t)b * (size_t)m, (size_t)m, scales[0], SOME, m,
                 some, NULL);
        turn_all(to + (size_t)(blocks + b) * (size_t)m, (size_t)m, added[0],
                 SOME, m, some, NULL);
    }
}

INLINE __m256i bytes_of(__m128i low, __m128i high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

// One block's codes as signed bytes, and its scale.
INLINE float spread_block(int8_t *to, const uint8_t *from,
                          const enum dh_dtype type)
{
    uint16_t half;
    memcpy(&half, from, sizeof(half));
    if (type == DH_Q8_0) {
        _mm256_storeu_si256((void *)to,
                            _mm256_loadu_si256((const void *)(from + 2)));
        return _cvtsh_ss(half);
    }
    __m128i b =
        _mm_loadu_si128((const void *)(from + (type == DH_Q4_0 ? 2 : 1)));
    __m256i c = bytes_of(b, _mm_srli_epi16(b, 4));
    c = _mm256_and_si256(c, _mm256_set1_epi8(15));
    if (type == DH_Q4_0) {
        _mm256_storeu_si256((void *)to,
                            _mm256_sub_epi8(c, _mm256_set1_epi8(8)));
        return _cvtsh_ss(half);
    }
    // Twice the numbers of E2M1.
    const __m256i table = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12));
    _mm256_storeu_si256((void *)to, _mm256_shuffle_epi8(table, c));
    return dh_quant_e8m0(from[0]) / 2;
}

INLINE void spread_type(int8_t *codes, float *scales, const struct dh_mat *w,
                        int row0, int rows, int b0, int blocks,
                        const enum dh_dtype type)
{
    size_t row_bytes = dh_dtype_size(type, (size_t)w->cols);
    size_t block_bytes = dh_dtype_bytes(type);
    for (int r = 0; r < rows; r++) {
        const uint8_t *from = (const uint8_t *)w->data +
                              (size_t)(row0 + r) * row_bytes +
                              (size_t)b0 * block_bytes;
        // The blocks after these: the processor does not see so many rows that
        // lie apart as streams.
        for (size_t i = 0; i < (size_t)blocks * block_bytes; i += 64)
            __builtin_prefetch(from + (size_t)blocks * block_bytes + i, 0, 2);
        for (int b = 0; b < blocks; b++) {
            scales[b * DH_PANEL + r] = spread_block(codes, from, type);
            codes += DH_INTS_BLOCK;
            from += block_bytes;
        }
    }
}

// 32 bytes, of which one nibble each is a code, and bits above it.
INLINE __m256i nibbles_of(const uint8_t *at, int shift)
{
    __m256i b = _mm256_loadu_si256((const void *)at);
    b = _mm256_srl_epi16(b, _mm_cvtsi32_si128(shift));
    return _mm256_and_si256(b, _mm256_set1_epi8(15));
}

INLINE __m256i with_bits(__m256i codes, const uint8_t *at, int shift, int mask)
{
    __m256i b = _mm256_loadu_si256((const void *)at);
    b = _mm256_srl_epi16(b, _mm_cvtsi32_si128(shift));
    b = _mm256_and_si256(b, _mm256_set1_epi8((char)mask));
    return _mm256_or_si256(codes, _mm256_slli_epi16(b, 4));
}

// Group g of a block of K.
INLINE __m256i group_codes(const uint8_t *at, int g, const enum dh_dtype type)
{
    if (type == DH_Q6_K)
        return _mm256_sub_epi8(
            with_bits(nibbles_of(at + g / 4 * 64 + g % 2 * 32, g % 4 / 2 * 4),
                      at + 128 + g / 4 * 32, g % 4 * 2, 3),
            _mm256_set1_epi8(32));
    __m256i c =
        nibbles_of(at + (type == DH_Q5_K ? 48 : 16) + g / 2 * 32, g % 2 * 4);
    return type == DH_Q5_K ? with_bits(c, at + 16, g, 1) : c;
}

// As spread_type; of each group first one factor of all rows, then the other.
INLINE void spread_k(int8_t *codes, float *scales, const struct dh_mat *w,
                     int row0, int rows, int b0, int blocks,
                     const enum dh_dtype type)
{
    size_t row_bytes = dh_dtype_size(type, (size_t)w->cols);
    size_t bytes = dh_dtype_bytes(type);
    for (int r = 0; r < rows; r++) {
        const uint8_t *from = (const uint8_t *)w->data +
                              (size_t)(row0 + r) * row_bytes +
                              (size_t)(b0 / GROUPS) * bytes;
        size_t all = (size_t)(blocks / GROUPS) * bytes;
        for (size_t i = 0; i < all; i += 64)
            __builtin_prefetch(from + all + i, 0, 2);
        for (int b = 0; b < blocks; b++) {
            float by[2 * GROUPS];
            int g = b % GROUPS;
            if (g == 0)
                factors_of(by, from, type);
            _mm256_storeu_si256((void *)codes, group_codes(from, g, type));
            scales[2 * b * DH_PANEL + r] = by[g];
            scales[(2 * b + 1) * DH_PANEL + r] = by[GROUPS + g];
            codes += DH_INTS_BLOCK;
            from += g == GROUPS - 1 ? bytes : 0;
        }
    }
}

void dh_ints_spread_amx(int8_t *codes, float *scales, const struct dh_mat *w,
                        int row0, int rows, int b0, int blocks)
{
    if (w->dtype == DH_Q8_0)
        spread_type(codes, scales, w, row0, rows, b0, blocks, DH_Q8_0);
    else if (w->dtype == DH_Q4_0)
        spread_type(codes, scales, w, row0, rows, b0, blocks, DH_Q4_0);
    else if (w->dtype == DH_Q4_K)
        spread_k(codes, scales, w, row0, rows, b0, blocks, DH_Q4_K);
    else if (w->dtype == DH_Q5_K)
        spread_k(codes, scales, w, row0, rows, b0, blocks, DH_Q5_K);
    else if (w->dtype == DH_Q6_K)
        spread_k(codes, scales, w, row0, rows, b0, blocks, DH_Q6_K);
    else
        spread_type(codes, scales, w, row0, rows, b0, blocks, DH_MXFP4);
}

#    define PRODUCT(sum, cols)               \
        do {                                 \
            _tile_zero(sum);                 \
            _tile_loadd(ROWS_0, a, lda);     \
            _tile_loadd(cols, x, ldx);       \
            _tile_dpbssd(sum, ROWS_0, cols); \
            _tile_stored(sum, to, SIDE * 4); \
        } while (0)

// How the whole numbers of a block become part of a sum: with one factor, as
// they are or less a minimum, or with one for each half.
enum form { PLAIN, MINIMA, HALVES };

// The products of step i, of `words` words, of 16 rows from a on and the j-th
// 16 columns.
INLINE void multiply(const struct dh_sum_ints *t, const int8_t *a, const int j,
                     int i, const int words, int32_t *to)
{
    size_t lda = (size_t)t->blocks * DH_INTS_BLOCK, ldx = (size_t)t->m * 4;
    const uint32_t *x = t->x + (size_t)(i * words) * (size_t)t->m + j * SIDE;
    a += (size_t)i * (size_t)words * 4;
    if (j == 0)
        PRODUCT(SUM_00, COLS_0);
    else
        PRODUCT(SUM_01, COLS_1);
}

// 16 rows from the row-th on, whose sums stay in registers.
INLINE void sum_tile(const struct dh_sum_ints *t, int row, const int j,
                     const enum form form)
{
    const int words = form == HALVES ? WORDS / 2 : WORDS;
    const int steps = form == HALVES ? 2 * t->blocks : t->blocks;
    int32_t whole[2][SIDE * SIDE]; // of this step and the next
    vec acc[SIDE];
    const int8_t *a = t->codes + (size_t)(row * t->blocks) * DH_INTS_BLOCK;
    float *sums = t->sums + row * DH_PANEL + j * SIDE;
    __mmask16 there = (__mmask16)(0xffff >> (SIDE - part_of(t->m, j)));
    settle();
#    pragma GCC unroll 16
    for (int r = 0; r < SIDE; r++)
        acc[r] = t->start == DH_TILE_ADD ? load(sums + r * DH_PANEL)
                 : t->start == DH_TILE_BIAS && row + r < t->rows
                     ? set1(t->bias[row + r])
                     : set1(0);
    multiply(t, a, j, 0, words, whole[0]);
    for (int i = 0; i < steps; i++) {
        const int32_t *done = whole[i % 2];
        const float *by =
            t->scales + (form == MINIMA ? 2 * i : i) * DH_PANEL + row;
        size_t at = (size_t)(form == HALVES ? i / 2 : i) * (size_t)t->m +
                    (size_t)(j * SIDE);
        vec x = _mm512_maskz_loadu_ps(there, t->x_scales + at);
        if (i + 1 < steps)
            multiply(t, a, j, i + 1, words, whole[(i + 1) % 2]);
#    pragma GCC unroll 16
        for (int r = 0; r < SIDE; r++)
            acc[r] =
                fma(_mm512_cvtepi32_ps(_mm512_loadu_si512(done + r * SIDE)),
                    mul(set1(by[r]), x), acc[r]);
        if (form != MINIMA)
            continue;
        vec less = _mm512_xor_ps(_mm512_maskz_loadu_ps(there, t->x_sums + at),
                                 set1(-0.0f));
        by += DH_PANEL;
#    pragma GCC unroll 16
        for (int r = 0; r < SIDE; r++)
            acc[r] = fma(less, mul(set1(by[r]), x), acc[r]);
    }
#    pragma GCC unroll 16
    for (int r = 0; r < SIDE; r++)
        store(sums + r * DH_PANEL, acc[r]);
}

// Rows that are not there are summed as well, from what happens to be there.
INLINE void sum_all(const struct dh_sum_ints *t, const enum form form)
{
    shape(SIDE, t->m, form == HALVES ? WORDS / 2 : WORDS);
    for (int row = 0; row < t->rows; row += SIDE) {
        sum_tile(t, row, 0, form);
        if (t->m > SIDE)
            sum_tile(t, row, 1, form);
    }
}

void dh_ints_sum_amx(const struct dh_sum_ints *t)
{
    if (!dh_ints_is_k(t->type))
        sum_all(t, PLAIN);
    else if (t->type == DH_Q6_K)
        sum_all(t, HALVES);
    else
        sum_all(t, MINIMA);
}

#else
typedef int dh_ints_amx_unused;
#endif
