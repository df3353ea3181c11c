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

/* --- title bar and frame --- */

int chrome_height(const struct style *st)
{
    if (st->title_layout == 12)
        return 0;
    int pad = st->title_layout == 0 || st->title_layout == 3 ? 16 : 8;
    return st->title->height + pad;
}

static void title_button(struct sc *s, struct box b, int role, sc_col fg,
                         const char *title, int16_t out[4])
{
    const struct style *st = s->st;
    int lay = st->title_layout, size = width_of(b) * 5 / 9;
    size = size > 18 ? 18 : size < 7 ? 7 : size;
    if (lay == 2 || lay == 5) {
        sc_col bg = lay == 5 ? st->title_bg : st->bg;
        fill(s, b, bg);
        bevel(s, b, light_of(bg), dark_of(bg), 1 + (lay == 5));
        fg = readable(bg);
    } else if (lay == 3) {
        static const sc_col dots[] = { 0, 0xff5f57, 0xfebc2e, 0x28c840 };
        int r = height_of(b) / 2;
        disc(s, b.x0 + r, b.y0 + r, r, dots[role]);
        fg = chance(s, 50) ? dots[role] : 0x404040;
    } else if (lay == 10 || (lay == 0 && chance(s, 40))) {
        int r = height_of(b) / 2;
        disc(s, b.x0 + r, b.y0 + r, r, mix(st->title_bg, fg, 36));
    } else if (lay == 8 && role == SCENE_ROLE_CLOSE && chance(s, 30)) {
        fill(s, b, 0xe81123);
        fg = 0xffffff;
    }
    int x = b.x0 + (width_of(b) - size) / 2,
        y = b.y0 + (height_of(b) - size) / 2;
    if (lay != 3 || fg == 0x404040)
        icon(s, role, x, y, size, fg, SC_NONE,
             lay == 2 || lay == 5 ? 1 + 3 : st->icon_variant);
    struct scene_element *e = add(s, SCENE_WINBUTTON, b, NULL);
    e->role = (uint8_t)role;
    set_text(e->anchor, SCENE_ANCHOR, title);
    int16_t v[4] = { (int16_t)b.x0, (int16_t)b.y0, (int16_t)b.x1,
                     (int16_t)b.y1 };
    memcpy(out, v, sizeof v);
}

/* Buttons of a layout: from the right end inwards, then from the left. */
static const char *title_plan(int layout, bool dialog)
{
    static const char *const plans[] = { "c|",   "cxm|", "cxm|", "|cmx",
                                         "xm|c", "xm|w", "c|",   "cxm|w",
                                         "cxm|", "x|m",  "cxm|", "|",
                                         "" };
    if (dialog && layout != 3 && layout != 5 && layout != 9 && layout < 11)
        return "c|";
    return plans[layout];
}

/* Draws the buttons; bar shrinks to what is left for the title. */
static void title_buttons(struct sc *s, struct box *bar, struct scene_window *w,
                          const char *plan, sc_col fg)
{
    int lay = s->st->title_layout, h = height_of(*bar);
    int bh = lay == 8 ? h : lay == 3 ? 12 : lay == 5 ? h : h - range(s, 5, 9);
    int bw = lay == 8 ? h * 3 / 2 : bh, gap = lay == 3               ? 8
                                              : lay == 8 || lay == 5 ? 0
                                                                     : 3;
    bool left = false;
    bh = bh < 10 ? 10 : bh;
    bw = bw < 10 ? 10 : bw;
    if (lay != 8 && lay != 5) {
        bar->x0 += 5;
        bar->x1 -= 5;
    }
    for (; *plan; plan++) {
        if (*plan == '|') {
            left = true;
            continue;
        }
        int x = left ? bar->x0 : bar->x1 - bw;
        struct box b = bx(x, bar->y0 + (h - bh) / 2, bw, bh);
        if (*plan == 'c')
            title_button(s, b, SCENE_ROLE_CLOSE, fg, w->title, w->close);
        else if (*plan == 'm')
            title_button(s, b, SCENE_ROLE_MINIMIZE, fg, w->title, w->minimize);
        else if (*plan == 'x')
            title_button(s, b, SCENE_ROLE_MAXIMIZE, fg, w->title, w->maximize);
        else if (lay == 5) { // the window menu of mwm: a raised bar
            fill(s, b, s->st->title_bg);
            bevel(s, b, light_of(s->st->title_bg), dark_of(s->st->title_bg), 2);
            bevel(s, bx(b.x0 + bw / 4, b.y0 + bh / 2 - 2, bw / 2, 5),
                  light_of(s->st->title_bg), dark_of(s->st->title_bg), 1);
        } else {
            icon(s, wg_random_role(s), b.x0, b.y0, bw, fg, SC_NONE, 0);
        }
        bar->x0 += left ? bw + gap : 0;
        bar->x1 -= left ? 0 : bw + gap;
    }
}

