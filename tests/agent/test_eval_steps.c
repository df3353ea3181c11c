// AgentNetBench's rule, and its form.
#include "agent/eval_steps.h"

#include <string.h>

#include "agent/eval_judge.h"
#include "agent/eval_set.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "tests/dh_test.h"

static void test_distance_of_a_click(void)
{
    CHECK_NEAR(dh_eval_step_distance_score(0.02), 0.4951, 5e-5);
    CHECK_NEAR(dh_eval_step_distance_score(0), 1, 0);
    CHECK_NEAR(dh_eval_step_distance_score(0.0141), 1, 0);
    CHECK(dh_eval_step_distance_score(0.2) < 1e-9);
}

static void test_texts(void)
{
    CHECK_NEAR(dh_eval_step_text_score("Ada", " ada "), 1, 0);
    CHECK_NEAR(dh_eval_step_text_score("", ""), 1, 0);
    // One of ten wrong is 0.9, which is as good as right; half is not.
    CHECK_NEAR(dh_eval_step_text_score("abcdefghij", "abcdefghix"), 1, 0);
    CHECK_NEAR(dh_eval_step_text_score("abcd", "abxy"), 0.5 / 0.8, 1e-9);
    CHECK_NEAR(dh_eval_step_text_score("abcd", "wxyz"), 0, 0);
    CHECK_NEAR(dh_eval_step_text_score("abcd\n", "abxy"), 0.45 / 0.8, 1e-9);
    CHECK_NEAR(dh_eval_step_text_score("abcd\n", "abcd"), 1, 0);
}

#define CALL(args) "{\"name\":\"computer\",\"arguments\":{" args "}}"
#define ACT(args)  "<tool_call>\n" CALL(args) "\n</tool_call>"
#define AT(x, y)   "\"params\":{\"position\":{\"x\":" #x ",\"y\":" #y "}}"

static void check(const char *truth, const char *raw, double want,
                  enum dh_eval_error error)
{
    struct dh_eval_result r = { .trial = 1 };
    r.item.id = dh_strdup("1");
    r.item.image = dh_strdup("a.png");
    r.item.size = (struct dh_size){ 1000, 500 };
    r.item.instruction = dh_strdup("x");
    r.item.target.kind = DH_EVAL_STEP;
    r.item.target.text = dh_strdup(truth);
    r.raw = dh_strdup(raw);
    dh_eval_judge(&r);
    CHECK_NEAR(r.score, want, 5e-5);
    CHECK_INT(r.hit, want >= 1);
    CHECK_INT(r.error, error);
    dh_eval_result_finish(&r);
}

static void test_steps(void)
{
    const enum dh_eval_error none = DH_EVAL_ERROR_NONE;
    const char *click = "[{\"type\":\"click\"," AT(0.5, 0.5) "}]";
    const char *boxed = "[{\"type\":\"click\"," AT(
        0.1, 0.1) ",\"metadata\":{\"bboxes\":[{\"rel_bbox\":[0.4,0.4,0.2,0.2]"
                  "}]}}]";
    const char *write = "[{\"type\":\"write\",\"params\":{\"text\":\"Ada\"}},"
                        "{\"type\":\"press\",\"params\":{\"keys\":"
                        "[\"enter\"]}}]";
    const char *keys = "[{\"type\":\"hotkey\",\"params\":{\"keys\":[\"shift\","
                       "\"ctrl\",\"s\"]}}]";
    check(click, ACT("\"action\":\"left_click\",\"coordinate\":[500,500]"), 1,
          none);
    check(click, ACT("\"action\":\"left_click\",\"coordinate\":[520,500]"),
          0.4951, none);
    check(click, ACT("\"action\":\"right_click\",\"coordinate\":[500,500]"), 0,
          none);
    check(boxed, ACT("\"action\":\"left_click\",\"coordinate\":[590,590]"), 1,
          none);
    check(click, "I do not know.", 0, DH_EVAL_ERROR_FORMAT);
    check(write, ACT("\"action\":\"type\",\"text\":\"Ada\\n\""), 1, none);
    // The first type has to be among the person's.
    check("[{\"type\":\"scroll\"},{\"type\":\"click\"," AT(0.5, 0.5) "}]",
          ACT("\"action\":\"left_click\",\"coordinate\":[500,500]"), 0, none);
    check("[{\"type\":\"click\"," AT(0.5, 0.5) "},{\"type\":\"scroll\"}]",
          ACT("\"action\":\"left_click\",\"coordinate\":[500,500]"), 0.5, none);
    check(keys, ACT("\"action\":\"key\",\"text\":\"ctrl+shift+s\""), 1, none);
    check(keys, ACT("\"action\":\"key\",\"text\":\"ctrl+s\""), 0, none);
    check("[{\"type\":\"terminate\",\"params\":{\"status\":\"success\"}}]",
          ACT("\"action\":\"done\""), 1, none);
    check("[{\"type\":\"terminate\",\"params\":{\"status\":\"failure\"}}]",
          ACT("\"action\":\"done\""), 0, none);
    check("[]", ACT("\"action\":\"done\""), 0, none);
    check("no list", ACT("\"action\":\"done\""), 0, none);
}

static void test_episodes(void)
{
    struct dh_eval_set *s = NULL;
    struct dh_frame *f;
    struct dh_diag diag = { 0 };
    char *set = dh_test_file(
        "t.json",
        "{\"task_id\":\"t1\",\"high_level_task_description\":\"Save it\","
        "\"steps\":[{\"image\":\"a.png\",\"ground_truth_actions\":[{\"type\":"
        "\"click\"," AT(0.5, 0.25) "}]},{\"image\":\"a.png\","
                                   "\"ground_truth_actions\":[{\"type\":"
                                   "\"write\",\"params\":{\"text\":"
                                   "\"Ada\"}}]},{\"image\":\"a.png\"}]}");
    char *png = dh_test_path("a.png");
    CHECK_INT(dh_frame_create(&f, NULL, 100, 50), DH_OK);
    memset(f->pixels, 0, f->stride * 50);
    dh_frame_publish(f);
    CHECK_INT(dh_png_write(png, f), DH_OK);
    dh_frame_unref(f);
    CHECK_INT(dh_eval_set_open(&s, "agentnetbench", set, &diag), DH_OK);
    CHECK_INT(s->n, 2);
    CHECK_INT(s->fault[DH_EVAL_FAULT_FIELD], 1);
    CHECK_STR(s->item[0].id, "t1/0");
    CHECK_STR(s->item[0].instruction, "Save it");
    CHECK_STR(s->item[1].instruction,
              "Save it\nSteps so far:\n1. click 500 250");
    CHECK_STR(s->item[1].target.text,
              "[{\"type\":\"write\",\"params\":{\"text\":\"Ada\"}}]");
    CHECK_STR(dh_eval_tags_find(&s->item[1].tags, "action"), "write");
    dh_eval_set_close(s);
    dh_free(set);
    dh_free(png);
}

DH_TESTS(DH_TEST(distance_of_a_click), DH_TEST(texts), DH_TEST(steps),
         DH_TEST(episodes));
