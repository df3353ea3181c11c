/* base/csv.h - tables as RFC 4180 has them: commas, quotes, a name for each
 * column. */
#ifndef DH_BASE_CSV_H
#define DH_BASE_CSV_H

#include <stddef.h>

#include "base/diag.h"
#include "base/status.h"

#define DH_CSV_COLUMNS 256
#define DH_CSV_ROWS    100000

/* UTF-8, each cell NUL-terminated; rows as long as the head. */
struct dh_csv {
    char *text;  /* owned; all cells are in it */
    char **cell; /* owned; (n_rows + 1) * n_columns, the head first */
    int n_columns, n_rows;
};

/* A mark of byte order and empty lines are skipped. DH_ERR_FORMAT with diag
 * set: a row of another length, a quote that is not closed, NULs or no UTF-8;
 * DH_ERR_RANGE: too many. Set on DH_OK only. */
DH_MUST_USE enum dh_status dh_csv_parse(struct dh_csv *out, const char *text,
                                        size_t len, struct dh_diag *diag);
/* Row 0 is the first after the head. */
const char *dh_csv_cell(const struct dh_csv *t, int row, int column);
const char *dh_csv_name(const struct dh_csv *t, int column);
void dh_csv_finish(struct dh_csv *t);

#endif
