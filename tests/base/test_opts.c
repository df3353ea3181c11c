#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/opts.h"
#include "base/rng.h"
#include "tests/dh_test.h"

struct some {
    bool dry;
    bool cursor;
    int steps;
    double top_p;
    int64_t room;
    const char *model;
    struct dh_opt_list allow;
    int dialect;
};

static const char *const dialects[] = { "json", "native", "auto", NULL };

static const struct dh_opt table[] = {
    { "dry-run", 'd', DH_OPT_BOOL, offsetof(struct some, dry), NULL,
      "Write actions down and perform none", 0, 0, NULL },
    { "cursor", 0, DH_OPT_BOOL, offsetof(struct some, cursor), NULL,
      "Show the pointer in pictures", 0, 0, NULL },
    { "max-steps", 'n', DH_OPT_INT, offsetof(struct some, steps), "N",
      "Stop after so many steps", 1, 1000, NULL },
    { "top-p", 0, DH_OPT_DOUBLE, offsetof(struct some, top_p), "P",
      "Sample from the most likely tokens that make up this share", 0, 1,
      NULL },
    { "model", 'm', DH_OPT_TEXT, offsetof(struct some, model), "DIR",
      ".hidden names and back\\slashes are fine", 0, 0, NULL },
    { "allow", 0, DH_OPT_LIST, offsetof(struct some, allow), "RECT",
      "A part of the screen; may be given again", 0, 0, NULL },
    { "room", 0, DH_OPT_SIZE, offsetof(struct some, room), "SIZE",
      "So many bytes", 1024, 0x1p40, NULL },
    { "dialect", 0, DH_OPT_ENUM, offsetof(struct some, dialect), "NAME",
      "How answers look", 0, 0, dialects },
    { 0 },
};

struct other {
    const char *display;
};

static const struct dh_opt other_table[] = {
    { "display", 0, DH_OPT_TEXT, offsetof(struct other, display), "NAME",
      "X display", 0, 0, NULL },
    { 0 },
};

struct fixture {
    struct some some;
    struct other other;
    struct dh_opt_set sets[3];
    struct dh_diag diag;
    int n_operands;
    char *argv[120];
    int argc;
};

static void fixture_init(struct fixture *f)
{
    *f =
        (struct fixture){ .some = { .cursor = true, .steps = 30, .top_p = 1 } };
    f->sets[0] = (struct dh_opt_set){ table, &f->some };
    f->sets[1] = (struct dh_opt_set){ other_table, &f->other };
}

// Words separated by single blanks; they are leaked into `line`.
static enum dh_status parse(struct fixture *f, char *line)
{
    fixture_init(f);
    char *rest = line;
    f->argv[f->argc++] = rest;
    while ((rest = strchr(rest, ' '))) {
        *rest++ = '\0';
        f->argv[f->argc++] = rest;
    }
    return dh_opts_parse(f->sets, f->argc, f->argv, &f->n_operands, &f->diag);
}

static void test_all_forms_are_taken(void)
{
    struct fixture f;
    char line[] = "x one --max-steps 5 -m=a --no-cursor two --top-p=.25 "
                  "--allow a --allow=b --dialect native --display :9 - -d "
                  "-- --dry-run";
    CHECK_INT(parse(&f, line), DH_OK);
    CHECK_INT(f.some.steps, 5);
    CHECK_STR(f.some.model, "=a");
    CHECK(!f.some.cursor);
    CHECK(f.some.dry);
    CHECK_NEAR(f.some.top_p, 0.25, 0);
    CHECK_INT(f.some.allow.n, 2);
    CHECK_STR(f.some.allow.item[0], "a");
    CHECK_STR(f.some.allow.item[1], "b");
    CHECK_INT(f.some.dialect, 1);
    CHECK_STR(f.other.display, ":9");
    CHECK_INT(f.n_operands, 4);
    CHECK_STR(f.argv[1], "one");
    CHECK_STR(f.argv[2], "two");
    CHECK_STR(f.argv[3], "-");
    CHECK_STR(f.argv[4], "--dry-run");
}

static void test_short_options_join(void)
{
    struct fixture f;
    char line[] = "x -dn7 --cursor=no";
    CHECK_INT(parse(&f, line), DH_OK);
    CHECK(f.some.dry && !f.some.cursor);
    CHECK_INT(f.some.steps, 7);
    char value[] = "x -m --dry-run";
    CHECK_INT(parse(&f, value), DH_OK);
    CHECK_STR(f.some.model, "--dry-run");
    CHECK(!f.some.dry);
}

