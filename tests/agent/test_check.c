#include "agent/check.h"

#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "base/rng.h"
#include "capture/frame.h"
#include "tests/dh_test.h"

enum { W = 1024, H = 768 };

static struct dh_frame *screen(void)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, W, H), DH_OK);
    for (int y = 0; y < H; y++)
        memset(dh_frame_at(f, 0, y), 0xf0, (size_t)W * 4);
    // It lies somewhere on a larger desktop.
    f->screen = (struct dh_rect){ 100, 50, W, H };
    return f;
}

static void fill(struct dh_frame *f, int x, int y, int w, int h, uint8_t v)
{
    for (int i = y; i < y + h; i++)
        memset(dh_frame_at(f, x, i), v, (size_t)w * 4);
}

// Lines of a list from line `top` on, 10 pixels each.
static void list(struct dh_frame *f, int top)
{
    for (int y = 100; y < 600; y++) {
        struct dh_rng rng;
        int line = y + top;
        dh_rng_init(&rng, (uint64_t)line / 2);
        for (int x = 200; x < 800; x += 4)
            fill(f, x, y, 3, 1, (uint8_t)dh_rng_below(&rng, 256));
    }
}

static struct dh_action action(const char *line)
{
    struct dh_action a;
    CHECK(dh_action_of_text(line, true, &a, NULL));
    a.on_screen = true;
    return a;
}

struct trial {
    struct dh_frame *before, *after;
    struct dh_check check;
    struct dh_check_result result;
    struct dh_action action;
};

static void trial_init(struct trial *t, const char *line)
{
    memset(t, 0, sizeof *t);
    t->before = screen();
    t->after = screen();
    t->action = action(line);
    t->check = (struct dh_check){ .before = t->before,
                                  .after = t->after,
                                  .action = &t->action };
}

static void trial_finish(struct trial *t, bool changed, const char *text)
{
    dh_check_action(&t->check, &t->result);
    CHECK_STR(t->result.text, text);
    CHECK_INT(t->result.changed, changed);
    dh_frame_unref(t->before);
    dh_frame_unref(t->after);
    dh_action_finish(&t->action);
}

static void test_success_says_nothing(void)
{
    static const char *const lines[] = { "left_click 300 300", "type Ada",
                                         "key Return", "scroll 500 400 down 5",
                                         "mouse_move 5 5" };
    struct trial t;
    for (size_t i = 0; i < DH_COUNTOF(lines); i++) {
        trial_init(&t, lines[i]);
        fill(t.after, 200, 200, 500, 300, 0);
        trial_finish(&t, true, "");
    }
}

static void test_no_effect_is_told_for_what_should_have_one(void)
{
    static const struct {
        const char *line, *text;
    } table[] = {
        { "left_click 300 300", "nothing changed" },
        { "key Return", "nothing changed" },
        { "type Ada", "text did not appear" },
        { "type {{secret:bank}}", "nothing changed" },
        { "scroll 500 400 down 5", "scroll reached the end" },
        { "mouse_move 5 5", "" },
        { "wait 1", "" },
    };
    struct trial t;
    for (size_t i = 0; i < DH_COUNTOF(table); i++) {
        trial_init(&t, table[i].line);
        trial_finish(&t, false, table[i].text);
    }
}

static void test_the_source_tells_where_to_look(void)
{
    struct trial t;
    // The pointer went; nothing was drawn.
    trial_init(&t, "left_click 300 300");
    fill(t.after, 200, 250, 16, 16, 0);
    t.check.told = true;
    trial_finish(&t, false, "nothing changed");
    // Drawn again, the same.
    trial_init(&t, "left_click 300 300");
    fill(t.after, 200, 250, 16, 16, 0);
    t.check.told = t.check.seen.changed = true;
    t.check.seen.damage = (struct dh_rect){ 500, 400, 300, 300 };
    trial_finish(&t, false, "nothing changed");
    // Root pixels: the picture begins at 100,50.
    trial_init(&t, "left_click 300 300");
    fill(t.after, 200, 250, 16, 16, 0);
    t.check.told = t.check.seen.changed = true;
    t.check.seen.damage = (struct dh_rect){ 300, 300, 8, 8 };
    trial_finish(&t, true, "");
}

// The source takes what is drawn thrice in one place for a caret.
static void test_small_changes_under_a_still_pointer_count(void)
{
    struct trial t;
    trial_init(&t, "type a");
    fill(t.after, 200, 250, 9, 12, 0);
    t.check.told = true;
    trial_finish(&t, true, "");
    trial_init(&t, "left_click 300 300");
    fill(t.after, 200, 250, 12, 12, 0);
    t.check.told = t.check.pointer_stayed = true;
    trial_finish(&t, true, "");
}

static void test_a_caret_is_no_text(void)
{
    struct trial t;
    trial_init(&t, "type Ada");
    fill(t.after, 200, 250, 2, 18, 0);
    t.check.told = true;
    trial_finish(&t, false, "text did not appear");
}

