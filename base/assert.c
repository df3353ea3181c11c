#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

// Not through the log: its state may be what is broken.
void dh_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}
