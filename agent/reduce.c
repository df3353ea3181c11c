#include "agent/reduce.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/input_record.h"

#define PATH_POINTS  4096
#define PATH_PX      3.0
#define CLICK_PX     5
#define SCROLL_NS    (300 * DH_MS)
#define TYPE_NS      (2 * DH_S)
#define KEY_NS       (500 * DH_MS)
#define REST_NS      (500 * DH_MS)
#define REACT_NS     (700 * DH_MS)
#define NEAR_PX      48
#define HOVER_PX     40 // what opens is larger than what lights up
#define REACT_PX     100
#define REPEAT_MAX   100
#define COMMAND_MODS (DH_INPUT_CONTROL | DH_INPUT_ALT | DH_INPUT_SUPER)

// Bits of the capture folder are those of the actions folder.
_Static_assert((int)DH_INPUT_SHIFT == DH_MOD_SHIFT &&
                   (int)DH_INPUT_CONTROL == DH_MOD_CONTROL &&
                   (int)DH_INPUT_ALT == DH_MOD_ALT &&
                   (int)DH_INPUT_SUPER == DH_MOD_SUPER &&
                   (int)DH_INPUT_ALTGR == DH_MOD_ALTGR,
               "modifiers");

enum state {
    IDLE,
    BUTTON,   // one is held
    CLICKED,  // and may be once more
    SCROLLED, // and may be further
    TYPED,
    KEYED,
};

// The pointer stays somewhere; what opens there may be the reason.
struct rest {
    int64_t n, since_ns; // n is 0: it has been used up
    struct dh_point at;
    bool opened;
};

struct lone {
    int64_t n, since_ns, until_ns; // n is 0: none
    char name[32];
};

struct dh_reduce {
    struct dh_reduce_options o;
    enum state state;
    struct dh_reduced now; // what is pending
    struct dh_buf text;    // of TYPED
    int64_t last_ns;       // when it was last added to
    struct dh_point path[PATH_POINTS];
    int n_path;
    int button;    // of BUTTON
    uint32_t held; // buttons that are down, a bit each
    bool many;     // buttons and keys at once: each press and release by itself
    unsigned switching;    // Alt, Super: down since the key of KEYED
    unsigned kept;         // modifiers held on from one key to the next
    struct dh_point where; // of the pointer
    struct rest rest;
    struct lone lone;
    char again[32]; // text of the key that was pressed last, which repeats
};

struct dh_reduce *dh_reduce_create(const struct dh_reduce_options *o)
{
    struct dh_reduce *r;
    dh_new(r);
    r->o = *o;
    if (!r->o.double_click_ms)
        r->o.double_click_ms = 400;
    if (!r->o.drag_px)
        r->o.drag_px = 8;
    dh_buf_init(&r->text, DH_ACTION_TEXT_MAX);
    return r;
}

void dh_reduce_destroy(struct dh_reduce *r)
{
    if (!r)
        return;
    dh_action_finish(&r->now.action);
    dh_buf_finish(&r->text);
    dh_free(r);
}

int64_t dh_reduce_began(const struct dh_reduce *r)
{
    return r->state == IDLE ? 0 : r->now.from;
}

// ---- paths -----------------------------------------------------------------

// Square of how far p is from the line a..b.
static double distance2(struct dh_point p, struct dh_point a, struct dh_point b)
{
    double dx = b.x - a.x, dy = b.y - a.y, len2 = dx * dx + dy * dy;
    double t = len2 > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / len2 : 0;
    t = DH_CLAMP(t, 0.0, 1.0);
    double x = a.x + t * dx - p.x, y = a.y + t * dy - p.y;
    return x * x + y * y;
}

static int furthest(const struct dh_point *path, int from, int to, double *most)
{
    int at = -1;
    *most = 0;
    for (int i = from + 1; i < to; i++) {
        double d = distance2(path[i], path[from], path[to]);
        if (d > *most) {
            *most = d;
            at = i;
        }
    }
    return at;
}

int dh_reduce_thin(struct dh_point *path, int n, double px)
{
    bool keep[PATH_POINTS] = { false };
    int stack[PATH_POINTS], depth = 0, kept = 0, from = 0;
    dh_assert(n <= PATH_POINTS);
    if (n < 3)
        return n;
    // Ends of the parts that are left to do, the next one on top.
    stack[depth++] = n - 1;
    keep[0] = keep[n - 1] = true;
    while (depth > 0) {
        double most;
        int to = stack[depth - 1];
        int at = furthest(path, from, to, &most);
        if (at >= 0 && most > px * px) {
            keep[at] = true;
            stack[depth++] = at;
        } else {
            from = to;
            depth--;
        }
    }
    for (int i = 0; i < n; i++)
        if (keep[i])
            path[kept++] = path[i];
    return kept;
}

