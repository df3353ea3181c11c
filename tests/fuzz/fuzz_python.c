/* Any bytes as code of pyautogui; what is read is written and read again.
 * max-len: 4096 */
#include <stdint.h>
#include <string.h>

#include "actions/python.h"
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dh_parse_options how = { .coord = DH_COORD_NORM1,
                                                 .screen = { 0, 0, 800, 600 } };
    struct dh_python_actions list, again;
    struct dh_diag why = { 0 };
    bool ok = dh_python_read(&how, (const char *)data, size, &list, &why);
    if (!ok && !why.text[0])
        __builtin_trap();
    for (int i = 0; ok && i < list.n; i++) {
        struct dh_buf code;
        struct dh_diag ignored = { 0 };
        dh_buf_init(&code, 1 << 20);
        dh_python_write(&list.item[i], how.screen, &code);
        if (!code.overflow &&
            !dh_python_read(&how, code.data, code.len, &again, &ignored))
            __builtin_trap();
        dh_python_finish(&again);
        dh_buf_finish(&code);
    }
    dh_python_finish(&list);
    return 0;
}
