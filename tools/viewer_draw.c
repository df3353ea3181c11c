#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "tools/viewer_priv.h"
#include "vision/patches.h"

#define MANY_PIXELS  (2 * 1024 * 1024)
#define TOKEN_PIXELS 28 // of the resized picture, on both sides

const struct dh_viewer_colors dh_viewer_colors = {
    .ink = { 226, 228, 232, 255 },
    .dim = { 150, 156, 166, 255 },
    .good = { 110, 210, 140, 255 },
    .bad = { 255, 120, 110, 255 },
    .accent = { 255, 196, 60, 255 },
    .ground = { 24, 26, 30, 255 },
    .panel = { 34, 37, 43, 255 },
    .faint = { 70, 76, 86, 255 },
    .mark = { 255, 40, 60, 255 },
    .box = { 40, 160, 255, 255 },
    .tokens = { 0, 190, 200, 255 },
    .person = { 190, 130, 255, 255 },
};
#define C dh_viewer_colors

static void fill(SDL_Surface *to, int x, int y, int w, int h, SDL_Color c)
{
    SDL_Rect r = { x, y, w, h };
    SDL_FillRect(to, &r, SDL_MapRGB(to->format, c.r, c.g, c.b));
}

static void frame_box(SDL_Surface *to, SDL_Rect r, int thick, SDL_Color c)
{
    fill(to, r.x, r.y, r.w, thick, c);
    fill(to, r.x, r.y + r.h - thick, r.w, thick, c);
    fill(to, r.x, r.y, thick, r.h, c);
    fill(to, r.x + r.w - thick, r.y, thick, r.h, c);
}

int dh_viewer_px(const struct dh_viewer *v, double logical)
{
    return DH_MAX(1, (int)(logical * v->scale + 0.5));
}

static int px(const struct dh_viewer *v, double logical)
{
    return dh_viewer_px(v, logical);
}

void dh_viewer_lay_out(struct dh_viewer *v)
{
    int w = v->to->w, h = v->to->h;
    int side = DH_MIN(px(v, 400), w * 2 / 5), low = DH_MIN(px(v, 64), h / 4);
    v->picture = (SDL_Rect){ 0, 0, w - side, h - low };
    v->panel = (SDL_Rect){ w - side, 0, side, h - low };
    v->line = (SDL_Rect){ 0, h - low, w, low };
    v->dirty = DH_VIEWER_ALL;
}

const struct dh_session_step *dh_viewer_step(const struct dh_viewer *v)
{
    int n;
    const struct dh_session_step *p = dh_session_steps(v->session, &n);
    return n ? &p[DH_MIN(v->at, n - 1)] : NULL;
}

int64_t dh_viewer_stop_time(const struct dh_viewer *v, int stop)
{
    int n;
    if (v->n_steps)
        return dh_session_steps(v->session, &n)[stop].t;
    return v->n_stops ? dh_session_shots(v->session, &n)[stop].t : 0;
}

int dh_viewer_number(const struct dh_viewer *v, bool after)
{
    int n;
    const struct dh_session_step *p = dh_viewer_step(v);
    if (p)
        return after && p->after ? p->after : p->before;
    const struct dh_session_shot *shot = dh_session_shots(v->session, &n);
    return n ? shot[DH_MIN(v->at, n - 1)].number : 0;
}

/* --- the picture --- */

double dh_viewer_zoom(const struct dh_viewer *v, SDL_Rect area, int w, int h)
{
    double fit = DH_MIN((double)area.w / w, (double)area.h / h);
    return v->zoom > 0 ? v->zoom : fit;
}

// How a picture lies in an area: `from` of it is shown at `at`.
struct lie {
    SDL_Rect from, at, area;
    double zoom;
};

static int floor_of(double v)
{
    int i = (int)v;
    return i > v ? i - 1 : i;
}

// Along one side: the first pixel that shows, and how many.
static void lie_along(double zoom, double look, int size, int room, int *from,
                      int *n, int *at)
{
    double left = look - room / 2.0 / zoom;
    *from = DH_CLAMP(floor_of(left), 0, size - 1);
    int end = DH_CLAMP(floor_of(left + room / zoom) + 1, *from + 1, size);
    *n = end - *from;
    *at = floor_of((*from - left) * zoom + 0.5);
}

