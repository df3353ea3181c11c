#include "model/backend_priv.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/pool.h"

#define DH_LOG_TAG "backend"
#include "base/log.h"

// Depth of one pass over a panel, in floats or in words of two bfloat16: a
// panel of it stays in the first cache.
#define DEPTH       256
// Rows and columns of one piece of a product.
#define ROWS        96
#define COLS        256
// Packed weights that the shared cache is to hold.
#define PACK_FLOATS ((size_t)1 << 20)
// Below so many multiply-adds waking a thread costs more than it brings.
#define SMALL       ((size_t)1 << 18)
// Rows up to which weights are read in place: packing them would cost more.
#define DOT_ROWS    4

enum dh_status dh_backend_init(struct dh_backend *b, const struct dh_kernels *k,
                               struct dh_pool *pool, int max_depth, int max_dim)
{
    memset(b, 0, sizeof(*b));
    b->k = k;
    b->pool = pool;
    b->threads = dh_pool_threads(pool);
    b->pack_floats =
        DH_MAX(PACK_FLOATS, (size_t)DH_PANEL * (size_t)DH_MAX(max_depth, 1));
    b->scratch_floats =
        DH_MAX(dh_backend_attend_floats(max_dim), (size_t)ROWS * DEPTH);
    b->pack = dh_big_alloc(b->pack_floats * sizeof(float));
    b->narrow = dh_big_alloc(DOT_ROWS * ((size_t)max_depth / 2 + 1) *
                             sizeof(*b->narrow));
    b->scratch =
        dh_big_alloc(b->scratch_floats * (size_t)b->threads * sizeof(float));
    if (b->pack && b->scratch && b->narrow)
        return DH_OK;
    dh_error("no memory for the kernels");
    dh_backend_finish(b);
    return DH_ERR_NOMEM;
}

void dh_backend_finish(struct dh_backend *b)
{
    dh_big_free(b->pack);
    dh_big_free(b->scratch);
    dh_big_free(b->narrow);
    memset(b, 0, sizeof(*b));
}

// --- products ---------------------------------------------------------------

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

static void run_dot(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    (void)worker;
    p->b->k->dot(p->y + begin, p->ldy, p->x, p->ldx, p->m, p->w, (int)begin,
                 (int)(end - begin), p->bias ? p->bias + begin : NULL);
}

static void run_pack(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        int row = (int)i * DH_PANEL;
        p->b->k->pack(p->b->pack + i * DH_PANEL * (size_t)p->w->cols, p->w,
                      p->col0 + row, DH_MIN(DH_PANEL, p->cols - row), 0,
                      p->w->cols);
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

static void run_dot_pairs(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    (void)worker;
    p->b->k->pairs->dot(p->y + begin, p->ldy, p->b->narrow,
                        (size_t)p->w->cols / 2, p->m, p->w, (int)begin,
                        (int)(end - begin), p->bias ? p->bias + begin : NULL);
}

static void run_pack_pairs(void *arg, size_t begin, size_t end, int worker)
{
    const struct product *p = arg;
    size_t words = (size_t)p->w->cols / 2;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        int row = (int)i * DH_PANEL;
        p->b->k->pairs->pack(pack_words(p->b) + i * DH_PANEL * words, p->w,
                             p->col0 + row, DH_MIN(DH_PANEL, p->cols - row), 0,
                             (int)words);
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

// How a product is cut and computed: in float32, or in pairs of bfloat16.
struct way {
    dh_pool_fn dot, pack, piece;
    size_t depth; // floats or words of a row of w
};

static struct way way_of(const struct dh_backend *b, const struct dh_mat *w)
{
    bool pairs = b->k->pairs && w->dtype == DH_BF16 && w->cols % 2 == 0;
    return pairs
               ? (struct way){ run_dot_pairs, run_pack_pairs, run_piece_pairs,
                               (size_t)w->cols / 2 }
               : (struct way){ run_dot, run_pack, run_piece, (size_t)w->cols };
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
        for (int i = 0; i < m && way.dot == run_dot_pairs; i++)
            b->k->pairs->narrow((uint16_t *)(b->narrow + (size_t)i * way.depth),
                                x + (size_t)i * ldx, (size_t)w->cols);
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

// --- row by row -------------------------------------------------------------

struct rows {
    const struct dh_kernels *k;
    float *y;
    const float *x, *w, *bias;
    size_t n;
    float eps, alpha, limit;
};

// Elements of one piece of a long vector.
#define PIECE ((size_t)1 << 13)

static void run_rmsnorm(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        r->k->rmsnorm(r->y + i * r->n, r->x + i * r->n, r->w, (int)r->n,
                      r->eps);
}

static void run_layernorm(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        r->k->layernorm(r->y + i * r->n, r->x + i * r->n, r->w, r->bias,
                        (int)r->n, r->eps);
}

static void run_gelu(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    r->k->gelu(r->y + begin, end - begin);
}

static void run_swiglu(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    r->k->swiglu(r->y + begin, r->x + begin, r->w + begin, end - begin,
                 r->alpha, r->limit);
}

static void run_add(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    r->k->add_scaled(r->y + begin, r->x + begin, 1, end - begin);
}

static struct dh_pool *pool_for(const struct dh_backend *b, size_t elements)
{
    return elements < SMALL / 8 ? NULL : b->pool;
}

void dh_backend_rmsnorm(const struct dh_backend *b, float *y, const float *x,
                        const float *w, int rows, int n, float eps)
{
    struct rows r = {
        .k = b->k, .y = y, .x = x, .w = w, .n = (size_t)n, .eps = eps
    };
    dh_pool_run(pool_for(b, (size_t)rows * r.n), (size_t)rows, 32, run_rmsnorm,
                &r);
}

void dh_backend_layernorm(const struct dh_backend *b, float *y, const float *x,
                          const float *w, const float *bias, int rows, int n,
                          float eps)
{
    struct rows r = { .k = b->k,
                      .y = y,
                      .x = x,
                      .w = w,
                      .bias = bias,
                      .n = (size_t)n,
                      .eps = eps };
    dh_pool_run(pool_for(b, (size_t)rows * r.n), (size_t)rows, 32,
                run_layernorm, &r);
}

void dh_backend_gelu(const struct dh_backend *b, float *x, size_t n)
{
    struct rows r = { .k = b->k, .y = x };
    dh_pool_run(pool_for(b, n), n, PIECE, run_gelu, &r);
}

void dh_backend_swiglu(const struct dh_backend *b, float *y, const float *gate,
                       const float *up, size_t n, float alpha, float limit)
{
    struct rows r = {
        .k = b->k, .y = y, .x = gate, .w = up, .alpha = alpha, .limit = limit
    };
    dh_pool_run(pool_for(b, n), n, PIECE, run_swiglu, &r);
}

void dh_backend_add(const struct dh_backend *b, float *y, const float *x,
                    size_t n)
{
    struct rows r = { .k = b->k, .y = y, .x = x };
    dh_pool_run(pool_for(b, n), n, PIECE, run_add, &r);
}
