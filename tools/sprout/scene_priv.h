#ifndef DH_TOOLS_SPROUT_SCENE_PRIV_H
#define DH_TOOLS_SPROUT_SCENE_PRIV_H

/* Inside of the scene generator. Colours are 0xRRGGBB; boxes are half open. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/sprout/scene.h"

typedef uint32_t sc_col;
#define SC_NONE 0xff000000u /* no colour: do not draw */

struct box {
    int x0, y0, x1, y1;
};

/* --- text (scene_text.c) --- */
enum font_class { FONT_SANS, FONT_SERIF, FONT_MONO, FONT_BITMAP, FONT_NCLASS };
enum text_mode {
    TEXT_LIGHT,  /* light hinting, grey */
    TEXT_NORMAL, /* the font's own hints, grey */
    TEXT_AUTO,   /* strong autohinter, grey */
    TEXT_NONE,   /* unhinted, fractional places */
    TEXT_MONO,   /* one bit */
    TEXT_LCD,    /* subpixels */
    TEXT_NMODES
};

struct glyph {
    int16_t left, top, w, h;
    int32_t adv; /* 26.6 */
    uint8_t *bits;
    bool ready;
};

struct font {
    int face, size, mode;
    int ascent, descent, height, xheight;
    bool mono_width;
    struct glyph *glyphs;
    int8_t *kern;
};

enum {
    GLYPH_ASCII = 95,
    GLYPH_EXTRA = 64,
    GLYPH_N = GLYPH_ASCII + GLYPH_EXTRA
};

struct style;
struct sc;

int text_load(const char *asset_dir);
void text_unload(void);
struct font *text_font(int face, int size, int mode);
/* A face of the class: weight 0 regular, 1 bold, 2 italic; the same pick gives
 * faces of one family where it can. */
int text_face(enum font_class class, uint32_t pick, int weight);
int text_width(struct sc *s, struct font *f, const char *str);
int text_draw(struct sc *s, struct font *f, int x, int y, const char *str,
              sc_col col);
/* As text_draw, with the mn-th letter underlined (none when negative). */
int text_mnemonic(struct sc *s, struct font *f, int x, int y, const char *str,
                  sc_col col, int mn);
void *text_library(void);
uint32_t text_next(const char **str); /* UTF-8 step, 0 at the end */

/* --- words (scene_words.c) --- */
int words_load(const char *asset_dir);
void words_unload(void);
const char *words_ui(struct sc *s);
const char *words_word(struct sc *s);
const char *words_first(struct sc *s);
const char *words_last(struct sc *s);
const char *words_menu(struct sc *s);
const char *words_field(struct sc *s);
const char *words_action(struct sc *s);
const char *words_option(struct sc *s);
const char *words_app(struct sc *s);
const char *words_city(struct sc *s);
char *words_any(struct sc *s, char *buf, int n);  /* any short label */
char *words_name(struct sc *s, char *buf, int n); /* a person */
char *words_file(struct sc *s, char *buf, int n);
char *words_number(struct sc *s, char *buf, int n);
char *words_value(struct sc *s, char *buf, int n); /* content of a field */
char *words_phrase(struct sc *s, char *buf, int n, int words);
char *words_button(struct sc *s, char *buf, int n);

/* --- drawing (scene_draw.c) --- */
void fill(struct sc *s, struct box b, sc_col c);
void fill_alpha(struct sc *s, struct box b, sc_col c, int alpha);
void frame(struct sc *s, struct box b, sc_col c);
void hline(struct sc *s, int x0, int x1, int y, sc_col c);
void vline(struct sc *s, int x, int y0, int y1, sc_col c);
void bevel(struct sc *s, struct box b, sc_col light, sc_col dark, int width);
void gradient(struct sc *s, struct box b, sc_col top, sc_col bottom);
void gradient_h(struct sc *s, struct box b, sc_col left, sc_col right);
void rounded(struct sc *s, struct box b, int r, sc_col top, sc_col bottom);
void rounded_framed(struct sc *s, struct box b, int r, sc_col top,
                    sc_col bottom, sc_col edge);
void disc(struct sc *s, int cx, int cy, int r, sc_col c);
void line(struct sc *s, int x0, int y0, int x1, int y1, sc_col c, int width);
void triangle(struct sc *s, int cx, int cy, int size, int dir, sc_col c);
void dotted_frame(struct sc *s, struct box b, sc_col c);
void mask(struct sc *s, int x, int y, int w, int h, int pitch, const uint8_t *m,
          sc_col c);
