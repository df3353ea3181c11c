#include "agent/task.h"

#include <stdio.h>
#include <string.h>

#include "agent/task_judge.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/dh_test.h"

static const struct dh_task_options options = { { 1024, 768 }, 7 };

#define RULE(r) \
    "\"expected\":{\"type\":\"rule\",\"rules\":{\"expected\":" r "}}"
#define RESULT \
    "\"result\":{\"type\":\"vm_command_line\",\"command\":[\"cat\",\"a b\"]}"
#define JUDGED \
    "\"evaluator\":{\"func\":\"exact_match\"," RESULT "," RULE("\"x\"") "}"
#define WIDGETS(r)                                                         \
    "\"evaluator\":{\"func\":\"check_accessibility_tree\",\"result\":{"    \
    "\"type\":"                                                            \
    "\"accessibility_tree\"},\"expected\":{\"type\":\"rule\",\"rules\":" r \
    "}}}"
#define HEAD "{\"id\":\"t1\",\"instruction\":\"Do it.\","

static enum dh_status parse(struct dh_task *t, const char *text)
{
    struct dh_diag diag = { 0 };
    enum dh_status st =
        dh_task_parse(t, text, strlen(text), "/tmp", &options, &diag);
    CHECK((st == DH_OK) == (diag.text[0] == 0));
    return st;
}

static void check_unsupported(const char *text, const char *why)
{
    struct dh_task t;
    CHECK_INT(parse(&t, text), DH_OK);
    CHECK(t.unsupported != NULL);
    CHECK_STR(t.unsupported, why);
    dh_task_finish(&t);
}

static void test_a_task_of_the_subset_is_read(void)
{
    struct dh_task t;
    struct dh_buf out;
    CHECK_INT(parse(&t,
                    HEAD "\"snapshot\":\"os\",\"max_steps\":12,\"config\":["
                         "{\"type\":\"launch\",\"parameters\":{\"command\":"
                         "[\"xterm\",\"-title\",\"it's\"]}},"
                         "{\"type\":\"sleep\",\"parameters\":{\"seconds\":1}}],"
                         "\"oracle\":[\"key Return\",\"done\"]," JUDGED "}"),
              DH_OK);
    CHECK(t.unsupported == NULL);
    CHECK_STR(t.domain, "os");
    CHECK_INT(t.max_steps, 12);
    CHECK_INT(dh_task_reference(&t), 2);
    CHECK(!t.infeasible);
    dh_buf_init(&out, 4096);
    dh_task_commands(&t, &out);
    CHECK_STR(dh_buf_text(&out), "launch: 'xterm' '-title' 'it'\\''s'\n"
                                 "sleep: {\"seconds\":1}\n"
                                 "check: 'cat' 'a b'\n");
    dh_buf_finish(&out);
    dh_task_finish(&t);
}

static void test_a_solution_may_click_on_widgets(void)
{
    struct dh_task t;
    CHECK_INT(parse(&t, HEAD "\"oracle\":[\"wait 1\",{\"double_click\":[{"
                             "\"name\":\"a\"}]}]," JUDGED "}"),
              DH_OK);
    CHECK(t.reads_tree);
    const struct dh_json *first = dh_json_first(t.oracle);
    CHECK(!dh_task_click(first));
    CHECK_STR(dh_json_key(dh_task_click(dh_json_next(first))), "double_click");
    dh_task_finish(&t);
    CHECK_INT(parse(&t, HEAD "\"oracle\":\"true\"," JUDGED "}"), DH_OK);
    CHECK(!t.reads_tree);
    dh_task_finish(&t);
}

