// Block selection of MiniMax Sparse Attention (m3.md 10).
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "model/layer_priv.h"

// What a thread scores of one token's history at a time, at least.
#define UNITS 16

void dh_sparse_offer(struct dh_sparse_best *best, const float *scores,
                     int first, int n)
{
    // The best so far come first; a later block must be strictly better to pass
    // an earlier one.
    for (int b = first; b < DH_MIN(first + n, best->own + 1); b++) {
        float s = scores[b - first];
        if (b > best->own - best->local)
            s = INFINITY;
        if (!(s > -INFINITY) ||
            (best->kept == best->topk && !(s > best->scores[best->kept - 1])))
            continue;
        int at = best->kept < best->topk ? best->kept++ : best->kept - 1;
        for (; at > 0 && s > best->scores[at - 1]; at--) {
            best->scores[at] = best->scores[at - 1];
            best->blocks[at] = best->blocks[at - 1];
        }
        best->scores[at] = s;
        best->blocks[at] = b;
    }
}

void dh_sparse_close(struct dh_sparse_best *best)
{
    int32_t *out = best->blocks;
    for (int i = 1; i < best->kept; i++) {
        int32_t b = out[i];
        int at = i;
        for (; at > 0 && out[at - 1] > b; at--)
            out[at] = out[at - 1];
        out[at] = b;
    }
    for (int i = best->kept; i < best->topk; i++)
        out[i] = -1;
}

// Rows are pairs (token of the pass, index head), head fastest. Index keys are
// read once for ROWS of them, which meet PANELS at a time in groups. Scores do
// not leave that tile: their maxima do, and of these, after some blocks, the
// best.
#define ROWS   DH_SELECT_ROWS
#define GROUP  32
#define PANELS 4

struct select {
    struct dh_work *w;
    int layer;
    size_t skip; // rows that see everything
    size_t unit; // panels after which a block ends as well
};

struct rows {
    const struct select *s;
    size_t row;
    int n;
    float *maxima; // [n][stride], of blocks from `block` on
    size_t stride, block;
    float *best; // [n][index_topk_blocks], scores
    int kept[ROWS];
};

static void rows_init(struct rows *r, const struct select *s, size_t row, int n,
                      int worker)
{
    const struct dh_work *w = s->w;
    size_t topk = (size_t)w->model->config.text.index_topk_blocks;
    *r = (struct rows){ .s = s, .row = row, .n = n };
    r->best = w->best + (size_t)worker * ROWS * topk;
}

// `panels` of keys against m rows from `first` on.
static void score(const struct rows *r, size_t panel, int panels, int first,
                  int m, float *scores)
{
    const struct dh_work *w = r->s->w;
    int di = w->model->config.text.index_head_dim;
    const float *q = w->index_q + (r->row + (size_t)first) * (size_t)di;
    struct dh_tile_pairs pairs = {
        .a = (const uint32_t *)(const void *)q,
        .lda = (size_t)di,
        .ldb = DH_PANEL,
        .ldc = PANELS * DH_PANEL,
        .m = m,
        .k = di / 2,
        .start = DH_TILE_ZERO,
    };
    struct dh_tile tile = {
        .lda = (size_t)di,
        .ldb = DH_PANEL,
        .ldc = PANELS * DH_PANEL,
        .n = DH_PANEL,
        .k = di,
        .start = DH_TILE_ZERO,
    };
    for (int i = 0; i < panels; i += w->cache.index_pairs ? 2 : 1) {
        const float *keys =
            dh_kvcache_get_index(&w->cache, r->s->layer, panel + (size_t)i);
        if (w->cache.index_pairs) {
            pairs.b = (const uint32_t *)(const void *)keys;
            pairs.c = scores + i * DH_PANEL;
            pairs.n = DH_PANEL;
            if (i + 1 < panels) {
                pairs.more =
                    (const uint32_t *)(const void *)dh_kvcache_get_index(
                        &w->cache, r->s->layer, panel + (size_t)i + 1);
                pairs.n = 2 * DH_PANEL;
            }
            w->cache.index_pairs->tile(&pairs);
            continue;
        }
        tile.b = keys;
        for (int row = 0; row < m; row += DH_TILE_ROWS) {
            tile.a = q + row * di;
            tile.c = scores + row * PANELS * DH_PANEL + i * DH_PANEL;
            tile.m = DH_MIN(DH_TILE_ROWS, m - row);
            w->backend.k->tile(&tile);
        }
    }
}

// The last token that row i may see.
static size_t position_of(const struct rows *r, int i)
{
    const struct dh_work *w = r->s->w;
    return w->from +
           (r->row + (size_t)i) / (size_t)w->model->config.text.index_n_heads;
}

