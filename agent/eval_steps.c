#include "agent/eval_steps.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/eval_set_priv.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_ACTIONS DH_ANSWER_MAX_ACTIONS
#define MAX_TEXT    4096 // of a typed text, for its distance
#define MAX_HISTORY 12   // earlier steps that are told

enum kind {
    KIND_OTHER,
    KIND_CLICK, // and each kind of click is one of its own
    KIND_DOUBLE,
    KIND_TRIPLE,
    KIND_RIGHT,
    KIND_MIDDLE,
    KIND_MOVE,
    KIND_DRAG,
    KIND_SCROLL,
    KIND_WRITE,
    KIND_KEYS,
    KIND_WAIT,
    KIND_END,
};

/* What a person did, or a model would do. */
struct deed {
    enum kind kind;
    bool has_at;
    double x, y;                 // shares of the screen
    char *text;                  // WRITE; KEYS: sorted names; END: the status
    const struct dh_json *boxes; // of the person's
};

static void deed_finish(struct deed *d)
{
    dh_free(d->text);
    *d = (struct deed){ 0 };
}

static void finish_all(struct deed *d, int n)
{
    for (int i = 0; i < n; i++)
        deed_finish(&d[i]);
}

// ---- scores of one pair ----------------------------------------------------

double dh_eval_step_distance_score(double d)
{
    double free = 0.01 * sqrt(2);
    return d <= free ? 1 : exp(-120 * (d - free));
}

static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t *row;
    dh_array(row, m + 1);
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];
            size_t change = corner + (a[i - 1] != b[j - 1]);
            row[j] = DH_MIN(change, DH_MIN(above, row[j - 1]) + 1);
            corner = above;
        }
    }
    size_t d = row[m];
    dh_free(row);
    return d;
}

