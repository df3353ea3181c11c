#include "agent/recording.h"

#include <stdio.h>
#include <string.h>

#include "agent/expect.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "tests/dh_test.h"

/* --- a folder --- */

static char *new_folder(const char *head, const char *lines)
{
    char *dir = dh_test_path("r"), *frames = dh_path_join(dir, "frames");
    char *json = dh_path_join(dir, "session.json");
    char *events = dh_path_join(dir, "events.jsonl");
    CHECK_INT(dh_path_mkdirs(frames), DH_OK);
    CHECK_INT(dh_file_write(json, head, strlen(head)), DH_OK);
    CHECK_INT(dh_file_write(events, lines, strlen(lines)), DH_OK);
    dh_free(frames);
    dh_free(json);
    dh_free(events);
    return dir;
}

// Grey, but for a box of 32 x 32 at `x`, 64 that is white.
static void put_picture(const char *dir, int number, int x)
{
    struct dh_frame *f;
    char name[40];
    CHECK_INT(dh_frame_create(&f, NULL, 256, 128), DH_OK);
    for (int i = 0; i < 256 * 128; i++) {
        int px = i % 256, py = i / 256;
        bool in = px >= x && px < x + 32 && py >= 64 && py < 96;
        memset(dh_frame_at(f, px, py), in ? 255 : 128, 4);
    }
    dh_frame_publish(f);
    snprintf(name, sizeof name, "frames/%06d.png", number);
    char *path = dh_path_join(dir, name);
    CHECK_INT(dh_png_write(path, f), DH_OK);
    dh_free(path);
    dh_frame_unref(f);
}

#define HEAD(more)                                                       \
    "{\"format\":\"deskhand-session\",\"version\":1,\"kind\":\"human\"," \
    "\"screen\":{\"width\":256,\"height\":128}" more "}\n"
#define WIN(t, what, id, title)                                         \
    "{\"n\":9,\"t\":" t ",\"k\":\"win\",\"id\":" id ",\"what\":\"" what \
    "\",\"title\":\"" title "\",\"class\":\"a.A\",\"x\":1,\"y\":2,"     \
    "\"w\":30,\"h\":40}\n"
#define MENU(t, what, id)                                                    \
    "{\"n\":9,\"t\":" t ",\"k\":\"win\",\"id\":" id ",\"what\":\"" what      \
    "\",\"title\":\"Main\",\"class\":\"a.A\",\"menu\":true,\"x\":1,\"y\":2," \
    "\"w\":"                                                                 \
    "30,\"h\":40}\n"
#define ACT(n, t, more)                                                       \
    "{\"n\":" n ",\"t\":" t ",\"k\":\"act\",\"op\":\"left_click\","           \
    "\"btn\":1,\"count\":1,\"p\":[[10,20]],\"began\":" t ",\"ended\":" t more \
    "}\n"
#define DONE(act, t, after)                            \
    "{\"n\":8,\"t\":" t ",\"k\":\"done\",\"act\":" act \
    ",\"ok\":true,\"changed\":true,\"after\":" after "}\n"

static struct dh_recording *open_it(const char *dir)
{
    struct dh_recording *r;
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_recording_open(&r, dir, &diag);
    CHECK_STR(diag.text, "");
    CHECK_INT(st, DH_OK);
    return r;
}

static unsigned long stands_for(void *user, unsigned long recorded)
{
    (void)user;
    return recorded + 100;
}

/* --- reading --- */

static void test_windows_belong_to_the_step_that_had_begun(void)
{
    char *dir = new_folder(
        HEAD(""),
        WIN("1", "map", "5", "Main") ACT("2", "100", "")
            WIN("150", "map", "6", "Save 12") DONE("2", "160", "0")
                WIN("240", "unmap", "6", "Save 12") ACT("4", "200", ""));
    struct dh_recording *r = open_it(dir);
    CHECK_INT(r->n_steps, 2);
    CHECK_INT(r->n_windows, 3);
    CHECK_INT(r->step[0].first_window, 1);
    CHECK_INT(r->step[0].n_windows, 1);
    CHECK_INT(r->step[1].n_windows, 1);
    CHECK_STR(r->window[1].pattern, "Save *");
    struct dh_window now = { .id = 3, .title = "Save 99", .wm_class = "a.A" };
    CHECK(dh_recording_knows(r, &now));
    snprintf(now.title, sizeof now.title, "Other");
    CHECK(!dh_recording_knows(r, &now));
    dh_recording_close(r);
    dh_free(dir);
}

/* A menu has the title of its program's window, and so have hints, which come
 * when they like. */
