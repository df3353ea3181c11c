#include "agent/target.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "tests/dh_test.h"

static void test_titles_lose_what_changes(void)
{
    static const struct {
        const char *title, *pattern;
    } rows[] = {
        { "", "" },
        { "Settings", "Settings" },
        { "report.txt - Mousepad", "* - Mousepad" },
        { "~/work/notes - Mousepad", "* - Mousepad" },
        { "Inbox (12) - Mail", "Inbox (*) - Mail" },
        { "Page 3 of 120", "Page * of *" },
        { "v1.25.3", "*" },
        { "Save as...", "Save as..." },
        { "etc. and so on", "etc. and so on" },
        { ".bashrc", ".bashrc" },
        { "Gr\xc3\xbc\xc3\x9f"
          "e 2026",
          "Gr\xc3\xbc\xc3\x9f"
          "e *" },
    };
    char out[64], small[6];
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        dh_target_pattern(rows[i].title, out, sizeof out);
        CHECK_STR(out, rows[i].pattern);
    }
    dh_target_pattern("a long title", small, sizeof small);
    CHECK_STR(small, "a lon");
}

static void fill(struct dh_frame *f, struct dh_rect r, uint32_t rgb)
{
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            memcpy(dh_frame_at(f, x, y), &rgb, 4);
}

static void button(struct dh_frame *f, int x, int y)
{
    fill(f, (struct dh_rect){ x, y, 60, 24 }, 0);
    fill(f, (struct dh_rect){ x + 1, y + 1, 58, 22 }, 0xffffff);
    for (int i = 0; i < 5; i++)
        fill(f, (struct dh_rect){ x + 12 + 7 * i, y + 8, 3, 9 }, 0);
}

static struct dh_frame *page(bool twice)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, 640, 480), DH_OK);
    f->screen = (struct dh_rect){ 0, 0, 640, 480 };
    fill(f, f->screen, 0xd0d0d0);
    button(f, 100, 100);
    if (twice)
        button(f, 300, 100);
    dh_frame_publish(f);
    return f;
}

static void check_target(bool twice, const char *doubt)
{
    const struct dh_window window = { .id = 7, .title = "A 1", .pid = 1 };
    struct dh_frame *f = page(twice);
    struct dh_target t;
    dh_target_find(&t, f, (struct dh_point){ 130, 112 }, &window, NULL);
    CHECK_INT(t.rect.x, 101);
    CHECK_INT(t.rect.w, 58);
    CHECK_INT(t.tight.x, 97);
    CHECK_INT(t.wide.w, 3 * t.tight.w);
    CHECK_INT(t.n_crop, twice ? 2 : 1);
    CHECK_STR(dh_target_doubt(&t) ? dh_target_doubt(&t) : "", doubt);
    dh_frame_unref(f);
}

static void test_without_a_tree_the_picture_tells_a_place_apart(void)
{
    check_target(false, "");
}

static void test_equal_buttons_are_doubted(void)
{
    check_target(true, "it looks the same as another place");
}

static struct dh_json *written(const struct dh_target *t)
{
    struct dh_buf out;
    struct dh_json_writer w;
    struct dh_diag why = { 0 };
    dh_buf_init(&out, 1 << 16);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_target_json(t, 3, &w);
    dh_jw_end_object(&w);
    struct dh_json *v = dh_json_parse(out.data, out.len, &why);
    CHECK_STR(why.text, "");
    dh_buf_finish(&out);
    return v;
}

static void test_what_could_not_be_had_is_named(void)
{
    const struct dh_window none = { 0 };
    struct dh_target t;
    dh_target_find(&t, NULL, (struct dh_point){ 1, 1 }, &none, NULL);
    struct dh_json *v = written(&t);
    const struct dh_json *o = dh_json_find(v, "target");
    CHECK(!dh_json_find(o, "rect") && !dh_json_find(o, "node"));
    CHECK_STR(dh_json_text(dh_json_find(o, "missing")),
              "node: no accessibility bus, crop: no picture");
    CHECK(dh_target_doubt(&t));
    dh_json_free(v);
}

static void test_the_crops_name_their_picture(void)
{
    const struct dh_window window = { .id = 7, .title = "A 1", .pid = 1 };
    struct dh_frame *f = page(false);
    struct dh_target t;
    dh_target_find(&t, f, (struct dh_point){ 130, 112 }, &window, NULL);
    struct dh_json *v = written(&t);
    const struct dh_json *o = dh_json_find(v, "target");
    const struct dh_json *tight =
        dh_json_find(dh_json_find(o, "crop"), "tight");
    CHECK_INT(dh_json_number(dh_json_find(tight, "frame")), 3);
    CHECK_INT(dh_json_number(dh_json_find(dh_json_find(tight, "rect"), "x")),
              97);
    CHECK_STR(
        dh_json_text(dh_json_find(dh_json_find(o, "window"), "title_pattern")),
        "A *");
    dh_json_free(v);
    dh_frame_unref(f);
}

static void test_a_hidden_target_tells_nothing(void)
{
    struct dh_target t;
    dh_target_hide(&t, (struct dh_point){ 5, 5 });
    struct dh_json *v = written(&t);
    const struct dh_json *o = dh_json_find(v, "target");
    CHECK(!dh_json_find(o, "window") && !dh_json_find(o, "crop"));
    CHECK(dh_json_find(o, "missing"));
    dh_json_free(v);
}

DH_TESTS(DH_TEST(titles_lose_what_changes),
         DH_TEST(without_a_tree_the_picture_tells_a_place_apart),
         DH_TEST(equal_buttons_are_doubted),
         DH_TEST(what_could_not_be_had_is_named),
         DH_TEST(the_crops_name_their_picture),
         DH_TEST(a_hidden_target_tells_nothing));
