// What an answer is worth, from a line of results alone.
#include "agent/eval_judge.h"

#include <stdio.h>
#include <string.h>

#include "agent/eval_score.h"
#include "base/buf.h"
#include "base/mem.h"
#include "tests/dh_test.h"

#define CLICK(x, y) "{\"action\":\"left_click\",\"coordinate\":[" #x "," #y "]}"

static void fill(struct dh_eval_result *r, const char *id, const char *raw)
{
    const double box[] = { 100, 100, 200, 150 };
    memset(r, 0, sizeof *r);
    r->item.id = dh_strdup(id);
    r->item.image = dh_strdup("a.png");
    r->item.size = (struct dh_size){ 1000, 500 };
    r->item.instruction = dh_strdup("x");
    dh_eval_target_set(&r->item.target, DH_EVAL_BOX, box, 4);
    r->model = dh_strdup("m");
    r->method = dh_strdup("point");
    r->set = dh_strdup("deskhand");
    r->trial = 1;
    r->raw = raw ? dh_strdup(raw) : NULL;
    r->ms_model = 1000;
    r->tokens_in = r->tokens_out = r->tokens_cached = -1;
}

static void check(const char *raw, bool hit, double gap,
                  enum dh_eval_error error)
{
    struct dh_eval_result r;
    fill(&r, "1", raw);
    dh_eval_judge(&r);
    CHECK_INT(r.hit, hit);
    CHECK_NEAR(r.score, hit, 0);
    CHECK_NEAR(r.gap_px, gap, 1e-9);
    CHECK_INT(r.error, error);
    dh_eval_result_finish(&r);
}

static void test_boxes(void)
{
    check(CLICK(150, 250), true, 0, DH_EVAL_ERROR_NONE);
    check(CLICK(100, 200), true, 0, DH_EVAL_ERROR_NONE); // edges count
    check(CLICK(200, 300), true, 0, DH_EVAL_ERROR_NONE);
    check(CLICK(203, 300), false, 3, DH_EVAL_ERROR_NONE);
    check(CLICK(203, 308), false, 5, DH_EVAL_ERROR_NONE);
    // A box stands for its centre.
    check("{\"action\":\"left_click\",\"coordinate\":[100,200,200,300]}", true,
          0, DH_EVAL_ERROR_NONE);
    check("I see no such thing here.", false, -1, DH_EVAL_ERROR_FORMAT);
    check("", false, -1, DH_EVAL_ERROR_FORMAT);
    check(CLICK(5000, 10), false, -1, DH_EVAL_ERROR_FORMAT);
    check("{\"action\":\"fail\"}", false, -1, DH_EVAL_ERROR_REFUSED);
}

static void test_polygons(void)
{
    // A U: the middle is outside, and the boundary inside.
    const double u[] = { 0,  0, 10, 0, 10, 20, 20, 20,
                         20, 0, 30, 0, 30, 30, 0,  30 };
    struct dh_eval_target t = { 0 };
    double box[4];
    dh_eval_target_set(&t, DH_EVAL_POLYGON, u, 16);
    CHECK(dh_eval_target_has(&t, 5, 5));
    CHECK(dh_eval_target_has(&t, 25, 5));
    CHECK(!dh_eval_target_has(&t, 15, 5));
    CHECK(dh_eval_target_has(&t, 10, 5));
    CHECK(dh_eval_target_has(&t, 0, 0));
    CHECK(dh_eval_target_has(&t, 15, 30));
    CHECK(!dh_eval_target_has(&t, 15, 31));
    CHECK_NEAR(dh_eval_target_gap(&t, 15, 5), 5, 1e-9);
    CHECK_NEAR(dh_eval_target_gap(&t, 33, 34), 5, 1e-9);
    CHECK(dh_eval_target_box(&t, box));
    CHECK_NEAR(box[2], 30, 0);
    dh_free(t.v);
}

static void test_what_is_not_there(void)
{
    struct dh_eval_result r;
    fill(&r, "1", "{\"action\":\"fail\"}");
    r.item.target.kind = DH_EVAL_NONE;
    dh_eval_judge(&r);
    CHECK(r.hit);
    CHECK_INT(r.error, DH_EVAL_ERROR_REFUSED);
    dh_free(r.raw);
    r.raw = dh_strdup(CLICK(10, 10));
    dh_eval_judge(&r);
    CHECK(!r.hit && r.has_point);
    dh_free(r.raw);
    r.raw = dh_strdup("gibberish");
    dh_eval_judge(&r);
    CHECK(!r.hit && !r.has_point);
    dh_eval_result_finish(&r);
}

static void test_a_second_look(void)
{
    struct dh_eval_result r;
    fill(&r, "1", CLICK(500, 500));
    r.crop = (struct dh_rect){ 50, 20, 200, 200 };
    r.has_first = true;
    r.first[0] = 180;
    r.first[1] = 140;
    dh_eval_judge(&r);
    CHECK_NEAR(r.point[0], 150, 1);
    CHECK_NEAR(r.point[1], 120, 1);
    CHECK(r.hit);
    // One that sees nothing leaves the first answer.
    dh_free(r.raw);
    r.raw = dh_strdup("{\"action\":\"fail\"}");
    dh_eval_judge(&r);
    CHECK_NEAR(r.point[0], 180, 0);
    CHECK(r.hit);
    dh_eval_result_finish(&r);
}

