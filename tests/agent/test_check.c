#include "agent/check.h"

#include <stdio.h>
#include <string.h>

#include "agent/a11y.h"
#include "base/diag.h"
#include "base/mem.h"
#include "base/rng.h"
#include "capture/frame.h"
#include "capture/windows.h"
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

/* --- what the field itself says --- */

static struct dh_a11y_node field(const char *text)
{
    struct dh_a11y_node n = { .rect = { 300, 300, 200, 30 },
                              .editable = true,
                              .focused = true };
    snprintf(n.text, sizeof n.text, "%s", text);
    return n;
}

static void check_field(const char *typed, const char *before,
                        const char *after, const char *told)
{
    struct dh_a11y_node b = field(before), a = field(after);
    struct trial t;
    trial_init(&t, "type x");
    dh_free(t.action.text);
    t.action.text = dh_strdup(typed);
    fill(t.after, 200, 250, 60, 18, 0);
    t.check.field_before = &b;
    t.check.field_after = &a;
    trial_finish(&t, true, told);
}

static void test_a_field_tells_what_appeared(void)
{
    check_field("Ada", "", "Ada", "");
    check_field("Ada", "xy", "xAday", "");
    check_field("Ada", "xy", "xy", "text did not appear");
    check_field("Ada", "", "ADA", "text appeared as \"ADA\"");
    check_field("Ada", "say  twice", "say Aa twice", "text appeared as \"Aa\"");
    // Whole characters only.
    check_field("\303\244", "\303\244\303\266", "\303\274\303\266",
                "text appeared as \"\303\274\"");
    // A key among it may have sent it off.
    check_field("Ada\n", "", "", "");
}

static void test_a_long_text_is_told_in_part(void)
{
    char after[200], typed[200];
    memset(typed, 'a', sizeof typed);
    memset(after, 'b', sizeof after);
    typed[199] = after[199] = '\0';
    struct dh_a11y_node b = field(""), a = field(after);
    struct dh_check_result r;
    struct trial t;
    trial_init(&t, "type x");
    dh_free(t.action.text);
    t.action.text = dh_strdup(typed);
    t.check.field_before = &b;
    t.check.field_after = &a;
    dh_check_action(&t.check, &r);
    CHECK(strlen(r.text) < 110);
    trial_finish(&t, false, r.text);
}

static void test_a_password_field_tells_nothing(void)
{
    struct dh_a11y_node b = field(""), a = field("");
    struct trial t;
    a.password = b.password = true;
    trial_init(&t, "type hunter2");
    fill(t.after, 200, 250, 60, 18, 0);
    t.check.field_before = &b;
    t.check.field_after = &a;
    trial_finish(&t, true, "");
    // Nor is a field told of that got a secret.
    a = field("hunter2");
    b = field("");
    trial_init(&t, "type {{secret:bank}}");
    fill(t.after, 200, 250, 60, 18, 0);
    t.check.field_before = &b;
    t.check.field_after = &a;
    trial_finish(&t, true, "");
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

/* --- windows --- */

static void add(struct dh_window_list *l, unsigned long id, const char *title)
{
    l->item[l->n].id = id;
    snprintf(l->item[l->n++].title, sizeof l->item[0].title, "%s", title);
}

static void check_windows(const struct dh_window_list *before,
                          const struct dh_window_list *after, const char *text)
{
    struct trial t;
    trial_init(&t, "left_click 500 500");
    t.check.windows_before = before;
    t.check.windows_after = after;
    trial_finish(&t, strcmp(text, "nothing changed") != 0, text);
}

static void test_windows_that_come_and_go_are_told(void)
{
    struct dh_window_list a = { .focus = 1 }, b = { .focus = 3 }, c = { 0 };
    add(&a, 1, "Mail");
    add(&a, 2, "Files");
    add(&b, 1, "Mail");
    add(&b, 2, "Files");
    add(&b, 3, "Save as");
    add(&b, 4, "Help");
    check_windows(&a, &b, "a window opened: \"Save as\" and 1 more");
    check_windows(&b, &a,
                  "a window closed: \"Save as\" and 1 more; the focus is now "
                  "on \"Mail\"");
    c = a;
    c.focus = 2;
    check_windows(&a, &c, "the focus is now on \"Files\"");
    check_windows(&a, &a, "nothing changed");
    check_windows(NULL, &a, "nothing changed");
    // None has it for a moment.
    c.focus = 0;
    check_windows(&a, &c, "nothing changed");
}

static void test_a_title_is_data(void)
{
    struct dh_window_list none = { 0 }, one = { 0 }, full = { 0 };
    add(&one, 1,
        "a\n\x1b[2J\"b\"\xc2\x9b\xe2\x80\xae"
        "c\xff");
    check_windows(&none, &one,
                  "a window opened: \"a[2J\\\"b\\\"c\xef\xbf\xbd\"");
    // Cut in front of a character, not in it.
    one.n = 0;
    add(&one, 1,
        "0123456789012345678901234567890123456789"
        "012345678901234567890123456789012345678\xc3\xa4 and on");
    check_windows(&none, &one,
                  "a window opened: \"0123456789012345678901234567890123456789"
                  "012345678901234567890123456789012345678\"");
    // What is not all of the windows tells of none.
    for (unsigned i = 0; i < DH_WINDOWS_LISTED; i++)
        add(&full, i + 1, "one of many");
    check_windows(&none, &full, "nothing changed");
}

static void test_windows_do_not_hide_a_failure(void)
{
    struct dh_window_list none = { 0 }, one = { 0 };
    struct trial t;
    add(&one, 1, "Oops");
    trial_init(&t, "type hello");
    t.check.windows_before = &none;
    t.check.windows_after = &one;
    trial_finish(&t, true, "text did not appear; a window opened: \"Oops\"");
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
         DH_TEST(a_field_tells_what_appeared),
         DH_TEST(a_long_text_is_told_in_part),
         DH_TEST(a_password_field_tells_nothing),
         DH_TEST(windows_that_come_and_go_are_told), DH_TEST(a_title_is_data),
         DH_TEST(windows_do_not_hide_a_failure),
         DH_TEST(a_large_new_thing_upsets_a_plan));
