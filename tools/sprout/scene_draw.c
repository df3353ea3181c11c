#include "tools/sprout/scene_priv.h"

#include <string.h>

sc_col rgb(int r, int g, int b)
{
    r = r < 0 ? 0 : r > 255 ? 255 : r;
    g = g < 0 ? 0 : g > 255 ? 255 : g;
    b = b < 0 ? 0 : b > 255 ? 255 : b;
    return (sc_col)r << 16 | (sc_col)g << 8 | (sc_col)b;
}

sc_col shade(sc_col c, int d)
{
    return rgb((int)(c >> 16 & 255) + d, (int)(c >> 8 & 255) + d,
               (int)(c & 255) + d);
}

sc_col mix(sc_col a, sc_col b, int t)
{
    int u = 256 - t;
    return rgb(((int)(a >> 16 & 255) * u + (int)(b >> 16 & 255) * t) >> 8,
               ((int)(a >> 8 & 255) * u + (int)(b >> 8 & 255) * t) >> 8,
               ((int)(a & 255) * u + (int)(b & 255) * t) >> 8);
}

sc_col hsv(int h, int sat, int v)
{
    int f = h % 60 * 255 / 60;
    int p = v * (255 - sat) / 255;
    int q = v * (255 - sat * f / 255) / 255;
    int t = v * (255 - sat * (255 - f) / 255) / 255;
    switch (h / 60 % 6) {
    case 0: return rgb(v, t, p);
    case 1: return rgb(q, v, p);
    case 2: return rgb(p, v, t);
    case 3: return rgb(p, q, v);
    case 4: return rgb(t, p, v);
    default: return rgb(v, p, q);
    }
}

int luma(sc_col c)
{
    return (int)((c >> 16 & 255) * 77 + (c >> 8 & 255) * 150 +
                 (c & 255) * 29) >>
           8;
}

sc_col readable(sc_col on)
{
    return luma(on) < 140 ? 0xffffff : 0x101010;
}

sc_col legible(sc_col c, sc_col on)
{
    int gap = luma(c) - luma(on);
    return gap < 70 && gap > -70 ? readable(on) : c;
}

static struct box cut(const struct sc *s, struct box b)
{
    if (b.x0 < s->clip.x0)
        b.x0 = s->clip.x0;
    if (b.y0 < s->clip.y0)
        b.y0 = s->clip.y0;
    if (b.x1 > s->clip.x1)
        b.x1 = s->clip.x1;
    if (b.y1 > s->clip.y1)
        b.y1 = s->clip.y1;
    return b;
}

static uint8_t *at(const struct sc *s, int x, int y)
{
    return s->px + ((size_t)y * (size_t)s->w + (size_t)x) * 3;
}

// Three bytes a pixel: twelve bytes hold four pixels, and memcpy of a constant
// size becomes two stores.
static void span(uint8_t *p, int n, sc_col c)
{
    uint8_t quad[12];
    for (int i = 0; i < 12; i += 3) {
        quad[i] = (uint8_t)(c >> 16);
        quad[i + 1] = (uint8_t)(c >> 8);
        quad[i + 2] = (uint8_t)c;
    }
    for (; n >= 4; n -= 4, p += 12)
        memcpy(p, quad, 12);
    memcpy(p, quad, (size_t)n * 3);
}

void fill(struct sc *s, struct box b, sc_col c)
{
    b = cut(s, b);
    if (b.x0 >= b.x1 || b.y0 >= b.y1 || c == SC_NONE)
        return;
    uint8_t *first = at(s, b.x0, b.y0);
    size_t len = (size_t)(b.x1 - b.x0) * 3;
    span(first, b.x1 - b.x0, c);
    for (int y = b.y0 + 1; y < b.y1; y++)
        memcpy(at(s, b.x0, y), first, len);
}

static void blend(uint8_t *p, sc_col c, int a)
{
    p[0] = (uint8_t)(p[0] + ((((int)(c >> 16 & 255) - p[0]) * a + 128) >> 8));
    p[1] = (uint8_t)(p[1] + ((((int)(c >> 8 & 255) - p[1]) * a + 128) >> 8));
    p[2] = (uint8_t)(p[2] + ((((int)(c & 255) - p[2]) * a + 128) >> 8));
}

void fill_alpha(struct sc *s, struct box b, sc_col c, int alpha)
{
    b = cut(s, b);
    for (int y = b.y0; y < b.y1; y++) {
        uint8_t *p = b.x0 < b.x1 ? at(s, b.x0, y) : NULL;
        for (int x = b.x0; x < b.x1; x++, p += 3)
            blend(p, c, alpha);
    }
}

void hline(struct sc *s, int x0, int x1, int y, sc_col c)
{
    fill(s, (struct box){ x0, y, x1, y + 1 }, c);
}

void vline(struct sc *s, int x, int y0, int y1, sc_col c)
{
    fill(s, (struct box){ x, y0, x + 1, y1 }, c);
}

