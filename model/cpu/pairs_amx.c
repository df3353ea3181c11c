// Products of bfloat16 pairs in tiles of AMX. Of every 16 words the first
// halves are summed, and the second ones, each in order; then both are added to
// what was summed before. What is less than a normal number is zero.
#if defined(__x86_64__)

#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/cpu/amx_priv.h"
#    include "model/quant_priv.h"

// Rows and columns of sums that are in registers at once.
#    define BLOCK (2 * SIDE)

// c[m][n] from k words; lda, ldb and ldc in bytes.
struct block {
    const uint32_t *a, *b;
    const float *bias;
    float *c;
    size_t lda, ldb, ldc;
    int m, n, k;
    enum dh_tile_start start;
};

// Compiled for how many tiles there are each way.
INLINE void start_sums(const struct block *t, const int rows, const int cols)
{
    const float *s = t->c, *s1 = s + t->ldc / 4 * SIDE;
    size_t lds = t->ldc;
    if (t->start == DH_TILE_BIAS) {
        s = s1 = t->bias;
        lds = 0; // the same for every row
    }
    if (t->start == DH_TILE_ZERO) {
        _tile_zero(SUM_00);
        if (cols > 1)
            _tile_zero(SUM_01);
        if (rows > 1)
            _tile_zero(SUM_10);
        if (rows > 1 && cols > 1)
            _tile_zero(SUM_11);
        return;
    }
    _tile_loadd(SUM_00, s, lds);
    if (cols > 1)
        _tile_loadd(SUM_01, s + SIDE, lds);
    if (rows > 1)
        _tile_loadd(SUM_10, s1, lds);
    if (rows > 1 && cols > 1)
        _tile_loadd(SUM_11, s1 + SIDE, lds);
}

INLINE void add_words(const uint32_t *a, size_t lda, const uint32_t *b,
                      size_t ldb, const int rows, const int cols)
{
    _tile_loadd(ROWS_0, a, lda);
    _tile_loadd(COLS_0, b, ldb);
    _tile_dpbf16ps(SUM_00, ROWS_0, COLS_0);
    if (cols > 1) {
        _tile_loadd(COLS_1, b + SIDE, ldb);
        _tile_dpbf16ps(SUM_01, ROWS_0, COLS_1);
    }
    if (rows > 1) {
        _tile_loadd(ROWS_1, a + lda / 4 * SIDE, lda);
        _tile_dpbf16ps(SUM_10, ROWS_1, COLS_0);
    }
    if (rows > 1 && cols > 1)
        _tile_dpbf16ps(SUM_11, ROWS_1, COLS_1);
}

// The last words, fewer than 16, with zeros behind them: other shapes would
// cost more.
INLINE void add_rest(const struct block *t, const uint32_t *a,
                     const uint32_t *b, const int rows, const int cols)
{
    uint32_t last_a[BLOCK * SIDE], last_b[SIDE * BLOCK];
    int rest = t->k % SIDE;
    __mmask16 in = (__mmask16)((1u << rest) - 1);
    for (int i = 0; i < t->m; i++)
        _mm512_storeu_si512(
            last_a + i * SIDE,
            _mm512_maskz_loadu_epi32(in, a + (size_t)i * (t->lda / 4)));
    for (int k = 0; k < SIDE; k++)
        for (int j = 0; j < cols; j++) {
            int n = part_of(t->n, j);
            __mmask16 there = (__mmask16)(k < rest ? 0xffff >> (SIDE - n) : 0);
            _mm512_storeu_si512(
                last_b + k * BLOCK + j * SIDE,
                _mm512_maskz_loadu_epi32(there, b + (size_t)k * (t->ldb / 4) +
                                                    j * SIDE));
        }
    settle();
    add_words(last_a, SIDE * 4, last_b, BLOCK * 4, rows, cols);
}

INLINE void multiply(const struct block *t, const int rows, const int cols)
{
    const uint32_t *a = t->a, *b = t->b;
    float *c = t->c, *c1 = c + t->ldc / 4 * SIDE;
    settle();
    start_sums(t, rows, cols);
    for (int k = 0; k + SIDE <= t->k; k += SIDE) {
        add_words(a, t->lda, b, t->ldb, rows, cols);
        a += SIDE;
        b += t->ldb / 4 * SIDE;
    }
    if (t->k % SIDE)
        add_rest(t, a, b, rows, cols);
    _tile_stored(SUM_00, c, t->ldc);
    if (cols > 1)
        _tile_stored(SUM_01, c + SIDE, t->ldc);
    if (rows > 1)
        _tile_stored(SUM_10, c1, t->ldc);
    if (rows > 1 && cols > 1)
        _tile_stored(SUM_11, c1 + SIDE, t->ldc);
}

void dh_pairs_tile_amx(const struct dh_tile_pairs *t)
{
    struct block b = { .lda = t->lda * 4,
                       .ldb = t->ldb * 4,
                       .ldc = t->ldc * 4,
                       .k = t->k,
                       .start = t->start };
    for (int row = 0; row < t->m; row += BLOCK) {
        for (int col = 0; col < t->n; col += BLOCK) {
            b.a = t->a + (size_t)row * t->lda;
            b.b = col ? t->more : t->b;
            b.bias = t->start == DH_TILE_BIAS ? t->bias + col : NULL;
            b.c = t->c + (size_t)row * t->ldc + col;
            b.m = least(BLOCK, t->m - row);
            b.n = least(BLOCK, t->n - col);
            shape(b.m, b.n, SIDE);
            if (b.m > SIDE && b.n > SIDE)
                multiply(&b, 2, 2);
            else if (b.m > SIDE)
                multiply(&b, 2, 1);
            else if (b.n > SIDE)
                multiply(&b, 1, 2);
            else
                multiply(&b, 1, 1);
        }
    }
}

