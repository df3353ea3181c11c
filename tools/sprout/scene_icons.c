#include "tools/sprout/scene_priv.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H
#include FT_STROKER_H

#include <stdlib.h>
#include <string.h>

// Icons on a grid of 24 units. m l: move, line; z: close; o cx cy r: circle;
// r x0 y0 x1 y1: box; c: cubic; an upper case letter at the head of a shape
// (F) fills it in every variant. Coordinates are numbers between blanks.
struct drawing {
    int role;
    const char *path[3];
};

static const struct drawing drawings[] = {
    { SCENE_ROLE_CLOSE, { "m 5 5 l 19 19 m 19 5 l 5 19" } },
    { SCENE_ROLE_MINIMIZE, { "m 5 17 l 19 17" } },
    { SCENE_ROLE_MAXIMIZE, { "r 5 5 19 19", "r 5 5 19 19 m 5 8 l 19 8" } },
    { SCENE_ROLE_SEARCH,
      { "o 10 10 6 m 15 15 l 21 21", "o 14 10 6 m 9 15 l 3 21" } },
    { SCENE_ROLE_SETTINGS,
      { "o 12 12 3.5 m 10 2 l 14 2 l 15 5 l 18 6.5 l 21 6 l 22.5 9.5 l 20 12 "
        "l 22.5 14.5 l 21 18 l 18 17.5 l 15 19 l 14 22 l 10 22 l 9 19 l 6 17.5 "
        "l 3 18 l 1.5 14.5 l 4 12 l 1.5 9.5 l 3 6 l 6 6.5 l 9 5 z",
        "o 12 12 6 o 12 12 2 m 12 2 l 12 6 m 12 18 l 12 22 m 2 12 l 6 12 "
        "m 18 12 l 22 12 m 5 5 l 7.5 7.5 m 19 5 l 16.5 7.5 m 5 19 l 7.5 16.5 "
        "m 19 19 l 16.5 16.5",
        "m 3 7 l 21 7 m 3 17 l 21 17 F o 8 7 3 F o 16 17 3" } },
    { SCENE_ROLE_MENU,
      { "m 4 6 l 20 6 m 4 12 l 20 12 m 4 18 l 20 18",
        "m 3 5 l 21 5 m 3 12 l 21 12 m 3 19 l 21 19" } },
    { SCENE_ROLE_LEFT,
      { "m 20 12 l 4 12 m 11 5 l 4 12 l 11 19", "m 15 4 l 7 12 l 15 20",
        "F m 18 4 l 6 12 l 18 20 z" } },
    { SCENE_ROLE_RIGHT,
      { "m 4 12 l 20 12 m 13 5 l 20 12 l 13 19", "m 9 4 l 17 12 l 9 20",
        "F m 6 4 l 18 12 l 6 20 z" } },
    { SCENE_ROLE_UP,
      { "m 12 20 l 12 4 m 5 11 l 12 4 l 19 11", "m 4 15 l 12 7 l 20 15",
        "F m 4 18 l 12 6 l 20 18 z" } },
    { SCENE_ROLE_DOWN,
      { "m 12 4 l 12 20 m 5 13 l 12 20 l 19 13", "m 4 9 l 12 17 l 20 9",
        "F m 4 6 l 12 18 l 20 6 z" } },
    { SCENE_ROLE_PLUS,
      { "m 12 4 l 12 20 m 4 12 l 20 12",
        "o 12 12 9 m 12 8 l 12 16 m 8 12 l 16 12" } },
    { SCENE_ROLE_MINUS, { "m 4 12 l 20 12", "o 12 12 9 m 8 12 l 16 12" } },
    { SCENE_ROLE_HOME,
      { "m 2 12 l 12 3 l 22 12 m 5 10 l 5 21 l 19 21 l 19 10 "
        "m 10 21 l 10 14 l 14 14 l 14 21",
        "F m 2 12 l 12 3 l 22 12 l 19 12 l 19 21 l 14 21 "
        "l 14 15 l 10 15 l 10 21 l 5 21 l 5 12 z" } },
    { SCENE_ROLE_RELOAD,
      { "m 19 8 c 16 3 9 3 6 7 c 3 11 4 16 8 19 "
        "c 12 21 17 20 19 16 m 20 3 l 19.5 8.5 l 14 8",
        "m 5 9 c 8 3 16 3 19 8 m 19 15 c 16 21 8 21 5 16 "
        "m 20 3 l 19.5 8.5 l 14 8 m 4 21 l 4.5 15.5 l 10 16" } },
    { SCENE_ROLE_TRASH,
      { "m 4 6 l 20 6 m 9 6 l 9 3 l 15 3 l 15 6 m 6 6 l 7 21 "
        "l 17 21 l 18 6 m 10 10 l 10 17 m 14 10 l 14 17",
        "m 4 6 l 20 6 m 9 6 l 9 3 l 15 3 l 15 6 "
        "F m 6 8 l 7 22 l 17 22 l 18 8 z" } },
    { SCENE_ROLE_SAVE,
      { "m 3 3 l 17 3 l 21 7 l 21 21 l 3 21 z m 7 3 l 7 9 "
        "l 15 9 l 15 3 m 7 21 l 7 14 l 17 14 l 17 21" } },
    { SCENE_ROLE_FOLDER,
      { "m 2 5 l 9 5 l 11 8 l 22 8 l 22 20 l 2 20 z",
        "m 2 5 l 9 5 l 11 8 l 20 8 l 20 11 m 2 5 l 2 20 "
        "l 19 20 l 23 11 l 6 11 l 2 20" } },
    { SCENE_ROLE_FILE,
      { "m 5 2 l 14 2 l 19 7 l 19 22 l 5 22 z m 14 2 l 14 7 "
        "l 19 7",
        "m 5 2 l 19 2 l 19 22 l 5 22 z m 8 7 l 16 7 m 8 11 "
        "l 16 11 m 8 15 l 16 15" } },
    { SCENE_ROLE_CUT, { "o 6 18 3 o 18 18 3 m 8 16 l 18 3 m 16 16 l 6 3" } },
    { SCENE_ROLE_COPY, { "r 8 8 21 21 m 5 16 l 3 16 l 3 3 l 16 3 l 16 5" } },
    { SCENE_ROLE_PASTE,
      { "m 8 4 l 4 4 l 4 22 l 20 22 l 20 4 l 16 4 r 8 2 16 7 "
        "m 8 12 l 16 12 m 8 16 l 16 16" } },
    { SCENE_ROLE_UNDO,
      { "m 4 9 l 14 9 c 21 9 21 19 14 19 l 9 19 m 9 4 l 4 9 "
        "l 9 14" } },
    { SCENE_ROLE_REDO,
      { "m 20 9 l 10 9 c 3 9 3 19 10 19 l 15 19 m 15 4 l 20 9 "
        "l 15 14" } },
    { SCENE_ROLE_PRINT,
      { "r 6 2 18 8 m 6 17 l 2 17 l 2 8 l 22 8 l 22 17 l 18 17 "
        "r 6 14 18 22" } },
    { SCENE_ROLE_PLAY,
      { "F m 6 3 l 20 12 l 6 21 z", "m 6 3 l 20 12 l 6 21 z" } },
    { SCENE_ROLE_PAUSE, { "F r 5 4 10 20 F r 14 4 19 20" } },
    { SCENE_ROLE_STOP, { "F r 5 5 19 19" } },
    { SCENE_ROLE_RECORD, { "F o 12 12 7" } },
    { SCENE_ROLE_NEXT, { "F m 4 4 l 15 12 l 4 20 z F r 16 4 19 20" } },
    { SCENE_ROLE_PREVIOUS, { "F m 20 4 l 9 12 l 20 20 z F r 5 4 8 20" } },
    { SCENE_ROLE_INFO, { "o 12 12 10 m 12 11 l 12 17 F o 12 7 1.4" } },
    { SCENE_ROLE_HELP,
      { "o 12 12 10 m 9 9 c 9 5 15 5 15 9 c 15 11 12 11 12 14 "
        "F o 12 17.5 1.3" } },
    { SCENE_ROLE_WARNING,
      { "m 12 2 l 23 21 l 1 21 z m 12 9 l 12 14 "
        "F o 12 17.5 1.3" } },
    { SCENE_ROLE_USER,
      { "o 12 8 4.5 m 3 21 c 4 14 20 14 21 21 z",
        "F o 12 8 5 F m 2 22 c 4 13 20 13 22 22 z" } },
    { SCENE_ROLE_MAIL, { "r 2 5 22 19 m 2 6 l 12 13 l 22 6" } },
    { SCENE_ROLE_HEART,
      { "m 12 21 c 2 14 0 9 3 5 c 6 2 10 3 12 7 "
        "c 14 3 18 2 21 5 c 24 9 22 14 12 21 z" } },
    { SCENE_ROLE_STAR,
      { "m 12 2 l 15 9 l 22.5 9.5 l 16.7 14.3 l 18.5 21.5 "
        "l 12 17.5 l 5.5 21.5 l 7.3 14.3 l 1.5 9.5 l 9 9 z" } },
    { SCENE_ROLE_BELL,
      { "m 4 18 l 20 18 c 18 16 18 14 18 10 c 18 3 6 3 6 10 "
        "c 6 14 6 16 4 18 z m 10 21 l 14 21" } },
    { SCENE_ROLE_LOCK,
      { "r 4 11 20 22 m 7 11 l 7 8 c 7 1 17 1 17 8 l 17 11" } },
    { SCENE_ROLE_EDIT,
      { "m 3 21 l 4 16 l 17 3 l 21 7 l 8 20 z m 14 6 l 18 10" } },
    { SCENE_ROLE_DOWNLOAD,
      { "m 12 3 l 12 15 m 6 10 l 12 16 l 18 10 m 3 16 l 3 21 "
        "l 21 21 l 21 16" } },
    { SCENE_ROLE_UPLOAD,
      { "m 12 16 l 12 3 m 6 9 l 12 3 l 18 9 m 3 16 l 3 21 "
        "l 21 21 l 21 16" } },
    { SCENE_ROLE_SHARE,
      { "o 18 5 3 o 6 12 3 o 18 19 3 m 9 10.5 l 15 6.5 "
        "m 9 13.5 l 15 17.5" } },
    { SCENE_ROLE_LINK,
      { "m 9 15 l 15 9 m 11 6 l 14 3 c 19 0 24 5 21 10 l 18 13 "
        "m 13 18 l 10 21 c 5 24 0 19 3 14 l 6 11" } },
    { SCENE_ROLE_CAMERA,
      { "m 2 7 l 7 7 l 9 4 l 15 4 l 17 7 l 22 7 l 22 20 "
        "l 2 20 z o 12 13 4" } },
    { SCENE_ROLE_CALENDAR,
      { "r 3 5 21 21 m 3 10 l 21 10 m 8 2 l 8 6 m 16 2 "
        "l 16 6 m 7 14 l 9 14 m 11 14 l 13 14 m 15 14 "
        "l 17 14" } },
    { SCENE_ROLE_CLOCK, { "o 12 12 10 m 12 6 l 12 12 l 16 15" } },
    { SCENE_ROLE_LIST,
      { "m 9 6 l 21 6 m 9 12 l 21 12 m 9 18 l 21 18 F o 4 6 1.5 "
        "F o 4 12 1.5 F o 4 18 1.5" } },
    { SCENE_ROLE_GRID,
      { "r 3 3 10 10 r 14 3 21 10 r 3 14 10 21 r 14 14 21 21",
        "F r 3 3 10 10 F r 14 3 21 10 F r 3 14 10 21 "
        "F r 14 14 21 21" } },
    { SCENE_ROLE_MORE,
      { "F o 12 5 2 F o 12 12 2 F o 12 19 2",
        "F o 5 12 2 F o 12 12 2 F o 19 12 2" } },
    { SCENE_ROLE_ZOOM_IN,
      { "o 10 10 7 m 15 15 l 21 21 m 10 7 l 10 13 m 7 10 "
        "l 13 10" } },
    { SCENE_ROLE_ZOOM_OUT, { "o 10 10 7 m 15 15 l 21 21 m 7 10 l 13 10" } },
    { SCENE_ROLE_VOLUME,
      { "m 3 9 l 7 9 l 12 4 l 12 20 l 7 15 l 3 15 z m 16 8 "
        "c 19 10 19 14 16 16 m 18 4 c 24 8 24 16 18 20" } },
    { SCENE_ROLE_POWER,
      { "m 12 2 l 12 11 m 7 5 c 0 10 3 21 12 21 "
        "c 21 21 24 10 17 5" } },
    { SCENE_ROLE_EYE,
      { "m 1 12 c 6 4 18 4 23 12 c 18 20 6 20 1 12 z o 12 12 3" } },
    { SCENE_ROLE_FILTER, { "m 2 4 l 22 4 l 14 13 l 14 21 l 10 18 l 10 13 z" } },
    { SCENE_ROLE_BOOKMARK, { "m 6 2 l 18 2 l 18 22 l 12 17 l 6 22 z" } },
    { SCENE_ROLE_IMAGE,
      { "r 2 4 22 20 o 8 9 2 m 2 18 l 9 12 l 13 16 l 17 11 "
        "l 22 17" } },
    { SCENE_ROLE_TERMINAL,
      { "r 2 3 22 21 m 6 8 l 10 12 l 6 16 m 12 16 l 18 16" } },
    { SCENE_ROLE_CHECK, { "m 4 12 l 10 18 l 20 6" } },
    { SCENE_ROLE_BOLD,
      { "m 7 3 l 7 21 l 13 21 c 20 21 20 11.5 13 11.5 l 7 11.5 "
        "m 13 11.5 c 18 11.5 18 3 12 3 l 7 3" } },
    { SCENE_ROLE_ITALIC, { "m 10 3 l 18 3 m 6 21 l 14 21 m 14 3 l 10 21" } },
    { SCENE_ROLE_UNDERLINE,
      { "m 6 3 l 6 11 c 6 19 18 19 18 11 l 18 3 m 4 22 "
        "l 20 22" } },
    { SCENE_ROLE_CHAT,
      { "m 2 4 l 22 4 l 22 17 l 11 17 l 6 22 l 6 17 l 2 17 z" } },
    { SCENE_ROLE_CART,
      { "m 1 3 l 5 3 l 8 16 l 19 16 l 22 7 l 6 7 o 9 20 1.7 "
        "o 18 20 1.7" } },
    { SCENE_ROLE_PHONE, { "r 6 1 18 23 m 10 20 l 14 20" } },
    { SCENE_ROLE_MUSIC,
      { "m 9 18 l 9 4 l 20 2 l 20 16 F o 6 18 3 F o 17 16 3" } },
};

