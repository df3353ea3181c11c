// Products of a matrix and rows: cut in pieces, in the arithmetic that suits
// the matrix's type.
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "model/backend_priv.h"
#include "model/quant_priv.h"

// Depth of one pass over a panel, in floats or in words of two bfloat16: a
// panel of it stays in the first cache.
#define DEPTH      256
// Rows and columns of one piece of a product.
#define ROWS       96
#define COLS       256
// Below so many multiply-adds waking a thread costs more than it brings.
#define SMALL      ((size_t)1 << 18)
// Rows up to which weights are read in place: packing them would cost more.
#define DOT_ROWS   4
// Rows of a matrix that are expanded at once for such a product.
#define DOT_COLS   64
// Columns of quantised weights that are expanded at once: with DOT_COLS rows
// they stay in the second cache. A multiple of every block.
#define EXPAND     256
// Depth of one pass in whole numbers; ROWS rows of it fit where floats do.
#define INTS_DEPTH 768

_Static_assert(DOT_COLS *EXPAND <= ROWS * DEPTH, "expanded rows");
_Static_assert(INTS_DEPTH * 5 / 16 <= DEPTH, "codes, scales and sums");

size_t dh_backend_product_floats(void)
{
    return (size_t)ROWS * DEPTH;
}

size_t dh_backend_narrow_words(int max_depth)
{
    return DOT_ROWS * ((size_t)max_depth / 2 + 1);
}

struct product {
    const struct dh_backend *b;
    const struct dh_mat *w;
    const float *x, *bias;
    float *y;
    size_t ldx, ldy;
    int m;
    int col0, cols; // of w's rows: what is packed now
    int row_pieces;
};

// Both hold floats, or words where pairs of bfloat16 are multiplied.
static uint32_t *pack_words(const struct dh_backend *b)
{
    return (uint32_t *)(void *)b->pack;
}

static uint32_t *scratch_words(const struct dh_backend *b, int worker)
{
    return (uint32_t *)(void *)(b->scratch +
                                (size_t)worker * b->scratch_floats);
}

static struct dh_dot dot_of(const struct product *p, size_t begin, size_t end)
{
    return (struct dh_dot){
        .y = p->y + begin,
        .start = p->bias ? p->bias + begin : NULL,
        .w = p->w,
        .ldy = p->ldy,
        .m = p->m,
        .row0 = (int)begin,
        .rows = (int)(end - begin),
    };
}

static bool is_quantised(const struct dh_mat *w)
{
    return dh_quant_block(w->dtype) > 1;
}

static bool has_pairs(const struct dh_backend *b, const struct dh_mat *w)
{
    return b->k->pairs && w->cols % 2 == 0 &&
           (w->dtype == DH_BF16 || is_quantised(w));
}

// Rows and columns of a quantised matrix in the scratch of this worker, as the
// kernels take them.
static struct dh_mat expand(const struct product *p, int row0, int rows, int k0,
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
        if (pairs)
            k->pairs->expand((uint16_t *)(void *)wide + (size_t)r * n, p->w,
                             row0 + r, k0, n);
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
static void dot_expanded(const struct product *p, struct dh_dot d, int worker)
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
            k->pairs->dot(&d, p->b->narrow + k0 / 2, (size_t)cols / 2);
        else
            k->dot(&d, p->x + k0, p->ldx);
        d.start = d.y;
        d.lds = d.ldy;
    }
}

// The dot products of some rows. Words of x lie in b->narrow.
static void run_dot(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    const struct dh_kernels *k = p->b->k;
    struct dh_dot d = dot_of(p, begin, end);
    bool pairs = has_pairs(p->b, p->w);
    if (!is_expanded(p->w, pairs)) {
        if (pairs)
            k->pairs->dot(&d, p->b->narrow, (size_t)p->w->cols / 2);
        else
            k->dot(&d, p->x, p->ldx);
        return;
    }
    for (; begin < end; begin += DOT_COLS)
        dot_expanded(p, dot_of(p, begin, DH_MIN(begin + DOT_COLS, end)),
                     worker);
}

// A panel, part by part where it has to be expanded.
static void run_pack(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    const struct dh_kernels *k = p->b->k;
    bool pairs = has_pairs(p->b, p->w);
    int cols = p->w->cols, step = is_quantised(p->w) ? EXPAND : cols;
    for (size_t i = begin; i < end; i++) {
        int at = (int)i * DH_PANEL, rows = DH_MIN(DH_PANEL, p->cols - at);
        for (int k0 = 0; k0 < cols; k0 += step) {
            struct dh_mat some = *p->w;
            int n = DH_MIN(step, cols - k0), row0 = p->col0 + at;
            if (is_quantised(p->w)) {
                some = expand(p, row0, rows, k0, n, worker);
                row0 = 0;
            }
            size_t to = i * DH_PANEL * (size_t)cols + (size_t)k0 * DH_PANEL;
            if (pairs)
                k->pairs->pack(pack_words(p->b) + to / 2, &some, row0, rows, 0,
                               n / 2);
            else
                k->pack(p->b->pack + to, &some, row0, rows, 0, n);
        }
    }
}

