#include "base/opts.h"

#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define DH_LOG_TAG "opts"
#include "base/log.h"

#define HELP_COLUMN 26
#define HELP_WIDTH  79

// ---- values ----------------------------------------------------------------

static void *member(const struct dh_opt *o, void *base)
{
    return (char *)base + o->offset;
}

// Without limits where the table gives none.
static bool in_range(const struct dh_opt *o, double v, struct dh_diag *diag)
{
    if (!(o->lo < o->hi) || (v >= o->lo && v <= o->hi))
        return true;
    dh_diag_set(diag, 0, "%s: %.10g is not in %.10g..%.10g", o->name, v, o->lo,
                o->hi);
    return false;
}

static bool bool_parse(struct dh_str s, bool *out)
{
    static const char *const words[] = { "false", "true", "no", "yes",
                                         "off",   "on",   "0",  "1" };
    for (size_t i = 0; i < DH_COUNTOF(words); i++) {
        if (dh_str_is_nocase(s, words[i])) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool wrong(const struct dh_opt *o, const char *what, const char *value,
                  struct dh_diag *diag)
{
    dh_diag_set(diag, 0, "%s: %s expected, not \"%.60s\"", o->name, what,
                value);
    return false;
}

static bool set_int(const struct dh_opt *o, int *out, const char *value,
                    struct dh_diag *diag)
{
    int64_t v;
    if (!dh_parse_i64(dh_str_of(value), &v) || v < INT_MIN || v > INT_MAX)
        return wrong(o, "integer", value, diag);
    if (!in_range(o, (double)v, diag))
        return false;
    *out = (int)v;
    return true;
}

static bool set_double(const struct dh_opt *o, double *out, const char *value,
                       struct dh_diag *diag)
{
    double v;
    if (!dh_parse_double(dh_str_of(value), &v))
        return wrong(o, "number", value, diag);
    if (!in_range(o, v, diag))
        return false;
    *out = v;
    return true;
}

static bool set_size(const struct dh_opt *o, int64_t *out, const char *value,
                     struct dh_diag *diag)
{
    static const char units[] = "KMGT";
    struct dh_str s = dh_str_of(value);
    const char *unit = s.n ? strchr(units, value[s.n - 1]) : NULL;
    double v, factor = 1;
    if (unit) {
        s.n--;
        factor = (double)(INT64_C(1) << (10 * (unit - units + 1)));
    }
    if (!dh_parse_double(s, &v) || !(v >= 0 && v * factor < 0x1p62))
        return wrong(o, "size such as 500M or 24G", value, diag);
    if (!in_range(o, v * factor, diag))
        return false;
    *out = (int64_t)(v * factor);
    return true;
}

static bool set_enum(const struct dh_opt *o, int *out, const char *value,
                     struct dh_diag *diag)
{
    for (int i = 0; o->names[i]; i++) {
        if (strcmp(o->names[i], value) == 0) {
            *out = i;
            return true;
        }
    }
    struct dh_buf all;
    dh_buf_init(&all, 120);
    for (int i = 0; o->names[i]; i++)
        dh_buf_printf(&all, "%s%s", i ? ", " : "", o->names[i]);
    dh_diag_set(diag, 0, "%s: \"%.40s\" is none of %s", o->name, value,
                dh_buf_text(&all));
    dh_buf_finish(&all);
    return false;
}

static bool list_add(const struct dh_opt *o, struct dh_opt_list *list,
                     const char *value, struct dh_diag *diag)
{
    if (list->n < 0 || (size_t)list->n >= DH_COUNTOF(list->item)) {
        dh_diag_set(diag, 0, "%s: given more than %zu times", o->name,
                    DH_COUNTOF(list->item));
        return false;
    }
    list->item[list->n++] = value;
    return true;
}

static bool value_set(const struct dh_opt *o, void *base, const char *value,
                      struct dh_diag *diag)
{
    void *p = member(o, base);
    switch (o->type) {
    case DH_OPT_BOOL:
        return bool_parse(dh_str_of(value), p) ||
               wrong(o, "true or false", value, diag);
    case DH_OPT_INT: return set_int(o, p, value, diag);
    case DH_OPT_DOUBLE: return set_double(o, p, value, diag);
    case DH_OPT_SIZE: return set_size(o, p, value, diag);
    case DH_OPT_TEXT: *(const char **)p = value; return true;
    case DH_OPT_LIST: return list_add(o, p, value, diag);
    case DH_OPT_ENUM: return set_enum(o, p, value, diag);
    }
    dh_assert(false); // no such type
    return false;
}

// ---- finding ---------------------------------------------------------------

struct found {
    const struct dh_opt *opt; // NULL: none
    void *base;
    bool negated; // --no-name
};

static struct found find_plain(const struct dh_opt_set *sets,
                               struct dh_str name)
{
    for (; sets->table; sets++) {
        for (const struct dh_opt *o = sets->table; o->name; o++) {
            if (dh_str_is(name, o->name))
                return (struct found){ o, sets->base, false };
        }
    }
    return (struct found){ 0 };
}

static struct found find_long(const struct dh_opt_set *sets, struct dh_str name)
{
    struct found f = find_plain(sets, name);
    if (f.opt || !dh_str_starts(name, "no-"))
        return f;
    f = find_plain(sets, dh_str_sub(name, 3, name.n));
    if (f.opt && f.opt->type != DH_OPT_BOOL)
        return (struct found){ 0 };
    f.negated = true;
    return f;
}

static struct found find_letter(const struct dh_opt_set *sets, char letter)
{
    for (; sets->table; sets++) {
        for (const struct dh_opt *o = sets->table; o->name; o++) {
            if (o->letter && o->letter == letter)
                return (struct found){ o, sets->base, false };
        }
    }
    return (struct found){ 0 };
}

// NULL where nothing is near enough to be meant.
static const char *nearest(const struct dh_opt_set *sets, struct dh_str name)
{
    const char *best = NULL;
    size_t best_d = DH_MAX(name.n / 2, 2);
    for (; sets->table; sets++) {
        for (const struct dh_opt *o = sets->table; o->name; o++) {
            size_t d = dh_str_distance(name, dh_str_of(o->name));
            bool longer = name.n >= 3 && strlen(o->name) > name.n &&
                          memcmp(o->name, name.p, name.n) == 0;
            if (longer)
                d = 1;
            if (d < best_d || (d == best_d && !best)) {
                best = o->name;
                best_d = d;
            }
        }
    }
    return best;
}

static enum dh_status unknown(const struct dh_opt_set *sets, const char *arg,
                              struct dh_str name, struct dh_diag *diag)
{
    const char *guess = nearest(sets, name);
    if (guess)
        dh_diag_set(diag, 0, "unknown option %.60s; did you mean --%s?", arg,
                    guess);
    else
        dh_diag_set(diag, 0, "unknown option %.60s", arg);
    return DH_ERR_USAGE;
}

// ---- the command line ------------------------------------------------------

struct args {
    int argc;
    char **argv;
    int i;          // the argument being read
    int n_operands; // moved to the front so far
};

// The value of an option: what is glued to it, else the next argument.
static enum dh_status take_value(struct args *a, const struct found *f,
                                 const char *glued, struct dh_diag *diag)
{
    const char *value = glued;
    if (!value && a->i + 1 < a->argc)
        value = a->argv[++a->i];
    if (!value) {
        dh_diag_set(diag, 0, "--%s needs a value", f->opt->name);
        return DH_ERR_USAGE;
    }
    return value_set(f->opt, f->base, value, diag) ? DH_OK : DH_ERR_USAGE;
}

static enum dh_status parse_long(const struct dh_opt_set *sets, struct args *a,
                                 struct dh_diag *diag)
{
    const char *arg = a->argv[a->i];
    struct dh_str name = dh_str_of(arg + 2);
    const char *value = strchr(arg + 2, '=');
    if (value)
        name.n = (size_t)(value++ - name.p);

    struct found f = find_long(sets, name);
    if (!f.opt)
        return unknown(sets, arg, name, diag);
    if (f.opt->type != DH_OPT_BOOL)
        return take_value(a, &f, value, diag);
    if (value && f.negated) {
        dh_diag_set(diag, 0, "--no-%s takes no value", f.opt->name);
        return DH_ERR_USAGE;
    }
    if (value)
        return take_value(a, &f, value, diag);
    *(bool *)member(f.opt, f.base) = !f.negated;
    return DH_OK;
}

static enum dh_status parse_short(const struct dh_opt_set *sets, struct args *a,
                                  struct dh_diag *diag)
{
    const char *arg = a->argv[a->i];
    for (const char *p = arg + 1; *p; p++) {
        struct found f = find_letter(sets, *p);
        if (!f.opt) {
            dh_diag_set(diag, 0, "unknown option -%c in %.60s", *p, arg);
            return DH_ERR_USAGE;
        }
        if (f.opt->type != DH_OPT_BOOL)
            return take_value(a, &f, p[1] ? p + 1 : NULL, diag);
        *(bool *)member(f.opt, f.base) = true;
    }
    return DH_OK;
}

enum dh_status dh_opts_parse(const struct dh_opt_set *sets, int argc,
                             char **argv, int *n_operands, struct dh_diag *diag)
{
    struct args a = { .argc = argc, .argv = argv };
    bool options_ended = false;
    for (a.i = 1; a.i < argc; a.i++) {
        char *arg = argv[a.i];
        enum dh_status st = DH_OK;
        if (options_ended || arg[0] != '-' || arg[1] == '\0')
            argv[1 + a.n_operands++] = arg;
        else if (strcmp(arg, "--") == 0)
            options_ended = true;
        else if (arg[1] == '-')
            st = parse_long(sets, &a, diag);
        else
            st = parse_short(sets, &a, diag);
        if (st)
            return st;
    }
    *n_operands = a.n_operands;
    return DH_OK;
}

// ---- the option file -------------------------------------------------------

struct line {
    char *text; // the whole file
    size_t begin, end;
    int number;
};

static enum dh_status bad_line(const struct line *l, size_t at, const char *why,
                               struct dh_diag *diag)
{
    dh_diag_set(diag, at, "line %d: %s", l->number, why);
    return DH_ERR_FORMAT;
}

// The value as a string of its own. It moves one byte down, over the "=" or the
// white space before it, since the file may end without room for a NUL.
static const char *terminate(struct line *l, struct dh_str value)
{
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        value = dh_str_sub(value, 1, value.n - 1);
    char *p = l->text + (value.p - l->text) - 1;
    memmove(p, p + 1, value.n);
    p[value.n] = '\0';
    return p;
}

static enum dh_status parse_line(const struct dh_opt_set *sets, struct line *l,
                                 struct dh_diag *diag)
{
    struct dh_str s = { l->text + l->begin, l->end - l->begin };
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
            return bad_line(l, l->begin + i, "control character", diag);
    }
    s = dh_str_trim(s);
    if (s.n == 0 || s.p[0] == '#')
        return DH_OK;
    // Sections are for the reader: names are unique across all of them.
    if (s.p[0] == '[') {
        if (s.p[s.n - 1] == ']')
            return DH_OK;
        return bad_line(l, l->begin, "\"[section]\" expected", diag);
    }

    ptrdiff_t eq = dh_str_find(s, "=", 0);
    struct dh_str name = dh_str_trim(dh_str_sub(s, 0, (size_t)DH_MAX(eq, 0)));
    if (eq < 0 || name.n == 0)
        return bad_line(l, l->begin, "\"name = value\" expected", diag);
    struct dh_str value = dh_str_trim(dh_str_sub(s, (size_t)eq + 1, s.n));
    size_t at = (size_t)(value.p - l->text);
    struct found f = find_plain(sets, name);
    if (!f.opt) {
        // One file serves all subcommands, and each knows only its own.
        dh_warn("line %d of the option file: %.*s is not known here", l->number,
                (int)DH_MIN(name.n, 60), name.p);
        return DH_OK;
    }
    struct dh_diag why = { 0 };
    if (!value_set(f.opt, f.base, terminate(l, value), &why))
        return bad_line(l, at, why.text, diag);
    return DH_OK;
}

enum dh_status dh_opts_parse_file(const struct dh_opt_set *sets, char *text,
                                  size_t len, struct dh_diag *diag)
{
    struct line l = { .text = text };
    while (l.begin < len) {
        const char *nl = memchr(text + l.begin, '\n', len - l.begin);
        l.end = nl ? (size_t)(nl - text) : len;
        l.number++;
        enum dh_status st = parse_line(sets, &l, diag);
        if (st)
            return st;
        l.begin = l.end + 1;
    }
    return DH_OK;
}

// ---- help ------------------------------------------------------------------

static void put_default(const struct dh_opt *o, void *base, struct dh_buf *out)
{
    if (!base)
        return;
    const void *p = member(o, base);
    switch (o->type) {
    case DH_OPT_BOOL:
        if (*(const bool *)p)
            dh_buf_puts(out, " (on)");
        break;
    case DH_OPT_INT: dh_buf_printf(out, " (%d)", *(const int *)p); break;
    case DH_OPT_DOUBLE:
        dh_buf_printf(out, " (%.10g)", *(const double *)p);
        break;
    case DH_OPT_SIZE:
        if (*(const int64_t *)p)
            dh_buf_printf(out, " (%" PRId64 ")", *(const int64_t *)p);
        break;
    case DH_OPT_TEXT:
        if (*(const char *const *)p && (*(const char *const *)p)[0])
            dh_buf_printf(out, " (%s)", *(const char *const *)p);
        break;
    case DH_OPT_LIST: break;
    case DH_OPT_ENUM:
        dh_buf_printf(out, " (%s)", o->names[*(const int *)p]);
        break;
    }
}

static const char *arg_of(const struct dh_opt *o)
{
    if (o->type == DH_OPT_BOOL)
        return NULL;
    return o->arg ? o->arg : "VALUE";
}

// Words of text in lines that start at the help column.
static void put_wrapped(struct dh_buf *out, const char *text)
{
    size_t column = HELP_COLUMN;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + word > HELP_WIDTH) {
            dh_buf_printf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            dh_buf_putc(out, ' ');
            column++;
        }
        dh_buf_put(out, text, word);
        column += word;
        text += word + strspn(text + word, " ");
    }
    dh_buf_putc(out, '\n');
}

