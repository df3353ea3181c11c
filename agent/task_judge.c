#include "agent/task_judge.h"

#include <string.h>

#include "agent/a11y_tree.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_COLUMNS 256

/* What a metric is told. */
struct matter {
    struct dh_str got, file;
    const struct dh_json *rules, *options;
};

static bool has(struct dh_str text, const char *part)
{
    return dh_str_find(text, part, 0) >= 0;
}

static bool has_option(const struct matter *m, const char *name)
{
    return dh_json_is_true(dh_json_find(m->options, name));
}

static bool is_equal(const struct matter *m, struct dh_str a, const char *b)
{
    return has_option(m, "ignore_case") ? dh_str_is_nocase(a, b)
                                        : dh_str_is(a, b);
}

// What is no text is compared as JSON writes it.
static bool is_value(const struct matter *m, struct dh_str text,
                     const struct dh_json *v)
{
    struct dh_buf b;
    if (dh_json_kind(v) == DH_JSON_STRING)
        return is_equal(m, text, dh_json_text(v));
    dh_buf_init(&b, 4096);
    dh_json_print(v, &b);
    bool same = dh_str_is(text, dh_buf_text(&b));
    dh_buf_finish(&b);
    return same;
}

// A list is one item a line in what was got.
static bool is_literally(const struct matter *m, const struct dh_json *v)
{
    struct dh_str rest = m->got;
    if (dh_json_kind(v) != DH_JSON_ARRAY)
        return is_value(m, rest, v);
    for (v = dh_json_first(v); v; v = dh_json_next(v)) {
        ptrdiff_t end = dh_str_find(rest, "\n", 0);
        size_t n = end < 0 ? rest.n : (size_t)end;
        if (!rest.n || !is_value(m, dh_str_sub(rest, 0, n), v))
            return false;
        rest = dh_str_sub(rest, n + (end >= 0), rest.n);
    }
    return rest.n == 0;
}

static bool exact_match(const struct matter *m)
{
    return is_literally(m, dh_json_find(m->rules, "expected"));
}

static bool match_in_list(const struct matter *m)
{
    const struct dh_json *v = dh_json_first(dh_json_find(m->rules, "expected"));
    while (v && !dh_str_is(m->got, dh_json_text(v)))
        v = dh_json_next(v);
    return v != NULL;
}

static bool is_in_list(const struct matter *m)
{
    const char *want = dh_json_text(dh_json_find(m->rules, "expected"));
    for (size_t at = 0; at < m->got.n;) {
        ptrdiff_t end = dh_str_find(m->got, "\n", at);
        size_t to = end < 0 ? m->got.n : (size_t)end;
        if (dh_str_is(dh_str_sub(m->got, at, to), want))
            return true;
        at = to + 1;
    }
    return false;
}

static bool has_all(struct dh_str text, const struct dh_json *list)
{
    const struct dh_json *v = dh_json_first(list);
    while (v && has(text, dh_json_text(v)))
        v = dh_json_next(v);
    return !v;
}

static bool check_include_exclude(const struct matter *m)
{
    const struct dh_json *v = dh_json_first(dh_json_find(m->rules, "exclude"));
    for (; v; v = dh_json_next(v))
        if (has(m->got, dh_json_text(v)))
            return false;
    return has_all(m->got, dh_json_find(m->rules, "include"));
}

