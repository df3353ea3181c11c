#include "tools/sprout/scene_priv.h"

#include <string.h>

static int pick_mode(struct sc *s)
{
    static const int modes[] = { TEXT_LIGHT,  TEXT_LIGHT,  TEXT_LIGHT,
                                 TEXT_LIGHT,  TEXT_NORMAL, TEXT_NORMAL,
                                 TEXT_NORMAL, TEXT_AUTO,   TEXT_NONE,
                                 TEXT_NONE,   TEXT_LCD,    TEXT_LCD,
                                 TEXT_MONO };
    return modes[rnd(s, sizeof modes / sizeof modes[0])];
}

static int pick_size(struct sc *s)
{
    static const int sizes[] = { 9,  10, 11, 11, 11, 12, 12, 12, 12,
                                 13, 13, 13, 13, 13, 14, 14, 14, 15,
                                 15, 16, 16, 17, 18, 20, 22 };
    return sizes[rnd(s, sizeof sizes / sizeof sizes[0])];
}

// The few sans faces that most desktops use come more often than the rest.
static uint32_t pick_family(struct sc *s)
{
    static const uint32_t common[] = { 0, 0, 0, 2, 2, 2, 4, 4, 5, 9, 7 };
    return chance(s, 55) ? common[rnd(s, 11)] : rnd(s, 1000);
}

static void fonts_bitmap(struct sc *s, struct style *st)
{
    uint32_t p = rnd(s, 1000);
    int f = text_face(FONT_BITMAP, p, 0);
    st->font = text_font(f, 12, TEXT_MONO);
    // Keep to readable sizes; the smallest faces stay rare.
    for (int i = 0; i < 8 && (st->font->height < 11 || st->font->height > 20);
         i++) {
        p = rnd(s, 1000);
        f = text_face(FONT_BITMAP, p, 0);
        st->font = text_font(f, 12, TEXT_MONO);
    }
    st->bold = text_font(text_face(FONT_BITMAP, p, 1), 12, TEXT_MONO);
    st->small = st->font;
    st->big = st->bold;
    st->title = st->bold;
    st->mono = text_font(text_face(FONT_BITMAP, rnd(s, 6), 0), 12, TEXT_MONO);
}

void style_fonts(struct sc *s, struct style *st, int size)
{
    int mode = s->text_mode;
    bool classic = st->look == LOOK_MOTIF || st->look == LOOK_ATHENA ||
                   st->look == LOOK_TK || st->look == LOOK_FLTK;
    if (chance(s, classic ? 55 : st->look == LOOK_WIN95 ? 20 : 2)) {
        fonts_bitmap(s, st);
        return;
    }
    enum font_class class = chance(s, 90)   ? FONT_SANS
                            : chance(s, 60) ? FONT_SERIF
                                            : FONT_MONO;
    uint32_t p = class == FONT_SANS ? pick_family(s) : rnd(s, 1000);
    int weight = chance(s, 4) ? 1 : chance(s, 2) ? 2 : 0;
    st->font = text_font(text_face(class, p, weight), size, mode);
    st->bold = text_font(text_face(class, p, 1), size, mode);
    st->small = text_font(text_face(class, p, 0),
                          size > 11 ? size - range(s, 1, 2) : size, mode);
    st->big = text_font(text_face(class, p, chance(s, 60) ? 1 : 0),
                        size + range(s, 3, 12), mode);
    st->title = chance(s, 60) ? st->bold : st->font;
    st->mono = text_font(text_face(FONT_MONO, rnd(s, 1000), 0),
                         size - range(s, 0, 1), mode);
}

static void palette_light(struct sc *s, struct style *st, int level)
{
    int tint = chance(s, 70) ? 0 : range(s, -8, 8);
    st->dark = false;
    st->bg = rgb(level + tint, level, level - tint);
    st->fg = shade(0x202020, range(s, -32, 20));
    st->field_bg = chance(s, 80) ? 0xffffff : shade(st->bg, 6);
    st->field_fg = st->fg;
    st->edge = shade(st->bg, -range(s, 35, 75));
    st->button_bg = shade(st->bg, range(s, -12, 10));
    st->head_bg = shade(st->bg, -range(s, 0, 20));
    st->menu_bg = chance(s, 50) ? 0xffffff : shade(st->bg, 4);
    st->tool_bg = shade(st->bg, -range(s, 0, 12));
}

