/* tests/model/diff.h - the largest difference of n numbers; infinite where one
 * is not a number. */
#ifndef DH_TESTS_MODEL_DIFF_H
#define DH_TESTS_MODEL_DIFF_H

#include <stddef.h>

double dh_max_diff(const float *a, const float *b, size_t n);
double dh_max_diff_d(const float *a, const double *b, size_t n);

#endif
