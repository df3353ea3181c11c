/* base/sha256.h - SHA-256 (FIPS 180-4), to name files by their content. */
#ifndef DH_BASE_SHA256_H
#define DH_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct dh_sha256 {
    uint32_t h[8];
    uint64_t len;
    uint8_t block[64];
};

void dh_sha256_init(struct dh_sha256 *s);
void dh_sha256_put(struct dh_sha256 *s, const void *bytes, size_t n);
/* As 64 hexadecimal digits. */
void dh_sha256_text(struct dh_sha256 *s, char out[65]);
/* Of a whole file; logged where it cannot be read. */
DH_MUST_USE enum dh_status dh_sha256_file(const char *path, char out[65]);

#endif