static void palette_dark(struct sc *s, struct style *st, int level)
{
    int tint = chance(s, 60) ? 0 : range(s, -6, 6);
    st->dark = true;
    st->bg = rgb(level - tint, level, level + tint);
    st->fg = shade(0xe0e0e0, range(s, -30, 31));
    st->field_bg =
        shade(st->bg, chance(s, 50) ? -range(s, 6, 16) : range(s, 5, 14));
    st->field_fg = st->fg;
    st->edge =
        shade(st->bg, chance(s, 70) ? range(s, 20, 50) : -range(s, 8, 22));
    st->button_bg = shade(st->bg, range(s, 5, 22));
    st->head_bg = shade(st->bg, range(s, -10, 12));
    st->menu_bg = shade(st->bg, range(s, -6, 10));
    st->tool_bg = shade(st->bg, range(s, -6, 8));
}

static sc_col pick_accent(struct sc *s, bool dark)
{
    static const sc_col known[] = { 0x3584e4, 0x308cc6, 0x3daee9, 0x0078d7,
                                    0x000080, 0xe95420, 0x15539e, 0x2196f3,
                                    0x6200ee, 0x0d6efd, 0x198754, 0x4a90d9,
                                    0x1a73e8, 0xd9534f, 0x87a556, 0x5294e2 };
    if (chance(s, 60))
        return known[rnd(s, 16)];
    return hsv(range(s, 0, 359), range(s, 110, 230),
               range(s, dark ? 120 : 90, 220));
}

static void derive(struct sc *s, struct style *st)
{
    st->accent = pick_accent(s, st->dark);
    st->accent_fg = readable(st->accent);
    st->dim = mix(st->fg, st->bg, 110);
    st->button_fg = st->fg;
    st->button_edge = st->edge;
    st->menu_fg = st->fg;
    st->select_bg = st->accent;
    st->select_fg = st->accent_fg;
    st->head_fg = chance(s, 70) ? st->fg : st->dim;
    st->title_bg = st->title_bg2 = st->head_bg;
    st->title_fg = st->fg;
    st->radius = range(s, 2, 6);
    st->mnemonics = chance(s, 30) ? range(s, 40, 100) : 0;
    st->colon = chance(s, 55) ? range(s, 60, 100) : 0;
    st->icon_variant = range(s, 0, 8);
    st->title_layout = range(s, 0, 11);
    st->caps = false;
    st->button_icons = chance(s, 14);
    st->colour_icons = chance(s, 28) ? range(s, 40, 100) : 0;
}

/* Programs on a bare X server, without a window manager. */
static void undecorated(struct sc *s, struct style *st)
{
    if (chance(s, 7))
        st->title_layout = 12;
}

static void classic3d(struct sc *s, struct style *st, sc_col bg)
{
    st->dark = luma(bg) < 100;
    st->bg = st->button_bg = st->menu_bg = st->tool_bg = st->head_bg = bg;
    st->fg = st->dark ? 0xf0f0f0 : 0x000000;
    st->field_bg = chance(s, 75) && !st->dark ? 0xffffff : shade(bg, -12);
    st->field_fg = readable(st->field_bg) == 0xffffff ? 0xffffff : 0x000000;
    st->edge = shade(bg, -70);
    derive(s, st);
    st->button = BTN_BEVEL;
    st->field = FLD_SUNKEN;
    st->check = CHK_SUNKEN;
    st->tab = TAB_BEVEL;
    st->radius = 0;
    st->mnemonics = chance(s, 60) ? 90 : 0;
}

static void look_gtk(struct sc *s, struct style *st)
{
    if (st->look == LOOK_ADWAITA_DARK)
        palette_dark(s, st, range(s, 36, 56));
    else
        palette_light(s, st, range(s, 236, 252));
    derive(s, st);
    st->button = st->look == LOOK_GTK4 ? BTN_FLAT : BTN_GRADIENT;
    if (st->look == LOOK_GTK4)
        st->button_bg = shade(st->bg, st->dark ? 18 : -20);
    st->field = FLD_OUTLINE;
    st->check = CHK_FILLED;
    st->tab = TAB_UNDERLINE;
    st->radius = range(s, 3, 7);
    if (chance(s, 70))
        st->accent = st->select_bg = chance(s, 70) ? 0x3584e4 : 0x15539e;
    st->accent_fg = st->select_fg = 0xffffff;
    st->title_layout = chance(s, 60) ? 0 : range(s, 0, 11);
    st->title_bg = shade(st->bg, st->dark ? -8 : -12);
    st->title_bg2 = shade(st->title_bg, st->dark ? -6 : -14);
}