static void title_draw(struct sc *s, struct box bar, struct scene_window *w,
                       bool active, bool dialog)
{
    const struct style *st = s->st;
    sc_col top = st->title_bg, low = st->title_bg2, fg = st->title_fg;
    if (!active && chance(s, 70)) {
        top = mix(top, st->look == LOOK_WIN95 ? 0x808080 : st->bg, 140);
        low = mix(low, st->look == LOOK_WIN95 ? 0x909090 : st->bg, 140);
        fg = mix(readable(top), top, 70);
    }
    if (st->look == LOOK_WIN95 && top != low)
        gradient_h(s, bar, top, low);
    else if (top != low)
        gradient(s, bar, top, low);
    else
        fill(s, bar, top);
    if (st->title_layout == 5)
        bevel(s, bar, light_of(top), dark_of(top), 2);
    struct box whole = bar;
    title_buttons(s, &bar, w, title_plan(st->title_layout, dialog), fg);
    int lay = st->title_layout, tw = text_width(s, st->title, w->title);
    bool left = lay == 1 || lay == 2 || lay == 8 || lay == 9;
    if (lay == 0 && width_of(bar) - tw > 300 && chance(s, 50)) {
        int sz = st->icon_size + 12;
        wg_icon(s,
                bx(bar.x1 - sz - 4, bar.y0 + (height_of(bar) - sz) / 2, sz, sz),
                SCENE_ROLE_MENU, 0);
        if (chance(s, 50))
            wg_icon(s,
                    bx(bar.x0 + 4, bar.y0 + (height_of(bar) - sz) / 2, sz, sz),
                    wg_random_role(s), 0);
        bar.x0 += sz + 8;
        bar.x1 -= sz + 8;
    }
    if (tw + 8 > width_of(bar))
        return;
    int x = left ? bar.x0 + 4 : whole.x0 + (width_of(whole) - tw) / 2;
    x = x + tw > bar.x1 - 2 ? bar.x1 - 2 - tw : x;
    x = x < bar.x0 + 2 ? bar.x0 + 2 : x;
    int y = wg_center_y(st->title, bar);
    wg_text(s, st->title, x, y, w->title, fg, SCENE_TITLE);
    w->title_box[0] = (int16_t)x;
    w->title_box[1] = (int16_t)y;
    w->title_box[2] = (int16_t)(x + tw);
    w->title_box[3] = (int16_t)(y + st->title->height);
    w->flags |= SCENE_WIN_TITLED;
}

struct scene_window *window_new(struct sc *s, struct box b, int flags, int kind)
{
    static struct scene_window spare;
    struct scene_out *o = s->out;
    bool room = o->n_windows < SCENE_MAX_WINDOWS;
    struct scene_window *w = room ? &o->windows[o->n_windows] : &spare;
    s->win = room ? o->n_windows++ : -1;
    memset(w, 0, sizeof *w);
    memset(w->close, 0xff, sizeof w->close);
    memset(w->minimize, 0xff, sizeof w->minimize);
    memset(w->maximize, 0xff, sizeof w->maximize);
    memset(w->title_box, 0xff, sizeof w->title_box);
    w->x0 = (int16_t)b.x0;
    w->y0 = (int16_t)b.y0;
    w->x1 = (int16_t)b.x1;
    w->y1 = (int16_t)b.y1;
    w->flags = (uint16_t)flags;
    w->kind = (uint16_t)kind;
    return w;
}