static void add_to_path(struct dh_reduce *r, struct dh_point p)
{
    // A hand that scribbles for minutes loses detail, not its end.
    for (double px = PATH_PX; r->n_path > PATH_POINTS - 2; px *= 2)
        r->n_path = dh_reduce_thin(r->path, r->n_path, px);
    r->path[r->n_path++] = p;
}

static bool is_near(struct dh_point a, struct dh_point b, int px)
{
    int dx = a.x - b.x, dy = a.y - b.y;
    return dx * dx + dy * dy <= px * px;
}

static bool went_far(const struct dh_reduce *r)
{
    for (int i = 1; i < r->n_path; i++)
        if (!is_near(r->path[0], r->path[i], r->o.drag_px))
            return true;
    return false;
}

// ---- beginning and telling -------------------------------------------------

static void begin(struct dh_reduce *r, enum state state, enum dh_action_op op,
                  const struct dh_input_event *e, int64_t n)
{
    dh_assert(r->state == IDLE);
    memset(&r->now, 0, sizeof r->now);
    r->now.action = (struct dh_action){ .op = op,
                                        .on_screen = true,
                                        .button = 1,
                                        .count = 1,
                                        .duration_ms = -1,
                                        .repeat = 1 };
    r->now.from = r->now.to = n;
    r->now.began_ns = r->now.ended_ns = r->last_ns = e->time_ns;
    r->state = state;
}

static void begin_at(struct dh_reduce *r, enum state state,
                     enum dh_action_op op, const struct dh_input_event *e,
                     int64_t n)
{
    begin(r, state, op, e, n);
    r->now.action.has_at = true;
    r->now.action.at = e->at;
    r->now.action.mods = e->mods;
}

static void extend(struct dh_reduce *r, const struct dh_input_event *e,
                   int64_t n)
{
    r->now.to = n;
    r->now.ended_ns = r->last_ns = e->time_ns;
}

static void tell(struct dh_reduce *r)
{
    r->state = IDLE;
    r->o.emit(r->o.user, &r->now);
    dh_action_finish(&r->now.action);
}

static void tell_text(struct dh_reduce *r)
{
    // A dead key alone, or a text that was taken back: nothing happened.
    if (r->text.len || r->now.secret) {
        if (!r->now.secret)
            r->now.action.text = dh_strdup(dh_buf_text(&r->text));
        tell(r);
    }
    r->state = IDLE;
    dh_buf_clear(&r->text);
}

// What comes next comes while it is held.
static void tell_press(struct dh_reduce *r)
{
    r->many = true;
    r->now.action.op = DH_ACTION_DOWN;
    r->now.action.count = 1;
    tell(r);
}

void dh_reduce_flush(struct dh_reduce *r)
{
    switch (r->state) {
    case TYPED: tell_text(r); break;
    case BUTTON: tell_press(r); break;
    case CLICKED:
    case SCROLLED:
    case KEYED: tell(r); break;
    case IDLE: break;
    }
}

// ---- the pointer -----------------------------------------------------------

static void tell_drag(struct dh_reduce *r)
{
    struct dh_action *a = &r->now.action;
    int n = dh_reduce_thin(r->path, r->n_path, PATH_PX);
    for (double px = PATH_PX; n > DH_ACTION_PATH_MAX; px *= 1.5)
        n = dh_reduce_thin(r->path, n, px);
    a->op = DH_ACTION_DRAG;
    a->count = 1;
    a->has_start = true;
    a->start = r->path[0];
    a->at = r->path[n - 1];
    a->duration_ms = (int)((r->now.ended_ns - r->now.began_ns) / DH_MS);
    if (n > 2) {
        dh_array(a->path, (size_t)n);
        memcpy(a->path, r->path, (size_t)n * sizeof *a->path);
        a->n_path = n;
    }
    tell(r);
}

static bool is_again(const struct dh_reduce *r, const struct dh_input_event *e)
{
    return r->state == CLICKED && r->now.action.button == e->code &&
           r->now.action.mods == e->mods &&
           e->time_ns - r->last_ns <= r->o.double_click_ms * DH_MS &&
           is_near(r->now.action.at, e->at, CLICK_PX);
}

