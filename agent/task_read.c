#include <stdio.h>
#include <string.h>

#include "actions/action.h"
#include "agent/task_box.h"
#include "agent/task_priv.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_ITEMS 64

/*
 * What an object of a type may have, as words "name:kind"; '?' before a name:
 * it may be absent. Kinds: s text, p a path in the room, c a command (a text or
 * a list of texts), b true or false, n a number from 0 on, l a list of texts, o
 * an object, f a list of files, v a verification, u an "until", m texts or
 * numbers, x a list of objects, w a list of widgets.
 */
struct form {
    const char *type, *members;
};

static const struct form setups[] = {
    { "launch", "command:c ?shell:b" },
    { "execute", "command:c ?shell:b ?stdout:s ?stderr:s ?until:u" },
    { "command", "command:c ?shell:b ?stdout:s ?stderr:s ?until:u" },
    { "execute_with_verification",
      "command:c ?shell:b verification:v ?max_wait_time:n ?check_interval:n" },
    { "open", "path:p" },
    { "sleep", "seconds:n" },
    { "download", "files:f" },
    { "upload_file", "files:f" },
    { "activate_window", "window_name:s ?strict:b ?by_class:b" },
    { "close_window", "window_name:s ?strict:b ?by_class:b" },
    { NULL, NULL },
};

static const struct form getters[] = {
    { "vm_command_line", "command:c ?shell:b" },
    { "vm_file", "path:p ?dest:s" },
    { "cloud_file", "path:s ?dest:s" },
    { "list_directory", "path:p" },
    { "vm_screen_size", "" },
    { "window_titles", "" },
    { "window_property", "window_name:s property:s" },
    { "clipboard", "" },
    { "accessibility_tree", "" },
    { "rule", "rules:o" },
    { NULL, NULL },
};

/* The members are those of the rules; "-": it compares with a file. */
static const struct form metrics[] = {
    { "exact_match", "expected:m" },
    { "match_in_list", "expected:l" },
    { "is_in_list", "expected:s" },
    { "check_include_exclude", "?include:l ?exclude:l" },
    { "file_contains", "expected:l" },
    { "literal_match", "expected:m" },
    { "compare_text_file", "-" },
    { "check_json", "?expect:x ?unexpect:x" },
    { "check_csv", "?expect:x ?unexpect:x" },
    { "check_accessibility_tree", "?expect:w ?unexpect:w" },
    { NULL, NULL },
};

struct reader {
    struct dh_task *t;
    struct dh_diag *diag;
};

// The first reason is kept.
static bool unsupported(struct reader *r, const char *what, const char *name)
{
    struct dh_buf b;
    if (!r->t->unsupported) {
        dh_buf_init(&b, 400);
        dh_buf_printf(&b, "%s", what);
        if (name && *name)
            dh_buf_printf(&b, " %.100s", name);
        r->t->unsupported = dh_buf_take(&b);
    }
    return true;
}

static bool malformed(struct reader *r, const char *where, const char *name,
                      const char *wanted)
{
    dh_diag_set(r->diag, 0, "%.60s.%.60s: %s expected", where, name, wanted);
    return false;
}

static bool is_texts(const struct dh_json *v)
{
    if (dh_json_kind(v) != DH_JSON_ARRAY || dh_json_count(v) > 1000)
        return false;
    for (v = dh_json_first(v); v; v = dh_json_next(v))
        if (dh_json_kind(v) != DH_JSON_STRING)
            return false;
    return true;
}

static bool is_command(const struct dh_json *o)
{
    struct dh_buf b;
    dh_buf_init(&b, DH_BOX_COMMAND - 1024);
    dh_task_command(o, &b);
    bool ok = b.len && !b.overflow;
    dh_buf_finish(&b);
    return ok;
}

static bool is_object_list(const struct dh_json *v)
{
    if (dh_json_kind(v) != DH_JSON_ARRAY)
        return false;
    for (v = dh_json_first(v); v; v = dh_json_next(v))
        if (dh_json_kind(v) != DH_JSON_OBJECT)
            return false;
    return true;
}

