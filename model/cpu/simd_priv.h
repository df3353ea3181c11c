/*
 * model/cpu/simd_priv.h - the fast kernels, written once over short vectors.
 *
 * Included by a file for one instruction set, after it has defined: type `vec`
 * of W floats; TILE_MAX rows and 2 vectors wide tiles that fit its registers;
 * and load, store, set1, add, sub, mul, fma, divide, vmax, vmin, nearest, pow2
 * (2^n for integral floats; 0 below the smallest normal), widen (W elements of
 * a type to floats), load_codes (W bytes to floats), load_bits (W words),
 * low_half and high_half (of words, two bfloat16, as floats), transpose (W x
 * W), sum_of, max_of; and larger, which is b where a is NaN.
 */

#ifndef INLINE
#    define INLINE static inline __attribute__((always_inline))
#endif

INLINE size_t row_bytes(const struct dh_mat *w)
{
    return (size_t)w->cols * (w->dtype == DH_F32 ? 4 : 2);
}

// m and both vectors of columns are constants where this is called, so that the
// sums stay in registers.
INLINE void tile_rows(const struct dh_tile *t, const int m, const int nv,
                      int row, int col)
{
    vec acc[TILE_MAX][2];
    float *c = t->c + (size_t)row * t->ldc + col;
#pragma GCC unroll 16
    for (int i = 0; i < m; i++) {
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++)
            acc[i][v] = t->start == DH_TILE_ADD
                            ? load(c + (size_t)i * t->ldc + v * W)
                        : t->start == DH_TILE_BIAS ? load(t->bias + col + v * W)
                                                   : set1(0);
    }
    const float *a = t->a + (size_t)row * t->lda;
    const float *b = t->b + col;
    size_t lda = t->lda, ldb = t->ldb;
    for (int k = 0; k < t->k; k++) {
        vec w[2];
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++)
            w[v] = load(b + v * W);
#pragma GCC unroll 16
        for (int i = 0; i < m; i++) {
            vec x = set1(a[(size_t)i * lda]);
#pragma GCC unroll 16
            for (int v = 0; v < nv; v++)
                acc[i][v] = fma(x, w[v], acc[i][v]);
        }
        a++;
        b += ldb;
    }
#pragma GCC unroll 16
    for (int i = 0; i < m; i++) {
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++)
            store(c + (size_t)i * t->ldc + v * W, acc[i][v]);
    }
}

INLINE void tile_any(const struct dh_tile *t, int m, const int nv, int row,
                     int col)
{
    switch (m) {
    case 1: tile_rows(t, 1, nv, row, col); break;
    case 2: tile_rows(t, 2, nv, row, col); break;
    case 3: tile_rows(t, 3, nv, row, col); break;
    case 4: tile_rows(t, 4, nv, row, col); break;
    case 5: tile_rows(t, 5, nv, row, col); break;
    case 6: tile_rows(t, 6, nv, row, col); break;
#if TILE_MAX > 6
    case 7: tile_rows(t, 7, nv, row, col); break;
    case 8: tile_rows(t, 8, nv, row, col); break;
    case 9: tile_rows(t, 9, nv, row, col); break;
    case 10: tile_rows(t, 10, nv, row, col); break;
    case 11: tile_rows(t, 11, nv, row, col); break;
    case 12: tile_rows(t, 12, nv, row, col); break;
#endif
    default: break;
    }
}

static void tile(const struct dh_tile *t)
{
    for (int col = 0; col < t->n; col += 2 * W) {
        for (int row = 0; row < t->m; row += TILE_MAX) {
            int m = t->m - row < TILE_MAX ? t->m - row : TILE_MAX;
            if (t->n - col >= 2 * W)
                tile_any(t, m, 2, row, col);
            else
                tile_any(t, m, 1, row, col);
        }
    }
}

// Converts W columns of DH_PANEL rows into a small square, then writes it out
// transposed.
static void pack(float *dst, const struct dh_mat *w, int row0, int rows, int k0,
                 int depth)
{
    size_t bytes = row_bytes(w), size = w->dtype == DH_F32 ? 4 : 2;
    const uint8_t *from =
        (const uint8_t *)w->data + (size_t)row0 * bytes + (size_t)k0 * size;
    if (rows < DH_PANEL)
        memset(dst, 0, (size_t)depth * DH_PANEL * sizeof(*dst));
    int k = 0;
    for (; k + W <= depth; k += W) {
        for (int j0 = 0; j0 < rows; j0 += W) {
            vec square[W];
#pragma GCC unroll 16
            for (int j = 0; j < W; j++)
                square[j] =
                    j0 + j < rows
                        ? widen(w->dtype, from + (size_t)(j0 + j) * bytes +
                                              (size_t)k * size)
                        : set1(0);
            transpose(square);
#pragma GCC unroll 16
            for (int i = 0; i < W; i++)
                store(dst + (size_t)(k + i) * DH_PANEL + j0, square[i]);
        }
    }
    for (; k < depth; k++) {
        for (int j = 0; j < rows; j++)
            dh_tensor_to_f32(w->dtype,
                             from + (size_t)j * bytes + (size_t)k * size, 1,
                             dst + (size_t)k * DH_PANEL + j);
    }
}