static struct lie lie_of(const struct dh_viewer *v, SDL_Rect area, int w, int h)
{
    struct lie l = { .area = area, .zoom = dh_viewer_zoom(v, area, w, h) };
    double x = v->zoom > 0 ? v->look_x : w / 2.0;
    double y = v->zoom > 0 ? v->look_y : h / 2.0;
    lie_along(l.zoom, x, w, area.w, &l.from.x, &l.from.w, &l.at.x);
    lie_along(l.zoom, y, h, area.h, &l.from.y, &l.from.h, &l.at.y);
    l.at.x += area.x;
    l.at.y += area.y;
    l.at.w = DH_MAX(1, floor_of(l.from.w * l.zoom + 0.5));
    l.at.h = DH_MAX(1, floor_of(l.from.h * l.zoom + 0.5));
    return l;
}

static int to_x(const struct lie *l, double x)
{
    return l->at.x + floor_of((x - l->from.x) * l->zoom + 0.5);
}

static int to_y(const struct lie *l, double y)
{
    return l->at.y + floor_of((y - l->from.y) * l->zoom + 0.5);
}

// Pixels stay pixels where they are to be seen, and run together otherwise.
// That takes longer than a frame may where there are very many of them.
static void draw_pixels(SDL_Surface *to, const struct dh_frame *f,
                        const struct lie *l, bool hurried)
{
    SDL_Surface *all = SDL_CreateRGBSurfaceWithFormatFrom(
        f->pixels, f->width, f->height, 32, (int)f->stride,
        SDL_PIXELFORMAT_RGB888);
    SDL_Surface *scaled = SDL_CreateRGBSurfaceWithFormat(
        0, l->at.w, l->at.h, 32, SDL_PIXELFORMAT_RGB888);
    if (all && scaled) {
        SDL_Rect whole = { 0, 0, l->at.w, l->at.h }, at = l->at;
        if (l->zoom >= 3 || l->zoom == 1 || hurried)
            SDL_SoftStretch(all, &l->from, scaled, &whole);
        else
            SDL_SoftStretchLinear(all, &l->from, scaled, &whole);
        SDL_BlitSurface(scaled, NULL, to, &at);
    }
    SDL_FreeSurface(scaled);
    SDL_FreeSurface(all);
}

// As the model gets the picture: one square is one token.
static void draw_grid(SDL_Surface *to, const struct dh_frame *f,
                      const struct lie *l)
{
    struct dh_size resized, in = { f->width, f->height };
    if (dh_patches_size(&dh_patch_rule_m3, in, &resized))
        return;
    for (int x = 0; x <= resized.w; x += TOKEN_PIXELS)
        fill(to, to_x(l, (double)x * f->width / resized.w), l->at.y, 1, l->at.h,
             C.tokens);
    for (int y = 0; y <= resized.h; y += TOKEN_PIXELS)
        fill(to, l->at.x, to_y(l, (double)y * f->height / resized.h), l->at.w,
             1, C.tokens);
}

static void draw_ring(SDL_Surface *to, int x, int y, int r, int thick,
                      SDL_Color c)
{
    int inner = r - thick;
    for (int dy = -r; dy <= r; dy++) {
        int out = 0, in = -1;
        while ((out + 1) * (out + 1) + dy * dy <= r * r)
            out++;
        while ((in + 1) * (in + 1) + dy * dy < inner * inner)
            in++;
        if (in < 0) {
            fill(to, x - out, y + dy, 2 * out + 1, 1, c);
            continue;
        }
        fill(to, x - out, y + dy, out - in, 1, c);
        fill(to, x + in + 1, y + dy, out - in, 1, c);
    }
}

static void draw_marks(const struct dh_viewer *v, const struct lie *l)
{
    const struct dh_session_step *p = dh_viewer_step(v);
    if (!p)
        return;
    if (p->target.w > 0 && p->target.h > 0) {
        SDL_Rect r = { to_x(l, p->target.x), to_y(l, p->target.y),
                       floor_of(p->target.w * l->zoom),
                       floor_of(p->target.h * l->zoom) };
        frame_box(v->to, r, px(v, 2), C.box);
    }
    for (int i = 0; i < p->n_points; i++) {
        // The middle of the pixel.
        int x = to_x(l, p->point[i].x + 0.5), y = to_y(l, p->point[i].y + 0.5);
        SDL_Color white = { 255, 255, 255, 255 };
        draw_ring(v->to, x, y, px(v, 13), px(v, 5), white);
        draw_ring(v->to, x, y, px(v, 12), px(v, 3), C.mark);
        fill(v->to, x - px(v, 1), y - px(v, 1), px(v, 2), px(v, 2), C.mark);
    }
}