// Word k of row i at k * m + i: columns of a tile.
void dh_pairs_gather_amx(uint32_t *dst, const float *x, size_t ldx, int m,
                         int n)
{
    enum { SOME = 256 };
    uint32_t words[DH_PANEL * SOME / 2];
    for (int k = 0; k < n; k += SOME) {
        int some = least(SOME, n - k);
        for (int i = 0; i < m; i++)
            dh_pairs_amx.narrow((uint16_t *)(words + i * SOME / 2),
                                x + (size_t)i * ldx + k, (size_t)some);
        turn_all((float *)(void *)(dst + (size_t)(k / 2) * (size_t)m),
                 (size_t)m, (const float *)(const void *)words, SOME / 2, m,
                 some / 2, NULL);
    }
}

void dh_pairs_scatter_amx(float *y, size_t ldy, const float *sums,
                          const float *bias, int m, int rows)
{
    turn_all(y, ldy, sums, DH_PANEL, rows, m, bias);
}

// Magnitudes of E4M3 as BF16, upper and lower bytes.
#    define EIGHT(h)   h, h, h, h, h, h, h, h
#    define SIXTEEN(h) EIGHT(h), EIGHT(h)
#    define UPPER      0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0
#    define STEPS      0, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, UPPER
static const uint8_t high_bytes[128] = {
    0,
    0x3b,
    0x3b,
    0x3b,
    0x3c,
    0x3c,
    0x3c,
    0x3c,
    EIGHT(0x3c),
    SIXTEEN(0x3d),
    SIXTEEN(0x3e),
    SIXTEEN(0x3f),
    SIXTEEN(0x40),
    SIXTEEN(0x41),
    SIXTEEN(0x42),
    EIGHT(0x43),
    0x43,
    0x43,
    0x43,
    0x43,
    0x43,
    0x43,
    0x43,
    0x7f,
};
static const uint8_t low_bytes[128] = {
    0,     0,    0x80,  0xc0, 0,     0x20, 0x40,  0x60,
    UPPER, 0xf0, STEPS, 0xf0, STEPS, 0xf0, STEPS, 0xf0,
    STEPS, 0xf0, STEPS, 0xf0, STEPS, 0xf0, STEPS, 0xc0,
};

// Powers of two that keep every code a normal number.
#    define POWER_MAX 110

// Times a power of two, which is added to the exponent of what has one.
INLINE __m512i scaled(__m512i v, int power)
{
    __mmask32 number = _mm512_test_epi16_mask(v, _mm512_set1_epi16(0x7fff));
    return _mm512_mask_add_epi16(v, number, v,
                                 _mm512_set1_epi16((short)(power * 128)));
}

static bool is_far(int power)
{
    return power < -POWER_MAX || power > POWER_MAX;
}

// Two blocks of codes at a time; of the last there may be no second.
static void expand_mxfp8(uint16_t *out, const struct dh_mat *w, int row, int k0,
                         int n)
{
    size_t at = (size_t)row * (size_t)w->cols + (size_t)k0;
    const uint8_t *codes = (const uint8_t *)w->data + at;
    const uint8_t *scales = w->scales + at / DH_QUANT_MX_BLOCK;
    const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    const __m512i most = _mm512_set1_epi8(0x7f);
    for (int i = 0; i < n; i += 2 * DH_QUANT_MX_BLOCK, scales += 2) {
        bool two = n - i > DH_QUANT_MX_BLOCK;
        __m512i c = _mm512_maskz_loadu_epi8(
            two ? ~(__mmask64)0 : (__mmask64)UINT32_MAX, codes + i);
        int power = scales[0] - 127, next = two ? scales[1] - 127 : 0;
        // What is not a number, or may leave the normal ones.
        if (_mm512_cmpeq_epi8_mask(_mm512_and_si512(c, most), most) ||
            is_far(power) || is_far(next)) {
            dh_pairs_avx512.expand(out + i, w, row, k0 + i,
                                   least(2 * DH_QUANT_MX_BLOCK, n - i));
            continue;
        }
        c = _mm512_permutexvar_epi64(order, c);
        __m512i high =
            _mm512_permutex2var_epi8(_mm512_loadu_si512(high_bytes), c,
                                     _mm512_loadu_si512(high_bytes + 64));
        __m512i low =
            _mm512_permutex2var_epi8(_mm512_loadu_si512(low_bytes), c,
                                     _mm512_loadu_si512(low_bytes + 64));
        // high | (c & sign)
        high = _mm512_ternarylogic_epi32(high, c, _mm512_set1_epi8((char)0x80),
                                         0xf8);
        _mm512_storeu_si512(out + i,
                            scaled(_mm512_unpacklo_epi8(low, high), power));
        if (two)
            _mm512_storeu_si512(out + i + DH_QUANT_MX_BLOCK,
                                scaled(_mm512_unpackhi_epi8(low, high), next));
    }
}

void dh_pairs_expand_amx(uint16_t *out, const struct dh_mat *w, int row, int k0,
                         int n)
{
    if (w->dtype == DH_F8_E4M3)
        expand_mxfp8(out, w, row, k0, n);
    else
        dh_pairs_avx512.expand(out, w, row, k0, n);
}

#else
typedef int dh_pairs_amx_unused;
#endif
