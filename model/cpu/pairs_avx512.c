// Products of bfloat16 pairs, for AVX-512 with BF16.
#if defined(__x86_64__)

#    include <math.h>
#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/cpu/avx512_priv.h"
#    include "model/quant_priv.h"

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

static void widen_codes(uint16_t *dst, const int8_t *codes, size_t n)
{
    for (size_t i = 0; i < n; i += 2 * W) {
        __m512bh both = _mm512_cvtne2ps_pbh(load_codes(codes + i + W),
                                            load_codes(codes + i));
        _mm512_storeu_si512(dst + i, (__m512i)both);
    }
}

// 2^x for x <= 0, to 3e-6 of itself; zero below the smallest normal number. The
// whole part of x is taken by its own instructions.
INLINE vec power_of_two(vec x)
{
    vec r = _mm512_reduce_ps(x, 1); // x - floor(x)
    vec p = fma(r, set1(1.353416806e-2f), set1(5.201146030e-2f));
    p = fma(p, r, set1(2.414427571e-1f));
    p = fma(p, r, set1(6.930038344e-1f));
    p = fma(p, r, set1(1.000002593f));
    return pow2(p, x);
}

INLINE float row_max(const float *s, int n, float max)
{
    vec top = load(s), top2 = load(s + W);
    for (int i = 2 * W; i < n; i += 2 * W) {
        top = vmax(top, load(s + i));
        top2 = vmax(top2, load(s + i + W));
    }
    float here = max_of(vmax(top, top2));
    return here > max ? here : max;
}

INLINE float row_powers(uint16_t *out, const float *s, int n, float max,
                        const float *const *by_panel)
{
    const float log2e = 1.44269504f;
    vec by = set1(log2e), minus = set1(-max * log2e);
    vec sum = set1(0), sum2 = set1(0);
    for (int i = 0; i < n; i += 2 * W) {
        vec a = power_of_two(fma(load(s + i), by, minus));
        vec b = power_of_two(fma(load(s + i + W), by, minus));
        sum = add(sum, a);
        sum2 = add(sum2, b);
        if (by_panel) {
            a = mul(a, load(by_panel[i / DH_PANEL]));
            b = mul(b, load(by_panel[i / DH_PANEL] + W));
        }
        _mm512_storeu_si512(out + i, (__m512i)_mm512_cvtne2ps_pbh(b, a));
    }
    return sum_of(add(sum, sum2));
}