struct box chrome_draw(struct sc *s, struct box b, const char *title,
                       bool active, enum content c)
{
    const struct style *st = s->st;
    if (chance(s, 50))
        shadow(s, b, range(s, 4, 14), range(s, 60, 200));
    cover(s, b);
    struct scene_window *w = window_new(s, b,
                                        (active ? SCENE_WIN_ACTIVE : 0) |
                                            (c == CT_BANK ? SCENE_WIN_BANK : 0),
                                        c);
    if (st->title_layout != 12)
        set_text(w->title, sizeof w->title, title);
    int edge = c == CT_BANK            ? 1
               : st->title_layout == 5 ? range(s, 3, 6)
               : st->title_layout == 2 ? 3
                                       : 1;
    fill(s, b, st->bg);
    if (edge > 1) {
        sc_col fc = st->title_layout == 5 ? st->title_bg : st->bg;
        fill(s, b, fc);
        bevel(s, b, light_of(fc), dark_of(fc), 2);
    } else {
        frame(s, b, st->dark ? shade(st->bg, -25) : shade(st->bg, -90));
    }
    struct box in = inset(b, edge), bar = in;
    bar.y1 = in.y0 + chrome_height(st);
    struct box old = set_clip(s, b);
    if (st->title_layout != 12)
        title_draw(s, bar, w, active, c == CT_DIALOG);
    in.y0 = bar.y1;
    fill(s, in, st->bg);
    s->clip = old;
    return in;
}

/* --- menu bar, toolbar, status bar --- */

static int menu_bar(struct sc *s, struct box b, bool may_open)
{
    static const char *const usual[] = { "File",   "Edit",  "View",   "Insert",
                                         "Format", "Tools", "Window", "Help" };
    const struct style *st = s->st;
    int h = st->font->height + range(s, 4, 10), x = b.x0 + range(s, 0, 6);
    int n = range(s, 2, 8), pad = range(s, 4, 10), at = 0, last = 7;
    bool common = chance(s, 65);
    int open = may_open && chance(s, 30) ? range(s, 0, n - 1) : -1;
    struct box r = { b.x0, b.y0, b.x1, b.y0 + h };
    fill(s, r, chance(s, 50) ? st->bg : st->tool_bg);
    if (st->look == LOOK_MOTIF)
        bevel(s, r, light_of(st->bg), dark_of(st->bg), 1);
    for (int i = 0; i < n; i++) {
        const char *t =
            common ? usual[i == n - 1 && at < 8 ? last : at] : words_menu(s);
        at += 1 + chance(s, 25);
        int w = text_width(s, st->font, t) + 2 * pad;
        if (x + w > b.x1)
            break;
        struct box m = { x, r.y0, x + w, r.y1 };
        sc_col fg = st->fg;
        if (i == open) {
            fill(s, m, st->select_bg);
            fg = st->select_fg;
            s->popup_from = m;
            s->popup_kind = 1;
            set_text(s->popup_name, SCENE_ANCHOR, t);
        }
        int mn = chance(s, st->mnemonics) ? (chance(s, 70) ? 0 : 1) : -1;
        text_mnemonic(s, st->font, x + pad, wg_center_y(st->font, m), t, fg,
                      mn);
        add(s, SCENE_MENU, m, t)->state = i == open ? SCENE_OPEN : 0;
        x += w;
        if (common && at > 6 && i + 1 < n)
            i = n - 2; // only the last, Help, is left
        at = at > 6 ? 7 : at;
    }
    if (chance(s, 40))
        hline(s, b.x0, b.x1, r.y1 - 1, st->edge);
    return h;
}

