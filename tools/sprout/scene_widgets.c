#include "tools/sprout/scene_priv.h"

#include <stdio.h>
#include <string.h>

static sc_col light_of(sc_col c)
{
    return mix(c, 0xffffff, 170);
}
static sc_col dark_of(sc_col c)
{
    return mix(c, 0x000000, 110);
}

int wg_center_y(struct font *f, struct box b)
{
    return b.y0 + (b.y1 - b.y0 - f->height) / 2;
}

int wg_text(struct sc *s, struct font *f, int x, int y, const char *str,
            sc_col col, int kind)
{
    int r = text_draw(s, f, x, y, str, col);
    if (kind >= 0)
        add(s, kind, (struct box){ x - 1, y, r + 1, y + f->height }, str);
    return r;
}

int wg_label(struct sc *s, int x, int y, const char *str)
{
    return wg_text(s, s->st->font, x, y, str, s->st->fg, SCENE_TEXT);
}

static int mnemonic(struct sc *s, const char *str, int opt)
{
    int len = (int)strlen(str);
    if (opt & W_NOMN || len < 2 || !chance(s, s->st->mnemonics))
        return -1;
    int k = chance(s, 65) ? 0 : range(s, 0, len - 1);
    return str[k] > ' ' && str[k] < 127 ? k : 0;
}

static unsigned state_of(int opt)
{
    return (opt & W_DEFAULT ? SCENE_DEFAULT : 0u) |
           (opt & W_CHECKED ? SCENE_CHECKED : 0u) |
           (opt & W_DISABLED ? SCENE_DISABLED : 0u) |
           (opt & W_FOCUS ? SCENE_FOCUSED : 0u) |
           (opt & W_SELECTED ? SCENE_SELECTED : 0u);
}

/* Face of a button; gives the colour for what is written on it. */
static sc_col button_face(struct sc *s, struct box b, int opt)
{
    const struct style *st = s->st;
    sc_col bg = st->button_bg, fg = st->button_fg, edge = st->button_edge;
    if (opt & W_DEFAULT && st->button != BTN_BEVEL &&
        st->button != BTN_BEVEL1) {
        bg = st->accent;
        fg = st->accent_fg;
        edge = shade(bg, -30);
    }
    if (opt & W_HOVER)
        bg = shade(bg, st->dark ? 14 : luma(bg) > 200 ? -14 : 12);
    if (opt & (W_CHECKED | W_SELECTED))
        bg = shade(bg, st->dark ? -16 : -28);
    switch (st->button) {
    case BTN_FLAT: rounded(s, b, st->radius, bg, bg); break;
    case BTN_OUTLINE: rounded_framed(s, b, st->radius, bg, bg, edge); break;
    case BTN_GRADIENT:
        rounded_framed(s, b, st->radius, shade(bg, st->dark ? 6 : 8),
                       shade(bg, st->dark ? -6 : -12), edge);
        break;
    case BTN_PILL: rounded_framed(s, b, height_of(b) / 2, bg, bg, edge); break;
    case BTN_BEVEL:
        if (opt & W_DEFAULT) {
            frame(s, b, st->dark ? 0xffffff : 0);
            b = inset(b, 1);
        }
        fill(s, b, bg);
        bevel(s, b, opt & W_CHECKED ? dark_of(bg) : light_of(bg),
              opt & W_CHECKED ? light_of(bg) : dark_of(bg), 2);
        break;
    case BTN_BEVEL1:
        fill(s, b, bg);
        bevel(s, b, opt & W_CHECKED ? dark_of(bg) : light_of(bg),
              opt & W_CHECKED ? light_of(bg) : dark_of(bg), 1);
        break;
    case BTN_PLAIN:
        if (opt & (W_HOVER | W_DEFAULT | W_CHECKED | W_SELECTED))
            rounded(s, b, st->radius, bg, bg);
        else
            bg = st->bg;
        break;
    case BTN_GHOST:
        rounded_framed(s, b, st->radius, opt & W_DEFAULT ? bg : st->bg,
                       opt & W_DEFAULT ? bg : st->bg, st->accent);
        fg = opt & W_DEFAULT ? fg : st->accent;
        bg = opt & W_DEFAULT ? bg : st->bg;
        break;
    }
    int gap = luma(fg) - luma(bg);
    if (gap < 60 && gap > -60)
        fg = readable(bg);
    return opt & W_DISABLED ? mix(fg, bg, 130) : fg;
}

