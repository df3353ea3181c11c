// Block selection of MiniMax Sparse Attention (m3.md 10).
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "model/layer_priv.h"

// What a thread scores of one token's history at a time, at least.
#define UNITS 16

void dh_sparse_pick(float *scores, int n, int own, int local, int topk,
                    int32_t *out)
{
    for (int l = 0; l < local; l++)
        scores[DH_MAX(own - l, 0)] = INFINITY;
    // out[0..kept) holds the best so far, the worst last; a later block must be
    // strictly better to pass an earlier one.
    int kept = 0;
    for (int b = 0; b < n; b++) {
        float s = scores[b];
        if (!(s > -INFINITY) || (kept == topk && !(s > scores[out[kept - 1]])))
            continue;
        int at = kept < topk ? kept++ : kept - 1;
        for (; at > 0 && s > scores[out[at - 1]]; at--)
            out[at] = out[at - 1];
        out[at] = b;
    }
    for (int i = 1; i < kept; i++) {
        int32_t b = out[i];
        int at = i;
        for (; at > 0 && out[at - 1] > b; at--)
            out[at] = out[at - 1];
        out[at] = b;
    }
    for (int i = kept; i < topk; i++)
        out[i] = -1;
}

// Rows are pairs (token of the pass, index head), head fastest. Index keys are
// read once for ROWS of them, which are multiplied by PANELS at a time in
// groups, and of whose scores only the maxima of blocks are kept.
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
    float *maxima; // [n][max_blocks]
};

static void rows_init(struct rows *r, const struct select *s, size_t row,
                      size_t end, float *maxima)
{
    *r = (struct rows){ s, row, (int)DH_MIN((size_t)ROWS, end - row), maxima };
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
    size_t stride = (size_t)w->max_blocks, block = first * DH_PANEL / size;
    size_t blocks = DH_MIN((end * DH_PANEL + size - 1) / size, stride) - block;
    float scores[GROUP * PANELS * DH_PANEL];
    for (int i = 0; i < r->n; i++)
        for (size_t b = 0; b < blocks; b++)
            r->maxima[(size_t)i * stride + block + b] = -INFINITY;
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
                w->backend.k->most(r->maxima + (size_t)i * stride + at / size,
                                   stride, scores + (at - key),
                                   PANELS * DH_PANEL, m, (int)(stop - at));
            }
        }
    }
}

static void pick_rows(const struct rows *r)
{
    struct dh_work *w = r->s->w;
    const struct dh_text_config *t = &w->model->config.text;
    for (int i = 0; i < r->n; i++) {
        int own = (int)(position_of(r, i) / (size_t)t->index_block_size);
        dh_sparse_pick(r->maxima + (size_t)i * (size_t)w->max_blocks, own + 1,
                       own, t->index_local_blocks, t->index_topk_blocks,
                       w->blocks +
                           (r->row + (size_t)i) * (size_t)t->index_topk_blocks);
    }
}

static size_t panels_of(const struct select *s, size_t row)
{
    const struct dh_work *w = s->w;
    size_t heads = (size_t)w->model->config.text.index_n_heads;
    return (w->from + row / heads) / DH_PANEL + 1;
}

static void run_rows(void *arg, size_t begin, size_t end, int worker)
{
    const struct select *s = arg;
    struct dh_work *w = s->w;
    float *maxima = w->maxima + (size_t)worker * ROWS * (size_t)w->max_blocks;
    struct rows r;
    begin += s->skip;
    end += s->skip;
    for (size_t row = begin; row < end; row += ROWS) {
        rows_init(&r, s, row, end, maxima);
        size_t panels = panels_of(s, row + (size_t)r.n - 1);
        score_rows(&r, 0, (panels + s->unit - 1) / s->unit * s->unit);
        pick_rows(&r);
    }
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
    struct rows r;
    if (rows > s->skip + ROWS) {
        dh_pool_run(pool, rows - s->skip, ROWS, run_rows, s);
        return;
    }
    rows_init(&r, s, s->skip, rows, w->maxima);
    size_t units = (panels_of(s, rows - 1) + s->unit - 1) / s->unit;
    dh_pool_run(pool, units, UNITS, run_units, &r);
    pick_rows(&r);
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