static void test_a_picture_of_no_size_has_no_points(void)
{
    struct dh_eval_result r;
    fill(&r, "1", CLICK(500, 500));
    r.item.size = (struct dh_size){ 0, 0 };
    dh_eval_judge(&r);
    CHECK(!r.hit && !r.has_point);
    CHECK_INT(r.error, DH_EVAL_ERROR_FORMAT);
    dh_eval_result_finish(&r);
}

// Wherever the target is, a first answer that is wrong by 5 % of the picture
// still shows it.
static void test_a_crop_keeps_the_target(void)
{
    static const struct dh_size sizes[] = { { 1920, 1080 }, { 3840, 2160 },
                                            { 640, 480 },   { 300, 900 },
                                            { 448, 448 },   { 20, 10 } };
    for (size_t i = 0; i < DH_COUNTOF(sizes); i++) {
        struct dh_size s = sizes[i];
        for (int k = 0; k < 100; k++) {
            double x = s.w * (k % 10) / 9.0, y = s.h * (k / 10) / 9.0;
            double off = 0.05 * DH_MIN(s.w, s.h) * (k % 2 ? 1 : -1);
            double at[] = { DH_CLAMP(x + off, 0, s.w - 1),
                            DH_CLAMP(y + off, 0, s.h - 1) };
            struct dh_rect r = dh_eval_zoom_crop(s, at);
            CHECK(r.x >= 0 && r.y >= 0 && r.x + r.w <= s.w &&
                  r.y + r.h <= s.h && r.w == r.h);
            CHECK(r.w >= DH_MIN(448, DH_MIN(s.w, s.h)));
            CHECK(x >= r.x && x <= r.x + r.w && y >= r.y && y <= r.y + r.h);
        }
    }
}

// ---- a run that looks wrong ------------------------------------------------

struct run {
    struct dh_eval_result v[60];
    struct dh_eval_results rs;
};

enum says { PIXELS, OUTSIDE, NOTHING, SAME };

// Targets all over the picture, answered in their own pixels.
static void fill_run(struct run *run, enum says says, bool swapped)
{
    run->rs = (struct dh_eval_results){ .v = run->v, .n = 60 };
    for (int i = 0; i < 60; i++) {
        struct dh_eval_result *r = &run->v[i];
        double x = 20 + 16 * i, y = 20 + i * 37 % 440;
        const double box[] = { x - 8, y - 8, x + 8, y + 8 };
        char raw[80], id[8];
        snprintf(raw, sizeof raw,
                 "{\"action\":\"left_click\",\"coordinate\":[%g,%g]}",
                 swapped ? y : x, swapped ? x : y);
        if (says == OUTSIDE)
            snprintf(raw, sizeof raw,
                     "{\"action\":\"left_click\",\"coordinate\":[%d,%d]}",
                     1500 + i, 9000 + i);
        if (says == SAME || says == NOTHING)
            snprintf(raw, sizeof raw, "%s",
                     says == SAME ? CLICK(7, 7) : "nothing");
        snprintf(id, sizeof id, "%d", i);
        fill(r, id, raw);
        dh_eval_target_set(&r->item.target, DH_EVAL_BOX, box, 4);
        dh_eval_judge(r);
    }
}

static void check_doubt(struct run *run, const char *want)
{
    struct dh_buf out;
    dh_buf_init(&out, 1 << 16);
    dh_eval_doubts(&run->rs, &out);
    if (want[0] ? !strstr(dh_buf_text(&out), want) : out.len > 0)
        CHECK_STR(dh_buf_text(&out), want);
    dh_buf_finish(&out);
    for (int i = 0; i < run->rs.n; i++)
        dh_eval_result_finish(&run->v[i]);
}

static void test_doubts(void)
{
    static struct run run;
    // Pixels of the screen, read as 0..1000 of 1000 x 500.
    fill_run(&run, PIXELS, false);
    check_doubt(&run, "read as pixels-s");
    fill_run(&run, PIXELS, true);
    check_doubt(&run, "with x and y exchanged");
    fill_run(&run, NOTHING, false);
    check_doubt(&run, "100.0 % of the answers cannot be read");
    fill_run(&run, OUTSIDE, false);
    check_doubt(&run, "lie outside of the picture");
    fill_run(&run, SAME, false);
    check_doubt(&run, "the same point, 7 4");
    fill_run(&run, SAME, false);
    check_doubt(&run, "all answers are in the upper left quarter");
    // And one that is as it should be.
    fill_run(&run, PIXELS, false);
    for (int i = 0; i < 60; i++) {
        run.v[i].coord = DH_COORD_PIXELS_SCREEN;
        dh_eval_judge(&run.v[i]);
        CHECK(run.v[i].hit);
    }
    check_doubt(&run, "");
}

DH_TESTS(DH_TEST(boxes), DH_TEST(polygons), DH_TEST(what_is_not_there),
         DH_TEST(a_second_look), DH_TEST(a_picture_of_no_size_has_no_points),
         DH_TEST(a_crop_keeps_the_target), DH_TEST(doubts));
