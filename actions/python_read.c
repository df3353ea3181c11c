#include "actions/python.h"

#include <string.h>

#include "actions/keymap.h"
#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/mem.h"

void dh_python_finish(struct dh_python_actions *a)
{
    for (int i = 0; i < a->n; i++)
        dh_action_finish(&a->item[i]);
    dh_free(a->item);
    memset(a, 0, sizeof *a);
}

// What it holds goes along.
static void put(struct dh_python_actions *list, struct dh_action *a)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 8;
        list->item =
            dh_resize_array(list->item, (size_t)list->cap, sizeof *list->item);
    }
    list->item[list->n++] = *a;
    memset(a, 0, sizeof *a);
}

// ---- what several calls are one action of -----------------------------------

/* A run of read actions. */
struct run {
    struct dh_action *a;
    int n;
};

static struct run after(struct run r, int n)
{
    return (struct run){ r.a + n, r.n - n };
}

static bool is_op(struct run r, int i, enum dh_action_op op)
{
    return i < r.n && r.a[i].op == op;
}

static bool same_point(const struct dh_action *a, const struct dh_action *b)
{
    return a->has_at == b->has_at &&
           (!a->has_at || (a->at.x == b->at.x && a->at.y == b->at.y));
}

// moveTo, dragTo.
static int fold_drag(struct run r, struct dh_action *out)
{
    if (!is_op(r, 0, DH_ACTION_MOVE) || !is_op(r, 1, DH_ACTION_DRAG) ||
        r.a[1].has_start || r.a[0].mods)
        return 0;
    dh_action_copy(out, &r.a[1]);
    out->has_start = true;
    out->start = r.a[0].at;
    return 2;
}

// mouseDown, moveTo ..., mouseUp is a drag, or with nothing but a pause a long
// press.
static int fold_button(struct run r, struct dh_action *out)
{
    struct dh_point path[DH_ACTION_PATH_MAX];
    int i = 1, n = 0, ms = -1;
    if (!is_op(r, 0, DH_ACTION_DOWN))
        return 0;
    if (r.a[0].has_at)
        path[n++] = r.a[0].at;
    for (; is_op(r, i, DH_ACTION_MOVE) || is_op(r, i, DH_ACTION_WAIT); i++) {
        if (r.a[i].op == DH_ACTION_WAIT)
            ms = DH_MAX(ms, 0) + r.a[i].duration_ms;
        else if (n < DH_ACTION_PATH_MAX - 1)
            path[n++] = r.a[i].at;
        else
            return 0;
    }
    if (!is_op(r, i, DH_ACTION_UP) || r.a[i].button != r.a[0].button)
        return 0;
    if (r.a[i].has_at)
        path[n++] = r.a[i].at;
    bool press = n == r.a[0].has_at && ms >= 0;
    if (!press && (!r.a[0].has_at || n < 2))
        return 0;
    dh_action_copy(out, &r.a[0]);
    out->op = press ? DH_ACTION_PRESS : DH_ACTION_DRAG;
    out->duration_ms = ms;
    if (press)
        return i + 1;
    out->has_start = true;
    out->start = path[0];
    out->at = path[n - 1];
    if (n > 2) {
        dh_array(out->path, (size_t)n);
        memcpy(out->path, path, (size_t)n * sizeof *path);
        out->n_path = n;
    }
    return i + 1;
}

// scroll, hscroll at one place.
static int fold_scroll(struct run r, struct dh_action *out)
{
    if (!is_op(r, 0, DH_ACTION_SCROLL) || !is_op(r, 1, DH_ACTION_SCROLL) ||
        r.a[0].dx || r.a[1].dy || !same_point(&r.a[0], &r.a[1]))
        return 0;
    dh_action_copy(out, &r.a[0]);
    out->dx = r.a[1].dx;
    return 2;
}

static int fold_pointer(struct run r, struct dh_action *out)
{
    int n = fold_drag(r, out);
    if (!n)
        n = fold_button(r, out);
    if (!n)
        n = fold_scroll(r, out);
    if (n || r.n < 1 || !dh_action_is_pointer(&r.a[0]))
        return n;
    dh_action_copy(out, &r.a[0]);
    return 1;
}

static int count_of(struct run r, enum dh_action_op op)
{
    int n = 0;
    while (is_op(r, n, op))
        n++;
    return n;
}

// The keys that went down come up in the opposite order.
static bool comes_up(struct run down, struct run up)
{
    if (up.n < down.n)
        return false;
    for (int i = 0; i < down.n; i++)
        if (!is_op(up, i, DH_ACTION_KEY_UP) ||
            strcmp(up.a[i].text, down.a[down.n - 1 - i].text) != 0)
            return false;
    return true;
}

static char *joined(struct run r, const char *sep)
{
    struct dh_buf text;
    dh_buf_init(&text, DH_ACTION_TEXT_MAX);
    for (int i = 0; i < r.n; i++)
        dh_buf_printf(&text, "%s%s", i ? sep : "", r.a[i].text);
    return dh_buf_take(&text);
}

// keyDown ..., one thing of the pointer, keyUp ...: it was done with them held.
static int fold_mods(struct run r, struct dh_action *out)
{
    int down = count_of(r, DH_ACTION_KEY_DOWN);
    unsigned mods = 0;
    for (int i = 0; i < down; i++) {
        unsigned mod = dh_mod_of_name(dh_str_of(r.a[i].text));
        if (!mod)
            return 0;
        mods |= mod;
    }
    int n = down ? fold_pointer(after(r, down), out) : 0;
    if (!n)
        return 0;
    if (!comes_up((struct run){ r.a, down }, after(r, down + n))) {
        dh_action_finish(out);
        return 0;
    }
    out->mods |= mods;
    return 2 * down + n;
}

