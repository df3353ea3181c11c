#include "tools/sprout/scene_priv.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_LCD_FILTER_H
#include FT_OUTLINE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FACES = 160, MIN_SIZE = 6, MAX_SIZE = 48 };

struct face {
    FT_Face ft;
    enum font_class class;
    int weight;
    char family[24];
    bool bitmap;
};

static FT_Library library;
static struct face faces[MAX_FACES];
static int n_faces;
static struct font *fonts[MAX_FACES][MAX_SIZE + 1][TEXT_NMODES];

// Beyond ASCII, what real programs show on buttons, in menus and in names.
static const uint32_t extra[] = {
    0xd7,   0xf7,   0x2212, 0x221a, 0xb1,   0xb2,   0x3c0,  0x2026,
    0x2022, 0x2013, 0x2014, 0x2190, 0x2191, 0x2192, 0x2193, 0x2713,
    0xa9,   0xe9,   0xe8,   0xe4,   0xf6,   0xfc,   0xdf,   0xf1,
    0xe7,   0xe1,   0xf3,   0xed,   0xb0,   0x20ac, 0xa3,   0xab,
    0xbb,   0x2018, 0x2019, 0x201c, 0x201d, 0xb7,   0x25b8, 0x25be,
};

static int slot_of(uint32_t code)
{
    if (code >= 32 && code < 127)
        return (int)code - 32;
    for (int i = 0; i < (int)(sizeof(extra) / sizeof(extra[0])); i++)
        if (extra[i] == code)
            return GLYPH_ASCII + i;
    return -1;
}

uint32_t text_next(const char **str)
{
    const uint8_t *p = (const uint8_t *)*str;
    uint32_t c = *p;
    int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (c == 0)
        return 0;
    c = more == 0 ? c : more == 1 ? c & 31 : more == 2 ? c & 15 : c & 7;
    p++;
    for (; more > 0 && (*p & 0xc0) == 0x80; more--)
        c = c << 6 | (*p++ & 63);
    *str = (const char *)p;
    return c;
}

void *text_library(void)
{
    return library;
}

static int face_open(const char *dir, const char *class, int weight,
                     const char family[24], const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    struct face *f = &faces[n_faces];
    if (n_faces == MAX_FACES || FT_New_Face(library, path, 0, &f->ft))
        return -1;
    // A Unicode map, or Latin-1 for bitmap fonts; FreeType picks the first.
    f->class = !strcmp(class, "sans")    ? FONT_SANS
               : !strcmp(class, "serif") ? FONT_SERIF
               : !strcmp(class, "mono")  ? FONT_MONO
                                         : FONT_BITMAP;
    f->weight = weight;
    f->bitmap = !FT_IS_SCALABLE(f->ft);
    memcpy(f->family, family, sizeof f->family);
    n_faces++;
    return 0;
}

int text_load(const char *asset_dir)
{
    char path[512], class[16], family[24], name[64];
    int weight;
    if (FT_Init_FreeType(&library))
        return -1;
    FT_Library_SetLcdFilter(library, FT_LCD_FILTER_DEFAULT);
    snprintf(path, sizeof path, "%s/fonts.txt", asset_dir);
    FILE *in = fopen(path, "r");
    while (in &&
           fscanf(in, "%15s %d %23s %63s", class, &weight, family, name) == 4)
        if (face_open(asset_dir, class, weight, family, name))
            fprintf(stderr, "scene: cannot use font %s\n", name);
    if (in)
        fclose(in);
    if (n_faces == 0)
        fprintf(stderr, "scene: no fonts in %s\n", asset_dir);
    return n_faces ? 0 : -1;
}

static void font_free(struct font *f)
{
    for (int i = 0; f && i < GLYPH_N * 4; i++)
        free(f->glyphs[i].bits);
    if (f) {
        free(f->glyphs);
        free(f->kern);
    }
    free(f);
}

void text_unload(void)
{
    for (int i = 0; i < n_faces; i++) {
        for (int j = 0; j <= MAX_SIZE; j++)
            for (int k = 0; k < TEXT_NMODES; k++) {
                font_free(fonts[i][j][k]);
                fonts[i][j][k] = NULL;
            }
        FT_Done_Face(faces[i].ft);
    }
    n_faces = 0;
    FT_Done_FreeType(library);
    library = NULL;
}

int text_face(enum font_class class, uint32_t pick, int weight)
{
    int family[MAX_FACES], n = 0;
    for (int i = 0; i < n_faces; i++)
        if (faces[i].class == class && faces[i].weight == 0)
            family[n++] = i;
    if (n == 0)
        return 0;
    int regular = family[pick % (uint32_t)n];
    for (int i = regular; weight > 0 && i < n_faces; i++)
        if (faces[i].weight == weight &&
            !strcmp(faces[i].family, faces[regular].family))
            return i;
    return regular;
}