static void one_of_many(struct dh_reduce *r, const struct dh_input_event *e,
                        int64_t n)
{
    dh_reduce_flush(r);
    begin_at(r, IDLE, e->down ? DH_ACTION_DOWN : DH_ACTION_UP, e, n);
    r->now.action.button = e->code;
    tell(r);
    r->many = r->held != 0;
}

static void feed_press(struct dh_reduce *r, const struct dh_input_event *e,
                       int64_t n)
{
    uint32_t bit = 1u << (e->code & 31);
    r->rest.n = 0;
    // Another mouse holds it.
    if (r->held & bit)
        return;
    r->held |= bit;
    if (r->state == BUTTON || r->many) {
        one_of_many(r, e, n);
        return;
    }
    if (is_again(r, e)) {
        r->now.action.count++;
        r->state = BUTTON;
        extend(r, e, n);
    } else {
        dh_reduce_flush(r);
        begin_at(r, BUTTON, DH_ACTION_CLICK, e, n);
        r->now.action.button = e->code;
    }
    r->button = e->code;
    r->path[0] = e->at;
    r->n_path = 1;
}

// The second press of a double click went on as a drag.
static void split_click(struct dh_reduce *r)
{
    struct dh_reduced drag = r->now;
    r->now.action.count--;
    r->state = CLICKED;
    tell(r);
    r->now = drag;
    r->now.from = drag.to;
    r->now.began_ns = r->last_ns;
    r->state = BUTTON;
}

static void feed_release(struct dh_reduce *r, const struct dh_input_event *e,
                         int64_t n)
{
    uint32_t bit = 1u << (e->code & 31);
    // It was down before the recording began.
    if (!(r->held & bit))
        return;
    r->held &= ~bit;
    if (r->many) {
        one_of_many(r, e, n);
        return;
    }
    add_to_path(r, e->at);
    int64_t pressed = r->last_ns;
    bool drag = went_far(r);
    if (drag && r->now.action.count > 1)
        split_click(r);
    extend(r, e, n);
    if (drag) {
        tell_drag(r);
        return;
    }
    // The time of a double click counts from press to press.
    r->last_ns = pressed;
    r->state = CLICKED;
    if (r->now.action.count == 3)
        tell(r);
}

static int sign_of(int v)
{
    return (v > 0) - (v < 0);
}

static void feed_scroll(struct dh_reduce *r, const struct dh_input_event *e,
                        int64_t n)
{
    const struct dh_action *a = &r->now.action;
    bool on = r->state == SCROLLED && e->time_ns - r->last_ns < SCROLL_NS &&
              sign_of(a->dx) == e->dx && sign_of(a->dy) == e->dy &&
              a->mods == e->mods && is_near(a->at, e->at, NEAR_PX);
    r->rest.n = 0;
    if (!on) {
        dh_reduce_flush(r);
        begin_at(r, SCROLLED, DH_ACTION_SCROLL, e, n);
    }
    r->now.action.dx += e->dx;
    r->now.action.dy += e->dy;
    extend(r, e, n);
}

static void tell_hover(struct dh_reduce *r, int64_t now_ns)
{
    struct rest rest = r->rest;
    struct dh_input_event e = { .time_ns = rest.since_ns, .at = rest.at };
    if (!rest.n || !rest.opened || now_ns - rest.since_ns < REST_NS)
        return;
    r->rest.n = 0;
    dh_reduce_flush(r);
    begin_at(r, IDLE, DH_ACTION_MOVE, &e, rest.n);
    r->now.ended_ns = now_ns;
    tell(r);
}

static void feed_motion(struct dh_reduce *r, const struct dh_input_event *e,
                        int64_t n)
{
    r->where = e->at;
    if (r->state == BUTTON) {
        add_to_path(r, e->at);
        return;
    }
    if (r->rest.n && is_near(r->rest.at, e->at, CLICK_PX))
        return;
    // It opened something, and the hand goes on from there.
    tell_hover(r, e->time_ns);
    r->rest = (struct rest){ n, e->time_ns, e->at, false };
}

// ---- the keyboard ----------------------------------------------------------

static void chord_name(const struct dh_input_event *e, unsigned mods, char *out,
                       size_t size)
{
    snprintf(out, size, "%s%s%s%s%s%s", mods & DH_INPUT_SHIFT ? "shift+" : "",
             mods & DH_INPUT_CONTROL ? "ctrl+" : "",
             mods & DH_INPUT_ALT ? "alt+" : "",
             mods & DH_INPUT_SUPER ? "super+" : "",
             mods & DH_INPUT_ALTGR ? "altgr+" : "", e->name);
}

