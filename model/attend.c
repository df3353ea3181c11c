// Softmax over keys, in spans that are never written out as a whole.
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "model/backend_priv.h"

#define SPAN DH_ATTEND_SPAN

// What one call works on: queries, scores and sums of all rows.
struct attend {
    const struct dh_kernels *k;
    const struct dh_attend *a;
    float *q, *s, *o;
    uint32_t *q_pairs, *s_pairs; // of a head that has pairs
    float *panel;                // of a head that has codes, or words of them
    int ldo;                     // floats of a row of o, a multiple of 16
    int64_t least;               // of the rows' limits
    struct dh_soft soft[DH_ATTEND_ROWS];
};

static int round16(int n)
{
    return (n + 15) / 16 * 16;
}

size_t dh_backend_attend_floats(int dim)
{
    return (size_t)DH_ATTEND_ROWS *
               ((size_t)round16(dim) * 3 + (size_t)SPAN * DH_PANEL * 3 / 2) +
           (size_t)DH_PANEL * (size_t)round16(dim);
}

static struct dh_attend_panel panel_at(const struct dh_attend *a, int i)
{
    if (a->panels)
        return a->panels[i];
    return (struct dh_attend_panel){ a->first + i, UINT32_MAX };
}

// Where a panel begins, floats, words of pairs or codes: `width` numbers of
// each token, in `all` or so far into pages.
static const float *panel_of(const struct dh_attend_head *h, const void *all,
                             size_t in_page, int width, int panel)
{
    size_t each = (size_t)DH_PANEL * (size_t)width /
                  (h->codes       ? 4
                   : h->key_pairs ? 2
                                  : 1);
    if (!h->pages)
        return (const float *)all + (size_t)panel * each;
    return h->pages[panel / h->page_panels] + in_page +
           (size_t)(panel % h->page_panels) * each;
}

// A panel that can be multiplied: codes are made numbers, in place of those of
// the last one in that `half` of w->panel: pairs of a whole panel fit in it.
static const float *numbers_of(const struct attend *w, const float *panel,
                               int width, int half)
{
    float *to = w->panel + half * DH_PANEL * w->ldo / 2;
    const int8_t *codes = (const int8_t *)(const void *)panel;
    size_t n = (size_t)DH_PANEL * (size_t)width;
    if (!w->a->head.codes)
        return panel;
    if (w->a->head.key_pairs)
        w->k->pairs->widen((uint16_t *)(void *)to, codes, n);
    else
        w->k->widen(to, codes, n);
    return to;
}

static const float *keys_of(const struct attend *w, int panel, int half)
{
    const struct dh_attend_head *h = &w->a->head;
    const void *all = h->key_pairs ? (const void *)h->key_pairs : h->keys;
    return numbers_of(w, panel_of(h, all, h->keys_at, h->dim, panel), h->dim,
                      half);
}

static const float *values_of(const struct attend *w, int panel)
{
    const struct dh_attend_head *h = &w->a->head;
    const void *all = h->key_pairs ? (const void *)h->value_pairs : h->values;
    return numbers_of(w, panel_of(h, all, h->values_at, h->ldv, panel), h->ldv,
                      0);
}

// The scales of a panel's codes, so far into pages.
static const float *scales_of(const struct dh_attend_head *h, size_t in_page,
                              int panel)
{
    return h->pages[panel / h->page_panels] + in_page +
           (size_t)(panel % h->page_panels) * DH_PANEL;
}

static void weigh_scores(const struct attend *w, int panel, int col)
{
    const struct dh_attend_head *h = &w->a->head;
    if (h->codes)
        w->k->weigh(w->s + col, SPAN * DH_PANEL, w->a->rows,
                    scales_of(h, h->key_scales_at, panel));
}

