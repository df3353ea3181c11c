#include "agent/stall.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "tests/dh_test.h"

enum { W = 1280, H = 720 };

static struct dh_frame *screen(uint8_t grey)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, W, H), DH_OK);
    for (int y = 0; y < H; y++)
        memset(dh_frame_at(f, 0, y), grey, (size_t)W * 4);
    return f;
}

static void fill(struct dh_frame *f, int x, int y, int w, int h, uint8_t v)
{
    for (int i = y; i < y + h; i++)
        memset(dh_frame_at(f, x, i), v, (size_t)w * 4);
}

static struct dh_action action(const char *line)
{
    struct dh_action a;
    CHECK(dh_action_of_text(line, false, &a, NULL));
    return a;
}

static enum dh_stall_level add(struct dh_stall *s, struct dh_frame *f,
                               const char *line, bool changed, char text[512])
{
    struct dh_action a = action(line);
    enum dh_stall_level level = dh_stall_add(s, f, &a, text);
    dh_stall_changed(s, changed);
    dh_action_finish(&a);
    return level;
}

static void test_the_same_again_climbs_to_the_end(void)
{
    static const enum dh_stall_level want[] = { DH_STALL_NONE, DH_STALL_NONE,
                                                DH_STALL_NOTE, DH_STALL_WARN,
                                                DH_STALL_END };
    struct dh_stall s = { 0 };
    struct dh_frame *f = screen(90);
    char text[512];
    for (int i = 0; i < 5; i++) {
        CHECK_INT(add(&s, f, "left_click 500 300", false, text), want[i]);
        CHECK_INT(text[0] != '\0', want[i] != DH_STALL_NONE);
        CHECK_INT(strstr(text, "another way") != NULL, i == 3);
    }
    CHECK_STR(text, "repeated 5 times on the same screen: "
                    "left_click 500 300");
    dh_stall_finish(&s);
    dh_frame_unref(f);
}

// As a model that aims at the same thing again does.
static void test_a_point_that_is_off_a_little_is_the_same(void)
{
    struct dh_stall s = { 0 };
    struct dh_frame *f = screen(90);
    char text[512];
    add(&s, f, "left_click 500 300", false, text);
    add(&s, f, "left_click 503 297", false, text);
    CHECK_INT(add(&s, f, "left_click 500 299", false, text), DH_STALL_NOTE);
    CHECK_INT(add(&s, f, "left_click 506 299", false, text), DH_STALL_NONE);
    dh_stall_finish(&s);
    dh_frame_unref(f);
}

static void test_a_caret_and_a_clock_are_the_same_screen(void)
{
    struct dh_stall s = { 0 };
    struct dh_frame *f[3];
    char text[512];
    for (int i = 0; i < 3; i++) {
        f[i] = screen(250);
        fill(f[i], 400, 300, 2, 18, i % 2 ? 0 : 250);
        fill(f[i], 1200 + 4 * i, 4, 30, 12, 10);
    }
    add(&s, f[0], "left_click 5 5", false, text);
    add(&s, f[1], "left_click 5 5", false, text);
    CHECK_INT(add(&s, f[2], "left_click 5 5", false, text), DH_STALL_NOTE);
    dh_stall_finish(&s);
    for (int i = 0; i < 3; i++)
        dh_frame_unref(f[i]);
}

static void test_another_screen_is_no_repeat(void)
{
    struct dh_stall s = { 0 };
    char text[512];
    for (int i = 0; i < 40; i++) {
        struct dh_frame *f = screen(200);
        fill(f, 100, 40 + 15 * i, 600, 15, 40);
        CHECK_INT(add(&s, f, "key Down", true, text), DH_STALL_NONE);
        dh_frame_unref(f);
    }
    dh_stall_finish(&s);
}

static void test_a_slider_that_moves_is_no_repeat(void)
{
    struct dh_stall s = { 0 };
    char text[512];
    for (int i = 0; i < 40; i++) {
        struct dh_frame *f = screen(200);
        fill(f, 300 + 4 * i, 400, 10, 20, 40);
        CHECK_INT(add(&s, f, "key Right", true, text), DH_STALL_NONE);
        dh_frame_unref(f);
    }
    dh_stall_finish(&s);
}

static void test_a_page_that_comes_again_is_a_repeat(void)
{
    struct dh_stall s = { 0 };
    struct dh_frame *f = screen(200);
    char text[512];
    for (int i = 1; i <= 10; i++)
        CHECK_INT(add(&s, f, "key F5", true, text) == DH_STALL_NONE, i < 6);
    CHECK_INT(add(&s, f, "key F5", true, text), DH_STALL_END);
    dh_stall_finish(&s);
    dh_frame_unref(f);
}

