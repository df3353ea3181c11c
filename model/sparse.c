// Block selection of MiniMax Sparse Attention (m3.md 10).
#include <math.h>

#include "base/mem.h"
#include "base/pool.h"
#include "model/layer_priv.h"

// What a thread scores of one token's history at a time, at least.
#define UNITS 16

bool dh_sparse_is_needed(const struct dh_text_config *t, size_t position)
{
    return position / (size_t)t->index_block_size >=
           (size_t)t->index_topk_blocks;
}

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

// Rows are pairs (token of the pass, index head), head fastest.
struct select {
    struct dh_work *w;
    int layer;
    const struct dh_pairs *pairs;
    size_t skip; // rows that see everything
    size_t unit; // panels after which a block ends as well
};

// Up to DH_TILE_ROWS rows from `row` on, against one panel of keys at a time.
struct rows {
    const struct select *s;
    size_t row;
    int n;
    float *maxima; // [n][max_blocks]
    uint32_t q[DH_TILE_ROWS * DH_PAIRS_MAX_DIM / 2];
};

// Four at a time, so that none waits for the one before it.
static float best_of_panel(const float *scores, float best)
{
    float four[4] = { best, best, best, best };
    for (int i = 0; i < DH_PANEL; i += 4)
        for (int j = 0; j < 4; j++)
            four[j] = scores[i + j] > four[j] ? scores[i + j] : four[j];
    for (int j = 1; j < 4; j++)
        four[0] = four[j] > four[0] ? four[j] : four[0];
    return four[0];
}

// Largest score of every block that row r may see, from one panel's scores.
static void reduce_panel(const struct select *s, const float *scores,
                         size_t panel, size_t position, float *maxima)
{
    size_t size = (size_t)s->w->model->config.text.index_block_size;
    size_t first = panel * DH_PANEL;
    size_t end = DH_MIN(first + DH_PANEL, position + 1);
    for (size_t key = first; key < end;) {
        size_t b = key / size, stop = DH_MIN((b + 1) * size, end);
        if (stop - key == DH_PANEL) {
            maxima[b] = best_of_panel(scores, maxima[b]);
            return;
        }
        float best = maxima[b];
        for (; key < stop; key++) {
            float v = scores[key - first];
            best = v > best ? v : best; // false for NaN
        }
        maxima[b] = best;
    }
}

static void rows_init(struct rows *r, const struct select *s, size_t row,
                      size_t end, float *maxima)
{
    const struct dh_work *w = s->w;
    size_t di = (size_t)w->model->config.text.index_head_dim;
    r->s = s;
    r->row = row;
    r->n = (int)DH_MIN((size_t)DH_TILE_ROWS, end - row);
    r->maxima = maxima;
    if (s->pairs)
        s->pairs->narrow((uint16_t *)r->q, w->index_q + row * di,
                         (size_t)r->n * di);
}

static void score_panel(const struct rows *r, size_t panel, float *scores)
{
    const struct select *s = r->s;
    const struct dh_work *w = s->w;
    size_t di = (size_t)w->model->config.text.index_head_dim;
    const float *keys = dh_kvcache_get_index(&w->cache, s->layer, panel);
    if (s->pairs) {
        const struct dh_tile_pairs tile = {
            .a = r->q,
            .b = (const uint32_t *)(const void *)keys,
            .c = scores,
            .lda = di / 2,
            .ldb = DH_PANEL,
            .ldc = DH_PANEL,
            .m = r->n,
            .n = DH_PANEL,
            .k = (int)(di / 2),
            .start = DH_TILE_ZERO,
        };
        s->pairs->tile(&tile);
        return;
    }
    const struct dh_tile tile = {
        .a = w->index_q + r->row * di,
        .b = keys,
        .c = scores,
        .lda = di,
        .ldb = DH_PANEL,
        .ldc = DH_PANEL,
        .m = r->n,
        .n = DH_PANEL,
        .k = (int)di,
        .start = DH_TILE_ZERO,
    };
    w->backend.k->tile(&tile);
}

// The last token that row i may see.
static size_t position_of(const struct rows *r, int i)
{
    const struct dh_work *w = r->s->w;
    return w->from +
           (r->row + (size_t)i) / (size_t)w->model->config.text.index_n_heads;
}