void frame(struct sc *s, struct box b, sc_col c)
{
    hline(s, b.x0, b.x1, b.y0, c);
    hline(s, b.x0, b.x1, b.y1 - 1, c);
    vline(s, b.x0, b.y0, b.y1, c);
    vline(s, b.x1 - 1, b.y0, b.y1, c);
}

void dotted_frame(struct sc *s, struct box b, sc_col c)
{
    for (int x = b.x0; x < b.x1; x += 2) {
        hline(s, x, x + 1, b.y0, c);
        hline(s, x, x + 1, b.y1 - 1, c);
    }
    for (int y = b.y0; y < b.y1; y += 2) {
        vline(s, b.x0, y, y + 1, c);
        vline(s, b.x1 - 1, y, y + 1, c);
    }
}

void bevel(struct sc *s, struct box b, sc_col light, sc_col dark, int width)
{
    for (int i = 0; i < width; i++) {
        hline(s, b.x0 + i, b.x1 - i, b.y0 + i, light);
        vline(s, b.x0 + i, b.y0 + i, b.y1 - i, light);
        hline(s, b.x0 + i, b.x1 - i, b.y1 - 1 - i, dark);
        vline(s, b.x1 - 1 - i, b.y0 + i, b.y1 - i, dark);
    }
}

void gradient(struct sc *s, struct box b, sc_col top, sc_col bottom)
{
    int h = b.y1 - b.y0;
    for (int y = b.y0; y < b.y1; y++)
        hline(s, b.x0, b.x1, y, mix(top, bottom, (y - b.y0) * 256 / h));
}

void gradient_h(struct sc *s, struct box b, sc_col left, sc_col right)
{
    struct box c = cut(s, b);
    if (c.x0 >= c.x1 || c.y0 >= c.y1)
        return;
    int w = b.x1 - b.x0;
    for (int x = c.x0; x < c.x1; x++)
        span(at(s, x, c.y0), 1, mix(left, right, (x - b.x0) * 256 / w));
    for (int y = c.y0 + 1; y < c.y1; y++)
        memcpy(at(s, c.x0, y), at(s, c.x0, c.y0), (size_t)(c.x1 - c.x0) * 3);
}

enum { MAX_RADIUS = 48 };
static uint8_t *corners[MAX_RADIUS + 1];
static uint8_t
    corner_store[MAX_RADIUS * (MAX_RADIUS + 1) * (2 * MAX_RADIUS + 1) / 6];

// Coverage of the upper left corner's pixels, by 4x4 samples.
static const uint8_t *corner(int r)
{
    if (corners[r])
        return corners[r];
    uint8_t *c = corner_store;
    for (int i = 1; i < r; i++)
        c += i * i;
    for (int y = 0; y < r; y++)
        for (int x = 0; x < r; x++) {
            int n = 0;
            for (int k = 0; k < 16; k++) {
                int dx = 8 * r - (8 * x + 2 * (k & 3) + 1);
                int dy = 8 * r - (8 * y + 2 * (k >> 2) + 1);
                n += dx * dx + dy * dy <= 64 * r * r;
            }
            c[y * r + x] = (uint8_t)(n * 255 / 16);
        }
    return corners[r] = c;
}

static void blend_at(struct sc *s, int x, int y, sc_col c, int a)
{
    if (x >= s->clip.x0 && x < s->clip.x1 && y >= s->clip.y0 && y < s->clip.y1)
        blend(at(s, x, y), c, a + (a >> 7));
}

void rounded(struct sc *s, struct box b, int r, sc_col top, sc_col bottom)
{
    int w = b.x1 - b.x0, h = b.y1 - b.y0;
    if (w <= 0 || h <= 0 || top == SC_NONE)
        return;
    r = r > w / 2 ? w / 2 : r;
    r = r > h / 2 ? h / 2 : r;
    r = r > MAX_RADIUS ? MAX_RADIUS : r;
    if (r < 1 && top == bottom) {
        fill(s, b, top);
        return;
    }
    const uint8_t *m = r > 0 ? corner(r) : NULL;
    for (int y = 0; y < h; y++) {
        sc_col c = top == bottom ? top : mix(top, bottom, y * 256 / h);
        int cy = y < r ? y : y >= h - r ? h - 1 - y : -1;
        int in = cy < 0 ? 0 : r;
        hline(s, b.x0 + in, b.x1 - in, b.y0 + y, c);
        for (int x = 0; x < in; x++) {
            int a = m[cy * r + x];
            if (a == 0)
                continue;
            blend_at(s, b.x0 + x, b.y0 + y, c, a);
            blend_at(s, b.x1 - 1 - x, b.y0 + y, c, a);
        }
    }
}

void rounded_framed(struct sc *s, struct box b, int r, sc_col top,
                    sc_col bottom, sc_col edge)
{
    if (edge == SC_NONE) {
        rounded(s, b, r, top, bottom);
        return;
    }
    rounded(s, b, r, edge, edge);
    rounded(s, inset(b, 1), r > 1 ? r - 1 : 0, top, bottom);
}