enum { MIN_ICON = 6, MAX_ICON = 64, VARIANTS = 3, WEIGHTS = 3 };

struct stamp {
    uint8_t *stroke, *body; /* size x size coverage each */
};
static struct stamp *stamps[SCENE_N_ROLES][VARIANTS * WEIGHTS][MAX_ICON + 1];

struct pen {
    FT_Stroker stroker;
    FT_Outline *fill; /* closed shapes */
    FT_Outline *ink;  /* shapes filled by the stroke's colour */
    double scale;
    FT_Vector start, at;
    FT_Vector points[256];
    uint8_t tags[256];
    int n;
    bool open, solid;
};

static FT_Vector unit(const struct pen *p, double x, double y)
{
    return (FT_Vector){ (FT_Pos)(x * p->scale), (FT_Pos)((24 - y) * p->scale) };
}

static void outline_add(FT_Outline *o, const struct pen *p)
{
    if (p->n < 3 || o->n_points + p->n > 480 || o->n_contours >= 31)
        return;
    for (int i = 0; i < p->n; i++) {
        o->points[o->n_points + i] = p->points[i];
        o->tags[o->n_points + i] = (char)p->tags[i];
    }
    o->n_points = (short)(o->n_points + p->n);
    o->contours[o->n_contours++] = (short)(o->n_points - 1);
}

