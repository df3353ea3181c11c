#include "agent/target.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "vision/region.h"

#define TIGHT_PX  4
#define AROUND_PX 24

// ---- titles -----------------------------------------------------------------

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

// "report.txt", "~/a/b", "v1.2": a path, or a dot before a letter or digit.
static bool is_file(const char *word, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (word[i] == '/')
            return true;
        if (word[i] == '.' && i > 0 && i + 1 < n &&
            (is_letter(word[i + 1]) || is_digit(word[i + 1])))
            return true;
    }
    return false;
}

static void put_char(char *out, int size, int *len, char c)
{
    if (c == '*' && *len > 0 && out[*len - 1] == '*')
        return;
    if (*len < size - 1)
        out[(*len)++] = c;
    out[*len] = '\0';
}

static void put_word(const char *word, size_t n, char *out, int size, int *len)
{
    if (is_file(word, n)) {
        put_char(out, size, len, '*');
        return;
    }
    for (size_t i = 0; i < n; i++)
        put_char(out, size, len, is_digit(word[i]) ? '*' : word[i]);
}

void dh_target_pattern(const char *title, char *out, int size)
{
    int len = 0;
    out[0] = '\0';
    while (*title) {
        size_t n = 0;
        while (title[n] && !is_space(title[n]))
            n++;
        put_word(title, n, out, size, &len);
        title += n;
        while (is_space(*title))
            put_char(out, size, &len, *title++);
    }
}

// ---- finding ----------------------------------------------------------------

static void miss(struct dh_target *t, const char *what)
{
    size_t n = strlen(t->missing);
    snprintf(t->missing + n, sizeof t->missing - n, "%s%s", n ? ", " : "",
             what);
}

static struct dh_rect grow(struct dh_rect r, int dx, int dy)
{
    return (struct dh_rect){ r.x - dx, r.y - dy, r.w + 2 * dx, r.h + 2 * dy };
}

static bool is_sane(struct dh_rect r, struct dh_point at, struct dh_rect screen)
{
    return r.w > 1 && r.h > 1 && dh_rect_has(r, at) &&
           (int64_t)r.w * r.h < (int64_t)screen.w * screen.h;
}

// The picture's own pixels, and back to those of the screen.
static bool find_region(const struct dh_frame *f, struct dh_point at,
                        struct dh_rect *out)
{
    struct dh_point in = { at.x - f->screen.x, at.y - f->screen.y };
    if (!dh_rect_has((struct dh_rect){ 0, 0, f->width, f->height }, in) ||
        !dh_region_around(f, in, out))
        return false;
    out->x += f->screen.x;
    out->y += f->screen.y;
    return true;
}

// Where no element is known, what lies around the point is better than nothing.
static void find_crops(struct dh_target *t, const struct dh_frame *f)
{
    struct dh_rect screen = { f->screen.x, f->screen.y, f->width, f->height };
    struct dh_rect point = { t->at.x, t->at.y, 1, 1 };
    if (dh_rect_is_empty(t->rect))
        t->tight = grow(point, AROUND_PX, AROUND_PX);
    else
        t->tight = grow(t->rect, TIGHT_PX, TIGHT_PX);
    t->tight = dh_rect_intersect(t->tight, screen);
    t->wide = dh_rect_intersect(grow(t->tight, t->tight.w, t->tight.h), screen);
    struct dh_rect in = t->tight;
    in.x -= f->screen.x;
    in.y -= f->screen.y;
    t->n_crop = dh_region_count(f, in, DH_TARGET_MANY);
}

// Where a menu is open, many programs tell of what lies below it.
static bool is_below_menu(const struct dh_target *t)
{
    struct dh_rect in = dh_rect_intersect(t->node.rect, t->window.box);
    return t->window.menu && (in.w < t->node.rect.w || in.h < t->node.rect.h);
}

void dh_target_find(struct dh_target *t, const struct dh_frame *frame,
                    struct dh_point at, const struct dh_window *window,
                    struct dh_a11y *a11y)
{
    memset(t, 0, sizeof *t);
    t->at = at;
    t->window = *window;
    t->has_node =
        window->id && dh_a11y_place(a11y, window->pid, at, &t->node, &t->place);
    if (!t->has_node)
        miss(t, a11y ? "node: the program tells of none there"
                     : "node: no accessibility bus");
    if (t->has_node && is_below_menu(t)) {
        t->has_node = false;
        memset(&t->node, 0, sizeof t->node);
        memset(&t->place, 0, sizeof t->place);
        miss(t, "node: the program tells of what is below its menu");
    }
    if (!frame) {
        miss(t, "crop: no picture");
        return;
    }
    if (t->has_node && is_sane(t->node.rect, at, frame->screen))
        t->rect = t->node.rect;
    else if (!find_region(frame, at, &t->rect))
        miss(t, "rect: nothing stands out there");
    if (dh_rect_has(frame->screen, at))
        find_crops(t, frame);
}