static void tell_held(struct dh_reduce *r, enum dh_action_op op, unsigned mods,
                      const struct dh_input_event *e, int64_t n)
{
    static const char *const names[] = { "shift", "ctrl", "alt", "super",
                                         "altgr" };
    for (unsigned i = 0; i < DH_COUNTOF(names); i++) {
        if (!(mods & 1u << i))
            continue;
        begin(r, IDLE, op, e, n);
        r->now.action.text = dh_strdup(names[i]);
        tell(r);
    }
}

static void take_out(char *text, const char *part)
{
    char *at = strstr(text, part);
    if (at)
        memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
}

// Alt stays down for a second key, as in a switcher of windows: it has to be
// held, not pressed again.
static void keep_mods(struct dh_reduce *r, const struct dh_input_event *e)
{
    const unsigned mods = e->mods & (DH_INPUT_ALT | DH_INPUT_SUPER);
    struct dh_reduced first = r->now;
    struct dh_input_event at = { .time_ns = first.began_ns };
    r->state = IDLE;
    tell_held(r, DH_ACTION_KEY_DOWN, mods, &at, first.from);
    r->kept = mods;
    r->now = first;
    take_out(r->now.action.text, "alt+");
    take_out(r->now.action.text, "super+");
    r->state = KEYED;
    r->switching = 0;
}

static void feed_key(struct dh_reduce *r, const struct dh_input_event *e,
                     int64_t n)
{
    char chord[96];
    const unsigned switching = e->mods & (DH_INPUT_ALT | DH_INPUT_SUPER);
    if (r->state == KEYED && switching && !r->kept && r->switching)
        keep_mods(r, e);
    chord_name(e, e->mods & ~r->kept, chord, sizeof chord);
    if (r->state == KEYED && !strcmp(chord, r->now.action.text) &&
        r->now.action.repeat < REPEAT_MAX && e->time_ns - r->last_ns < KEY_NS) {
        r->now.action.repeat++;
        extend(r, e, n);
        return;
    }
    dh_reduce_flush(r);
    begin(r, KEYED, DH_ACTION_KEY, e, n);
    r->now.action.text = dh_strdup(chord);
    r->switching = switching & ~r->kept;
}

static void take_back(struct dh_buf *text)
{
    while (text->len > 0 &&
           ((unsigned char)text->data[--text->len] & 0xc0) == 0x80)
        continue;
    text->data[text->len] = '\0';
}

static void feed_text(struct dh_reduce *r, const struct dh_input_event *e,
                      int64_t n, bool secret)
{
    bool on = r->state == TYPED && r->now.secret == secret &&
              e->time_ns - r->last_ns <= TYPE_NS &&
              r->text.len + sizeof e->text < DH_ACTION_TEXT_MAX;
    if (!on) {
        dh_reduce_flush(r);
        begin(r, TYPED, DH_ACTION_TYPE, e, n);
        r->now.secret = secret;
    }
    if (!secret)
        dh_buf_puts(&r->text, e->text);
    extend(r, e, n);
}

// The key that was pressed last has repeated by itself until now.
static void feed_repeats(struct dh_reduce *r, const struct dh_input_event *e)
{
    if (r->state == KEYED)
        r->now.action.repeat =
            DH_MIN(r->now.action.repeat + e->repeats, REPEAT_MAX);
    for (int i = 0; r->state == TYPED && i < e->repeats; i++)
        dh_buf_puts(&r->text, r->again);
    if (e->repeats && (r->state == KEYED || r->state == TYPED))
        r->last_ns = e->time_ns;
}

static void feed_modifier(struct dh_reduce *r, const struct dh_input_event *e,
                          int64_t n)
{
    if (e->modifier & DH_INPUT_LOCK)
        return;
    if (e->down) {
        r->lone = (struct lone){ .n = n, .since_ns = e->time_ns };
        snprintf(r->lone.name, sizeof r->lone.name, "%s", e->name);
        return;
    }
    if (r->lone.n)
        r->lone.until_ns = e->time_ns + REACT_NS;
    if (r->state == KEYED)
        r->switching &= ~e->modifier;
    if (r->kept & e->modifier) {
        dh_reduce_flush(r);
        tell_held(r, DH_ACTION_KEY_UP, e->modifier, e, n);
        r->kept &= ~e->modifier;
    }
}

