// Lines of results: everything comes back, and what is torn or bad is left out.
#include "agent/eval_result.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/dh_test.h"

static void fill(struct dh_eval_result *r, const char *id)
{
    const double box[] = { 10, 20, 30.5, 40 };
    memset(r, 0, sizeof *r);
    r->item.id = dh_strdup(id);
    r->item.image = dh_strdup("a/b.png");
    r->item.size = (struct dh_size){ 1024, 768 };
    r->item.instruction = dh_strdup("the \"Save\" button\n");
    dh_eval_target_set(&r->item.target, DH_EVAL_BOX, box, 4);
    dh_eval_tags_add(&r->item.tags, "type", "icon");
    dh_eval_tags_add(&r->item.tags, "type", "text");
    dh_eval_tags_add(&r->item.tags, "app", "");
    r->set = dh_strdup("screenspot");
    r->model = dh_strdup("m3");
    r->method = dh_strdup("zoom");
    r->seed = 7;
    r->trial = 2;
    r->coord = DH_COORD_PIXELS_SENT;
    r->sent = (struct dh_size){ 512, 384 };
    r->prompt = dh_strdup("00ff");
    r->raw = dh_strdup("{\"x\":1}");
    r->reasoning = dh_strdup("hm");
    r->crop = (struct dh_rect){ 1, 2, 300, 400 };
    r->has_first = r->has_point = r->hit = true;
    r->first[0] = 5.5;
    r->point[1] = 21;
    r->score = 1;
    r->gap_px = 3.25;
    r->error = DH_EVAL_ERROR_REFUSED;
    r->note = dh_strdup("note");
    r->end = dh_strdup("done");
    r->steps = 3;
    r->steps_reference = 2;
    r->ms_model = 12.3456;
    r->ms_act = 1;
    r->ms_settle = -1;
    r->ms_first = 9;
    r->ms_wall = 30;
    r->ms_setup = 4;
    r->ms_run = 20;
    r->tokens_in = 1000;
    r->tokens_cached = 10;
    r->tokens_out = 20;
    r->image_tokens = -1;
    r->cost = 0.000125;
    r->session = dh_strdup("sessions/1");
}

static void check_same(const struct dh_eval_result *a,
                       const struct dh_eval_result *b)
{
    struct dh_buf x, y;
    dh_buf_init(&x, 1 << 20);
    dh_buf_init(&y, 1 << 20);
    dh_eval_result_json(a, &x);
    dh_eval_result_json(b, &y);
    CHECK_STR(dh_buf_text(&x), dh_buf_text(&y));
    dh_buf_finish(&x);
    dh_buf_finish(&y);
}

static void test_a_line_holds_everything(void)
{
    struct dh_eval_result a, b;
    struct dh_diag diag = { 0 };
    struct dh_buf line;
    fill(&a, "1");
    dh_buf_init(&line, 1 << 20);
    dh_eval_result_json(&a, &line);
    CHECK(!strchr(dh_buf_text(&line), '\n'));
    CHECK(dh_eval_result_read(&b, line.data, line.len, &diag));
    check_same(&a, &b);
    CHECK_STR(b.item.instruction, "the \"Save\" button\n");
    CHECK_INT(b.item.size.h, 768);
    CHECK_INT(b.item.target.kind, DH_EVAL_BOX);
    CHECK_NEAR(b.item.target.v[2], 30.5, 0);
    CHECK_INT(b.item.tags.n, 2);
    CHECK_STR(b.item.tags.tag[1], "type=text");
    CHECK_STR(dh_eval_tags_find(&b.item.tags, "type"), "icon");
    CHECK_STR(b.method, "zoom");
    CHECK_INT(b.seed, 7);
    CHECK_INT(b.trial, 2);
    CHECK_INT(b.coord, DH_COORD_PIXELS_SENT);
    CHECK_INT(b.sent.w, 512);
    CHECK_INT(b.crop.h, 400);
    CHECK(b.has_first && b.has_point && b.hit);
    CHECK_NEAR(b.first[0], 5.5, 0);
    CHECK_INT(b.error, DH_EVAL_ERROR_REFUSED);
    CHECK_NEAR(b.ms_model, 12.346, 1e-9);
    CHECK_NEAR(b.ms_settle, -1, 0);
    CHECK_NEAR(b.ms_wall, 30, 0);
    CHECK_NEAR(b.ms_setup, 4, 0);
    CHECK_NEAR(b.ms_run, 20, 0);
    CHECK_INT(b.steps_reference, 2);
    CHECK_INT(b.image_tokens, -1);
    CHECK_NEAR(b.cost, 0.000125, 1e-12);
    CHECK_STR(b.session, "sessions/1");
    dh_buf_finish(&line);
    dh_eval_result_finish(&a);
    dh_eval_result_finish(&b);
}

