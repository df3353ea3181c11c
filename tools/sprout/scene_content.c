#include "tools/sprout/scene_priv.h"

#include <stdio.h>
#include <string.h>

enum { LINE = 160 };

/* --- rows of mixed widgets --- */

static int row_buttons(struct sc *s, struct box b)
{
    char t[SCENE_LABEL];
    int x = b.x0, h = s->st->row;
    for (int i = 0, n = range(s, 1, 5); i < n; i++) {
        words_button(s, t, sizeof t);
        int w = wg_button_width(s, t) + (chance(s, 40) ? range(s, 0, 30) : 0);
        if (x + w > b.x1)
            break;
        wg_button(
            s, bx(x, b.y0, w, h), t,
            (chance(s, 15) ? W_DEFAULT : 0) | (chance(s, 6) ? W_DISABLED : 0) |
                (chance(s, 6) ? W_HOVER : 0) | (chance(s, 5) ? W_FOCUS : 0));
        x += w + range(s, 4, 16);
    }
    return h;
}

static void caption(struct sc *s, char *t, int n, const char *name)
{
    if (chance(s, s->st->colon))
        snprintf(t, (size_t)n, "%s:", name);
    else
        set_text(t, n, name);
}

static const char *field_name(struct sc *s, char *buf, int n)
{
    if (chance(s, 75))
        set_text(buf, n, words_field(s));
    else
        words_any(s, buf, n);
    return buf;
}

/* One control with its caption left of it; lw: width of the captions. */
static void control_draw(struct sc *s, struct box b, const char *name)
{
    char v[SCENE_LABEL];
    int k = range(s, 0, 99);
    if (k < 62) {
        int opt =
            (chance(s, 10) ? W_FOCUS : 0) | (chance(s, 5) ? W_DISABLED : 0);
        bool full = chance(s, 38);
        wg_field(s, b, name, full ? words_value(s, v, sizeof v) : NULL, NULL,
                 opt);
    } else if (k < 80) {
        words_any(s, v, sizeof v);
        wg_combo(s, b, name, v);
    } else if (k < 92) {
        snprintf(v, sizeof v, "%d", range(s, 0, chance(s, 60) ? 20 : 4000));
        b.x1 = b.x0 + (width_of(b) > 130 ? 130 : width_of(b));
        wg_spin(s, b, name, v);
    } else {
        wg_slider(s, b, name, range(s, 0, 100));
    }
}

static int row_field(struct sc *s, struct box b)
{
    char name[SCENE_LABEL], t[SCENE_LABEL];
    const struct style *st = s->st;
    field_name(s, name, sizeof name);
    caption(s, t, sizeof t, name);
    int w = range(s, 90, 300), h = st->row;
    if (chance(s, 25)) { // caption above
        if (b.y0 + h + st->font->height + 3 > b.y1)
            return 0;
        w = w > width_of(b) ? width_of(b) : w;
        text_draw(s, st->font, b.x0, b.y0, t, st->fg);
        control_draw(s, bx(b.x0, b.y0 + st->font->height + 3, w, h), name);
        return h + st->font->height + 3;
    }
    if (chance(s, 18)) { // a hint inside instead of a caption
        if (chance(s, 30)) {
            set_text(name, sizeof name, "Search");
            set_text(t, sizeof t, chance(s, 50) ? "Search" : "Search...");
        }
        w = w > width_of(b) ? width_of(b) : w;
        if (text_width(s, st->font, t) < w - 14) {
            struct scene_element *e =
                wg_field(s, bx(b.x0, b.y0, w, h), t, NULL, t, 0);
            if (!strcmp(name, "Search") || !strcmp(name, "Find"))
                e->role = SCENE_ROLE_SEARCH;
        }
        return h;
    }
    int lw = text_width(s, st->font, t) + 8;
    if (lw + 60 > width_of(b))
        return h;
    w = lw + w > width_of(b) ? width_of(b) - lw : w;
    text_draw(s, st->font, b.x0, wg_center_y(st->font, bx(0, b.y0, 1, h)), t,
              st->fg);
    control_draw(s, bx(b.x0 + lw, b.y0, w, h), name);
    return h;
}

static int row_checks(struct sc *s, struct box b)
{
    char t[SCENE_LABEL];
    int kind = chance(s, 60) ? SCENE_CHECK : SCENE_RADIO;
    int n = range(s, 1, 4), on = range(s, 0, n - 1), x = b.x0;
    bool down = chance(s, 50);
    int y = b.y0, step = s->st->font->height + range(s, 4, 9);
    s->group++;
    for (int i = 0; i < n && y + step <= b.y1; i++) {
        if (chance(s, 70))
            set_text(t, sizeof t, words_option(s));
        else
            words_any(s, t, sizeof t);
        bool set = kind == SCENE_RADIO ? i == on : chance(s, 45);
        int r =
            wg_check(s, x, y, b.x1 - x, t, kind,
                     (set ? W_CHECKED : 0) | (chance(s, 5) ? W_DISABLED : 0) |
                         (chance(s, 5) ? W_FOCUS : 0));
        if (down)
            y += step;
        else
            x = r + range(s, 12, 40);
    }
    return down ? y - b.y0 : step;
}

static int row_toggle(struct sc *s, struct box b)
{
    char t[SCENE_LABEL];
    const struct style *st = s->st;
    int h = st->row, th = st->font->height > 16 ? 20 : range(s, 14, 22);
    set_text(t, sizeof t, chance(s, 70) ? words_option(s) : words_ui(s));
    int w = text_width(s, st->font, t);
    if (w + 80 > width_of(b))
        return 0;
    bool after = chance(s, 70);
    int cy = b.y0 + (h - th) / 2, tw = th * 2 - range(s, 0, 4);
    int far = b.x0 + w + range(s, 12, 160);
    far = far + tw > b.x1 ? b.x1 - tw : far;
    text_draw(s, st->font, after ? b.x0 : b.x0 + tw + 10,
              wg_center_y(st->font, bx(0, b.y0, 1, h)), t, st->fg);
    wg_toggle(s, bx(after ? far : b.x0, cy, tw, th), t, chance(s, 50));
    return h;
}

static int row_icons(struct sc *s, struct box b)
{
    int size = s->st->icon_size + range(s, 6, 14), x = b.x0;
    for (int i = 0, n = range(s, 2, 8); i < n && x + size <= b.x1; i++) {
        wg_icon(s, bx(x, b.y0, size, size), wg_random_role(s),
                chance(s, 25) ? W_HOVER : 0);
        x += size + range(s, 0, 8);
    }
    return size;
}

