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
// Panels of keys that are softened at once.
#define SPAN        8

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
        dh_pool_run(pool, (size_t)w->rows, 64, way.dot, &p);
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

// --- attention --------------------------------------------------------------

// What one call works on: queries, scores and sums of all rows.
struct attend {
    const struct dh_kernels *k;
    const struct dh_attend *a;
    float *q, *s, *o;
    uint32_t *q_pairs, *s_pairs; // of a head that has pairs
    int ldo;                     // floats of a row of o, a multiple of 16
    struct dh_soft soft[DH_ATTEND_ROWS];
};

static int round16(int n)
{
    return (n + 15) / 16 * 16;
}

size_t dh_backend_attend_floats(int dim)
{
    return (size_t)DH_ATTEND_ROWS *
           ((size_t)round16(dim) * 3 + (size_t)SPAN * DH_PANEL * 3 / 2);
}

static struct dh_attend_panel panel_at(const struct dh_attend *a, int i)
{
    if (a->panels)
        return a->panels[i];
    return (struct dh_attend_panel){ i, UINT32_MAX };
}

static void mask_panel(const struct attend *w, struct dh_attend_panel p,
                       int col)
{
    int64_t first = (int64_t)p.panel * DH_PANEL;
    for (int r = 0; r < w->a->rows; r++) {
        int64_t last = w->a->limit[r] - first; // of this panel, allowed
        if (last >= DH_PANEL - 1 && p.mask == UINT32_MAX)
            continue;
        float *s = w->s + (size_t)r * SPAN * DH_PANEL + col;
        for (int j = 0; j < DH_PANEL; j++) {
            if (j > last || !(p.mask >> j & 1))
                s[j] = -INFINITY;
        }
    }
}

static void score_span(const struct attend *w, int first, int n)
{
    const struct dh_attend *a = w->a;
    struct dh_tile t = {
        .lda = (size_t)a->head.dim,
        .ldb = DH_PANEL,
        .ldc = SPAN * DH_PANEL,
        .n = DH_PANEL,
        .k = a->head.dim,
        .start = DH_TILE_ZERO,
    };
    for (int i = 0; i < n; i++) {
        struct dh_attend_panel p = panel_at(a, first + i);
        t.b = a->head.keys + (size_t)p.panel * DH_PANEL * (size_t)a->head.dim;
        for (int r = 0; r < a->rows; r += DH_TILE_ROWS) {
            t.m = DH_MIN(DH_TILE_ROWS, a->rows - r);
            t.a = w->q + (size_t)r * (size_t)a->head.dim;
            t.c = w->s + (size_t)r * SPAN * DH_PANEL + i * DH_PANEL;
            w->k->tile(&t);
        }
        mask_panel(w, p, i * DH_PANEL);
    }
}

static void score_span_pairs(const struct attend *w, int first, int n)
{
    const struct dh_attend *a = w->a;
    size_t words = (size_t)a->head.dim / 2;
    struct dh_tile_pairs t = {
        .a = w->q_pairs,
        .lda = words,
        .ldb = DH_PANEL,
        .ldc = SPAN * DH_PANEL,
        .m = a->rows,
        .n = DH_PANEL,
        .k = (int)words,
        .start = DH_TILE_ZERO,
    };
    for (int i = 0; i < n; i++) {
        struct dh_attend_panel p = panel_at(a, first + i);
        t.b = a->head.key_pairs + (size_t)p.panel * DH_PANEL * words;
        t.c = w->s + i * DH_PANEL;
        w->k->pairs->tile(&t);
        mask_panel(w, p, i * DH_PANEL);
    }
}

static void gather_run_pairs(const struct attend *w, int first, int i, int n)
{
    const struct dh_attend_head *h = &w->a->head;
    const uint32_t *values =
        h->value_pairs + (size_t)panel_at(w->a, first + i).panel *
                             (DH_PANEL / 2) * (size_t)h->ldv;
    struct dh_tile_pairs t = {
        .a = w->s_pairs + i * DH_PANEL / 2,
        .lda = SPAN * DH_PANEL / 2,
        .ldb = (size_t)h->ldv,
        .ldc = (size_t)w->ldo,
        .m = w->a->rows,
        .k = n * DH_PANEL / 2,
        .start = DH_TILE_ADD,
    };
    for (int d = 0; d < w->ldo; d += t.n) {
        t.n = DH_MIN(DH_PANEL, w->ldo - d);
        t.b = values + d;
        t.c = w->o + d;
        w->k->pairs->tile(&t);
    }
}