static void set_size(const struct font *f)
{
    FT_Face ft = faces[f->face].ft;
    if (faces[f->face].bitmap)
        FT_Select_Size(ft, 0);
    else
        FT_Set_Pixel_Sizes(ft, 0, (FT_UInt)f->size);
}

struct font *text_font(int face, int size, int mode)
{
    size = size < MIN_SIZE ? MIN_SIZE : size > MAX_SIZE ? MAX_SIZE : size;
    if (faces[face].bitmap) {
        size = faces[face].ft->available_sizes[0].height;
        size = size > MAX_SIZE ? MAX_SIZE : size;
        mode = TEXT_MONO;
    }
    struct font *f = fonts[face][size][mode];
    if (f)
        return f;
    // ok: a library of its own, without base/mem
    f = calloc(1, sizeof *f);
    if (f)
        f->glyphs = calloc((size_t)GLYPH_N * 4, sizeof *f->glyphs);
    if (!f || !f->glyphs)
        abort();
    f->face = face;
    f->size = size;
    f->mode = mode;
    set_size(f);
    FT_Face ft = faces[face].ft;
    const FT_Size_Metrics *m = &ft->size->metrics;
    f->ascent = (int)((m->ascender + 32) >> 6);
    f->descent = (int)((-m->descender + 32) >> 6);
    // Some faces leave next to nothing above their capitals; text would hang at
    // the top of its row.
    if (!FT_Load_Char(ft, 'H', FT_LOAD_DEFAULT)) {
        int cap = (int)(ft->glyph->metrics.horiBearingY >> 6);
        if (!faces[face].bitmap && (f->ascent - cap) * 5 < f->descent * 3)
            f->ascent = cap + f->descent * 4 / 5;
    }
    f->height = f->ascent + f->descent;
    f->mono_width = FT_IS_FIXED_WIDTH(ft);
    f->xheight = size / 2;
    if (!FT_Load_Char(ft, 'x', FT_LOAD_DEFAULT))
        f->xheight = (int)(ft->glyph->metrics.horiBearingY >> 6);
    return fonts[face][size][mode] = f;
}

static void glyph_copy(struct glyph *g, FT_GlyphSlot slot)
{
    const FT_Bitmap *b = &slot->bitmap;
    bool lcd = b->pixel_mode == FT_PIXEL_MODE_LCD;
    g->left = (int16_t)slot->bitmap_left;
    g->top = (int16_t)slot->bitmap_top;
    g->w = (int16_t)(lcd ? b->width / 3 : b->width);
    g->h = (int16_t)b->rows;
    size_t row = b->width;
    if (row == 0 || b->rows == 0)
        return;
    // ok: a library of its own, without base/mem
    g->bits = malloc(row * b->rows);
    if (!g->bits)
        abort();
    for (unsigned y = 0; y < b->rows; y++) {
        const uint8_t *src = b->buffer + (ptrdiff_t)y * b->pitch;
        uint8_t *dst = g->bits + y * row;
        if (b->pixel_mode != FT_PIXEL_MODE_MONO)
            memcpy(dst, src, row);
        else
            for (unsigned x = 0; x < row; x++)
                dst[x] = src[x >> 3] >> (7 - (x & 7)) & 1 ? 255 : 0;
    }
}

static void glyph_render(struct font *f, struct glyph *g, uint32_t code,
                         int part)
{
    static const FT_Int32 load[TEXT_NMODES] = {
        FT_LOAD_TARGET_LIGHT,
        FT_LOAD_TARGET_NORMAL,
        FT_LOAD_TARGET_NORMAL | FT_LOAD_FORCE_AUTOHINT,
        FT_LOAD_NO_HINTING,
        FT_LOAD_TARGET_MONO,
        FT_LOAD_TARGET_LIGHT,
    };
    static const FT_Render_Mode render[TEXT_NMODES] = {
        FT_RENDER_MODE_LIGHT,  FT_RENDER_MODE_NORMAL, FT_RENDER_MODE_NORMAL,
        FT_RENDER_MODE_NORMAL, FT_RENDER_MODE_MONO,   FT_RENDER_MODE_LCD,
    };
    FT_Face ft = faces[f->face].ft;
    g->ready = true;
    set_size(f);
    FT_UInt index = FT_Get_Char_Index(ft, code);
    FT_Int32 how = load[f->mode] | FT_LOAD_IGNORE_TRANSFORM;
    if (index == 0 || FT_Load_Glyph(ft, index, how))
        return;
    g->adv = (int32_t)ft->glyph->advance.x;
    if (f->mode == TEXT_NONE) {
        g->adv = (int32_t)(ft->glyph->linearHoriAdvance >> 10);
        FT_Outline_Translate(&ft->glyph->outline, part * 16, 0);
    } else {
        g->adv = (g->adv + 32) & ~63;
    }
    if (!FT_Render_Glyph(ft->glyph, render[f->mode]))
        glyph_copy(g, ft->glyph);
}

