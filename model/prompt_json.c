#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "model/prompt_priv.h"

// float.__repr__: the fewest digits that read back as the same value, with an
// exponent below 1e-4 and from 1e16 on.
static void put_float(double v, struct dh_buf *out)
{
    if (!isfinite(v)) {
        dh_buf_puts(out, isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity");
        return;
    }
    char text[40];
    int digits = 1;
    do
        snprintf(text, sizeof text, "%.*e", digits - 1, v);
    while (strtod(text, NULL) != v && digits++ < 17);
    const char *e = strchr(text, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    if (exponent >= -4 && exponent < 16) {
        int decimals = digits - 1 - exponent;
        dh_buf_printf(out, "%.*f", decimals > 1 ? decimals : 1, v);
        return;
    }
    dh_buf_put(out, text, (size_t)(e - text));
    dh_buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

void dh_prompt_put_number(const struct dh_json *v, struct dh_buf *out)
{
    double d = dh_json_number(v);
    if (dh_json_is_float(v) || !isfinite(d))
        put_float(d, out);
    else
        dh_buf_printf(out, "%.0f", d == 0.0 ? 0.0 : d);
}

static void put_string(const char *s, struct dh_buf *out)
{
    static const char letters[] = "\b\f\n\r\t\"\\";
    static const char names[] = "bfnrt\"\\";
    dh_buf_putc(out, '"');
    for (; *s; s++) {
        const char *known = strchr(letters, *s);
        if (known)
            dh_buf_printf(out, "\\%c", names[known - letters]);
        else if ((unsigned char)*s < 0x20)
            dh_buf_printf(out, "\\u%04x", (unsigned)(unsigned char)*s);
        else
            dh_buf_putc(out, *s);
    }
    dh_buf_putc(out, '"');
}

static void put_children(const struct dh_json *v, bool object,
                         struct dh_buf *out)
{
    dh_buf_putc(out, object ? '{' : '[');
    for (const struct dh_json *c = dh_json_first(v); c; c = dh_json_next(c)) {
        if (c != dh_json_first(v))
            dh_buf_puts(out, ", ");
        if (object) {
            put_string(dh_json_key(c), out);
            dh_buf_puts(out, ": ");
        }
        dh_prompt_put_json(c, out);
    }
    dh_buf_putc(out, object ? '}' : ']');
}

void dh_prompt_put_json(const struct dh_json *v, struct dh_buf *out)
{
    switch (dh_json_kind(v)) {
    case DH_JSON_NULL: dh_buf_puts(out, "null"); break;
    case DH_JSON_BOOL:
        dh_buf_puts(out, dh_json_is_true(v) ? "true" : "false");
        break;
    case DH_JSON_NUMBER: dh_prompt_put_number(v, out); break;
    case DH_JSON_STRING: put_string(dh_json_text(v), out); break;
    case DH_JSON_ARRAY: put_children(v, false, out); break;
    case DH_JSON_OBJECT: put_children(v, true, out); break;
    }
}