static void mask_panel(const struct attend *w, struct dh_attend_panel p,
                       int col)
{
    int64_t first = (int64_t)p.panel * DH_PANEL;
    if (w->least >= first + DH_PANEL - 1 && p.mask == UINT32_MAX)
        return;
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
        .a = w->q,
        .m = a->rows,
        .n = DH_PANEL,
        .k = a->head.dim,
        .start = DH_TILE_ZERO,
    };
    for (int i = 0; i < n; i++) {
        struct dh_attend_panel p = panel_at(a, first + i);
        t.b = keys_of(w, p.panel, 0);
        t.c = w->s + i * DH_PANEL;
        w->k->tile(&t);
        weigh_scores(w, p.panel, i * DH_PANEL);
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
    for (int i = 0; i < n; i += t.n / DH_PANEL) {
        struct dh_attend_panel p = panel_at(a, first + i);
        t.b = (const uint32_t *)(const void *)keys_of(w, p.panel, 0);
        t.c = w->s + i * DH_PANEL;
        t.n = DH_PANEL;
        if (i + 1 < n) {
            struct dh_attend_panel next = panel_at(a, first + i + 1);
            t.more = (const uint32_t *)(const void *)keys_of(w, next.panel, 1);
            t.n = 2 * DH_PANEL;
        }
        w->k->pairs->tile(&t);
    }
    for (int i = 0; i < n; i++) {
        struct dh_attend_panel p = panel_at(a, first + i);
        weigh_scores(w, p.panel, i * DH_PANEL);
        mask_panel(w, p, i * DH_PANEL);
    }
}

static void gather_run_pairs(const struct attend *w, int first, int i, int n)
{
    const struct dh_attend_head *h = &w->a->head;
    const uint32_t *values = (const uint32_t *)(const void *)values_of(
        w, panel_at(w->a, first + i).panel);
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
        t.n = w->ldo - d < 2 * DH_PANEL ? DH_MIN(DH_PANEL, w->ldo - d)
                                        : 2 * DH_PANEL;
        t.b = values + d;
        t.more = t.b + DH_PANEL;
        t.c = w->o + d;
        w->k->pairs->tile(&t);
    }
}

// o += s v over `n` panels from `i` on, which follow each other in memory.
static void gather_run(const struct attend *w, int first, int i, int n)
{
    const struct dh_attend_head *h = &w->a->head;
    const float *values = values_of(w, panel_at(w->a, first + i).panel);
    struct dh_tile t = {
        .a = w->s + i * DH_PANEL,
        .lda = SPAN * DH_PANEL,
        .ldb = (size_t)h->ldv,
        .ldc = (size_t)w->ldo,
        .m = w->a->rows,
        .k = n * DH_PANEL,
        .start = DH_TILE_ADD,
    };
    for (int d = 0; d < w->ldo; d += t.n) {
        t.n = DH_MIN(DH_PANEL, w->ldo - d);
        t.b = values + d;
        t.c = w->o + d;
        w->k->tile(&t);
    }
}

// Do the values of the panel before follow on to this one's?
static bool follows(const struct dh_attend *a, int i)
{
    int panel = panel_at(a, i).panel;
    return !a->head.codes && panel == panel_at(a, i - 1).panel + 1 &&
           (!a->head.pages || panel % a->head.page_panels != 0);
}

// n panels of scores to weights, times the scales of codes.
static void soften_rows(struct attend *w, int first, int n, float *keep)
{
    const struct dh_attend_head *h = &w->a->head;
    const float *by[SPAN];
    for (int i = 0; i < n && h->codes; i++)
        by[i] =
            scales_of(h, h->value_scales_at, panel_at(w->a, first + i).panel);
    if (h->key_pairs) {
        w->k->pairs->soften(&(struct dh_soften){ .out = (uint16_t *)w->s_pairs,
                                                 .s = w->s,
                                                 .keep = keep,
                                                 .state = w->soft,
                                                 .by = h->codes ? by : NULL,
                                                 .lds = SPAN * DH_PANEL,
                                                 .rows = w->a->rows,
                                                 .n = n * DH_PANEL });
        return;
    }
    for (int r = 0; r < w->a->rows; r++)
        keep[r] = w->k->soften(w->s + (size_t)r * SPAN * DH_PANEL, n * DH_PANEL,
                               &w->soft[r]);
    for (int i = 0; i < n && h->codes; i++)
        w->k->weigh(w->s + i * DH_PANEL, SPAN * DH_PANEL, w->a->rows, by[i]);
}