static const char *source_of(const struct dh_json *file)
{
    const struct dh_json *from = dh_json_find(file, "local_path");
    return dh_json_text(from ? from : dh_json_find(file, "url"));
}

static bool is_remote(const char *path)
{
    return strstr(path, "://") && strncmp(path, "file://", 7) != 0;
}

static bool take_files(struct reader *r, const struct dh_json *v)
{
    if (!is_object_list(v))
        return false;
    for (v = dh_json_first(v); v; v = dh_json_next(v)) {
        const char *from = source_of(v);
        if (!*from || !*dh_json_text(dh_json_find(v, "path")))
            return false;
        char *local = dh_task_local(r->t, from);
        if (is_remote(from))
            unsupported(r, "needs the network:", from);
        else if (!local)
            unsupported(r, "a file from outside the task's folder:", from);
        dh_free(local);
    }
    return true;
}

static bool take_verification(struct reader *r, const struct dh_json *v)
{
    const struct dh_json *m = dh_json_first(v);
    if (dh_json_kind(v) != DH_JSON_OBJECT || !m)
        return false;
    for (; m; m = dh_json_next(m)) {
        if (strcmp(dh_json_key(m), "window_exists") == 0) {
            if (!*dh_json_text(dh_json_find(m, "window_name")))
                return false;
        } else if (strcmp(dh_json_key(m), "command_success") == 0) {
            if (dh_json_kind(m) == DH_JSON_OBJECT && !is_command(m))
                return false;
            if (dh_json_kind(m) != DH_JSON_OBJECT && !*dh_json_text(m))
                return false;
        } else {
            unsupported(r, "verification", dh_json_key(m));
        }
    }
    return true;
}

static bool is_scalars(const struct dh_json *v)
{
    enum dh_json_kind k = dh_json_kind(v);
    if (k != DH_JSON_ARRAY)
        return k == DH_JSON_STRING || k == DH_JSON_NUMBER || k == DH_JSON_BOOL;
    for (v = dh_json_first(v); v; v = dh_json_next(v))
        if (dh_json_kind(v) == DH_JSON_OBJECT ||
            dh_json_kind(v) == DH_JSON_ARRAY)
            return false;
    return true;
}

static bool is_widget_part(const struct dh_json *part)
{
    const struct dh_json *m = dh_json_first(part);
    if (dh_json_kind(part) != DH_JSON_OBJECT || !m)
        return false;
    for (; m; m = dh_json_next(m)) {
        const char *key = dh_json_key(m);
        bool text = dh_json_kind(m) == DH_JSON_STRING;
        if (strcmp(key, "state") == 0
                ? !text && !is_texts(m)
                : !text ||
                      (strcmp(key, "role") != 0 && strcmp(key, "name") != 0 &&
                       strcmp(key, "label") != 0 && strcmp(key, "text") != 0))
            return false;
    }
    return true;
}

static bool is_widget_path(const struct dh_json *v)
{
    if (dh_json_kind(v) != DH_JSON_ARRAY || !dh_json_count(v) ||
        dh_json_count(v) > 16)
        return false;
    for (v = dh_json_first(v); v; v = dh_json_next(v))
        if (!is_widget_part(v))
            return false;
    return true;
}

// OSWorld has selectors of a web page there.
static bool take_widgets(struct reader *r, const struct dh_json *v)
{
    if (!is_object_list(v) || !dh_json_first(v))
        return false;
    for (v = dh_json_first(v); v; v = dh_json_next(v)) {
        const struct dh_json *path = dh_json_find(v, "path");
        if (!path)
            return unsupported(r, "a widget without a path", NULL);
        if (!is_widget_path(path))
            return false;
    }
    return true;
}

static bool has_kind(struct reader *r, const struct dh_json *owner,
                     const struct dh_json *v, char kind)
{
    enum dh_json_kind k = dh_json_kind(v);
    switch (kind) {
    case 's':
    case 'p': return k == DH_JSON_STRING && *dh_json_text(v);
    case 'c': return is_command(owner);
    case 'b': return k == DH_JSON_BOOL;
    case 'n':
        return k == DH_JSON_NUMBER && dh_json_number(v) >= 0 &&
               dh_json_number(v) <= 3600;
    case 'l': return is_texts(v);
    case 'u':
    case 'o': return k == DH_JSON_OBJECT;
    case 'm': return is_scalars(v);
    case 'x': return is_object_list(v);
    case 'f': return take_files(r, v);
    case 'v': return take_verification(r, v);
    case 'w': return take_widgets(r, v);
    default: return false;
    }
}

