#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "capture/frame.h"
#include "vision/match_kernels_priv.h"
#include "vision/match_priv.h"

// What floats may be off by.
#define SLACK 1e-3F

static const struct dh_match_kernels plain = { add_row, dot, dots };

static const struct dh_match_kernels *kernels(void)
{
    const struct dh_match_kernels *k = dh_match_find_avx2();
    return k ? k : &plain;
}

// --------------------------------------------------------------------- field

// Rec. 601, rounded.
static int luma(const uint8_t *p)
{
    return (29 * p[0] + 150 * p[1] + 77 * p[2] + 128) >> 8;
}

// The two diagonals of 2 x 2 pixels: as steep as it gets in any direction.
static void steepness(struct dh_match_field *f)
{
    f->w--;
    f->h--;
    for (int y = 0; y < f->h; y++) {
        int16_t *v = f->v + (size_t)y * f->pitch;
        for (int x = 0; x < f->w; x++) {
            const int16_t *below = v + f->pitch;
            int d = abs(v[x] - below[x + 1]) + abs(v[x + 1] - below[x]);
            v[x] = (int16_t)DH_MIN(d, 255);
        }
    }
}

enum dh_status dh_match_field_init(struct dh_match_field *f,
                                   const struct dh_frame *frame,
                                   struct dh_rect r, bool gradient)
{
    if (r.w < 1 + gradient || r.h < 1 + gradient)
        return DH_ERR_RANGE;
    *f = (struct dh_match_field){ .w = r.w, .h = r.h, .pitch = (size_t)r.w };
    f->v = dh_big_alloc((size_t)r.w * (size_t)r.h * sizeof *f->v);
    if (!f->v)
        return DH_ERR_NOMEM;
    for (int y = 0; y < r.h; y++) {
        const uint8_t *p = dh_frame_at(frame, r.x, r.y + y);
        int16_t *v = f->v + (size_t)y * f->pitch;
        for (int x = 0; x < r.w; x++)
            v[x] = (int16_t)luma(p + 4 * x);
    }
    if (gradient)
        steepness(f);
    return DH_OK;
}

void dh_match_field_finish(struct dh_match_field *f)
{
    dh_big_free(f->v);
    f->v = NULL;
}

// n times the variance, of whole numbers and so exact.
static double spread(int64_t sum, int64_t sq, int64_t n)
{
    return (double)sq - (double)sum * (double)sum / (double)n;
}

static bool is_spread(double spread_n, int64_t n, double std)
{
    return spread_n >= std * std * (double)n;
}

double dh_match_field_std(const struct dh_match_field *f)
{
    struct dh_match_sums s = { 0 };
    int64_t n = (int64_t)f->w * f->h;
    for (int y = 0; y < f->h; y++) {
        const int16_t *v = f->v + (size_t)y * f->pitch;
        kernels()->add_row(&s, v, v, f->w);
    }
    return sqrt(DH_MAX(spread(s.a, s.aa, n), 0) / (double)n);
}

double dh_match_field_score(const struct dh_match_field *f, int x, int y,
                            const struct dh_match_field *t)
{
    struct dh_match_sums s = { 0 };
    int64_t n = (int64_t)t->w * t->h;
    for (int j = 0; j < t->h; j++)
        kernels()->add_row(&s, f->v + (size_t)(y + j) * f->pitch + x,
                           t->v + (size_t)j * t->pitch, t->w);
    double in = spread(s.a, s.aa, n), of = spread(s.b, s.bb, n);
    if (!is_spread(in, n, DH_MATCH_BLANK_STD) ||
        !is_spread(of, n, DH_MATCH_FLAT_STD))
        return 0;
    double both = (double)s.ab - (double)s.a * (double)s.b / (double)n;
    return DH_CLAMP(both / sqrt(in * of), -1, 1);
}

// -------------------------------------------------------------------- places

