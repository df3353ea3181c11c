#include "agent/recording.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "vision/region.h"

#define DH_LOG_TAG "recording"
#include "base/log.h"

#define SIDE_MAX    32767
#define WINDOWS_MAX 100000
#define TARGETS_MAX 8
#define AROUND_PX   24

// ---- members ----------------------------------------------------------------

static int whole(const struct dh_json *o, const char *key, int lo, int hi)
{
    const struct dh_json *v = dh_json_find(o, key);
    double d = v && dh_json_kind(v) == DH_JSON_NUMBER ? dh_json_number(v) : 0;
    return d >= lo && d <= hi ? (int)d : 0;
}

static int64_t time_of(const struct dh_json *o, const char *key, int64_t absent)
{
    const struct dh_json *v = dh_json_find(o, key);
    double d = v && dh_json_kind(v) == DH_JSON_NUMBER ? dh_json_number(v) : -1;
    return d >= 0 && d < 9e15 ? (int64_t)d : absent;
}

static void text_of(const struct dh_json *o, const char *key, char *out,
                    size_t size)
{
    snprintf(out, size, "%s", dh_json_text(dh_json_find(o, key)));
}

static char *owned_text(const struct dh_json *o, const char *key)
{
    const char *text = dh_json_text(dh_json_find(o, key));
    return text[0] ? dh_strdup(text) : NULL;
}

static struct dh_rect rect_of(const struct dh_json *o)
{
    struct dh_rect r = { whole(o, "x", -SIDE_MAX, SIDE_MAX),
                         whole(o, "y", -SIDE_MAX, SIDE_MAX),
                         whole(o, "w", 1, SIDE_MAX),
                         whole(o, "h", 1, SIDE_MAX) };
    return dh_rect_is_empty(r) ? (struct dh_rect){ 0 } : r;
}

static bool pair_of(const struct dh_json *v, struct dh_point *out)
{
    const struct dh_json *x =
        v && dh_json_kind(v) == DH_JSON_ARRAY ? dh_json_first(v) : NULL;
    const struct dh_json *y = x ? dh_json_next(x) : NULL;
    if (!y || !(fabs(dh_json_number(x)) <= SIDE_MAX) ||
        !(fabs(dh_json_number(y)) <= SIDE_MAX))
        return false;
    *out = (struct dh_point){ (int)dh_json_number(x), (int)dh_json_number(y) };
    return true;
}

// ---- targets ----------------------------------------------------------------

static void read_window(const struct dh_json *o, struct dh_window *w,
                        char *pattern, size_t size)
{
    const struct dh_json *id = dh_json_find(o, "id");
    w->id = (unsigned long)time_of(o, "id", 0);
    // What has been edited may have lost it.
    if (o && (!id || !w->id))
        w->id = 1;
    text_of(o, "class", w->wm_class, sizeof w->wm_class);
    text_of(o, "title", w->title, sizeof w->title);
    text_of(o, "program", w->program, sizeof w->program);
    w->pid = whole(o, "pid", 1, INT32_MAX);
    w->box = rect_of(o);
    w->menu = dh_json_is_true(dh_json_find(o, "menu"));
    text_of(o, "title_pattern", pattern, size);
    if (!pattern[0])
        dh_target_pattern(w->title, pattern, (int)size);
}

static void read_node(const struct dh_json *o, struct dh_target *t)
{
    text_of(o, "role", t->node.role, sizeof t->node.role);
    text_of(o, "name", t->node.name, sizeof t->node.name);
    text_of(o, "description", t->place.description,
            sizeof t->place.description);
    text_of(o, "path", t->place.path, sizeof t->place.path);
    text_of(o, "states", t->place.states, sizeof t->place.states);
    t->place.index = whole(o, "index_among_equal", 0, 100000);
    t->has_node = t->node.role[0] != '\0';
    t->node.password = !strcmp(t->node.role, "password text");
    t->node.editable = strstr(t->place.states, "editable") != NULL;
}