static void test_what_is_outside_is_unsupported_with_its_reason(void)
{
    check_unsupported(
        HEAD "\"config\":[{\"type\":\"login\",\"parameters\":{}}]," JUDGED "}",
        "set-up login");
    check_unsupported(HEAD "\"evaluator\":{\"func\":\"compare_table\"," RESULT
                           "," RULE("\"x\"") "}}",
                      "metric compare_table");
    check_unsupported(HEAD "\"evaluator\":{\"func\":\"exact_match\",\"result\":"
                           "{\"type\":\"open_tabs_info\"}," RULE("\"x\"") "}}",
                      "getter open_tabs_info");
    check_unsupported(HEAD
                      "\"config\":[{\"type\":\"download\",\"parameters\":{"
                      "\"files\":[{\"url\":\"https://h/x\",\"path\":\"/x\"}"
                      "]}}]," JUDGED "}",
                      "needs the network: https://h/x");
    check_unsupported(HEAD "\"config\":[{\"type\":\"upload_file\","
                           "\"parameters\":{\"files\":[{\"local_path\":"
                           "\"../../etc/shadow\",\"path\":\"/x\"}]}}]," JUDGED
                           "}",
                      "a file from outside the task's folder: "
                      "../../etc/shadow");
    check_unsupported(HEAD "\"platform\":\"windows\"," JUDGED "}",
                      "platform windows");
    check_unsupported(HEAD WIDGETS("[{\"selectors\":[\"a\"]}]"),
                      "rules in a list");
    check_unsupported(HEAD WIDGETS("{\"expect\":[{\"xpath\":\"//a\"}]}"),
                      "a widget without a path");
}

static void test_what_is_no_task_says_why(void)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"id\":\"../x\",\"instruction\":\"x\"," JUDGED "}",
        "{\"id\":\"x\",\"instruction\":\"\"," JUDGED "}",
        HEAD "\"config\":{}," JUDGED "}",
        HEAD "\"config\":[3]," JUDGED "}",
        HEAD "\"config\":[{\"type\":\"execute\",\"parameters\":{}}]," JUDGED
             "}",
        HEAD "\"config\":[{\"type\":\"sleep\",\"parameters\":{\"seconds\":-1}}"
             "]," JUDGED "}",
        HEAD "\"evaluator\":{}}",
        HEAD "\"evaluator\":{\"func\":[\"exact_match\",\"exact_match\"],"
             "\"result\":[],\"expected\":[]}}",
        HEAD "\"oracle\":7," JUDGED "}",
        HEAD "\"oracle\":[\"dance 3\"]," JUDGED "}",
        HEAD "\"oracle\":[{\"left_click\":[]}]," JUDGED "}",
        HEAD "\"oracle\":[{\"type\":[{\"name\":\"x\"}]}]," JUDGED "}",
        HEAD "\"max_steps\":0," JUDGED "}",
        HEAD WIDGETS("{\"expect\":[{\"path\":[]}]}"),
        HEAD WIDGETS("{\"expect\":[{\"path\":[{}]}]}"),
        HEAD WIDGETS("{\"expect\":[{\"path\":[{\"role\":1}]}]}"),
        HEAD WIDGETS("{\"unexpect\":[{\"path\":[{\"css\":\"a\"}]}]}"),
        HEAD "\"evaluator\":{\"func\":\"check_accessibility_tree\"," RESULT
             "," RULE("\"x\"") "}}",
        HEAD "\"params\":{\"a\":{\"int\":[9,1]}}," JUDGED "}",
        HEAD "\"params\":{\"a b\":{\"words\":[\"x\"]}}," JUDGED "}",
    };
    struct dh_task t;
    for (size_t i = 0; i < DH_COUNTOF(bad); i++)
        CHECK_INT(parse(&t, bad[i]), DH_ERR_FORMAT);
}

static void test_params_come_from_the_seed(void)
{
    static const char text[] =
        "{\"id\":\"p\",\"instruction\":\"{n} {w} {d} {SCREEN_WIDTH} {other}\","
        "\"params\":{\"n\":{\"int\":[10,99]},\"w\":{\"words\":[\"a\\\"b\"]},"
        "\"d\":{\"date\":[\"2026-02-28\",\"2026-03-01\"]}}," JUDGED "}";
    struct dh_task a, b;
    char *first;
    CHECK_INT(parse(&a, text), DH_OK);
    CHECK_INT(parse(&b, text), DH_OK);
    CHECK_STR(a.instruction, b.instruction);
    CHECK(strstr(a.instruction, " a\"b 2026-0") != NULL);
    CHECK(strstr(a.instruction, " 1024 {other}") != NULL);
    first = dh_strdup(a.instruction);
    dh_task_finish(&a);
    dh_task_finish(&b);
    bool differs = false;
    for (uint64_t seed = 8; seed < 16; seed++) {
        struct dh_task_options o = { { 1024, 768 }, seed };
        struct dh_diag diag = { 0 };
        CHECK_INT(dh_task_parse(&a, text, sizeof text - 1, ".", &o, &diag),
                  DH_OK);
        differs |= strcmp(a.instruction, first) != 0;
        dh_task_finish(&a);
    }
    CHECK(differs);
    dh_free(first);
}

