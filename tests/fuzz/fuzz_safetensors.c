// Any bytes as a header over 64 bytes of data: views never leave the data.
#include <stdint.h>
#include <stdlib.h>

#include "base/log.h"
#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t bytes[64];

static enum dh_status look(void *user, const struct dh_tensor *t)
{
    size_t *sum = user;
    if (t->data < bytes || t->bytes > sizeof(bytes) ||
        (size_t)(t->data - bytes) > sizeof(bytes) - t->bytes)
        abort();
    for (size_t i = 0; i < t->bytes; i++)
        *sum += t->data[i];
    return DH_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t sum = 0;
    struct dh_diag diag = { 0 };
    if (size > 65536 || !dh_log_set_levels("error"))
        return 0;
    enum dh_status st = dh_safetensors_parse((const char *)data, size, bytes,
                                             sizeof(bytes), look, &sum, &diag);
    if (st && !diag.text[0])
        abort(); // a refusal without a reason
    return 0;
}