int wg_button_width(struct sc *s, const char *str)
{
    return text_width(s, s->st->font, str) + 2 * s->st->pad +
           s->st->font->size / 2 + 6 + (s->st->button_icons ? 20 : 0);
}

/* The icon that toolkits put before such a text; any other for the rest. */
static int icon_for(struct sc *s, const char *text)
{
    static const struct {
        const char *text;
        int role;
    } known[] = {
        { "OK", SCENE_ROLE_CHECK },     { "Yes", SCENE_ROLE_CHECK },
        { "Cancel", SCENE_ROLE_CLOSE }, { "No", SCENE_ROLE_CLOSE },
        { "Close", SCENE_ROLE_CLOSE },  { "Save", SCENE_ROLE_SAVE },
        { "Open", SCENE_ROLE_FOLDER },  { "Help", SCENE_ROLE_HELP },
        { "Delete", SCENE_ROLE_TRASH }, { "Add", SCENE_ROLE_PLUS },
        { "Remove", SCENE_ROLE_MINUS }, { "Search", SCENE_ROLE_SEARCH },
        { "Find", SCENE_ROLE_SEARCH },  { "Next", SCENE_ROLE_RIGHT },
        { "Back", SCENE_ROLE_LEFT },    { "Refresh", SCENE_ROLE_RELOAD },
        { "Apply", SCENE_ROLE_CHECK },  { "Print", SCENE_ROLE_PRINT }
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(known[i].text, text))
            return known[i].role;
    return wg_random_role(s);
}

struct scene_element *wg_button(struct sc *s, struct box b, const char *str,
                                int opt)
{
    const struct style *st = s->st;
    char text[SCENE_LABEL];
    set_text(text, sizeof text, str);
    for (char *p = text; st->caps && *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 32);
    sc_col fg = button_face(s, b, opt);
    struct font *f = st->font;
    int w = text_width(s, f, text);
    int x = b.x0 + (width_of(b) - w) / 2, y = wg_center_y(f, b);
    if (st->button_icons && width_of(b) > w + 28 && height_of(b) > 18 &&
        chance(s, 80)) {
        sc_col c = fg;
        if (chance(s, 60))
            c = legible(hsv(range(s, 0, 359), 200, 170), st->button_bg);
        int ix = chance(s, 70) ? x - 10 : b.x0 + 5;
        icon(s, icon_for(s, text), ix, (b.y0 + b.y1) / 2 - 8, 16, c, SC_NONE,
             st->icon_variant);
        x += 10;
    }
    text_mnemonic(s, f, x, y, text, fg, mnemonic(s, text, opt));
    if (opt & W_FOCUS)
        dotted_frame(s, inset(b, 3), mix(fg, st->bg, 60));
    struct scene_element *e = add(s, SCENE_BUTTON, b, text);
    e->state = (uint8_t)state_of(opt);
    return e;
}

struct scene_element *wg_icon(struct sc *s, struct box b, int role, int opt)
{
    const struct style *st = s->st;
    sc_col fg = st->fg;
    if (opt & (W_HOVER | W_DEFAULT | W_CHECKED))
        fg = button_face(s, b, opt);
    int w = width_of(b), h = height_of(b);
    int size = st->icon_size;
    size = size > w - 4 ? w - 4 : size;
    size = size > h - 4 ? h - 4 : size;
    sc_col body = chance(s, 25)
                      ? mix(st->bg, hsv(range(s, 0, 359), 160, 220), 190)
                      : SC_NONE;
    if (luma(fg) - luma(body) < 60 && luma(body) - luma(fg) < 60)
        body = SC_NONE;
    if (chance(s, st->colour_icons)) {
        sc_col hue =
            hsv(range(s, 0, 359), range(s, 120, 255), range(s, 90, 240));
        fg = legible(chance(s, 60) ? hue : shade(hue, -90), st->bg);
        body = chance(s, 60) ? mix(hue, 0xffffff, range(s, 0, 190)) : SC_NONE;
    }
    if (opt & W_DISABLED)
        fg = mix(fg, st->bg, 140);
    icon(s, role, b.x0 + (w - size) / 2, b.y0 + (h - size) / 2, size, fg, body,
         st->icon_variant);
    struct scene_element *e = add(s, SCENE_ICON, b, NULL);
    e->role = (uint8_t)role;
    e->state = (uint8_t)state_of(opt);
    return e;
}

