#include <math.h>
#include <string.h>

#include "actions/parse_priv.h"
#include "base/mem.h"

#define PIXELS_PER_NOTCH 100.0
#define MOST_NOTCHES     50.0

// At least one where something was asked for.
static int of_pixels(double px)
{
    double n = floor(fabs(px) / PIXELS_PER_NOTCH + 0.5);
    int notches = (int)DH_CLAMP(n, px != 0 ? 1.0 : 0.0, MOST_NOTCHES);
    return px < 0 ? -notches : notches;
}

static int of_notches(double n)
{
    double whole = n < 0 ? -floor(-n + 0.5) : floor(n + 0.5);
    return (int)DH_CLAMP(whole, -MOST_NOTCHES, MOST_NOTCHES);
}

// Gemini's magnitude is a part of the axis, in thousands.
static double of_magnitude(const struct dh_parse_how *how, double m,
                           bool vertical)
{
    int side = 1000;
    const struct dh_parse_options *o = how ? how->options : NULL;
    if (o && o->sent.w > 0 && o->sent.h > 0)
        side = vertical ? o->sent.h : o->sent.w;
    else if (o && !dh_rect_is_empty(o->screen))
        side = vertical ? o->screen.h : o->screen.w;
    return floor(m * side / 1000 / PIXELS_PER_NOTCH + 0.5);
}

static bool set_direction(struct dh_action *a, struct dh_str dir, int notches)
{
    if (dh_str_is_nocase(dir, "up"))
        a->dy = -notches;
    else if (dh_str_is_nocase(dir, "down"))
        a->dy = notches;
    else if (dh_str_is_nocase(dir, "left"))
        a->dx = -notches;
    else if (dh_str_is_nocase(dir, "right"))
        a->dx = notches;
    return a->dx || a->dy;
}

static bool by_direction(const struct dh_parse_how *how, const char *name,
                         const struct dh_json *args, struct dh_str dir,
                         struct dh_action *a, struct dh_diag *diag)
{
    static const char *const amounts[] = { "scroll_amount", "amount",
                                           "scroll_count", "notches", NULL };
    bool vertical =
        !dh_str_is_nocase(dir, "left") && !dh_str_is_nocase(dir, "right");
    double n = 5, m = 800, read[4];
    const struct dh_json *v = dh_parse_member_of(args, amounts);
    bool at =
        strcmp(name, "scroll_at") == 0 || strcmp(name, "scroll_document") == 0;
    if (dh_parse_number(args, "magnitude", &m, &a->repairs) || (at && !v)) {
        n = of_magnitude(how, m, vertical);
    } else if (v) {
        if (dh_parse_numbers(v, read, &a->repairs) != 1) {
            dh_diag_set(diag, 0, "scroll_amount: wheel notches are expected");
            return false;
        }
        n = read[0];
    }
    if (set_direction(a, dir, (int)DH_CLAMP(n, 1.0, MOST_NOTCHES)))
        return true;
    dh_diag_set(diag, 0, "scroll_direction: up, down, left or right");
    return false;
}

// Pixels or notches along both axes; up is positive in some dialects.
static bool by_distance(const char *name, const struct dh_json *args,
                        struct dh_action *a)
{
    double x = 0, y = 0, n;
    bool flat = strcmp(name, "hscroll") == 0;
    bool px = dh_parse_number(args, "scroll_x", &x, &a->repairs);
    if (dh_parse_number(args, "scroll_y", &y, &a->repairs) || px) {
        a->dx = of_pixels(x);
        a->dy = of_pixels(y);
    } else if (dh_parse_number(args, "pixels", &n, &a->repairs)) {
        int notches = fabs(n) <= 20 ? of_notches(n) : of_pixels(n);
        a->dx = flat ? notches : 0;
        a->dy = flat ? 0 : -notches;
    } else if (dh_parse_number(args, "clicks", &n, &a->repairs)) {
        a->dx = flat ? of_notches(n) : 0;
        a->dy = flat ? 0 : -of_notches(n);
    } else {
        if (dh_parse_number(args, "dx", &x, &a->repairs))
            a->dx = of_notches(x);
        if (dh_parse_number(args, "dy", &y, &a->repairs))
            a->dy = -of_notches(y);
    }
    return a->dx || a->dy;
}

bool dh_parse_scroll(const struct dh_parse_how *how, const char *name,
                     const struct dh_json *args, struct dh_action *a,
                     struct dh_diag *diag)
{
    static const char *const keys[] = { "scroll_direction", "direction", NULL };
    const struct dh_json *d = dh_parse_member_of(args, keys);
    if (strcmp(name, "scroll_document") == 0 && !a->has_at) {
        const struct dh_parse_options *o = how ? how->options : NULL;
        a->has_at = true;
        a->at = (struct dh_point){ 500, 500 };
        a->on_screen = o && o->coord != DH_COORD_NORM1000;
        if (a->on_screen)
            a->at = (struct dh_point){ o->screen.x + o->screen.w / 2,
                                       o->screen.y + o->screen.h / 2 };
    }
    if (d)
        return by_direction(how, name, args, dh_str_of(dh_json_text(d)), a,
                            diag);
    if (by_distance(name, args, a))
        return true;
    dh_diag_set(diag, 0, "scroll_direction: up, down, left or right");
    return false;
}
