// Products of bfloat16 pairs, for AVX-512 with BF16.
#if defined(__x86_64__)

#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/cpu/avx512_priv.h"

#    define INLINE static inline __attribute__((always_inline))

// acc + x.low * y.low + x.high * y.high in each lane; the words are bits.
INLINE vec pair_fma(vec x, vec y, vec acc)
{
    return _mm512_dpbf16_ps(acc, (__m512bh)x, (__m512bh)y);
}

INLINE vec word_of(const uint32_t *p)
{
    return _mm512_castsi512_ps(_mm512_set1_epi32((int)*p));
}

static void narrow(uint16_t *dst, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + W <= n; i += W)
        _mm256_storeu_si256((void *)(dst + i),
                            (__m256i)_mm512_cvtneps_pbh(load(x + i)));
    if (i == n)
        return;
    __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    _mm256_mask_storeu_epi16(
        dst + i, rest,
        (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(rest, x + i)));
}

INLINE vec start_of(const struct dh_tile_pairs *t, const float *c, int col,
                    __mmask16 lanes)
{
    if (t->start == DH_TILE_ADD)
        return _mm512_maskz_loadu_ps(lanes, c);
    if (t->start == DH_TILE_BIAS)
        return _mm512_maskz_loadu_ps(lanes, t->bias + col);
    return set1(0);
}

// m and nv are constants where this is called, so that the sums stay in
// registers.
INLINE void tile_rows(const struct dh_tile_pairs *t, const int m, const int nv,
                      int row)
{
    vec acc[TILE_MAX][2];
    __mmask16 lanes[2] = { 0xffff, 0xffff };
    lanes[nv - 1] = (__mmask16)(0xffff >> (nv * W - t->n));
    float *c = t->c + (size_t)row * t->ldc;
#    pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#    pragma GCC unroll 16
        for (int v = 0; v < nv; v++)
            acc[i][v] =
                start_of(t, c + (size_t)i * t->ldc + v * W, v * W, lanes[v]);
    const uint32_t *a = t->a + (size_t)row * t->lda, *b = t->b;
    size_t lda = t->lda, ldb = t->ldb;
    for (int k = 0; k < t->k; k++) {
        vec w[2];
#    pragma GCC unroll 16
        for (int v = 0; v < nv; v++)
            w[v] = load_bits(b + v * W);
#    pragma GCC unroll 16
        for (int i = 0; i < m; i++) {
            vec x = word_of(a + (size_t)i * lda);
#    pragma GCC unroll 16
            for (int v = 0; v < nv; v++)
                acc[i][v] = pair_fma(w[v], x, acc[i][v]);
        }
        a++;
        b += ldb;
    }
#    pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#    pragma GCC unroll 16
        for (int v = 0; v < nv; v++)
            _mm512_mask_storeu_ps(c + (size_t)i * t->ldc + v * W, lanes[v],
                                  acc[i][v]);
}

INLINE void tile_some(const struct dh_tile_pairs *t, const int m, int row)
{
    if (t->n > W)
        tile_rows(t, m, 2, row);
    else
        tile_rows(t, m, 1, row);
}

static void tile(const struct dh_tile_pairs *t)
{
    int row = 0;
    for (; row + TILE_MAX <= t->m; row += TILE_MAX)
        tile_some(t, TILE_MAX, row);
    for (; row + 4 <= t->m; row += 4)
        tile_some(t, 4, row);
    for (; row < t->m; row++)
        tile_some(t, 1, row);
}

static const uint8_t *row_of(const struct dh_mat *w, int row)
{
    return (const uint8_t *)w->data + (size_t)row * (size_t)w->cols * 2;
}

static void pack(uint32_t *dst, const struct dh_mat *w, int row0, int rows,
                 int k0, int depth)
{
    for (int j0 = 0; j0 < DH_PANEL; j0 += W) {
        int k = 0;
        for (; k + W <= depth; k += W) {
            vec square[W];
#    pragma GCC unroll 16
            for (int j = 0; j < W; j++)
                square[j] = j0 + j < rows ? load_bits(row_of(w, row0 + j0 + j) +
                                                      (size_t)(k0 + k) * 4)
                                          : set1(0);
            transpose(square);
#    pragma GCC unroll 16
            for (int i = 0; i < W; i++)
                _mm512_storeu_ps(dst + (size_t)(k + i) * DH_PANEL + j0,
                                 square[i]);
        }
        for (; k < depth; k++) {
            for (int j = j0; j < j0 + W; j++) {
                uint32_t word = 0;
                if (j < rows)
                    memcpy(&word, row_of(w, row0 + j) + (size_t)(k0 + k) * 4,
                           4);
                dst[(size_t)k * DH_PANEL + j] = word;
            }
        }
    }
}

