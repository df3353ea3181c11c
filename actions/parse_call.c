#include <ctype.h>
#include <math.h>
#include <string.h>

#include "actions/keymap.h"
#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/mem.h"

struct verb {
    const char *name;
    enum dh_action_op op;
    int button, count;
    bool own; // M3's own name; others are another dialect's
};

static const struct verb verbs[] = {
    { "screenshot", DH_ACTION_SCREENSHOT, 0, 0, true },
    { "take_screenshot", DH_ACTION_SCREENSHOT, 0, 0, false },
    { "zoom", DH_ACTION_ZOOM, 0, 0, true },
    { "zoom_in", DH_ACTION_ZOOM, 0, 0, true },
    { "cursor_position", DH_ACTION_CURSOR, 0, 0, true },
    { "get_cursor_position", DH_ACTION_CURSOR, 0, 0, false },
    { "mouse_move", DH_ACTION_MOVE, 0, 0, true },
    { "move", DH_ACTION_MOVE, 0, 0, false },
    { "move_to", DH_ACTION_MOVE, 0, 0, false },
    { "moveto", DH_ACTION_MOVE, 0, 0, false },
    { "hover", DH_ACTION_MOVE, 0, 0, false },
    { "hover_at", DH_ACTION_MOVE, 0, 0, false },
    { "left_click", DH_ACTION_CLICK, 1, 1, true },
    { "click", DH_ACTION_CLICK, 1, 1, true },
    { "left_single", DH_ACTION_CLICK, 1, 1, false },
    { "click_at", DH_ACTION_CLICK, 1, 1, false },
    { "right_click", DH_ACTION_CLICK, 3, 1, true },
    { "right_single", DH_ACTION_CLICK, 3, 1, false },
    { "rightclick", DH_ACTION_CLICK, 3, 1, false },
    { "middle_click", DH_ACTION_CLICK, 2, 1, true },
    { "middleclick", DH_ACTION_CLICK, 2, 1, false },
    { "double_click", DH_ACTION_CLICK, 1, 2, true },
    { "doubleclick", DH_ACTION_CLICK, 1, 2, false },
    { "left_double", DH_ACTION_CLICK, 1, 2, false },
    { "triple_click", DH_ACTION_CLICK, 1, 3, true },
    { "tripleclick", DH_ACTION_CLICK, 1, 3, false },
    { "left_mouse_down", DH_ACTION_DOWN, 1, 1, true },
    { "mouse_down", DH_ACTION_DOWN, 1, 1, false },
    { "mousedown", DH_ACTION_DOWN, 1, 1, false },
    { "left_mouse_up", DH_ACTION_UP, 1, 1, true },
    { "mouse_up", DH_ACTION_UP, 1, 1, false },
    { "mouseup", DH_ACTION_UP, 1, 1, false },
    { "left_press", DH_ACTION_PRESS, 1, 1, true },
    { "long_press", DH_ACTION_PRESS, 1, 1, false },
    { "left_click_drag", DH_ACTION_DRAG, 1, 1, true },
    { "drag", DH_ACTION_DRAG, 1, 1, false },
    { "drag_to", DH_ACTION_DRAG, 1, 1, false },
    { "dragto", DH_ACTION_DRAG, 1, 1, false },
    { "drag_and_drop", DH_ACTION_DRAG, 1, 1, false },
    { "drag_mouse", DH_ACTION_DRAG, 1, 1, false },
    { "select", DH_ACTION_DRAG, 1, 1, false },
    { "swipe", DH_ACTION_DRAG, 1, 1, false },
    { "scroll", DH_ACTION_SCROLL, 0, 0, true },
    { "hscroll", DH_ACTION_SCROLL, 0, 0, false },
    { "scroll_at", DH_ACTION_SCROLL, 0, 0, false },
    { "scroll_document", DH_ACTION_SCROLL, 0, 0, false },
    { "type", DH_ACTION_TYPE, 0, 0, true },
    { "typing", DH_ACTION_TYPE, 0, 0, false },
    { "write", DH_ACTION_TYPE, 0, 0, false },
    { "typewrite", DH_ACTION_TYPE, 0, 0, false },
    { "input_text", DH_ACTION_TYPE, 0, 0, false },
    { "type_text", DH_ACTION_TYPE, 0, 0, false },
    { "type_text_at", DH_ACTION_TYPE, 0, 0, false },
    { "paste_text", DH_ACTION_TYPE, 0, 0, false },
    { "key", DH_ACTION_KEY, 0, 0, true },
    { "hotkey", DH_ACTION_KEY, 0, 0, false },
    { "keypress", DH_ACTION_KEY, 0, 0, false },
    { "press", DH_ACTION_KEY, 0, 0, false },
    { "press_key", DH_ACTION_KEY, 0, 0, false },
    { "key_combination", DH_ACTION_KEY, 0, 0, false },
    { "go_back", DH_ACTION_KEY, 0, 0, false },
    { "go_forward", DH_ACTION_KEY, 0, 0, false },
    { "hold_key", DH_ACTION_HOLD_KEY, 0, 0, true },
    { "key_down", DH_ACTION_KEY_DOWN, 0, 0, false },
    { "keydown", DH_ACTION_KEY_DOWN, 0, 0, false },
    { "key_up", DH_ACTION_KEY_UP, 0, 0, false },
    { "keyup", DH_ACTION_KEY_UP, 0, 0, false },
    { "release", DH_ACTION_KEY_UP, 0, 0, false },
    { "wait", DH_ACTION_WAIT, 0, 0, true },
    { "wait_5_seconds", DH_ACTION_WAIT, 0, 0, false },
    { "sleep", DH_ACTION_WAIT, 0, 0, false },
    { "answer", DH_ACTION_ANSWER, 0, 0, false },
    { "call_user", DH_ACTION_ASK, 0, 0, true },
    { "ask_user", DH_ACTION_ASK, 0, 0, false },
    { "needs_help", DH_ACTION_ASK, 0, 0, false },
    { "done", DH_ACTION_DONE, 0, 0, true },
    { "finished", DH_ACTION_DONE, 0, 0, false },
    { "terminate", DH_ACTION_DONE, 0, 0, true },
    { "set_task_status", DH_ACTION_DONE, 0, 0, false },
    { "fail", DH_ACTION_FAIL, 0, 0, true },
};

