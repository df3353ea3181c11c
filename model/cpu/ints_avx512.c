// Products of whole numbers, for AVX-512 with VNNI.
#if defined(__x86_64__)

#    include <math.h>
#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/cpu/avx512_priv.h"

// Rows of a tile whose sums stay in registers, in whole numbers and in floats.
#    define ROWS  6
// Blocks whose scales are gathered at once.
#    define BATCH 8

static void narrow(int8_t *codes, float *scales, int32_t *sums, const float *x,
                   size_t n)
{
    const __m512i abs = _mm512_set1_epi32(0x7fffffff);
    for (size_t b = 0; b < n / DH_INTS_BLOCK; b++, x += DH_INTS_BLOCK) {
        vec lo = load(x), hi = load(x + W);
        // As whole numbers NaN is the largest of all.
        int32_t bits = _mm512_reduce_max_epi32(
            _mm512_max_epi32(_mm512_and_si512((__m512i)lo, abs),
                             _mm512_and_si512((__m512i)hi, abs)));
        float most;
        memcpy(&most, &bits, sizeof(most));
        bool finite = bits < 0x7f800000;
        float by = most > 0 && finite ? 127.0f / most : 0;
        if (!(by <= 0x1p126f))
            by = 0;
        __mmask16 lanes = finite ? 0xffff : 0;
        __m512i a = _mm512_maskz_cvtps_epi32(lanes, mul(lo, set1(by)));
        __m512i c = _mm512_maskz_cvtps_epi32(lanes, mul(hi, set1(by)));
        _mm_storeu_si128((void *)(codes + b * DH_INTS_BLOCK),
                         _mm512_cvtepi32_epi8(a));
        _mm_storeu_si128((void *)(codes + b * DH_INTS_BLOCK + W),
                         _mm512_cvtepi32_epi8(c));
        sums[b] = _mm512_reduce_add_epi32(_mm512_add_epi32(a, c));
        scales[b] = finite ? most / 127.0f : NAN;
    }
}

// m and nv are constants where this is called.
INLINE void tile_rows(const struct dh_tile_ints *t, const int m, const int nv,
                      int row)
{
    vec acc[ROWS][2];
    __mmask16 lanes[2] = { 0xffff, 0xffff };
    lanes[nv - 1] = (__mmask16)(0xffff >> (nv * W - t->n));
    float *c = t->c + (size_t)row * t->ldc;
#    pragma GCC unroll 8
    for (int i = 0; i < m; i++)
#    pragma GCC unroll 2
        for (int v = 0; v < nv; v++)
            acc[i][v] = t->start == DH_TILE_ADD
                            ? _mm512_maskz_loadu_ps(
                                  lanes[v], c + (size_t)i * t->ldc + v * W)
                        : t->start == DH_TILE_BIAS
                            ? _mm512_maskz_loadu_ps(lanes[v], t->bias + v * W)
                            : set1(0);
    const int8_t *x = t->x.codes + (size_t)row * t->x.ldc;
    const float *xs = t->x.scales + (size_t)row * t->x.lds;
    const int32_t *sums = t->x.sums + (size_t)row * t->x.lds;
    const uint32_t *w = t->w;
    for (int b = 0; b < t->blocks; b++) {
        __m512i whole[ROWS][2];
#    pragma GCC unroll 8
        for (int i = 0; i < m; i++)
#    pragma GCC unroll 2
            for (int v = 0; v < nv; v++)
                whole[i][v] =
                    _mm512_set1_epi32(-t->zero * sums[(size_t)i * t->x.lds]);
        for (int k = 0; k < DH_INTS_BLOCK / 4; k++, w += DH_PANEL, x += 4) {
#    pragma GCC unroll 8
            for (int i = 0; i < m; i++) {
                int32_t four;
                memcpy(&four, x + (size_t)i * t->x.ldc, 4);
#    pragma GCC unroll 2
                for (int v = 0; v < nv; v++)
                    whole[i][v] = _mm512_dpbusd_epi32(
                        whole[i][v], _mm512_loadu_si512(w + v * W),
                        _mm512_set1_epi32(four));
            }
        }
#    pragma GCC unroll 8
        for (int i = 0; i < m; i++)
#    pragma GCC unroll 2
            for (int v = 0; v < nv; v++)
                acc[i][v] =
                    fma(_mm512_cvtepi32_ps(whole[i][v]),
                        mul(load(t->scales + (size_t)b * DH_PANEL + v * W),
                            set1(xs[(size_t)i * t->x.lds])),
                        acc[i][v]);
        xs++;
        sums++;
    }
#    pragma GCC unroll 8
    for (int i = 0; i < m; i++)
#    pragma GCC unroll 2
        for (int v = 0; v < nv; v++)
            _mm512_mask_storeu_ps(c + (size_t)i * t->ldc + v * W, lanes[v],
                                  acc[i][v]);
}

