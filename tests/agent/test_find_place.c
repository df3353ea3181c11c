#include "agent/find_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/recording.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "tests/dh_test.h"

#define W 640
#define H 480

/* --- a screen with things on it --- */

static struct dh_frame *new_screen(uint32_t ground)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, W, H), DH_OK);
    for (int i = 0; i < W * H; i++)
        memcpy(dh_frame_at(f, i % W, i / W), &ground, 4);
    f->screen = (struct dh_rect){ 0, 0, W, H };
    return f;
}

static void fill(struct dh_frame *f, struct dh_rect r, uint32_t colour)
{
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            memcpy(dh_frame_at(f, x, y), &colour, 4);
}

// A word of 80 x 24: strokes that the seed tells.
static void draw_word(struct dh_frame *f, int x, int y, unsigned word,
                      uint32_t ink)
{
    for (int letter = 0; letter < 6; letter++)
        for (int k = 0; k < 4; k++) {
            unsigned v = (word * 2654435761u) ^ (unsigned)(letter * 977 + k);
            v = v * 2246822519u ^ v >> 13;
            int lx = x + 12 + letter * 9 + (int)(v % 5);
            int ly = y + 6 + (int)(v / 8 % 8);
            bool upright = v & 0x4000;
            fill(f,
                 (struct dh_rect){ lx, ly, upright ? 2 : 6, upright ? 7 : 2 },
                 ink);
        }
}

static void draw_button(struct dh_frame *f, int x, int y, unsigned word,
                        uint32_t ground, uint32_t ink)
{
    fill(f, (struct dh_rect){ x, y, 80, 24 }, ink);
    fill(f, (struct dh_rect){ x + 1, y + 1, 78, 22 }, ground);
    draw_word(f, x, y, word, ink);
}

#define GROUND 0xffe0e0e0
#define WHITE  0xffffffff
#define BLACK  0xff101010

static struct dh_frame *screen_with(int x, int y, unsigned word)
{
    struct dh_frame *f = new_screen(GROUND);
    draw_button(f, x, y, word, WHITE, BLACK);
    return f;
}

/* --- what was recorded of it --- */

// The button at 100, 100 of a window at 50, 50.
static struct dh_recorded_target target_at(int n_crop)
{
    struct dh_recorded_target t = { .frame = 1 };
    t.t.at = (struct dh_point){ 130, 112 };
    t.t.rect = (struct dh_rect){ 100, 100, 80, 24 };
    t.t.tight = (struct dh_rect){ 96, 96, 88, 32 };
    t.t.wide = (struct dh_rect){ 8, 64, 264, 96 };
    t.t.n_crop = n_crop;
    t.t.window = (struct dh_window){ .id = 7, .box = { 50, 50, 300, 200 } };
    return t;
}

static struct dh_window window_at(int x, int y, int w, int h)
{
    return (struct dh_window){ .id = 9, .box = { x, y, w, h } };
}

struct look {
    struct dh_frame *then, *now;
    struct dh_recorded_target t;
    struct dh_window window;
    struct dh_places found;
};

static void look(struct look *l, enum dh_rung last)
{
    struct dh_scene scene = { .frame = l->now, .window = &l->window };
    dh_frame_publish(l->then);
    dh_frame_publish(l->now);
    dh_place_find(&scene, &l->t, l->then, DH_RUNG_TREE, last, &l->found);
}

static void look_finish(struct look *l)
{
    dh_frame_unref(l->then);
    dh_frame_unref(l->now);
}

static void check_at(const struct look *l, enum dh_rung rung, int x, int y)
{
    CHECK(l->found.found);
    CHECK_STR(dh_rung_name(l->found.candidate[0].rung), dh_rung_name(rung));
    CHECK_INT(l->found.candidate[0].at.x, x);
    CHECK_INT(l->found.candidate[0].at.y, y);
}

/* --- menus --- */

#define LINES 4

