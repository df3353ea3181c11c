/* base/base64.h - bytes as text (RFC 4648, section 4, with padding). */
#ifndef DH_BASE_BASE64_H
#define DH_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

struct dh_buf;

void dh_base64_put(struct dh_buf *out, const void *bytes, size_t n);
/* Appends the bytes. False where it is no base64: white space is skipped,
 * missing padding is forgiven, anything else is not. */
bool dh_base64_read(struct dh_buf *out, const char *text, size_t n);

#endif