static void attend_span(struct attend *w, int first, int n)
{
    const struct dh_attend *a = w->a;
    bool pairs = a->head.key_pairs != NULL;
    (pairs ? score_span_pairs : score_span)(w, first, n);
    float keep[DH_ATTEND_ROWS];
    soften_rows(w, first, n, keep);
    for (int r = 0; r < a->rows; r++)
        if (keep[r] != 1.0f)
            w->k->scale(w->o + (size_t)r * (size_t)w->ldo, keep[r],
                        (size_t)w->ldo);
    for (int i = 0, run; i < n; i += run) {
        run = 1;
        while (i + run < n && follows(a, first + i + run))
            run++;
        (pairs ? gather_run_pairs : gather_run)(w, first, i, run);
    }
}

// Queries as they are multiplied, and where the rows' sums stand.
static void begin_rows(struct attend *w, const struct dh_pairs *pairs)
{
    const struct dh_attend *a = w->a;
    size_t dim = (size_t)a->head.dim, ldo = (size_t)w->ldo;
    for (int r = 0; r < a->rows; r++) {
        float *o = w->o + (size_t)r * ldo;
        w->least = DH_MIN(w->least, a->limit[r]);
        if (a->ready && a->head.key_pairs)
            memcpy(w->q_pairs + (size_t)r * (dim / 2), a->q[r], dim * 2);
        else
            memcpy(w->q + (size_t)r * dim, a->q[r], dim * sizeof(float));
        memset(o, 0, ldo * sizeof(*o));
        w->soft[r] = (struct dh_soft){ .max = -INFINITY };
        if (a->state[r] && a->state[r]->max > -INFINITY) {
            w->soft[r] = *a->state[r];
            memcpy(o, a->out[r], dim * sizeof(*o));
        }
    }
    if (a->ready)
        return;
    w->k->scale(w->q, a->scale, (size_t)a->rows * dim);
    if (a->head.key_pairs)
        pairs->narrow((uint16_t *)w->q_pairs, w->q, (size_t)a->rows * dim);
}

static void end_rows(const struct attend *w)
{
    const struct dh_attend *a = w->a;
    size_t dim = (size_t)a->head.dim;
    for (int r = 0; r < a->rows; r++) {
        float *o = w->o + (size_t)r * (size_t)w->ldo;
        if (a->state[r])
            *a->state[r] = w->soft[r];
        else
            w->k->scale(o, 1.0f / w->soft[r].sum, dim);
        memcpy(a->out[r], o, dim * sizeof(float));
    }
}

void dh_backend_attend(const struct dh_backend *b, const struct dh_attend *a,
                       int worker)
{
    struct attend w = {
        .k = b->k, .a = a, .ldo = round16(a->head.dim), .least = INT64_MAX
    };
    dh_debug_assert(a->rows <= DH_ATTEND_ROWS && a->head.ldv >= w.ldo);
    w.s = b->scratch + (size_t)worker * b->scratch_floats;
    w.o = w.s + DH_ATTEND_ROWS * SPAN * DH_PANEL;
    w.q = w.o + DH_ATTEND_ROWS * (size_t)w.ldo;
    w.q_pairs = (uint32_t *)(void *)(w.q + DH_ATTEND_ROWS * (size_t)w.ldo);
    w.s_pairs = w.q_pairs + DH_ATTEND_ROWS * (size_t)w.ldo;
    w.panel =
        (float *)(void *)(w.s_pairs + DH_ATTEND_ROWS * SPAN * DH_PANEL / 2);
    begin_rows(&w, b->k->pairs);
    // Spans start at the same panels whatever the rows are, so that a row's
    // sums are taken in the same order in every chunk.
    for (int i = 0; i < a->n_panels; i += SPAN)
        attend_span(&w, i, DH_MIN(SPAN, a->n_panels - i));
    end_rows(&w);
}