static bool file_contains(const struct matter *m)
{
    return has_all(m->got, dh_json_find(m->rules, "expected"));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Runs of blanks become one space, and none is left at the ends.
static char *squeezed(struct dh_str s)
{
    struct dh_buf b;
    dh_buf_init(&b, s.n + 1);
    s = dh_str_trim(s);
    for (size_t i = 0; i < s.n; i++)
        if (!is_blank(s.p[i]))
            dh_buf_putc(&b, s.p[i]);
        else if (!is_blank(s.p[i - 1]))
            dh_buf_putc(&b, ' ');
    return dh_buf_take(&b);
}

static bool compare_text_file(const struct matter *m)
{
    bool blanks = has_option(m, "ignore_blanks");
    char *a = blanks ? squeezed(m->got) : dh_strndup(m->got.p, m->got.n);
    char *b = blanks ? squeezed(m->file) : dh_strndup(m->file.p, m->file.n);
    bool same = is_equal(m, dh_str_of(a), b);
    dh_free(a);
    dh_free(b);
    return same;
}

// Is `v` as the rule {key, method, ref} says?
static bool obeys(const struct dh_json *root, const struct dh_json *rule)
{
    const struct dh_json *v = root;
    const struct dh_json *key = dh_json_first(dh_json_find(rule, "key"));
    const struct dh_json *ref = dh_json_find(rule, "ref");
    const char *method = dh_json_text(dh_json_find(rule, "method"));
    struct dh_buf a, b;
    bool ok = false;
    for (; v && key; key = dh_json_next(key)) {
        int64_t i;
        if (dh_json_kind(v) == DH_JSON_ARRAY) {
            i = (int64_t)dh_json_number(key);
            for (v = dh_json_first(v); v && i > 0; i--)
                v = dh_json_next(v);
        } else {
            v = dh_json_find(v, dh_json_text(key));
        }
    }
    if (!v || !ref)
        return false;
    double x = dh_json_number(v), y = dh_json_number(ref);
    bool numbers = dh_json_kind(v) == DH_JSON_NUMBER &&
                   dh_json_kind(ref) == DH_JSON_NUMBER;
    dh_buf_init(&a, 1 << 20);
    dh_buf_init(&b, 1 << 20);
    dh_json_print(v, &a);
    dh_json_print(ref, &b);
    bool same =
        numbers ? x == y : strcmp(dh_buf_text(&a), dh_buf_text(&b)) == 0;
    if (strcmp(method, "eq") == 0)
        ok = same;
    else if (strcmp(method, "ne") == 0)
        ok = !same;
    else if (strcmp(method, "lt") == 0)
        ok = numbers && x < y;
    else if (strcmp(method, "le") == 0)
        ok = numbers && x <= y;
    else if (strcmp(method, "gt") == 0)
        ok = numbers && x > y;
    else if (strcmp(method, "ge") == 0)
        ok = numbers && x >= y;
    else if (strcmp(method, "in") == 0)
        ok = has(dh_str_of(dh_json_text(ref)), dh_json_text(v));
    dh_buf_finish(&a);
    dh_buf_finish(&b);
    return ok;
}

static bool check_json(const struct matter *m)
{
    struct dh_diag diag = { 0 };
    struct dh_json *root = dh_json_parse(m->got.p, m->got.n, &diag);
    bool ok = root != NULL;
    const struct dh_json *r = dh_json_first(dh_json_find(m->rules, "expect"));
    for (; ok && r; r = dh_json_next(r))
        ok = obeys(root, r);
    r = dh_json_first(dh_json_find(m->rules, "unexpect"));
    for (; ok && r; r = dh_json_next(r))
        ok = !obeys(root, r);
    dh_json_free(root);
    return ok;
}

/* One row of a CSV: fields that are owned. */
struct row {
    char *field[MAX_COLUMNS];
    int n;
};

static void row_clear(struct row *r)
{
    for (int i = 0; i < r->n; i++)
        dh_free(r->field[i]);
    r->n = 0;
}

// Where the next row begins.
static size_t read_row(struct dh_str s, size_t at, struct row *r)
{
    bool end = false;
    row_clear(r);
    while (!end) {
        struct dh_buf b;
        bool quoted = at < s.n && s.p[at] == '"';
        dh_buf_init(&b, s.n + 1);
        for (at += quoted; at < s.n; at++) {
            char c = s.p[at];
            if (quoted && c == '"' && at + 1 < s.n && s.p[at + 1] == '"')
                at++;
            else if (c == '"' && quoted) {
                quoted = false;
                continue;
            } else if (!quoted && (c == ',' || c == '\n'))
                break;
            else if (!quoted && c == '\r')
                continue;
            dh_buf_putc(&b, c);
        }
        end = at >= s.n || s.p[at] == '\n';
        at = DH_MIN(at + 1, s.n);
        if (r->n < MAX_COLUMNS)
            r->field[r->n++] = dh_strdup(dh_buf_text(&b));
        dh_buf_finish(&b);
    }
    return at;
}

static bool row_is(const struct row *head, const struct row *r,
                   const struct dh_json *rule)
{
    for (const struct dh_json *v = dh_json_first(rule); v;
         v = dh_json_next(v)) {
        int i = 0;
        while (i < head->n && strcmp(head->field[i], dh_json_key(v)) != 0)
            i++;
        if (i >= head->n || i >= r->n ||
            strcmp(r->field[i], dh_json_text(v)) != 0)
            return false;
    }
    return true;
}

static bool csv_has(struct dh_str s, const struct dh_json *rule)
{
    struct row head = { .n = 0 }, r = { .n = 0 };
    bool found = false;
    size_t at = s.n ? read_row(s, 0, &head) : 0;
    while (!found && at < s.n) {
        at = read_row(s, at, &r);
        found = row_is(&head, &r, rule);
    }
    row_clear(&head);
    row_clear(&r);
    return found;
}

static bool check_csv(const struct matter *m)
{
    const struct dh_json *r = dh_json_first(dh_json_find(m->rules, "expect"));
    for (; r; r = dh_json_next(r))
        if (!csv_has(m->got, r))
            return false;
    r = dh_json_first(dh_json_find(m->rules, "unexpect"));
    for (; r; r = dh_json_next(r))
        if (csv_has(m->got, r))
            return false;
    return true;
}

static bool check_accessibility_tree(const struct matter *m)
{
    bool nocase = has_option(m, "ignore_case");
    const struct dh_json *r = dh_json_first(dh_json_find(m->rules, "expect"));
    for (; r; r = dh_json_next(r))
        if (!dh_a11y_tree_has(m->got, dh_json_find(r, "path"), nocase))
            return false;
    r = dh_json_first(dh_json_find(m->rules, "unexpect"));
    for (; r; r = dh_json_next(r))
        if (dh_a11y_tree_has(m->got, dh_json_find(r, "path"), nocase))
            return false;
    return true;
}

double dh_task_judge(const char *metric, struct dh_str got,
                     const struct dh_json *expected, struct dh_str file,
                     const struct dh_json *options)
{
    static const struct {
        const char *name;
        bool (*holds)(const struct matter *m);
    } all[] = {
        { "exact_match", exact_match },
        { "match_in_list", match_in_list },
        { "is_in_list", is_in_list },
        { "check_include_exclude", check_include_exclude },
        { "file_contains", file_contains },
        { "literal_match", exact_match },
        { "compare_text_file", compare_text_file },
        { "check_json", check_json },
        { "check_csv", check_csv },
        { "check_accessibility_tree", check_accessibility_tree },
    };
    struct matter m = { got, file, dh_json_find(expected, "rules"), options };
    for (size_t i = 0; i < DH_COUNTOF(all); i++)
        if (strcmp(all[i].name, metric) == 0)
            return all[i].holds(&m) ? 1 : 0;
    return 0;
}
