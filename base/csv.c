#include "base/csv.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

// Cells are written over the text that they are read from, which is longer.
struct reader {
    struct dh_csv *t;
    const char *at, *end;
    char *to;
    int line, column, rows; // rows begun
    size_t cap, n;
    struct dh_diag *diag;
};

static enum dh_status bad(struct reader *r, const char *what)
{
    dh_diag_set(r->diag, (size_t)(r->at - r->t->text), "line %d: %s", r->line,
                what);
    return DH_ERR_FORMAT;
}

static bool at_line_end(const struct reader *r)
{
    return r->at == r->end || *r->at == '\n' ||
           (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n');
}

static void skip_line_end(struct reader *r)
{
    if (r->at < r->end && *r->at == '\r')
        r->at++;
    if (r->at < r->end)
        r->at++;
    r->line++;
}

static enum dh_status read_quoted(struct reader *r)
{
    int began = r->line;
    r->at++;
    while (r->at < r->end) {
        bool quote = *r->at == '"';
        if (quote && (r->at + 1 == r->end || r->at[1] != '"')) {
            r->at++;
            return DH_OK;
        }
        r->at += quote;
        r->line += *r->at == '\n';
        *r->to++ = *r->at++;
    }
    r->line = began;
    return bad(r, "a quote is not closed");
}

// The character that ends it is read before the end of the cell is written.
static enum dh_status read_cell(struct reader *r, bool *more)
{
    char *cell = r->to;
    enum dh_status st = DH_OK;
    if (r->at < r->end && *r->at == '"')
        st = read_quoted(r);
    else
        while (!at_line_end(r) && *r->at != ',')
            *r->to++ = *r->at++;
    if (st)
        return st;
    *more = r->at < r->end && *r->at == ',';
    if (!*more && !at_line_end(r))
        return bad(r, "there is more after a closing quote");
    if (*more)
        r->at++;
    else
        skip_line_end(r);
    *r->to++ = '\0';
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 64;
        r->t->cell = dh_resize_array(r->t->cell, r->cap, sizeof *r->t->cell);
    }
    r->t->cell[r->n++] = cell;
    return DH_OK;
}

static enum dh_status read_row(struct reader *r)
{
    bool more = true;
    int n = 0;
    while (more) {
        enum dh_status st = read_cell(r, &more);
        if (st)
            return st;
        if (++n > DH_CSV_COLUMNS)
            return bad(r, "there are too many columns");
    }
    if (!r->t->n_columns)
        r->t->n_columns = n;
    r->line--;
    if (n != r->t->n_columns)
        return bad(r, "there are more or fewer cells than columns");
    r->line++;
    r->rows++;
    return DH_OK;
}

static enum dh_status read_rows(struct reader *r)
{
    while (r->at < r->end) {
        if (at_line_end(r)) {
            skip_line_end(r);
            continue;
        }
        if (r->rows > DH_CSV_ROWS) {
            dh_diag_set(r->diag, 0, "there are more than %d rows", DH_CSV_ROWS);
            return DH_ERR_RANGE;
        }
        enum dh_status st = read_row(r);
        if (st)
            return st;
    }
    return r->rows ? DH_OK : bad(r, "there is no line with names");
}

enum dh_status dh_csv_parse(struct dh_csv *out, const char *text, size_t len,
                            struct dh_diag *diag)
{
    struct dh_csv t = { 0 };
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3;
        len -= 3;
    }
    if (memchr(text, 0, len) || !dh_utf8_valid(text, len)) {
        dh_diag_set(diag, 0, "it is no UTF-8 text");
        return DH_ERR_FORMAT;
    }
    // One byte more: the last cell has an end, too.
    t.text = dh_strndup(text, len);
    struct reader r = { .t = &t,
                        .at = t.text,
                        .end = t.text + len,
                        .to = t.text,
                        .line = 1,
                        .diag = diag };
    enum dh_status st = read_rows(&r);
    if (st) {
        dh_csv_finish(&t);
        return st;
    }
    t.n_rows = r.rows - 1;
    *out = t;
    return DH_OK;
}

const char *dh_csv_cell(const struct dh_csv *t, int row, int column)
{
    return t->cell[(size_t)(row + 1) * (size_t)t->n_columns + (size_t)column];
}

const char *dh_csv_name(const struct dh_csv *t, int column)
{
    return dh_csv_cell(t, -1, column);
}

void dh_csv_finish(struct dh_csv *t)
{
    dh_free(t->cell);
    dh_free(t->text);
    memset(t, 0, sizeof *t);
}