INLINE void tile_some(const struct dh_tile_ints *t, const int m, int row)
{
    if (t->n > W)
        tile_rows(t, m, 2, row);
    else
        tile_rows(t, m, 1, row);
}

static void tile(const struct dh_tile_ints *t)
{
    int row = 0;
    for (; row + ROWS <= t->m; row += ROWS)
        tile_some(t, ROWS, row);
    for (; row + 2 <= t->m; row += 2)
        tile_some(t, 2, row);
    for (; row < t->m; row++)
        tile_some(t, 1, row);
}

// 16 rows of w that are read together; beyond the last, it is repeated.
struct rows {
    const uint8_t *at[W];
    enum dh_dtype type;
    int bytes;  // of a block
    int square; // blocks whose codes fill 16 words of a row
};

INLINE void rows_init(struct rows *r, const struct dh_mat *w, int row0,
                      int rows)
{
    r->type = w->dtype;
    r->bytes = (int)dh_dtype_bytes(w->dtype);
    r->square = w->dtype == DH_Q8_0 ? 2 : 4;
    size_t row_bytes = dh_dtype_size(w->dtype, (size_t)w->cols);
    for (int j = 0; j < W; j++)
        r->at[j] = (const uint8_t *)w->data +
                   (size_t)(row0 + (j < rows ? j : rows - 1)) * row_bytes;
}

// The scales of up to BATCH blocks as they are in the rows: gathered before the
// batch ahead of them is computed, since what was just written in pieces cannot
// be read at once.
struct scales {
    uint16_t of[BATCH][W];
};

INLINE void gather_scales(const struct rows *r, int b, int n,
                          struct scales *out, const enum dh_dtype type)
{
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)(b + i) * (size_t)r->bytes;
        for (int j = 0; j < W; j++) {
            if (type == DH_MXFP4)
                out->of[i][j] = r->at[j][at];
            else
                memcpy(&out->of[i][j], r->at[j] + at, 2);
        }
    }
}

// A block's scales as numbers, a lane for each row.
INLINE vec scales_of(const uint16_t raw[W], const enum dh_dtype type)
{
    __m256i h = _mm256_loadu_si256((const void *)raw);
    if (type != DH_MXFP4)
        return _mm512_cvtph_ps(h);
    // Half of the power of two, since the codes are twice the numbers.
    __m512i v = _mm512_cvtepu16_epi32(h);
    __mmask16 low = _mm512_cmplt_epi32_mask(v, _mm512_set1_epi32(2));
    __mmask16 nan = _mm512_cmpeq_epi32_mask(v, _mm512_set1_epi32(255));
    __m512i bits =
        _mm512_slli_epi32(_mm512_sub_epi32(v, _mm512_set1_epi32(1)), 23);
    bits = _mm512_mask_sllv_epi32(bits, low, _mm512_set1_epi32(0x00200000), v);
    return (vec)_mm512_mask_mov_epi32(bits, nan, _mm512_set1_epi32(0x7fc00000));
}

