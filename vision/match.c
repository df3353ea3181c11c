#include "vision/match.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "capture/frame.h"
#include "vision/match_priv.h"
#include "vision/shrink.h"

#define DH_LOG_TAG "match"
#include "base/log.h"

#define STEP       1.06
#define LEVELS     5     // tiles of 2, 4, .. 32
#define MIN_TILES  48    // fewer tell too little
#define FEW        2000  // places are not worth a finer level
#define SAME       0.002 // scores that do not tell which is better
#define RADIUS_MAX 8
#define PEAKS_MAX  4096
#define SCALE_MIN  0.1
#define SCALE_MAX  10
// Products, at about 3e9 a second: beyond it the picture repeats the crop
// nearly everywhere.
#define BUDGET     INT64_C(2000000000)

struct candidate {
    int x, y; // in the field
    float bound;
};

struct peak {
    struct dh_match match;
    struct dh_point centre; // doubled, so that it is whole
    bool kept;
};

struct search {
    struct dh_match_options o;
    double limit; // scores below do not matter
    double top;
    bool over; // out of budget
    int64_t budget;
    struct dh_rect area;
    struct dh_match_field field;
    struct dh_match_tiles tiles[LEVELS]; // made when they are needed
    struct candidate *cands;
    size_t n_cands, cap_cands;
    struct peak *peaks; // PEAKS_MAX: every score of at least the limit
    size_t n_peaks;
    int radius;
};

// The crop at one scale.
struct pattern {
    struct dh_match_field field;
    struct dh_match_places places;
    struct dh_match_sketch sketches[LEVELS];
    int coarsest; // level; -1: none
    double scale;
    struct dh_size size; // in pixels of the picture
};

static struct dh_rect clip(const struct dh_frame *f, struct dh_rect r)
{
    return dh_rect_intersect(r, (struct dh_rect){ 0, 0, f->width, f->height });
}

static void add_candidate(struct search *s, int x, int y, float bound)
{
    if (s->n_cands == s->cap_cands) {
        s->cap_cands = s->cap_cands ? 2 * s->cap_cands : 1024;
        s->cands = dh_resize_array(s->cands, s->cap_cands, sizeof *s->cands);
    }
    s->cands[s->n_cands++] = (struct candidate){ x, y, bound };
}

// Once one is accepted, what scores clearly less is of no interest.
static void raise_limit(struct search *s, double score)
{
    s->top = DH_MAX(s->top, score);
    if (s->top >= s->o.accept)
        s->limit = DH_MAX(s->limit, s->top - s->o.apart);
}

static void drop_low_peaks(struct search *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_peaks; i++)
        if (s->peaks[i].match.score >= s->limit)
            s->peaks[n++] = s->peaks[i];
    s->n_peaks = n;
}

static void add_peak(struct search *s, const struct pattern *p, int x, int y,
                     double score)
{
    struct dh_rect r = { s->area.x + x, s->area.y + y, p->size.w, p->size.h };
    raise_limit(s, score);
    if (s->n_peaks == PEAKS_MAX)
        drop_low_peaks(s);
    if (s->n_peaks == PEAKS_MAX) {
        s->over = true;
        return;
    }
    s->peaks[s->n_peaks++] =
        (struct peak){ .match = { r, score, p->scale },
                       .centre = { 2 * r.x + r.w, 2 * r.y + r.h } };
}

static enum dh_status need_level(struct search *s, struct pattern *p, int l)
{
    enum dh_status st = DH_OK;
    if (!s->tiles[l].sums)
        st = dh_match_tiles_init(&s->tiles[l], &s->field, 2 << l);
    if (!st && !p->sketches[l].means)
        dh_match_sketch_init(&p->sketches[l], &p->field, 2 << l);
    return st;
}