int wg_random_role(struct sc *s)
{
    // The icons that the instructions name come more often than the rest.
    static const uint8_t common[] = { SCENE_ROLE_SEARCH, SCENE_ROLE_SETTINGS,
                                      SCENE_ROLE_MENU,   SCENE_ROLE_LEFT,
                                      SCENE_ROLE_RIGHT,  SCENE_ROLE_UP,
                                      SCENE_ROLE_DOWN,   SCENE_ROLE_PLUS,
                                      SCENE_ROLE_MINUS,  SCENE_ROLE_CLOSE,
                                      SCENE_ROLE_HOME,   SCENE_ROLE_RELOAD,
                                      SCENE_ROLE_TRASH,  SCENE_ROLE_SAVE };
    return chance(s, 50) ? common[rnd(s, sizeof common)]
                         : range(s, SCENE_ROLE_SEARCH, SCENE_N_ROLES - 1);
}

static void field_face(struct sc *s, struct box b, int opt)
{
    const struct style *st = s->st;
    sc_col edge = opt & W_FOCUS ? st->accent : st->edge;
    sc_col bg =
        opt & W_DISABLED ? mix(st->field_bg, st->bg, 200) : st->field_bg;
    switch (st->field) {
    case FLD_OUTLINE:
        rounded_framed(s, b, st->radius, bg, bg, edge);
        if (opt & W_FOCUS && chance(s, 50)) {
            rounded_framed(s, inset(b, 1), st->radius, bg, bg, edge);
        }
        break;
    case FLD_SUNKEN:
        fill(s, b, bg);
        bevel(s, b, dark_of(st->bg), light_of(st->bg), 2);
        break;
    case FLD_UNDERLINE:
        fill(s, b, st->bg);
        hline(s, b.x0, b.x1, b.y1 - 1, edge);
        if (opt & W_FOCUS)
            hline(s, b.x0, b.x1, b.y1 - 2, edge);
        break;
    case FLD_FILLED:
        bg = shade(st->bg, st->dark ? 18 : -16);
        rounded(s, b, st->radius, bg, bg);
        hline(s, b.x0, b.x1, b.y1 - 1, edge);
        break;
    }
}

/* Copies src, cut so that it is at most w wide. */
static void fit_text(struct sc *s, struct font *f, const char *src, int w,
                     char *dst, int n)
{
    set_text(dst, n, src);
    for (int len = (int)strlen(dst); len > 0 && text_width(s, f, dst) > w;) {
        do
            len--;
        while (len > 0 && (dst[len] & 0xc0) == 0x80);
        dst[len] = 0;
    }
}

static sc_col field_ink(const struct style *st)
{
    if (st->field == FLD_UNDERLINE || st->field == FLD_FILLED)
        return st->fg;
    return st->field_fg;
}