// What stands right of the option: its sentence, the names of an enum, the
// default.
static void put_sentence(const struct dh_opt *o, void *base, struct dh_buf *out)
{
    dh_buf_puts(out, o->help ? o->help : "");
    for (int i = 0; o->type == DH_OPT_ENUM && o->names[i]; i++)
        dh_buf_printf(out, "%s%s", i ? ", " : ": ", o->names[i]);
    put_default(o, base, out);
}

static void help_one(const struct dh_opt *o, void *base, struct dh_buf *out)
{
    char left[80];
    const char *arg = arg_of(o);
    char letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    int n = snprintf(left, sizeof(left), "  %s--%s%s%s", letter, o->name,
                     arg ? " " : "", arg ? arg : "");
    dh_buf_puts(out, left);
    if (n >= HELP_COLUMN - 1)
        dh_buf_printf(out, "\n%*s", HELP_COLUMN, "");
    else
        dh_buf_printf(out, "%*s", HELP_COLUMN - n, "");

    struct dh_buf text;
    dh_buf_init(&text, 4096);
    put_sentence(o, base, &text);
    put_wrapped(out, dh_buf_text(&text));
    dh_buf_finish(&text);
}

void dh_opts_help(const struct dh_opt_set *sets, struct dh_buf *out)
{
    for (; sets->table; sets++) {
        for (const struct dh_opt *o = sets->table; o->name; o++)
            help_one(o, sets->base, out);
    }
}