static void shape_end(struct pen *p, bool closed)
{
    if (!p->open)
        return;
    if (closed && (p->at.x != p->start.x || p->at.y != p->start.y))
        FT_Stroker_LineTo(p->stroker, &p->start);
    FT_Stroker_EndSubPath(p->stroker);
    if (closed)
        outline_add(p->solid ? p->ink : p->fill, p);
    p->open = false;
    p->solid = false;
    p->n = 0;
}

static void point(struct pen *p, FT_Vector v, int tag)
{
    if (p->n < 256) {
        p->points[p->n] = v;
        p->tags[p->n++] = (uint8_t)tag;
    }
}

static void move(struct pen *p, FT_Vector v, bool closed)
{
    bool solid = p->solid;
    shape_end(p, false);
    p->solid = solid;
    FT_Stroker_BeginSubPath(p->stroker, &v, !closed);
    p->open = true;
    p->start = p->at = v;
    point(p, v, FT_CURVE_TAG_ON);
}

static void draw_to(struct pen *p, FT_Vector v)
{
    FT_Stroker_LineTo(p->stroker, &v);
    p->at = v;
    point(p, v, FT_CURVE_TAG_ON);
}

static void curve_to(struct pen *p, FT_Vector a, FT_Vector b, FT_Vector v)
{
    FT_Stroker_CubicTo(p->stroker, &a, &b, &v);
    p->at = v;
    point(p, a, FT_CURVE_TAG_CUBIC);
    point(p, b, FT_CURVE_TAG_CUBIC);
    point(p, v, FT_CURVE_TAG_ON);
}