static const struct form *find_form(const struct form *f, const char *type)
{
    while (f->type && strcmp(f->type, type) != 0)
        f++;
    return f->type ? f : NULL;
}

// The word of `name` in "name:kind ?name:kind"; NULL where there is none.
static const char *find_member(const char *members, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = members; *at;) {
        const char *word = at + (*at == '?');
        if (strncmp(word, name, n) == 0 && word[n] == ':')
            return word + n;
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    return NULL;
}

static bool take_members(struct reader *r, const char *where,
                         const struct dh_json *o, const char *members)
{
    char name[64];
    for (const struct dh_json *m = dh_json_first(o); m; m = dh_json_next(m)) {
        const char *kind = find_member(members, dh_json_key(m));
        if (strcmp(dh_json_key(m), "type") == 0)
            continue;
        if (!kind)
            unsupported(r, where, dh_json_key(m));
        else if (!has_kind(r, o, m, kind[1]))
            return malformed(r, where, dh_json_key(m), "another value");
    }
    for (const char *at = members; *at;) {
        size_t n = strcspn(at, ":");
        if (*at != '?') {
            snprintf(name, sizeof name, "%.*s", (int)n, at);
            if (!dh_json_find(o, name))
                return malformed(r, where, name, "a value");
        }
        at += strcspn(at, " ");
        at += *at == ' ';
    }
    return true;
}

static bool take_setup(struct reader *r, const struct dh_json *list,
                       const char *where)
{
    if (!list || dh_json_kind(list) == DH_JSON_NULL)
        return true;
    if (!is_object_list(list) || dh_json_count(list) > MAX_ITEMS)
        return malformed(r, "task", where, "a list of 64 steps at most");
    for (const struct dh_json *s = dh_json_first(list); s;
         s = dh_json_next(s)) {
        const char *type = dh_json_text(dh_json_find(s, "type"));
        const struct dh_json *p = dh_json_find(s, "parameters");
        const struct form *f = find_form(setups, type);
        if (!f)
            unsupported(r, "set-up", type);
        else if (p && dh_json_kind(p) != DH_JSON_OBJECT)
            return malformed(r, type, "parameters", "an object");
        else if (!take_members(r, type, p, f->members))
            return false;
    }
    return true;
}

static bool take_getter(struct reader *r, const struct dh_json *g,
                        const char *where)
{
    const char *type = dh_json_text(dh_json_find(g, "type"));
    const struct form *f = find_form(getters, type);
    if (dh_json_kind(g) != DH_JSON_OBJECT || !*type)
        return malformed(r, "evaluator", where, "an object with a type");
    if (!f)
        return unsupported(r, "getter", type);
    if (strcmp(type, "rule") == 0 && is_object_list(dh_json_find(g, "rules")))
        return unsupported(r, "rules in a list", NULL);
    if (!take_members(r, type, g, f->members))
        return false;
    if (strcmp(type, "accessibility_tree") == 0)
        r->t->reads_tree = true;
    if (strcmp(type, "cloud_file") == 0) {
        const char *path = dh_json_text(dh_json_find(g, "path"));
        char *local = dh_task_local(r->t, path);
        if (!local || is_remote(path))
            unsupported(r, "needs the network:", path);
        dh_free(local);
    }
    return true;
}

static bool take_metric(struct reader *r, const char *name,
                        const struct dh_json *result,
                        const struct dh_json *expected)
{
    const struct form *f = find_form(metrics, name);
    if (!f)
        return unsupported(r, "metric", name);
    if (!take_getter(r, result, "result") ||
        !take_getter(r, expected, "expected"))
        return false;
    bool reads_tree = strcmp(dh_json_text(dh_json_find(result, "type")),
                             "accessibility_tree") == 0;
    if (strcmp(name, "check_accessibility_tree") == 0 && !reads_tree)
        return malformed(r, name, "result", "an accessibility_tree");
    bool is_rule =
        strcmp(dh_json_text(dh_json_find(expected, "type")), "rule") == 0;
    if (is_rule == (f->members[0] == '-'))
        return unsupported(r, "this kind of expectation of", name);
    return !is_rule ||
           take_members(r, name, dh_json_find(expected, "rules"), f->members);
}