static void read_labels(const struct dh_json *list, struct dh_a11y_place *p)
{
    const struct dh_json *v = list && dh_json_kind(list) == DH_JSON_ARRAY
                                  ? dh_json_first(list)
                                  : NULL;
    for (; v && p->n_labels < DH_A11Y_LABELS; v = dh_json_next(v)) {
        struct dh_a11y_label *l = &p->label[p->n_labels];
        struct dh_point by;
        text_of(v, "text", l->text, sizeof l->text);
        if (!l->text[0] || !pair_of(dh_json_find(v, "offset"), &by))
            continue;
        l->dx = by.x;
        l->dy = by.y;
        p->n_labels++;
    }
}

static void read_target(const struct dh_json *o, const struct dh_action *a,
                        struct dh_recorded_target *out)
{
    const struct dh_json *crop = dh_json_find(o, "crop");
    const struct dh_json *tight = dh_json_find(crop, "tight");
    const struct dh_json *unique = dh_json_find(o, "unique");
    struct dh_target *t = &out->t;
    struct dh_point in;
    memset(out, 0, sizeof *out);
    t->rect = rect_of(dh_json_find(o, "rect"));
    t->at = a->has_start ? a->start : a->at;
    if (!dh_rect_is_empty(t->rect) && pair_of(dh_json_find(o, "point"), &in))
        t->at = (struct dh_point){ t->rect.x + in.x, t->rect.y + in.y };
    t->tight = rect_of(dh_json_find(tight, "rect"));
    t->wide = rect_of(dh_json_find(dh_json_find(crop, "wide"), "rect"));
    out->frame = whole(tight, "frame", 1, 99999999);
    const struct dh_json *window = dh_json_find(o, "window");
    if (window)
        read_window(window, &t->window, out->pattern, sizeof out->pattern);
    read_node(dh_json_find(o, "node"), t);
    text_of(o, "text", t->node.text, sizeof t->node.text);
    read_labels(dh_json_find(o, "labels"), &t->place);
    t->place.equal = whole(unique, "node", 0, 100000);
    t->n_crop = whole(unique, "crop", 0, DH_TARGET_MANY);
    text_of(o, "say", out->say, sizeof out->say);
}

// The newest goes before the others.
static void add_target(struct dh_recorded_step *s,
                       const struct dh_recorded_target *t)
{
    if (s->n_targets == TARGETS_MAX)
        return;
    s->target =
        dh_resize_array(s->target, (size_t)s->n_targets + 1, sizeof *s->target);
    memmove(s->target + 1, s->target, (size_t)s->n_targets * sizeof *s->target);
    s->target[0] = *t;
    s->n_targets++;
}

// ---- lines ------------------------------------------------------------------

static void read_act(struct dh_recording *r, const struct dh_json *o,
                     const struct dh_session_step *p)
{
    struct dh_recorded_step *s = &r->step[r->n_steps++];
    struct dh_diag why = { 0 };
    int n;
    memset(s, 0, sizeof *s);
    s->n = p->act_n;
    s->before = p->before;
    s->after = p->after;
    s->failed = p->done >= 0 && p->failed;
    s->changed = p->done >= 0 && !p->unchanged;
    s->began_ns = time_of(o, "began", p->t);
    s->ended_ns = DH_MAX(time_of(o, "ended", p->t), s->began_ns);
    s->settle_ns = p->ms.settle > 0 && p->ms.settle < 1e7
                       ? (int64_t)(p->ms.settle * 1e6)
                       : 0;
    s->looked_ns =
        p->done >= 0 ? dh_session_lines(r->reader, &n)[p->done].t : -1;
    s->say = owned_text(o, "say");
    if (!dh_action_of_json(o, &s->action, &why)) {
        char text[400];
        memset(&s->action, 0, sizeof s->action);
        snprintf(text, sizeof text, "the recording is damaged there: %.300s",
                 why.text);
        s->broken = dh_strdup(text);
        return;
    }
    const struct dh_json *target = dh_json_find(o, "target");
    if (target) {
        struct dh_recorded_target t;
        read_target(target, &s->action, &t);
        add_target(s, &t);
    }
}

