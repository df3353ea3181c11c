#include "tools/sprout/scene_bank.h"

#include "tools/sprout/scene_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t *map;
static size_t map_len;
static uint32_t *offsets, n_offsets;
static uint8_t *scratch;
static size_t scratch_len;

static bool same(const uint8_t *a, const uint8_t *b)
{
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

static size_t put_run(uint8_t *out, size_t pos, int op, size_t n)
{
    while (n > 64) {
        size_t k = n > 65535 ? 65535 : n;
        out[pos++] = (uint8_t)(op == 0x40 ? 0xc0 : 0xc1);
        out[pos++] = (uint8_t)k;
        out[pos++] = (uint8_t)(k >> 8);
        n -= k;
    }
    if (n > 0)
        out[pos++] = (uint8_t)(op | (int)(n - 1));
    return pos;
}

SCENE_API size_t scene_bank_encode(const uint8_t *px, int w, int h,
                                   uint8_t *out, size_t max)
{
    static const uint8_t black[3];
    size_t n = (size_t)w * (size_t)h, row = (size_t)w, pos = 0, lit = 0;
    if (w <= 0 || h <= 0 || max < n * 4 + 16)
        return 0;
    for (size_t i = 0; i < n;) {
        size_t up = 0, run = 0;
        const uint8_t *last = i > 0 ? px + (i - 1) * 3 : black;
        while (i + up < n &&
               same(px + (i + up) * 3,
                    i + up >= row ? px + (i + up - row) * 3 : black))
            up++;
        while (i + run < n && same(px + (i + run) * 3, last))
            run++;
        if (up == 0 && run == 0) {
            if (lit == 0 || out[lit - 1] == 63) {
                lit = ++pos;
                out[lit - 1] = 0;
            } else {
                out[lit - 1]++;
            }
            memcpy(out + pos, px + i * 3, 3);
            pos += 3;
            i++;
            continue;
        }
        lit = 0;
        pos = up >= run ? put_run(out, pos, 0x40, up)
                        : put_run(out, pos, 0x80, run);
        i += up >= run ? up : run;
    }
    return pos;
}

// Pixels are decoded into one flat picture, so that the row above is always
// w pixels back.
static int decode_flat(const uint8_t *in, size_t len, size_t w, size_t n,
                       uint8_t *px)
{
    size_t pos = 0, i = 0;
    while (i < n) {
        if (pos >= len)
            return -1;
        unsigned op = in[pos++];
        size_t k = (op & 63) + 1;
        if (op >= 0xc0) {
            if (op > 0xc1 || len - pos < 2)
                return -1;
            k = in[pos] | (size_t)in[pos + 1] << 8;
            pos += 2;
            op = op == 0xc0 ? 0x40 : 0x80;
        }
        if (k > n - i || (op < 0x40 && k * 3 > len - pos))
            return -1;
        if (op < 0x40) {
            memcpy(px + i * 3, in + pos, k * 3);
            pos += k * 3;
            i += k;
        } else if (op < 0x80) {
            for (size_t left = k; left > 0;) {
                size_t part = left > w ? w : left;
                if (i >= w)
                    memcpy(px + i * 3, px + (i - w) * 3, part * 3);
                else
                    memset(px + i * 3, 0,
                           (part = part > w - i ? w - i : part) * 3);
                i += part;
                left -= part;
            }
        } else {
            uint8_t last[3] = { 0, 0, 0 };
            if (i > 0)
                memcpy(last, px + (i - 1) * 3, 3);
            for (; k > 0; k--, i++)
                memcpy(px + i * 3, last, 3);
        }
    }
    return 0;
}

static uint8_t *scratch_get(size_t len)
{
    if (len > scratch_len) {
        free(scratch);
        // ok: a library of its own, without base/mem
        scratch = malloc(len);
        scratch_len = scratch ? len : 0;
    }
    return scratch;
}

SCENE_API int scene_bank_decode(const uint8_t *in, size_t len, int w, int h,
                                uint8_t *px, size_t stride)
{
    if (w <= 0 || h <= 0 || w > 8192 || h > 8192)
        return -1;
    size_t n = (size_t)w * (size_t)h, row = (size_t)w * 3;
    uint8_t *flat = scratch_get(n * 3);
    if (!flat || decode_flat(in, len, (size_t)w, n, flat))
        return -1;
    for (int y = 0; y < h; y++)
        memcpy(px + (size_t)y * stride, flat + (size_t)y * row, row);
    return 0;
}

struct reader {
    const uint8_t *p, *end;
    bool bad;
};

static unsigned get(struct reader *r, int bytes)
{
    unsigned v = 0;
    if (r->end - r->p < bytes) {
        r->bad = true;
        return 0;
    }
    for (int i = 0; i < bytes; i++)
        v |= (unsigned)*r->p++ << (8 * i);
    return v;
}

static void get_str(struct reader *r, char *dst, size_t n)
{
    size_t len = get(r, 1);
    dst[0] = 0;
    if ((size_t)(r->end - r->p) < len) {
        r->bad = true;
        return;
    }
    size_t keep = len < n ? len : n - 1;
    memcpy(dst, r->p, keep);
    dst[keep] = 0;
    r->p += len;
}

void bank_unload(void)
{
    if (map)
        munmap((void *)(uintptr_t)map, map_len);
    free(offsets);
    free(scratch);
    map = NULL;
    offsets = NULL;
    scratch = NULL;
    map_len = scratch_len = 0;
    n_offsets = 0;
}

int bank_count(void)
{
    return (int)n_offsets;
}

static int index_build(void)
{
    struct reader r = { map + 8, map + map_len, false };
    if (map_len < 12 || memcmp(map, "SPBANK01", 8))
        return -1;
    uint32_t n = get(&r, 4);
    if (n > map_len / 16)
        return -1;
    // ok: a library of its own, without base/mem
    offsets = calloc(n + 1, sizeof *offsets);
    for (n_offsets = 0; offsets && n_offsets < n; n_offsets++) {
        offsets[n_offsets] = (uint32_t)(r.p - map);
        uint32_t len = get(&r, 4);
        if (r.bad || len > (size_t)(r.end - r.p))
            return -1;
        r.p += len;
    }
    return offsets ? 0 : -1;
}

SCENE_API int scene_bank_open(const char *path)
{
    struct stat st;
    bank_unload();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) || st.st_size < 12) {
        fprintf(stderr, "scene: cannot open bank %s\n", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    map_len = (size_t)st.st_size;
    void *m = mmap(NULL, map_len, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    map = m == MAP_FAILED ? NULL : m;
    if (!map || index_build()) {
        fprintf(stderr, "scene: broken bank %s\n", path);
        bank_unload();
        return -1;
    }
    return (int)n_offsets;
}

// One curve for each channel: brightness, contrast, gamma-like bend and tint;
// rarely inverted or with channels swapped.
struct recolour {
    uint8_t curve[3][256];
    int from[3];
    bool active;
};

static void recolour_make(struct sc *s, struct recolour *c)
{
    c->active = chance(s, 55);
    bool invert = c->active && chance(s, 12);
    int swap = c->active && chance(s, 20) ? range(s, 1, 5) : 0;
    static const int order[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                     { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    int gain = range(s, 205, 256), lift = range(s, 0, 24);
    int bend = chance(s, 50) ? range(s, -40, 40) : 0;
    for (int k = 0; k < 3; k++) {
        int tint = chance(s, 60) ? range(s, -14, 6) : 0;
        c->from[k] = order[swap][k];
        for (int v = 0; v < 256; v++) {
            int u = invert ? 255 - v : v;
            u += bend * u * (255 - u) / (255 * 64);
            u = u * (gain + tint) / 256 + lift;
            c->curve[k][v] = (uint8_t)(u < 0 ? 0 : u > 255 ? 255 : u);
        }
    }
}

static void blit(struct sc *s, const uint8_t *px, int w, struct box b,
                 const struct recolour *c)
{
    for (int y = b.y0; y < b.y1; y++) {
        const uint8_t *p = px + (size_t)(y - b.y0) * (size_t)w * 3;
        uint8_t *q = s->px + ((size_t)y * (size_t)s->w + (size_t)b.x0) * 3;
        size_t n = (size_t)(b.x1 - b.x0);
        if (!c->active) {
            memcpy(q, p, n * 3);
            continue;
        }
        for (size_t i = 0; i < n; i++, p += 3, q += 3)
            for (int k = 0; k < 3; k++)
                q[k] = c->curve[k][p[c->from[k]]];
    }
}

struct entry {
    int w, h, n, flags;
    char title[SCENE_LABEL];
    struct reader body; /* at the elements */
};

static bool entry_read(uint32_t i, struct entry *e)
{
    struct reader r = { map + offsets[i], map + map_len, false };
    uint32_t len = get(&r, 4);
    r.end = r.p + len;
    e->w = (int)get(&r, 2);
    e->h = (int)get(&r, 2);
    e->n = (int)get(&r, 2);
    get(&r, 1);
    e->flags = (int)get(&r, 1);
    get_str(&r, e->title, sizeof e->title);
    e->body = r;
    return !r.bad && e->w > 0 && e->h > 0 && e->w <= 4096 && e->h <= 4096;
}

// The elements' records come first, the pixels after them; elements must be
// noted after the paste has covered what was there.
static void elements_add(struct sc *s, struct entry *e, struct box b,
                         struct reader *r)
{
    for (int i = 0; i < e->n && !r->bad; i++) {
        int v[4];
        char label[SCENE_LABEL], anchor[SCENE_ANCHOR], value[SCENE_VALUE];
        for (int k = 0; k < 4; k++)
            v[k] = (int16_t)get(r, 2);
        int kind = (int)get(r, 1), role = (int)get(r, 1);
        int state = (int)get(r, 1);
        get_str(r, label, sizeof label);
        get_str(r, anchor, sizeof anchor);
        get_str(r, value, sizeof value);
        if (r->bad || kind >= SCENE_N_KINDS || role >= SCENE_N_ROLES)
            continue;
        struct box eb = { b.x0 + v[0], b.y0 + v[1], b.x0 + v[2], b.y0 + v[3] };
        struct scene_element *el = add(s, kind, eb, label);
        el->role = (uint8_t)role;
        el->state = (uint8_t)state;
        el->flags = SCENE_FROM_BANK;
        set_text(el->anchor, SCENE_ANCHOR, anchor);
        set_text(el->value, SCENE_VALUE, value);
    }
}

/* Title and title buttons of a window that was captured with its frame. */
static void frame_find(struct sc *s, int first)
{
    struct scene_out *o = s->out;
    struct scene_window *w = s->win >= 0 ? &o->windows[s->win] : NULL;
    for (int i = first; w && i < o->n_elements; i++) {
        struct scene_element *e = &o->elements[i];
        int16_t v[4] = { e->x0, e->y0, e->x1, e->y1 };
        if (e->kind == SCENE_TITLE && !w->title[0] && !s->fate[i]) {
            memcpy(w->title, e->label, sizeof w->title);
            memcpy(w->title_box, v, sizeof v);
            w->flags |= SCENE_WIN_TITLED;
        }
    }
    for (int i = first; w && i < o->n_elements; i++) {
        struct scene_element *e = &o->elements[i];
        int16_t v[4] = { e->x0, e->y0, e->x1, e->y1 };
        if (e->kind != SCENE_WINBUTTON || s->fate[i])
            continue;
        if (!e->anchor[0])
            set_text(e->anchor, SCENE_ANCHOR, w->title);
        memcpy(e->role == SCENE_ROLE_CLOSE      ? w->close
               : e->role == SCENE_ROLE_MINIMIZE ? w->minimize
                                                : w->maximize,
               v, sizeof v);
    }
}

static void skip_elements(struct entry *e, struct reader *r)
{
    char text[256];
    for (int i = 0; i < e->n && !r->bad; i++) {
        get(r, 4);
        get(r, 4);
        get(r, 3);
        for (int k = 0; k < 3; k++)
            get_str(r, text, sizeof text);
    }
}

bool bank_paste(struct sc *s, bool active)
{
    struct entry e;
    struct recolour c;
    bool found = false;
    for (int tries = 0; tries < 6 && n_offsets && !found; tries++) {
        found = entry_read(rnd(s, n_offsets), &e);
        if (found && !(e.flags & SCENE_BANK_SCREEN))
            found = e.w + 8 < s->w && e.h + 40 < s->h;
    }
    if (!found)
        return false;
    struct reader pixels = e.body;
    skip_elements(&e, &pixels);
    uint8_t *px = scratch_get((size_t)e.w * (size_t)e.h * 3);
    if (pixels.bad || !px ||
        decode_flat(pixels.p, (size_t)(pixels.end - pixels.p), (size_t)e.w,
                    (size_t)e.w * (size_t)e.h, px))
        return false;
    recolour_make(s, &c);
    int th = chrome_height(s->st) + 2;
    bool framed =
        !(e.flags & (SCENE_BANK_FRAMED | SCENE_BANK_POPUP | SCENE_BANK_SCREEN));
    struct box b = { 0, 0, e.w < s->w ? e.w : s->w, e.h < s->h ? e.h : s->h };
    if (!(e.flags & SCENE_BANK_SCREEN)) {
        b = place(s, e.w, e.h);
        int down = framed && b.y0 < th ? th - b.y0 : 0;
        down = b.y1 + down > s->h ? s->h - b.y1 : down;
        b.y0 += down;
        b.y1 += down;
    }
    if (framed) {
        char title[SCENE_LABEL];
        set_text(title, sizeof title, e.title);
        if (!title[0])
            words_any(s, title, sizeof title);
        struct box outer = { b.x0 - 1, b.y0 - th + 1, b.x1 + 1, b.y1 + 1 };
        chrome_draw(s, outer, title, active, CT_BANK);
    } else {
        cover(s, b);
        window_new(s, b,
                   SCENE_WIN_BANK | (active ? SCENE_WIN_ACTIVE : 0) |
                       (e.flags & SCENE_BANK_POPUP ? SCENE_WIN_POPUP : 0),
                   CT_BANK);
    }
    int first = s->out->n_elements;
    blit(s, px, e.w, b, &c);
    struct box old = s->clip;
    s->clip = b;
    elements_add(s, &e, b, &e.body);
    s->clip = old;
    if (!framed)
        frame_find(s, first);
    add_unknown(s, b);
    return true;
}
