#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "capture/frame.h"
#include "vision/match_priv.h"

// What floats may be off by.
#define SLACK 1e-3F

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

struct sums {
    int64_t a, b, aa, bb, ab;
};

// A row is at most 32768 long: the products of its bytes fit 32 bits.
static void add_row(struct sums *s, const int16_t *a, const int16_t *b, int n)
{
    int sa = 0, sb = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < n; i++) {
        sa += a[i];
        sb += b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        ab += a[i] * b[i];
    }
    s->a += sa;
    s->b += sb;
    s->aa += aa;
    s->bb += bb;
    s->ab += ab;
}

double dh_match_field_std(const struct dh_match_field *f)
{
    struct sums s = { 0 };
    int64_t n = (int64_t)f->w * f->h;
    for (int y = 0; y < f->h; y++) {
        const int16_t *v = f->v + (size_t)y * f->pitch;
        add_row(&s, v, v, f->w);
    }
    return sqrt(DH_MAX(spread(s.a, s.aa, n), 0) / (double)n);
}

double dh_match_field_score(const struct dh_match_field *f, int x, int y,
                            const struct dh_match_field *t)
{
    struct sums s = { 0 };
    int64_t n = (int64_t)t->w * t->h;
    for (int j = 0; j < t->h; j++)
        add_row(&s, f->v + (size_t)(y + j) * f->pitch + x,
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
    size_t bytes = (size_t)p->w * (size_t)p->h * sizeof *p->mean;
    p->mean = dh_big_alloc(bytes);
    p->norm = dh_big_alloc(bytes);
    uint32_t *sum, *sq; // of the columns; a column of 32768 squares fits
    dh_array(sum, (size_t)f->w);
    dh_array(sq, (size_t)f->w);
    for (int y = 0; y < f->h && p->mean && p->norm; y++) {
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
            p->mean[at] = (float)a / (float)n;
            p->norm[at] =
                is_spread(v, n, DH_MATCH_BLANK_STD) ? sqrtf((float)v) : 0;
            at++;
            a -= sum[x - w + 1];
            aa -= sq[x - w + 1];
        }
    }
    dh_free(sum);
    dh_free(sq);
    if (p->mean && p->norm)
        return DH_OK;
    dh_match_places_finish(p);
    return DH_ERR_NOMEM;
}

void dh_match_places_finish(struct dh_match_places *p)
{
    dh_big_free(p->mean);
    dh_big_free(p->norm);
    p->mean = p->norm = NULL;
}

// --------------------------------------------------------------------- tiles

static size_t plane_size(const struct dh_match_tiles *t)
{
    return t->pitch * (size_t)t->h;
}