static int tool_bar(struct sc *s, struct box b)
{
    static const uint8_t usual[] = {
        SCENE_ROLE_FILE,   SCENE_ROLE_FOLDER,  SCENE_ROLE_SAVE,
        SCENE_ROLE_PRINT,  SCENE_ROLE_CUT,     SCENE_ROLE_COPY,
        SCENE_ROLE_PASTE,  SCENE_ROLE_UNDO,    SCENE_ROLE_REDO,
        SCENE_ROLE_SEARCH, SCENE_ROLE_ZOOM_IN, SCENE_ROLE_ZOOM_OUT,
        SCENE_ROLE_BOLD,   SCENE_ROLE_ITALIC,  SCENE_ROLE_UNDERLINE,
        SCENE_ROLE_HELP,   SCENE_ROLE_SETTINGS
    };
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int sz = st->icon_size + range(s, 6, 14), x = b.x0 + range(s, 2, 8), at = 0;
    bool labels = chance(s, 22), under = labels && chance(s, 50),
         common = chance(s, 55);
    int h = sz + 6 + (under ? st->small->height : 0);
    struct box r = { b.x0, b.y0, b.x1, b.y0 + h };
    fill(s, r, st->tool_bg);
    for (int i = 0, n = range(s, 3, 16); i < n && x + sz < b.x1; i++) {
        int role = common ? usual[at++ % 17] : wg_random_role(s);
        at += chance(s, 20);
        if (chance(s, 12)) {
            vline(s, x + 3, r.y0 + 5, r.y1 - 5, st->edge);
            x += 8;
            continue;
        }
        if (!labels) {
            wg_icon(s, bx(x, r.y0 + 3, sz, sz), role,
                    (chance(s, 6) ? W_HOVER : 0) |
                        (chance(s, 6) ? W_DISABLED : 0) |
                        (chance(s, 4) ? W_CHECKED : 0));
            x += sz + range(s, 0, 3);
            continue;
        }
        words_button(s, t, sizeof t);
        int tw = text_width(s, st->small, t), is = st->icon_size;
        int w = under ? (tw > sz ? tw + 8 : sz + 4) : sz + tw + 6;
        if (x + w > b.x1)
            break;
        struct box k = bx(x, r.y0 + 2, w, h - 4);
        icon(s, role, under ? x + (w - is) / 2 : x + 4,
             r.y0 + 3 + (sz - is) / 2, is, st->fg, SC_NONE, st->icon_variant);
        text_draw(s, st->small, under ? x + (w - tw) / 2 : x + is + 8,
                  under ? r.y0 + sz + 1 : wg_center_y(st->small, k), t, st->fg);
        add(s, SCENE_TOOLBUTTON, k, t);
        x += w + 3;
    }
    if (chance(s, 25) && b.x1 - x > 170) {
        struct scene_element *e =
            wg_field(s,
                     (struct box){ b.x1 - 150, r.y0 + (h - st->row) / 2,
                                   b.x1 - 8, r.y0 + (h + st->row) / 2 },
                     "Search", NULL, "Search", 0);
        e->role = SCENE_ROLE_SEARCH;
    }
    if (chance(s, 50))
        hline(s, b.x0, b.x1, r.y1 - 1, st->edge);
    return h;
}

static int status_bar(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int h = st->small->height + range(s, 4, 8), x = b.x0 + 6;
    struct box r = { b.x0, b.y1 - h, b.x1, b.y1 };
    fill(s, r, st->tool_bg);
    hline(s, r.x0, r.x1, r.y0, st->edge);
    for (int i = 0, n = range(s, 1, 3); i < n; i++) {
        if (i == 0)
            words_phrase(s, t, sizeof t, range(s, 1, 4));
        else
            words_number(s, t, sizeof t);
        int w = text_width(s, st->small, t);
        if (x + w > b.x1 - 6)
            break;
        wg_text(s, st->small, x, wg_center_y(st->small, r), t, st->fg,
                SCENE_STATUS);
        x += w + range(s, 20, 80);
    }
    return h;
}

