// Rows, averages, the order of the worst, and two runs side by side.
#include "agent/eval_score.h"

#include <stdio.h>
#include <string.h>

#include "agent/eval_page.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/dh_test.h"

#define MAX 64

struct run {
    struct dh_eval_result v[MAX];
    struct dh_eval_results rs;
};

static struct dh_eval_result *add(struct run *run, const char *set, bool hit)
{
    const double box[] = { 0, 0, 20, 10 };
    struct dh_eval_result *r = &run->v[run->rs.n++];
    char id[16];
    memset(r, 0, sizeof *r);
    run->rs.v = run->v;
    snprintf(id, sizeof id, "%d", run->rs.n);
    r->item.id = dh_strdup(id);
    r->item.image = dh_strdup("a.png");
    r->item.size = (struct dh_size){ 100, 100 };
    r->item.instruction = dh_strdup("<b>\"x\"</b>");
    dh_eval_target_set(&r->item.target, DH_EVAL_BOX, box, 4);
    r->set = dh_strdup(set);
    r->model = dh_strdup("m");
    r->method = dh_strdup("point");
    r->raw = dh_strdup("<script>");
    r->trial = 1;
    r->has_point = true;
    r->hit = hit;
    r->score = hit;
    r->gap_px = hit ? 0 : 5;
    r->ms_model = 1000 * run->rs.n;
    r->tokens_in = 100;
    r->tokens_cached = r->tokens_out = -1;
    return r;
}

static void finish(struct run *run)
{
    for (int i = 0; i < run->rs.n; i++)
        dh_eval_result_finish(&run->v[i]);
    memset(run, 0, sizeof *run);
}

static const struct dh_eval_row *row_of(const struct dh_eval_table *t,
                                        const char *key, const char *value)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->row[i].key, key) == 0 &&
            strcmp(t->row[i].value, value) == 0)
            return &t->row[i];
    CHECK_STR(value, key);
    return NULL;
}

static void score(struct dh_eval_table *t, const struct run *run,
                  bool by_picture)
{
    struct dh_eval_score_options o = { .by_picture = by_picture, .seed = 1 };
    dh_eval_score(t, &run->rs, &o);
}

static void test_a_row_counts(void)
{
    static struct run run;
    struct dh_eval_table t;
    add(&run, "osworld-g", true);
    add(&run, "osworld-g", false);
    add(&run, "osworld-g", false)->gap_px = 40;
    struct dh_eval_result *r = add(&run, "osworld-g", false);
    r->error = DH_EVAL_ERROR_REFUSED;
    r->has_point = false;
    r->gap_px = -1;
    r = add(&run, "osworld-g", false);
    r->error = DH_EVAL_ERROR_FORMAT;
    r->has_point = false;
    r->gap_px = -1;
    r = add(&run, "osworld-g", false);
    r->item.target.kind = DH_EVAL_NONE;
    r->gap_px = -1;
    r = add(&run, "osworld-g", true);
    r->item.target.kind = DH_EVAL_NONE;
    r->error = DH_EVAL_ERROR_REFUSED;
    r->has_point = false;
    add(&run, "osworld-g", false)->error = DH_EVAL_ERROR_ENDPOINT;
    score(&t, &run, false);
    const struct dh_eval_row *all = row_of(&t, "all", "");
    CHECK_INT(all->n, 7);
    CHECK_INT(all->voids, 1);
    CHECK_INT(all->hits, 2);
    CHECK_INT(all->invalid, 2);
    CHECK_INT(all->attempts, 4);
    CHECK_INT(all->near, 1);
    CHECK_INT(all->targets, 5);
    CHECK_INT(all->declined_wrongly, 1);
    CHECK_INT(all->targets_none, 2);
    CHECK_INT(all->false_points, 1);
    CHECK_NEAR(all->score, 2.0 / 7, 1e-9);
    CHECK_NEAR(all->s_median, 4, 1e-9);
    CHECK_NEAR(all->tokens_in, 100, 0);
    CHECK_NEAR(all->tokens_out, -1, 0);
    struct dh_eval_range w = dh_eval_wilson(2, 7);
    CHECK_NEAR(all->range.lo, w.lo, 0);
    CHECK_INT(row_of(&t, "all", "with a target")->n, 5);
    dh_eval_table_finish(&t);
    finish(&run);
}

// Six cells, one of which is large: the plain average and the set's own differ.
static void test_the_sets_own_average(void)
{
    static const char *const platform[] = { "mobile", "desktop", "web" };
    static struct run run;
    struct dh_eval_table t;
    for (int i = 0; i < 30; i++) {
        struct dh_eval_result *r = add(&run, "screenspot-v2", i < 25);
        dh_eval_tags_add(&r->item.tags, "platform",
                         platform[i < 25 ? 0 : i % 3]);
        dh_eval_tags_add(&r->item.tags, "type",
                         i < 25 || i == 27 ? "text" : "icon");
    }
    score(&t, &run, false);
    // Cells: mobile text 25 of 26, desktop icon 0 of 2, web icon 0 of 2.
    CHECK_NEAR(row_of(&t, "all", "")->score, 25.0 / 30, 1e-9);
    CHECK_NEAR(row_of(&t, "own", "mean over cells")->score, 25.0 / 26 / 3,
               1e-9);
    CHECK_INT(row_of(&t, "platform", "mobile")->n, 26);
    CHECK_INT(row_of(&t, "type", "icon")->n, 4);
    dh_eval_table_finish(&t);
    finish(&run);
}