// It is being decoded.
static bool is_missing(const struct dh_viewer *v, bool after)
{
    char why[200];
    int number = dh_viewer_number(v, after);
    struct dh_frame *f = dh_viewer_pictures_find(v->pictures, number, why);
    dh_frame_unref(f);
    return number && !f && !why[0];
}

static void draw_one(struct dh_viewer *v, SDL_Rect area, bool after)
{
    char why[200];
    int number = dh_viewer_number(v, after);
    struct dh_frame *f = dh_viewer_pictures_find(v->pictures, number, why);
    if (!f) {
        SDL_Rect at = { area.x + px(v, 20), area.y + px(v, 20),
                        area.w - px(v, 40), 0 };
        char text[260];
        snprintf(text, sizeof text, "No picture%s%s", why[0] ? ": " : "", why);
        dh_viewer_text(v->to, v->fonts.plain, text, C.bad, at, &area);
        return;
    }
    struct lie l = lie_of(v, area, f->width, f->height);
    SDL_SetClipRect(v->to, &area);
    bool hurried = v->playing && l.at.w * l.at.h > MANY_PIXELS;
    draw_pixels(v->to, f, &l, hurried);
    if (v->grid)
        draw_grid(v->to, f, &l);
    if (v->marks && !after)
        draw_marks(v, &l);
    SDL_SetClipRect(v->to, NULL);
    dh_frame_unref(f);
}

static struct dh_viewer_want wanted(const struct dh_viewer *v, int number)
{
    int n;
    const struct dh_session_shot *shot = dh_session_shots(v->session, &n);
    for (int i = 0; i < n; i++)
        if (shot[i].number == number)
            return (struct dh_viewer_want){ number, shot[i].pts_ms };
    return (struct dh_viewer_want){ number, -1 };
}

// What comes next is decoded while this one is looked at.
static void want_pictures(struct dh_viewer *v)
{
    struct dh_viewer near = *v;
    struct dh_viewer_want want[DH_VIEWER_WANTED];
    const int at[] = { v->at, DH_MIN(v->at + 1, DH_MAX(v->n_stops - 1, 0)),
                       DH_MAX(v->at - 1, 0) };
    for (int i = 0; i < DH_VIEWER_WANTED; i++) {
        near.at = at[i / 2];
        want[i] = wanted(v, dh_viewer_number(&near, i % 2));
    }
    dh_viewer_pictures_want(v->pictures, want);
}

static void draw_picture(struct dh_viewer *v)
{
    SDL_Rect a = v->picture, half = a;
    want_pictures(v);
    v->waiting = is_missing(v, v->show == DH_VIEWER_AFTER) ||
                 (v->show == DH_VIEWER_BOTH && is_missing(v, true));
    // The last one stays until then, so that stepping does not flicker.
    if (v->waiting)
        return;
    fill(v->to, a.x, a.y, a.w, a.h, C.ground);
    if (v->show != DH_VIEWER_BOTH) {
        draw_one(v, a, v->show == DH_VIEWER_AFTER);
        return;
    }
    half.w = (a.w - px(v, 4)) / 2;
    draw_one(v, half, false);
    half.x += half.w + px(v, 4);
    draw_one(v, half, true);
}

/* --- the time line --- */

static int time_x(const struct dh_viewer *v, int64_t t)
{
    int room = v->line.w - 2 * px(v, 14);
    double share = v->t_end > 0 ? (double)t / (double)v->t_end : 0;
    return px(v, 14) + (int)(DH_CLAMP(share, 0.0, 1.0) * room);
}

// An answer is thought up to its time; what it did lasts to its end.
static void draw_stops(struct dh_viewer *v, int y, int h)
{
    int n;
    const struct dh_session_step *p = dh_session_steps(v->session, &n);
    for (int i = 0; i < n; i++) {
        int x = time_x(v, p[i].t), w = time_x(v, p[i].t_end) - x;
        fill(v->to, x, y, DH_MAX(w, px(v, 3)), h,
             p[i].failed    ? C.bad
             : p[i].by_hand ? C.person
                            : C.good);
    }
    const struct dh_session_shot *shot = dh_session_shots(v->session, &n);
    for (int i = 0; i < n; i++)
        fill(v->to, time_x(v, shot[i].t), y + h, px(v, 1), px(v, 5), C.dim);
}

