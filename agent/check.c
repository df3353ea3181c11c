#include "agent/check.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "actions/secrets.h"
#include "agent/a11y.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "capture/frame.h"
#include "capture/windows.h"
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
    TOLD_MAX = 80,    // bytes of what appeared
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
    return dh_secrets_named(a->text);
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

// The program tells what its field holds: whole, of one line, and no password.
static bool field_tells(const struct dh_check *c)
{
    const struct dh_a11y_node *b = c->field_before, *a = c->field_after;
    const char *typed = c->action->text;
    if (!a || !b || !typed || c->action->op != DH_ACTION_TYPE)
        return false;
    // A key among the text may have sent it off or gone to the next field.
    if (typed[strcspn(typed, "\n\r\t\b")])
        return false;
    bool same = memcmp(&a->rect, &b->rect, sizeof a->rect) == 0;
    bool whole_text = strlen(a->text) + 1 < sizeof a->text;
    return same && whole_text && a->editable && b->editable && !a->password &&
           !b->password && !is_secret(c->action);
}

// What is in the field now and was not there before.
static struct dh_str new_part(const char *before, const char *after)
{
    size_t from = 0, n = strlen(after), old = strlen(before);
    while (from < n && from < old && before[from] == after[from])
        from++;
    while (n > from && old > from && before[old - 1] == after[n - 1]) {
        n--;
        old--;
    }
    // Not into the middle of a character.
    while (from > 0 && (after[from] & 0xc0) == 0x80)
        from--;
    while ((after[n] & 0xc0) == 0x80)
        n++;
    return (struct dh_str){ after + from, n - from };
}

static void say_field(const struct dh_check *c, char text[DH_CHECK_TEXT])
{
    const char *before = c->field_before->text, *after = c->field_after->text;
    struct dh_buf quoted;
    text[0] = '\0';
    if (strstr(after, c->action->text))
        return;
    struct dh_str part = new_part(before, after);
    if (part.n == 0) {
        snprintf(text, DH_CHECK_TEXT, "text did not appear");
        return;
    }
    while (part.n > TOLD_MAX || (part.n && (part.p[part.n] & 0xc0) == 0x80))
        part.n--;
    dh_buf_init(&quoted, DH_CHECK_TEXT / 2);
    dh_json_quote(&quoted, part);
    snprintf(text, DH_CHECK_TEXT, "text appeared as %s", dh_buf_text(&quoted));
    dh_buf_finish(&quoted);
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

/* --- windows --- */

// What a terminal obeys, and what turns the direction of a line.
static bool is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x61c ||
           (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
           (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff;
}

static void quote_title(struct dh_buf *out, const char *title)
{
    char plain[TOLD_MAX];
    size_t n = 0, left = strlen(title);
    while (left) {
        uint32_t cp;
        size_t len = dh_utf8_read(title, left, &cp);
        if (n + len > sizeof plain)
            break;
        if (!is_control(cp)) {
            memcpy(plain + n, title, len);
            n += len;
        }
        title += len;
        left -= len;
    }
    dh_json_quote(out, (struct dh_str){ plain, n });
}

static int index_of(const struct dh_window_list *l, unsigned long id)
{
    for (int i = 0; i < l->n; i++)
        if (l->item[i].id == id)
            return i;
    return -1;
}

static void put_window(struct dh_buf *out, const char *what, const char *title)
{
    dh_buf_printf(out, "%s%s ", out->len ? "; " : "", what);
    quote_title(out, title);
}

// The first of those that are in `in` and not in `other`; the rest is counted.
static void put_missing(struct dh_buf *out, const char *what,
                        const struct dh_window_list *in,
                        const struct dh_window_list *other)
{
    int n = 0;
    // Of a list that was cut nobody knows what is missing.
    if (in->n == DH_WINDOWS_LISTED || other->n == DH_WINDOWS_LISTED)
        return;
    for (int i = 0; i < in->n; i++)
        if (index_of(other, in->item[i].id) < 0 && n++ == 0)
            put_window(out, what, in->item[i].title);
    if (n > 1)
        dh_buf_printf(out, " and %d more", n - 1);
}

static void put_windows(struct dh_buf *out, const struct dh_check *c)
{
    const struct dh_window_list *b = c->windows_before, *a = c->windows_after;
    if (!a || !b)
        return;
    put_missing(out, "a window opened:", a, b);
    put_missing(out, "a window closed:", b, a);
    int now = index_of(a, a->focus);
    // That a new one has it is no surprise.
    if (a->focus != b->focus && now >= 0 && index_of(b, a->focus) >= 0)
        put_window(out, "the focus is now on", a->item[now].title);
}

// Where windows came or went, something did change.
static void add_windows(const struct dh_check *c, struct dh_check_result *out)
{
    struct dh_buf news;
    dh_buf_init(&news, 4 * DH_CHECK_TEXT);
    put_windows(&news, c);
    size_t has = strlen(out->text);
    if (!strcmp(out->text, "nothing changed"))
        has = 0;
    // A line that is full already tells the more important.
    if (news.len && has + 2 + news.len < sizeof out->text) {
        snprintf(out->text + has, sizeof out->text - has, "%s%s",
                 has ? "; " : "", dh_buf_text(&news));
        out->changed = true;
    }
    dh_buf_finish(&news);
}

void dh_check_action(const struct dh_check *c, struct dh_check_result *out)
{
    memset(out, 0, sizeof *out);
    out->changed = has_changed(c);
    if (c->status)
        say_failure(c, out->text);
    else if (field_tells(c))
        say_field(c, out->text);
    else if (c->action->op == DH_ACTION_SCROLL)
        say(out->text,
            scroll_went_nowhere(c, out->changed) ? "scroll reached the end"
                                                 : "",
            "");
    else
        say(out->text, out->changed ? "" : nothing_came(c), "");
    add_windows(c, out);
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