static enum dh_status scan(struct search *s, struct pattern *p)
{
    float bounds[DH_MATCH_BLOCK];
    int l = p->coarsest;
    s->n_cands = 0;
    if (l < 0) {
        for (int y = 0; y < p->places.h; y++)
            for (int x = 0; x < p->places.w; x++)
                add_candidate(s, x, y, 1);
        return DH_OK;
    }
    enum dh_status st = need_level(s, p, l);
    if (st)
        return st;
    int size = s->tiles[l].s, step = size * DH_MATCH_BLOCK;
    for (int y = 0; y < p->places.h; y++)
        for (int from = 0; from < p->places.w; from += step)
            for (int px = from; px < from + size && px < p->places.w; px++) {
                dh_match_bounds(&s->tiles[l], &p->sketches[l], &p->places, px,
                                y, bounds);
                for (int i = 0, x = px; i < DH_MATCH_BLOCK && x < p->places.w;
                     i++, x += size)
                    if (bounds[i] >= (float)s->limit)
                        add_candidate(s, x, y, bounds[i]);
            }
    return DH_OK;
}

static int rank(const struct candidate *c)
{
    return DH_CLAMP((int)((1 - c->bound) * 256), 0, 255);
}

// The highest first, as nearly as is of use: the sooner the best one is found,
// the more others are ruled out by their bounds alone.
static void sort_candidates(struct search *s)
{
    enum { N = 256 };
    size_t end[N + 1] = { 0 };
    struct candidate *sorted;
    dh_array(sorted, s->n_cands);
    for (size_t i = 0; i < s->n_cands; i++)
        end[rank(&s->cands[i]) + 1]++;
    for (int i = 0; i < N; i++)
        end[i + 1] += end[i];
    for (size_t i = 0; i < s->n_cands; i++)
        sorted[end[rank(&s->cands[i])]++] = s->cands[i];
    dh_free(s->cands);
    s->cands = sorted;
    s->cap_cands = s->n_cands;
}

// By finer tiles, then by every pixel, as long as the bound is high enough.
static enum dh_status refine(struct search *s, struct pattern *p)
{
    int fine = s->n_cands > FEW ? p->coarsest - 1 : -1;
    enum dh_status st = fine >= 0 ? need_level(s, p, fine) : DH_OK;
    if (st)
        return st;
    int64_t cost = (int64_t)p->field.w * p->field.h;
    sort_candidates(s);
    for (size_t i = 0; i < s->n_cands; i++) {
        const struct candidate *c = &s->cands[i];
        float bound = c->bound;
        if (bound >= (float)s->limit && fine >= 0)
            bound = dh_match_bound(&s->tiles[fine], &p->sketches[fine],
                                   &p->places, c->x, c->y);
        if (bound < (float)s->limit)
            continue;
        s->over = s->over || s->budget < cost;
        if (s->over)
            return DH_OK;
        s->budget -= cost;
        double score = dh_match_field_score(&s->field, c->x, c->y, &p->field);
        if (score >= s->limit)
            add_peak(s, p, c->x, c->y, score);
    }
    return DH_OK;
}

static void pattern_finish(struct pattern *p)
{
    dh_match_field_finish(&p->field);
    dh_match_places_finish(&p->places);
    for (int l = 0; l < LEVELS; l++)
        dh_match_sketch_finish(&p->sketches[l]);
}

static enum dh_status search_pattern(struct search *s, struct pattern *p)
{
    if (p->field.w > s->field.w || p->field.h > s->field.h)
        return DH_OK;
    enum dh_status st =
        dh_match_places_init(&p->places, &s->field, p->field.w, p->field.h);
    if (st)
        return st;
    p->coarsest = -1;
    for (int l = 0; l < LEVELS; l++) {
        int side = 2 << l;
        if (p->field.w / side * (p->field.h / side) >= MIN_TILES)
            p->coarsest = l;
    }
    st = scan(s, p);
    return st ? st : refine(s, p);
}

// The pixels stay those of the whole frame.
static void keep(void *user)
{
    (void)user;
}

