/* Any bytes as a desktop's settings, which any program may set.
 * max-len: 1024 */
#include <stdint.h>
#include <string.h>

#include "capture/input_setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_input_setup s;
    memset(&s, 0, sizeof s);
    dh_input_setup_settings(&s, data, size);
    dh_input_setup_resources(&s, (const char *)data, size);
    if (s.double_click_ms < 0 || s.dpi < 0)
        __builtin_trap();
    return 0;
}