enum dh_status dh_match_places_init(struct dh_match_places *p,
                                    const struct dh_match_field *f, int w,
                                    int h)
{
    int64_t n = (int64_t)w * h;
    *p = (struct dh_match_places){ .w = f->w - w + 1, .h = f->h - h + 1 };
    p->scale = dh_big_alloc((size_t)p->w * (size_t)p->h * sizeof *p->scale);
    if (!p->scale)
        return DH_ERR_NOMEM;
    uint32_t *sum, *sq; // of the columns; a column of 32768 squares fits
    dh_array(sum, (size_t)f->w);
    dh_array(sq, (size_t)f->w);
    for (int y = 0; y < f->h; y++) {
        const int16_t *in = f->v + (size_t)y * f->pitch;
        const int16_t *out = in - (size_t)h * f->pitch;
        for (int x = 0; x < f->w; x++) {
            sum[x] += (uint32_t)in[x];
            sq[x] += (uint32_t)(in[x] * in[x]);
        }
        for (int x = 0; x < f->w && y >= h; x++) {
            sum[x] -= (uint32_t)out[x];
            sq[x] -= (uint32_t)(out[x] * out[x]);
        }
        if (y < h - 1)
            continue;
        size_t at = (size_t)(y - h + 1) * (size_t)p->w;
        int64_t a = 0, aa = 0;
        for (int x = 0; x < f->w; x++) {
            a += sum[x];
            aa += sq[x];
            if (x < w - 1)
                continue;
            double v = spread(a, aa, n);
            p->scale[at++] =
                is_spread(v, n, DH_MATCH_BLANK_STD) ? 1 / sqrtf((float)v) : 0;
            a -= sum[x - w + 1];
            aa -= sq[x - w + 1];
        }
    }
    dh_free(sum);
    dh_free(sq);
    return DH_OK;
}

void dh_match_places_finish(struct dh_match_places *p)
{
    dh_big_free(p->scale);
    p->scale = NULL;
}

// --------------------------------------------------------------------- tiles

static size_t plane_size(const struct dh_match_tiles *t)
{
    return (size_t)t->w * (size_t)t->h;
}

// Of the tile at a pixel.
static size_t tile_at(const struct dh_match_tiles *t, int x, int y)
{
    size_t at = (size_t)(y % t->s * t->s + x % t->s) * plane_size(t);
    return at + (size_t)(y / t->s) * (size_t)t->w + (size_t)(x / t->s);
}

// Sums of s x s from sums of s / 2: in place, since only what is further on is
// read.
static void double_up(int32_t *b, int w, int h, int half)
{
    for (int y = 0; y < h; y++) {
        int32_t *row = b + (size_t)y * (size_t)w;
        for (int x = 0; x + half < w; x++)
            row[x] += row[x + half];
    }
    for (int y = 0; y + half < h; y++) {
        int32_t *row = b + (size_t)y * (size_t)w;
        const int32_t *below = row + (size_t)half * (size_t)w;
        for (int x = 0; x < w; x++)
            row[x] += below[x];
    }
}

static void sort_row(const struct dh_match_tiles *t,
                     const struct dh_match_field *f, int y, const int32_t *sum,
                     const int32_t *sq)
{
    float pixels = (float)(t->s * t->s);
    for (int px = 0; px < t->s && px < f->w; px++) {
        size_t at = tile_at(t, px, y);
        for (int x = px; x < f->w; x += t->s, at++) {
            float v = (float)sum[x];
            t->sums[at] = v;
            t->rests[at] = sqrtf(fmaxf((float)sq[x] - v * v / pixels, 0));
        }
    }
}

