// Products of matrices and rows: cut in pieces and given to the pool, several
// products in one turn.
#include "base/mem.h"
#include "base/pool.h"
#include "model/products_priv.h"

// Below so many multiply-adds waking a thread costs more than it brings.
#define SMALL     ((size_t)1 << 18)
// Words that are not worth waking a thread to be rounded.
#define FEW_WORDS ((size_t)1 << 14)
// Products, or parts of them, that are computed at once.
#define PARTS     48

size_t dh_backend_narrow_words(int max_depth)
{
    return DH_GATHER_ROWS * ((size_t)max_depth / 2 + 16);
}

// Parts whose pieces are numbered through.
struct batch {
    const struct dh_backend *b;
    struct dh_part parts[PARTS];
    int ends[PARTS]; // the first piece behind each part
    int n;
    int slice;   // rows of w in a piece of a dot product
    size_t used; // of the memory that they share
    size_t work; // multiply-adds
};

// Piece i of all is piece i of which part?
static const struct dh_part *part_of(const struct batch *t, int *i)
{
    int part = 0;
    while (*i >= t->ends[part])
        part++;
    *i -= part ? t->ends[part - 1] : 0;
    return &t->parts[part];
}

static void run_dots(void *arg, size_t begin, size_t end, int worker)
{
    const struct batch *t = arg;
    for (; begin < end; begin++) {
        int i = (int)begin;
        const struct dh_part *p = part_of(t, &i);
        p->way.dot(p, i * t->slice, DH_MIN((i + 1) * t->slice, p->w->rows),
                   worker);
    }
}

static void run_narrows(void *arg, size_t begin, size_t end, int worker)
{
    const struct batch *t = arg;
    (void)worker;
    for (; begin < end; begin++) {
        int i = (int)begin;
        const struct dh_part *p = part_of(t, &i);
        dh_part_narrow(p, i);
    }
}

static void run_packs(void *arg, size_t begin, size_t end, int worker)
{
    const struct batch *t = arg;
    for (; begin < end; begin++) {
        int i = (int)begin;
        const struct dh_part *p = part_of(t, &i);
        p->way.pack(p, i, worker);
    }
}

static void run_pieces(void *arg, size_t begin, size_t end, int worker)
{
    const struct batch *t = arg;
    for (; begin < end; begin++) {
        int i = (int)begin;
        const struct dh_part *p = part_of(t, &i);
        p->way.piece(p, i, worker);
    }
}

static int slices(const struct batch *t, const struct dh_part *p)
{
    return (p->w->rows + t->slice - 1) / t->slice;
}

static int narrows(const struct batch *t, const struct dh_part *p)
{
    (void)t;
    return p->shared ? 0 : (p->m + DH_PANEL - 1) / DH_PANEL;
}

static int panels(const struct batch *t, const struct dh_part *p)
{
    (void)t;
    return (p->cols + DH_PANEL - 1) / DH_PANEL;
}

static int pieces(const struct batch *t, const struct dh_part *p)
{
    (void)t;
    return dh_part_pieces(p);
}

static void run(struct batch *t, bool small, dh_pool_fn fn,
                int (*number)(const struct batch *t, const struct dh_part *p))
{
    int all = 0;
    for (int i = 0; i < t->n; i++) {
        all += number(t, &t->parts[i]);
        t->ends[i] = all;
    }
    dh_pool_run(small ? NULL : t->b->pool, (size_t)all, 1, fn, t);
}

// Rows that are taken at once: few enough for all threads, many enough that
// what is fetched ahead is the same thread's.
static int fair_slice(const struct batch *t)
{
    int rows = 0;
    for (int i = 0; i < t->n; i++)
        rows += t->parts[i].w->rows;
    return DH_CLAMP(rows / (4 * t->b->threads) / 64 * 64, 64, 256);
}

