#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "actions/keymap.h"
#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 48
#define RANGE          1000
#define RANGE_SLACK    5 // 1001..1005 are taken as 1000

struct verb {
    const char *name;
    enum dh_action_op op;
    int button, count;
    bool own; // M3's own name; others are another dialect's
};

static const struct verb verbs[] = {
    { "screenshot", DH_ACTION_SCREENSHOT, 0, 0, true },
    { "zoom", DH_ACTION_ZOOM, 0, 0, true },
    { "zoom_in", DH_ACTION_ZOOM, 0, 0, true },
    { "cursor_position", DH_ACTION_CURSOR, 0, 0, true },
    { "mouse_move", DH_ACTION_MOVE, 0, 0, true },
    { "move", DH_ACTION_MOVE, 0, 0, false },
    { "hover", DH_ACTION_MOVE, 0, 0, false },
    { "left_click", DH_ACTION_CLICK, 1, 1, true },
    { "click", DH_ACTION_CLICK, 1, 1, true },
    { "right_click", DH_ACTION_CLICK, 3, 1, true },
    { "middle_click", DH_ACTION_CLICK, 2, 1, true },
    { "double_click", DH_ACTION_CLICK, 1, 2, true },
    { "triple_click", DH_ACTION_CLICK, 1, 3, true },
    { "left_mouse_down", DH_ACTION_DOWN, 1, 1, true },
    { "left_mouse_up", DH_ACTION_UP, 1, 1, true },
    { "left_press", DH_ACTION_PRESS, 1, 1, true },
    { "left_click_drag", DH_ACTION_DRAG, 1, 1, true },
    { "drag", DH_ACTION_DRAG, 1, 1, false },
    { "scroll", DH_ACTION_SCROLL, 0, 0, true },
    { "type", DH_ACTION_TYPE, 0, 0, true },
    { "key", DH_ACTION_KEY, 0, 0, true },
    { "hotkey", DH_ACTION_KEY, 0, 0, false },
    { "keypress", DH_ACTION_KEY, 0, 0, false },
    { "hold_key", DH_ACTION_HOLD_KEY, 0, 0, true },
    { "wait", DH_ACTION_WAIT, 0, 0, true },
    { "answer", DH_ACTION_ANSWER, 0, 0, false },
    { "call_user", DH_ACTION_ASK, 0, 0, true },
    { "ask_user", DH_ACTION_ASK, 0, 0, false },
    { "done", DH_ACTION_DONE, 0, 0, true },
    { "finished", DH_ACTION_DONE, 0, 0, false },
    { "terminate", DH_ACTION_DONE, 0, 0, true },
    { "fail", DH_ACTION_FAIL, 0, 0, true },
};

// Lower case; a space beside an underscore goes, any other becomes one.
// "key_ " loses both at its end, "left_" keeps its own and is not a name.
static void clean_name(struct dh_str s, char out[NAME_MAX_BYTES],
                       unsigned *repairs)
{
    size_t n = 0;
    s = dh_str_starts(s, "computer.") ? dh_str_sub(s, 9, s.n) : s;
    for (size_t i = 0; i < s.n && n + 2 < NAME_MAX_BYTES; i++) {
        char c = (char)tolower((unsigned char)s.p[i]);
        bool space = c == ' ' || c == '-';
        if (!space) {
            out[n++] = c;
            continue;
        }
        bool last = i + 1 == s.n;
        if (last && n && out[n - 1] == '_')
            n--;
        else if (!last && n && out[n - 1] != '_' && s.p[i + 1] != '_')
            out[n++] = '_';
        *repairs |= DH_REPAIR_SPACE;
    }
    out[n] = 0;
    if (n > 5 && strcmp(out + n - 5, "_lick") == 0) {
        memcpy(out + n - 4, "click", 6);
        *repairs |= DH_REPAIR_LICK;
    }
}

// A member by its name, forgiving stray spaces and underscores ("text_ ").
static const struct dh_json *member(const struct dh_json *args, const char *key)
{
    const struct dh_json *v = dh_json_find(args, key);
    for (v = v ? NULL : dh_json_first(args); v; v = dh_json_next(v)) {
        char name[NAME_MAX_BYTES];
        unsigned repairs = 0;
        clean_name(dh_str_of(dh_json_key(v)), name, &repairs);
        if (strcmp(name, key) == 0)
            return v;
    }
    return dh_json_find(args, key);
}

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

