#include "actions/action.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

void dh_action_finish(struct dh_action *a)
{
    dh_free(a->text);
    dh_free(a->path);
    memset(a, 0, sizeof *a);
}

void dh_action_copy(struct dh_action *out, const struct dh_action *a)
{
    *out = *a;
    out->text = a->text ? dh_strdup(a->text) : NULL;
    if (a->path) {
        dh_array(out->path, (size_t)a->n_path);
        memcpy(out->path, a->path, (size_t)a->n_path * sizeof *a->path);
    }
}

static bool point_equal(struct dh_point a, struct dh_point b)
{
    return a.x == b.x && a.y == b.y;
}

bool dh_action_equal(const struct dh_action *a, const struct dh_action *b)
{
    if (a->op != b->op || a->has_at != b->has_at ||
        a->has_start != b->has_start || a->on_screen != b->on_screen)
        return false;
    if (a->has_at && !point_equal(a->at, b->at))
        return false;
    if (a->has_start && !point_equal(a->start, b->start))
        return false;
    if (a->button != b->button || a->count != b->count || a->mods != b->mods ||
        a->dx != b->dx || a->dy != b->dy || a->repeat != b->repeat ||
        a->duration_ms != b->duration_ms)
        return false;
    if (a->n_path != b->n_path || a->paste != b->paste)
        return false;
    for (int i = 0; i < a->n_path; i++)
        if (!point_equal(a->path[i], b->path[i]))
            return false;
    return strcmp(a->text ? a->text : "", b->text ? b->text : "") == 0;
}

const char *dh_action_name(const struct dh_action *a)
{
    static const char *const names[DH_ACTION_COUNT] = {
        "screenshot",    "zoom",       "cursor_position",
        "mouse_move",    "left_click", "left_mouse_down",
        "left_mouse_up", "left_press", "left_click_drag",
        "scroll",        "type",       "key",
        "hold_key",      "key_down",   "key_up",
        "wait",          "answer",     "ask_user",
        "done",          "fail",
    };
    if (a->op == DH_ACTION_CLICK) {
        if (a->button == 2)
            return "middle_click";
        if (a->button == 3)
            return "right_click";
        if (a->count == 2)
            return "double_click";
        if (a->count == 3)
            return "triple_click";
    }
    return (unsigned)a->op < DH_ACTION_COUNT ? names[a->op] : "?";
}

bool dh_action_is_pointer(const struct dh_action *a)
{
    return a->op >= DH_ACTION_MOVE && a->op <= DH_ACTION_SCROLL;
}

bool dh_action_is_final(const struct dh_action *a)
{
    return a->op == DH_ACTION_DONE || a->op == DH_ACTION_FAIL ||
           a->op == DH_ACTION_ANSWER;
}

static const char *const mod_names[] = { "shift", "ctrl", "alt", "super",
                                         "altgr" };

static void put_mods(unsigned mods, struct dh_buf *out)
{
    const char *sep = "";
    for (size_t i = 0; i < DH_COUNTOF(mod_names); i++) {
        if (!(mods & 1u << i))
            continue;
        dh_buf_printf(out, "%s%s", sep, mod_names[i]);
        sep = "+";
    }
}

static const char *direction(const struct dh_action *a)
{
    if (a->dx)
        return a->dx < 0 ? "left" : "right";
    return a->dy < 0 ? "up" : "down";
}

static int notches(const struct dh_action *a)
{
    int n = a->dx ? a->dx : a->dy;
    return n < 0 ? -n : n;
}

static bool text_is_argument(const struct dh_action *a)
{
    return a->text && (a->op >= DH_ACTION_TYPE && a->op != DH_ACTION_WAIT);
}

void dh_action_text(const struct dh_action *a, struct dh_buf *out)
{
    dh_buf_puts(out, dh_action_name(a));
    if (a->has_start)
        dh_buf_printf(out, " %d %d", a->start.x, a->start.y);
    if (a->has_at)
        dh_buf_printf(out, " %d %d", a->at.x, a->at.y);
    if (a->op == DH_ACTION_SCROLL)
        dh_buf_printf(out, " %s %d", direction(a), notches(a));
    if (dh_action_is_pointer(a) && a->mods) {
        dh_buf_puts(out, " +");
        put_mods(a->mods, out);
    }
    if (text_is_argument(a)) {
        dh_buf_putc(out, ' ');
        dh_json_quote(out, dh_str_of(a->text));
    }
    if (a->duration_ms >= 0 &&
        (a->op == DH_ACTION_WAIT || a->op == DH_ACTION_HOLD_KEY ||
         a->op == DH_ACTION_PRESS))
        dh_buf_printf(out, " %g", a->duration_ms / 1000.0);
}