static int browser_bars(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int h = st->row + 8, x = b.x0 + 4, n = range(s, 1, 5),
        on = range(s, 0, n - 1);
    fill(s, (struct box){ b.x0, b.y0, b.x1, b.y0 + h },
         shade(st->bg, st->dark ? -14 : -26));
    for (int i = 0; i < n && x + 150 < b.x1; i++) {
        struct box r = { x, b.y0 + 3, x + 150, b.y0 + h };
        if (i == on)
            rounded(s, r, 5, st->bg, st->bg);
        words_any(s, t, sizeof t);
        if (text_width(s, st->small, t) < 112) {
            text_draw(s, st->small, x + 10, wg_center_y(st->small, r), t,
                      st->fg);
            struct scene_element *e = add(s, SCENE_TAB, r, t);
            e->state = i == on ? SCENE_SELECTED : 0;
        }
        struct box c = bx(r.x1 - 20, r.y0 + (height_of(r) - 14) / 2, 14, 14);
        icon(s, SCENE_ROLE_CLOSE, c.x0 + 2, c.y0 + 2, 10, st->fg, SC_NONE, 0);
        struct scene_element *e = add(s, SCENE_ICON, c, NULL);
        e->role = SCENE_ROLE_CLOSE;
        set_text(e->anchor, SCENE_ANCHOR, t);
        x += 152;
    }
    wg_icon(s, bx(x + 2, b.y0 + 6, h - 10, h - 10), SCENE_ROLE_PLUS, 0);
    int y = b.y0 + h, sz = st->row;
    static const uint8_t roles[] = { SCENE_ROLE_LEFT, SCENE_ROLE_RIGHT,
                                     SCENE_ROLE_RELOAD, SCENE_ROLE_HOME };
    x = b.x0 + 6;
    for (int i = 0, k = range(s, 3, 4); i < k; i++, x += sz + 4)
        wg_icon(s, bx(x, y + 3, sz, sz), roles[i],
                i == 1 && chance(s, 50) ? W_DISABLED : 0);
    wg_icon(s, bx(b.x1 - sz - 6, y + 3, sz, sz),
            chance(s, 50) ? SCENE_ROLE_MENU : SCENE_ROLE_MORE, 0);
    snprintf(t, sizeof t, "%s%.14s.%s/%.10s", chance(s, 50) ? "https://" : "",
             words_word(s), chance(s, 60) ? "com" : "org", words_word(s));
    struct scene_element *e =
        wg_field(s, (struct box){ x + 4, y + 3, b.x1 - sz - 14, y + 3 + sz },
                 NULL, t, NULL, 0);
    e->role = SCENE_ROLE_LINK;
    hline(s, b.x0, b.x1, y + sz + 7, st->edge);
    return h + sz + 8;
}

static void title_words(struct sc *s, enum content c, char *t, int n)
{
    char a[SCENE_LABEL];
    if (chance(s, 40))
        set_text(t, n, words_app(s));
    else if (c == CT_EDITOR || chance(s, 15))
        snprintf(t, (size_t)n, "%.28s - %s", words_file(s, a, sizeof a),
                 words_app(s));
    else if (chance(s, 30))
        words_phrase(s, t, n, range(s, 1, 4));
    else
        words_any(s, t, n);
}

void window_draw(struct sc *s, struct box b, enum content c, bool active)
{
    char title[SCENE_LABEL];
    s->popup_kind = 0;
    title_words(s, c, title, sizeof title);
    struct box in = chrome_draw(s, b, title, active, c);
    struct box old = set_clip(s, in);
    bool small = c == CT_DIALOG || c == CT_CALENDAR;
    if (c == CT_WEB && chance(s, 75))
        in.y0 += browser_bars(s, in);
    else if (!small && chance(s, c == CT_FORM ? 15 : c == CT_KEYPAD ? 40 : 62))
        in.y0 += menu_bar(s, in, active);
    if (!small && c != CT_KEYPAD && c != CT_FORM && c != CT_WEB &&
        chance(s, 45))
        in.y0 += tool_bar(s, in);
    if (!small && c != CT_KEYPAD && chance(s, 25))
        in.y1 -= status_bar(s, in);
    s->clip = old;
    content_draw(s, in, c);
}

/* --- popups --- */

struct entry_list {
    char text[20][SCENE_LABEL];
    char key[20][16];
    uint8_t
        what[20]; /* 1 separator, 2 submenu, 4 checked, 8 disabled, 16 icon */
    int n, text_w, key_w;
};

static void entries_make(struct sc *s, struct entry_list *l)
{
    static const char *const mods[] = { "Ctrl+",  "Ctrl+Shift+", "Alt+",
                                        "Shift+", "Ctrl+",       "Ctrl+" };
    struct font *f = s->st->font;
    bool dots = !(s->flags & SCENE_ASCII) && chance(s, 40);
    bool keys = chance(s, 60), icons = chance(s, 25);
    l->n = range(s, 3, 14);
    l->text_w = l->key_w = 0;
    for (int i = 0; i < l->n; i++) {
        l->what[i] = (uint8_t)((chance(s, 8) ? 2 : 0) | (chance(s, 7) ? 4 : 0) |
                               (chance(s, 8) ? 8 : 0) | (icons ? 16 : 0));
        l->key[i][0] = 0;
        if (i > 0 && i < l->n - 1 && l->what[i - 1] != 1 && chance(s, 18)) {
            l->what[i] = 1;
            continue;
        }
        words_button(s, l->text[i], SCENE_LABEL - 4);
        size_t len = strlen(l->text[i]);
        if (chance(s, 22))
            memcpy(l->text[i] + len, dots ? "\xe2\x80\xa6" : "...", 4);
        if (keys && !(l->what[i] & 2) && chance(s, 60)) {
            if (chance(s, 15))
                snprintf(l->key[i], 16, "F%d", range(s, 1, 12));
            else
                snprintf(l->key[i], 16, "%s%c", mods[rnd(s, 6)],
                         'A' + range(s, 0, 25));
        }
        int w = text_width(s, f, l->text[i]), k = text_width(s, f, l->key[i]);
        l->text_w = w > l->text_w ? w : l->text_w;
        l->key_w = k > l->key_w ? k : l->key_w;
    }
}