static void test_a_view_that_moves_has_not_reached_its_end(void)
{
    struct trial t;
    trial_init(&t, "scroll 500 400 down 1");
    list(t.before, 0);
    list(t.after, 24);
    trial_finish(&t, true, "");
    // Few lines that moved are a move, too.
    trial_init(&t, "scroll 500 400 down 1");
    list(t.before, 0);
    list(t.after, 0);
    fill(t.before, 200, 100, 700, 20, 0xf0);
    fill(t.before, 200, 150, 700, 470, 0xf0);
    fill(t.after, 200, 100, 700, 510, 0xf0);
    for (int y = 0; y < 30; y++)
        memcpy(dh_frame_at(t.after, 200, 100 + y),
               dh_frame_at(t.before, 200, 120 + y), 600 * 4);
    trial_finish(&t, true, "");
}

static void test_a_scroll_bar_is_no_movement(void)
{
    struct trial t;
    trial_init(&t, "scroll 500 400 down 5");
    list(t.before, 0);
    list(t.after, 0);
    fill(t.after, 560, 100, 8, 500, 0x55);
    // The pointer came, which is nothing that was drawn.
    fill(t.after, 400, 350, 16, 24, 0);
    t.check.told = t.check.seen.changed = true;
    t.check.seen.damage = (struct dh_rect){ 660, 150, 8, 500 };
    trial_finish(&t, true, "scroll reached the end");
}

static void test_what_moves_elsewhere_is_not_the_view(void)
{
    struct trial t;
    trial_init(&t, "scroll 300 600 down 5");
    fill(t.after, 700, 20, 200, 100, 0x55);
    trial_finish(&t, true, "scroll reached the end");
    // Unless the view is large and empty at that point.
    trial_init(&t, "scroll 120 400 down 5");
    list(t.before, 0);
    list(t.after, 24);
    trial_finish(&t, true, "");
}

// A page further, of which no line is seen before and after.
static void test_a_narrow_column_that_jumps_has_moved(void)
{
    struct trial t;
    trial_init(&t, "scroll 400 300 down 9");
    for (int y = 200; y < 400; y += 13) {
        for (int i = 0; i < 9; i++) {
            fill(t.before, 300, y + i, 3 + (y + i) % 7, 1, 0);
            fill(t.after, 300, y + i, 4 + (y * i) % 5, 1, 0);
        }
    }
    trial_finish(&t, true, "");
}

static void test_failures_have_their_lines(void)
{
    static const struct {
        enum dh_status status;
        const char *why, *text;
    } table[] = {
        { DH_ERR_REFUSED, "blocked: not here", "blocked by policy: not here" },
        { DH_ERR_REFUSED, "", "blocked by policy" },
        { DH_ERR_NOTFOUND, "no such key: foo", "no such key: foo" },
        { DH_ERR_NOTFOUND, "foo; did you mean fog?",
          "no such key: foo; did you mean fog?" },
        { DH_ERR_TAKEN, "whatever", "user took over" },
        { DH_ERR_RANGE, "there is no mouse button 77",
          "there is no mouse button 77" },
    };
    for (size_t i = 0; i < DH_COUNTOF(table); i++) {
        struct trial t;
        struct dh_diag why = { 0 };
        trial_init(&t, "type hunter2");
        dh_diag_set(&why, 0, "%s", table[i].why);
        t.check.status = table[i].status;
        t.check.why = &why;
        trial_finish(&t, false, table[i].text);
    }
}

static void test_a_failure_tells_nothing_of_a_secret(void)
{
    struct trial t;
    struct dh_diag why = { 0 };
    trial_init(&t, "type {{secret:bank}}");
    dh_diag_set(&why, 0, "U+4F60 cannot be typed on this keyboard");
    t.check.status = DH_ERR_NOTFOUND;
    t.check.why = &why;
    trial_finish(&t, false, "no such key");
}

static void test_a_large_new_thing_upsets_a_plan(void)
{
    struct dh_frame *seen = screen(), *now = screen();
    struct dh_point target = { 100 + 500, 50 + 400 };
    CHECK(!dh_check_is_upset(seen, now, target));
    // A field that shows its focus.
    fill(now, 480, 390, 100, 24, 0);
    CHECK(!dh_check_is_upset(seen, now, target));
    // A dialog beside it, then over it.
    fill(now, 600, 500, 300, 200, 0);
    CHECK(!dh_check_is_upset(seen, now, (struct dh_point){ 150, 100 }));
    fill(now, 400, 300, 300, 200, 0);
    CHECK(dh_check_is_upset(seen, now, target));
    // Another page, wherever the target is.
    fill(now, 0, 0, W, 300, 0);
    CHECK(dh_check_is_upset(seen, now, (struct dh_point){ 110, 700 }));
    dh_frame_unref(seen);
    dh_frame_unref(now);
}

DH_TESTS(DH_TEST(success_says_nothing),
         DH_TEST(no_effect_is_told_for_what_should_have_one),
         DH_TEST(the_source_tells_where_to_look),
         DH_TEST(small_changes_under_a_still_pointer_count),
         DH_TEST(a_caret_is_no_text),
         DH_TEST(a_view_that_moves_has_not_reached_its_end),
         DH_TEST(a_scroll_bar_is_no_movement),
         DH_TEST(what_moves_elsewhere_is_not_the_view),
         DH_TEST(a_narrow_column_that_jumps_has_moved),
         DH_TEST(failures_have_their_lines),
         DH_TEST(a_failure_tells_nothing_of_a_secret),
         DH_TEST(a_large_new_thing_upsets_a_plan));