static void read_acts(struct dh_recording *r)
{
    int n;
    const struct dh_session_step *p = dh_session_steps(r->reader, &n);
    dh_array(r->step, (size_t)DH_MAX(n, 1));
    for (int i = 0; i < n; i++) {
        struct dh_diag diag = { 0 };
        if (p[i].act < 0)
            continue;
        struct dh_json *o = dh_session_json(r->reader, p[i].act, &diag);
        read_act(r, o, &p[i]);
        dh_json_free(o);
    }
}

static bool change_of(const char *name, enum dh_window_change *out)
{
    for (int i = DH_WINDOW_MAP; i <= DH_WINDOW_TITLE; i++)
        if (!strcmp(dh_window_change_name((enum dh_window_change)i), name)) {
            *out = (enum dh_window_change)i;
            return true;
        }
    return false;
}

static void read_change(struct dh_recording *r, const struct dh_json *o,
                        int64_t t, int *cap)
{
    enum dh_window_change what;
    if (!change_of(dh_json_text(dh_json_find(o, "what")), &what) ||
        r->n_windows == WINDOWS_MAX)
        return;
    if (r->n_windows == *cap) {
        *cap = *cap ? *cap * 2 : 64;
        r->window = dh_resize_array(r->window, (size_t)*cap, sizeof *r->window);
    }
    struct dh_recorded_window *w = &r->window[r->n_windows++];
    memset(w, 0, sizeof *w);
    w->what = what;
    w->t = t;
    read_window(o, &w->window, w->pattern, sizeof w->pattern);
}

static struct dh_recorded_step *step_of(struct dh_recording *r, int64_t n)
{
    for (int i = 0; i < r->n_steps; i++)
        if (r->step[i].n == n && n > 0)
            return &r->step[i];
    return NULL;
}

static void read_repair(struct dh_recording *r, const struct dh_json *o)
{
    struct dh_recorded_step *s = step_of(r, time_of(o, "act", 0));
    const struct dh_json *target = dh_json_find(o, "target");
    struct dh_recorded_target t;
    if (!s || s->broken || !target)
        return;
    read_target(target, &s->action, &t);
    t.repaired = true;
    r->last_frame = DH_MAX(r->last_frame, t.frame);
    add_target(s, &t);
}

static void read_others(struct dh_recording *r)
{
    int n, cap = 0;
    const struct dh_session_line *l = dh_session_lines(r->reader, &n);
    for (int i = 0; i < n; i++) {
        struct dh_diag diag = { 0 };
        if (l[i].kind == DH_SESSION_OTHER) {
            struct dh_json *o = dh_session_json(r->reader, i, &diag);
            const char *k = dh_json_text(dh_json_find(o, "k"));
            if (!strcmp(k, "win"))
                read_change(r, o, l[i].t, &cap);
            else if (!strcmp(k, "target"))
                read_repair(r, o);
            else if (!strcmp(k, "layout") && !r->layout[0])
                text_of(o, "name", r->layout, sizeof r->layout);
            dh_json_free(o);
        }
    }
    r->last_n = n;
    r->last_t = n ? l[n - 1].t : 0;
}

static bool is_acted_in(const struct dh_recording *r, unsigned long window)
{
    for (int i = 0; i < r->n_steps; i++)
        for (int k = 0; k < r->step[i].n_targets; k++)
            if (r->step[i].target[k].t.window.id == window)
                return true;
    return false;
}

// Hints come and go as they like.
static void drop_hints(struct dh_recording *r)
{
    int n = 0;
    for (int i = 0; i < r->n_windows; i++) {
        const struct dh_recorded_window *w = &r->window[i];
        if (!w->window.menu || w->what == DH_WINDOW_FOCUS ||
            is_acted_in(r, w->window.id))
            r->window[n++] = *w;
    }
    r->n_windows = n;
}

static void read_shots(struct dh_recording *r)
{
    int n;
    const struct dh_session_shot *shot = dh_session_shots(r->reader, &n);
    for (int i = 0; i < n; i++)
        r->last_frame = DH_MAX(r->last_frame, shot[i].number);
}