enum dh_status dh_match_tiles_init(struct dh_match_tiles *t,
                                   const struct dh_match_field *f, int s)
{
    size_t w = (size_t)f->w, n = w * (size_t)f->h;
    *t = (struct dh_match_tiles){ .s = s,
                                  .w = (f->w + s - 1) / s,
                                  .h = (f->h + s - 1) / s };
    // The last block reads on behind its row.
    size_t all =
        plane_size(t) * (size_t)s * (size_t)s + DH_MATCH_BLOCK + DH_MATCH_LANES;
    t->sums = dh_big_zalloc(all * sizeof *t->sums);
    t->rests = dh_big_zalloc(all * sizeof *t->rests);
    int32_t *sum = dh_big_alloc(n * sizeof *sum);
    int32_t *sq = dh_big_alloc(n * sizeof *sq);
    bool have = t->sums && t->rests && sum && sq;
    for (size_t i = 0; i < n && have; i++) {
        // Small, for the sake of the floats.
        int v = f->v[i / w * f->pitch + i % w] - 128;
        sum[i] = v;
        sq[i] = v * v;
    }
    for (int half = 1; half < s && have; half *= 2) {
        double_up(sum, f->w, f->h, half);
        double_up(sq, f->w, f->h, half);
    }
    for (int y = 0; y < f->h && have; y++)
        sort_row(t, f, y, sum + (size_t)y * w, sq + (size_t)y * w);
    dh_big_free(sum);
    dh_big_free(sq);
    if (!have)
        dh_match_tiles_finish(t);
    return have ? DH_OK : DH_ERR_NOMEM;
}

void dh_match_tiles_finish(struct dh_match_tiles *t)
{
    dh_big_free(t->sums);
    dh_big_free(t->rests);
    t->sums = t->rests = NULL;
}

// -------------------------------------------------------------------- bounds

void dh_match_sketch_init(struct dh_match_sketch *k,
                          const struct dh_match_field *crop, int s)
{
    struct dh_match_sums all = { 0 };
    int64_t n = (int64_t)crop->w * crop->h;
    for (int y = 0; y < crop->h; y++) {
        const int16_t *v = crop->v + (size_t)y * crop->pitch;
        kernels()->add_row(&all, v, v, crop->w);
    }
    double norm = sqrt(spread(all.a, all.aa, n));
    double mean = (double)all.a / (double)n;
    k->s = s;
    k->used = (crop->w + s - 1) / s;
    k->rows = (crop->h + s - 1) / s;
    k->cols = (k->used + DH_MATCH_LANES - 1) / DH_MATCH_LANES * DH_MATCH_LANES;
    dh_array(k->means, (size_t)k->cols * (size_t)k->rows);
    dh_array(k->rests, (size_t)k->cols * (size_t)k->rows);
    for (int y = 0; y < crop->h; y++)
        for (int x = 0; x < crop->w; x++) {
            int at = y / s * k->cols + x / s;
            double v = crop->v[(size_t)y * crop->pitch + (size_t)x] - mean;
            k->means[at] += (float)(v / norm);
            k->rests[at] += (float)(v * v / norm / norm);
        }
    float pixels = (float)s * (float)s;
    for (int i = 0; i < k->cols * k->rows; i++) {
        float sum = k->means[i];
        k->means[i] = sum / pixels;
        k->rests[i] = sqrtf(fmaxf(k->rests[i] - sum * sum / pixels, 0));
    }
}

void dh_match_sketch_finish(struct dh_match_sketch *k)
{
    dh_free(k->means);
    dh_free(k->rests);
    k->means = k->rests = NULL;
}

static struct dh_match_pair pair_at(const struct dh_match_tiles *t,
                                    const struct dh_match_sketch *k, int x,
                                    int y)
{
    size_t at = tile_at(t, x, y);
    return (struct dh_match_pair){ t->sums + at, t->rests + at, (size_t)t->w,
                                   k->means,     k->rests,      k->cols,
                                   k->used,      k->rows };
}

float dh_match_bound(const struct dh_match_tiles *t,
                     const struct dh_match_sketch *k,
                     const struct dh_match_places *p, int x, int y)
{
    struct dh_match_pair pair = pair_at(t, k, x, y);
    return kernels()->dot(&pair) *
               p->scale[(size_t)y * (size_t)p->w + (size_t)x] +
           SLACK;
}

void dh_match_bounds(const struct dh_match_tiles *t,
                     const struct dh_match_sketch *k,
                     const struct dh_match_places *p, int x, int y, float *out)
{
    struct dh_match_pair pair = pair_at(t, k, x, y);
    const float *scale = p->scale + (size_t)y * (size_t)p->w + (size_t)x;
    kernels()->dots(&pair, out);
    for (int n = 0; n < DH_MATCH_BLOCK && x + n * t->s < p->w; n++)
        out[n] = out[n] * scale[n * t->s] + SLACK;
}