static int list_draw(struct sc *s, struct box b, int kind)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int step = st->font->height + range(s, 2, 10), y = b.y0 + 2;
    int pad = range(s, 3, 10), sel = range(s, -2, 6);
    bool icons = chance(s, 35), stripes = chance(s, 20);
    bool frameless = chance(s, 25);
    int what = range(s, 0, 3);
    sc_col bg = frameless ? st->bg : st->field_bg;
    sc_col fg = frameless ? st->fg : st->field_fg;
    int role = wg_random_role(s);
    int gap = luma(st->fg) - luma(bg);
    bool checks =
        kind == SCENE_ITEM && (gap > 80 || gap < -80) && chance(s, 12);
    icons = icons && !checks;
    sel = checks ? -1 : sel; // the boxes' captions keep their colour
    if (!frameless) {
        fill(s, b, bg);
        frame(s, b, st->edge);
    }
    s->group++;
    for (int i = 0; y + step <= b.y1 - 1; i++, y += step) {
        struct box r = { b.x0 + 1, y, b.x1 - 1, y + step };
        int x = b.x0 + pad;
        if (what == 0)
            words_file(s, t, sizeof t);
        else if (what == 1)
            words_name(s, t, sizeof t);
        else
            words_any(s, t, sizeof t);
        for (int k = 0;
             k < 4 &&
             x + (icons ? 22 : 0) + text_width(s, st->font, t) + 4 > b.x1;
             k++)
            set_text(t, sizeof t, words_ui(s));
        if (x + (icons ? 22 : 0) + text_width(s, st->font, t) + 4 > b.x1)
            continue;
        if (stripes && i & 1)
            fill(s, r, shade(bg, st->dark ? 8 : -8));
        if (i == sel)
            fill(s, r, st->select_bg);
        sc_col c = i == sel ? st->select_fg : fg;
        if (checks && x + 22 + text_width(s, st->font, t) + 4 < b.x1) {
            bool on = chance(s, 40);
            wg_check(s, x, y + (step - st->font->height) / 2, b.x1 - x, t,
                     SCENE_CHECK, (on ? W_CHECKED : 0) | W_NOMN);
            continue;
        }
        if (icons) {
            int is = step - 3 > 16 ? 16 : step - 3;
            icon(s, role, x, y + (step - is) / 2, is, c,
                 role == SCENE_ROLE_FOLDER ? 0xf0c050 : SC_NONE,
                 st->icon_variant);
            x += is + 6;
        }
        text_draw(s, st->font, x, wg_center_y(st->font, r), t, c);
        struct scene_element *e = add(s, kind, r, t);
        e->state = i == sel ? SCENE_SELECTED : 0;
        if (chance(s, 6))
            break;
    }
    return height_of(b);
}

static int row_list(struct sc *s, struct box b)
{
    int h = range(s, 50, 200);
    h = h > height_of(b) ? height_of(b) : h;
    if (h < 40 || width_of(b) < 80)
        return 0;
    int w = range(s, 80, 320);
    w = w > width_of(b) ? width_of(b) : w;
    list_draw(s, bx(b.x0, b.y0, w, h), SCENE_ITEM);
    return h;
}

static int row_text(struct sc *s, struct box b)
{
    char t[LINE];
    const struct style *st = s->st;
    struct font *f = chance(s, 25)   ? st->big
                     : chance(s, 20) ? st->bold
                                     : st->font;
    if (chance(s, 40)) {
        words_any(s, t, SCENE_LABEL);
        if (text_width(s, f, t) < width_of(b))
            wg_text(s, f, b.x0, b.y0, t, st->fg, SCENE_TEXT);
        return f->height;
    }
    int lines = range(s, 1, 4);
    wg_paragraph(s, st->font, b, chance(s, 70) ? st->fg : st->dim, lines);
    return lines * (st->font->height + 2);
}

static int row_progress(struct sc *s, struct box b)
{
    int w = range(s, 80, 300);
    w = w > width_of(b) ? width_of(b) : w;
    if (chance(s, 60)) {
        wg_progress(s, bx(b.x0, b.y0, w, range(s, 8, 22)), range(s, 3, 97));
        return 22;
    }
    wg_slider(s, bx(b.x0, b.y0, w, 20), NULL, range(s, 0, 100));
    return 20;
}

static int row_link(struct sc *s, struct box b)
{
    char t[SCENE_LABEL];
    struct font *f = s->st->font;
    int x = b.x0;
    sc_col c = s->st->dark     ? 0x6ab0ff
               : chance(s, 60) ? 0x0645ad
                               : s->st->accent;
    c = legible(c, s->st->bg);
    for (int i = 0, n = range(s, 1, 4); i < n; i++) {
        words_any(s, t, sizeof t);
        int w = text_width(s, f, t);
        if (x + w > b.x1)
            break;
        wg_text(s, f, x, b.y0, t, c, SCENE_LINK);
        if (chance(s, 60))
            hline(s, x, x + w, b.y0 + f->ascent + 1, c);
        x += w + range(s, 12, 40);
    }
    return f->height;
}

static int row_area(struct sc *s, struct box b)
{
    char name[SCENE_LABEL], t[SCENE_LABEL];
    int h = range(s, 40, 130), top = s->st->font->height + 3;
    if (h + top > height_of(b) || width_of(b) < 80)
        return 0;
    field_name(s, name, sizeof name);
    caption(s, t, sizeof t, name);
    text_draw(s, s->st->font, b.x0, b.y0, t, s->st->fg);
    wg_area(s, bx(b.x0, b.y0 + top, range(s, 80, width_of(b)), h), name,
            chance(s, 40) ? 0 : range(s, 20, 90));
    return h + top;
}

static int row_any(struct sc *s, struct box b)
{
    int k = range(s, 0, 99);
    if (k < 27)
        return row_buttons(s, b);
    if (k < 52)
        return row_field(s, b);
    if (k < 67)
        return row_checks(s, b);
    if (k < 72)
        return row_toggle(s, b);
    if (k < 78)
        return row_icons(s, b);
    if (k < 84)
        return row_list(s, b);
    if (k < 89)
        return row_text(s, b);
    if (k < 92)
        return row_progress(s, b);
    if (k < 95)
        return row_link(s, b);
    if (k < 97)
        return row_area(s, b);
    wg_separator(s, b.x0, b.x1, b.y0 + 3);
    return 6;
}

void content_soup(struct sc *s, struct box b)
{
    char t[SCENE_LABEL];
    int left = b.x0 + range(s, 6, 22), right = b.x1 - 8;
    for (int y = b.y0 + range(s, 4, 12), misses = 0;
         y + s->st->row + 4 < b.y1 && misses < 12;) {
        struct box r = { left + (chance(s, 30) ? range(s, 0, 40) : 0), y, right,
                         b.y1 - 4 };
        int h;
        if (chance(s, 9) && height_of(r) > 110 && width_of(r) > 160) {
            h = range(s, 90, height_of(r) > 240 ? 240 : height_of(r));
            words_any(s, t, sizeof t);
            r.y1 = y + h;
            wg_group(s, r, t);
            content_soup(s, (struct box){ r.x0 + 2, y + s->st->font->height,
                                          r.x1, r.y1 - 2 });
        } else if (width_of(r) > 340 && chance(s, 45)) {
            int cols = width_of(r) > 660 && chance(s, 60) ? 3 : 2;
            h = 0;
            for (int c = 0; c < cols; c++) {
                struct box part = { r.x0 + width_of(r) * c / cols, y,
                                    r.x0 + width_of(r) * (c + 1) / cols - 8,
                                    r.y1 };
                int ph = row_any(s, part);
                h = ph > h ? ph : h;
            }
        } else {
            h = row_any(s, r);
        }
        misses += h == 0;
        y += h ? h + range(s, 3, s->st->gap + 6) : 0;
    }
}

/* --- dialog --- */

static void buttons_right(struct sc *s, struct box b, const char *const *names,
                          int n, bool left)
{
    int min = chance(s, 60) ? range(s, 60, 90) : 0, w[6], total = 0;
    for (int i = 0; i < n; i++) {
        w[i] = wg_button_width(s, names[i]);
        w[i] = w[i] < min ? min : w[i];
        total += w[i] + 8;
    }
    bool wide = chance(s, 12);
    int x = left            ? b.x0
            : chance(s, 20) ? b.x0 + (width_of(b) - total) / 2
                            : b.x1 - total + 8;
    x = x < b.x0 ? b.x0 : x;
    int def = range(s, -1, n - 1);
    for (int i = 0; i < n; i++) {
        struct box r = bx(x, b.y0, w[i], s->st->row);
        if (wide)
            r = (struct box){ b.x0 + width_of(b) * i / n, b.y0,
                              b.x0 + width_of(b) * (i + 1) / n - 4,
                              b.y0 + s->st->row };
        if (r.x1 > b.x1)
            break;
        wg_button(s, r, names[i],
                  (i == def ? W_DEFAULT : 0) |
                      (i == def && chance(s, 40) ? W_FOCUS : 0));
        x += w[i] + 8;
    }
}

