#include "tests/model/diff.h"

#include <math.h>

double dh_max_diff(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        most = d > most || isnan(d) ? d : most;
        if (isnan(d))
            return (double)INFINITY;
    }
    return most;
}

double dh_max_diff_d(const float *a, const double *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (isnan(d))
            return (double)INFINITY;
        most = d > most ? d : most;
    }
    return most;
}