// All maxima first: one row after the other would wait for each.
static void soften(const struct dh_soften *t)
{
    for (int r = 0; r < t->rows; r++) {
        float max = row_max(t->s + (size_t)r * t->lds, t->n, t->state[r].max);
        t->keep[r] =
            max == t->state[r].max ? 1.0f : expf(t->state[r].max - max);
        t->state[r].max = max;
    }
    for (int r = 0; r < t->rows; r++) {
        uint16_t *out = t->out + (size_t)r * t->lds;
        struct dh_soft *state = &t->state[r];
        if (state->max == -INFINITY) {
            memset(out, 0, (size_t)t->n * sizeof(*out));
            t->keep[r] = 1;
            continue;
        }
        float sum =
            row_powers(out, t->s + (size_t)r * t->lds, t->n, state->max, t->by);
        state->sum = state->sum * t->keep[r] + sum;
    }
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
    vec acc[TILE_MAX][4];
    __mmask16 lanes[4] = { 0xffff, 0xffff, 0xffff, 0xffff };
    lanes[nv - 1] = (__mmask16)(0xffff >> (nv * W - t->n));
    float *c = t->c + (size_t)row * t->ldc;
#    pragma GCC unroll 16
    for (int i = 0; i < m; i++)
#    pragma GCC unroll 16
        for (int v = 0; v < nv; v++)
            acc[i][v] =
                start_of(t, c + (size_t)i * t->ldc + v * W, v * W, lanes[v]);
    const uint32_t *a = t->a + (size_t)row * t->lda, *b = t->b, *more = t->more;
    size_t lda = t->lda, ldb = t->ldb;
    for (int k = 0; k < t->k; k++) {
        vec w[4];
#    pragma GCC unroll 16
        for (int v = 0; v < nv; v++)
            w[v] = load_bits(v < 2 ? b + v * W : more + (v - 2) * W);
#    pragma GCC unroll 16
        for (int i = 0; i < m; i++) {
            vec x = word_of(a + (size_t)i * lda);
#    pragma GCC unroll 16
            for (int v = 0; v < nv; v++)
                acc[i][v] = pair_fma(w[v], x, acc[i][v]);
        }
        a++;
        b += ldb;
        more += nv > 2 ? ldb : 0;
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
    if (t->n > DH_PANEL)
        tile_rows(t, m, 4, row);
    else if (t->n > W)
        tile_rows(t, m, 2, row);
    else
        tile_rows(t, m, 1, row);
}

INLINE void tile_halves(const struct dh_tile_pairs *t, const int m, int row)
{
    struct dh_tile_pairs half = *t;
    half.n = DH_PANEL;
    tile_rows(&half, m, 2, row);
    half.b = t->more;
    half.c += DH_PANEL;
    half.bias += t->start == DH_TILE_BIAS ? DH_PANEL : 0;
    tile_rows(&half, m, 2, row);
}

// A multiply-add takes six cycles and two begin in each: fewer than twelve sums
// leave the units idle. Of few rows, all columns are summed at once; of many
// the registers hold one half's sums.
static void tile(const struct dh_tile_pairs *t)
{
    for (int row = 0, rest = t->m; rest > 0; rest = t->m - row) {
        if (rest >= TILE_MAX && rest != 16) {
            if (t->n > DH_PANEL)
                tile_halves(t, TILE_MAX, row);
            else
                tile_some(t, TILE_MAX, row);
            row += TILE_MAX;
        } else if (rest >= 8) {
            if (t->n > DH_PANEL)
                tile_halves(t, 8, row);
            else
                tile_some(t, 8, row);
            row += 8;
        } else if (rest >= 4) {
            tile_some(t, 4, row);
            row += 4;
        } else if (rest >= 2) {
            tile_some(t, 2, row);
            row += 2;
        } else {
            tile_some(t, 1, row);
            row++;
        }
    }
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

// Groups of W rows that are summed at once: one alone would wait for itself.
#    define GROUPS 2

// m rows of x against up to GROUPS * W rows of w: squares are turned, so that a
// lane is a row of w and the sums are taken as in `tile`, to the last bit. What
// lies at `next`, as many bytes again, is fetched meanwhile.
INLINE void dot_groups(const struct dh_dot *of, const uint32_t *x, size_t ldx,
                       const int m, int r, int rows, const uint8_t *next)
{
    const struct dh_mat *w = of->w;
    const uint8_t *from[GROUPS * W]; // rows beyond the last repeat it
    float lanes[GROUPS * W] = { 0 };
    vec acc[GROUPS][4]; // [group][row of x]
    int words = w->cols / 2, k = 0;
    for (int j = 0; j < GROUPS * W; j++)
        from[j] = row_of(w, of->row0 + r + (j < rows ? j : rows - 1));
#    pragma GCC unroll 4
    for (int i = 0; i < m; i++) {
        if (of->start)
            memcpy(lanes, of->start + (size_t)i * of->lds + r,
                   (size_t)rows * sizeof(*lanes));
#    pragma GCC unroll 2
        for (int g = 0; g < GROUPS; g++)
            acc[g][i] = load(lanes + g * W);
    }
    for (; k + W <= words; k += W) {
        if (next)
            fetch(next + (size_t)k * 4 * GROUPS * W, GROUPS * W);
#    pragma GCC unroll 2
        for (int g = 0; g < GROUPS; g++) {
            vec square[W];
            load_turned(square, from + g * W, (size_t)k * 4);
#    pragma GCC unroll 16
            for (int j = 0; j < W; j++)
#    pragma GCC unroll 4
                for (int i = 0; i < m; i++)
                    acc[g][i] = pair_fma(square[j],
                                         word_of(x + (size_t)i * ldx + k + j),
                                         acc[g][i]);
        }
    }
    for (; k < words; k++) {
        uint32_t word[GROUPS * W];
        for (int j = 0; j < GROUPS * W; j++)
            memcpy(&word[j], from[j] + (size_t)k * 4, 4);
#    pragma GCC unroll 2
        for (int g = 0; g < GROUPS; g++)
#    pragma GCC unroll 4
            for (int i = 0; i < m; i++)
                acc[g][i] =
                    pair_fma(load_bits(word + g * W),
                             word_of(x + (size_t)i * ldx + k), acc[g][i]);
    }
#    pragma GCC unroll 4
    for (int i = 0; i < m; i++) {
#    pragma GCC unroll 2
        for (int g = 0; g < GROUPS; g++)
            store(lanes + g * W, acc[g][i]);
        memcpy(of->y + (size_t)i * of->ldy + r, lanes,
               (size_t)rows * sizeof(*lanes));
    }
}

INLINE void dot_m(const struct dh_dot *d, const uint32_t *x, size_t ldx,
                  const int m)
{
    const int step = GROUPS * W;
    for (int r = 0; r < d->rows; r += step) {
        bool more = d->rows - r >= 2 * step;
        dot_groups(d, x, ldx, m, r, d->rows - r < step ? d->rows - r : step,
                   more ? row_of(d->w, d->row0 + r + step) : NULL);
    }
}

static void dot(const struct dh_dot *d, const uint32_t *x, size_t ldx)
{
    if (d->w->dtype == DH_F8_E4M3) {
        dh_pairs_dot_mxfp8(d, x, ldx);
        return;
    }
    switch (d->m) {
    case 1: dot_m(d, x, ldx, 1); break;
    case 2: dot_m(d, x, ldx, 2); break;
    case 3: dot_m(d, x, ldx, 3); break;
    default: dot_m(d, x, ldx, 4); break;
    }
}

// 32 codes as BF16, which has their exponents: what is below a normal number
// comes from a table, and the block's power of two is added to the exponent.
// Where the result might leave the normal numbers it is taken the long way.
static void expand_mxfp8(uint16_t *out, const uint8_t *codes,
                         const uint8_t *scales, int n)
{
    static const uint16_t small[32] = {
        0,      0x3b00, 0x3b80, 0x3bc0, 0x3c00, 0x3c20, 0x3c40, 0x3c60,
        0x8000, 0xbb00, 0xbb80, 0xbbc0, 0xbc00, 0xbc20, 0xbc40, 0xbc60,
    };
    const __m512i table = _mm512_loadu_si512(small);
    const __m512i one = _mm512_set1_epi16(1);
    for (int i = 0; i < n; i += DH_QUANT_MX_BLOCK) {
        __m512i c =
            _mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)(codes + i)));
        __m512i sign = _mm512_slli_epi16(_mm512_srli_epi16(c, 7), 15);
        __m512i low = _mm512_and_si512(c, _mm512_set1_epi16(0x7f));
        __m512i v = _mm512_add_epi16(_mm512_slli_epi16(low, 4),
                                     _mm512_set1_epi16(0x3c00));
        v = _mm512_or_si512(v, sign);
        __m512i at =
            _mm512_or_si512(_mm512_and_si512(c, _mm512_set1_epi16(7)),
                            _mm512_slli_epi16(_mm512_srli_epi16(c, 7), 3));
        __mmask32 tiny = _mm512_cmplt_epu16_mask(low, _mm512_set1_epi16(8));
        v = _mm512_mask_permutexvar_epi16(v, tiny, at, table);
        v = _mm512_mask_mov_epi16(
            v, _mm512_cmpeq_epi16_mask(low, _mm512_set1_epi16(0x7f)),
            _mm512_set1_epi16(0x7fc0));
        int scale = scales[i / DH_QUANT_MX_BLOCK];
        if (scale - 127 < -110 || scale - 127 > 110) {
            uint16_t at_one[DH_QUANT_MX_BLOCK];
            _mm512_storeu_si512(at_one, v);
            for (int j = 0; j < DH_QUANT_MX_BLOCK; j++)
                out[i + j] = dh_f32_to_bf16(dh_bf16_to_f32(at_one[j]) *
                                            dh_quant_e8m0((uint8_t)scale));
            continue;
        }
        __m512i by =
            _mm512_slli_epi16(_mm512_sub_epi16(_mm512_set1_epi16((short)scale),
                                               _mm512_set1_epi16(127)),
                              7);
        // Neither zero nor NaN has an exponent to change.
        __mmask32 number = _mm512_cmplt_epu16_mask(_mm512_sub_epi16(low, one),
                                                   _mm512_set1_epi16(0x7e));
        v = _mm512_mask_add_epi16(v, number, v, by);
        _mm512_storeu_si512(out + i, v);
    }
}