static void circle(struct pen *p, double x, double y, double r)
{
    double k = r * 0.5523;
    move(p, unit(p, x + r, y), true);
    curve_to(p, unit(p, x + r, y + k), unit(p, x + k, y + r),
             unit(p, x, y + r));
    curve_to(p, unit(p, x - k, y + r), unit(p, x - r, y + k),
             unit(p, x - r, y));
    curve_to(p, unit(p, x - r, y - k), unit(p, x - k, y - r),
             unit(p, x, y - r));
    curve_to(p, unit(p, x + k, y - r), unit(p, x + r, y - k),
             unit(p, x + r, y));
    p->n--; // the last point is the first again
    shape_end(p, true);
}

static bool closes(const char *q)
{
    for (; *q && *q != 'm' && *q != 'o' && *q != 'r' && *q != 'F'; q++)
        if (*q == 'z')
            return true;
    return false;
}

static void path_run(struct pen *p, const char *q)
{
    double v[6];
    while (*q) {
        char op = *q++;
        char *end;
        int n = op == 'c' ? 6 : op == 'r' ? 4 : op == 'o' ? 3 : 2;
        if (op == ' ')
            continue;
        if (op == 'F') {
            shape_end(p, false);
            p->solid = true;
            continue;
        }
        if (op == 'z') {
            shape_end(p, true);
            continue;
        }
        for (int i = 0; i < n; i++) {
            v[i] = strtod(q, &end);
            q = end;
        }
        if (op == 'm') {
            move(p, unit(p, v[0], v[1]), closes(q));
        } else if (op == 'l') {
            draw_to(p, unit(p, v[0], v[1]));
        } else if (op == 'c') {
            curve_to(p, unit(p, v[0], v[1]), unit(p, v[2], v[3]),
                     unit(p, v[4], v[5]));
        } else if (op == 'o') {
            circle(p, v[0], v[1], v[2]);
        } else if (op == 'r') {
            move(p, unit(p, v[0], v[1]), true);
            draw_to(p, unit(p, v[2], v[1]));
            draw_to(p, unit(p, v[2], v[3]));
            draw_to(p, unit(p, v[0], v[3]));
            shape_end(p, true);
        }
    }
    shape_end(p, false);
}