static int dialog_names(struct sc *s, const char *names[6])
{
    static const char *const sets[][4] = {
        { "OK" },
        { "Cancel", "OK" },
        { "OK", "Cancel" },
        { "Yes", "No" },
        { "No", "Yes" },
        { "Yes", "No", "Cancel" },
        { "OK", "Cancel", "Apply" },
        { "Cancel", "Save" },
        { "Close" },
        { "Cancel", "Delete" },
        { "Help", "Cancel", "OK" },
        { "Don't Save", "Cancel", "Save" },
        { "Retry", "Cancel" },
        { "Cancel", "Open" },
        { "Abort", "Retry", "Ignore" },
        { "Back", "Next", "Cancel" },
        { "Apply", "Close" },
        { "Reset", "Submit" },
        { "Restore Defaults", "Cancel", "OK" },
        { "Discard", "Cancel", "Save" },
    };
    int k = (int)rnd(s, sizeof sets / sizeof sets[0]), n = 0;
    for (; n < 4 && sets[k][n]; n++)
        names[n] = sets[k][n];
    if (chance(s, 30))
        names[n - 1] = words_ui(s);
    return n;
}

static void content_dialog(struct sc *s, struct box b)
{
    static const uint8_t roles[] = { SCENE_ROLE_INFO, SCENE_ROLE_WARNING,
                                     SCENE_ROLE_HELP, SCENE_ROLE_STOP };
    const struct style *st = s->st;
    const char *names[6];
    int pad = range(s, 10, 24), x = b.x0 + pad, y = b.y0 + pad;
    int bottom = b.y1 - st->row - pad + 4;
    if (chance(s, 65)) {
        int size = range(s, 28, 48);
        icon(s, roles[rnd(s, 4)], x, y, size, hsv(range(s, 0, 359), 180, 190),
             SC_NONE, st->icon_variant);
        x += size + pad;
    }
    if (chance(s, 50)) {
        char t[LINE];
        words_phrase(s, t, SCENE_LABEL, range(s, 2, 6));
        if (text_width(s, st->bold, t) < b.x1 - x - 8)
            wg_text(s, st->bold, x, y, t, st->fg, SCENE_TEXT);
        y += st->bold->height + 8;
    }
    struct box p = { x, y, b.x1 - pad, bottom - 4 };
    int lines = range(s, 1, 3);
    wg_paragraph(s, st->font, p, st->fg, lines);
    y += lines * (st->font->height + 4) + 8;
    if (chance(s, 30) && y + st->row < bottom)
        wg_check(s, x, y, b.x1 - x, words_option(s), SCENE_CHECK,
                 chance(s, 50) ? W_CHECKED : 0);
    else if (chance(s, 35) && y + st->row < bottom)
        row_field(s, (struct box){ x, y, b.x1 - pad, bottom });
    if (chance(s, 15))
        wg_separator(s, b.x0, b.x1, bottom - 6);
    int n = dialog_names(s, names);
    buttons_right(s, (struct box){ b.x0 + pad, bottom, b.x1 - pad, b.y1 },
                  names, n, chance(s, 10));
}

/* --- form --- */

void content_form(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char name[SCENE_LABEL], t[SCENE_LABEL], head[LINE];
    const char *names[6];
    int pad = range(s, 8, 20), y = b.y0 + pad;
    int lw = range(s, 70, 150), step = st->row + range(s, 4, 14);
    bool right = chance(s, 35), above = chance(s, 20);
    int bottom = b.y1 - st->row - pad;
    if (chance(s, 40)) {
        words_phrase(s, head, SCENE_LABEL, range(s, 1, 5));
        struct font *f = chance(s, 50) ? st->big : st->font;
        if (text_width(s, f, head) < width_of(b) - 2 * pad)
            wg_text(s, f, b.x0 + pad, y, head, st->fg, SCENE_TEXT);
        y += f->height + 8;
    }
    int fw = range(s, 120, 420);
    fw = above ? fw : fw + lw + 8;
    fw = fw > width_of(b) - 2 * pad ? width_of(b) - 2 * pad : fw;
    for (int i = 0, n = range(s, 2, 9); i < n; i++) {
        int need = above ? step + st->font->height + 3 : step;
        if (y + need > bottom)
            break;
        field_name(s, name, sizeof name);
        caption(s, t, sizeof t, name);
        int w = text_width(s, st->font, t), x = b.x0 + pad;
        if (chance(s, 12)) {
            int ox = above ? x : x + lw + 8;
            wg_check(s, ox, y + 3, b.x1 - pad - ox, words_option(s),
                     SCENE_CHECK, chance(s, 50) ? W_CHECKED : 0);
        } else if (above) {
            text_draw(s, st->font, x, y, t, st->fg);
            y += st->font->height + 3;
            control_draw(s, bx(x, y, fw, st->row), name);
        } else if (w <= lw && fw > lw + 60) {
            text_draw(s, st->font, right ? x + lw - w : x,
                      wg_center_y(st->font, bx(0, y, 1, st->row)), t, st->fg);
            control_draw(s, bx(x + lw + 8, y, fw - lw - 8, st->row), name);
        } else {
            continue;
        }
        y += step;
    }
    if (chance(s, 60) && y + st->row < bottom)
        row_checks(s, (struct box){ b.x0 + pad, y, b.x1 - pad, bottom });
    int n = dialog_names(s, names);
    buttons_right(s, (struct box){ b.x0 + pad, bottom + 2, b.x1 - pad, b.y1 },
                  names, n, chance(s, 30));
}

/* --- keypad: calculators, dialers, boards of single characters --- */

