/*
 * model/cpu/amx_priv.h - the tiles of AMX: eight registers of 16 rows of 64
 * bytes. Included by files that are compiled for it.
 *
 * Of m rows and n columns of sums, up to 32 each: four tiles of sums, two of
 * rows that are `k` words long, two of as many rows of columns. A sum over more
 * words goes on in the same tiles.
 */

#include <immintrin.h>

#include "model/cpu/avx512_priv.h"

#define SIDE 16 // rows of a tile, and words of a row

// By number, since an instruction names its registers.
#define SUM_00 0
#define SUM_01 1
#define SUM_10 2
#define SUM_11 3
#define ROWS_0 4
#define ROWS_1 5
#define COLS_0 6
#define COLS_1 7

// As the processor has it.
struct shapes {
    uint8_t palette, first, none[14];
    uint16_t bytes[16];
    uint8_t rows[16];
};

INLINE int least(int a, int b)
{
    return a < b ? a : b;
}

INLINE int part_of(int n, int i)
{
    return n <= i * SIDE ? 0 : n >= (i + 1) * SIDE ? SIDE : n - i * SIDE;
}

// The thread keeps its shapes until it needs others. To set them takes as long
// as a dozen products of tiles, to ask for them less than one: so nobody has to
// remember, over a fork least of all.
INLINE void shape(int m, int n, int k)
{
    struct shapes want = { .palette = 1 }, is;
    for (int i = 0; i < 2; i++) {
        int rows = part_of(m, i), cols = part_of(n, i);
        want.rows[ROWS_0 + i] = (uint8_t)rows;
        want.bytes[ROWS_0 + i] = (uint16_t)(rows ? 4 * k : 0);
        want.rows[COLS_0 + i] = (uint8_t)(cols ? k : 0);
        want.bytes[COLS_0 + i] = (uint16_t)(4 * cols);
    }
    for (int i = 0; i < 4; i++) {
        int rows = part_of(m, i / 2), cols = part_of(n, i % 2);
        want.rows[SUM_00 + i] = (uint8_t)(cols ? rows : 0);
        want.bytes[SUM_00 + i] = (uint16_t)(rows ? 4 * cols : 0);
    }
    __asm__ volatile("sttilecfg %0" : "=m"(is));
    __m512i a = _mm512_loadu_si512(&want), b = _mm512_loadu_si512(&is);
    if (_mm512_cmpneq_epi32_mask(a, b))
        __asm__ volatile("ldtilecfg %0" : : "m"(want));
}

// What was written is in memory before a tile is read: compilers do not all
// know that it is.
#define settle() __asm__ volatile("" : : : "memory")

// Up to 16 rows of 16 words to as many words of rows, plus what is added to
// each row.
INLINE void turn(float *to, size_t ldto, const float *from, size_t ldfrom,
                 const int rows, const int words, const float *added)
{
    vec v[SIDE], plus = set1(0);
    __mmask16 in = (__mmask16)(0xffff >> (SIDE - words));
    __mmask16 out = (__mmask16)(0xffff >> (SIDE - rows));
    if (added)
        plus = _mm512_maskz_loadu_ps(out, added);
#pragma GCC unroll 16
    for (int i = 0; i < SIDE; i++)
        v[i] = i < rows ? _mm512_maskz_loadu_ps(in, from + (size_t)i * ldfrom)
                        : set1(0);
    transpose(v);
#pragma GCC unroll 16
    for (int i = 0; i < SIDE; i++)
        if (i < words)
            _mm512_mask_storeu_ps(to + (size_t)i * ldto, out,
                                  added ? add(v[i], plus) : v[i]);
}

// The same of any number of them.
INLINE void turn_all(float *to, size_t ldto, const float *from, size_t ldfrom,
                     int rows, int words, const float *added)
{
    for (int i = 0; i < rows; i += SIDE) {
        const float *plus = added ? added + i : NULL;
        for (int k = 0; k < words; k += SIDE) {
            float *at = to + (size_t)k * ldto + i;
            const float *row = from + (size_t)i * ldfrom + k;
            int m = least(SIDE, rows - i), n = least(SIDE, words - k);
            if (m == SIDE && n == SIDE && !added)
                turn(at, ldto, row, ldfrom, SIDE, SIDE, NULL);
            else
                turn(at, ldto, row, ldfrom, m, n, plus);
        }
    }
}