static void raster(FT_Library lib, FT_Outline *o, int size, uint8_t *dst)
{
    uint8_t part[MAX_ICON * MAX_ICON];
    memset(part, 0, sizeof part);
    FT_Bitmap map = { .rows = (unsigned)size,
                      .width = (unsigned)size,
                      .pitch = size,
                      .buffer = part,
                      .num_grays = 256,
                      .pixel_mode = FT_PIXEL_MODE_GRAY };
    if (o->n_points == 0 || FT_Outline_Get_Bitmap(lib, o, &map))
        return;
    for (int i = 0; i < size * size; i++)
        dst[i] = part[i] > dst[i] ? part[i] : dst[i];
}

static void stamp_draw(struct stamp *st, const char *path, int size, int weight)
{
    FT_Library lib = text_library();
    FT_Outline fill_o, ink_o, line_o;
    static const double widths[WEIGHTS] = { 1.6, 2.2, 3.0 };
    struct pen p = { .scale = size * 64 / 24.0 };
    FT_UInt points, contours;
    double width = widths[weight] * p.scale;
    width = width < 64 ? 64 : width; // never thinner than one pixel
    if (FT_Stroker_New(lib, &p.stroker))
        return;
    FT_Outline_New(lib, 512, 32, &fill_o);
    FT_Outline_New(lib, 512, 32, &ink_o);
    fill_o.n_points = fill_o.n_contours = ink_o.n_points = ink_o.n_contours = 0;
    p.fill = &fill_o;
    p.ink = &ink_o;
    FT_Stroker_Set(p.stroker, (FT_Fixed)(width / 2), FT_STROKER_LINECAP_ROUND,
                   FT_STROKER_LINEJOIN_ROUND, 0);
    path_run(&p, path);
    FT_Stroker_GetCounts(p.stroker, &points, &contours);
    FT_Outline_New(lib, points + 1, (FT_Int)contours + 1, &line_o);
    line_o.n_points = line_o.n_contours = 0;
    FT_Stroker_Export(p.stroker, &line_o);
    raster(lib, &line_o, size, st->stroke);
    raster(lib, &ink_o, size, st->stroke);
    raster(lib, &fill_o, size, st->body);
    FT_Outline_Done(lib, &line_o);
    FT_Outline_Done(lib, &ink_o);
    FT_Outline_Done(lib, &fill_o);
    FT_Stroker_Done(p.stroker);
}