// A change belongs to the action that had begun last: lines of actions are
// written when they are over.
static void share_windows(struct dh_recording *r)
{
    int w = 0;
    while (w < r->n_windows && r->n_steps &&
           r->window[w].t < r->step[0].began_ns)
        w++;
    for (int i = 0; i < r->n_steps; i++) {
        struct dh_recorded_step *s = &r->step[i];
        bool last = i + 1 == r->n_steps;
        s->first_window = w;
        while (w < r->n_windows &&
               (last || r->window[w].t < r->step[i + 1].began_ns))
            w++;
        s->n_windows = w - s->first_window;
    }
}

// ---- open, close ------------------------------------------------------------

static enum dh_status read_head(struct dh_recording *r, struct dh_diag *diag)
{
    struct dh_json *head = dh_session_header(r->reader, diag);
    r->screen = dh_session_info(r->reader)->screen;
    if (!head) {
        memset(diag, 0, sizeof *diag);
        return DH_OK; // cut short; what is there can be played
    }
    const struct dh_json *desktop = dh_json_find(head, "desktop");
    r->pointer = !strcmp(dh_json_text(dh_json_find(head, "kind")), "agent") ||
                 dh_json_find(head, "source");
    text_of(desktop, "locale", r->locale, sizeof r->locale);
    text_of(desktop, "theme", r->theme, sizeof r->theme);
    text_of(desktop, "font", r->font, sizeof r->font);
    r->dpi = whole(dh_json_find(head, "screen"), "dpi", 1, 10000);
    enum dh_status st = dh_session_params_read(head, &r->params, diag);
    dh_json_free(head);
    return st;
}

enum dh_status dh_recording_open(struct dh_recording **out, const char *dir,
                                 struct dh_diag *diag)
{
    struct dh_recording *r;
    dh_new(r);
    r->dir = dh_strdup(dir);
    enum dh_status st = dh_session_open(&r->reader, dir, diag);
    if (!st)
        st = read_head(r, diag);
    if (st) {
        dh_recording_close(r);
        return st;
    }
    read_acts(r);
    read_shots(r);
    read_others(r);
    drop_hints(r);
    share_windows(r);
    *out = r;
    return DH_OK;
}

void dh_recording_close(struct dh_recording *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->n_steps; i++) {
        dh_action_finish(&r->step[i].action);
        dh_free(r->step[i].broken);
        dh_free(r->step[i].say);
        dh_free(r->step[i].target);
    }
    for (size_t i = 0; i < DH_COUNTOF(r->kept); i++)
        dh_frame_unref(r->kept[i].frame);
    dh_session_params_finish(&r->params);
    dh_session_close(r->reader);
    dh_free(r->step);
    dh_free(r->window);
    dh_free(r->dir);
    dh_free(r);
}

// ---- pictures ---------------------------------------------------------------

struct dh_frame *dh_recording_frame(struct dh_recording *r, int number)
{
    size_t at = 0;
    for (size_t i = 0; i < DH_COUNTOF(r->kept); i++) {
        if (r->kept[i].frame && r->kept[i].number == number) {
            r->kept[i].used = ++r->uses;
            return dh_frame_ref(r->kept[i].frame);
        }
        if (r->kept[i].used < r->kept[at].used)
            at = i;
    }
    struct dh_diag diag = { 0 };
    struct dh_frame *f;
    if (number < 1 || dh_session_frame(r->reader, number, &f, &diag)) {
        if (number > 0)
            dh_warn("%s: picture %d: %s", r->dir, number, diag.text);
        return NULL;
    }
    dh_frame_unref(r->kept[at].frame);
    r->kept[at].frame = f;
    r->kept[at].number = number;
    r->kept[at].used = ++r->uses;
    return dh_frame_ref(f);
}

static struct dh_rect grown(struct dh_rect r, int dx, int dy,
                            const struct dh_frame *f)
{
    r = (struct dh_rect){ r.x - dx, r.y - dy, r.w + 2 * dx, r.h + 2 * dy };
    return dh_rect_intersect(r, (struct dh_rect){ 0, 0, f->width, f->height });
}