static void entry_draw(struct sc *s, const struct entry_list *l, int i,
                       struct box r, int lead, bool hot, const char *name)
{
    const struct style *st = s->st;
    struct font *f = st->font;
    sc_col fg = hot ? st->select_fg : st->menu_fg;
    if (hot)
        fill(s, r, st->select_bg);
    if (l->what[i] & 8 && !hot)
        fg = mix(fg, st->menu_bg, 140);
    int y = wg_center_y(f, r), is = f->height < 16 ? f->height : 16;
    if (l->what[i] & 16 && chance(s, 60))
        icon(s, wg_random_role(s), r.x0 + 5, r.y0 + (height_of(r) - is) / 2, is,
             fg, SC_NONE, st->icon_variant);
    else if (l->what[i] & 4)
        icon(s, SCENE_ROLE_CHECK, r.x0 + 5, r.y0 + (height_of(r) - is) / 2, is,
             fg, SC_NONE, 3);
    int mn = chance(s, st->mnemonics) ? 0 : -1;
    text_mnemonic(s, f, r.x0 + lead, y, l->text[i], fg, mn);
    if (l->key[i][0])
        text_draw(s, f, r.x1 - 10 - text_width(s, f, l->key[i]), y, l->key[i],
                  mix(fg, hot ? st->select_bg : st->menu_bg, 70));
    if (l->what[i] & 2)
        triangle(s, r.x1 - 9, (r.y0 + r.y1) / 2, 4, 2, fg);
    struct scene_element *e = add(s, SCENE_MENU_ITEM, r, l->text[i]);
    e->state = (uint8_t)((l->what[i] & 4 ? SCENE_CHECKED : 0) |
                         (l->what[i] & 8 ? SCENE_DISABLED : 0) |
                         (hot ? SCENE_SELECTED : 0));
    set_text(e->anchor, SCENE_ANCHOR, name);
}

static void popup_box(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    if (chance(s, 50))
        shadow(s, b, range(s, 3, 8), 120);
    cover(s, b);
    window_new(s, b, SCENE_WIN_POPUP, CT_N);
    if (st->field == FLD_SUNKEN) {
        fill(s, b, st->menu_bg);
        bevel(s, b, light_of(st->menu_bg), dark_of(st->menu_bg), 2);
    } else {
        rounded_framed(s, b, st->radius > 2 && chance(s, 50) ? st->radius : 0,
                       st->menu_bg, st->menu_bg, st->edge);
    }
}

void menu_popup(struct sc *s, int x, int y, const char *name)
{
    const struct style *st = s->st;
    struct entry_list l;
    entries_make(s, &l);
    int step = st->font->height + range(s, 4, 10), lead = range(s, 8, 28);
    lead = l.what[0] & 16 ? 28 : lead;
    int w = lead + l.text_w + (l.key_w ? l.key_w + 24 : 0) + range(s, 18, 40);
    int h = 6, hot = chance(s, 45) ? range(s, 0, l.n - 1) : -1;
    for (int i = 0; i < l.n; i++) {
        h += l.what[i] == 1 ? 7 : step;
        if (l.what[i] & 4 && lead < 24)
            l.what[i] &= (uint8_t)~4u;
    }
    if (w > s->w - 4 || h > s->h - 4)
        return;
    x = x + w > s->w ? s->w - w : x;
    y = y + h > s->h ? s->h - h : y;
    struct box b = bx(x, y, w, h);
    popup_box(s, b);
    struct box old = set_clip(s, b);
    s->group++;
    y = b.y0 + 3;
    for (int i = 0; i < l.n; i++) {
        if (l.what[i] == 1) {
            wg_separator(s, b.x0 + 3, b.x1 - 3, y + 3);
            y += 7;
            continue;
        }
        entry_draw(s, &l, i, (struct box){ b.x0 + 3, y, b.x1 - 3, y + step },
                   lead, i == hot, name);
        y += step;
    }
    s->clip = old;
}