// Panels from `first` up to `end`, which begin and end where blocks do.
static void score_rows(const struct rows *r, size_t first, size_t end)
{
    const struct dh_work *w = r->s->w;
    size_t size = (size_t)w->model->config.text.index_block_size;
    size_t stride = (size_t)w->max_blocks, block = first * DH_PANEL / size;
    size_t last = position_of(r, r->n - 1);
    size_t blocks = DH_MIN((end * DH_PANEL + size - 1) / size, stride) - block;
    float scores[DH_TILE_ROWS * DH_PANEL];
    for (int i = 0; i < r->n; i++)
        for (size_t b = 0; b < blocks; b++)
            r->maxima[(size_t)i * stride + block + b] = -INFINITY;
    for (size_t panel = first; panel < end && panel <= last / DH_PANEL;
         panel++) {
        score_panel(r, panel, scores);
        for (int i = 0; i < r->n; i++) {
            size_t at = position_of(r, i);
            if (panel <= at / DH_PANEL)
                reduce_panel(r->s, scores + i * DH_PANEL, panel, at,
                             r->maxima + (size_t)i * stride);
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
    float *maxima =
        w->maxima + (size_t)worker * DH_TILE_ROWS * (size_t)w->max_blocks;
    struct rows r;
    begin += s->skip;
    end += s->skip;
    for (size_t row = begin; row < end; row += DH_TILE_ROWS) {
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
    if (rows > s->skip + DH_TILE_ROWS) {
        dh_pool_run(pool, rows - s->skip, DH_TILE_ROWS, run_rows, s);
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

static void show_blocks(const struct dh_work *w, int layer)
{
    const struct dh_text_config *t = &w->model->config.text;
    size_t topk = (size_t)t->index_topk_blocks;
    for (int i = 0; i < w->n; i++) {
        size_t at = w->from + (size_t)i;
        for (int h = 0; h < t->index_n_heads; h++) {
            int32_t *list =
                w->blocks +
                ((size_t)i * (size_t)t->index_n_heads + (size_t)h) * topk;
            int n = 0;
            if (!dh_sparse_is_needed(t, at)) {
                for (; n <= (int)(at / (size_t)t->index_block_size); n++)
                    list[n] = n;
            }
            while (dh_sparse_is_needed(t, at) && n < (int)topk && list[n] >= 0)
                n++;
            w->probe->blocks(w->probe->user, layer, at, h, list, n);
        }
    }
}

void dh_sparse_select(struct dh_work *w, int layer)
{
    const struct dh_text_config *t = &w->model->config.text;
    size_t last = w->from + (size_t)w->n - 1;
    if (dh_sparse_is_needed(t, last)) {
        size_t all = (size_t)t->index_topk_blocks *
                     (size_t)t->index_block_size; // tokens that see everything
        size_t heads = (size_t)t->index_n_heads;
        struct select s = {
            .w = w,
            .layer = layer,
            .pairs = w->cache.index_pairs,
            .skip = (all > w->from ? all - w->from : 0) * heads,
            .unit = unit_of((size_t)t->index_block_size),
        };
        select_blocks(&s, (size_t)w->n * heads);
    }
    if (w->probe && w->probe->blocks)
        show_blocks(w, layer);
}

int dh_sparse_panels(const struct dh_work *w, int i, int head,
                     struct dh_attend_panel *out)
{
    const struct dh_text_config *t = &w->model->config.text;
    int64_t size = t->index_block_size;
    const int32_t *list =
        w->blocks + ((size_t)i * (size_t)t->index_n_heads + (size_t)head) *
                        (size_t)t->index_topk_blocks;
    int n = 0;
    for (int b = 0; b < t->index_topk_blocks && list[b] >= 0; b++) {
        int64_t key = list[b] * size, end = key + size;
        while (key < end) {
            int64_t panel = key / DH_PANEL, first = panel * DH_PANEL;
            int64_t stop = DH_MIN(end, first + DH_PANEL);
            uint32_t upper = stop - first == DH_PANEL
                                 ? UINT32_MAX
                                 : ((uint32_t)1 << (stop - first)) - 1;
            uint32_t lower = ((uint32_t)1 << (key - first)) - 1;
            if (n == 0 || out[n - 1].panel != panel)
                out[n++] = (struct dh_attend_panel){ (int32_t)panel, 0 };
            out[n - 1].mask |= upper & ~lower;
            key = stop;
        }
    }
    return n;
}