static void check_cycle(int len, int first)
{
    static const char *const line[] = { "left_click 1 1", "key Escape",
                                        "left_click 900 900", "key Tab" };
    struct dh_stall s = { 0 };
    struct dh_frame *f[4];
    char text[512];
    enum dh_stall_level level = DH_STALL_NONE;
    for (int i = 0; i < len; i++)
        f[i] = screen((uint8_t)(50 + 40 * i));
    int n = 0, at[4] = { 0 };
    while (level != DH_STALL_END && n < 100) {
        level = add(&s, f[n % len], line[n % len], true, text);
        n++;
        if (!at[level])
            at[level] = n;
    }
    CHECK_INT(at[DH_STALL_NOTE], first);
    CHECK_INT(at[DH_STALL_WARN], first + len);
    CHECK_INT(at[DH_STALL_END], first + 2 * len);
    CHECK(strstr(text, "left_click 1 1, ") || len == 1);
    dh_stall_finish(&s);
    for (int i = 0; i < len; i++)
        dh_frame_unref(f[i]);
}

// A B A B A B, up to A B C D.
static void test_cycles_up_to_four_are_found(void)
{
    check_cycle(2, 6);
    check_cycle(3, 9);
    check_cycle(4, 12);
}

static void test_waiting_is_given_more_time(void)
{
    struct dh_stall s = { 0 };
    struct dh_frame *f = screen(90);
    char text[512];
    for (int i = 1; i <= 10; i++) {
        enum dh_stall_level want = i < 6    ? DH_STALL_NONE
                                   : i < 8  ? DH_STALL_NOTE
                                   : i < 10 ? DH_STALL_WARN
                                            : DH_STALL_END;
        CHECK_INT(add(&s, f, "wait 5", false, text), want);
    }
    dh_stall_finish(&s);
    dh_frame_unref(f);
}

static void test_actions_without_effect_are_counted(void)
{
    struct dh_stall s = { 0 };
    struct dh_frame *f = screen(90);
    char text[512], line[64];
    enum dh_stall_level level = DH_STALL_NONE;
    for (int i = 0; i < 13; i++) {
        snprintf(line, sizeof line, "left_click %d 500", 20 * i);
        level = add(&s, f, line, false, text);
        CHECK_INT(level, i < 6    ? DH_STALL_NONE
                         : i < 9  ? DH_STALL_NOTE
                         : i < 12 ? DH_STALL_WARN
                                  : DH_STALL_END);
    }
    CHECK_STR(text, "none of the last 12 actions changed the screen");
    // One that has an effect begins the count anew.
    dh_stall_changed(&s, true);
    CHECK_INT(add(&s, f, "left_click 700 700", false, text), DH_STALL_NONE);
    dh_stall_finish(&s);
    dh_frame_unref(f);
}

static void test_typed_text_is_not_told(void)
{
    struct dh_stall s = { 0 };
    struct dh_frame *f = screen(90);
    char text[512];
    for (int i = 0; i < 3; i++)
        add(&s, f, "type hunter2", false, text);
    CHECK_STR(text, "repeated 3 times on the same screen: type");
    dh_stall_finish(&s);
    dh_frame_unref(f);
}

static void test_one_pixel_is_a_screen_too(void)
{
    struct dh_stall s = { 0 };
    struct dh_frame *f;
    char text[512];
    CHECK_INT(dh_frame_create(&f, NULL, 1, 1), DH_OK);
    memset(f->pixels, 0, 4);
    for (int i = 0; i < 100; i++)
        add(&s, f, i % 5 ? "key a" : "key b", true, text);
    dh_stall_finish(&s);
    dh_stall_finish(&s);
    dh_frame_unref(f);
}

DH_TESTS(DH_TEST(the_same_again_climbs_to_the_end),
         DH_TEST(a_point_that_is_off_a_little_is_the_same),
         DH_TEST(a_caret_and_a_clock_are_the_same_screen),
         DH_TEST(another_screen_is_no_repeat),
         DH_TEST(a_slider_that_moves_is_no_repeat),
         DH_TEST(a_page_that_comes_again_is_a_repeat),
         DH_TEST(cycles_up_to_four_are_found),
         DH_TEST(waiting_is_given_more_time),
         DH_TEST(actions_without_effect_are_counted),
         DH_TEST(typed_text_is_not_told), DH_TEST(one_pixel_is_a_screen_too));
