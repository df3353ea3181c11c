// Any bytes as what a browser says.
// max-len: 4096
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/web_pipe.h"
#include "base/json.h"

static void hear(void *with, const char *text)
{
    *(size_t *)with += strlen(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t heard = 0;
    struct dh_web_pipe p = { .told = hear, .with = &heard };
    struct dh_json *answer = NULL;
    bool ok = dh_web_message(&p, (struct dh_str){ (const char *)data, size }, 1,
                             &answer);
    if (answer && (!ok || dh_json_kind(answer) != DH_JSON_OBJECT))
        abort();
    dh_json_free(answer);
    return 0;
}