// What row j has of one square of blocks from b on: their codes as they lie
// there. Blocks from `n` on are not there.
INLINE __m512i read_row(const struct rows *r, int j, int b, int n,
                        const enum dh_dtype type)
{
    const uint8_t *at = r->at[j] + (size_t)b * (size_t)r->bytes;
    if (type == DH_Q8_0) {
        __m256i a = _mm256_loadu_si256((const void *)(at + 2));
        __m256i c = n > 1 ? _mm256_loadu_si256((const void *)(at + 36))
                          : _mm256_setzero_si256();
        return _mm512_inserti64x4(_mm512_castsi256_si512(a), c, 1);
    }
    const int bytes = type == DH_Q4_0 ? 18 : 17;
    at += bytes - 16;
    __m128i zero = _mm_setzero_si128();
    __m128i a = _mm_loadu_si128((const void *)at);
    __m128i c = n > 1 ? _mm_loadu_si128((const void *)(at + bytes)) : zero;
    __m128i d = n > 2 ? _mm_loadu_si128((const void *)(at + 2 * bytes)) : zero;
    __m128i e = n > 3 ? _mm_loadu_si128((const void *)(at + 3 * bytes)) : zero;
    __m256i lo = _mm256_inserti128_si256(_mm256_castsi128_si256(a), c, 1);
    __m256i hi = _mm256_inserti128_si256(_mm256_castsi128_si256(d), e, 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}

// Word by word, a lane for each row.
INLINE void read_square(const struct rows *r, int b, int n, vec v[W],
                        const enum dh_dtype type)
{
#    pragma GCC unroll 16
    for (int j = 0; j < W; j++)
        v[j] = (vec)read_row(r, j, b, n, type);
    transpose(v);
}

// Twice the numbers of E2M1 plus 12, from the low four bits of each byte.
INLINE __m512i e2m1_codes(__m512i nibbles)
{
    const __m512i table = _mm512_broadcast_i32x4(_mm_setr_epi8(
        12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
    return _mm512_shuffle_epi8(table, nibbles);
}

// Word k (0..7) of block i of a square, its codes as in a tile.
INLINE __m512i codes_of(const vec v[W], int i, int k, const enum dh_dtype type)
{
    if (type == DH_Q8_0)
        return _mm512_xor_si512((__m512i)v[i * 8 + k],
                                _mm512_set1_epi8((char)0x80));
    __m512i w = (__m512i)v[i * 4 + k % 4];
    w = _mm512_and_si512(k < 4 ? w : _mm512_srli_epi16(w, 4),
                         _mm512_set1_epi8(15));
    return type == DH_MXFP4 ? e2m1_codes(w) : w;
}

INLINE void pack_half(uint32_t *words, float *scales, const struct dh_mat *w,
                      int row0, int rows, int b0, int blocks,
                      const enum dh_dtype type)
{
    struct rows r;
    rows_init(&r, w, row0, rows);
    __mmask16 there = (__mmask16)(0xffff >> (W - (rows < W ? rows : W)));
    const int square = type == DH_Q8_0 ? 2 : 4;
    for (int b = 0; b < blocks; b += square) {
        vec v[W];
        struct scales by;
        int n = blocks - b < square ? blocks - b : square;
        gather_scales(&r, b0 + b, n, &by, type);
        read_square(&r, b0 + b, n, v, type);
        for (int i = 0; i < n; i++) {
            _mm512_storeu_ps(
                scales + (size_t)(b + i) * DH_PANEL,
                _mm512_maskz_mov_ps(there, scales_of(by.of[i], type)));
#    pragma GCC unroll 8
            for (int k = 0; k < 8; k++)
                _mm512_storeu_si512(
                    words + ((size_t)(b + i) * 8 + k) * DH_PANEL,
                    _mm512_maskz_mov_epi32(there, codes_of(v, i, k, type)));
        }
    }
}

INLINE void pack_type(uint32_t *words, float *scales, const struct dh_mat *w,
                      int row0, int rows, int b0, int blocks,
                      const enum dh_dtype type)
{
    pack_half(words, scales, w, row0, rows, b0, blocks, type);
    if (rows > W) {
        pack_half(words + W, scales + W, w, row0 + W, rows - W, b0, blocks,
                  type);
        return;
    }
    for (int b = 0; b < blocks; b++)
        store(scales + (size_t)b * DH_PANEL + W, set1(0));
    for (int k = 0; k < blocks * 8; k++)
        _mm512_storeu_si512(words + (size_t)k * DH_PANEL + W,
                            _mm512_setzero_si512());
}

INLINE int zero_of(const enum dh_dtype type)
{
    return type == DH_Q8_0 ? 128 : type == DH_Q4_0 ? 8 : 12;
}

// One block of m rows of x against 16 rows of w: acc becomes fma(whole, by).
INLINE void dot_block(vec acc[4], const struct dh_ints_x *x, int b, const int m,
                      const vec v[W], int i, vec by, const enum dh_dtype type)
{
    const int zero = zero_of(type);
#    pragma GCC unroll 4
    for (int r = 0; r < m; r++) {
        const int8_t *codes =
            x->codes + (size_t)r * x->ldc + (size_t)b * DH_INTS_BLOCK;
        size_t at = (size_t)r * x->lds + (size_t)b;
        // Two sums: one alone would wait for itself.
        __m512i s0 = _mm512_set1_epi32(-zero * x->sums[at]);
        __m512i s1 = _mm512_setzero_si512();
#    pragma GCC unroll 8
        for (int k = 0; k < 8; k++) {
            int32_t four;
            memcpy(&four, codes + k * 4, 4);
            __m512i w = codes_of(v, i, k, type);
            if (k % 2)
                s1 = _mm512_dpbusd_epi32(s1, w, _mm512_set1_epi32(four));
            else
                s0 = _mm512_dpbusd_epi32(s0, w, _mm512_set1_epi32(four));
        }
        acc[r] = fma(_mm512_cvtepi32_ps(_mm512_add_epi32(s0, s1)),
                     mul(by, set1(x->scales[at])), acc[r]);
    }
}

// The halves of four blocks of x, as the nibbles of w have them.
INLINE __m512i halves_of(const int8_t *codes)
{
    __m128i a = _mm_loadu_si128((const void *)codes);
    __m128i b = _mm_loadu_si128((const void *)(codes + DH_INTS_BLOCK));
    __m128i c = _mm_loadu_si128((const void *)(codes + 2 * DH_INTS_BLOCK));
    __m128i d = _mm_loadu_si128((const void *)(codes + 3 * DH_INTS_BLOCK));
    __m256i lo = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
    __m256i hi = _mm256_inserti128_si256(_mm256_castsi128_si256(c), d, 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}

// Of 16 vectors the sums of each four lanes, which become those of one vector
// for each four: first the lanes of the first row's four, then the others'.
INLINE void add_lanes(__m512i v[W])
{
#    pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        v[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]),
                                _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
#    pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        v[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]),
                                _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]));
}

// The sums of products of a whole square with one row of x, by block, a lane
// for each row of w. To add up what was multiplied moves half as much as to
// turn what is to be multiplied, but only once for all rows of x.
INLINE void sum_square(const struct rows *r, const int8_t *x, int b,
                       __m512i out[4], const enum dh_dtype type)
{
    const __m512i none = _mm512_setzero_si512(), low = _mm512_set1_epi8(15);
    __m512i v[W], p[4];
    x += (size_t)b * DH_INTS_BLOCK;
    __m512i x0 = type == DH_Q8_0 ? _mm512_loadu_si512(x) : halves_of(x);
    __m512i x1 = type == DH_Q8_0 ? none : halves_of(x + 16);
#    pragma GCC unroll 16
    for (int j = 0; j < W; j++) {
        __m512i w = read_row(r, j, b, 4, type);
        if (type == DH_Q8_0) {
            w = _mm512_xor_si512(w, _mm512_set1_epi8((char)0x80));
            v[j] = _mm512_dpbusd_epi32(none, w, x0);
            continue;
        }
        __m512i w0 = _mm512_and_si512(w, low);
        __m512i w1 = _mm512_and_si512(_mm512_srli_epi16(w, 4), low);
        if (type == DH_MXFP4) {
            w0 = e2m1_codes(w0);
            w1 = e2m1_codes(w1);
        }
        v[j] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(none, w0, x0), w1, x1);
    }
    add_lanes(v);
#    pragma GCC unroll 2
    for (int i = 0; i < 4; i += 2) {
        p[i] = _mm512_shuffle_i32x4(v[i], v[i + 1], 0x88);
        p[i + 1] = _mm512_shuffle_i32x4(v[i], v[i + 1], 0xdd);
    }
    if (type == DH_Q8_0) {
        p[0] = _mm512_add_epi32(p[0], p[1]);
        p[2] = _mm512_add_epi32(p[2], p[3]);
        out[0] = _mm512_shuffle_i32x4(p[0], p[2], 0x88);
        out[1] = _mm512_shuffle_i32x4(p[0], p[2], 0xdd);
        return;
    }
    out[0] = _mm512_shuffle_i32x4(p[0], p[2], 0x88);
    out[1] = _mm512_shuffle_i32x4(p[1], p[3], 0x88);
    out[2] = _mm512_shuffle_i32x4(p[0], p[2], 0xdd);
    out[3] = _mm512_shuffle_i32x4(p[1], p[3], 0xdd);
}