static void test_a_menu_is_expected_and_a_hint_is_not(void)
{
    static const struct dh_window both[] = {
        { .id = 106, .title = "Main", .wm_class = "a.A", .menu = true },
        { .id = 105, .title = "Main", .wm_class = "a.A" },
    };
    struct dh_expect expect;
    struct dh_expect_found f;
    struct dh_restless none = { 0 };
    char *dir = new_folder(
        HEAD(""),
        WIN("1", "map", "5", "Main") ACT("2", "100", "") MENU("110", "map", "6")
            MENU("120", "map", "7")
                ACT("4", "200", ",\"target\":{\"window\":{\"id\":6}}"));
    struct dh_recording *r = open_it(dir);
    struct dh_expect_now now = { .stack = both,
                                 .n_stack = 2,
                                 .stands_for = stands_for };
    CHECK_INT(r->n_windows, 2);
    dh_expect_init(&expect, r, 0, &none);
    CHECK_INT(expect.n, 1);
    dh_expect_check(&expect, r, &now, &f);
    CHECK(f.windows);
    // One that is open already is not the one that should come out of it.
    struct dh_window open[2] = { both[0], both[1] };
    open[0].id = 107;
    now.stack = now.old = open;
    now.n_old = 2;
    dh_expect_check(&expect, r, &now, &f);
    CHECK_STR(f.missing, "the window \"Main\" has not come");
    now.n_old = 0;
    now.stack = both + 1;
    now.n_stack = 1;
    dh_expect_check(&expect, r, &now, &f);
    CHECK_STR(f.missing, "the window \"Main\" has not come");
    dh_expect_finish(&expect);
    dh_recording_close(r);
    dh_free(dir);
}

static void test_what_a_stranger_wrote_is_limited(void)
{
    static const char *const members[] = {
        ",\"target\":{}",
        ",\"target\":7",
        ",\"target\":{\"rect\":{\"x\":1e300,\"y\":-1e300,\"w\":1e9,\"h\":-4}}",
        ",\"target\":{\"rect\":[1],\"point\":[1e99,{}],\"crop\":5}",
        ",\"target\":{\"window\":{\"id\":-1,\"title\":3},\"node\":[],"
        "\"labels\":[{},{\"text\":\"a\",\"offset\":[1]},7,null]}",
        ",\"target\":{\"crop\":{\"tight\":{\"frame\":1e18,\"rect\":{\"x\":0,"
        "\"y\":0,\"w\":32767,\"h\":32767}}},\"unique\":{\"crop\":-3}}",
        ",\"before\":99999999,\"secret\":\"x\"",
    };
    for (size_t i = 0; i < DH_COUNTOF(members); i++) {
        char lines[1024];
        snprintf(lines, sizeof lines,
                 "{\"n\":1,\"t\":5,\"k\":\"act\",\"op\":\"left_click\","
                 "\"btn\":1,\"count\":1,\"p\":[[10,20]]%s}\n"
                 "{\"n\":2,\"t\":6,\"k\":\"target\",\"act\":1%s}\n",
                 members[i], members[i]);
        char *dir = new_folder(HEAD(""), lines);
        struct dh_recording *r = open_it(dir);
        struct dh_recorded_target *t = dh_recording_target(r, &r->step[0]);
        CHECK(t != NULL);
        CHECK(t->t.rect.w >= 0 && t->t.rect.w < 32768);
        CHECK(dh_recording_frame(r, t->frame) == NULL);
        dh_recording_close(r);
        dh_free(dir);
    }
}

static void test_an_action_that_cannot_be_read_is_kept_as_broken(void)
{
    char *dir = new_folder(
        HEAD(""),
        ACT("1", "5", "") "{\"n\":2,\"t\":6,\"k\":\"act\",\"op\":\"type\"}\n"
                          "{\"n\":3,\"t\":7,\"k\":\"act\",\"op\":\"key\",");
    struct dh_recording *r = open_it(dir);
    CHECK_INT(r->n_steps, 2);
    CHECK(!r->step[0].broken);
    CHECK_STR(r->step[1].broken,
              "the recording is damaged there: type: text is missing");
    dh_recording_close(r);
    dh_free(dir);
}

static void test_a_place_is_made_of_the_picture_where_none_was_recorded(void)
{
    char *dir = new_folder(
        HEAD(""),
        "{\"n\":1,\"t\":4,\"k\":\"frame\",\"f\":1}\n"
        "{\"n\":2,\"t\":5,\"k\":\"act\",\"op\":\"left_click\",\"btn\":1,"
        "\"count\":1,\"p\":[[70,80]],\"by\":\"model\",\"say\":\"the box\","
        "\"before\":1}\n");
    put_picture(dir, 1, 60);
    struct dh_recording *r = open_it(dir);
    struct dh_recorded_target *t = dh_recording_target(r, &r->step[0]);
    CHECK_INT(t->t.rect.x, 60);
    CHECK_INT(t->t.rect.w, 32);
    CHECK_INT(t->frame, 1);
    CHECK_STR(t->say, "the box");
    dh_recording_close(r);
    dh_free(dir);
}