// Panels from `first` up to `end`, which begin and end where blocks do. What a
// row may not see lies in its own block or behind, which are not compared.
static void score_rows(const struct rows *r, size_t first, size_t end)
{
    const struct dh_work *w = r->s->w;
    const size_t size = (size_t)w->model->config.text.index_block_size;
    size_t from = first * DH_PANEL / size - r->block;
    size_t to = (end * DH_PANEL + size - 1) / size - r->block;
    float scores[GROUP * PANELS * DH_PANEL];
    for (int i = 0; i < r->n; i++)
        for (size_t b = from; b < DH_MIN(to, r->stride); b++)
            r->maxima[(size_t)i * r->stride + b] = -INFINITY;
    end = DH_MIN(end, position_of(r, r->n - 1) / DH_PANEL + 1);
    for (size_t panel = first; panel < end; panel += PANELS) {
        size_t key = panel * DH_PANEL;
        int panels = (int)DH_MIN((size_t)PANELS, end - panel);
        size_t last = key + (size_t)panels * DH_PANEL;
        for (int i = 0; i < r->n; i += GROUP) {
            int m = DH_MIN(GROUP, r->n - i);
            score(r, panel, panels, i, m, scores);
            for (size_t at = key, stop; at < last; at = stop) {
                stop = DH_MIN((at / size + 1) * size, last);
                w->backend.k->most(r->maxima + (size_t)i * r->stride +
                                       at / size - r->block,
                                   r->stride, scores + (at - key),
                                   PANELS * DH_PANEL, m, (int)(stop - at));
            }
        }
    }
}

static struct dh_sparse_best best_of(const struct rows *r, int i)
{
    const struct dh_work *w = r->s->w;
    const struct dh_text_config *t = &w->model->config.text;
    size_t topk = (size_t)t->index_topk_blocks;
    return (struct dh_sparse_best){
        .scores = r->best + (size_t)i * topk,
        .blocks = w->blocks + (r->row + (size_t)i) * topk,
        .kept = r->kept[i],
        .topk = t->index_topk_blocks,
        .own = (int)(position_of(r, i) / (size_t)t->index_block_size),
        .local = t->index_local_blocks,
    };
}

// The blocks whose maxima are there, which follow those before.
static void offer_blocks(struct rows *r, size_t n)
{
    for (int i = 0; i < r->n; i++) {
        struct dh_sparse_best best = best_of(r, i);
        dh_sparse_offer(&best, r->maxima + (size_t)i * r->stride, (int)r->block,
                        (int)n);
        r->kept[i] = best.kept;
    }
}

static void close_rows(const struct rows *r)
{
    for (int i = 0; i < r->n; i++) {
        struct dh_sparse_best best = best_of(r, i);
        dh_sparse_close(&best);
    }
}

// Units that have all that `row` may see.
static size_t units_of(const struct select *s, size_t row)
{
    const struct dh_work *w = s->w;
    size_t heads = (size_t)w->model->config.text.index_n_heads;
    size_t panels = (w->from + row / heads) / DH_PANEL + 1;
    return (panels + s->unit - 1) / s->unit;
}

static void run_rows(void *arg, size_t begin, size_t end, int worker)
{
    const struct select *s = arg;
    size_t size = (size_t)s->w->model->config.text.index_block_size;
    size_t each = s->unit * DH_PANEL / size; // blocks of a unit
    size_t step = DH_SELECT_BLOCKS / each;   // each: 32 by a power of two
    struct rows r;
    rows_init(&r, s, s->skip + begin, (int)(end - begin), worker);
    r.stride = DH_SELECT_BLOCKS;
    r.maxima = s->w->maxima + (size_t)worker * ROWS * r.stride;
    size_t units = units_of(s, r.row + (size_t)r.n - 1);
    for (size_t u = 0; u < units; u += step) {
        r.block = u * each;
        score_rows(&r, u * s->unit, (u + step) * s->unit);
        offer_blocks(&r, r.stride);
    }
    close_rows(&r);
}

// A few rows, the panels in units: each thread has blocks of its own.
static void run_units(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    score_rows(r, begin * r->s->unit, end * r->s->unit);
}

static void select_blocks(struct select *s, size_t rows)
{
    struct dh_work *w = s->w;
    struct dh_pool *pool = w->backend.pool;
    rows -= s->skip;
    if (rows > DH_SELECT_FEW) {
        size_t each = rows / (2 * (size_t)w->backend.threads) / GROUP * GROUP;
        each = DH_MIN(DH_MAX(each, (size_t)DH_SELECT_FEW), (size_t)ROWS);
        dh_pool_run(pool, rows, each, run_rows, s);
        return;
    }
    struct rows r;
    rows_init(&r, s, s->skip, (int)rows, 0);
    r.maxima = w->few_maxima;
    r.stride = (size_t)w->max_blocks;
    dh_pool_run(pool, units_of(s, s->skip + rows - 1), UNITS, run_units, &r);
    offer_blocks(&r, r.stride);
    close_rows(&r);
}