const struct dh_json *dh_task_nth(const struct dh_json *v, int i)
{
    if (dh_json_kind(v) != DH_JSON_ARRAY)
        return v;
    for (v = dh_json_first(v); v && i; i--)
        v = dh_json_next(v);
    return v;
}

static bool take_options(struct reader *r, const struct dh_json *e)
{
    const struct dh_json *all = dh_json_find(e, "options");
    for (int i = 0; i < MAX_ITEMS; i++) {
        const struct dh_json *o = dh_task_nth(all, i);
        for (const struct dh_json *m = dh_json_first(o); m; m = dh_json_next(m))
            if (strcmp(dh_json_key(m), "ignore_case") != 0 &&
                strcmp(dh_json_key(m), "ignore_blanks") != 0)
                unsupported(r, "option", dh_json_key(m));
        if (dh_json_kind(all) != DH_JSON_ARRAY || !o)
            break;
    }
    return true;
}

static bool take_evaluator(struct reader *r, const struct dh_json *e)
{
    const struct dh_json *func = dh_json_find(e, "func");
    const char *conj = dh_json_text(dh_json_find(e, "conj"));
    bool list = dh_json_kind(func) == DH_JSON_ARRAY;
    if (dh_json_kind(e) != DH_JSON_OBJECT || !func)
        return malformed(r, "task", "evaluator", "an object with func");
    if (strcmp(dh_json_text(func), "infeasible") == 0) {
        r->t->infeasible = true;
        return true;
    }
    if (*conj && strcmp(conj, "and") != 0 && strcmp(conj, "or") != 0)
        return malformed(r, "evaluator", "conj", "\"and\" or \"or\"");
    size_t n = list ? dh_json_count(func) : 1;
    const struct dh_json *result = dh_json_find(e, "result");
    const struct dh_json *expected = dh_json_find(e, "expected");
    if (n < 1 || n > MAX_ITEMS ||
        (list && (dh_json_count(result) != n || dh_json_count(expected) != n ||
                  !is_object_list(result) || !is_object_list(expected))))
        return malformed(r, "evaluator", "func",
                         "as many results and expectations");
    for (int i = 0; i < (int)n; i++) {
        const struct dh_json *name = dh_task_nth(func, i);
        if (dh_json_kind(name) != DH_JSON_STRING)
            return malformed(r, "evaluator", "func", "names");
        if (!take_metric(r, dh_json_text(name), dh_task_nth(result, i),
                         dh_task_nth(expected, i)))
            return false;
    }
    return take_options(r, e) &&
           take_setup(r, dh_json_find(e, "postconfig"), "postconfig");
}

static bool take_number(struct reader *r, const char *name, double hi,
                        double *out)
{
    const struct dh_json *v = dh_json_find(r->t->root, name);
    if (!v || dh_json_kind(v) == DH_JSON_NULL)
        return true;
    *out = dh_json_number(v);
    if (dh_json_kind(v) != DH_JSON_NUMBER || !(*out >= 1 && *out <= hi))
        return malformed(r, "task", name, "a number in its limits");
    return true;
}

// It names folders.
static bool is_id(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789-_.");
    return n && n <= 100 && !s[n] && s[0] != '.';
}