static void put_point(struct dh_json_writer *w, const char *key,
                      struct dh_point p)
{
    dh_jw_array(w, key);
    dh_jw_i64(w, NULL, p.x);
    dh_jw_i64(w, NULL, p.y);
    dh_jw_end_array(w);
}

static void put_path(const struct dh_action *a, struct dh_json_writer *w)
{
    dh_jw_array(w, "path");
    for (int i = 0; i < a->n_path; i++)
        put_point(w, NULL, a->path[i]);
    dh_jw_end_array(w);
}

static void mods_member(struct dh_json_writer *w, const char *key,
                        unsigned mods)
{
    struct dh_buf text;
    dh_buf_init(&text, 64);
    put_mods(mods, &text);
    dh_jw_text(w, key, dh_buf_text(&text));
    dh_buf_finish(&text);
}

void dh_action_json(const struct dh_action *a, struct dh_json_writer *w)
{
    dh_jw_text(w, "op", dh_action_name(a));
    if (dh_action_is_pointer(a) && a->op != DH_ACTION_MOVE &&
        a->op != DH_ACTION_SCROLL)
        dh_jw_i64(w, "btn", a->button);
    if (a->op == DH_ACTION_CLICK)
        dh_jw_i64(w, "count", a->count);
    if (a->has_at || a->has_start) {
        dh_jw_array(w, "p");
        if (a->has_start)
            put_point(w, NULL, a->start);
        if (a->has_at)
            put_point(w, NULL, a->at);
        dh_jw_end_array(w);
    }
    if (a->n_path)
        put_path(a, w);
    if (a->mods)
        mods_member(w, "mods", a->mods);
    if (a->op == DH_ACTION_SCROLL) {
        dh_jw_i64(w, "dx", a->dx);
        dh_jw_i64(w, "dy", a->dy);
    }
    if (text_is_argument(a)) {
        bool keys = a->op >= DH_ACTION_KEY && a->op <= DH_ACTION_KEY_UP;
        dh_jw_text(w, keys ? "keys" : "text", a->text);
    }
    if (a->duration_ms >= 0)
        dh_jw_i64(w, "ms", a->duration_ms);
    if (a->repeat > 1)
        dh_jw_i64(w, "repeat", a->repeat);
    if (a->paste)
        dh_jw_bool(w, "paste", true);
    if (a->confirm)
        dh_jw_bool(w, "confirm", true);
}

// Of zooming the two corners are one member.
static void points_arguments(const struct dh_action *a,
                             struct dh_json_writer *w)
{
    if (a->op == DH_ACTION_ZOOM && a->has_start) {
        dh_jw_array(w, "region");
        dh_jw_i64(w, NULL, a->start.x);
        dh_jw_i64(w, NULL, a->start.y);
        dh_jw_i64(w, NULL, a->at.x);
        dh_jw_i64(w, NULL, a->at.y);
        dh_jw_end_array(w);
        return;
    }
    if (a->n_path) {
        put_path(a, w);
        return;
    }
    if (a->has_start)
        put_point(w, "start_coordinate", a->start);
    if (a->has_at)
        put_point(w, "coordinate", a->at);
}

void dh_action_arguments(const struct dh_action *a, struct dh_json_writer *w)
{
    dh_jw_text(w, "action", dh_action_name(a));
    points_arguments(a, w);
    if (a->op == DH_ACTION_SCROLL) {
        dh_jw_text(w, "scroll_direction", direction(a));
        dh_jw_i64(w, "scroll_amount", notches(a));
    }
    if (dh_action_is_pointer(a) && a->mods)
        mods_member(w, "text", a->mods);
    if (text_is_argument(a))
        dh_jw_text(w, "text", a->text);
    if (a->duration_ms >= 0)
        dh_jw_double(w, "duration", a->duration_ms / 1000.0);
    if (a->repeat > 1)
        dh_jw_i64(w, "repeat", a->repeat);
}

void dh_action_repairs_text(unsigned repairs, struct dh_buf *out)
{
    static const char *const names[] = {
        "space",  "lick", "unterminated", "bare", "arguments", "xml",
        "number", "json", "clamp",        "name", "reasoning",
    };
    const char *sep = "";
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        if (!(repairs & 1u << i))
            continue;
        dh_buf_printf(out, "%s%s", sep, names[i]);
        sep = ",";
    }
}
