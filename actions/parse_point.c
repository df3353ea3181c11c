#include <ctype.h>
#include <math.h>

#include "actions/parse_priv.h"
#include "base/mem.h"

#define RANGE       1000
#define RANGE_SLACK 5 // 1001..1005 are taken as 1000

static bool is_digit_at(struct dh_str s, size_t i)
{
    return i < s.n && isdigit((unsigned char)s.p[i]);
}

// The numbers that stand in a text such as "[250, 750]" or "(1,2)".
static int numbers_of_text(struct dh_str s, double out[4])
{
    int n = 0;
    for (size_t i = 0; i < s.n && n < 4;) {
        bool sign = s.p[i] == '-' && is_digit_at(s, i + 1);
        if (!sign && !is_digit_at(s, i)) {
            i++;
            continue;
        }
        size_t from = i++;
        while (i < s.n && (is_digit_at(s, i) || s.p[i] == '.'))
            i++;
        if (!dh_parse_double(dh_str_sub(s, from, i), &out[n]))
            return -1;
        n++;
    }
    return n;
}

static int numbers_of_xy(const struct dh_json *v, double out[4],
                         unsigned *repairs)
{
    const char *const keys[] = { "x", "y" };
    for (int i = 0; i < 2; i++) {
        const struct dh_json *one = dh_parse_member(v, keys[i]);
        double n[4];
        if (!one || dh_json_kind(one) == DH_JSON_OBJECT ||
            dh_parse_numbers(one, n, repairs) != 1)
            return -1;
        out[i] = n[0];
    }
    return 2;
}

int dh_parse_numbers(const struct dh_json *v, double out[4], unsigned *repairs)
{
    int n = 0;
    switch (dh_json_kind(v)) {
    case DH_JSON_STRING:
        *repairs |= DH_REPAIR_NUMBER;
        return numbers_of_text(dh_str_of(dh_json_text(v)), out);
    case DH_JSON_OBJECT:
        *repairs |= DH_REPAIR_NUMBER;
        return numbers_of_xy(v, out, repairs);
    case DH_JSON_ARRAY:
        for (v = dh_json_first(v); v; v = dh_json_next(v)) {
            double one[4];
            enum dh_json_kind kind = dh_json_kind(v);
            if (n == 4 || (kind != DH_JSON_NUMBER && kind != DH_JSON_STRING) ||
                dh_parse_numbers(v, one, repairs) != 1)
                return -1;
            out[n++] = one[0];
        }
        return n;
    case DH_JSON_NUMBER: out[0] = dh_json_number(v); return 1;
    case DH_JSON_NULL:
    case DH_JSON_BOOL: break;
    }
    return -1;
}

bool dh_parse_number(const struct dh_json *args, const char *key, double *out,
                     unsigned *repairs)
{
    const struct dh_json *v = dh_parse_member(args, key);
    double n[4];
    if (!v || dh_parse_numbers(v, n, repairs) != 1 || !isfinite(n[0]))
        return false;
    *out = n[0];
    return true;
}

static int of_28(double side)
{
    return 28 * (int)DH_MAX(1.0, floor(side / 28 + 0.5));
}

// The published rule: sides become multiples of 28, and the area stays within
// 100 and 16384 of their squares.
static struct dh_size resized_28(struct dh_size in)
{
    const double min = 100 * 784.0, max = 16384 * 784.0;
    double w = in.w, h = in.h;
    struct dh_size out = { of_28(w), of_28(h) };
    double area = (double)out.w * out.h;
    if (area > max) {
        double beta = sqrt(w * h / max);
        out.w = 28 * (int)DH_MAX(1.0, floor(w / beta / 28));
        out.h = 28 * (int)DH_MAX(1.0, floor(h / beta / 28));
    } else if (area < min) {
        double beta = sqrt(min / (w * h));
        out.w = 28 * (int)ceil(w * beta / 28);
        out.h = 28 * (int)ceil(h * beta / 28);
    }
    return out;
}

static bool known(struct dh_size s)
{
    return s.w > 0 && s.h > 0 && s.w <= 32768 && s.h <= 32768;
}

