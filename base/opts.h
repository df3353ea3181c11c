/*
 * base/opts.h - option tables bound to structs.
 *
 * A module that has options exports a plain struct with its defaults and a
 * table. From the tables come parsing, the option file, --help and the man
 * page. All values are set in this order: defaults, file, command line.
 */
#ifndef DH_BASE_OPTS_H
#define DH_BASE_OPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/status.h"

struct dh_buf;

enum dh_opt_type {
    DH_OPT_BOOL,   /* bool; --name and --no-name */
    DH_OPT_INT,    /* int, lo..hi */
    DH_OPT_DOUBLE, /* double, lo..hi */
    DH_OPT_SIZE,   /* int64_t, lo..hi bytes; K, M, G, T are powers of 1024 */
    DH_OPT_TEXT,   /* const char *; points into argv or the option file */
    DH_OPT_LIST,   /* struct dh_opt_list; may be given more than once */
    DH_OPT_ENUM,   /* int, an index into `names` */
};

struct dh_opt_list {
    const char *item[64];
    int n;
};

/* A table ends with an entry whose name is NULL. */
struct dh_opt {
    const char *name; /* without dashes, e.g. "max-steps" */
    char letter;      /* short form, or 0 */
    enum dh_opt_type type;
    size_t offset;            /* of the member in the struct */
    const char *arg;          /* placeholder in the help, e.g. "N" */
    const char *help;         /* one sentence, no full stop */
    double lo, hi;            /* limits of numbers; none unless lo < hi */
    const char *const *names; /* of an enum, NULL-terminated */
};

/* One table and the struct it is bound to; an array ends with table == NULL. */
struct dh_opt_set {
    const struct dh_opt *table;
    void *base;
};

/*
 * Parse argv[1..argc). Options and operands may be mixed; "--" ends options.
 * Operands are moved to argv[1..*n_operands] in order. DH_ERR_USAGE with diag
 * set otherwise; an unknown option names the nearest one.
 */
DH_MUST_USE enum dh_status dh_opts_parse(const struct dh_opt_set *sets,
                                         int argc, char **argv, int *n_operands,
                                         struct dh_diag *diag);

/* Lines "name = value", "# comment", "[section]" (ignored names warn). The text
 * is changed in place and must outlive the values. Hostile text is fine. */
DH_MUST_USE enum dh_status dh_opts_parse_file(const struct dh_opt_set *sets,
                                              char *text, size_t len,
                                              struct dh_diag *diag);

/* Aligned option list for --help, or as man(7) source with .TP entries. */
void dh_opts_help(const struct dh_opt_set *sets, struct dh_buf *out);
void dh_opts_man(const struct dh_opt_set *sets, struct dh_buf *out);

#endif