// Panels after which a block ends as well.
static size_t unit_of(size_t block_size)
{
    size_t a = block_size, b = DH_PANEL;
    while (b) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return block_size / a;
}

static int32_t *list_of(const struct dh_work *w, int i, int head)
{
    const struct dh_text_config *t = &w->model->config.text;
    return w->blocks + ((size_t)i * (size_t)t->index_n_heads + (size_t)head) *
                           (size_t)t->index_topk_blocks;
}

// All blocks that token i may see, for every head.
static void take_all(struct dh_work *w, int i)
{
    const struct dh_text_config *t = &w->model->config.text;
    size_t own = (w->from + (size_t)i) / (size_t)t->index_block_size;
    for (int h = 0; h < t->index_n_heads; h++) {
        int32_t *list = list_of(w, i, h);
        for (int b = 0; b < t->index_topk_blocks; b++)
            list[b] = (size_t)b <= own ? b : -1;
    }
}

static void show_blocks(const struct dh_work *w, int layer)
{
    const struct dh_text_config *t = &w->model->config.text;
    for (int i = 0; i < w->n; i++) {
        for (int h = 0; h < t->index_n_heads; h++) {
            const int32_t *list = list_of(w, i, h);
            int n = 0;
            while (n < t->index_topk_blocks && list[n] >= 0)
                n++;
            w->probe->blocks(w->probe->user, layer, w->from + (size_t)i, h,
                             list, n);
        }
    }
}

void dh_sparse_select(struct dh_work *w, int layer)
{
    const struct dh_text_config *t = &w->model->config.text;
    size_t all = (size_t)t->index_topk_blocks *
                 (size_t)t->index_block_size; // tokens that see everything
    int skip = (int)DH_MIN(all > w->from ? all - w->from : 0, (size_t)w->n);
    size_t heads = (size_t)t->index_n_heads;
    struct select s = { w, layer, (size_t)skip * heads,
                        unit_of((size_t)t->index_block_size) };
    for (int i = 0; i < skip; i++)
        take_all(w, i);
    if (skip < w->n)
        select_blocks(&s, (size_t)w->n * heads);
    if (w->probe && w->probe->blocks)
        show_blocks(w, layer);
}

void dh_sparse_gather(const struct dh_work *w, int head, int first, int last,
                      int worker, struct dh_sparse_lists *out)
{
    const struct dh_text_config *t = &w->model->config.text;
    int topk = t->index_topk_blocks;
    int32_t *start = w->starts + (size_t)worker * ((size_t)w->max_blocks + 2);
    int32_t *who = w->who + (size_t)worker * (size_t)w->chunk * (size_t)topk;
    int n = (int)((w->from + (size_t)last - 1) / (size_t)t->index_block_size);
    *out = (struct dh_sparse_lists){ start, who, n + 1 };
    // Counted two places on, so that at the end they stand where they begin.
    memset(start, 0, ((size_t)n + 3) * sizeof(*start));
    for (int i = first; i < last; i++) {
        const int32_t *list = list_of(w, i, head);
        for (int b = 0; b < topk && list[b] >= 0; b++)
            start[list[b] + 2]++;
    }
    for (int b = 0; b < n; b++)
        start[b + 2] += start[b + 1];
    for (int i = first; i < last; i++) {
        const int32_t *list = list_of(w, i, head);
        for (int b = 0; b < topk && list[b] >= 0; b++)
            who[start[list[b] + 1]++] = i;
    }
}

int dh_sparse_panels(const struct dh_text_config *t, int block,
                     struct dh_attend_panel *out)
{
    int64_t key = (int64_t)block * t->index_block_size;
    int64_t end = key + t->index_block_size;
    int n = 0;
    for (int64_t stop; key < end; key = stop) {
        int64_t panel = key / DH_PANEL, first = panel * DH_PANEL;
        stop = DH_MIN(end, first + DH_PANEL);
        uint32_t upper = stop - first == DH_PANEL
                             ? UINT32_MAX
                             : ((uint32_t)1 << (stop - first)) - 1;
        uint32_t lower = ((uint32_t)1 << (key - first)) - 1;
        out[n++] = (struct dh_attend_panel){ (int32_t)panel, upper & ~lower };
    }
    return n;
}