static void expand(uint16_t *out, const struct dh_mat *w, int row, int k0,
                   int n)
{
    if (w->dtype == DH_F8_E4M3) {
        size_t at = (size_t)row * (size_t)w->cols + (size_t)k0;
        expand_mxfp8(out, (const uint8_t *)w->data + at,
                     w->scales + at / DH_QUANT_MX_BLOCK, n);
        return;
    }
    if (dh_pairs_expand_blocks(out, w, row, k0, n))
        return;
    float wide[256];
    for (int i = 0; i < n; i += 256) {
        int some = n - i < 256 ? n - i : 256;
        dh_kernels_avx512.expand(wide, w, row, k0 + i, some);
        narrow(out + i, wide, (size_t)some);
    }
}

const struct dh_pairs dh_pairs_avx512 = {
    .narrow = narrow,
    .soften = soften,
    .widen = widen_codes,
    .tile = tile,
    .pack = pack,
    .dot = dot,
    .expand = expand,
};

// Products are those of pairs_amx.c.
const struct dh_pairs dh_pairs_amx = {
    .narrow = narrow,
    .soften = soften,
    .widen = widen_codes,
    .tile = dh_pairs_tile_amx,
    .expand = dh_pairs_expand_amx,
    .gather = dh_pairs_gather_amx,
    .scatter = dh_pairs_scatter_amx,
};

#else
typedef int dh_pairs_avx512_unused;
#endif
