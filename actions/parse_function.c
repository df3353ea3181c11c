#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"

static void put_value(struct dh_buf *json, struct dh_str value)
{
    struct dh_json *v = NULL;
    if (dh_str_starts(value, "[") || dh_str_starts(value, "{"))
        v = dh_json_parse(value.p, value.n, NULL);
    if (v)
        dh_json_print(v, json);
    else
        dh_json_quote(json, value);
    dh_json_free(v);
}

// One line break at each end belongs to the form, not to the value.
static struct dh_str unwrapped(struct dh_str v)
{
    if (dh_str_starts(v, "\n"))
        v = dh_str_sub(v, 1, v.n);
    return dh_str_ends(v, "\n") ? dh_str_sub(v, 0, v.n - 1) : v;
}

static size_t end_of(struct dh_str s, const char *tag, size_t from)
{
    ptrdiff_t at = dh_str_find(s, tag, from);
    return at < 0 ? s.n : (size_t)at;
}

size_t dh_parse_function(struct dh_str s, struct dh_str *name,
                         struct dh_buf *json)
{
    static const char open[] = "<function=", close[] = "</function>";
    static const char param[] = "<parameter=", after[] = "</parameter>";
    if (!dh_str_starts(s, open))
        return 0;
    size_t stop = end_of(s, close, 0), gt = end_of(s, ">", 0);
    if (gt >= stop)
        return 0;
    struct dh_str body = dh_str_sub(s, 0, stop);
    *name = dh_str_trim(dh_str_sub(s, sizeof open - 1, gt));
    dh_buf_putc(json, '{');
    const char *sep = "";
    for (size_t at = gt + 1;;) {
        size_t p = end_of(body, param, at);
        size_t key_end = p < body.n ? end_of(body, ">", p) : body.n;
        if (key_end == body.n)
            break;
        size_t end = end_of(body, after, key_end);
        dh_buf_puts(json, sep);
        dh_json_quote(
            json, dh_str_trim(dh_str_sub(body, p + sizeof param - 1, key_end)));
        dh_buf_putc(json, ':');
        put_value(json, unwrapped(dh_str_sub(body, key_end + 1, end)));
        sep = ",";
        at = end;
    }
    dh_buf_putc(json, '}');
    size_t used = stop + sizeof close - 1;
    return json->overflow ? 0 : used < s.n ? used : s.n;
}