// m rows of x against up to W rows of w: squares are turned, so that a lane is
// a row of w and the sums are taken as in `tile`, to the last bit. What lies at
// `next`, as many bytes again, is fetched meanwhile: rows side by side are so
// many streams that the processor's own prefetcher loses them.
INLINE void dot_group(float *y, size_t ldy, const uint32_t *x, size_t ldx,
                      const int m, const struct dh_mat *w, int row, int rows,
                      const float *bias, const uint8_t *next)
{
    const uint8_t *from[W]; // rows beyond the last repeat it
    float lanes[W] = { 0 };
    vec acc[4]; // [row of x]
    int words = w->cols / 2, k = 0;
    for (int j = 0; j < W; j++)
        from[j] = row_of(w, row + (j < rows ? j : rows - 1));
    if (bias)
        memcpy(lanes, bias, (size_t)rows * sizeof(*lanes));
#    pragma GCC unroll 4
    for (int i = 0; i < m; i++)
        acc[i] = load(lanes);
    for (; k + W <= words; k += W) {
        float turned[W * W];
        vec square[W];
#    pragma GCC unroll 16
        for (int j = 0; j < W; j++)
            square[j] = load_bits(from[j] + (size_t)k * 4);
        transpose(square);
#    pragma GCC unroll 16
        for (int j = 0; j < W; j++)
            store(turned + j * W, square[j]);
        if (next)
#    pragma GCC unroll 16
            for (int j = 0; j < W; j++)
                __builtin_prefetch(next + (size_t)k * 4 * W + j * 64, 0, 2);
#    pragma GCC unroll 16
        for (int j = 0; j < W; j++)
#    pragma GCC unroll 4
            for (int i = 0; i < m; i++)
                acc[i] = pair_fma(load(turned + j * W),
                                  word_of(x + (size_t)i * ldx + k + j), acc[i]);
    }
    for (; k < words; k++) {
        uint32_t word[W];
        for (int j = 0; j < W; j++)
            memcpy(&word[j], from[j] + (size_t)k * 4, 4);
#    pragma GCC unroll 4
        for (int i = 0; i < m; i++)
            acc[i] = pair_fma(load_bits(word), word_of(x + (size_t)i * ldx + k),
                              acc[i]);
    }
#    pragma GCC unroll 4
    for (int i = 0; i < m; i++) {
        store(lanes, acc[i]);
        memcpy(y + (size_t)i * ldy, lanes, (size_t)rows * sizeof(*lanes));
    }
}

INLINE void dot_m(float *y, size_t ldy, const uint32_t *x, size_t ldx,
                  const int m, const struct dh_mat *w, int row0, int rows,
                  const float *bias)
{
    for (int r = 0; r < rows; r += W) {
        bool more = rows - r >= 2 * W;
        dot_group(y + r, ldy, x, ldx, m, w, row0 + r,
                  rows - r < W ? rows - r : W, bias ? bias + r : NULL,
                  more ? row_of(w, row0 + r + W) : NULL);
    }
}

static void dot(float *y, size_t ldy, const uint32_t *x, size_t ldx, int m,
                const struct dh_mat *w, int row0, int rows, const float *bias)
{
    switch (m) {
    case 1: dot_m(y, ldy, x, ldx, 1, w, row0, rows, bias); break;
    case 2: dot_m(y, ldy, x, ldx, 2, w, row0, rows, bias); break;
    case 3: dot_m(y, ldy, x, ldx, 3, w, row0, rows, bias); break;
    default: dot_m(y, ldy, x, ldx, 4, w, row0, rows, bias); break;
    }
}

const struct dh_pairs dh_pairs_avx512 = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};

#else
typedef int dh_pairs_avx512_unused;
#endif
