/* The answer parser, whole and as a stream, the chord parser and the line
 * parser on any bytes. The first byte chooses the options. */
#include <stdint.h>
#include <string.h>

#include "actions/keymap.h"
#include "actions/parse.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        __builtin_trap();
}

// Seeds are plain texts: what no option stands for is the default.
static struct dh_parse_options options_of(uint8_t c)
{
    struct dh_parse_options o = { 0 };
    if (c < 8) {
        o.coord = (enum dh_coord)(c % DH_COORD_COUNT);
        o.screen = (struct dh_rect){ -100, 40, 1920, 1080 };
        o.thinking = c > 5;
    }
    return o;
}

static void check_action(const struct dh_action *a,
                         const struct dh_parse_options *o)
{
    check(a->op < DH_ACTION_COUNT && a->n_path <= DH_ACTION_PATH_MAX);
    if (a->on_screen && a->has_at)
        check(dh_rect_has(o->screen, a->at));
    if (!a->on_screen && a->has_at)
        check(a->at.x >= 0 && a->at.x <= 1000);
}

static void stream_agrees(const struct dh_parse_options *o, const char *text,
                          size_t n, const struct dh_answer *whole,
                          enum dh_status st)
{
    struct dh_answer_stream *s = dh_answer_stream_create(o);
    struct dh_action early[DH_ANSWER_MAX_ACTIONS];
    struct dh_answer end;
    struct dh_diag diag = { 0 };
    int taken = 0;
    size_t step = 1 + n % 7;
    for (size_t i = 0; i < n; i += step) {
        dh_answer_stream_feed(s, text + i, DH_MIN(step, n - i));
        while (taken < DH_ANSWER_MAX_ACTIONS &&
               dh_answer_stream_take(s, &early[taken]))
            taken++;
    }
    enum dh_status last = dh_answer_stream_end(s, &end, &diag);
    // Only an end of thinking makes a call a thought after the fact.
    bool thought = last && !strncmp(diag.text, "an end of", 9);
    check(thought || (last == st && taken <= whole->n));
    check(!thought || memmem(text, n, "</", 2));
    for (int i = 0; i < taken; i++) {
        check(thought || dh_action_equal(&early[i], &whole->action[i]));
        dh_action_finish(&early[i]);
    }
    dh_answer_finish(&end);
    dh_answer_stream_destroy(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_answer answer;
    struct dh_diag diag = { 0 };
    struct dh_chord chords[DH_CHORDS_MAX];
    struct dh_action action;
    unsigned mods;
    size_t n;
    struct dh_parse_options o = options_of(size ? data[0] : 255);
    size_t skip = size && data[0] < 8;
    const char *bytes = (const char *)data + skip;
    enum dh_status st =
        dh_answer_parse_with(&o, bytes, size - skip, &answer, &diag);
    check(!st || diag.text[0]);
    for (int i = 0; i < answer.n; i++)
        check_action(&answer.action[i], &o);
    stream_agrees(&o, bytes, size - skip, &answer, st);
    dh_answer_finish(&answer);
    char *text = dh_strndup((const char *)data, size);
    check(dh_keys_parse(text, NULL, chords, &n, &diag) || n);
    check(!dh_mods_parse(text, &mods) || mods <= 31);
    if (dh_action_of_text(text, false, &action, &diag))
        dh_action_finish(&action);
    dh_free(text);
    return 0;
}