void dh_target_hide(struct dh_target *t, struct dh_point at)
{
    memset(t, 0, sizeof *t);
    t->at = at;
    miss(t, "all: the window is excluded");
}

const char *dh_target_doubt(const struct dh_target *t)
{
    bool by_node = t->has_node && t->place.equal == 1 && t->node.name[0];
    if (by_node || t->n_crop == 1)
        return NULL;
    if (t->n_crop > 1)
        return "it looks the same as another place";
    return "nothing tells it apart but its place";
}

// ---- writing ----------------------------------------------------------------

static void put_rect(struct dh_json_writer *w, const char *key,
                     struct dh_rect r)
{
    dh_jw_object(w, key);
    dh_jw_i64(w, "x", r.x);
    dh_jw_i64(w, "y", r.y);
    dh_jw_i64(w, "w", r.w);
    dh_jw_i64(w, "h", r.h);
    dh_jw_end_object(w);
}

static void put_pair(struct dh_json_writer *w, const char *key, int x, int y)
{
    dh_jw_array(w, key);
    dh_jw_i64(w, NULL, x);
    dh_jw_i64(w, NULL, y);
    dh_jw_end_array(w);
}

static void put_window(struct dh_json_writer *w, const struct dh_window *win)
{
    char pattern[sizeof win->title];
    dh_target_pattern(win->title, pattern, sizeof pattern);
    dh_jw_object(w, "window");
    dh_jw_i64(w, "id", (int64_t)win->id);
    dh_jw_text(w, "class", win->wm_class);
    dh_jw_text(w, "title", win->title);
    dh_jw_text(w, "title_pattern", pattern);
    dh_jw_text(w, "program", win->program);
    dh_jw_i64(w, "x", win->box.x);
    dh_jw_i64(w, "y", win->box.y);
    dh_jw_i64(w, "w", win->box.w);
    dh_jw_i64(w, "h", win->box.h);
    if (win->menu)
        dh_jw_bool(w, "menu", true);
    dh_jw_end_object(w);
}

static void put_node(struct dh_json_writer *w, const struct dh_target *t)
{
    dh_jw_object(w, "node");
    dh_jw_text(w, "role", t->node.role);
    dh_jw_text(w, "name", t->node.name);
    if (t->place.description[0])
        dh_jw_text(w, "description", t->place.description);
    dh_jw_text(w, "path", t->place.path);
    dh_jw_text(w, "states", t->place.states);
    if (t->place.equal)
        dh_jw_i64(w, "index_among_equal", t->place.index);
    dh_jw_end_object(w);
    if (t->node.text[0])
        dh_jw_text(w, "text", t->node.text);
}

static const char *side_of(const struct dh_a11y_label *l)
{
    if ((l->dx < 0 ? -l->dx : l->dx) > 2 * (l->dy < 0 ? -l->dy : l->dy))
        return l->dx < 0 ? "left" : "right";
    return l->dy < 0 ? "above" : "below";
}

static void put_labels(struct dh_json_writer *w, const struct dh_a11y_place *p)
{
    dh_jw_array(w, "labels");
    for (int i = 0; i < p->n_labels; i++) {
        dh_jw_object(w, NULL);
        dh_jw_text(w, "text", p->label[i].text);
        put_pair(w, "offset", p->label[i].dx, p->label[i].dy);
        dh_jw_text(w, "side", side_of(&p->label[i]));
        dh_jw_end_object(w);
    }
    dh_jw_end_array(w);
}

static void put_crop(struct dh_json_writer *w, const char *key, int number,
                     struct dh_rect r)
{
    dh_jw_object(w, key);
    dh_jw_i64(w, "frame", number);
    put_rect(w, "rect", r);
    dh_jw_end_object(w);
}

static void put_picture(struct dh_json_writer *w, const struct dh_target *t,
                        int number)
{
    if (!dh_rect_is_empty(t->rect)) {
        put_rect(w, "rect", t->rect);
        put_pair(w, "point", t->at.x - t->rect.x, t->at.y - t->rect.y);
    }
    dh_jw_object(w, "crop");
    put_crop(w, "tight", number, t->tight);
    put_crop(w, "wide", number, t->wide);
    dh_jw_end_object(w);
}

void dh_target_json(const struct dh_target *t, int number,
                    struct dh_json_writer *w)
{
    dh_jw_object(w, "target");
    if (!dh_rect_is_empty(t->tight))
        put_picture(w, t, number);
    if (t->window.id)
        put_window(w, &t->window);
    if (t->has_node)
        put_node(w, t);
    if (t->place.n_labels)
        put_labels(w, &t->place);
    dh_jw_object(w, "unique");
    if (t->place.equal)
        dh_jw_i64(w, "node", t->place.equal);
    if (t->n_crop)
        dh_jw_i64(w, "crop", t->n_crop);
    dh_jw_end_object(w);
    if (t->missing[0])
        dh_jw_text(w, "missing", t->missing);
    dh_jw_end_object(w);
}