static void look_qt(struct sc *s, struct style *st)
{
    if (st->look == LOOK_FUSION_DARK)
        palette_dark(s, st, range(s, 42, 62));
    else
        palette_light(s, st, range(s, 234, 246));
    derive(s, st);
    st->button = BTN_GRADIENT;
    st->field = FLD_OUTLINE;
    st->check = chance(s, 70) ? CHK_BOX : CHK_CROSS;
    st->tab = TAB_BOX;
    st->radius = range(s, 1, 4);
    st->mnemonics = chance(s, 70) ? 90 : 0;
    if (chance(s, 60))
        st->accent = st->select_bg = 0x308cc6;
    st->accent_fg = st->select_fg = readable(st->accent);
}

static void look_web(struct sc *s, struct style *st)
{
    if (st->look == LOOK_WEB_DARK)
        palette_dark(s, st, range(s, 18, 50));
    else
        palette_light(s, st, range(s, 244, 255));
    derive(s, st);
    st->button = chance(s, 60)   ? BTN_FLAT
                 : chance(s, 50) ? BTN_OUTLINE
                                 : BTN_PILL;
    if (chance(s, 50))
        st->button_bg = st->accent;
    st->button_fg = readable(st->button_bg);
    st->field = FLD_OUTLINE;
    st->check = chance(s, 50) ? CHK_FILLED : CHK_BOX;
    st->tab = chance(s, 50) ? TAB_UNDERLINE : TAB_PILL;
    st->radius = range(s, 0, 8);
    st->colon = chance(s, 25) ? 90 : 0;
    st->mnemonics = 0;
    if (st->look == LOOK_MATERIAL) {
        st->field = chance(s, 50) ? FLD_UNDERLINE : FLD_FILLED;
        st->caps = chance(s, 50);
        st->button = chance(s, 60) ? BTN_FLAT : BTN_GHOST;
    }
}

static void look_random(struct sc *s, struct style *st)
{
    if (chance(s, 40))
        palette_dark(s, st, range(s, 15, 80));
    else
        palette_light(s, st, range(s, 190, 255));
    if (chance(s, 20)) {
        st->bg = hsv(range(s, 0, 359), range(s, 20, 120), st->dark ? 70 : 235);
        st->tool_bg = st->head_bg = st->bg;
        st->button_bg = shade(st->bg, st->dark ? 20 : -16);
    }
    derive(s, st);
    st->button = (enum button_look)rnd(s, 8);
    st->field = (enum field_look)rnd(s, 4);
    st->check = (enum check_look)rnd(s, 6);
    st->tab = (enum tab_look)rnd(s, 4);
    st->radius = range(s, 0, 9);
    if (chance(s, 30))
        st->select_bg = mix(st->bg, st->accent, 90);
    st->select_fg = readable(st->select_bg);
}

static void look_win10(struct sc *s, struct style *st)
{
    palette_light(s, st, range(s, 238, 255));
    derive(s, st);
    st->button = chance(s, 50) ? BTN_OUTLINE : BTN_FLAT;
    st->button_bg = chance(s, 50) ? 0xe1e1e1 : 0xcccccc;
    st->button_edge = st->button == BTN_OUTLINE ? 0xadadad : st->button_bg;
    st->field = FLD_OUTLINE;
    st->check = CHK_BOX;
    st->tab = TAB_BOX;
    st->radius = 0;
    st->mnemonics = chance(s, 30) ? 90 : 0;
    st->accent = st->select_bg = chance(s, 60) ? 0x0078d7 : st->accent;
    if (chance(s, 40))
        st->select_bg = 0xcce8ff;
    st->select_fg = readable(st->select_bg);
    st->accent_fg = readable(st->accent);
    st->title_bg = st->title_bg2 = chance(s, 50) ? 0xffffff : st->accent;
    st->title_fg = readable(st->title_bg);
}

