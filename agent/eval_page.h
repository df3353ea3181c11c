/* agent/eval_page.h - a run's page: the table, and what went worst first. */
#ifndef DH_AGENT_EVAL_PAGE_H
#define DH_AGENT_EVAL_PAGE_H

#include "agent/eval_score.h"

/*
 * Write DIR/index.html, one file that needs no other: the table, what looks
 * wrong, and up to `most` misses with picture, target, answer and words.
 * `pictures` is the set's folder; a picture that is gone is named as such.
 */
DH_MUST_USE enum dh_status dh_eval_page_write(const char *dir,
                                              const char *pictures,
                                              const struct dh_eval_results *rs,
                                              const struct dh_eval_table *table,
                                              const char *doubts, int most);

#endif