void picture(struct sc *s, struct box b, int cells, sc_col base, int spread);
void shadow(struct sc *s, struct box b, int size, int strength);
sc_col shade(sc_col c, int d);
sc_col mix(sc_col a, sc_col b, int t); /* t of 256 parts b */
sc_col rgb(int r, int g, int b);
sc_col hsv(int h, int sat, int v); /* 0..359, 0..255, 0..255 */
int luma(sc_col c);
sc_col readable(sc_col on);          /* black or white, whichever reads */
sc_col legible(sc_col c, sc_col on); /* c, or else readable(on) */

/* --- icons (scene_icons.c) --- */
void icon(struct sc *s, int role, int x, int y, int size, sc_col stroke,
          sc_col fill_col, int variant);
void icons_unload(void);
void cursor_draw(struct sc *s, int x, int y, int size, int variant,
                 struct box *covered);

/* --- styles (scene_style.c) --- */
enum look {
    LOOK_ADWAITA,
    LOOK_ADWAITA_DARK,
    LOOK_GTK4,
    LOOK_FUSION,
    LOOK_FUSION_DARK,
    LOOK_BREEZE,
    LOOK_WIN95,
    LOOK_WIN10,
    LOOK_MOTIF,
    LOOK_ATHENA,
    LOOK_TK,
    LOOK_FLTK,
    LOOK_WEB,
    LOOK_MATERIAL,
    LOOK_WEB_DARK,
    LOOK_RANDOM,
    LOOK_N
};
enum button_look {
    BTN_FLAT,
    BTN_OUTLINE,
    BTN_GRADIENT,
    BTN_BEVEL,
    BTN_BEVEL1,
    BTN_PILL,
    BTN_PLAIN,
    BTN_GHOST
};
enum field_look { FLD_OUTLINE, FLD_SUNKEN, FLD_UNDERLINE, FLD_FILLED };
enum check_look {
    CHK_BOX,
    CHK_FILLED,
    CHK_SUNKEN,
    CHK_CROSS,
    CHK_BLOCK,
    CHK_MOTIF
};
enum tab_look { TAB_BOX, TAB_UNDERLINE, TAB_PILL, TAB_BEVEL };

struct style {
    enum look look;
    bool dark;
    sc_col bg, fg, dim, accent, accent_fg;
    sc_col field_bg, field_fg, edge, button_bg, button_fg, button_edge;
    sc_col select_bg, select_fg, menu_bg, menu_fg, head_bg, head_fg;
    sc_col title_bg, title_bg2, title_fg, tool_bg;
    enum button_look button;
    enum field_look field;
    enum check_look check;
    enum tab_look tab;
    int radius, pad, gap, row; /* row: height of a control */
    int title_layout;          /* see window chrome */
    int mnemonics;             /* percent of controls that underline a letter */
    int colon;                 /* percent of field captions ending in ':' */
    int icon_variant, icon_size;
    bool caps;         /* buttons in capitals */
    bool button_icons; /* buttons show an icon before the text */
    int colour_icons;  /* percent of icons in colour */
    struct font *font, *bold, *mono, *small, *big, *title;
};

void style_make(struct sc *s, struct style *st);
void style_fonts(struct sc *s, struct style *st, int size);
void style_scene(struct sc *s); /* what all windows of a scene share */

/* --- the scene --- */
struct sc {
    uint64_t rng;
    uint8_t *px;
    int w, h, flags;
    struct box clip;
    struct scene_out *out;
    uint8_t fate[SCENE_MAX_ELEMENTS]; /* 0 seen, 1 partly, 2 gone */
    int win;                          /* index of the window being drawn */
    int group;
    const struct style *st;
    struct style styles[4];
    uint8_t cov[256];         /* glyph coverage to opacity */
    bool kerning, quiet_text; /* quiet: text_draw records no chars */
    int text_mode;
    int font_size;
    struct box popup_from; /* where an open menu or list hangs, if any */
    int popup_kind;        /* 0 none, 1 menu, 2 list of a combo */
    char popup_name[SCENE_ANCHOR];
};

uint32_t rnd(struct sc *s, uint32_t n); /* 0..n-1 */
int range(struct sc *s, int a, int b);  /* a..b, both included */
bool chance(struct sc *s, int percent);