static void test_mistakes_are_explained(void)
{
    static const struct {
        const char *line;
        const char *why;
    } cases[] = {
        { "x --max-step 5",
          "unknown option --max-step; did you mean --max-steps?" },
        { "x --modle=a", "unknown option --modle=a; did you mean --model?" },
        { "x --dry", "unknown option --dry; did you mean --dry-run?" },
        { "x --zzzzzzzzzz", "unknown option --zzzzzzzzzz" },
        { "x --no-model", "unknown option --no-model; did you mean --model?" },
        { "x --no-cursor=yes", "--no-cursor takes no value" },
        { "x --cursor=maybe", "cursor: true or false expected, not \"maybe\"" },
        { "x --max-steps", "--max-steps needs a value" },
        { "x -n", "--max-steps needs a value" },
        { "x -dq", "unknown option -q in -dq" },
        { "x --max-steps 0", "max-steps: 0 is not in 1..1000" },
        { "x --max-steps 5x", "max-steps: integer expected, not \"5x\"" },
        { "x --max-steps 99999999999",
          "max-steps: integer expected, not \"99999999999\"" },
        { "x --top-p 1.5", "top-p: 1.5 is not in 0..1" },
        { "x --top-p nan", "top-p: number expected, not \"nan\"" },
        { "x --dialect xml", "dialect: \"xml\" is none of json, native, auto" },
        { "x --=5", "unknown option --=5" },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        struct fixture f;
        char line[200];
        snprintf(line, sizeof(line), "%s", cases[i].line);
        CHECK_INT(parse(&f, line), DH_ERR_USAGE);
        CHECK_STR(f.diag.text, cases[i].why);
    }
}

static void test_list_has_an_end(void)
{
    struct fixture f;
    char line[2000] = "x";
    for (int i = 0; i < 64; i++)
        snprintf(line + strlen(line), 20, " --allow=%d", i);
    char again[2000];
    snprintf(again, sizeof(again), "%s --allow=65", line);
    CHECK_INT(parse(&f, line), DH_OK);
    CHECK_INT(f.some.allow.n, 64);
    CHECK_STR(f.some.allow.item[63], "63");
    CHECK_INT(parse(&f, again), DH_ERR_USAGE);
    CHECK_STR(f.diag.text, "allow: given more than 64 times");
}

static enum dh_status parse_file(struct fixture *f, const char *text,
                                 char **keep)
{
    fixture_init(f);
    // On the heap and as long as it is: what is read or written past it shows.
    size_t n = strlen(text);
    *keep = dh_resize_array(dh_strdup(text), n, 1);
    return dh_opts_parse_file(f->sets, *keep, n, &f->diag);
}

static void test_sizes_have_units(void)
{
    static const struct {
        const char *text;
        int64_t bytes; // 0: refused
    } cases[] = {
        { "1024", 1024 },       { "1K", 1024 },   { "500M", 524288000 },
        { "1.5G", 1610612736 }, { "1T", 0x1p40 }, { "2T", 0 },
        { "1023", 0 },          { "M", 0 },       { "", 0 },
        { "-5M", 0 },           { "5m", 0 },      { "5MB", 0 },
        { "nanG", 0 },          { "1e300G", 0 },  { "5 G", 0 },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        struct fixture f;
        char line[40];
        fixture_init(&f);
        snprintf(line, sizeof line, "x --room=%s", cases[i].text);
        char *blank = strstr(line, "5 G");
        if (blank)
            blank[1] = '\t'; // parse() cuts at blanks
        enum dh_status want = cases[i].bytes ? DH_OK : DH_ERR_USAGE;
        CHECK_INT(parse(&f, line), want);
        CHECK_INT(f.some.room, cases[i].bytes);
        CHECK(want == DH_OK || strstr(f.diag.text, "room: "));
    }
}

static void test_file_sets_values(void)
{
    struct fixture f;
    char *keep;
    CHECK_INT(parse_file(&f,
                         "# comment\n\n[run]\r\n  max-steps = 7 \r\n"
                         "model=a b#c\nallow = \" x \"\nallow=y\ncursor = off\n"
                         "unknown-thing = 5\ndisplay =\ndialect=auto\n"
                         "top-p = 0.5",
                         &keep),
              DH_OK);
    CHECK_INT(f.some.steps, 7);
    CHECK_STR(f.some.model, "a b#c");
    CHECK_INT(f.some.allow.n, 2);
    CHECK_STR(f.some.allow.item[0], " x ");
    CHECK_STR(f.some.allow.item[1], "y");
    CHECK(!f.some.cursor);
    CHECK_STR(f.other.display, "");
    CHECK_INT(f.some.dialect, 2);
    CHECK_NEAR(f.some.top_p, 0.5, 0);
    dh_free(keep);
    CHECK_INT(parse_file(&f, "model=x", &keep), DH_OK);
    CHECK_STR(f.some.model, "x");
    dh_free(keep);
}