struct scene_element *wg_field(struct sc *s, struct box b, const char *name,
                               const char *value, const char *hint, int opt)
{
    const struct style *st = s->st;
    char text[SCENE_LABEL];
    struct font *f = st->font;
    int x = b.x0 + 4 + st->radius / 2, y = wg_center_y(f, b);
    field_face(s, b, opt);
    bool secret = name && strstr(name, "assword");
    if (secret && value && value[0]) {
        int n = range(s, 3, 12);
        bool round = !(s->flags & SCENE_ASCII) && chance(s, 65);
        text[0] = 0;
        for (int i = 0; i < n; i++)
            memcpy(text + i * (round ? 3 : 1), round ? "\xe2\x80\xa2" : "*",
                   round ? 4 : 2);
        x = text_draw(s, f, x, y, text, field_ink(st));
        value = NULL;
    } else if (value && value[0]) {
        fit_text(s, f, value, width_of(b) - 12, text, sizeof text);
        if (opt & W_SELECTED)
            fill(
                s,
                (struct box){ x, y, x + text_width(s, f, text), y + f->height },
                st->select_bg);
        x = text_draw(s, f, x, y, text,
                      opt & W_SELECTED ? st->select_fg : field_ink(st));
    } else if (hint) {
        fit_text(s, f, hint, width_of(b) - 12, text, sizeof text);
        text_draw(s, f, x, y, text, mix(field_ink(st), st->field_bg, 110));
    }
    if (opt & W_FOCUS && chance(s, 60))
        vline(s, x + 1, y + 1, y + f->height - 1, field_ink(st));
    struct scene_element *e = add(s, SCENE_FIELD, b, name);
    e->state = (uint8_t)state_of(opt & ~W_SELECTED);
    if (value)
        set_text(e->value, SCENE_VALUE, value);
    return e;
}

void wg_paragraph(struct sc *s, struct font *f, struct box b, sc_col col,
                  int lines)
{
    char text[160], cut[SCENE_LABEL * 2];
    int step = f->height + range(s, 0, 4);
    for (int i = 0, y = b.y0; i < lines && y + f->height <= b.y1;
         i++, y += step) {
        words_phrase(s, text, sizeof text, range(s, 6, 22));
        fit_text(s, f, text, width_of(b), cut, sizeof cut);
        char *sp = strrchr(cut, ' ');
        if (sp && strlen(cut) < strlen(text))
            *sp = 0;
        int r = text_draw(s, f, b.x0, y, cut, col);
        if (strlen(cut) < SCENE_LABEL - 1)
            add(s, SCENE_TEXT, (struct box){ b.x0, y, r, y + f->height }, cut);
    }
}

struct scene_element *wg_area(struct sc *s, struct box b, const char *name,
                              int fullness)
{
    const struct style *st = s->st;
    field_face(s, b, 0);
    struct box old = set_clip(s, inset(b, 2));
    struct font *f = chance(s, 30) ? st->mono : st->font;
    wg_paragraph(s, f, inset(b, 5), field_ink(st),
                 fullness * height_of(b) / (f->height + 2) / 100);
    s->clip = old;
    if (chance(s, 30) && width_of(b) > 80 && height_of(b) > 60)
        wg_scroll(s, (struct box){ b.x1 - 14, b.y0 + 1, b.x1 - 1, b.y1 - 1 },
                  true);
    return add(s, SCENE_TEXTAREA, b, name);
}

static void drop_arrow(struct sc *s, struct box b, sc_col c)
{
    int cx = (b.x0 + b.x1) / 2, cy = (b.y0 + b.y1) / 2;
    if (s->st->icon_variant % 2)
        triangle(s, cx, cy, 4, 0, c);
    else
        icon(s, SCENE_ROLE_DOWN, cx - 5, cy - 5, 10, c, SC_NONE, 1);
}

struct scene_element *wg_combo(struct sc *s, struct box b, const char *name,
                               const char *value)
{
    const struct style *st = s->st;
    char text[SCENE_LABEL];
    bool flat = st->field == FLD_SUNKEN || chance(s, 30);
    sc_col fg = field_ink(st);
    int aw = height_of(b) - 4;
    if (flat)
        field_face(s, b, 0);
    else
        fg = button_face(s, b, 0);
    struct box ab = { b.x1 - aw - 2, b.y0 + 2, b.x1 - 2, b.y1 - 2 };
    if (st->field == FLD_SUNKEN) {
        fill(s, ab, st->button_bg);
        bevel(s, ab, light_of(st->button_bg), dark_of(st->button_bg), 1);
        drop_arrow(s, ab, readable(st->button_bg));
    } else {
        drop_arrow(s, ab, fg);
    }
    fit_text(s, st->font, value, width_of(b) - aw - 12, text, sizeof text);
    text_draw(s, st->font, b.x0 + 5 + st->radius / 3, wg_center_y(st->font, b),
              text, fg);
    bool cut = strcmp(text, value) != 0;
    struct scene_element *e = add(s, SCENE_COMBO, b,
                                  name  ? name
                                  : cut ? NULL
                                        : value);
    set_text(e->value, SCENE_VALUE, value);
    return e;
}

