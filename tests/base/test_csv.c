#include "base/csv.h"

#include <string.h>

#include "tests/dh_test.h"

static enum dh_status parse(struct dh_csv *t, const char *text,
                            struct dh_diag *diag)
{
    memset(diag, 0, sizeof *diag);
    return dh_csv_parse(t, text, strlen(text), diag);
}

static void test_cells_are_read_by_row_and_column(void)
{
    struct dh_csv t;
    struct dh_diag d;
    CHECK_INT(parse(&t,
                    "\xef\xbb\xbfname,city\r\nAda,London\r\n\n"
                    "\"Lovelace, \"\"A\"\"\",\"two\nlines\"\nlast,",
                    &d),
              DH_OK);
    CHECK_INT(t.n_columns, 2);
    CHECK_INT(t.n_rows, 3);
    CHECK_STR(dh_csv_name(&t, 0), "name");
    CHECK_STR(dh_csv_name(&t, 1), "city");
    CHECK_STR(dh_csv_cell(&t, 0, 1), "London");
    CHECK_STR(dh_csv_cell(&t, 1, 0), "Lovelace, \"A\"");
    CHECK_STR(dh_csv_cell(&t, 1, 1), "two\nlines");
    CHECK_STR(dh_csv_cell(&t, 2, 1), "");
    dh_csv_finish(&t);
}

static void test_what_is_no_table_is_told_with_its_line(void)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "", "line 1: there is no line with names" },
        { "\n\n", "line 3: there is no line with names" },
        { "a,b\n1\n", "line 2: there are more or fewer cells than columns" },
        { "a\n\"x\n", "line 2: a quote is not closed" },
        { "a\n\"x\"y\n", "line 2: there is more after a closing quote" },
        { "a\n\xff\n", "it is no UTF-8 text" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct dh_csv t;
        struct dh_diag d;
        CHECK_INT(parse(&t, bad[i].text, &d), DH_ERR_FORMAT);
        CHECK_STR(d.text, bad[i].why);
    }
}

DH_TESTS(DH_TEST(cells_are_read_by_row_and_column),
         DH_TEST(what_is_no_table_is_told_with_its_line));