// Whoever has the desktop, and the key that changes it.
static void draw_button(struct dh_viewer *v)
{
    bool person = v->state == DH_CONTROL_PERSON;
    const char *text = person ? "You have the desktop.  r  hand it back"
                              : "The agent has the desktop.  t  take it";
    SDL_Rect a = { v->line.w - px(v, 14), v->line.y + px(v, 3), 0, px(v, 24) };
    int w, h;
    v->button = (SDL_Rect){ 0 };
    if (v->state == DH_CONTROL_GONE ||
        TTF_SizeUTF8(v->fonts.bold, text, &w, &h))
        return;
    a.w = w + px(v, 16);
    a.x -= a.w;
    v->button = a;
    fill(v->to, a.x, a.y, a.w, a.h, person ? C.person : C.faint);
    SDL_Rect at = { a.x + px(v, 8), a.y + (a.h - h) / 2, a.w, 0 };
    dh_viewer_text(v->to, v->fonts.bold, text, person ? C.ground : C.ink, at,
                   &a);
}

static void draw_line(struct dh_viewer *v)
{
    SDL_Rect a = v->line;
    int y = a.y + px(v, 34), h = px(v, 14), x = time_x(v, v->t);
    char text[160];
    SDL_Rect at = { px(v, 14), a.y + px(v, 6), a.w - px(v, 28), 0 };
    fill(v->to, a.x, a.y, a.w, a.h, C.panel);
    fill(v->to, px(v, 14), y, a.w - 2 * px(v, 14), h, C.faint);
    draw_stops(v, y, h);
    fill(v->to, x - px(v, 1), y - px(v, 4), px(v, 3), h + px(v, 10), C.accent);
    draw_button(v);
    snprintf(text, sizeof text, "%s %.2f / %.2f s   x%d      ? help",
             v->playing  ? "playing"
             : v->follow ? "live"
                         : "paused",
             (double)v->t / 1e9, (double)v->t_end / 1e9, v->speed);
    dh_viewer_text(v->to, v->fonts.plain, text, C.dim, at, &a);
}

/* --- the help --- */

static const char help_text[] =
    "Left, Right    the step before, the next one\n"
    "Home, End      the first step, the last one\n"
    "Tab            before or after the step\n"
    "b              both, side by side\n"
    "Space          play and pause\n"
    "[ ]            slower, faster\n"
    "f F            next failure, the one before\n"
    "/              search; Return ends the word\n"
    "n N            next place, the one before\n"
    "+ - 0 1        zoom in, out, all of it, pixels\n"
    "h j k l        move the zoomed picture\n"
    "g              grid of the model's tokens\n"
    "m              points and target boxes\n"
    "PgUp PgDn      move the text\n"
    "L              follow what is being written\n"
    "o              of an evaluation: the try's session\n"
    "t r            take the desktop of the run, hand\n"
    "               it back; its buttons do so, too\n"
    "F11            the whole screen\n"
    "?              this; q or Esc  away, end\n"
    "Mouse          wheel zooms, drag moves, click on\n"
    "               the time line goes there";

static void draw_help(struct dh_viewer *v)
{
    int w = DH_MIN(px(v, 520), v->to->w), h = DH_MIN(px(v, 440), v->to->h);
    SDL_Rect r = { (v->to->w - w) / 2, (v->to->h - h) / 2, w, h };
    SDL_Rect at = { r.x + px(v, 20), r.y + px(v, 16), w - px(v, 40), 0 };
    fill(v->to, r.x, r.y, r.w, r.h, C.panel);
    frame_box(v->to, r, px(v, 2), C.accent);
    dh_viewer_text(v->to, v->fonts.mono, help_text, C.ink, at, &r);
}

void dh_viewer_draw(struct dh_viewer *v)
{
    SDL_Rect rects[3];
    int n = 0;
    if (v->help && v->dirty)
        v->dirty = DH_VIEWER_ALL;
    if (v->dirty & DH_VIEWER_PICTURE) {
        draw_picture(v);
        rects[n++] = v->picture;
    }
    if (v->dirty & DH_VIEWER_PANEL)
        dh_viewer_panel_write(v);
    if (v->dirty & (DH_VIEWER_PANEL | DH_VIEWER_SCROLL)) {
        dh_viewer_panel_show(v);
        rects[n++] = v->panel;
    }
    if (v->dirty & DH_VIEWER_LINE) {
        draw_line(v);
        rects[n++] = v->line;
    }
    if (v->help && n)
        draw_help(v);
    if (n)
        SDL_UpdateWindowSurfaceRects(v->window, rects, n);
    v->dirty = 0;
}