static void test_an_infeasible_task_needs_no_getters(void)
{
    struct dh_task t;
    CHECK_INT(parse(&t, HEAD "\"evaluator\":{\"func\":\"infeasible\"}}"),
              DH_OK);
    CHECK(t.infeasible);
    CHECK(t.unsupported == NULL);
    dh_task_finish(&t);
}

static double judge(const char *metric, const char *got, const char *rules,
                    const char *file, const char *opts)
{
    struct dh_diag diag = { 0 };
    char text[1000];
    snprintf(text, sizeof text, "{\"rules\":%s}", rules ? rules : "{}");
    struct dh_json *e = dh_json_parse(text, strlen(text), &diag);
    struct dh_json *o = opts ? dh_json_parse(opts, strlen(opts), &diag) : NULL;
    CHECK(e != NULL);
    double s = dh_task_judge(metric, dh_str_of(got), e,
                             dh_str_of(file ? file : ""), o);
    dh_json_free(e);
    dh_json_free(o);
    return s;
}

static void test_metrics_tell_right_from_wrong(void)
{
    static const struct {
        const char *metric, *rules, *right, *wrong;
    } rows[] = {
        { "exact_match", "{\"expected\":\"a\\n\"}", "a\n", "a" },
        { "exact_match", "{\"expected\":[\"a\",\"b\"]}", "a\nb\n", "a\n" },
        { "exact_match", "{\"expected\":5}", "5", "5.5" },
        { "literal_match", "{\"expected\":\"Yes\"}", "Yes", "yes" },
        { "match_in_list", "{\"expected\":[\"a\",\"b\"]}", "b", "ab" },
        { "is_in_list", "{\"expected\":\"b\"}", "a\nb\nc", "a\nbc" },
        { "check_include_exclude",
          "{\"include\":[\"a\",\"c\"],\"exclude\":[\"x\"]}", "abc", "abcx" },
        { "file_contains", "{\"expected\":[\"a\",\"c\"]}", "cba", "ab" },
        { "check_json",
          "{\"expect\":[{\"key\":[\"a\",1],\"method\":\"eq\",\"ref\":2}],"
          "\"unexpect\":[{\"key\":[\"b\"],\"method\":\"gt\",\"ref\":3}]}",
          "{\"a\":[1,2],\"b\":3}", "{\"a\":[1,2],\"b\":4}" },
        { "check_csv", "{\"expect\":[{\"n\":\"x,y\",\"v\":\"1\"}]}",
          "n,v\n\"x,y\",1\n", "n,v\nx,1\n" },
        { "check_csv", "{\"unexpect\":[{\"n\":\"x\"}]}", "n\r\ny\r\n",
          "n\r\nx\r\n" },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        CHECK_NEAR(
            judge(rows[i].metric, rows[i].right, rows[i].rules, NULL, NULL), 1,
            0);
        CHECK_NEAR(
            judge(rows[i].metric, rows[i].wrong, rows[i].rules, NULL, NULL), 0,
            0);
    }
    CHECK_NEAR(judge("compare_text_file", "a  b\n", NULL, " a b", NULL), 0, 0);
    CHECK_NEAR(judge("compare_text_file", "A  b\n", NULL, " a b",
                     "{\"ignore_blanks\":true,\"ignore_case\":true}"),
               1, 0);
}