// roff reads "-" as a hyphen, and a line that begins with a dot as a request.
static void put_roff(struct dh_buf *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        dh_buf_puts(out, "\\&");
    for (; *text; text++) {
        if (*text == '-')
            dh_buf_puts(out, "\\-");
        else if (*text == '\\')
            dh_buf_puts(out, "\\e");
        else
            dh_buf_putc(out, *text);
    }
}

static void man_one(const struct dh_opt *o, void *base, struct dh_buf *out)
{
    dh_buf_puts(out, ".TP\n");
    if (o->letter)
        dh_buf_printf(out, "\\fB\\-%c\\fR, ", o->letter);
    dh_buf_puts(out, "\\fB\\-\\-");
    put_roff(out, o->name);
    dh_buf_puts(out, "\\fR");
    if (arg_of(o)) {
        dh_buf_puts(out, " \\fI");
        put_roff(out, arg_of(o));
        dh_buf_puts(out, "\\fR");
    }
    dh_buf_putc(out, '\n');

    struct dh_buf text;
    dh_buf_init(&text, 4096);
    put_sentence(o, base, &text);
    put_roff(out, dh_buf_text(&text));
    dh_buf_puts(out, ".\n");
    dh_buf_finish(&text);
}

void dh_opts_man(const struct dh_opt_set *sets, struct dh_buf *out)
{
    for (; sets->table; sets++) {
        for (const struct dh_opt *o = sets->table; o->name; o++)
            man_one(o, sets->base, out);
    }
}