static const char *const pads[][44] = {
    { ":", "1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "q", "w", "e",
      "r", "t", "y", "u", "i", "o", "p", "a", "s", "d", "f", "g", "h", "j",
      "k", "l", ";", "z", "x", "c", "v", "b", "n", "m", ",", ".", "/" },
    { "6", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J",
      "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U",
      "V", "W", "X", "Y", "Z", "?", "!", "@", "#" },
    { "4", "7", "8", "9", "/", "4", "5", "6", "*", "1", "2", "3", "-", "0", ".",
      "=", "+" },
    { "4",
      "C",
      "(",
      ")",
      "\xc3\xb7",
      "7",
      "8",
      "9",
      "\xc3\x97",
      "4",
      "5",
      "6",
      "\xe2\x88\x92",
      "1",
      "2",
      "3",
      "+",
      "0",
      ".",
      "%",
      "=" },
    { "4", "AC", "+/-", "%",        "\xc3\xb7",
      "7", "8",  "9",   "\xc3\x97", "4",
      "5", "6",  "-",   "1",        "2",
      "3", "+",  "0",   ",",        "\xe2\x88\x9a",
      "=" },
    { "5", "7", "8", "9", "/", "C", "4", "5", "6", "*", "(",
      "1", "2", "3", "-", ")", "0", ".", "%", "+", "=" },
    { "3", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#" },
    { "6",   "sin", "7", "8", "9", "/",  "C",   "cos", "4", "5", "6", "x", "CE",
      "tan", "1",   "2", "3", "-", "M+", "log", "0",   ".", "=", "+", "MR" },
    { "5",  "MC",   "MR",  "MS", "M+", "M-", "<-", "CE", "C",
      "+-", "sqrt", "7",   "8",  "9",  "/",  "%",  "4",  "5",
      "6",  "*",    "1/x", "1",  "2",  "3",  "-",  "=" },
    { "4", "AC", "/", "*", "-", "7", "8", "9", "+",  "4", "5",
      "6", "(",  "1", "2", "3", ")", "0", ".", "pi", "=" },
};

static void key_draw(struct sc *s, struct box r, const char *t, struct font *f,
                     struct style *st)
{
    const struct style *old = s->st;
    bool op = !(t[0] >= '0' && t[0] <= '9') && t[0] != '.';
    struct style mine = *st;
    if (op && chance(s, 50))
        mine.button_bg = shade(st->button_bg, st->dark ? 16 : -18);
    if (t[0] == '=' && chance(s, 50)) {
        mine.button_bg = st->accent;
        mine.button_fg = st->accent_fg;
    }
    mine.font = f;
    mine.caps = false;
    s->st = &mine;
    wg_button(s, r, t, W_NOMN | (chance(s, 2) ? W_HOVER : 0))->kind = SCENE_KEY;
    s->st = old;
}

static void content_keypad(struct sc *s, struct box b)
{
    struct style st = *s->st;
    char t[24];
    bool ascii = s->flags & SCENE_ASCII;
    static const int plain[] = { 2, 5, 6, 7, 8, 9 };
    int k = ascii ? plain[rnd(s, 6)] : range(s, 2, 9);
    if (chance(s, 14))
        k = width_of(b) > 260 ? range(s, 0, 1) : 1;
    const char *const *keys = pads[k] + 1;
    int cols = pads[k][0][0] - '0', n = 0, gap = range(s, 0, 8);
    while (keys[n])
        n++;
    int rows = (n + cols - 1) / cols, pad = range(s, 2, 10);
    struct font *f = chance(s, 50) ? st.font : chance(s, 50) ? st.bold : st.big;
    if (chance(s, 40))
        f = text_font(chance(s, 50) ? st.font->face : st.bold->face,
                      range(s, 12, 24), st.font->mode);
    if (width_of(b) / cols < 3 * f->size)
        f = st.font;
    int dh = st.big->height + 14;
    struct box d = { b.x0 + pad, b.y0 + pad, b.x1 - pad, b.y0 + pad + dh };
    snprintf(t, sizeof t, "%d", range(s, 0, chance(s, 50) ? 0 : 99999));
    if (chance(s, 80)) {
        fill(s, d, st.field_bg);
        frame(s, d, st.edge);
    }
    sc_col ink = chance(s, 80) ? st.field_fg : st.fg;
    if (luma(ink) - luma(st.field_bg) < 60 &&
        luma(st.field_bg) - luma(ink) < 60)
        ink = readable(st.field_bg);
    int tw = text_width(s, st.big, t);
    wg_text(s, st.big, d.x1 - 8 - tw, wg_center_y(st.big, d), t, ink,
            SCENE_TEXT);
    int top = d.y1 + pad, w = width_of(d) + gap, h = b.y1 - pad - top + gap;
    for (int i = 0; i < n; i++) {
        int c = i % cols, r = i / cols;
        struct box kb = { d.x0 + w * c / cols, top + h * r / rows,
                          d.x0 + w * (c + 1) / cols - gap,
                          top + h * (r + 1) / rows - gap };
        if (height_of(kb) > 10 && width_of(kb) > 10)
            key_draw(s, kb, keys[i], f, &st);
    }
}

/* --- terminal --- */

static void prompt_draw(struct sc *s, struct box b, struct font *f, int x,
                        int y, sc_col fg, sc_col hi)
{
    static const char *const commands[] = { "ls -la",
                                            "cd src",
                                            "make",
                                            "git status",
                                            "git log",
                                            "cat notes.txt",
                                            "python3 main.py",
                                            "top",
                                            "ssh host",
                                            "df -h",
                                            "grep -rn main .",
                                            "sudo apt update",
                                            "vim config",
                                            "ps aux",
                                            "./run.sh",
                                            "echo hello",
                                            "mkdir build",
                                            "tar xzf a.tar.gz",
                                            "" };
    char t[LINE];
    snprintf(t, sizeof t, "%s@%s:~$ ", words_first(s), words_word(s));
    for (char *p = t; *p && *p != ':'; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    if (text_width(s, f, t) > width_of(b) / 2)
        snprintf(t, sizeof t, "$ ");
    x = text_draw(s, f, x, y, t, hi);
    text_draw(s, f, x, y, commands[rnd(s, 19)], fg);
}

static void terminal_line(struct sc *s, char *t, int n)
{
    char a[SCENE_LABEL], c[SCENE_LABEL];
    switch (rnd(s, 5)) {
    case 0:
        snprintf(t, (size_t)n, "-rw-r--r-- 1 %.8s %.8s %6d %s", words_word(s),
                 words_word(s), range(s, 0, 99999), words_file(s, a, sizeof a));
        break;
    case 1:
        snprintf(t, (size_t)n, "%s: %s", words_word(s),
                 words_phrase(s, a, sizeof a, 5));
        break;
    case 2:
        snprintf(t, (size_t)n, "[%3d%%] Building %s", range(s, 0, 100),
                 words_file(s, a, sizeof a));
        break;
    case 3:
        snprintf(t, (size_t)n, "%s  %s  %s", words_file(s, a, sizeof a),
                 words_word(s), words_file(s, c, sizeof c));
        break;
    default: words_phrase(s, t, n, range(s, 3, 14));
    }
}

static void content_terminal(struct sc *s, struct box b)
{
    static const sc_col backs[] = { 0x000000, 0x300a24, 0x1e1e1e, 0x002b36,
                                    0x232627, 0x0c0c0c, 0xffffff, 0xfdf6e3 };
    char t[LINE];
    struct font *f = s->st->mono;
    sc_col bg = backs[rnd(s, 8)];
    sc_col fg =
        luma(bg) < 128 ? (chance(s, 25) ? 0x33ff33 : 0xd0d0d0) : 0x202020;
    sc_col hi = luma(bg) < 128 ? (chance(s, 50) ? 0x8ae234 : fg) : 0x106010;
    fill(s, b, bg);
    int y = b.y0 + 3, x = b.x0 + range(s, 2, 6), n = range(s, 1, 60);
    int step = f->height;
    for (; n > 0 && y + step <= b.y1 - 2; n--, y += step) {
        if (n == 1 || chance(s, 15)) {
            prompt_draw(s, b, f, x, y, fg, hi);
            continue;
        }
        terminal_line(s, t, sizeof t);
        int room = (b.x1 - x - 4) /
                   (text_width(s, f, "m") ? text_width(s, f, "m") : 8);
        if (room < (int)sizeof t && room > 0)
            t[room] = 0;
        text_draw(s, f, x, y, t, fg);
    }
    add(s, SCENE_TEXTAREA, b, NULL);
}

/* --- editor --- */

static void code_line(struct sc *s, char *t, int n)
{
    static const char *const forms[] = { "int %s = %d;",
                                         "if (%s > %d) {",
                                         "return %s(%d);",
                                         "for (%s = 0; %s < %d; %s++)",
                                         "def %s(self, %s):",
                                         "import %s",
                                         "// %s %s",
                                         "    %s.%s(%d);",
                                         "}",
                                         "",
                                         "    %s = \"%s\";",
                                         "<div class=\"%s\">",
                                         "#include <%s.h>",
                                         "%s[%d] += %s;" };
    char w[4][16];
    for (int i = 0; i < 4; i++)
        snprintf(w[i], sizeof w[i], "%.12s", words_word(s));
    int d = range(s, 0, 256), k = (int)rnd(s, 14);
    switch (k) {
    case 3:
        snprintf(t, (size_t)n, "for (%s = 0; %s < %d; %s++)", w[0], w[0], d,
                 w[0]);
        break;
    case 7: snprintf(t, (size_t)n, "    %s.%s(%d);", w[0], w[1], d); break;
    case 4: snprintf(t, (size_t)n, "def %s(self, %s):", w[0], w[1]); break;
    case 6: snprintf(t, (size_t)n, "// %s %s %s", w[0], w[1], w[2]); break;
    case 10: snprintf(t, (size_t)n, "    %s = \"%s\";", w[0], w[1]); break;
    case 13: snprintf(t, (size_t)n, "%s[%d] += %s;", w[0], d, w[1]); break;
    case 0: snprintf(t, (size_t)n, "int %s = %d;", w[0], d); break;
    case 1: snprintf(t, (size_t)n, "if (%s > %d) {", w[0], d); break;
    case 2: snprintf(t, (size_t)n, "return %s(%d);", w[0], d); break;
    case 5: snprintf(t, (size_t)n, "import %s", w[0]); break;
    case 11: snprintf(t, (size_t)n, "<div class=\"%s\">", w[0]); break;
    case 12: snprintf(t, (size_t)n, "#include <%s.h>", w[0]); break;
    default: set_text(t, n, forms[k]);
    }
}

static void content_editor(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[LINE];
    if (chance(s, 45)) { // prose
        fill(s, b, st->field_bg);
        int used = chance(s, 15) ? 0 : range(s, 1, 30);
        wg_paragraph(s, chance(s, 40) ? st->mono : st->font, inset(b, 5),
                     st->field_fg, used);
        add(s, SCENE_TEXTAREA, b, NULL);
        return;
    }
    struct font *f = st->mono;
    bool numbers = chance(s, 60);
    sc_col bg = chance(s, 40) ? 0x1e1e1e : st->field_bg, fg = readable(bg);
    sc_col dim = mix(fg, bg, 130);
    fill(s, b, bg);
    int x = b.x0 + 6 + (numbers ? 4 * f->size * 2 / 3 : 0), y = b.y0 + 3;
    int step = f->height + range(s, 0, 3), depth = 0;
    for (int i = range(s, 1, 300); y + step <= b.y1; i++, y += step) {
        if (numbers) {
            snprintf(t, sizeof t, "%3d", i);
            text_draw(s, f, b.x0 + 4, y, t, dim);
        }
        code_line(s, t, sizeof t);
        sc_col c =
            chance(s, 60) ? fg : mix(fg, hsv(range(s, 0, 359), 200, 200), 150);
        int ix = x + depth * f->size * 2;
        if (ix + text_width(s, f, t) < b.x1)
            text_draw(s, f, ix, y, t, c);
        depth = range(s, 0, 9) < 3 ? (depth + 1) % 4 : depth;
        if (chance(s, 2))
            break;
    }
    add(s, SCENE_TEXTAREA, b, NULL);
}

/* --- tables --- */

struct table {
    int x[9], cols, step;
    int kind[9]; /* 0 name, 1 number, 2 word, 3 check, 4 action */
};

static void table_header(struct sc *s, const struct table *t, struct box b)
{
    const struct style *st = s->st;
    char text[SCENE_LABEL];
    struct font *f = chance(s, 30) ? st->bold : st->font;
    fill(s, b, st->head_bg);
    hline(s, b.x0, b.x1, b.y1 - 1, st->edge);
    for (int c = 0; c < t->cols; c++) {
        struct box r = { t->x[c], b.y0, t->x[c + 1], b.y1 };
        if (c > 0)
            vline(s, r.x0, r.y0 + 2, r.y1 - 2, st->edge);
        set_text(text, sizeof text,
                 chance(s, 60) ? words_field(s) : words_ui(s));
        if (t->kind[c] > 2 || text_width(s, f, text) > width_of(r) - 10)
            continue;
        text_draw(s, f, r.x0 + 5, wg_center_y(f, r), text, st->head_fg);
        add(s, SCENE_HEADER, r, text);
    }
}

static void cell_draw(struct sc *s, struct box r, int kind, sc_col fg,
                      char *row_name, const char *action, bool framed)
{
    const struct style *st = s->st;
    char text[SCENE_LABEL];
    if (kind == 4) {
        int w = wg_button_width(s, action);
        int h = height_of(r) - 2 > st->row ? st->row : height_of(r) - 2;
        if (w > width_of(r) - 4)
            return;
        struct box k = bx(r.x0 + 3, r.y0 + (height_of(r) - h) / 2, w, h);
        struct scene_element *e;
        if (framed) {
            e = wg_button(s, k, action, W_NOMN);
        } else {
            sc_col c = legible(st->dark ? 0x6ab0ff : 0x1a5fb4, st->field_bg);
            int tw = text_width(s, st->font, action);
            text_draw(s, st->font, k.x0, wg_center_y(st->font, k), action, c);
            e = add(s, SCENE_LINK, (struct box){ k.x0, k.y0, k.x0 + tw, k.y1 },
                    action);
        }
        set_text(e->anchor, SCENE_ANCHOR, row_name);
        return;
    }
    if (kind == 5) {
        struct box k = bx(r.x0 + 4, r.y0 + (height_of(r) - 18) / 2, 20, 18);
        if (width_of(r) < 26)
            return;
        struct scene_element *e = wg_icon(s, k,
                                          action[0] == 'E'   ? SCENE_ROLE_EDIT
                                          : action[0] == 'D' ? SCENE_ROLE_TRASH
                                                             : SCENE_ROLE_STAR,
                                          0);
        set_text(e->anchor, SCENE_ANCHOR, row_name);
        return;
    }
    if (kind == 0)
        words_name(s, text, sizeof text);
    else if (kind == 1)
        words_number(s, text, sizeof text);
    else
        words_any(s, text, sizeof text);
    int w = text_width(s, st->font, text);
    if (w > width_of(r) - 10)
        return;
    int x = kind == 1 && chance(s, 50) ? r.x1 - 5 - w : r.x0 + 5;
    text_draw(s, st->font, x, wg_center_y(st->font, r), text, fg);
    add(s, SCENE_CELL, r, text);
    if (!row_name[0])
        set_text(row_name, SCENE_ANCHOR, text);
}

static void content_table(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    struct table t = { .cols = range(s, 2, 6) };
    const char *actions[2] = { words_action(s), words_action(s) };
    bool framed = chance(s, 70), grid = chance(s, 40), stripes = chance(s, 40);
    int n_actions = chance(s, 65) ? range(s, 1, 2) : 0;
    if (height_of(b) > 200 && chance(s, 30)) {
        const char *names[6];
        int n = dialog_names(s, names), foot = b.y1 - st->row - 8;
        buttons_right(s, (struct box){ b.x0 + 8, foot, b.x1 - 8, b.y1 }, names,
                      n, chance(s, 15));
        b.y1 = foot - 6;
    }
    b = chance(s, 50) ? b : inset(b, range(s, 4, 12));
    t.cols = n_actions + 2 > t.cols ? n_actions + 2 : t.cols;
    while (t.cols > 2 && width_of(b) / t.cols < 70)
        t.cols--;
    for (int i = 0, x = b.x0; i <= t.cols; i++) {
        t.x[i] = i == t.cols ? b.x1 : x;
        x +=
            width_of(b) / t.cols + (i == 0 ? range(s, 0, 20) : range(s, -8, 4));
    }
    t.kind[0] = chance(s, 60) ? 0 : 2;
    for (int i = 1; i < t.cols; i++)
        t.kind[i] =
            i >= t.cols - n_actions ? (chance(s, 85) ? 4 : 5) : range(s, 0, 2);
    t.step = n_actions && framed ? st->row + range(s, 3, 8)
                                 : st->font->height + range(s, 4, 12);
    fill(s, b, st->field_bg);
    int y = b.y0, hh = st->font->height + range(s, 6, 12),
        sel = range(s, -4, 8);
    if (chance(s, 80)) {
        table_header(s, &t, (struct box){ b.x0, y, b.x1, y + hh });
        y += hh;
    }
    int rows = range(s, 2, 30);
    for (int i = 0; i < rows && y + t.step <= b.y1; i++, y += t.step) {
        char name[SCENE_ANCHOR] = "";
        struct box r = { b.x0, y, b.x1, y + t.step };
        if (stripes && i & 1)
            fill(s, r, mix(st->field_bg, st->field_fg, 14));
        if (i == sel)
            fill(s, r, st->select_bg);
        s->group++;
        for (int c = 0; c < t.cols; c++)
            cell_draw(s, (struct box){ t.x[c], y, t.x[c + 1], y + t.step },
                      t.kind[c], i == sel ? st->select_fg : st->field_fg, name,
                      actions[t.cols - 1 - c < 2 ? t.cols - 1 - c : 0], framed);
        if (grid)
            hline(s, b.x0, b.x1, y + t.step - 1,
                  mix(st->field_bg, st->field_fg, 50));
    }
    frame(s, b, st->edge);
}

/* --- trees --- */

static void content_tree(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int step = st->font->height + range(s, 3, 8), depth = 0,
        sel = range(s, -2, 9);
    bool lines = chance(s, 30), icons = chance(s, 60);
    fill(s, b, st->field_bg);
    frame(s, b, st->edge);
    s->group++;
    int y = b.y0 + 3;
    for (int i = 0; y + step < b.y1; i++, y += step) {
        struct box r = { b.x0 + 1, y, b.x1 - 1, y + step };
        int x = b.x0 + 6 + depth * 16;
        bool folder = chance(s, 45);
        if (folder)
            set_text(t, sizeof t, words_ui(s));
        else
            words_file(s, t, sizeof t);
        sc_col fg = i == sel ? st->select_fg : st->field_fg;
        for (int k = 0; k < 4 && x + 40 + text_width(s, st->font, t) > b.x1;
             k++)
            set_text(t, sizeof t, words_menu(s));
        if (x + 40 + text_width(s, st->font, t) > b.x1)
            continue;
        if (i == sel)
            fill(s, r, st->select_bg);
        if (folder && lines) {
            frame(s, bx(x, y + step / 2 - 4, 9, 9), mix(fg, st->field_bg, 100));
            hline(s, x + 2, x + 7, y + step / 2, fg);
        } else if (folder) {
            triangle(s, x + 4, y + step / 2, 4, chance(s, 50) ? 0 : 2, fg);
        }
        x += 14;
        if (icons) {
            int is = step - 2 > 16 ? 16 : step - 2;
            icon(s, folder ? SCENE_ROLE_FOLDER : SCENE_ROLE_FILE, x,
                 y + (step - is) / 2, is, fg, folder ? 0xe8b84a : SC_NONE, 0);
            x += is + 4;
        }
        text_draw(s, st->font, x, wg_center_y(st->font, r), t, fg);
        struct scene_element *e = add(s, SCENE_TREE, r, t);
        e->state = (uint8_t)((i == sel ? SCENE_SELECTED : 0) |
                             (folder ? SCENE_OPEN : 0));
        depth += folder ? chance(s, 60) : -chance(s, 25);
        depth = depth < 0 ? 0 : depth > 4 ? 4 : depth;
        if (chance(s, 3))
            break;
    }
}

/* --- icon view, files --- */

static void content_iconview(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int size = range(s, 28, 56), cell = size + range(s, 40, 70);
    int ch = size + st->small->height + range(s, 14, 24),
        sel = range(s, -6, 12);
    sc_col bg = st->field_bg, fg = st->field_fg;
    fill(s, b, bg);
    int i = 0, n = range(s, 3, 60);
    for (int y = b.y0 + 8; y + ch < b.y1 && i < n; y += ch)
        for (int x = b.x0 + 8; x + cell < b.x1 && i < n; x += cell, i++) {
            bool folder = chance(s, 50);
            if (folder)
                words_any(s, t, sizeof t);
            else
                words_file(s, t, sizeof t);
            int w = text_width(s, st->small, t);
            if (w > cell - 4)
                continue;
            struct box r = bx(x + 2, y, cell - 4, ch - 4);
            if (i == sel)
                rounded(s, r, st->radius, st->select_bg, st->select_bg);
            int ix = x + (cell - size) / 2;
            if (!folder && chance(s, 20))
                picture(s, bx(ix, y + 4, size, size * 3 / 4), 4,
                        hsv(range(s, 0, 359), 120, 180), 60);
            else
                icon(s, folder ? SCENE_ROLE_FOLDER : SCENE_ROLE_FILE, ix, y + 2,
                     size, folder ? 0x9a6b1c : mix(fg, bg, 60),
                     folder
                         ? hsv(chance(s, 60) ? 42 : range(s, 0, 359), 150, 240)
                         : 0xffffff,
                     folder ? 0 : range(s, 0, 1));
            text_draw(s, st->small, x + (cell - w) / 2, y + size + 5, t,
                      i == sel ? st->select_fg : fg);
            struct scene_element *e = add(s, SCENE_DESKICON, r, t);
            e->role = folder ? SCENE_ROLE_FOLDER : SCENE_ROLE_FILE;
            e->state = i == sel ? SCENE_SELECTED : 0;
        }
}

static int path_bar(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char v[SCENE_LABEL];
    int h = st->row + 6, x = b.x0 + 6, sz = st->row;
    static const uint8_t roles[] = { SCENE_ROLE_LEFT, SCENE_ROLE_RIGHT,
                                     SCENE_ROLE_UP, SCENE_ROLE_HOME,
                                     SCENE_ROLE_RELOAD };
    fill(s, (struct box){ b.x0, b.y0, b.x1, b.y0 + h }, st->tool_bg);
    for (int i = 0, n = range(s, 1, 5); i < n && x + sz < b.x1 - 120;
         i++, x += sz + 2)
        wg_icon(s, bx(x, b.y0 + 3, sz, sz), roles[i], 0);
    int right = b.x1 - 6;
    if (chance(s, 50) && right - x > 260) {
        struct scene_element *e =
            wg_field(s, bx(right - 120, b.y0 + 3, 120, st->row), "Search", NULL,
                     "Search", 0);
        e->role = SCENE_ROLE_SEARCH;
        right -= 126;
    } else if (chance(s, 50)) {
        wg_icon(s, bx(right - sz, b.y0 + 3, sz, sz), SCENE_ROLE_SEARCH, 0);
        right -= sz + 6;
    }
    if (right - x > 80) {
        words_value(s, v, sizeof v);
        wg_field(s, (struct box){ x + 4, b.y0 + 3, right, b.y0 + 3 + st->row },
                 NULL, v, NULL, 0);
    }
    return h;
}

static void content_files(struct sc *s, struct box b)
{
    if (chance(s, 80))
        b.y0 += path_bar(s, b);
    if (chance(s, 60) && width_of(b) > 320) {
        int w = range(s, 100, 180);
        list_draw(s, bx(b.x0, b.y0, w, height_of(b)), SCENE_ITEM);
        b.x0 += w;
    }
    int k = range(s, 0, 9);
    if (k < 5)
        content_iconview(s, b);
    else if (k < 7)
        content_tree(s, b);
    else
        content_table(s, b);
}

/* --- settings, mail, chat --- */

static void content_settings(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL], v[SCENE_LABEL];
    if (width_of(b) > 380 && chance(s, 80)) {
        int w = range(s, 120, 200);
        list_draw(s, bx(b.x0, b.y0, w, height_of(b)), SCENE_ITEM);
        b.x0 += w;
    }
    int pad = range(s, 10, 40), step = st->row + range(s, 8, 22),
        y = b.y0 + pad;
    bool card = chance(s, 50);
    const char *action = chance(s, 22) ? words_action(s) : NULL;
    if (chance(s, 60)) {
        wg_text(s, st->big, b.x0 + pad, y, words_ui(s), st->fg, SCENE_TEXT);
        y += st->big->height + 10;
    }
    for (int i = 0; y + step + 4 < b.y1; i++, y += step) {
        struct box r = { b.x0 + pad, y, b.x1 - pad, y + step };
        if (card)
            rounded_framed(s, r, 0, st->field_bg, st->field_bg,
                           mix(st->edge, st->field_bg, 120));
        if (chance(s, 12) && !card) {
            wg_text(s, st->bold, r.x0, wg_center_y(st->bold, r), words_ui(s),
                    st->fg, SCENE_TEXT);
            continue;
        }
        set_text(t, sizeof t, words_option(s));
        int w = text_width(s, st->font, t), cw = range(s, 90, 160);
        if (w + cw + 24 > width_of(r))
            continue;
        text_draw(s, st->font, r.x0 + 10, wg_center_y(st->font, r), t,
                  card ? st->field_fg : st->fg);
        struct box c = { r.x1 - cw - 8, y + (step - st->row) / 2, r.x1 - 8,
                         y + (step + st->row) / 2 };
        if (action && wg_button_width(s, action) < cw) {
            add(s, SCENE_TEXT, bx(r.x0 + 9, y + 2, w + 2, step - 4), t);
            c.x0 = c.x1 - wg_button_width(s, action);
            set_text(wg_button(s, c, action, W_NOMN)->anchor, SCENE_ANCHOR, t);
            continue;
        }
        int k = range(s, 0, 9), th = range(s, 16, 22);
        if (k < 6)
            wg_toggle(s,
                      bx(r.x1 - 10 - th * 2, y + (step - th) / 2, th * 2, th),
                      t, chance(s, 50));
        else if (k < 8)
            wg_combo(s, c, t, words_any(s, v, sizeof v));
        else if (k < 9)
            wg_slider(s, c, t, range(s, 0, 100));
        else
            wg_spin(s, c, t, "12");
        if (chance(s, 3))
            break;
    }
}

static void mail_row(struct sc *s, struct box r, bool bold, sc_col fg,
                     sc_col dim)
{
    const struct style *st = s->st;
    char name[SCENE_LABEL], sub[LINE];
    struct font *f = bold ? st->bold : st->font;
    words_name(s, name, sizeof name);
    words_phrase(s, sub, SCENE_LABEL - 1, range(s, 2, 7));
    if (text_width(s, f, name) < width_of(r) - 12)
        wg_text(s, f, r.x0 + 8, r.y0 + 4, name, fg, SCENE_TEXT);
    while (text_width(s, st->small, sub) > width_of(r) - 16 &&
           strrchr(sub, ' '))
        *strrchr(sub, ' ') = 0;
    int y = r.y0 + 6 + f->height;
    if (text_width(s, st->small, sub) < width_of(r) - 10) {
        text_draw(s, st->small, r.x0 + 8, y, sub, dim);
        add(s, SCENE_ITEM, r, sub);
    }
}

static void content_mail(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    if (width_of(b) > 480) {
        int w = range(s, 100, 150);
        list_draw(s, bx(b.x0, b.y0, w, height_of(b)), SCENE_ITEM);
        b.x0 += w;
    }
    int lw = width_of(b) > 420 ? range(s, 180, 260) : width_of(b);
    int step = st->bold->height + st->small->height + range(s, 12, 20);
    struct box l = { b.x0, b.y0, b.x0 + lw, b.y1 };
    fill(s, l, st->field_bg);
    int sel = range(s, -1, 5);
    for (int i = 0, y = l.y0; y + step <= l.y1; i++, y += step) {
        struct box r = { l.x0, y, l.x1, y + step };
        if (i == sel)
            fill(s, r, st->select_bg);
        sc_col fg = i == sel ? st->select_fg : st->field_fg;
        mail_row(s, r, chance(s, 40), fg,
                 mix(fg, i == sel ? st->select_bg : st->field_bg, 70));
        hline(s, l.x0, l.x1, y + step - 1, mix(st->field_bg, st->field_fg, 40));
    }
    if (lw == width_of(b))
        return;
    struct box m = { l.x1 + 10, b.y0 + 8, b.x1 - 8, b.y1 };
    char t[LINE];
    words_phrase(s, t, SCENE_LABEL, 4);
    if (text_width(s, st->big, t) < width_of(m))
        wg_text(s, st->big, m.x0, m.y0, t, st->fg, SCENE_TEXT);
    m.y0 += st->big->height + 8;
    m.y0 += row_buttons(s, m) + 10;
    wg_paragraph(s, st->font, m, st->fg, range(s, 2, 12));
}

static void content_chat(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[LINE];
    int y = b.y0 + 8, foot = b.y1 - st->row - 10;
    while (y + st->row + 12 < foot) {
        bool mine = chance(s, 45);
        words_phrase(s, t, SCENE_LABEL - 1, range(s, 1, 8));
        int w = text_width(s, st->font, t) + 20;
        sc_col bg = mine ? st->accent : shade(st->bg, st->dark ? 20 : -18);
        if (w < width_of(b) - 60) {
            int x = mine ? b.x1 - 10 - w : b.x0 + 10;
            struct box r = bx(x, y, w, st->font->height + 12);
            rounded(s, r, 8, bg, bg);
            text_draw(s, st->font, x + 10, y + 6, t, readable(bg));
            add(s, SCENE_TEXT, r, t);
        }
        y += st->font->height + 12 + range(s, 4, 14);
    }
    int bw = wg_button_width(s, "Send");
    if (width_of(b) < bw + 100)
        return;
    set_text(t, SCENE_LABEL, chance(s, 50) ? "Type a message" : "Message");
    wg_field(s, (struct box){ b.x0 + 8, foot, b.x1 - bw - 14, foot + st->row },
             t, NULL, t, 0);
    struct box sb = { b.x1 - bw - 8, foot, b.x1 - 8, foot + st->row };
    wg_button(s, sb, "Send", W_DEFAULT);
}

/* --- palette, player, calendar, tabs, panes --- */

static void content_palette(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    int size = st->icon_size + range(s, 8, 16), cols = range(s, 1, 4);
    int w = cols * (size + 2) + 8, i = 0;
    struct box canvas = { b.x0 + w, b.y0, b.x1, b.y1 - 24 };
    for (int y = b.y0 + 4; y + size < b.y1 - 30 && i < 40; y += size + 2)
        for (int c = 0; c < cols && b.x0 + w < b.x1; c++, i++)
            wg_icon(s, bx(b.x0 + 4 + c * (size + 2), y, size, size),
                    range(s, SCENE_ROLE_CLOSE, SCENE_N_ROLES - 1),
                    i == 3 ? W_CHECKED : 0);
    fill(s, canvas, chance(s, 70) ? 0xffffff : shade(st->bg, -40));
    if (chance(s, 50))
        picture(s, inset(canvas, range(s, 4, 40)), range(s, 3, 12),
                hsv(range(s, 0, 359), 120, 170), range(s, 20, 90));
    for (int k = 0, x = b.x0 + 6; x + 18 < b.x1 && k < 24; k++, x += 18) {
        struct box r = bx(x, b.y1 - 20, 16, 16);
        fill(s, r, hsv(k * 15, k % 2 ? 220 : 150, 230));
        frame(s, r, st->edge);
    }
}

static void content_player(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    static const uint8_t roles[] = { SCENE_ROLE_PREVIOUS, SCENE_ROLE_PLAY,
                                     SCENE_ROLE_PAUSE,    SCENE_ROLE_STOP,
                                     SCENE_ROLE_NEXT,     SCENE_ROLE_RECORD,
                                     SCENE_ROLE_VOLUME,   SCENE_ROLE_HEART,
                                     SCENE_ROLE_LIST };
    char t[SCENE_LABEL];
    int bar = 86;
    struct box top = { b.x0, b.y0, b.x1, b.y1 - bar };
    if (chance(s, 50))
        picture(s, top, range(s, 3, 14), hsv(range(s, 0, 359), 140, 120), 80);
    else if (height_of(top) > 60)
        content_table(s, top);
    int y = b.y1 - bar + 6;
    words_phrase(s, t, sizeof t, 2);
    if (text_width(s, st->bold, t) < width_of(b) - 20)
        wg_text(s, st->bold, b.x0 + 10, y, t, st->fg, SCENE_TEXT);
    y += st->bold->height + 2;
    wg_slider(s, bx(b.x0 + 10, y, width_of(b) - 20, 16), NULL,
              range(s, 0, 100));
    y += 20;
    int x = b.x0 + 10, size = 28;
    for (int i = 0; i < 9 && x + size < b.x1; i++)
        if (chance(s, 70)) {
            wg_icon(s, bx(x, y, size, size), roles[i], 0);
            x += size + 6;
        }
}

static void content_calendar(struct sc *s, struct box b)
{
    static const char *const months[] = { "January", "February", "March",
                                          "April",   "May",      "June",
                                          "July",    "August",   "September",
                                          "October", "November", "December" };
    static const char *const days[] = {
        "Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"
    };
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int hh = st->row + 6, cw = width_of(b) / 7, first = range(s, 0, 6);
    int rows = 7, ch = (height_of(b) - hh) / rows, today = range(s, 1, 28);
    if (ch < st->font->height + 2 || cw < st->font->size * 2)
        return;
    snprintf(t, sizeof t, "%s %d", months[rnd(s, 12)], range(s, 1995, 2035));
    int w = text_width(s, st->bold, t), mid = b.x0 + (width_of(b) - w) / 2;
    if (w < width_of(b) - 80)
        wg_text(s, st->bold, mid, b.y0 + 6, t, st->fg, SCENE_TEXT);
    wg_icon(s, bx(b.x0 + 4, b.y0 + 3, st->row, st->row), SCENE_ROLE_LEFT, 0);
    wg_icon(s, bx(b.x1 - 4 - st->row, b.y0 + 3, st->row, st->row),
            SCENE_ROLE_RIGHT, 0);
    for (int i = 0; i < 7; i++)
        wg_text(s, st->small,
                b.x0 + i * cw + (cw - text_width(s, st->small, days[i])) / 2,
                b.y0 + hh + 2, days[i], st->dim, SCENE_TEXT);
    for (int d = 1, last = range(s, 28, 31); d <= last; d++) {
        int k = d - 1 + first;
        struct box r =
            bx(b.x0 + k % 7 * cw, b.y0 + hh + ch + k / 7 * ch, cw, ch);
        if (r.y1 > b.y1)
            break;
        snprintf(t, sizeof t, "%d", d);
        if (d == today)
            rounded(s, inset(r, 2), st->radius, st->accent, st->accent);
        text_draw(s, st->font, r.x0 + (cw - text_width(s, st->font, t)) / 2,
                  wg_center_y(st->font, r), t,
                  d == today ? st->accent_fg : st->fg);
        add(s, SCENE_KEY, r, t)->state = d == today ? SCENE_SELECTED : 0;
    }
}

static void content_split(struct sc *s, struct box b)
{
    static const uint8_t kinds[] = { CT_SOUP,     CT_TREE,     CT_TABLE,
                                     CT_FORM,     CT_EDITOR,   CT_ICONVIEW,
                                     CT_TERMINAL, CT_SETTINGS, CT_SOUP,
                                     CT_CALENDAR, CT_PALETTE };
    bool across = width_of(b) > height_of(b) ? chance(s, 85) : chance(s, 30);
    int len = across ? width_of(b) : height_of(b);
    if (len < 260) {
        content_soup(s, b);
        return;
    }
    int at = len * range(s, 25, 65) / 100;
    struct box a = b, c = b;
    if (across) {
        a.x1 = b.x0 + at - 2;
        c.x0 = b.x0 + at + 3;
        vline(s, b.x0 + at, b.y0, b.y1, s->st->edge);
    } else {
        a.y1 = b.y0 + at - 2;
        c.y0 = b.y0 + at + 3;
        hline(s, b.x0, b.x1, b.y0 + at, s->st->edge);
    }
    content_draw(s, a, (enum content)kinds[rnd(s, sizeof kinds)]);
    content_draw(s, c, (enum content)kinds[rnd(s, sizeof kinds)]);
}

static void content_notebook(struct sc *s, struct box b)
{
    const char *names[6];
    int pad = range(s, 4, 12), foot = chance(s, 60) ? s->st->row + 14 : 0;
    struct box t = { b.x0 + pad, b.y0 + pad, b.x1 - pad, b.y1 - pad - foot };
    int h = wg_tabs(s, t, range(s, 2, 6));
    struct box page = { t.x0, t.y0 + h, t.x1, t.y1 };
    if (s->st->tab == TAB_BOX)
        frame(s, (struct box){ page.x0, page.y0 - 1, page.x1, page.y1 },
              s->st->edge);
    if (chance(s, 60))
        content_soup(s, inset(page, 2));
    else
        content_form(s, inset(page, 2));
    if (foot) {
        int n = dialog_names(s, names);
        buttons_right(s, (struct box){ t.x0, b.y1 - foot, t.x1, b.y1 }, names,
                      n, false);
    }
}

void content_draw(struct sc *s, struct box b, enum content c)
{
    if (width_of(b) < 40 || height_of(b) < 24)
        return;
    struct box old = set_clip(s, b);
    switch (c) {
    case CT_DIALOG: content_dialog(s, b); break;
    case CT_FORM: content_form(s, b); break;
    case CT_KEYPAD: content_keypad(s, b); break;
    case CT_TERMINAL: content_terminal(s, b); break;
    case CT_EDITOR: content_editor(s, b); break;
    case CT_FILES: content_files(s, b); break;
    case CT_TABLE: content_table(s, b); break;
    case CT_SETTINGS: content_settings(s, b); break;
    case CT_WEB: content_web(s, b); break;
    case CT_TREE: content_tree(s, b); break;
    case CT_NOTEBOOK: content_notebook(s, b); break;
    case CT_MAIL: content_mail(s, b); break;
    case CT_PALETTE: content_palette(s, b); break;
    case CT_PLAYER: content_player(s, b); break;
    case CT_CALENDAR: content_calendar(s, b); break;
    case CT_ICONVIEW: content_iconview(s, b); break;
    case CT_CHAT: content_chat(s, b); break;
    case CT_SPLIT: content_split(s, b); break;
    case CT_SOUP:
    case CT_BANK:
    case CT_N: content_soup(s, b); break;
    }
    s->clip = old;
}

void content_size(struct sc *s, enum content c, int *w, int *h)
{
    int W = s->w, H = s->h;
    if (c == CT_DIALOG) {
        *w = range(s, 260, 480);
        *h = range(s, 120, 230);
    } else if (c == CT_KEYPAD || c == CT_CALENDAR) {
        *w = range(s, 190, 380);
        *h = range(s, 230, 420);
    } else if (c == CT_FORM) {
        *w = range(s, 280, 560);
        *h = range(s, 220, 520);
    } else {
        *w = range(s, 300, W - 20);
        *h = range(s, 220, H - 40);
    }
    *w = *w > W - 8 ? W - 8 : *w;
    *h = *h > H - 40 ? H - 40 : *h;
}