/* A path leads through a widget's own parents and nothing else. */
static void test_widgets_are_found_by_their_path(void)
{
    static const char tree[] =
        "{\"depth\":1,\"role\":\"frame\",\"name\":\"A\",\"states\":\"\"}\n"
        "{\"depth\":2,\"role\":\"panel\",\"name\":\"P\",\"states\":\"\"}\n"
        "{\"depth\":3,\"role\":\"check box\",\"name\":\"x\",\"states\":"
        "\"sensitive\"}\n"
        "not a line of it\n"
        "{\"depth\":-1e9,\"role\":\"frame\"}\n"
        "{\"depth\":1,\"role\":\"frame\",\"name\":\"B\",\"states\":\"\"}\n"
        "{\"depth\":2,\"role\":\"check box\",\"name\":\"x\",\"states\":"
        "\"checked,sensitive\"}\n"
        "{\"depth\":2,\"role\":\"text\",\"name\":\"\",\"states\":\"\","
        "\"text\":\"Ada\",\"box\":[100,10,80,20]}\n"
        "{\"depth\":2,\"role\":\"label\",\"name\":\"Name: \",\"box\":"
        "[40,12,50,16]}\n"
        "{\"depth\":2,\"role\":\"label\",\"name\":\"Name\",\"box\":"
        "[40,12,50,16]}\n"
        "{\"depth\":2,\"role\":\"label\",\"name\":\"Far\",\"box\":"
        "[40,99,50,16]}\n"
        "{\"depth\":2,\"role\":\"menu item\",\"name\":\" padded  \"}";
    static const struct {
        const char *path;
        bool there;
    } rows[] = {
        { "[{\"role\":\"check box\",\"state\":\"checked\"}]", true },
        { "[{\"name\":\"B\"},{\"name\":\"x\",\"state\":\"checked\"}]", true },
        { "[{\"name\":\"A\"},{\"name\":\"x\",\"state\":\"checked\"}]", false },
        { "[{\"name\":\"A\"},{\"name\":\"x\",\"state\":\"!checked\"}]", true },
        { "[{\"name\":\"A\"},{\"name\":\"P\"},{\"name\":\"x\"}]", true },
        { "[{\"name\":\"P\"},{\"name\":\"A\"}]", false },
        { "[{\"name\":\"x\",\"state\":[\"checked\",\"sensitive\"]}]", true },
        { "[{\"name\":\"x\",\"state\":[\"checked\",\"!sensitive\"]}]", false },
        { "[{\"name\":\"x\",\"state\":\"check\"}]", false },
        { "[{\"name\":\"B\"},{\"role\":\"text\",\"text\":\"Ada\"}]", true },
        { "[{\"role\":\"text\",\"text\":\"Ad\"}]", false },
        { "[{\"role\":\"text\",\"label\":\"Name\"}]", true },
        { "[{\"role\":\"text\",\"label\":\"Far\"}]", false },
        { "[{\"name\":\"B\"},{\"name\":\"padded\"}]", true },
        { "[{\"role\":\"text\",\"text\":\"ADA\"}]", false },
    };
    char rules[400];
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        snprintf(rules, sizeof rules, "{\"expect\":[{\"path\":%s}]}",
                 rows[i].path);
        double there =
            judge("check_accessibility_tree", tree, rules, NULL, NULL);
        CHECK_INT((int)there, rows[i].there);
        snprintf(rules, sizeof rules, "{\"unexpect\":[{\"path\":%s}]}",
                 rows[i].path);
        there = judge("check_accessibility_tree", tree, rules, NULL, NULL);
        CHECK_INT((int)there, !rows[i].there);
    }
    CHECK_NEAR(judge("check_accessibility_tree", tree,
                     "{\"expect\":[{\"path\":[{\"text\":\"ADA\"}]}]}", NULL,
                     "{\"ignore_case\":true}"),
               1, 0);
}

DH_TESTS(DH_TEST(a_task_of_the_subset_is_read),
         DH_TEST(a_solution_may_click_on_widgets),
         DH_TEST(what_is_outside_is_unsupported_with_its_reason),
         DH_TEST(what_is_no_task_says_why), DH_TEST(params_come_from_the_seed),
         DH_TEST(an_infeasible_task_needs_no_getters),
         DH_TEST(metrics_tell_right_from_wrong),
         DH_TEST(widgets_are_found_by_their_path));