static const struct stamp *stamp_get(int role, int variant, int weight,
                                     int size)
{
    const struct drawing *d = NULL;
    for (size_t i = 0; i < sizeof(drawings) / sizeof(drawings[0]); i++)
        if (drawings[i].role == role)
            d = &drawings[i];
    if (!d)
        return NULL;
    int n = d->path[2] ? 3 : d->path[1] ? 2 : 1;
    variant %= n;
    struct stamp **slot = &stamps[role][variant * WEIGHTS + weight][size];
    if (*slot)
        return *slot;
    // ok: a library of its own, without base/mem
    struct stamp *st = calloc(1, sizeof *st + (size_t)(size * size) * 2);
    if (!st)
        abort();
    st->stroke = (uint8_t *)(st + 1);
    st->body = st->stroke + size * size;
    stamp_draw(st, d->path[variant], size, weight);
    return *slot = st;
}

void icons_unload(void)
{
    for (int i = 0; i < SCENE_N_ROLES; i++)
        for (int j = 0; j < VARIANTS * WEIGHTS; j++)
            for (int k = 0; k <= MAX_ICON; k++) {
                free(stamps[i][j][k]);
                stamps[i][j][k] = NULL;
            }
}

void icon(struct sc *s, int role, int x, int y, int size, sc_col stroke,
          sc_col fill_col, int variant)
{
    size = size < MIN_ICON ? MIN_ICON : size > MAX_ICON ? MAX_ICON : size;
    const struct stamp *st =
        stamp_get(role, variant % VARIANTS, variant / VARIANTS % WEIGHTS, size);
    if (!st)
        return;
    if (fill_col != SC_NONE)
        mask(s, x, y, size, size, size, st->body, fill_col);
    mask(s, x, y, size, size, size, st->stroke, stroke);
}

// Mouse pointers as text: X edge, o body.
static const char *const arrow[] = {
    "X",        "XX",       "XoX",       "XooX",       "XoooX",       "XooooX",
    "XoooooX",  "XooooooX", "XoooooooX", "XooooooooX", "XoooooXXXXX", "XooXooX",
    "XoX XooX", "XX  XooX", "X    XooX", "     XooX",  "      XX",    NULL
};
static const char *const ibeam[] = { "XXX XXX", "   X",    "   X", "   X",
                                     "   X",    "   X",    "   X", "   X",
                                     "   X",    "   X",    "   X", "   X",
                                     "   X",    "XXX XXX", NULL };
static const char *const hand[] = {
    "     XX",         "    XooX",         "    XooX",
    "    XooX",        "    XooXXX",       "    XooXooXXX",
    "    XooXooXooXX", " XXXXooXooXooXoX", "XooXoooooooooXoX",
    "XoooooooooooooX", " XooooooooooooX",  "  XoooooooooooX",
    "  XooooooooooX",  "   XoooooooooX",   "    XoooooooX",
    "    XoooooooX",   "    XXXXXXXXX",    NULL
};

void cursor_draw(struct sc *s, int x, int y, int size, int variant,
                 struct box *covered)
{
    const char *const *rows = variant % 8 == 6   ? ibeam
                              : variant % 8 == 7 ? hand
                                                 : arrow;
    bool light = (variant / 8) % 3 != 0;
    sc_col edge = light ? 0x000000 : 0xffffff;
    sc_col body = light ? 0xffffff : 0x000000;
    int ox = rows == arrow ? 0 : rows == ibeam ? 3 : 5;
    int oy = rows == ibeam ? 7 : 0;
    *covered = (struct box){ x, y, x + 1, y + 1 };
    for (int v = 0; rows[v]; v++)
        for (int u = 0; rows[v][u]; u++) {
            if (rows[v][u] == ' ')
                continue;
            struct box b =
                bx(x + (u - ox) * size, y + (v - oy) * size, size, size);
            fill(s, b, rows[v][u] == 'X' ? edge : body);
            covered->x0 = b.x0 < covered->x0 ? b.x0 : covered->x0;
            covered->y0 = b.y0 < covered->y0 ? b.y0 : covered->y0;
            covered->x1 = b.x1 > covered->x1 ? b.x1 : covered->x1;
            covered->y1 = b.y1 > covered->y1 ? b.y1 : covered->y1;
        }
}