static void feed_pressed(struct dh_reduce *r, const struct dh_input_event *e,
                         int64_t n, bool secret)
{
    bool text = e->text[0] || e->composing;
    snprintf(r->again, sizeof r->again, "%s", secret ? "" : e->text);
    if (r->state == BUTTON)
        dh_reduce_flush(r);
    if (secret) {
        feed_text(r, e, n, true);
    } else if (r->o.tidy && r->state == TYPED && !e->mods && r->text.len &&
               !strcmp(e->name, "BackSpace")) {
        take_back(&r->text);
        extend(r, e, n);
    } else if (text) {
        feed_text(r, e, n, false);
    } else {
        feed_key(r, e, n);
    }
    if (r->many)
        dh_reduce_flush(r);
}

static void feed_keyboard(struct dh_reduce *r, const struct dh_input_event *e,
                          int64_t n, bool secret)
{
    feed_repeats(r, e);
    if (e->modifier) {
        feed_modifier(r, e, n);
    } else if (e->down) {
        r->rest.n = 0;
        r->lone.n = 0;
        feed_pressed(r, e, n, secret);
    } else if (r->state == TYPED || r->state == KEYED) {
        r->now.to = n;
    }
}

// ---- events ----------------------------------------------------------------

// A window that comes, goes or takes the focus ends what was being done; a hint
// that shows up beside the pointer does not.
static void feed_window(struct dh_reduce *r, const struct dh_input_event *e)
{
    bool covers = dh_rect_has(e->window.box, r->where);
    // A menu's line opens a further menu at its end, which may be far away.
    if (e->what == DH_WINDOW_MAP && e->window.menu &&
        e->window.box.w >= HOVER_PX && e->window.box.h >= HOVER_PX)
        r->rest.opened = true;
    if (e->what == DH_WINDOW_FOCUS && r->state == TYPED)
        dh_reduce_flush(r);
    if ((e->what == DH_WINDOW_MAP || e->what == DH_WINDOW_UNMAP) && covers &&
        r->state == CLICKED)
        dh_reduce_flush(r);
}

void dh_reduce_feed(struct dh_reduce *r, const struct dh_input_event *e,
                    int64_t n, bool secret)
{
    if (e->kind != DH_INPUT_WINDOW && e->kind != DH_INPUT_KEY)
        r->where = e->at;
    if (e->kind == DH_INPUT_BUTTON || e->kind == DH_INPUT_SCROLL)
        r->lone.n = 0;
    dh_reduce_tick(r, e->time_ns);
    switch (e->kind) {
    case DH_INPUT_MOTION: feed_motion(r, e, n); break;
    case DH_INPUT_BUTTON:
        if (e->down)
            feed_press(r, e, n);
        else
            feed_release(r, e, n);
        break;
    case DH_INPUT_SCROLL: feed_scroll(r, e, n); break;
    case DH_INPUT_KEY: feed_keyboard(r, e, n, secret); break;
    case DH_INPUT_WINDOW: feed_window(r, e); break;
    case DH_INPUT_LAYOUT:
    case DH_INPUT_CLIP:
    case DH_INPUT_STOP:
    case DH_INPUT_PAUSE:
    case DH_INPUT_LOST: break;
    }
}

void dh_reduce_changed(struct dh_reduce *r, struct dh_rect where,
                       int64_t time_ns)
{
    struct dh_rect around = { where.x - NEAR_PX, where.y - NEAR_PX,
                              where.w + 2 * NEAR_PX, where.h + 2 * NEAR_PX };
    if (r->rest.n && where.w >= HOVER_PX && where.h >= HOVER_PX &&
        dh_rect_has(around, r->rest.at))
        r->rest.opened = true;
    if (!r->lone.n || !r->lone.until_ns || time_ns > r->lone.until_ns ||
        where.w < REACT_PX || where.h < REACT_PX)
        return;
    struct dh_input_event e = { .time_ns = r->lone.since_ns };
    dh_reduce_flush(r);
    begin(r, IDLE, DH_ACTION_KEY, &e, r->lone.n);
    r->now.action.text = dh_strdup(r->lone.name);
    r->lone.n = 0;
    tell(r);
}

void dh_reduce_tick(struct dh_reduce *r, int64_t now_ns)
{
    int64_t since = now_ns - r->last_ns;
    bool over = false;
    switch (r->state) {
    case CLICKED: over = since > r->o.double_click_ms * DH_MS; break;
    case SCROLLED: over = since >= SCROLL_NS; break;
    case TYPED: over = since > TYPE_NS; break;
    // While Alt is down the next key tells what it was.
    case KEYED: over = since >= KEY_NS && !r->switching; break;
    case IDLE:
    case BUTTON: break;
    }
    if (over)
        dh_reduce_flush(r);
    if (r->lone.n && r->lone.until_ns && now_ns > r->lone.until_ns)
        r->lone.n = 0;
}
