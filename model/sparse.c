// Block selection of MiniMax Sparse Attention (m3.md 10).
#include <math.h>

#include "base/mem.h"
#include "base/pool.h"
#include "model/layer_priv.h"

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
    const float *keys;
    size_t skip; // rows that see everything
};

// Largest score of every block that row r may see, from one panel's scores.
static void reduce_panel(const struct select *s, const float *scores,
                         size_t panel, size_t position, float *maxima)
{
    size_t size = (size_t)s->w->model->config.text.index_block_size;
    size_t first = panel * DH_PANEL;
    size_t end = DH_MIN(first + DH_PANEL, position + 1);
    for (size_t key = first; key < end;) {
        size_t b = key / size, stop = DH_MIN((b + 1) * size, end);
        float best = maxima[b];
        for (; key < stop; key++) {
            float v = scores[key - first];
            best = v > best ? v : best; // false for NaN
        }
        maxima[b] = best;
    }
}

// Up to DH_TILE_ROWS rows (token, index head) against all keys.
static void score_rows(const struct select *s, size_t row, int n, float *maxima)
{
    struct dh_work *w = s->w;
    const struct dh_text_config *t = &w->model->config.text;
    size_t heads = (size_t)t->index_n_heads, di = (size_t)t->index_head_dim;
    size_t last = w->from + (row + (size_t)n - 1) / heads;
    float scores[DH_TILE_ROWS * DH_PANEL];
    for (size_t i = 0; i < (size_t)n * (size_t)w->max_blocks; i++)
        maxima[i] = -INFINITY;
    struct dh_tile tile = {
        .a = w->index_q + row * di,
        .c = scores,
        .lda = di,
        .ldb = DH_PANEL,
        .ldc = DH_PANEL,
        .m = n,
        .n = DH_PANEL,
        .k = (int)di,
        .start = DH_TILE_ZERO,
    };
    for (size_t panel = 0; panel <= last / DH_PANEL; panel++) {
        tile.b = s->keys + panel * DH_PANEL * di;
        w->backend.k->tile(&tile);
        for (int i = 0; i < n; i++) {
            size_t at = w->from + (row + (size_t)i) / heads;
            if (panel <= at / DH_PANEL)
                reduce_panel(s, scores + i * DH_PANEL, panel, at,
                             maxima + (size_t)i * (size_t)w->max_blocks);
        }
    }
}

static void run_select(void *arg, size_t begin, size_t end, int worker)
{
    const struct select *s = arg;
    struct dh_work *w = s->w;
    const struct dh_text_config *t = &w->model->config.text;
    size_t heads = (size_t)t->index_n_heads;
    float *maxima =
        w->maxima + (size_t)worker * DH_TILE_ROWS * (size_t)w->max_blocks;
    begin += s->skip;
    end += s->skip;
    for (size_t row = begin; row < end; row += DH_TILE_ROWS) {
        int n = (int)DH_MIN((size_t)DH_TILE_ROWS, end - row);
        score_rows(s, row, n, maxima);
        for (int i = 0; i < n; i++) {
            size_t r = row + (size_t)i, at = w->from + r / heads;
            int own = (int)(at / (size_t)t->index_block_size);
            dh_sparse_pick(maxima + (size_t)i * (size_t)w->max_blocks, own + 1,
                           own, t->index_local_blocks, t->index_topk_blocks,
                           w->blocks + r * (size_t)t->index_topk_blocks);
        }
    }
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
            .keys = dh_kvcache_get_index(&w->cache, layer),
            .skip = (all > w->from ? all - w->from : 0) * heads,
        };
        dh_pool_run(w->backend.pool, (size_t)w->n * heads - s.skip,
                    DH_TILE_ROWS, run_select, &s);
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