static struct glyph *glyph_get(struct font *f, uint32_t code, int part)
{
    int slot = slot_of(code);
    if (slot < 0)
        return NULL;
    struct glyph *g = &f->glyphs[slot * 4 + part];
    if (!g->ready)
        glyph_render(f, g, code, part);
    return g;
}

static int kern_of(struct font *f, uint32_t a, uint32_t b)
{
    FT_Face ft = faces[f->face].ft;
    if (!FT_HAS_KERNING(ft) || a < 33 || a > 126 || b < 33 || b > 126)
        return 0;
    enum { UNSET = -128, SIDE = 95 };
    if (!f->kern) {
        // ok: a library of its own, without base/mem
        f->kern = malloc((size_t)SIDE * SIDE);
        if (!f->kern)
            abort();
        memset(f->kern, UNSET, (size_t)SIDE * SIDE);
    }
    int8_t *k = &f->kern[(a - 32) * SIDE + (b - 32)];
    if (*k == UNSET) {
        FT_Vector v = { 0, 0 };
        set_size(f);
        FT_Get_Kerning(ft, FT_Get_Char_Index(ft, a), FT_Get_Char_Index(ft, b),
                       f->mode == TEXT_NONE ? FT_KERNING_UNFITTED
                                            : FT_KERNING_DEFAULT,
                       &v);
        *k = (int8_t)(v.x < -127 ? -127 : v.x > 127 ? 127 : v.x);
    }
    return *k;
}

int text_width(struct sc *s, struct font *f, const char *str)
{
    int x = 0;
    uint32_t c, last = 0;
    while ((c = text_next(&str))) {
        struct glyph *g = glyph_get(f, c, 0);
        if (g)
            x += g->adv + (s->kerning ? kern_of(f, last, c) : 0);
        last = c;
    }
    return (x + 63) >> 6;
}

static void glyph_blit(struct sc *s, const struct font *f,
                       const struct glyph *g, int x, int y, sc_col c)
{
    int channels = f->mode == TEXT_LCD ? 3 : 1;
    int x0 = x + g->left, y0 = y - g->top;
    int u0 = x0 < s->clip.x0 ? s->clip.x0 - x0 : 0;
    int u1 = x0 + g->w > s->clip.x1 ? s->clip.x1 - x0 : g->w;
    int v0 = y0 < s->clip.y0 ? s->clip.y0 - y0 : 0;
    int v1 = y0 + g->h > s->clip.y1 ? s->clip.y1 - y0 : g->h;
    int cr = (int)(c >> 16 & 255), cg = (int)(c >> 8 & 255),
        cb = (int)(c & 255);
    for (int v = v0; v < v1; v++) {
        const uint8_t *q = g->bits + (v * g->w + u0) * channels;
        uint8_t *p =
            s->px + ((size_t)(y0 + v) * (size_t)s->w + (size_t)(x0 + u0)) * 3;
        for (int u = u0; u < u1; u++, p += 3, q += channels) {
            int a0 = s->cov[q[0]];
            int a1 = channels == 3 ? s->cov[q[1]] : a0;
            int a2 = channels == 3 ? s->cov[q[2]] : a0;
            if ((a0 | a1 | a2) == 0)
                continue;
            p[0] = (uint8_t)(p[0] + ((cr - p[0]) * (a0 + (a0 >> 7)) >> 8));
            p[1] = (uint8_t)(p[1] + ((cg - p[1]) * (a1 + (a1 >> 7)) >> 8));
            p[2] = (uint8_t)(p[2] + ((cb - p[2]) * (a2 + (a2 >> 7)) >> 8));
        }
    }
}

int text_mnemonic(struct sc *s, struct font *f, int x, int y, const char *str,
                  sc_col col, int mn)
{
    int pen = x * 64, base = y + f->ascent, n = 0;
    uint32_t c, last = 0;
    while ((c = text_next(&str))) {
        pen += s->kerning ? kern_of(f, last, c) : 0;
        int part = f->mode == TEXT_NONE ? pen >> 4 & 3 : 0;
        struct glyph *g = glyph_get(f, c, part);
        last = c;
        if (!g)
            continue;
        if (g->bits)
            glyph_blit(s, f, g, pen >> 6, base, col);
        if (c != ' ' && g->bits && !s->quiet_text)
            add_char(s, (pen + g->adv / 2) >> 6, base - f->xheight / 2, c);
        if (n++ == mn)
            hline(s, pen >> 6, (pen + g->adv) >> 6,
                  base + (f->size > 16 ? 2 : 1), col);
        pen += g->adv;
    }
    return (pen + 63) >> 6;
}

int text_draw(struct sc *s, struct font *f, int x, int y, const char *str,
              sc_col col)
{
    return text_mnemonic(s, f, x, y, str, col, -1);
}