static float *plane(const struct dh_match_tiles *t, int x, int y)
{
    int at = y % t->s * t->s + x % t->s;
    return t->planes + (size_t)at * plane_size(t);
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

enum dh_status dh_match_tiles_init(struct dh_match_tiles *t,
                                   const struct dh_match_field *f, int s)
{
    size_t n = (size_t)f->w * (size_t)f->h;
    *t = (struct dh_match_tiles){ .s = s, .w = f->w / s, .h = f->h / s };
    t->pitch = (size_t)t->w;
    // The last block reads on behind its row.
    size_t all = plane_size(t) * (size_t)s * (size_t)s + DH_MATCH_BLOCK;
    t->planes = dh_big_zalloc(all * sizeof *t->planes);
    int32_t *b = dh_big_alloc(n * sizeof *b);
    if (!t->planes || !b) {
        dh_big_free(b);
        dh_match_tiles_finish(t);
        return DH_ERR_NOMEM;
    }
    for (int y = 0; y < f->h; y++)
        for (int x = 0; x < f->w; x++)
            b[(size_t)y * (size_t)f->w + (size_t)x] =
                f->v[(size_t)y * f->pitch + (size_t)x];
    for (int half = 1; half < s; half *= 2)
        double_up(b, f->w, f->h, half);
    for (int y = 0; y + s <= f->h; y++)
        for (int px = 0; px < s && px + s <= f->w; px++) {
            float *to = plane(t, px, y) + (size_t)(y / s) * t->pitch;
            const int32_t *row = b + (size_t)y * (size_t)f->w + px;
            int count = (f->w - px) / s;
            for (int i = 0; i < count; i++)
                to[i] = (float)row[i * s];
        }
    dh_big_free(b);
    return DH_OK;
}

void dh_match_tiles_finish(struct dh_match_tiles *t)
{
    dh_big_free(t->planes);
    t->planes = NULL;
}

// -------------------------------------------------------------------- bounds

void dh_match_sketch_init(struct dh_match_sketch *k,
                          const struct dh_match_field *crop, int s)
{
    struct sums all = { 0 };
    int64_t n = (int64_t)crop->w * crop->h;
    *k = (struct dh_match_sketch){ .s = s, crop->w / s, crop->h / s };
    dh_array(k->t, (size_t)k->cols * (size_t)k->rows);
    for (int y = 0; y < crop->h; y++) {
        const int16_t *v = crop->v + (size_t)y * crop->pitch;
        add_row(&all, v, v, crop->w);
        for (int x = 0; x < k->cols * s && y < k->rows * s; x++)
            k->t[y / s * k->cols + x / s] += v[x];
    }
    double norm = sqrt(spread(all.a, all.aa, n)), sq = 0;
    double mean = (double)all.a / (double)n;
    for (int i = 0; i < k->cols * k->rows; i++) {
        double v = ((double)k->t[i] - mean * s * s) / (s * norm);
        k->t[i] = (float)v;
        k->sum += v;
        sq += v * v;
    }
    k->rest = sqrt(DH_MAX(1 - sq, 0));
}

void dh_match_sketch_finish(struct dh_match_sketch *k)
{
    dh_free(k->t);
    k->t = NULL;
}

// From the sums over the tiles: of t * b, b and b * b.
static float bound_of(const struct dh_match_sketch *k, float tb, float b,
                      float bb, float mean, float norm)
{
    float s = (float)k->s, m = mean * s; // of a tile's part, in units of s
    float dot = tb / s - m * (float)k->sum;
    float coarse =
        bb / (s * s) - 2 * m * b / s + m * m * (float)k->cols * (float)k->rows;
    float rest = norm * norm - coarse;
    if (norm <= 0)
        return 0;
    if (rest > 0)
        dot += (float)k->rest * sqrtf(rest);
    return dot / norm + SLACK;
}

float dh_match_bound(const struct dh_match_tiles *t,
                     const struct dh_match_sketch *k,
                     const struct dh_match_places *p, int x, int y)
{
    const float *b = plane(t, x, y) + (size_t)(y / t->s) * t->pitch + x / t->s;
    const float *w = k->t;
    float tb = 0, sum = 0, sq = 0;
    for (int j = 0; j < k->rows; j++, b += t->pitch, w += k->cols)
        for (int i = 0; i < k->cols; i++) {
            tb += w[i] * b[i];
            sum += b[i];
            sq += b[i] * b[i];
        }
    size_t at = (size_t)y * (size_t)p->w + (size_t)x;
    return bound_of(k, tb, sum, sq, p->mean[at], p->norm[at]);
}

void dh_match_bounds(const struct dh_match_tiles *t,
                     const struct dh_match_sketch *k,
                     const struct dh_match_places *p, int x, int y, float *out)
{
    enum { N = DH_MATCH_BLOCK };
    const float *b = plane(t, x, y) + (size_t)(y / t->s) * t->pitch + x / t->s;
    const float *w = k->t;
    float tb[N] = { 0 }, sum[N] = { 0 }, sq[N] = { 0 };
    for (int j = 0; j < k->rows; j++, b += t->pitch, w += k->cols)
        for (int i = 0; i < k->cols; i++)
            for (int n = 0; n < N; n++) {
                float v = b[i + n];
                tb[n] += w[i] * v;
                sum[n] += v;
                sq[n] += v * v;
            }
    size_t at = (size_t)y * (size_t)p->w + (size_t)x;
    for (int n = 0; n < N && x + n * t->s < p->w; n++, at += (size_t)t->s)
        out[n] = bound_of(k, tb[n], sum[n], sq[n], p->mean[at], p->norm[at]);
}