// The crop as a frame of its own, at another size.
static enum dh_status resized(const struct dh_frame *from, struct dh_rect crop,
                              double scale, struct dh_frame **out)
{
    struct dh_size to = { (int)lround(crop.w * scale),
                          (int)lround(crop.h * scale) };
    struct dh_frame *part;
    dh_frame_wrap(&part, dh_frame_at(from, crop.x, crop.y), crop.w, crop.h,
                  from->stride, keep, NULL);
    dh_frame_publish(part);
    enum dh_status st = dh_shrink_frame(part, to, out);
    dh_frame_unref(part);
    return st;
}

static enum dh_status search_scale(struct search *s,
                                   const struct dh_frame *from,
                                   struct dh_rect crop, double scale)
{
    struct pattern p = { .scale = scale, .size = { crop.w, crop.h } };
    struct dh_frame *at_size = NULL;
    enum dh_status st = DH_OK;
    if (scale != 1) {
        st = resized(from, crop, scale, &at_size);
        if (st)
            return st == DH_ERR_RANGE ? DH_OK : st;
        from = at_size;
        p.size = (struct dh_size){ at_size->width, at_size->height };
        crop = (struct dh_rect){ 0, 0, p.size.w, p.size.h };
    }
    st = dh_match_field_init(&p.field, from, crop, s->o.gradient);
    if (!st && dh_match_field_std(&p.field) >= DH_MATCH_FLAT_STD)
        st = search_pattern(s, &p);
    pattern_finish(&p);
    dh_frame_unref(at_size);
    return st == DH_ERR_RANGE ? DH_OK : st;
}

// --------------------------------------------------------------------- peaks

static int by_score(const void *a, const void *b)
{
    const struct dh_match *x = &((const struct peak *)a)->match;
    const struct dh_match *y = &((const struct peak *)b)->match;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    if (x->rect.y != y->rect.y)
        return x->rect.y - y->rect.y;
    return x->rect.x - y->rect.x;
}

static bool is_near(const struct peak *a, const struct peak *b, int radius)
{
    return abs(a->centre.x - b->centre.x) <= 2 * radius &&
           abs(a->centre.y - b->centre.y) <= 2 * radius;
}

// Not on the slope of something higher, and not beside a place just as high.
static bool is_peak(const struct search *s, size_t i)
{
    const struct peak *p = &s->peaks[i];
    for (size_t j = 0; j < i; j++) {
        const struct peak *q = &s->peaks[j];
        if (!is_near(p, q, s->radius))
            continue;
        if (q->kept || q->match.score > p->match.score + SAME)
            return false;
    }
    return true;
}

static enum dh_match_found judge(struct search *s, struct dh_match *best,
                                 int max, int *n)
{
    int found = 0;
    double second = -1;
    qsort(s->peaks, s->n_peaks, sizeof *s->peaks, by_score);
    for (size_t i = 0; i < s->n_peaks; i++) {
        struct peak *p = &s->peaks[i];
        if (p->match.score < s->limit || !is_peak(s, i))
            continue;
        p->kept = true;
        if (found == 1)
            second = p->match.score;
        if (found < max)
            best[found] = p->match;
        found++;
        if (found >= max && found >= 2)
            break;
    }
    *n = DH_MIN(found, max);
    if (!found || s->peaks[0].match.score < s->o.accept)
        return DH_MATCH_NONE;
    // Where not all was looked at there may be another one.
    if (s->over || second > s->peaks[0].match.score - s->o.apart)
        return DH_MATCH_SEVERAL;
    return DH_MATCH_ONE;
}

// ---------------------------------------------------------------------- door

static bool options_fill(struct dh_match_options *o)
{
    if (o->accept == 0)
        o->accept = o->gradient ? 0.80 : 0.92;
    if (o->apart == 0)
        o->apart = 0.05;
    if (o->scale_min == 0 && o->scale_max == 0)
        o->scale_min = o->scale_max = 1;
    return o->accept > 0 && o->apart > 0 && o->scale_min >= SCALE_MIN &&
           o->scale_max >= o->scale_min && o->scale_max <= SCALE_MAX;
}