static void widen_codes(float *dst, const int8_t *codes, size_t n)
{
    for (size_t i = 0; i < n; i += W)
        store(dst + i, load_codes(codes + i));
}

static void weigh(float *s, size_t lds, int rows, const float *by)
{
    for (int r = 0; r < rows; r++, s += lds) {
#pragma GCC unroll 8
        for (int j = 0; j < DH_PANEL; j += W)
            store(s + j, mul(load(s + j), load(by + j)));
    }
}

// What `dot` reads: rows of w in groups of W.
struct dots {
    const uint8_t *from[4 * W]; // rows beyond the last repeat it
    const float *x;
    size_t ldx, size; // bytes of an element of w
};

// Turn squares of w, so that a lane is a row of w and the sums run over k one
// by one: as in `tile`, and with the same result to the last bit. Pairs of
// bfloat16 are turned as one word: half the shuffles.
INLINE void dot_block(const struct dots *d, vec acc[4][4], int k, const int m,
                      const int ng, const enum dh_dtype type)
{
    const int per = type == DH_BF16 ? 2 : 1;
#pragma GCC unroll 4
    for (int g = 0; g < ng; g++) {
        vec square[W];
#pragma GCC unroll 16
        for (int j = 0; j < W; j++) {
            const uint8_t *at = d->from[g * W + j] + (size_t)k * d->size;
            square[j] = type == DH_BF16 ? load_bits(at) : widen(type, at);
        }
        transpose(square);
#pragma GCC unroll 16
        for (int j = 0; j < W; j++) {
#pragma GCC unroll 2
            for (int half = 0; half < per; half++) {
                vec v = square[j];
                if (type == DH_BF16)
                    v = half ? high_half(v) : low_half(v);
#pragma GCC unroll 4
                for (int i = 0; i < m; i++)
                    acc[g][i] =
                        fma(set1(d->x[(size_t)i * d->ldx + k + j * per + half]),
                            v, acc[g][i]);
            }
        }
    }
}

