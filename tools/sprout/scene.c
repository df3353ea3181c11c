#include "tools/sprout/scene.h"

#include "tools/sprout/scene_priv.h"

#include <stdio.h>
#include <string.h>

static bool ready;

uint32_t rnd(struct sc *s, uint32_t n)
{
    uint64_t z = (s->rng += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return n ? (uint32_t)((z >> 32) * n >> 32) : 0;
}

int range(struct sc *s, int a, int b)
{
    return b > a ? a + (int)rnd(s, (uint32_t)(b - a + 1)) : a;
}

bool chance(struct sc *s, int percent)
{
    return (int)rnd(s, 100) < percent;
}

struct box bx(int x, int y, int w, int h)
{
    return (struct box){ x, y, x + w, y + h };
}

struct box inset(struct box b, int d)
{
    return (struct box){ b.x0 + d, b.y0 + d, b.x1 - d, b.y1 - d };
}

bool overlaps(struct box a, struct box b)
{
    return a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1;
}

bool inside(struct box a, struct box b)
{
    return a.x0 >= b.x0 && a.y0 >= b.y0 && a.x1 <= b.x1 && a.y1 <= b.y1;
}

int width_of(struct box b)
{
    return b.x1 - b.x0;
}

int height_of(struct box b)
{
    return b.y1 - b.y0;
}

struct box set_clip(struct sc *s, struct box b)
{
    struct box old = s->clip;
    s->clip.x0 = b.x0 > old.x0 ? b.x0 : old.x0;
    s->clip.y0 = b.y0 > old.y0 ? b.y0 : old.y0;
    s->clip.x1 = b.x1 < old.x1 ? b.x1 : old.x1;
    s->clip.y1 = b.y1 < old.y1 ? b.y1 : old.y1;
    return old;
}

/* Copies at most n - 1 bytes, whole characters only. */
void set_text(char *dst, int n, const char *src)
{
    int len = (int)strnlen(src, (size_t)n);
    if (len >= n)
        for (len = n - 1; len > 0 && ((uint8_t)src[len] & 0xc0) == 0x80; len--)
            continue;
    memmove(dst, src, (size_t)len);
    memset(dst + len, 0, (size_t)(n - len));
}

static void trim(char *t)
{
    size_t n = strlen(t);
    for (; n > 1 && (t[n - 1] == ':' || t[n - 1] == ' '); n--)
        t[n - 1] = 0;
    if (n > 3 &&
        (!memcmp(t + n - 3, "...", 3) || !memcmp(t + n - 3, "\xe2\x80\xa6", 3)))
        memset(t + n - 3, 0, 3);
}

struct scene_element *add(struct sc *s, int kind, struct box b,
                          const char *label)
{
    static struct scene_element spare;
    struct scene_out *o = s->out;
    bool room = o->n_elements < SCENE_MAX_ELEMENTS;
    bool seen = overlaps(b, s->clip) && b.x0 < b.x1 && b.y0 < b.y1;
    if (!room && seen)
        o->n_dropped++;
    if (!room || !seen) {
        memset(&spare, 0, sizeof spare);
        return &spare;
    }
    struct scene_element *e = &o->elements[o->n_elements];
    memset(e, 0, sizeof *e);
    s->fate[o->n_elements++] = inside(b, s->clip) ? 0 : 1;
    e->x0 = (int16_t)b.x0;
    e->y0 = (int16_t)b.y0;
    e->x1 = (int16_t)b.x1;
    e->y1 = (int16_t)b.y1;
    e->kind = (uint8_t)kind;
    e->window = (int16_t)s->win;
    e->group = (int16_t)s->group;
    if (label) {
        set_text(e->label, SCENE_LABEL, label);
        trim(e->label);
    }
    return e;
}

void add_char(struct sc *s, int x, int y, uint32_t code)
{
    struct scene_out *o = s->out;
    if (x < s->clip.x0 || x >= s->clip.x1 || y < s->clip.y0 ||
        y >= s->clip.y1 || o->n_chars >= SCENE_MAX_CHARS)
        return;
    o->chars[o->n_chars++] =
        (struct scene_char){ (int16_t)x, (int16_t)y, code };
}

void add_unknown(struct sc *s, struct box b)
{
    struct scene_out *o = s->out;
    if (o->n_unknown < SCENE_MAX_UNKNOWN)
        o->unknown[o->n_unknown++] =
            (struct scene_rect){ (int16_t)b.x0, (int16_t)b.y0, (int16_t)b.x1,
                                 (int16_t)b.y1 };
}

static void box_cover(int16_t v[4], struct box b)
{
    if (v[0] >= 0 && overlaps((struct box){ v[0], v[1], v[2], v[3] }, b))
        memset(v, 0xff, 4 * sizeof v[0]);
}

// What is left of each unknown area round b: at most four boxes.
static void unknown_cut(struct sc *s, struct box b)
{
    struct scene_rect old[SCENE_MAX_UNKNOWN];
    int n = s->out->n_unknown;
    memcpy(old, s->out->unknown, sizeof old);
    s->out->n_unknown = 0;
    for (int i = 0; i < n; i++) {
        struct box u = { old[i].x0, old[i].y0, old[i].x1, old[i].y1 };
        struct box c = { u.x0 > b.x0 ? u.x0 : b.x0, u.y0 > b.y0 ? u.y0 : b.y0,
                         u.x1 < b.x1 ? u.x1 : b.x1, u.y1 < b.y1 ? u.y1 : b.y1 };
        if (!overlaps(u, b)) {
            add_unknown(s, u);
            continue;
        }
        struct box part[4] = { { u.x0, u.y0, u.x1, c.y0 },
                               { u.x0, c.y1, u.x1, u.y1 },
                               { u.x0, c.y0, c.x0, c.y1 },
                               { c.x1, c.y0, u.x1, c.y1 } };
        for (int k = 0; k < 4; k++)
            if (part[k].x0 < part[k].x1 && part[k].y0 < part[k].y1)
                add_unknown(s, part[k]);
    }
}

void cover(struct sc *s, struct box b)
{
    struct scene_out *o = s->out;
    int n = 0;
    unknown_cut(s, b);
    for (int i = 0; i < o->n_elements; i++) {
        const struct scene_element *e = &o->elements[i];
        struct box eb = { e->x0, e->y0, e->x1, e->y1 };
        if (inside(eb, b))
            s->fate[i] = 2;
        else if (overlaps(eb, b) && !s->fate[i])
            s->fate[i] = 1;
    }
    for (int i = 0; i < o->n_chars; i++) {
        struct scene_char c = o->chars[i];
        if (c.x < b.x0 - 2 || c.x > b.x1 + 1 || c.y < b.y0 - 2 ||
            c.y > b.y1 + 1)
            o->chars[n++] = c;
    }
    o->n_chars = n;
    for (int i = 0; i < o->n_windows; i++) {
        struct scene_window *w = &o->windows[i];
        box_cover(w->close, b);
        box_cover(w->minimize, b);
        box_cover(w->maximize, b);
        box_cover(w->title_box, b);
        if (w->title_box[0] < 0)
            w->flags &= (uint16_t) ~(unsigned)SCENE_WIN_TITLED;
    }
}

/* --- which elements can be named --- */

static uint32_t hash_folded(const char *t)
{
    uint32_t h = 2166136261u;
    for (; *t; t++) {
        uint8_t c = (uint8_t)*t;
        h = (h ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 16777619u;
    }
    return h;
}

static bool ascii(const char *t)
{
    for (; *t; t++)
        if ((uint8_t)*t >= 127 || (uint8_t)*t < 32)
            return false;
    return true;
}

static bool is_field(const struct scene_element *e)
{
    return e->kind == SCENE_FIELD || e->kind == SCENE_TEXTAREA ||
           e->kind == SCENE_COMBO || e->kind == SCENE_SPIN;
}

struct naming {
    uint32_t label, anchor, value;
};

// Equal hashes are taken for equal texts: a false match only makes a name
// count as taken.
static void flags_of(struct scene_out *o, const uint8_t *fate,
                     const struct naming *h, int i)
{
    struct scene_element *e = &o->elements[i];
    bool named = e->label[0] != 0, role = e->role != 0 && !named;
    bool unique = named, kind_unique = named, role_unique = e->role != 0;
    bool relation = e->anchor[0] != 0 && (named || role), anchor_seen = false;
    for (int j = 0; j < o->n_elements; j++) {
        const struct scene_element *x = &o->elements[j];
        if (j == i || fate[j] == 2)
            continue;
        bool same = named && x->label[0] && h[j].label == h[i].label;
        bool same_role =
            e->role && x->role == e->role && is_field(x) == is_field(e);
        // What a field shows is text on the screen too.
        bool shown = named && x->value[0] && h[j].value == h[i].label;
        unique = unique && !same && !shown;
        kind_unique = kind_unique && !(same && x->kind == e->kind);
        role_unique = role_unique && !same_role;
        if (h[j].anchor == h[i].anchor && x->anchor[0] &&
            ((named && same) || (role && same_role)))
            relation = false;
        if (fate[j] == 0 && x->label[0] && h[j].label == h[i].anchor &&
            (x->window == e->window || e->kind == SCENE_MENU_ITEM))
            anchor_seen = true;
    }
    unsigned f = e->flags;
    f |= unique ? SCENE_UNIQUE : 0u;
    f |= kind_unique ? SCENE_NAMED_KIND : 0u;
    f |= role_unique ? SCENE_UNIQUE_ROLE : 0u;
    f |= relation && anchor_seen ? SCENE_RELATION : 0u;
    f |= ascii(e->label) && ascii(e->anchor) ? SCENE_ASCII_LABEL : 0u;
    e->flags = (uint8_t)f;
}

static void titles_flag(struct scene_out *o)
{
    for (int i = 0; i < o->n_windows; i++) {
        bool unique = o->windows[i].title[0] != 0;
        for (int j = 0; j < o->n_windows; j++)
            if (j != i && hash_folded(o->windows[j].title) ==
                              hash_folded(o->windows[i].title))
                unique = false;
        if (unique)
            o->windows[i].flags |= SCENE_WIN_TITLE_UNIQUE;
    }
}

static void name_elements(struct sc *s)
{
    static struct naming h[SCENE_MAX_ELEMENTS];
    struct scene_out *o = s->out;
    int n = 0;
    for (int i = 0; i < o->n_elements; i++) {
        h[i].label = hash_folded(o->elements[i].label);
        h[i].anchor = hash_folded(o->elements[i].anchor);
        h[i].value = hash_folded(o->elements[i].value);
    }
    for (int i = 0; i < o->n_elements; i++)
        if (s->fate[i] == 0)
            flags_of(o, s->fate, h, i);
    for (int i = 0; i < o->n_elements; i++)
        if (s->fate[i] == 0)
            o->elements[n++] = o->elements[i];
    o->n_elements = n;
    titles_flag(o);
}

/* --- composition --- */

static enum content pick_content(struct sc *s)
{
    static const uint8_t weights[CT_N] = {
        [CT_SOUP] = 42,    [CT_DIALOG] = 10,  [CT_FORM] = 30,
        [CT_KEYPAD] = 8,   [CT_TERMINAL] = 4, [CT_EDITOR] = 5,
        [CT_FILES] = 6,    [CT_TABLE] = 9,    [CT_SETTINGS] = 8,
        [CT_WEB] = 11,     [CT_TREE] = 3,     [CT_NOTEBOOK] = 18,
        [CT_MAIL] = 4,     [CT_PALETTE] = 3,  [CT_PLAYER] = 3,
        [CT_CALENDAR] = 3, [CT_ICONVIEW] = 2, [CT_CHAT] = 2,
        [CT_SPLIT] = 7,
    };
    int total = 0, k = 0;
    for (int i = 0; i < CT_N; i++)
        total += weights[i];
    for (int r = range(s, 0, total - 1); r >= weights[k]; k++)
        r -= weights[k];
    return (enum content)k;
}

static void tooltip(struct sc *s, int x, int y)
{
    char t[SCENE_LABEL];
    const struct style *st = s->st;
    sc_col bg = chance(s, 50)   ? 0xffffdc
                : chance(s, 50) ? 0x202020
                                : st->menu_bg;
    words_phrase(s, t, sizeof t, range(s, 1, 4));
    int w = text_width(s, st->small, t) + 10, h = st->small->height + 6;
    x = x + w > s->w ? s->w - w : x;
    y = y + h > s->h ? s->h - h : y;
    if (x < 0 || y < 0)
        return;
    struct box b = bx(x, y, w, h);
    cover(s, b);
    s->win = -1;
    fill(s, b, bg);
    frame(s, b, mix(bg, readable(bg), 120));
    text_draw(s, st->small, x + 5, y + 3, t, readable(bg));
    add(s, SCENE_TOOLTIP, b, t);
}

static void pointer(struct sc *s)
{
    struct scene_out *o = s->out;
    int x = range(s, 0, s->w - 2), y = range(s, 0, s->h - 2), n = 0;
    if (o->n_elements && chance(s, 55)) { // on something, as after a click
        const struct scene_element *e =
            &o->elements[rnd(s, (uint32_t)o->n_elements)];
        x = chance(s, 60) ? (e->x0 + e->x1) / 2 : range(s, e->x0, e->x1 - 1);
        y = chance(s, 60) ? (e->y0 + e->y1) / 2 : range(s, e->y0, e->y1 - 1);
    }
    if (chance(s, 8))
        tooltip(s, x + 8, y + 20);
    struct box c;
    cursor_draw(s, x, y, chance(s, 10) ? 2 : 1, (int)rnd(s, 24), &c);
    o->cursor_x = x;
    o->cursor_y = y;
    for (int i = 0; i < o->n_chars; i++)
        if (o->chars[i].x < c.x0 || o->chars[i].x >= c.x1 ||
            o->chars[i].y < c.y0 || o->chars[i].y >= c.y1)
            o->chars[n++] = o->chars[i];
    o->n_chars = n;
}

static int hidden_by(const struct sc *s, struct box b)
{
    const struct scene_out *o = s->out;
    int area = 0;
    for (int i = 0; i < o->n_windows; i++) {
        const struct scene_window *v = &o->windows[i];
        int w = (v->x1 < b.x1 ? v->x1 : b.x1) - (v->x0 > b.x0 ? v->x0 : b.x0);
        int h = (v->y1 < b.y1 ? v->y1 : b.y1) - (v->y0 > b.y0 ? v->y0 : b.y0);
        area += w > 0 && h > 0 ? w * h : 0;
    }
    return area;
}

/* Of a few random places mostly the one that hides least. */
struct box place(struct sc *s, int w, int h)
{
    struct box best = bx(range(s, 0, s->w - w), range(s, 0, s->h - h), w, h);
    for (int i = chance(s, 65) ? 4 : 0; i > 0; i--) {
        struct box b = bx(range(s, 0, s->w - w), range(s, 0, s->h - h), w, h);
        if (hidden_by(s, b) < hidden_by(s, best))
            best = b;
    }
    return best;
}

static void one_window(struct sc *s, bool only, bool active)
{
    enum content c = pick_content(s);
    int w, h;
    content_size(s, c, &w, &h);
    bool big =
        c != CT_DIALOG && c != CT_KEYPAD && c != CT_CALENDAR && c != CT_FORM;
    if (only && big && chance(s, 60)) {
        w = range(s, s->w * 6 / 10, s->w);
        h = range(s, s->h * 6 / 10, s->h);
    }
    struct box b = place(s, w, h);
    if (only && big && chance(s, 20))
        b = (struct box){ 0, 0, s->w, s->h };
    window_draw(s, b, c, active);
}

static void compose(struct sc *s)
{
    static const uint8_t counts[] = { 1, 1, 1, 2, 2, 2, 3, 3, 3, 4 };
    int n_styles = chance(s, 65) ? 1 : 2;
    style_scene(s);
    for (int i = 0; i < n_styles; i++)
        style_make(s, &s->styles[i]);
    s->st = &s->styles[0];
    bool panel = chance(s, 50), panel_first = chance(s, 30);
    desktop_draw(s);
    int n = counts[rnd(s, sizeof counts)], banked = 0;
    if (bank_count() && !(s->flags & SCENE_NO_BANK)) {
        if (s->flags & SCENE_ONLY_BANK)
            banked = n = range(s, 1, 3);
        else if (chance(s, 35))
            banked = range(s, 1, n < 2 ? 1 : 2);
    }
    if (panel && panel_first)
        panel_draw(s);
    for (int i = 0; i < n; i++) {
        bool last = i == n - 1;
        bool bank = n - i <= banked ? true : banked && chance(s, 50);
        s->st = &s->styles[rnd(s, (uint32_t)n_styles)];
        s->popup_kind = 0;
        if (bank && bank_paste(s, last)) {
            banked--;
            continue;
        }
        one_window(s, n == 1, last);
    }
    if (panel && !panel_first)
        panel_draw(s);
    window_popup(s);
    if (!(s->flags & SCENE_NO_CURSOR) && chance(s, 52))
        pointer(s);
}

SCENE_API int scene_init(const char *asset_dir)
{
    if (ready)
        scene_finish();
    if (text_load(asset_dir) || words_load(asset_dir))
        return -1;
    ready = true;
    return 0;
}

SCENE_API void scene_finish(void)
{
    bank_unload();
    icons_unload();
    words_unload();
    if (ready)
        text_unload();
    ready = false;
}

SCENE_API int scene_make(uint64_t seed, int width, int height, int flags,
                         uint8_t *px, struct scene_out *out)
{
    static struct sc scene;
    struct sc *s = &scene;
    if (!ready || width < 320 || width > 2048 || height < 240 || height > 2048)
        return -1;
    memset(s, 0, sizeof *s);
    s->rng = seed * 0xd1342543de82ef95u + 0x632be59bd9b4e019u;
    s->px = px;
    s->w = width;
    s->h = height;
    s->flags = flags;
    s->clip = (struct box){ 0, 0, width, height };
    s->out = out;
    s->win = -1;
    out->width = width;
    out->height = height;
    out->n_elements = out->n_windows = out->n_chars = out->n_unknown = 0;
    out->cursor_x = out->cursor_y = -1;
    out->n_dropped = out->reserved = 0;
    compose(s);
    name_elements(s);
    return 0;
}

SCENE_API int scene_out_size(void)
{
    return (int)sizeof(struct scene_out);
}

static const char *const kind_names[SCENE_N_KINDS] = {
    "text",     "button",    "icon",      "menu",       "menu_item", "check",
    "radio",    "toggle",    "field",     "textarea",   "combo",     "spin",
    "slider",   "tab",       "item",      "tree",       "cell",      "header",
    "link",     "title",     "winbutton", "deskicon",   "panel",     "key",
    "progress", "scrollbar", "tooltip",   "toolbutton", "status",    "group",
};

static const char *const role_names[SCENE_N_ROLES] = {
    "",         "close", "minimize", "maximize",  "search",   "settings",
    "menu",     "left",  "right",    "up",        "down",     "plus",
    "minus",    "home",  "reload",   "trash",     "save",     "folder",
    "file",     "cut",   "copy",     "paste",     "undo",     "redo",
    "print",    "play",  "pause",    "stop",      "record",   "next",
    "previous", "info",  "help",     "warning",   "user",     "mail",
    "heart",    "star",  "bell",     "lock",      "edit",     "download",
    "upload",   "share", "link",     "camera",    "calendar", "clock",
    "list",     "grid",  "more",     "zoom in",   "zoom out", "volume",
    "power",    "eye",   "filter",   "bookmark",  "image",    "terminal",
    "check",    "bold",  "italic",   "underline", "chat",     "cart",
    "phone",    "music",
};

SCENE_API const char *scene_kind_name(int kind)
{
    return kind >= 0 && kind < SCENE_N_KINDS ? kind_names[kind] : NULL;
}

SCENE_API const char *scene_role_name(int role)
{
    return role >= 0 && role < SCENE_N_ROLES ? role_names[role] : NULL;
}