// What dh_target_find would have found in the picture alone.
static void make_target(struct dh_recording *r, struct dh_recorded_step *s)
{
    struct dh_recorded_target made = { .frame = s->before };
    struct dh_target *t = &made.t;
    struct dh_frame *f = dh_recording_frame(r, s->before);
    t->at = s->action.has_start ? s->action.start : s->action.at;
    bool inside =
        f && dh_rect_has((struct dh_rect){ 0, 0, f->width, f->height }, t->at);
    if (inside) {
        struct dh_rect point = { t->at.x, t->at.y, 1, 1 };
        if (dh_region_around(f, t->at, &t->rect))
            t->tight = grown(t->rect, 4, 4, f);
        else
            t->tight = grown(point, AROUND_PX, AROUND_PX, f);
        t->wide = grown(t->tight, t->tight.w, t->tight.h, f);
        t->n_crop = dh_region_count(f, t->tight, DH_TARGET_MANY);
    }
    if (s->say)
        snprintf(made.say, sizeof made.say, "%s", s->say);
    dh_frame_unref(f);
    add_target(s, &made);
}

struct dh_recorded_target *dh_recording_target(struct dh_recording *r,
                                               struct dh_recorded_step *s)
{
    bool points = s->action.has_at || s->action.has_start;
    if (!s->n_targets && points)
        make_target(r, s);
    return s->n_targets ? &s->target[0] : NULL;
}

// ---- windows ----------------------------------------------------------------

// `*` of a pattern is any text.
static bool fits_pattern(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

int dh_recorded_window_fits(const struct dh_window *recorded,
                            const char *pattern, const struct dh_window *now)
{
    bool has_class = recorded->wm_class[0] != '\0';
    if (has_class && strcmp(recorded->wm_class, now->wm_class) != 0)
        return 0;
    if (!strcmp(recorded->title, now->title))
        return 3;
    if (pattern[0] && fits_pattern(pattern, now->title))
        return 2;
    return has_class;
}

bool dh_recording_knows(const struct dh_recording *r, const struct dh_window *w)
{
    for (int i = 0; i < r->n_windows; i++)
        if (dh_recorded_window_fits(&r->window[i].window, r->window[i].pattern,
                                    w) >= 2)
            return true;
    for (int i = 0; i < r->n_steps; i++)
        for (int k = 0; k < r->step[i].n_targets; k++) {
            const struct dh_recorded_target *t = &r->step[i].target[k];
            if (t->t.window.id &&
                dh_recorded_window_fits(&t->t.window, t->pattern, w) >= 2)
                return true;
        }
    return false;
}

// ---- repairs ----------------------------------------------------------------

static enum dh_status write_picture(struct dh_recording *r,
                                    const struct dh_frame *frame)
{
    char name[40];
    snprintf(name, sizeof name, "frames/%06d.png", r->last_frame + 1);
    char *path = dh_path_join(r->dir, name);
    enum dh_status st = dh_png_write(path, frame);
    dh_free(path);
    if (!st)
        r->last_frame++;
    return st;
}

enum dh_status dh_recording_repair(struct dh_recording *r,
                                   struct dh_recorded_step *s,
                                   const struct dh_target *t,
                                   const struct dh_frame *frame)
{
    struct dh_buf line;
    struct dh_json_writer w;
    struct dh_recorded_target made = { .t = *t, .repaired = true };
    enum dh_status st = write_picture(r, frame);
    if (st)
        return st;
    dh_buf_init(&line, 1 << 20);
    dh_jw_init(&w, &line);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "n", r->last_n + 1);
    dh_jw_i64(&w, "t", r->last_t);
    dh_jw_text(&w, "k", "target");
    dh_jw_i64(&w, "act", s->n);
    dh_jw_text(&w, "by", "replay");
    dh_target_json(t, r->last_frame, &w);
    dh_jw_end_object(&w);
    st = dh_session_line_append(r->dir, &line);
    dh_buf_finish(&line);
    if (st)
        return st;
    r->last_n++;
    made.frame = r->last_frame;
    dh_target_pattern(t->window.title, made.pattern, sizeof made.pattern);
    if (s->n_targets)
        snprintf(made.say, sizeof made.say, "%s", s->target[0].say);
    add_target(s, &made);
    return DH_OK;
}