struct scene_element *wg_spin(struct sc *s, struct box b, const char *name,
                              const char *value)
{
    const struct style *st = s->st;
    field_face(s, b, 0);
    int h = height_of(b);
    struct font *f = st->font;
    text_draw(s, f, b.x0 + 5, wg_center_y(f, b), value, field_ink(st));
    struct scene_element *e;
    int cy = (b.y0 + b.y1) / 2;
    if (st->look == LOOK_ADWAITA || st->look == LOOK_GTK4 ||
        st->look == LOOK_ADWAITA_DARK) {
        struct box minus = { b.x1 - 2 * h, b.y0 + 1, b.x1 - h, b.y1 - 1 };
        struct box plus = { b.x1 - h, b.y0 + 1, b.x1 - 1, b.y1 - 1 };
        e = add(s, SCENE_SPIN, (struct box){ b.x0, b.y0, minus.x0, b.y1 },
                name);
        vline(s, minus.x0, b.y0 + 1, b.y1 - 1, st->edge);
        vline(s, plus.x0, b.y0 + 1, b.y1 - 1, st->edge);
        icon(s, SCENE_ROLE_MINUS, minus.x0 + h / 2 - 6, cy - 6, 12,
             st->field_fg, SC_NONE, 0);
        icon(s, SCENE_ROLE_PLUS, plus.x0 + h / 2 - 6, cy - 6, 12, st->field_fg,
             SC_NONE, 0);
        set_text(e->value, SCENE_VALUE, value);
        struct scene_element *m = add(s, SCENE_ICON, minus, NULL);
        m->role = SCENE_ROLE_MINUS;
        set_text(m->anchor, SCENE_ANCHOR, name);
        m = add(s, SCENE_ICON, plus, NULL);
        m->role = SCENE_ROLE_PLUS;
        set_text(m->anchor, SCENE_ANCHOR, name);
        return e;
    }
    e = add(s, SCENE_SPIN, (struct box){ b.x0, b.y0, b.x1 - 16, b.y1 }, name);
    set_text(e->value, SCENE_VALUE, value);
    sc_col ink = field_ink(st);
    if (st->field == FLD_SUNKEN) {
        struct box up = { b.x1 - 16, b.y0 + 2, b.x1 - 2, cy };
        struct box dn = { b.x1 - 16, cy, b.x1 - 2, b.y1 - 2 };
        fill(s, up, st->button_bg);
        fill(s, dn, st->button_bg);
        bevel(s, up, light_of(st->button_bg), dark_of(st->button_bg), 1);
        bevel(s, dn, light_of(st->button_bg), dark_of(st->button_bg), 1);
        ink = readable(st->button_bg);
    } else {
        vline(s, b.x1 - 16, b.y0 + 1, b.y1 - 1, st->edge);
    }
    triangle(s, b.x1 - 8, b.y0 + h / 4 + 1, 3, 1, ink);
    triangle(s, b.x1 - 8, b.y1 - h / 4 - 1, 3, 0, ink);
    return e;
}

static void tick(struct sc *s, struct box b, sc_col c)
{
    int size = width_of(b);
    icon(s, SCENE_ROLE_CHECK, b.x0, b.y0, size, c, SC_NONE, 3);
}

