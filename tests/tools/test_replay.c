#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <X11/keysym.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/tools/form.h"
#include "tests/tools/program.h"
#include "tests/x11/listener.h"
#include "tests/x11/person.h"

static const KeySym stop_mods[] = { XK_Control_L, XK_Alt_L, XK_Shift_L, 0 };

/* --- a person shows it --- */

// The folder of the recording, to be freed.
static char *record(const struct form_options *o, bool saves, bool types)
{
    char *dir = dh_test_path("s");
    const char *const args[] = { "record", dir, "--no-sign", NULL };
    struct dh_person person;
    struct form f;
    struct said said;
    int x = o->x ? o->x : 60, y = o->y ? o->y : 40;
    dh_person_init(&person);
    dh_person_moves(&person, 5, 5);
    form_start(&f, o);
    pid_t pid = program_start(args);
    CHECK(program_saw("recording"));
    char *lines = dh_path_join(dir, "events.jsonl");
    struct stat st = { 0 };
    for (int i = 0; i < 400 && !st.st_size; i++) {
        dh_sleep_for(25 * DH_MS);
        if (stat(lines, &st))
            st.st_size = 0;
    }
    dh_free(lines);
    if (types) {
        dh_person_clicks(&person, x + FORM_FIELD_X, y + FORM_FIELD_Y, 1);
        dh_person_types(&person, "Ada");
    }
    if (saves) {
        dh_person_clicks(&person, x + FORM_SAVE_X, y + FORM_SAVE_Y, 1);
        CHECK(program_saw("left_click 130 152"));
        dh_sleep_for(700 * DH_MS);
    }
    dh_person_clicks(&person, x + FORM_CLEAR_X, y + FORM_CLEAR_Y, 1);
    CHECK(program_saw("left_click 130 212"));
    dh_person_chord(&person, XK_Escape, stop_mods);
    program_wait(&said, pid);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "stopped after", NULL);
    said_finish(&said);
    dh_person_finish(&person);
    form_stop(&f);
    return dir;
}

/* --- and it is played --- */

#define PLAY(s, dir, ...)                                                   \
    RUN((s), "replay", (dir), "--no-sign", "--no-record", "--audit", audit, \
        __VA_ARGS__)

static char *audit;

static void play_init(void)
{
    audit = dh_test_path("audit.jsonl");
}

static void test_an_unchanged_program_is_played_exactly(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 };
    play_init();
    char *dir = record(&o, true, true);
    form_start(&f, &o);
    PLAY(&said, dir, NULL);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "done: 4 of 4 steps", NULL);
    CHECK_SAID(&said, 0, "place 3", NULL);
    CHECK_STR(form_told(&f), "field \nkey A\nkey d\nkey a\npress Save\n"
                             "press Clear\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_a_moved_window_is_followed_or_brought_back(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, moved = { .x = 301, .y = 222 };
    play_init();
    char *dir = record(&o, true, true);
    form_start(&f, &moved);
    PLAY(&said, dir, "--no-arrange");
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 0, "done: 4 of 4 steps", NULL);
    PLAY(&said, dir, NULL);
    CHECK_SAID(&said, 0, "place 3", NULL);
    CHECK_SAID(&said, 0, "left_click 130 152", NULL);
    CHECK_STR(form_told(&f), "field \nkey A\nkey d\nkey a\npress Save\n"
                             "press Clear\nfield \nkey A\nkey d\nkey a\n"
                             "press Save\npress Clear\n");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

static void test_an_element_that_is_gone_stops_it_before_the_click(void)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 }, gone = { .no_save = true };
    play_init();
    char *dir = record(&o, true, false);
    form_start(&f, &gone);
    PLAY(&said, dir, NULL);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, 3, "stuck: 0 of 2 steps", NULL);
    CHECK_STR(form_told(&f), "");
    said_finish(&said);
    form_stop(&f);
    dh_free(dir);
}

DH_TESTS(DH_TEST(an_unchanged_program_is_played_exactly),
         DH_TEST(a_moved_window_is_followed_or_brought_back),
         DH_TEST(an_element_that_is_gone_stops_it_before_the_click));
