#include "agent/check.h"

#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/str.h"
#include "capture/frame.h"
#include "vision/motion.h"

enum {
    CARET_W = 4,
    CARET_H = 40,
    NEAR_SIDE = 48,   // around a target
    FEW_TILES = 48,   // a pointer that left and came, a scroll bar
    FEW_PART = 16,    // or so much of a region
    MUCH_PART = 4,    // of the screen: another window or page
    COVER_PART = 64,  // of the screen: a menu, a small dialog
    REGION_PART = 3,  // of the screen, around a scroll
    PREFIX_MAX = 256, // of what the sink says
};

// A root rectangle in the pixels of the picture.
static struct dh_rect in_frame(const struct dh_frame *f, struct dh_rect r)
{
    r.x -= f->screen.x;
    r.y -= f->screen.y;
    return r;
}

static struct dh_rect around(const struct dh_frame *f, struct dh_point p, int w,
                             int h)
{
    return in_frame(f, (struct dh_rect){ p.x - w / 2, p.y - h / 2, w, h });
}

static struct dh_rect whole(const struct dh_frame *f)
{
    return (struct dh_rect){ 0, 0, f->width, f->height };
}

static bool is_caret(struct dh_rect r)
{
    return r.w <= CARET_W && r.h <= CARET_H;
}

// The pointer is drawn into the picture but is no change of the screen, so
// where it moved only the source can tell. The source takes quick small changes
// in one place for a caret, so where it stayed the pictures decide.
static bool has_changed(const struct dh_check *c)
{
    struct dh_rect where = whole(c->after);
    if (c->told && c->seen.changed) {
        where = in_frame(c->after, c->seen.damage);
        return dh_rect_is_empty(where) ||
               !dh_rect_is_empty(dh_motion_bounds(c->before, c->after, where));
    }
    bool moves = dh_action_is_pointer(c->action) && c->action->has_at;
    if (c->told && moves && !c->pointer_stayed)
        return false;
    return !is_caret(dh_motion_bounds(c->before, c->after, where));
}

// A view that cannot go on changes its scroll bar at most. Where the point is
// on an empty part of a view, what changed around it tells.
static bool scroll_went_nowhere(const struct dh_check *c, bool changed)
{
    if (!changed)
        return true;
    const struct dh_frame *f = c->after;
    int w = f->width / REGION_PART, h = f->height / REGION_PART, total;
    struct dh_point centre = { f->screen.x + f->screen.w / 2,
                               f->screen.y + f->screen.h / 2 };
    struct dh_point p = c->action->has_at ? c->action->at : centre;
    struct dh_rect region = c->action->has_at ? around(f, p, w, h) : whole(f);
    struct dh_motion m;
    int n = dh_motion_changed(c->before, f, region, &total);
    if (n > DH_MAX(FEW_TILES, total / FEW_PART))
        return false;
    if (dh_motion_find(c->before, f, region, &m))
        return false;
    region = dh_motion_bounds(c->before, f, whole(f));
    return !dh_motion_find(c->before, f, region, &m);
}

static bool is_secret(const struct dh_action *a)
{
    return a->text && strstr(a->text, "{{secret:");
}

static const char *nothing_came(const struct dh_check *c)
{
    switch ((int)c->action->op) {
    case DH_ACTION_TYPE:
        // A password prompt of a terminal shows nothing, and must not be typed
        // into again and again.
        return is_secret(c->action) ? "nothing changed" : "text did not appear";
    case DH_ACTION_CLICK:
    case DH_ACTION_PRESS:
    case DH_ACTION_DRAG:
    case DH_ACTION_KEY:
    case DH_ACTION_HOLD_KEY: return "nothing changed";
    default: return "";
    }
}

static void say(char text[DH_CHECK_TEXT], const char *line, const char *why)
{
    if (!why[0] || dh_str_starts(dh_str_of(why), line))
        snprintf(text, DH_CHECK_TEXT, "%s", why[0] ? why : line);
    else
        snprintf(text, DH_CHECK_TEXT, "%s: %.*s", line, PREFIX_MAX, why);
}

static void say_failure(const struct dh_check *c, char text[DH_CHECK_TEXT])
{
    static const char blocked[] = "blocked: ";
    const char *why = c->why ? c->why->text : "";
    if (dh_str_starts(dh_str_of(why), blocked))
        why += sizeof blocked - 1;
    // Which character it was would be a part of it.
    if (is_secret(c->action))
        why = "";
    switch ((int)c->status) {
    case DH_ERR_REFUSED: say(text, "blocked by policy", why); break;
    case DH_ERR_NOTFOUND: say(text, "no such key", why); break;
    case DH_ERR_TAKEN: say(text, "user took over", ""); break;
    default: say(text, why[0] ? why : dh_status_name(c->status), ""); break;
    }
}

void dh_check_action(const struct dh_check *c, struct dh_check_result *out)
{
    memset(out, 0, sizeof *out);
    out->changed = has_changed(c);
    if (c->status)
        say_failure(c, out->text);
    else if (c->action->op == DH_ACTION_SCROLL)
        say(out->text,
            scroll_went_nowhere(c, out->changed) ? "scroll reached the end"
                                                 : "",
            "");
    else
        say(out->text, out->changed ? "" : nothing_came(c), "");
}

bool dh_check_is_upset(const struct dh_frame *seen, const struct dh_frame *now,
                       struct dh_point target)
{
    int total, near_total;
    int n = dh_motion_changed(seen, now, whole(now), &total);
    if (n > total / MUCH_PART)
        return true;
    if (n <= total / COVER_PART)
        return false;
    int near = dh_motion_changed(
        seen, now, around(now, target, NEAR_SIDE, NEAR_SIDE), &near_total);
    return 2 * near > near_total;
}
