#include "base/base64.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void dh_base64_put(struct dh_buf *out, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    char some[4 * 1024];
    size_t used = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t word = (uint32_t)p[i] << 16;
        word |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
        word |= i + 2 < n ? p[i + 2] : 0;
        some[used++] = letters[word >> 18];
        some[used++] = letters[word >> 12 & 63];
        some[used++] = i + 1 < n ? letters[word >> 6 & 63] : '=';
        some[used++] = i + 2 < n ? letters[word & 63] : '=';
        if (used == sizeof some) {
            dh_buf_put(out, some, used);
            used = 0;
        }
    }
    dh_buf_put(out, some, used);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool dh_base64_read(struct dh_buf *out, const char *text, size_t n)
{
    uint32_t word = 0;
    int bits = 0, padding = 0, digits = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        if (c == '=') {
            padding++;
            continue;
        }
        int v = value_of(c);
        if (v < 0 || padding)
            return false;
        digits++;
        word = word << 6 | (uint32_t)v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            dh_buf_putc(out, (char)(word >> bits & 0xff));
        }
    }
    return digits % 4 != 1 && padding <= 2;
}