// o += s v over `n` panels from `i` on, which follow each other in memory.
static void gather_run(const struct attend *w, int first, int i, int n)
{
    const struct dh_attend_head *h = &w->a->head;
    const float *values = h->values + (size_t)panel_at(w->a, first + i).panel *
                                          DH_PANEL * (size_t)h->ldv;
    struct dh_tile t = {
        .lda = SPAN * DH_PANEL,
        .ldb = (size_t)h->ldv,
        .ldc = (size_t)w->ldo,
        .k = n * DH_PANEL,
        .start = DH_TILE_ADD,
    };
    for (int d = 0; d < w->ldo; d += t.n) {
        t.n = DH_MIN(DH_PANEL, w->ldo - d);
        t.b = values + d;
        for (int r = 0; r < w->a->rows; r += DH_TILE_ROWS) {
            t.m = DH_MIN(DH_TILE_ROWS, w->a->rows - r);
            t.a = w->s + (size_t)r * SPAN * DH_PANEL + i * DH_PANEL;
            t.c = w->o + (size_t)r * (size_t)w->ldo + d;
            w->k->tile(&t);
        }
    }
}

static void attend_span(struct attend *w, int first, int n)
{
    const struct dh_attend *a = w->a;
    bool pairs = a->head.key_pairs != NULL;
    (pairs ? score_span_pairs : score_span)(w, first, n);
    for (int r = 0; r < a->rows; r++) {
        float *s = w->s + (size_t)r * SPAN * DH_PANEL;
        float keep = w->k->soften(s, n * DH_PANEL, &w->soft[r]);
        if (pairs)
            w->k->pairs->narrow(
                (uint16_t *)(w->s_pairs + (size_t)r * SPAN * DH_PANEL / 2), s,
                (size_t)n * DH_PANEL);
        if (keep != 1.0f)
            w->k->scale(w->o + (size_t)r * (size_t)w->ldo, keep,
                        (size_t)w->ldo);
    }
    for (int i = 0, run; i < n; i += run) {
        run = 1;
        while (i + run < n && panel_at(a, first + i + run).panel ==
                                  panel_at(a, first + i).panel + run)
            run++;
        (pairs ? gather_run_pairs : gather_run)(w, first, i, run);
    }
}

void dh_backend_attend(const struct dh_backend *b, const struct dh_attend *a,
                       int worker)
{
    size_t dim = (size_t)a->head.dim;
    struct attend w = { .k = b->k, .a = a, .ldo = round16(a->head.dim) };
    dh_debug_assert(a->rows <= DH_ATTEND_ROWS && a->head.ldv >= w.ldo);
    w.s = b->scratch + (size_t)worker * b->scratch_floats;
    w.o = w.s + DH_ATTEND_ROWS * SPAN * DH_PANEL;
    w.q = w.o + DH_ATTEND_ROWS * (size_t)w.ldo;
    w.q_pairs = (uint32_t *)(void *)(w.q + DH_ATTEND_ROWS * (size_t)w.ldo);
    w.s_pairs = w.q_pairs + DH_ATTEND_ROWS * (size_t)w.ldo;
    memset(w.o, 0, (size_t)a->rows * (size_t)w.ldo * sizeof(float));
    for (int r = 0; r < a->rows; r++) {
        memcpy(w.q + (size_t)r * dim, a->q[r], dim * sizeof(float));
        w.soft[r].max = -INFINITY;
    }
    b->k->scale(w.q, a->scale, (size_t)a->rows * dim);
    if (a->head.key_pairs)
        b->k->pairs->narrow((uint16_t *)w.q_pairs, w.q, (size_t)a->rows * dim);

    // Spans start at the same panels whatever the rows are, so that a row's
    // sums are taken in the same order in every chunk.
    for (int i = 0; i < a->n_panels; i += SPAN)
        attend_span(&w, i, DH_MIN(SPAN, a->n_panels - i));
    for (int r = 0; r < a->rows; r++) {
        float *o = w.o + (size_t)r * (size_t)w.ldo;
        b->k->scale(o, 1.0f / w.soft[r].sum, dim);
        memcpy(a->out[r], o, dim * sizeof(float));
    }
}