static void list_popup(struct sc *s, struct box from, const char *value,
                       const char *name)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int step = st->font->height + range(s, 2, 8), n = range(s, 2, 9);
    int w = width_of(from), h = n * step + 4;
    int y = from.y1 + h > s->h ? from.y0 - h : from.y1;
    if (y < 0 || w < 60)
        return;
    struct box b = bx(from.x0, y, w, h);
    popup_box(s, b);
    struct box old = set_clip(s, b);
    int sel = range(s, -1, n - 1);
    s->group++;
    for (int i = 0; i < n; i++) {
        struct box r = bx(b.x0 + 2, b.y0 + 2 + i * step, w - 4, step);
        words_any(s, t, sizeof t);
        if (i == sel)
            set_text(t, sizeof t, value);
        if (text_width(s, st->font, t) > w - 12)
            continue;
        if (i == sel)
            fill(s, r, st->select_bg);
        text_draw(s, st->font, r.x0 + 4, wg_center_y(st->font, r), t,
                  i == sel ? st->select_fg : st->menu_fg);
        struct scene_element *e = add(s, SCENE_MENU_ITEM, r, t);
        set_text(e->anchor, SCENE_ANCHOR, name);
        e->state = i == sel ? SCENE_SELECTED : 0;
    }
    s->clip = old;
}

static bool combo_open(struct sc *s)
{
    const struct scene_out *o = s->out;
    for (int i = o->n_elements - 1; i >= 0; i--) {
        const struct scene_element *e = &o->elements[i];
        if (e->kind != SCENE_COMBO || s->fate[i] || e->window != s->win ||
            e->flags & SCENE_FROM_BANK)
            continue;
        struct box b = { e->x0, e->y0, e->x1, e->y1 };
        char value[SCENE_VALUE], name[SCENE_ANCHOR];
        set_text(value, sizeof value, e->value);
        set_text(name, sizeof name, e->label);
        s->out->elements[i].state |= SCENE_OPEN;
        list_popup(s, b, value, name);
        return true;
    }
    return false;
}

void window_popup(struct sc *s)
{
    if (s->popup_kind == 1) {
        menu_popup(s, s->popup_from.x0, s->popup_from.y1, s->popup_name);
        return;
    }
    if (chance(s, 10) && combo_open(s))
        return;
    if (chance(s, 6))
        menu_popup(s, range(s, 0, s->w - 120), range(s, 0, s->h - 120), "");
}

/* --- panel and desktop --- */

void panel_draw(struct sc *s)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int h = st->font->height + range(s, 8, 20);
    int y = chance(s, 50) ? 0 : s->h - h;
    struct box b = { 0, y, s->w, y + h };
    sc_col bg = chance(s, 55) ? shade(0x282828, range(s, -30, 25)) : st->bg;
    sc_col fg = readable(bg);
    cover(s, b);
    s->win = -1;
    if (chance(s, 40))
        gradient(s, b, shade(bg, 12), shade(bg, -8));
    else
        fill(s, b, bg);
    if (st->field == FLD_SUNKEN && bg == st->bg)
        bevel(s, b, light_of(bg), dark_of(bg), 1);
    int x = 4, right = s->w - 6, is = h - 12 > 22 ? 22 : h - 12;
    if (chance(s, 80)) {
        snprintf(t, sizeof t, "%02d:%02d", range(s, 0, 23), range(s, 0, 59));
        int w = text_width(s, st->font, t);
        right -= w + 8;
        text_draw(s, st->font, right + 4, wg_center_y(st->font, b), t, fg);
        add(s, SCENE_PANEL, (struct box){ right, y, right + w + 8, y + h }, t);
    }
    static const uint8_t tray[] = { SCENE_ROLE_VOLUME, SCENE_ROLE_BELL,
                                    SCENE_ROLE_POWER, SCENE_ROLE_MAIL };
    for (int i = 0, n = range(s, 0, 4); i < n; i++) {
        right -= is + 8;
        icon(s, tray[i], right + 4, y + (h - is) / 2, is, fg, SC_NONE,
             st->icon_variant);
        add(s, SCENE_ICON,
            (struct box){ right, y + 2, right + is + 8, y + h - 2 }, NULL)
            ->role = tray[i];
    }
    for (int i = 0, n = range(s, 1, 7); i < n; i++) {
        words_any(s, t, sizeof t);
        if (i == 0 && chance(s, 60))
            set_text(t, sizeof t, chance(s, 50) ? "Applications" : "Start");
        else if (i - 1 < s->out->n_windows && i > 0 && chance(s, 60))
            set_text(t, sizeof t, s->out->windows[i - 1].title);
        int w = text_width(s, st->font, t) + range(s, 14, 40);
        if (x + w > right)
            break;
        struct box k = { x, y + 2, x + w, y + h - 2 };
        if (chance(s, 35))
            rounded(s, k, st->radius, mix(bg, fg, 36), mix(bg, fg, 36));
        text_draw(s, st->font, x + (w - text_width(s, st->font, t)) / 2,
                  wg_center_y(st->font, k), t, fg);
        add(s, SCENE_PANEL, k, t);
        x += w + range(s, 2, 10);
    }
}