// A line is one or two words; `lit` is a line's number or -1.
static void draw_menu(struct dh_frame *f, struct dh_rect box,
                      const unsigned line[LINES][2], int lit, uint32_t ground,
                      uint32_t ink)
{
    fill(f, box, ink);
    fill(f, (struct dh_rect){ box.x + 1, box.y + 1, box.w - 2, box.h - 2 },
         ground);
    for (int i = 0; i < LINES; i++) {
        int y = box.y + 4 + i * 26;
        if (i == lit)
            fill(f, (struct dh_rect){ box.x + 1, y, box.w - 2, 26 },
                 0xff3080f0);
        draw_word(f, box.x + 20, y, line[i][0], i == lit ? WHITE : ink);
        if (line[i][1])
            draw_word(f, box.x + 78, y, line[i][1], i == lit ? WHITE : ink);
    }
}

// The second line of a menu, with nothing lit.
static void menu_init(struct look *l, const unsigned line[LINES][2], int lit)
{
    static const unsigned lines[LINES][2] = { { 1 }, { 2 }, { 3, 4 }, { 5 } };
    struct dh_rect was = { 60, 60, 180, 116 }, is = { 200, 150, 230, 116 };
    *l = (struct look){ .then = new_screen(GROUND),
                        .now = new_screen(0xff203040) };
    draw_menu(l->then, was, lines, -1, WHITE, BLACK);
    draw_menu(l->now, is, line, lit, 0xff405060, 0xfff0f0f0);
    l->window = (struct dh_window){ .id = 9, .menu = true, .box = is };
    l->t.frame = 1;
    l->t.t.window = (struct dh_window){ .id = 7, .menu = true, .box = was };
    l->t.t.at = (struct dh_point){ 150, 103 };
    l->t.t.rect = (struct dh_rect){ 61, 61, 178, 114 };
    l->t.t.tight = (struct dh_rect){ 57, 57, 186, 122 };
}

/* Of another width, in other colours, at another place, lit or not. */
static void test_the_line_of_a_menu_is_found_by_its_text(void)
{
    static const unsigned lines[LINES][2] = { { 1 }, { 3, 4 }, { 2 }, { 5 } };
    for (int lit = 1; lit <= 2; lit++) {
        struct look l;
        menu_init(&l, lines, lit);
        look(&l, DH_RUNG_TEMPLATE);
        CHECK(l.found.found);
        CHECK_INT(l.found.candidate[0].rung, DH_RUNG_TEMPLATE);
        CHECK(l.found.candidate[0].at.x > 200 &&
              l.found.candidate[0].at.x < 300);
        CHECK(abs(l.found.candidate[0].at.y - (150 + 4 + 2 * 26 + 12)) < 8);
        look_finish(&l);
    }
}

static void test_a_line_that_says_more_is_another_one(void)
{
    static const unsigned more[][LINES][2] = {
        { { 1 }, { 3 }, { 2, 4 }, { 5 } },
        { { 1 }, { 3 }, { 4, 2 }, { 5 } },
        { { 1 }, { 3 }, { 6 }, { 5 } }
    };
    for (size_t i = 0; i < DH_COUNTOF(more); i++) {
        struct look l;
        menu_init(&l, more[i], -1);
        look(&l, DH_RUNG_ANCHORS);
        CHECK(!l.found.found);
        look_finish(&l);
    }
}

/* --- the ladder --- */

static void test_the_same_place_of_a_moved_window_is_found(void)
{
    struct look l = { .then = screen_with(100, 100, 1),
                      .now = screen_with(320, 230, 1),
                      .t = target_at(1),
                      .window = window_at(270, 180, 300, 200) };
    look(&l, DH_RUNG_PLACE);
    check_at(&l, DH_RUNG_PLACE, 350, 242);
    look_finish(&l);
}