// The picture in whose pixels the model points.
static struct dh_size picture_of(const struct dh_parse_options *o)
{
    struct dh_size screen = { o->screen.w, o->screen.h };
    struct dh_size sent = known(o->sent) ? o->sent : screen;
    if (o->coord == DH_COORD_PIXELS_SCREEN || !known(sent))
        return screen;
    return o->coord == DH_COORD_PIXELS_RESIZED28 ? resized_28(sent) : sent;
}

static bool axis_of_1000(double v, int *out, unsigned *repairs)
{
    if (!(v >= 0 && v <= RANGE + RANGE_SLACK))
        return false;
    int i = (int)floor(v + 0.5);
    if (i > RANGE) {
        i = RANGE;
        *repairs |= DH_REPAIR_CLAMP;
    }
    *out = i;
    return true;
}

static int scaled(double v, int from, int to)
{
    return (int)DH_MIN(to - 1.0, floor(v * to / from + 0.5));
}

static bool aim_pixels(const struct dh_parse_options *o, const char *key,
                       const double n[2], struct dh_point *out,
                       struct dh_diag *diag)
{
    struct dh_size p = picture_of(o);
    if (!known(p) || !known((struct dh_size){ o->screen.w, o->screen.h })) {
        dh_diag_set(diag, 0, "%s: the size of the screen is not known", key);
        return false;
    }
    bool fraction = o->coord == DH_COORD_NORM1;
    double last_x = fraction ? 1 : p.w - 1, last_y = fraction ? 1 : p.h - 1;
    if (!(n[0] >= 0 && n[0] <= last_x && n[1] >= 0 && n[1] <= last_y)) {
        dh_diag_set(diag, 0, "%s: [%g,%g] is outside of 0 to %g, 0 to %g", key,
                    n[0], n[1], last_x, last_y);
        return false;
    }
    out->x = o->screen.x + scaled(n[0], fraction ? 1 : p.w, o->screen.w);
    out->y = o->screen.y + scaled(n[1], fraction ? 1 : p.h, o->screen.h);
    return true;
}

bool dh_parse_aim(const struct dh_parse_how *how, const char *key,
                  const double n[2], struct dh_point *out, struct dh_action *a,
                  struct dh_diag *diag)
{
    if (how && how->options && how->options->coord != DH_COORD_NORM1000) {
        a->on_screen = aim_pixels(how->options, key, n, out, diag);
        return a->on_screen;
    }
    if (axis_of_1000(n[0], &out->x, &a->repairs) &&
        axis_of_1000(n[1], &out->y, &a->repairs))
        return true;
    dh_diag_set(diag, 0, "%s: [%g,%g] is outside of 0 to %d", key, n[0], n[1],
                RANGE);
    return false;
}

static bool point_of_value(const struct dh_parse_how *how, const char *key,
                           const struct dh_json *v, struct dh_point *out,
                           struct dh_action *a, struct dh_diag *diag)
{
    double n[4];
    int count = dh_parse_numbers(v, n, &a->repairs);
    if (count == 4) { // a box stands for its centre
        n[0] = (n[0] + n[2]) / 2;
        n[1] = (n[1] + n[3]) / 2;
    } else if (count != 2) {
        dh_diag_set(diag, 0, "%s: two %s are expected", key,
                    how && how->options && how->options->coord
                        ? "numbers"
                        : "integers from 0 to 1000");
        return false;
    }
    return dh_parse_aim(how, key, n, out, a, diag);
}

// Absent is fine (*has stays false); present and wrong is not.
static bool point_of(const struct dh_parse_how *how, const struct dh_json *args,
                     const char *const *keys, bool *has, struct dh_point *out,
                     struct dh_action *a, struct dh_diag *diag)
{
    const struct dh_json *v = dh_parse_member_of(args, keys);
    if (!v || dh_json_kind(v) == DH_JSON_NULL)
        return true;
    *has = point_of_value(how, keys[0], v, out, a, diag);
    return *has;
}

