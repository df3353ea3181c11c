// The pieces of a product, in the arithmetic that suits the matrix's type.
#include <string.h>

#include "base/mem.h"
#include "model/products_priv.h"
#include "model/quant_priv.h"

// Depth of one pass over a panel, in floats or in words of two bfloat16: a
// panel of it stays in the first cache.
#define DEPTH       256
// Rows of a matrix that are expanded at once for such a product.
#define DOT_COLS    64
// Columns of quantised weights that are expanded at once: with DOT_COLS rows
// they stay in the second cache. A multiple of every block.
#define EXPAND      256
// Rows of w whose sums with up to DH_GATHER_ROWS rows of x are kept at once.
#define SUM_ROWS    128
// Rows of w up to so many words are fetched ahead.
#define FETCH_WORDS 1024
// Blocks of whole numbers of one such pass, whole ones of K: their codes and
// scales fit where DEPTH words do.
#define SUM_BLOCKS  16
// Depth of one pass in whole numbers; DH_PIECE_ROWS rows of it fit where floats
// do.
#define INTS_DEPTH  768

size_t dh_backend_product_floats(void)
{
    _Static_assert(DOT_COLS * EXPAND <= DH_PIECE_ROWS * DEPTH, "expanded rows");
    _Static_assert(INTS_DEPTH * 5 / 16 <= DEPTH, "codes, scales and sums");
    _Static_assert(INTS_DEPTH % 256 == 0, "whole K blocks");
    return DH_MAX((size_t)DH_PIECE_ROWS * DEPTH,
                  (size_t)DH_PANEL * DEPTH + (size_t)SUM_ROWS * DH_GATHER_ROWS);
}

// Both hold floats, or words where pairs of bfloat16 are multiplied.
static uint32_t *pack_words(const struct dh_part *p)
{
    return (uint32_t *)(void *)p->pack;
}

static uint32_t *scratch_words(const struct dh_backend *b, int worker)
{
    return (uint32_t *)(void *)(b->scratch +
                                (size_t)worker * b->scratch_floats);
}

static struct dh_dot dot_of(const struct dh_part *p, int begin, int end)
{
    return (struct dh_dot){
        .y = p->y + begin,
        .start = p->bias ? p->bias + begin : NULL,
        .w = p->w,
        .ldy = p->ldy,
        .m = p->m,
        .row0 = begin,
        .rows = end - begin,
    };
}

static bool is_quantised(const struct dh_mat *w)
{
    return dh_quant_block(w->dtype) > 1;
}

static bool has_pairs(const struct dh_backend *b, const struct dh_mat *w)
{
    return b->k->pairs && w->cols % 2 == 0 &&
           (w->dtype == DH_BF16 || is_quantised(w) ||
            (w->dtype == DH_F16 && dh_pairs_take_halves(b->k)));
}

// Rows and columns of a matrix in the scratch of this worker, as the kernels
// take them.
static struct dh_mat expand(const struct dh_part *p, int row0, int rows, int k0,
                            int n, int worker)
{
    const struct dh_kernels *k = p->b->k;
    float *wide = p->b->scratch + (size_t)worker * p->b->scratch_floats;
    bool pairs = has_pairs(p->b, p->w);
    size_t row_bytes = dh_dtype_size(p->w->dtype, (size_t)p->w->cols);
    size_t bytes = dh_dtype_size(p->w->dtype, (size_t)n);
    const uint8_t *next = (const uint8_t *)p->w->data +
                          (size_t)row0 * row_bytes +
                          dh_dtype_size(p->w->dtype, (size_t)k0 + (size_t)n);
    for (int r = 0; r < rows; r++) {
        // The columns after these: the processor does not see so many rows
        // that lie apart as streams.
        for (size_t i = 0; i < bytes; i += 64)
            __builtin_prefetch(next + (size_t)r * row_bytes + i, 0, 2);
        uint16_t *halves = (uint16_t *)(void *)wide + (size_t)r * n;
        if (p->w->dtype == DH_BF16)
            memcpy(halves,
                   (const uint8_t *)p->w->data +
                       (size_t)(row0 + r) * row_bytes + (size_t)k0 * 2,
                   bytes);
        else if (pairs)
            k->pairs->expand(halves, p->w, row0 + r, k0, n);
        else
            k->expand(wide + (size_t)r * n, p->w, row0 + r, k0, n);
    }
    return (struct dh_mat){
        .data = wide, .dtype = pairs ? DH_BF16 : DH_F32, .rows = rows, .cols = n
    };
}