// Trimmed, in lower case; dh_free.
static char *plain_of(const char *text)
{
    struct dh_str s = dh_str_trim(dh_str_of(text));
    char *out = dh_strndup(s.p, DH_MIN(s.n, MAX_TEXT));
    for (char *p = out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return out;
}

static bool ends_line(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && text[n - 1] == '\n';
}

double dh_eval_step_text_score(const char *got, const char *want)
{
    char *a = plain_of(got), *b = plain_of(want);
    size_t n = strlen(a), m = strlen(b), longer = DH_MAX(n, m);
    double s = longer ? 1 - (double)distance(a, n, b, m) / (double)longer : 1;
    if (ends_line(got) != ends_line(want))
        s *= 0.9;
    dh_free(a);
    dh_free(b);
    return s >= 0.8 ? 1 : s / 0.8;
}

static bool in_a_box(const struct deed *got, const struct deed *want)
{
    for (const struct dh_json *b = dh_json_first(want->boxes); b;
         b = dh_json_next(b)) {
        double v[4] = { 0 };
        int n = 0;
        for (const struct dh_json *x =
                 dh_json_first(dh_json_find(b, "rel_bbox"));
             x && n < 4; x = dh_json_next(x))
            v[n++] = dh_json_number(x);
        if (n == 4 && got->x >= v[0] && got->x <= v[0] + v[2] &&
            got->y >= v[1] && got->y <= v[1] + v[3])
            return true;
    }
    return false;
}

static double score_place(const struct deed *got, const struct deed *want)
{
    if (!got->has_at)
        return 0;
    if (in_a_box(got, want))
        return 1;
    return want->has_at ? dh_eval_step_distance_score(
                              hypot(got->x - want->x, got->y - want->y))
                        : 0;
}

static double score_pair(const struct deed *got, const struct deed *want)
{
    const char *a = got->text ? got->text : "",
               *b = want->text ? want->text : "";
    if (got->kind != want->kind)
        return 0;
    switch (want->kind) {
    case KIND_CLICK:
    case KIND_DOUBLE:
    case KIND_TRIPLE:
    case KIND_RIGHT:
    case KIND_MIDDLE:
    case KIND_DRAG:
    case KIND_MOVE: return score_place(got, want);
    case KIND_WRITE: return dh_eval_step_text_score(a, b);
    case KIND_KEYS:
    case KIND_END: return strcmp(a, b) == 0;
    case KIND_SCROLL:
    case KIND_WAIT:
    case KIND_OTHER: break;
    }
    return 1;
}

static double score_all(const struct deed *got, int n_got,
                        const struct deed *want, int n_want)
{
    double sum = 0;
    bool known = false;
    for (int i = 0; i < n_want && n_got; i++)
        known |= want[i].kind == got[0].kind;
    for (int i = 0; i < n_want && i < n_got && known; i++)
        sum += score_pair(&got[i], &want[i]);
    return n_want ? sum / n_want : 0;
}

// A text and then Enter is a text that ends its line.
static int merge_enter(struct deed *d, int n)
{
    int out = 0;
    for (int i = 0; i < n; i++) {
        struct deed one = d[i];
        struct deed *last = out ? &d[out - 1] : NULL;
        if (last && last->kind == KIND_WRITE && one.kind == KIND_KEYS &&
            one.text && strcmp(one.text, "enter") == 0) {
            struct dh_buf text;
            dh_buf_init(&text, 1 << 21);
            dh_buf_printf(&text, "%s\n", last->text ? last->text : "");
            dh_free(last->text);
            last->text = dh_buf_take(&text);
            deed_finish(&one);
            continue;
        }
        d[out++] = one;
    }
    return out;
}

// ---- names of keys ---------------------------------------------------------

static const char *key_name(const char *name)
{
    static const char *const same[][2] = {
        { "return", "enter" },       { "kp_enter", "enter" },
        { "control", "ctrl" },       { "control_l", "ctrl" },
        { "escape", "esc" },         { "command", "cmd" },
        { "super", "cmd" },          { "win", "cmd" },
        { "meta", "cmd" },           { "backspace", "back" },
        { "delete", "del" },         { "page_up", "pageup" },
        { "page_down", "pagedown" }, { "option", "alt" },
    };
    for (size_t i = 0; i < DH_COUNTOF(same); i++)
        if (strcmp(same[i][0], name) == 0)
            return same[i][1];
    return name;
}

struct keys {
    char name[8][24];
    int n;
};

// Kept in order, each once.
static void add_key(struct keys *k, struct dh_str s)
{
    char raw[24];
    s = dh_str_trim(s);
    snprintf(raw, sizeof raw, "%.*s", (int)DH_MIN(s.n, sizeof raw - 1), s.p);
    for (char *p = raw; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    const char *name = key_name(raw);
    int at = 0;
    while (at < k->n && strcmp(k->name[at], name) < 0)
        at++;
    if (!name[0] || k->n == 8 || (at < k->n && !strcmp(k->name[at], name)))
        return;
    memmove(k->name[at + 1], k->name[at],
            (size_t)(k->n - at) * sizeof k->name[0]);
    snprintf(k->name[at], sizeof k->name[at], "%s", name);
    k->n++;
}

static void add_chord(struct keys *k, const char *chord)
{
    while (*chord) {
        size_t n = strcspn(chord + 1, "+ ") + 1;
        add_key(k, (struct dh_str){ chord, n });
        chord += n + (chord[n] != '\0');
    }
}

static char *text_of_keys(const struct keys *k)
{
    struct dh_buf out;
    dh_buf_init(&out, 1 << 12);
    for (int i = 0; i < k->n; i++)
        dh_buf_printf(&out, "%s%s", i ? "+" : "", k->name[i]);
    char *text = dh_strdup(dh_buf_text(&out));
    dh_buf_finish(&out);
    return text;
}

// ---- the person's ----------------------------------------------------------

static enum kind kind_of_name(const char *type)
{
    static const struct {
        const char *part;
        enum kind kind;
    } names[] = {
        { "doubleclick", KIND_DOUBLE }, { "double_click", KIND_DOUBLE },
        { "tripleclick", KIND_TRIPLE }, { "triple_click", KIND_TRIPLE },
        { "rightclick", KIND_RIGHT },   { "right_click", KIND_RIGHT },
        { "middleclick", KIND_MIDDLE }, { "middle_click", KIND_MIDDLE },
        { "click", KIND_CLICK },        { "move", KIND_MOVE },
        { "drag", KIND_DRAG },          { "scroll", KIND_SCROLL },
        { "write", KIND_WRITE },        { "type", KIND_WRITE },
        { "hotkey", KIND_KEYS },        { "press", KIND_KEYS },
        { "key", KIND_KEYS },           { "terminate", KIND_END },
        { "wait", KIND_WAIT },
    };
    for (size_t i = 0; i < DH_COUNTOF(names); i++)
        if (dh_str_has_nocase(dh_str_of(type), names[i].part))
            return names[i].kind;
    return KIND_OTHER;
}

static char *keys_of_json(const struct dh_json *v)
{
    struct keys k = { .n = 0 };
    if (v && dh_json_kind(v) == DH_JSON_STRING)
        add_chord(&k, dh_json_text(v));
    for (const struct dh_json *x = dh_json_first(v); x; x = dh_json_next(x))
        add_chord(&k, dh_json_text(x));
    return text_of_keys(&k);
}

static void read_true(struct deed *d, const struct dh_json *o)
{
    const struct dh_json *params = dh_json_find(o, "params");
    const struct dh_json *p = params ? dh_json_find(params, "position") : NULL;
    const struct dh_json *meta = dh_json_find(o, "metadata");
    const struct dh_json *type = dh_json_find(o, "type");
    const struct dh_json *x = p ? dh_json_find(p, "x") : NULL;
    const struct dh_json *y = p ? dh_json_find(p, "y") : NULL;
    const char *key = "text";
    d->kind = kind_of_name(type ? dh_json_text(type) : "");
    if (x && y) {
        d->has_at = true;
        d->x = dh_json_number(x);
        d->y = dh_json_number(y);
    }
    d->boxes = meta ? dh_json_find(meta, "bboxes") : NULL;
    if (d->kind == KIND_END)
        key = "status";
    const struct dh_json *text = params ? dh_json_find(params, key) : NULL;
    if (d->kind == KIND_KEYS)
        d->text = keys_of_json(params ? dh_json_find(params, "keys") : NULL);
    else if (text)
        d->text = dh_strdup(dh_json_text(text));
}

// ---- the model's -----------------------------------------------------------

static enum kind kind_of_click(const struct dh_action *a)
{
    if (a->button == 3)
        return KIND_RIGHT;
    if (a->button == 2)
        return KIND_MIDDLE;
    return a->count >= 3   ? KIND_TRIPLE
           : a->count == 2 ? KIND_DOUBLE
                           : KIND_CLICK;
}

static enum kind kind_of_action(const struct dh_action *a)
{
    switch (a->op) {
    case DH_ACTION_CLICK: return kind_of_click(a);
    case DH_ACTION_MOVE: return KIND_MOVE;
    case DH_ACTION_DRAG: return KIND_DRAG;
    case DH_ACTION_SCROLL: return KIND_SCROLL;
    case DH_ACTION_TYPE: return KIND_WRITE;
    case DH_ACTION_KEY:
    case DH_ACTION_HOLD_KEY: return KIND_KEYS;
    case DH_ACTION_WAIT: return KIND_WAIT;
    case DH_ACTION_DONE:
    case DH_ACTION_ANSWER:
    case DH_ACTION_FAIL: return KIND_END;
    case DH_ACTION_SCREENSHOT:
    case DH_ACTION_ZOOM:
    case DH_ACTION_CURSOR:
    case DH_ACTION_DOWN:
    case DH_ACTION_UP:
    case DH_ACTION_PRESS:
    case DH_ACTION_KEY_DOWN:
    case DH_ACTION_KEY_UP:
    case DH_ACTION_ASK:
    case DH_ACTION_COUNT: break;
    }
    return KIND_OTHER;
}

static void read_action(struct deed *d, const struct dh_action *a,
                        struct dh_size screen)
{
    struct keys k = { .n = 0 };
    d->kind = kind_of_action(a);
    d->has_at = a->has_at;
    d->x = a->at.x / (a->on_screen ? (double)screen.w : 1000);
    d->y = a->at.y / (a->on_screen ? (double)screen.h : 1000);
    if (d->kind == KIND_KEYS) {
        add_chord(&k, a->text ? a->text : "");
        d->text = text_of_keys(&k);
    } else if (d->kind == KIND_END) {
        d->text = dh_strdup(a->op == DH_ACTION_FAIL ? "failure" : "success");
    } else if (a->text) {
        d->text = dh_strdup(a->text);
    }
}

static int read_answer(const struct dh_eval_result *r, struct deed *out)
{
    struct dh_parse_options how = { .coord = r->coord,
                                    .sent = r->sent,
                                    .screen = { 0, 0, r->item.size.w,
                                                r->item.size.h } };
    struct dh_answer a;
    struct dh_diag diag = { 0 };
    int n = 0;
    if (!dh_answer_parse_with(&how, r->raw, strlen(r->raw), &a, &diag))
        for (; n < a.n; n++)
            read_action(&out[n], &a.action[n], r->item.size);
    dh_answer_finish(&a);
    return n;
}

bool dh_eval_step_score(const struct dh_eval_result *r, double *score)
{
    struct deed got[MAX_ACTIONS] = { 0 }, want[MAX_ACTIONS] = { 0 };
    struct dh_diag diag = { 0 };
    const char *truth = r->item.target.text;
    struct dh_json *list = dh_json_parse(truth, strlen(truth), &diag);
    int n_want = 0, n_got = read_answer(r, got);
    for (const struct dh_json *o = dh_json_first(list);
         o && n_want < MAX_ACTIONS; o = dh_json_next(o))
        read_true(&want[n_want++], o);
    bool read = n_got > 0;
    n_got = merge_enter(got, n_got);
    n_want = merge_enter(want, n_want);
    *score = score_all(got, n_got, want, n_want);
    finish_all(got, n_got);
    finish_all(want, n_want);
    dh_json_free(list);
    return read;
}

// ---- the episodes ----------------------------------------------------------

// What was done before, in the words in which a run tells it.
static void tell_step(struct dh_buf *out, const struct dh_json *actions,
                      int number)
{
    for (const struct dh_json *a = dh_json_first(actions); a;
         a = dh_json_next(a)) {
        struct deed d = { 0 };
        const struct dh_json *type = dh_json_find(a, "type");
        read_true(&d, a);
        dh_buf_printf(out, "\n%d. %.40s", number + 1,
                      type ? dh_json_text(type) : "");
        if (d.has_at)
            dh_buf_printf(out, " %.0f %.0f", 1000 * d.x, 1000 * d.y);
        if (d.text)
            dh_buf_printf(out, " %.200s", d.text);
        deed_finish(&d);
    }
}

static bool take_step(struct dh_eval_import *im, const struct dh_json *step,
                      const char *id, const char *task, int number)
{
    struct dh_eval_item it = { 0 };
    struct dh_buf text;
    const struct dh_json *image = dh_json_find(step, "image");
    const struct dh_json *truth = dh_json_find(step, "ground_truth_actions");
    if (!image || !dh_json_text(image)[0] || !truth ||
        dh_json_kind(truth) != DH_JSON_ARRAY || !dh_json_first(truth))
        return false;
    dh_buf_init(&text, 1 << 22);
    dh_json_print(truth, &text);
    it.target.kind = DH_EVAL_STEP;
    it.target.text = dh_strdup(dh_buf_text(&text));
    dh_buf_clear(&text);
    dh_buf_printf(&text, "%s/%d", id, number);
    it.id = dh_strdup(dh_buf_text(&text));
    it.image = dh_strdup(dh_json_text(image));
    it.instruction = dh_strdup(task);
    const struct dh_json *type = dh_json_find(dh_json_first(truth), "type");
    dh_eval_tags_add(&it.tags, "action", type ? dh_json_text(type) : "");
    dh_eval_tags_add(&it.tags, "task", id);
    dh_eval_set_add(im->set, &it);
    dh_buf_finish(&text);
    return true;
}

static void take_episode(struct dh_eval_import *im, const struct dh_json *o)
{
    const char *id, *task;
    struct dh_diag diag = { 0 };
    struct dh_buf told;
    int number = 0;
    if (!dh_json_get_text(o, "task_id", &id, &diag) ||
        !dh_json_get_text(o, "high_level_task_description", &task, &diag)) {
        dh_eval_set_fault(im->set, DH_EVAL_FAULT_FIELD, "%.60s, task %d: %s",
                          im->file, im->index, diag.text);
        return;
    }
    dh_buf_init(&told, 1 << 20);
    dh_buf_puts(&told, task);
    for (const struct dh_json *s = dh_json_first(dh_json_find(o, "steps")); s;
         s = dh_json_next(s), number++) {
        if (!take_step(im, s, id, dh_buf_text(&told), number))
            dh_eval_set_fault(im->set, DH_EVAL_FAULT_FIELD,
                              "%.60s, step %d: image and ground_truth_actions "
                              "are expected",
                              id, number);
        if (number == 0)
            dh_buf_puts(&told, "\nSteps so far:");
        if (number < MAX_HISTORY)
            tell_step(&told, dh_json_find(s, "ground_truth_actions"), number);
    }
    dh_buf_finish(&told);
}

void dh_eval_import_episodes(struct dh_eval_import *im,
                             const struct dh_json *root)
{
    im->index = 0;
    if (dh_json_kind(root) == DH_JSON_OBJECT) {
        take_episode(im, root);
        return;
    }
    for (const struct dh_json *o = dh_json_first(root); o;
         o = dh_json_next(o), im->index++)
        take_episode(im, o);
}