// Pieces as large as the caches allow and of one size; smaller ones where there
// are few, so that no thread waits long for the last one.
static void cut(struct batch *t)
{
    int all = 0;
    for (int i = 0; i < t->n; i++) {
        struct dh_part *p = &t->parts[i];
        int n = (p->m + DH_PIECE_ROWS - 1) / DH_PIECE_ROWS,
            each = (p->m + n - 1) / n;
        p->rows_each = (each + DH_TILE_ROWS - 1) / DH_TILE_ROWS * DH_TILE_ROWS;
        p->cols_each = DH_PIECE_COLS;
        all += dh_part_pieces(p);
    }
    for (int i = 0; i < t->n && all < 8 * t->b->threads; i++)
        t->parts[i].cols_each = DH_PIECE_COLS / 2;
}

static void flush(struct batch *t, bool dots)
{
    bool small = t->n && t->work < SMALL;
    if (t->n && dots) {
        t->slice = fair_slice(t);
        run(t, t->used < FEW_WORDS, run_narrows, narrows);
        run(t, small, run_dots, slices);
    } else if (t->n) {
        cut(t);
        run(t, small, run_packs, panels);
        run(t, small, run_pieces, pieces);
    }
    t->n = 0;
    t->used = 0;
    t->work = 0;
}

static void add_rows(struct batch *t, struct dh_part p)
{
    size_t words = ((size_t)p.m * ((size_t)p.w->cols / 2) + 15) / 16 * 16;
    bool same = t->n && dh_part_has_same_rows(&t->parts[t->n - 1], &p);
    if (t->n == PARTS || (!same && t->used + words > t->b->narrow_words)) {
        flush(t, true);
        same = false;
    }
    if (same) {
        p.narrow = t->parts[t->n - 1].narrow;
    } else {
        p.narrow = t->b->narrow + t->used;
        t->used += words;
    }
    p.shared = same;
    t->work += (size_t)p.m * (size_t)p.w->rows * (size_t)p.w->cols;
    t->parts[t->n++] = p;
}

// As many rows at a time as there is surely room for.
static void add_dot(struct batch *t, struct dh_part p)
{
    for (int rest = p.m; rest > 0; rest -= p.m) {
        p.m = DH_MIN(rest, DH_GATHER_ROWS);
        add_rows(t, p);
        p.x += (size_t)p.m * p.ldx;
        p.y += (size_t)p.m * p.ldy;
    }
}

// As many columns at a time as there is room for.
static void add_packed(struct batch *t, struct dh_part p)
{
    while (p.col0 < p.w->rows) {
        size_t room =
            (t->b->pack_floats - t->used) / p.way.depth / DH_PANEL * DH_PANEL;
        size_t rest = (size_t)(p.w->rows - p.col0);
        if (t->n == PARTS || (t->n && rest > room)) {
            flush(t, false);
            continue;
        }
        p.cols = (int)DH_MIN(room, rest);
        p.pack = t->b->pack + t->used;
        t->used += dh_panel_round((size_t)p.cols) * p.way.depth;
        t->work += (size_t)p.m * (size_t)p.cols * (size_t)p.w->cols;
        t->parts[t->n++] = p;
        p.col0 += p.cols;
    }
}

void dh_backend_products(const struct dh_backend *b, const struct dh_product *p,
                         int n)
{
    struct batch dots, packed;
    dots.b = packed.b = b;
    dots.n = packed.n = 0;
    flush(&dots, true);
    flush(&packed, false);
    for (int i = 0; i < n; i++) {
        struct dh_part one = { .b = b,
                               .w = p[i].w,
                               .x = p[i].x,
                               .bias = p[i].bias,
                               .y = p[i].y,
                               .ldx = p[i].ldx,
                               .ldy = p[i].ldy,
                               .m = p[i].m,
                               .way = dh_part_way(b, p[i].w, p[i].m) };
        if (one.m > DH_DOT_ROWS && one.way.pack)
            add_packed(&packed, one);
        else
            add_dot(&dots, one);
    }
    flush(&dots, true);
    flush(&packed, false);
}

void dh_backend_matmul(const struct dh_backend *b, float *y, size_t ldy,
                       const float *x, size_t ldx, int m,
                       const struct dh_mat *w, const float *bias)
{
    struct dh_product p = { y, x, bias, w, ldy, ldx, m };
    dh_backend_products(b, &p, 1);
}