// Pairs read MXFP8 as it is.
static bool is_expanded(const struct dh_mat *w, bool pairs)
{
    return is_quantised(w) && !(pairs && w->dtype == DH_F8_E4M3);
}

// A few columns at a time, so that what is expanded stays near.
static void dot_expanded(const struct dh_part *p, struct dh_dot d, int worker)
{
    const struct dh_kernels *k = p->b->k;
    bool pairs = has_pairs(p->b, p->w);
    int cols = p->w->cols, row = d.row0;
    d.row0 = 0;
    for (int k0 = 0; k0 < cols; k0 += EXPAND) {
        struct dh_mat some =
            expand(p, row, d.rows, k0, DH_MIN(EXPAND, cols - k0), worker);
        d.w = &some;
        if (pairs)
            k->pairs->dot(&d, p->narrow + k0 / 2, (size_t)cols / 2);
        else
            k->dot(&d, p->x + k0, p->ldx);
        d.start = d.y;
        d.lds = d.ldy;
    }
}

// The dot products of some rows.
static void run_dot(const struct dh_part *p, int begin, int end, int worker)
{
    const struct dh_kernels *k = p->b->k;
    struct dh_dot d = dot_of(p, begin, end);
    bool pairs = has_pairs(p->b, p->w);
    if (!is_expanded(p->w, pairs)) {
        if (pairs)
            k->pairs->dot(&d, p->narrow, (size_t)p->w->cols / 2);
        else
            k->dot(&d, p->x, p->ldx);
        return;
    }
    for (; begin < end; begin += DOT_COLS)
        dot_expanded(p, dot_of(p, begin, DH_MIN(begin + DOT_COLS, end)),
                     worker);
}

// x panel by panel: rows of w, as they lie there, times its columns.
static void multiply_columns(const struct dh_part *p, struct dh_tile_pairs t,
                             int k0)
{
    for (int i = 0; i < p->m; i += DH_PANEL) {
        t.n = DH_MIN(DH_PANEL, p->m - i);
        t.ldb = (size_t)t.n;
        t.b = p->narrow + (size_t)i * p->way.depth + (size_t)k0 * t.ldb;
        p->b->k->pairs->tile(&t);
        t.c += SUM_ROWS * DH_PANEL;
    }
}

// Sums of rows begin..end-1 of w with all rows of x: a panel of these after the
// other, each of SUM_ROWS rows.
static float *sums_of(const struct dh_part *p, int worker)
{
    return p->b->scratch + (size_t)worker * p->b->scratch_floats +
           (size_t)DH_PANEL * DEPTH;
}

static void scatter(const struct dh_part *p, const float *sums, int begin,
                    int end, const float *bias)
{
    for (int i = 0; i < p->m; i += DH_PANEL)
        p->b->k->pairs->scatter(p->y + (size_t)i * p->ldy + begin, p->ldy,
                                sums + (size_t)i * SUM_ROWS, bias,
                                DH_MIN(DH_PANEL, p->m - i), end - begin);
}

