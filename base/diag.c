#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>

void dh_diag_set(struct dh_diag *d, size_t offset, const char *fmt, ...)
{
    if (!d || d->text[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->text, sizeof(d->text), fmt, ap);
    va_end(ap);
    d->offset = offset;
}