static void check_mark(struct sc *s, struct box b, bool on)
{
    const struct style *st = s->st;
    switch (st->check) {
    case CHK_BOX:
        rounded_framed(s, b, st->radius > 3 ? 3 : st->radius, st->field_bg,
                       st->field_bg, st->edge);
        if (on)
            tick(s, inset(b, 1), st->field_fg);
        break;
    case CHK_FILLED:
        rounded_framed(s, b, 3, on ? st->accent : st->field_bg,
                       on ? st->accent : st->field_bg,
                       on ? shade(st->accent, -20) : st->edge);
        if (on)
            tick(s, inset(b, 1), st->accent_fg);
        break;
    case CHK_SUNKEN:
        fill(s, b, st->field_bg);
        bevel(s, b, dark_of(st->bg), light_of(st->bg), 2);
        if (on)
            tick(s, inset(b, 2), st->field_fg);
        break;
    case CHK_CROSS:
        rounded_framed(s, b, 2, st->field_bg, st->field_bg, st->edge);
        if (on)
            icon(s, SCENE_ROLE_CLOSE, b.x0 + 1, b.y0 + 1, width_of(b) - 2,
                 st->field_fg, SC_NONE, 3);
        break;
    case CHK_BLOCK:
        fill(s, b, st->field_bg);
        frame(s, b, st->edge);
        if (on)
            fill(s, inset(b, 3), chance(s, 50) ? st->accent : st->field_fg);
        break;
    case CHK_MOTIF:
        fill(s, b, on ? shade(st->bg, -30) : st->bg);
        bevel(s, b, on ? dark_of(st->bg) : light_of(st->bg),
              on ? light_of(st->bg) : dark_of(st->bg), 2);
        break;
    }
}

static void radio_mark(struct sc *s, struct box b, bool on)
{
    const struct style *st = s->st;
    int r = width_of(b) / 2, cx = b.x0 + r, cy = b.y0 + r;
    if (st->check == CHK_MOTIF) {
        for (int i = 0; i <= r; i++) {
            hline(s, cx - i, cx + i + 1, cy - r + i,
                  on ? dark_of(st->bg) : light_of(st->bg));
            hline(s, cx - i, cx + i + 1, cy + r - i,
                  on ? light_of(st->bg) : dark_of(st->bg));
        }
        for (int i = 0; i <= r - 2; i++) {
            hline(s, cx - i, cx + i + 1, cy - r + i + 2,
                  on ? shade(st->bg, -35) : st->bg);
            hline(s, cx - i, cx + i + 1, cy + r - i - 2,
                  on ? shade(st->bg, -35) : st->bg);
        }
        return;
    }
    bool filled = st->check == CHK_FILLED && on;
    disc(s, cx, cy, r, filled ? shade(st->accent, -20) : st->edge);
    disc(s, cx, cy, r - 1, filled ? st->accent : st->field_bg);
    if (on)
        disc(s, cx, cy, r > 5 ? r / 2 : 2,
             filled                    ? st->accent_fg
             : st->check == CHK_SUNKEN ? st->field_fg
                                       : st->accent);
}

int wg_check(struct sc *s, int x, int y, int maxw, const char *str, int kind,
             int opt)
{
    const struct style *st = s->st;
    struct font *f = st->font;
    int size = f->size > 14 ? f->size : 13;
    int w = text_width(s, f, str), gap = 4 + st->pad / 2;
    int h = f->height > size ? f->height : size;
    if (size + gap + w > maxw)
        return x;
    size = kind == SCENE_RADIO ? size & ~1 : size;
    int my = y + (h - size) / 2;
    if (kind == SCENE_RADIO)
        radio_mark(s, bx(x, my, size, size), opt & W_CHECKED);
    else
        check_mark(s, bx(x, my, size, size), opt & W_CHECKED);
    int ty = y + (h - f->height) / 2;
    sc_col fg = opt & W_DISABLED ? st->dim : st->fg;
    int r =
        text_mnemonic(s, f, x + size + gap, ty, str, fg, mnemonic(s, str, opt));
    struct scene_element *e =
        add(s, kind, (struct box){ x, y, r + 1, y + h }, str);
    if (opt & W_FOCUS)
        dotted_frame(s, (struct box){ x + size + gap - 2, y, r + 2, y + h },
                     st->dim);
    e->state = (uint8_t)state_of(opt);
    return r;
}

