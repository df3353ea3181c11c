#include "tools/sprout/scene_priv.h"

#include <stdio.h>
#include <string.h>

static int nav_bar(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int h = range(s, 36, 60);
    sc_col bg = chance(s, 50)   ? st->accent
                : chance(s, 50) ? shade(st->bg, -12)
                                : 0x24292f;
    sc_col fg = readable(bg);
    struct box r = { b.x0, b.y0, b.x1, b.y0 + h };
    fill(s, r, bg);
    snprintf(t, sizeof t, "%s", words_word(s));
    int x = b.x0 + range(s, 10, 40);
    if (text_width(s, st->big, t) < width_of(b) / 3)
        x = wg_text(s, st->big, x, wg_center_y(st->big, r), t, fg, SCENE_TEXT) +
            30;
    int right = b.x1 - 12;
    if (chance(s, 40) && right - x > 400) {
        struct box f = { right - 150, r.y0 + (h - st->row) / 2, right,
                         r.y0 + (h + st->row) / 2 };
        wg_field(s, f, "Search", NULL, chance(s, 50) ? "Search" : "Search...",
                 0)
            ->role = SCENE_ROLE_SEARCH;
        right -= 165;
    }
    for (int i = 0, n = range(s, 2, 8); i < n; i++) {
        set_text(t, sizeof t, words_ui(s));
        int w = text_width(s, st->font, t);
        if (x + w > right)
            break;
        wg_text(s, st->font, x, wg_center_y(st->font, r), t, fg, SCENE_LINK);
        x += w + range(s, 14, 36);
    }
    return h;
}

static void card(struct sc *s, struct box r)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    sc_col bg = shade(st->bg, st->dark ? 12 : chance(s, 50) ? 8 : -6);
    rounded_framed(s, r, st->radius, bg, bg, mix(st->edge, st->bg, 120));
    int pad = range(s, 8, 14), y = r.y0 + pad;
    if (chance(s, 60) && height_of(r) > 150) {
        int ph = height_of(r) * 2 / 5;
        picture(s, (struct box){ r.x0 + 1, r.y0 + 1, r.x1 - 1, r.y0 + ph },
                range(s, 2, 8), hsv(range(s, 0, 359), 130, 180), 70);
        y = r.y0 + ph + 6;
    }
    words_any(s, t, sizeof t);
    if (text_width(s, st->bold, t) < width_of(r) - 2 * pad)
        wg_text(s, st->bold, r.x0 + pad, y, t, st->fg, SCENE_TEXT);
    char name[SCENE_LABEL];
    set_text(name, sizeof name, t);
    y += st->bold->height + 6;
    int foot = r.y1 - st->row - pad;
    wg_paragraph(s, st->font, (struct box){ r.x0 + pad, y, r.x1 - pad, foot },
                 st->dim, range(s, 1, 4));
    set_text(t, sizeof t, words_action(s));
    int w = wg_button_width(s, t);
    if (foot > y && w < width_of(r) - 2 * pad) {
        struct scene_element *e = wg_button(s, bx(r.x0 + pad, foot, w, st->row),
                                            t, chance(s, 50) ? W_DEFAULT : 0);
        set_text(e->anchor, SCENE_ANCHOR, name);
    }
}

static int cards(struct sc *s, struct box b)
{
    int n = range(s, 2, 4), gap = range(s, 8, 24), h = range(s, 120, 240);
    while (n > 1 && width_of(b) / n < 140)
        n--;
    h = h > height_of(b) ? height_of(b) : h;
    if (h < 90)
        return height_of(b);
    int w = (width_of(b) - gap * (n - 1)) / n;
    for (int i = 0; i < n; i++)
        card(s, bx(b.x0 + i * (w + gap), b.y0, w, h));
    return h;
}

static int login_box(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    int w = range(s, 220, 340), h = range(s, 220, 330);
    if (w > width_of(b) || h > height_of(b))
        return 0;
    struct box r = bx(b.x0 + (width_of(b) - w) / 2, b.y0, w, h);
    rounded_framed(s, r, st->radius, st->bg, st->bg, st->edge);
    content_form(s, inset(r, 3));
    return h;
}

static int link_list(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    sc_col c = st->dark ? 0x6ab0ff : chance(s, 50) ? 0x0000ee : 0x1a0dab;
    c = legible(c, st->bg);
    bool bullets = chance(s, 50), line_under = chance(s, 60);
    int y = b.y0, n = range(s, 2, 8);
    for (int i = 0; i < n && y + st->font->height < b.y1; i++) {
        words_phrase(s, t, sizeof t, range(s, 1, 5));
        int x = b.x0 + (bullets ? 16 : 0), w = text_width(s, st->font, t);
        if (x + w > b.x1)
            continue;
        if (bullets)
            disc(s, b.x0 + 6, y + st->font->height / 2, 2, st->fg);
        wg_text(s, st->font, x, y, t, c, SCENE_LINK);
        if (line_under)
            hline(s, x, x + w, y + st->font->ascent + 1, c);
        y += st->font->height + range(s, 3, 8);
    }
    return y - b.y0;
}

static int section(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    char t[SCENE_LABEL];
    int k = range(s, 0, 9), y = b.y0;
    if (chance(s, 45)) {
        words_phrase(s, t, sizeof t, range(s, 1, 5));
        if (text_width(s, st->big, t) < width_of(b))
            wg_text(s, st->big, b.x0, y, t, st->fg, SCENE_TEXT);
        y += st->big->height + 8;
    }
    struct box r = { b.x0, y, b.x1, b.y1 };
    if (height_of(r) < 40)
        return y - b.y0;
    if (k < 3) {
        int n = range(s, 2, 8);
        wg_paragraph(s, st->font, r, st->fg, n);
        return y - b.y0 + n * (st->font->height + 3);
    }
    if (k < 5)
        return y - b.y0 + cards(s, r);
    if (k < 6)
        return y - b.y0 + login_box(s, r);
    if (k < 8)
        return y - b.y0 + link_list(s, r);
    int h = range(s, 80, 260);
    h = h > height_of(r) ? height_of(r) : h;
    r.y1 = r.y0 + h;
    if (k < 9)
        content_soup(s, r);
    else
        content_draw(s, r, CT_TABLE);
    return y - b.y0 + h;
}

void content_web(struct sc *s, struct box b)
{
    const struct style *st = s->st;
    sc_col page = st->dark ? st->bg : chance(s, 60) ? 0xffffff : st->bg;
    struct style mine = *st;
    mine.bg = page;
    s->st = &mine;
    fill(s, b, page);
    if (chance(s, 80))
        b.y0 += nav_bar(s, b);
    int side = range(s, 10, width_of(b) > 700 ? 120 : 30);
    struct box r = { b.x0 + side, b.y0 + range(s, 8, 24), b.x1 - side, b.y1 };
    if (chance(s, 25) && width_of(r) > 460) {
        link_list(s, (struct box){ r.x0, r.y0, r.x0 + 140, r.y1 });
        r.x0 += 160;
    }
    if (chance(s, 25))
        wg_scroll(s, (struct box){ b.x1 - 14, b.y0, b.x1, b.y1 }, true);
    while (r.y0 + 40 < r.y1)
        r.y0 += section(s, r) + range(s, 8, 24);
    s->st = st;
}