static void test_a_repair_goes_before_what_was_recorded(void)
{
    char *dir = new_folder(
        HEAD(""), "{\"n\":1,\"t\":4,\"k\":\"frame\",\"f\":1}\n" ACT(
                      "2", "5",
                      ",\"before\":1,\"target\":{\"rect\":{\"x\":1,\"y\":2,"
                      "\"w\":20,\"h\":30},\"point\":[9,18]}"));
    put_picture(dir, 1, 0);
    struct dh_recording *r = open_it(dir);
    struct dh_frame *f = dh_recording_frame(r, 1);
    struct dh_target anew = { .at = { 110, 70 },
                              .rect = { 100, 64, 32, 32 },
                              .tight = { 96, 60, 40, 40 },
                              .wide = { 56, 20, 120, 108 } };
    CHECK_INT(dh_recording_repair(r, &r->step[0], &anew, f), DH_OK);
    dh_frame_unref(f);
    dh_recording_close(r);
    r = open_it(dir);
    CHECK_INT(r->n_steps, 1);
    CHECK_INT(r->step[0].n_targets, 2);
    CHECK(r->step[0].target[0].repaired);
    CHECK_INT(r->step[0].target[0].t.at.x, 110);
    CHECK_INT(r->step[0].target[0].frame, 2);
    CHECK_INT(r->step[0].target[1].t.at.x, 10);
    f = dh_recording_frame(r, 2);
    CHECK(f != NULL);
    dh_frame_unref(f);
    dh_recording_close(r);
    dh_free(dir);
}

/* --- what should follow --- */

struct after {
    struct dh_recording *r;
    struct dh_restless restless;
    struct dh_expect expect;
    char *dir;
};

// A click that moves the box, opens one window and closes another.
static void after_init(struct after *a, bool restless)
{
    a->dir = new_folder(
        HEAD(""),
        WIN("1", "map", "5",
            "Old") "{\"n\":1,\"t\":4,\"k\":\"frame\","
                   "\"f\":1}\n" ACT("2", "100", ",\"before\":1")
                       WIN("110", "map", "6", "New")
                           WIN("120", "unmap", "5", "Old") DONE("2", "160", "2")
                               ACT("4", "300", ",\"before\":3"));
    put_picture(a->dir, 1, 0);
    put_picture(a->dir, 2, 160);
    put_picture(a->dir, 3, restless ? 192 : 160);
    a->r = open_it(a->dir);
    dh_restless_learn(&a->restless, a->r, 10);
    dh_expect_init(&a->expect, a->r, 0, &a->restless);
}

static void after_finish(struct after *a)
{
    dh_expect_finish(&a->expect);
    dh_restless_finish(&a->restless);
    dh_recording_close(a->r);
    dh_free(a->dir);
}

static struct dh_expect_found check(struct after *a, int before, int now,
                                    const struct dh_window *stack, int n)
{
    struct dh_expect_found found;
    struct dh_frame *b = dh_recording_frame(a->r, before);
    struct dh_frame *f = dh_recording_frame(a->r, now);
    struct dh_expect_now state = { .before = b,
                                   .now = f,
                                   .stack = stack,
                                   .n_stack = n,
                                   .stands_for = stands_for };
    b->screen = f->screen = (struct dh_rect){ 0, 0, 256, 128 };
    dh_expect_check(&a->expect, a->r, &state, &found);
    dh_frame_unref(b);
    dh_frame_unref(f);
    return found;
}

static void test_windows_and_pictures_have_to_become_as_they_were(void)
{
    static const struct dh_window both[] = {
        { .id = 106, .title = "New", .wm_class = "a.A" },
        { .id = 105, .title = "Old", .wm_class = "a.A" },
    };
    struct after a;
    struct dh_expect_found f;
    after_init(&a, false);
    f = check(&a, 1, 2, both, 1);
    CHECK(f.windows);
    CHECK_INT(f.picture, DH_PICTURE_SAME);
    f = check(&a, 1, 2, both, 2);
    CHECK_STR(f.missing, "the window \"Old\" has not gone");
    f = check(&a, 1, 2, both + 1, 0);
    CHECK_STR(f.missing, "the window \"New\" has not come");
    f = check(&a, 1, 1, both, 1);
    CHECK_INT(f.picture, DH_PICTURE_OTHER);
    CHECK(f.missing[0]);
    CHECK_INT(a.expect.limit_ns / 1000000, 5000);
    after_finish(&a);
}

// What moved while nothing was done is small, so it moves by itself.
static void test_what_changes_by_itself_is_not_waited_for(void)
{
    struct after a;
    after_init(&a, true);
    bool told = false;
    for (int i = 0; i < a.expect.n_tiles; i++)
        told |= a.expect.tile[i].x >= 160;
    CHECK(!told);
    CHECK(a.expect.n_tiles > 0);
    after_finish(&a);
}

DH_TESTS(DH_TEST(windows_belong_to_the_step_that_had_begun),
         DH_TEST(a_menu_is_expected_and_a_hint_is_not),
         DH_TEST(what_a_stranger_wrote_is_limited),
         DH_TEST(an_action_that_cannot_be_read_is_kept_as_broken),
         DH_TEST(a_place_is_made_of_the_picture_where_none_was_recorded),
         DH_TEST(a_repair_goes_before_what_was_recorded),
         DH_TEST(windows_and_pictures_have_to_become_as_they_were),
         DH_TEST(what_changes_by_itself_is_not_waited_for));