static void look_classic(struct sc *s, struct style *st)
{
    static const sc_col motif[] = { 0xaeb2c3, 0x9c9c9c, 0xc4c4c4, 0x8a9dab,
                                    0xb4a48c, 0x6b7a8a, 0xa0b4a0, 0xc0a0a0,
                                    0x708090, 0xdcdad5 };
    switch (st->look) {
    case LOOK_WIN95:
        classic3d(s, st, chance(s, 70) ? 0xc0c0c0 : 0xd4d0c8);
        st->accent = st->select_bg = 0x000080;
        st->accent_fg = st->select_fg = 0xffffff;
        st->title_bg = 0x000080;
        st->title_bg2 = chance(s, 50) ? 0x000080 : 0x1084d0;
        st->title_fg = 0xffffff;
        st->title_layout = 2;
        break;
    case LOOK_MOTIF:
        classic3d(s, st, motif[rnd(s, 10)]);
        st->check = CHK_MOTIF;
        st->title_layout = chance(s, 60) ? 5 : range(s, 0, 11);
        st->field_bg = chance(s, 50) ? shade(st->bg, -10) : st->field_bg;
        st->field_fg = readable(st->field_bg) == 0xffffff ? 0xffffff : 0;
        break;
    case LOOK_ATHENA:
        classic3d(s, st, chance(s, 70) ? 0xffffff : motif[rnd(s, 10)]);
        st->button = BTN_OUTLINE;
        st->button_edge = st->edge = st->fg;
        st->field = FLD_OUTLINE;
        st->check = CHK_BLOCK;
        st->mnemonics = 0;
        break;
    default:
        classic3d(s, st, chance(s, 80) ? 0xd9d9d9 : motif[rnd(s, 10)]);
        st->button = chance(s, 70) ? BTN_BEVEL1 : BTN_BEVEL;
        if (st->look == LOOK_FLTK)
            st->button = BTN_BEVEL1;
        st->check = chance(s, 60) ? CHK_SUNKEN : CHK_BLOCK;
        st->select_bg = chance(s, 50) ? 0xc3c3c3 : st->accent;
        st->select_fg = readable(st->select_bg);
    }
}

static void title_colours(struct sc *s, struct style *st)
{
    if (chance(s, 35)) {
        static const sc_col bars[] = { 0x2d2d2d, 0x3c3b37, 0x475057, 0x31363b,
                                       0x4c6ea5, 0x6a6a6a, 0x1f4788, 0xdedad6,
                                       0xefefef, 0x7aa0cf };
        st->title_bg = chance(s, 60) ? bars[rnd(s, 10)] : st->accent;
        st->title_bg2 = chance(s, 50) ? st->title_bg
                                      : shade(st->title_bg, -range(s, 8, 40));
        st->title_fg = readable(mix(st->title_bg, st->title_bg2, 128));
    }
    if (luma(st->title_fg) - luma(st->title_bg) < 70 &&
        luma(st->title_bg) - luma(st->title_fg) < 70)
        st->title_fg = readable(st->title_bg);
}

void style_make(struct sc *s, struct style *st)
{
    static const uint8_t weights[LOOK_N] = { 13, 6, 7, 10, 5, 4, 8, 7,
                                             5,  4, 5, 3,  7, 4, 3, 11 };
    int total = 0, k = 0;
    memset(st, 0, sizeof *st);
    for (int i = 0; i < LOOK_N; i++)
        total += weights[i];
    for (int r = range(s, 0, total - 1); r >= weights[k]; k++)
        r -= weights[k];
    st->look = (enum look)k;
    switch (st->look) {
    case LOOK_ADWAITA:
    case LOOK_ADWAITA_DARK:
    case LOOK_GTK4: look_gtk(s, st); break;
    case LOOK_FUSION:
    case LOOK_FUSION_DARK:
    case LOOK_BREEZE: look_qt(s, st); break;
    case LOOK_WIN10: look_win10(s, st); break;
    case LOOK_WIN95:
    case LOOK_MOTIF:
    case LOOK_ATHENA:
    case LOOK_TK:
    case LOOK_FLTK: look_classic(s, st); break;
    case LOOK_WEB:
    case LOOK_MATERIAL:
    case LOOK_WEB_DARK: look_web(s, st); break;
    case LOOK_RANDOM:
    case LOOK_N: look_random(s, st); break;
    }
    title_colours(s, st);
    undecorated(s, st);
    st->dim = mix(st->fg, st->bg, 110);
    style_fonts(s, st, chance(s, 75) ? s->font_size : pick_size(s));
    st->pad = range(s, 3, 9);
    if (st->look == LOOK_TK || st->look == LOOK_ATHENA || st->look == LOOK_FLTK)
        st->pad = range(s, 2, 5);
    st->gap = range(s, 4, 12);
    st->row = st->font->height + range(s, 3, 7) + st->pad;
    st->icon_size = chance(s, 60) ? 16 : range(s, 12, 26);
}

void style_scene(struct sc *s)
{
    s->text_mode = pick_mode(s);
    s->font_size = pick_size(s);
    s->kerning = chance(s, 40);
    int bend = chance(s, 40) ? 0 : range(s, -60, 70);
    for (int v = 0; v < 256; v++) {
        int u = v + bend * v * (255 - v) / (255 * 64);
        s->cov[v] = (uint8_t)(u < 0 ? 0 : u > 255 ? 255 : u);
    }
}