static const char *const refused[] = {
    "navigate", "search", "open_web_browser", "open_app", "launch_app",
};

// A space beside an underscore goes, any other becomes one. "key_ " loses both
// at its end, "left_" keeps its own and is not a name.
void dh_parse_clean_name(struct dh_str s, char out[DH_PARSE_NAME_MAX],
                         unsigned *repairs)
{
    static const char *const prefixes[] = { "computer.", "pyautogui.",
                                            "time." };
    size_t n = 0;
    for (size_t i = 0; i < DH_COUNTOF(prefixes); i++)
        if (dh_str_starts(s, prefixes[i]))
            s = dh_str_sub(s, strlen(prefixes[i]), s.n);
    for (size_t i = 0; i < s.n && n + 2 < DH_PARSE_NAME_MAX; i++) {
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

const struct dh_json *dh_parse_member(const struct dh_json *args,
                                      const char *key)
{
    const struct dh_json *v = dh_json_find(args, key);
    for (v = v ? NULL : dh_json_first(args); v; v = dh_json_next(v)) {
        char name[DH_PARSE_NAME_MAX];
        unsigned repairs = 0;
        dh_parse_clean_name(dh_str_of(dh_json_key(v)), name, &repairs);
        if (strcmp(name, key) == 0)
            return v;
    }
    return dh_json_find(args, key);
}

const struct dh_json *dh_parse_member_of(const struct dh_json *args,
                                         const char *const *keys)
{
    const struct dh_json *v = NULL;
    for (; *keys && !v; keys++)
        v = dh_parse_member(args, *keys);
    return v;
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

static char *keys_text(const struct dh_json *v)
{
    return v && dh_json_kind(v) == DH_JSON_ARRAY ? chord_of_list(v)
                                                 : text_of(v);
}

static bool seconds_of(const struct dh_json *args, struct dh_action *a,
                       double otherwise, struct dh_diag *diag)
{
    static const char *const keys[] = { "duration", "seconds", "time", NULL };
    const struct dh_json *v = dh_parse_member_of(args, keys);
    double s = otherwise, n[4];
    if (v && dh_json_kind(v) != DH_JSON_NULL) {
        if (dh_parse_numbers(v, n, &a->repairs) != 1 || !isfinite(n[0])) {
            dh_diag_set(diag, 0, "duration: seconds are expected");
            return false;
        }
        s = n[0];
    } else if (dh_parse_number(args, "ms", &s, &a->repairs)) {
        s /= 1000;
    }
    if (s > 1000) // milliseconds, by a model of another school
        s /= 1000;
    a->duration_ms = (int)(DH_CLAMP(s, 0.0, 60.0) * 1000 + 0.5);
    return true;
}

static bool keys_of(const char *name, const struct dh_json *args,
                    struct dh_action *a, struct dh_diag *diag)
{
    static const char *const keys[] = { "text", "keys", "key", NULL };
    double repeat;
    if (strcmp(name, "go_back") == 0 || strcmp(name, "go_forward") == 0)
        a->text = dh_strdup(strcmp(name, "go_back") ? "alt+Right" : "alt+Left");
    else
        a->text = keys_text(dh_parse_member_of(args, keys));
    if (dh_parse_number(args, "repeat", &repeat, &a->repairs) ||
        dh_parse_number(args, "presses", &repeat, &a->repairs))
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
    static const char *const keys[] = { "text", "key", "keys", "modifiers",
                                        NULL };
    char *text = keys_text(dh_parse_member_of(args, keys));
    bool ok = !text || !text[0] || dh_mods_parse(text, &a->mods);
    if (!ok)
        dh_diag_set(diag, 0, "%s: \"%.40s\" is not a modifier such as ctrl",
                    dh_action_name(a), text);
    dh_free(text);
    return ok;
}

// A button by name or X number; an absent one is the verb's.
static bool button_of(const struct dh_json *args, struct dh_action *a,
                      struct dh_diag *diag)
{
    static const struct {
        const char *name;
        int button;
    } names[] = { { "left", 1 },  { "primary", 1 }, { "middle", 2 },
                  { "wheel", 2 }, { "right", 3 },   { "secondary", 3 },
                  { "back", 8 },  { "forward", 9 } };
    const struct dh_json *v = dh_parse_member(args, "button");
    if (!v || dh_json_kind(v) == DH_JSON_NULL || !a->button)
        return true;
    for (size_t i = 0; i < DH_COUNTOF(names); i++)
        if (dh_str_is_nocase(dh_str_of(dh_json_text(v)), names[i].name)) {
            a->button = names[i].button;
            return true;
        }
    double n = dh_json_number(v);
    if (n == 1 || n == 2 || n == 3 || n == 8 || n == 9) {
        a->button = (int)n;
        return true;
    }
    dh_diag_set(diag, 0, "button: left, middle, right, back or forward");
    return false;
}

static void count_of(const struct dh_json *args, struct dh_action *a)
{
    static const char *const keys[] = { "clicks", "click_count", "clickcount",
                                        "num_clicks", NULL };
    double n[4];
    const struct dh_json *v = dh_parse_member_of(args, keys);
    if (a->op == DH_ACTION_CLICK && v &&
        dh_parse_numbers(v, n, &a->repairs) == 1)
        a->count = (int)DH_CLAMP(n[0], 1.0, 3.0);
}

static bool pointer_args(const struct dh_parse_how *how, const char *name,
                         const struct dh_json *args, struct dh_action *a,
                         struct dh_diag *diag)
{
    if (!dh_parse_places(how, args, a, diag) || !mods_of(args, a, diag) ||
        !button_of(args, a, diag))
        return false;
    count_of(args, a);
    if (a->op == DH_ACTION_SCROLL)
        return dh_parse_scroll(how, name, args, a, diag);
    if ((a->op == DH_ACTION_DRAG || a->op == DH_ACTION_MOVE) && !a->has_at) {
        dh_diag_set(diag, 0, "%s: coordinate is missing", dh_action_name(a));
        return false;
    }
    // pyautogui's dragTo says how long it takes.
    bool timed = a->op == DH_ACTION_DRAG && how &&
                 how->dialect == DH_DIALECT_PYAUTOGUI &&
                 dh_parse_member(args, "duration");
    return (a->op != DH_ACTION_PRESS && !timed) || seconds_of(args, a, 1, diag);
}

static bool has_word(const struct dh_json *args, const char *key,
                     const char *prefix)
{
    const struct dh_json *v = dh_parse_member(args, key);
    return v && dh_str_starts(dh_str_of(dh_json_text(v)), prefix);
}

static bool text_args(const char *name, const struct dh_json *args,
                      struct dh_action *a, struct dh_diag *diag)
{
    static const char *const keys[] = { "text",    "content",  "message",
                                        "summary", "question", NULL };
    a->text = text_of(dh_parse_member_of(args, keys));
    a->paste = strcmp(name, "paste_text") == 0;
    if (a->op == DH_ACTION_TYPE && !a->text) {
        dh_diag_set(diag, 0, "type: text is missing");
        return false;
    }
    if (a->op != DH_ACTION_DONE)
        return true;
    if (has_word(args, "status", "fail") || has_word(args, "status", "infeas"))
        a->op = DH_ACTION_FAIL;
    else if (has_word(args, "status", "needs_help"))
        a->op = DH_ACTION_ASK;
    return true;
}

static bool arguments(const struct dh_parse_how *how, const char *name,
                      const struct dh_json *args, struct dh_action *a,
                      struct dh_diag *diag)
{
    bool long_wait = strcmp(name, "wait_5_seconds") == 0 ||
                     (how && how->dialect == DH_DIALECT_UITARS);
    if (dh_action_is_pointer(a))
        return pointer_args(how, name, args, a, diag);
    if (a->op >= DH_ACTION_KEY && a->op <= DH_ACTION_KEY_UP)
        return keys_of(name, args, a, diag) &&
               (a->op != DH_ACTION_HOLD_KEY || seconds_of(args, a, 1, diag));
    if (a->op == DH_ACTION_WAIT)
        return seconds_of(args, a, long_wait ? 5 : 1, diag);
    if (a->op == DH_ACTION_ZOOM) {
        bool ok = dh_parse_places(how, args, a, diag);
        if (ok && !a->has_at) // closer to nothing is only another look
            a->op = DH_ACTION_SCREENSHOT;
        return ok;
    }
    return a->op < DH_ACTION_TYPE || text_args(name, args, a, diag);
}

static const struct verb *find_verb(const char *clean)
{
    for (size_t i = 0; i < DH_COUNTOF(verbs); i++)
        if (strcmp(clean, verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

bool dh_parse_is_verb(struct dh_str name)
{
    char clean[DH_PARSE_NAME_MAX];
    unsigned repairs = 0;
    dh_parse_clean_name(name, clean, &repairs);
    for (size_t i = 0; i < DH_COUNTOF(refused); i++)
        if (strcmp(clean, refused[i]) == 0)
            return true;
    return find_verb(clean) != NULL;
}

// The tool's own name may be the action, or a member says it, for which some
// write "type"; that is an argument's name elsewhere.
static struct dh_str action_name(struct dh_str tool, const struct dh_json *args,
                                 unsigned *repairs)
{
    static const char *const keys[] = { "action", "action_type", NULL };
    const struct dh_json *v = dh_parse_member_of(args, keys);
    if (v && dh_json_kind(v) == DH_JSON_STRING)
        return dh_str_of(dh_json_text(v));
    v = dh_parse_member(args, "type");
    if (dh_parse_is_verb(tool) || !v || dh_json_kind(v) != DH_JSON_STRING)
        return tool;
    *repairs |= DH_REPAIR_NAME;
    return dh_str_of(dh_json_text(v));
}

static void say_unknown(struct dh_str name, const char *clean,
                        struct dh_diag *diag)
{
    for (size_t i = 0; i < DH_COUNTOF(refused); i++)
        if (strcmp(clean, refused[i]) == 0)
            dh_diag_set(diag, 0,
                        "%s: there is no launcher; open programs and pages "
                        "with the mouse and the keyboard",
                        clean);
    dh_diag_set(diag, 0,
                "no such action: \"%.*s\"; use left_click, double_click, "
                "right_click, type, key, scroll, wait, done ...",
                (int)DH_MIN(name.n, 40), name.p);
}

bool dh_parse_call(const struct dh_parse_how *how, struct dh_str tool,
                   const struct dh_json *args, struct dh_action *a,
                   struct dh_diag *diag)
{
    char clean[DH_PARSE_NAME_MAX];
    struct dh_str name = action_name(tool, args, &a->repairs);
    dh_parse_clean_name(name, clean, &a->repairs);
    // The one homonym: a tap for pyautogui, key down for UI-TARS.
    if (how && how->dialect == DH_DIALECT_UITARS && !strcmp(clean, "press"))
        memcpy(clean, "key_down", sizeof "key_down");
    const struct verb *v = find_verb(clean);
    if (!v) {
        say_unknown(name, clean, diag);
        return false;
    }
    if (!v->own)
        a->repairs |= DH_REPAIR_NAME;
    a->op = v->op;
    a->button = v->button;
    a->count = v->count;
    a->duration_ms = -1;
    a->repeat = 1;
    if (!arguments(how, clean, args, a, diag))
        return false;
    const struct dh_json *safety = dh_parse_member(args, "safety_decision");
    a->confirm = safety && dh_json_kind(safety) == DH_JSON_OBJECT;
    if (a->text && strlen(a->text) > DH_ACTION_TEXT_MAX) {
        dh_diag_set(diag, 0, "text: longer than %d bytes", DH_ACTION_TEXT_MAX);
        return false;
    }
    return true;
}