static bool point_of_axes(const struct dh_parse_how *how,
                          const struct dh_json *args, const char *kx,
                          const char *ky, bool *has, struct dh_point *out,
                          struct dh_action *a, struct dh_diag *diag)
{
    double n[2];
    const struct dh_json *x = dh_parse_member(args, kx);
    const struct dh_json *y = dh_parse_member(args, ky);
    bool no_x = !x || dh_json_kind(x) == DH_JSON_NULL;
    bool no_y = !y || dh_json_kind(y) == DH_JSON_NULL;
    if (*has || (no_x && no_y))
        return true;
    if (!dh_parse_number(args, kx, &n[0], &a->repairs) ||
        !dh_parse_number(args, ky, &n[1], &a->repairs)) {
        dh_diag_set(diag, 0, "%s, %s: two numbers are expected", kx, ky);
        return false;
    }
    *has = dh_parse_aim(how, kx, n, out, a, diag);
    return *has;
}

static bool path_of(const struct dh_parse_how *how, const struct dh_json *list,
                    struct dh_action *a, struct dh_diag *diag)
{
    size_t n = dh_json_count(list), i = 0;
    if (dh_json_kind(list) != DH_JSON_ARRAY || n < 2 ||
        n > DH_ACTION_PATH_MAX) {
        dh_diag_set(diag, 0, "path: 2 to %d points are expected",
                    DH_ACTION_PATH_MAX);
        return false;
    }
    struct dh_point p[DH_ACTION_PATH_MAX];
    for (const struct dh_json *v = dh_json_first(list); v;
         v = dh_json_next(v), i++)
        if (!point_of_value(how, "path", v, &p[i], a, diag))
            return false;
    a->has_start = a->has_at = true;
    a->start = p[0];
    a->at = p[n - 1];
    if (n == 2)
        return true;
    dh_array(a->path, n);
    for (i = 0; i < n; i++)
        a->path[i] = p[i];
    a->n_path = (int)n;
    return true;
}

static bool drag_places(const struct dh_parse_how *how,
                        const struct dh_json *args, struct dh_action *a,
                        struct dh_diag *diag)
{
    static const char *const ends[] = { "coordinate",  "end_coordinate",
                                        "end_point",   "end_box",
                                        "destination", "end",
                                        NULL };
    static const char *const starts[] = { "start_coordinate", "start_point",
                                          "start_box", "start", NULL };
    const struct dh_json *path = dh_parse_member(args, "path");
    if (path && dh_json_kind(path) != DH_JSON_NULL)
        return path_of(how, path, a, diag);
    if (!point_of(how, args, ends, &a->has_at, &a->at, a, diag) ||
        !point_of(how, args, starts, &a->has_start, &a->start, a, diag) ||
        !point_of_axes(how, args, "destination_x", "destination_y", &a->has_at,
                       &a->at, a, diag))
        return false;
    return a->has_at ? point_of_axes(how, args, "x", "y", &a->has_start,
                                     &a->start, a, diag)
                     : point_of_axes(how, args, "x", "y", &a->has_at, &a->at, a,
                                     diag);
}

static bool region_of(const struct dh_parse_how *how,
                      const struct dh_json *region, struct dh_action *a,
                      struct dh_diag *diag)
{
    double n[4];
    if (dh_parse_numbers(region, n, &a->repairs) != 4) {
        dh_diag_set(diag, 0, "region: four numbers are expected");
        return false;
    }
    a->has_start = dh_parse_aim(how, "region", n, &a->start, a, diag);
    a->has_at =
        a->has_start && dh_parse_aim(how, "region", n + 2, &a->at, a, diag);
    return a->has_at;
}

bool dh_parse_places(const struct dh_parse_how *how, const struct dh_json *args,
                     struct dh_action *a, struct dh_diag *diag)
{
    static const char *const keys[] = { "coordinate",  "point",    "start_box",
                                        "start_point", "position", "box",
                                        NULL };
    const struct dh_json *region = dh_parse_member(args, "region");
    // A line gives zoom its two corners as a drag has its ends.
    bool corners = a->op == DH_ACTION_ZOOM && !region &&
                   dh_parse_member(args, "start_coordinate");
    if (a->op == DH_ACTION_DRAG || corners)
        return drag_places(how, args, a, diag);
    if (a->op == DH_ACTION_ZOOM && region)
        return region_of(how, region, a, diag);
    return point_of(how, args, keys, &a->has_at, &a->at, a, diag) &&
           point_of_axes(how, args, "x", "y", &a->has_at, &a->at, a, diag);
}