struct scene_element *wg_toggle(struct sc *s, struct box b, const char *name,
                                bool on)
{
    const struct style *st = s->st;
    int h = height_of(b), r = st->radius > 1 ? h / 2 : 0;
    sc_col track = on ? st->accent : mix(st->bg, st->fg, 70);
    rounded(s, b, r, track, track);
    sc_col knob = st->dark && !on ? 0xd0d0d0 : 0xffffff;
    struct box k =
        on ? (struct box){ b.x1 - h + 2, b.y0 + 2, b.x1 - 2, b.y1 - 2 }
           : (struct box){ b.x0 + 2, b.y0 + 2, b.x0 + h - 2, b.y1 - 2 };
    rounded(s, k, r, knob, knob);
    struct scene_element *e = add(s, SCENE_TOGGLE, b, name);
    e->state = on ? SCENE_CHECKED : 0;
    return e;
}

void wg_slider(struct sc *s, struct box b, const char *name, int percent)
{
    const struct style *st = s->st;
    int cy = (b.y0 + b.y1) / 2, r = 6;
    int kx = b.x0 + r + (width_of(b) - 2 * r) * percent / 100;
    sc_col track = mix(st->bg, st->fg, 60);
    if (st->field == FLD_SUNKEN) {
        struct box t = { b.x0, cy - 2, b.x1, cy + 2 };
        fill(s, t, st->field_bg);
        bevel(s, t, dark_of(st->bg), light_of(st->bg), 1);
        struct box k = { kx - 5, cy - 9, kx + 5, cy + 9 };
        fill(s, k, st->button_bg);
        bevel(s, k, light_of(st->button_bg), dark_of(st->button_bg), 2);
    } else {
        rounded(s, (struct box){ b.x0, cy - 2, b.x1, cy + 2 }, 2, track, track);
        rounded(s, (struct box){ b.x0, cy - 2, kx, cy + 2 }, 2, st->accent,
                st->accent);
        disc(s, kx, cy, r + 1, st->edge);
        disc(s, kx, cy, r,
             st->button == BTN_GRADIENT ? st->button_bg : st->accent);
    }
    add(s, SCENE_SLIDER, b, name);
}

void wg_progress(struct sc *s, struct box b, int percent)
{
    const struct style *st = s->st;
    struct box in = { b.x0 + 1, b.y0 + 1,
                      b.x0 + 1 + (width_of(b) - 2) * percent / 100, b.y1 - 1 };
    sc_col track = mix(st->bg, st->fg, 40);
    rounded_framed(s, b, st->radius, track, track, st->edge);
    rounded(s, in, st->radius, st->accent, shade(st->accent, -20));
    add(s, SCENE_PROGRESS, b, NULL);
    if (height_of(b) > st->small->height + 1 && chance(s, 70)) {
        char t[16];
        snprintf(t, sizeof t, "%d%%", percent);
        int w = text_width(s, st->small, t);
        int x = b.x0 + (width_of(b) - w) / 2;
        sc_col c = in.x1 > x + w / 2 ? st->accent_fg : readable(track);
        text_draw(s, st->small, x, wg_center_y(st->small, b), t, c);
    }
}

void wg_scroll(struct sc *s, struct box b, bool vertical)
{
    const struct style *st = s->st;
    bool classic = st->field == FLD_SUNKEN;
    int t = vertical ? width_of(b) : height_of(b);
    int len = (vertical ? height_of(b) : width_of(b)) - (classic ? 2 * t : 0);
    if (len < 24)
        return;
    fill(s, b, mix(st->bg, st->fg, 18));
    int k = range(s, len / 6, len * 2 / 3), o = range(s, 0, len - k);
    o += classic ? t : 0;
    struct box thumb =
        vertical ? (struct box){ b.x0 + 1, b.y0 + o, b.x1 - 1, b.y0 + o + k }
                 : (struct box){ b.x0 + o, b.y0 + 1, b.x0 + o + k, b.y1 - 1 };
    if (classic) {
        struct box a = bx(b.x0, b.y0, t, t), z = bx(b.x1 - t, b.y1 - t, t, t);
        fill(s, thumb, st->button_bg);
        bevel(s, thumb, light_of(st->bg), dark_of(st->bg), 2);
        fill(s, a, st->button_bg);
        fill(s, z, st->button_bg);
        bevel(s, a, light_of(st->bg), dark_of(st->bg), 1);
        bevel(s, z, light_of(st->bg), dark_of(st->bg), 1);
        sc_col ink = readable(st->button_bg);
        triangle(s, (a.x0 + a.x1) / 2, (a.y0 + a.y1) / 2, 4, vertical ? 1 : 3,
                 ink);
        triangle(s, (z.x0 + z.x1) / 2, (z.y0 + z.y1) / 2, 4, vertical ? 0 : 2,
                 ink);
    } else {
        sc_col c = mix(st->bg, st->fg, 90);
        rounded(s, thumb, st->radius > 2 ? t / 2 : 0, c, c);
    }
    add(s, SCENE_SCROLLBAR, b, NULL);
}