static void test_bad_lines_say_why(void)
{
    static const struct {
        const char *line, *why;
    } bad[] = {
        { "{", "" },
        { "{}", "id: " },
        { "{\"id\":\"1\"}", "instruction: " },
        { "{\"id\":\"1\",\"instruction\":\"\",\"hit\":true}", "error_kind: " },
        { "{\"id\":\"1\",\"instruction\":\"\",\"hit\":true,"
          "\"error_kind\":\"odd\"}",
          "odd is not known" },
        { "{\"id\":\"1\",\"instruction\":\"\",\"target\":{\"kind\":\"box\","
          "\"v\":[1,2,3]}}",
          "target: " },
        { "{\"id\":\"1\",\"instruction\":\"\",\"size\":[0,1]}", "size: " },
        { "{\"id\":\"1\",\"instruction\":\"\",\"profile\":{\"coord\":\"x\"}}",
          "profile.coord" },
    };
    for (size_t i = 0; i < DH_COUNTOF(bad); i++) {
        struct dh_diag diag = { 0 };
        struct dh_eval_result r;
        CHECK(
            !dh_eval_result_read(&r, bad[i].line, strlen(bad[i].line), &diag));
        CHECK(diag.text[0]);
        if (!strstr(diag.text, bad[i].why))
            CHECK_STR(diag.text, bad[i].why);
    }
}

static void append(const char *dir, const char *text)
{
    char *path = dh_path_join(dir, "results.jsonl");
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    dh_free(path);
}

static void add(const char *dir, const char *id, bool hit)
{
    struct dh_eval_log *log;
    struct dh_eval_result r;
    fill(&r, id);
    r.hit = hit;
    CHECK_INT(dh_eval_log_open(&log, dir), DH_OK);
    CHECK_INT(dh_eval_log_add(log, &r), DH_OK);
    dh_eval_log_close(log);
    dh_eval_result_finish(&r);
}

static void test_a_torn_run_goes_on(void)
{
    char *dir = dh_test_path("out");
    struct dh_eval_results rs;
    CHECK_INT(dh_eval_results_read(&rs, dir), DH_OK);
    CHECK_INT(rs.n, 0);
    CHECK(!dh_eval_results_find(&rs, "1", "m3", "zoom", 2));
    add(dir, "1", false);
    add(dir, "2", true);
    append(dir, "not a line\n{\"id\":\"3\",\"to");
    CHECK_INT(dh_eval_results_read(&rs, dir), DH_OK);
    CHECK_INT(rs.n, 2);
    CHECK_INT(rs.bad_lines, 1);
    dh_eval_results_finish(&rs);
    // The torn line goes, and a later answer replaces the earlier one.
    add(dir, "1", true);
    CHECK_INT(dh_eval_results_read(&rs, dir), DH_OK);
    CHECK_INT(rs.n, 2);
    CHECK_INT(rs.bad_lines, 1);
    CHECK(dh_eval_results_find(&rs, "1", "m3", "zoom", 2)->hit);
    CHECK(!dh_eval_results_find(&rs, "1", "m3", "zoom", 1));
    CHECK(!dh_eval_results_find(&rs, "1", "m3", "point", 2));
    CHECK(!dh_eval_results_find(&rs, "3", "m3", "zoom", 2));
    dh_eval_results_finish(&rs);
    dh_free(dir);
}

static void test_many_are_found_again(void)
{
    char *dir = dh_test_path("out"), id[16];
    struct dh_eval_log *log;
    struct dh_eval_results rs;
    CHECK_INT(dh_eval_log_open(&log, dir), DH_OK);
    for (int i = 0; i < 1000; i++) {
        struct dh_eval_result r;
        snprintf(id, sizeof id, "%d", i % 700);
        fill(&r, id);
        r.steps = i;
        CHECK_INT(dh_eval_log_add(log, &r), DH_OK);
        dh_eval_result_finish(&r);
    }
    dh_eval_log_close(log);
    CHECK_INT(dh_eval_results_read(&rs, dir), DH_OK);
    CHECK_INT(rs.n, 700);
    for (int i = 0; i < 700; i++) {
        snprintf(id, sizeof id, "%d", i);
        CHECK_INT(dh_eval_results_find(&rs, id, "m3", "zoom", 2)->steps,
                  i < 300 ? i + 700 : i);
    }
    dh_eval_results_finish(&rs);
    dh_free(dir);
}

static void test_run_json_names_the_data(void)
{
    char *dir = dh_test_path(""), *data = dh_test_file("set.json", "abc");
    const char *files[] = { data };
    struct dh_eval_run run = { .command = "deskhand eval ground",
                               .set = "screenspot",
                               .sampling = "{\"temperature\":0}",
                               .data = files,
                               .n_data = 1,
                               .started = "2026-11-22T10:00:00Z",
                               .counts = "{\"items\":3}" };
    struct dh_diag diag = { 0 };
    char *path = dh_test_path("run.json"), *text;
    size_t len;
    CHECK_INT(dh_eval_run_write(dir, &run), DH_OK);
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &len), DH_OK);
    struct dh_json *o = dh_json_parse(text, len, &diag);
    CHECK_STR(dh_json_text(dh_json_find(o, "format")), "deskhand-eval");
    CHECK(strstr(text, "\"sha256\":\"ba7816bf8f01cfea") != NULL);
    CHECK(strstr(text, "\"counts\":{\"items\":3}") != NULL);
    CHECK(dh_json_find(dh_json_find(o, "machine"), "cpu") != NULL);
    dh_json_free(o);
    dh_big_free(text);
    files[0] = "/nonexistent";
    CHECK_INT(dh_eval_run_write(dir, &run), DH_ERR_IO);
    dh_free(path);
    dh_free(data);
    dh_free(dir);
}

DH_TESTS(DH_TEST(a_line_holds_everything), DH_TEST(bad_lines_say_why),
         DH_TEST(a_torn_run_goes_on), DH_TEST(many_are_found_again),
         DH_TEST(run_json_names_the_data));