// keyDown ..., a pause, keyUp ...
static int fold_hold(struct run r, struct dh_action *out)
{
    int down = count_of(r, DH_ACTION_KEY_DOWN);
    if (!down || !is_op(r, down, DH_ACTION_WAIT) ||
        !comes_up((struct run){ r.a, down }, after(r, down + 1)))
        return 0;
    dh_action_copy(out, &r.a[0]);
    out->op = DH_ACTION_HOLD_KEY;
    out->duration_ms = r.a[down].duration_ms;
    dh_free(out->text);
    out->text = joined((struct run){ r.a, down }, "+");
    return 2 * down + 1;
}

static bool is_row(struct run r, enum dh_action_op op)
{
    for (int i = 0; i < r.n; i++)
        if (r.a[i].op != op || r.a[i].repeat > 1)
            return false;
    return r.n > 1;
}

// The same chord again and again: hotkey has no count of its own.
static bool is_repeat(struct run r)
{
    for (int i = 1; i < r.n; i++)
        if (strcmp(r.a[i].text, r.a[0].text) != 0)
            return false;
    return strchr(r.a[0].text, '+') && r.n <= 100;
}

// Nothing but keys, one after another, is one row of them.
static int fold_row(struct run r, struct dh_action *out)
{
    static const struct {
        enum dh_action_op op;
        const char *sep;
    } rows[] = { { DH_ACTION_KEY, " " },
                 { DH_ACTION_KEY_DOWN, "+" },
                 { DH_ACTION_KEY_UP, "+" } };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        if (!is_row(r, rows[i].op))
            continue;
        dh_action_copy(out, &r.a[0]);
        if (rows[i].op == DH_ACTION_KEY && is_repeat(r)) {
            out->repeat = r.n;
            return r.n;
        }
        dh_free(out->text);
        out->text = joined(r, rows[i].sep);
        return r.n;
    }
    return 0;
}

static void fold(struct dh_python_actions *list)
{
    struct dh_python_actions out = { 0 };
    struct run r = { list->item, list->n };
    while (r.n) {
        struct dh_action a = { 0 };
        int n = out.n ? 0 : fold_row(r, &a);
        if (!n)
            n = fold_mods(r, &a);
        if (!n)
            n = fold_hold(r, &a);
        if (!n)
            n = fold_pointer(r, &a);
        if (!n) {
            dh_action_copy(&a, &r.a[0]);
            n = 1;
        }
        put(&out, &a);
        r = after(r, n);
    }
    dh_python_finish(list);
    *list = out;
}

// ---- statements -------------------------------------------------------------

static void name_keys(struct dh_action *a)
{
    struct dh_buf out;
    if (a->op < DH_ACTION_KEY || a->op > DH_ACTION_KEY_UP || !a->text)
        return;
    dh_buf_init(&out, DH_ACTION_TEXT_MAX);
    for (const char *p = a->text; *p;) {
        // A plus at the start of a key is that key.
        size_t n = 1 + strcspn(p + 1, "+ ");
        char *key = dh_strndup(p, n);
        dh_buf_puts(&out, dh_python_x_key(key));
        dh_free(key);
        p += n;
        if (*p)
            dh_buf_putc(&out, *p++);
    }
    dh_free(a->text);
    a->text = dh_buf_take(&out);
}

// Where the line ends, an end within quotes left out.
static size_t end_of_statement(struct dh_str s, size_t at)
{
    char quote = 0;
    for (; at < s.n; at++) {
        char c = s.p[at];
        if (quote && c == '\\')
            at++;
        else if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        else if (c == '\n')
            return at;
    }
    return s.n;
}

static bool says_nothing(struct dh_str line)
{
    return !line.n || line.p[0] == '#' || dh_str_starts(line, "import ") ||
           dh_str_starts(line, "from ");
}

static bool read_statement(const struct dh_parse_options *options,
                           struct dh_str line, struct dh_python_actions *out,
                           struct dh_diag *why)
{
    struct dh_answer answer;
    memset(&answer, 0, sizeof answer);
    struct dh_collector c = { .how = { .options = options },
                              .answer = &answer,
                              .diag = why };
    bool ok = dh_parse_pyautogui(&c, line) && !c.failed;
    if (!ok)
        dh_diag_set(why, 0, "a call of pyautogui is expected");
    for (int i = 0; i < answer.n; i++) {
        if (ok) {
            answer.action[i].on_screen = true;
            answer.action[i].repairs = 0;
            name_keys(&answer.action[i]);
            put(out, &answer.action[i]);
        } else {
            dh_action_finish(&answer.action[i]);
        }
    }
    dh_free(answer.step);
    return ok;
}

bool dh_python_read(const struct dh_parse_options *options, const char *code,
                    size_t len, struct dh_python_actions *out,
                    struct dh_diag *why)
{
    struct dh_str all = { code, len };
    memset(out, 0, sizeof *out);
    for (size_t at = 0, stop; at < len; at = stop + 1) {
        // A comment may have a quote in it.
        struct dh_str rest = dh_str_trim(dh_str_sub(all, at, len));
        ptrdiff_t nl = dh_str_find(all, "\n", at);
        stop = dh_str_starts(rest, "#") ? nl < 0 ? len : (size_t)nl
                                        : end_of_statement(all, at);
        struct dh_str line = dh_str_trim(dh_str_sub(all, at, stop));
        if (says_nothing(line))
            continue;
        if (out->n >= DH_PYTHON_MAX_ACTIONS) {
            dh_diag_set(why, at, "more than %d calls", DH_PYTHON_MAX_ACTIONS);
            return false;
        }
        if (!read_statement(options, line, out, why))
            return false;
    }
    fold(out);
    return true;
}