static void test_three_pixels_off_is_the_same_place(void)
{
    struct look l = { .then = screen_with(100, 100, 1),
                      .now = screen_with(103, 97, 1),
                      .t = target_at(1),
                      .window = window_at(50, 50, 300, 200) };
    look(&l, DH_RUNG_PLACE);
    check_at(&l, DH_RUNG_PLACE, 133, 109);
    look_finish(&l);
}

static void test_in_a_larger_window_it_may_keep_to_the_other_side(void)
{
    struct look l = { .then = screen_with(100, 100, 1),
                      .now = screen_with(190, 100, 1),
                      .t = target_at(1),
                      .window = window_at(50, 50, 390, 200) };
    look(&l, DH_RUNG_PLACE);
    check_at(&l, DH_RUNG_PLACE, 220, 112);
    look_finish(&l);
}

static void test_the_same_place_costs_less_than_a_millisecond(void)
{
    struct look l = { .then = screen_with(100, 100, 1),
                      .now = screen_with(100, 100, 1),
                      .t = target_at(1),
                      .window = window_at(50, 50, 300, 200) };
    int64_t best = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        struct dh_scene scene = { .frame = l.now, .window = &l.window };
        int64_t start = dh_now_ns();
        dh_place_find(&scene, &l.t, l.then, DH_RUNG_PLACE, DH_RUNG_PLACE,
                      &l.found);
        best = DH_MIN(best, dh_now_ns() - start);
    }
    printf("%lld us\n", (long long)best / 1000);
    CHECK(l.found.found);
    CHECK(best < DH_MS);
    look_finish(&l);
}

static void test_one_changed_letter_is_another_button(void)
{
    struct look l = { .then = screen_with(100, 100, 1),
                      .now = screen_with(100, 100, 1),
                      .t = target_at(1),
                      .window = window_at(50, 50, 300, 200) };
    fill(l.now, (struct dh_rect){ 130, 105, 9, 14 }, WHITE);
    fill(l.now, (struct dh_rect){ 132, 106, 2, 12 }, BLACK);
    look(&l, DH_RUNG_ANCHORS);
    CHECK(!l.found.found);
    CHECK(l.found.n > 0);
    look_finish(&l);
}

static void test_another_word_in_the_same_box_is_not_clicked_on(void)
{
    for (unsigned word = 2; word < 12; word++) {
        struct look l = { .then = screen_with(100, 100, 1),
                          .now = screen_with(200, 150, word),
                          .t = target_at(1),
                          .window = window_at(50, 50, 500, 400) };
        look(&l, DH_RUNG_ANCHORS);
        CHECK(!l.found.found);
        look_finish(&l);
    }
}

static void test_a_button_that_moved_in_its_window_is_found_by_its_look(void)
{
    struct look l = { .then = screen_with(100, 100, 1),
                      .now = screen_with(211, 177, 1),
                      .t = target_at(1),
                      .window = window_at(50, 50, 300, 200) };
    draw_button(l.now, 100, 100, 5, WHITE, BLACK);
    look(&l, DH_RUNG_TEMPLATE);
    check_at(&l, DH_RUNG_TEMPLATE, 241, 189);
    look_finish(&l);
}

static void test_other_colours_are_the_same_button(void)
{
    struct look l = { .then = screen_with(100, 100, 1),
                      .now = new_screen(0xff203040),
                      .t = target_at(1),
                      .window = window_at(50, 50, 300, 200) };
    draw_button(l.now, 140, 120, 1, 0xff405060, 0xfff0f0f0);
    look(&l, DH_RUNG_TEMPLATE);
    check_at(&l, DH_RUNG_TEMPLATE, 170, 132);
    look_finish(&l);
}

static void test_nothing_to_be_told_apart_by_is_found_nowhere_else(void)
{
    struct look l = { .then = new_screen(GROUND),
                      .now = new_screen(GROUND),
                      .t = target_at(0),
                      .window = window_at(50, 50, 300, 200) };
    // At its own place it is as it was; elsewhere it could be anything.
    fill(l.now, (struct dh_rect){ 90, 90, 100, 40 }, 0xff8080ff);
    look(&l, DH_RUNG_ANCHORS);
    CHECK(!l.found.found);
    look_finish(&l);
}