INLINE void dot_rows(const struct dh_dot *d, const struct dh_ints_x *x,
                     const int m, int row, const enum dh_dtype type)
{
    struct rows r;
    vec acc[4];
    int rows = d->rows - row < W ? d->rows - row : W;
    int blocks = d->w->cols / DH_INTS_BLOCK;
    const int square = type == DH_Q8_0 ? 2 : 4;
    __mmask16 there = (__mmask16)(0xffff >> (W - rows));
    rows_init(&r, d->w, d->row0 + row, rows);
#    pragma GCC unroll 4
    for (int i = 0; i < m; i++)
        acc[i] = d->start ? _mm512_maskz_loadu_ps(
                                there, d->start + (size_t)i * d->lds + row)
                          : set1(0);
    // What lies behind these rows is fetched while they are computed.
    const uint8_t *next =
        d->rows - row >= 2 * W ? r.at[0] + (r.at[1] - r.at[0]) * W : NULL;
    struct scales by[2];
    gather_scales(&r, 0, blocks < BATCH ? blocks : BATCH, &by[0], type);
    for (int b0 = 0; b0 < blocks; b0 += BATCH) {
        int some = blocks - b0 < BATCH ? blocks - b0 : BATCH;
        int rest = blocks - b0 - some, now = b0 / BATCH % 2;
        gather_scales(&r, b0 + some, rest < BATCH ? rest : BATCH, &by[!now],
                      type);
        for (int b = 0; b < some; b += square) {
            vec v[W];
            int n = some - b < square ? some - b : square;
            if (next)
                fetch(next + (size_t)(b0 + b) * (size_t)r.bytes * W, W + 2);
            if (m == 1 && n == square) {
                __m512i whole[4];
                sum_square(&r, x->codes, b0 + b, whole, type);
#    pragma GCC unroll 4
                for (int i = 0; i < square; i++) {
                    int at = b0 + b + i;
                    __m512i less =
                        _mm512_set1_epi32(zero_of(type) * x->sums[at]);
                    acc[0] = fma(
                        _mm512_cvtepi32_ps(_mm512_sub_epi32(whole[i], less)),
                        mul(scales_of(by[now].of[b + i], type),
                            set1(x->scales[at])),
                        acc[0]);
                }
                continue;
            }
            read_square(&r, b0 + b, n, v, type);
#    pragma GCC unroll 4
            for (int i = 0; i < square; i++)
                if (i < n)
                    dot_block(acc, x, b0 + b + i, m, v, i,
                              scales_of(by[now].of[b + i], type), type);
        }
    }
#    pragma GCC unroll 4
    for (int i = 0; i < m; i++)
        _mm512_mask_storeu_ps(d->y + (size_t)i * d->ldy + row, there, acc[i]);
}

#    define TYPE_0 DH_Q8_0
#    define TYPE_1 DH_Q4_0
#    define TYPE_2 DH_MXFP4
#    include "model/cpu/ints_dot_priv.h"

const struct dh_ints dh_ints_avx512 = {
    .narrow = narrow,
    .tile = tile,
    .pack = pack,
    .dot = dot,
};

// Products of many rows are those of ints_amx.c.
const struct dh_ints dh_ints_amx = {
    .narrow = narrow,
    .dot = dot,
    .gather = dh_ints_gather_amx,
    .spread = dh_ints_spread_amx,
    .sum = dh_ints_sum_amx,
};

#else
typedef int dh_ints_avx512_unused;
#endif
