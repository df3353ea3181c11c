/* base/diag.h - why a text could not be parsed, for whoever shows it. */
#ifndef DH_BASE_DIAG_H
#define DH_BASE_DIAG_H

#include <stddef.h>

#include "base/status.h"

/* Zero it before use. Parsers set it once; the first reason wins. */
struct dh_diag {
    size_t offset; /* in bytes, of the place that is wrong */
    char text[200];
};

/* Set text and offset unless one is set already. NULL is allowed. */
void dh_diag_set(struct dh_diag *d, size_t offset, const char *fmt, ...)
    DH_PRINTF(3, 4);

#endif
