#include "vision/motion.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "capture/frame.h"

// Pixels across and along the direction of a move: a part this large tells
// lines of text apart, and a caret spoils few of them.
enum {
    BLOCK_ACROSS = 32,
    BLOCK_ALONG = 8,
    TILE = 16,
    SPOT = 64,
    MIN_VOTES = 12,
    RUN = 64,
};

// Where the blocks are that went the same way.
struct votes {
    int n;
    int strip_lo, strip_hi, at_lo, at_hi;
};

struct block {
    uint64_t hash;
    int at;
    bool unique;
};

// Looks along one axis: `along` positions in `strips` strips.
struct search {
    const struct dh_frame *before, *after;
    struct dh_rect region;
    bool vertical;
    int along, strips;
    uint64_t *lines; // hashes of one strip's lines
    struct block *old, *new;
    struct votes *votes; // of the moves -along .. along
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static uint64_t line_hash(const struct search *s, const struct dh_frame *f,
                          int strip, int at)
{
    int across = strip * BLOCK_ACROSS;
    int x = s->region.x + (s->vertical ? across : at);
    int y = s->region.y + (s->vertical ? at : across);
    size_t step = s->vertical ? 4 : f->stride;
    const uint8_t *p = dh_frame_at(f, x, y);
    uint64_t h = 1;
    for (int i = 0; i < BLOCK_ACROSS; i++, p += step)
        h = mix(h, p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16);
    return h;
}

static int by_hash(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

// The blocks of one strip, sorted. What occurs twice cannot tell where it went:
// that drops empty space and all patterns that repeat.
static int blocks_of(struct search *s, const struct dh_frame *f, int strip,
                     struct block *out)
{
    int n = s->along - BLOCK_ALONG + 1;
    for (int i = 0; i < s->along; i++)
        s->lines[i] = line_hash(s, f, strip, i);
    for (int i = 0; i < n; i++) {
        uint64_t h = 2;
        for (int j = 0; j < BLOCK_ALONG; j++)
            h = mix(h, s->lines[i + j]);
        out[i] = (struct block){ h, i, true };
    }
    qsort(out, (size_t)n, sizeof *out, by_hash);
    for (int i = 1; i < n; i++) {
        if (out[i].hash == out[i - 1].hash)
            out[i].unique = out[i - 1].unique = false;
    }
    return n;
}

static void vote(struct search *s, int strip, int from, int to)
{
    struct votes *v = &s->votes[to - from + s->along];
    if (!v->n)
        *v = (struct votes){ 0, strip, strip, to, to };
    v->n++;
    v->strip_lo = DH_MIN(v->strip_lo, strip);
    v->strip_hi = DH_MAX(v->strip_hi, strip);
    v->at_lo = DH_MIN(v->at_lo, to);
    v->at_hi = DH_MAX(v->at_hi, to);
}

static void strip_search(struct search *s, int strip)
{
    int n = blocks_of(s, s->before, strip, s->old);
    blocks_of(s, s->after, strip, s->new);
    for (int i = 0, j = 0; i < n && j < n;) {
        const struct block *a = &s->old[i], *b = &s->new[j];
        if (a->hash == b->hash && a->unique && b->unique)
            vote(s, strip, a->at, b->at);
        if (a->hash <= b->hash)
            i++;
        else
            j++;
    }
}

static struct dh_rect votes_area(const struct search *s, const struct votes *v)
{
    int across = v->strip_lo * BLOCK_ACROSS;
    int side = (v->strip_hi - v->strip_lo + 1) * BLOCK_ACROSS;
    int len = v->at_hi - v->at_lo + BLOCK_ALONG;
    if (s->vertical)
        return (struct dh_rect){ s->region.x + across, s->region.y + v->at_lo,
                                 side, len };
    return (struct dh_rect){ s->region.x + v->at_lo, s->region.y + across, len,
                             side };
}

static int search_best(const struct search *s, struct dh_motion *out)
{
    int best = 0;
    for (int move = -s->along; move <= s->along; move++) {
        const struct votes *v = &s->votes[move + s->along];
        if (move == 0 || v->n < MIN_VOTES || v->n <= best)
            continue;
        struct dh_rect area = votes_area(s, v);
        if (area.w <= SPOT && area.h <= SPOT)
            continue;
        best = v->n;
        out->area = area;
        out->by = s->vertical ? (struct dh_point){ 0, move }
                              : (struct dh_point){ move, 0 };
    }
    return best;
}

// How many blocks went along this axis, the best move only; 0: none.
static int axis_search(struct search *s, bool vertical, struct dh_motion *out)
{
    s->vertical = vertical;
    s->along = vertical ? s->region.h : s->region.w;
    s->strips = (vertical ? s->region.w : s->region.h) / BLOCK_ACROSS;
    if (s->along < BLOCK_ALONG)
        return 0;
    size_t n = (size_t)s->along;
    dh_array(s->lines, n);
    dh_array(s->old, n);
    dh_array(s->new, n);
    dh_array(s->votes, 2 * n + 1);
    for (int i = 0; i < s->strips; i++)
        strip_search(s, i);
    int best = search_best(s, out);
    dh_free(s->lines);
    dh_free(s->old);
    dh_free(s->new);
    dh_free(s->votes);
    return best;
}

static bool same_size(const struct dh_frame *a, const struct dh_frame *b)
{
    return a->width == b->width && a->height == b->height;
}

static struct dh_rect cut(const struct dh_frame *f, struct dh_rect region)
{
    struct dh_rect all = { 0, 0, f->width, f->height };
    return dh_rect_intersect(region, all);
}

bool dh_motion_find(const struct dh_frame *before, const struct dh_frame *after,
                    struct dh_rect region, struct dh_motion *out)
{
    struct dh_motion down, right;
    if (!same_size(before, after))
        return false;
    struct search s = { .before = before,
                        .after = after,
                        .region = cut(before, region) };
    if (dh_rect_is_empty(s.region))
        return false;
    int n_down = axis_search(&s, true, &down);
    int n_right = axis_search(&s, false, &right);
    if (!n_down && !n_right)
        return false;
    *out = n_down >= n_right ? down : right;
    return true;
}

static bool pixel_differs(const uint8_t *a, const uint8_t *b)
{
    return a[0] != b[0] || a[1] != b[1] || a[2] != b[2];
}

// The first of n pixels that differs; n where none does. The fourth byte is
// unspecified, so it takes more than memcmp, which is quick where all is equal.
static int first_change(const uint8_t *p, const uint8_t *q, int n)
{
    for (int at = 0; at < n; at += RUN) {
        int end = DH_MIN(at + RUN, n);
        if (memcmp(p + 4 * at, q + 4 * at, 4 * (size_t)(end - at)) == 0)
            continue;
        for (int i = at; i < end; i++)
            if (pixel_differs(p + 4 * i, q + 4 * i))
                return i;
    }
    return n;
}

// One past the last that differs; 0 where none does.
static int last_change(const uint8_t *p, const uint8_t *q, int n)
{
    for (int end = n; end > 0; end -= RUN) {
        int at = DH_MAX(end - RUN, 0);
        if (memcmp(p + 4 * at, q + 4 * at, 4 * (size_t)(end - at)) == 0)
            continue;
        for (int i = end; i > at; i--)
            if (pixel_differs(p + 4 * (i - 1), q + 4 * (i - 1)))
                return i;
    }
    return 0;
}

static bool tile_differs(const struct dh_frame *a, const struct dh_frame *b,
                         struct dh_rect t)
{
    for (int y = t.y; y < t.y + t.h; y++)
        if (first_change(dh_frame_at(a, t.x, y), dh_frame_at(b, t.x, y), t.w) <
            t.w)
            return true;
    return false;
}

int dh_motion_changed(const struct dh_frame *before,
                      const struct dh_frame *after, struct dh_rect region,
                      int *total)
{
    bool all = !same_size(before, after);
    struct dh_rect r = cut(after, region);
    int n = 0;
    *total = 0;
    for (int y = r.y; y < r.y + r.h; y += TILE) {
        for (int x = r.x; x < r.x + r.w; x += TILE) {
            struct dh_rect tile = { x, y, TILE, TILE };
            tile = dh_rect_intersect(tile, r);
            ++*total;
            n += all || tile_differs(before, after, tile);
        }
    }
    return n;
}

struct dh_rect dh_motion_bounds(const struct dh_frame *before,
                                const struct dh_frame *after,
                                struct dh_rect region)
{
    struct dh_rect r = cut(after, region);
    int left = r.w, right = 0, top = 0, bottom = 0;
    if (!same_size(before, after))
        return r;
    for (int y = r.y; y < r.y + r.h; y++) {
        const uint8_t *p = dh_frame_at(before, r.x, y);
        const uint8_t *q = dh_frame_at(after, r.x, y);
        int first = first_change(p, q, r.w);
        if (first == r.w)
            continue;
        if (!right)
            top = y;
        bottom = y + 1;
        left = DH_MIN(left, first);
        // Only what lies beyond the others is still of interest.
        right += last_change(p + 4 * right, q + 4 * right, r.w - right);
    }
    return (struct dh_rect){ r.x + left, top, DH_MAX(right - left, 0),
                             bottom - top };
}