// Asks for what follows these rows of w, which lie in line: short rows are
// over before the processor sees that they are streams.
static void fetch_rows(const struct dh_mat *w, int row, int rows)
{
    size_t bytes = (size_t)rows * (size_t)w->cols * 2;
    const uint8_t *at =
        (const uint8_t *)w->data + (size_t)row * (size_t)w->cols * 2;
    for (size_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(at + i, 0, 2);
}

// The sums of some rows of w with all rows of x; few of these are multiplied by
// what lies in place, many by what was brought near.
static void sum_rows(const struct dh_part *p, int begin, int end, int worker)
{
    int words = p->w->cols / 2;
    bool in_place = p->m <= DH_PANEL && p->w->dtype == DH_BF16;
    float *sums = sums_of(p, worker);
    struct dh_tile_pairs t = { .ldc = DH_PANEL };
    for (int k0 = 0; k0 < words; k0 += t.k) {
        t.k = in_place ? words : DH_MIN(DEPTH, words - k0);
        t.lda = (size_t)t.k;
        t.start = k0 ? DH_TILE_ADD : DH_TILE_ZERO;
        for (int row = begin; row < end; row += DH_PANEL) {
            struct dh_mat some = *p->w;
            t.m = DH_MIN(DH_PANEL, end - row);
            if (!in_place)
                some = expand(p, row, t.m, 2 * k0, 2 * t.k, worker);
            else if (words <= FETCH_WORDS && row + DH_PANEL < end)
                fetch_rows(p->w, row + DH_PANEL,
                           DH_MIN(DH_PANEL, end - row - DH_PANEL));
            t.a = some.data;
            t.a += in_place ? (size_t)row * (size_t)words : 0;
            t.c = sums + (row - begin) * DH_PANEL;
            multiply_columns(p, t, k0);
        }
    }
    scatter(p, sums, begin, end, p->bias ? p->bias + begin : NULL);
}

static void run_dot_columns(const struct dh_part *p, int begin, int end,
                            int worker)
{
    for (; begin < end; begin += SUM_ROWS)
        sum_rows(p, begin, DH_MIN(begin + SUM_ROWS, end), worker);
}

// A panel, part by part where it has to be expanded.
static void run_pack(const struct dh_part *p, int panel, int worker)
{
    const struct dh_kernels *k = p->b->k;
    bool pairs = has_pairs(p->b, p->w);
    int cols = p->w->cols, step = is_quantised(p->w) ? EXPAND : cols;
    int at = panel * DH_PANEL, rows = DH_MIN(DH_PANEL, p->cols - at);
    for (int k0 = 0; k0 < cols; k0 += step) {
        struct dh_mat some = *p->w;
        int n = DH_MIN(step, cols - k0), row0 = p->col0 + at;
        if (is_quantised(p->w)) {
            some = expand(p, row0, rows, k0, n, worker);
            row0 = 0;
        }
        size_t to = (size_t)at * (size_t)cols + (size_t)k0 * DH_PANEL;
        if (pairs)
            k->pairs->pack(pack_words(p) + to / 2, &some, row0, rows, 0, n / 2);
        else
            k->pack(p->pack + to, &some, row0, rows, 0, n);
    }
}

// The last columns of a matrix may be less than a tile: compute it aside.
static void tile_edge(const struct dh_part *p, struct dh_tile t, int n)
{
    float aside[DH_TILE_ROWS * DH_PANEL], bias[DH_PANEL] = { 0 };
    float *c = t.c;
    for (int i = 0; i < t.m && t.start == DH_TILE_ADD; i++)
        memcpy(aside + i * DH_PANEL, c + (size_t)i * t.ldc,
               (size_t)n * sizeof(float));
    if (t.start == DH_TILE_BIAS) {
        memcpy(bias, t.bias, (size_t)n * sizeof(float));
        t.bias = bias;
    }
    size_t ldc = t.ldc;
    t.c = aside;
    t.ldc = DH_PANEL;
    t.n = DH_PANEL;
    p->b->k->tile(&t);
    for (int i = 0; i < t.m; i++)
        memcpy(c + (size_t)i * ldc, aside + i * DH_PANEL,
               (size_t)n * sizeof(float));
}

// Rows [row, row_end) of y for one panel, columns col.. of w's rows, over the
// depth [k0, k0 + depth).
static void run_panel(const struct dh_part *p, int panel, int row, int row_end,
                      int k0, int depth)
{
    int at = panel * DH_PANEL, n = DH_MIN(DH_PANEL, p->cols - at);
    const float *bias = p->bias ? p->bias + p->col0 + at : NULL;
    struct dh_tile t = {
        .b = p->pack + ((size_t)panel * p->w->cols + k0) * DH_PANEL,
        .bias = bias,
        .lda = p->ldx,
        .ldb = DH_PANEL,
        .ldc = p->ldy,
        .k = depth,
        .start = k0     ? DH_TILE_ADD
                 : bias ? DH_TILE_BIAS
                        : DH_TILE_ZERO,
    };
    for (; row < row_end; row += DH_TILE_ROWS) {
        t.m = DH_MIN(DH_TILE_ROWS, row_end - row);
        t.a = p->x + (size_t)row * p->ldx + k0;
        t.c = p->y + (size_t)row * p->ldy + p->col0 + at;
        t.n = n;
        if (n == DH_PANEL || n == DH_PANEL / 2)
            p->b->k->tile(&t);
        else
            tile_edge(p, t, n);
    }
}

// The same from words: x holds `rows` rows of `depth` words.
static void pair_panel(const struct dh_part *p, int panel, const uint32_t *x,
                       int row, int rows, int k0, int depth)
{
    int at = panel * DH_PANEL;
    size_t words = (size_t)p->w->cols / 2;
    struct dh_tile_pairs t = {
        .a = x,
        .b = pack_words(p) + ((size_t)panel * words + (size_t)k0) * DH_PANEL,
        .bias = p->bias ? p->bias + p->col0 + at : NULL,
        .c = p->y + (size_t)row * p->ldy + p->col0 + at,
        .lda = (size_t)depth,
        .ldb = DH_PANEL,
        .ldc = p->ldy,
        .m = rows,
        .n = DH_MIN(DH_PANEL, p->cols - at),
        .k = depth,
        .start = k0        ? DH_TILE_ADD
                 : p->bias ? DH_TILE_BIAS
                           : DH_TILE_ZERO,
    };
    p->b->k->pairs->tile(&t);
}

static int pieces_of(int n, int each)
{
    return (n + each - 1) / each;
}

int dh_part_pieces(const struct dh_part *p)
{
    return pieces_of(p->m, p->rows_each) * pieces_of(p->cols, p->cols_each);
}

// What piece i of a product is: rows of x, and panels from..to.
struct area {
    int row, rows, from, to;
};

static struct area area_of(const struct dh_part *p, int i)
{
    int row_pieces = pieces_of(p->m, p->rows_each);
    int panels = (p->cols + DH_PANEL - 1) / DH_PANEL;
    int row = i % row_pieces * p->rows_each;
    int from = i / row_pieces * (p->cols_each / DH_PANEL);
    return (struct area){ row, DH_MIN(p->rows_each, p->m - row), from,
                          DH_MIN(from + p->cols_each / DH_PANEL, panels) };
}

static void run_piece(const struct dh_part *p, int i, int worker)
{
    struct area a = area_of(p, i);
    (void)worker;
    for (int k0 = 0; k0 < p->w->cols; k0 += DEPTH) {
        int depth = DH_MIN(DEPTH, p->w->cols - k0);
        for (int panel = a.from; panel < a.to; panel++)
            run_panel(p, panel, a.row, a.row + a.rows, k0, depth);
    }
}

// Some rows of x as words, from column k0 on.
static uint32_t *narrow_rows(const struct dh_part *p, int row, int rows, int k0,
                             int depth, int worker)
{
    uint32_t *out = scratch_words(p->b, worker);
    for (int r = 0; r < rows; r++)
        p->b->k->pairs->narrow((uint16_t *)(out + (size_t)r * (size_t)depth),
                               p->x + (size_t)(row + r) * p->ldx + 2 * k0,
                               2 * (size_t)depth);
    return out;
}

static void run_piece_pairs(const struct dh_part *p, int i, int worker)
{
    struct area a = area_of(p, i);
    int words = p->w->cols / 2;
    for (int k0 = 0; k0 < words; k0 += DEPTH) {
        int depth = DH_MIN(DEPTH, words - k0);
        uint32_t *x = narrow_rows(p, a.row, a.rows, k0, depth, worker);
        for (int panel = a.from; panel < a.to; panel++)
            pair_panel(p, panel, x, a.row, a.rows, k0, depth);
    }
}

// What multiplies a matrix of this type in whole numbers, if anything does.
static const struct dh_ints *ints_for(const struct dh_backend *b,
                                      const struct dh_mat *w)
{
    if (dh_ints_is_k(w->dtype))
        return b->k->ints_k;
    return dh_ints_zero(w->dtype) ? b->k->ints : NULL;
}

// The same in whole numbers. A row takes its codes, then scales and sums.
static struct dh_ints_x ints_of(uint32_t *memory, int rows, int cols)
{
    size_t blocks = (size_t)cols / DH_INTS_BLOCK, n = (size_t)rows;
    uint32_t *scales = memory + n * blocks * (DH_INTS_BLOCK / 4);
    return (struct dh_ints_x){ .codes = (int8_t *)memory,
                               .scales = (float *)(void *)scales,
                               .sums = (int32_t *)(scales + n * blocks),
                               .ldc = (size_t)cols,
                               .lds = blocks };
}

static void narrow_ints(const struct dh_part *p, const struct dh_ints_x *x,
                        int row, int rows, int k0)
{
    for (int r = 0; r < rows; r++)
        p->way.ints->narrow(x->codes + (size_t)r * x->ldc,
                            x->scales + (size_t)r * x->lds,
                            x->sums + (size_t)r * x->lds,
                            p->x + (size_t)(row + r) * p->ldx + k0, x->ldc);
}

static void run_dot_ints(const struct dh_part *p, int begin, int end,
                         int worker)
{
    struct dh_dot d = dot_of(p, begin, end);
    struct dh_ints_x x = ints_of(p->narrow, p->m, p->w->cols);
    (void)worker;
    p->way.ints->dot(&d, &x);
}

// Codes of all panels, then their scales.
static float *packed_scales(const struct dh_part *p)
{
    size_t panels = (size_t)(p->cols + DH_PANEL - 1) / DH_PANEL;
    return p->pack + panels * DH_PANEL * (size_t)(p->w->cols / 4);
}

// Of each 32 codes of a column.
static size_t factors_of(const struct dh_mat *w)
{
    return dh_ints_is_k(w->dtype) ? 2 : 1;
}

static void run_pack_ints(const struct dh_part *p, int panel, int worker)
{
    int blocks = p->w->cols / DH_INTS_BLOCK, row = panel * DH_PANEL;
    size_t at = (size_t)row * (size_t)blocks;
    (void)worker;
    p->way.ints->pack(pack_words(p) + at * DH_INTS_BLOCK / 4,
                      packed_scales(p) + at * factors_of(p->w), p->w,
                      p->col0 + row, DH_MIN(DH_PANEL, p->cols - row), 0,
                      blocks);
}

static void ints_panel(const struct dh_part *p, int panel, struct dh_ints_x x,
                       int row, int rows, int b0, int blocks)
{
    int at = panel * DH_PANEL;
    size_t all = (size_t)p->w->cols / DH_INTS_BLOCK;
    size_t from = ((size_t)panel * all + (size_t)b0) * DH_PANEL;
    struct dh_tile_ints t = {
        .x = x,
        .w = pack_words(p) + from * DH_INTS_BLOCK / 4,
        .scales = packed_scales(p) + from * factors_of(p->w),
        .bias = p->bias ? p->bias + p->col0 + at : NULL,
        .c = p->y + (size_t)row * p->ldy + p->col0 + at,
        .ldc = p->ldy,
        .m = rows,
        .n = DH_MIN(DH_PANEL, p->cols - at),
        .blocks = blocks,
        .zero = p->w->dtype == DH_Q6_K ? 32 : dh_ints_zero(p->w->dtype),
        .start = b0        ? DH_TILE_ADD
                 : p->bias ? DH_TILE_BIAS
                           : DH_TILE_ZERO,
    };
    p->way.ints->tile(&t);
}

static void run_piece_ints(const struct dh_part *p, int i, int worker)
{
    struct area a = area_of(p, i);
    for (int k0 = 0; k0 < p->w->cols; k0 += INTS_DEPTH) {
        int depth = DH_MIN(INTS_DEPTH, p->w->cols - k0);
        struct dh_ints_x x =
            ints_of(scratch_words(p->b, worker), a.rows, depth);
        narrow_ints(p, &x, a.row, a.rows, k0);
        for (int panel = a.from; panel < a.to; panel++)
            ints_panel(p, panel, x, a.row, a.rows, k0 / DH_INTS_BLOCK,
                       depth / DH_INTS_BLOCK);
    }
}

// As multiply_columns and sum_rows.
static void sum_columns(const struct dh_part *p, struct dh_sum_ints t, int b0)
{
    size_t words = (size_t)p->w->cols / 4, all = words * 4 / DH_INTS_BLOCK;
    for (int i = 0; i < p->m; i += DH_PANEL) {
        const uint32_t *x = p->narrow + (size_t)i * p->way.depth;
        t.m = DH_MIN(DH_PANEL, p->m - i);
        size_t m = (size_t)t.m, at = (size_t)b0 * m;
        t.x = x + at * DH_INTS_BLOCK / 4;
        t.x_scales = (const float *)(const void *)(x + words * m) + at;
        t.x_sums = t.x_scales + all * m;
        p->way.ints->sum(&t);
        t.sums += SUM_ROWS * DH_PANEL;
    }
}

static void sum_ints(const struct dh_part *p, int begin, int end, int worker)
{
    int all = p->w->cols / DH_INTS_BLOCK;
    float *sums = sums_of(p, worker);
    int8_t *codes = (int8_t *)scratch_words(p->b, worker);
    float *scales = sums - factors_of(p->w) * SUM_BLOCKS * DH_PANEL;
    struct dh_sum_ints t = { .type = p->w->dtype,
                             .codes = codes,
                             .scales = scales };
    for (int b0 = 0; b0 < all; b0 += t.blocks) {
        t.blocks = DH_MIN(SUM_BLOCKS, all - b0);
        t.start = b0 ? DH_TILE_ADD : p->bias ? DH_TILE_BIAS : DH_TILE_ZERO;
        for (int row = begin; row < end; row += DH_PANEL) {
            t.rows = DH_MIN(DH_PANEL, end - row);
            t.bias = p->bias ? p->bias + row : NULL;
            t.sums = sums + (row - begin) * DH_PANEL;
            p->way.ints->spread(codes, scales, p->w, row, t.rows, b0, t.blocks);
            sum_columns(p, t, b0);
        }
    }
    scatter(p, sums, begin, end, NULL);
}

static void run_dot_int_columns(const struct dh_part *p, int begin, int end,
                                int worker)
{
    for (; begin < end; begin += SUM_ROWS)
        sum_ints(p, begin, DH_MIN(begin + SUM_ROWS, end), worker);
}

struct dh_way dh_part_way(const struct dh_backend *b, const struct dh_mat *w,
                          int m)
{
    size_t cols = (size_t)w->cols;
    const struct dh_ints *ints = ints_for(b, w);
    if (ints && ints->gather && m > DH_DOT_ROWS)
        return (struct dh_way){ run_dot_int_columns, NULL, NULL,
                                cols / 4 + 2 * cols / DH_INTS_BLOCK, ints };
    if (ints)
        return (struct dh_way){ run_dot_ints, run_pack_ints, run_piece_ints,
                                cols / 4 + factors_of(w) * cols / DH_INTS_BLOCK,
                                ints };
    if (has_pairs(b, w) && b->k->pairs->gather)
        return (struct dh_way){ run_dot_columns, NULL, NULL, cols / 2, NULL };
    return has_pairs(b, w)
               ? (struct dh_way){ run_dot, run_pack, run_piece_pairs, cols / 2,
                                  NULL }
               : (struct dh_way){ run_dot, run_pack, run_piece, cols, NULL };
}

void dh_part_narrow(const struct dh_part *p, int i)
{
    int row = i * DH_PANEL;
    if (p->way.dot == run_dot_columns || p->way.dot == run_dot_int_columns) {
        (p->way.dot == run_dot_columns ? p->b->k->pairs->gather
                                       : p->way.ints->gather)(
            p->narrow + (size_t)row * p->way.depth, p->x + (size_t)row * p->ldx,
            p->ldx, DH_MIN(DH_PANEL, p->m - row), p->w->cols);
    } else if (p->way.dot == run_dot_ints) {
        struct dh_ints_x x = ints_of(p->narrow, p->m, p->w->cols);
        narrow_ints(p, &x, 0, p->m, 0);
    } else if (has_pairs(p->b, p->w)) {
        for (int r = 0; r < p->m; r++)
            p->b->k->pairs->narrow(
                (uint16_t *)(p->narrow + (size_t)r * p->way.depth),
                p->x + (size_t)r * p->ldx, (size_t)p->w->cols);
    }
}

bool dh_part_has_same_rows(const struct dh_part *a, const struct dh_part *b)
{
    return a->x == b->x && a->ldx == b->ldx && a->m == b->m &&
           a->w->cols == b->w->cols && a->way.dot == b->way.dot &&
           a->way.ints == b->way.ints &&
           has_pairs(a->b, a->w) == has_pairs(b->b, b->w);
}