static bool take_head(struct reader *r)
{
    struct dh_task *t = r->t;
    const struct dh_json *apps = dh_json_find(t->root, "related_apps");
    const char *domain = dh_json_text(dh_json_find(t->root, "snapshot"));
    const char *text;
    double steps = 0;
    if (!dh_json_get_text(t->root, "id", &text, r->diag))
        return false;
    if (!is_id(text))
        return malformed(r, "task", "id",
                         "a name of 100 letters, digits, -_. at most");
    t->id = dh_strdup(text);
    if (!dh_json_get_text(t->root, "instruction", &text, r->diag))
        return false;
    if (!*text || strlen(text) > 8192)
        return malformed(r, "task", "instruction", "a text up to 8 KiB");
    t->instruction = dh_strdup(text);
    t->domain = dh_strdup(*domain ? domain : dh_json_text(dh_json_first(apps)));
    t->level = dh_strdup(dh_json_text(dh_json_find(t->root, "level")));
    if (*dh_json_text(dh_json_find(t->root, "platform")) &&
        strcmp(dh_json_text(dh_json_find(t->root, "platform")), "linux") != 0)
        unsupported(r, "platform",
                    dh_json_text(dh_json_find(t->root, "platform")));
    if (dh_json_is_true(dh_json_find(t->root, "proxy")))
        unsupported(r, "needs the network:", "proxy");
    if (!take_number(r, "max_steps", 10000, &steps) ||
        !take_number(r, "timeout_s", 86400, &t->timeout_s))
        return false;
    t->max_steps = (int)steps;
    return true;
}

// Texts, and clicks on widgets.
static bool is_solution(struct reader *r, const struct dh_json *v)
{
    if (dh_json_kind(v) != DH_JSON_ARRAY || !dh_json_count(v) ||
        dh_json_count(v) > MAX_ITEMS)
        return false;
    for (v = dh_json_first(v); v; v = dh_json_next(v)) {
        const struct dh_json *path = dh_task_click(v);
        if (path && (!is_widget_path(path) || dh_json_count(v) != 1))
            return false;
        struct dh_action a;
        if (!path && !dh_action_of_text(dh_json_text(v), false, &a, NULL))
            return false;
        if (!path)
            dh_action_finish(&a);
        r->t->reads_tree |= path != NULL;
    }
    return true;
}

static bool take_oracle(struct reader *r)
{
    const struct dh_json *o = dh_json_find(r->t->root, "oracle");
    if (!o || dh_json_kind(o) == DH_JSON_NULL)
        return true;
    if (dh_json_kind(o) == DH_JSON_STRING
            ? !*dh_json_text(o) || strlen(dh_json_text(o)) > DH_BOX_COMMAND / 2
            : !is_solution(r, o))
        return malformed(r, "task", "oracle",
                         "a shell command or a list of at most 64 actions");
    r->t->oracle = o;
    return true;
}

static enum dh_status parse(struct reader *r, const char *text, size_t len,
                            const struct dh_task_options *o)
{
    struct dh_buf filled;
    struct dh_task *t = r->t;
    if (len > DH_TASK_MAX_BYTES) {
        dh_diag_set(r->diag, 0, "larger than 1 MiB");
        return DH_ERR_FORMAT;
    }
    struct dh_json *raw = dh_json_parse(text, len, r->diag);
    if (!raw)
        return DH_ERR_FORMAT;
    dh_buf_init(&filled, 4 * DH_TASK_MAX_BYTES);
    bool ok =
        dh_task_fill(raw, (struct dh_str){ text, len }, o, &filled, r->diag);
    dh_json_free(raw);
    if (ok && filled.overflow) {
        dh_diag_set(r->diag, 0, "its params make it too large");
        ok = false;
    }
    if (ok)
        t->root = dh_json_parse(dh_buf_text(&filled), filled.len, r->diag);
    dh_buf_finish(&filled);
    if (!ok || !t->root)
        return DH_ERR_FORMAT;
    if (dh_json_kind(t->root) != DH_JSON_OBJECT) {
        dh_diag_set(r->diag, 0, "an object is expected");
        return DH_ERR_FORMAT;
    }
    t->config = dh_json_find(t->root, "config");
    t->evaluator = dh_json_find(t->root, "evaluator");
    return take_head(r) && take_setup(r, t->config, "config") &&
                   take_evaluator(r, t->evaluator) && take_oracle(r)
               ? DH_OK
               : DH_ERR_FORMAT;
}

enum dh_status dh_task_parse(struct dh_task *out, const char *text, size_t len,
                             const char *dir, const struct dh_task_options *o,
                             struct dh_diag *diag)
{
    struct dh_task t = { .dir = dh_strdup(dir) };
    struct reader r = { &t, diag };
    enum dh_status st = parse(&r, text, len, o);
    if (st)
        dh_task_finish(&t);
    else
        *out = t;
    return st;
}

