#include <ctype.h>
#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/mem.h"

// What one call of some dialects asks for is several actions of ours.

static struct dh_action *next_action(struct dh_collector *c)
{
    if (c->answer->n == DH_ANSWER_MAX_ACTIONS)
        return NULL;
    struct dh_action *a = &c->answer->action[c->answer->n];
    memset(a, 0, sizeof *a);
    return a;
}

static void keep(struct dh_collector *c, struct dh_action *a, unsigned repairs)
{
    a->repairs |= repairs | c->repairs;
    a->confirm |= c->confirm;
    c->answer->n++;
}

static void add_key(struct dh_collector *c, const char *keys, int repeat,
                    unsigned repairs, bool confirm)
{
    struct dh_action *a = next_action(c);
    if (!a)
        return;
    a->op = DH_ACTION_KEY;
    a->text = dh_strdup(keys);
    a->duration_ms = -1;
    a->repeat = repeat;
    a->confirm = confirm;
    keep(c, a, repairs);
}

static bool is_true(const struct dh_json *args, const char *key, bool otherwise)
{
    const struct dh_json *v = dh_parse_member(args, key);
    if (!v || dh_json_kind(v) == DH_JSON_NULL)
        return otherwise;
    if (dh_json_kind(v) == DH_JSON_STRING)
        return dh_str_is_nocase(dh_str_of(dh_json_text(v)), "true");
    return dh_json_is_true(v) || dh_json_number(v) > 0;
}

static bool add_click(struct dh_collector *c, const struct dh_json *args,
                      unsigned repairs, bool confirm)
{
    struct dh_action *a = next_action(c);
    if (!a)
        return false;
    a->op = DH_ACTION_CLICK;
    a->button = a->count = a->repeat = 1;
    a->duration_ms = -1;
    if (!dh_parse_places(&c->how, args, a, c->diag)) {
        dh_action_finish(a);
        c->failed = true;
        return false;
    }
    a->confirm = confirm;
    keep(c, a, repairs);
    return true;
}

static bool is_named(struct dh_str name, const char *wanted)
{
    char clean[DH_PARSE_NAME_MAX];
    unsigned repairs = 0;
    dh_parse_clean_name(name, clean, &repairs);
    return strcmp(clean, wanted) == 0;
}

// pyautogui's list is a row of taps, not a chord.
static bool add_taps(struct dh_collector *c, const struct dh_json *args)
{
    const struct dh_json *list = dh_parse_member(args, "keys");
    double presses = 1;
    unsigned repairs = 0;
    if (c->how.dialect != DH_DIALECT_PYAUTOGUI || !list ||
        dh_json_kind(list) != DH_JSON_ARRAY)
        return false;
    if (!dh_parse_number(args, "presses", &presses, &repairs))
        presses = 1;
    for (const struct dh_json *v = dh_json_first(list); v; v = dh_json_next(v))
        if (dh_json_text(v)[0])
            add_key(c, dh_json_text(v), (int)DH_CLAMP(presses, 1.0, 100.0),
                    repairs, false);
    return c->answer->n > 0;
}

static bool add_one(struct dh_collector *c, struct dh_str tool,
                    const struct dh_json *args, unsigned repairs)
{
    struct dh_action *a = next_action(c);
    if (!a)
        return false;
    if (!dh_parse_call(&c->how, tool, args, a, c->diag)) {
        dh_action_finish(a);
        c->failed = true;
        return false;
    }
    keep(c, a, repairs);
    return true;
}

bool dh_parse_add(struct dh_collector *c, struct dh_str tool,
                  const struct dh_json *args, unsigned repairs)
{
    const struct dh_json *action = dh_parse_member(args, "action");
    struct dh_str name = action && dh_json_kind(action) == DH_JSON_STRING
                             ? dh_str_of(dh_json_text(action))
                             : tool;
    const struct dh_json *safety = dh_parse_member(args, "safety_decision");
    bool confirm = safety && dh_json_kind(safety) == DH_JSON_OBJECT;
    if (is_named(name, "press") && add_taps(c, args))
        return true;
    bool at = is_named(name, "type_text_at");
    if (at) {
        if (!add_click(c, args, repairs | DH_REPAIR_NAME, confirm))
            return false;
        if (is_true(args, "clear_before_typing", true)) {
            add_key(c, "ctrl+a", 1, repairs | DH_REPAIR_NAME, confirm);
            add_key(c, "Delete", 1, repairs | DH_REPAIR_NAME, confirm);
        }
    }
    int before = c->answer->n;
    if (!add_one(c, tool, args, repairs))
        return false;
    if (c->answer->action[before].op == DH_ACTION_TYPE &&
        is_true(args, "press_enter", false))
        add_key(c, "Return", 1, repairs, confirm);
    return true;
}
