/* tools/eval_report.h - what every kind of eval says at its end. */
#ifndef DH_TOOLS_EVAL_REPORT_H
#define DH_TOOLS_EVAL_REPORT_H

#include <stdbool.h>

#include "agent/eval_score.h"

struct dh_buf;

/*
 * Read the results in `dir`, judge their answers again, print the table and
 * what looks wrong, and write index.html. `pictures`: the folder of the set's
 * pictures, or NULL for that in run.json.
 */
DH_MUST_USE enum dh_status dh_eval_report(const char *dir, const char *pictures,
                                          const struct dh_eval_score_options *o,
                                          bool json);

/* The results of a folder, each answer judged again. */
DH_MUST_USE enum dh_status dh_eval_report_read(struct dh_eval_results *out,
                                               const char *dir);
/* The folder of the set's pictures, as run.json says; dh_free. NULL: it does
 * not. */
char *dh_eval_report_pictures(const char *dir);
/* The command line as it would be typed. */
void dh_eval_report_command(struct dh_buf *out, const char *name, int argc,
                            char **argv);

#endif