enum dh_status dh_task_read(struct dh_task *out, const char *path,
                            const struct dh_task_options *o,
                            struct dh_diag *diag)
{
    char *text;
    size_t len;
    enum dh_status st = dh_file_read(path, DH_TASK_MAX_BYTES, &text, &len);
    if (st) {
        dh_diag_set(diag, 0, "%s", dh_status_name(st));
        return st;
    }
    char *dir = dh_path_dir(path);
    st = dh_task_parse(out, text, len, dir, o, diag);
    dh_free(dir);
    dh_big_free(text);
    return st;
}

void dh_task_finish(struct dh_task *t)
{
    dh_free(t->id);
    dh_free(t->instruction);
    dh_free(t->domain);
    dh_free(t->level);
    dh_free(t->unsupported);
    dh_free(t->dir);
    dh_json_free(t->root);
    memset(t, 0, sizeof *t);
}

void dh_task_command(const struct dh_json *o, struct dh_buf *out)
{
    const struct dh_json *c = dh_json_find(o, "command");
    bool shell = dh_json_is_true(dh_json_find(o, "shell"));
    if (dh_json_kind(c) == DH_JSON_STRING) {
        dh_buf_puts(out, dh_json_text(c));
        return;
    }
    if (!is_texts(c))
        return;
    for (c = dh_json_first(c); c; c = dh_json_next(c)) {
        if (shell)
            dh_buf_puts(out, dh_json_text(c));
        else
            dh_box_quote(out, dh_json_text(c));
        if (dh_json_next(c))
            dh_buf_putc(out, ' ');
    }
}

static void print_steps(const struct dh_json *list, struct dh_buf *out)
{
    for (const struct dh_json *s = dh_json_first(list); s;
         s = dh_json_next(s)) {
        const struct dh_json *p = dh_json_find(s, "parameters");
        dh_buf_printf(out, "%s: ", dh_json_text(dh_json_find(s, "type")));
        if (dh_json_find(p, "command"))
            dh_task_command(p, out);
        else if (p)
            dh_json_print(p, out);
        dh_buf_putc(out, '\n');
    }
}

void dh_task_commands(const struct dh_task *t, struct dh_buf *out)
{
    const struct dh_json *result = dh_json_find(t->evaluator, "result");
    print_steps(t->config, out);
    print_steps(dh_json_find(t->evaluator, "postconfig"), out);
    for (int i = 0; i < MAX_ITEMS; i++) {
        const struct dh_json *g = dh_task_nth(result, i);
        if (dh_json_find(g, "command")) {
            dh_buf_puts(out, "check: ");
            dh_task_command(g, out);
            dh_buf_putc(out, '\n');
        }
        if (!g || dh_json_kind(result) != DH_JSON_ARRAY)
            break;
    }
    if (dh_json_kind(t->oracle) == DH_JSON_STRING)
        dh_buf_printf(out, "oracle: %s\n", dh_json_text(t->oracle));
}

int dh_task_reference(const struct dh_task *t)
{
    return dh_json_kind(t->oracle) == DH_JSON_ARRAY
               ? (int)dh_json_count(t->oracle)
               : 0;
}

const struct dh_json *dh_task_click(const struct dh_json *step)
{
    const struct dh_json *m = dh_json_first(step);
    const char *op = dh_json_key(m);
    return dh_json_kind(step) == DH_JSON_OBJECT && m &&
                   (strcmp(op, "left_click") == 0 ||
                    strcmp(op, "right_click") == 0 ||
                    strcmp(op, "double_click") == 0)
               ? m
               : NULL;
}

char *dh_task_local(const struct dh_task *t, const char *name)
{
    if (strncmp(name, "file://", 7) == 0)
        name += 7;
    for (const char *at = name; *at; at += strcspn(at, "/")) {
        at += *at == '/';
        if (strncmp(at, "..", 2) == 0 && (!at[2] || at[2] == '/'))
            return NULL;
    }
    return *name && *name != '/' ? dh_path_join(t->dir, name) : NULL;
}
