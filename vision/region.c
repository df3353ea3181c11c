#include "vision/region.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "capture/frame.h"

#define CLEAR_SUM   48 // of 765
#define SEED_PX     6  // colours so near are tried
#define COLOURS_MAX 16
#define TOLERANCE   16 // of a channel: shades of a gradient
#define MIN_PX      6
#define MIN_EDGES   8
#define TRIES       3

static uint32_t pixel(const struct dh_frame *f, int x, int y)
{
    const uint8_t *p = dh_frame_at(f, x, y);
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static bool is_alike(uint32_t a, uint32_t b)
{
    for (int shift = 0; shift < 24; shift += 8)
        if (abs((int)(a >> shift & 255) - (int)(b >> shift & 255)) > TOLERANCE)
            return false;
    return true;
}

static struct dh_rect in_frame(const struct dh_frame *f, struct dh_rect r)
{
    return dh_rect_intersect(r, (struct dh_rect){ 0, 0, f->width, f->height });
}

// The colours near a point, the most frequent first, each with the pixel of it
// that is nearest to the point.
struct shade {
    uint32_t colour;
    int count, far;
    struct dh_point at;
};

struct colours {
    int n;
    struct shade of[COLOURS_MAX];
};

static void count_pixel(struct colours *c, uint32_t colour, struct dh_point at,
                        int far)
{
    int i = 0;
    while (i < c->n && c->of[i].colour != colour)
        i++;
    if (i == COLOURS_MAX)
        return;
    if (i == c->n) {
        c->n++;
        c->of[i].colour = colour;
        c->of[i].count = 0;
        c->of[i].far = INT32_MAX;
    }
    c->of[i].count++;
    if (far < c->of[i].far) {
        c->of[i].far = far;
        c->of[i].at = at;
    }
}

static int by_count(const void *a, const void *b)
{
    int x = ((const struct shade *)a)->count;
    int y = ((const struct shade *)b)->count;
    return (y > x) - (y < x);
}

struct fill {
    const struct dh_frame *frame;
    struct dh_rect area;
    uint32_t colour;
    uint8_t *seen; // of area
    int *todo;     // likewise
    int n;
};

static void visit(struct fill *s, int x, int y)
{
    if (!dh_rect_has(s->area, (struct dh_point){ x, y }))
        return;
    int at = (y - s->area.y) * s->area.w + x - s->area.x;
    if (s->seen[at] || !is_alike(pixel(s->frame, x, y), s->colour))
        return;
    s->seen[at] = 1;
    s->todo[s->n++] = at;
}

static struct dh_rect flood(struct fill *s, struct dh_point from)
{
    struct dh_rect box = { 0 };
    visit(s, from.x, from.y);
    while (s->n > 0) {
        int at = s->todo[--s->n];
        int x = s->area.x + at % s->area.w, y = s->area.y + at / s->area.w;
        box = dh_rect_union(box, (struct dh_rect){ x, y, 1, 1 });
        visit(s, x - 1, y);
        visit(s, x + 1, y);
        visit(s, x, y - 1);
        visit(s, x, y + 1);
    }
    return box;
}

static void read_colours(const struct dh_frame *f, struct dh_point p,
                         struct colours *out)
{
    struct dh_rect box =
        in_frame(f, (struct dh_rect){ p.x - SEED_PX, p.y - SEED_PX,
                                      2 * SEED_PX + 1, 2 * SEED_PX + 1 });
    out->n = 0;
    for (int i = 0; i < box.w * box.h; i++) {
        struct dh_point at = { box.x + i % box.w, box.y + i / box.w };
        int dx = at.x - p.x, dy = at.y - p.y;
        count_pixel(out, pixel(f, at.x, at.y), at, dx * dx + dy * dy);
    }
    qsort(out->of, (size_t)out->n, sizeof *out->of, by_count);
}

static bool is_thing(struct dh_rect box, struct dh_point p)
{
    return box.w >= MIN_PX && box.h >= MIN_PX && box.w <= DH_REGION_MAX_W &&
           box.h <= DH_REGION_MAX_H && dh_rect_has(box, p);
}

// A click often hits a letter, and it is the ground around it that is meant.
bool dh_region_around(const struct dh_frame *frame, struct dh_point p,
                      struct dh_rect *out)
{
    struct fill s = { .frame = frame };
    struct colours near;
    bool found = false;
    // One more on each side, so that what is too large is seen to be.
    s.area = in_frame(frame, (struct dh_rect){ p.x - DH_REGION_MAX_W - 1,
                                               p.y - DH_REGION_MAX_H - 1,
                                               2 * DH_REGION_MAX_W + 3,
                                               2 * DH_REGION_MAX_H + 3 });
    dh_array(s.seen, (size_t)(s.area.w * s.area.h));
    dh_array(s.todo, (size_t)(s.area.w * s.area.h));
    read_colours(frame, p, &near);
    for (int i = 0; i < near.n && i < TRIES && !found; i++) {
        s.colour = near.of[i].colour;
        memset(s.seen, 0, (size_t)(s.area.w * s.area.h));
        struct dh_rect box = flood(&s, near.of[i].at);
        found = is_thing(box, p);
        if (found)
            *out = box;
    }
    dh_free(s.seen);
    dh_free(s.todo);
    return found;
}

// ---- counting ---------------------------------------------------------------

static int edges_of_row(const struct dh_frame *f, struct dh_rect box, int y,
                        int *first)
{
    int n = 0;
    for (int x = box.x; x + 1 < box.x + box.w; x++) {
        if (is_alike(pixel(f, x, y), pixel(f, x + 1, y)))
            continue;
        if (!n++)
            *first = x - box.x;
    }
    return n;
}

static bool rows_equal(const struct dh_frame *f, struct dh_rect box, int x,
                       int y)
{
    for (int j = 0; j < box.h; j++)
        for (int i = 0; i < box.w; i++)
            if (pixel(f, x + i, y + j) != pixel(f, box.x + i, box.y + j))
                return false;
    return true;
}

// Two neighbours that differ are rare in a desktop's flat areas, so nearly all
// places are ruled out by them.
int dh_region_count(const struct dh_frame *frame, struct dh_rect box, int limit)
{
    int most = 0, all = 0, dx = 0, dy = 0, found = 0;
    for (int y = box.y; y < box.y + box.h; y++) {
        int first = 0, n = edges_of_row(frame, box, y, &first);
        all += n;
        if (n > most) {
            most = n;
            dx = first;
            dy = y - box.y;
        }
    }
    if (all < MIN_EDGES)
        return 0;
    uint32_t a = pixel(frame, box.x + dx, box.y + dy);
    uint32_t b = pixel(frame, box.x + dx + 1, box.y + dy);
    for (int y = 0; y + box.h <= frame->height; y++)
        for (int x = 0; x + box.w <= frame->width && found < limit; x++)
            if (pixel(frame, x + dx, y + dy) == a &&
                pixel(frame, x + dx + 1, y + dy) == b)
                found += rows_equal(frame, box, x, y);
    return found;
}

// ---- comparing --------------------------------------------------------------

// Other than a drift of colours, which a dither or another driver makes.
static bool is_clearly_other(const uint8_t *p, const uint8_t *q)
{
    return abs(p[0] - q[0]) + abs(p[1] - q[1]) + abs(p[2] - q[2]) > CLEAR_SUM;
}

static int row_differs(const struct dh_frame *a, const struct dh_frame *b,
                       struct dh_point in_a, struct dh_point in_b, int n)
{
    int differs = 0;
    if (in_b.y < 0 || in_b.y >= b->height)
        return n;
    for (int i = 0; i < n; i++) {
        int x = in_b.x + i;
        if (x < 0 || x >= b->width)
            differs++;
        else
            differs += is_clearly_other(dh_frame_at(a, in_a.x + i, in_a.y),
                                        dh_frame_at(b, x, in_b.y));
    }
    return differs;
}

int dh_region_differs(const struct dh_frame *a, struct dh_rect box,
                      const struct dh_frame *b, struct dh_point at, int limit,
                      int *total)
{
    struct dh_rect in = in_frame(a, box);
    int n = 0;
    *total = DH_MAX(in.w, 0) * DH_MAX(in.h, 0);
    for (int y = 0; y < in.h && in.w > 0 && n <= limit; y++) {
        struct dh_point from = { in.x, in.y + y };
        struct dh_point to = { at.x + in.x - box.x, at.y + in.y - box.y + y };
        n += row_differs(a, b, from, to, in.w);
    }
    return n;
}
