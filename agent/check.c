#include "agent/check.h"

#include <stdint.h>
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
    PLAIN_PART = 16,  // of a bar may look different: its ends
    THIN = 16,        // a scroll bar
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

static bool line_repeats(const struct dh_frame *f, struct dh_rect r, int at)
{
    bool tall = r.h > r.w;
    for (int i = 0; i < (tall ? r.w : r.h); i++) {
        const uint8_t *p = tall ? dh_frame_at(f, r.x + i, r.y + at)
                                : dh_frame_at(f, r.x + at, r.y + i);
        const uint8_t *q = p + (tall ? f->stride : 4);
        if (p[0] != q[0] || p[1] != q[1] || p[2] != q[2])
            return false;
    }
    return true;
}

static bool is_plain(const struct dh_frame *f, struct dh_rect r)
{
    int len = DH_MAX(r.w, r.h), n = 0;
    for (int i = 0; i + 1 < len; i++)
        n += line_repeats(f, r, i);
    return n >= len - len / PLAIN_PART;
}

// A scroll bar that comes or goes, unlike a narrow column of text, is the same
// all along.
static bool is_bar(const struct dh_check *c, struct dh_rect r)
{
    if (dh_rect_is_empty(r) || is_caret(r))
        return true;
    if (DH_MIN(r.w, r.h) > THIN)
        return false;
    return is_plain(c->before, r) || is_plain(c->after, r);
}

// A view that cannot go on changes its scroll bar at most; what goes on far
// from the point is no part of it. In doubt it went somewhere: a model that is
// told of an end looks no further.
static bool scroll_went_nowhere(const struct dh_check *c, bool changed)
{
    const struct dh_frame *f = c->after;
    struct dh_rect where = whole(f), region = where;
    struct dh_point p = c->action->at;
    struct dh_motion m;
    if (!changed)
        return true;
    if (c->told && c->seen.changed)
        where = in_frame(f, c->seen.damage);
    struct dh_rect bounds = dh_motion_bounds(c->before, f, where);
    if (is_bar(c, bounds))
        return true;
    // What was drawn tells more of the view than what differs: around the point
    // it may be empty.
    where = c->told ? where : bounds;
    if (!c->action->has_at)
        return false;
    region = around(f, p, f->width / REGION_PART, f->height / REGION_PART);
    if (!is_bar(c, dh_motion_bounds(c->before, f, region)))
        return false;
    p.x -= f->screen.x;
    p.y -= f->screen.y;
    return !dh_rect_has(where, p) && !dh_motion_find(c->before, f, where, &m);
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