void wg_group(struct sc *s, struct box b, const char *title)
{
    const struct style *st = s->st;
    int half = st->font->height / 2;
    struct box f = { b.x0, b.y0 + half, b.x1, b.y1 };
    if (st->field == FLD_SUNKEN) {
        bevel(s, f, dark_of(st->bg), light_of(st->bg), 1);
        bevel(s, inset(f, 1), light_of(st->bg), dark_of(st->bg), 1);
    } else {
        rounded_framed(s, f, st->radius, st->bg, st->bg, st->edge);
    }
    int w = text_width(s, st->font, title);
    if (w + 24 > width_of(b))
        return;
    fill(s,
         (struct box){ b.x0 + 8, b.y0, b.x0 + 16 + w, b.y0 + st->font->height },
         st->bg);
    wg_text(s, st->font, b.x0 + 12, b.y0, title, st->fg, SCENE_GROUP);
}

void wg_separator(struct sc *s, int x0, int x1, int y)
{
    hline(s, x0, x1, y, mix(s->st->edge, s->st->bg, 60));
    if (s->st->field == FLD_SUNKEN)
        hline(s, x0, x1, y + 1, light_of(s->st->bg));
}

static void tab_face(struct sc *s, struct box b, bool on)
{
    const struct style *st = s->st;
    sc_col off = shade(st->bg, st->dark ? -8 : -16);
    switch (st->tab) {
    case TAB_BOX:
        rounded_framed(s, b, st->radius, on ? st->bg : off, on ? st->bg : off,
                       st->edge);
        break;
    case TAB_UNDERLINE:
        if (on)
            fill(s, (struct box){ b.x0, b.y1 - 3, b.x1, b.y1 }, st->accent);
        break;
    case TAB_PILL:
        if (on)
            rounded(s, inset(b, 2), height_of(b) / 2, st->accent, st->accent);
        break;
    case TAB_BEVEL:
        fill(s, b, st->bg);
        bevel(s, b, light_of(st->bg), dark_of(st->bg), 1);
        if (on)
            fill(s, (struct box){ b.x0 + 1, b.y1 - 2, b.x1 - 1, b.y1 }, st->bg);
        break;
    }
}

int wg_tabs(struct sc *s, struct box b, int n)
{
    const struct style *st = s->st;
    char text[SCENE_LABEL];
    int h = st->row + 2, x = b.x0 + (chance(s, 50) ? 0 : 6);
    int on = range(s, 0, n - 1);
    hline(s, b.x0, b.x1, b.y0 + h - 1, st->edge);
    for (int i = 0; i < n; i++) {
        words_button(s, text, sizeof text);
        int w = text_width(s, st->font, text) + 2 * st->pad + 12;
        if (x + w > b.x1)
            break;
        struct box t = { x, b.y0 + (i == on ? 0 : 2), x + w, b.y0 + h };
        tab_face(s, t, i == on);
        sc_col fg = i == on && st->tab == TAB_PILL ? st->accent_fg
                    : i == on                      ? st->fg
                                                   : mix(st->fg, st->bg, 50);
        text_mnemonic(s, st->font, x + (w - text_width(s, st->font, text)) / 2,
                      wg_center_y(st->font, t), text, fg, mnemonic(s, text, 0));
        struct scene_element *e = add(s, SCENE_TAB, t, text);
        e->state = i == on ? SCENE_SELECTED : 0;
        x += w + (st->tab == TAB_BOX || st->tab == TAB_BEVEL ? 0 : 4);
    }
    return h;
}