static void test_hostile_files_are_refused_with_a_line(void)
{
    static const struct {
        const char *text;
        size_t offset;
        const char *why;
    } cases[] = {
        { "max-steps = 7\nmodel", 14, "line 2: \"name = value\" expected" },
        { "=", 0, "line 1: \"name = value\" expected" },
        { " = 5", 0, "line 1: \"name = value\" expected" },
        { "[run", 0, "line 1: \"[section]\" expected" },
        { "model = a\x01", 9, "line 1: control character" },
        { "model = \x1b[31m", 8, "line 1: control character" },
        { "\n\nmax-steps = 0", 14, "line 3: max-steps: 0 is not in 1..1000" },
        { "max-steps =", 11, "line 1: max-steps: integer expected, not \"\"" },
        { "dialect = \"x\"", 10,
          "line 1: dialect: \"x\" is none of json, native, auto" },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        struct fixture f;
        char *keep;
        CHECK_INT(parse_file(&f, cases[i].text, &keep), DH_ERR_FORMAT);
        CHECK_STR(f.diag.text, cases[i].why);
        CHECK_INT(f.diag.offset, cases[i].offset);
        dh_free(keep);
    }
    struct fixture f;
    fixture_init(&f);
    char nul[] = "model = a\0b";
    CHECK_INT(dh_opts_parse_file(f.sets, nul, 11, &f.diag), DH_ERR_FORMAT);
    CHECK_INT(dh_opts_parse_file(f.sets, NULL, 0, NULL), DH_OK);
}

static void test_random_files_do_no_harm(void)
{
    static const char *const parts[] = { "max-steps", "model", "=", " ",
                                         "\n",        "\"",    "5", "[a]",
                                         "allow=",    "\xff",  "#", "cursor" };
    struct dh_rng r;
    dh_rng_init(&r, 5);
    int taken = 0;
    for (int i = 0; i < 20000; i++) {
        struct dh_buf b;
        dh_buf_init(&b, 1000);
        for (uint64_t k = dh_rng_below(&r, 12); k > 0; k--)
            dh_buf_puts(&b, parts[dh_rng_below(&r, DH_COUNTOF(parts))]);
        struct fixture f;
        char *keep;
        taken += parse_file(&f, dh_buf_text(&b), &keep) == DH_OK;
        CHECK(f.some.steps >= 1 && f.some.steps <= 1000);
        CHECK(!f.some.model || strlen(f.some.model) < b.len);
        dh_free(keep);
        dh_buf_finish(&b);
    }
    CHECK(taken > 100);
}

static void test_help_lists_every_option_with_its_default(void)
{
    struct fixture f;
    struct dh_buf b;
    fixture_init(&f);
    f.some.model = "here";
    dh_buf_init(&b, 10000);
    dh_opts_help(f.sets, &b);
    CHECK_STR(
        dh_buf_text(&b),
        "  -d, --dry-run           Write actions down and perform none\n"
        "      --cursor            Show the pointer in pictures (on)\n"
        "  -n, --max-steps N       Stop after so many steps (30)\n"
        "      --top-p P           Sample from the most likely tokens that "
        "make "
        "up this\n"
        "                          share (1)\n"
        "  -m, --model DIR         .hidden names and back\\slashes are fine "
        "(here)\n"
        "      --allow RECT        A part of the screen; may be given again\n"
        "      --room SIZE         So many bytes\n"
        "      --dialect NAME      How answers look: json, native, auto "
        "(json)\n"
        "      --display NAME      X display\n");
    dh_buf_finish(&b);
}

static void test_man_page_is_safe_roff(void)
{
    struct fixture f;
    struct dh_buf b;
    fixture_init(&f);
    dh_buf_init(&b, 10000);
    dh_opts_man(f.sets, &b);
    const char *text = dh_buf_text(&b);
    CHECK(strstr(text,
                 ".TP\n\\fB\\-n\\fR, \\fB\\-\\-max\\-steps\\fR \\fIN\\fR\n"
                 "Stop after so many steps (30).\n"));
    CHECK(strstr(text, "\n\\&.hidden names and back\\eslashes are fine.\n"));
    dh_buf_finish(&b);
}

DH_TESTS(DH_TEST(all_forms_are_taken), DH_TEST(short_options_join),
         DH_TEST(mistakes_are_explained), DH_TEST(list_has_an_end),
         DH_TEST(file_sets_values), DH_TEST(sizes_have_units),
         DH_TEST(hostile_files_are_refused_with_a_line),
         DH_TEST(random_files_do_no_harm),
         DH_TEST(help_lists_every_option_with_its_default),
         DH_TEST(man_page_is_safe_roff));