// m rows of x against `rows`, up to ng * W, rows of w from `r` of d on.
INLINE void dot_groups(const struct dh_dot *of, const float *x, size_t ldx,
                       const int m, int r, int rows, const int ng,
                       const enum dh_dtype type)
{
    const struct dh_mat *w = of->w;
    struct dots d = { .x = x, .ldx = ldx, .size = type == DH_F32 ? 4 : 2 };
    const int step = type == DH_BF16 ? 2 * W : W;
    // What lies behind these rows is fetched meanwhile, in line: rows side by
    // side are so many streams that the processor's own prefetcher loses them.
    bool more = of->rows - r >= 2 * ng * W;
    const uint8_t *next = (const uint8_t *)w->data +
                          (size_t)(of->row0 + r + ng * W) * row_bytes(w);
    const int lines = ng * W * step * (type == DH_F32 ? 4 : 2) / 64;
    float lanes[4 * W] = { 0 };
    vec acc[4][4]; // [group][row of x]
    for (int j = 0; j < ng * W; j++)
        d.from[j] =
            (const uint8_t *)w->data +
            (size_t)(of->row0 + r + (j < rows ? j : rows - 1)) * row_bytes(w);
#pragma GCC unroll 4
    for (int i = 0; i < m; i++) {
        if (of->start)
            memcpy(lanes, of->start + (size_t)i * of->lds + r,
                   (size_t)rows * sizeof(*lanes));
#pragma GCC unroll 4
        for (int g = 0; g < ng; g++)
            acc[g][i] = load(lanes + g * W);
    }
    int k = 0;
    for (; k + step <= w->cols; k += step) {
        if (more)
            for (int i = 0; i < lines; i++)
                __builtin_prefetch(next + (size_t)(k / step * lines + i) * 64,
                                   0, 2);
        dot_block(&d, acc, k, m, ng, type);
    }
    for (; k < w->cols; k++) {
        for (int j = 0; j < ng * W; j++)
            dh_tensor_to_f32(type, d.from[j] + (size_t)k * d.size, 1,
                             &lanes[j]);
#pragma GCC unroll 4
        for (int g = 0; g < ng; g++)
#pragma GCC unroll 4
            for (int i = 0; i < m; i++)
                acc[g][i] = fma(set1(x[(size_t)i * ldx + k]),
                                load(lanes + g * W), acc[g][i]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < m; i++) {
#pragma GCC unroll 4
        for (int g = 0; g < ng; g++)
            store(lanes + g * W, acc[g][i]);
        memcpy(of->y + (size_t)i * of->ldy + r, lanes,
               (size_t)rows * sizeof(*lanes));
    }
}

INLINE void dot_type(const struct dh_dot *d, const float *x, size_t ldx,
                     const int m, const enum dh_dtype type)
{
    // As many sums in flight as the registers hold: the multiply-add's latency
    // is what limits a single one.
    const int ng = m <= 2 ? 4 : 2;
    for (int r = 0; r < d->rows; r += ng * W)
        dot_groups(d, x, ldx, m, r, d->rows - r < ng * W ? d->rows - r : ng * W,
                   ng, type);
}

INLINE void dot_m(const struct dh_dot *d, const float *x, size_t ldx,
                  const int m)
{
    if (d->w->dtype == DH_BF16)
        dot_type(d, x, ldx, m, DH_BF16);
    else if (d->w->dtype == DH_F16)
        dot_type(d, x, ldx, m, DH_F16);
    else
        dot_type(d, x, ldx, m, DH_F32);
}

static void dot(const struct dh_dot *d, const float *x, size_t ldx)
{
    switch (d->m) {
    case 1: dot_m(d, x, ldx, 1); break;
    case 2: dot_m(d, x, ldx, 2); break;
    case 3: dot_m(d, x, ldx, 3); break;
    default: dot_m(d, x, ldx, 4); break;
    }
}

// Relative error below 2e-7 over the range where the result is a normal number;
// zero below it. The polynomial is the minimax one of the Cephes library.
INLINE vec exponential(vec x)
{
    x = vmax(vmin(x, set1(88.0f)), set1(-104.0f));
    vec n = nearest(mul(x, set1(1.44269504f)));
    vec r = fma(n, set1(-0.693359375f), x);
    r = fma(n, set1(2.12194440e-4f), r);
    vec p = set1(1.9875691500e-4f);
    p = fma(p, r, set1(1.3981999507e-3f));
    p = fma(p, r, set1(8.3334519073e-3f));
    p = fma(p, r, set1(4.1665795894e-2f));
    p = fma(p, r, set1(1.6666665459e-1f));
    p = fma(p, r, set1(5.0000001201e-1f));
    p = fma(mul(p, r), r, add(r, set1(1)));
    return pow2(p, n);
}

static float soften(float *s, int n, struct dh_soft *state)
{
    vec top = set1(state->max);
    for (int i = 0; i < n; i += W)
        top = vmax(top, load(s + i));
    float max = max_of(top);
    if (max == -INFINITY) {
        memset(s, 0, (size_t)n * sizeof(*s));
        return 1;
    }
    vec m = set1(max), sum = set1(0), sum2 = set1(0);
    for (int i = 0; i < n; i += 2 * W) {
        vec a = exponential(sub(load(s + i), m));
        vec b = exponential(sub(load(s + i + W), m));
        store(s + i, a);
        store(s + i + W, b);
        sum = add(sum, a);
        sum2 = add(sum2, b);
    }
    float keep = max == state->max ? 1.0f : expf(state->max - max);
    state->max = max;
    state->sum = state->sum * keep + sum_of(add(sum, sum2));
    return keep;
}

static void most(float *best, size_t step, const float *s, size_t lds, int rows,
                 int n)
{
    for (int r = 0; r < rows; r++, best += step, s += lds) {
        vec top = set1(*best);
        int i = 0;
        for (; i + W <= n; i += W)
            top = larger(load(s + i), top);
        float one = max_of(top);
        for (; i < n; i++)
            one = s[i] > one ? s[i] : one;
        *best = one;
    }
}

static void scale(float *x, float by, size_t n)
{
    size_t i = 0;
    for (; i + W <= n; i += W)
        store(x + i, mul(load(x + i), set1(by)));
    for (; i < n; i++)
        x[i] *= by;
}

static void add_scaled(float *y, const float *x, float by, size_t n)
{
    size_t i = 0;
    for (; i + W <= n; i += W)
        store(y + i, fma(set1(by), load(x + i), load(y + i)));
    for (; i < n; i++)
        y[i] = fmaf(by, x[i], y[i]);
}

static void rmsnorm(float *y, const float *x, const float *w, int n, float eps)
{
    vec squares = set1(0);
    int i = 0;
    for (; i + W <= n; i += W)
        squares = fma(load(x + i), load(x + i), squares);
    float s = sum_of(squares);
    for (; i < n; i++)
        s += x[i] * x[i];
    float r = 1.0f / sqrtf(s / (float)n + eps);
    for (i = 0; i + W <= n; i += W)
        store(y + i, mul(mul(load(x + i), set1(r)), add(load(w + i), set1(1))));
    for (; i < n; i++)
        y[i] = x[i] * r * (1.0f + w[i]);
}

static void layernorm(float *y, const float *x, const float *w, const float *b,
                      int n, float eps)
{
    vec total = set1(0), squares = set1(0);
    int i = 0;
    for (; i + W <= n; i += W)
        total = add(total, load(x + i));
    float mean = sum_of(total);
    for (; i < n; i++)
        mean += x[i];
    mean /= (float)n;
    for (i = 0; i + W <= n; i += W) {
        vec d = sub(load(x + i), set1(mean));
        squares = fma(d, d, squares);
    }
    float var = sum_of(squares);
    for (; i < n; i++)
        var += (x[i] - mean) * (x[i] - mean);
    float r = 1.0f / sqrtf(var / (float)n + eps);
    for (i = 0; i + W <= n; i += W) {
        vec d = mul(sub(load(x + i), set1(mean)), set1(r));
        store(y + i, fma(d, load(w + i), load(b + i)));
    }
    for (; i < n; i++)
        y[i] = fmaf((x[i] - mean) * r, w[i], b[i]);
}

// 1 - erf(z) for z >= 0 after Abramowitz and Stegun 7.1.26, which is good to
// 1.5e-7; the other side by symmetry, which keeps small results exact.
INLINE vec gelu_vec(vec x)
{
    vec z = mul(vmax(x, sub(set1(0), x)), set1(0.70710678f));
    vec t = divide(set1(1), fma(z, set1(0.3275911f), set1(1)));
    vec p = fma(t, set1(1.061405429f), set1(-1.453152027f));
    p = fma(p, t, set1(1.421413741f));
    p = fma(p, t, set1(-0.284496736f));
    p = mul(fma(p, t, set1(0.254829592f)), t);
    vec tail = mul(p, exponential(sub(set1(0), mul(z, z))));
    vec half = mul(mul(x, set1(0.5f)), tail);
    // x > 0: x - x/2 tail; x <= 0: x/2 tail
    return add(vmax(x, set1(0)), sub(vmin(half, set1(0)), vmax(half, set1(0))));
}

static void gelu(float *x, size_t n)
{
    size_t i = 0;
    for (; i + W <= n; i += W)
        store(x + i, gelu_vec(load(x + i)));
    if (i < n) {
        float rest[W] = { 0 };
        memcpy(rest, x + i, (n - i) * sizeof(*x));
        store(rest, gelu_vec(load(rest)));
        memcpy(x + i, rest, (n - i) * sizeof(*x));
    }
}

INLINE vec swiglu_vec(vec g, vec u, float alpha, float limit)
{
    g = vmin(g, set1(limit));
    u = vmax(vmin(u, set1(limit)), set1(-limit));
    vec e = exponential(mul(g, set1(-alpha)));
    return divide(mul(add(u, set1(1)), g), add(e, set1(1)));
}

static void swiglu(float *y, const float *gate, const float *up, size_t n,
                   float alpha, float limit)
{
    size_t i = 0;
    for (; i + W <= n; i += W)
        store(y + i, swiglu_vec(load(gate + i), load(up + i), alpha, limit));
    if (i < n) {
        float g[W] = { 0 }, u[W] = { 0 };
        memcpy(g, gate + i, (n - i) * sizeof(*g));
        memcpy(u, up + i, (n - i) * sizeof(*u));
        store(g, swiglu_vec(load(g), load(u), alpha, limit));
        memcpy(y + i, g, (n - i) * sizeof(*y));
    }
}

static void rope(float *x, const float *cos, const float *sin, int half)
{
    int j = 0;
    for (; j + W <= half; j += W) {
        vec a = load(x + j), b = load(x + j + half);
        vec c = load(cos + j), s = load(sin + j);
        store(x + j, sub(mul(a, c), mul(b, s)));
        store(x + j + half, add(mul(b, c), mul(a, s)));
    }
    for (; j < half; j++) {
        float a = x[j], b = x[j + half];
        x[j] = a * cos[j] - b * sin[j];
        x[j + half] = b * cos[j] + a * sin[j];
    }
}
