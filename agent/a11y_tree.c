#include "agent/a11y_tree.h"

#include <string.h>

#include "agent/a11y_priv.h"
#include "agent/late_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

// A call to a program that hangs.
#define CALL_MS   2000
#define MAX_NODES 20000

// ---- reading it ----

struct walk {
    int64_t until_ns;
    int nodes;
    enum dh_status st; // what ended it
    struct dh_buf *out;
};

static void put_node(struct walk *w, AtspiAccessible *a, AtspiStateSet *set,
                     int depth)
{
    struct dh_a11y_node n;
    struct dh_json_writer j;
    char states[128] = "";
    dh_a11y_read_node(a, &n);
    dh_a11y_put_states(set, DH_A11Y_STATES, states, sizeof states);
    dh_jw_init(&j, w->out);
    dh_jw_object(&j, NULL);
    dh_jw_i64(&j, "depth", depth);
    dh_jw_text(&j, "role", n.role);
    dh_jw_text(&j, "name", n.name);
    dh_jw_text(&j, "states", states);
    dh_jw_text(&j, "text", n.text);
    dh_jw_end_object(&j);
    dh_buf_putc(w->out, '\n');
}

static void walk_below(struct walk *w, AtspiAccessible *a, int depth)
{
    int n = atspi_accessible_get_child_count(a, NULL);
    for (int i = 0; i < n && !w->st; i++) {
        AtspiAccessible *in = atspi_accessible_get_child_at_index(a, i, NULL);
        AtspiStateSet *set = in ? atspi_accessible_get_state_set(in) : NULL;
        if (++w->nodes > MAX_NODES || w->out->overflow ||
            depth > DH_A11Y_MAX_DEPTH)
            w->st = DH_ERR_RANGE;
        else if (dh_now_ns() > w->until_ns)
            w->st = DH_ERR_TIMEOUT;
        else if (set && atspi_state_set_contains(set, ATSPI_STATE_SHOWING)) {
            put_node(w, in, set, depth);
            walk_below(w, in, depth + 1);
        }
        if (set)
            g_object_unref(set);
        if (in)
            g_object_unref(in);
    }
}

enum dh_status dh_a11y_tree(int64_t until_ns, struct dh_buf *out)
{
    struct walk w = { .until_ns = until_ns, .out = out };
    enum dh_status st = dh_late_load(&dh_late_atspi);
    if (st)
        return st;
    AtspiAccessible *desktop = atspi_init() <= 1 ? atspi_get_desktop(0) : NULL;
    if (!desktop)
        return DH_ERR_IO;
    atspi_set_timeout(CALL_MS, CALL_MS);
    int n = atspi_accessible_get_child_count(desktop, NULL);
    for (int i = 0; i < n && !w.st; i++) {
        AtspiAccessible *app =
            atspi_accessible_get_child_at_index(desktop, i, NULL);
        if (!app)
            continue;
        walk_below(&w, app, 1);
        g_object_unref(app);
    }
    g_object_unref(desktop);
    return w.st;
}

// ---- looking into it ----

static bool is_text(const struct dh_json *node, const struct dh_json *part,
                    const char *key, bool ignore_case)
{
    const struct dh_json *want = dh_json_find(part, key);
    struct dh_str got = dh_str_of(dh_json_text(dh_json_find(node, key)));
    const char *text = dh_json_text(want);
    return !want ||
           (ignore_case ? dh_str_is_nocase(got, text) : dh_str_is(got, text));
}

static bool has_state(const char *states, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = states; *at;) {
        size_t len = strcspn(at, ",");
        if (len == n && memcmp(at, name, n) == 0)
            return true;
        at += len + (at[len] == ',');
    }
    return false;
}

static bool is_state(const char *states, const struct dh_json *name)
{
    const char *text = dh_json_text(name);
    bool absent = *text == '!';
    return has_state(states, text + absent) != absent;
}

static bool is_part(const struct dh_json *node, const struct dh_json *part,
                    bool ignore_case)
{
    const struct dh_json *state = dh_json_find(part, "state");
    const char *states = dh_json_text(dh_json_find(node, "states"));
    if (!is_text(node, part, "role", ignore_case) ||
        !is_text(node, part, "name", ignore_case) ||
        !is_text(node, part, "text", ignore_case))
        return false;
    if (dh_json_kind(state) != DH_JSON_ARRAY)
        return !state || is_state(states, state);
    for (state = dh_json_first(state); state; state = dh_json_next(state))
        if (!is_state(states, state))
            return false;
    return true;
}

static const struct dh_json *part_of(const struct dh_json *path, int i)
{
    for (path = dh_json_first(path); path && i; i--)
        path = dh_json_next(path);
    return path;
}

bool dh_a11y_tree_has(struct dh_str tree, const struct dh_json *path,
                      bool ignore_case)
{
    // Parts that a widget and those around it have met. The outermost that does
    // for a part leaves the most for the others.
    int met[DH_A11Y_MAX_DEPTH + 2] = { 0 };
    int n = (int)dh_json_count(path);
    bool found = false;
    for (size_t at = 0; at < tree.n && !found;) {
        ptrdiff_t end = dh_str_find(tree, "\n", at);
        size_t to = end < 0 ? tree.n : (size_t)end;
        struct dh_diag diag = { 0 };
        struct dh_json *node = dh_json_parse(tree.p + at, to - at, &diag);
        double depth = dh_json_number(dh_json_find(node, "depth"));
        at = to + 1;
        if (depth >= 1 && depth <= DH_A11Y_MAX_DEPTH + 1) {
            int d = (int)depth, before = met[d - 1];
            met[d] = before + is_part(node, part_of(path, before), ignore_case);
            found = met[d] == n;
        }
        dh_json_free(node);
    }
    return found;
}
