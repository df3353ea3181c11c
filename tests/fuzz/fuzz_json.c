// What parses must print, parse again and print the same. max-len: 4096
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

static void print(const struct dh_json *v, struct dh_buf *out)
{
    dh_buf_init(out, 1 << 20);
    dh_json_print(v, out);
    if (out->overflow || !dh_utf8_valid(out->data, out->len))
        abort();
}

static void visit(const struct dh_json *v)
{
    struct dh_diag d = { 0 };
    int64_t i;
    if (dh_json_get_i64(v, "n", -5, 5, &i, &d) && (i < -5 || i > 5))
        abort();
    for (const struct dh_json *c = dh_json_first(v); c; c = dh_json_next(c)) {
        if (strlen(dh_json_key(c)) + strlen(dh_json_text(c)) > 3 * 4096)
            abort();
        visit(c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_diag d = { 0 };
    struct dh_json *v = dh_json_parse((const char *)data, size, &d);
    if (!v) {
        if (!d.text[0] || d.offset > size)
            abort();
        return 0;
    }
    visit(v);
    struct dh_buf once, twice;
    print(v, &once);
    struct dh_json *again = dh_json_parse(once.data, once.len, &d);
    // An infinite number prints as null, and only that changes a kind.
    if (!again)
        abort();
    print(again, &twice);
    if (once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
        abort();
    dh_buf_finish(&once);
    dh_buf_finish(&twice);
    dh_json_free(again);
    dh_json_free(v);
    return 0;
}