void disc(struct sc *s, int cx, int cy, int r, sc_col c)
{
    rounded(s, (struct box){ cx - r, cy - r, cx + r, cy + r }, r, c, c);
}

void line(struct sc *s, int x0, int y0, int x1, int y1, sc_col c, int width)
{
    int dx = x1 - x0, dy = y1 - y0;
    int n = dx < 0 ? -dx : dx;
    int m = dy < 0 ? -dy : dy;
    n = n > m ? n : m;
    for (int i = 0; i <= n; i++) {
        int x = x0 + (n ? (dx * i * 2 + (dx < 0 ? -n : n)) / (2 * n) : 0);
        int y = y0 + (n ? (dy * i * 2 + (dy < 0 ? -n : n)) / (2 * n) : 0);
        fill(s, bx(x, y, width, width), c);
    }
}

/* dir: 0 down, 1 up, 2 right, 3 left. */
void triangle(struct sc *s, int cx, int cy, int size, int dir, sc_col c)
{
    for (int i = 0; i < size; i++) {
        int half = size - 1 - i, d = i - size / 2;
        if (dir == 0)
            hline(s, cx - half, cx + half + 1, cy + d, c);
        else if (dir == 1)
            hline(s, cx - half, cx + half + 1, cy - d, c);
        else if (dir == 2)
            vline(s, cx + d, cy - half, cy + half + 1, c);
        else
            vline(s, cx - d, cy - half, cy + half + 1, c);
    }
}

void mask(struct sc *s, int x, int y, int w, int h, int pitch, const uint8_t *m,
          sc_col c)
{
    struct box b = cut(s, bx(x, y, w, h));
    for (int v = b.y0; v < b.y1; v++) {
        const uint8_t *q = m + (v - y) * pitch - x;
        uint8_t *p = b.x0 < b.x1 ? at(s, b.x0, v) : NULL;
        for (int u = b.x0; u < b.x1; u++, p += 3)
            if (q[u])
                blend(p, c, q[u] + (q[u] >> 7));
    }
}

// Smooth colour field: random cells, interpolated along both axes. Stands for
// photographs: wallpapers, thumbnails.
void picture(struct sc *s, struct box b, int cells, sc_col base, int spread)
{
    enum { MAX_CELLS = 24 };
    int16_t grid[MAX_CELLS + 2][MAX_CELLS + 2][3];
    int w = b.x1 - b.x0, h = b.y1 - b.y0;
    if (w < 2 || h < 2)
        return;
    cells = cells > MAX_CELLS ? MAX_CELLS : cells;
    for (int i = 0; i <= cells + 1; i++)
        for (int j = 0; j <= cells + 1; j++) {
            int all = range(s, -spread, spread);
            for (int k = 0; k < 3; k++) {
                int v = (int)(base >> (16 - 8 * k) & 255) + all +
                        range(s, -spread, spread) / 2;
                grid[i][j][k] = (int16_t)(v < 0 ? 0 : v > 255 ? 255 : v);
            }
        }
    struct box c = cut(s, b);
    for (int y = c.y0; y < c.y1; y++) {
        int fy = (y - b.y0) * cells * 256 / h, iy = fy >> 8;
        fy &= 255;
        uint8_t *p = c.x0 < c.x1 ? at(s, c.x0, y) : NULL;
        for (int j = 0, x = c.x0; j < cells && x < c.x1; j++) {
            int xa = b.x0 + j * w / cells, xb = b.x0 + (j + 1) * w / cells;
            if (xb <= x || xb == xa)
                continue;
            int v[3], d[3];
            for (int k = 0; k < 3; k++) {
                int l = grid[iy][j][k] * (256 - fy) + grid[iy + 1][j][k] * fy;
                int r = grid[iy][j + 1][k] * (256 - fy) +
                        grid[iy + 1][j + 1][k] * fy;
                d[k] = (r - l) / (xb - xa);
                v[k] = l + d[k] * (x - xa);
            }
            int end = xb < c.x1 ? xb : c.x1;
            for (; x < end; x++, p += 3)
                for (int k = 0; k < 3; k++) {
                    p[k] = (uint8_t)(v[k] >> 8);
                    v[k] += d[k];
                }
        }
    }
}

void shadow(struct sc *s, struct box b, int size, int strength)
{
    for (int i = size; i > 0; i--) {
        int a = strength * (size - i + 1) / size / 4 + 1;
        struct box o = { b.x0 - i, b.y0 - i + size / 3, b.x1 + i,
                         b.y1 + i + size / 3 };
        fill_alpha(s, (struct box){ o.x0, o.y0, o.x1, o.y0 + 1 }, 0, a);
        fill_alpha(s, (struct box){ o.x0, o.y1 - 1, o.x1, o.y1 }, 0, a);
        fill_alpha(s, (struct box){ o.x0, o.y0 + 1, o.x0 + 1, o.y1 - 1 }, 0, a);
        fill_alpha(s, (struct box){ o.x1 - 1, o.y0 + 1, o.x1, o.y1 - 1 }, 0, a);
    }
}
