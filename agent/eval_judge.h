/*
 * agent/eval_judge.h - what an answer is worth, from its text alone.
 *
 * A line of results holds all that is needed, so that numbers can be computed
 * again at any time, also under another convention of coordinates.
 */
#ifndef DH_AGENT_EVAL_JUDGE_H
#define DH_AGENT_EVAL_JUDGE_H

#include "agent/eval_result.h"

/*
 * Fill point, hit, score, gap_px and error from raw (or reasoning), profile,
 * crop and target. A result without an answer, or of a task, stays as it is,
 * but that a miss is a miss. Inside means the edges, too; a box stands for its
 * centre; an answer that cannot be read misses.
 */
void dh_eval_judge(struct dh_eval_result *r);

/* Where the answer points if its numbers mean `coord`, with x and y exchanged
 * where `swapped`. False: nowhere. */
bool dh_eval_judge_as(const struct dh_eval_result *r, enum dh_coord coord,
                      bool swapped, double point[2]);
/* The answer has numbers, but outside of what its convention allows. */
bool dh_eval_judge_is_outside(const struct dh_eval_result *r);

/* The square of a second look (7.6) around a point: 0.35 of the short side,
 * 448 pixels at least, moved to lie inside. */
struct dh_rect dh_eval_zoom_crop(struct dh_size picture, const double at[2]);

#endif