static enum dh_status search_scales(struct search *s,
                                    const struct dh_frame *from,
                                    struct dh_rect crop)
{
    if (s->o.scale_min == s->o.scale_max)
        return search_scale(s, from, crop, s->o.scale_min);
    // Powers of the step, so that the size it had is among them.
    int first = (int)lround(log(s->o.scale_min) / log(STEP));
    int last = (int)lround(log(s->o.scale_max) / log(STEP));
    enum dh_status st = DH_OK;
    for (int i = first; i <= last && !st && !s->over; i++)
        st = search_scale(s, from, crop, pow(STEP, i));
    return st;
}

static enum dh_match_found search_run(struct search *s,
                                      const struct dh_frame *in,
                                      const struct dh_frame *from,
                                      struct dh_rect crop)
{
    struct dh_match_field f = { 0 };
    enum dh_status st = dh_match_field_init(&f, from, crop, s->o.gradient);
    bool flat = !st && dh_match_field_std(&f) < DH_MATCH_FLAT_STD;
    dh_match_field_finish(&f);
    if (flat)
        return DH_MATCH_FLAT;
    if (!st)
        st = dh_match_field_init(&s->field, in, s->area, s->o.gradient);
    if (!st)
        st = search_scales(s, from, crop);
    if (st == DH_ERR_NOMEM)
        dh_error("no memory to look through %d x %d pixels", s->area.w,
                 s->area.h);
    return st ? DH_MATCH_NONE : DH_MATCH_ONE;
}

enum dh_match_found dh_match_find(const struct dh_frame *in,
                                  struct dh_rect area,
                                  const struct dh_frame *from,
                                  struct dh_rect crop,
                                  const struct dh_match_options *o,
                                  struct dh_match *best, int max, int *n)
{
    struct search s = { .budget = BUDGET, .top = -1, .area = clip(in, area) };
    *n = 0;
    if (o)
        s.o = *o;
    crop = clip(from, crop);
    if (!options_fill(&s.o) || dh_rect_is_empty(s.area) ||
        dh_rect_is_empty(crop))
        return DH_MATCH_NONE;
    s.limit = s.o.accept - s.o.apart;
    s.radius = DH_CLAMP(DH_MIN(crop.w, crop.h) / 4, 2, RADIUS_MAX);
    dh_array(s.peaks, PEAKS_MAX);
    enum dh_match_found found = search_run(&s, in, from, crop);
    if (found == DH_MATCH_ONE)
        found = judge(&s, best, max, n);
    dh_match_field_finish(&s.field);
    for (int l = 0; l < LEVELS; l++)
        dh_match_tiles_finish(&s.tiles[l]);
    dh_free(s.cands);
    dh_free(s.peaks);
    return found;
}

double dh_match_score(const struct dh_frame *in, struct dh_point at,
                      const struct dh_frame *from, struct dh_rect crop,
                      bool gradient)
{
    struct dh_rect c = clip(from, crop);
    int64_t dx = (int64_t)at.x - crop.x, dy = (int64_t)at.y - crop.y;
    if (dh_rect_is_empty(c) || llabs(dx) > INT32_MAX / 4 ||
        llabs(dy) > INT32_MAX / 4)
        return 0;
    struct dh_rect there =
        clip(in, (struct dh_rect){ c.x + (int)dx, c.y + (int)dy, c.w, c.h });
    if ((int64_t)there.w * there.h * 2 < (int64_t)crop.w * crop.h)
        return 0;
    struct dh_match_field f = { 0 }, t = { 0 };
    double score = 0;
    if (!dh_match_field_init(&f, in, there, gradient) &&
        !dh_match_field_init(&t, from,
                             (struct dh_rect){ there.x - (int)dx,
                                               there.y - (int)dy, there.w,
                                               there.h },
                             gradient))
        score = dh_match_field_score(&f, 0, 0, &t);
    dh_match_field_finish(&f);
    dh_match_field_finish(&t);
    return score;
}