static void wallpaper(struct sc *s)
{
    struct box all = { 0, 0, s->w, s->h };
    sc_col c = hsv(range(s, 0, 359), range(s, 0, 200), range(s, 20, 230));
    int k = range(s, 0, 99);
    if (k < 16)
        c = chance(s, 25) ? 0x008080 : chance(s, 60) ? 0x000000 : 0x3a6ea5;
    if (k < 40) {
        fill(s, all, c);
    } else if (k < 60) {
        sc_col d = hsv(range(s, 0, 359), range(s, 0, 200), range(s, 20, 230));
        if (chance(s, 70))
            gradient(s, all, c, d);
        else
            gradient_h(s, all, c, d);
    } else if (k < 80) {
        picture(s, all, range(s, 2, 16), c, range(s, 15, 90));
    } else {
        fill(s, all, c);
        for (int i = range(s, 2, 9); i > 0; i--) {
            int w = range(s, 40, 400), h = range(s, 40, 300);
            sc_col d = shade(c, range(s, -40, 40));
            rounded(s, bx(range(s, -50, s->w), range(s, -50, s->h), w, h),
                    chance(s, 60) ? 48 : 0, d, d);
        }
    }
}

void desktop_draw(struct sc *s)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    wallpaper(s);
    s->win = -1;
    if (!chance(s, 45))
        return;
    int size = range(s, 32, 52), cell = size + range(s, 36, 60);
    int ch = size + st->small->height + range(s, 16, 28), n = range(s, 1, 12);
    bool plate = chance(s, 20);
    for (int i = 0, x = 8, y = range(s, 8, 50); i < n; i++, y += ch) {
        if (y + ch > s->h - 40) {
            y = 20;
            x += cell;
        }
        if (x + cell > s->w)
            break;
        bool folder = chance(s, 40);
        if (chance(s, 35))
            words_file(s, t, sizeof t);
        else
            words_any(s, t, sizeof t);
        int w = text_width(s, st->small, t);
        if (w > cell - 4)
            continue;
        int role = folder          ? SCENE_ROLE_FOLDER
                   : chance(s, 40) ? SCENE_ROLE_FILE
                                   : wg_random_role(s);
        sc_col body =
            hsv(range(s, 0, 359), range(s, 60, 200), range(s, 160, 250));
        icon(s, role, x + (cell - size) / 2, y + 2, size, shade(body, -120),
             body, 0);
        int ty = y + size + 5, tx = x + (cell - w) / 2;
        sc_col fg = 0xffffff;
        if (plate) {
            fill(s,
                 (struct box){ tx - 2, ty, tx + w + 2, ty + st->small->height },
                 st->accent);
            fg = st->accent_fg;
        } else {
            s->quiet_text = true;
            text_draw(s, st->small, tx + 1, ty + 1, t, 0x000000);
            s->quiet_text = false;
        }
        text_draw(s, st->small, tx, ty, t, fg);
        add(s, SCENE_DESKICON, bx(x + 2, y, cell - 4, ch - 4), t)->role =
            (uint8_t)role;
    }
}