// The last columns of a matrix may be less than a tile: compute it aside.
static void tile_edge(const struct product *p, struct dh_tile t, int n)
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
static void run_panel(const struct product *p, int panel, int row, int row_end,
                      int k0, int depth)
{
    int at = panel * DH_PANEL, n = DH_MIN(DH_PANEL, p->cols - at);
    const float *bias = p->bias ? p->bias + p->col0 + at : NULL;
    struct dh_tile t = {
        .b = p->b->pack + ((size_t)panel * p->w->cols + k0) * DH_PANEL,
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
static void pair_panel(const struct product *p, int panel, const uint32_t *x,
                       int row, int rows, int k0, int depth)
{
    int at = panel * DH_PANEL;
    size_t words = (size_t)p->w->cols / 2;
    struct dh_tile_pairs t = {
        .a = x,
        .b = pack_words(p->b) + ((size_t)panel * words + (size_t)k0) * DH_PANEL,
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

static void run_piece(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    (void)worker;
    int panels = (p->cols + DH_PANEL - 1) / DH_PANEL;
    for (size_t i = begin; i < end; i++) {
        int row = (int)(i % (size_t)p->row_pieces) * ROWS;
        int row_end = DH_MIN(row + ROWS, p->m);
        int first = (int)(i / (size_t)p->row_pieces) * (COLS / DH_PANEL);
        int last = DH_MIN(first + COLS / DH_PANEL, panels);
        for (int k0 = 0; k0 < p->w->cols; k0 += DEPTH) {
            int depth = DH_MIN(DEPTH, p->w->cols - k0);
            for (int panel = first; panel < last; panel++)
                run_panel(p, panel, row, row_end, k0, depth);
        }
    }
}

// Some rows of x as words, from column k0 on.
static uint32_t *narrow_rows(const struct product *p, int row, int rows, int k0,
                             int depth, int worker)
{
    uint32_t *out = scratch_words(p->b, worker);
    for (int r = 0; r < rows; r++)
        p->b->k->pairs->narrow((uint16_t *)(out + (size_t)r * (size_t)depth),
                               p->x + (size_t)(row + r) * p->ldx + 2 * k0,
                               2 * (size_t)depth);
    return out;
}

static void run_piece_pairs(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    int panels = (p->cols + DH_PANEL - 1) / DH_PANEL, words = p->w->cols / 2;
    for (size_t i = begin; i < end; i++) {
        int row = (int)(i % (size_t)p->row_pieces) * ROWS;
        int rows = DH_MIN(ROWS, p->m - row);
        int first = (int)(i / (size_t)p->row_pieces) * (COLS / DH_PANEL);
        int last = DH_MIN(first + COLS / DH_PANEL, panels);
        for (int k0 = 0; k0 < words; k0 += DEPTH) {
            int depth = DH_MIN(DEPTH, words - k0);
            uint32_t *x = narrow_rows(p, row, rows, k0, depth, worker);
            for (int panel = first; panel < last; panel++)
                pair_panel(p, panel, x, row, rows, k0, depth);
        }
    }
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

static void narrow_ints(const struct product *p, const struct dh_ints_x *x,
                        int row, int rows, int k0)
{
    for (int r = 0; r < rows; r++)
        p->b->k->ints->narrow(x->codes + (size_t)r * x->ldc,
                              x->scales + (size_t)r * x->lds,
                              x->sums + (size_t)r * x->lds,
                              p->x + (size_t)(row + r) * p->ldx + k0, x->ldc);
}

static void run_dot_ints(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    struct dh_dot d = dot_of(p, begin, end);
    struct dh_ints_x x = ints_of(p->b->narrow, p->m, p->w->cols);
    (void)worker;
    p->b->k->ints->dot(&d, &x);
}

// Codes of all panels, then their scales.
static float *packed_scales(const struct product *p)
{
    size_t panels = (size_t)(p->cols + DH_PANEL - 1) / DH_PANEL;
    return p->b->pack + panels * DH_PANEL * (size_t)(p->w->cols / 4);
}

static void run_pack_ints(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    int blocks = p->w->cols / DH_INTS_BLOCK;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        int row = (int)i * DH_PANEL;
        size_t at = i * DH_PANEL * (size_t)blocks;
        p->b->k->ints->pack(pack_words(p->b) + at * DH_INTS_BLOCK / 4,
                            packed_scales(p) + at, p->w, p->col0 + row,
                            DH_MIN(DH_PANEL, p->cols - row), 0, blocks);
    }
}

static void ints_panel(const struct product *p, int panel, struct dh_ints_x x,
                       int row, int rows, int b0, int blocks)
{
    int at = panel * DH_PANEL;
    size_t all = (size_t)p->w->cols / DH_INTS_BLOCK;
    size_t from = ((size_t)panel * all + (size_t)b0) * DH_PANEL;
    struct dh_tile_ints t = {
        .x = x,
        .w = pack_words(p->b) + from * DH_INTS_BLOCK / 4,
        .scales = packed_scales(p) + from,
        .bias = p->bias ? p->bias + p->col0 + at : NULL,
        .c = p->y + (size_t)row * p->ldy + p->col0 + at,
        .ldc = p->ldy,
        .m = rows,
        .n = DH_MIN(DH_PANEL, p->cols - at),
        .blocks = blocks,
        .zero = dh_ints_zero(p->w->dtype),
        .start = b0        ? DH_TILE_ADD
                 : p->bias ? DH_TILE_BIAS
                           : DH_TILE_ZERO,
    };
    p->b->k->ints->tile(&t);
}

static void run_piece_ints(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    int panels = (p->cols + DH_PANEL - 1) / DH_PANEL;
    for (size_t i = begin; i < end; i++) {
        int row = (int)(i % (size_t)p->row_pieces) * ROWS;
        int rows = DH_MIN(ROWS, p->m - row);
        int first = (int)(i / (size_t)p->row_pieces) * (COLS / DH_PANEL);
        int last = DH_MIN(first + COLS / DH_PANEL, panels);
        for (int k0 = 0; k0 < p->w->cols; k0 += INTS_DEPTH) {
            int depth = DH_MIN(INTS_DEPTH, p->w->cols - k0);
            struct dh_ints_x x =
                ints_of(scratch_words(p->b, worker), rows, depth);
            narrow_ints(p, &x, row, rows, k0);
            for (int panel = first; panel < last; panel++)
                ints_panel(p, panel, x, row, rows, k0 / DH_INTS_BLOCK,
                           depth / DH_INTS_BLOCK);
        }
    }
}

// How a product is cut and computed: in float32, in pairs of bfloat16, or in
// whole numbers.
struct way {
    dh_pool_fn dot, pack, piece;
    size_t depth; // floats or words of a packed row of w
};

static struct way way_of(const struct dh_backend *b, const struct dh_mat *w)
{
    size_t cols = (size_t)w->cols;
    if (b->k->ints && dh_ints_zero(w->dtype))
        return (struct way){ run_dot_ints, run_pack_ints, run_piece_ints,
                             cols / 4 + cols / DH_INTS_BLOCK };
    return has_pairs(b, w)
               ? (struct way){ run_dot, run_pack, run_piece_pairs, cols / 2 }
               : (struct way){ run_dot, run_pack, run_piece, cols };
}

// The few rows of a dot product, once for all pieces.
static void narrow_all(const struct product *p, const struct way *way)
{
    if (way->dot == run_dot_ints) {
        struct dh_ints_x x = ints_of(p->b->narrow, p->m, p->w->cols);
        narrow_ints(p, &x, 0, p->m, 0);
    } else if (has_pairs(p->b, p->w)) {
        for (int i = 0; i < p->m; i++)
            p->b->k->pairs->narrow(
                (uint16_t *)(p->b->narrow + (size_t)i * way->depth),
                p->x + (size_t)i * p->ldx, (size_t)p->w->cols);
    }
}

// Rows that are taken at once: few enough for all threads, many enough that
// what is fetched ahead is the same thread's.
static size_t dot_slice(const struct dh_backend *b, const struct dh_mat *w)
{
    size_t fair = (size_t)w->rows / (4 * (size_t)b->threads) / 64 * 64;
    return DH_CLAMP(fair, (size_t)64, (size_t)256);
}

void dh_backend_matmul(const struct dh_backend *b, float *y, size_t ldy,
                       const float *x, size_t ldx, int m,
                       const struct dh_mat *w, const float *bias)
{
    struct way way = way_of(b, w);
    struct product p = { .b = b,
                         .w = w,
                         .x = x,
                         .bias = bias,
                         .y = y,
                         .ldx = ldx,
                         .ldy = ldy,
                         .m = m };
    size_t work = (size_t)m * (size_t)w->rows * (size_t)w->cols;
    struct dh_pool *pool = work < SMALL ? NULL : b->pool;
    if (m <= 0)
        return;
    if (m <= DOT_ROWS) {
        narrow_all(&p, &way);
        dh_pool_run(pool, (size_t)w->rows, dot_slice(b, w), way.dot, &p);
        return;
    }
    size_t fit = b->pack_floats / way.depth / DH_PANEL * DH_PANEL;
    p.row_pieces = (m + ROWS - 1) / ROWS;
    for (int col = 0; col < w->rows; col += p.cols) {
        p.col0 = col;
        p.cols = (int)DH_MIN(fit, (size_t)(w->rows - col));
        size_t panels = (size_t)(p.cols + DH_PANEL - 1) / DH_PANEL;
        size_t groups = (size_t)(p.cols + COLS - 1) / COLS;
        dh_pool_run(pool, panels, 1, way.pack, &p);
        dh_pool_run(pool, groups * (size_t)p.row_pieces, 1, way.piece, &p);
    }
}