static int numbers_of(const struct dh_json *v, double out[4], unsigned *repairs)
{
    int n = 0;
    switch (dh_json_kind(v)) {
    case DH_JSON_STRING:
        *repairs |= DH_REPAIR_NUMBER;
        return numbers_of_text(dh_str_of(dh_json_text(v)), out);
    case DH_JSON_OBJECT: {
        const struct dh_json *x = member(v, "x"), *y = member(v, "y");
        double one[4];
        if (!x || !y || numbers_of(x, one, repairs) != 1)
            return -1;
        out[0] = one[0];
        if (numbers_of(y, one, repairs) != 1)
            return -1;
        out[1] = one[0];
        *repairs |= DH_REPAIR_NUMBER;
        return 2;
    }
    case DH_JSON_ARRAY:
        for (v = dh_json_first(v); v; v = dh_json_next(v)) {
            double one[4];
            enum dh_json_kind kind = dh_json_kind(v);
            if (n == 4 || (kind != DH_JSON_NUMBER && kind != DH_JSON_STRING) ||
                numbers_of(v, one, repairs) != 1)
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

static bool axis(double v, int *out, unsigned *repairs)
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

// Absent is fine (*has stays false); present and wrong is not.
static bool point_of(const struct dh_json *args, const char *key, bool *has,
                     struct dh_point *out, struct dh_action *a,
                     struct dh_diag *diag)
{
    const struct dh_json *v = member(args, key);
    double n[4];
    if (!v || dh_json_kind(v) == DH_JSON_NULL)
        return true;
    int count = numbers_of(v, n, &a->repairs);
    if (count == 4) { // a box stands for its centre
        n[0] = (n[0] + n[2]) / 2;
        n[1] = (n[1] + n[3]) / 2;
    } else if (count != 2) {
        dh_diag_set(diag, 0, "%s: two integers from 0 to %d are expected", key,
                    RANGE);
        return false;
    }
    if (!axis(n[0], &out->x, &a->repairs) ||
        !axis(n[1], &out->y, &a->repairs)) {
        dh_diag_set(diag, 0, "%s: [%g,%g] is outside of 0 to %d", key, n[0],
                    n[1], RANGE);
        return false;
    }
    *has = true;
    return true;
}

static bool number_of(const struct dh_json *args, const char *key, double *out,
                      unsigned *repairs)
{
    const struct dh_json *v = member(args, key);
    double n[4];
    if (!v || numbers_of(v, n, repairs) != 1 || !isfinite(n[0]))
        return false;
    *out = n[0];
    return true;
}

static char *text_of(const struct dh_json *v)
{
    struct dh_buf out;
    if (!v || dh_json_kind(v) == DH_JSON_NULL)
        return NULL;
    if (dh_json_kind(v) == DH_JSON_STRING)
        return dh_strdup(dh_json_text(v));
    dh_buf_init(&out, DH_ACTION_TEXT_MAX);
    dh_json_print(v, &out);
    return dh_buf_take(&out);
}

// ["ctrl","c"] is one chord, ["Down","Return"] are two.
static char *chord_of_list(const struct dh_json *list)
{
    struct dh_buf out;
    dh_buf_init(&out, DH_ACTION_TEXT_MAX);
    const char *sep = "";
    for (const struct dh_json *v = dh_json_first(list); v;
         v = dh_json_next(v)) {
        const char *key = dh_json_text(v);
        dh_buf_printf(&out, "%s%s", sep, key);
        sep = dh_mod_of_name(dh_str_of(key)) ? "+" : " ";
    }
    return dh_buf_take(&out);
}

static bool seconds_of(const struct dh_json *args, struct dh_action *a,
                       double otherwise, struct dh_diag *diag)
{
    double s = otherwise;
    if (member(args, "duration") &&
        !number_of(args, "duration", &s, &a->repairs)) {
        dh_diag_set(diag, 0, "duration: seconds are expected");
        return false;
    }
    if (s > 1000) // milliseconds, by a model of another school
        s /= 1000;
    a->duration_ms = (int)(DH_CLAMP(s, 0.0, 60.0) * 1000 + 0.5);
    return true;
}

static bool scroll_of(const struct dh_json *args, struct dh_action *a,
                      struct dh_diag *diag)
{
    const struct dh_json *d = member(args, "scroll_direction");
    double n = 5;
    if (!d)
        d = member(args, "direction");
    if (member(args, "scroll_amount") &&
        !number_of(args, "scroll_amount", &n, &a->repairs)) {
        dh_diag_set(diag, 0, "scroll_amount: wheel notches are expected");
        return false;
    }
    int notches = (int)DH_CLAMP(n, 1.0, 50.0);
    struct dh_str dir = dh_str_of(d ? dh_json_text(d) : "");
    if (dh_str_is_nocase(dir, "up"))
        a->dy = -notches;
    else if (dh_str_is_nocase(dir, "down"))
        a->dy = notches;
    else if (dh_str_is_nocase(dir, "left"))
        a->dx = -notches;
    else if (dh_str_is_nocase(dir, "right"))
        a->dx = notches;
    else
        dh_diag_set(diag, 0, "scroll_direction: up, down, left or right");
    return a->dx || a->dy;
}

static bool keys_of(const struct dh_json *args, struct dh_action *a,
                    struct dh_diag *diag)
{
    const struct dh_json *v = member(args, "text");
    double repeat;
    if (!v)
        v = member(args, "keys");
    if (!v)
        v = member(args, "key");
    a->text =
        v && dh_json_kind(v) == DH_JSON_ARRAY ? chord_of_list(v) : text_of(v);
    if (number_of(args, "repeat", &repeat, &a->repairs))
        a->repeat = (int)DH_CLAMP(repeat, 1.0, 100.0);
    if (a->text && a->text[0])
        return true;
    dh_diag_set(diag, 0, "%s: text with the name of a key is expected",
                dh_action_name(a));
    return false;
}

static bool mods_of(const struct dh_json *args, struct dh_action *a,
                    struct dh_diag *diag)
{
    const struct dh_json *v = member(args, "text");
    if (!v)
        v = member(args, "key");
    if (!v || !dh_json_text(v)[0] || dh_mods_parse(dh_json_text(v), &a->mods))
        return true;
    dh_diag_set(diag, 0, "%s: \"%.40s\" is not a modifier such as ctrl",
                dh_action_name(a), dh_json_text(v));
    return false;
}

static bool pointer_args(const struct dh_json *args, struct dh_action *a,
                         struct dh_diag *diag)
{
    if (!point_of(args, "coordinate", &a->has_at, &a->at, a, diag) ||
        !point_of(args, "start_coordinate", &a->has_start, &a->start, a,
                  diag) ||
        !mods_of(args, a, diag))
        return false;
    if (a->op == DH_ACTION_SCROLL)
        return scroll_of(args, a, diag);
    if ((a->op == DH_ACTION_DRAG || a->op == DH_ACTION_MOVE) && !a->has_at) {
        dh_diag_set(diag, 0, "%s: coordinate is missing", dh_action_name(a));
        return false;
    }
    return a->op != DH_ACTION_PRESS || seconds_of(args, a, 1, diag);
}

static bool arguments(const struct dh_json *args, struct dh_action *a,
                      struct dh_diag *diag)
{
    if (dh_action_is_pointer(a))
        return pointer_args(args, a, diag);
    if (a->op == DH_ACTION_KEY || a->op == DH_ACTION_HOLD_KEY)
        return keys_of(args, a, diag) &&
               (a->op == DH_ACTION_KEY || seconds_of(args, a, 1, diag));
    if (a->op == DH_ACTION_WAIT)
        return seconds_of(args, a, 1, diag);
    if (a->op == DH_ACTION_ZOOM)
        return point_of(args, "coordinate", &a->has_at, &a->at, a, diag) &&
               point_of(args, "start_coordinate", &a->has_start, &a->start, a,
                        diag);
    a->text = text_of(member(args, "text"));
    if (a->op == DH_ACTION_TYPE && !a->text) {
        dh_diag_set(diag, 0, "type: text is missing");
        return false;
    }
    const struct dh_json *status = member(args, "status");
    if (a->op == DH_ACTION_DONE && status &&
        dh_str_starts(dh_str_of(dh_json_text(status)), "fail"))
        a->op = DH_ACTION_FAIL;
    return true;
}

static const struct verb *find_verb(struct dh_str name, unsigned *repairs)
{
    char clean[NAME_MAX_BYTES];
    clean_name(name, clean, repairs);
    for (size_t i = 0; i < DH_COUNTOF(verbs); i++)
        if (strcmp(clean, verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

bool dh_parse_call(struct dh_str tool, const struct dh_json *args,
                   struct dh_action *a, struct dh_diag *diag)
{
    const struct dh_json *action = member(args, "action");
    struct dh_str name = action ? dh_str_of(dh_json_text(action)) : tool;
    const struct verb *v = find_verb(name, &a->repairs);
    if (!v) {
        dh_diag_set(diag, 0,
                    "no such action: \"%.*s\"; use left_click, double_click, "
                    "right_click, type, key, scroll, wait, done ...",
                    (int)DH_MIN(name.n, 40), name.p);
        return false;
    }
    if (!v->own)
        a->repairs |= DH_REPAIR_NAME;
    a->op = v->op;
    a->button = v->button;
    a->count = v->count;
    a->duration_ms = -1;
    a->repeat = 1;
    if (!arguments(args, a, diag))
        return false;
    if (a->text && strlen(a->text) > DH_ACTION_TEXT_MAX) {
        dh_diag_set(diag, 0, "text: longer than %d bytes", DH_ACTION_TEXT_MAX);
        return false;
    }
    return true;
}
