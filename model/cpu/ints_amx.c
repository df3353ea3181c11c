// Products of whole numbers in tiles of AMX: those of a block in one step, then
// on as vectors while the tiles are busy with the next one.
#if defined(__x86_64__)

#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/cpu/amx_priv.h"
#    include "model/quant_priv.h"

#    define WORDS (DH_INTS_BLOCK / 4) // of a block

// Blocks of one row, which are turned together.
#    define SOME 16

// Word k of row i at k * m + i, and likewise the scales behind all words.
void dh_ints_gather_amx(uint32_t *dst, const float *x, size_t ldx, int m, int n)
{
    uint32_t words[DH_PANEL][SOME * WORDS];
    float scales[DH_PANEL][SOME];
    int32_t sums[SOME];
    int blocks = n / DH_INTS_BLOCK;
    float *to = (float *)(void *)(dst + (size_t)(blocks * WORDS) * (size_t)m);
    for (int b = 0; b < blocks; b += SOME) {
        int some = least(SOME, blocks - b);
        for (int i = 0; i < m; i++)
            dh_ints_amx.narrow((int8_t *)words[i], scales[i], sums,
                               x + (size_t)i * ldx + (size_t)b * DH_INTS_BLOCK,
                               (size_t)some * DH_INTS_BLOCK);
        turn_all((float *)(void *)(dst + (size_t)(b * WORDS) * (size_t)m),
                 (size_t)m, (const float *)(const void *)words[0], SOME * WORDS,
                 m, some * WORDS, NULL);
        turn_all(to + (size_t)b * (size_t)m, (size_t)m, scales[0], SOME, m,
                 some, NULL);
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

void dh_ints_spread_amx(int8_t *codes, float *scales, const struct dh_mat *w,
                        int row0, int rows, int b0, int blocks)
{
    if (w->dtype == DH_Q8_0)
        spread_type(codes, scales, w, row0, rows, b0, blocks, DH_Q8_0);
    else if (w->dtype == DH_Q4_0)
        spread_type(codes, scales, w, row0, rows, b0, blocks, DH_Q4_0);
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

// The products of block b of 16 rows from a on and the j-th 16 columns.
INLINE void multiply(const struct dh_sum_ints *t, const int8_t *a, const int j,
                     int b, int32_t *to)
{
    size_t lda = (size_t)t->blocks * DH_INTS_BLOCK, ldx = (size_t)t->m * 4;
    const uint32_t *x = t->x + (size_t)(b * WORDS) * (size_t)t->m + j * SIDE;
    a += (size_t)b * DH_INTS_BLOCK;
    if (j == 0)
        PRODUCT(SUM_00, COLS_0);
    else
        PRODUCT(SUM_01, COLS_1);
}

// 16 rows from the row-th on, whose sums stay in registers.
INLINE void sum_tile(const struct dh_sum_ints *t, int row, const int j)
{
    int32_t whole[2][SIDE * SIDE]; // of this block and the next
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
    multiply(t, a, j, 0, whole[0]);
    for (int b = 0; b < t->blocks; b++) {
        const int32_t *done = whole[b % 2];
        const float *by = t->scales + b * DH_PANEL + row;
        vec x = _mm512_maskz_loadu_ps(
            there, t->x_scales + (size_t)b * (size_t)t->m + j * SIDE);
        if (b + 1 < t->blocks)
            multiply(t, a, j, b + 1, whole[(b + 1) % 2]);
#    pragma GCC unroll 16
        for (int r = 0; r < SIDE; r++)
            acc[r] =
                fma(_mm512_cvtepi32_ps(_mm512_loadu_si512(done + r * SIDE)),
                    mul(set1(by[r]), x), acc[r]);
    }
#    pragma GCC unroll 16
    for (int r = 0; r < SIDE; r++)
        store(sums + r * DH_PANEL, acc[r]);
}

// Rows that are not there are summed as well, from what happens to be there.
void dh_ints_sum_amx(const struct dh_sum_ints *t)
{
    shape(SIDE, t->m, WORDS);
    for (int row = 0; row < t->rows; row += SIDE) {
        sum_tile(t, row, 0);
        if (t->m > SIDE)
            sum_tile(t, row, 1);
    }
}

#else
typedef int dh_ints_amx_unused;
#endif