// Two equal buttons, each with a label of its own to the left.
static struct dh_frame *two_rows(int y)
{
    struct dh_frame *f = new_screen(GROUND);
    draw_button(f, 20, y, 20, GROUND, BLACK);
    draw_button(f, 100, y, 1, WHITE, BLACK);
    draw_button(f, 20, y + 60, 21, GROUND, BLACK);
    draw_button(f, 100, y + 60, 1, WHITE, BLACK);
    return f;
}

static void test_of_two_that_look_the_same_the_surroundings_choose(void)
{
    struct look l = { .then = two_rows(100),
                      .now = two_rows(130),
                      .t = target_at(2),
                      .window = window_at(10, 50, 400, 300) };
    l.t.t.window.box = (struct dh_rect){ 10, 50, 400, 300 };
    look(&l, DH_RUNG_ANCHORS);
    CHECK(l.found.found);
    CHECK_INT(l.found.candidate[0].at.y, 142);
    look_finish(&l);
}

static void test_two_that_cannot_be_told_apart_are_neither(void)
{
    struct look l = { .then = screen_with(100, 100, 1),
                      .now = new_screen(GROUND),
                      .t = target_at(1),
                      .window = window_at(50, 50, 500, 400) };
    draw_button(l.now, 200, 160, 1, WHITE, BLACK);
    draw_button(l.now, 350, 290, 1, WHITE, BLACK);
    look(&l, DH_RUNG_ANCHORS);
    CHECK(!l.found.found);
    CHECK_INT(l.found.n, 2);
    look_finish(&l);
}

static void test_without_a_picture_nothing_is_found(void)
{
    struct look l = { .now = screen_with(100, 100, 1),
                      .t = target_at(1),
                      .window = window_at(50, 50, 300, 200) };
    struct dh_scene scene = { .frame = l.now, .window = &l.window };
    dh_frame_publish(l.now);
    dh_place_find(&scene, &l.t, NULL, DH_RUNG_TREE, DH_RUNG_ANCHORS, &l.found);
    CHECK(!l.found.found);
    look_finish(&l);
}

static void test_the_point_in_a_container_counts_and_not_its_name(void)
{
    struct look l = { .then = screen_with(100, 100, 1),
                      .now = screen_with(100, 160, 1),
                      .t = target_at(1),
                      .window = window_at(50, 50, 300, 200) };
    l.t.t.has_node = true;
    memcpy(l.t.t.node.role, "panel", 6);
    l.t.t.rect = (struct dh_rect){ 50, 50, 300, 200 };
    look(&l, DH_RUNG_TEMPLATE);
    check_at(&l, DH_RUNG_TEMPLATE, 130, 172);
    look_finish(&l);
}

DH_TESTS(DH_TEST(the_line_of_a_menu_is_found_by_its_text),
         DH_TEST(a_line_that_says_more_is_another_one),
         DH_TEST(the_same_place_of_a_moved_window_is_found),
         DH_TEST(three_pixels_off_is_the_same_place),
         DH_TEST(in_a_larger_window_it_may_keep_to_the_other_side),
         DH_TEST(the_same_place_costs_less_than_a_millisecond),
         DH_TEST(one_changed_letter_is_another_button),
         DH_TEST(another_word_in_the_same_box_is_not_clicked_on),
         DH_TEST(a_button_that_moved_in_its_window_is_found_by_its_look),
         DH_TEST(other_colours_are_the_same_button),
         DH_TEST(nothing_to_be_told_apart_by_is_found_nowhere_else),
         DH_TEST(of_two_that_look_the_same_the_surroundings_choose),
         DH_TEST(two_that_cannot_be_told_apart_are_neither),
         DH_TEST(without_a_picture_nothing_is_found),
         DH_TEST(the_point_in_a_container_counts_and_not_its_name));
