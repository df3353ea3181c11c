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
// Pixels from a label to what it names.
#define LABEL_GAP 64

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
    dh_jw_array(&j, "box");
    dh_jw_i64(&j, NULL, n.rect.x);
    dh_jw_i64(&j, NULL, n.rect.y);
    dh_jw_i64(&j, NULL, n.rect.w);
    dh_jw_i64(&j, NULL, n.rect.h);
    dh_jw_end_array(&j);
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
    // Menus pad their names.
    struct dh_str got =
        dh_str_trim(dh_str_of(dh_json_text(dh_json_find(node, key))));
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

static struct dh_rect box_of(const struct dh_json *node)
{
    int v[4] = { 0 }, i = 0;
    const struct dh_json *n = dh_json_first(dh_json_find(node, "box"));
    for (; n && i < 4; n = dh_json_next(n))
        v[i++] = (int)DH_CLAMP(dh_json_number(n), -1e6, 1e6);
    return (struct dh_rect){ v[0], v[1], v[2], v[3] };
}

// The next line, NULL where it is none of a tree; at its end *at is tree.n.
static struct dh_json *next_node(struct dh_str tree, size_t *at)
{
    ptrdiff_t end = dh_str_find(tree, "\n", *at);
    size_t from = *at, to = end < 0 ? tree.n : (size_t)end;
    struct dh_diag diag = { 0 };
    *at = DH_MIN(to + 1, tree.n);
    return dh_json_parse(tree.p + from, to - from, &diag);
}

// In its row at the left, or right above it.
static bool is_beside(struct dh_rect label, struct dh_rect r)
{
    int middle = label.y + label.h / 2, right = label.x + label.w;
    int below = r.y - label.y - label.h;
    if (dh_rect_is_empty(label) || dh_rect_is_empty(r))
        return false;
    return (middle >= r.y && middle < r.y + r.h && right <= r.x + 4 &&
            r.x - right < LABEL_GAP) ||
           (below >= -4 && below < LABEL_GAP / 4 && label.x <= r.x + 24 &&
            right > r.x);
}

// Few programs tell which label belongs to which widget.
static bool has_label(struct dh_str tree, const struct dh_json *node,
                      const char *text)
{
    bool found = false;
    for (size_t at = 0; at < tree.n && !found;) {
        struct dh_json *n = next_node(tree, &at);
        found = strcmp(dh_json_text(dh_json_find(n, "role")), "label") == 0 &&
                dh_str_is(dh_str_trim(
                              dh_str_of(dh_json_text(dh_json_find(n, "name")))),
                          text) &&
                is_beside(box_of(n), box_of(node));
        dh_json_free(n);
    }
    return found;
}

static bool is_part(struct dh_str tree, const struct dh_json *node,
                    const struct dh_json *part, bool ignore_case)
{
    const struct dh_json *label = dh_json_find(part, "label");
    const struct dh_json *state = dh_json_find(part, "state");
    const char *states = dh_json_text(dh_json_find(node, "states"));
    if (!is_text(node, part, "role", ignore_case) ||
        !is_text(node, part, "name", ignore_case) ||
        !is_text(node, part, "text", ignore_case))
        return false;
    if (state && dh_json_kind(state) != DH_JSON_ARRAY &&
        !is_state(states, state))
        return false;
    for (state = dh_json_first(state); state; state = dh_json_next(state))
        if (!is_state(states, state))
            return false;
    return !label || has_label(tree, node, dh_json_text(label));
}

static const struct dh_json *part_of(const struct dh_json *path, int i)
{
    for (path = dh_json_first(path); path && i; i--)
        path = dh_json_next(path);
    return path;
}

// box NULL: it need not have a place.
static bool find(struct dh_str tree, const struct dh_json *path,
                 bool ignore_case, struct dh_rect *box)
{
    // Parts that a widget and those around it have met. The outermost that does
    // for a part leaves the most for the others.
    int met[DH_A11Y_MAX_DEPTH + 2] = { 0 };
    int n = (int)dh_json_count(path);
    bool found = false;
    for (size_t at = 0; at < tree.n && !found;) {
        struct dh_json *node = next_node(tree, &at);
        double depth = dh_json_number(dh_json_find(node, "depth"));
        if (depth >= 1 && depth <= DH_A11Y_MAX_DEPTH + 1) {
            int d = (int)depth, before = met[d - 1];
            met[d] = before +
                     is_part(tree, node, part_of(path, before), ignore_case);
            found = met[d] == n;
            if (found && box) {
                *box = box_of(node);
                // Rows that are scrolled away are somewhere else.
                found = !dh_rect_is_empty(*box) && box->x >= 0 && box->y >= 0;
            }
            // What is in it is not it again.
            met[d] = DH_MIN(met[d], n - 1);
        }
        dh_json_free(node);
    }
    return found;
}

bool dh_a11y_tree_has(struct dh_str tree, const struct dh_json *path,
                      bool ignore_case)
{
    return find(tree, path, ignore_case, NULL);
}

bool dh_a11y_tree_find(struct dh_str tree, const struct dh_json *path,
                       struct dh_rect *box)
{
    return find(tree, path, false, box);
}
