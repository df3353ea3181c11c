/* The answer parser, the chord parser and the line parser on any bytes. */
#include <stdint.h>
#include <string.h>

#include "actions/keymap.h"
#include "actions/parse.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_answer answer;
    struct dh_diag diag = { 0 };
    struct dh_chord chords[DH_CHORDS_MAX];
    struct dh_action action;
    unsigned mods;
    size_t n;
    if (dh_answer_parse((const char *)data, size, &answer, &diag) &&
        !diag.text[0])
        __builtin_trap();
    dh_answer_finish(&answer);
    char *text = dh_strndup((const char *)data, size);
    if (dh_keys_parse(text, NULL, chords, &n, &diag) == DH_OK && !n)
        __builtin_trap();
    if (dh_mods_parse(text, &mods) && mods > 31)
        __builtin_trap();
    if (dh_action_of_text(text, false, &action, &diag))
        dh_action_finish(&action);
    dh_free(text);
    return 0;
}
