// Any bytes as a table: all of its cells can be read. max-len: 4096
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_diag diag = { 0 };
    struct dh_csv t;
    if (dh_csv_parse(&t, (const char *)data, size, &diag)) {
        if (!diag.text[0])
            abort();
        return 0;
    }
    size_t all = 0;
    for (int r = -1; r < t.n_rows; r++)
        for (int c = 0; c < t.n_columns; c++)
            all += strlen(dh_csv_cell(&t, r, c));
    if (all > size)
        abort();
    dh_csv_finish(&t);
    return 0;
}