static void test_sizes_are_those_that_were_sent(void)
{
    static struct run run;
    struct dh_eval_table t;
    add(&run, "deskhand", true); // 10 px high
    add(&run, "deskhand", true)->sent = (struct dh_size){ 300, 300 };
    struct dh_eval_result *r = add(&run, "deskhand", true);
    r->sent = (struct dh_size){ 448, 448 };
    r->crop = (struct dh_rect){ 0, 0, 50, 50 };
    score(&t, &run, false);
    CHECK_INT(row_of(&t, "side", "1: to 16 px")->n, 1);
    CHECK_INT(row_of(&t, "side", "3: 25 to 40 px")->n, 1);
    CHECK_INT(row_of(&t, "side", "4: over 40 px")->n, 1);
    dh_eval_table_finish(&t);
    finish(&run);
}

// Items of one picture that go the same way are worth less.
static void test_pictures_widen_the_interval(void)
{
    static struct run run;
    struct dh_eval_table t, wide;
    for (int i = 0; i < 60; i++) {
        struct dh_eval_result *r = add(&run, "deskhand", i / 6 % 2);
        dh_free(r->item.image);
        r->item.image = dh_strdup((const char[]){ (char)('a' + i / 6), 0 });
    }
    score(&t, &run, false);
    score(&wide, &run, true);
    const struct dh_eval_row *a = row_of(&t, "all", "");
    const struct dh_eval_row *b = row_of(&wide, "all", "");
    CHECK_NEAR(a->score, b->score, 0);
    CHECK(b->range.hi - b->range.lo > 1.8 * (a->range.hi - a->range.lo));
    dh_eval_table_finish(&t);
    dh_eval_table_finish(&wide);
    finish(&run);
}

static void test_the_worst_come_first(void)
{
    static struct run run;
    int order[MAX];
    add(&run, "deskhand", false)->gap_px = 3;
    add(&run, "deskhand", true);
    add(&run, "deskhand", false)->gap_px = 300;
    add(&run, "deskhand", false)->error = DH_EVAL_ERROR_FORMAT;
    CHECK_INT(dh_eval_worst(&run.rs, order), 3);
    CHECK_INT(order[0], 3);
    CHECK_INT(order[1], 2);
    CHECK_INT(order[2], 0);
    finish(&run);
}

static void test_two_runs(void)
{
    static struct run a, b;
    struct dh_eval_score_options o = { .seed = 1 };
    struct dh_eval_pair p;
    for (int i = 0; i < 40; i++) {
        add(&a, "deskhand", i < 20);
        add(&b, "deskhand", i >= 6);
    }
    add(&a, "deskhand", true);
    b.v[39].error = DH_EVAL_ERROR_ENDPOINT;
    dh_eval_compare(&p, &a.rs, &b.rs, NULL, &o);
    CHECK_INT(p.n, 39);
    CHECK_INT(p.unpaired, 2);
    CHECK_INT(p.both, 14);
    CHECK_INT(p.only_a, 6);
    CHECK_INT(p.only_b, 19);
    CHECK_INT(p.neither, 0);
    CHECK_NEAR(p.p, dh_eval_mcnemar(6, 19), 0);
    CHECK_NEAR(p.b - p.a, 13.0 / 39, 1e-9);
    CHECK(p.difference.lo > 0 && p.difference.lo < 13.0 / 39 &&
          p.difference.hi > 13.0 / 39);
    dh_eval_compare(&p, &a.rs, &b.rs, "zoom", &o);
    CHECK_INT(p.n, 0);
    finish(&a);
    finish(&b);
}

static void test_the_page_has_no_foreign_markup(void)
{
    static struct run run;
    struct dh_eval_table t;
    char *dir = dh_test_path(""), *path = dh_test_path("index.html"), *text;
    size_t len;
    add(&run, "deskhand", false);
    score(&t, &run, false);
    CHECK_INT(dh_eval_page_write(dir, dir, &run.rs, &t, "doubt <i>", 5), DH_OK);
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &len), DH_OK);
    CHECK(!strstr(text, "<script>") && !strstr(text, "<b>") &&
          !strstr(text, "<i>"));
    CHECK(strstr(text, "&lt;script&gt;") != NULL);
    CHECK(strstr(text, "its picture is not there: a.png") != NULL);
    dh_big_free(text);
    dh_eval_table_finish(&t);
    finish(&run);
    dh_free(dir);
    dh_free(path);
}

static void test_text_and_json(void)
{
    static struct run run;
    struct dh_eval_table t;
    struct dh_buf out;
    add(&run, "deskhand", true);
    add(&run, "deskhand", false)->error = DH_EVAL_ERROR_SETUP;
    score(&t, &run, false);
    dh_buf_init(&out, 1 << 20);
    dh_eval_table_text(&t, &out);
    CHECK(strstr(dh_buf_text(&out), "this is no result") != NULL);
    CHECK(strstr(dh_buf_text(&out), "attempted 1 of 1") != NULL);
    dh_buf_clear(&out);
    dh_eval_table_json(&t, &out);
    CHECK(strstr(dh_buf_text(&out), "\"key\":\"all\",\"value\":\"\",\"n\":1,"
                                    "\"hits\":1,\"score\":1") != NULL);
    dh_buf_finish(&out);
    dh_eval_table_finish(&t);
    finish(&run);
}

DH_TESTS(DH_TEST(a_row_counts), DH_TEST(the_sets_own_average),
         DH_TEST(sizes_are_those_that_were_sent),
         DH_TEST(pictures_widen_the_interval), DH_TEST(the_worst_come_first),
         DH_TEST(two_runs), DH_TEST(the_page_has_no_foreign_markup),
         DH_TEST(text_and_json));
