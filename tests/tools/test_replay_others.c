// What a run or another program recorded is played as well, as far as it tells
// what is needed.
#include <stdio.h>
#include <string.h>

#include <X11/keysym.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/tools/form.h"
#include "tests/tools/program.h"
#include "tests/x11/person.h"

static const char did[] = "field \nkey A\nkey d\nkey a\npress Save\n"
                          "press Clear\n";

// A run of a script in the form.
static char *run_once(void)
{
    struct dh_person person;
    struct form f;
    struct said said;
    struct form_options o = { 0 };
    char *dir = dh_test_path("run");
    char *script = dh_test_file("script", "left_click 195 107\n"
                                          "type Ada\n"
                                          "left_click 127 198\n"
                                          "left_click 127 276\n");
    // A pointer on the field would be in its picture.
    dh_person_init(&person);
    dh_person_moves(&person, 1000, 700);
    dh_person_finish(&person);
    form_start(&f, &o);
    RUN(&said, "run", "--script", script, "--session", dir, "--mode", "free",
        "--no-sign", "Enter Ada.");
    printf("%s%s", said.out, said.err);
    CHECK_INT(said.status, 0);
    CHECK_STR(form_told(&f), did);
    said_finish(&said);
    form_stop(&f);
    dh_free(script);
    return dir;
}

static void play(const char *dir, const struct form_options *o, int status,
                 const char *says, const char *does)
{
    struct form f;
    struct said said;
    char *audit = dh_test_path("audit.jsonl");
    form_start(&f, o);
    RUN(&said, "replay", dir, "--no-sign", "--no-record", "--audit", audit);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, status, says, NULL);
    CHECK_STR(form_told(&f), does);
    said_finish(&said);
    form_stop(&f);
    dh_free(audit);
}

static void test_what_a_run_did_is_played(void)
{
    char *dir = run_once();
    play(dir, &(struct form_options){ 0 }, 0, "done: 4 of 4 steps", did);
    play(dir, &(struct form_options){ .x = 301, .y = 222 }, 0, "done: ", did);
    play(dir, &(struct form_options){ .no_save = true }, 3, "stuck: 2 of 4",
         "field \nkey A\nkey d\nkey a\n");
    dh_free(dir);
}

static void forget_effects(const char *dir)
{
    char *text, *path = dh_path_join(dir, "events.jsonl");
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &len), DH_OK);
    for (char *p = text; (p = strstr(p, "\"k\":\"done\""));)
        memcpy(p, "\"k\":\"gone\"", 10);
    CHECK_INT(dh_file_write(path, text, len), DH_OK);
    dh_big_free(text);
    dh_free(path);
}

// Where it is not known what its steps changed a replay looks by itself.
static void check_changes(const char *dir)
{
    struct form f;
    struct said said;
    struct form_options o = { 0 };
    char *text, *out = dh_test_path("played");
    char *audit = dh_test_path("audit.jsonl");
    char *page = dh_path_join(out, "index.html");
    size_t len;
    int n = 0;
    forget_effects(dir);
    form_start(&f, &o);
    RUN(&said, "replay", dir, "--no-sign", "-s", out, "--audit", audit);
    CHECK_SAID(&said, 0, "done: ", NULL);
    CHECK_STR(form_told(&f), did);
    CHECK_INT(dh_file_read(page, 1 << 20, &text, &len), DH_OK);
    for (const char *p = text; (p = strstr(p, ", no change")); p++)
        n++;
    // A click into the field is not seen.
    CHECK_INT(n, 1);
    dh_big_free(text);
    said_finish(&said);
    form_stop(&f);
    dh_free(page);
    dh_free(audit);
    dh_free(out);
}

static void test_what_was_imported_is_played(void)
{
    struct said said;
    char *dir = run_once(), *set = dh_test_path("set"),
         *new = dh_test_path("new");
    char *file = dh_path_join(set, "agentnet.jsonl");
    RUN(&said, "export", dir, "--to", "agentnet", set);
    printf("%s%s", said.out, said.err);
    CHECK_INT(said.status, 0);
    said_finish(&said);
    RUN(&said, "import", "agentnet", file, new);
    printf("%s%s", said.out, said.err);
    CHECK_INT(said.status, 0);
    said_finish(&said);
    play(new, &(struct form_options){ 0 }, 0, "done: 4 of 5 steps", did);
    play(new, &(struct form_options){ .no_save = true }, 3, "stuck: 2 of 5",
         "field \nkey A\nkey d\nkey a\n");
    check_changes(new);
    dh_free(file);
    dh_free(new);
    dh_free(set);
    dh_free(dir);
}

/* --- a person takes over --- */

// Waits for a button that is not there, and is played by hand meanwhile. The
// person brings the button, or not.
static void check_taken(const char *dir, bool brings, int status,
                        const char *says, const char *does)
{
    struct form_options gone = { .no_save = true }, whole = { 0 };
    struct dh_person person;
    struct form f;
    struct said said;
    static const KeySym none[] = { 0 };
    char *out = dh_test_path(brings ? "brought" : "not-brought");
    char *audit = dh_test_path("audit.jsonl"), *text;
    char *events = dh_path_join(out, "events.jsonl");
    size_t len;
    const char *const args[] = { "replay",  dir,   "-s",        out,
                                 "--audit", audit, "--no-sign", NULL };
    dh_person_init(&person);
    form_start(&f, &gone);
    pid_t pid = program_start(args);
    CHECK(program_saw("2/4"));
    dh_person_chord(&person, XK_Scroll_Lock, none);
    CHECK(program_saw("a person has the desktop"));
    dh_person_clicks(&person, 60 + FORM_CLEAR_X, 40 + FORM_CLEAR_Y, 1);
    dh_person_types(&person, "Bo");
    // What was typed is looked at before the program is another one.
    dh_sleep_for(500 * DH_MS);
    if (brings) {
        form_stop(&f);
        form_start(&f, &whole);
    }
    dh_person_chord(&person, XK_Scroll_Lock, none);
    CHECK(program_saw("the desktop was handed back"));
    program_wait(&said, pid);
    printf("%s%s", said.out, said.err);
    CHECK_SAID(&said, status, says, NULL);
    said_finish(&said);
    CHECK_STR(form_told(&f), does);
    CHECK_INT(dh_file_read(events, 1 << 20, &text, &len), DH_OK);
    const char *click = strstr(text, "\"p\":[[130,212]],\"by\":\"human\"");
    const char *typed = strstr(text, "\"text\":\"Bo\",\"by\":\"human\"");
    CHECK(click && typed && click < typed);
    CHECK(strstr(typed, "by hand, the user did: left_click") != NULL);
    dh_big_free(text);
    RUN(&said, "view", "--list", out);
    CHECK_SAID(&said, 0, "type \"Bo\"", "");
    said_finish(&said);
    form_stop(&f);
    dh_person_finish(&person);
    dh_free(events);
    dh_free(audit);
    dh_free(out);
}

static void test_a_person_takes_over_and_hands_back(void)
{
    char *dir = run_once();
    check_taken(dir, true, 0, "done: 4 of 4 steps",
                "press Save\npress Clear\n");
    check_taken(dir, false, 3, "stuck: 2 of 4 steps",
                "field \nkey A\nkey d\nkey a\npress Clear\nkey B\nkey o\n");
    dh_free(dir);
}

DH_TESTS(DH_TEST(a_person_takes_over_and_hands_back),
         DH_TEST(what_a_run_did_is_played),
         DH_TEST(what_was_imported_is_played));