struct box bx(int x, int y, int w, int h);
struct box inset(struct box b, int d);
bool overlaps(struct box a, struct box b);
bool inside(struct box a, struct box b);         /* a inside b */
struct box set_clip(struct sc *s, struct box b); /* cuts; returns the old */
int width_of(struct box b);
int height_of(struct box b);

/* Notes an element; label may be NULL. Never NULL: beyond the maximum, a spare
 * that is thrown away. Trailing ':' and '...' of the label are cut off. */
struct scene_element *add(struct sc *s, int kind, struct box b,
                          const char *label);
void set_text(char *dst, int n, const char *src);
void add_char(struct sc *s, int x, int y, uint32_t code);
void add_unknown(struct sc *s, struct box b);
/* What is drawn next covers b: earlier elements and glyphs go. */
void cover(struct sc *s, struct box b);

/* --- widgets (scene_widgets.c): draw in the box, note the element --- */
enum {
    W_DEFAULT = 1,
    W_CHECKED = 2,
    W_DISABLED = 4,
    W_HOVER = 8,
    W_FOCUS = 16,
    W_SELECTED = 32,
    W_NOMN = 64
};
int wg_label(struct sc *s, int x, int y, const char *str); /* right end */
int wg_text(struct sc *s, struct font *f, int x, int y, const char *str,
            sc_col col, int kind);
int wg_button_width(struct sc *s, const char *str);
struct scene_element *wg_button(struct sc *s, struct box b, const char *str,
                                int opt);
struct scene_element *wg_icon(struct sc *s, struct box b, int role, int opt);
struct scene_element *wg_field(struct sc *s, struct box b, const char *name,
                               const char *value, const char *hint, int opt);
struct scene_element *wg_area(struct sc *s, struct box b, const char *name,
                              int fullness);
struct scene_element *wg_combo(struct sc *s, struct box b, const char *name,
                               const char *value);
struct scene_element *wg_spin(struct sc *s, struct box b, const char *name,
                              const char *value);
int wg_check(struct sc *s, int x, int y, int maxw, const char *str, int kind,
             int opt); /* right end, or x when there is no room */
struct scene_element *wg_toggle(struct sc *s, struct box b, const char *name,
                                bool on);
void wg_slider(struct sc *s, struct box b, const char *name, int percent);
void wg_progress(struct sc *s, struct box b, int percent);
void wg_scroll(struct sc *s, struct box b, bool vertical);
void wg_group(struct sc *s, struct box b, const char *title);
void wg_separator(struct sc *s, int x0, int x1, int y);
int wg_tabs(struct sc *s, struct box b, int n); /* height used */
void wg_paragraph(struct sc *s, struct font *f, struct box b, sc_col col,
                  int lines);
int wg_center_y(struct font *f, struct box b);
int wg_random_role(struct sc *s);

/* --- contents (scene_content.c, scene_web.c) --- */
enum content {
    CT_SOUP,
    CT_DIALOG,
    CT_FORM,
    CT_KEYPAD,
    CT_TERMINAL,
    CT_EDITOR,
    CT_FILES,
    CT_TABLE,
    CT_SETTINGS,
    CT_WEB,
    CT_TREE,
    CT_NOTEBOOK,
    CT_MAIL,
    CT_PALETTE,
    CT_PLAYER,
    CT_CALENDAR,
    CT_ICONVIEW,
    CT_CHAT,
    CT_SPLIT,
    CT_BANK,
    CT_N
};
void content_draw(struct sc *s, struct box b, enum content c);
void content_size(struct sc *s, enum content c, int *w, int *h);
void content_soup(struct sc *s, struct box b);
void content_web(struct sc *s, struct box b);
void content_form(struct sc *s, struct box b);

/* --- windows (scene_windows.c) --- */
void window_draw(struct sc *s, struct box b, enum content c, bool active);
/* Notes a window and makes it the one being drawn. Never NULL. */
struct scene_window *window_new(struct sc *s, struct box b, int flags,
                                int kind);
struct box place(struct sc *s, int w, int h); /* where to put a window */
void window_popup(struct sc *s); /* the open menu or list, if one is due */
void panel_draw(struct sc *s);
void desktop_draw(struct sc *s);
void menu_popup(struct sc *s, int x, int y, const char *name);
/* Title bar and frame round b; gives the inner box. */
struct box chrome_draw(struct sc *s, struct box b, const char *title,
                       bool active, enum content c);
int chrome_height(const struct style *st);

/* --- bank (scene_bank.c) --- */
int bank_count(void);
void bank_unload(void);
bool bank_paste(struct sc *s, bool framed);

#endif
