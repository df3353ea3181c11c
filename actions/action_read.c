#include <string.h>

#include "actions/action.h"
#include "actions/keymap.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"

// The name tells of clicks also the button and the count, which their own
// members say again.
static bool read_name(const char *name, struct dh_action *a)
{
    static const int buttons[] = { 1, 2, 3 };
    for (int op = 0; op < DH_ACTION_COUNT; op++)
        for (size_t b = 0; b < DH_COUNTOF(buttons); b++)
            for (int count = 1; count <= 3; count++) {
                struct dh_action is = { .op = (enum dh_action_op)op,
                                        .button = buttons[b],
                                        .count = count };
                if (strcmp(dh_action_name(&is), name) != 0)
                    continue;
                a->op = is.op;
                bool click = is.op == DH_ACTION_CLICK;
                bool pointer =
                    is.op >= DH_ACTION_DOWN && is.op <= DH_ACTION_DRAG;
                a->button = click ? is.button : pointer ? 1 : 0;
                a->count = click ? is.count : pointer ? 1 : 0;
                return true;
            }
    return false;
}

static bool read_int(const struct dh_json *o, const char *key, int lo, int hi,
                     int *out, struct dh_diag *why)
{
    int64_t v;
    if (!dh_json_find(o, key))
        return true;
    if (!dh_json_get_i64(o, key, lo, hi, &v, why))
        return false;
    *out = (int)v;
    return true;
}

static bool read_point(const struct dh_json *v, struct dh_point *out)
{
    const struct dh_json *x =
        v && dh_json_kind(v) == DH_JSON_ARRAY ? dh_json_first(v) : NULL;
    const struct dh_json *y = x ? dh_json_next(x) : NULL;
    if (!y || dh_json_next(y) || dh_json_kind(x) != DH_JSON_NUMBER ||
        dh_json_kind(y) != DH_JSON_NUMBER)
        return false;
    double px = dh_json_number(x), py = dh_json_number(y);
    if (!(px >= -32768 && px <= 32767 && py >= -32768 && py <= 32767))
        return false;
    *out = (struct dh_point){ (int)px, (int)py };
    return true;
}

static bool read_points(const struct dh_json *o, struct dh_action *a)
{
    const struct dh_json *list = dh_json_find(o, "p");
    size_t n = list ? dh_json_count(list) : 0;
    if (!list)
        return true;
    if (dh_json_kind(list) != DH_JSON_ARRAY || n < 1 || n > 2)
        return false;
    const struct dh_json *last = dh_json_first(list);
    a->has_at = true;
    a->has_start = n == 2;
    if (a->has_start) {
        if (!read_point(last, &a->start))
            return false;
        last = dh_json_next(last);
    }
    return read_point(last, &a->at);
}

static bool read_path(const struct dh_json *o, struct dh_action *a)
{
    const struct dh_json *list = dh_json_find(o, "path");
    size_t n = list ? dh_json_count(list) : 0;
    if (!list)
        return true;
    if (dh_json_kind(list) != DH_JSON_ARRAY || n < 2 || n > DH_ACTION_PATH_MAX)
        return false;
    dh_array(a->path, n);
    for (const struct dh_json *v = dh_json_first(list); v; v = dh_json_next(v))
        if (!read_point(v, &a->path[a->n_path++]))
            return false;
    return true;
}

// Older lines have a list.
static bool read_mods(const struct dh_json *o, struct dh_action *a)
{
    const struct dh_json *v = dh_json_find(o, "mods");
    if (!v)
        return true;
    if (dh_json_kind(v) == DH_JSON_STRING)
        return dh_mods_parse(dh_json_text(v), &a->mods);
    for (v = dh_json_first(v); v; v = dh_json_next(v)) {
        unsigned mod = dh_mod_of_name(dh_str_of(dh_json_text(v)));
        if (!mod)
            return false;
        a->mods |= mod;
    }
    return true;
}

static bool read_text(const struct dh_json *o, struct dh_action *a)
{
    const struct dh_json *v = dh_json_find(o, "keys");
    if (!v)
        v = dh_json_find(o, "text");
    if (!v || dh_json_kind(v) == DH_JSON_NULL)
        return true;
    if (dh_json_kind(v) != DH_JSON_STRING ||
        strlen(dh_json_text(v)) > DH_ACTION_TEXT_MAX)
        return false;
    a->text = dh_strdup(dh_json_text(v));
    return true;
}

static bool read_numbers(const struct dh_json *o, struct dh_action *a,
                         struct dh_diag *why)
{
    return read_int(o, "btn", 1, 9, &a->button, why) &&
           read_int(o, "count", 1, 3, &a->count, why) &&
           read_int(o, "dx", -1000, 1000, &a->dx, why) &&
           read_int(o, "dy", -1000, 1000, &a->dy, why) &&
           read_int(o, "ms", 0, 3600 * 1000, &a->duration_ms, why) &&
           read_int(o, "repeat", 1, 100, &a->repeat, why);
}

// What the action cannot do without.
static bool is_whole(const struct dh_action *a, struct dh_diag *why)
{
    const char *lacks = NULL;
    bool types = a->op >= DH_ACTION_TYPE && a->op <= DH_ACTION_KEY_UP;
    if (types && !a->text)
        lacks = a->op == DH_ACTION_TYPE ? "text" : "keys";
    else if ((a->op == DH_ACTION_MOVE || a->op == DH_ACTION_DRAG) && !a->has_at)
        lacks = "p";
    else if (a->op == DH_ACTION_SCROLL && !a->dx && !a->dy)
        lacks = "dy";
    if (lacks)
        dh_diag_set(why, 0, "%s: %s is missing", dh_action_name(a), lacks);
    return !lacks;
}

bool dh_action_of_json(const struct dh_json *o, struct dh_action *out,
                       struct dh_diag *why)
{
    const char *op = dh_json_text(dh_json_find(o, "op")), *bad = NULL;
    memset(out, 0, sizeof *out);
    out->duration_ms = -1;
    out->repeat = 1;
    out->on_screen = true;
    if (!read_name(op, out))
        dh_diag_set(why, 0, "op: \"%.40s\" is no action", op);
    else if (!read_points(o, out))
        bad = "p: one or two points are expected";
    else if (!read_path(o, out))
        bad = "path: 2 to 64 points are expected";
    else if (!read_mods(o, out))
        bad = "mods: names of modifiers are expected";
    else if (!read_text(o, out))
        bad = "text: a text is expected";
    else if (read_numbers(o, out, why) && is_whole(out, why)) {
        out->paste = dh_json_is_true(dh_json_find(o, "paste"));
        out->confirm = dh_json_is_true(dh_json_find(o, "confirm"));
        return true;
    }
    if (bad)
        dh_diag_set(why, 0, "%s", bad);
    dh_action_finish(out);
    return false;
}
